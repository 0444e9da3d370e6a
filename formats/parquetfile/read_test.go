package parquetfile_test

import (
	"fmt"
	"testing"

	"github.com/xitongsys/parquet-go-source/buffer"
	"github.com/xitongsys/parquet-go/reader"

	"github.com/penstock-io/penstock/ingest"
)

// row is what an independent reader found in one row.
type row struct {
	ingest.Event
	Partition              ingest.Partition
	Reason, Where, Explain string // of dead letters
}

// levelled is one column as it lies in the file.
type levelled struct {
	values   []any
	rep, def []int32
}

// readBack reads a file by xitongsys/parquet-go, which shares no code with the writer, and puts the rows together from the columns'
// levels: its own assembly of maps would lose repeated keys.
func readBack(t testing.TB, data []byte) []row {
	t.Helper()
	pr, err := reader.NewParquetColumnReader(buffer.NewBufferFileFromBytesNoAlloc(data), 1)
	if err != nil {
		t.Fatalf("independent reader: %v", err)
	}
	defer pr.ReadStop()
	n := pr.GetNumRows()
	if n == 0 {
		return nil
	}
	columns := make([]levelled, len(pr.SchemaHandler.ValueColumns))
	for i := range columns {
		var values int64
		for _, g := range pr.Footer.RowGroups {
			values += g.Columns[i].MetaData.NumValues
		}
		c := &columns[i]
		if c.values, c.rep, c.def, err = pr.ReadColumnByIndex(int64(i), n); err != nil {
			t.Fatalf("independent reader: column %d: %v", i, err)
		}
		if int64(len(c.values)) != values {
			t.Fatalf("independent reader: column %d has %d values, its chunks say %d", i, len(c.values), values)
		}
	}
	rows, err := assemble(columns, int(n))
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func assemble(columns []levelled, n int) ([]row, error) {
	rows := make([]row, n)
	for i := range rows {
		r := &rows[i]
		r.Key, r.Body = columns[0].bytes(i, 1), columns[1].bytes(i, 1)
		r.Timestamp = columns[4].values[i].(int64)
		r.Partition = ingest.Partition{Topic: columns[5].values[i].(string), ID: columns[6].values[i].(int32)}
		r.Offset = ingest.Offset(columns[7].values[i].(int64))
		if len(columns) > 8 {
			r.Reason, r.Where, r.Explain = string(columns[8].bytes(i, 1)), string(columns[9].bytes(i, 1)), string(columns[10].bytes(i, 1))
		}
	}
	keys, values := columns[2], columns[3]
	at := -1
	for i := range keys.values {
		if keys.rep[i] == 0 {
			at++
		}
		if keys.rep[i] != values.rep[i] || at < 0 || at >= n || (keys.def[i] == 0) != (values.def[i] == 0) {
			return nil, fmt.Errorf("headers: entry %d has levels %d/%d and %d/%d", i, keys.rep[i], keys.def[i], values.rep[i], values.def[i])
		}
		if keys.def[i] == 1 {
			rows[at].Headers = append(rows[at].Headers, ingest.Header{Key: keys.values[i].(string), Value: values.bytes(i, 2)})
		}
	}
	if at != n-1 {
		return nil, fmt.Errorf("headers of %d rows, want %d", at+1, n)
	}
	return rows, nil
}

// bytes is nil unless the value is there.
func (c levelled) bytes(i int, there int32) []byte {
	if c.def[i] < there {
		return nil
	}
	return append([]byte{}, c.values[i].(string)...)
}
