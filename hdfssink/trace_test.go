package hdfssink_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
)

// TestCallsOfALife compares the calls that a life makes, from the claim to the last rename, with a golden file: two buckets, one
// roll of both and one at the end. Each call costs a NameNode something; a new one is worth a thought.
func TestCallsOfALife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := newRig(func(r *rig) {
			r.c.Closers = 1
			r.o.Nonce = func() string { n++; return "random" + strconv.Itoa(n) }
		})
		trace := fault.NewTrace("/data/.penstock/lake/clicks+0/", "", "/data/.penstock/", "", "0000000000000000", "")
		o := r.owner("a", fault.Plan{Log: trace.Add})
		stop := running(t, o.sink(t), r.log.Stream(0))
		r.log.Append(0, events(0, 100, spread(2))...)
		passes(t, 3*time.Minute)
		r.log.Append(0, events(100, 1)...)
		passes(t, time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "life.golden")
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(golden, []byte(trace.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), trace.String()); diff != "" {
			t.Errorf("the calls have changed (UPDATE_GOLDEN=1 writes them anew):\n%s", diff)
		}
	})
}
