package textdecoder

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
)

// Separated says how values stand in a line. Their order is that of the schema's fields.
type Separated struct {
	Separator byte
	Quote     byte   // 0: none
	Null      string // a value that is not there, unless it is quoted; an empty one is none either way
}

// Plan is a schema compiled for text. Safe for concurrent use; see NewDecoder.
type Plan struct {
	json      *jsondecoder.Plan
	fields    []field
	separated Separated
	pattern   *regexp.Regexp // nil: separated values
}

// field is a column, and where a pattern has it.
type field struct {
	key   string // `"name":`
	typ   *schema.Type
	empty bool // an empty value is one
	group int
}

// CompileSeparated makes the plan for separated values.
func CompileSeparated(s *schema.Schema, o Separated) (*Plan, error) {
	p, err := compile(s)
	if err != nil {
		return nil, err
	}
	p.separated = o
	return p, nil
}

// CompilePattern makes the plan for the named groups of a pattern, which must be fields. Fields that are no group have their default, or are null.
func CompilePattern(s *schema.Schema, pattern string) (*Plan, error) {
	p, err := compile(s)
	if err != nil {
		return nil, err
	}
	if p.pattern, err = regexp.Compile(pattern); err != nil {
		return nil, fmt.Errorf("compile pattern: %w", err)
	}
	known := map[string]bool{}
	for i := range p.fields {
		name := s.Root.Fields[i].Name
		known[name] = true
		if p.fields[i].group = p.pattern.SubexpIndex(name); p.fields[i].group < 0 && !s.Root.Fields[i].Type.Nullable && s.Root.Fields[i].Default == nil {
			return nil, fmt.Errorf("field %s: the pattern has no group (?P<%s>…), and the schema has neither null nor a default for it", name, name)
		}
	}
	named := 0
	for _, name := range p.pattern.SubexpNames() {
		if name == "" {
			continue
		}
		if named++; !known[name] {
			return nil, fmt.Errorf("the pattern has a group %q, which is no field of the schema", name)
		}
	}
	if named == 0 {
		return nil, fmt.Errorf("the pattern has no named group, such as (?P<%s>…)", s.Root.Fields[0].Name)
	}
	return p, nil
}

func compile(s *schema.Schema) (*Plan, error) {
	p := &Plan{}
	for i := range s.Root.Fields {
		f := &s.Root.Fields[i]
		switch f.Type.Kind {
		case schema.Record, schema.Array, schema.Map:
			return nil, fmt.Errorf("field %s: what is of type %s does not stand in a line of text", f.Name, f.Type.Kind)
		default:
		}
		p.fields = append(p.fields, field{
			key: strconv.Quote(f.Name) + ":", typ: f.Type, empty: f.Type.Kind == schema.String && !f.Type.Nullable && f.Default == nil,
		})
	}
	var err error
	p.json, err = jsondecoder.Compile(s, jsondecoder.Options{})
	return p, err
}

// Decoder decodes one event after the other. Used by one goroutine.
type Decoder struct {
	plan   *Plan
	json   *jsondecoder.Decoder
	object []byte // the event as JSON, which has the rules for each type
	value  []byte // of quotes that were doubled
}

// NewDecoder returns a decoder with a row of its own.
func (p *Plan) NewDecoder() *Decoder { return &Decoder{plan: p, json: p.json.NewDecoder()} }

// keep is what a decoder keeps from one event to the next; a giant one leaves nothing behind.
const keep = 64 << 10

// Decode returns the event as a row, which is valid until the next call. A newline at the end belongs to no value. A *formats.RecordError says why there is no row.
func (d *Decoder) Decode(body []byte) (*schema.Row, *formats.RecordError) {
	if body == nil {
		return nil, &formats.RecordError{Code: "null_body", Path: "body", Detail: "an event without a body has no columns"}
	}
	if !utf8.Valid(body) {
		return nil, &formats.RecordError{Code: "invalid_utf8", Path: "body", Detail: "the line is no UTF-8"}
	}
	if cap(d.object) > keep {
		d.object, d.value = nil, nil
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(body, []byte{'\n'}), []byte{'\r'})
	d.object = append(d.object[:0], '{')
	var refused *formats.RecordError
	if d.plan.pattern != nil {
		refused = d.groups(line)
	} else {
		refused = d.values(line)
	}
	if refused != nil {
		return nil, refused
	}
	d.object = append(d.object, '}')
	return d.json.Decode(d.object)
}

func (d *Decoder) groups(line []byte) *formats.RecordError {
	at := d.plan.pattern.FindSubmatchIndex(line)
	if at == nil {
		return &formats.RecordError{Code: "no_match", Path: "body", Detail: "the pattern does not match the line"}
	}
	for i := range d.plan.fields {
		f := &d.plan.fields[i]
		if f.group < 0 || at[2*f.group] < 0 {
			continue
		}
		if refused := d.put(f, line[at[2*f.group]:at[2*f.group+1]], false); refused != nil {
			return refused
		}
	}
	return nil
}

func (d *Decoder) values(line []byte) *formats.RecordError {
	rest, more := line, true
	for i := range d.plan.fields {
		if !more {
			return d.columns(i)
		}
		var value []byte
		var quoted bool
		var refused *formats.RecordError
		if value, quoted, rest, more, refused = d.next(rest, len(line)); refused != nil {
			return refused
		}
		if !quoted && len(value) > 0 && string(value) == d.plan.separated.Null {
			continue
		}
		if refused := d.put(&d.plan.fields[i], value, quoted); refused != nil {
			return refused
		}
	}
	if more {
		return d.columns(len(d.plan.fields) + 1 + bytes.Count(rest, []byte{d.plan.separated.Separator}))
	}
	return nil
}

func (d *Decoder) columns(n int) *formats.RecordError {
	return &formats.RecordError{Code: "wrong_columns", Path: "body", Detail: fmt.Sprintf("the line has %d values, and the schema %d fields", n, len(d.plan.fields))}
}

// next takes a value off the front. more: a separator followed it.
func (d *Decoder) next(p []byte, whole int) (value []byte, quoted bool, rest []byte, more bool, refused *formats.RecordError) {
	o := &d.plan.separated
	if o.Quote == 0 || len(p) == 0 || p[0] != o.Quote {
		value, rest, more = bytes.Cut(p, []byte{o.Separator})
		if o.Quote != 0 && bytes.IndexByte(value, o.Quote) >= 0 {
			return nil, false, nil, false, d.misquoted(whole-len(p), "a quote in a value that does not begin with one")
		}
		return value, false, rest, more, nil
	}
	start := whole - len(p)
	p = p[1:]
	d.value = d.value[:0]
	for {
		end := bytes.IndexByte(p, o.Quote)
		switch {
		case end < 0:
			return nil, false, nil, false, d.misquoted(start, "a quote that is not closed")
		case end+1 < len(p) && p[end+1] == o.Quote:
			d.value = append(d.value, p[:end+1]...)
			p = p[end+2:]
			continue
		}
		value, p = p[:end], p[end+1:]
		if len(d.value) > 0 {
			d.value = append(d.value, value...)
			value = d.value
		}
		if len(p) > 0 && p[0] != o.Separator {
			return nil, false, nil, false, d.misquoted(whole-len(p), "something follows a quote that was closed")
		}
		if len(p) == 0 {
			return value, true, nil, false, nil
		}
		return value, true, p[1:], true, nil
	}
}

func (d *Decoder) misquoted(at int, what string) *formats.RecordError {
	return &formats.RecordError{Code: "invalid_csv", Path: "body", Detail: fmt.Sprintf("%s, at byte %d", what, at)}
}

// put adds a field to the object; one that is left out has its default, or is null.
func (d *Decoder) put(f *field, value []byte, quoted bool) *formats.RecordError {
	if len(value) == 0 && !quoted && !f.empty {
		return nil
	}
	if len(d.object) > 1 {
		d.object = append(d.object, ',')
	}
	d.object = append(d.object, f.key...)
	switch f.typ.Kind {
	case schema.Boolean:
		return d.boolean(f, value)
	case schema.Int, schema.Long, schema.Float, schema.Double, schema.Decimal:
		if !isNumber(value) {
			return d.wrong(f, "no number")
		}
		d.object = appendNumber(d.object, value)
		return nil
	case schema.TimestampMillis, schema.TimestampMicros, schema.TimestampNanos, schema.Date, schema.TimeMillis, schema.TimeMicros:
		if isNumber(value) {
			d.object = appendNumber(d.object, value)
			return nil
		}
	default:
	}
	d.object = appendString(d.object, value)
	return nil
}

func (d *Decoder) boolean(f *field, value []byte) *formats.RecordError {
	is := func(text string) bool { return bytes.EqualFold(value, []byte(text)) }
	switch {
	case is("true") || is("1"):
		d.object = append(d.object, "true"...)
	case is("false") || is("0"):
		d.object = append(d.object, "false"...)
	default:
		return d.wrong(f, "neither true, false, 1 nor 0")
	}
	return nil
}

func (d *Decoder) wrong(f *field, what string) *formats.RecordError {
	name, err := strconv.Unquote(f.key[:len(f.key)-1])
	if err != nil {
		name = f.key // cannot be: it was quoted
	}
	return &formats.RecordError{Code: "wrong_type", Path: "$." + name, Detail: "the value is " + what + ", and the column is " + f.typ.Kind.String()}
}

// isNumber reports whether the text is one as JSON has it, but for zeros and + before it.
func isNumber(p []byte) bool {
	digits := func() (n int) {
		for n < len(p) && p[n] >= '0' && p[n] <= '9' {
			n++
		}
		p = p[n:]
		return n
	}
	sign := func() {
		if len(p) > 0 && (p[0] == '-' || p[0] == '+') {
			p = p[1:]
		}
	}
	sign()
	if digits() == 0 {
		return false
	}
	if len(p) > 0 && p[0] == '.' {
		p = p[1:]
		if digits() == 0 {
			return false
		}
	}
	if len(p) > 0 && (p[0] == 'e' || p[0] == 'E') {
		p = p[1:]
		sign()
		if digits() == 0 {
			return false
		}
	}
	return len(p) == 0
}

// appendNumber appends a number without what JSON does not have before one: a plus, and zeros before another digit.
func appendNumber(dst, p []byte) []byte {
	if p[0] == '-' {
		dst = append(dst, '-')
	}
	if p[0] == '-' || p[0] == '+' {
		p = p[1:]
	}
	for len(p) > 1 && p[0] == '0' && p[1] >= '0' && p[1] <= '9' {
		p = p[1:]
	}
	return append(dst, p...)
}

// appendString appends a JSON string.
func appendString(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
