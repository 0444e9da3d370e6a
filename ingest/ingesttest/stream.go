package ingesttest

import (
	"context"
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/ingest"
)

// Stream is one partition of a Log. It keeps to the letter of ingest.Stream: the bytes of a batch are overwritten at the next Read.
type Stream struct {
	l      *Log
	id     int32
	member *Member // nil: nobody's
	last   []byte  // bytes of the batch before
}

var _ ingest.Stream = (*Stream)(nil)

// Stream opens a partition without any group.
func (l *Log) Stream(id int32) *Stream { return &Stream{l: l, id: id} }

// Partition implements ingest.Stream.
func (s *Stream) Partition() ingest.Partition { return s.l.Partition(s.id) }

// Describe implements ingest.Stream.
func (s *Stream) Describe(ctx context.Context) (ingest.LogInfo, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	p := s.l.parts[s.id]
	return ingest.LogInfo{
		Cluster: "cluster-1", Group: "group-1", TopicID: fmt.Sprintf("topic-%d", s.l.id),
		Start: p.start, End: p.end(), Retention: s.l.retention,
	}, ctx.Err()
}

// Hint implements ingest.Stream.
func (s *Stream) Hint(ctx context.Context) (ingest.Hint, bool, error) {
	h, ok := s.l.Hint(s.id)
	return h, ok, ctx.Err()
}

// Resolve implements ingest.Stream.
func (s *Stream) Resolve(ctx context.Context, at ingest.Position) (ingest.Offset, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	o, err := s.l.parts[s.id].resolve(at)
	return o, errors.Join(err, ctx.Err())
}

// Check implements ingest.Stream.
func (s *Stream) Check(ctx context.Context, m ingest.Mark) error {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	p := s.l.parts[s.id]
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case m.Offset < p.start:
		return nil
	case m.Offset >= p.end():
		return fmt.Errorf("%s: %w: the log ends at %d, before the event at %d that was read", s.Partition(), ingest.ErrReplaced, p.end(), m.Offset)
	}
	e := p.slots[m.Offset-p.start].event
	if e != nil && e.CRC() != m.CRC {
		return fmt.Errorf("%s: %w: another event is at %d", s.Partition(), ingest.ErrReplaced, m.Offset)
	}
	return nil
}

// Read implements ingest.Stream.
func (s *Stream) Read(ctx context.Context, next ingest.Offset) (ingest.Batch, error) {
	for i := range s.last {
		s.last[i] = 0xdb
	}
	s.last = nil
	for {
		if ctx.Err() != nil {
			return ingest.Batch{}, ctx.Err()
		}
		b, changed, err := s.try(next)
		if err != nil || !b.Empty() {
			return b, err
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
	}
}

// try reads what is there.
func (s *Stream) try(next ingest.Offset) (ingest.Batch, <-chan struct{}, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	p := s.l.parts[s.id]
	if len(p.fails) > 0 {
		err := p.fails[0]
		p.fails = p.fails[1:]
		return ingest.Batch{}, nil, err
	}
	if next < p.start || next > p.end() {
		return ingest.Batch{}, nil, &ingest.OutOfRangeError{Partition: s.Partition(), Next: next, Start: p.start, End: p.end()}
	}
	b := ingest.Batch{Range: ingest.Range{First: next, Next: next}}
	for ; b.Next < p.end() && len(b.Events) < s.l.batch; b.Next++ {
		sl := p.slots[b.Next-p.start]
		switch {
		case sl.event != nil:
			b.Events = append(b.Events, s.lend(sl.event))
		case sl.gap != nil:
			b.Gaps = addGap(b.Gaps, b.Next, sl.gap)
		case !b.Empty(): // the good part first
			return s.marked(b, p), nil, nil
		case sl.corrupt:
			return b, nil, &ingest.CorruptError{Partition: s.Partition(), Offset: b.Next, Err: errors.New("checksum differs")}
		default:
			return b, nil, fmt.Errorf("%s@%d: %w", s.Partition(), b.Next, ingest.ErrUnexplainedGap)
		}
	}
	return s.marked(b, p), s.l.changed, nil
}

func (s *Stream) marked(b ingest.Batch, p *part) ingest.Batch {
	if n := len(b.Events); n > 0 {
		e := &b.Events[n-1]
		b.Marks = append(b.Marks, ingest.Mark{Offset: e.Offset, LeaderEpoch: p.epoch, CRC: e.CRC()})
	}
	return b
}

func addGap(gaps []ingest.Gap, o ingest.Offset, g *ingest.Gap) []ingest.Gap {
	if n := len(gaps); n > 0 && gaps[n-1].Next == o && gaps[n-1].Reason == g.Reason {
		gaps[n-1].Next++
		return gaps
	}
	return append(gaps, ingest.Gap{Range: ingest.Range{First: o, Next: o + 1}, Reason: g.Reason, Evidence: g.Evidence})
}

// lend copies an event into bytes that are overwritten at the next Read.
func (s *Stream) lend(e *ingest.Event) ingest.Event {
	c := *clone(e)
	keep := func(b []byte) []byte {
		if len(b) == 0 {
			return b
		}
		start := len(s.last)
		s.last = append(s.last, b...)
		return s.last[start:len(s.last):len(s.last)]
	}
	// Grown at once: an append that moves the bytes would leave earlier slices behind.
	need := len(c.Key) + len(c.Body)
	for _, h := range c.Headers {
		need += len(h.Value)
	}
	if cap(s.last)-len(s.last) < need {
		s.last = make([]byte, 0, need+64<<10)
	}
	c.Key, c.Body = keep(c.Key), keep(c.Body)
	for i := range c.Headers {
		c.Headers[i].Value = keep(c.Headers[i].Value)
	}
	return c
}

// Commit implements ingest.Stream. A member that does not own the partition any more is refused, as Kafka does.
func (s *Stream) Commit(ctx context.Context, h ingest.Hint) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(h.Metadata) > 1000 {
		return fmt.Errorf("metadata of %d bytes", len(h.Metadata))
	}
	var err error
	s.l.change(s.id, func(p *part) {
		if s.member != nil && p.owner != s.member {
			err = errors.New("unknown member")
			return
		}
		p.hint, p.hinted = h, true
	})
	return err
}

// Confirm implements ingest.Stream.
func (s *Stream) Confirm(ctx context.Context) error {
	for {
		s.l.mu.Lock()
		owned, changed := s.member == nil || s.l.parts[s.id].owner == s.member, s.l.changed
		s.l.mu.Unlock()
		if owned {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}
