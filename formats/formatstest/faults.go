package formatstest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/ingest"
)

var errDisk = errors.New("no space left on the test's disk")

// failingWriter takes some writes, then fails, or takes less than it was given and says nothing.
type failingWriter struct {
	left   int
	short  bool
	failed bool
	after  int // writes that came after the failure
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.failed {
		w.after++
		return len(p), nil // a disk that has space again: the file must stay failed
	}
	if w.left > 0 {
		w.left--
		return len(p), nil
	}
	w.failed = true
	if w.short {
		return len(p) / 2, nil
	}
	return 0, errDisk
}

// writerError fails each write of a file in turn: the error comes out, is final, and nothing is written after it.
func (s Subject) writerError(t *testing.T) {
	f, events := s.New(t), Realistic(200)
	noise := rand.NewChaCha8([32]byte{})
	large := make([]byte, 200<<10) // does not compress, and is larger than any buffer on the way
	_, _ = noise.Read(large)
	for i := range large {
		large[i] &= 0x7f // UTF-8, for formats that want that
	}
	events[30].Body = bytes.ReplaceAll(large, []byte{'\n'}, []byte{' '})
	for _, short := range []bool{false, true} {
		n := 0
		for s.failWrite(t, f, &failingWriter{left: n, short: short}, events) {
			n++
		}
		if n < 3 {
			t.Errorf("a file of %d writes; the test wants some to fail", n)
		}
	}
}

// failWrite writes a file through w and reports whether w failed on the way.
func (s Subject) failWrite(t *testing.T, f formats.Format, w *failingWriter, events []ingest.Event) bool {
	t.Helper()
	n, want := w.left, errDisk
	if w.short {
		want = io.ErrShortWrite
	}
	enc, err := f.NewEncoder(w, Clicks())
	if err != nil {
		t.Fatal(err)
	}
	err = writeWithFlushes(enc, events)
	if !w.failed {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	if !errors.Is(err, want) {
		t.Fatalf("write %d failed and the encoder says %v", n, err)
	}
	for what, again := range map[string]error{"Append": enc.Append(&events[0]), "Flush": enc.Flush(), "Close": enc.Close(nil)} {
		if !errors.Is(again, want) {
			t.Errorf("write %d failed, and then %s says %v", n, what, again)
		}
	}
	enc.Abandon()
	if w.after > 0 || enc.Buffered() != 0 {
		t.Errorf("write %d failed: %d writes followed, %d bytes are held", n, w.after, enc.Buffered())
	}
	return true
}

func writeWithFlushes(enc formats.Encoder, events []ingest.Event) error {
	for i := range events {
		if err := enc.Append(&events[i]); err != nil {
			return err
		}
		if i%60 == 59 {
			if err := enc.Flush(); err != nil {
				return err
			}
		}
	}
	return enc.Close(nil)
}
