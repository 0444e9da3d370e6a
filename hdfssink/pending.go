package hdfssink

import (
	"time"

	"github.com/penstock-io/penstock/ingest"
)

// pending is what was decided without a file since the last commit: events dropped by rule, and gaps.
type pending struct {
	filtered offsetSet
	gaps     []ingest.Gap
	since    time.Time // of the first; zero: nothing is pending
}

const (
	maxGaps    = 10_000 // more are committed before they make a manifest unwieldy
	pendingAge = 15 * time.Minute
)

func (p *pending) filter(o ingest.Offset, now time.Time) {
	p.filtered.add(o)
	p.begin(now)
}

// gap adds g; it is joined with the one before where nothing would be lost.
func (p *pending) gap(g ingest.Gap, now time.Time) {
	p.begin(now)
	if n := len(p.gaps); n > 0 {
		last := &p.gaps[n-1]
		if last.Next == g.First && last.Reason == g.Reason && last.Evidence == g.Evidence {
			last.Next = g.Next
			return
		}
	}
	p.gaps = append(p.gaps, g)
}

func (p *pending) begin(now time.Time) {
	if p.since.IsZero() {
		p.since = now
	}
}

// due is when they are committed even if no file is: low has to follow a quiet topic. The zero time: nothing is pending.
func (p *pending) due(age time.Duration) time.Time {
	if p.since.IsZero() {
		return time.Time{}
	}
	if age <= 0 {
		age = pendingAge
	}
	return p.since.Add(age)
}

func (p *pending) empty() bool { return p.since.IsZero() }

// markList holds marks in ascending order, the newest of each stretch of the log. A mark that is older than it could be does no
// harm, so that the list is thinned out rather than grown.
type markList struct {
	marks []ingest.Mark
}

const maxMarks = 4096

func (l *markList) add(m ingest.Mark) {
	if n := len(l.marks); n > 0 && l.marks[n-1].Offset >= m.Offset {
		return
	}
	if len(l.marks) >= maxMarks {
		kept := l.marks[:0]
		for i := 0; i < len(l.marks); i += 2 {
			kept = append(kept, l.marks[i])
		}
		l.marks = kept
	}
	l.marks = append(l.marks, m)
}

// before returns the newest mark before low, and forgets those before it.
func (l *markList) before(low ingest.Offset) (ingest.Mark, bool) {
	n := 0
	for n < len(l.marks) && l.marks[n].Offset < low {
		n++
	}
	if n == 0 {
		return ingest.Mark{}, false
	}
	l.marks = append(l.marks[:0], l.marks[n-1:]...)
	return l.marks[0], true
}
