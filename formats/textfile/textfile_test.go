package textfile_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"github.com/golang/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/textfile"
	"github.com/penstock-io/penstock/ingest"
)

func newFormat(t testing.TB, c textfile.Config) *textfile.Format {
	t.Helper()
	f, err := textfile.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// lines reads a file by the standard library and, for zstd, by a stream decoder: as other programs do, and not piece by piece.
func lines(t testing.TB, compression string, file []byte) []ingest.Event {
	t.Helper()
	var r io.Reader = bytes.NewReader(file)
	var err error
	switch {
	case compression == "gzip" && len(file) > 0:
		r, err = gzip.NewReader(r)
	case compression == "zstd":
		r, err = zstd.NewReader(r)
	case compression == "snappy":
		r, err = hadoopSnappy(file)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	var events []ingest.Event
	for line := range bytes.Lines(text) {
		body, ended := bytes.CutSuffix(line, []byte("\n"))
		if !ended {
			t.Fatalf("the last line, of %d bytes, has no end", len(line))
		}
		events = append(events, ingest.Event{Body: append([]byte{}, body...)})
	}
	return events
}

// hadoopSnappy reads blocks as Hadoop's BlockDecompressorStream does.
func hadoopSnappy(file []byte) (io.Reader, error) {
	var text []byte
	for want := 0; ; {
		if len(text) == want {
			if want += int(binary.BigEndian.Uint32(file)); len(text) == want {
				return bytes.NewReader(text), nil // a block of nothing: the end
			}
			file = file[4:]
		}
		n := int(binary.BigEndian.Uint32(file))
		chunk, err := snappy.Decode(nil, file[4:4+n])
		if err != nil || n > 256<<10 || len(chunk) > 256<<10 {
			return nil, fmt.Errorf("a chunk of %d bytes, %d unpacked: %w", n, len(chunk), err)
		}
		text, file = append(text, chunk...), file[4+n:]
	}
}

func TestSuite(t *testing.T) {
	for _, compression := range []string{"none", "gzip", "zstd", "snappy"} {
		t.Run(compression, func(t *testing.T) {
			formatstest.Suite(t, formatstest.Subject{
				New: func(t testing.TB) formats.Format {
					t.Helper()
					return newFormat(t, textfile.Config{Compression: compression, Newline: "reject"})
				},
				Read: func(t testing.TB, file []byte) []ingest.Event {
					t.Helper()
					return lines(t, compression, file)
				},
				Kept: func(e ingest.Event) ingest.Event { return ingest.Event{Body: e.Body} },
				Refused: map[string]ingest.Event{
					"null_body": {Key: []byte("tombstone")},
					"newline":   {Body: []byte("two\nlines")},
				},
				CutShows: compression != "none",
			})
		})
	}
}

func TestNewlineKept(t *testing.T) {
	f := newFormat(t, textfile.DefaultConfig())
	var file bytes.Buffer
	enc, err := f.NewEncoder(&file, formatstest.Clicks())
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"one", "two\nlines", ""} {
		if err := enc.Append(&ingest.Event{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Close(nil); err != nil {
		t.Fatal(err)
	}
	if got, want := file.String(), "one\ntwo\nlines\n\n"; got != want {
		t.Errorf("the file is %q; want %q", got, want)
	}
	info, err := f.Inspect(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if err := info.CheckRows(3); err != nil {
		t.Error(err)
	}
	if info.CheckRows(5) == nil {
		t.Error("4 lines pass for 5 events")
	}
}

// TestUncompressedCut shows what Inspect can see of a file without compression: a cut within a line.
func TestUncompressedCut(t *testing.T) {
	f := newFormat(t, textfile.DefaultConfig())
	file := []byte("one\ntwo\n")
	for n := range len(file) + 1 {
		_, err := f.Inspect(bytes.NewReader(file[:n]), int64(n))
		if whole := n%4 == 0; whole != (err == nil) {
			t.Errorf("the first %d bytes: %v", n, err)
		}
	}
}

// TestCheckEnd: what a roll looks at tells a file that was closed from one that was not.
func TestCheckEnd(t *testing.T) {
	for _, compression := range []string{"none", "gzip", "zstd", "snappy"} {
		f := newFormat(t, textfile.Config{Compression: compression, Newline: "keep"})
		file := formatstest.Subject{}.Write(t, f, formatstest.Realistic(20))
		if err := f.CheckEnd(bytes.NewReader(file), int64(len(file))); err != nil {
			t.Errorf("%s: %v", compression, err)
		}
		for n := len(file) - 4; n < len(file); n++ {
			if f.CheckEnd(bytes.NewReader(file[:n]), int64(n)) == nil {
				t.Errorf("%s: %d bytes are missing, and the end looks right", compression, len(file)-n)
			}
		}
	}
}

// TestFlippedBits: the checksums of the compressed forms are checked.
func TestFlippedBits(t *testing.T) {
	for _, compression := range []string{"gzip", "zstd"} {
		f := newFormat(t, textfile.Config{Compression: compression, Newline: "keep"})
		file := formatstest.Subject{}.Write(t, f, formatstest.Realistic(20))
		undetected := 0
		for i := range file {
			file[i] ^= 0x10
			info, err := f.Inspect(bytes.NewReader(file), int64(len(file)))
			file[i] ^= 0x10
			if err == nil && info.Rows != 20 {
				t.Errorf("%s: byte %d flipped: %d rows", compression, i, info.Rows)
			}
			if err == nil {
				undetected++
			}
		}
		// Bytes of a gzip header that mean nothing (time, system) may change.
		if undetected > 7 {
			t.Errorf("%s: %d of %d flipped bytes were not seen", compression, undetected, len(file))
		}
	}
}

func TestExtensions(t *testing.T) {
	for compression, want := range map[string]string{"none": "txt", "gzip": "txt.gz", "zstd": "txt.zst"} {
		f := newFormat(t, textfile.Config{Compression: compression})
		if f.Ext() != want || f.Name() != "text" || f.SchemaID() == "" {
			t.Errorf("%s: %s, %s, %s", compression, f.Name(), f.Ext(), f.SchemaID())
		}
	}
	if _, err := textfile.New(textfile.Config{Compression: "lzo"}); err == nil {
		t.Error("lzo is a compression now")
	}
}

// TestOtherLevel: files of an earlier configuration pass under another level.
func TestOtherLevel(t *testing.T) {
	for _, compression := range []string{"gzip", "zstd"} {
		events := formatstest.Realistic(100)
		for level := range 10 {
			file := formatstest.Subject{}.Write(t, newFormat(t, textfile.Config{Compression: compression, Level: level}), events)
			info, err := newFormat(t, textfile.Config{Compression: compression}).Inspect(bytes.NewReader(file), int64(len(file)))
			if err != nil || info.Rows != 100 {
				t.Errorf("%s level %d: %d rows, %v", compression, level, info.Rows, err)
			}
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, compression := range []string{"none", "gzip", "zstd"} {
		b.Run(compression, func(b *testing.B) {
			f := newFormat(b, textfile.Config{Compression: compression, Newline: "keep"})
			events := formatstest.Realistic(20_000)
			enc, err := f.NewEncoder(io.Discard, formatstest.Clicks())
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(events[0].Body)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := enc.Append(&events[i%len(events)]); err != nil {
					b.Fatal(err)
				}
			}
			if err := enc.Close(nil); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// TestAppendAllocatesNothing: a file that has filled a piece fills the next in the same memory.
func TestAppendAllocatesNothing(t *testing.T) {
	f := newFormat(t, textfile.Config{Compression: "none", Newline: "keep"})
	events := formatstest.Realistic(5000) // some pieces
	enc, err := f.NewEncoder(io.Discard, formatstest.Clicks())
	if err != nil {
		t.Fatal(err)
	}
	appendAll := func() {
		for i := range events {
			if err := enc.Append(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := testing.AllocsPerRun(5, appendAll); n > 0 {
		t.Errorf("%.0f allocations for %d events", n, len(events))
	}
	if err := enc.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := enc.Buffered(); n != 0 {
		t.Errorf("%d bytes are held after a flush", n)
	}
}

// FuzzInspect: whatever a file has, it is inspected without a panic, and only what ends as it should passes.
func FuzzInspect(f *testing.F) {
	compressions := []string{"none", "gzip", "zstd", "snappy"}
	for i, compression := range compressions {
		format := newFormat(f, textfile.Config{Compression: compression, Newline: "keep"})
		f.Add(formatstest.Subject{}.Write(f, format, formatstest.Realistic(3)), uint8(i))
	}
	f.Add([]byte("\x00\x00\x00\x05\xff\xff\xff\xff\x05\x00\x00\x00\x00"), uint8(3))
	f.Fuzz(func(t *testing.T, file []byte, which uint8) {
		format := newFormat(t, textfile.Config{Compression: compressions[int(which)%len(compressions)], Newline: "keep"})
		info, err := format.Inspect(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		if err := format.CheckEnd(bytes.NewReader(file), int64(len(file))); err != nil || info.Rows < 0 {
			t.Fatalf("%q passes with %d rows, and its end does not: %v", file, info.Rows, err)
		}
	})
}
