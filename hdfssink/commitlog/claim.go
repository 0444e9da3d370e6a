package commitlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// staleClaim is the age at which a claim directory counts as forgotten. Deleting one that is in use costs its owner a new try, no more.
const staleClaim = time.Hour

// Claim is one ownership of one partition. Used by one goroutine.
type Claim struct {
	log       *Log
	p         paths
	epoch     int64
	live      string // random part of our staging directory
	staged    int
	state     State
	newest    *Manifest       // what state was made of; nil before the genesis
	topic     string          // id of the topic, for the next manifest
	made      map[string]bool // directories of published files that this claim has made
	seen      []dfs.Info      // the partition's directory when it was last listed
	open      *Manifest       // in the log, not published completely
	lost      []string        // final names of files that recovery found nowhere (mode missing)
	archiveAt int64           // seq from which on archiving may be due
	group     *ingest.Hint    // what the group has committed; nil: not known
	torn      string          // what is wrong with the log (mode tolerant)
	over      error           // why the claim cannot be used any more
}

// Claim takes a partition over: fences every earlier owner, finishes what the newest manifest has promised, and checks topic and
// hint. Errors: ingest.ErrFenced when somebody else claimed later (not a failure: claim again only after Stream.Confirm),
// *RefusedError, or the file system's.
func (l *Log) Claim(ctx context.Context, r ClaimRequest) (*Claim, error) {
	if err := l.checkSink(r.Log.Cluster, r.Log.Group); err != nil {
		return nil, err
	}
	c, err := l.claim(ctx, r.Partition, strict, r.group())
	if err != nil {
		return nil, fmt.Errorf("claim %s: %w", r.Partition, err)
	}
	if err := c.checkTopic(r.Log); err != nil {
		return nil, err
	}
	if err := c.checkHint(ctx, r); err != nil {
		return nil, err
	}
	c.topic = cmp.Or(r.Log.TopicID, c.topic) // a broker that does not tell it is no reason to forget it
	if c.newest != nil && c.newest.Config != l.o.Config {
		l.o.Logger.InfoContext(ctx, "configuration changed since the last commit", "topic", r.Partition.Topic, "partition", r.Partition.ID,
			"seq", c.state.Seq, "was", c.newest.Config, "is", l.o.Config)
	}
	return c, nil
}

// mode says what a claim does about a damaged log.
type mode int

const (
	strict   mode = iota // stops
	missing              // goes on without files that are nowhere (state accept-missing)
	tolerant             // goes on without the newest manifest (state reset)
)

// claim claims the newest life of a partition.
// The group's hint is for messages; nil: not known.
func (l *Log) claim(ctx context.Context, part ingest.Partition, how mode, group *ingest.Hint) (*Claim, error) {
	if part.Topic == "" || part.ID < 0 {
		return nil, fmt.Errorf("%q is no partition", part)
	}
	life, err := l.newestLife(ctx, part)
	if err != nil {
		return nil, err
	}
	for {
		c, err := l.claimLife(ctx, newPaths(l.o.State, l.o.Sink, part, life), how, group)
		if err != nil {
			return nil, err
		}
		if c.newest == nil || c.newest.Sealed == nil {
			return c, c.afterSeal(ctx)
		}
		life = c.newest.Sealed.Life
	}
}

// newestLife counts the directories of a partition's lives. One that is missed costs a claim of a sealed life.
func (l *Log) newestLife(ctx context.Context, part ingest.Partition) (int, error) {
	for life := 1; ; life++ {
		there, err := exists(ctx, l.o.FS, newPaths(l.o.State, l.o.Sink, part, life+1).dir)
		if err != nil || !there {
			return life, err
		}
	}
}

// afterSeal looks up where the operator wants a life to start that has no genesis yet.
func (c *Claim) afterSeal(ctx context.Context) error {
	if c.p.life == 1 || c.newest != nil {
		return nil
	}
	before := newPaths(c.log.o.State, c.log.o.Sink, c.p.part, c.p.life-1)
	m, _, err := readNewest(ctx, c.log.o.FS, before)
	if err != nil {
		return fmt.Errorf("read how life %d ended: %w", before.life, err)
	}
	if m == nil || m.Sealed == nil {
		return refused("life_without_seal", fmt.Sprintf("%s is there, but life %d in %s was never ended", c.p.dir, before.life, before.dir),
			"somebody made or restored directories by hand; remove "+c.p.dir+" if it holds no log/*.json")
	}
	c.state.Start = m.Sealed.Start
	return nil
}

// claimLife is the claim proper, steps 1 to 5 of the package comment.
func (l *Log) claimLife(ctx context.Context, p paths, how mode, group *ingest.Hint) (*Claim, error) {
	c := &Claim{log: l, p: p, made: map[string]bool{}, group: group}
	if err := mkdir(ctx, l.o.FS, p.log(), 0); err != nil {
		return nil, err
	}
	if err := c.takeEpoch(ctx); err != nil {
		return nil, err
	}
	lower, err := c.lookAround(ctx)
	if err != nil {
		return nil, err
	}
	dead, err := c.fence(ctx, lower)
	if err != nil {
		return nil, err
	}
	if err := c.recover(ctx, how); err != nil {
		return nil, err
	}
	c.clean(ctx, lower, dead)
	return c, nil
}

// takeEpoch builds claim-<random> and renames it to the epoch after the newest (step 1). It returns with c.epoch set.
func (c *Claim) takeEpoch(ctx context.Context) error {
	var tried []int64 // numbers whose rename got no answer, or may have been carried out
	if err := c.buildClaim(ctx); err != nil {
		return err
	}
	for try := 0; ; try++ {
		if err := pause(ctx, max(0, try-3)); err != nil {
			return err
		}
		next, err := c.nextEpoch(ctx)
		if err != nil {
			return err
		}
		switch err := c.log.o.FS.Rename(ctx, c.claimDir(), c.p.epoch(next)); {
		case err == nil:
			c.epoch = next
			return nil
		case errors.Is(err, fs.ErrExist) && !slices.Contains(tried, next):
			// Somebody was faster; the listing shows it, or will.
		case unsure(err):
			tried = append(tried, next)
		case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		default:
			return fmt.Errorf("take epoch %d: %w", next, err)
		}
		if c.epoch, err = c.ownEpoch(ctx, tried); err != nil || c.epoch > 0 {
			return err
		}
		there, err := exists(ctx, c.log.o.FS, c.claimDir())
		if err != nil {
			return err
		}
		if there {
			continue
		}
		if len(tried) > 0 {
			// One of our renames was carried out, and what it made is gone again: we were fenced long ago.
			return c.fenced(ctx)
		}
		if err := c.buildClaim(ctx); err != nil { // somebody took ours for a stale one
			return err
		}
	}
}

// buildClaim makes a claim directory under a new random name, whole before it is renamed.
func (c *Claim) buildClaim(ctx context.Context) error {
	c.live = c.log.o.Nonce()
	for _, name := range []string{c.log.o.Owner.by(), liveMark + c.live} {
		if err := mkdir(ctx, c.log.o.FS, path.Join(c.claimDir(), name), 0); err != nil {
			return err
		}
	}
	return nil
}

// nextEpoch is the number after the newest.
func (c *Claim) nextEpoch(ctx context.Context) (int64, error) {
	all, err := c.epochs(ctx)
	if err != nil {
		return 0, err
	}
	if len(all) == 0 {
		return 1, nil
	}
	return all[len(all)-1] + 1, nil
}

func (c *Claim) claimDir() string { return path.Join(c.p.dir, claimMark+c.live) }

// ownEpoch looks which of the numbers is ours; 0: none. ErrFenced when it was and our staging directory is dead already.
func (c *Claim) ownEpoch(ctx context.Context, tried []int64) (int64, error) {
	for _, n := range slices.Compact(tried) {
		entries, err := c.log.o.FS.List(ctx, c.p.epoch(n))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("look for our epoch: %w", err)
		}
		for _, e := range entries {
			switch e.Name {
			case liveMark + c.live:
				return n, nil
			case deadMark + c.live:
				c.epoch = n
				return 0, c.fenced(ctx)
			}
		}
	}
	return 0, nil
}

// epochs lists the numbers in use, ascending.
func (c *Claim) epochs(ctx context.Context) ([]int64, error) {
	entries, err := c.log.o.FS.List(ctx, c.p.dir)
	if err != nil {
		return nil, fmt.Errorf("list epochs: %w", err)
	}
	c.seen = entries
	var all []int64
	for _, e := range entries {
		if n, ok := number(e.Name, epochMark, ""); ok && e.Dir {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// lookAround lists the epochs after ours appeared (step 2): a higher one means that we are fenced. A number may come back when a
// claimant sleeps from its first listing until that number's epoch was trimmed; it ends here. A listing without our own epoch is too old to
// tell.
func (c *Claim) lookAround(ctx context.Context) (lower []int64, err error) {
	for try := range 6 {
		if err := pause(ctx, try-2); err != nil {
			return nil, err
		}
		all, err := c.epochs(ctx)
		if err != nil {
			return nil, err
		}
		if len(all) > 0 && all[len(all)-1] > c.epoch {
			return nil, c.fenced(ctx)
		}
		if slices.Contains(all, c.epoch) {
			return all[:len(all)-1], nil
		}
	}
	return nil, c.fenced(ctx) // trimmed: we slept through many epochs
}

// fence renames the staging directory of every earlier owner (step 3). From then on its creates and its manifest's rename fail.
// It returns the dead directories of earlier epochs.
func (c *Claim) fence(ctx context.Context, lower []int64) (dead []string, err error) {
	for _, n := range lower {
		entries, err := c.log.o.FS.List(ctx, c.p.epoch(n))
		if errors.Is(err, fs.ErrNotExist) {
			continue // trimmed
		}
		if err != nil {
			return nil, fmt.Errorf("list epoch %d: %w", n, err)
		}
		for _, e := range entries {
			if random, ok := strings.CutPrefix(e.Name, liveMark); ok {
				if err := c.kill(ctx, c.p.live(n, random), c.p.dead(n, random)); err != nil {
					return nil, fmt.Errorf("fence epoch %d: %w", n, err)
				}
				dead = append(dead, c.p.dead(n, random))
			} else if random, ok := strings.CutPrefix(e.Name, deadMark); ok {
				dead = append(dead, c.p.dead(n, random))
			}
		}
	}
	return dead, nil
}

// kill makes sure that live is not there any more, whoever renamed it.
func (c *Claim) kill(ctx context.Context, live, dead string) error {
	for try := 0; ; try++ {
		err := c.log.o.FS.Rename(ctx, live, dead)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !unsure(err) {
			return err
		}
		if err := pause(ctx, try); err != nil {
			return err
		}
	}
}

// recover reads the newest manifest and finishes it (step 4).
func (c *Claim) recover(ctx context.Context, how mode) error {
	m, v, err := readNewest(ctx, c.log.o.FS, c.p)
	if errors.Is(err, errCorrupt) {
		return c.recoverTorn(v, how, err)
	}
	if err != nil {
		return err
	}
	if m == nil {
		c.state, c.archiveAt = State{Life: c.p.life, Ahead: newSet()}, int64(c.log.o.ArchiveAfter)
		return nil
	}
	if m.Epoch > c.epoch {
		return c.fenced(ctx)
	}
	if !v.done[m.Seq] {
		if err := c.publish(ctx, m, m.fencedStage(c.p), how); err != nil {
			return fmt.Errorf("finish manifest %d: %w", m.Seq, err)
		}
	}
	c.newest, c.state, c.topic, c.archiveAt = m, m.state(), m.TopicID, v.archiveDue(c.log.o.ArchiveAfter)
	return nil
}

// clean deletes what nobody needs any more (step 5): the dead directories of epochs below ours, epochs beyond the newest, claims that
// were forgotten. What cannot be deleted now is deleted by a later claim.
func (c *Claim) clean(ctx context.Context, lower []int64, dead []string) {
	for len(lower) >= c.log.o.KeepEpochs {
		c.remove(ctx, c.p.epoch(lower[0]))
		lower = lower[1:]
	}
	for _, d := range dead {
		if len(lower) > 0 && path.Dir(d) >= c.p.epoch(lower[0]) {
			c.remove(ctx, d)
		}
	}
	var now time.Time // by the file system's clock
	for _, e := range c.seen {
		if e.ModTime.After(now) {
			now = e.ModTime
		}
	}
	for _, e := range c.seen {
		if strings.HasPrefix(e.Name, claimMark) && now.Sub(e.ModTime) > staleClaim {
			c.remove(ctx, path.Join(c.p.dir, e.Name))
		}
	}
}

func (c *Claim) remove(ctx context.Context, name string) {
	if err := c.log.o.FS.RemoveAll(ctx, name); err != nil {
		c.log.o.Logger.DebugContext(ctx, "left for later", "path", name, "error", err)
	}
}

// fenced makes the error for a claim that somebody else has ended, with what can be found out about them.
func (c *Claim) fenced(ctx context.Context) error {
	e := &FencedError{Partition: c.p.part, Epoch: c.epoch}
	c.over = e
	all, err := c.epochs(ctx)
	if err != nil || len(all) == 0 || all[len(all)-1] <= c.epoch {
		return e
	}
	e.ByEpoch = all[len(all)-1]
	entries, err := c.log.o.FS.List(ctx, c.p.epoch(e.ByEpoch))
	if err != nil {
		return e
	}
	for _, entry := range entries {
		if by, ok := strings.CutPrefix(entry.Name, byMark); ok {
			e.By = by
		}
	}
	return e
}
