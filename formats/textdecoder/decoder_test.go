package textdecoder_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/formats/textdecoder"
)

func parse(t testing.TB, fields string) *schema.Schema {
	t.Helper()
	s, err := schema.Parse([]byte(`{"type":"record","name":"r","fields":[` + fields + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// show is a row's values, or why there is none.
func show(s *schema.Schema, row *schema.Row, why *formats.RecordError) string {
	if why != nil {
		return why.Code + " " + why.Path
	}
	var all []string
	for i, cells := range row.Columns {
		c, l := cells[0], s.Leaves[i]
		switch {
		case c.Def < l.MaxDef:
			all = append(all, "null")
		case c.Bytes != nil || l.Type.Kind == schema.String:
			all = append(all, fmt.Sprintf("%q", c.Bytes))
		default:
			all = append(all, strconv.FormatInt(c.Int, 10))
		}
	}
	return strings.Join(all, " ")
}

func rfc4180() textdecoder.Separated { return textdecoder.Separated{Separator: ',', Quote: '"'} }

func TestSeparated(t *testing.T) {
	s := parse(t, `{"name":"id","type":"int"},{"name":"name","type":["null","string"]},{"name":"rest","type":"string"}`)
	hive := textdecoder.Separated{Separator: '\t', Null: `\N`}
	for _, c := range []struct {
		o          textdecoder.Separated
		line, want string
	}{
		{rfc4180(), "1,bob,x", `1 "bob" "x"`},
		{rfc4180(), "1,bob,x\n", `1 "bob" "x"`},
		{rfc4180(), "1,bob,x\r\n", `1 "bob" "x"`},
		{rfc4180(), "1,,", `1 null ""`},
		{rfc4180(), `1,"",""`, `1 "" ""`},
		{rfc4180(), `"1","b,o""b",""""`, `1 "b,o\"b" "\""`},
		{rfc4180(), "1,\"two\nlines\",x", `1 "two\nlines" "x"`},
		{rfc4180(), "+007,é\t\\,\"\x01\"", `7 "é\t\\" "\x01"`},
		{rfc4180(), "-0012,a,b", `-12 "a" "b"`},
		{rfc4180(), " 1,a,b", "wrong_type $.id"},
		{rfc4180(), "1.5,a,b", "inexact $.id"},
		{rfc4180(), "x,a,b", "wrong_type $.id"},
		{rfc4180(), "3000000000,a,b", "out_of_range $.id"},
		{rfc4180(), ",a,b", "missing_field $.id"},
		{rfc4180(), "1,a", "wrong_columns body"},
		{rfc4180(), "1,a,b,c", "wrong_columns body"},
		{rfc4180(), "1,a,b,", "wrong_columns body"},
		{rfc4180(), "", "wrong_columns body"},
		{rfc4180(), `1,"a,b`, "invalid_csv body"},
		{rfc4180(), `1,"a"b,c`, "invalid_csv body"},
		{rfc4180(), `1,a"b,c`, "invalid_csv body"},
		{rfc4180(), "1,\xff,c", "invalid_utf8 body"},
		{textdecoder.Separated{Separator: ',', Quote: '"', Null: "null"}, `1,"null",x`, `1 "null" "x"`},
		{textdecoder.Separated{Separator: ',', Quote: '"', Null: "null"}, `1,null,x`, `1 null "x"`},
		{hive, "1\t\\N\ta\"b", `1 null "a\"b"`},
		{hive, "1\ta,b\t\\\\N", `1 "a,b" "\\\\N"`},
		{hive, "1\t\t\\N", "missing_field $.rest"},
	} {
		p, err := textdecoder.CompileSeparated(s, c.o)
		if err != nil {
			t.Fatal(err)
		}
		row, why := p.NewDecoder().Decode([]byte(c.line))
		if got := show(s, row, why); got != c.want {
			t.Errorf("%q: %s; want %s", c.line, got, c.want)
		}
	}
	p, err := textdecoder.CompileSeparated(s, rfc4180())
	if err != nil {
		t.Fatal(err)
	}
	d := p.NewDecoder()
	if _, why := d.Decode(nil); why == nil || why.Code != "null_body" {
		t.Errorf("%v", why)
	}
	if _, why := d.Decode([]byte("1,a,b,c,d")); why == nil || why.Detail != "the line has 5 values, and the schema 3 fields" {
		t.Errorf("%v", why)
	}
}

// TestTypes: a value is what JSON takes for the type, without quotes.
func TestTypes(t *testing.T) {
	for _, c := range []struct{ typ, value, want string }{
		{`"boolean"`, "true", "1"},
		{`"boolean"`, "FALSE", "0"},
		{`"boolean"`, "1", "1"},
		{`"boolean"`, "0", "0"},
		{`"boolean"`, "yes", "wrong_type $.v"},
		{`"long"`, "9223372036854775807", "9223372036854775807"},
		{`"long"`, "1e3", "1000"},
		{`"long"`, "9223372036854775808", "out_of_range $.v"},
		{`"double"`, "1.5", "4609434218613702656"},
		{`"double"`, "NaN", "wrong_type $.v"},
		{`"double"`, "1.", "wrong_type $.v"},
		{`"double"`, ".5", "wrong_type $.v"},
		{`"double"`, "00.5", "4602678819172646912"},
		{`"float"`, "0", "0"},
		{`"int"`, "-", "wrong_type $.v"},
		{`"int"`, "1e", "wrong_type $.v"},
		{`"int"`, "--1", "wrong_type $.v"},
		{`"int"`, "-+1", "wrong_type $.v"},
		{`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, "012.34", `"\x04\xd2"`},
		{`{"type":"int","logicalType":"date"}`, "1970-01-03", "2"},
		{`{"type":"int","logicalType":"date"}`, "2", "2"},
		{`{"type":"int","logicalType":"date"}`, "tomorrow", "bad_value $.v"},
		{`{"type":"long","logicalType":"timestamp-millis"}`, "1970-01-01T00:00:01Z", "1000"},
		{`{"type":"long","logicalType":"timestamp-millis"}`, "1000", "1000"},
		{`{"type":"long","logicalType":"timestamp-millis","json-unit":"s"}`, "2", "2000"},
		{`{"type":"enum","name":"e","symbols":["A","B"]}`, "B", `"B"`},
		{`{"type":"enum","name":"e","symbols":["A","B"]}`, "C", "bad_value $.v"},
		{`"bytes"`, "YWJj", `"abc"`},
		{`{"type":"string","logicalType":"uuid"}`, "00000000-0000-0000-0000-0000000000FF", `"00000000-0000-0000-0000-0000000000ff"`},
		{`"string"`, "null", `"null"`},
		{`"string"`, "", `""`},
		{`["null","string"]`, "", "null"},
		{`"int","default":7`, "", "7"},
		{`"string","default":"d"`, "", `"d"`},
	} {
		s := parse(t, `{"name":"v","type":`+c.typ+`}`)
		p, err := textdecoder.CompileSeparated(s, rfc4180())
		if err != nil {
			t.Fatal(err)
		}
		row, why := p.NewDecoder().Decode([]byte(c.value))
		if got := show(s, row, why); got != c.want {
			t.Errorf("%s of %q: %s; want %s (%v)", c.typ, c.value, got, c.want, why)
		}
	}
}

func TestPattern(t *testing.T) {
	s := parse(t, `{"name":"host","type":"string"},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"status","type":["null","int"]},{"name":"level","type":"string","default":"info"}`)
	p, err := textdecoder.CompilePattern(s, `^(?P<at>\S+) (?P<host>\S*) (?:(?P<status>\d+)|-)(.*)$`)
	if err != nil {
		t.Fatal(err)
	}
	d := p.NewDecoder()
	for line, want := range map[string]string{
		"1970-01-01T00:00:01Z web1 200 ok": `"web1" 1000 200 "info"`,
		"5  -\n":                           `"" 5 null "info"`,
		"soon web1 200":                    "bad_value $.at",
		"1970-01-01T00:00:01Z":             "no_match body",
		"":                                 "no_match body",
	} {
		row, why := d.Decode([]byte(line))
		if got := show(s, row, why); got != want {
			t.Errorf("%q: %s; want %s (%v)", line, got, want, why)
		}
	}
	for pattern, want := range map[string]string{
		`(`:                             "compile pattern",
		`(?P<host>.*)`:                  "field at: the pattern has no group (?P<at>…)",
		`(?P<host>.*)(?P<at>.)(?P<x>.)`: `a group "x", which is no field`,
	} {
		if _, err := textdecoder.CompilePattern(s, pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", pattern, err, want)
		}
	}
	if _, err := textdecoder.CompilePattern(parse(t, `{"name":"v","type":["null","int"]}`), `.*`); err == nil || !strings.Contains(err.Error(), "no named group") {
		t.Error(err)
	}
	if _, err := textdecoder.CompileSeparated(parse(t, `{"name":"v","type":{"type":"array","items":"int"}}`), rfc4180()); err == nil || !strings.Contains(err.Error(), "field v: what is of type array") {
		t.Error(err)
	}
}

// TestAllocations: separated values take none.
func TestAllocations(t *testing.T) {
	p, err := textdecoder.CompileSeparated(parse(t, `{"name":"id","type":"int"},{"name":"name","type":["null","string"]},{"name":"ok","type":"boolean"}`), rfc4180())
	if err != nil {
		t.Fatal(err)
	}
	d, line := p.NewDecoder(), []byte(`17,"a ""name""",true`)
	if n := testing.AllocsPerRun(1000, func() {
		if _, why := d.Decode(line); why != nil {
			t.Fatal(why)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzSeparated: the values are those that encoding/csv finds, or both refuse.
func FuzzSeparated(f *testing.F) {
	for _, line := range []string{"a,b,c", `"a","b""c",d`, `a,"b`, `a"b,c,d`, `"",,`, "a,\"b\nc\",d", `"a"b,c,d`} {
		f.Add([]byte(line))
	}
	s := parse(f, `{"name":"a","type":"string"},{"name":"b","type":"string"},{"name":"c","type":"string"}`)
	p, err := textdecoder.CompileSeparated(s, rfc4180())
	if err != nil {
		f.Fatal(err)
	}
	d := p.NewDecoder()
	f.Fuzz(func(t *testing.T, line []byte) {
		if bytes.ContainsAny(line, "\r") || !utf8.Valid(line) || len(line) == 0 || line[0] == '\n' {
			return // encoding/csv changes line ends, and passes over empty lines
		}
		r := csv.NewReader(bytes.NewReader(line))
		want, err := r.Read()
		if err == nil && r.InputOffset() < int64(len(line)) {
			return // more than one record: ours are events
		}
		row, why := d.Decode(line)
		switch {
		case why == nil && err != nil:
			t.Fatalf("%q: ours takes it, encoding/csv: %v", line, err)
		case why != nil && err == nil && (why.Code != "wrong_columns" || len(want) == 3):
			t.Fatalf("%q: %v; encoding/csv finds %q", line, why, want)
		case why == nil:
			for i := range want {
				if string(row.Columns[i][0].Bytes) != want[i] {
					t.Fatalf("%q: column %d is %q; encoding/csv finds %q", line, i, row.Columns[i][0].Bytes, want[i])
				}
			}
		}
	})
}
