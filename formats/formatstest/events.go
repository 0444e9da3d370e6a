package formatstest

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/ingest"
)

// Edges are the events that break writers. A format may refuse some of them; the others must come back as they are.
func Edges() []ingest.Event {
	year9999 := time.Date(9999, 12, 31, 23, 59, 59, int(999*time.Millisecond), time.UTC).UnixMilli()
	var thousand ingest.Headers
	for i := range 1000 {
		thousand = append(thousand, ingest.Header{Key: fmt.Sprintf("h%d", i%10), Value: []byte{byte(i)}})
	}
	bodies := func(b []byte) ingest.Event { return ingest.Event{Body: b} }
	events := []ingest.Event{
		bodies(nil),
		bodies([]byte{}),
		bodies([]byte("\xff\xfe\x00 not UTF-8 \xc3\x28")),
		bodies([]byte("two\nlines\n")),
		bodies([]byte("PAR1")),
		bodies(bytes.Repeat([]byte("ten mebibytes in one event; "), 10<<20/28)),
		{Body: []byte("b"), Key: []byte{}},
		{Body: []byte("b"), Key: []byte("\xff\x00\xff")},
		{Body: []byte("b"), Key: bytes.Repeat([]byte("long key "), 5000)},
		{Body: []byte("b"), Timestamp: year9999},
		{Body: []byte("b"), Timestamp: -1},
		{Body: []byte("b"), Timestamp: math.MinInt64, Offset: math.MaxInt64},
		{Body: []byte("b"), Timestamp: math.MaxInt64},
		{Body: []byte("b"), Headers: ingest.Headers{{Key: "", Value: nil}, {Key: "", Value: []byte{}}}},
		{Body: []byte("b"), Headers: ingest.Headers{{Key: "k", Value: []byte("1")}, {Key: "other", Value: nil}, {Key: "k", Value: []byte("2")}}},
		{Body: []byte("b"), Headers: ingest.Headers{{Key: "\xff\xfe", Value: []byte("a key that is no UTF-8")}}},
		{Body: []byte("b"), Headers: ingest.Headers{{Key: "k", Value: []byte("\xff\x00")}}},
		{Body: []byte("b"), Headers: thousand},
	}
	for i := range events {
		if events[i].Offset == 0 {
			events[i].Offset = ingest.Offset(i)
		}
	}
	return events
}

// Events draws events of all shapes: null and empty, few and many headers, runs of the same shape and changes at every row.
func Events() *rapid.Generator[[]ingest.Event] {
	return rapid.Custom(func(t *rapid.T) []ingest.Event {
		maybe := rapid.OneOf(rapid.Just([]byte(nil)), rapid.Just([]byte{}), rapid.SliceOfN(rapid.Byte(), 0, 40))
		header := rapid.Custom(func(t *rapid.T) ingest.Header {
			return ingest.Header{Key: rapid.StringN(0, 6, 20).Draw(t, "header key"), Value: maybe.Draw(t, "header value")}
		})
		shape := rapid.Custom(func(t *rapid.T) ingest.Event {
			e := ingest.Event{Key: maybe.Draw(t, "key"), Body: maybe.Draw(t, "body"), Timestamp: rapid.Int64().Draw(t, "timestamp")}
			if h := rapid.SliceOfN(header, 0, 4).Draw(t, "headers"); len(h) > 0 {
				e.Headers = h
			}
			return e
		})
		var events []ingest.Event
		offset := rapid.Int64Range(0, 1<<40).Draw(t, "first offset")
		for range rapid.IntRange(0, 12).Draw(t, "runs") {
			e := shape.Draw(t, "shape")
			for range rapid.IntRange(1, 30).Draw(t, "length") {
				e.Offset = ingest.Offset(offset)
				offset += rapid.Int64Range(1, 5).Draw(t, "step")
				events = append(events, e)
			}
		}
		return events
	})
}

func (s Subject) randomEvents(t *testing.T) {
	f := s.New(t)
	rapid.Check(t, func(rt *rapid.T) {
		events := s.accepted(t, Events().Draw(rt, "events"))
		flushes := rapid.IntRange(1, 100).Draw(rt, "flush after")
		enc, file := s.encoder(t, f)
		for i := range events {
			appendAll(t, enc, events[i:i+1])
			if i%flushes == flushes-1 {
				if err := enc.Flush(); err != nil {
					rt.Fatal(err)
				}
			}
		}
		if err := enc.Close(nil); err != nil {
			rt.Fatal(err)
		}
		s.Check(t, f, file.Bytes(), events)
	})
}
