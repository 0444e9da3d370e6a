package brokerlink

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// assignment is the set of partitions that are being drained. Only the member's goroutine changes it.
type assignment struct {
	open    func(ctx context.Context, p ingest.Partition) *stream
	drain   ingest.DrainFunc
	timeout time.Duration // rebalance time-out
	log     *slog.Logger
	count   *atomic.Int64
	met     *metrics

	running map[ingest.Partition]*running
	late    map[ingest.Partition]*running // were to end and have not
}

// running is one call of the drain function.
type running struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// partitions returns what is drained, in order.
func (a *assignment) partitions() []ingest.Partition {
	all := make([]ingest.Partition, 0, len(a.running))
	for p := range a.running {
		all = append(all, p)
	}
	slices.SortFunc(all, order)
	return all
}

// except returns what is drained and not in keep.
func (a *assignment) except(keep []ingest.Partition) []ingest.Partition {
	return slices.DeleteFunc(a.partitions(), func(p ingest.Partition) bool { return slices.Contains(keep, p) })
}

// wire is the set as a subscription carries it.
func (a *assignment) wire() []*sarama.OwnedPartition {
	var out []*sarama.OwnedPartition
	for _, p := range a.partitions() {
		if n := len(out); n > 0 && out[n-1].Topic == p.Topic {
			out[n-1].Partitions = append(out[n-1].Partitions, p.ID)
			continue
		}
		out = append(out, &sarama.OwnedPartition{Topic: p.Topic, Partitions: []int32{p.ID}})
	}
	return out
}

// begin starts a drain for each partition that has none, and returns those.
func (a *assignment) begin(ctx context.Context, assigned []ingest.Partition) []ingest.Partition {
	var added []ingest.Partition
	for _, p := range assigned {
		if a.running[p] == nil {
			added = append(added, p)
		}
	}
	a.count.Store(int64(len(a.running) + len(added)))
	for _, p := range added {
		a.start(ctx, p)
	}
	a.met.assigned.Set(float64(len(a.running)))
	return added
}

func (a *assignment) start(ctx context.Context, p ingest.Partition) {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &running{cancel: cancel, done: make(chan struct{})}
	before := a.late[p]
	delete(a.late, p)
	a.running[p] = r
	go func() {
		defer close(r.done)
		defer cancel(nil)
		if before != nil {
			// The partition came back while its last drain would not end. Two at a time would fence each other.
			<-before.done
		}
		s := a.open(ctx, p)
		defer s.close()
		if err := a.drain(ctx, s); err != nil {
			a.log.InfoContext(ctx, "drain returned", "partition", p.String(), "error", err)
		}
	}()
}

// end tells the drains to finish within half of the rebalance time-out and waits for them, for the whole of it at most.
func (a *assignment) end(ctx context.Context, which []ingest.Partition, why error) {
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.timeout/2)
	defer cancel()
	for _, p := range which {
		a.running[p].cancel(&ingest.Ending{Reason: why, Grace: grace})
	}
	a.wait(ctx, which)
	a.met.assigned.Set(float64(len(a.running)))
	a.count.Store(int64(len(a.running)))
}

func (a *assignment) wait(ctx context.Context, which []ingest.Partition) {
	most := time.NewTimer(a.timeout)
	defer most.Stop()
	over := false
	for _, p := range which {
		r := a.running[p]
		delete(a.running, p)
		if !over {
			select {
			case <-r.done:
				continue
			case <-most.C:
				over = true
			}
		}
		select {
		case <-r.done:
		default:
			a.late[p] = r
			a.log.ErrorContext(ctx, "drain did not end in time, its partition is given up all the same", "partition", p.String(), "timeout", a.timeout)
		}
	}
}

// finish waits for all drains after ctx has ended, those that were late too: whoever ended ctx decides how long that takes.
func (a *assignment) finish() {
	var all sync.WaitGroup
	for _, set := range []map[ingest.Partition]*running{a.running, a.late} {
		for _, r := range set {
			all.Go(func() { <-r.done })
		}
	}
	all.Wait()
	clear(a.running)
	clear(a.late)
	a.met.assigned.Set(0)
	a.count.Store(0)
}
