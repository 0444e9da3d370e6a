package commitlog_test

import (
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// TestProtocolLeavesNothingBehind: owners die one after the other, each with a staged file; a claim was forgotten for two hours and another is being
// built. The next claim keeps the newest epochs, nothing in them but who they were, and the claim that is in use.
func TestProtocolLeavesNothingBehind(t *testing.T) {
	w := newWorld(40)
	dir := path.Join(stateBase, sinkName, w.part.String())
	for range 5 {
		o := newSleeper(t, w, "dies", small(), 1)
		o.until(staging)
		o.after(2) // the file is there
		o.stop()
	}
	for _, name := range []string{"claim-forgotten", "claim-new"} {
		if err := w.fs.MkdirAll(t.Context(), path.Join(dir, name, "live-x"), 0); err != nil {
			t.Fatal(err)
		}
		if name == "claim-forgotten" {
			w.clock = w.clock.Add(2 * time.Hour)
		}
	}
	w.finish(t, small())
	var got []string
	w.fs.Walk(dir, func(name string, _ dfs.Info, _ []byte) {
		name = strings.TrimPrefix(name, dir+"/")
		if random, _, isLive := strings.Cut(name, "/live-r"); isLive {
			name = random + "/live-r…"
		}
		if name != dir && !strings.HasPrefix(name, "log") {
			got = append(got, name)
		}
	})
	want := []string{
		"claim-new", "claim-new/live-x", "epoch-0000000005", "epoch-0000000005/by=dies,1,19700101T000000Z",
		"epoch-0000000006", "epoch-0000000006/by=last,1,19700101T000000Z", "epoch-0000000006/live-r…",
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}
