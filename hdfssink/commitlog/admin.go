package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// Operation is what every operator's command needs. Each command claims the partition first (whoever runs is fenced, and claims again
// afterwards), and ends with a manifest that names user and reason.
type Operation struct {
	Partition ingest.Partition
	User      string
	Reason    string // for people who read the log later
	DryRun    bool   // says what would be done, claims and changes nothing
}

// Change says what a command did, or would do.
type Change struct {
	DryRun  bool          `json:"dry_run"`
	Life    int           `json:"life"`              // in which the change was written
	Seq     int64         `json:"seq"`               // of its manifest
	Was     ingest.Offset `json:"was"`               // low before
	Now     ingest.Offset `json:"now"`               // low after
	Missing []string      `json:"missing,omitempty"` // files given up
	What    string        `json:"what"`              // one sentence
}

// AcceptGap counts a range of offsets as done although nothing of it was published: events that retention has deleted, a batch
// that cannot be decoded. What of it is done already is left alone.
func (l *Log) AcceptGap(ctx context.Context, op Operation, r ingest.Range) (Change, error) {
	if r.Empty() || r.First < 0 {
		return Change{}, fmt.Errorf("accept gap [%d, %d): not a range of offsets", r.First, r.Next)
	}
	return l.change(ctx, op, "accept-gap", func(ctx context.Context, c *Claim) (Change, error) {
		if !c.state.Exists {
			return Change{}, fmt.Errorf("life %d has no manifest, so it has no gaps: it begins where the sink starts, or with %s", c.p.life, c.command("adopt", "--offset OFFSET"))
		}
		gaps := c.undone(r, ingest.GapAccepted, op.evidence())
		if len(gaps) == 0 {
			return Change{}, fmt.Errorf("every offset of [%d, %d) is done already, low is %d", r.First, r.Next, c.state.Low)
		}
		return c.commitGaps(ctx, op, "accept-gap", gaps)
	})
}

// AcceptTopic ends a life because the topic was deleted and made again, or truncated: the next life begins at start, nil: at the log's
// beginning.
func (l *Log) AcceptTopic(ctx context.Context, op Operation, start *ingest.Offset) (Change, error) {
	return l.seal(ctx, op, "accept-topic", strict, start)
}

// Reset ends a life whatever its log looks like, and lets the next begin at start, nil: at the log's beginning. What was published stays
// where it is; events that are read again are published again, under names of the new life.
func (l *Log) Reset(ctx context.Context, op Operation, start *ingest.Offset) (Change, error) {
	return l.seal(ctx, op, "reset", tolerant, start)
}

// AcceptMissing gives up published files that are not there any more: a manifest that could not be finished for the want of one is
// finished without it, and verify does not report them again.
func (l *Log) AcceptMissing(ctx context.Context, op Operation) (Change, error) {
	return l.changeHow(ctx, op, "accept-missing", missing, func(ctx context.Context, c *Claim) (Change, error) {
		led, err := readLedger(ctx, l.o.FS, c.p)
		if err != nil {
			return Change{}, err
		}
		gone, err := c.gone(ctx, led)
		if err != nil {
			return Change{}, err
		}
		if len(gone) == 0 {
			return Change{}, errors.New("no published file is missing")
		}
		m := c.draft("state accept-missing: "+op.Reason, op.User)
		m.Missing = gone
		return c.apply(ctx, op, m, Change{Missing: gone, What: fmt.Sprintf("gives up %d files that are missing", len(gone))})
	})
}

// gone lists the published files that are not there any more, without those that were given up before.
func (c *Claim) gone(ctx context.Context, led *ledger) ([]string, error) {
	var gone []string
	for i := range led.files {
		f := &led.files[i]
		there, err := exists(ctx, c.log.o.FS, f.Final)
		if pending := !led.done && i >= len(led.files)-len(led.newest.Files); err == nil && !there && pending {
			// Dry run only: a claim would have published it, if it is still staged.
			there, err = c.stagedSomewhere(ctx, led.newest, f)
		}
		if err != nil {
			return nil, err
		}
		if !there && !led.missing[f.Final] {
			gone = append(gone, f.Final)
		}
	}
	return gone, nil
}

func (c *Claim) stagedSomewhere(ctx context.Context, m *Manifest, f *FileEntry) (bool, error) {
	for _, stage := range []string{m.stage(c.p), m.fencedStage(c.p)} {
		if there, err := exists(ctx, c.log.o.FS, f.from(stage)); err != nil || there {
			return there, err
		}
	}
	return false, nil
}

// Adopt makes the log go on at an offset that something else says: where there is no state, the genesis is at; where there is some,
// everything before at counts as done (and at must not be before low). hint, when not nil, is the group's: it is not refused again, wherever it
// came from.
func (l *Log) Adopt(ctx context.Context, op Operation, at ingest.Offset, hint *ingest.Hint) (Change, error) {
	if at < 0 {
		return Change{}, fmt.Errorf("adopt: offset %d", at)
	}
	return l.change(ctx, op, "adopt", func(ctx context.Context, c *Claim) (Change, error) {
		m := c.draft("state adopt: "+op.Reason, op.User)
		if hint != nil {
			info, ours := parseHint(*hint)
			newer := info.Life > c.p.life || info.Life == c.p.life && (info.Seq > m.Seq || hint.Next > at)
			if ours && (info.Dir != hintDir(c.p.sinkDir) || newer) {
				m.Adopted = &Adopted{Dir: info.Dir, Next: hint.Next}
			}
		}
		if !c.state.Exists {
			m.First, m.Low = at, at
			return c.apply(ctx, op, m, Change{What: fmt.Sprintf("begins at offset %d", at)})
		}
		if at < c.state.Low {
			return Change{}, fmt.Errorf("low is %d already; to read from %d again, use %s", c.state.Low, at, c.command("reset", fmt.Sprintf("--start %d", at)))
		}
		m.Gaps = c.undone(ingest.Range{First: c.state.Low, Next: at}, ingest.GapAccepted, op.evidence())
		var err error
		if m.Low, m.Ahead.Bitmap, err = advance(c.state, &Commit{Gaps: m.Gaps}); err != nil {
			return Change{}, err
		}
		return c.apply(ctx, op, m, Change{What: fmt.Sprintf("goes on at offset %d; everything before counts as done", at)})
	})
}

func (op *Operation) evidence() string {
	return strings.TrimSuffix(fmt.Sprintf("accepted by %s: %s", op.User, op.Reason), ": ")
}

// undone is what of r is not done yet, as gaps.
func (c *Claim) undone(r ingest.Range, why ingest.GapReason, evidence string) []ingest.Gap {
	var gaps []ingest.Gap
	at := max(r.First, c.state.Low)
	for at < r.Next {
		if at = runEnd(c.state.Ahead, at); at >= r.Next {
			break
		}
		end := r.Next
		it := c.state.Ahead.Iterator()
		if it.AdvanceIfNeeded(u(at)); it.HasNext() && it.PeekNext() < u(end) {
			end = ingest.Offset(it.PeekNext()) // less than end
		}
		gaps = append(gaps, ingest.Gap{Range: ingest.Range{First: at, Next: end}, Reason: why, Evidence: evidence})
		at = end
	}
	return gaps
}

func (c *Claim) commitGaps(ctx context.Context, op Operation, verb string, gaps []ingest.Gap) (Change, error) {
	m := c.draft("state "+verb+": "+op.Reason, op.User)
	var err error
	if m.Low, m.Ahead.Bitmap, err = advance(c.state, &Commit{Gaps: gaps}); err != nil {
		return Change{}, err
	}
	m.Gaps = gaps
	var n int64
	for _, g := range gaps {
		n += int64(g.Next - g.First)
	}
	return c.apply(ctx, op, m, Change{What: fmt.Sprintf("counts %d offsets as done in %d gaps, from %d on", n, len(gaps), gaps[0].First)})
}

// seal ends a life.
func (l *Log) seal(ctx context.Context, op Operation, verb string, how mode, start *ingest.Offset) (Change, error) {
	return l.changeHow(ctx, op, verb, how, func(ctx context.Context, c *Claim) (Change, error) {
		if c.newest == nil {
			return Change{}, fmt.Errorf("life %d has no manifest, so there is nothing to end: it begins where the sink starts, or with %s", c.p.life, c.command("adopt", "--offset OFFSET"))
		}
		m := c.draft("state "+verb+": "+op.Reason, op.User)
		m.Sealed = &Seal{Life: c.p.life + 1, Start: start, Torn: c.torn}
		from := "the log's beginning"
		if start != nil {
			from = fmt.Sprintf("offset %d", *start)
		}
		return c.apply(ctx, op, m, Change{What: fmt.Sprintf("ends life %d at offset %d; life %d begins at %s", c.p.life, c.state.Low, c.p.life+1, from)})
	})
}

// apply writes the manifest of a command, unless it is a dry run.
func (c *Claim) apply(ctx context.Context, op Operation, m *Manifest, ch Change) (Change, error) {
	ch.DryRun, ch.Life, ch.Seq, ch.Was, ch.Now = op.DryRun, c.p.life, m.Seq, c.state.Low, m.Low
	if op.DryRun {
		return ch, nil
	}
	return ch, c.write(ctx, m)
}

func (l *Log) change(ctx context.Context, op Operation, verb string, do func(context.Context, *Claim) (Change, error)) (Change, error) {
	return l.changeHow(ctx, op, verb, strict, do)
}

func (l *Log) changeHow(ctx context.Context, op Operation, verb string, how mode, do func(context.Context, *Claim) (Change, error)) (Change, error) {
	if op.User == "" {
		return Change{}, fmt.Errorf("state %s: who does it? the log keeps the user's name", verb)
	}
	var c *Claim
	err := l.known(ctx, op.Partition, verb)
	switch {
	case err != nil:
	case op.DryRun:
		c, err = l.look(ctx, op.Partition, how)
	default:
		c, err = l.claim(ctx, op.Partition, how, nil)
	}
	var ch Change
	if err == nil {
		ch, err = do(ctx, c)
	}
	if err != nil {
		return ch, fmt.Errorf("state %s %s: %w", verb, op.Partition, err)
	}
	return ch, nil
}

// known refuses partitions that have no state, before a claim would make one: the name or number is most likely misspelled. Only adopt begins
// anything.
func (l *Log) known(ctx context.Context, part ingest.Partition, verb string) error {
	dir := newPaths(l.o.State, l.o.Sink, part, 1).dir
	there, err := exists(ctx, l.o.FS, dir)
	if err == nil && !there && verb != "adopt" {
		err = fmt.Errorf("there is no state of this partition in %s: is topic or number misspelled? (`penstock state ls` lists what there is)", l.dir)
	}
	return err
}

// look is a claim for a dry run: it takes nothing and finishes nothing.
func (l *Log) look(ctx context.Context, part ingest.Partition, how mode) (*Claim, error) {
	life, err := l.newestLife(ctx, part)
	if err != nil {
		return nil, err
	}
	c := &Claim{log: l, p: newPaths(l.o.State, l.o.Sink, part, life)}
	m, v, err := readNewest(ctx, l.o.FS, c.p)
	switch {
	case errors.Is(err, errCorrupt):
		return c, c.recoverTorn(v, how, err)
	case err != nil:
		return nil, err
	case m == nil:
		c.state = State{Life: life, Ahead: newSet()}
	default:
		c.newest, c.state, c.topic = m, m.state(), m.TopicID
	}
	return c, nil
}

// Summary is one partition in a List.
type Summary struct {
	Sink      string        `json:"sink"`
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"`
	Life      int           `json:"life"`
	Seq       int64         `json:"seq"` // -1: no manifest yet
	Low       ingest.Offset `json:"low"`
	Ahead     uint64        `json:"ahead"`
	Epoch     int64         `json:"epoch"`
	Owner     Owner         `json:"owner"` // of the newest manifest
	Time      string        `json:"time,omitempty"`
	Problem   string        `json:"problem,omitempty"`
}

// List describes every partition's newest life under a base directory of states, or of one sink when sink is not empty. It claims
// nothing.
func List(ctx context.Context, fsys dfs.FS, state, sink string) ([]Summary, error) {
	sinks := []string{sink}
	if sink == "" {
		entries, err := fsys.List(ctx, state)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", state, err)
		}
		sinks = nil
		for _, e := range entries {
			if e.Dir && !strings.HasPrefix(e.Name, ".") {
				sinks = append(sinks, e.Name)
			}
		}
	}
	var all []Summary
	for _, s := range sinks {
		lives, err := listLives(ctx, fsys, path.Join(state, s), nil)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", path.Join(state, s), err)
		}
		for i, p := range lives {
			if i+1 < len(lives) && lives[i+1].part == p.part {
				continue // an older life
			}
			all = append(all, summary(ctx, fsys, p))
		}
	}
	return all, nil
}

func summary(ctx context.Context, fsys dfs.FS, p paths) Summary {
	s := Summary{Sink: p.sink, Topic: p.part.Topic, Partition: p.part.ID, Life: p.life, Seq: -1}
	m, _, err := readNewest(ctx, fsys, p)
	switch {
	case err != nil:
		s.Problem = err.Error()
	case m != nil:
		s.Topic, s.Seq, s.Low, s.Ahead, s.Epoch, s.Owner = m.Topic, m.Seq, m.Low, m.Ahead.GetCardinality(), m.Epoch, m.Owner
		s.Time = m.Time.Format("2006-01-02T15:04:05Z07:00")
	}
	return s
}

// Detail is what Show tells of one partition.
type Detail struct {
	Summary
	Newest *Manifest `json:"newest,omitempty"`
	Done   bool      `json:"done"`   // all of its files are published
	Epochs []string  `json:"epochs"` // "epoch-0000000003 by=host,pid,start live-…", oldest first
	Lives  []int     `json:"lives"`
}

// Show describes one partition. It claims nothing.
func Show(ctx context.Context, fsys dfs.FS, stateDir string, part ingest.Partition) (*Detail, error) {
	lives, err := listLives(ctx, fsys, stateDir, &part)
	if err != nil {
		return nil, fmt.Errorf("show %s: %w", part, err)
	}
	if len(lives) == 0 {
		return nil, fmt.Errorf("show %s: no state in %s: %w", part, stateDir, fs.ErrNotExist)
	}
	p := lives[len(lives)-1]
	d := &Detail{Summary: summary(ctx, fsys, p)}
	for _, l := range lives {
		d.Lives = append(d.Lives, l.life)
	}
	if m, v, err := readNewest(ctx, fsys, p); err == nil && m != nil {
		d.Newest, d.Done = m, v.done[m.Seq]
	}
	epochs, err := fsys.List(ctx, p.dir)
	if err != nil {
		return nil, fmt.Errorf("show %s: %w", part, err)
	}
	for _, e := range epochs {
		if !strings.HasPrefix(e.Name, epochMark) {
			continue
		}
		line := []string{e.Name}
		inside, err := fsys.List(ctx, path.Join(p.dir, e.Name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("show %s: %w", part, err)
		}
		for _, i := range inside {
			line = append(line, i.Name)
		}
		d.Epochs = append(d.Epochs, strings.Join(line, " "))
	}
	slices.Sort(d.Epochs)
	return d, nil
}
