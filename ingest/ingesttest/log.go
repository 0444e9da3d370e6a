// Package ingesttest has fakes and suites for the interfaces of package ingest.
//
// [Log] is a topic in memory: retention, truncation, being made again, gaps with and without evidence, corrupt batches, failing reads.
// [Log.Stream] gives one partition of it directly; [Log.Join] makes a member of a group, an ingest.Channel, and [Log.Assign] moves
// partitions between members. [StreamSuite] holds the promises of ingest.Stream against any implementation.
package ingesttest

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/penstock-io/penstock/ingest"
)

// Log is a topic in memory. Safe for concurrent use.
type Log struct {
	topic string

	mu        sync.Mutex
	id        int // of the topic; grows when it is made again
	retention time.Duration
	batch     int // events of one Read at most
	parts     []*part
	changed   chan struct{} // closed and replaced at each change
}

// part is one partition.
type part struct {
	start  ingest.Offset
	slots  []slot // one for each offset from start on
	hint   ingest.Hint
	hinted bool
	owner  *Member
	drain  *running // under way for owner
	fails  []error  // of the next Reads
	epoch  int32
}

// slot is one offset: an event, a gap, or nothing, which is a hole without evidence.
type slot struct {
	event   *ingest.Event
	gap     *ingest.Gap // Range is not used
	corrupt bool
}

// NewLog makes a topic with so many empty partitions.
func NewLog(topic string, partitions int) *Log {
	l := &Log{topic: topic, id: 1, batch: 100, changed: make(chan struct{})}
	for range partitions {
		l.parts = append(l.parts, &part{})
	}
	return l
}

// change runs f on a partition and wakes everybody who waits.
func (l *Log) change(id int32, f func(p *part)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l.parts[id])
	l.wake()
}

func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (p *part) end() ingest.Offset { return p.start + ingest.Offset(len(p.slots)) }

// Append adds events; their offsets are set. It returns the first of them.
func (l *Log) Append(id int32, events ...ingest.Event) (first ingest.Offset) {
	l.change(id, func(p *part) {
		first = p.end()
		for _, e := range events {
			e.Offset = p.end()
			p.slots = append(p.slots, slot{event: clone(&e)})
		}
	})
	return first
}

func clone(e *ingest.Event) *ingest.Event {
	c := *e
	c.Key, c.Body = slices.Clone(e.Key), slices.Clone(e.Body)
	c.Headers = slices.Clone(e.Headers)
	for i := range c.Headers {
		c.Headers[i].Value = slices.Clone(c.Headers[i].Value)
	}
	return &c
}

// AppendGap adds offsets without events, with evidence.
func (l *Log) AppendGap(id int32, n int, reason ingest.GapReason) {
	l.change(id, func(p *part) {
		for range n {
			p.slots = append(p.slots, slot{gap: &ingest.Gap{Reason: reason}})
		}
	})
}

// AppendHole adds offsets that are missing without evidence.
func (l *Log) AppendHole(id int32, n int) {
	l.change(id, func(p *part) { p.slots = append(p.slots, make([]slot, n)...) })
}

// AppendCorrupt adds an offset whose batch cannot be decoded.
func (l *Log) AppendCorrupt(id int32) {
	l.change(id, func(p *part) { p.slots = append(p.slots, slot{corrupt: true}) })
}

// DeleteBefore is retention: the log begins at start now.
func (l *Log) DeleteBefore(id int32, start ingest.Offset) {
	l.change(id, func(p *part) {
		p.slots = slices.Clone(p.slots[min(int(start-p.start), len(p.slots)):])
		p.start = start
	})
}

// Truncate takes the events from end on away, as an unclean leader election does.
func (l *Log) Truncate(id int32, end ingest.Offset) {
	l.change(id, func(p *part) {
		p.slots = slices.Clone(p.slots[:end-p.start])
		p.epoch++
	})
}

// Recreate deletes the topic and makes it again, with another id and nothing in it.
func (l *Log) Recreate() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id++
	for _, p := range l.parts {
		p.start, p.slots = 0, nil
	}
	l.wake()
}

// FailReads makes the next Reads of a partition fail.
func (l *Log) FailReads(id int32, errs ...error) {
	l.change(id, func(p *part) { p.fails = append(p.fails, errs...) })
}

// SetRetention sets what Describe says of it.
func (l *Log) SetRetention(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retention = d
}

// SetBatch sets how many events a Read returns at most; 100 if it is not called.
func (l *Log) SetBatch(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batch = n
}

// SetHint replaces the hint of a partition; nil removes it.
func (l *Log) SetHint(id int32, h *ingest.Hint) {
	l.change(id, func(p *part) {
		p.hinted = h != nil
		if h != nil {
			p.hint = *h
		}
	})
}

// Hint is the last hint of a partition.
func (l *Log) Hint(id int32) (ingest.Hint, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parts[id].hint, l.parts[id].hinted
}

// Events returns the events that the log holds, and all gaps in it one by one.
func (l *Log) Events(id int32) (events []ingest.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.parts[id].slots {
		if s.event != nil {
			events = append(events, *clone(s.event))
		}
	}
	return events
}

// End is one behind the last offset of a partition.
func (l *Log) End(id int32) ingest.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parts[id].end()
}

// Partition names a partition of the log.
func (l *Log) Partition(id int32) ingest.Partition { return ingest.Partition{Topic: l.topic, ID: id} }

// resolve finds a position's offset. mu is held.
func (p *part) resolve(at ingest.Position) (ingest.Offset, error) {
	switch at.At {
	case "earliest":
		return p.start, nil
	case "latest":
		return p.end(), nil
	case "time":
		for i, s := range p.slots {
			if s.event != nil && s.event.Timestamp >= at.Time.UnixMilli() {
				return p.start + ingest.Offset(i), nil
			}
		}
		return p.end(), nil
	}
	return 0, fmt.Errorf("%q is no position", cmp.Or(at.At, "nothing"))
}
