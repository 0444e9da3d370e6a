package avrodecoder_test

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/avro"

	"github.com/penstock-io/penstock/formats/avrodecoder"
	"github.com/penstock-io/penstock/formats/formatstest/typedevents"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
)

func parse(t testing.TB, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(fields ...string) string {
	for i, f := range fields {
		name, typ, _ := strings.Cut(f, " ")
		fields[i] = fmt.Sprintf(`{"name":%q,"type":%s}`, name, typ)
	}
	return `{"type":"record","name":"event","fields":[` + strings.Join(fields, ",") + `]}`
}

// TestSameRowsAsJSON: random events of random schemas make the same row from their datum as from their JSON, and another decoder takes the datum too.
func TestSameRowsAsJSON(t *testing.T) {
	for seed := range uint64(40) {
		g := typedevents.New(seed)
		s := parse(t, string(g.Schema(int(seed%4))))
		other, err := avro.Parse(string(s.Text))
		if err != nil {
			t.Fatal(err)
		}
		plan, err := jsondecoder.Compile(s, jsondecoder.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fromJSON, fromDatum := plan.NewDecoder(), avrodecoder.Compile(s).NewDecoder()
		for range 100 {
			e := g.Event(s)
			want, why := fromJSON.Decode(e.JSON)
			if why != nil {
				t.Fatalf("seed %d: %v\n%s", seed, why, e.JSON)
			}
			got, why := fromDatum.Decode(e.Datum)
			if why != nil {
				t.Fatalf("seed %d: %v\n%s\n%x", seed, why, s.Text, e.Datum)
			}
			for i := range want.Columns {
				if !reflect.DeepEqual(show(got.Columns[i]), show(want.Columns[i])) {
					t.Fatalf("seed %d: column %v: %v; want %v", seed, s.Leaves[i].Path, show(got.Columns[i]), show(want.Columns[i]))
				}
			}
			var all any
			if rest, err := other.Decode(e.Datum, &all); err != nil || len(rest) > 0 {
				t.Fatalf("seed %d: twmb/avro: %v, %d bytes are left: the datum is wrong", seed, err, len(rest))
			}
		}
	}
}

func show(cells []schema.Cell) []string {
	var all []string
	for _, c := range cells {
		all = append(all, fmt.Sprintf("%d/%d %d %q", c.Rep, c.Def, c.Int, c.Bytes))
	}
	return all
}

// TestRefusals: what is no datum of the schema, by kind.
func TestRefusals(t *testing.T) {
	decimal := `{"type":"bytes","logicalType":"decimal","precision":3,"scale":1}`
	for _, c := range []struct{ typ, datum, want string }{
		{`"boolean"`, "\x02", "invalid_avro $.v"},
		{`"boolean"`, "", "invalid_avro $.v"},
		{`"boolean"`, "\x01\x00", "invalid_avro $"},
		{`"int"`, "\x80\x80\x80\x80\x10", "out_of_range $.v"},
		{`"int"`, "\xff\xff\xff\xff\x0f", ""},
		{`"int"`, "\x80\x80\x80\x80\x80\x00", "invalid_avro $.v"},
		{`"long"`, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", ""},
		{`"long"`, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "invalid_avro $.v"},
		{`"long"`, "\x80", "invalid_avro $.v"},
		{`"float"`, "\x00\x00\x00", "invalid_avro $.v"},
		{`"double"`, "\x00\x00\x00\x00\x00\x00\x00", "invalid_avro $.v"},
		{`"bytes"`, "\x04a", "invalid_avro $.v"},
		{`"bytes"`, "\x01", "invalid_avro $.v"},
		{`"bytes"`, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "invalid_avro $.v"},
		{`"string"`, "\x02\xff", "invalid_utf8 $.v"},
		{`["null","string"]`, "\x04", "invalid_avro $.v"},
		{`["null","string"]`, "\x01", "invalid_avro $.v"},
		{`{"type":"fixed","name":"f","size":3}`, "ab", "invalid_avro $.v"},
		{`{"type":"enum","name":"e","symbols":["A","B"]}`, "\x04", "bad_value $.v"},
		{`{"type":"enum","name":"e","symbols":["A","B"]}`, "\x01", "bad_value $.v"},
		{`{"type":"string","logicalType":"uuid"}`, "\x02a", "bad_value $.v"},
		{`{"type":"int","logicalType":"time-millis"}`, "\x01", "out_of_range $.v"},
		{`{"type":"long","logicalType":"time-micros"}`, "\x80\xa0\xa8\xfa\xd4\x2e", "out_of_range $.v"},
		{decimal, "\x04\x03\xe7", ""},
		{decimal, "\x04\x03\xe8", "out_of_range $.v"},
		{decimal, "\x04\xfc\x19", ""},
		{decimal, "\x04\xfc\x18", "out_of_range $.v"},
		{decimal, "\x00", ""},
		{decimal, "\x28" + strings.Repeat("\xff", 20), ""},
		{decimal, "\x28\xfe" + strings.Repeat("\xff", 19), "out_of_range $.v"},
		{decimal, "\x20\x80" + strings.Repeat("\x00", 15), "out_of_range $.v"},
		{`{"type":"array","items":"int"}`, "\x02\x02\x00", ""},
		{`{"type":"array","items":"int"}`, "\x04\x02\x80", "invalid_avro $.v[1]"},
		{`{"type":"array","items":"int"}`, "\x02\x02", "invalid_avro $.v"},
		{`{"type":"array","items":"int"}`, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "invalid_avro $.v"},
		{`{"type":"array","items":"int"}`, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", "invalid_avro $.v"},
		{`{"type":"map","values":"int"}`, "\x02\x02a\x80", "invalid_avro $.v[0]"},
	} {
		_, why := avrodecoder.Compile(parse(t, record("v "+c.typ))).NewDecoder().Decode([]byte(c.datum))
		got := ""
		if why != nil {
			got = why.Code + " " + why.Path
		}
		if got != c.want {
			t.Errorf("%q of %s: %v; want %q", c.datum, c.typ, why, c.want)
		}
	}
	if _, why := avrodecoder.Compile(parse(t, record(`v "int"`))).NewDecoder().Decode(nil); why == nil || why.Code != "null_body" {
		t.Errorf("no body: %v", why)
	}
}

// TestBombs: memory stays within what the datum has.
func TestBombs(t *testing.T) {
	s := parse(t, record(`w {"type":"array","items":{"type":"record","name":"in","fields":[{"name":"a","type":["null","int"]},{"name":"b","type":["null","int"]}]}}`))
	d := avrodecoder.Compile(s).NewDecoder()
	many := append([]byte{0x80, 0x80, 0x80, 0x02}, make([]byte, 8<<20)...) // 2 Mi elements of two nulls
	if _, why := d.Decode(many); why == nil || why.Code != "too_many_values" {
		t.Errorf("many elements: %v", why)
	}
}

// shred makes the cells of a value that twmb/avro has decoded, below so many lists.
func shred(t *schema.Type, v any, rep, lists, def int, leaf *int, columns map[int][]string) {
	put := func(text string, def int) {
		columns[*leaf] = append(columns[*leaf], fmt.Sprintf("%d/%d %s", rep, def, text))
		*leaf++
	}
	if t.Nullable {
		if v == nil {
			empty(t, rep, def, leaf, columns)
			return
		}
		def++
	}
	value := reflect.ValueOf(v)
	switch t.Kind {
	case schema.Record:
		for _, f := range t.Fields {
			shred(f.Type, value.MapIndex(reflect.ValueOf(f.Name)).Interface(), rep, lists, def, leaf, columns)
		}
	case schema.Array:
		if value.Len() == 0 {
			empty(t, rep, def, leaf, columns)
			return
		}
		first := *leaf
		for i := range value.Len() {
			*leaf = first
			shred(t.Items, value.Index(i).Interface(), rep, lists+1, def+1, leaf, columns)
			rep = lists + 1
		}
	case schema.Boolean:
		put(strconv.Itoa(map[bool]int{true: 1}[value.Bool()]), def)
	case schema.Float:
		f, _ := v.(float32) // not by way of a float64, which would change a NaN
		put(strconv.FormatInt(int64(math.Float32bits(f)), 10), def)
	case schema.Double:
		put(strconv.FormatInt(int64(math.Float64bits(value.Float())), 10), def)
	case schema.Int, schema.Long:
		put(strconv.FormatInt(value.Int(), 10), def)
	default:
		put(fmt.Sprintf("%q", v), def)
	}
}

func empty(t *schema.Type, rep, def int, leaf *int, columns map[int][]string) {
	switch t.Kind {
	case schema.Record:
		for _, f := range t.Fields {
			empty(f.Type, rep, def, leaf, columns)
		}
	case schema.Array:
		empty(t.Items, rep, def, leaf, columns)
	default:
		columns[*leaf] = append(columns[*leaf], fmt.Sprintf("%d/%d", rep, def))
		*leaf++
	}
}

// FuzzDecode: the rows that twmb/avro's values make, or a refusal where it refuses.
func FuzzDecode(f *testing.F) {
	text := record(`a "boolean"`, `b ["null","int"]`, `c ["long","null"]`, `d "float"`, `e "double"`, `f "string"`, `g ["null","bytes"]`,
		`h {"type":"enum","name":"en","symbols":["A","B"]}`, `i {"type":"array","items":["null","int"]}`,
		`j ["null",{"type":"record","name":"in","fields":[{"name":"x","type":"int"},{"name":"y","type":{"type":"array","items":"string"}}]}]`)
	s := parse(f, text)
	other, err := avro.Parse(text)
	if err != nil {
		f.Fatal(err)
	}
	g := typedevents.New(5)
	for range 20 {
		f.Add(g.Event(s).Datum)
	}
	f.Fuzz(func(t *testing.T, datum []byte) {
		d := avrodecoder.Compile(s).NewDecoder()
		row, why := d.Decode(bytes.Clone(datum))
		if datum == nil || why != nil && (why.Code == "invalid_utf8" || why.Code == "too_many_values" || strings.HasPrefix(why.Detail, "a boolean")) {
			return // the other is content with these
		}
		var v any
		rest, err := other.Decode(datum, &v)
		if (err != nil || len(rest) > 0) != (why != nil) {
			t.Fatalf("%x: %v; twmb/avro: %v, %d bytes are left", datum, why, err, len(rest))
		}
		if why != nil {
			return
		}
		want, leaf := map[int][]string{}, 0
		shred(s.Root, v, 0, 0, 0, &leaf, want)
		for i, cells := range row.Columns {
			var got []string
			for _, c := range cells {
				switch {
				case c.Def < s.Leaves[i].MaxDef:
					got = append(got, fmt.Sprintf("%d/%d", c.Rep, c.Def))
				case c.Bytes != nil:
					got = append(got, fmt.Sprintf("%d/%d %q", c.Rep, c.Def, c.Bytes))
				default:
					got = append(got, fmt.Sprintf("%d/%d %d", c.Rep, c.Def, c.Int))
				}
			}
			if !reflect.DeepEqual(got, want[i]) {
				t.Fatalf("%x: column %v: %v; want %v", datum, s.Leaves[i].Path, got, want[i])
			}
		}
	})
}

// TestNothingIsAllocated: for events that are fine, once a decoder has seen their like.
func TestNothingIsAllocated(t *testing.T) {
	g := typedevents.New(3)
	s := parse(t, string(g.Schema(3)))
	fromDatum := avrodecoder.Compile(s).NewDecoder()
	var datums [][]byte
	for range 50 {
		datums = append(datums, g.Event(s).Datum)
	}
	got := testing.AllocsPerRun(20, func() {
		for _, d := range datums {
			if _, why := fromDatum.Decode(d); why != nil {
				t.Fatal(why)
			}
		}
	})
	if got != 0 {
		t.Errorf("%v allocations for %d events", got, len(datums))
	}
}
