package parquetfile_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"runtime"
	"testing"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/metadata"

	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/ingest"
)

// sample is a small file with three row groups and metadata.
func sample(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	enc, err := newFormat(t, nil).NewEncoder(&out, formatstest.Clicks())
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range formatstest.Realistic(9) {
		if err := enc.Append(&e); err != nil {
			t.Fatal(err)
		}
		if i%3 == 2 {
			if err := enc.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := enc.Close(map[string]string{"penstock.sink": "lake"}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// split takes a file apart: what is before the footer, and the footer as arrow reads it.
func split(t testing.TB, data []byte) ([]byte, *metadata.FileMetaData) {
	t.Helper()
	n := len(data)
	start := n - 8 - int(binary.LittleEndian.Uint32(data[n-8:]))
	m, err := metadata.NewFileMetaData(data[start:n-8], nil)
	if err != nil {
		t.Fatal(err)
	}
	return data[:start:start], m
}

// join is the opposite of split.
func join(t testing.TB, body []byte, m *metadata.FileMetaData) []byte {
	t.Helper()
	footer, err := m.Serialize(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data := append(append([]byte{}, body...), footer...)
	return append(binary.LittleEndian.AppendUint32(data, uint32(len(footer))), "PAR1"...)
}

// TestInspectFindsPlantedFaults edits footers with arrow's own structures, so that everything but the planted fault is right.
func TestInspectFindsPlantedFaults(t *testing.T) {
	f := newFormat(t, nil)
	inspect := func(data []byte) error {
		_, err := f.Inspect(bytes.NewReader(data), int64(len(data)))
		return err
	}
	body, m := split(t, sample(t))
	if err := inspect(join(t, body, m)); err != nil {
		t.Fatalf("taken apart and put together again: %v", err)
	}
	for name, plant := range map[string]func(body []byte, m *metadata.FileMetaData) []byte{
		"a row group less": func(body []byte, m *metadata.FileMetaData) []byte {
			m.RowGroups = m.RowGroups[:2]
			m.NumRows = 6
			return body
		},
		"first row group missing": func(body []byte, m *metadata.FileMetaData) []byte {
			m.RowGroups = m.RowGroups[1:]
			m.NumRows = 6
			return body
		},
		"a row group twice": func(body []byte, m *metadata.FileMetaData) []byte {
			m.RowGroups = append(m.RowGroups, m.RowGroups[2])
			m.NumRows = 12
			return body
		},
		"rows that do not add up": func(body []byte, m *metadata.FileMetaData) []byte { m.NumRows++; return body },
		"negative rows":           func(body []byte, m *metadata.FileMetaData) []byte { m.NumRows = -9; return body },
		"rows of a group negative": func(body []byte, m *metadata.FileMetaData) []byte {
			m.RowGroups[0].NumRows, m.RowGroups[1].NumRows = -1, 7
			return body
		},
		"a column less": func(body []byte, m *metadata.FileMetaData) []byte {
			m.RowGroups[1].Columns = m.RowGroups[1].Columns[:7]
			return body
		},
		"a chunk too long": func(body []byte, m *metadata.FileMetaData) []byte {
			m.RowGroups[1].Columns[1].MetaData.TotalCompressedSize++
			return body
		},
		"a chunk of enormous length": func(body []byte, m *metadata.FileMetaData) []byte {
			m.RowGroups[1].Columns[1].MetaData.TotalCompressedSize = math.MaxInt64
			return body
		},
		"a chunk elsewhere": func(body []byte, m *metadata.FileMetaData) []byte {
			m.RowGroups[2].Columns[0].MetaData.DataPageOffset--
			return body
		},
		"data page before its dictionary": func(body []byte, m *metadata.FileMetaData) []byte {
			m.RowGroups[0].Columns[5].MetaData.DataPageOffset = 4
			return body
		},
		"fewer values than rows": func(body []byte, m *metadata.FileMetaData) []byte {
			m.RowGroups[0].Columns[0].MetaData.NumValues = 2
			return body
		},
		"a hole before the footer": func(body []byte, _ *metadata.FileMetaData) []byte { return append(body, 0) },
		"something in front": func(body []byte, _ *metadata.FileMetaData) []byte {
			return append([]byte("PAR1PAR1"), body[4:]...)
		},
		"no magic number at the start": func(body []byte, _ *metadata.FileMetaData) []byte {
			return append([]byte("PARE"), body[4:]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			body, m := split(t, sample(t))
			if inspect(join(t, plant(body, m), m)) == nil {
				t.Error("passes")
			}
		})
	}
}

// TestFooterIsBounded: lengths that the file declares allocate nothing beyond the file.
func TestFooterIsBounded(t *testing.T) {
	f := newFormat(t, nil)
	end := func(footer []byte, declared uint32) []byte {
		data := append([]byte("PAR1"), footer...)
		return append(binary.LittleEndian.AppendUint32(data, declared), "PAR1"...)
	}
	huge := binary.AppendUvarint(nil, math.MaxInt64)
	deep := bytes.Repeat([]byte{0x1c}, 100_000)
	files := map[string][]byte{
		"length of the footer":    end(nil, math.MaxUint32),
		"length before the start": end([]byte{0}, 2),
		"row groups":              end(append([]byte{0x49, 0xfc}, huge...), uint32(2+len(huge))),
		"metadata":                end(append([]byte{0x59, 0xfc}, huge...), uint32(2+len(huge))),
		"a string":                end(append([]byte{0x68}, huge...), uint32(1+len(huge))),
		"depth":                   end(deep, uint32(len(deep))),
		"a list of empty groups":  end(append([]byte{0x49, 0xfc, 0x90, 0x4e}, make([]byte, 10_000)...), 10_004),
		"a map":                   end([]byte{0x6b, 0x00, 0x00}, 3),
	}
	for name, data := range files {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := f.Inspect(bytes.NewReader(data), int64(len(data)))
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("passes")
			}
			if grew := after.TotalAlloc - before.TotalAlloc; grew > uint64(2*len(data))+64<<10 {
				t.Errorf("a file of %d bytes made Inspect allocate %d", len(data), grew)
			}
		})
	}
}

// TestArrowAgreesWithInspect: the footer that Inspect walks by itself is the one that arrow reads.
func TestArrowAgreesWithInspect(t *testing.T) {
	data := sample(t)
	r, err := file.NewParquetReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	info, err := newFormat(t, nil).Inspect(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if r.NumRows() != info.Rows || r.NumRowGroups() != 3 || *r.MetaData().KeyValueMetadata().FindValue("penstock.sink") != info.Metadata["penstock.sink"] {
		t.Errorf("arrow sees %d rows in %d groups; Inspect %+v", r.NumRows(), r.NumRowGroups(), info)
	}
	const want = "penstock version 0.0.0 (build arrow-go-15.0.2)"
	if got := r.MetaData().GetCreatedBy(); got != want {
		t.Errorf("created_by is %q; want %q", got, want)
	}
}

// TestStatistics: what prunes row groups is right, and bodies leave nothing in footers.
func TestStatistics(t *testing.T) {
	events := []ingest.Event{
		{Offset: 10, Timestamp: -5, Key: []byte("m"), Body: []byte("secret body")},
		{Offset: 12, Timestamp: 7, Key: []byte("\xff"), Body: nil},
		{Offset: 15, Timestamp: 3, Key: nil, Body: []byte("z")},
		{Offset: 16, Timestamp: 4, Key: []byte("a"), Headers: ingest.Headers{{Key: "k"}, {Key: "k"}}},
	}
	data := formatstest.Subject{}.Write(t, newFormat(t, nil), events)
	_, m := split(t, data)
	number := func(v int64) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }
	for i, want := range []struct {
		min, max []byte
		nulls    int64
	}{
		0: {min: []byte("a"), max: []byte("\xff"), nulls: 1},
		1: {nulls: 2},
		2: {nulls: 3}, // missing for want of headers
		3: {nulls: 5}, // the same, and two null values
		4: {min: number(-5), max: number(7)},
		5: {min: []byte("clicks"), max: []byte("clicks")},
		6: {min: []byte{3, 0, 0, 0}, max: []byte{3, 0, 0, 0}},
		7: {min: number(10), max: number(16)},
	} {
		got := m.RowGroups[0].Columns[i].MetaData.Statistics
		if !bytes.Equal(got.MinValue, want.min) || !bytes.Equal(got.MaxValue, want.max) || got.GetNullCount() != want.nulls {
			t.Errorf("column %d: %q to %q, %d nulls; want %q to %q, %d", i, got.MinValue, got.MaxValue, got.GetNullCount(), want.min, want.max, want.nulls)
		}
	}
	if keys := m.RowGroups[0].Columns[0].MetaData.Statistics; keys.Min != nil {
		t.Error("the deprecated, signed statistics are set for bytes")
	}
	long := []ingest.Event{{Key: []byte("a")}, {Key: bytes.Repeat([]byte("b"), 2000)}, {Key: []byte("c")}}
	_, m = split(t, formatstest.Subject{}.Write(t, newFormat(t, nil), long))
	if s := m.RowGroups[0].Columns[0].MetaData.Statistics; s.MinValue != nil || s.MaxValue != nil {
		t.Error("a range that would need a key of 2000 bytes is in the footer")
	}
}

func TestSchemaAsWritten(t *testing.T) {
	_, m := split(t, sample(t))
	want := []struct {
		path           string
		kind           parquet.Type
		maxDef, maxRep int16
		logical        string
	}{
		{"key", parquet.Types.ByteArray, 1, 0, "None"},
		{"body", parquet.Types.ByteArray, 1, 0, "None"},
		{"headers.key_value.key", parquet.Types.ByteArray, 1, 1, "String"},
		{"headers.key_value.value", parquet.Types.ByteArray, 2, 1, "None"},
		{"timestamp", parquet.Types.Int64, 0, 0, "Timestamp(isAdjustedToUTC=true, timeUnit=milliseconds, is_from_converted_type=false, force_set_converted_type=false)"},
		{"topic", parquet.Types.ByteArray, 0, 0, "String"},
		{"partition", parquet.Types.Int32, 0, 0, "None"},
		{"offset", parquet.Types.Int64, 0, 0, "None"},
	}
	if m.Schema.NumColumns() != len(want) {
		t.Fatalf("%d columns; want %d", m.Schema.NumColumns(), len(want))
	}
	for i, w := range want {
		c := m.Schema.Column(i)
		if c.Path() != w.path || c.PhysicalType() != w.kind || c.MaxDefinitionLevel() != w.maxDef || c.MaxRepetitionLevel() != w.maxRep || c.LogicalType().String() != w.logical {
			t.Errorf("column %d is %s %s, levels %d/%d, %s", i, c.Path(), c.PhysicalType(), c.MaxDefinitionLevel(), c.MaxRepetitionLevel(), c.LogicalType())
		}
	}
}

func FuzzInspect(f *testing.F) {
	whole := sample(f)
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add(whole[len(whole)/2:])
	for at := 1; at < len(whole)/2; at += 13 { // all over the footer
		flipped := append([]byte{}, whole...)
		flipped[len(flipped)-at] ^= 1 << (at % 8)
		f.Add(flipped)
	}
	f.Add([]byte("PAR1\x00\x01\x00\x00\x00PAR1"))
	format := newFormat(f, nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		info, err := format.Inspect(bytes.NewReader(data), int64(len(data)))
		if err == nil && (info.Rows < 0 || info.Rows > 0 && len(data) < 100) {
			t.Errorf("%d rows in %d bytes", info.Rows, len(data))
		}
		// What passes stays within itself: without its last byte it does not.
		if err == nil {
			if _, err := format.Inspect(bytes.NewReader(data[:len(data)-1]), int64(len(data)-1)); err == nil {
				t.Error("passes without its last byte too")
			}
		}
	})
}
