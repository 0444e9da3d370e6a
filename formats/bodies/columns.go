package bodies

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
)

// Column is one of the list that stands in place of a schema.
type Column struct {
	Name     string `yaml:"name"     conf:"required" doc:"Name of the column: letters, digits and _."`
	Type     string `yaml:"type"     conf:"required" doc:"boolean, int, long, float, double, string, bytes, uuid, date, time-millis, time-micros, timestamp-millis, timestamp-micros, timestamp-nanos, local-timestamp-millis, local-timestamp-micros, decimal(PRECISION,SCALE), array<TYPE> or map<TYPE>."`
	From     string `yaml:"from"     doc:"Where the value is in a JSON event, such as $.user.id; without it under the column's name, or for other events in their order."`
	Required bool   `yaml:"required" doc:"An event without a value is a dead letter; otherwise the column is null."`
	Default  string `yaml:"default"  doc:"Value where the event has none, as it would stand in JSON; of strings without the quotes. Empty: null."`
	Unit     string `yaml:"unit"     conf:"enum=s|ms|us|ns,assumed=the type's own" doc:"Of numbers for a timestamp."`
}

// Validate implements conf's check of values that must agree.
func (c *Column) Validate(r *conf.Report) {
	if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(c.Name) {
		r.Errorf("name", "%q is no name of a column", c.Name).Fixf("use letters, digits and _, not beginning with a digit; from: says where the value is")
	}
	if _, err := avroType(c.Type, c.Unit); err != nil {
		r.Errorf("type", "%v", err).Fixf("write string, long, timestamp-millis, decimal(12,2), array<string> …")
	}
	if c.From != "" && c.path() == nil {
		r.Errorf("from", "%q names no field", c.From).Fixf("write $.NAME, or $.NAME.NAME for a field in a field")
	}
	if c.Required && c.Default != "" {
		r.Errorf("default", "a column that is required has no use for one").Fixf("leave one of them out")
	}
}

// path is where the value is in an event; nil: From is not well written.
func (c *Column) path() []string {
	if c.From == "" {
		return []string{c.Name}
	}
	text, ok := strings.CutPrefix(c.From, "$.")
	names := strings.Split(text, ".")
	if !ok || slices.Contains(names, "") || strings.ContainsAny(text, "[]\"\\ \t") {
		return nil
	}
	return names
}

// avroType is a type in Avro's JSON.
func avroType(text, unit string) (any, error) {
	text = strings.TrimSpace(text)
	for _, of := range []struct{ prefix, kind, items string }{{"array<", "array", "items"}, {"map<", "map", "values"}} {
		inner, ok := strings.CutPrefix(text, of.prefix)
		if !ok {
			continue
		}
		if inner, ok = strings.CutSuffix(inner, ">"); !ok {
			return nil, fmt.Errorf("%q is not closed with >", text)
		}
		items, err := avroType(inner, unit)
		if err != nil {
			return nil, err
		}
		return map[string]any{"type": of.kind, of.items: []any{"null", items}}, nil
	}
	if m := regexp.MustCompile(`^decimal\((\d{1,2}), *(\d{1,2})\)$`).FindStringSubmatch(text); m != nil {
		precision, _ := strconv.Atoi(m[1]) // digits
		scale, _ := strconv.Atoi(m[2])
		return map[string]any{"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}, nil
	}
	base := map[string]string{
		"uuid": "string", "date": "int", "time-millis": "int", "time-micros": "long", "timestamp-millis": "long", "timestamp-micros": "long", "timestamp-nanos": "long",
		"local-timestamp-millis": "long", "local-timestamp-micros": "long",
	}[text]
	switch {
	case base != "" && unit != "" && strings.Contains(text, "timestamp"):
		return map[string]any{"type": base, "logicalType": text, "json-unit": unit}, nil
	case unit != "":
		return nil, fmt.Errorf("a unit goes with timestamps, and not with %s", text)
	case base != "":
		return map[string]any{"type": base, "logicalType": text}, nil
	case slices.Contains([]string{"boolean", "int", "long", "float", "double", "string", "bytes"}, text):
		return text, nil
	default:
		return nil, fmt.Errorf("%q is no type of a column", text)
	}
}

// avroSchema is the schema that a list of columns stands for.
func avroSchema(columns []Column) ([]byte, error) {
	var fields []any
	for i := range columns {
		c := &columns[i]
		t, err := avroType(c.Type, c.Unit)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		field := map[string]any{"name": c.Name, "type": []any{"null", t}}
		if c.Required {
			field["type"] = t
		}
		if c.Default != "" {
			field["type"], field["default"] = []any{t, "null"}, c.fallback()
		}
		fields = append(fields, field)
	}
	return json.Marshal(map[string]any{"type": "record", "name": "event", "fields": fields})
}

// fallback is the default as JSON.
func (c *Column) fallback() json.RawMessage {
	if json.Valid([]byte(c.Default)) && !slices.Contains([]string{"string", "uuid"}, c.Type) {
		return json.RawMessage(c.Default)
	}
	quoted, _ := json.Marshal(c.Default) // a string always can be
	return quoted
}

// picked is the source of JSON objects whose fields become columns under other names, or out of other fields: rows of the schema s, made of those of a schema that
// is as the events are.
func picked(columns []Column, s *schema.Schema, o jsondecoder.Options) (*Source, error) {
	root := &schema.Type{Kind: schema.Record, Name: "event"}
	for i := range columns {
		if err := putField(root, columns[i].path(), &s.Root.Fields[i], columns[i].Required, "$"); err != nil {
			return nil, err
		}
	}
	events, err := schema.New(root, nil)
	if err != nil {
		return nil, err
	}
	plan, err := jsondecoder.Compile(events, o)
	if err != nil {
		return nil, err
	}
	p := pick{}
	for _, l := range s.Leaves {
		i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == l.Path[0] })
		inEvent := append(slices.Clone(columns[i].path()), l.Path[1:]...)
		from := slices.IndexFunc(events.Leaves, func(e schema.Leaf) bool { return slices.Equal(e.Path, inEvent) })
		p.from = append(p.from, from)
		p.above = append(p.above, events.Leaves[from].MaxDef-l.MaxDef)
	}
	return &Source{Schema: s, json: true, strict: o.RefuseUnknown, New: func() Decoder {
		own := p
		own.decoder, own.row = plan.NewDecoder(), s.NewRow()
		return &own
	}}, nil
}

// putField puts a column's field into the record that events are, under the path's last name. A record on the way may be null, unless something in it is required; one that is not there is as
// an empty one, for the defaults in it.
func putField(t *schema.Type, path []string, column *schema.Field, required bool, at string) error {
	name := path[0]
	at += "." + name
	i := slices.IndexFunc(t.Fields, func(f schema.Field) bool { return f.Name == name })
	if len(path) == 1 {
		if i >= 0 {
			return fmt.Errorf("column %s: %s is taken by another column", column.Name, at)
		}
		t.Fields = append(t.Fields, schema.Field{Name: name, Type: column.Type, Default: column.Default})
		return nil
	}
	if i < 0 {
		i = len(t.Fields)
		t.Fields = append(t.Fields, schema.Field{Name: name, Type: &schema.Type{Kind: schema.Record, Nullable: true}, Default: []byte("{}")})
	}
	below := t.Fields[i].Type
	if below.Kind != schema.Record {
		return fmt.Errorf("column %s: %s is taken by another column", column.Name, at)
	}
	if required {
		below.Nullable, t.Fields[i].Default = false, nil
	}
	return putField(below, path[1:], column, required, at)
}

// pick rearranges rows.
type pick struct {
	decoder *jsondecoder.Decoder
	row     *schema.Row
	from    []int   // for each leaf its place in the event's schema
	above   []uint8 // for each leaf how many records around it may be null
}

func (p *pick) Decode(body []byte) (*schema.Row, error) {
	found, refused := p.decoder.Decode(body)
	if refused != nil {
		return nil, refused
	}
	for i, from := range p.from {
		cells := found.Columns[from]
		for j := range cells {
			cells[j].Def -= min(cells[j].Def, p.above[i])
		}
		p.row.Columns[i] = cells
	}
	return p.row, nil
}
