package hdfssink_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/ingest"
)

func TestPassingReadErrorsKeepFilesOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.log.Append(0, events(0, 10)...)
		stop := running(t, r.sink(t), r.log.Stream(0))
		away := errors.New("broker away")
		r.log.FailReads(0, away, away, away, away)
		passes(t, 10*time.Second)
		r.log.Append(0, events(10, 10)...)
		passes(t, time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 20)
		if n := len(r.files()); n != 1 {
			t.Errorf("%d files", n)
		}
	})
}

func TestReadErrorsThatStayEndTheLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.log.Append(0, events(0, 10)...)
		away := errors.New("broker away")
		stop := running(t, r.sink(t), r.log.Stream(0))
		r.log.FailReads(0, slices.Repeat([]error{away}, 1000)...)
		passes(t, 5*time.Minute)
		if err := stop(); !errors.Is(err, away) || ingest.IsPermanent(err) {
			t.Errorf("%v", err)
		}
		r.exactly(t, 10)
	})
}

// TestAFileThatFails drops that file alone; its events are published by the next life.
func TestAFileThatFails(t *testing.T) {
	for _, op := range []string{"write", "close", "create", "stat", "open"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(func(r *rig) { r.o.Format = lines{ext: "txt", unit: 200} })
			r.log.Append(0, events(0, 300, spread(3))...)
			broken := errors.New("DataNode is gone")
			first, tries := "", 0
			o := r.owner("a", fault.Plan{Fail: func(c fault.Call) error {
				if c.Op == op && strings.Contains(c.Name, "/live-") && strings.Contains(c.Name, "/.staged") && (first == "" || first == c.Name) {
					first = c.Name
					tries++
					return broken
				}
				return nil
			}})
			s := o.sink(t)
			if err := drained(t, s, r.log.Stream(0), time.Second); !errors.Is(err, broken) {
				t.Fatalf("%s: %v", op, err)
			}
			if tries != 1 {
				t.Errorf("%s was tried %d times: the first error is final", op, tries)
			}
			if op != "create" && op != "write" { // those come before the end of the first batch
				if n := len(r.published(t)); n != 200 {
					t.Errorf("%s: %d events in the files that are whole", op, n)
				}
			}
			if err := drained(t, s, r.log.Stream(0), time.Second); err != nil {
				t.Fatal(err)
			}
			r.exactly(t, 300)
		})
	}
}

func TestTheFileSystemGoesAwayForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.o.Format = lines{ext: "txt", unit: 200}; r.c.Roll.Rows = 100 })
		var back time.Time
		o := r.owner("a", fault.Plan{Fail: func(c fault.Call) error {
			if c.N > 25 && back.IsZero() {
				back = time.Now().Add(time.Minute)
			}
			if time.Now().Before(back) && c.Op != "write" {
				return dfs.ErrUnavailable
			}
			return nil
		}})
		r.log.Append(0, events(0, 300, spread(3))...)
		s := o.sink(t)
		for range 20 {
			if err := drained(t, s, r.log.Stream(0), 5*time.Minute); err == nil {
				break
			}
		}
		r.exactly(t, 300)
	})
}
