package hdfssink

import (
	"context"
	"fmt"
	"slices"
)

// count brings the partition's account up to date after appends: buffered bytes, limits that were reached, and what the budget
// asks for. It waits for memory until ctx ends.
func (d *drain) count(ctx context.Context) error {
	d.since = 0
	if len(d.pending.gaps) >= maxGaps {
		d.due = true
	}
	for _, f := range d.touched {
		f.touched = false
		if f.rows == 0 || !d.holds(f) {
			continue
		}
		now := f.enc.Buffered()
		d.total += now - f.buffered
		f.buffered = now
		if why, full := d.policy.full(f.enc.Size(), f.rows); full && f.due == "" {
			f.due, d.due = why, true
		}
		if d.fattest != nil && f.buffered > d.fattest.buffered {
			d.fattest = f
		}
	}
	d.touched = d.touched[:0]
	d.metrics.openFiles.Set(float64(len(d.open)))
	d.metrics.buffered.Set(float64(d.total))
	wanted := d.account.report(d.total, d.largest())
	for {
		if err := d.relieve(wanted); err != nil {
			return err
		}
		var waited bool
		if wanted, waited = d.account.wait(ctx); waited {
			d.metrics.waiting.Inc()
		}
		if wanted == reliefNone {
			return nil
		}
	}
}

// holds reports whether f was not dropped meanwhile.
func (d *drain) holds(f *openFile) bool {
	if f.bucket == nil {
		return d.dead == f
	}
	return f.bucket.file == f
}

// largest is the size of the largest buffered row group, as far as a flush is worth while.
func (d *drain) largest() int64 {
	if d.fattest == nil {
		for f := range d.files() {
			if d.fattest == nil || f.buffered > d.fattest.buffered {
				d.fattest = f
			}
		}
	}
	if d.fattest == nil {
		return 0
	}
	return d.fattest.buffered
}

// relieve does what the budget asks for: writes the largest row group into its staged file, or rolls files early.
func (d *drain) relieve(r relief) error {
	switch r {
	case reliefFlush:
		return d.flushLargest()
	case reliefRoll:
		return d.rollEarly()
	default:
		return nil
	}
}

func (d *drain) flushLargest() error {
	if d.largest() == 0 {
		return nil
	}
	f := d.fattest
	d.metrics.flushes.Inc()
	if err := f.enc.Flush(); err != nil {
		return d.failed(f, fmt.Errorf("flush %s: %w", f.staged, err))
	}
	now := f.enc.Buffered()
	d.total += now - f.buffered
	f.buffered = now
	d.fattest = nil
	d.account.tell(d.total, d.largest())
	return nil
}

// rollEarly marks the files with most buffered bytes, until a quarter of the partition's would be free, and commits them.
func (d *drain) rollEarly() error {
	goal := d.total / 4
	for freed := int64(0); freed <= goal; {
		var most *openFile
		for f := range d.files() {
			if f.due == "" && f.rows > 0 && (most == nil || f.buffered > most.buffered) {
				most = f
			}
		}
		if most == nil {
			break
		}
		most.due, d.due = rollMemory, true
		freed += max(most.buffered, 1)
	}
	d.metrics.earlyRolls.Inc()
	return d.rollDue()
}

// shrink rolls the files that were idle longest, a tenth of those allowed, so that it need not be done for each new bucket.
func (d *drain) shrink() error {
	idle := slices.SortedFunc(slices.Values(d.open), func(a, b *openFile) int { return a.times.appended.Compare(b.times.appended) })
	for _, f := range idle[:min(len(idle), d.s.c.MaxOpenFiles/10+1)] {
		f.due, d.due = rollOpenFiles, true
	}
	return d.rollDue()
}
