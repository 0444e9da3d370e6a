package jsondecoder

import (
	"encoding/base64"
	"fmt"

	"github.com/penstock-io/penstock/formats/schema"
)

// Options are policies.
type Options struct {
	RefuseUnknown bool // fields that the schema does not have: refused instead of ignored
	Literals      bool // numbers, true and false are strings too, as they are written

	// Collect is a field of the schema, a map of strings, for the fields of an event's object that the schema does not have, this one's name among them: strings as they are, all else as it is
	// written. "": none. Fields of objects further down are not collected.
	Collect string
}

// Plan is a schema compiled for JSON. Safe for concurrent use; see NewDecoder.
type Plan struct {
	schema  *schema.Schema
	options Options
	root    *node
	base64  *base64.Encoding
	records int // objects of the schema that know their fields' order
}

// node is a type at its place in the schema.
type node struct {
	kind     schema.Kind
	typ      *schema.Type
	nullable bool
	def      uint8 // definition level of a value that is there
	rep      uint8 // Array, Map: repetition level of elements after the first
	from, to int   // leaves below it: [from, to)

	// Record
	id     int // among the plan's records
	fields []field
	byName map[string]int // names and aliases
	all    []uint64       // a bit for each field

	rest int // of the root: which field takes what the schema does not have; -1: none

	items *node // Array, Map
}

type field struct {
	name     string
	node     *node
	fallback [][]schema.Cell // for each leaf of node, what a missing field has; nil: it is null, or refused
}

// Compile makes the plan. An error tells which default does not fit its field.
func Compile(s *schema.Schema, o Options) (*Plan, error) {
	p := &Plan{schema: s, options: o, base64: base64.StdEncoding.Strict()}
	c := compiler{plan: p}
	p.root = c.node(s.Root, 0, 0)
	if err := p.findRest(); err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	if err := p.defaults(p.root, ""); err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	return p, nil
}

// findRest finds the field that Options.Collect names.
func (p *Plan) findRest() error {
	name := p.options.Collect
	if name == "" {
		return nil
	}
	for i := range p.root.fields {
		if f := &p.root.fields[i]; f.name == name {
			if f.node.kind != schema.Map || f.node.items.kind != schema.String {
				return fmt.Errorf("field %s is to take what the schema does not have, and is no map of strings", name)
			}
			p.root.rest = i
			return nil
		}
	}
	return fmt.Errorf("field %s is to take what the schema does not have, and is not in it; add {\"name\": %q, \"type\": {\"type\": \"map\", \"values\": \"string\"}}", name, name)
}

// Defaults returns the cells of each field's default, by its path (".user.tags", ".list[].id"): one slice for each leaf of the field, the first cell without its
// repetition level.
func (p *Plan) Defaults() map[string][][]schema.Cell {
	all := map[string][][]schema.Cell{}
	p.root.collect("", all)
	return all
}

func (n *node) collect(path string, all map[string][][]schema.Cell) {
	for i := range n.fields {
		f := &n.fields[i]
		f.node.collect(path+"."+f.name, all)
		if f.fallback != nil {
			all[path+"."+f.name] = f.fallback
		}
	}
	if n.items != nil {
		n.items.collect(path+"[]", all)
	}
}

// compiler numbers leaves and records as schema.New does: depth first.
type compiler struct {
	plan *Plan
	leaf int
}

func (c *compiler) node(t *schema.Type, rep, def uint8) *node {
	if t.Nullable {
		def++
	}
	n := &node{rest: -1, kind: t.Kind, typ: t, nullable: t.Nullable, def: def, from: c.leaf}
	switch t.Kind {
	case schema.Record:
		n.id = c.plan.records
		c.plan.records++
		n.byName = map[string]int{}
		n.all = make([]uint64, (len(t.Fields)+63)/64)
		for i, f := range t.Fields {
			n.all[i/64] |= 1 << (i % 64)
			n.byName[f.Name] = i
			for _, a := range f.Aliases {
				n.byName[a] = i
			}
			n.fields = append(n.fields, field{name: f.Name, node: c.node(f.Type, rep, def)})
		}
	case schema.Array:
		n.rep = rep + 1
		n.items = c.node(t.Items, rep+1, def+1)
	case schema.Map:
		n.rep = rep + 1
		c.leaf++ // the keys
		n.items = c.node(t.Items, rep+1, def+1)
	default:
		c.leaf++
	}
	n.to = c.leaf
	return n
}

// defaults decodes each default once, as if it stood in an event at the top; see decoder.missing for what it is shifted by.
func (p *Plan) defaults(n *node, path string) error {
	for i := range n.fields {
		f := &n.fields[i]
		at := path + "." + f.name
		if err := p.defaults(f.node, at); err != nil {
			return err
		}
		text := n.typ.Fields[i].Default
		if text == nil {
			continue
		}
		if string(text) == "null" && f.node.nullable {
			continue // what a missing field has anyway
		}
		cells, err := p.fallback(f.node, text)
		if err != nil {
			return fmt.Errorf("field %s: default %s: %w", at[1:], text, err)
		}
		f.fallback = cells
	}
	if n.items != nil {
		return p.defaults(n.items, path+"[]")
	}
	return nil
}

func (p *Plan) fallback(n *node, text []byte) ([][]schema.Cell, error) {
	switch n.kind {
	case schema.Bytes, schema.Fixed, schema.Decimal:
		return nil, fmt.Errorf("defaults of %s are not supported: declare the field as [\"null\", …], and null is what a missing one has", n.kind)
	default:
	}
	d := p.NewDecoder()
	d.reset(text)
	if why := d.value(n, 0); why != nil {
		return nil, why.error()
	}
	if d.space(); d.i != len(d.p) {
		return nil, d.syntax("something follows the value").error()
	}
	return d.row.Columns[n.from:n.to], nil
}
