package jsondecoder_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
)

// plan compiles fields, `NAME TYPE` with the type as Avro writes it.
func plan(t testing.TB, o jsondecoder.Options, fields ...string) *jsondecoder.Plan {
	t.Helper()
	var list []string
	for _, f := range fields {
		name, typ, _ := strings.Cut(f, " ")
		typ, fallback, ok := strings.Cut(typ, " = ")
		if ok {
			fallback = `,"default":` + fallback
		}
		list = append(list, fmt.Sprintf(`{"name":%q,"type":%s%s}`, name, typ, fallback))
	}
	s, err := schema.Parse([]byte(`{"type":"record","name":"event","fields":[` + strings.Join(list, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	p, err := jsondecoder.Compile(s, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// cells shows a row: a column, its cells as rep/def and the value.
func cells(r *schema.Row) string {
	if r == nil {
		return "no row"
	}
	var b strings.Builder
	for i, column := range r.Columns {
		if i > 0 {
			b.WriteString(" | ")
		}
		for j, c := range column {
			if j > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%d/%d", c.Rep, c.Def)
			if c.Bytes != nil {
				fmt.Fprintf(&b, ":%q", c.Bytes)
			} else if c.Int != 0 {
				fmt.Fprintf(&b, ":%d", c.Int)
			}
		}
	}
	return b.String()
}

// TestValues: what each kind takes, and what it makes of it.
func TestValues(t *testing.T) {
	decimal := `{"type":"bytes","logicalType":"decimal","precision":5,"scale":2}`
	wide := `{"type":"bytes","logicalType":"decimal","precision":38,"scale":0}`
	logical := func(on, name string) string { return fmt.Sprintf(`{"type":%q,"logicalType":%q}`, on, name) }
	inUnit := func(name, unit string) string {
		return fmt.Sprintf(`{"type":"long","logicalType":%q,"json-unit":%q}`, name, unit)
	}
	for _, c := range []struct{ typ, json, want string }{
		{`"boolean"`, `true`, `0/0:1`},
		{`"boolean"`, `false`, `0/0`},
		{`"boolean"`, `1`, `wrong_type`},
		{`"boolean"`, `tru`, `invalid_json`},
		{`"int"`, `-2147483648`, `0/0:-2147483648`},
		{`"int"`, `2147483648`, `out_of_range`},
		{`"int"`, `1.50e1`, `0/0:15`},
		{`"int"`, `-0`, `0/0`},
		{`"int"`, `1.5`, `inexact`},
		{`"int"`, `1e-1`, `inexact`},
		{`"int"`, `01`, `invalid_json`},
		{`"int"`, `-`, `invalid_json`},
		{`"int"`, `1.`, `invalid_json`},
		{`"int"`, `1e`, `invalid_json`},
		{`"int"`, `"1"`, `wrong_type`},
		{`"long"`, `9223372036854775807`, `0/0:9223372036854775807`},
		{`"long"`, `-9223372036854775808`, `0/0:-9223372036854775808`},
		{`"long"`, `9223372036854775808`, `out_of_range`},
		{`"long"`, `9223372036854775807.0`, `0/0:9223372036854775807`},
		{`"long"`, `0.00001e5`, `0/0:1`},
		{`"long"`, `1e99999999999`, `out_of_range`},
		{`"long"`, `0e99999999999`, `0/0`},
		{`"long"`, `100000000000000000000000000000000000000000`, `out_of_range`},
		{`"float"`, `1`, `0/0:1065353216`},
		{`"float"`, `1e39`, `out_of_range`},
		{`"double"`, `-0.5`, `0/0:-4620693217682128896`},
		{`"double"`, `1e309`, `out_of_range`},
		{`"double"`, `NaN`, `invalid_json`},
		{`"double"`, `01`, `invalid_json`},
		{`"double"`, `-00.5`, `invalid_json`},
		{`"double"`, `1.`, `invalid_json`},
		{`"double"`, `.5`, `invalid_json`},
		{`"double"`, `1.5.5`, `invalid_json`},
		{`"string"`, `"é\n\u00e9\ud83d\ude00\/"`, `0/0:"é\né😀/"`},
		{`"string"`, `"\ud83d"`, `invalid_json`},
		{`"string"`, `"\ud83d\u0041"`, `invalid_json`},
		{`"string"`, `"\ude00"`, `invalid_json`},
		{`"string"`, "\"a\nb\"", `invalid_json`},
		{`"string"`, `"\x"`, `invalid_json`},
		{`"string"`, `1`, `wrong_type`},
		{`"string"`, `null`, `null_value`},
		{`["null","string"]`, `null`, `0/0`},
		{`["null","string"]`, `""`, `0/1:""`},
		{`["null","string"]`, `nul`, `invalid_json`},
		{`"bytes"`, `"AAEC/w=="`, `0/0:"\x00\x01\x02\xff"`},
		{`"bytes"`, `"AAEC/w"`, `bad_value`},
		{`"bytes"`, `"AAEC\n/w=="`, `bad_value`},
		{`{"type":"fixed","name":"f","size":4}`, `"AAEC/w=="`, `0/0:"\x00\x01\x02\xff"`},
		{`{"type":"fixed","name":"f","size":3}`, `"AAEC/w=="`, `bad_value`},
		{`{"type":"enum","name":"e","symbols":["A","B"]}`, `"B"`, `0/0:"B"`},
		{`{"type":"enum","name":"e","symbols":["A","B"]}`, `"C"`, `bad_value`},
		{decimal, `1.2`, `0/0:"\x00\x00x"`},
		{decimal, `"-1.2"`, `0/0:"\xff\xff\x88"`},
		{decimal, `999.99`, `0/0:"\x01\x86\x9f"`},
		{decimal, `1000`, `out_of_range`},
		{decimal, `1.234`, `inexact`},
		{decimal, `"1.2 "`, `bad_value`},
		{decimal, `"x"`, `bad_value`},
		{decimal, `true`, `wrong_type`},
		{wide, `99999999999999999999999999999999999999`, `0/0:"K;L\xa8Z\x86\xc4z\t\x8a\"?\xff\xff\xff\xff"`},
		{logical("string", "uuid"), `"0F8FAD5B-D9CB-469F-A165-70867728950e"`, `0/0:"0f8fad5b-d9cb-469f-a165-70867728950e"`},
		{logical("string", "uuid"), `"0F8FAD5BD9CB-469F-A165-70867728950e-"`, `bad_value`},
		{logical("int", "date"), `"1970-01-02"`, `0/0:1`},
		{logical("int", "date"), `"0000-03-01"`, `0/0:-719468`},
		{logical("int", "date"), `"2024-02-29"`, `0/0:19782`},
		{logical("int", "date"), `"2023-02-29"`, `out_of_range`},
		{logical("int", "date"), `"2023-2-9"`, `bad_value`},
		{logical("int", "date"), `-1`, `0/0:-1`},
		{logical("int", "time-millis"), `"23:59:59.9999"`, `0/0:86399999`},
		{logical("int", "time-millis"), `"24:00:00"`, `out_of_range`},
		{logical("int", "time-millis"), `86400000`, `out_of_range`},
		{logical("long", "time-micros"), `"00:00:01.000002"`, `0/0:1000002`},
		{logical("long", "timestamp-millis"), `"2026-01-01T00:00:00Z"`, `0/0:1767225600000`},
		{logical("long", "timestamp-millis"), `"2026-01-01 01:30:00.5+01:30"`, `0/0:1767225600500`},
		{logical("long", "timestamp-millis"), `"1969-12-31T23:59:59.9999Z"`, `0/0:-1`},
		{logical("long", "timestamp-millis"), `"2026-01-01T00:00:00"`, `bad_value`},
		{logical("long", "timestamp-millis"), `1767225600000`, `0/0:1767225600000`},
		{logical("long", "timestamp-micros"), `"2026-01-01T00:00:00.000001-0100"`, `0/0:1767229200000001`},
		{logical("long", "timestamp-nanos"), `"2026-01-01T00:00:00.000000001Z"`, `0/0:1767225600000000001`},
		{logical("long", "timestamp-nanos"), `"2300-01-01T00:00:00Z"`, `out_of_range`},
		{logical("long", "local-timestamp-millis"), `"2026-01-01T00:00:00"`, `0/0:1767225600000`},
		{logical("long", "local-timestamp-millis"), `"2026-01-01T00:00:00Z"`, `bad_value`},
		{inUnit("timestamp-millis", "s"), `1767225600`, `0/0:1767225600000`},
		{inUnit("timestamp-millis", "s"), `1767225600.1239`, `0/0:1767225600123`},
		{inUnit("timestamp-millis", "s"), `-0.0001`, `0/0:-1`},
		{inUnit("timestamp-millis", "s"), `-1.5e0`, `0/0:-1500`},
		{inUnit("timestamp-millis", "s"), `1e17`, `out_of_range`},
		{inUnit("timestamp-millis", "s"), `"1767225600"`, `bad_value`},
		{inUnit("timestamp-millis", "ns"), `1767225600000999999`, `0/0:1767225600000`},
		{inUnit("timestamp-millis", "ns"), `999`, `0/0`},
		{inUnit("timestamp-millis", "ns"), `-999`, `0/0:-1`},
		{inUnit("timestamp-micros", "ms"), `1767225600000.5`, `0/0:1767225600000500`},
		{inUnit("timestamp-nanos", "s"), `9223372036.854775807`, `0/0:9223372036854775807`},
		{inUnit("timestamp-nanos", "s"), `9223372036.854775808`, `out_of_range`},
		{`{"type":"array","items":"int"}`, `[]`, `0/0`},
		{`{"type":"array","items":"int"}`, `[1, 2]`, `0/1:1 1/1:2`},
		{`{"type":"array","items":"int"}`, `[1,]`, `invalid_json`},
		{`{"type":"array","items":"int"}`, `{}`, `wrong_type`},
		{`["null",{"type":"array","items":["null",{"type":"array","items":"int"}]}]`, `[[1,2],null,[],[3]]`, `0/4:1 2/4:2 1/2 1/3 1/4:3`},
		{`{"type":"array","items":{"type":"record","name":"r","fields":[{"name":"x","type":"int","default":7}]}}`, `[{"x":1},{}]`, `0/1:1 1/1:7`},
		{`{"type":"map","values":["null","int"]}`, `{"a":1,"b":null}`, `0/1:"a" 1/1:"b" | 0/2:1 1/1`},
		{`{"type":"map","values":"int"}`, `{}`, `0/0 | 0/0`},
		{`["null",{"type":"record","name":"r","fields":[{"name":"x","type":["null","int"]},{"name":"y","type":"int"}]}]`, `{"y":7}`, `0/1 | 0/1:7`},
		{`["null",{"type":"record","name":"r","fields":[{"name":"x","type":["null","int"]},{"name":"y","type":"int"}]}]`, `null`, `0/0 | 0/0`},
	} {
		d := plan(t, jsondecoder.Options{}, "v "+c.typ).NewDecoder()
		row, why := d.Decode([]byte(`{"v":` + c.json + `}`))
		got := cells(row)
		if why != nil {
			got = why.Code
		}
		if got != c.want {
			t.Errorf("%s of %s: %s (%v); want %s", c.json, c.typ, got, why, c.want)
		}
	}
}

// TestControlCharacters: none is missed, wherever it stands among the eight bytes that are looked at together.
func TestControlCharacters(t *testing.T) {
	d := plan(t, jsondecoder.Options{}, `v "string"`).NewDecoder()
	for c := range 0x21 {
		for at := range 20 {
			text := strings.Repeat("a", at) + string(rune(c)) + strings.Repeat("é", 10)
			row, why := d.Decode([]byte(`{"v":"` + text + `"}`))
			if (why == nil) != (c == 0x20) || why == nil && string(row.Columns[0][0].Bytes) != text {
				t.Errorf("character %#x at %d: %v", c, at, why)
			}
		}
	}
}

// TestDoubles: every number is the nearest double, however it is read.
func TestDoubles(t *testing.T) {
	d := plan(t, jsondecoder.Options{}, `v "double"`).NewDecoder()
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		text := strconv.FormatUint(r.Uint64()>>r.IntN(64), 10)
		if at := r.IntN(len(text) + 1); at > 0 && at < len(text) {
			text = text[:at] + "." + text[at:]
		}
		if r.IntN(4) == 0 {
			text = "-" + text
		}
		want, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		row, why := d.Decode([]byte(`{"v":` + text + `}`))
		if why != nil {
			t.Fatalf("%s: %v", text, why)
		}
		if got := math.Float64frombits(uint64(row.Columns[0][0].Int)); got != want {
			t.Fatalf("%s is read as %v; want %v", text, got, want)
		}
	}
}

// TestFields: order, absence, repetition and names of fields.
func TestFields(t *testing.T) {
	fields := []string{
		`a "int"`, `b ["null","string"]`, `c "int" = 7`, `d {"type":"array","items":"int"} = [1,2]`,
		`e {"type":"record","name":"in","fields":[{"name":"f","type":"int","aliases":["f-old"]},{"name":"g","type":["null","int"],"default":null}]} = {"f":3,"g":4}`,
	}
	for json, want := range map[string]string{
		`{"a":1}`:                               `0/0:1 | 0/0 | 0/0:7 | 0/1:1 1/1:2 | 0/0:3 | 0/1:4`,
		` { "e" : {"f":5} , "a" : 1 } `:         `0/0:1 | 0/0 | 0/0:7 | 0/1:1 1/1:2 | 0/0:5 | 0/0`,
		`{"e":{"f-old":5,"x":[{}]},"\u0061":1}`: `0/0:1 | 0/0 | 0/0:7 | 0/1:1 1/1:2 | 0/0:5 | 0/0`,
		`{"b":"x"}`:                             `missing_field $.a`,
		`{"a":1,"a":2}`:                         `duplicate_key $.a`,
		`{"a":1,"e":{"f":1,"f-old":2}}`:         `duplicate_key $.e.f`,
		`{"a":1,"e":{}}`:                        `missing_field $.e.f`,
		`{"a":1,"e":{"f":{"x":[1,2]}}}`:         `wrong_type $.e.f`,
		`{"a":1,"d":[1,"x"]}`:                   `wrong_type $.d[1]`,
		`{"a":1}{}`:                             `invalid_json $`,
		`{"a":1,}`:                              `invalid_json $`,
		`{"a":1`:                                `invalid_json $`,
		`{"a"}`:                                 `invalid_json $`,
		`{a:1}`:                                 `invalid_json $`,
		`[1]`:                                   `not_an_object $`,
		`"a"`:                                   `not_an_object $`,
		`[1`:                                    `invalid_json $`,
		``:                                      `invalid_json $`,
		` `:                                     `invalid_json $`,
		"{\"a\":1,\"x\":\"\xff\"}":              `invalid_utf8 body`,
		"\ufeff{\"a\":1}":                       `invalid_json $`,
		`{"a":1,"x":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`: `too_deep $`,
		strings.Repeat("[", 100_000): `too_deep $`,
		`{"a":1,"x":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`: `0/0:1 | 0/0 | 0/0:7 | 0/1:1 1/1:2 | 0/0:3 | 0/1:4`,
	} {
		d := plan(t, jsondecoder.Options{}, fields...).NewDecoder()
		for range 2 { // the second time with what the first has taught
			row, why := d.Decode([]byte(json))
			got := cells(row)
			if why != nil {
				got = why.Code + " " + why.Path
			}
			if got != want {
				t.Errorf("%.100s: %s (%v); want %s", json, got, why, want)
			}
		}
	}
	strict := plan(t, jsondecoder.Options{RefuseUnknown: true}, fields...).NewDecoder()
	if _, why := strict.Decode([]byte(`{"a":1,"e":{"f":1,"new one":2}}`)); why == nil || why.Code != "unknown_field" || why.Path != `$.e["new one"]` {
		t.Errorf("an unknown field: %v", why)
	}
	if _, why := strict.Decode(nil); why == nil || why.Code != "null_body" {
		t.Errorf("no body: %v", why)
	}
}

// TestCollect: what the schema does not have goes to one map, keys and strings as they are, all else as it is written; nothing else changes.
func TestCollect(t *testing.T) {
	for _, c := range []struct{ typ, json, want string }{
		{
			`{"type":"map","values":"string"}`, `{"x\u0041":"s\n","a":1, "rest" : {"k": "v"} ,"n":null,"l":[1, {"b":2}],"t":true,"f":-1.50e3}`,
			`0/0:1 | 0/1:"xA" 1/1:"rest" 1/1:"n" 1/1:"l" 1/1:"t" 1/1:"f" | 0/1:"s\n" 1/1:"{\"k\": \"v\"}" 1/1:"null" 1/1:"[1, {\"b\":2}]" 1/1:"true" 1/1:"-1.50e3" | 0/0`,
		},
		{`{"type":"map","values":["null","string"]}`, `{"n":null,"a":1,"m":"null","e":{"z":5}}`, `0/0:1 | 0/1:"n" 1/1:"m" | 0/1 1/2:"null" | 0/1`},
		{`{"type":"map","values":"string"}`, `{"a":1}`, `0/0:1 | 0/0 | 0/0 | 0/0`},
		{`["null",{"type":"map","values":"string"}]`, `{"a":1}`, `0/0:1 | 0/0 | 0/0 | 0/0`},
		{`["null",{"type":"map","values":"string"}]`, `{"a":1,"b":""}`, `0/0:1 | 0/2:"b" | 0/2:"" | 0/0`},
		{`{"type":"map","values":"string"}`, `{"a":1,"b":tru}`, `invalid_json $`},
		{`{"type":"map","values":"string"}`, `{"a":1,"b":"`, `invalid_json $`},
		{`{"type":"map","values":"string"}`, `{"a":1,"b":}`, `invalid_json $`},
		{`{"type":"map","values":"string"}`, `{"rest":{}}`, `missing_field $.a`},
		{`{"type":"map","values":"string"}`, `{"a":1,"a":1}`, `duplicate_key $.a`},
	} {
		d := plan(t, jsondecoder.Options{Collect: "rest"}, `a "int"`, "rest "+c.typ, `e ["null",{"type":"record","name":"in","fields":[{"name":"y","type":["null","int"]}]}]`).NewDecoder()
		for range 2 {
			row, why := d.Decode([]byte(c.json))
			got := cells(row)
			if why != nil {
				got = why.Code + " " + why.Path
			}
			if got != c.want {
				t.Errorf("%s: %s; want %s", c.json, got, c.want)
			}
		}
	}
	for field, want := range map[string]string{`rest {"type":"map","values":"int"}`: "is no map of strings", `rest "string"`: "is no map of strings", `other "string"`: "is not in it; add"} {
		s, err := schema.Parse([]byte(`{"type":"record","name":"event","fields":[{"name":"` + strings.Replace(field, " ", `","type":`, 1) + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jsondecoder.Compile(s, jsondecoder.Options{Collect: "rest"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", field, err, want)
		}
	}
}

// TestLiterals are for strings only.
func TestLiterals(t *testing.T) {
	d := plan(t, jsondecoder.Options{Literals: true}, `s "string"`, `e ["null",{"type":"enum","name":"e","symbols":["A"]}]`).NewDecoder()
	if row, why := d.Decode([]byte(`{"s":1.0,"e":"A"}`)); why != nil || cells(row) != `0/0:"1.0" | 0/1:"A"` {
		t.Errorf("%s, %v", cells(row), why)
	}
	for _, bad := range []string{`{"s":{}}`, `{"s":[]}`, `{"s":null}`, `{"s":tru}`, `{"s":"","e":5}`} {
		if _, why := d.Decode([]byte(bad)); why == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// TestDefaultsThatDoNotFit are found when the plan is made.
func TestDefaultsThatDoNotFit(t *testing.T) {
	for _, c := range []struct{ typ, fallback, want string }{
		{`"int"`, `"x"`, "field v: default \"x\": wrong_type"},
		{`"int"`, `null`, "null_value"},
		{`{"type":"enum","name":"e","symbols":["A"]}`, `"B"`, "bad_value"},
		{`"bytes"`, `"B"`, "not supported"},
	} {
		s, err := schema.Parse([]byte(`{"type":"record","name":"r","fields":[{"name":"v","type":` + c.typ + `,"default":` + c.fallback + `}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jsondecoder.Compile(s, jsondecoder.Options{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("default %s of %s: %v; want %q", c.fallback, c.typ, err, c.want)
		}
	}
}

// TestNothingIsAllocated: for events that are fine, once a decoder has seen their like.
func TestNothingIsAllocated(t *testing.T) {
	d := plan(t, jsondecoder.Options{}, `a ["null","string"]`, `b ["null","double"]`, `c {"type":"bytes","logicalType":"decimal","precision":20,"scale":5}`,
		`d {"type":"long","logicalType":"timestamp-micros"}`, `e {"type":"array","items":{"type":"map","values":"long"}}`,
		`f {"type":"string","logicalType":"uuid"}`, `g "bytes"`, `h {"type":"enum","name":"en","symbols":["RED","GREEN"]}`).NewDecoder()
	event := []byte(`{"x":[{"a":1e5}],"h":"GREEN","g":"AAEC","f":"0F8FAD5B-D9CB-469F-A165-70867728950E","e":[{"k":1,"l":2.0},{}],"d":"2026-01-01T00:00:00Z",
		"c":"-123.45000","b":1.25e-7,"a":"\u00e9\n"}`)
	got := testing.AllocsPerRun(100, func() {
		if _, why := d.Decode(event); why != nil {
			t.Fatal(why)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations for an event", got)
	}
}
