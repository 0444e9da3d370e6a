package parquetfile_test

import (
	"io"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/schema"
	"github.com/twmb/avro"

	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/ingest"
)

// BenchmarkAppend is one core's rows/s over files of a million rows, flushes and footers included.
func BenchmarkAppend(b *testing.B) {
	for _, compression := range []string{"zstd", "snappy", "none"} {
		b.Run(compression, func(b *testing.B) {
			benchAppend(b, newFormat(b, func(c *parquetfile.Config) { c.Compression = compression }))
		})
	}
}

// BenchmarkTyped is the same from JSON to the columns of a schema.
func BenchmarkTyped(b *testing.B) {
	for _, compression := range []string{"zstd", "snappy", "none"} {
		b.Run(compression, func(b *testing.B) {
			f, _, _ := typedFormat(b, []byte(jsonevents.Schema), func(c *parquetfile.Config) { c.Compression = compression })
			benchAppend(b, f)
		})
	}
}

// BenchmarkDatums is how much longer the same takes from JSON than from Avro datums.
func BenchmarkDatums(b *testing.B) {
	fromJSON, s, _ := typedFormat(b, []byte(jsonevents.Schema), nil)
	fromDatums, err := parquetfile.NewTyped(parquetfile.DefaultConfig(), bodies.Datums(s))
	if err != nil {
		b.Fatal(err)
	}
	other, err := avro.Parse(jsonevents.Schema)
	if err != nil {
		b.Fatal(err)
	}
	events := formatstest.Realistic(20_000)
	datums := make([]ingest.Event, len(events))
	for i := range events {
		var v any
		if err := other.DecodeJSON(events[i].Body, &v); err != nil {
			b.Fatal(err)
		}
		if datums[i].Body, err = other.Encode(v); err != nil {
			b.Fatal(err)
		}
	}
	fill := func(f *parquetfile.Format, events []ingest.Event) time.Duration {
		began := time.Now()
		formatstest.Subject{}.Write(b, f, events)
		return time.Since(began)
	}
	var json, datum time.Duration
	for b.Loop() {
		json += fill(fromJSON, events)
		datum += fill(fromDatums, datums)
	}
	b.ReportMetric(float64(json)/float64(datum), "json/datums")
}

func benchAppend(b *testing.B, f *parquetfile.Format) {
	b.Helper()
	events := formatstest.Realistic(20_000)
	b.SetBytes(int64(len(events[0].Body)))
	b.ReportAllocs()
	enc, err := f.NewEncoder(io.Discard, formatstest.Clicks())
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if err := enc.Append(&events[i%len(events)]); err != nil {
			b.Fatal(err)
		}
		if i%1_000_000 == 999_999 {
			if err := enc.Close(nil); err != nil {
				b.Fatal(err)
			}
			if enc, err = f.NewEncoder(io.Discard, formatstest.Clicks()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := enc.Close(nil); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkArrowAlone is the bound: arrow's own column writers on the same columns, given whole batches that cost nothing to make.
func BenchmarkArrowAlone(b *testing.B) {
	for name, codec := range map[string]compress.Compression{"zstd": compress.Codecs.Zstd, "snappy": compress.Codecs.Snappy, "none": compress.Codecs.Uncompressed} {
		b.Run(name, func(b *testing.B) { benchArrow(b, codec) })
	}
}

type arrowBatch struct {
	key, body, topic, headerKey, headerValue []parquet.ByteArray
	timestamp, offset                        []int64
	partition                                []int32
	one, headerKeyDef, headerValueDef, rep   []int16
}

func newArrowBatch(events []ingest.Event) (a arrowBatch) {
	for i := range events {
		e := &events[i]
		a.key, a.body = append(a.key, e.Key), append(a.body, e.Body)
		a.topic = append(a.topic, parquet.ByteArray("clicks"))
		a.one = append(a.one, 1)
		a.timestamp, a.offset, a.partition = append(a.timestamp, e.Timestamp), append(a.offset, int64(e.Offset)), append(a.partition, 3)
		for j, h := range e.Headers {
			a.headerKey, a.headerValue = append(a.headerKey, parquet.ByteArray(h.Key)), append(a.headerValue, h.Value)
			a.headerKeyDef, a.headerValueDef, a.rep = append(a.headerKeyDef, 1), append(a.headerValueDef, 2), append(a.rep, int16(min(j, 1)))
		}
	}
	return a
}

func arrowSchema() *schema.GroupNode {
	required, optional := parquet.Repetitions.Required, parquet.Repetitions.Optional
	return schema.MustGroup(schema.NewGroupNode("schema", required, schema.FieldList{
		schema.NewByteArrayNode("key", optional, -1), schema.NewByteArrayNode("body", optional, -1),
		schema.MustGroup(schema.MapOf("headers", schema.NewByteArrayNode("key", required, -1), schema.NewByteArrayNode("value", optional, -1), required, -1)),
		schema.NewInt64Node("timestamp", required, -1), schema.NewByteArrayNode("topic", required, -1),
		schema.NewInt32Node("partition", required, -1), schema.NewInt64Node("offset", required, -1),
	}, -1))
}

func benchArrow(b *testing.B, codec compress.Compression) {
	b.Helper()
	const batch = 1000
	var batches []arrowBatch
	for events := range slices.Chunk(formatstest.Realistic(20_000), batch) {
		batches = append(batches, newArrowBatch(events))
	}
	props := parquet.NewWriterProperties(parquet.WithCompression(codec), parquet.WithCompressionLevel(1), parquet.WithDataPageSize(512<<10),
		parquet.WithDictionaryDefault(false), parquet.WithDictionaryFor("topic", true), parquet.WithDictionaryFor("partition", true))
	b.SetBytes(int64(len(batches[0].body[0])))
	b.ReportAllocs()
	w := file.NewParquetWriter(io.Discard, arrowSchema(), file.WithWriterProps(props))
	group := w.AppendBufferedRowGroup()
	left := 0
	b.ResetTimer()
	for i := 0; i < b.N; i += batch {
		n := min(batch, b.N-i)
		for c := range 8 {
			cw, err := group.Column(c)
			if err == nil {
				err = batches[i/batch%len(batches)].writeColumn(cw, c, n)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		if left++; left == 300 {
			if err := group.Close(); err != nil {
				b.Fatal(err)
			}
			group, left = w.AppendBufferedRowGroup(), 0
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func (a *arrowBatch) writeColumn(w file.ColumnChunkWriter, c, n int) (err error) {
	switch c {
	case 0:
		_, err = w.(*file.ByteArrayColumnChunkWriter).WriteBatch(a.key[:n], a.one[:n], nil)
	case 1:
		_, err = w.(*file.ByteArrayColumnChunkWriter).WriteBatch(a.body[:n], a.one[:n], nil)
	case 2:
		_, err = w.(*file.ByteArrayColumnChunkWriter).WriteBatch(a.headerKey[:2*n], a.headerKeyDef[:2*n], a.rep[:2*n])
	case 3:
		_, err = w.(*file.ByteArrayColumnChunkWriter).WriteBatch(a.headerValue[:2*n], a.headerValueDef[:2*n], a.rep[:2*n])
	case 4:
		_, err = w.(*file.Int64ColumnChunkWriter).WriteBatch(a.timestamp[:n], nil, nil)
	case 5:
		_, err = w.(*file.ByteArrayColumnChunkWriter).WriteBatch(a.topic[:n], nil, nil)
	case 6:
		_, err = w.(*file.Int32ColumnChunkWriter).WriteBatch(a.partition[:n], nil, nil)
	default:
		_, err = w.(*file.Int64ColumnChunkWriter).WriteBatch(a.offset[:n], nil, nil)
	}
	return err
}

// BenchmarkOpenEncoders says what 1,000 open files cost: idle, with one event, with 100 and with 1,000.
func BenchmarkOpenEncoders(b *testing.B) {
	for _, bc := range []struct {
		name   string
		events int
	}{{"idle", 0}, {"1", 1}, {"100", 100}, {"1000", 1000}} {
		b.Run(bc.name, func(b *testing.B) {
			f := newFormat(b, nil)
			events := formatstest.Realistic(max(bc.events, 1))
			const open = 1000
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				encoders := openEncoders(b, f, open, events[:bc.events])
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/open, "B/encoder")
				b.ReportMetric(float64(encoders[0].Buffered()), "buffered/encoder")
			}
		})
	}
}
