package parquetfile

import (
	"fmt"
	"io"
	"sync/atomic"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/schema"

	"github.com/penstock-io/penstock/formats"
)

// Format implements formats.Format.
type Format struct {
	deadLetters  bool
	leaves       []leaf
	layout       *layout
	codec        *codec
	pageSize     int
	rowGroupSize int64
	buffers      buffers

	// What compression made of the last column chunks of all files, for estimates: raw<<32 | compressed, both in KiB.
	ratio atomic.Uint64
}

// New returns the format for events.
func New(c Config) (*Format, error) { return newFormat(c, false) }

// DeadLetters returns the format for events that another format refused: the raw columns, the names of headers as plain binary, and
// reason, path and detail. Its encoders implement formats.DeadLetterEncoder.
func DeadLetters(c Config) (*Format, error) { return newFormat(c, true) }

func newFormat(c Config, deadLetters bool) (*Format, error) {
	codec, err := newCodec(c.Compression, c.level())
	if err != nil {
		return nil, err
	}
	props := parquet.NewWriterProperties(
		// Version 1 names the dictionary encoding as every reader since 2013 knows it.
		parquet.WithVersion(parquet.V1_0), parquet.WithDataPageVersion(parquet.DataPageV1),
		parquet.WithDictionaryDefault(false), parquet.WithCompression(codec.kind),
		// One value in a file: nothing to compress.
		parquet.WithCompressionFor("topic", compress.Codecs.Uncompressed), parquet.WithCompressionFor("partition", compress.Codecs.Uncompressed),
		parquet.WithCreatedBy(c.createdBy()), parquet.WithAllocator(memory.DefaultAllocator),
	)
	return &Format{
		deadLetters:  deadLetters,
		leaves:       rawLeaves(deadLetters),
		layout:       &layout{schema: schema.NewSchema(rawSchema(deadLetters)), props: props},
		codec:        codec,
		pageSize:     int(c.PageSize.Bytes()),
		rowGroupSize: c.RowGroupSize.Bytes(),
	}, nil
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
	if f.deadLetters {
		return "dead-1"
	}
	return "raw-1"
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

// observe remembers how far a chunk was compressed.
func (f *Format) observe(c *column) {
	if c.leaf.path == "body" && c.raw >= 1<<10 {
		f.ratio.Store(uint64(c.raw>>10)<<32 | uint64(c.compressed>>10)&0xffffffff)
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
