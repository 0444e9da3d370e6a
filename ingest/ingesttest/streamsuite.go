package ingesttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/penstock-io/penstock/ingest"
)

// Fixture is one empty partition as the suite needs it. Functions that are nil cannot be had there; what needs them is left out by
// name, in the test's log.
type Fixture struct {
	Stream       func(t *testing.T) ingest.Stream // a new stream of the partition at each call
	Produce      func(t *testing.T, events ...ingest.Event)
	DeleteBefore func(t *testing.T, start ingest.Offset)
}

// StreamSuite checks the promises of ingest.Stream. Each test has a partition of its own.
func StreamSuite(t *testing.T, fixture func(t *testing.T) Fixture) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, f Fixture)
	}{
		{"reads everything in order", suiteOrder},
		{"keeps null and empty apart", suiteNull},
		{"honours any next", suiteAnyNext},
		{"waits, and ends with its context", suiteWait},
		{"goes on after a deadline", suiteDeadline},
		{"is out of range behind the end", suiteBehindEnd},
		{"is out of range before the start", suiteBeforeStart},
		{"remembers hints", suiteHint},
		{"resolves positions", suiteResolve},
		{"recognises its events", suiteCheck},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, fixture(t)) })
	}
}

func suiteEvents(from, n int) []ingest.Event {
	events := make([]ingest.Event, n)
	for i := range events {
		events[i] = ingest.Event{
			Timestamp: 1_700_000_000_000 + int64(from+i)*1000,
			Key:       fmt.Appendf(nil, "key-%d", from+i),
			Headers:   ingest.Headers{{Key: "n", Value: fmt.Append(nil, from+i)}},
			Body:      fmt.Appendf(nil, `{"n": %d}`, from+i),
		}
	}
	return events
}

// collect reads until there are n events, checking that events and gaps tile every batch. It returns copies.
func collect(t *testing.T, s ingest.Stream, next ingest.Offset, n int) ([]ingest.Event, ingest.Offset) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out []ingest.Event
	for len(out) < n {
		b, err := s.Read(ctx, next)
		if err != nil {
			t.Fatalf("Read(%d) after %d of %d events: %v", next, len(out), n, err)
		}
		checkTiles(t, &b, next)
		for i := range b.Events {
			out = append(out, *clone(&b.Events[i]))
		}
		next = b.Next
	}
	return out, next
}

func checkTiles(t *testing.T, b *ingest.Batch, next ingest.Offset) {
	t.Helper()
	if b.First != next || b.Empty() {
		t.Fatalf("Read(%d) returned [%d, %d)", next, b.First, b.Next)
	}
	gaps, at := b.Gaps, b.First
	skip := func() {
		for len(gaps) > 0 && gaps[0].First == at {
			at, gaps = gaps[0].Next, gaps[1:]
		}
	}
	for i := range b.Events {
		skip()
		if b.Events[i].Offset != at {
			t.Fatalf("batch [%d, %d): event at %d where %d is next", b.First, b.Next, b.Events[i].Offset, at)
		}
		at++
	}
	if skip(); at != b.Next || len(gaps) > 0 {
		t.Fatalf("batch [%d, %d) ends at %d with %d gaps left", b.First, b.Next, at, len(gaps))
	}
	if len(b.Events) > 0 && len(b.Marks) == 0 {
		t.Fatalf("batch [%d, %d) has events and no mark", b.First, b.Next)
	}
}

func sameEvents(t *testing.T, got, want []ingest.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i := range got {
		w := want[i]
		w.Offset = got[i].Offset
		if !got[i].Equal(&w) {
			t.Fatalf("event %d: %+v, want %+v", i, got[i], w)
		}
	}
}

func suiteOrder(t *testing.T, f Fixture) {
	t.Helper()
	want := suiteEvents(0, 250)
	f.Produce(t, want[:100]...)
	f.Produce(t, want[100:]...)
	got, _ := collect(t, f.Stream(t), 0, len(want))
	sameEvents(t, got, want)
}

func suiteNull(t *testing.T, f Fixture) {
	t.Helper()
	want := []ingest.Event{
		{Timestamp: 1, Body: []byte("x")},
		{Timestamp: 2, Key: []byte{}, Body: []byte{}},
		{Timestamp: 3, Key: []byte("k")},
		{Timestamp: 4, Body: []byte{}, Headers: ingest.Headers{{Key: "a", Value: nil}, {Key: "a", Value: []byte{}}, {Key: "b", Value: []byte{0xff}}}},
	}
	f.Produce(t, want...)
	got, _ := collect(t, f.Stream(t), 0, len(want))
	sameEvents(t, got, want)
}

func suiteAnyNext(t *testing.T, f Fixture) {
	t.Helper()
	want := suiteEvents(0, 60)
	f.Produce(t, want...)
	s := f.Stream(t)
	for _, from := range []int{0, 59, 17, 17, 0, 31} {
		got, _ := collect(t, s, ingest.Offset(from), len(want)-from)
		sameEvents(t, got, want[from:])
	}
}

func suiteWait(t *testing.T, f Fixture) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := f.Stream(t)
	go func() {
		_, err := s.Read(ctx, 0)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("Read of an empty log ended with %v", err)
	}
	f.Produce(t, suiteEvents(0, 1)...)
	got, _ := collect(t, s, 0, 1)
	sameEvents(t, got, suiteEvents(0, 1))
}

func suiteDeadline(t *testing.T, f Fixture) {
	t.Helper()
	f.Produce(t, suiteEvents(0, 5)...)
	s := f.Stream(t)
	_, next := collect(t, s, 0, 5)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if b, err := s.Read(ctx, next); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Read at the end: %v, %v", b, err)
	}
	f.Produce(t, suiteEvents(5, 5)...)
	got, _ := collect(t, s, next, 5)
	sameEvents(t, got, suiteEvents(5, 5))
}

func suiteBehindEnd(t *testing.T, f Fixture) {
	t.Helper()
	f.Produce(t, suiteEvents(0, 5)...)
	_, err := f.Stream(t).Read(t.Context(), 500)
	var out *ingest.OutOfRangeError
	if !errors.As(err, &out) && !errors.Is(err, ingest.ErrReplaced) {
		t.Fatalf("Read behind the end: %v", err)
	}
	if out != nil && (out.Start != 0 || out.End < 5 || out.End >= 500 || out.Next != 500) {
		t.Fatalf("bounds: %+v", out)
	}
}

func suiteBeforeStart(t *testing.T, f Fixture) {
	t.Helper()
	if f.DeleteBefore == nil {
		t.Log("left out: no DeleteBefore")
		return
	}
	f.Produce(t, suiteEvents(0, 20)...)
	f.DeleteBefore(t, 7)
	s := f.Stream(t)
	_, err := s.Read(t.Context(), 3)
	var out *ingest.OutOfRangeError
	if !errors.As(err, &out) || out.Start != 7 || out.End != 20 || out.Next != 3 {
		t.Fatalf("Read before the start: %v", err)
	}
	got, _ := collect(t, s, 7, 13)
	sameEvents(t, got, suiteEvents(7, 13))
}

func suiteHint(t *testing.T, f Fixture) {
	t.Helper()
	f.Produce(t, suiteEvents(0, 5)...)
	s := f.Stream(t)
	if h, ok, err := s.Hint(t.Context()); err != nil || ok {
		t.Fatalf("hint before any: %v %v %v", h, ok, err)
	}
	want := ingest.Hint{Next: 4, Metadata: "state=/x/y seq=3"}
	if err := s.Commit(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if h, ok, err := s.Hint(t.Context()); err != nil || !ok || h != want {
		t.Fatalf("hint: %v %v %v", h, ok, err)
	}
}

func suiteResolve(t *testing.T, f Fixture) {
	t.Helper()
	events := suiteEvents(0, 10)
	f.Produce(t, events...)
	s := f.Stream(t)
	for _, c := range []struct {
		at   ingest.Position
		want ingest.Offset
	}{
		{ingest.Position{At: "earliest"}, 0},
		{ingest.Position{At: "latest"}, 10},
		{ingest.Position{At: "time", Time: time.UnixMilli(events[6].Timestamp)}, 6},
		{ingest.Position{At: "time", Time: time.UnixMilli(events[9].Timestamp + 1)}, 10},
	} {
		if got, err := s.Resolve(t.Context(), c.at); err != nil || got != c.want {
			t.Errorf("%v: %d, %v; want %d", c.at, got, err, c.want)
		}
	}
}

func suiteCheck(t *testing.T, f Fixture) {
	t.Helper()
	f.Produce(t, suiteEvents(0, 10)...)
	s := f.Stream(t)
	b, err := s.Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	m := b.Marks[0]
	if err := s.Check(t.Context(), m); err != nil {
		t.Errorf("its own mark: %v", err)
	}
	m.CRC++
	if err := s.Check(t.Context(), m); !errors.Is(err, ingest.ErrReplaced) {
		t.Errorf("another event's mark: %v", err)
	}
	if err := s.Check(t.Context(), ingest.Mark{Offset: 5000, LeaderEpoch: -1}); !errors.Is(err, ingest.ErrReplaced) {
		t.Errorf("a mark behind the end: %v", err)
	}
}
