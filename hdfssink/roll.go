package hdfssink

import (
	"cmp"
	"slices"
	"time"

	"github.com/penstock-io/penstock/ingest"
)

// Reasons for which files are rolled, as in manifests, logs and metrics.
const (
	rollSize      = "size"
	rollRows      = "rows"
	rollAge       = "age"
	rollIdle      = "idle"
	rollWindow    = "window"
	rollAhead     = "ahead"      // the set of offsets done ahead of low has grown too large
	rollRetention = "retention"  // the source will delete what the file holds before long
	rollMemory    = "memory"     // flushing row groups did not free enough
	rollOpenFiles = "open_files" // more buckets than max_open_files
	rollRevoked   = "revoked"
	rollLost      = "session_lost"
	rollStopping  = "stopping"
	rollSalvage   = "salvage" // another file of the partition failed, or the log did
	rollNoFiles   = "filtered"
)

const (
	rollSoon   = 5 * time.Second // what is due that soon goes along: one manifest instead of two
	aheadLimit = 1 << 20         // bytes of the set when serialised
)

// rollPolicy says when an open file is finished. It is a value without state: everything it needs is an argument. Zero
// limits are off.
type rollPolicy struct {
	size, rows        int64
	age, idle, window time.Duration
	retention         time.Duration // how long the source keeps events
	ahead             uint64        // bytes of the set of offsets done beyond low
}

// fileTimes is what the policy knows of a file's history.
type fileTimes struct {
	opened    time.Time // first append
	appended  time.Time // last append
	windowEnd time.Time // when no event on time can come any more; zero: never
	oldest    time.Time // timestamp of its first event
}

// full reports whether a file has reached a limit that does not depend on time.
func (p rollPolicy) full(size, rows int64) (reason string, ok bool) {
	switch {
	case p.size > 0 && size >= p.size:
		return rollSize, true
	case p.rows > 0 && rows >= p.rows:
		return rollRows, true
	}
	return "", false
}

// dueAt returns the moment at which a file is due if nothing is appended to it before; the zero time: never.
func (p rollPolicy) dueAt(f fileTimes) (at time.Time, reason string) {
	first := func(t time.Time, why string) {
		if at.IsZero() || t.Before(at) {
			at, reason = t, why
		}
	}
	if p.age > 0 {
		first(f.opened.Add(p.age), rollAge)
	}
	if p.idle > 0 {
		first(f.appended.Add(p.idle), rollIdle)
	}
	// A file that was opened after its window is one of late events: age and idle are enough for it.
	if p.window > 0 && !f.windowEnd.IsZero() && f.opened.Before(f.windowEnd) {
		first(f.windowEnd.Add(p.window), rollWindow)
	}
	if p.retention > 0 {
		// A partition that lags by more than a quarter of the retention has nothing but old events; it must not roll for each.
		old, open := f.oldest.Add(p.retention/4), f.opened.Add(p.retention/16)
		if old.Before(open) {
			old = open
		}
		first(old, rollRetention)
	}
	return at, reason
}

// lagging picks, out of the first offsets of the open files, those that keep low back: the ones in the older half of what is
// not committed yet, and always the oldest. It returns their indexes.
func lagging(firsts []ingest.Offset, next ingest.Offset) []int {
	if len(firsts) == 0 {
		return nil
	}
	low := slices.Min(firsts)
	var out []int
	for i, f := range firsts {
		if f == low || f < low+(next-low)/2 {
			out = append(out, i)
		}
	}
	slices.SortFunc(out, func(a, b int) int { return cmp.Compare(firsts[a], firsts[b]) })
	return out
}
