// Package infer proposes an Avro schema for JSON events, from a sample of them.
package infer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Sample gathers what events are made of. The zero Sample is empty.
type Sample struct {
	root   shape
	events int
}

// shape is what was seen at one place.
type shape struct {
	seen   map[string]int // by kind: null, boolean, number, string, object, array
	broken int            // numbers with a fraction or an exponent, or beyond 64 bits

	times, dates, uuids int  // strings of these forms
	fine                bool // a time with more than milliseconds

	fields map[string]*shape
	order  []string // of fields, as they were first seen
	items  *shape
}

// Add takes an event, which must be a JSON object.
func (s *Sample) Add(event []byte) error {
	d := json.NewDecoder(bytes.NewReader(event))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return fmt.Errorf("it is no JSON: %w", err)
	}
	if t != json.Delim('{') {
		return errors.New("it is no JSON object, whose fields would be the columns")
	}
	s.events++
	if err := s.root.object(d); err != nil {
		return fmt.Errorf("it is no JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// Events is how many were taken.
func (s *Sample) Events() int { return s.events }

func (s *shape) count(kind string) {
	if s.seen == nil {
		s.seen = map[string]int{}
	}
	s.seen[kind]++
}

func (s *shape) value(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t := t.(type) {
	case nil:
		s.count("null")
	case bool:
		s.count("boolean")
	case json.Number:
		s.count("number")
		if _, err := t.Int64(); err != nil {
			s.broken++
		}
	case string:
		s.count("string")
		s.text(t)
	case json.Delim:
		if t == '[' {
			return s.array(d)
		}
		return s.object(d)
	}
	return nil
}

func (s *shape) array(d *json.Decoder) error {
	s.count("array")
	if s.items == nil {
		s.items = &shape{}
	}
	for d.More() {
		if err := s.items.value(d); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// object reads one behind its brace.
func (s *shape) object(d *json.Decoder) error {
	s.count("object")
	if s.fields == nil {
		s.fields = map[string]*shape{}
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := t.(string)
		if !ok {
			return fmt.Errorf("%v is no name", t)
		}
		f := s.fields[name]
		if f == nil {
			f = &shape{}
			s.fields[name], s.order = f, append(s.order, name)
		}
		if err := f.value(d); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`)

func (s *shape) text(text string) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		s.times++
		s.fine = s.fine || t.Nanosecond()%1_000_000 != 0
	}
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		s.dates++
	}
	if uuid.MatchString(text) {
		s.uuids++
	}
}

// Schema returns the proposal, in Avro's JSON, and what somebody should look at in it. name is that of the record.
func (s *Sample) Schema(name string) (text []byte, doubts []string, err error) {
	if s.events == 0 {
		return nil, nil, errors.New("there are no events to learn from")
	}
	p := proposal{named: map[string]int{}}
	root := p.record(&s.root, name, "$")
	if fields, _ := root["fields"].([]any); len(fields) == 0 {
		return nil, p.doubts, errors.New("the events have no fields that could be columns")
	}
	if text, err = json.MarshalIndent(root, "", "  "); err != nil {
		return nil, nil, err
	}
	return append(text, '\n'), p.doubts, nil
}

type proposal struct {
	named  map[string]int // records need names of their own
	doubts []string
}

func (p *proposal) doubt(format string, args ...any) {
	p.doubts = append(p.doubts, fmt.Sprintf(format, args...))
}

var avroName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (p *proposal) record(s *shape, name, path string) map[string]any {
	p.named[name]++
	if n := p.named[name]; n > 1 {
		name = fmt.Sprintf("%s_%d", name, n)
	}
	fields := []any{}
	for _, f := range s.order {
		at := path + "." + f
		if !avroName.MatchString(f) {
			p.doubt("%s: left out: %q cannot be the name of a column", path, f)
			continue
		}
		fields = append(fields, map[string]any{"name": f, "type": p.typ(s.fields[f], s.seen["object"], f, at)})
	}
	return map[string]any{"type": "record", "name": name, "fields": fields}
}

// typ is the type of what was seen, of so many that there could be.
func (p *proposal) typ(s *shape, of int, name, path string) any {
	total, kind := 0, "null"
	for _, k := range []string{"boolean", "number", "string", "object", "array"} {
		total += s.seen[k]
		if s.seen[k] > s.seen[kind] || kind == "null" && s.seen[k] > 0 {
			kind = k
		}
	}
	if total == 0 {
		p.doubt("%s: it is null always; a string is a guess", path)
		return []any{"null", "string"}
	}
	if s.times > 0 && s.times == s.seen["string"] && s.times+s.seen["number"] == total {
		if s.seen["number"] > 0 {
			p.doubt("%s: of %d times %d are numbers, taken for milliseconds since 1970; if they are not, set json-unit", path, total, s.seen["number"])
		}
		kind = "string"
	} else if others := total - s.seen[kind]; others > 0 {
		p.doubt("%s: of %d values %d are of type %s; the others would be dead letters", path, total, s.seen[kind], kind)
	}
	t := p.known(s, kind, name, path)
	if total == of {
		return t
	}
	if total < of/20 {
		p.doubt("%s: it is there in %d of %d only", path, total, of)
	}
	return []any{"null", t}
}

// known is the type of values of one kind.
func (p *proposal) known(s *shape, kind, name, path string) any {
	n := s.seen[kind]
	switch kind {
	case "number":
		if s.broken > 0 {
			return "double"
		}
		return "long"
	case "string":
		return p.text(s, n, path)
	case "array":
		items := 0
		for _, k := range s.items.seen {
			items += k
		}
		if items == 0 {
			p.doubt("%s: the lists are all empty; strings are a guess", path)
			return map[string]any{"type": "array", "items": "string"}
		}
		return map[string]any{"type": "array", "items": p.typ(s.items, items, name, path+"[]")}
	case "object":
		return p.object(s, name, path)
	default:
		return kind
	}
}

func (p *proposal) text(s *shape, n int, path string) any {
	switch n {
	case s.times:
		unit := "timestamp-millis"
		if s.fine {
			unit = "timestamp-micros"
		}
		return map[string]any{"type": "long", "logicalType": unit}
	case s.dates:
		return map[string]any{"type": "int", "logicalType": "date"}
	case s.uuids:
		return map[string]any{"type": "string", "logicalType": "uuid"}
	}
	if most := max(s.times, s.dates, s.uuids); most*10 > n*9 {
		p.doubt("%s: %d of %d strings look like times, dates or UUIDs, and the others do not", path, most, n)
	}
	return "string"
}

// manyKeys is how many different names make an object a map rather than a record.
const manyKeys = 100

func (p *proposal) object(s *shape, name, path string) any {
	valid := slices.ContainsFunc(s.order, avroName.MatchString)
	if len(s.order) > 0 && valid && len(s.order) <= manyKeys {
		return p.record(s, name, path)
	}
	values, all := &shape{}, 0
	for _, f := range s.order {
		all += s.fields[f].total()
		values.merge(s.fields[f])
	}
	if all == 0 {
		p.doubt("%s: the objects are all empty; a map of strings is a guess", path)
		return map[string]any{"type": "map", "values": "string"}
	}
	p.doubt("%s: a map, since its objects have %d names, such as %s", path, len(s.order), strings.Join(s.order[:min(3, len(s.order))], ", "))
	return map[string]any{"type": "map", "values": p.typ(values, all, name, path+"{}")}
}

func (s *shape) total() (n int) {
	for _, k := range s.seen {
		n += k
	}
	return n
}

// merge adds what was seen elsewhere.
func (s *shape) merge(o *shape) {
	if s.seen == nil {
		s.seen = map[string]int{}
	}
	for k, n := range o.seen {
		s.seen[k] += n
	}
	s.broken, s.times, s.dates, s.uuids = s.broken+o.broken, s.times+o.times, s.dates+o.dates, s.uuids+o.uuids
	s.fine = s.fine || o.fine
	if o.items != nil {
		if s.items == nil {
			s.items = &shape{}
		}
		s.items.merge(o.items)
	}
	for _, name := range o.order {
		if s.fields == nil {
			s.fields = map[string]*shape{}
		}
		if s.fields[name] == nil {
			s.fields[name], s.order = &shape{}, append(s.order, name)
		}
		s.fields[name].merge(o.fields[name])
	}
}
