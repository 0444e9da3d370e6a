package parquetfile

import (
	"bytes"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/parquet"
	pqfile "github.com/apache/arrow/go/v15/parquet/file"

	"github.com/penstock-io/penstock/ingest"
)

// Head reads the first n events of a file of raw columns, without their headers: for people who want to look. They come from the first
// row group alone.
func Head(r io.ReaderAt, size int64, n int64) (events []ingest.Event, err error) {
	pr, err := pqfile.NewParquetReader(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, fmt.Errorf("read parquet: %w", err)
	}
	defer func() {
		if cerr := pr.Close(); err == nil {
			err = cerr
		}
	}()
	if pr.NumRowGroups() == 0 {
		return nil, nil
	}
	g := pr.RowGroup(0)
	n = min(n, g.NumRows())
	events = make([]ingest.Event, n)
	if err := headBytes(g, keyColumn, n, func(i int, b []byte) { events[i].Key = b }); err != nil {
		return nil, err
	}
	if err := headBytes(g, bodyColumn, n, func(i int, b []byte) { events[i].Body = b }); err != nil {
		return nil, err
	}
	if err := headInts(g, timestampColumn, n, func(i int, v int64) { events[i].Timestamp = v }); err != nil {
		return nil, err
	}
	return events, headInts(g, offsetColumn, n, func(i int, v int64) { events[i].Offset = ingest.Offset(v) })
}

func headBytes(g *pqfile.RowGroupReader, column int, n int64, set func(int, []byte)) error {
	c, err := g.Column(column)
	if err != nil {
		return fmt.Errorf("read column %d: %w", column, err)
	}
	r, ok := c.(*pqfile.ByteArrayColumnChunkReader)
	if !ok {
		return fmt.Errorf("read column %d: it holds no byte arrays", column)
	}
	values, defined := make([]parquet.ByteArray, n), make([]int16, n)
	for row := int64(0); row < n; {
		total, read, err := r.ReadBatch(n-row, values, defined, nil)
		if err != nil || total == 0 {
			return fmt.Errorf("read column %d at row %d of %d: %w", column, row, n, noProgress(err))
		}
		for i, v := 0, values[:read]; i < int(total); i++ {
			if defined[i] > 0 {
				set(int(row)+i, bytes.Clone(v[0])) // the reader reuses its page
				v = v[1:]
			}
		}
		row += total
	}
	return nil
}

func headInts(g *pqfile.RowGroupReader, column int, n int64, set func(int, int64)) error {
	c, err := g.Column(column)
	if err != nil {
		return fmt.Errorf("read column %d: %w", column, err)
	}
	r, ok := c.(*pqfile.Int64ColumnChunkReader)
	if !ok {
		return fmt.Errorf("read column %d: it holds no 64-bit integers", column)
	}
	values := make([]int64, n)
	for row := int64(0); row < n; {
		total, read, err := r.ReadBatch(n-row, values, nil, nil)
		if err != nil || read == 0 {
			return fmt.Errorf("read column %d at row %d of %d: %w", column, row, n, noProgress(err))
		}
		for i, v := range values[:read] {
			set(int(row)+i, v)
		}
		row += total
	}
	return nil
}

func noProgress(err error) error {
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}
