package hdfssink_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/mem"
	"github.com/penstock-io/penstock/ingest"
)

// running drains in the background until stop is called; stop returns the drain's error.
func running(t *testing.T, s *hdfssink.Sink, stream ingest.Stream) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Drain(ctx, stream) }()
	synctest.Wait()
	return func() error {
		grace, end := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer end()
		cancel(&ingest.Ending{Reason: ingest.ErrStopping, Grace: grace})
		return <-done
	}
}

// passes lets d go by.
func passes(t *testing.T, d time.Duration) {
	t.Helper()
	pauseFor(t.Context(), d)
	synctest.Wait()
}

func TestFilesRollByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.c.Roll.Idle, r.c.Roll.Age, r.c.Roll.Window = minutes(2), minutes(15), minutes(5) })
		stop := running(t, r.sink(t), r.log.Stream(0))
		r.log.Append(0, events(0, 10)...)
		passes(t, 119*time.Second)
		if n := len(r.published(t)); n != 0 {
			t.Errorf("%d events before the idle time is over", n)
		}
		passes(t, 2*time.Second)
		r.exactly(t, 10)
		for i := range 16 { // one a minute: never idle
			r.log.Append(0, events(10+i, 1)...)
			passes(t, time.Minute)
		}
		if n := len(r.published(t)); n < 24 || n == 26 {
			t.Errorf("%d events after the age is reached", n)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 26)
	})
}

func TestHourBucketsRollAfterTheHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) {
			r.c.Path = "/data/dt=%Y-%m-%d/hr=%H"
			r.c.Roll.Idle, r.c.Roll.Age, r.c.Roll.Window = 0, minutes(600), minutes(5)
		})
		stop := running(t, r.sink(t), r.log.Stream(0))
		r.log.Append(0, events(0, 10)...)
		passes(t, 64*time.Minute)
		r.log.Append(0, events(10, 1)...) // a late one, before the window is closed
		if n := len(r.files()); n != 0 {
			t.Errorf("%d files before the window is over", n)
		}
		passes(t, 61*time.Second)
		if n := len(r.files()); n != 1 {
			t.Errorf("%d files after it", n)
		}
		r.log.Append(0, events(11, 1)...) // later still: another file in the same directory
		passes(t, time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 12)
		if f := r.files(); len(f) != 2 || !strings.HasPrefix(f[1], "/data/dt=2000-01-01/hr=00/") {
			t.Errorf("files: %v", f)
		}
	})
}

func TestFilesRollBySizeAndRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.c.Roll.Size = 1 << 10; r.c.BlockSize = 1 << 20; r.log.SetBatch(5) })
		r.log.Append(0, events(0, 500)...)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 500)
		if n := len(r.files()); n < 6 || n > 9 {
			t.Errorf("%d files of 1 KiB for 500 events of 14 bytes", n)
		}
	})
}

func TestProgressWithoutFilesIsCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.o.Interceptors = []ingest.Interceptor{dropAll{}} })
		stop := running(t, r.sink(t), r.log.Stream(0))
		r.log.Append(0, events(0, 10)...)
		r.log.AppendGap(0, 5, ingest.GapAborted)
		passes(t, 14*time.Minute)
		if h, _ := r.log.Hint(0); h.Next != 0 {
			t.Errorf("hint %d before roll.age", h.Next)
		}
		passes(t, 2*time.Minute)
		if h, _ := r.log.Hint(0); h.Next != 15 {
			t.Errorf("hint %d after roll.age", h.Next)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	})
}

type dropAll struct{}

func (dropAll) Intercept(*ingest.Event) bool { return false }

func TestStart(t *testing.T) {
	for _, c := range []struct {
		start string
		want  ingest.Offset // first that is published; the second half arrives after the start
	}{{"earliest", 0}, {"latest", 50}, {"2000-01-01T00:00:20Z", 20}} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(func(r *rig) { r.c.Start = c.start; r.fs = mem.New(mem.Options{}); r.o.FS = r.fs })
			passes(t, 50*time.Second)
			r.log.Append(0, events(0, 50)...)
			s := r.sink(t)
			stop := running(t, s, r.log.Stream(0))
			r.log.Append(0, events(50, 50)...)
			passes(t, time.Second)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			got := slices.Sorted(maps.Keys(r.published(t)))
			if len(got) != int(100-c.want) || got[0] != c.want {
				t.Errorf("%s: %d events from %d on, want from %d on", c.start, len(got), got[0], c.want)
			}
			// Another life, and a partition that appears two hours later: from its beginning.
			passes(t, 2*time.Hour)
			r.log.Append(1, events(0, 10)...)
			for id := range int32(2) {
				if err := drained(t, r.sink(t), r.log.Stream(id), time.Second); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(r.published(t)); n != int(100-c.want)+10 {
				t.Errorf("%s: %d events in the end", c.start, n)
			}
		})
	}
}

// TestStopAfter: a partition is refused when so many events in a row cannot be written, and not for as many among others, nor for tombstones. They are read again.
func TestStopAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := func(i int) bool { return i >= 100 }
		fail := func(ev *ingest.Event) error {
			if bad(int(ev.Offset)) || ev.Offset%10 != 0 {
				return &formats.RecordError{Code: "wrong_type", Path: "$.id", Detail: "a string"}
			}
			return nil
		}
		r := newRig(func(r *rig) { r.c.DeadLetters.StopAfter = 20; r.o.Format = lines{ext: "txt", fail: fail} })
		r.log.Append(0, events(0, 100)...)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		r.log.Append(0, events(100, 30, func(_ int, e *ingest.Event) { e.Body = nil })...)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		r.log.Append(0, events(130, 25)...)
		err := drained(t, r.sink(t), r.log.Stream(0), time.Second)
		if !ingest.IsPermanent(err) || !strings.Contains(err.Error(), "the last 20 events up to offset 149 cannot be written, this one because of wrong_type at $.id") {
			t.Error(err)
		}
		r.c.DeadLetters.StopAfter = 0
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		if got, dead := len(r.published(t)), len(r.dead(t)); got != 10 || dead != 145 {
			t.Errorf("%d events are published, %d are dead letters", got, dead)
		}
	})
}

// awayTime cannot tell the time of an event now.
type awayTime struct{}

var errAway = errors.New("the registry is away")

func (awayTime) Millis([]byte) (int64, error) { return 0, errAway }

// TestTimeThatCannotBeToldNow: such an event is no dead letter. The drain ends, and is tried again.
func TestTimeThatCannotBeToldNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.o.NewFieldTime = func() hdfssink.FieldTime { return awayTime{} } })
		r.log.Append(0, events(0, 3)...)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); !errors.Is(err, errAway) || !strings.Contains(err.Error(), "clicks+0@0") {
			t.Error(err)
		}
		if got, dead := r.published(t), r.dead(t); len(got)+len(dead) > 0 {
			t.Errorf("%d events are published, %d are dead letters", len(got), len(dead))
		}
	})
}

func TestDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) {
			r.c.Path = "/data/app-%{app}/dt=%Y-%m-%d"
			r.c.EventTime = hdfssink.DefaultConfig().EventTime
		})
		good := func(_ int, e *ingest.Event) { e.Headers = ingest.Headers{{Key: "app", Value: []byte("web")}} }
		day := start.Add(12 * time.Hour).UnixMilli()
		at := func(ms int64) func(int, *ingest.Event) { return func(_ int, e *ingest.Event) { e.Timestamp = ms } }
		r.log.Append(0, events(0, 1, good, at(day))...)
		r.log.Append(0, events(1, 1, at(day))...)
		r.log.Append(0, events(2, 1, good, at(0))...)
		r.log.Append(0, events(3, 1, good, at(253402300799000))...)
		r.log.Append(0, events(4, 1, good, at(day), func(_ int, e *ingest.Event) { e.Body = nil })...)
		r.log.Append(0, events(5, 1, at(day), func(_ int, e *ingest.Event) {
			e.Headers = ingest.Headers{{Key: "app", Value: []byte(strings.Repeat("é", 150))}}
		})...)
		r.log.Append(0, events(6, 1, at(day), func(_ int, e *ingest.Event) {
			e.Headers = ingest.Headers{{Key: "app", Value: []byte("../../x:y")}}
		})...)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		want := map[ingest.Offset]string{
			1: "missing_header|headers.app|the path needs a value, and missing_header is not configured|event-1",
			2: "bad_event_time|timestamp|1970-01-01T00:00:00Z is before event_time.min, 2000-01-01|event-2",
			3: "bad_event_time|timestamp|9999-12-31T23:59:59Z is after event_time.max, +1d|event-3",
			4: "null_body|body|a line has no null|",
			5: "bad_bucket|path|a name of 304 bytes cannot be a directory; HDFS allows 255|event-5",
		}
		if got := r.dead(t); !maps.Equal(got, want) {
			t.Errorf("dead letters: %v", got)
		}
		if got := r.published(t); len(got) != 2 || got[0] == "" || got[6] == "" {
			t.Errorf("published: %v", got)
		}
		if f := r.files(); len(f) != 2 || !strings.HasPrefix(f[0], "/data/app-..%2F..%2Fx%3Ay/dt=2000-01-01/") {
			t.Errorf("files: %v", f)
		}
	})
}

func TestDueSoonGoesAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		hour := func(h int) func(int, *ingest.Event) {
			return func(_ int, e *ingest.Event) { e.Timestamp = start.Add(time.Duration(h) * time.Hour).UnixMilli() }
		}
		stop := running(t, r.sink(t), r.log.Stream(0))
		r.log.Append(0, events(0, 5, hour(0))...)
		passes(t, 3*time.Second)
		r.log.Append(0, events(5, 5, hour(1))...)
		passes(t, 30*time.Second)
		r.log.Append(0, events(10, 5, hour(2))...)
		passes(t, 90*time.Second)
		if n := len(r.published(t)); n != 10 {
			t.Errorf("%d events are published, want those of the first two buckets", n)
		}
		manifests := 0
		r.fs.Walk("/data/.penstock/lake/clicks+0/log", func(name string, _ dfs.Info, _ []byte) {
			if strings.HasSuffix(name, ".json") {
				manifests++
			}
		})
		if manifests != 2 {
			t.Errorf("%d manifests, want the genesis and one", manifests)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 15)
	})
}
