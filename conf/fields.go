package conf

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
)

// field is a key of a struct.
type field struct {
	key   string
	doc   string
	index []int
	typ   reflect.Type
	rules rules
}

// rules are what the conf tag says.
type rules struct {
	required bool
	enum     []string
	min, max string
	zero     string // what 0 means where min would forbid it
	kinds    string
	ref      string
	assumed  string
}

// fields lists the keys of a struct in the order of its declaration. A field without a yaml tag is a mistake in a
// component, which the first test of that component must show: hence the panic.
func fields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, tagged := f.Tag.Lookup("yaml")
		switch {
		case key == "-":
		case f.Anonymous && key == "" && f.Type.Kind() == reflect.Struct:
			for _, inner := range fields(f.Type) {
				inner.index = append([]int{i}, inner.index...)
				out = append(out, inner)
			}
		case !f.IsExported() && !tagged:
		case !f.IsExported() || key == "" || strings.Contains(key, ","):
			panic(fmt.Sprintf(`conf: field %s of %s needs a tag yaml:"name" or yaml:"-"`, f.Name, t))
		default:
			out = append(out, field{key: key, doc: f.Tag.Get("doc"), index: []int{i}, typ: f.Type, rules: parseRules(f.Tag.Get("conf"), t, f.Name)})
		}
	}
	return out
}

func parseRules(tag string, t reflect.Type, name string) rules {
	var r rules
	for part := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "":
		case "required":
			r.required = true
		case "enum":
			r.enum = strings.Split(value, "|")
		case "min":
			r.min = value
		case "max":
			r.max = value
		case "zero":
			r.zero = value
		case "kinds":
			r.kinds = value
		case "ref":
			r.ref = value
		case "assumed":
			r.assumed = value
		default:
			panic(fmt.Sprintf("conf: field %s of %s: unknown rule %q", name, t, key))
		}
	}
	return r
}

// shape is how a Go type is written in the file.
type shape int

const (
	valueShape  shape = iota // a Value
	textShape                // an encoding.TextUnmarshaler
	choiceShape              // a Choice
	structShape
	listShape
	mapShape
	pointerShape
	stringShape
	boolShape
	intShape
	uintShape
	floatShape
)

func shapeOf(t reflect.Type) shape {
	p := reflect.PointerTo(t)
	switch {
	case p.Implements(reflect.TypeFor[Value]()):
		return valueShape
	case t == reflect.TypeFor[Choice]():
		return choiceShape
	case p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return textShape
	}
	switch t.Kind() {
	case reflect.Struct:
		return structShape
	case reflect.Slice:
		return listShape
	case reflect.Map:
		if t.Key().Kind() == reflect.String {
			return mapShape
		}
	case reflect.Pointer:
		return pointerShape
	case reflect.String:
		return stringShape
	case reflect.Bool:
		return boolShape
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intShape
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return uintShape
	case reflect.Float32, reflect.Float64:
		return floatShape
	default:
	}
	panic(fmt.Sprintf("conf: a setting cannot be a %s", t))
}

// written is a value as it would stand in the file, for messages and for the list of assumed values.
func written(v reflect.Value) string {
	switch shapeOf(v.Type()) {
	case valueShape, textShape:
		if s, ok := reflect.TypeAssert[fmt.Stringer](v); ok {
			return s.String()
		}
		if m, ok := reflect.TypeAssert[encoding.TextMarshaler](v); ok {
			if text, err := m.MarshalText(); err == nil {
				return string(text)
			}
		}
		return fmt.Sprint(v.Interface())
	case choiceShape:
		return v.Interface().(Choice).Type
	case listShape:
		items := make([]string, 0, v.Len())
		for i := range v.Len() {
			items = append(items, written(v.Index(i)))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case mapShape:
		return fmt.Sprintf("%d entries", v.Len())
	case structShape:
		return "{…}"
	case pointerShape:
		if v.IsNil() {
			return ""
		}
		return written(v.Elem())
	default:
		return fmt.Sprint(v.Interface())
	}
}
