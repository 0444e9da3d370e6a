package parquetfile

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/parquet"
	pqfile "github.com/apache/arrow/go/v15/parquet/file"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/ingest"
)

// ReadDeadLetters visits the events of a file of dead letters in their order, each with why it was refused. Both are the visitor's to keep; its error ends the
// reading. It holds the open pages, and no more.
func ReadDeadLetters(r io.ReaderAt, size int64, visit func(*ingest.Event, *formats.RecordError) error) (err error) {
	pr, err := pqfile.NewParquetReader(io.NewSectionReader(r, 0, size))
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	defer func() {
		if cerr := pr.Close(); err == nil {
			err = cerr
		}
	}()
	if n := pr.MetaData().Schema.NumColumns(); n != len(rawLeaves(true)) {
		return fmt.Errorf("read dead letters: the file has %d columns instead of %d: it is none of dead letters", n, len(rawLeaves(true)))
	}
	for i := range pr.NumRowGroups() {
		if err := readLetters(pr.RowGroup(i), visit); err != nil {
			return fmt.Errorf("read dead letters: row group %d: %w", i, err)
		}
	}
	return nil
}

func readLetters(g *pqfile.RowGroupReader, visit func(*ingest.Event, *formats.RecordError) error) error {
	var text [detailColumn + 1]*cursor[parquet.ByteArray]
	for _, i := range []int{keyColumn, bodyColumn, headerKeyColumn, headerValueColumn, reasonColumn, pathColumn, detailColumn} {
		c, err := newCursor[parquet.ByteArray](g, i)
		if err != nil {
			return err
		}
		text[i] = c
	}
	times, err := newCursor[int64](g, timestampColumn)
	if err != nil {
		return err
	}
	offsets, err := newCursor[int64](g, offsetColumn)
	if err != nil {
		return err
	}
	for range g.NumRows() {
		e, why := &ingest.Event{}, &formats.RecordError{}
		e.Key, e.Body = bytesOf(text[keyColumn], 1), bytesOf(text[bodyColumn], 1)
		e.Headers = headersOf(text[headerKeyColumn], text[headerValueColumn])
		e.Timestamp, _ = times.next()
		offset, _ := offsets.next()
		e.Offset = ingest.Offset(offset)
		why.Code, why.Path, why.Detail = string(bytesOf(text[reasonColumn], 1)), string(bytesOf(text[pathColumn], 1)), string(bytesOf(text[detailColumn], 1))
		failed := []error{times.err, offsets.err}
		for _, c := range text {
			if c != nil {
				failed = append(failed, c.err)
			}
		}
		if err := errors.Join(failed...); err != nil {
			return err
		}
		if err := visit(e, why); err != nil {
			return err
		}
	}
	return nil
}

func headersOf(keys, values *cursor[parquet.ByteArray]) (all ingest.Headers) {
	for first := true; first || keys.repeats(); first = false {
		key, def := keys.next()
		h := ingest.Header{Key: string(key), Value: bytesOf(values, 2)}
		if def > 0 {
			all = append(all, h)
		}
	}
	return all
}

// bytesOf is the next value, as a copy: arrow uses its page again. nil: its definition level is lower.
func bytesOf(c *cursor[parquet.ByteArray], there int16) []byte {
	v, def := c.next()
	if def < there {
		return nil
	}
	return append([]byte{}, v...)
}

// cursor reads a column chunk value by value. The first error stays.
type cursor[T any] struct {
	batch     func(n int64, values []T, def, rep []int16) (int64, int, error)
	most      int16 // definition level of a value that is there; 0: all are
	values    []T   // that are there, of those with levels
	def, rep  []int16
	at, value int // next level, next value
	levels    int
	err       error
}

const cursorRows = 256

func newCursor[T any](g *pqfile.RowGroupReader, i int) (*cursor[T], error) {
	r, err := g.Column(i)
	if err != nil {
		return nil, fmt.Errorf("column %d: %w", i, err)
	}
	typed, ok := r.(interface {
		ReadBatch(n int64, values []T, def, rep []int16) (int64, int, error)
	})
	if !ok {
		return nil, fmt.Errorf("column %d: it has values of another type", i)
	}
	return &cursor[T]{
		batch: typed.ReadBatch, most: r.Descriptor().MaxDefinitionLevel(),
		values: make([]T, cursorRows), def: make([]int16, cursorRows), rep: make([]int16, cursorRows),
	}, nil
}

// fill reads levels when none are left; false: the chunk is at its end.
func (c *cursor[T]) fill() bool {
	if c.err != nil || c.at < c.levels {
		return c.err == nil
	}
	n, _, err := c.batch(cursorRows, c.values, c.def, c.rep)
	c.at, c.value, c.levels = 0, 0, int(n)
	c.err = err
	return err == nil && n > 0
}

// next returns a value and its definition level; the value means something if the level says that it is there.
func (c *cursor[T]) next() (v T, def int16) {
	if !c.fill() {
		if c.err == nil {
			c.err = io.ErrUnexpectedEOF
		}
		return v, 0
	}
	if c.most > 0 {
		def = c.def[c.at]
	}
	c.at++
	if def == c.most {
		v = c.values[c.value]
		c.value++
	}
	return v, def
}

// repeats reports whether the next value belongs to the same row.
func (c *cursor[T]) repeats() bool { return c.fill() && c.rep[c.at] > 0 }
