package hdfssink_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/ingest"
)

// rebalancing is a stream whose group takes no hint for a while.
type rebalancing struct {
	ingest.Stream
	refusals int
	taken    []ingest.Offset
}

func (s *rebalancing) Commit(ctx context.Context, h ingest.Hint) error {
	if s.refusals > 0 {
		s.refusals--
		return errors.New("the group is in a rebalance")
	}
	s.taken = append(s.taken, h.Next)
	return s.Stream.Commit(ctx, h)
}

// TestHintIsOfferedAgain: the lag of a group must not stay because the last commit before a pause fell into a rebalance.
func TestHintIsOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.c.Roll.Rows = 100 })
		r.log.Append(0, events(0, 100)...)
		stream := &rebalancing{Stream: r.log.Stream(0), refusals: 3}
		if err := drained(t, r.sink(t), stream, 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		if stream.refusals != 0 || len(stream.taken) != 1 || stream.taken[0] != 100 {
			t.Errorf("%d refusals are left, the group has taken %v; want 100, once", stream.refusals, stream.taken)
		}
	})
}

// TestTheHintComesLast: when the channel is told that offsets are done, they are published.
func TestTheHintComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.c.Roll.Rows = 30; r.log.SetBatch(7) })
		r.log.Append(0, events(0, 200, spread(3))...)
		stream := &watched{Stream: r.log.Stream(0), told: func(h ingest.Hint) {
			got := r.published(t)
			for o := range h.Next {
				if _, ok := got[o]; !ok {
					t.Fatalf("the hint says %d, but %d is not published", h.Next, o)
				}
			}
		}}
		if err := drained(t, r.sink(t), stream, time.Second); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 200)
		if stream.times < 4 {
			t.Errorf("%d hints", stream.times)
		}
	})
}

type watched struct {
	ingest.Stream
	told  func(h ingest.Hint)
	times int
}

func (w *watched) Commit(ctx context.Context, h ingest.Hint) error {
	w.times++
	w.told(h)
	return w.Stream.Commit(ctx, h)
}
