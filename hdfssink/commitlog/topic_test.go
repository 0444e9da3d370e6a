package commitlog_test

import (
	"testing"

	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/ingest"
)

// TestTheTopicsIDIsKept: a broker that did not tell it once, for whatever reason, must not make a topic that was made again look like the old one.
func TestTheTopicsIDIsKept(t *testing.T) {
	w, l := drained(t)
	r := w.request()
	r.Log.TopicID = ""
	c, err := l.Claim(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	gap := ingest.Gap{Range: ingest.Range{First: 30, Next: 31}, Reason: ingest.GapControl}
	if err := c.Commit(t.Context(), commitlog.Commit{Gaps: []ingest.Gap{gap}}); err != nil {
		t.Fatal(err)
	}
	r.Hint, r.Log.TopicID = c.HintFor(), "t2"
	_, err = l.Claim(t.Context(), r)
	wantRefused(t, err, "topic_replaced", "accept-topic")
}

// TestAdoptBelowTheHintOfALostState: the state is gone, the group has its hint still, and the operator wants to start before that.
func TestAdoptBelowTheHintOfALostState(t *testing.T) {
	w, l := drained(t)
	r := w.request()
	r.Partition.ID = 4 // without state
	r.Hint.Metadata = `{"penstock":1,"dir":"/data/.penstock/lake","life":1,"seq":0}`
	if _, err := l.Adopt(t.Context(), commitlog.Operation{Partition: r.Partition, User: "bob"}, 12, &r.Hint); err != nil {
		t.Fatal(err)
	}
	c, err := l.Claim(t.Context(), r)
	if err != nil || c.State().Low != 12 {
		t.Errorf("%v", err)
	}
}
