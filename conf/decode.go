package conf

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// decoder fills Go values from nodes. It goes on after a mistake: each is reported, and the value keeps its default.
type decoder struct {
	c    *collector
	reg  Registry
	refs []use
	// file is false for a Config that was made in Go: then there are no nodes, and an empty required value is what is missing.
	file bool
	// blind is true when a part of the document could not be read, so that what seems unused may be used there.
	blind bool
}

// use is a place where something else is named.
type use struct {
	section string
	name    string
	at      place
	written bool
}

// object decodes one mapping into several structs, which share its keys: a component's Config and the keys that every
// component of its section has. reserved keys belong to the caller.
func (d *decoder) object(at place, targets []reflect.Value, reserved ...string) {
	if at.node != nil && at.node.kind != mapNode {
		d.wrongShape(at, "a block of keys", "")
		return
	}
	known := slices.Clone(reserved)
	for _, target := range targets {
		before := d.c.errors
		for _, f := range fields(target.Type()) {
			known = append(known, f.key)
			d.field(at, f, target.FieldByIndex(f.index))
		}
		d.finish(at, target, before)
	}
	if at.node == nil {
		return
	}
	for _, e := range at.node.entries {
		if !slices.Contains(known, e.key) {
			d.unknownKey(at, e, known, targets)
		}
	}
}

// finish runs the struct's own methods. An embedded struct's run too unless the outer struct has the method itself.
func (d *decoder) finish(at place, target reflect.Value, errorsBefore int) {
	p := target.Addr().Interface()
	completer, completes := p.(Completer)
	validator, validates := p.(Validator)
	for i := range target.NumField() {
		f := target.Type().Field(i)
		if !f.Anonymous || !f.IsExported() || f.Type.Kind() != reflect.Struct || f.Tag.Get("yaml") != "" {
			continue
		}
		inner := target.Field(i).Addr().Interface()
		if c, ok := inner.(Completer); ok && !completes {
			c.Complete()
		}
		if v, ok := inner.(Validator); ok && !validates && d.c.errors == errorsBefore {
			v.Validate(&Report{sink: d.c, at: at})
		}
	}
	if d.c.errors != errorsBefore {
		return
	}
	if completes {
		completer.Complete()
	}
	if validates {
		validator.Validate(&Report{sink: d.c, at: at})
	}
}

func (d *decoder) unknownKey(at place, e entry, known []string, targets []reflect.Value) {
	where := place{path: join(at.path, clip(e.key)), key: e.keyPos}
	p := d.c.add(SeverityError, where, "unknown key")
	for _, target := range targets {
		if r, ok := reflect.TypeAssert[Renamer](target.Addr()); ok {
			if now, ok := r.Renamed()[e.key]; ok {
				p.Fixf("here this is %s", now)
				return
			}
		}
	}
	if n := nearest(e.key, known); n != "" {
		p.Fixf("did you mean %q?", n)
		return
	}
	for _, target := range targets {
		if path := deeper(target.Type(), e.key); path != "" {
			p.Fixf("did you mean %q?", path)
			return
		}
	}
	slices.Sort(known)
	p.Fixf("known here: %s", strings.Join(slices.Compact(known), ", "))
}

// deeper looks for a key one block further down: `siz` or `roll_size` beside `roll` means roll.size.
func deeper(t reflect.Type, key string) string {
	for _, f := range fields(t) {
		inner := f.typ
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if shapeOf(inner) != structShape {
			continue
		}
		for _, g := range fields(inner) {
			if fold(key) == fold(f.key+g.key) || fold(key) == fold(g.key) {
				return f.key + "." + g.key
			}
		}
	}
	return ""
}

func (d *decoder) field(at place, f field, v reflect.Value) {
	here := at.child(f.key)
	before := d.c.errors
	d.value(here, v, f.rules)
	if d.c.errors == before {
		d.check(here, f, v)
	}
	if f.rules.ref != "" {
		d.noteRefs(here, v, f.rules.ref)
	}
}

// value decodes one setting. A node that is nil leaves the default, but structs are walked so that their rules hold too.
func (d *decoder) value(at place, v reflect.Value, r rules) {
	s := shapeOf(v.Type())
	switch s {
	case structShape:
		if d.nullCheck(at) {
			return
		}
		d.object(at, []reflect.Value{v})
		return
	case choiceShape:
		d.choice(at, v, r)
		return
	case pointerShape:
		d.pointer(at, v, r)
		return
	case listShape:
		d.list(at, v, r)
		return
	case mapShape:
		d.mapping(at, v, r)
		return
	default:
	}
	if at.node == nil || d.nullCheck(at) {
		return
	}
	if at.node.kind != scalarNode {
		fix := ""
		if at.node.kind == listNode && len(at.node.items) == 1 && at.node.items[0].kind == scalarNode {
			fix = "write " + at.node.items[0].text
		}
		d.wrongShape(at, "one value", fix)
		return
	}
	d.scalar(at, v, s, r)
}

// nullCheck reports a key with nothing behind it, which is a slip or a leftover.
func (d *decoder) nullCheck(at place) bool {
	if at.node != nil && at.node.kind == badNode {
		return true
	}
	if at.node == nil || at.node.kind != nullNode {
		return false
	}
	d.c.add(SeverityError, at, "the value is empty").Fixf("write a value, or remove the key to take the default")
	return true
}

func (d *decoder) wrongShape(at place, want, fix string) {
	d.c.add(SeverityError, at, "this is %s, where %s is wanted", at.node.kind, want).Fix = fix
}

func (d *decoder) pointer(at place, v reflect.Value, r rules) {
	if at.node == nil && (d.file || v.IsNil()) && v.IsNil() {
		return
	}
	if d.nullCheck(at) {
		return
	}
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
		if defaulter, ok := reflect.TypeAssert[Defaulter](v); ok {
			defaulter.SetDefaults()
		}
	}
	d.value(at, v.Elem(), r)
}

func (d *decoder) list(at place, v reflect.Value, r rules) {
	if at.node == nil {
		for i := range v.Len() {
			d.value(at.item(i), v.Index(i), r)
		}
		return
	}
	if d.nullCheck(at) {
		return
	}
	if at.node.kind != listNode {
		d.wrongShape(at, "a list", listFix(at.node))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(at.node.items), len(at.node.items))
	for i := range at.node.items {
		d.value(at.item(i), out.Index(i), r)
	}
	v.Set(out)
}

// listFix turns Flume's and Java's "a, b" into a list.
func listFix(n *node) string {
	if n.kind != scalarNode {
		return "put a dash before each item"
	}
	parts := strings.FieldsFunc(n.text, func(r rune) bool { return r == ',' || r == ' ' })
	return "write [" + clip(strings.Join(parts, ", ")) + "]"
}

func (d *decoder) mapping(at place, v reflect.Value, r rules) {
	if at.node == nil || d.nullCheck(at) {
		return
	}
	if at.node.kind != mapNode {
		d.wrongShape(at, "a block of keys", "")
		return
	}
	out := reflect.MakeMap(v.Type())
	for _, e := range at.node.entries {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(at.child(e.key), item, r)
		out.SetMapIndex(reflect.ValueOf(e.key).Convert(v.Type().Key()), item)
	}
	v.Set(out)
}

// scalar sets one value; on error v keeps what it had.
func (d *decoder) scalar(at place, v reflect.Value, s shape, r rules) {
	n := at.node
	if len(r.enum) > 0 && !slices.Contains(r.enum, n.text) {
		d.c.add(SeverityError, at, "%q is not one of %s", clip(n.text), strings.Join(r.enum, ", ")).Fix = enumFix(n.text, r.enum)
		return
	}
	switch s {
	case valueShape:
		fresh := reflect.New(v.Type())
		err := fresh.Interface().(Value).SetConf(Scalar{Text: n.text, Kind: n.scalar, Dir: d.c.src.dir})
		if _, secret := reflect.TypeAssert[*Secret](fresh); secret && err != nil {
			d.c.hide(n)
			at.key, at.node = pos{n.pos.line, n.pos.col, 1}, nil // no mark as long as the secret
		}
		if err != nil {
			d.c.merge(at, err)
			return
		}
		v.Set(fresh.Elem())
	case textShape:
		fresh := reflect.New(v.Type())
		if err := fresh.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.text)); err != nil {
			d.c.merge(at, err)
			return
		}
		v.Set(fresh.Elem())
	case stringShape:
		if n.scalar != String {
			d.c.add(SeverityError, at, "this is %s, where a string is wanted", n.scalar).Fixf("quote it: %q", clip(n.text))
			return
		}
		v.SetString(n.text)
	case boolShape:
		if n.scalar != Bool {
			d.c.add(SeverityError, at, "%q is neither true nor false", clip(n.text)).Fix = boolFix(n.text)
			return
		}
		v.SetBool(n.text == "true" || n.text == "True" || n.text == "TRUE")
	default:
		d.number(at, v, s)
	}
}

func enumFix(text string, enum []string) string {
	if n := nearest(text, enum); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return "write one of them"
}

func boolFix(text string) string {
	switch strings.ToLower(text) {
	case "yes", "on", "y", "1", "true":
		return "write true"
	case "no", "off", "n", "0", "false":
		return "write false"
	}
	return "write true or false"
}

// number accepts decimal digits only: what 010 or 1e3 or 0x10 mean differs from reader to reader.
func (d *decoder) number(at place, v reflect.Value, s shape) {
	n := at.node
	var err error
	switch {
	case n.scalar == String || n.scalar == Bool:
		err = &Problem{What: fmt.Sprintf("%q is not a number", clip(n.text)), Fix: "write digits, without quotes"}
	case s == floatShape:
		var f float64
		if f, err = strconv.ParseFloat(n.text, 64); err == nil {
			v.SetFloat(f)
		}
	case len(n.text) > 1 && n.text[0] == '0' || strings.ContainsAny(n.text, ".eExXoObB_+"):
		err = &Problem{What: fmt.Sprintf("%s is not a plain whole number", clip(n.text)), Fix: "write decimal digits"}
	case s == uintShape:
		var u uint64
		if u, err = strconv.ParseUint(n.text, 10, v.Type().Bits()); err == nil {
			v.SetUint(u)
		}
	default:
		var i int64
		if i, err = strconv.ParseInt(n.text, 10, v.Type().Bits()); err == nil {
			v.SetInt(i)
		}
	}
	if err == nil {
		return
	}
	if _, ok := err.(*Problem); !ok { //nolint:errorlint // made above
		err = &Problem{What: clip(n.text) + " is out of range"}
	}
	d.c.merge(at, err)
}
