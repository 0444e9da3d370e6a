// Package formatstest holds every implementation of formats.Format to the contract that sinks rely on.
package formatstest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
	"github.com/penstock-io/penstock/ingest"
)

// Subject is the format under test.
type Subject struct {
	// New returns the format. Called for each test.
	New func(t testing.TB) formats.Format
	// Read returns a finished file's events by a reader that shares no code with the writer.
	Read func(t testing.TB, file []byte) []ingest.Event
	// Kept reduces an event to what the format keeps of it; nil keeps all.
	Kept func(ingest.Event) ingest.Event
	// Refused are events that Append must refuse, by the code of the RecordError.
	Refused map[string]ingest.Event
	// Metadata says that the format keeps what Close is given.
	Metadata bool
	// Marked says that a file has a random marker, so that no two files are the same.
	Marked bool
	// CutShows says that a file without its last bytes is never taken for a whole one.
	CutShows bool
}

// Clicks is the context that all tests use.
func Clicks() formats.Context {
	return formats.Context{Partition: ingest.Partition{Topic: "clicks", ID: 3}}
}

// Realistic returns n events as a web shop's topic has them: JSON bodies, keys, two headers.
func Realistic(n int) []ingest.Event {
	g := jsonevents.New(1, 42)
	events := make([]ingest.Event, n)
	for i := range events {
		events[i] = ingest.Event{
			Offset: ingest.Offset(1000 + i), Body: g.Append(nil), Key: g.AppendKey(nil), Timestamp: g.Millis(),
			Headers: ingest.Headers{{Key: "source", Value: []byte("edge-1")}, {Key: "attempt", Value: []byte(strings.Repeat("x", i%3))}},
		}
	}
	return events
}

// Suite runs all tests.
func Suite(t *testing.T, s Subject) {
	t.Helper()
	t.Run("round trip", func(t *testing.T) { s.roundTrip(t, Realistic(3000)) })
	t.Run("edges", func(t *testing.T) { s.roundTrip(t, s.accepted(t, Edges())) })
	t.Run("random events", s.randomEvents)
	t.Run("empty file", func(t *testing.T) { s.roundTrip(t, nil) })
	t.Run("one row", func(t *testing.T) { s.roundTrip(t, Realistic(1)) })
	t.Run("many flushes", s.manyFlushes)
	t.Run("nothing before the first flush", s.lazy)
	t.Run("keeps no reference", s.keepsNoReference)
	t.Run("refused events", s.refused)
	t.Run("abandon", s.abandon)
	t.Run("writer's error is final", s.writerError)
	t.Run("size", s.size)
	t.Run("metadata", s.metadata)
	t.Run("cut files", s.cut)
	t.Run("encoders of one format at the same time", s.concurrent)
}

func (s Subject) kept(e ingest.Event) ingest.Event {
	if s.Kept == nil {
		return e
	}
	return s.Kept(e)
}

func (s Subject) encoder(t testing.TB, f formats.Format) (formats.Encoder, *bytes.Buffer) {
	t.Helper()
	var file bytes.Buffer
	enc, err := f.NewEncoder(&file, Clicks())
	if err != nil {
		t.Fatal(err)
	}
	return enc, &file
}

func appendAll(t testing.TB, enc formats.Encoder, events []ingest.Event) {
	t.Helper()
	for i := range events {
		if err := enc.Append(&events[i]); err != nil {
			t.Fatalf("append event %d: %v", i, err)
		}
	}
}

// Write makes a file of the events.
func (s Subject) Write(t testing.TB, f formats.Format, events []ingest.Event) []byte {
	t.Helper()
	enc, file := s.encoder(t, f)
	appendAll(t, enc, events)
	if err := enc.Close(nil); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// Check inspects a file and reads it back.
func (s Subject) Check(t testing.TB, f formats.Format, file []byte, want []ingest.Event) {
	t.Helper()
	info, err := f.Inspect(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	if err := info.CheckRows(int64(len(want))); err != nil {
		t.Error(err)
	}
	got := s.Read(t, file)
	if len(got) != len(want) {
		t.Fatalf("the independent reader found %d events; want %d", len(got), len(want))
	}
	for i := range got {
		if kept := s.kept(want[i]); !got[i].Equal(&kept) {
			t.Fatalf("event %d is\n%.3000s\nwant\n%.3000s", i, show(got[i]), show(kept))
		}
	}
}

// show tells null from empty.
func show(e ingest.Event) string {
	value := func(b []byte) string {
		if b == nil {
			return "null"
		}
		return fmt.Sprintf("%q", b)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "offset %d, timestamp %d, key %s, body %s", e.Offset, e.Timestamp, value(e.Key), value(e.Body))
	for _, h := range e.Headers {
		fmt.Fprintf(&b, ", %q: %s", h.Key, value(h.Value))
	}
	return b.String()
}

func (s Subject) roundTrip(t *testing.T, events []ingest.Event) {
	t.Helper()
	f := s.New(t)
	s.Check(t, f, s.Write(t, f, events), events)
}

// accepted drops the events that the format refuses.
func (s Subject) accepted(t testing.TB, events []ingest.Event) []ingest.Event {
	t.Helper()
	enc, _ := s.encoder(t, s.New(t))
	defer enc.Abandon()
	var kept []ingest.Event
	for i := range events {
		err := enc.Append(&events[i])
		if refused := (*formats.RecordError)(nil); errors.As(err, &refused) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, events[i])
	}
	return kept
}

func (s Subject) manyFlushes(t *testing.T) {
	f, events := s.New(t), Realistic(1000)
	enc, file := s.encoder(t, f)
	for i := range events {
		appendAll(t, enc, events[i:i+1])
		if i%7 == 0 {
			if err := enc.Flush(); err != nil {
				t.Fatal(err)
			}
			if n := enc.Buffered(); n != 0 {
				t.Fatalf("%d bytes are held after Flush", n)
			}
		}
	}
	if err := enc.Close(nil); err != nil {
		t.Fatal(err)
	}
	s.Check(t, f, file.Bytes(), events)
}

func (s Subject) lazy(t *testing.T) {
	events := Realistic(10)
	enc, file := s.encoder(t, s.New(t))
	if n := enc.Buffered(); n != 0 {
		t.Errorf("a new encoder holds %d bytes", n)
	}
	if err := enc.Flush(); err != nil {
		t.Fatal(err)
	}
	appendAll(t, enc, events)
	if file.Len() != 0 {
		t.Errorf("%d bytes were written before the first Flush with events", file.Len())
	}
	data := 0
	for i := range events {
		data += len(s.kept(events[i]).Body)
	}
	if n := enc.Buffered(); n < int64(data) {
		t.Errorf("Buffered is %d with %d bytes of bodies", n, data)
	}
	if err := enc.Flush(); err != nil {
		t.Fatal(err)
	}
	if file.Len() == 0 || enc.Buffered() != 0 {
		t.Errorf("after Flush: %d bytes written, %d held", file.Len(), enc.Buffered())
	}
}

func (s Subject) keepsNoReference(t *testing.T) {
	f, events := s.New(t), Realistic(2000)
	enc, file := s.encoder(t, f)
	key, body, value := make([]byte, 0, 16), make([]byte, 0, 1024), make([]byte, 0, 16)
	for _, e := range events {
		key, body, value = append(key[:0], e.Key...), append(body[:0], e.Body...), append(value[:0], e.Headers[1].Value...)
		headers := ingest.Headers{e.Headers[0], {Key: e.Headers[1].Key, Value: value}}
		lent := ingest.Event{Offset: e.Offset, Timestamp: e.Timestamp, Key: key, Body: body, Headers: headers}
		if err := enc.Append(&lent); err != nil {
			t.Fatal(err)
		}
		clear(key)
		clear(body)
		clear(value)
		clear(headers)
	}
	if err := enc.Close(nil); err != nil {
		t.Fatal(err)
	}
	s.Check(t, f, file.Bytes(), events)
}

func (s Subject) refused(t *testing.T) {
	f, events := s.New(t), Realistic(20)
	enc, file := s.encoder(t, f)
	appendAll(t, enc, events[:10])
	for code, e := range s.Refused {
		var refused *formats.RecordError
		if err := enc.Append(&e); !errors.As(err, &refused) || refused.Code != code || refused.Detail == "" {
			t.Errorf("Append = %v; want a RecordError %s with a detail", err, code)
		}
	}
	appendAll(t, enc, events[10:])
	if err := enc.Close(nil); err != nil {
		t.Fatal(err)
	}
	s.Check(t, f, file.Bytes(), events)
}

func (s Subject) abandon(t *testing.T) {
	enc, file := s.encoder(t, s.New(t))
	events := Realistic(10)
	appendAll(t, enc, events)
	enc.Abandon()
	if enc.Buffered() != 0 || file.Len() != 0 {
		t.Errorf("after Abandon %d bytes are held and %d written", enc.Buffered(), file.Len())
	}
	if enc.Append(&events[0]) == nil || enc.Flush() == nil || enc.Close(nil) == nil {
		t.Error("an abandoned encoder goes on")
	}
	enc.Abandon()

	enc, file = s.encoder(t, s.New(t))
	appendAll(t, enc, events)
	if err := enc.Close(nil); err != nil {
		t.Fatal(err)
	}
	length := file.Len()
	enc.Abandon()
	if enc.Append(&events[0]) == nil || enc.Flush() == nil || enc.Close(nil) == nil || file.Len() != length {
		t.Error("a closed encoder goes on")
	}
}

func (s Subject) size(t *testing.T) {
	f := s.New(t)
	for _, n := range []int{1000, 20000} {
		enc, file := s.encoder(t, f)
		appendAll(t, enc, Realistic(n))
		estimate := enc.Size()
		if err := enc.Close(nil); err != nil {
			t.Fatal(err)
		}
		if actual := int64(file.Len()); estimate < actual*2/3 || estimate > actual*3/2 {
			t.Errorf("with %d events Size said %d; the file has %d bytes", n, estimate, actual)
		}
	}
}

func (s Subject) metadata(t *testing.T) {
	f := s.New(t)
	enc, file := s.encoder(t, f)
	appendAll(t, enc, Realistic(3))
	want := map[string]string{"penstock.offsets": "1000-1002", "penstock.empty": "", "ünï": "çödé"}
	if err := enc.Close(want); err != nil {
		t.Fatal(err)
	}
	info, err := f.Inspect(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if !s.Metadata {
		want = nil
	}
	if fmt.Sprint(info.Metadata) != fmt.Sprint(want) {
		t.Errorf("metadata is %v; want %v", info.Metadata, want)
	}
}

func (s Subject) cut(t *testing.T) {
	if !s.CutShows {
		return
	}
	f, events := s.New(t), Realistic(40)
	enc, out := s.encoder(t, f)
	for i := range events {
		appendAll(t, enc, events[i:i+1])
		if i%15 == 14 {
			if err := enc.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := enc.Close(map[string]string{"a": "b"}); err != nil {
		t.Fatal(err)
	}
	file := out.Bytes()
	for n := range file {
		if info, err := f.Inspect(bytes.NewReader(file[:n]), int64(n)); err == nil {
			t.Fatalf("the first %d of %d bytes pass for a file of %d rows", n, len(file), info.Rows)
		}
		// The length that was recorded, and fewer bytes there.
		if _, err := f.Inspect(bytes.NewReader(file[:n]), int64(len(file))); err == nil {
			t.Fatalf("%d bytes are missing at the end and Inspect did not see it", len(file)-n)
		}
	}
	if _, err := f.Inspect(bytes.NewReader(append(slices.Clip(file), 'x')), int64(len(file)+1)); err == nil {
		t.Error("a byte too many passes")
	}
}

func (s Subject) concurrent(t *testing.T) {
	f, events := s.New(t), Realistic(4000)
	want := s.Write(t, f, events)
	files := make([]bytes.Buffer, 4)
	errs := make([]error, len(files))
	var wg sync.WaitGroup
	for i := range files {
		wg.Go(func() {
			enc, err := f.NewEncoder(&files[i], Clicks())
			for j := 0; j < len(events) && err == nil; j++ {
				err = enc.Append(&events[j])
			}
			if err == nil {
				err = enc.Close(nil)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i := range files {
		if s.Marked && errs[i] == nil {
			s.Check(t, f, files[i].Bytes(), events)
			continue
		}
		if errs[i] != nil || !bytes.Equal(files[i].Bytes(), want) {
			t.Errorf("encoder %d: %v, %d bytes; alone it makes %d", i, errs[i], files[i].Len(), len(want))
		}
	}
}
