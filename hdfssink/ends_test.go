package hdfssink_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/ingest"
)

// reasons are why the manifests of partition 0 were written, oldest first.
func (r *rig) reasons(t *testing.T) (all []string) {
	t.Helper()
	r.fs.Walk("/data/.penstock/lake/clicks+0/log", func(name string, i dfs.Info, data []byte) {
		if i.Dir || !strings.HasSuffix(name, ".json") {
			return
		}
		_, rest, _ := strings.Cut(string(data), `"reason":"`)
		reason, _, _ := strings.Cut(rest, `"`)
		all = append(all, reason)
	})
	return all
}

// TestEndBeforeEveryCall ends the owner's context before each call of a life: in good order with time left, with none left, with time that runs
// out two calls later, and without any order. Another owner finds nothing lost and nothing doubled, a manifest that is half published included.
func TestEndBeforeEveryCall(t *testing.T) {
	total, step := calls(t), 1
	if testing.Short() {
		step = 3
	}
	for i, graceCalls := range []int{-1, 0, 2, 1000} { // -1: no Ending
		for n := i % step; n < total; n += step {
			synctest.Test(t, func(t *testing.T) {
				r := scenario()
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				grace, endGrace := context.WithCancel(context.WithoutCancel(t.Context()))
				defer endGrace()
				o := r.owner("a", fault.Plan{Before: func(c fault.Call) {
					if c.N == n+1 && graceCalls < 0 {
						cancel(errors.New("cut off"))
					} else if c.N == n+1 {
						cancel(&ingest.Ending{Reason: ingest.ErrRevoked, Grace: grace})
					}
					if graceCalls >= 0 && c.N == n+1+graceCalls {
						endGrace()
					}
				}})
				err := o.sink(t).Drain(ctx, r.log.Stream(0))
				if graceCalls == 1000 && err != nil {
					t.Errorf("there was time to commit: %v", err)
				}
				r.owner("b", fault.Plan{}).live(t, time.Minute)
				complete(t, r)
				if t.Failed() {
					t.Fatalf("ended before call %d, %d calls of grace", n+1, graceCalls)
				}
			})
		}
	}
}

// TestManifestsSayWhy: the kinds of end that are not errors, and the retention of the source.
func TestManifestsSayWhy(t *testing.T) {
	for _, c := range []struct {
		why  error
		want string
	}{{ingest.ErrRevoked, "revoked"}, {ingest.ErrSessionLost, "session_lost"}, {ingest.ErrStopping, "stopping"}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig()
			r.log.Append(0, events(0, 10)...)
			ctx, cancel := context.WithCancelCause(t.Context())
			done := make(chan error, 1)
			go func() { done <- r.sink(t).Drain(ctx, r.log.Stream(0)) }()
			synctest.Wait()
			grace, end := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer end()
			cancel(&ingest.Ending{Reason: c.why, Grace: grace})
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			r.exactly(t, 10)
			if got := r.reasons(t); len(got) != 2 || got[1] != c.want {
				t.Errorf("reasons %v, want %s", got, c.want)
			}
		})
	}
}

// TestAQuarterOfTheRetention: no limit of its own makes the file due, and the source will delete its events.
func TestAQuarterOfTheRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.c.Roll = hdfssink.Roll{Size: conf.GiB, Age: minutes(600)} })
		r.log.SetRetention(4 * time.Hour)
		stop := running(t, r.sink(t), r.log.Stream(0))
		r.log.Append(0, events(0, 10)...)
		passes(t, 59*time.Minute)
		if n := len(r.files()); n != 0 {
			t.Errorf("%d files before a quarter is over", n)
		}
		passes(t, 2*time.Minute)
		r.exactly(t, 10)
		if got := r.reasons(t); len(got) != 2 || got[1] != "retention" {
			t.Errorf("reasons %v", got)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestRetentionPassesLowWithinAhead: what retention has deleted lay beyond low in part, and that part was published. Only the rest is a gap.
func TestRetentionPassesLowWithinAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.c.OnGap, r.c.Roll.Rows, r.o.Format = "accept", 30, lines{ext: "txt", unit: 1} })
		hour := func(i int, e *ingest.Event) {
			if i >= 10 {
				e.Timestamp += 3600_000
			}
		}
		r.log.Append(0, events(0, 40, hour)...)
		o := r.owner("a", fault.Plan{Crash: func(c fault.Call) bool { return c.Op == "mkdir" && strings.HasSuffix(c.Name, "1.done") }})
		o.live(t, time.Minute) // hour 1, offsets 10 to 39, is full; hour 0 is lost with its owner
		r.log.Append(0, events(40, 10, hour)...)
		r.log.DeleteBefore(0, 25)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		got := r.published(t)
		for i := range ingest.Offset(50) {
			if _, ok := got[i]; ok != (i >= 10) {
				t.Errorf("offset %d: published %v", i, ok)
			}
		}
		gaps := 0
		r.fs.Walk("/data/.penstock/lake/clicks+0/log", func(_ string, i dfs.Info, data []byte) {
			if !i.Dir && strings.Contains(string(data), `"gaps":[{"first":0,"next":10,"reason":"retention"`) {
				gaps++
			}
		})
		if gaps != 1 {
			t.Errorf("%d manifests have the gap [0, 10) and no other", gaps)
		}
	})
}

// TestADeadLetterFileThatFails is dropped like any other: the buckets are published, its events are read again.
func TestADeadLetterFileThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.o.Logger = testLogger(t) })
		r.log.Append(0, events(0, 30, func(i int, e *ingest.Event) {
			if i%10 == 5 {
				e.Body = nil
			}
		})...)
		broken, closed := errors.New("DataNode is gone"), 0
		o := r.owner("a", fault.Plan{Fail: func(c fault.Call) error {
			if c.Op == "close" && strings.Contains(c.Name, "/.staged-000002") { // the second file that was opened
				closed++
				return broken
			}
			return nil
		}})
		o.c.Closers = 1
		s := o.sink(t)
		if err := drained(t, s, r.log.Stream(0), time.Second); !errors.Is(err, broken) || closed != 1 {
			t.Fatalf("closed %d times: %v", closed, err)
		}
		if p, d := len(r.published(t)), len(r.dead(t)); p != 27 || d != 0 {
			t.Errorf("%d published, %d dead letters", p, d)
		}
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		if p, d := len(r.published(t)), r.dead(t); p != 27 || len(d) != 3 || d[5] == "" || d[15] == "" || d[25] == "" {
			t.Errorf("%d published, dead letters %v", p, d)
		}
	})
}

// TestStoppedWhileItWaitsForMemory: another partition holds the whole budget and does not let go.
func TestStoppedWhileItWaitsForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.o.Budget = hdfssink.NewBudget(4 << 20) })
		release := r.o.Budget.Hold(5 << 20)
		defer release()
		r.log.Append(0, events(0, 100)...)
		stop := running(t, r.sink(t), r.log.Stream(0))
		passes(t, time.Hour)
		if n := len(r.published(t)); n == 100 {
			t.Error("nothing waits, so nothing is shown")
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 100)
	})
}

// TestReadErrorsThatStayEndTheLifeOfQuickFiles: files that are due often do not make a read that fails look like a new one.
func TestReadErrorsThatStayEndTheLifeOfQuickFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.c.Roll.Age = minutes(1) })
		r.log.Append(0, events(0, 10)...)
		done := make(chan error, 1)
		go func() { done <- r.sink(t).Drain(t.Context(), r.log.Stream(0)) }()
		synctest.Wait()
		away := errors.New("broker away")
		for range 20 {
			r.log.FailReads(0, away, away, away, away, away, away, away, away)
			passes(t, 10*time.Second)
		}
		select {
		case err := <-done:
			if !errors.Is(err, away) || ingest.IsPermanent(err) {
				t.Errorf("%v", err)
			}
		default:
			t.Error("it still tries, and says so to nobody")
		}
		r.exactly(t, 10)
	})
}

// TestAheadIsBoundedOnAQuietTopic: what keeps low back is rolled at once when the set has grown too large, not with the next event; and a set of
// one run is small, however long.
func TestAheadIsBoundedOnAQuietTopic(t *testing.T) {
	for limit, want := range map[uint64]int{1: 5001, 100: 5000} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(func(r *rig) { r.c.Roll = hdfssink.Roll{Size: conf.GiB, Age: minutes(600), Rows: 2500} })
			r.log.SetBatch(10_000)
			s := r.sink(t)
			s.SetAheadLimit(limit)
			stop := running(t, s, r.log.Stream(0))
			r.log.Append(0, events(0, 1)...)
			r.log.Append(0, events(1, 5000, func(i int, e *ingest.Event) { e.Timestamp = start.Add(time.Duration(2+i%2) * time.Hour).UnixMilli() })...)
			passes(t, time.Second)
			if n := len(r.published(t)); n != want {
				t.Errorf("limit %d: %d events are published, want %d", limit, n, want)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			r.exactly(t, 5001)
		})
	}
}

// TestDeadLettersInADirectoryOfTheirOwn: the directory is called as in the state, whatever the topic's name.
func TestDeadLettersInADirectoryOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for topic, want := range map[string]string{"clicks": "clicks+0", "a/b+c~2": "a%2Fb%2Bc%7E2+0"} {
			r := newRig(func(r *rig) { r.c.DeadLetters.Dir = "/rejected" })
			r.log.Append(0, events(0, 1, func(_ int, e *ingest.Event) { e.Body = nil })...)
			stream := renamed{r.log.Stream(0), topic}
			if err := drained(t, r.sink(t), stream, time.Second); err != nil {
				t.Fatal(err)
			}
			var dirs []string
			r.fs.Walk("/rejected", func(name string, i dfs.Info, _ []byte) {
				if !i.Dir {
					dirs = append(dirs, strings.Split(name, "/")[2])
				}
			})
			if fmt.Sprint(dirs) != fmt.Sprint([]string{want}) {
				t.Errorf("topic %s: dead letters in %v", topic, dirs)
			}
		}
	})
}

type renamed struct {
	ingest.Stream
	topic string
}

func (s renamed) Partition() ingest.Partition { return ingest.Partition{Topic: s.topic} }

// TestARefusedManifestIsTriedOnce: no file is to blame, so leaving some out does not help.
func TestARefusedManifestIsTriedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.log.Append(0, events(0, 200, spread(20))...)
		tries := 0
		o := r.owner("a", fault.Plan{Fail: func(c fault.Call) error {
			if c.Op == "create" && strings.Contains(c.Name, "/.commit-") && c.N > 40 {
				tries++
				return dfs.ErrQuota
			}
			return nil
		}})
		if err := drained(t, o.sink(t), r.log.Stream(0), time.Second); !errors.Is(err, dfs.ErrQuota) {
			t.Fatal(err)
		}
		if tries != 1 {
			t.Errorf("%d manifests were tried", tries)
		}
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 200)
	})
}
