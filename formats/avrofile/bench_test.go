package avrofile_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrodecoder"
	"github.com/penstock-io/penstock/formats/avrofile"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/ingest"
)

// clicks is the schema of realistic events, the format of JSON events, and the same events as datums.
func clicks(t testing.TB, compression string) (s *schema.Schema, fromJSON formats.Format, events, datums []ingest.Event) {
	t.Helper()
	s, from := sources(t, []byte(jsonevents.Schema))
	events = formatstest.Realistic(5000)
	fromJSON = typed(t, compression, from["json"])
	file := formatstest.Subject{}.Write(t, typed(t, "none", from["json"]), events)
	for _, d := range blocks(t, file, avrodecoder.Compile(s).NewDecoder()) {
		datums = append(datums, ingest.Event{Body: d})
	}
	return s, fromJSON, events, datums
}

func typed(t testing.TB, compression string, source *bodies.Source) formats.Format {
	t.Helper()
	c := avrofile.DefaultConfig()
	c.Compression = compression
	f, err := avrofile.NewTyped(c, source)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func fill(t testing.TB, f formats.Format, events []ingest.Event) time.Duration {
	t.Helper()
	began := time.Now()
	enc, err := f.NewEncoder(io.Discard, formatstest.Clicks())
	if err != nil {
		t.Fatal(err)
	}
	for i := range events {
		if err := enc.Append(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Close(nil); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// BenchmarkPassThrough is how much longer it takes to decode datums and write them anew than to check and copy them, with and without compression; and the
// same of JSON.
func BenchmarkPassThrough(b *testing.B) {
	for _, compression := range []string{"none", "snappy"} {
		b.Run(compression, func(b *testing.B) {
			s, fromJSON, events, datums := clicks(b, compression)
			source := bodies.Datums(s)
			copied := typed(b, compression, source)
			anew := *source
			anew.Datums = false
			decoded := typed(b, compression, &anew)
			var copying, decoding, json time.Duration
			for b.Loop() {
				copying += fill(b, copied, datums)
				decoding += fill(b, decoded, datums)
				json += fill(b, fromJSON, events)
			}
			b.ReportMetric(float64(decoding)/float64(copying), "decoding/copying")
			b.ReportMetric(float64(json)/float64(copying), "json/copying")
			b.ReportMetric(float64(copying)/float64(b.N*len(datums)), "ns/copied")
		})
	}
}

// blocks cuts a file without compression into its datums.
func blocks(t testing.TB, file []byte, d *avrodecoder.Decoder) (datums [][]byte) {
	t.Helper()
	sync := file[len(file)-16:]
	at := bytes.Index(file, sync) + len(sync)
	for at < len(file) {
		rows, n := binary.Varint(file[at:])
		at += n
		size, n := binary.Varint(file[at:])
		at += n
		block := file[at : at+int(size)]
		for range rows {
			n, refused := d.Skip(block)
			if refused != nil {
				t.Fatal(refused)
			}
			datums, block = append(datums, block[:n]), block[n:]
		}
		at += int(size) + len(sync)
	}
	return datums
}
