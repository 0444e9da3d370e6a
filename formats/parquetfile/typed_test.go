package parquetfile_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/xitongsys/parquet-go-source/buffer"
	"github.com/xitongsys/parquet-go/reader"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/formatstest/typedevents"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/ingest"
)

// typedFormat is the format of a schema, and another decoder of it.
func typedFormat(t testing.TB, text []byte, change func(*parquetfile.Config)) (*parquetfile.Format, *schema.Schema, bodies.Decoder) {
	t.Helper()
	s, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	source, err := bodies.JSON(s, jsondecoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := parquetfile.DefaultConfig()
	if change != nil {
		change(&c)
	}
	f, err := parquetfile.NewTyped(c, source)
	if err != nil {
		t.Fatal(err)
	}
	return f, s, source.New()
}

// readColumns reads every column with its levels.
func readColumns(t *testing.T, data []byte) []levelled {
	t.Helper()
	pr, err := reader.NewParquetColumnReader(buffer.NewBufferFileFromBytesNoAlloc(data), 1)
	if err != nil {
		t.Fatalf("independent reader: %v", err)
	}
	defer pr.ReadStop()
	columns := make([]levelled, len(pr.SchemaHandler.ValueColumns))
	for i := range columns {
		c := &columns[i]
		if c.values, c.rep, c.def, err = pr.ReadColumnByIndex(int64(i), pr.GetNumRows()); err != nil {
			t.Fatalf("independent reader: column %d: %v", i, err)
		}
	}
	return columns
}

// plainValue is a cell as xitongsys returns it.
func plainValue(k schema.Kind, c schema.Cell) any {
	switch k {
	case schema.Boolean:
		return c.Int == 1
	case schema.Int, schema.Date, schema.TimeMillis:
		return int32(c.Int)
	case schema.Float:
		return math.Float32frombits(uint32(c.Int))
	case schema.Double:
		return math.Float64frombits(uint64(c.Int))
	case schema.Long, schema.TimeMicros, schema.TimestampMillis, schema.TimestampMicros, schema.TimestampNanos:
		return c.Int
	default:
		return string(c.Bytes)
	}
}

// TestTypedColumns: what the decoder makes of random events of random schemas is what another reader finds, value by value with its levels, over pages
// and row groups. That the decoder is right is tested where it is, and by other readers in integration/readers.
func TestTypedColumns(t *testing.T) {
	for seed := range uint64(12) {
		g := typedevents.New(seed)
		f, s, d := typedFormat(t, g.Schema(int(seed%4)), func(c *parquetfile.Config) { c.PageSize, c.RowGroupSize = 8*conf.KiB, conf.MiB })
		var file bytes.Buffer
		enc, err := f.NewEncoder(&file, formatstest.Clicks())
		if err != nil {
			t.Fatal(err)
		}
		const rows = 400
		want := make([]levelled, len(s.Leaves))
		for i := range rows {
			body := g.Event(s).JSON
			if err := enc.Append(&ingest.Event{Body: body, Offset: ingest.Offset(i), Timestamp: int64(7 * i)}); err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, body)
			}
			row, why := d.Decode(body)
			if why != nil {
				t.Fatal(why)
			}
			for i, cells := range row.Columns {
				for _, c := range cells {
					want[i].rep, want[i].def = append(want[i].rep, int32(c.Rep)), append(want[i].def, int32(c.Def))
					v := any(nil)
					if c.Def == s.Leaves[i].MaxDef {
						v = plainValue(s.Leaves[i].Type.Kind, c)
					}
					want[i].values = append(want[i].values, v)
				}
			}
			if i == rows/2 {
				if err := enc.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := enc.Close(map[string]string{"k": "v"}); err != nil {
			t.Fatal(err)
		}
		info, err := f.Inspect(bytes.NewReader(file.Bytes()), int64(file.Len()))
		if err != nil || info.Rows != rows || info.Metadata["k"] != "v" || info.Metadata["penstock.schema"] != string(s.Text) {
			t.Fatalf("seed %d: inspect: %+v, %v", seed, info, err)
		}
		got := readColumns(t, file.Bytes())
		if len(got) != len(want)+4 {
			t.Fatalf("seed %d: %d columns; want %d and 4", seed, len(got), len(want))
		}
		for i := range want {
			if !slices.Equal(got[i].values, want[i].values) || !slices.Equal(got[i].rep, want[i].rep) || !slices.Equal(got[i].def, want[i].def) {
				t.Errorf("seed %d: column %v differs", seed, s.Leaves[i].Path)
			}
		}
		origin := got[len(want):]
		if origin[0].values[rows-1] != int64(7*(rows-1)) || origin[1].values[0] != "clicks" || origin[2].values[0] != int32(3) || origin[3].values[rows-1] != int64(rows-1) {
			t.Errorf("seed %d: the columns of origin end with %v", seed, origin[3].values[rows-1])
		}
	}
}

// TestTypedRefusals: an event that does not fit leaves the file as it was.
func TestTypedRefusals(t *testing.T) {
	f, _, _ := typedFormat(t, []byte(`{"type":"record","name":"r","fields":[
		{"name":"a","type":"long"},{"name":"tags","type":{"type":"array","items":"string"}},{"name":"b","type":{"type":"record","name":"s","fields":[{"name":"c","type":"int"}]}}]}`), nil)
	good := &ingest.Event{Body: []byte(`{"a":1,"tags":["x","y"],"b":{"c":2}}`)}
	write := func(bad ...string) []byte {
		var file bytes.Buffer
		enc, err := f.NewEncoder(&file, formatstest.Clicks())
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			for _, b := range bad {
				var refused *formats.RecordError
				if err := enc.Append(&ingest.Event{Body: []byte(b)}); !errors.As(err, &refused) || refused.Code != "wrong_type" || refused.Path != "$.b.c" {
					t.Fatalf("%d: %s: %v", i, b, err)
				}
			}
			if err := enc.Append(good); err != nil {
				t.Fatal(err)
			}
		}
		if err := enc.Close(nil); err != nil {
			t.Fatal(err)
		}
		return file.Bytes()
	}
	if !bytes.Equal(write(), write(`{"a":5,"tags":["z"],"b":{"c":"no"}}`)) {
		t.Error("refused events have left something behind")
	}
}

// TestTypedStatistics: the footer's ranges hold every value, and none where a NaN-free order does not exist.
func TestTypedStatistics(t *testing.T) {
	f, _, _ := typedFormat(t, []byte(`{"type":"record","name":"r","fields":[
		{"name":"i","type":"int"},{"name":"d","type":["null","double"]},{"name":"f","type":"float"},{"name":"s","type":"string"},{"name":"x","type":"bytes"}]}`),
		func(c *parquetfile.Config) { c.Origin = false })
	if strings.Contains(f.SchemaID(), "origin") {
		t.Error(f.SchemaID())
	}
	var file bytes.Buffer
	enc, err := f.NewEncoder(&file, formatstest.Clicks())
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		`{"i":-5,"d":0,"f":1.5,"s":"b","x":"AA=="}`, `{"i":7,"f":-2.5,"s":"","x":"AA=="}`, `{"i":0,"d":-0.0,"f":0,"s":"é","x":"AA=="}`,
	} {
		if err := enc.Append(&ingest.Event{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Close(nil); err != nil {
		t.Fatal(err)
	}
	_, m := split(t, file.Bytes())
	if len(m.RowGroups) != 1 || len(m.RowGroups[0].Columns) != 5 {
		t.Fatal(m.RowGroups)
	}
	for i, want := range []struct{ min, max string }{
		{"\xfb\xff\xff\xff", "\x07\x00\x00\x00"},
		{"\x00\x00\x00\x00\x00\x00\x00\x80", "\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"\x00\x00\x20\xc0", "\x00\x00\xc0\x3f"},
		{"", "é"},
		{"", ""},
	} {
		s := m.RowGroups[0].Columns[i].MetaData.Statistics
		if string(s.MinValue) != want.min || string(s.MaxValue) != want.max {
			t.Errorf("column %d: [%q, %q]; want [%q, %q]", i, s.MinValue, s.MaxValue, want.min, want.max)
		}
	}
}

// TestNoRangeWithNaN: no reader may skip a chunk by a range that a NaN is not in.
func TestNoRangeWithNaN(t *testing.T) {
	s, err := schema.Parse([]byte(`{"type":"record","name":"r","fields":[{"name":"d","type":"double"},{"name":"f","type":"float"},{"name":"i","type":"int"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquetfile.NewTyped(parquetfile.DefaultConfig(), bodies.Datums(s))
	if err != nil {
		t.Fatal(err)
	}
	var events []ingest.Event
	for i, v := range []float64{1, math.NaN(), 2} {
		body := binary.LittleEndian.AppendUint64(nil, math.Float64bits(v))
		body = binary.LittleEndian.AppendUint32(body, math.Float32bits(float32(v)))
		events = append(events, ingest.Event{Body: binary.AppendVarint(body, int64(i))})
	}
	_, m := split(t, formatstest.Subject{}.Write(t, f, events))
	for i, has := range []bool{false, false, true} {
		if got := m.RowGroups[0].Columns[i].MetaData.Statistics.MinValue != nil; got != has {
			t.Errorf("column %d has a range: %v; want %v", i, got, has)
		}
	}
}

// TestColumnsThatHiveWouldConfuse are refused before there is a file.
func TestColumnsThatHiveWouldConfuse(t *testing.T) {
	for _, fields := range []string{
		`{"name":"id","type":"int"},{"name":"ID","type":"int"}`,
		`{"name":"Kafka_Offset","type":"long"}`,
		`{"name":"in","type":{"type":"record","name":"s","fields":[{"name":"x","type":"int"},{"name":"X","type":"int"}]}}`,
	} {
		s, err := schema.Parse([]byte(`{"type":"record","name":"r","fields":[` + fields + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parquetfile.NewTyped(parquetfile.DefaultConfig(), bodies.Datums(s)); err == nil || !strings.Contains(err.Error(), "differ by case") {
			t.Errorf("%s: %v", fields, err)
		}
	}
}

// TestDictionaries: columns with few distinct values have dictionaries, others give theirs up, and readers find the same in both.
func TestDictionaries(t *testing.T) {
	f, _, _ := typedFormat(t, []byte(`{"type":"record","name":"r","fields":[{"name":"one","type":"string"},{"name":"few","type":["null","string"]},
		{"name":"many","type":"string"},{"name":"turns","type":"string"},{"name":"none","type":"string"},{"name":"tags","type":{"type":"array","items":"string"}}]}`),
		func(c *parquetfile.Config) { c.PageSize, c.Origin = 8*conf.KiB, false })
	var file bytes.Buffer
	enc, err := f.NewEncoder(&file, formatstest.Clicks())
	if err != nil {
		t.Fatal(err)
	}
	const rows = 9000
	var want [6][]any
	for i := range rows {
		few := fmt.Sprintf("few-%d", i/100%3)
		many := fmt.Sprintf("many-%d", i/20) // numbers of nine bits, in runs
		turns := fmt.Sprintf("turns-%d", i%20)
		if i > rows/2 {
			turns = fmt.Sprintf("%d-turns", i)
		}
		none := fmt.Sprintf("%08d", i)
		body := fmt.Sprintf(`{"one":"","few":%q,"many":%q,"turns":%q,"none":%q,"tags":[%q,%q]}`, few, many, turns, none, few, turns)
		if i%10 == 0 {
			body, few = strings.Replace(body, `"few":"`+few+`"`, `"few":null`, 1), ""
		}
		if err := enc.Append(&ingest.Event{Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
		for j, v := range []any{"", few, many, turns, none} {
			if j == 1 && few == "" {
				v = nil
			}
			want[j] = append(want[j], v)
		}
		want[5] = append(want[5], fmt.Sprintf("few-%d", i/100%3), turns)
	}
	before := enc.Buffered()
	if err := enc.Close(nil); err != nil || before <= 0 || enc.Buffered() != 0 {
		t.Fatalf("%v; %d bytes were held, and are %d", err, before, enc.Buffered())
	}
	if _, err := f.Inspect(bytes.NewReader(file.Bytes()), int64(file.Len())); err != nil {
		t.Fatal(err)
	}
	for i, c := range readColumns(t, file.Bytes()) {
		if !slices.Equal(c.values, want[i]) {
			t.Errorf("column %d differs", i)
		}
	}
	_, m := split(t, file.Bytes())
	for i, has := range []bool{true, true, true, true, false, true} {
		c := m.RowGroups[0].Columns[i].MetaData
		if c.IsSetDictionaryPageOffset() != has {
			t.Errorf("column %v has a dictionary: %v; want %v", c.PathInSchema, !has, has)
		}
	}
}
