package hdfssink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// drain is one life of one partition: from a claim to the first error, or to the end. One goroutine owns it.
type drain struct {
	s       *Sink
	stream  ingest.Stream
	part    ingest.Partition
	claim   *commitlog.Claim
	work    context.Context //nolint:containedctx // of file system calls: outlives the drain's own by the Ending's grace
	log     *slog.Logger
	metrics *partitionMetrics
	account *account
	policy  rollPolicy
	router  *router

	next    ingest.Offset // what is read next
	done    doneCursor    // what the state has beyond low; replayed offsets in it are skipped
	pending pending
	marks   markList
	open    []*openFile // those of buckets, oldest first
	dead    *openFile   // dead letters; nil: none yet
	touched []*openFile // appended to since the last count
	fattest *openFile   // has most buffered bytes; nil: not known
	total   int64       // buffered bytes of all open files
	scratch ingest.Event

	failing time.Time // since when each Read has failed; zero: the last one has not

	timer  time.Time // nothing is due by time before this; zero: not known
	hintAt time.Time // when to offer a hint again that the channel did not take; zero: it has the newest
	due    bool      // something is due whatever the time
	over   bool      // the claim is lost or unknown: nothing can be committed any more
	since  int64     // bytes of events appended since memory was counted
	inRow  int       // events that went to the dead letters since one that did not
}

// countEvery is how many bytes of events pass between two looks at memory: each partition may be over the budget by so much.
const countEvery = 256 << 10

// drain claims, recovers, and then reads and commits until something ends it.
func (s *Sink) drain(ctx context.Context, stream ingest.Stream) error {
	if _, ended := ingest.EndingOf(ctx); ended {
		return nil
	}
	work, cancel := outlive(ctx)
	defer cancel()
	part := stream.Partition()
	d := &drain{s: s, stream: stream, part: part, work: work, metrics: s.metrics.partition(part)}
	d.log = s.o.Logger.With("sink", s.o.Name, "topic", part.Topic, "partition", part.ID)
	d.account = s.o.Budget.open()
	defer d.account.close()
	defer d.metrics.gone()
	defer d.abandon()
	if err := d.begin(ctx); err != nil {
		if _, ended := ingest.EndingOf(ctx); ended {
			return nil // nothing was read, so nothing is lost
		}
		return err
	}
	return d.run(ctx)
}

// outlive is a context for file system calls: when ctx ends with an Ending it goes on until the Ending's grace ends.
func outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		e, ok := ingest.EndingOf(ctx)
		if !ok {
			cancel(context.Cause(ctx))
			return
		}
		context.AfterFunc(e.Grace, func() { cancel(context.Cause(e.Grace)) }) //nolint:contextcheck // the grace is the very context meant
	})
	return work, func() {
		stop()
		cancel(context.Canceled)
	}
}

// begin claims the partition, makes the genesis if it has no state, and checks that the log is the one the state knows.
func (d *drain) begin(ctx context.Context) error {
	info, err := d.stream.Describe(ctx)
	if err != nil {
		return fmt.Errorf("describe %s: %w", d.part, err)
	}
	hint, hasHint, err := d.stream.Hint(ctx)
	if err != nil {
		return fmt.Errorf("read the hint of %s: %w", d.part, err)
	}
	log, err := d.s.openLog(ctx, info)
	if err != nil {
		return err
	}
	d.claim, err = log.Claim(ctx, commitlog.ClaimRequest{Partition: d.part, Log: info, Hint: hint, HasHint: hasHint})
	if err != nil {
		return err
	}
	if !d.claim.State().Exists {
		if err := d.genesis(ctx); err != nil {
			return err
		}
	}
	return d.recover(ctx, info)
}

// recover takes from the state where to go on.
func (d *drain) recover(ctx context.Context, info ingest.LogInfo) error {
	st := d.claim.State()
	if st.HasMark {
		err := d.stream.Check(ctx, st.Mark)
		if errors.Is(err, ingest.ErrReplaced) {
			return d.s.replaced(d.part, err)
		}
		if err != nil {
			return fmt.Errorf("compare the log of %s with the state: %w", d.part, err)
		}
		d.marks.add(st.Mark)
	}
	d.next, d.done = st.Low, newDoneCursor(st.Ahead)
	d.policy = d.s.policy
	d.policy.retention = info.Retention
	clock := d.s.clock
	if d.s.o.NewFieldTime != nil {
		clock.field = d.s.o.NewFieldTime()
	}
	var fields PathFields
	if len(d.s.path.fields) > 0 {
		fields = d.s.o.NewFields()
	}
	d.router = newRouter(d.s.path, clock, fields, d.s.path.bind(d.part, d.s.o.Owner.Host))
	d.metrics.low.Set(float64(st.Low))
	d.log.Info("claimed", "epoch", d.claim.Epoch(), "seq", st.Seq, "low", st.Low, "ahead", st.Ahead.GetCardinality(), "log_start", info.Start, "log_end", info.End)
	return nil
}

// run reads and appends until a roll is due, commits, and so on.
func (d *drain) run(ctx context.Context) error {
	for {
		batch, err := d.read(ctx)
		switch {
		case ctx.Err() != nil:
			return d.end(ctx)
		case err != nil:
			return d.salvage(err)
		}
		if err := d.append(ctx, &batch); err != nil {
			return d.salvage(err)
		}
		if err := d.rollDue(); err != nil {
			return err
		}
	}
}

// read waits for the next batch, at most until a file is due: the batch is empty then. Passing errors are tried again while
// the open files stay as they are.
func (d *drain) read(ctx context.Context) (ingest.Batch, error) {
	for wait := pauseMin; ; wait = min(2*wait, pauseMax) {
		deadline := d.deadline()
		batch, err := d.readUntil(ctx, deadline)
		var out *ingest.OutOfRangeError
		switch {
		case err == nil:
			d.failing = time.Time{}
			return batch, nil
		case errors.Is(err, errWoken): // tells nothing of the channel
			return ingest.Batch{}, nil
		case errors.As(err, &out):
			if gap, err := d.outOfRange(ctx, out); err != nil || !gap.Empty() {
				return gap, err
			}
		}
		if err := d.s.readRefusal(d.part, d.next, err); err != nil {
			return ingest.Batch{}, err
		}
		d.metrics.readErrors.Inc()
		if d.failing.IsZero() {
			d.failing = time.Now()
			d.log.Warn("read failed; trying again", "next", d.next, "error", err)
		}
		if time.Since(d.failing) >= readPatience {
			return ingest.Batch{}, fmt.Errorf("read %s@%d: %w", d.part, d.next, err)
		}
		sleep(ctx, min(wait, max(time.Until(deadline), time.Millisecond)))
	}
}

// errWoken: a Read was ended because files are due or memory is wanted from this partition.
var errWoken = errors.New("there is something to do")

func (d *drain) readUntil(ctx context.Context, deadline time.Time) (ingest.Batch, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !d.account.reading(func() { cancel(errWoken) }) {
		cancel(errWoken)
	}
	limited, stop := context.WithTimeout(ctx, max(0, deadline.Sub(d.s.o.Now())))
	defer stop()
	batch, err := d.stream.Read(limited, d.next)
	d.account.read()
	if err != nil && limited.Err() != nil {
		return ingest.Batch{}, errWoken
	}
	return batch, err
}

// outOfRange decides about a log that does not hold what is next: an empty batch with a gap where the policy accepts it.
func (d *drain) outOfRange(ctx context.Context, out *ingest.OutOfRangeError) (ingest.Batch, error) {
	info, err := d.stream.Describe(ctx)
	if err != nil {
		return ingest.Batch{}, nil //nolint:nilerr // the caller reads again and comes back
	}
	out.Next, out.Start, out.End = d.next, info.Start, info.End
	switch {
	case info.End < d.next:
		return ingest.Batch{}, d.s.replaced(d.part, out)
	case info.Start <= d.next:
		return ingest.Batch{}, nil // an answer from a broker that was behind
	case d.s.c.OnGap != "accept":
		return ingest.Batch{}, d.s.retentionGap(out)
	}
	gap := acceptedGap(out, d.s.o.Now())
	d.log.Warn("retention has deleted events that were not read; going on, as on_gap: accept says", "first", gap.First, "next", gap.Next, "lost", gap.Next-gap.First)
	return ingest.Batch{Range: gap.Range, Gaps: []ingest.Gap{gap}}, nil
}

// deadline is when read has to come back although nothing was read.
func (d *drain) deadline() time.Time {
	if d.due {
		return d.s.o.Now()
	}
	if d.timer.IsZero() {
		d.timer = d.nextDue()
	}
	return d.timer
}

// nextDue is the first moment at which the clock alone makes something due.
func (d *drain) nextDue() time.Time {
	first := d.s.o.Now().Add(cmp.Or(d.policy.age, pendingAge)) // what becomes pending from now on is not due before
	for f := range d.files() {
		if at, _ := d.policy.dueAt(f.times); f.rows > 0 && !at.IsZero() && at.Before(first) {
			first = at
		}
	}
	if at := d.pending.due(d.policy.age); !at.IsZero() && at.Before(first) {
		first = at
	}
	if !d.hintAt.IsZero() && d.hintAt.Before(first) {
		first = d.hintAt
	}
	// Never at once again: with many buckets there is always one that becomes due a moment later.
	if soonest := d.s.o.Now().Add(pauseMin); first.Before(soonest) {
		return soonest
	}
	return first
}

// files yields all open files, the dead letters last.
func (d *drain) files() func(yield func(*openFile) bool) {
	return func(yield func(*openFile) bool) {
		for _, f := range d.open {
			if !yield(f) {
				return
			}
		}
		if d.dead != nil {
			yield(d.dead)
		}
	}
}

// end commits what there is, under the grace that the Ending gives, or abandons it where there is none.
func (d *drain) end(ctx context.Context) error {
	ending, ok := ingest.EndingOf(ctx)
	if !ok {
		return context.Cause(ctx)
	}
	reason := rollStopping
	switch {
	case errors.Is(ending.Reason, ingest.ErrRevoked):
		reason = rollRevoked
	case errors.Is(ending.Reason, ingest.ErrSessionLost):
		reason = rollLost
	}
	return d.rollAll(reason)
}

// salvage commits what is whole before the drain ends with err: its offsets need not be read again.
func (d *drain) salvage(err error) error {
	if errors.Is(err, ingest.ErrFenced) || d.work.Err() != nil {
		return err
	}
	if lost := d.claim.Lost(d.work); lost != nil {
		d.over = true
		return fmt.Errorf("%w (seen by: %v)", lost, err) //nolint:errorlint // the symptom of being fenced, not an error of its own
	}
	if d.over {
		return err
	}
	if e := d.rollAll(rollSalvage); e != nil {
		if ingest.IsPermanent(err) {
			return fmt.Errorf("%w (and what was read before could not be committed: %v)", err, e) //nolint:errorlint // one cause is enough
		}
		return errors.Join(err, e)
	}
	return err
}

// abandon lets go of all open files. Nobody else knows of them yet: their offsets are read again.
func (d *drain) abandon() {
	for f := range d.files() {
		f.abandon()
	}
	d.open, d.dead = nil, nil
}

// newFile opens a file for a bucket, or for the dead letters.
func (d *drain) newFile(b *bucket, format formats.Format) (*openFile, error) {
	staged := &stagedFile{
		ctx: d.work, fs: d.s.o.FS, live: d.claim.Live(), base: d.claim.StagedName(),
		opts: dfs.CreateOptions{BlockSize: d.s.c.BlockSize.Bytes(), Perm: d.s.c.Permissions.File.FileMode()},
	}
	enc, err := format.NewEncoder(staged, formats.Context{Partition: d.part})
	if err != nil {
		return nil, fmt.Errorf("begin a %s file: %w", format.Name(), err)
	}
	return &openFile{bucket: b, format: format, enc: enc, staged: staged}, nil
}

// finalPath is where a file is published.
func (d *drain) finalPath(f *openFile, first, last ingest.Offset) string {
	name := d.claim.FinalName(first, last, f.format.Ext())
	switch {
	case f.bucket != nil:
		return path.Join(f.bucket.path, name)
	case d.s.c.DeadLetters.Dir != "":
		return path.Join(d.s.c.DeadLetters.Dir, path.Base(d.claim.DeadDir()), name)
	default:
		return path.Join(d.claim.DeadDir(), name)
	}
}
