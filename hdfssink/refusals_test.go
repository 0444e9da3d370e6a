package hdfssink_test

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/mem"
	"github.com/penstock-io/penstock/ingest"
)

// TestRefusals are the states of a log that only an operator can judge. Each is permanent, says what to do, and loses nothing: what was
// read before is committed.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name   string
		breaks func(r *rig)
		is     error
		says   []string
	}{
		{
			"retention", func(r *rig) { r.log.Append(0, events(10, 30)...); r.log.DeleteBefore(0, 25) }, nil,
			[]string{"begins at offset 25, but 10 is next", "15 offsets", "`penstock state accept-gap --sink lake --topic clicks --partition 0 --from 10 --to 25`", "on_gap: accept"},
		},
		{
			"truncated", func(r *rig) { r.log.Truncate(0, 4) }, ingest.ErrReplaced,
			[]string{"made again or truncated", "`penstock state accept-topic --sink lake --topic clicks --partition 0`"},
		},
		{
			"another history", func(r *rig) { r.log.Truncate(0, 4); r.log.Append(0, events(70, 30)...) }, ingest.ErrReplaced,
			[]string{"another event is at 9", "`penstock state accept-topic --sink lake --topic clicks --partition 0`"},
		},
		{
			"made again", func(r *rig) { r.log.Recreate(); r.log.Append(0, events(0, 30)...) }, nil,
			[]string{"penstock state accept-topic --sink lake --topic clicks --partition 0"},
		},
		{
			"corrupt", func(r *rig) { r.log.Append(0, events(10, 5)...); r.log.AppendCorrupt(0) }, nil,
			[]string{"cannot read on at offset 15", "checksum differs", "`penstock state accept-gap --sink lake --topic clicks --partition 0 --from 15 --to 16`"},
		},
		{
			"hole", func(r *rig) { r.log.Append(0, events(10, 5)...); r.log.AppendHole(0, 3) }, ingest.ErrUnexplainedGap,
			[]string{"cannot read on at offset 15", "accept-gap"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig()
				r.log.Append(0, events(0, 10)...)
				if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
					t.Fatal(err)
				}
				c.breaks(r)
				err := drained(t, r.sink(t), r.log.Stream(0), time.Hour)
				if !ingest.IsPermanent(err) || (c.is != nil && !errors.Is(err, c.is)) {
					t.Fatalf("%v is not permanent, or not %v", err, c.is)
				}
				for _, text := range c.says {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("the message has no %q:\n%v", text, err)
					}
				}
				want := 10
				if strings.Contains(err.Error(), "offset 15") {
					want = 15 // what could be read is published before the partition stops
				}
				r.exactly(t, want)
			})
		})
	}
}

func TestRetentionGapIsAcceptedByPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(func(r *rig) { r.c.OnGap = "accept"; r.o.Logger = testLogger(t) })
		r.log.Append(0, events(0, 10)...)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		r.log.Append(0, events(10, 30)...)
		r.log.DeleteBefore(0, 25)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		if got := r.published(t); len(got) != 25 || got[24] != "" || got[25] == "" {
			t.Errorf("published: %v", slices.Sorted(maps.Keys(got)))
		}
		if h, _ := r.log.Hint(0); h.Next != 40 {
			t.Errorf("hint %d", h.Next)
		}
	})
}

// TestOneClosedDirectoryDoesNotStopTheOthers: a bucket without write permission; the others are published in each life.
func TestOneClosedDirectoryDoesNotStopTheOthers(t *testing.T) {
	for why, advice := range map[error]string{fs.ErrPermission: "give the sink's user write permission", dfs.ErrQuota: "raise the quota"} {
		closedDirectory(t, why, advice)
	}
}

func closedDirectory(t *testing.T, why error, advice string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		closed := true
		r := newRig(func(r *rig) {
			r.fs = mem.New(mem.Options{Check: func(_, name string) error {
				if closed && strings.HasPrefix(name, "/data/hr=01") {
					return why
				}
				return nil
			}})
			r.o.FS = r.fs
		})
		r.log.Append(0, events(0, 300, spread(5))...)
		err := drained(t, r.sink(t), r.log.Stream(0), time.Second)
		if !errors.Is(err, why) || ingest.IsPermanent(err) {
			t.Fatalf("%v", err)
		}
		for _, text := range []string{"/data/hr=01", advice} {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("the message has no %q:\n%v", text, err)
			}
		}
		if n := len(r.published(t)); n != 240 {
			t.Errorf("%d events of the other buckets", n)
		}
		closed = false
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		r.exactly(t, 300)
	})
}

func TestAForeignFileInTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		ctx := t.Context()
		if err := r.fs.MkdirAll(ctx, "/data/hr=00", 0); err != nil {
			t.Fatal(err)
		}
		name := "/data/hr=00/lake+clicks+0+0000000000000000000+0000000000000000009.txt"
		f, err := r.fs.Create(ctx, name, dfs.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(ctx); err != nil {
			t.Fatal(err)
		}
		r.log.Append(0, events(0, 10)...)
		err = drained(t, r.sink(t), r.log.Stream(0), time.Second)
		if !ingest.IsPermanent(err) || !strings.Contains(err.Error(), name) {
			t.Errorf("%v", err)
		}
		if i, err := r.fs.Stat(ctx, name); err != nil || i.Size != 0 {
			t.Errorf("the foreign file: %+v %v", i, err)
		}
	})
}

func TestAnotherGroupIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		r.log.Append(0, events(0, 10)...)
		if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
			t.Fatal(err)
		}
		err := drained(t, r.sink(t), otherGroup{r.log.Stream(0)}, time.Second)
		var refused *commitlog.RefusedError
		if !ingest.IsPermanent(err) || !errors.As(err, &refused) || !strings.Contains(err.Error(), "group-2") {
			t.Errorf("%v", err)
		}
	})
}

type otherGroup struct{ ingest.Stream }

func (s otherGroup) Describe(ctx context.Context) (ingest.LogInfo, error) {
	i, err := s.Stream.Describe(ctx)
	i.Group = "group-2"
	return i, err
}

func TestStatesThatDoNotFitTheHint(t *testing.T) {
	for name, edit := range map[string]func(r *rig){
		"state is gone":     func(r *rig) { r.fs = mem.New(mem.Options{}); r.o.FS = r.fs },
		"path was changed":  func(r *rig) { r.c.Path, r.c.State = "/elsewhere/hr=%H", "" },
		"sink was renamed":  func(r *rig) { r.o.Name = "pond" },
		"hint is far ahead": func(r *rig) { r.log.SetHint(0, &ingest.Hint{Next: 99}) },
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig()
			r.log.Append(0, events(0, 10)...)
			if err := drained(t, r.sink(t), r.log.Stream(0), time.Second); err != nil {
				t.Fatal(err)
			}
			edit(r)
			err := drained(t, r.sink(t), r.log.Stream(0), time.Second)
			if !ingest.IsPermanent(err) || !strings.Contains(err.Error(), "penstock state ") {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// TestStateRemovedWhileRunning: somebody deletes everything under a running sink. It must not begin again from the start by itself, and when
// all is gone the command that the refusal names must find a state that it can open.
func TestStateRemovedWhileRunning(t *testing.T) {
	for what, remedy := range map[string]string{
		"/data": "state adopt", "/data/.penstock/lake": "state adopt", "/data/.penstock/lake/clicks+0/log": "to do: ",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig()
			r.log.Append(0, events(0, 10)...)
			sink := r.sink(t)
			stop := running(t, sink, r.log.Stream(0))
			passes(t, 3*time.Minute)
			r.exactly(t, 10)
			if err := r.fs.RemoveAll(t.Context(), what); err != nil {
				t.Fatal(err)
			}
			r.log.Append(0, events(10, 10)...)
			passes(t, 3*time.Minute)
			if err := stop(); err == nil {
				t.Errorf("%s: no error", what)
			}
			err := drained(t, sink, r.log.Stream(0), time.Second)
			if !ingest.IsPermanent(err) || !strings.Contains(err.Error(), remedy) {
				t.Errorf("%s: %v", what, err)
			}
			if remedy != "state adopt" {
				return
			}
			log, err := commitlog.Open(t.Context(), commitlog.Options{FS: r.fs, State: "/data/.penstock", Sink: "lake"})
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			hint, _, err := r.log.Stream(0).Hint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := log.Adopt(t.Context(), commitlog.Operation{Partition: ingest.Partition{Topic: "clicks"}, User: "me"}, 10, &hint); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if err := drained(t, sink, r.log.Stream(0), time.Second); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if want := map[string]int{"/data": 10}[what]; len(r.published(t)) != cmp.Or(want, 20) {
				t.Errorf("%s: %d events", what, len(r.published(t)))
			}
		})
	}
}
