package avrodecoder

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/penstock-io/penstock/formats/schema"
)

// Plan is a pair of schemas compiled for datums: that with which they were written, and that of the columns. Safe for concurrent use; see NewDecoder.
type Plan struct {
	schema *schema.Schema
	root   *node
}

// node is a type at its place in the writer's schema, and what becomes of it.
type node struct {
	typ      *schema.Type // the writer's
	kind     schema.Kind  // the column's
	column   *schema.Type // nil: the reader has no column for it, and it is passed over
	nullable bool         // of the column
	def      uint8        // definition level of a value that is there
	rep      uint8        // Array, Map: repetition level of elements after the first
	from, to int          // leaves below it: [from, to)
	fields   []*node      // Record, as it was written
	missing  []missing    // Record: what the reader has beside them
	items    *node
	branches []*node // Union
	misfit   string  // a branch of a union, or a symbol's, that cannot be read: why
	limit    wide    // Decimal: the first number that has too many digits
	symbols  []bool  // Enum: those that the column has, by the writer's numbers
}

// missing is a field that was not written.
type missing struct {
	from, to int
	def      uint8           // of a null
	fallback [][]schema.Cell // of each leaf; nil: null
}

// Defaults has the cells of each field's default, by its path (".user.tags", ".list[].id"): one slice for each leaf of the field, the first cell without its repetition
// level (jsondecoder's Plan.Defaults).
type Defaults map[string][][]schema.Cell

// Compile makes the plan for datums that were written with the schema of the columns.
func Compile(s *schema.Schema) *Plan {
	p, err := Resolve(s.Root, s, nil)
	if err != nil {
		panic(fmt.Sprintf("a schema that cannot be read as itself: %v", err)) // cannot be: each of its types is what it is
	}
	return p
}

// Resolve makes the plan for datums of another schema, by the specification's "Schema Resolution". Fields are found by their names and the reader's aliases; numbers become
// wider ones, string and bytes each other; a symbol that the reader lacks is refused where it occurs, and so is a branch of a union that does not fit. As with JSON, what was not written has its
// default, or null. Names of records are not compared. The error says which field cannot be read.
func Resolve(writer *schema.Type, reader *schema.Schema, defaults Defaults) (*Plan, error) {
	c := compiler{defaults: defaults}
	root, err := c.node(writer, reader.Root, "", 0, 0)
	if err != nil {
		return nil, err
	}
	return &Plan{schema: reader, root: root}, nil
}

// compiler numbers leaves as schema.New does: depth first.
type compiler struct {
	leaf     int
	defaults Defaults
}

func (c *compiler) node(w, r *schema.Type, path string, rep, def uint8) (*node, error) {
	if r.Nullable {
		def++
	}
	n := &node{typ: w, kind: r.Kind, column: r, nullable: r.Nullable, def: def, from: c.leaf}
	var err error
	switch {
	case w.Kind == schema.Union:
		err = c.union(n, path, rep)
	case r.Kind == schema.Record && w.Kind == schema.Record:
		err = c.record(n, path, rep)
	case (r.Kind == schema.Array || r.Kind == schema.Map) && w.Kind == r.Kind:
		if r.Kind == schema.Map {
			c.leaf++ // the keys
		}
		n.rep = rep + 1
		n.items, err = c.node(w.Items, r.Items, path+"[]", rep+1, def+1)
	case fits(w, r):
		c.leaf++
		n.scalar()
	default:
		err = fmt.Errorf("%s was written, which cannot be read as %s", describe(w), describe(r))
	}
	n.to = c.leaf
	return n, err
}

// scalar completes a node of one cell.
func (n *node) scalar() {
	n.limit = wide{0, 1}
	for range n.column.Precision {
		hi, lo := bits.Mul64(n.limit.lo, 10)
		n.limit = wide{n.limit.hi*10 + hi, lo}
	}
	for _, s := range n.typ.Symbols {
		n.symbols = append(n.symbols, slices.Contains(n.column.Symbols, s))
	}
}

// record pairs the fields of two records.
func (c *compiler) record(n *node, path string, rep uint8) error {
	byName := map[string]*node{}
	for i := range n.column.Fields {
		f := &n.column.Fields[i]
		written := find(n.typ, f)
		if written == nil {
			from := c.leaf
			c.leaf += leaves(f.Type)
			cells := c.defaults[path+"."+f.Name]
			if cells == nil && !f.Type.Nullable {
				return fmt.Errorf("field %s: it was not written, and the schema has neither null nor a default for it", f.Name)
			}
			n.missing = append(n.missing, missing{from: from, to: c.leaf, def: n.def, fallback: cells})
			continue
		}
		if byName[written.Name] != nil {
			return fmt.Errorf("field %s: field %s was written, which two fields would read", f.Name, written.Name)
		}
		child, err := c.node(written.Type, f.Type, path+"."+f.Name, rep, n.def)
		if err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
		byName[written.Name] = child
	}
	for i := range n.typ.Fields {
		f := &n.typ.Fields[i]
		child := byName[f.Name]
		if child == nil {
			child = skipped(f.Type)
		}
		n.fields = append(n.fields, child)
	}
	return nil
}

// find is the writer's field for one of the reader's.
func find(writer *schema.Type, f *schema.Field) *schema.Field {
	for _, name := range append([]string{f.Name}, f.Aliases...) {
		for i := range writer.Fields {
			if writer.Fields[i].Name == name {
				return &writer.Fields[i]
			}
		}
	}
	return nil
}

// union has a node for each branch; one that cannot be read is refused where it occurs.
func (c *compiler) union(n *node, path string, rep uint8) error {
	inside := *n.column
	inside.Nullable = false // n.def has counted it
	fitting := 0
	for _, b := range n.typ.Branches {
		c.leaf = n.from
		if b.Kind == schema.Null {
			n.branches = append(n.branches, &node{typ: b, kind: schema.Null, column: n.column})
			continue
		}
		child, err := c.node(b, &inside, path, rep, n.def)
		if err != nil {
			n.branches = append(n.branches, &node{typ: b, misfit: err.Error()})
			continue
		}
		n.branches = append(n.branches, child)
		fitting++
	}
	c.leaf = n.from + leaves(n.column)
	if fitting == 0 {
		return fmt.Errorf("no branch of the union that was written can be read as %s", describe(n.column))
	}
	return nil
}

// skipped is a node without a column.
func skipped(t *schema.Type) *node {
	n := &node{typ: t, kind: t.Kind}
	for i := range t.Fields {
		n.fields = append(n.fields, skipped(t.Fields[i].Type))
	}
	for _, b := range t.Branches {
		n.branches = append(n.branches, skipped(b))
	}
	if t.Items != nil {
		n.items = skipped(t.Items)
	}
	n.limit = wide{1 << 63, 0}
	n.symbols = make([]bool, len(t.Symbols))
	for i := range n.symbols {
		n.symbols[i] = true
	}
	return n
}

func leaves(t *schema.Type) (n int) {
	switch t.Kind {
	case schema.Record:
		for i := range t.Fields {
			n += leaves(t.Fields[i].Type)
		}
		return n
	case schema.Array:
		return leaves(t.Items)
	case schema.Map:
		return 1 + leaves(t.Items)
	default:
		return 1
	}
}

func describe(t *schema.Type) string {
	switch t.Kind {
	case schema.Fixed:
		return fmt.Sprintf("fixed of %d bytes", t.Size)
	case schema.Decimal:
		return fmt.Sprintf("decimal(%d,%d)", t.Precision, t.Scale)
	default:
		return t.Kind.String()
	}
}

// base is the type below a logical one.
func base(t *schema.Type) schema.Kind {
	switch t.Kind {
	case schema.Date, schema.TimeMillis:
		return schema.Int
	case schema.TimeMicros, schema.TimestampMillis, schema.TimestampMicros, schema.TimestampNanos:
		return schema.Long
	case schema.UUID:
		return schema.String
	case schema.Decimal:
		if t.Size > 0 {
			return schema.Fixed
		}
		return schema.Bytes
	default:
		return t.Kind
	}
}

// fits reports whether values of w can be read as r: one cell each. Of two different logical types neither is read as the other: their numbers mean other things.
func fits(w, r *schema.Type) bool {
	logical := func(t *schema.Type) bool { return base(t) != t.Kind }
	if logical(w) && logical(r) && (w.Kind != r.Kind || w.Local != r.Local || w.Kind == schema.Decimal && w.Scale != r.Scale) {
		return false
	}
	from, to := base(w), base(r)
	if w.Kind == schema.Decimal && r.Kind == schema.Decimal {
		return true // of bytes or fixed
	}
	if w.Kind == schema.Decimal && to == schema.String {
		return false
	}
	switch to {
	case schema.Long, schema.Double, schema.Float:
		wider := []schema.Kind{schema.Int, schema.Long, schema.Float, schema.Double}
		at := slices.Index(wider, from)
		return at >= 0 && at <= slices.Index(wider, to)
	case schema.String, schema.Bytes:
		return from == schema.String || from == schema.Bytes
	case schema.Fixed:
		return from == to && w.Size == r.Size
	default:
		return from == to
	}
}
