package commitlog_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/ingest"
)

var seeds = flag.Int("seeds", 0, "number of random duels; 0: 10,000, or 500 with -short")

// afterwards is the configuration of whoever comes after a fault: other buckets, other rolls.
func afterwards() config { return config{buckets: 3, roll: 4, batch: 5, keep: 2, archive: 3} }

// TestProtocolEveryCrash stops an owner before each of its calls, in turn.
func TestProtocolEveryCrash(t *testing.T) {
	n := everyCall(t, "crash", func(n int) fault.Plan {
		return fault.Plan{Crash: func(c fault.Call) bool { return c.N == n }}
	})
	if n < 120 {
		t.Errorf("only %d calls: the scenario has become too small", n)
	}
}

// TestProtocolEveryLostAnswer loses the answer of each call in turn, in every way an answer can be lost.
func TestProtocolEveryLostAnswer(t *testing.T) {
	for loss, name := range map[fault.Loss]string{
		fault.WithEffect: "effect", fault.NoEffect: "no effect", fault.LateEffect: "late effect", fault.KilledAfter: "killed after",
	} {
		everyCall(t, name, func(n int) fault.Plan {
			return fault.Plan{Lose: func(c fault.Call) fault.Loss {
				if c.N == n {
					return loss
				}
				return fault.NoLoss
			}}
		})
	}
}

// TestProtocolEveryStaleListing gives an old answer to each listing in turn, and to all of them but one in three.
func TestProtocolEveryStaleListing(t *testing.T) {
	everyCall(t, "stale", func(n int) fault.Plan {
		return fault.Plan{Stale: func(c fault.Call) bool { return c.N == n || c.N > n && c.N%3 > 0 }}
	})
}

// everyCall runs an owner with a fault at call n for n = 1, 2, … until it gets through without meeting it, each time in a world of its own,
// and lets it try again as the agent would; then another owner finishes.
func everyCall(t *testing.T, name string, plan func(n int) fault.Plan) int {
	t.Helper()
	for n := 1; ; n++ {
		w := newWorld(40)
		f := fault.New(w.fs, plan(n))
		o := &owner{w: w, name: "first", fs: f, cfg: defaultConfig()}
		err := o.drain(t.Context())
		for try := 0; err != nil && !errors.Is(err, fault.ErrCrashed) && try < 5; try++ {
			if unexpected(err) {
				t.Fatalf("%s at call %d: %v", name, n, err)
			}
			err = o.drain(t.Context())
		}
		if err != nil && !errors.Is(err, fault.ErrCrashed) {
			t.Errorf("%s at call %d: the owner never got through: %v", name, n, err)
		}
		f.Settle()
		w.finish(t, afterwards())
		if t.Failed() {
			t.Fatalf("%s at call %d", name, n)
		}
		if f.Calls() < n {
			return n
		}
	}
}

// TestProtocolEveryTakeOver lets a second owner come in before each call of the first, and drain a part or all before the first goes
// on; then the first, fenced or not, goes on, and claims again when it was fenced and confirmed.
func TestProtocolEveryTakeOver(t *testing.T) {
	for _, upTo := range []int{1, 12, 40, 75, 1000} { // calls of the second owner
		for n, met := 1, true; met; n++ {
			met = takeOver(t, n, upTo)
			if t.Failed() {
				t.Fatalf("take-over before call %d, for %d calls", n, upTo)
			}
		}
	}
}

func takeOver(t *testing.T, n, upTo int) (met bool) {
	t.Helper()
	w := newWorld(40)
	second := &owner{w: w, name: "second", cfg: afterwards()}
	second.fs = fault.New(w.fs, fault.Plan{Crash: func(c fault.Call) bool { return c.N > upTo }})
	f := fault.New(w.fs, fault.Plan{Before: func(c fault.Call) {
		if c.N != n {
			return
		}
		met = true
		if err := second.drain(t.Context()); unexpected(err) {
			t.Errorf("second owner: %v", err)
		}
		w.noDoubles(t)
		w.consume(rand.New(rand.NewPCG(uint64(n), 1)))
	}})
	first := &owner{w: w, name: "first", fs: f, cfg: defaultConfig()}
	for range 3 {
		err := first.drain(t.Context())
		if unexpected(err) {
			t.Errorf("first owner: %v", err)
		}
		if err == nil || !errors.Is(err, ingest.ErrFenced) {
			break
		}
	}
	w.finish(t, defaultConfig())
	return met
}

// TestProtocolDuels lets three owners, who do not know of each other, take turns at random between calls, with crashes, lost
// answers, stale listings, sleepers and readers. Each seed is one schedule.
func TestProtocolDuels(t *testing.T) {
	t.Parallel()
	n := *seeds
	if n == 0 {
		if n = 10_000; testing.Short() {
			n = 500
		}
	}
	const parts = 8
	for part := range parts {
		t.Run(strconv.Itoa(part), func(t *testing.T) {
			t.Parallel()
			for seed := part; seed < n; seed += parts {
				duel(t, uint64(seed))
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

// duelist is one owner as a coroutine: it runs up to its next call when it is resumed.
type duelist struct {
	o      *owner
	fs     *fault.FS
	resume func() (error, bool)
	stop   func()
	over   bool
}

func duel(t *testing.T, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 42))
	w := newWorld(ingest.Offset(10 + r.IntN(40)))
	if r.IntN(3) == 0 {
		w.tick = 20 * time.Minute // claim directories get old under their owners' hands
	}
	faults := r.IntN(4) // 0: none
	var ds []*duelist
	for i := range 3 {
		d := newDuelist(w, r, fmt.Sprintf("owner%d", i), faults)
		defer d.stop()
		ds = append(ds, d)
	}
	alive := len(ds)
	for steps := 0; alive > 0 && steps < 4000; {
		d := ds[r.IntN(len(ds))]
		if d.over {
			continue
		}
		for burst := 1 << r.IntN(9); burst > 0 && !d.over; burst-- {
			steps++
			if err, more := d.resume(); !more {
				d.over = true
				alive--
			} else if err != nil {
				t.Errorf("%s: %v", d.o.name, err)
				return
			}
		}
		if r.IntN(6) == 0 {
			w.consume(r)
		}
		if r.IntN(80) == 0 {
			d.fs.Crash()
		}
	}
	for _, d := range ds {
		d.stop()
		d.fs.Settle()
	}
	w.finish(t, randomConfig(r))
}

func randomConfig(r *rand.Rand) config {
	return config{buckets: 1 + r.IntN(3), roll: 2 + r.IntN(6), batch: 1 + r.IntN(9), keep: 2, archive: 3}
}

func newDuelist(w *world, r *rand.Rand, name string, faults int) *duelist {
	d := &duelist{}
	d.resume, d.stop = iter.Pull(func(yield func(error) bool) {
		plan := fault.Plan{
			Before: func(fault.Call) {
				if !yield(nil) {
					d.fs.Crash()
				}
			},
			Stale: func(fault.Call) bool { return faults > 1 && r.IntN(40) == 0 },
			Lose: func(fault.Call) fault.Loss {
				if faults == 0 || r.IntN(50) > 0 {
					return fault.NoLoss
				}
				return []fault.Loss{fault.WithEffect, fault.NoEffect, fault.LateEffect}[r.IntN(3)]
			},
		}
		d.fs = fault.New(w.fs, plan)
		d.o = &owner{w: w, name: name, fs: d.fs}
		for range 8 { // lives; each under a confirmed assignment
			d.o.cfg = randomConfig(r)
			err := d.o.drain(context.Background())
			if err == nil || errors.Is(err, fault.ErrCrashed) {
				return
			}
			if unexpected(err) && !yield(err) {
				return
			}
		}
	})
	return d
}

// TestProtocolOracle plants a lost and a doubled event: the oracle must see both.
func TestProtocolOracle(t *testing.T) {
	w := newWorld(20)
	if err := (&owner{w: w, name: "only", fs: w.fs, cfg: defaultConfig()}).drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := w.visible(t)
	if p := problems(seen, 0, w.events); len(p) > 0 {
		t.Fatalf("a clean run: %v", p)
	}
	seen[0]--
	seen[1]++
	seen[99]++
	if p := problems(seen, 0, w.events); len(p) != 3 {
		t.Errorf("planted a loss, a double and a foreign event, the oracle says %v", p)
	}
}
