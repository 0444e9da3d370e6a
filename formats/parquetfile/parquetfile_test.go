package parquetfile_test

import (
	"bytes"
	"testing"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/ingest"
)

func newFormat(t testing.TB, change func(*parquetfile.Config)) *parquetfile.Format {
	t.Helper()
	c := parquetfile.DefaultConfig()
	if change != nil {
		change(&c)
	}
	f, err := parquetfile.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func subject(change func(*parquetfile.Config)) formatstest.Subject {
	return formatstest.Subject{
		New: func(t testing.TB) formats.Format {
			t.Helper()
			return newFormat(t, change)
		},
		Read: func(t testing.TB, file []byte) []ingest.Event {
			t.Helper()
			var events []ingest.Event
			for _, r := range readBack(t, file) {
				if r.Partition != formatstest.Clicks().Partition {
					t.Fatalf("row at offset %d is of %v", r.Offset, r.Partition)
				}
				events = append(events, r.Event)
			}
			return events
		},
		Refused: map[string]ingest.Event{
			"invalid_utf8": {Body: []byte("b"), Headers: ingest.Headers{{Key: "good"}, {Key: "bad \xff"}}},
		},
		Metadata: true,
		CutShows: true,
	}
}

func TestSuite(t *testing.T) {
	for name, change := range map[string]func(*parquetfile.Config){
		"default":     nil,
		"snappy":      func(c *parquetfile.Config) { c.Compression = "snappy" },
		"gzip":        func(c *parquetfile.Config) { c.Compression = "gzip"; c.Level = 1 },
		"none":        func(c *parquetfile.Config) { c.Compression = "none" },
		"small pages": func(c *parquetfile.Config) { c.PageSize = 8 * conf.KiB; c.RowGroupSize = conf.MiB },
	} {
		t.Run(name, func(t *testing.T) { formatstest.Suite(t, subject(change)) })
	}
}

func openEncoders(t testing.TB, f formats.Format, n int, events []ingest.Event) []formats.Encoder {
	t.Helper()
	encoders := make([]formats.Encoder, n)
	for i := range encoders {
		enc, err := f.NewEncoder(&bytes.Buffer{}, formatstest.Clicks())
		if err != nil {
			t.Fatal(err)
		}
		for j := range events {
			if err := enc.Append(&events[j]); err != nil {
				t.Fatal(err)
			}
		}
		encoders[i] = enc
	}
	return encoders
}
