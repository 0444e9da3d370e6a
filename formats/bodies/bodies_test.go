package bodies_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/registry"
)

// writers is a registry in memory.
type writers struct {
	schemas map[uint32]*registry.Schema
	away    error
	asked   map[uint32]int
}

func (w *writers) Schema(_ context.Context, id uint32) (*registry.Schema, error) {
	if w.away != nil {
		return nil, w.away
	}
	w.asked[id]++
	if s := w.schemas[id]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("schema %d: %w", id, registry.ErrNoSchema)
}

func record(fields string) string {
	return `{"type":"record","name":"r","fields":[` + fields + `]}`
}

func parse(t testing.TB, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// framed is a datum behind the number of its schema.
func framed(id uint32, datum string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), datum...)
}

func columns() string {
	return record(`{"name":"id","type":"long"},{"name":"name","type":"string","default":"nobody"}`)
}

func newWriters() *writers {
	return &writers{asked: map[uint32]int{}, schemas: map[uint32]*registry.Schema{
		1:   {Text: record(`{"name":"id","type":"int"}`)},
		300: {Text: record(`{"name":"more","type":["null","int","string"]},{"name":"name","type":"string"},{"name":"id","type":"long"}`)},
		7:   {Text: record(`{"name":"id","type":"string"}`)},
		8:   {Text: `{"type":"record"`},
		9:   {Text: record(`{"name":"id","type":"ref"}`), Refers: []string{`{"type":"fixed","name":"ref","size":4}`}},
	}}
}

// TestRegistered: each event by its own schema, in the columns of one.
func TestRegistered(t *testing.T) {
	w := newWriters()
	source, err := bodies.Registered(parse(t, columns()), w)
	if err != nil {
		t.Fatal(err)
	}
	d := source.New()
	for _, c := range []struct {
		body []byte
		want string
	}{
		{framed(1, "\x0a"), "5 nobody"},
		{framed(300, "\x04\x02x\x06bob\x0e"), "7 bob"},
		{framed(1, "\x0b"), "-6 nobody"},
		{framed(1, "\x0a\x00"), "invalid_avro $"},
		{framed(1, ""), "invalid_avro $.id"},
		{framed(7, "\x02a"), "incompatible_schema body: schema 7: field id: string was written, which cannot be read as long"},
		{framed(8, "\x02a"), "incompatible_schema body: schema 8: parse Avro schema: it is no JSON"},
		{framed(9, "abcd"), "incompatible_schema body: schema 9: field id: fixed of 4 bytes was written"},
		{framed(2, "\x0a"), "unknown_schema body: schema 2: the registry has no such schema"},
		{[]byte("\x00\x00\x00\x01"), "no_schema_id body"},
		{[]byte("\x01\x00\x00\x00\x01\x0a"), "no_schema_id body"},
		{[]byte(`{"id":5}`), "no_schema_id body"},
		{[]byte{}, "no_schema_id body"},
		{nil, "null_body body"},
	} {
		for range 2 { // the second time from memory
			row, err := d.Decode(c.body)
			var got string
			var refused *formats.RecordError
			switch {
			case errors.As(err, &refused):
				got = refused.Code + " " + refused.Path + ": " + refused.Detail
			case err != nil:
				t.Fatal(err)
			default:
				got = fmt.Sprintf("%d %s", row.Columns[0][0].Int, row.Columns[1][0].Bytes)
			}
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("%q: %s; want %s", c.body, got, c.want)
			}
		}
	}
	source.New() // decoders share what was found
	other := source.New()
	if _, err := other.Decode(framed(1, "\x0a")); err != nil {
		t.Error(err)
	}
	for id, n := range w.asked {
		if n != 1 {
			t.Errorf("schema %d was asked for %d times", id, n)
		}
	}
}

// TestRegistryAway: what is known goes on, what is not is neither written nor refused, and is read when the registry is back.
func TestRegistryAway(t *testing.T) {
	w := newWriters()
	source, err := bodies.Registered(parse(t, columns()), w)
	if err != nil {
		t.Fatal(err)
	}
	d := source.New()
	if _, err := d.Decode(framed(1, "\x0a")); err != nil {
		t.Fatal(err)
	}
	w.away = errors.New("connection refused")
	if _, err := d.Decode(framed(1, "\x0c")); err != nil {
		t.Errorf("a schema that is known: %v", err)
	}
	var refused *formats.RecordError
	if _, err := d.Decode(framed(300, "\x00\x06bob\x0e")); !errors.Is(err, w.away) || errors.As(err, &refused) {
		t.Errorf("a schema that is not: %v", err)
	}
	w.away = nil
	if _, err := d.Decode(framed(300, "\x00\x06bob\x0e")); err != nil {
		t.Errorf("and when it is back: %v", err)
	}
}

// TestUnknownIsForgotten: a copy of a registry may lag behind the one that gave the number.
func TestUnknownIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriters()
		source, err := bodies.Registered(parse(t, columns()), w)
		if err != nil {
			t.Fatal(err)
		}
		d := source.New()
		if _, err := d.Decode(framed(2, "\x0a")); err == nil {
			t.Fatal("the schema is unknown")
		}
		w.schemas[2] = w.schemas[1]
		if _, err := d.Decode(framed(2, "\x0a")); err == nil || w.asked[2] != 1 {
			t.Errorf("%v, asked %d times", err, w.asked[2])
		}
		<-time.After(time.Minute)
		if _, err := d.Decode(framed(2, "\x0a")); err != nil {
			t.Errorf("after a minute: %v", err)
		}
	})
}

// TestMoments: the time of an event in a field, whatever the events are.
func TestMoments(t *testing.T) {
	text := record(`{"name":"in","type":["null",{"type":"record","name":"i","fields":[{"name":"skip","type":"string"},{"name":"at","type":TYPE}]}]},{"name":"last","type":"int"}`)
	for _, c := range []struct {
		typ, unit, value string // the value as an Avro long
		want             string
	}{
		{`{"type":"long","logicalType":"timestamp-millis"}`, "s", "\x08", "4"},
		{`{"type":"long","logicalType":"timestamp-micros"}`, "s", "\xf8\x3f", "4"}, // 4092
		{`{"type":"long","logicalType":"timestamp-micros"}`, "s", "\x01", "-1"},
		{`{"type":"long","logicalType":"timestamp-nanos"}`, "s", "\x02", "0"},
		{`{"type":"int","logicalType":"date"}`, "s", "\x02", "86400000"},
		{`"long"`, "s", "\x04", "2000"},
		{`"int"`, "ms", "\x04", "2"},
		{`"long"`, "us", "\xf8\x3f", "4"},
		{`["long","null"]`, "s", "\x00\x04", "2000"},
		{`["long","null"]`, "s", "\x02", "bad_event_time at $.in.at: it is null"},
		{`"long"`, "s", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "bad_event_time at $.in.at: it is beyond"},
		{`"string"`, "s", "", "no time: $.in.at is of type string"},
		{`{"type":"int","logicalType":"time-millis"}`, "s", "", "no time: $.in.at is of type time-millis"},
	} {
		s := parse(t, strings.Replace(text, "TYPE", c.typ, 1))
		w := newWriters()
		w.schemas[1] = &registry.Schema{Text: string(s.Text)}
		registered, err := bodies.Registered(s, w)
		if err != nil {
			t.Fatal(err)
		}
		for header, source := range map[string]*bodies.Source{"": bodies.Datums(s), string(framed(1, "")): registered} {
			got := millis(source, []string{"in", "at"}, c.unit, header+"\x02\x02x"+c.value+"\x00")
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("%s by %s of %x: %s; want %s", c.typ, c.unit, c.value, got, c.want)
			}
		}
	}
	s := parse(t, strings.Replace(text, "TYPE", `"long"`, 1))
	if got := millis(bodies.Datums(s), []string{"in", "at"}, "s", "\x00\x00"); !strings.Contains(got, "it is null") {
		t.Errorf("no record: %s", got)
	}
	for _, names := range [][]string{{"out"}, {"in", "out"}, {"in", "at", "out"}, {"in"}} {
		if got := millis(bodies.Datums(s), names, "s", ""); !strings.HasPrefix(got, "no time: ") {
			t.Errorf("%q: %s", names, got)
		}
	}
	for kind, line := range map[string]string{"events: csv": "x,4", `{events: pattern, pattern: '(?P<skip>.*),(?P<at>.*)'}`: "x,4"} {
		file := filepath.Join(t.TempDir(), "r.avsc")
		if err := os.WriteFile(file, []byte(record(`{"name":"skip","type":"string"},{"name":"at","type":["null","long"]}`)), 0o600); err != nil {
			t.Fatal(err)
		}
		c := formatConfig{bodies.DefaultConfig()}
		if err := conf.Unmarshal([]byte(kind), &c, conf.Registry{}); err == nil {
			t.Fatal("there is no schema")
		}
		var err error
		if c.Schema, err = conf.NewFileRef(file); err != nil {
			t.Fatal(err)
		}
		source, err := bodies.Open(c.Config, registry.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := millis(source, []string{"at"}, "s", line); got != "4000" {
			t.Errorf("%s: %s", kind, got)
		}
		if got := millis(source, []string{"skip"}, "s", line); !strings.HasPrefix(got, "no time: ") {
			t.Errorf("%s: %s", kind, got)
		}
	}
	// A record, a list or a map whose first value is a time is none.
	for _, typ := range []string{`{"type":"record","name":"i","fields":[{"name":"at","type":"long"}]}`, `{"type":"array","items":"long"}`, `{"type":"map","values":"long"}`} {
		of := parse(t, record(`{"name":"in","type":`+typ+`}`))
		if got := millis(bodies.Datums(of), []string{"in"}, "s", "\x02"); got != "no time: $.in is a record, a list or a map; an event's time is one value" {
			t.Errorf("%s: %s", typ, got)
		}
	}
	fromJSON, err := bodies.JSON(s, jsondecoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []*bodies.Source{nil, fromJSON} {
		if got := millis(source, []string{"a"}, "s", `{"a":3}`); got != "3000" {
			t.Errorf("JSON: %s", got)
		}
	}
}

func millis(s *bodies.Source, names []string, unit, body string) string {
	moments, err := s.Moments(names, unit)
	if err != nil {
		return "no time: " + err.Error()
	}
	ms, err := moments().Millis([]byte(body))
	if err != nil {
		return err.Error()
	}
	return strconv.FormatInt(ms, 10)
}

// formatConfig is a format's block, with nothing in it but what all have.
type formatConfig struct{ bodies.Config }

func (c *formatConfig) Validate(r *conf.Report) {
	c.Check(r, func(*schema.Schema) error { return nil })
}

func TestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r.avsc")
	if err := os.WriteFile(file, []byte(columns()), 0o600); err != nil {
		t.Fatal(err)
	}
	for yaml, want := range map[string]string{
		"{}":              "",
		"schema: " + file: "",
		"schema: " + file + "\nevents: confluent-avro\nregistry: {urls: ['https://r:8081']}":                         "",
		"schema: " + file + "\nevents: confluent-avro":                                                               "belong together",
		"schema: " + file + "\nregistry: {urls: ['https://r:8081']}":                                                 "belong together",
		"schema: " + file + "\nevents: confluent-avro\nregistry: {}":                                                 "urls",
		"schema: " + file + "\nevents: confluent-avro\nunknown_fields: ignore\nregistry: {urls: ['https://r:8081']}": "passed over",
		"registry: {urls: ['https://r:8081']}":                                                                       "without a schema",
		"schema: " + file + "\nevents: avro\nunknown_into: name":                                                     "and no others",
		"schema: " + file + "\nunknown_fields: refuse\nunknown_into: name":                                           "none to keep",
		"unknown_into: name":                "without a schema",
		"schema: " + file + "\nevents: csv": "",
		"schema: " + file + "\nevents: csv\ncsv: {separator: \"\\t\", quote: '', 'null': '\\N'}": "",
		"schema: " + file + "\nevents: csv\ncsv: {separator: '::'}":                              "not one ASCII character",
		"schema: " + file + "\nevents: csv\ncsv: {separator: '\"'}":                              "that is no separator",
		"schema: " + file + "\ncsv: {}":                                                          "belongs to events: csv",
		"schema: " + file + "\nevents: csv\nunknown_fields: refuse":                              "a line has the fields",
		"schema: " + file + "\nevents: pattern\npattern: '(?P<id>.*)'":                           "",
		"schema: " + file + "\nevents: pattern":                                                  "belong together",
		"schema: " + file + "\nevents: xml":                                                      "events",
	} {
		c := formatConfig{bodies.DefaultConfig()}
		err := conf.Unmarshal([]byte(yaml), &c, conf.Registry{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v; want %q", yaml, err, want)
			continue
		}
		if err == nil {
			source, err := bodies.Open(c.Config, registry.Options{})
			if err != nil || (source == nil) != (yaml == "{}") {
				t.Errorf("%q: %v, %v", yaml, source, err)
			}
		}
	}
}
