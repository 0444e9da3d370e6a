package oracle

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/xitongsys/parquet-go-source/buffer"
	"github.com/xitongsys/parquet-go/reader"
)

// Glob is **/*.parquet below dir: every such name, those beginning with a dot or an underscore too, for that is what plain
// readers find. Sorted.
func Glob(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(name, ".parquet") {
			files = append(files, name)
		}
		return err
	})
	return files, err
}

// ReadFiles reads the Parquet files below dir with xitongsys/parquet-go. A file that cannot be read is an error.
func ReadFiles(ctx context.Context, dir string, yield func(Row) error) error {
	files, err := Glob(dir)
	if err != nil {
		return err
	}
	for _, name := range files {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := ReadFile(name, data, yield); err != nil {
			return err
		}
	}
	return nil
}

// ReadFile yields the rows of one file of the raw schema.
func ReadFile(name string, data []byte, yield func(Row) error) (err error) {
	// The library panics on files that it does not like.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s is no Parquet file that can be read: %v", name, p)
		}
	}()
	pr, err := reader.NewParquetColumnReader(buffer.NewBufferFileFromBytesNoAlloc(data), 1)
	if err != nil {
		return fmt.Errorf("%s is no Parquet file that can be read: %w", name, err)
	}
	defer pr.ReadStop()
	n := pr.GetNumRows()
	columns := map[string][]any{}
	for _, c := range []string{"body", "topic", "partition", "offset"} {
		// The library counts the root of the schema in.
		values, _, _, err := pr.ReadColumnByPath(pr.SchemaHandler.GetRootExName()+"\x01"+c, n)
		if err != nil {
			return fmt.Errorf("%s: column %s: %w", name, c, err)
		}
		if int64(len(values)) != n {
			return fmt.Errorf("%s: column %s has %d values, the file has %d rows", name, c, len(values), n)
		}
		columns[c] = values
	}
	for i := range columns["body"] {
		r := Row{File: name}
		body, _ := columns["body"][i].(string) // null is empty here
		r.Body = []byte(body)
		var topic, partition, offset bool
		r.Topic, topic = columns["topic"][i].(string)
		r.Partition, partition = columns["partition"][i].(int32)
		r.Offset, offset = columns["offset"][i].(int64)
		if !topic || !partition || !offset {
			return fmt.Errorf("%s: row %d: topic, partition or offset is not there", name, i)
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

// Footer checks that data is a whole Parquet file, without reading its rows, and returns how many it says it has.
func Footer(name string, data []byte) (rows int64, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s has no footer that can be read: %v", name, p)
		}
	}()
	const magic = "PAR1"
	if len(data) < 12 || string(data[:4]) != magic || string(data[len(data)-4:]) != magic {
		return 0, fmt.Errorf("%s does not begin and end with %s (%d bytes)", name, magic, len(data))
	}
	pr, err := reader.NewParquetColumnReader(buffer.NewBufferFileFromBytesNoAlloc(data), 1)
	if err != nil {
		return 0, fmt.Errorf("%s has no footer that can be read: %w", name, err)
	}
	defer pr.ReadStop()
	for i, g := range pr.Footer.RowGroups {
		for _, c := range g.Columns {
			if end := c.MetaData.DataPageOffset + c.MetaData.TotalCompressedSize; end > int64(len(data)) {
				return 0, fmt.Errorf("%s: row group %d ends beyond the file", name, i)
			}
		}
	}
	return pr.GetNumRows(), nil
}
