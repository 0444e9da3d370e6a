package hdfssink_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/ingest/ingesttest"
)

func TestMaxOpenFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) {
			r.c.Path, r.c.MaxOpenFiles = "/data/u=%{u}", 50
			r.log.SetBatch(1000)
		})
		var open, most atomic.Int64
		r.log.Append(0, events(0, 3000, func(i int, e *ingest.Event) {
			e.Headers = ingest.Headers{{Key: "u", Value: fmt.Append(nil, i%1000)}}
		})...)
		o := r.owner("a", fault.Plan{})
		o.o.Format = counting{lines{ext: "txt"}, &open, &most}
		if err := drained(t, o.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 3000)
		if n := most.Load(); n > 50 || n < 40 {
			t.Errorf("%d files were open at once", n)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) {
			r.c.Path = "/data/%{topic}/%H"
			r.o.Budget = hdfssink.NewBudget(8 << 20)
			r.log.SetBatch(50)
		})
		var most atomic.Int64
		r.o.Format = lines{ext: "txt", fail: func(*ingest.Event) error {
			most.Store(max(most.Load(), r.o.Budget.Used()))
			return nil
		}}
		body := strings.Repeat("x", 100_000)
		for id := range int32(3) {
			r.log.Append(id, events(0, 400, spread(int(id)+1), func(_ int, e *ingest.Event) { e.Body = []byte(body) })...)
		}
		s := r.sink(t)
		var all sync.WaitGroup
		for id := range int32(3) {
			all.Go(func() {
				if err := drained(t, s, r.log.Stream(id), time.Minute); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := len(r.published(t)); n != 1200 {
			t.Errorf("%d events of 1200", n)
		}
		// 120 MB went through 8 MiB; row groups were flushed, files were not rolled for it.
		if n := len(r.files()); n != 6 {
			t.Errorf("%d files", n)
		}
		if n := most.Load(); n > 12<<20 || n < 4<<20 {
			t.Errorf("%d bytes were buffered", n)
		}
		if r.o.Budget.Used() != 0 {
			t.Errorf("%d bytes in the end", r.o.Budget.Used())
		}
	})
}

// TestManyPartitionsStayNearTheBudget: what each of them adds before it looks at the budget again is little.
func TestManyPartitionsStayNearTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const partitions, budget = 30, 8 << 20
		r := newRig(func(r *rig) {
			r.o.Budget, r.log = hdfssink.NewBudget(budget), ingesttest.NewLog("clicks", partitions)
			r.log.SetBatch(50) // 5 MB
		})
		var most atomic.Int64
		r.o.Format = lines{ext: "txt", fail: func(*ingest.Event) error {
			most.Store(max(most.Load(), r.o.Budget.Used()))
			runtime.Gosched() // all of them append at the same time, on few cores too
			return nil
		}}
		body := []byte(strings.Repeat("x", 100_000))
		s := r.sink(t)
		var all sync.WaitGroup
		for id := range int32(partitions) {
			r.log.Append(id, events(0, 100, func(_ int, e *ingest.Event) { e.Body = body })...)
			all.Go(func() {
				if err := drained(t, s, r.log.Stream(id), time.Minute); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := most.Load(); n > budget+partitions*400_000 {
			t.Errorf("%d bytes were buffered", n)
		}
	})
}

// TestAheadIsBounded: a quiet bucket keeps low back while a busy one goes on. It is rolled when the set of what is done beyond low has
// grown too large, and not before.
func TestAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.c.Roll.Idle, r.c.Roll.Age, r.c.Roll.Rows = 0, minutes(24*60), 50 })
		busy := func(_ int, e *ingest.Event) { e.Timestamp = start.Add(2 * time.Hour).UnixMilli() }
		rare := func(i int, e *ingest.Event) { e.Timestamp = start.Add(time.Duration(3+i) * time.Hour).UnixMilli() }
		s := r.sink(t)
		s.SetAheadLimit(300)
		stop := running(t, s, r.log.Stream(0))
		r.log.Append(0, events(0, 1)...)
		sawQuiet := 0
		for i := range 20 {
			for range 25 {
				r.log.Append(0, events(1, 1, busy)...)
				r.log.Append(0, events(1, 1, busy)...)
				r.log.Append(0, events(i, 1, rare)...) // holes, so that the set does not shrink to one run
			}
			passes(t, time.Second)
			if h, _ := r.log.Hint(0); h.Next == 0 {
				sawQuiet = i
			}
		}
		if h, _ := r.log.Hint(0); h.Next == 0 || sawQuiet == 0 {
			t.Errorf("low is %d in the end, and was 0 until round %d", h.Next, sawQuiet)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if n := len(r.published(t)); n != 1501 {
			t.Errorf("%d events", n)
		}
	})
}

func TestAnEventOfTenMegabytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.o.Budget = hdfssink.NewBudget(4 << 20) })
		big := strings.Repeat("x", 10<<20)
		r.log.Append(0, events(0, 3, func(i int, e *ingest.Event) {
			if i == 1 {
				e.Body = []byte(big)
			}
		})...)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Minute); err != nil {
			t.Fatal(err)
		}
		if got := r.published(t); len(got) != 3 || got[1] != big {
			t.Errorf("%d events", len(got))
		}
	})
}
