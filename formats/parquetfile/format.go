package parquetfile

import (
	"fmt"
	"io"
	"sync/atomic"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	pqschema "github.com/apache/arrow/go/v15/parquet/schema"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/bodies"
)

// Format implements formats.Format.
type Format struct {
	deadLetters  bool
	typed        *typed // nil: raw columns
	leaves       []leaf
	layout       *layout
	codec        *codec
	pageSize     int
	rowGroupSize int64
	buffers      buffers

	// What compression made of the last row group of all files, for estimates: raw<<32 | compressed, both in KiB.
	ratio atomic.Uint64
}

// New returns the format for events as they are: raw columns.
func New(c Config) (*Format, error) {
	return newFormat(c, &Format{leaves: rawLeaves(false)}, rawSchema(false))
}

// NewTyped returns the format whose columns are those of a source of rows.
func NewTyped(c Config, from *bodies.Source) (*Format, error) {
	t, err := newTyped(from, c.Origin)
	if err != nil {
		return nil, fmt.Errorf("make Parquet columns: %w", err)
	}
	return newFormat(c, &Format{typed: t, leaves: t.leaves}, t.group)
}

// DeadLetters returns the format for events that another format refused: the raw columns, the names of headers as plain binary, and
// reason, path and detail. Its encoders implement formats.DeadLetterEncoder.
func DeadLetters(c Config) (*Format, error) {
	return newFormat(c, &Format{deadLetters: true, leaves: rawLeaves(true)}, rawSchema(true))
}

// newFormat completes a format.
func newFormat(c Config, f *Format, columns *pqschema.GroupNode) (*Format, error) {
	codec, err := newCodec(c.Compression, c.level())
	if err != nil {
		return nil, err
	}
	options := []parquet.WriterProperty{
		// Version 1 names the dictionary encoding as every reader since 2013 knows it.
		parquet.WithVersion(parquet.V1_0), parquet.WithDataPageVersion(parquet.DataPageV1),
		parquet.WithDictionaryDefault(false), parquet.WithCompression(codec.kind),
		parquet.WithCreatedBy(c.createdBy()), parquet.WithAllocator(memory.DefaultAllocator),
	}
	for _, l := range f.leaves {
		if l.constant != varies { // one value in a file: nothing to compress
			options = append(options, parquet.WithCompressionFor(l.path, compress.Codecs.Uncompressed))
		}
	}
	f.layout = &layout{schema: pqschema.NewSchema(columns), props: parquet.NewWriterProperties(options...)}
	f.codec = codec
	f.pageSize, f.rowGroupSize = int(c.PageSize.Bytes()), c.RowGroupSize.Bytes()
	return f, nil
}

// Name implements formats.Format.
func (f *Format) Name() string { return "parquet" }

// Ext implements formats.Format. Dead letters must not look like data to a reader's glob.
func (f *Format) Ext() string {
	if f.deadLetters {
		return "dead"
	}
	return "parquet"
}

// SchemaID implements formats.Format.
func (f *Format) SchemaID() string {
	switch {
	case f.deadLetters:
		return "dead-1"
	case f.typed != nil:
		return f.typed.id
	default:
		return "raw-1"
	}
}

// NewEncoder implements formats.Format. The encoder costs about 3 KiB until its first event.
func (f *Format) NewEncoder(w io.Writer, c formats.Context) (formats.Encoder, error) {
	if !utf8.ValidString(c.Partition.Topic) {
		return nil, fmt.Errorf("write parquet: the topic %q is not valid UTF-8, which the column topic must be", c.Partition.Topic)
	}
	e := newEncoder(f, w, c.Partition)
	if f.deadLetters {
		return &deadLetterEncoder{e}, nil
	}
	return e, nil
}

// observe remembers how far a row group was compressed.
func (f *Format) observe(columns []column) {
	var raw, compressed int64
	for i := range columns {
		raw, compressed = raw+columns[i].raw, compressed+columns[i].compressed
	}
	if raw >= 1<<10 {
		f.ratio.Store(uint64(raw>>10)<<32 | uint64(compressed>>10)&0xffffffff)
	}
}

// shrinkage is the fraction of its size that a page is expected to keep.
func (f *Format) shrinkage() (num, den int64) {
	r := f.ratio.Load()
	if r == 0 {
		if f.codec.kind == compress.Codecs.Uncompressed {
			return 1, 1
		}
		return 1, 4 // JSON at zstd's first level; soon replaced by what was seen
	}
	return int64(r & 0xffffffff), int64(r >> 32)
}
