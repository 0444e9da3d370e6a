package hdfssink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// hintPatience is how long a hint may take. It is worth no more: a lost hint costs nothing.
const hintPatience = 10 * time.Second

// hintAgain is how long after a failure the hint is offered again.
const hintAgain = 10 * time.Second

// finished is a file on its way from the encoder to its final name.
type finished struct {
	*openFile
	first  ingest.Offset
	reason string
	file   commitlog.File
	err    error
}

// rollDue commits what is due, if anything is.
func (d *drain) rollDue() error {
	now := d.s.o.Now()
	if !d.due && now.Before(d.deadline()) {
		return nil
	}
	reason := d.markDue(now)
	d.due, d.timer = false, time.Time{}
	if reason != "" {
		return d.roll(reason)
	}
	if !d.hintAt.IsZero() && !now.Before(d.hintAt) {
		d.hint(d.work)
	}
	return nil // or what seemed due was appended to meanwhile
}

// markDue marks the files that the clock makes due, with those that it would in a moment, and returns one reason of all that are
// due; empty: nothing is.
func (d *drain) markDue(now time.Time) (reason string) {
	reason = d.markDueBy(now)
	if at := d.pending.due(d.policy.age); reason == "" && (len(d.pending.gaps) >= maxGaps || (!at.IsZero() && !at.After(now))) {
		reason = rollNoFiles
	}
	if reason != "" {
		d.markDueBy(now.Add(rollSoon))
	}
	return reason
}

func (d *drain) markDueBy(now time.Time) (reason string) {
	for f := range d.files() {
		if at, why := d.policy.dueAt(f.times); f.due == "" && f.rows > 0 && !at.IsZero() && !at.After(now) {
			f.due = why
		}
		reason = cmp.Or(reason, f.due)
	}
	return reason
}

// rollAll commits everything there is.
func (d *drain) rollAll(reason string) error {
	for f := range d.files() {
		if f.due == "" {
			f.due = reason
		}
	}
	return d.roll(reason)
}

// roll finishes the files that are due and commits them with what is pending. When one of them fails, the whole ones are committed
// first, and then those of the other buckets, before the error ends this life.
func (d *drain) roll(reason string) error {
	if d.over {
		return fmt.Errorf("%s: %w: the claim is over", d.part, commitlog.ErrNotCommitted)
	}
	began := time.Now()
	var whole []finished
	var failure error
	for _, f := range d.finish() {
		if f.err != nil {
			failure = cmp.Or(failure, f.err)
			d.discard(f.openFile)
			continue
		}
		whole = append(whole, f)
	}
	if len(whole) > 0 || !d.pending.empty() {
		if err := d.commit(whole, reason, began); err != nil {
			failure = err
		}
	}
	d.account.tell(d.total, d.largest())
	d.metrics.openFiles.Set(float64(len(d.open)))
	if failure != nil && reason != rollSalvage {
		return d.salvage(failure)
	}
	return failure
}

// finish completes the files that are due, some at a time, and takes them out of the table of open ones.
func (d *drain) finish() []finished {
	var out []finished
	for f := range d.files() {
		if f.due != "" && f.rows > 0 {
			out = append(out, finished{openFile: f, first: f.offsets.start, reason: f.due})
		}
	}
	slots := make(chan struct{}, d.s.c.Closers)
	var all sync.WaitGroup
	for i := range out {
		f := &out[i]
		d.drop(f.openFile)
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f.complete(d)
		})
	}
	all.Wait()
	return out
}

// complete makes the staged file of f whole. It reads of d only what does not change meanwhile.
func (f *finished) complete(d *drain) {
	first, last := f.offsets.start, f.offsets.last()
	f.file, f.err = f.finish(d.work, map[string]string{
		"penstock.sink": d.s.o.Name, "penstock.topic": d.part.Topic, "penstock.partition": strconv.Itoa(int(d.part.ID)),
		"penstock.first_offset": strconv.FormatInt(int64(first), 10), "penstock.last_offset": strconv.FormatInt(int64(last), 10),
		"penstock.schema": f.format.SchemaID(),
	})
	f.file.Final = d.finalPath(f.openFile, first, last)
	f.file.Offsets = f.offsets.bitmap()
}

// commit writes a manifest for whole files and what is pending, and publishes them. Then, and only then, it tells the channel.
func (d *drain) commit(whole []finished, reason string, began time.Time) error {
	m := commitlog.Commit{Gaps: d.pending.gaps, Filtered: d.pending.filtered.bitmap(), Mark: d.marks.before, Reason: reason}
	for i := range whole {
		m.Files = append(m.Files, whole[i].file)
	}
	err := d.publish(m)
	d.over = err != nil && !errors.Is(err, commitlog.ErrNotCommitted)
	d.pending = pending{}
	st := d.claim.State()
	var rows, bytes int64
	for _, f := range whole {
		if !st.Done(f.first) {
			if !d.over { // else the manifest may be in the log, and the next claim will look for its files
				d.discard(f.openFile)
			}
			continue
		}
		rows, bytes = rows+f.rows, bytes+f.file.Size
		d.metrics.rolled(f.reason)
	}
	d.metrics.events.Add(float64(rows))
	d.metrics.bytes.Add(float64(bytes))
	d.metrics.committed(outcome(err), time.Since(began))
	if err != nil {
		return err
	}
	d.metrics.last.Set(float64(d.s.o.Now().Unix()))
	d.metrics.low.Set(float64(st.Low))
	d.log.Info("committed", "seq", st.Seq, "low", st.Low, "reason", reason, "files", len(whole), "rows", rows, "bytes", bytes,
		"gaps", len(m.Gaps), "open_files", len(d.open), "took", time.Since(began).Round(time.Millisecond))
	d.hint(d.work)
	d.catchUp(st)
	return nil
}

// publish commits m. If a file stands in the way of the others it is left out, which is found out by halving: its directory may
// be closed to us or its name taken. The error is then that of the files which were left out.
func (d *drain) publish(m commitlog.Commit) error {
	err := d.commitOnce(m)
	if err == nil || !leaveOut(err) || len(m.Files) == 0 || d.work.Err() != nil {
		return err
	}
	if len(m.Files) == 1 {
		if m.Files = nil; m.Filtered == nil && len(m.Gaps) == 0 {
			return err
		}
		return cmp.Or(d.commitOnce(m), err)
	}
	half := len(m.Files) / 2
	rest := m
	rest.Files, rest.Filtered, rest.Gaps = m.Files[half:], nil, nil
	m.Files = m.Files[:half]
	first := d.publish(m)
	if first != nil && !errors.Is(first, commitlog.ErrNotCommitted) {
		return first
	}
	second := d.publish(rest)
	if second != nil && !errors.Is(second, commitlog.ErrNotCommitted) {
		return second
	}
	return cmp.Or(first, second)
}

// leaveOut reports whether a commit failed because of one of its files. A manifest that is refused itself would be so without any of them, too.
func leaveOut(err error) bool {
	return errors.Is(err, commitlog.ErrTarget) && !errors.Is(err, dfs.ErrUnavailable) && !errors.Is(err, dfs.ErrNoAnswer)
}

// commitOnce commits m while the file system comes and goes. The staged files are whole: waiting is cheaper than reading again.
func (d *drain) commitOnce(m commitlog.Commit) error {
	end := time.Now().Add(commitPatience)
	err := d.claim.Commit(d.work, m)
	for wait := pauseMin; ; wait = min(2*wait, pauseMax) {
		unfinished := errors.Is(err, commitlog.ErrUnfinished)
		again := unfinished || (errors.Is(err, commitlog.ErrNotCommitted) && errors.Is(err, dfs.ErrUnavailable))
		if !again || ingest.IsPermanent(err) || errors.Is(err, ingest.ErrFenced) || time.Now().After(end) || !sleep(d.work, wait) {
			return err
		}
		if unfinished {
			err = d.claim.Finish(d.work)
		} else {
			err = d.claim.Commit(d.work, m)
		}
	}
}

// outcome is the metric's word for a commit's result.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ingest.ErrFenced):
		return "fenced"
	case errors.Is(err, commitlog.ErrNotCommitted):
		return "refused"
	default:
		return "failed"
	}
}

// hint tells the channel where the next owner will start. It comes after the commit, and only for people and for checks. People watch a
// group's lag, so one that was not taken (the group is in a rebalance) is offered again, though nothing may be committed for long.
func (d *drain) hint(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, hintPatience)
	defer cancel()
	d.hintAt = time.Time{}
	if err := d.stream.Commit(ctx, d.claim.HintFor()); err != nil {
		d.hintAt = d.s.o.Now().Add(hintAgain)
		d.metrics.hintErrors.Inc()
		d.log.Debug("the channel did not take the hint; it is offered again", "error", err)
	}
}

// catchUp marks the buckets that keep low back when the set of what is done beyond it has grown too large.
func (d *drain) catchUp(st commitlog.State) {
	if st.Ahead.GetSerializedSizeInBytes() <= d.policy.ahead {
		return
	}
	var files []*openFile
	var firsts []ingest.Offset
	for f := range d.files() {
		if f.rows > 0 {
			files, firsts = append(files, f), append(firsts, f.offsets.start)
		}
	}
	for _, i := range lagging(firsts, d.next) {
		files[i].due, d.due = rollAhead, true
	}
}
