package conf

import (
	"fmt"
	"reflect"
	"strings"
)

// choice decodes a block by its type.
func (d *decoder) choice(at place, v reflect.Value, r rules) {
	if d.nullCheck(at) {
		return
	}
	kinds := d.reg.Blocks[r.kinds]
	c := v.Interface().(Choice)
	if at.node == nil && (c.Type == "" || kinds == nil) {
		return
	}
	if at.node != nil && at.node.kind == scalarNode {
		d.wrongShape(at, "a block with a type", fmt.Sprintf("write {type: %s}", clip(at.node.text)))
		return
	}
	if at.node != nil && at.node.kind != mapNode {
		d.wrongShape(at, "a block with a type", "")
		return
	}
	kind, ok := d.kind(at, kinds, c.Type)
	if !ok {
		return
	}
	if kind.Name != c.Type || c.Config == nil {
		c = Choice{Type: kind.Name, Config: kind.New()}
	}
	d.object(at, []reflect.Value{reflect.ValueOf(c.Config).Elem()}, "type")
	v.Set(reflect.ValueOf(c))
}

// kind finds the kind that a block's type names.
func (d *decoder) kind(at place, kinds []Kind, assumed string) (Kind, bool) {
	name, typeAt := assumed, at.child("type")
	switch {
	case typeAt.node == nil && assumed == "":
		d.c.add(SeverityError, typeAt, "the key is missing").Fixf("write `type:` with one of %s", kindNames(kinds))
		return Kind{}, false
	case typeAt.node == nil:
	case typeAt.node.kind != scalarNode:
		d.wrongShape(typeAt, "the name of a type", "write one of "+kindNames(kinds))
		return Kind{}, false
	default:
		name = typeAt.node.text
	}
	for _, k := range kinds {
		if k.Name == name {
			return k, true
		}
	}
	names := make([]string, 0, len(kinds))
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	p := d.c.add(SeverityError, typeAt, "there is no type %q here", clip(name))
	p.Fix = didYouMean(name, names)
	return Kind{}, false
}

func kindNames(kinds []Kind) string {
	names := make([]string, 0, len(kinds))
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
