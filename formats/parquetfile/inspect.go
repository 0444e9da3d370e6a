package parquetfile

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/penstock-io/penstock/formats"
)

// Inspect implements formats.Format. It reads the two magic numbers and the footer, and accepts a file whose row groups
// tile it: each column chunk starts where the one before ends, the first behind the magic number, the last at the footer. So no
// truncated file passes, nor one with a hole or with something in front. Values are not read. What it allocates is bounded by
// the length of the footer, which must lie inside the file. Files with other columns are as good: a configuration changes, its older files stay.
func (f *Format) Inspect(r io.ReaderAt, size int64) (formats.Info, error) {
	const ends = 2*len(magic) + 4
	if size < int64(ends) {
		return formats.Info{}, fmt.Errorf("inspect parquet: the file has %d bytes; the shortest has %d", size, ends)
	}
	var head [4]byte
	var tail [8]byte
	if err := readAt(r, head[:], 0); err != nil {
		return formats.Info{}, fmt.Errorf("inspect parquet: read the start: %w", err)
	}
	if err := readAt(r, tail[:], size-8); err != nil {
		return formats.Info{}, fmt.Errorf("inspect parquet: read the end: %w", err)
	}
	if string(head[:]) != magic || string(tail[4:]) != magic {
		return formats.Info{}, fmt.Errorf("inspect parquet: the file does not begin and end with %s: it was not closed, or it is no Parquet", magic)
	}
	length := int64(binary.LittleEndian.Uint32(tail[:4]))
	start := size - 8 - length
	if start < int64(len(magic)) {
		return formats.Info{}, fmt.Errorf("inspect parquet: the footer claims %d bytes of a file of %d", length, size)
	}
	raw := make([]byte, length)
	if err := readAt(r, raw, start); err != nil {
		return formats.Info{}, fmt.Errorf("inspect parquet: read the footer: %w", err)
	}
	m, err := parseFooter(raw)
	if err != nil {
		return formats.Info{}, fmt.Errorf("inspect parquet: footer of %d bytes: %w", length, err)
	}
	if err := m.tiles(int64(len(magic)), start); err != nil {
		return formats.Info{}, fmt.Errorf("inspect parquet: %w", err)
	}
	return formats.Info{Rows: m.rows, Metadata: m.metadata}, nil
}

// readAt fills p; io.EOF with all bytes read is no error, and one before is.
func readAt(r io.ReaderAt, p []byte, at int64) error {
	n, err := r.ReadAt(p, at)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// footer is what Inspect needs of a FileMetaData.
type footer struct {
	rows     int64
	leaves   int // columns, by the file's own schema: files of other schemas are as good
	groups   []rowGroup
	metadata map[string]string
}

type rowGroup struct {
	rows   int64
	chunks []chunk
}

type chunk struct {
	values     int64
	size       int64
	data       int64
	dictionary int64 // 0: none
}

func (c chunk) start() int64 {
	if c.dictionary > 0 {
		return c.dictionary
	}
	return c.data
}

// tiles checks that the chunks of all row groups cover [from, to) without gap or overlap, and that the rows add up.
func (m *footer) tiles(from, to int64) error {
	at, rows := from, int64(0)
	for g, group := range m.groups {
		if len(group.chunks) != m.leaves {
			return fmt.Errorf("row group %d has %d column chunks, and the schema has %d columns", g, len(group.chunks), m.leaves)
		}
		if group.rows <= 0 || group.rows > m.rows-rows {
			return fmt.Errorf("row group %d has %d rows; the file has %d, of which %d came before", g, group.rows, m.rows, rows)
		}
		for c, chunk := range group.chunks {
			if chunk.start() != at || chunk.size <= 0 || chunk.size > to-at {
				return fmt.Errorf("column chunk %d of row group %d covers [%d, +%d) and should begin at %d and end before the footer at %d",
					c, g, chunk.start(), chunk.size, at, to)
			}
			if chunk.data < chunk.start() || chunk.data >= at+chunk.size || chunk.values < group.rows {
				return fmt.Errorf("column chunk %d of row group %d: first data page at %d outside of it, or %d values for %d rows", c, g, chunk.data, chunk.values, group.rows)
			}
			at += chunk.size
		}
		rows += group.rows
	}
	if at != to || rows != m.rows {
		return fmt.Errorf("row groups end at %d with %d rows; the footer begins at %d and counts %d", at, rows, to, m.rows)
	}
	return nil
}
