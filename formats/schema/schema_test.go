package schema_test

import (
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/formats/schema"
)

// TestLeaves: columns, and their levels.
func TestLeaves(t *testing.T) {
	s, err := schema.Parse([]byte(`{"type":"record","name":"top","namespace":"a.b","fields":[
		{"name":"id","type":"long"},
		{"name":"user","type":["null",{"type":"record","name":"User","fields":[{"name":"name","type":"string"},{"name":"age","type":["int","null"]}]}]},
		{"name":"tags","type":{"type":"array","items":["null","string"]}},
		{"name":"props","type":["null",{"type":"map","values":{"type":"array","items":"double"}}]},
		{"name":"other","type":"User"},{"name":"same","type":["null","a.b.User"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, l := range s.Leaves {
		got.WriteString(strings.Join(l.Path, "."))
		got.WriteString(" " + l.Type.Kind.String() + " ")
		got.WriteByte('0' + l.MaxRep)
		got.WriteByte('0' + l.MaxDef)
		got.WriteByte('\n')
	}
	want := `id long 00
user.name string 01
user.age int 02
tags.list.element string 12
props.key_value.key string 12
props.key_value.value.list.element double 23
other.name string 00
other.age int 01
same.name string 01
same.age int 02
`
	if got.String() != want {
		t.Errorf("leaves:\n%s\nwant:\n%s", got.String(), want)
	}
}

// TestManyColumns: a small text may ask for endless columns.
func TestManyColumns(t *testing.T) {
	text := `{"name":"f","type":"int"}`
	for i := range 40 {
		text = fmt.Sprintf(`{"name":"a","type":{"type":"record","name":"r%d","fields":[%s]}},{"name":"b","type":"r%d"}`, i, text, i)
	}
	if _, err := schema.Parse([]byte(`{"type":"record","name":"top","fields":[` + text + `]}`)); err == nil || !strings.Contains(err.Error(), "more than 10000 columns") {
		t.Error(err)
	}
}

// TestRefusals: each mistake is told with its place.
func TestRefusals(t *testing.T) {
	field := func(typ string) string {
		return `{"type":"record","name":"r","fields":[{"name":"ok","type":"int"},{"name":"v","type":` + typ + `}]}`
	}
	for _, c := range []struct{ text, want string }{
		{`{"type":"record",` + "\n" + ` "name" "r"}`, "line 2, column 9: "},
		{``, "no JSON"},
		{field(`"int"`) + `{}`, "something follows"},
		{`"int"`, "the top is int, and must be a record"},
		{`["null",` + field(`"int"`) + `]`, "must be a record"},
		{`{"type":"record","name":"r","fields":[]}`, "at least one"},
		{`{"type":"record","name":"1r","fields":[]}`, `"1r" is no name`},
		{`{"type":"record","fields":[]}`, `"" is no name`},
		{field(`"integer"`), `fields[1] "v": "integer" is unknown`},
		{field(`7`), "7 is no type"},
		{field(`"null"`), "null alone"},
		{field(`["int","string"]`), "union of int and string"},
		{field(`["null"]`), "a union must be of null"},
		{field(`["null","null","int"]`), "a union must be of null"},
		{field(`["null",["null","int"]]`), "a union in a union"},
		{field(`{"type":"array"}`), `"items" of the array is missing`},
		{field(`{"type":"map","values":"x"}`), `values: "x" is unknown`},
		{field(`{"items":"int"}`), `"type" is missing`},
		{field(`"r"`), `"r" contains itself`},
		{field(`{"type":"record","name":"in","fields":[{"name":"x","type":["null","in"]}]}`), `"in" contains itself`},
		{field(`{"type":"record","name":"r","fields":[{"name":"x","type":"int"}]}`), `"r" is declared twice`},
		{field(`{"type":"enum","name":"e","symbols":[]}`), `needs "symbols"`},
		{field(`{"type":"enum","name":"e","symbols":["A","A"]}`), "there twice"},
		{field(`{"type":"fixed","name":"f"}`), `"size" must be`},
		{field(`{"type":"fixed","name":"f","size":1e9}`), `"size" must be`},
		{field(`{"type":"bytes","logicalType":"decimal"}`), `"precision" must be 1 to 38`},
		{field(`{"type":"bytes","logicalType":"decimal","precision":5,"scale":6}`), `"scale" must be 0 to precision`},
		{field(`{"type":"fixed","name":"f","size":2,"logicalType":"decimal","precision":5}`), "do not fit into 2 bytes"},
		{field(`{"type":"string","logicalType":"date"}`), `"date" does not go with string, it goes with int`},
		{field(`{"type":"fixed","name":"f","size":12,"logicalType":"duration"}`), `"duration" has no column yet`},
		{field(`{"type":"long","logicalType":"timestamp-millis","json-unit":"m"}`), "s, ms, us or ns, not m"},
		{field(`{"type":"int","logicalType":"date","json-unit":"s"}`), "goes with timestamps, not with date"},
		{`{"type":"record","name":"r","fields":[{"name":"at","type":"long","logicalType":"timestamp-millis"}]}`, "stands beside the type and would be ignored"},
		{`{"type":"record","name":"r","fields":[{"name":"a","type":"int"},{"name":"b","aliases":["a"],"type":"int"}]}`, `fields[1] "b": the record has a field or an alias "a" already`},
		{`{"type":"record","name":"r","fields":[{"name":"a-b","type":"int"}]}`, `fields[0] "a-b": the name must be`},
		{field(strings.Repeat(`{"type":"array","items":`, 70) + `"int"` + strings.Repeat("}", 70)), "nested more than"},
	} {
		if _, err := schema.Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.120s: %v; want %q", c.text, err, c.want)
		}
	}
}

// TestID: it changes with whatever decides a column or a value, and with nothing else.
func TestID(t *testing.T) {
	id := func(fields string) string {
		s, err := schema.Parse([]byte(`{"type":"record","name":"r","fields":[` + fields + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		return s.ID
	}
	base := id(`{"name":"a","type":"int"}`)
	if base != id(`{"name": "a", "doc": "words", "type": {"type": "int", "logicalType": "unheard-of"}}`) {
		t.Error("words and white space change the ID")
	}
	for _, other := range []string{
		`{"name":"b","type":"int"}`, `{"name":"a","type":"long"}`, `{"name":"a","type":["null","int"]}`, `{"name":"a","type":"int","default":1}`,
		`{"name":"a","aliases":["b"],"type":"int"}`, `{"name":"a","type":{"type":"long","logicalType":"timestamp-millis"}}`,
		`{"name":"a","type":{"type":"long","logicalType":"timestamp-millis","json-unit":"s"}}`, `{"name":"a","type":{"type":"int","logicalType":"date"}}`, `{"name":"a","type":{"type":"array","items":"int"}}`,
	} {
		if id(other) == base {
			t.Errorf("%s has the same ID", other)
		}
	}
}

// TestDecimalSize: the smallest that holds every number of so many digits and its negative.
func TestDecimalSize(t *testing.T) {
	for p := 1; p <= 38; p++ {
		largest := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(p)), nil)
		largest.Sub(largest, big.NewInt(1))
		if want := largest.BitLen()/8 + 1; schema.DecimalSize(p) != want {
			t.Errorf("precision %d: %d bytes; want %d", p, schema.DecimalSize(p), want)
		}
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "big.avsc")
	if _, err := schema.Load(file); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
	if err := os.WriteFile(file, make([]byte, 5<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Load(file); err == nil || !strings.Contains(err.Error(), "is it the right file?") {
		t.Error(err)
	}
}

// FuzzParse: any text gives a schema or an error.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"type":"record","name":"r","fields":[{"name":"a","type":["null",{"type":"map","values":{"type":"array","items":"int"}}]}]}`))
	f.Add([]byte(`{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"fixed","name":"f","size":4,"logicalType":"decimal","precision":5}},{"name":"b","type":"f"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := schema.Parse(text)
		if (s == nil) == (err == nil) {
			t.Fatalf("%v, %v", s, err)
		}
	})
}
