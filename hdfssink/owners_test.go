package hdfssink_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/ingest/ingesttest"
)

func TestRebalance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		ctx, cancel := context.WithCancelCause(t.Context())
		members := []*ingesttest.Member{r.log.Join("a"), r.log.Join("b")}
		var all sync.WaitGroup
		for _, m := range members {
			s := r.owner(m.Name(), fault.Plan{}).sink(t)
			all.Go(func() { _ = m.Drain(ctx, retrying(t, s)) })
		}
		for i := range 8 {
			r.log.Append(0, events(i*50, 50, spread(3))...)
			if i%2 == 0 {
				r.log.Assign(0, members[i/2%2], time.Minute)
			} else {
				r.log.Expire(0, members[(i/2+1)%2], time.Minute) // the one before finds out later
			}
			passes(t, 3*time.Second)
		}
		grace, end := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer end()
		cancel(&ingest.Ending{Reason: ingest.ErrStopping, Grace: grace})
		all.Wait()
		r.exactly(t, 400)
	})
}

// retrying is what the agent makes of a sink.
func retrying(t *testing.T, s *hdfssink.Sink) ingest.DrainFunc {
	t.Helper()
	return func(ctx context.Context, stream ingest.Stream) error {
		for {
			err := s.Drain(ctx, stream)
			if ctx.Err() != nil || ingest.IsPermanent(err) {
				return err
			}
			if errors.Is(err, ingest.ErrFenced) {
				if err := stream.Confirm(ctx); err != nil {
					return err
				}
			}
			pauseFor(ctx, 100*time.Millisecond)
		}
	}
}

// TestTwoOwnersThatDoNotKnowOfEachOther: five fencings by one other owner make the error permanent, and it names the other.
func TestTwoOwnersThatDoNotKnowOfEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.c.Roll.Rows = 1 })
		a := r.sink(t)
		other := r.owner("edge2", fault.Plan{})
		for i := range 5 {
			stop := running(t, a, r.log.Stream(0))
			if err := drained(t, other.sink(t), r.log.Stream(0), time.Second); err != nil {
				t.Fatal(err)
			}
			r.log.Append(0, events(i, 1)...)
			passes(t, time.Second)
			err := stop()
			if !errors.Is(err, ingest.ErrFenced) {
				t.Fatalf("fencing %d: %v", i, err)
			}
			if ingest.IsPermanent(err) != (i == 4) {
				t.Errorf("fencing %d: permanent %v", i, ingest.IsPermanent(err))
			}
			if i == 4 {
				for _, text := range []string{"host edge2, pid 1", "5 times in 10m", "sink: lake, group group-1"} {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("the message has no %q:\n%v", text, err)
					}
				}
			}
		}
		if err := drained(t, other.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 5)
	})
}
