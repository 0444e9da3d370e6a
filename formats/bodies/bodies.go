// Package bodies says what the bodies of events are, and turns them into rows of a schema: the part of a format's configuration and the decoders that every
// format with a schema shares.
package bodies

import (
	"context"
	"fmt"
	"slices"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrodecoder"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/formats/textdecoder"
	"github.com/penstock-io/penstock/registry"
)

// Config is what a format's block says of events. Formats embed it.
type Config struct {
	Schema        conf.FileRef `yaml:"schema"         doc:"An Avro schema (.avsc), a record: its fields become the columns. Without it the columns are key, body and headers as they are."`
	Columns       []Column     `yaml:"columns"        doc:"In place of a schema: a list of columns."`
	Events        string       `yaml:"events"         conf:"enum=json|avro|confluent-avro|csv|pattern" doc:"With a schema: what events are. JSON objects; Avro datums that were written with this schema; Avro datums behind the number of their schema in a registry, as Confluent's serializers write them, which are read as this schema; lines of separated values in the order of the schema's fields; lines that a pattern takes apart."`
	UnknownFields string       `yaml:"unknown_fields" conf:"enum=ignore|refuse" doc:"With JSON events: what happens to fields that the schema does not have; refused events are dead letters."`

	UnknownInto string `yaml:"unknown_into"   doc:"With JSON events: a field of the schema, a map of strings, for the fields that the schema does not have: strings as they are, all else as JSON. Fields within fields are not collected."`

	Registry *registry.Config `yaml:"registry" doc:"For confluent-avro: where the schemas are with which events were written."`
	CSV      *CSV             `yaml:"csv"      doc:"For csv: how values stand in a line."`
	Pattern  string           `yaml:"pattern"  doc:"For pattern: a regular expression (RE2's) with a named group for each field, such as (?P<host>[^ ]+)."`
}

// CSV is the block csv.
type CSV struct {
	Separator string `yaml:"separator" doc:"Character between values; a tab is \"\\t\", in double quotes."`
	Quote     string `yaml:"quote"     doc:"Character around values that hold a separator, doubled where it stands for itself; empty: there is none."`
	Null      string `yaml:"null"      doc:"A value that is not there; an empty one is none either way, unless it is quoted."`
}

// SetDefaults implements conf's Defaulter: RFC 4180.
func (c *CSV) SetDefaults() { c.Separator, c.Quote = ",", `"` }

// Validate implements conf's check of values that must agree.
func (c *CSV) Validate(r *conf.Report) {
	plain := func(s string) bool { return len(s) == 1 && s[0] < 0x80 && s != "\n" && s != "\r" }
	if !plain(c.Separator) {
		r.Errorf("separator", "%q is not one ASCII character", c.Separator).Fixf("separator: \",\"")
	}
	if c.Quote != "" && (!plain(c.Quote) || c.Quote == c.Separator) {
		r.Errorf("quote", "%q is not one ASCII character that is no separator", c.Quote).Fixf(`quote: '"'`)
	}
}

func (c *CSV) separated() textdecoder.Separated {
	if c == nil {
		c = &CSV{}
		c.SetDefaults()
	}
	s := textdecoder.Separated{Separator: c.Separator[0], Null: c.Null}
	if c.Quote != "" {
		s.Quote = c.Quote[0]
	}
	return s
}

// The kinds of events.
const (
	eventsAvro      = "avro"
	eventsConfluent = "confluent-avro"
	eventsCSV       = "csv"
	eventsPattern   = "pattern"
)

// DefaultConfig is events as they are, and JSON once there is a schema.
func DefaultConfig() Config { return Config{Events: "json", UnknownFields: "ignore"} }

// Check reports what does not agree. columns is the format's own check of the schema; keys are the format's that mean nothing without one. Called by the
// Validate of a format's configuration.
func (c *Config) Check(r *conf.Report, columns func(*schema.Schema) error, keys ...string) {
	if !c.Schema.IsZero() && len(c.Columns) > 0 {
		r.Errorf("columns", "a schema and a list of columns say the same").Fixf("leave one of them out")
		return
	}
	if !c.typed() {
		for _, key := range append([]string{"events", "unknown_fields", "unknown_into", "registry", "csv", "pattern"}, keys...) {
			if r.Written(key) {
				r.Errorf(key, "without a schema, the columns are key, body and headers as they are").Fixf("leave %s out, or write schema: file:NAME.avsc", key)
			}
		}
		return
	}
	c.checkUnknown(r)
	c.checkParts(r)
	_, s, err := c.load()
	if err == nil {
		err = columns(s)
	}
	if err != nil && len(c.Columns) > 0 {
		r.Errorf("columns", "%v", err).Fixf("conf/examples/columns.yaml is an example")
	} else if err != nil {
		r.Errorf("schema", "%v", err).Fixf("see the Avro specification, \"Schema Declaration\"; conf/examples/clicks.avsc is an example")
	}
}

// checkUnknown reports policies for fields that events of this kind cannot have.
func (c *Config) checkUnknown(r *conf.Report) {
	why := map[string]string{
		eventsAvro:      "an Avro datum has the fields of its schema, and no others",
		eventsConfluent: "Avro's rules for another schema are followed: fields that this one does not have are passed over",
		eventsCSV:       "a line has the fields of the schema, and no others",
		eventsPattern:   "a line has the fields of the schema, and no others",
	}[c.Events]
	for _, key := range []string{"unknown_fields", "unknown_into"} {
		if why != "" && r.Written(key) {
			r.Errorf(key, "%s", why).Fixf("leave %s out", key)
		}
	}
	if c.UnknownInto != "" && c.UnknownFields == "refuse" {
		r.Errorf("unknown_into", "unknown fields are refused, so there are none to keep").Fixf("leave one of them out")
	}
}

// checkParts reports what belongs to events of another kind.
func (c *Config) checkParts(r *conf.Report) {
	if (c.Events == eventsConfluent) != (c.Registry != nil) {
		r.Errorf("registry", "events: confluent-avro and a registry belong together").Fixf("write events: confluent-avro and registry: {urls: [https://HOST:8081]}, or neither")
	}
	if (c.Events == eventsPattern) != (c.Pattern != "") {
		r.Errorf("pattern", "events: pattern and a pattern belong together").Fixf("write events: pattern and pattern: '^(?P<FIELD>…)', or neither")
	}
	if c.CSV != nil && c.Events != eventsCSV {
		r.Errorf("csv", "it belongs to events: csv").Fixf("write events: csv, or leave csv out")
	}
	for i := range c.Columns {
		if c.Columns[i].From != "" && c.Events != "json" {
			r.Errorf("columns", "column %s: from is for JSON events", c.Columns[i].Name).Fixf("leave it out: the columns are the fields of the event")
		}
	}
}

// typed says that there is a schema, or what stands in its place.
func (c *Config) typed() bool { return !c.Schema.IsZero() || len(c.Columns) > 0 }

// key is where the columns are written.
func (c *Config) key() string {
	if len(c.Columns) > 0 {
		return "columns"
	}
	return "schema"
}

func (c *Config) load() (path string, s *schema.Schema, err error) {
	if len(c.Columns) > 0 {
		text, err := avroSchema(c.Columns)
		if err != nil {
			return "", nil, err
		}
		s, err = schema.Parse(text)
		return "event", s, err
	}
	if path, err = c.Schema.Path(); err != nil {
		return "", nil, err
	}
	s, err = schema.Load(path)
	return path, s, err
}

// Decoder makes a row of an event's body. Called by one goroutine at a time. The row is valid until the next call and may point into the body. A
// *formats.RecordError means that the event does not fit the schema; any other error that this cannot be told now.
type Decoder interface {
	Decode(body []byte) (*schema.Row, error)
}

// Source is a schema, and decoders of events into it.
type Source struct {
	Schema *schema.Schema
	// New returns a decoder. Safe for concurrent use.
	New func() Decoder
	// Datums says that bodies are datums of the schema already.
	Datums bool
	// reading is a source of the same events in another schema, of which they are one part; nil: there is none but the whole.
	reading func(*schema.Schema) (*Source, error)
	json    bool // events are JSON
	strict  bool // and no others than the schema's fields may be in it
	// Check asks whether what decoders will need is there, and returns what answered; nil: they need nothing.
	Check func(context.Context) (string, error)
}

// Open compiles the decoders; nil without a schema. Nothing is asked of the network. Errors name the file.
func Open(c Config, o registry.Options) (*Source, error) {
	if !c.typed() {
		return nil, nil //nolint:nilnil // a format without a schema is the default
	}
	path, s, err := c.load()
	if err != nil {
		return nil, fmt.Errorf("format.%s: %w", c.key(), err)
	}
	source, err := c.source(s, o)
	if err != nil {
		return nil, fmt.Errorf("format.%s: %s: %w", c.key(), path, err)
	}
	return source, nil
}

func (c *Config) source(s *schema.Schema, o registry.Options) (*Source, error) {
	switch c.Events {
	case eventsAvro:
		return Datums(s), nil
	case eventsConfluent:
		client := registry.New(*c.Registry, o)
		source, err := Registered(s, client)
		if err == nil {
			source.Check = client.Check
		}
		return source, err
	case eventsCSV:
		return lines(s)(textdecoder.CompileSeparated(s, c.CSV.separated()))
	case eventsPattern:
		return lines(s)(textdecoder.CompilePattern(s, c.Pattern))
	default:
		o := jsondecoder.Options{RefuseUnknown: c.UnknownFields == "refuse", Collect: c.UnknownInto}
		if slices.ContainsFunc(c.Columns, func(c Column) bool { return c.From != "" }) {
			return picked(c.Columns, s, o)
		}
		return JSON(s, o)
	}
}

// lines is the source of lines of text.
func lines(s *schema.Schema) func(*textdecoder.Plan, error) (*Source, error) {
	return func(plan *textdecoder.Plan, err error) (*Source, error) {
		if err != nil {
			return nil, err
		}
		return &Source{Schema: s, New: func() Decoder { return certain{plan.NewDecoder()} }}, nil
	}
}

// JSON is the source of JSON objects.
func JSON(s *schema.Schema, o jsondecoder.Options) (*Source, error) {
	plan, err := jsondecoder.Compile(s, o)
	if err != nil {
		return nil, err
	}
	return &Source{
		Schema: s, New: func() Decoder { return certain{plan.NewDecoder()} }, json: true, strict: o.RefuseUnknown,
		reading: func(other *schema.Schema) (*Source, error) { return JSON(other, jsondecoder.Options{}) },
	}, nil
}

// Datums is the source of Avro datums that were written with the schema.
func Datums(s *schema.Schema) *Source {
	plan := avrodecoder.Compile(s)
	return &Source{
		Schema: s, New: func() Decoder { return certain{plan.NewDecoder()} }, Datums: true,
		reading: func(other *schema.Schema) (*Source, error) { return resolvedDatums(s, other) },
	}
}

// certain is a decoder that needs nothing but the event.
type certain struct {
	decoder interface {
		Decode(body []byte) (*schema.Row, *formats.RecordError)
	}
}

func (c certain) Decode(body []byte) (*schema.Row, error) {
	row, refused := c.decoder.Decode(body)
	if refused != nil {
		return nil, refused
	}
	return row, nil
}
