package commitlog_test

// Schedules that random duels meet too rarely: each needs three owners to stop at the right places. What they have in common is that somebody
// sleeps for so long that epochs are trimmed and manifests archived, so that names which refuse him otherwise are free again.

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/ingest"
)

// sleeper is an owner that can be run up to a call, and on from there.
type sleeper struct {
	o      *owner
	fs     *fault.FS
	wake   func(fault.Call) bool // where to stop; asked before each call
	resume func() (string, bool)
	stop   func()
	calls  int // since it was resumed last
}

// newSleeper makes an owner that has not begun yet.
func newSleeper(t *testing.T, w *world, name string, cfg config, lives int) *sleeper {
	t.Helper()
	s := &sleeper{}
	s.resume, s.stop = iter.Pull(func(yield func(string) bool) {
		s.fs = fault.New(w.fs, fault.Plan{Before: func(c fault.Call) {
			s.calls++
			if s.wake != nil && s.wake(c) && !yield(c.String()) {
				s.fs.Crash()
			}
		}})
		s.o = &owner{w: w, name: name, fs: s.fs, cfg: cfg}
		for range lives {
			err := s.o.drain(t.Context())
			if unexpected(err) {
				t.Errorf("%s: %v", name, err)
			}
			if err == nil || !errors.Is(err, ingest.ErrFenced) {
				return
			}
		}
	})
	t.Cleanup(s.stop)
	return s
}

// until runs the owner up to the first call that stop accepts; false: it came to its end.
func (s *sleeper) until(stop func(fault.Call) bool) bool {
	s.wake, s.calls = stop, 0
	_, more := s.resume()
	return more
}

// after runs the owner up to its nth call from here.
func (s *sleeper) after(n int) bool {
	return s.until(func(fault.Call) bool { return s.calls == n })
}

func (s *sleeper) toTheEnd() { s.until(nil) }

func claiming(c fault.Call) bool {
	return c.Op == "rename" && strings.Contains(c.Name, "/claim-") || c.Op == "mkdir" && strings.Contains(c.Name, "/epoch-")
}

func committed(c fault.Call) bool {
	return c.Op == "rename" && strings.HasSuffix(c.To, ".json") && !strings.HasSuffix(c.To, "0000000000.json")
}

func publishing(c fault.Call) bool { return c.Op == "rename" && strings.HasPrefix(c.To, "/data/b=") }

func staging(c fault.Call) bool {
	return c.Op == "create" && strings.Contains(c.Name, "/.staged")
}

func small() config { return config{buckets: 1, roll: 3, batch: 4, keep: 2, archive: 3} }

// every runs a schedule for n = 1, 2, … as long as it says that there was an nth call.
func every(t *testing.T, least int, schedule func(t *testing.T, w *world, n int) bool) {
	t.Helper()
	n := 1
	for more := true; more; n++ {
		w := newWorld(50)
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			more = schedule(t, w, n)
			w.finish(t, afterwards())
		})
		if t.Failed() {
			return
		}
	}
	if n < least {
		t.Errorf("only %d calls: the schedule has become too small", n)
	}
}

// TestProtocolSleeperInTrimmedEpoch: the first owner sleeps before its nth call, for so long that its epoch is trimmed and its manifests
// are archived. Then a claimant that looked around before there was any epoch takes the number that the first had. Then the first wakes up.
func TestProtocolSleeperInTrimmedEpoch(t *testing.T) {
	every(t, 60, func(t *testing.T, w *world, n int) bool {
		slow := newSleeper(t, w, "slow", defaultConfig(), 1)
		slow.until(claiming)
		first := newSleeper(t, w, "first", small(), 1)
		more := first.after(n)
		for i := range 4 {
			other := newSleeper(t, w, fmt.Sprintf("other%d", i), small(), 1)
			other.after(75)
			other.stop()
		}
		slow.after(3)
		first.toTheEnd()
		slow.toTheEnd()
		return more
	})
}

// TestProtocolSleeperTakesOldEpoch: a claimant that looked around before there was any epoch takes number 1 when the owners of 1 to
// 3 are gone, nobody after the first has committed, and the owner of 4 is at work. Before its nth call from there that owner drains the rest.
func TestProtocolSleeperTakesOldEpoch(t *testing.T) {
	every(t, 3, func(t *testing.T, w *world, n int) bool {
		slow := newSleeper(t, w, "slow", defaultConfig(), 1)
		slow.until(claiming)
		first := newSleeper(t, w, "first", small(), 1)
		first.until(committed)
		first.stop()
		for i := range 2 {
			other := newSleeper(t, w, fmt.Sprintf("other%d", i), small(), 1)
			other.until(staging)
			other.stop()
		}
		last := newSleeper(t, w, "working", small(), 1)
		last.until(staging)
		more := slow.after(n)
		last.toTheEnd()
		slow.toTheEnd()
		return more
	})
}

// TestProtocolTwins: two claimants have seen the same epochs and take the next one after the other. Before the nth call of the one, the
// other drains everything.
func TestProtocolTwins(t *testing.T) {
	every(t, 60, func(t *testing.T, w *world, n int) bool {
		a := newSleeper(t, w, "a", small(), 2)
		b := newSleeper(t, w, "b", defaultConfig(), 2)
		a.until(claiming)
		b.until(claiming)
		a.after(1) // a's claim is carried out
		b.after(1)
		more := a.after(n)
		b.toTheEnd()
		a.toTheEnd()
		return more
	})
}

// TestProtocolLateCleaner: before the nth call of its claim the first owner sleeps. A second claims, commits and dies before it has published; a third has
// just fenced it, and not published yet. Then the first goes on, and deletes what it thinks it may.
func TestProtocolLateCleaner(t *testing.T) {
	every(t, 20, func(t *testing.T, w *world, n int) bool {
		before := newSleeper(t, w, "before", small(), 1)
		before.until(publishing)
		before.stop()
		first := newSleeper(t, w, "first", small(), 1)
		more := first.after(n)
		second := newSleeper(t, w, "second", small(), 1)
		second.until(func(c fault.Call) bool { return publishing(c) && !strings.Contains(c.Name, "/dead-") })
		second.stop()
		third := newSleeper(t, w, "third", small(), 1)
		third.until(publishing)
		first.toTheEnd()
		third.toTheEnd()
		return more
	})
}
