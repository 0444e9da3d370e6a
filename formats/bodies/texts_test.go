package bodies_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/registry"
)

// texts is what is found, fields separated by bars; null is -.
func texts(t testing.TB, s *bodies.Source, fields string, body []byte) string {
	t.Helper()
	var paths [][]string
	for field := range strings.SplitSeq(fields, " ") {
		paths = append(paths, strings.Split(field, "."))
	}
	maker, err := s.NewTexts(paths)
	if err != nil {
		return "no texts: " + err.Error()
	}
	reader := maker()
	var got string
	for range 2 { // the second time in what the first has left
		values, err := reader.Texts(body)
		if err != nil {
			return err.Error()
		}
		var all []string
		for _, v := range values {
			all = append(all, map[bool]string{true: "-", false: string(v)}[v == nil])
		}
		got = strings.Join(all, "|")
	}
	return got
}

// TestTextsOfJSON: fields that are columns, as these take them, and fields that are none, as they are written.
func TestTextsOfJSON(t *testing.T) {
	s := parse(t, record(`{"name":"n","type":["null","long"]},{"name":"ok","type":"boolean","default":true},{"name":"day","type":{"type":"int","logicalType":"date"},"default":"1970-01-01"},
		{"name":"user","type":["null",{"type":"record","name":"u","fields":[{"name":"id","type":"int"},{"name":"land","aliases":["country"],"type":"string","default":"xx"}]}],"default":null},
		{"name":"sure","type":{"type":"record","name":"s","fields":[{"name":"a","type":"string"},{"name":"b","type":"int"}]},"default":{"b":5,"a":"as ever"}},
		{"name":"u","type":["null",{"type":"string","logicalType":"uuid"}]},{"name":"e","type":["null",{"type":"enum","name":"e","symbols":["A","B"]}]},
		{"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},{"name":"x","type":["null","double"]},{"name":"list","type":["null",{"type":"array","items":"int"}]}`))
	typed, err := bodies.JSON(s, jsondecoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	strict, err := bodies.JSON(s, jsondecoder.Options{RefuseUnknown: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		source             *bodies.Source
		fields, body, want string
	}{
		{nil, "a b.c b.d", `{"b":{"d":"x\u0041","c":-1.50e3,"e":[{}]},"a":true}`, `true|-1.50e3|xA`},
		{nil, "a b c.d", `{"a":null,"b":""}`, `-||-`},
		{nil, "c.d", `{"c":null}`, `-`},
		{nil, "a", `{"a":{}}`, `wrong_type at $.a: `},
		{nil, "a", `{"a":[1]}`, `wrong_type at $.a: `},
		{nil, "a.b", `{"a":1}`, `wrong_type at $.a: `},
		{nil, "a", `{"a":nul}`, `invalid_json at $.a`},
		{nil, "a", `{"a":01}`, `invalid_json at $.a`},
		{nil, "a", `{"a":1,"a":2}`, `duplicate_key at $.a`},
		{nil, "a", `[]`, `not_an_object at $`},
		{nil, "a a.b", `{}`, `no texts: $.a is named twice, or has another below it`},
		{nil, "a.b a", `{}`, `no texts: $.a is named twice, or has another below it`},
		{nil, "a a", `{}`, `no texts: $.a is named twice`},
		{nil, "a.", `{}`, `no texts: the name 2 of the field, "", is empty`},

		{typed, "n ok day", `{"n":-5,"ok":false,"day":"2026-01-31"}`, `-5|false|2026-01-31`},
		{typed, "day user.land user.id n", `{"user":{"id":7}}`, `1970-01-01|xx|7|-`},
		{typed, "user.land user.id", `{"user":{"id":7,"country":"NO"}}`, `NO|7`},
		{typed, "user.land", `{"user":null}`, `-`},
		{typed, "user.land", `{"user":{"country":"NO"}}`, `NO`}, // that the id is missing is found where the columns are filled
		{typed, "user.land", `{"user":{"id":7,"land":5}}`, `wrong_type at $.user.land: `},
		{typed, "sure.a", `{}`, `as ever`},
		{typed, "sure.b sure.a", `{}`, `5|as ever`},
		{typed, "sure.a ok", `{"sure":{"a":"now","b":1}}`, `now|true`},
		{typed, "u e", `{"u":"0E37DF36-F698-11E6-8DD4-CB9CED3DF976","e":"B"}`, `0e37df36-f698-11e6-8dd4-cb9ced3df976|B`},
		{typed, "tenant n user.tier", `{"n":9007199254740993,"tenant":12,"user":{"id":1,"tier":"gold"}}`, `12|9007199254740993|gold`},
		{typed, "tenant n", `{"n":"5","tenant":12}`, `wrong_type at $.n: `},
		{typed, "x", ``, `no texts: $.x is of type double; in a path stand`},
		{typed, "at", ``, `no texts: $.at is of type timestamp-millis, which makes a directory for each moment; write event_time: {from: field $.at}`},
		{typed, "list", ``, `no texts: $.list is a record, a list or a map`},
		{typed, "user", ``, `no texts: $.user is a record, a list or a map`},
		{strict, "n", `{"n":1}`, `1`},
		{strict, "n tenant", ``, `no texts: the schema has no field $.tenant, and unknown_fields: refuse`},
	} {
		if got := texts(t, c.source, c.fields, []byte(c.body)); got != c.want && (!strings.Contains(c.want, " ") || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s of %s: %s; want %s", c.fields, c.body, got, c.want)
		}
	}
	if got := texts(t, nil, "a", nil); !strings.HasPrefix(got, "null_body at body") {
		t.Errorf("no body: %s", got)
	}
}

// TestTextsOfColumns: the same of events that are not JSON.
func TestTextsOfColumns(t *testing.T) {
	s := parse(t, record(`{"name":"skip","type":"string"},{"name":"in","type":["null",{"type":"record","name":"i","fields":[{"name":"n","type":"int"},{"name":"s","type":["string","null"]}]}]}`))
	w := newWriters()
	w.schemas[1] = &registry.Schema{Text: string(s.Text)}
	w.schemas[2] = &registry.Schema{Text: record(`{"name":"skip","type":"string"},{"name":"in","type":{"type":"record","name":"i","fields":[{"name":"s","type":"string"},{"name":"new","type":"int"},{"name":"n","type":"int"}]}}`)}
	w.schemas[3] = &registry.Schema{Text: record(`{"name":"skip","type":"string"}`)}
	registered, err := bodies.Registered(s, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		source             *bodies.Source
		fields, body, want string
	}{
		{bodies.Datums(s), "in.s in.n skip", "\x02x\x02\x05\x00\x04no", "no|-3|x"},
		{bodies.Datums(s), "in.s skip", "\x02x\x00", "-|x"},
		{bodies.Datums(s), "in.s skip", "\x02x\x02\x05\x02", "-|x"},
		{bodies.Datums(s), "in.s", "\x02", "invalid_avro at $.skip: "},
		{bodies.Datums(s), "in.t", "", "no texts: the schema has no field $.in.t"},
		{bodies.Datums(s), "in.s.t", "", `no texts: $.in.s is of type string, and has no field "t"`},
		{bodies.Datums(s), "in", "", "no texts: $.in is a record"},
		{registered, "in.s in.n skip", string(framed(1, "\x02x\x02\x05\x00\x04no")), "no|-3|x"},
		{registered, "in.s in.n skip", string(framed(2, "\x02x\x04no\x06\x05")), "no|-3|x"},
		{registered, "in.s in.n", string(framed(3, "\x02x")), "-|-"},
		{lines(t, "events: csv"), "b a", "x,5", "5|x"},
		{lines(t, `{events: pattern, pattern: '(?P<a>.*),(?P<b>.*)'}`), "b", "x,5", "5"},
		{lines(t, "events: csv"), "c", "", "no texts: the schema has no field $.c"},
	} {
		if got := texts(t, c.source, c.fields, []byte(c.body)); got != c.want && (!strings.Contains(c.want, " ") || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s of %q: %s; want %s", c.fields, c.body, got, c.want)
		}
	}
	// A record that a version lacks has its default, with all that is in it.
	s = parse(t, record(`{"name":"in","type":{"type":"record","name":"i","fields":[{"name":"n","type":"int"},{"name":"s","type":"string"}]},"default":{"n":5,"s":"none"}}`))
	if registered, err = bodies.Registered(s, w); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, registered, "in.s", framed(3, "\x02x")); got != "none" {
		t.Errorf("a record that is not there: %s", got)
	}
	if got := millis(registered, []string{"in", "n"}, "s", string(framed(3, "\x02x"))); got != "5000" {
		t.Errorf("a time in a record that is not there: %s", got)
	}
}

// lines is a source of lines with the fields a and b.
func lines(t testing.TB, block string) *bodies.Source {
	t.Helper()
	file := filepath.Join(t.TempDir(), "r.avsc")
	if err := os.WriteFile(file, []byte(record(`{"name":"a","type":"string"},{"name":"b","type":["null","long"]}`)), 0o600); err != nil {
		t.Fatal(err)
	}
	c := formatConfig{bodies.DefaultConfig()}
	if !strings.HasPrefix(block, "{") {
		block = "{" + block + "}"
	}
	if err := conf.Unmarshal([]byte(strings.Replace(block, "{", fmt.Sprintf("{schema: %q, ", file), 1)), &c, conf.Registry{}); err != nil {
		t.Fatal(err)
	}
	source, err := bodies.Open(c.Config, registry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return source
}

// TestTextsAllocateNothing: finding the fields of an event takes no memory.
func TestTextsAllocateNothing(t *testing.T) {
	typed, err := bodies.JSON(parse(t, columns()), jsondecoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	maker, err := typed.NewTexts([][]string{{"id"}, {"tenant"}, {"name"}})
	if err != nil {
		t.Fatal(err)
	}
	reader, body := maker(), []byte(`{"id":12345,"tenant":"a\tb"}`)
	var room int
	if n := testing.AllocsPerRun(1000, func() {
		values, err := reader.Texts(body)
		if err != nil {
			t.Fatal(err)
		}
		room = cap(values[0])
	}); n > 0 || room > 1000 {
		t.Errorf("%v allocations, and %d bytes for a number", n, room)
	}
}
