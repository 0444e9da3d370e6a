package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	parquetfile "github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/metadata"
	"github.com/apache/arrow/go/v15/parquet/schema"
)

const magic = "PAR1"

// writeSize is how much is collected for one Write: row groups go out in few, large pieces.
const writeSize = 64 << 10

// layout is what all files of a format share; read-only.
type layout struct {
	schema *schema.Schema
	props  *parquet.WriterProperties
}

// file puts row groups and the footer on w. Its zero value with layout and w is a file of which nothing exists yet.
type file struct {
	layout *layout
	w      io.Writer

	meta   *metadata.FileMetaDataBuilder
	groups int
	pos    int64  // bytes that were given to w or wait in buf
	buf    []byte // only during a call
}

// Write and Tell make file the sink of arrow's page writer.
func (f *file) Write(p []byte) (int, error) {
	f.pos += int64(len(p))
	if len(f.buf)+len(p) > cap(f.buf) {
		if err := f.writeOut(); err != nil {
			return 0, err
		}
		if len(p) >= cap(f.buf) {
			return len(p), f.writeTo(p)
		}
	}
	f.buf = append(f.buf, p...)
	return len(p), nil
}

func (f *file) Tell() int64 { return f.pos }

// writeOut gives w what was collected.
func (f *file) writeOut() error {
	if len(f.buf) == 0 {
		return nil
	}
	err := f.writeTo(f.buf)
	f.buf = f.buf[:0]
	return err
}

// writeTo takes a short write for the error that it is; arrow's page writer would not notice.
func (f *file) writeTo(p []byte) error {
	n, err := f.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// begin writes the magic number before the first row group or the footer.
func (f *file) begin() error {
	if f.meta != nil {
		return nil
	}
	f.meta = metadata.NewFileMetadataBuilder(f.layout.schema, f.layout.props, nil)
	_, err := f.Write([]byte(magic))
	return err
}

// rowGroup writes one row group of the columns' pages; constantOf gives the values of constant columns.
func (f *file) rowGroup(columns []column, rows int, constantOf func(constancy) constant, b *buffers) error {
	f.buf = b.get(writeSize)
	defer f.giveBack(b)
	if f.groups > math.MaxInt16 {
		return fmt.Errorf("write row group %d: a Parquet file cannot have more; roll earlier or use larger row groups", f.groups)
	}
	if err := f.begin(); err != nil {
		return err
	}
	group := f.meta.AppendRowGroup()
	// The pages are compressed already, hence no codec; the column metadata goes into the footer alone, hence no Close.
	pages, err := parquetfile.NewPageWriter(f, compress.Codecs.Uncompressed, 0, nil, int16(f.groups), 0, memory.DefaultAllocator, false, nil, nil)
	if err != nil {
		return fmt.Errorf("begin row group: %w", err)
	}
	var raw int64
	for i := range columns {
		chunk := chunkWriter{file: f, pages: pages, meta: group.NextColumnChunk()}
		if which := columns[i].leaf.constant; which != varies {
			err = chunk.constant(rows, constantOf(which))
		} else {
			err = chunk.column(&columns[i])
		}
		if err != nil {
			return err
		}
		raw += chunk.raw
	}
	group.SetNumRows(rows)
	if err := group.Finish(raw, int16(f.groups)); err != nil {
		return fmt.Errorf("finish row group: %w", err)
	}
	f.groups++
	return f.writeOut()
}

func (f *file) giveBack(b *buffers) {
	b.put(f.buf)
	f.buf = nil
}

// footer ends the file.
func (f *file) footer(keys []string, values map[string]string, b *buffers) error {
	f.buf = b.get(writeSize)
	defer f.giveBack(b)
	if err := f.begin(); err != nil {
		return err
	}
	for _, k := range keys {
		if err := f.meta.AppendKeyValueMetadata(k, values[k]); err != nil {
			return fmt.Errorf("metadata %q is not valid UTF-8", k)
		}
	}
	m, err := f.meta.Finish()
	if err != nil {
		return fmt.Errorf("make footer: %w", err)
	}
	n, err := m.WriteTo(f, nil)
	if err != nil {
		return err
	}
	if n > math.MaxUint32 {
		return errors.New("make footer: it is larger than 4 GiB")
	}
	if _, err := f.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(n)), magic...)); err != nil {
		return err
	}
	return f.writeOut()
}

// chunkWriter writes the pages of one column chunk and its entry in the footer.
type chunkWriter struct {
	file  *file
	pages parquetfile.PageWriter
	meta  *metadata.ColumnChunkMetaDataBuilder

	compressed, raw int64 // with page headers
}

func (w *chunkWriter) column(c *column) error {
	info := metadata.ChunkMetaInfo{NumValues: c.total, IndexPageOffset: -1}
	stats := metadata.EncodingStats{DataEncodingStats: map[parquet.Encoding]int32{}}
	if c.words.used {
		info.DictPageOffset = w.file.pos
		stats.DictEncodingStats = map[parquet.Encoding]int32{parquet.Encodings.PlainDict: 1}
		if err := w.dictionaryPage(&c.words, c.codec, c.mem.buffers); err != nil {
			return err
		}
	}
	info.DataPageOffset = w.file.pos
	for _, p := range c.pages {
		encoding := parquet.Encodings.Plain
		if p.numbered {
			encoding = parquet.Encodings.PlainDict
		}
		stats.DataEncodingStats[encoding]++
		if err := w.dataPage(p, encoding); err != nil {
			return err
		}
	}
	w.meta.SetStats(c.statistics())
	return w.finish(info, stats)
}

// dictionaryPage writes it compressed, with a header of our own: arrow's page writer would take the compressed bytes for the values.
//
//	PageHeader, Thrift compact: 1 type = 2 (dictionary) | 2 uncompressed size | 3 compressed size | 7 { 1 values | 2 encoding = 2 (PLAIN_DICTIONARY) }
func (w *chunkWriter) dictionaryPage(d *dictionary, codec *codec, b *buffers) error {
	body := codec.compress(b.get(codec.bound(len(d.plain))), d.plain)
	defer b.put(body)
	head := make([]byte, 0, 32)
	head = append(head, 0x15, 2<<1)
	head = binary.AppendVarint(append(head, 0x15), int64(len(d.plain)))
	head = binary.AppendVarint(append(head, 0x15), int64(len(body)))
	head = binary.AppendVarint(append(head, 0x4c, 0x15), int64(len(d.at)))
	head = append(head, 0x15, 2<<1, tStop, tStop)
	for _, p := range [][]byte{head, body} {
		if _, err := w.file.Write(p); err != nil {
			return err
		}
	}
	w.compressed += int64(len(head) + len(body))
	w.raw += int64(len(head) + len(d.plain))
	return nil
}

// constant writes a chunk whose rows all have one value: a dictionary of it, and one run of its index.
func (w *chunkWriter) constant(rows int, v constant) error {
	start := w.file.pos
	dict := parquetfile.NewDictionaryPage(memory.NewBufferBytes(v.plain), 1, parquet.Encodings.PlainDict)
	n, err := w.pages.WriteDictionaryPage(dict)
	dict.Release()
	if err != nil {
		return err
	}
	w.compressed, w.raw = n, n
	data := w.file.pos
	body := appendConstantIndex(nil, rows)
	if err := w.dataPage(page{data: body, values: rows, uncompressed: len(body)}, parquet.Encodings.PlainDict); err != nil {
		return err
	}
	stats := metadata.EncodedStatistics{Signed: v.signed}
	w.meta.SetStats(*stats.SetMin(v.stat).SetMax(v.stat).SetNullCount(0))
	return w.finish(metadata.ChunkMetaInfo{NumValues: int64(rows), DictPageOffset: start, DataPageOffset: data, IndexPageOffset: -1}, metadata.EncodingStats{
		DictEncodingStats: map[parquet.Encoding]int32{parquet.Encodings.PlainDict: 1},
		DataEncodingStats: map[parquet.Encoding]int32{parquet.Encodings.PlainDict: 1},
	})
}

func (w *chunkWriter) dataPage(p page, encoding parquet.Encoding) error {
	rle := parquet.Encodings.RLE
	dp := parquetfile.NewDataPageV1WithStats(memory.NewBufferBytes(p.data), int32(p.values), encoding, rle, rle, int32(p.uncompressed), metadata.EncodedStatistics{})
	n, err := w.pages.WriteDataPage(dp)
	dp.Release()
	w.compressed += n
	w.raw += n - int64(len(p.data)) + int64(p.uncompressed)
	return err
}

func (w *chunkWriter) finish(info metadata.ChunkMetaInfo, stats metadata.EncodingStats) error {
	info.CompressedSize, info.UncompressedSize = w.compressed, w.raw
	fallback := stats.DataEncodingStats[parquet.Encodings.PlainDict] > 0 && stats.DataEncodingStats[parquet.Encodings.Plain] > 0
	if err := w.meta.Finish(info, info.DictPageOffset > 0, fallback, stats, nil); err != nil {
		return fmt.Errorf("finish column chunk: %w", err)
	}
	w.meta.Contents().FileOffset = 0 // no copy of the metadata follows the chunk
	return nil
}

// statistics is what the footer tells of the chunk.
func (c *column) statistics() metadata.EncodedStatistics {
	var s metadata.EncodedStatistics
	s.SetNullCount(c.nulls)
	switch {
	case !c.ranged:
	case c.leaf.stats == int64Range:
		s.Signed = true
		s.SetMin(eight(uint64(c.minI))).SetMax(eight(uint64(c.maxI)))
	case c.leaf.stats == int32Range:
		s.Signed = true
		s.SetMin(four(uint32(c.minI))).SetMax(four(uint32(c.maxI)))
	case c.leaf.stats == doubleRange:
		s.Signed = true
		s.SetMin(eight(math.Float64bits(below(c.minF)))).SetMax(eight(math.Float64bits(above(c.maxF))))
	case c.leaf.stats == floatRange:
		s.Signed = true
		s.SetMin(four(math.Float32bits(float32(below(c.minF))))).SetMax(four(math.Float32bits(float32(above(c.maxF)))))
	case c.leaf.stats == byteRange:
		s.SetMin(append([]byte(nil), c.min...)).SetMax(append([]byte(nil), c.max...))
	}
	return s
}

// below and above are parquet.thrift's rule for zeros, since -0 and +0 are equal and sort differently.
func below(v float64) float64 {
	if v == 0 {
		return math.Copysign(0, -1)
	}
	return v
}

func above(v float64) float64 {
	if v == 0 {
		return 0
	}
	return v
}

func four(v uint32) []byte  { return binary.LittleEndian.AppendUint32(nil, v) }
func eight(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }

// constant is the value of a column that has one value in a file.
type constant struct {
	plain  []byte // as in a dictionary page
	stat   []byte // as in statistics
	signed bool
}
