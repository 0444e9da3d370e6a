package avrodecoder

import (
	"math/bits"

	"github.com/penstock-io/penstock/formats/schema"
)

// Plan is a schema compiled for datums. Safe for concurrent use; see NewDecoder.
type Plan struct {
	schema *schema.Schema
	root   *node
}

// node is a type at its place in the schema.
type node struct {
	kind     schema.Kind
	typ      *schema.Type
	def      uint8 // definition level of a value that is there
	rep      uint8 // Array, Map: repetition level of elements after the first
	from, to int   // leaves below it: [from, to)
	fields   []*node
	items    *node
	limit    wide // Decimal: the first number that has too many digits
}

// Compile makes the plan.
func Compile(s *schema.Schema) *Plan {
	p := &Plan{schema: s}
	leaf := 0
	p.root = compile(s.Root, 0, 0, &leaf)
	return p
}

func compile(t *schema.Type, rep, def uint8, leaf *int) *node {
	if t.Nullable {
		def++
	}
	n := &node{kind: t.Kind, typ: t, def: def, from: *leaf}
	switch t.Kind {
	case schema.Record:
		for i := range t.Fields {
			n.fields = append(n.fields, compile(t.Fields[i].Type, rep, def, leaf))
		}
	case schema.Array, schema.Map:
		if t.Kind == schema.Map {
			*leaf++ // the keys
		}
		n.rep = rep + 1
		n.items = compile(t.Items, rep+1, def+1, leaf)
	default:
		*leaf++
		n.limit = wide{0, 1}
		for range t.Precision {
			hi, lo := bits.Mul64(n.limit.lo, 10)
			n.limit = wide{n.limit.hi*10 + hi, lo}
		}
	}
	n.to = *leaf
	return n
}
