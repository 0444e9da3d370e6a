package parquetfile

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/ingest"
)

// maxRows bounds a row group whatever its bytes: readers hold one value's worth of state for each row.
const maxRows = 1 << 20

var errDone = errors.New("write parquet: the encoder is closed or abandoned")

// encoder implements formats.Encoder: a row source over columns over a file.
type encoder struct {
	format  *Format
	part    ingest.Partition
	mem     holding
	columns []column
	file    file
	rows    int   // in the open row group
	err     error // final: the first error of the writer, or errDone
}

var _ formats.DeadLetterEncoder = (*deadLetterEncoder)(nil)

func newEncoder(f *Format, w io.Writer, part ingest.Partition) *encoder {
	e := &encoder{format: f, part: part, columns: make([]column, len(f.leaves)), file: file{layout: f.layout, w: w}}
	e.mem.buffers = &f.buffers
	for i, l := range f.leaves {
		e.columns[i] = column{leaf: l, mem: &e.mem, codec: f.codec, pageSize: f.pageSize}
	}
	return e
}

// Append implements formats.Encoder.
func (e *encoder) Append(ev *ingest.Event) error {
	if e.err != nil {
		return e.err
	}
	if e.format.typed != nil {
		finished, err := e.format.typed.put(e.columns, ev)
		if err != nil {
			return e.failed(err)
		}
		return e.endRow(finished)
	}
	raw := rawRow{ev}
	if refused := raw.check(); refused != nil {
		return refused
	}
	return e.endRow(raw.put(e.columns))
}

// failed keeps an error that is not about one event.
func (e *encoder) failed(err error) error {
	if _, refused := errors.AsType[*formats.RecordError](err); !refused {
		e.err = fmt.Errorf("write parquet: %w", err)
		return e.err
	}
	return err
}

// endRow ends a row; when a page was finished by it, the row group may have become large enough.
func (e *encoder) endRow(pageFinished bool) error {
	e.rows++
	if e.rows >= maxRows || (pageFinished && e.pagesSize() >= e.format.rowGroupSize) {
		return e.Flush()
	}
	return nil
}

func (e *encoder) pagesSize() (n int64) {
	for i := range e.columns {
		n += e.columns[i].compressed
	}
	return n
}

// Buffered implements formats.Encoder.
func (e *encoder) Buffered() int64 { return e.mem.bytes }

// Size implements formats.Encoder: pages that are still open are taken to shrink as those before them did.
func (e *encoder) Size() int64 {
	const (
		pageHeader = 40
		chunkEntry = 130 // of the footer
	)
	size, open := e.file.pos, int64(0)
	for i := range e.columns {
		c := &e.columns[i]
		size += c.compressed + int64(len(c.pages))*pageHeader
		open += int64(len(c.words.plain)+len(c.values)) + int64(len(c.def)+len(c.rep))/8
	}
	num, den := e.format.shrinkage()
	size += open * num / den
	if e.rows > 0 {
		size += int64(len(e.columns)) * pageHeader
	}
	return size + int64(e.file.groups+1)*int64(len(e.columns))*chunkEntry + 600
}

// Flush implements formats.Encoder: one row group.
func (e *encoder) Flush() error {
	if e.err != nil {
		return e.err
	}
	if e.rows == 0 {
		return nil
	}
	for i := range e.columns {
		e.columns[i].finishPage()
	}
	e.format.observe(e.columns)
	err := e.file.rowGroup(e.columns, e.rows, e.constant, &e.format.buffers)
	e.release()
	e.err = err
	return err
}

// Close implements formats.Encoder.
func (e *encoder) Close(meta map[string]string) error {
	if err := e.Flush(); err != nil {
		return err
	}
	if e.format.typed != nil {
		meta = e.format.typed.metadata(meta)
	}
	keys := slices.Sorted(maps.Keys(meta))
	if err := e.file.footer(keys, meta, &e.format.buffers); err != nil {
		e.err = err
		return err
	}
	e.Abandon()
	return nil
}

// Abandon implements formats.Encoder.
func (e *encoder) Abandon() {
	e.release()
	e.file.meta = nil
	if e.err == nil {
		e.err = errDone
	}
}

func (e *encoder) release() {
	e.rows = 0
	for i := range e.columns {
		e.columns[i].reset()
	}
}

// constant gives the value of a column that has one in the file.
func (e *encoder) constant(which constancy) constant {
	if which == theTopic {
		t := []byte(e.part.Topic)
		return constant{plain: append(four(uint32(len(t))), t...), stat: t}
	}
	id := four(uint32(e.part.ID))
	return constant{plain: id, stat: id, signed: true}
}
