package hdfssink_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/ingest"
)

// dropSevens is an interceptor: events with these numbers are filtered.
type dropSevens struct{}

func (dropSevens) Intercept(e *ingest.Event) bool { return e.Offset%20 != 7 }

const scenarioEvents = 60

// scenario is a partition with everything in it: three buckets in turn, events that are filtered, dead letters, gaps. Files roll by
// rows, so that there are several commits.
func scenario() *rig {
	return newRig(func(r *rig) {
		r.c.Roll.Rows, r.c.Closers = 9, 1 // one at a time: calls are numbered
		r.o.Interceptors = []ingest.Interceptor{dropSevens{}}
		r.o.Format = lines{ext: "txt", unit: 40}
		r.o.ArchiveAfter, r.o.KeepEpochs = 3, 2
		r.log.SetBatch(10)
		all := events(0, scenarioEvents, spread(3), func(i int, e *ingest.Event) {
			if i%25 == 13 {
				e.Body = nil
			}
		})
		r.log.Append(0, all[:30]...)
		r.log.AppendGap(0, 2, ingest.GapControl)
		r.log.Append(0, all[30:]...)
	})
}

// complete checks that each event of the scenario is published, a dead letter, or filtered, once.
func complete(t *testing.T, r *rig) {
	t.Helper()
	got, dead := r.published(t), r.dead(t)
	for _, e := range r.log.Events(0) {
		_, pub := got[e.Offset]
		_, dl := dead[e.Offset]
		wantPub, wantDead := e.Body != nil && e.Offset%20 != 7, e.Body == nil && e.Offset%20 != 7
		if pub != wantPub || dl != wantDead {
			t.Errorf("offset %d: published %v, dead %v; want %v, %v", e.Offset, pub, dl, wantPub, wantDead)
		}
		if pub && got[e.Offset] != string(e.Body) {
			t.Errorf("offset %d: %q, want %q", e.Offset, got[e.Offset], e.Body)
		}
	}
}

// owner is an agent with its own view of the file system.
func (r *rig) owner(name string, plan fault.Plan) *rig {
	o := *r
	o.o.FS = fault.New(r.fs, plan)
	o.o.Owner = commitlog.Owner{Host: name, PID: 1, Start: start}
	return &o
}

// live drains as an agent does, again after each error, until the sink ends in good order after d, or its owner has crashed.
func (r *rig) live(t *testing.T, d time.Duration) {
	t.Helper()
	s, stream := r.sink(t), r.log.Stream(0)
	end := time.Now().Add(d)
	for try := 0; ; try++ {
		err := drained(t, s, stream, time.Until(end))
		switch {
		case errors.Is(err, fault.ErrCrashed):
			return
		case err == nil:
			return
		case ingest.IsPermanent(err) && !errors.Is(err, ingest.ErrFenced):
			t.Errorf("%s: permanent: %v", r.o.Owner.Host, err)
			return
		case try > 200:
			t.Errorf("%s: still failing after %d tries: %v", r.o.Owner.Host, try, err)
			return
		}
		if !time.Now().Before(end) {
			return
		}
		pauseFor(t.Context(), time.Second)
	}
}

// pauseFor lets the bubble's time pass.
func pauseFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// calls is how many calls an undisturbed life makes.
func calls(t *testing.T) (n int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := scenario().owner("a", fault.Plan{})
		r.live(t, time.Minute)
		complete(t, r)
		f, ok := r.o.FS.(*fault.FS)
		if !ok {
			t.Fatal("no fault.FS")
		}
		n = f.Calls()
	})
	if n < 100 {
		t.Fatalf("the scenario makes %d calls only", n)
	}
	return n
}

func at(n int) func(fault.Call) bool { return func(c fault.Call) bool { return c.N == n } }

// TestCrashBeforeEveryCall kills the owner before each call of a life; another one goes on, with other settings.
func TestCrashBeforeEveryCall(t *testing.T) {
	for n := range calls(t) {
		synctest.Test(t, func(t *testing.T) {
			r := scenario()
			r.owner("a", fault.Plan{Crash: at(n + 1)}).live(t, time.Minute)
			b := r.owner("b", fault.Plan{})
			if n%2 == 1 { // configuration changed between lives
				b.c.Path, b.c.Roll.Rows, b.c.Round = "/data/other=%d/%{topic}", 4, conf.Duration(time.Hour)
				b.c.State = "/data/.penstock"
			}
			b.live(t, time.Minute)
			complete(t, r)
			if t.Failed() {
				t.Fatalf("crash before call %d", n+1)
			}
		})
	}
}

// TestEveryAnswerLost loses the answer of each call of a life in turn, with and without the call's effect.
func TestEveryAnswerLost(t *testing.T) {
	total := calls(t)
	for _, loss := range []fault.Loss{fault.WithEffect, fault.NoEffect, fault.LateEffect, fault.KilledAfter} {
		for n := range total {
			synctest.Test(t, func(t *testing.T) {
				r := scenario()
				r.owner("a", fault.Plan{Lose: func(c fault.Call) fault.Loss {
					if c.N == n+1 {
						return loss
					}
					return fault.NoLoss
				}}).live(t, 10*time.Minute)
				r.owner("b", fault.Plan{}).live(t, time.Minute)
				complete(t, r)
				if t.Failed() {
					t.Fatalf("answer of call %d lost in way %d", n+1, loss)
				}
			})
		}
	}
}

// TestTakeOverBeforeEveryCall stops the owner before each call, lets another one drain everything, and then lets the first go on.
func TestTakeOverBeforeEveryCall(t *testing.T) {
	for n := range calls(t) {
		synctest.Test(t, func(t *testing.T) {
			r := scenario()
			r.owner("a", fault.Plan{Before: func(c fault.Call) {
				if c.N == n+1 {
					r.owner("b", fault.Plan{}).live(t, time.Minute)
				}
			}}).live(t, 10*time.Minute)
			r.owner("c", fault.Plan{}).live(t, time.Minute)
			complete(t, r)
			if t.Failed() {
				t.Fatalf("take-over before call %d", n+1)
			}
		})
	}
}

// TestDuels lets three owners that do not know of each other drain the same partition, each call delayed at random, some answers
// lost, some owners killed.
func TestDuels(t *testing.T) {
	seeds := 1500
	if testing.Short() {
		seeds = 200
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			r := scenario()
			var all sync.WaitGroup
			for i := range 3 {
				all.Go(func() { r.owner(fmt.Sprintf("o%d", i), duelist(seed, i)).live(t, 20*time.Second) })
			}
			all.Wait()
			r.owner("last", fault.Plan{}).live(t, time.Minute)
			complete(t, r)
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
}

func duelist(seed, i int) fault.Plan {
	rnd := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
	var mu sync.Mutex
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return rnd.IntN(n)
	}
	return fault.Plan{
		Before: func(fault.Call) {
			d := time.Duration(draw(40)) * time.Millisecond
			if draw(50) == 0 {
				d *= 100 // a long sleep
			}
			pauseFor(context.Background(), d)
		},
		Crash: func(fault.Call) bool { return draw(400) == 0 },
		Lose: func(fault.Call) fault.Loss {
			if draw(60) == 0 {
				return fault.Loss(1 + draw(3))
			}
			return fault.NoLoss
		},
	}
}
