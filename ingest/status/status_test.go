package status_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/ingest/status"
)

func TestTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := status.New("agent")
		root.Set(status.OK, "")
		p := root.Child("lake").Child("clicks+0")
		root.Child("lake").Set(status.OK, "")
		if got := root.Snapshot().Unready(time.Now(), time.Hour); len(got) != 1 || !strings.HasPrefix(got[0], "agent/lake/clicks+0: Starting since ") {
			t.Errorf("unready with a new node: %q", got)
		}
		start := time.Now()
		p.Set(status.Retrying, "broker away")
		time.Sleep(time.Minute) // synthetic time
		p.Set(status.Retrying, "broker still away")

		s := root.Snapshot().Children[0].Children[0]
		want := status.Snapshot{Name: "clicks+0", State: status.Retrying, Reason: "broker still away", Since: start, Attempts: 2}
		if d := cmp.Diff(want, s); d != "" {
			t.Errorf("snapshot (-want +got):\n%s", d)
		}
		if got := root.Snapshot().Unready(time.Now(), 2*time.Minute); len(got) != 0 {
			t.Errorf("unready before patience ended: %q", got)
		}
		got := root.Snapshot().Unready(time.Now(), time.Minute)
		if len(got) != 1 || !strings.HasPrefix(got[0], "agent/lake/clicks+0: Retrying since ") || !strings.HasSuffix(got[0], ": broker still away") {
			t.Errorf("unready: %q", got)
		}

		p.Set(status.OK, "")
		if s := root.Snapshot().Children[0].Children[0]; s.Attempts != 0 || s.Reason != "" {
			t.Errorf("OK does not forget attempts and reason: %+v", s)
		}
		p.Remove()
		if n := len(root.Snapshot().Children[0].Children); n != 0 {
			t.Errorf("%d children after Remove, want 0", n)
		}
	})
}

func TestRenderings(t *testing.T) {
	root := status.New("agent")
	root.Set(status.OK, "")
	root.Child("lake").Set(status.Failed, "no permission")
	text := root.Snapshot().Text()
	if !strings.Contains(text, "\n  lake: Failed since ") || !strings.Contains(text, "(attempt 1): no permission\n") {
		t.Errorf("text:\n%s", text)
	}
	b, err := json.Marshal(root.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), `"name":"lake","state":"Failed","reason":"no permission"`) {
		t.Errorf("json: %s", b)
	}
}
