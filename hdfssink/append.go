package hdfssink

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/ingest"
)

// append puts the events of a batch into their buckets' files. Offsets that are done are skipped. After an error the rest of the
// batch was not looked at, and d.next is still where it began.
func (d *drain) append(ctx context.Context, b *ingest.Batch) error {
	now := d.s.o.Now()
	d.router.clock.tick(now)
	gaps := b.Gaps
	for i := range b.Events {
		e := &b.Events[i]
		for len(gaps) > 0 && gaps[0].First < e.Offset { // in the order of offsets, as the cursor wants it
			d.gap(gaps[0])
			gaps = gaps[1:]
		}
		if e = d.wanted(e, now); e == nil {
			continue
		}
		if err := d.appendEvent(e); err != nil {
			return err
		}
		if d.since += int64(len(e.Body) + len(e.Key)); d.since >= countEvery {
			if err := d.count(ctx); err != nil {
				return err
			}
		}
	}
	for _, g := range gaps {
		d.gap(g)
	}
	for _, m := range b.Marks {
		d.marks.add(m)
	}
	if b.Next > d.next {
		d.next = b.Next
	}
	return d.count(ctx)
}

// wanted returns the event as it is to be written; nil: it is done already, or an interceptor has dropped it.
func (d *drain) wanted(e *ingest.Event, now time.Time) *ingest.Event {
	if d.done.done(e.Offset) {
		d.metrics.replays.Inc()
		return nil
	}
	if len(d.s.o.Interceptors) == 0 {
		return e
	}
	out := d.intercept(e)
	if out == nil {
		d.pending.filter(e.Offset, now)
		d.metrics.filtered.Inc()
	}
	return out
}

// intercept runs the interceptors on a copy; nil: the event is dropped. Its offset is not theirs to change.
func (d *drain) intercept(e *ingest.Event) *ingest.Event {
	d.scratch = *e
	for _, i := range d.s.o.Interceptors {
		if !i.Intercept(&d.scratch) {
			return nil
		}
	}
	d.scratch.Offset = e.Offset
	return &d.scratch
}

func (d *drain) gap(g ingest.Gap) {
	d.done.undone(g.Range, func(r ingest.Range) {
		part := g
		part.Range = r
		d.pending.gap(part, d.s.o.Now())
		d.metrics.gap(part)
	})
}

// appendEvent puts one event into its bucket's file, or into the dead letters. An error is that of a file, and final for it.
func (d *drain) appendEvent(e *ingest.Event) error {
	b, err := d.router.route(e)
	if err != nil {
		if why, ok := errors.AsType[*formats.RecordError](err); ok {
			return d.reject(e, why)
		}
		return fmt.Errorf("find the time of %s@%d: %w", d.part, e.Offset, err)
	}
	f := b.file
	if f == nil {
		if f, err = d.openBucket(b); err != nil {
			return err
		}
	}
	if err := f.enc.Append(e); err != nil {
		if why, ok := errors.AsType[*formats.RecordError](err); ok {
			if d.touch(f); f.rows == 0 {
				d.drop(f) // a file without rows is never due
				f.abandon()
			}
			return d.reject(e, why)
		}
		return d.failed(f, fmt.Errorf("append to a file of %s: %w", b.path, err))
	}
	d.inRow = 0
	d.took(f, e)
	return nil
}

// openBucket opens a file for a bucket, after making room for it.
func (d *drain) openBucket(b *bucket) (*openFile, error) {
	if len(d.open) >= d.s.c.MaxOpenFiles {
		if err := d.shrink(); err != nil {
			return nil, err
		}
	}
	f, err := d.newFile(b, d.s.o.Format)
	if err != nil {
		return nil, err
	}
	b.file = f
	d.open = append(d.open, f)
	return f, nil
}

// reject puts an event into the dead letters.
func (d *drain) reject(e *ingest.Event, why *formats.RecordError) error {
	if d.s.o.DeadLetters == nil {
		return ingest.Permanent(fmt.Errorf("%s@%d cannot be written and there are no dead letters: %w", d.part, e.Offset, why))
	}
	if err := d.tooMany(e, why); err != nil {
		return err
	}
	if d.dead == nil {
		f, err := d.newFile(nil, d.s.o.DeadLetters)
		if err != nil {
			return err
		}
		d.dead = f
	}
	enc, ok := d.dead.enc.(formats.DeadLetterEncoder)
	if !ok {
		return ingest.Permanent(fmt.Errorf("format %s cannot hold dead letters", d.s.o.DeadLetters.Name()))
	}
	if err := enc.AppendRejected(e, why); err != nil {
		return d.failed(d.dead, fmt.Errorf("append to the dead letters: %w", err))
	}
	d.metrics.deadLetter(why.Code)
	if d.dead.rows == 0 {
		d.log.Warn("events go to the dead letters", "offset", e.Offset, "reason", why.Code, "at", why.Path, "detail", why.Detail,
			"shown_by", strings.Join([]string{"penstock dlq show", d.s.o.Arguments, "--sink", d.s.o.Name}, " "))
	}
	d.took(d.dead, e)
	return nil
}

// tooMany says when so many events in a row were refused that somebody must look. Nothing of them is committed: they are read again.
func (d *drain) tooMany(e *ingest.Event, why *formats.RecordError) error {
	most := d.s.c.DeadLetters.StopAfter
	if most == 0 || e.Body == nil { // tombstones come in crowds
		return nil
	}
	if d.inRow++; d.inRow < most {
		return nil
	}
	return ingest.Permanent(fmt.Errorf(
		"%s: the last %d events up to offset %d cannot be written, this one because of %w; correct the sink's format or event_time, or set dead_letters.stop_after: 0 to have them in the dead letters (nothing is lost: they are read again)",
		d.part, d.inRow, e.Offset, why))
}

// took counts an event that an encoder has accepted.
func (d *drain) took(f *openFile, e *ingest.Event) {
	f.took(e, d.router.clock.wall)
	if f.rows == 1 && !d.timer.IsZero() {
		if at, _ := d.policy.dueAt(f.times); !at.IsZero() && at.Before(d.timer) {
			d.timer = at
		}
	}
	d.touch(f)
}

func (d *drain) touch(f *openFile) {
	if !f.touched {
		f.touched = true
		d.touched = append(d.touched, f)
	}
}

// failed drops a file: its offsets are not done and are read again in the next life.
func (d *drain) failed(f *openFile, err error) error {
	d.drop(f)
	d.discard(f)
	return err
}

// drop takes a file out of the table of open ones.
func (d *drain) drop(f *openFile) {
	d.total -= f.buffered
	f.buffered = 0
	d.fattest = nil
	if f.bucket == nil {
		d.dead = nil
		return
	}
	f.bucket.file = nil
	d.router.forget(f.bucket)
	for i, o := range d.open {
		if o == f {
			d.open = append(d.open[:i], d.open[i+1:]...)
			return
		}
	}
}

// discard lets go of a file that will not be published.
func (d *drain) discard(f *openFile) {
	f.abandon()
	d.metrics.droppedFiles.Inc()
	if err := f.staged.remove(d.work); err != nil {
		d.log.Debug("a staged file was left behind for the next owner", "file", f.staged.name, "error", err)
	}
}
