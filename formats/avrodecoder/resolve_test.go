package avrodecoder_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/avro"

	"github.com/penstock-io/penstock/formats/avrodecoder"
	"github.com/penstock-io/penstock/formats/formatstest/typedevents"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
)

// resolve compiles a decoder of w's datums into r's columns.
func resolve(t testing.TB, w, r string) (*avrodecoder.Decoder, *schema.Schema, error) {
	t.Helper()
	writer, err := schema.ParseWriter([]byte(w))
	if err != nil {
		t.Fatal(err)
	}
	reader := parse(t, r)
	plan, err := jsondecoder.Compile(reader, jsondecoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := avrodecoder.Resolve(writer, reader, plan.Defaults())
	if err != nil {
		return nil, nil, err
	}
	return p.NewDecoder(), reader, nil
}

// encode makes a datum by another library, from Avro's JSON.
func encode(t testing.TB, writer, json string) []byte {
	t.Helper()
	s, err := avro.Parse(writer)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := s.DecodeJSON([]byte(json), &v); err != nil {
		t.Fatalf("%s: %v", json, err)
	}
	datum, err := s.Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	return datum
}

// TestResolve: a datum of one schema makes the row that the JSON makes which it is in the other.
func TestResolve(t *testing.T) {
	const color = `{"type":"enum","name":"e","symbols":["RED","GREEN"]}`
	in := func(fields ...string) string {
		return strings.Replace(record(fields...), `"event"`, `"inner"`, 1)
	}
	for _, c := range []struct{ writer, reader, written, means string }{
		{record(`v "int"`), record(`v "long"`), `{"v":7}`, `{"v":7}`},
		{record(`v "int"`), record(`v "float"`), `{"v":-7}`, `{"v":-7}`},
		{record(`v "int"`), record(`v "double"`), `{"v":7}`, `{"v":7}`},
		{record(`v "long"`), record(`v "double"`), `{"v":70000000000}`, `{"v":70000000000}`},
		{record(`v "long"`), record(`v "float"`), `{"v":16777216}`, `{"v":16777216}`},
		{record(`v "float"`), record(`v "double"`), `{"v":1.5}`, `{"v":1.5}`},
		{record(`v "string"`), record(`v "bytes"`), `{"v":"abc"}`, `{"v":"YWJj"}`},
		{record(`v "bytes"`), record(`v "string"`), `{"v":"abc"}`, `{"v":"abc"}`},
		{record(`v "long"`), record(`v {"type":"long","logicalType":"timestamp-millis"}`), `{"v":5}`, `{"v":5}`},
		{record(`v {"type":"bytes","logicalType":"decimal","precision":5,"scale":2}`), record(`v {"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`), `{"v":"\u007f"}`, `{"v":1.27}`},
		{record(`v "int"`), record(`v ["null","int"]`), `{"v":7}`, `{"v":7}`},
		{record(`v ["int","null"]`), record(`v ["null","long"]`), `{"v":{"int":7}}`, `{"v":7}`},
		{record(`v ["int","null"]`), record(`v ["null","long"]`), `{"v":null}`, `{"v":null}`},
		{record(`v ["null","int"]`), record(`v "int"`), `{"v":{"int":7}}`, `{"v":7}`},
		{record(`v ["null","int"]`), record(`v "int"`), `{"v":null}`, `wrong_type $.v`},
		{record(`v ["null","int","string"]`), record(`v ["string","null"]`), `{"v":{"string":"s"}}`, `{"v":"s"}`},
		{record(`v ["null","int","string"]`), record(`v ["string","null"]`), `{"v":null}`, `{"v":null}`},
		{record(`v ["null","int","string"]`), record(`v ["string","null"]`), `{"v":{"int":1}}`, `wrong_type $.v`},
		{record(`v ["null","string","int"]`, `w "long"`), record(`v ["string","null"]`, `w "long"`), `{"v":{"string":"s"},"w":5}`, `{"v":"s","w":5}`},
		{record(`v ["string","int"]`), record(`v "double"`), `{"v":{"int":1}}`, `{"v":1}`},
		{record(`v ` + color), record(`v {"type":"enum","name":"e","symbols":["GREEN","BLUE"]}`), `{"v":"GREEN"}`, `{"v":"GREEN"}`},
		{record(`v ` + color), record(`v {"type":"enum","name":"e","symbols":["GREEN","BLUE"]}`), `{"v":"RED"}`, `bad_value $.v`},
		{record(`a "int"`, `b "string"`), record(`b "string"`, `a "int"`), `{"a":1,"b":"x"}`, `{"b":"x","a":1}`},
		{
			record(`gone {"type":"map","values":{"type":"array","items":["null","string","int"]}}`, `v "int"`), record(`v "int"`),
			`{"gone":{"k":[null,{"string":"s"},{"int":3}]},"v":1}`, `{"v":1}`,
		},
		{record(`gone ["null",`+in(`x "string"`, `y `+color)+`]`, `v "int"`), record(`v "int"`), `{"gone":{"inner":{"x":"s","y":"RED"}},"v":1}`, `{"v":1}`},
		{record(`v "int"`), record(`more ["null","string"]`, `v "int"`), `{"v":1}`, `{"v":1}`},
		{
			record(`l {"type":"array","items":` + in(`a "int"`) + `}`), record(`l {"type":"array","items":` + in(`a "long"`, `b ["null","int"]`) + `}`),
			`{"l":[{"a":1},{"a":2},{"a":3}]}`, `{"l":[{"a":1},{"a":2},{"a":3}]}`,
		},
		{record(`l {"type":"array","items":"int"}`), record(`l {"type":"array","items":"double"}`), `{"l":[]}`, `{"l":[]}`},
		{record(`m {"type":"map","values":"int"}`), record(`m {"type":"map","values":["null","long"]}`), `{"m":{"k":2}}`, `{"m":{"k":2}}`},
		{`{"type":"record","name":"old","fields":[{"name":"before","type":"int"}]}`, `{"type":"record","name":"event","fields":[{"name":"v","type":"int","aliases":["before"]}]}`, `{"before":4}`, `{"v":4}`},
		{record(`v "int"`), `{"type":"record","name":"event","fields":[{"name":"v","type":"int"},{"name":"t","type":{"type":"array","items":"string"},"default":["a","b"]},
			{"name":"user","type":{"type":"record","name":"u","fields":[{"name":"id","type":"int","default":7}]},"default":{"id":5}}]}`, `{"v":4}`, `{"v":4,"t":["a","b"],"user":{"id":5}}`},
		{record(`user {"type":"record","name":"u","fields":[]}`), `{"type":"record","name":"event","fields":[
			{"name":"user","type":{"type":"record","name":"u","fields":[{"name":"id","type":"int","default":7}]},"default":{"id":5}}]}`, `{"user":{}}`, `{"user":{"id":7}}`},
		{record(`l {"type":"array","items":` + in(`a "int"`) + `}`), `{"type":"record","name":"event","fields":[{"name":"l","type":{"type":"array","items":{"type":"record","name":"i","fields":[
			{"name":"a","type":"int"},{"name":"t","type":{"type":"array","items":"int"},"default":[8,9]}]}}}]}`, `{"l":[{"a":1},{"a":2}]}`, `{"l":[{"a":1,"t":[8,9]},{"a":2,"t":[8,9]}]}`},
	} {
		d, reader, err := resolve(t, c.writer, c.reader)
		if err != nil {
			t.Errorf("%s as %s: %v", c.writer, c.reader, err)
			continue
		}
		got, why := d.Decode(append([]byte{}, encode(t, c.writer, c.written)...))
		if why != nil {
			if said := why.Code + " " + why.Path; said != c.means {
				t.Errorf("%s as %s: %s: %v; want %s", c.writer, c.reader, c.written, why, c.means)
			}
			continue
		}
		plan, err := jsondecoder.Compile(reader, jsondecoder.Options{})
		if err != nil {
			t.Fatal(err)
		}
		want, refused := plan.NewDecoder().Decode([]byte(c.means))
		if refused != nil {
			t.Errorf("%s as %s: %s is read, and should be: %s", c.writer, c.reader, c.written, c.means)
			continue
		}
		for i := range want.Columns {
			if !reflect.DeepEqual(show(got.Columns[i]), show(want.Columns[i])) {
				t.Errorf("%s as %s: %s: column %v: %v; want %v", c.writer, c.reader, c.written, reader.Leaves[i].Path, show(got.Columns[i]), show(want.Columns[i]))
			}
		}
	}
}

// TestIncompatible: what cannot be read is told by its place.
func TestIncompatible(t *testing.T) {
	for _, c := range []struct{ writer, reader, want string }{
		{record(`v "long"`), record(`v "int"`), "field v: long was written, which cannot be read as int"},
		{record(`v "double"`), record(`v "float"`), "double was written"},
		{record(`v "string"`), record(`v "int"`), "string was written"},
		{record(`w "int"`), record(`v "int"`), "field v: it was not written"},
		{record(`v {"type":"array","items":"string"}`), record(`v {"type":"array","items":"int"}`), "field v: string was written"},
		{record(`v {"type":"array","items":"int"}`), record(`v {"type":"map","values":"int"}`), "array was written"},
		{record(`v {"type":"fixed","name":"f","size":3}`), record(`v {"type":"fixed","name":"f","size":4}`), "fixed of 3 bytes was written, which cannot be read as fixed of 4 bytes"},
		{record(`v ["null","int","boolean"]`), record(`v "string"`), "no branch of the union"},
		{record(`v {"type":"long","logicalType":"timestamp-millis"}`), record(`v {"type":"long","logicalType":"timestamp-micros"}`), "timestamp-millis was written"},
		{record(`v {"type":"bytes","logicalType":"decimal","precision":5,"scale":1}`), record(`v {"type":"bytes","logicalType":"decimal","precision":5,"scale":2}`), "decimal(5,1) was written, which cannot be read as decimal(5,2)"},
		{record(`v {"type":"bytes","logicalType":"decimal","precision":5,"scale":1}`), record(`v "string"`), "decimal(5,1) was written"},
		{`"string"`, record(`v "int"`), "string was written, which cannot be read as record"},
		{record(`old "int"`), `{"type":"record","name":"r","fields":[{"name":"a","type":"int","aliases":["old"]},{"name":"b","type":"int","aliases":["x","old"]}]}`, "an alias"},
	} {
		reader, err := schema.Parse([]byte(c.reader))
		if err == nil {
			var writer *schema.Type
			if writer, err = schema.ParseWriter([]byte(c.writer)); err != nil {
				t.Fatal(err)
			}
			_, err = avrodecoder.Resolve(writer, reader, nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s as %s: %v; want %q", c.writer, c.reader, err, c.want)
		}
	}
}

// TestResolveRandom: of random schemas, each with fields that the other does not have, the row is the same as without those of the writer and with those of the reader null.
func TestResolveRandom(t *testing.T) {
	for seed := range uint64(40) {
		g := typedevents.New(900 + seed)
		text := string(g.Schema(int(seed % 4)))
		s := parse(t, text)
		// What the reader does not have comes before and behind, and what the writer does not have in between.
		writer := strings.Replace(text, `"fields":[`, `"fields":[{"name":"gone1","type":["int","null","string",{"type":"array","items":["string","null"]}]},`, 1)
		reader := strings.Replace(text, `"fields":[`, `"fields":[{"name":"new1","type":["null",{"type":"array","items":{"type":"map","values":"int"}}]},`, 1)
		d, columns, err := resolve(t, writer, reader)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := jsondecoder.Compile(columns, jsondecoder.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fromJSON := plan.NewDecoder()
		for _, gone := range []string{"\x02", "\x00\x0e", "\x04\x04ab", "\x06\x04\x00\x02x\x02\x00"} {
			for range 20 {
				e := g.Event(s)
				want, why := fromJSON.Decode(e.JSON)
				if why != nil {
					t.Fatal(why)
				}
				got, why := d.Decode(append([]byte(gone), e.Datum...))
				if why != nil {
					t.Fatalf("seed %d: %v\n%s", seed, why, writer)
				}
				for i := range want.Columns {
					if !reflect.DeepEqual(show(got.Columns[i]), show(want.Columns[i])) {
						t.Fatalf("seed %d: column %v: %v; want %v", seed, columns.Leaves[i].Path, show(got.Columns[i]), show(want.Columns[i]))
					}
				}
			}
		}
	}
}

// TestWriters: what is no schema of columns may be one of a writer; what a schema refers to is declared before it.
func TestWriters(t *testing.T) {
	money := []byte(`{"type":"record","name":"a.Money","fields":[{"name":"units","type":"long"},{"name":"currency","type":"a.Currency"}]}`)
	currency := []byte(`{"type":"enum","name":"a.Currency","symbols":["EUR","USD"]}`)
	w, err := schema.ParseWriter([]byte(record(`price "a.Money"`, `loose {"type":"int","logicalType":"timestamp-millis"}`)), currency, money)
	if err != nil {
		t.Fatal(err)
	}
	r := parse(t, record(`price {"type":"record","name":"m","fields":[{"name":"currency","type":"string"}]}`))
	if _, err := avrodecoder.Resolve(w, r, nil); err == nil || !strings.Contains(err.Error(), "field price: field currency: enum was written") {
		t.Error(err)
	}
	r = parse(t, record(`price {"type":"record","name":"m","fields":[{"name":"units","type":"long"}]}`))
	p, err := avrodecoder.Resolve(w, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	row, why := p.NewDecoder().Decode([]byte("\x08\x02\x0a"))
	if why != nil || row.Columns[0][0].Int != 4 {
		t.Errorf("%v, %v", row, why)
	}
	if _, err := schema.ParseWriter([]byte(record(`price "a.Money"`)), money); err == nil || !strings.Contains(err.Error(), `"a.Currency" is unknown`) {
		t.Error(err)
	}
}

// FuzzResolve: whatever the datum, twmb/avro's resolution finds the same, or both refuse.
func FuzzResolve(f *testing.F) {
	w := record(`a "int"`, `gone ["null","string",{"type":"array","items":["int","null"]}]`, `b ["int","null"]`, `c {"type":"map","values":"float"}`)
	r := record(`c {"type":"map","values":"double"}`, `b ["null","long"]`, `a "long"`)
	d, _, err := resolve(f, w, r)
	if err != nil {
		f.Fatal(err)
	}
	ws, err := avro.Parse(w)
	if err != nil {
		f.Fatal(err)
	}
	rs, err := avro.Parse(r)
	if err != nil {
		f.Fatal(err)
	}
	other, err := avro.Resolve(ws, rs)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encode(f, w, `{"a":1,"gone":{"string":"x"},"b":null,"c":{"k":1.5}}`))
	f.Add(encode(f, w, `{"a":-1,"gone":{"array":[{"int":1},null]},"b":{"int":4},"c":{}}`))
	f.Fuzz(func(t *testing.T, datum []byte) {
		row, why := d.Decode(datum)
		var v map[string]any
		rest, err := other.Decode(datum, &v)
		if why != nil {
			// Ours refuses what follows a record, a varint that is longer than need be, and texts that are no UTF-8.
			if err == nil && len(rest) == 0 && !slices.Contains([]string{"invalid_utf8", "out_of_range", "invalid_avro"}, why.Code) {
				t.Errorf("%x: %v", datum, why)
			}
			return
		}
		if err != nil || len(rest) > 0 {
			t.Fatalf("%x: ours takes it, twmb/avro: %v, %d bytes are left", datum, err, len(rest))
		}
		if a := row.Columns[3][0].Int; a != v["a"] {
			t.Errorf("a is %d, and %v", a, v["a"])
		}
		if b := row.Columns[2][0]; b.Def == 1 && b.Int != v["b"] || b.Def == 0 && v["b"] != nil {
			t.Errorf("b is %+v, and %v", b, v["b"])
		}
		c, _ := v["c"].(map[string]any)
		last := map[string]any{}
		for i, k := range row.Columns[0] {
			if k.Def == 1 {
				last[string(bytes.Clone(k.Bytes))] = row.Columns[1][i].Int
			}
		}
		if len(c) != len(last) {
			t.Errorf("c has %s, and %s", fmt.Sprint(last), fmt.Sprint(c))
		}
	})
}
