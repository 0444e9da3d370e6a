package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Parse reads an Avro schema (Apache Avro 1.12 specification, "Schema Declaration"): JSON, a record at the top. Of unions only those of null and one
// other type have columns; a type that contains itself has none. An unknown logical type is ignored, as the specification asks. Errors name the
// place: `fields[3] "user": fields[0] "id": …`.
func Parse(text []byte) (*Schema, error) {
	p := parser{named: map[string]*Type{}}
	root, err := p.text(text)
	if err != nil {
		return nil, err
	}
	if root.Kind != Record || root.Nullable {
		return nil, fmt.Errorf("parse Avro schema: the top is %s, and must be a record: its fields are the columns", root.Kind)
	}
	s, err := New(root, text)
	if err != nil {
		return nil, fmt.Errorf("parse Avro schema: %w", err)
	}
	return s, nil
}

// ParseWriter reads the schema with which datums were written: of it only what a reader's schema asks for is needed, so unions may be of anything, and mistakes in
// logical types are overlooked, as Avro has it. It may refer to named types in refers, which may refer to those before them. A type that contains itself is refused.
func ParseWriter(text []byte, refers ...[]byte) (*Type, error) {
	p := parser{named: map[string]*Type{}, writer: true}
	for _, r := range refers {
		if _, err := p.text(r); err != nil {
			return nil, fmt.Errorf("a schema that is referred to: %w", err)
		}
	}
	return p.text(text)
}

func (p *parser) text(text []byte) (*Type, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, syntax(text, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("parse Avro schema: something follows the schema at byte %d", d.InputOffset())
	}
	t, err := p.parse(v, "")
	if err != nil {
		return nil, fmt.Errorf("parse Avro schema: %w", err)
	}
	return t, nil
}

// maxText is more than any schema written by people or programs has.
const maxText = 4 << 20

// Load parses the Avro schema in a file. Errors name it.
func Load(path string) (*Schema, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read Avro schema: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxText+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read Avro schema: %w", err)
	case len(text) > maxText:
		return nil, fmt.Errorf("read Avro schema: %s has more than %d bytes; is it the right file?", path, maxText)
	}
	s, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// syntax turns an offset into a line and a column.
func syntax(text []byte, err error) error {
	var s *json.SyntaxError
	if !errors.As(err, &s) {
		return fmt.Errorf("parse Avro schema: it is no JSON: %w", err)
	}
	before := text[:min(int(s.Offset), len(text))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return fmt.Errorf("parse Avro schema: line %d, column %d: %w", line, max(column, 1), err)
}

// parser knows the named types that came before. One that is being parsed has a nil entry.
type parser struct {
	named  map[string]*Type
	depth  int
	writer bool // see ParseWriter
}

const maxDepth = 64 // of types in each other

func (p *parser) parse(v any, namespace string) (*Type, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("nested more than %d types deep", maxDepth)
	}
	defer func() { p.depth-- }()
	switch v := v.(type) {
	case string:
		return p.byName(v, namespace)
	case []any:
		return p.union(v, namespace)
	case map[string]any:
		return p.object(v, namespace)
	default:
		return nil, fmt.Errorf("%v is no type: write a name, a union in [ ], or an object with \"type\"", v)
	}
}

func primitive(name string) (Kind, bool) {
	for k := Boolean; k <= Bytes; k++ {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

// byName is a type by its name: a primitive one, or one that was declared before.
func (p *parser) byName(name, namespace string) (*Type, error) {
	if k, ok := primitive(name); ok {
		return &Type{Kind: k}, nil
	}
	if name == "null" && p.writer {
		return &Type{Kind: Null}, nil
	}
	if name == "null" {
		return nil, errors.New("null alone has no column: write a union, [\"null\", TYPE]")
	}
	full := fullName(name, namespace)
	t, ok := p.named[full]
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is unknown: it is no primitive type and was not declared before", full)
	case t == nil:
		return nil, fmt.Errorf("%q contains itself: a column would need endless levels", full)
	}
	same := *t
	return &same, nil
}

func fullName(name, namespace string) string {
	if strings.Contains(name, ".") || namespace == "" {
		return name
	}
	return namespace + "." + name
}

func (p *parser) union(branches []any, namespace string) (*Type, error) {
	if p.writer {
		return p.anyUnion(branches, namespace)
	}
	var other *Type
	null := 0
	for i, b := range branches {
		if b == "null" {
			null++
			continue
		}
		t, err := p.parse(b, namespace)
		if err != nil {
			return nil, fmt.Errorf("union[%d]: %w", i, err)
		}
		if other != nil {
			return nil, fmt.Errorf("a union of %s and %s has no column of one type: only null and one other type can be in it", other.Kind, t.Kind)
		}
		other = t
	}
	if other == nil || null > 1 {
		return nil, errors.New("a union must be of null, at most once, and one other type")
	}
	if other.Nullable && null > 0 {
		return nil, errors.New("a union in a union")
	}
	other.Nullable, other.NullLast = null > 0, null > 0 && branches[0] != "null"
	return other, nil
}

// anyUnion is a union of a writer: that of null and one other type as above, and any else as it is.
func (p *parser) anyUnion(branches []any, namespace string) (*Type, error) {
	u := &Type{Kind: Union}
	for i, b := range branches {
		t, err := p.parse(b, namespace)
		if err != nil {
			return nil, fmt.Errorf("union[%d]: %w", i, err)
		}
		u.Branches = append(u.Branches, t)
	}
	if len(u.Branches) != 2 {
		return u, nil
	}
	for i, t := range u.Branches {
		if other := u.Branches[1-i]; t.Kind == Null && other.Kind != Null && other.Kind != Union {
			other.Nullable, other.NullLast = true, i == 1
			return other, nil
		}
	}
	return u, nil
}

func (p *parser) object(o map[string]any, namespace string) (*Type, error) {
	name, ok := o["type"].(string)
	if !ok {
		if o["type"] == nil {
			return nil, errors.New(`"type" is missing`)
		}
		return p.parse(o["type"], namespace) // {"type": {"type": …}} and {"type": […]}
	}
	switch name {
	case "record", "error":
		return p.record(o, namespace)
	case "enum":
		return p.enum(o, namespace)
	case "fixed":
		return p.fixed(o, namespace)
	case "array":
		return p.repeated(o, namespace, Array, "items")
	case "map":
		return p.repeated(o, namespace, Map, "values")
	}
	t, err := p.byName(name, namespace)
	if err != nil {
		return nil, err
	}
	return t, p.logical(t, o)
}

// logical applies a logical type; one that does not fit is a mistake in a schema of ours, and overlooked in a writer's.
func (p *parser) logical(t *Type, o map[string]any) error {
	plain := *t
	err := logical(t, o)
	if err != nil && p.writer {
		*t = plain
		return nil
	}
	return err
}

func (p *parser) repeated(o map[string]any, namespace string, k Kind, key string) (*Type, error) {
	if o[key] == nil {
		return nil, fmt.Errorf("%q of the %s is missing", key, k)
	}
	items, err := p.parse(o[key], namespace)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return &Type{Kind: k, Items: items}, nil
}

// declare notes that a named type has begun, and returns its full name and the namespace in it.
func (p *parser) declare(o map[string]any, namespace string) (full, inner string, err error) {
	name, _ := o["name"].(string)
	if space, ok := o["namespace"].(string); ok && !strings.Contains(name, ".") {
		namespace = space
	}
	full = fullName(name, namespace)
	for part := range strings.SplitSeq(full, ".") {
		if !validName(part) {
			return "", "", fmt.Errorf("%q is no name: it must be letters, digits and _, and begin with no digit", full)
		}
	}
	if _, twice := p.named[full]; twice {
		return "", "", fmt.Errorf("%q is declared twice", full)
	}
	p.named[full] = nil
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		inner = full[:i]
	}
	return full, inner, nil
}

// keep notes a named type, as it was declared: the place where it stands may go on to make it nullable.
func (p *parser) keep(t *Type) {
	declared := *t
	p.named[t.Name] = &declared
}

func validName(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

func (p *parser) record(o map[string]any, namespace string) (*Type, error) {
	full, inner, err := p.declare(o, namespace)
	if err != nil {
		return nil, err
	}
	fields, ok := o["fields"].([]any)
	if !ok || len(fields) == 0 && !p.writer {
		return nil, fmt.Errorf("record %q: it needs \"fields\", at least one: Parquet has no group without columns", full)
	}
	t := &Type{Kind: Record, Name: full}
	seen := map[string]bool{}
	for i, v := range fields {
		f, err := p.field(v, inner)
		if err != nil {
			return nil, fmt.Errorf("fields[%d] %w", i, err)
		}
		for _, name := range append([]string{f.Name}, f.Aliases...) {
			if seen[name] {
				return nil, fmt.Errorf("fields[%d] %q: the record has a field or an alias %q already", i, f.Name, name)
			}
			seen[name] = true
		}
		t.Fields = append(t.Fields, f)
	}
	p.keep(t)
	return t, nil
}

func (p *parser) field(v any, namespace string) (Field, error) {
	o, ok := v.(map[string]any)
	name, _ := o["name"].(string)
	switch {
	case !ok:
		return Field{}, errors.New("is no object")
	case !validName(name):
		return Field{}, fmt.Errorf("%q: the name must be letters, digits and _, and begin with no digit", name)
	case o["type"] == nil:
		return Field{}, fmt.Errorf("%q: \"type\" is missing", name)
	}
	t, err := p.fieldType(o, namespace)
	if err != nil {
		return Field{}, fmt.Errorf("%q: %w", name, err)
	}
	f := Field{Name: name, Type: t}
	f.Doc, _ = o["doc"].(string)
	if list, ok := o["aliases"].([]any); ok {
		for _, a := range list {
			alias, _ := a.(string)
			if alias == "" {
				return Field{}, fmt.Errorf("%q: alias %v is no name", name, a)
			}
			f.Aliases = append(f.Aliases, alias)
		}
	}
	if d, ok := o["default"]; ok {
		if f.Default, err = json.Marshal(d); err != nil {
			return Field{}, fmt.Errorf("%q: default: %w", name, err)
		}
	}
	return f, nil
}

// fieldType is the type of a field. {"name": "at", "type": "long", "logicalType": …} is a mistake that is often made: Avro ignores the logical type
// there, and so would the file hold plain numbers.
func (p *parser) fieldType(o map[string]any, namespace string) (*Type, error) {
	if l, ok := o["logicalType"]; ok && !p.writer {
		return nil, fmt.Errorf("\"logicalType\" stands beside the type and would be ignored: write {\"type\": %q, \"logicalType\": %q} as the type", o["type"], l)
	}
	return p.parse(o["type"], namespace)
}

func (p *parser) enum(o map[string]any, namespace string) (*Type, error) {
	full, _, err := p.declare(o, namespace)
	if err != nil {
		return nil, err
	}
	t := &Type{Kind: Enum, Name: full}
	list, _ := o["symbols"].([]any)
	seen := map[string]bool{}
	for _, v := range list {
		s, _ := v.(string)
		if !validName(s) || seen[s] {
			return nil, fmt.Errorf("enum %q: the symbol %v is no name, or there twice", full, v)
		}
		seen[s] = true
		t.Symbols = append(t.Symbols, s)
	}
	if len(t.Symbols) == 0 {
		return nil, fmt.Errorf("enum %q: it needs \"symbols\"", full)
	}
	p.keep(t)
	return t, nil
}

const maxFixed = 1 << 20

func (p *parser) fixed(o map[string]any, namespace string) (*Type, error) {
	full, _, err := p.declare(o, namespace)
	if err != nil {
		return nil, err
	}
	size, ok := integer(o["size"])
	if !ok || size < 1 || size > maxFixed {
		return nil, fmt.Errorf("fixed %q: \"size\" must be 1 to %d bytes, not %v", full, maxFixed, o["size"])
	}
	t := &Type{Kind: Fixed, Name: full, Size: size}
	if err := p.logical(t, o); err != nil {
		return nil, fmt.Errorf("fixed %q: %w", full, err)
	}
	p.keep(t)
	return t, nil
}
