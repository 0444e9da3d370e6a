package conf

import (
	"fmt"
	"reflect"
)

// Assumed is a value that was not written.
type Assumed struct {
	Path  string `json:"path"`
	Value string `json:"value"` // as it would be written
	Doc   string `json:"doc,omitempty"`
}

// Assumed lists the values that were not written, in the order of the structs: first the components, then the settings of the document.
func (doc *Document) Assumed() []Assumed {
	var out []Assumed
	top := place{node: doc.root}
	for name, n := range entriesOf(top.child("kerberos")) {
		out = assume(out, n, reflect.ValueOf(doc.Kerberos[name]).Elem())
	}
	for name, n := range entriesOf(top.child("hadoop")) {
		out = assume(out, n, reflect.ValueOf(doc.Hadoop[name]).Elem())
	}
	for _, components := range [][]*Component{doc.Sources, doc.Channels, doc.Sinks} {
		for _, c := range components {
			out = assume(out, c.at, reflect.ValueOf(c.common).Elem())
			out = assume(out, c.at, reflect.ValueOf(c.Config).Elem())
		}
	}
	return assume(out, top, reflect.ValueOf(documentKeys{Memory: doc.Memory, Admin: doc.Admin}))
}

// entriesOf walks a section in the order of the file.
func entriesOf(at place) func(func(string, place) bool) {
	return func(yield func(string, place) bool) {
		if at.node == nil {
			return
		}
		for _, e := range at.node.entries {
			if !yield(e.key, at.child(e.key)) {
				return
			}
		}
	}
}

// assume lists the fields of one struct.
func assume(out []Assumed, at place, v reflect.Value) []Assumed {
	for _, f := range fields(v.Type()) {
		out = assumeField(out, at.child(f.key), f, v.FieldByIndex(f.index))
	}
	return out
}

// assumeField lists a field that was not written, or looks into a block for those that were not.
func assumeField(out []Assumed, at place, f field, v reflect.Value) []Assumed {
	switch shapeOf(v.Type()) {
	case pointerShape:
		if !v.IsNil() {
			return assumeField(out, at, f, v.Elem())
		}
	case structShape:
		return assume(out, at, v)
	case choiceShape:
		if c := v.Interface().(Choice); c.Type != "" {
			return assumeChoice(out, at, f, c)
		}
	case listShape, mapShape:
		out = assumeElements(out, at, f, v)
	default:
	}
	if at.node != nil {
		return out
	}
	text := written(v)
	switch {
	case v.IsZero() && f.rules.assumed != "":
		text = f.rules.assumed
	case isEmpty(v):
		return out // nothing is assumed
	case v.IsZero() && f.rules.zero != "":
		text = fmt.Sprintf("%s (%s)", text, f.rules.zero)
	}
	return append(out, Assumed{at.path, text, f.doc})
}

// isEmpty tells values that stand for nothing from those that are merely zero, such as false.
func isEmpty(v reflect.Value) bool {
	switch shapeOf(v.Type()) {
	case listShape, mapShape, stringShape:
		return v.Len() == 0
	case pointerShape, choiceShape:
		return v.IsZero()
	case valueShape, textShape:
		return written(v) == ""
	default:
		return false
	}
}

func assumeChoice(out []Assumed, at place, f field, c Choice) []Assumed {
	if typeAt := at.child("type"); typeAt.node == nil {
		out = append(out, Assumed{typeAt.path, c.Type, f.doc})
	}
	if c.Config == nil {
		return out
	}
	return assume(out, at, reflect.ValueOf(c.Config).Elem())
}

// assumeElements looks into the blocks of a written list or map.
func assumeElements(out []Assumed, at place, f field, v reflect.Value) []Assumed {
	if s := shapeOf(v.Type().Elem()); at.node == nil || s != structShape && s != choiceShape {
		return out
	}
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			out = assumeField(out, at.item(i), f, v.Index(i))
		}
		return out
	}
	for key, here := range entriesOf(at) {
		if item := v.MapIndex(reflect.ValueOf(key).Convert(v.Type().Key())); item.IsValid() {
			out = assumeField(out, here, f, item)
		}
	}
	return out
}
