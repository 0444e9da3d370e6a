package commitlog_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
)

var update = flag.Bool("update", false, "rewrite golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got; -update rewrites it):\n%s", file, d)
	}
}

// TestTrace is every call of a first start and a roll-over of two buckets, which crashes when one file of two is published, and of the claim after
// it.
func TestTrace(t *testing.T) {
	w := newWorld(28)
	w.nonces = 0
	trace := fault.NewTrace("/data/.penstock/lake/clicks+3/", "", "/data/.penstock/lake", "STATE/lake", "/data/.penstock", "STATE",
		"lake+clicks+3+00000000000000000", "lake+clicks+3+…", "+00000000000000000", "+…")
	trace.Skip = func(c fault.Call) bool { return c.Op == "write" }
	run := func(name string, plan fault.Plan) {
		plan.Log = trace.Add
		o := &owner{w: w, name: name, fs: fault.New(w.fs, plan), cfg: config{buckets: 2, roll: 7, batch: 30, keep: 2, archive: 3}}
		if err := o.drain(t.Context()); err != nil && !errors.Is(err, fault.ErrCrashed) {
			t.Fatal(err)
		}
	}
	published := 0
	run("a", fault.Plan{Crash: func(c fault.Call) bool {
		if publishing(c) {
			published++
		}
		return published == 2
	}})
	golden(t, "first-start.trace", trace.String())
	trace.Reset()
	run("b", fault.Plan{})
	golden(t, "after-a-crash.trace", trace.String())
}

// TestCallsPerCommit counts the NameNode's work: what a commit of two files costs beyond the files' own create and close.
func TestCallsPerCommit(t *testing.T) {
	w := newWorld(400)
	per := map[string]int{}
	counting := false
	f := fault.New(w.fs, fault.Plan{Log: func(c fault.Call) {
		switch {
		case c.Op == "create" && strings.Contains(c.Name, "/.commit-"):
			counting = true
		case strings.Contains(c.Name, "/.staged") && c.Op != "rename", c.Op == "write":
			return
		}
		if counting {
			per[c.Op]++
		}
	}})
	o := &owner{w: w, name: "only", fs: f, cfg: config{buckets: 2, roll: 10, batch: 30, keep: 16, archive: 1000}}
	if err := o.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	commits := len(o.lows)
	got := map[string]int{"create": per["create"] - commits, "close": per["close"] - commits, "list": per["list"], "open": per["open"], "remove": per["remove"]}
	if d := cmp.Diff(map[string]int{"create": 0, "close": 0, "list": 0, "open": 0, "remove": 0}, got); d != "" {
		t.Errorf("a commit does more than it needs (-want +got):\n%s", d)
	}
	// One .done for each commit and one directory for each bucket; a rename for each manifest and file; a look at each file's name.
	if per["mkdir"] > commits+2 || per["stat"] != per["rename"]-commits {
		t.Errorf("%d commits: %v", commits, per)
	}
	t.Logf("%d commits, calls: %v", commits, per)
}
