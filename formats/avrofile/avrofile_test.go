package avrofile_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/twmb/avro/ocf"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrofile"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/ingest"
)

// values reads a file by another library.
func values(t testing.TB, file []byte) (all []map[string]any) {
	t.Helper()
	r, err := ocf.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for {
		var v any
		switch err := r.Decode(&v); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("datum %d: %v", len(all), err)
		}
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("datum %d is %T", len(all), v)
		}
		all = append(all, m)
	}
}

func rawEvents(t testing.TB, file []byte) (events []ingest.Event) {
	t.Helper()
	for _, v := range values(t, file) {
		var e ingest.Event
		e.Key, _ = v["key"].([]byte)
		e.Body, _ = v["body"].([]byte)
		headers, _ := v["headers"].([]any)
		for _, h := range headers {
			pair, _ := h.(map[string]any)
			name, _ := pair["key"].(string)
			value, _ := pair["value"].([]byte)
			e.Headers = append(e.Headers, ingest.Header{Key: name, Value: value})
		}
		at, ok := v["timestamp"].(time.Time)
		offset, alsoOK := v["offset"].(int64)
		if !ok || !alsoOK {
			t.Fatalf("timestamp is %T, offset %T", v["timestamp"], v["offset"])
		}
		e.Timestamp, e.Offset = at.UnixMilli(), ingest.Offset(offset)
		if v["topic"] != formatstest.Clicks().Partition.Topic || v["partition"] != formatstest.Clicks().Partition.ID {
			t.Fatalf("the event at %d is of %v-%v", e.Offset, v["topic"], v["partition"])
		}
		events = append(events, e)
	}
	return events
}

func newFormat(t testing.TB, change func(*avrofile.Config)) formats.Format {
	t.Helper()
	c := avrofile.DefaultConfig()
	if change != nil {
		change(&c)
	}
	f, err := avrofile.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSuite(t *testing.T) {
	for name, change := range map[string]func(*avrofile.Config){
		"default":      nil,
		"deflate":      func(c *avrofile.Config) { c.Compression = "deflate" },
		"zstd":         func(c *avrofile.Config) { c.Compression = "zstd" },
		"none":         func(c *avrofile.Config) { c.Compression = "none" },
		"small blocks": func(c *avrofile.Config) { c.BlockSize = 8 * conf.KiB },
	} {
		if testing.Short() && change != nil && name != "small blocks" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			formatstest.Suite(t, formatstest.Subject{
				New: func(t testing.TB) formats.Format {
					t.Helper()
					return newFormat(t, change)
				},
				Read:    rawEvents,
				Refused: map[string]ingest.Event{"invalid_utf8": {Body: []byte("b"), Headers: ingest.Headers{{Key: "good"}, {Key: "bad \xff"}}}},
				Marked:  true,
			})
		})
	}
}

func inspect(f formats.Format, file []byte) (formats.Info, error) {
	return f.Inspect(bytes.NewReader(file), int64(len(file)))
}

// TestDamage: a file that was cut, but between two blocks, or changed in a block, is none.
func TestDamage(t *testing.T) {
	compressions := []string{"snappy", "none", "deflate", "zstd"}
	if testing.Short() {
		compressions = compressions[:2]
	}
	for _, compression := range compressions {
		f := newFormat(t, func(c *avrofile.Config) { c.Compression, c.BlockSize = compression, conf.KiB })
		events := formatstest.Realistic(8)
		file := formatstest.Subject{}.Write(t, f, events)
		var between []int
		for n := range file {
			info, err := inspect(f, file[:n])
			if err != nil {
				continue
			}
			between = append(between, n)
			if got := rawEvents(t, file[:n]); int64(len(got)) != info.Rows || len(got) >= len(events) {
				t.Errorf("%s: %d bytes pass for %d rows, and have %d", compression, n, info.Rows, len(got))
			}
		}
		blocks := len(between)
		if blocks < 3 {
			t.Fatalf("%s: a file of %d blocks", compression, blocks)
		}
		if _, err := inspect(f, append(bytes.Clone(file), 'x')); err == nil {
			t.Errorf("%s: a byte too many passes", compression)
		}
		checked := f.(interface {
			CheckEnd(r io.ReaderAt, size int64) error
		})
		if err := checked.CheckEnd(bytes.NewReader(file), int64(len(file))); err != nil {
			t.Errorf("%s: %v", compression, err)
		}
		for cut := 1; cut < 40; cut++ {
			if err := checked.CheckEnd(bytes.NewReader(file), int64(len(file)-cut)); err == nil {
				t.Errorf("%s: %d bytes are missing, and the end is taken for one", compression, cut)
			}
		}
		if compression != "snappy" { // the others have no checksums
			continue
		}
		for i := between[0]; i < len(file); i += 3 {
			file[i] ^= 0x10
			if _, err := inspect(f, file); err == nil {
				t.Errorf("byte %d of %d was changed, and it passes", i, len(file))
			}
			file[i] ^= 0x10
		}
	}
}

// TestMarkersDiffer: whoever writes events cannot put a marker into them that readers of parts of a file would take for a block's end.
func TestMarkersDiffer(t *testing.T) {
	f, events := newFormat(t, nil), formatstest.Realistic(1)
	a, b := formatstest.Subject{}.Write(t, f, events), formatstest.Subject{}.Write(t, f, events)
	if bytes.Equal(a[len(a)-16:], b[len(b)-16:]) {
		t.Errorf("two files end with %x", a[len(a)-16:])
	}
}

// TestLargeDatum: a datum larger than a block is a block of its own.
func TestLargeDatum(t *testing.T) {
	f := newFormat(t, func(c *avrofile.Config) { c.BlockSize = conf.KiB })
	events := formatstest.Realistic(3)
	events[1].Body = bytes.Repeat([]byte("large "), 100_000)
	s := formatstest.Subject{Read: rawEvents}
	s.Check(t, f, s.Write(t, f, events), events)
	enc, err := f.NewEncoder(io.Discard, formatstest.Clicks())
	if err != nil {
		t.Fatal(err)
	}
	if err := enc.Append(&events[1]); err != nil || enc.Buffered() != 0 {
		t.Errorf("%v, and %d bytes are held after it", err, enc.Buffered())
	}
}

// TestWrongCounts: a block that says that it has one datum less, or one more, is none.
func TestWrongCounts(t *testing.T) {
	f := newFormat(t, func(c *avrofile.Config) { c.Compression = "none" })
	file := formatstest.Subject{}.Write(t, f, formatstest.Realistic(3))
	at := bytes.Index(file, file[len(file)-16:]) + 16
	if file[at] != 2*3 {
		t.Fatalf("the first block begins with % x", file[at:at+4])
	}
	for _, n := range []byte{2 * 2, 2 * 4, 0, 1} {
		file[at] = n
		if info, err := inspect(f, file); err == nil {
			t.Errorf("a count of %x passes for %d rows", n, info.Rows)
		}
	}
}

func TestConfig(t *testing.T) {
	open := func(c avrofile.Config) error {
		_, err := avrofile.New(c)
		return err
	}
	formatstest.Configs(t, avrofile.DefaultConfig, open, map[string]string{
		"{}":                              "",
		"compression: deflate\nlevel: 9":  "",
		"compression: zstd\nlevel: 22":    "",
		"compression: bzip2":              "compression",
		"level: 3":                        "has no levels",
		"compression: deflate\nlevel: 10": "levels 1 to 9",
		"origin: true":                    "without a schema",
		"events: avro":                    "without a schema",
		"block_size: 100":                 "block_size",
	})
}

func FuzzInspect(f *testing.F) {
	for _, compression := range []string{"snappy", "deflate", "zstd", "none"} {
		format := newFormat(f, func(c *avrofile.Config) { c.Compression, c.BlockSize = compression, conf.KiB })
		f.Add(formatstest.Subject{}.Write(f, format, formatstest.Realistic(6)))
	}
	format := newFormat(f, nil)
	f.Fuzz(func(t *testing.T, file []byte) {
		info, err := inspect(format, file)
		if err == nil && info.Rows > int64(len(file))*64 {
			t.Errorf("%d bytes have %d datums", len(file), info.Rows)
		}
	})
}
