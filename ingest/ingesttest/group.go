package ingesttest

import (
	"context"
	"sync"
	"time"

	"github.com/penstock-io/penstock/ingest"
)

// Member is one member of the group that drains a Log: an ingest.Channel.
type Member struct {
	l    *Log
	name string
}

var _ ingest.Channel = (*Member)(nil)

// running is a drain under way.
type running struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// Join makes a member without partitions.
func (l *Log) Join(name string) *Member { return &Member{l: l, name: name} }

// Name is what the member was called.
func (m *Member) Name() string { return m.name }

// Drain implements ingest.Channel.
func (m *Member) Drain(ctx context.Context, drain ingest.DrainFunc) error {
	var all sync.WaitGroup
	defer all.Wait()
	started := map[int32]*running{}
	for {
		m.l.mu.Lock()
		changed := m.l.changed
		for i, p := range m.l.parts {
			id := int32(i)
			if p.owner != m || (p.drain != nil && started[id] == p.drain) {
				continue
			}
			dctx, cancel := context.WithCancelCause(ctx)
			r := &running{cancel: cancel, done: make(chan struct{})}
			p.drain, started[id] = r, r
			all.Go(func() {
				defer close(r.done)
				defer cancel(context.Canceled)
				_ = drain(dctx, &Stream{l: m.l, id: id, member: m}) // its outcome is the caller's business
			})
		}
		m.l.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
	}
}

// Assign gives a partition to a member (nil: to nobody). The owner before is told with ErrRevoked and has the grace to end
// in good order, which Assign waits for.
func (l *Log) Assign(id int32, to *Member, grace time.Duration) {
	if r := l.take(id, nil); r != nil {
		g, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		r.cancel(&ingest.Ending{Reason: ingest.ErrRevoked, Grace: g})
		<-r.done
	}
	l.take(id, to)
}

// Expire gives a partition to another member at once, as when the group has not heard of the owner for too long. The owner is told
// afterwards, with ErrSessionLost, and not waited for.
func (l *Log) Expire(id int32, to *Member, grace time.Duration) {
	r := l.take(id, to)
	if r == nil {
		return
	}
	g, cancel := context.WithTimeout(context.Background(), grace)
	context.AfterFunc(g, cancel)
	r.cancel(&ingest.Ending{Reason: ingest.ErrSessionLost, Grace: g})
}

// take changes the owner and returns the drain of the one before.
func (l *Log) take(id int32, to *Member) (before *running) {
	l.change(id, func(p *part) {
		before, p.drain, p.owner = p.drain, nil, to
	})
	return before
}
