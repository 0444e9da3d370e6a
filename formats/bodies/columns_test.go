package bodies_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/registry"
)

func columnsOf(yaml string) (*bodies.Source, error) {
	c := formatConfig{bodies.DefaultConfig()}
	if err := conf.Unmarshal([]byte(yaml), &c, conf.Registry{}); err != nil {
		return nil, err
	}
	return bodies.Open(c.Config, registry.Options{})
}

// cells are a row's: repetition and definition level, and value.
func cells(r *schema.Row) string {
	var all []string
	for _, column := range r.Columns {
		var one []string
		for _, c := range column {
			v := fmt.Sprintf("%d/%d", c.Rep, c.Def)
			if c.Bytes != nil {
				v += fmt.Sprintf(":%q", c.Bytes)
			} else if c.Int != 0 {
				v += fmt.Sprintf(":%d", c.Int)
			}
			one = append(one, v)
		}
		all = append(all, strings.Join(one, " "))
	}
	return strings.Join(all, " | ")
}

// TestColumns: a list of columns takes its values from where they are in an event, whatever stands between.
func TestColumns(t *testing.T) {
	const list = `
columns:
- {name: tags, type: array<string>, from: $.user.tags}
- {name: id, type: long, from: $.user.id, required: true}
- {name: land, type: string, from: $.user.home.land, default: xx}
- {name: n, type: int, default: "7"}
- {name: at, type: timestamp-millis, from: $.meta.at, unit: s}
- {name: city, type: string, from: $.user.home.city}
- {name: sure, type: boolean, from: $.meta.sure, required: true}
`
	source, err := columnsOf(list)
	if err != nil {
		t.Fatal(err)
	}
	d := source.New()
	for _, c := range []struct{ body, want string }{
		{`{"meta":{"sure":true,"at":2},"n":1,"user":{"home":{"city":"Bonn","land":"DE"},"id":5,"tags":["a",null,"b"]}}`, `0/3:"a" 1/2 1/3:"b" | 0/0:5 | 0/1:"DE" | 0/1:1 | 0/1:2000 | 0/1:"Bonn" | 0/0:1`},
		{`{"user":{"id":5},"meta":{"sure":false}}`, `0/0 | 0/0:5 | 0/1:"xx" | 0/1:7 | 0/0 | 0/0 | 0/0`},
		{`{"user":{"id":5,"home":null,"tags":[]},"meta":{"sure":false},"n":null}`, `0/1 | 0/0:5 | 0/0 | 0/0 | 0/0 | 0/0 | 0/0`},
		{`{"user":{"id":5,"home":{}},"meta":{"sure":false},"more":{}}`, `0/0 | 0/0:5 | 0/1:"xx" | 0/1:7 | 0/0 | 0/0 | 0/0`},
		{`{"user":{},"meta":{"sure":false}}`, `missing_field $.user.id`},
		{`{"meta":{"sure":false}}`, `missing_field $.user`},
		{`{"user":null,"meta":{"sure":false}}`, `null_value $.user`},
		{`{"user":{"id":5,"home":{"land":3}},"meta":{"sure":false}}`, `wrong_type $.user.home.land`},
		{`{"user":{"id":5,"home":"x"},"meta":{"sure":false}}`, `wrong_type $.user.home`},
	} {
		for range 2 { // the second time in what the first has left
			row, err := d.Decode([]byte(c.body))
			var got string
			if refused, ok := errors.AsType[*formats.RecordError](err); ok {
				got = refused.Code + " " + refused.Path
			} else {
				got = cells(row)
			}
			if got != c.want {
				t.Errorf("%s:\n got %s\nwant %s", c.body, got, c.want)
			}
		}
	}
	var names []string
	for _, f := range source.Schema.Root.Fields {
		names = append(names, f.Name+" "+f.Type.Hive())
	}
	if got := strings.Join(names, ", "); got != "tags ARRAY<STRING>, id BIGINT, land STRING, n INT, at TIMESTAMP, city STRING, sure BOOLEAN" {
		t.Errorf("columns: %s", got)
	}
	const body = `{"user":{"id":5,"home":{"city":"Bonn"}},"meta":{"sure":true}}`
	if got := texts(t, source, "land id user.home.city", []byte(body)); got != "xx|5|Bonn" {
		t.Errorf("fields of a path: %s", got)
	}
}

// TestColumnsAsTheyAre: without from, columns are a schema's fields, for events of all kinds.
func TestColumnsAsTheyAre(t *testing.T) {
	const list = "columns: [{name: a, type: uuid}, {name: b, type: 'decimal(5, 2)', required: true}, {name: c, type: map<double>}, {name: rest, type: map<string>}]\n"
	source, err := columnsOf(list + "unknown_into: rest")
	if err != nil {
		t.Fatal(err)
	}
	row, err := source.New().Decode([]byte(`{"b":1.5,"c":{"x":null},"d":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := cells(row); got != `0/0 | 0/0:"\x00\x00\x96" | 0/2:"x" | 0/2 | 0/2:"d" | 0/3:"[1]"` {
		t.Error(got)
	}
	if source, err = columnsOf("columns: [{name: a, type: string, default: '5'}, {name: b, type: long, default: '5'}]"); err != nil {
		t.Fatal(err)
	}
	if row, err = source.New().Decode([]byte("{}")); err != nil || cells(row) != `0/1:"5" | 0/1:5` {
		t.Errorf("defaults: %v, %v", row, err)
	}
	if source, err = columnsOf("columns: [{name: a, type: string, from: $.b}]\nunknown_fields: refuse"); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, source, "tenant", nil); !strings.HasPrefix(got, "no texts: the schema has no field $.tenant, and unknown_fields: refuse") {
		t.Error(got)
	}
	if source, err = columnsOf("columns: [{name: a, type: string}, {name: b, type: long}]\nevents: csv"); err != nil {
		t.Fatal(err)
	}
	if row, err = source.New().Decode([]byte("x,5")); err != nil || cells(row) != `0/1:"x" | 0/1:5` {
		t.Errorf("%v, %v", row, err)
	}
}

func TestColumnMistakes(t *testing.T) {
	for yaml, want := range map[string]string{
		"columns: [{name: a}]":                                                                "type",
		"columns: [{name: a-b, type: string}]":                                                `"a-b" is no name of a column`,
		"columns: [{name: a, type: text}]":                                                    `"text" is no type of a column`,
		"columns: [{name: a, type: array<string}]":                                            "is not closed with >",
		"columns: [{name: a, type: array<map<text>>}]":                                        `"text" is no type of a column`,
		"columns: [{name: a, type: 'decimal(40,2)'}]":                                         "precision",
		"columns: [{name: a, type: date, unit: s}]":                                           "a unit goes with timestamps",
		"columns: [{name: a, type: string, from: user.id}]":                                   `"user.id" names no field`,
		"columns: [{name: a, type: string, from: '$.user[0]'}]":                               "names no field",
		"columns: [{name: a, type: string, from: '$.user..id'}]":                              "names no field",
		"columns: [{name: a, type: string, required: true, default: x}]":                      "has no use for one",
		"columns: [{name: a, type: string}, {name: a, type: string}]":                         "a",
		"columns: [{name: a, type: string}]\nschema: x.avsc":                                  "say the same",
		"columns: [{name: a, type: string, from: $.b}]\nevents: csv":                          "column a: from is for JSON events",
		"columns: [{name: a, type: string, from: $.x}, {name: b, type: string, from: $.x}]":   "$.x is taken by another column",
		"columns: [{name: a, type: string, from: $.x}, {name: b, type: string, from: $.x.y}]": "$.x is taken by another column",
		"columns: [{name: a, type: string, from: $.x.y}, {name: b, type: string, from: $.x}]": "$.x is taken by another column",
		"columns: [{name: a, type: int, from: $.b, default: x}]":                              `default "x": wrong_type`,
	} {
		if _, err := columnsOf(yaml); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", yaml, err, want)
		}
	}
}
