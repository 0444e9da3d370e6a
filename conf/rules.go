package conf

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// check applies the rules that are about a value and not about its notation.
func (d *decoder) check(at place, f field, v reflect.Value) {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if at.node != nil && at.node.kind == badNode || f.rules.required && !d.present(at, f, v) {
		return
	}
	if !d.file && len(f.rules.enum) > 0 && v.Kind() == reflect.String && !slices.Contains(f.rules.enum, v.String()) {
		d.c.add(SeverityError, at, "%q is not one of %s", clip(v.String()), strings.Join(f.rules.enum, ", "))
		return
	}
	if f.rules.min == "" && f.rules.max == "" || at.node == nil && (isEmptyOptional(v) || v.IsZero() && (d.file || f.rules.assumed != "")) {
		return
	}
	if f.rules.zero != "" && v.IsZero() {
		return
	}
	d.bound(at, f, v)
}

// isEmptyOptional spares strings and lists that may be left out: min says how long one is that is there.
func isEmptyOptional(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Pointer:
		return v.IsNil()
	default:
		return false
	}
}

func (d *decoder) present(at place, f field, v reflect.Value) bool {
	empty := v.IsZero()
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map:
		empty = v.Len() == 0
	case reflect.Bool, reflect.Int, reflect.Int64, reflect.Uint, reflect.Float64:
		empty = empty && !d.file
	default:
	}
	switch {
	case d.file && at.node == nil && empty:
		d.c.add(SeverityError, at, "the key is missing").Fix = missingFix(f)
		return false
	case empty:
		d.c.add(SeverityError, at, "the value is empty").Fix = missingFix(f)
		return false
	}
	return true
}

func missingFix(f field) string {
	if len(f.rules.enum) > 0 {
		return fmt.Sprintf("write `%s:` with one of %s", f.key, strings.Join(f.rules.enum, ", "))
	}
	if f.doc == "" {
		return fmt.Sprintf("write `%s: …`", f.key)
	}
	doc := strings.TrimSuffix(f.doc, ".")
	return fmt.Sprintf("write `%s: …` (%s)", f.key, strings.ToLower(doc[:1])+doc[1:])
}

func (d *decoder) bound(at place, f field, v reflect.Value) {
	var below, above bool
	noun := ""
	switch v.Kind() {
	case reflect.String:
		below, above = outside(float64(len([]rune(v.String()))), f.rules, plainNumber)
		noun = " characters"
	case reflect.Slice, reflect.Map:
		below, above = outside(float64(v.Len()), f.rules, plainNumber)
		noun = " entries"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		below, above = outsideInt(v, f.rules)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		below, above = outside(float64(v.Uint()), f.rules, plainNumber)
	case reflect.Float32, reflect.Float64:
		below, above = outside(v.Float(), f.rules, plainNumber)
	default:
		panic(fmt.Sprintf("conf: min and max mean nothing for %s", f.key))
	}
	shown := written(v)
	if noun != "" {
		shown = fmt.Sprintf("%d%s", v.Len(), noun)
	}
	switch {
	case below && noun != "" && v.Len() == 0:
		d.c.add(SeverityError, at, "the value is empty").Fixf("write at least %s%s, or remove the key", f.rules.min, noun)
	case below:
		fix := fmt.Sprintf("write %s or more", f.rules.min)
		if f.rules.zero != "" {
			fix += ", or 0 for " + f.rules.zero
		}
		d.c.add(SeverityError, at, "%s is less than the least that is allowed, %s%s", shown, f.rules.min, noun).Fix = fix
	case above:
		d.c.add(SeverityError, at, "%s is more than the most that is allowed, %s%s", shown, f.rules.max, noun).Fixf("write %s or less", f.rules.max)
	}
}

func outside(n float64, r rules, parse func(string) float64) (below, above bool) {
	return r.min != "" && n < parse(r.min), r.max != "" && n > parse(r.max)
}

func plainNumber(text string) float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(fmt.Sprintf("conf: bound %q is not a number", text))
	}
	return f
}

// outsideInt compares in the notation of the type itself, so that a Size may have min=1MiB.
func outsideInt(v reflect.Value, r rules) (below, above bool) {
	parse := func(text string) int64 {
		bound := reflect.New(v.Type())
		if value, ok := reflect.TypeAssert[Value](bound); ok {
			if err := value.SetConf(Scalar{Text: text}); err != nil {
				panic(fmt.Sprintf("conf: bound %q: %v", text, err))
			}
			return bound.Elem().Int()
		}
		return int64(plainNumber(text))
	}
	return r.min != "" && v.Int() < parse(r.min), r.max != "" && v.Int() > parse(r.max)
}

// noteRefs remembers the names of other blocks, to be looked up when all blocks are known.
func (d *decoder) noteRefs(at place, v reflect.Value, section string) {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.String:
		if v.String() != "" {
			d.refs = append(d.refs, use{section, v.String(), at, at.node != nil})
		}
	case reflect.Slice:
		for i := range v.Len() {
			d.refs = append(d.refs, use{section, v.Index(i).String(), at.item(i), at.node != nil})
		}
	default:
	}
}
