package jsonevents_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
)

func TestEventsAreNestedJSONWithoutGaps(t *testing.T) {
	g := jsonevents.New(7, 1)
	var body []byte
	total := 0
	const events = 20_000
	for want := range uint64(events) {
		body = g.Append(body[:0])
		var parsed struct {
			Producer int
			Seq      uint64
			TS       int64
			User     struct {
				ID      json.Number
				Country string
			}
			Request struct{ Status int }
			Tags    []string
		}
		if err := json.Unmarshal(body, &parsed); err != nil {
			t.Fatalf("event %d is no JSON: %v\n%s", want, err, body)
		}
		if parsed.Producer != 7 || parsed.Seq != want || parsed.TS != g.Millis() || parsed.User.ID.String() != string(g.AppendKey(nil)) ||
			parsed.User.Country == "" || parsed.Request.Status == 0 || len(parsed.Tags) != 2 {
			t.Fatalf("event %d is %s", want, body)
		}
		producer, seq, err := jsonevents.Parse(body)
		if err != nil || producer != 7 || seq != want {
			t.Fatalf("Parse = %d, %d, %v; want 7, %d", producer, seq, err, want)
		}
		total += len(body)
	}
	if mean := total / events; mean < 460 || mean > 500 {
		t.Errorf("mean size is %d bytes; want about 480", mean)
	}
}

func TestSameSeedSameEvents(t *testing.T) {
	a, b, other, producer := jsonevents.New(1, 9), jsonevents.New(1, 9), jsonevents.New(1, 10), jsonevents.New(2, 9)
	for range 100 {
		body := a.Append(nil)
		if !bytes.Equal(body, b.Append(nil)) {
			t.Fatal("same producer and seed made another event")
		}
		if bytes.Equal(body, other.Append(nil)) || bytes.Equal(body, producer.Append(nil)) {
			t.Fatal("another seed or producer made the same event")
		}
	}
}

func TestParseRefusesOtherBodies(t *testing.T) {
	for _, body := range []string{"", "{}", `{"producer":1}`, `{"producer":x,"seq":1,`, `{"producer":1,"seq":-1,`} {
		if _, _, err := jsonevents.Parse([]byte(body)); err == nil {
			t.Errorf("Parse(%q) found an event", body)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	g := jsonevents.New(1, 1)
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = g.Append(body[:0])
	}
	b.SetBytes(int64(len(body)))
}
