package avrofile

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/ingest"
)

// node is a type at its place in the schema, for rows on their way to datums.
type node struct {
	typ     *schema.Type
	def     uint8 // definition level of a value that is there
	rep     uint8 // Array, Map: repetition level of elements after the first
	from    int   // the first of its leaves
	to      int   // behind the last
	fields  []*node
	items   *node
	symbols map[string]int64 // Enum: their numbers
}

func compile(t *schema.Type, rep, def uint8, leaf *int) *node {
	if t.Nullable {
		def++
	}
	n := &node{typ: t, def: def, from: *leaf}
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
		n.symbols = make(map[string]int64, len(t.Symbols))
		for i, s := range t.Symbols {
			n.symbols[s] = int64(i)
		}
	}
	n.to = *leaf
	return n
}

// assembler makes datums of rows. Used by one goroutine.
type assembler struct {
	root *node
	row  *schema.Row
	at   []int // the next cell of each leaf
}

// append appends the datum of a row to dst.
func (a *assembler) append(dst []byte, row *schema.Row) []byte {
	a.row = row
	clear(a.at)
	return a.value(dst, a.root)
}

func (a *assembler) next(leaf int) *schema.Cell { return &a.row.Columns[leaf][a.at[leaf]] }

// value appends the value of n that the next cells have, and passes over them.
func (a *assembler) value(dst []byte, n *node) []byte {
	if n.typ.Nullable {
		there := a.next(n.from).Def >= n.def
		branch := byte(2) // the number 1, as Avro writes it
		if there == n.typ.NullLast {
			branch = 0
		}
		dst = append(dst, branch)
		if !there {
			a.pass(n)
			return dst
		}
	}
	switch n.typ.Kind {
	case schema.Record:
		for _, f := range n.fields {
			dst = a.value(dst, f)
		}
		return dst
	case schema.Array, schema.Map:
		return a.several(dst, n)
	default:
		c := a.next(n.from)
		a.at[n.from]++
		return n.scalar(dst, c)
	}
}

// pass passes over the one cell that each leaf of n has when n is not there.
func (a *assembler) pass(n *node) {
	for leaf := n.from; leaf < n.to; leaf++ {
		a.at[leaf]++
	}
}

func (a *assembler) several(dst []byte, n *node) []byte {
	if a.next(n.from).Def == n.def {
		a.pass(n)
		return append(dst, 0)
	}
	dst = binary.AppendVarint(dst, a.count(n))
	for first := true; first || a.another(n); first = false {
		if n.typ.Kind == schema.Map {
			c := a.next(n.from)
			a.at[n.from]++
			dst = lengthy(dst, c.Bytes)
		}
		dst = a.value(dst, n.items)
	}
	return append(dst, 0)
}

// another reports whether the next cells are one more element of the list that was just read.
func (a *assembler) another(n *node) bool {
	cells := a.row.Columns[n.from]
	return a.at[n.from] < len(cells) && cells[a.at[n.from]].Rep == n.rep
}

// count is how many elements the list has that begins with the next cell.
func (a *assembler) count(n *node) int64 {
	elements := int64(1)
	for _, c := range a.row.Columns[n.from][a.at[n.from]+1:] {
		if c.Rep < n.rep {
			break
		}
		if c.Rep == n.rep {
			elements++
		}
	}
	return elements
}

func lengthy[T string | []byte](dst []byte, b T) []byte {
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

func (n *node) scalar(dst []byte, c *schema.Cell) []byte {
	switch n.typ.Kind {
	case schema.Boolean:
		return append(dst, byte(c.Int))
	case schema.Float:
		return binary.LittleEndian.AppendUint32(dst, uint32(c.Int))
	case schema.Double:
		return binary.LittleEndian.AppendUint64(dst, uint64(c.Int))
	case schema.String, schema.UUID, schema.Bytes:
		return lengthy(dst, c.Bytes)
	case schema.Fixed:
		return append(dst, c.Bytes...)
	case schema.Enum:
		return binary.AppendVarint(dst, n.symbols[string(c.Bytes)])
	case schema.Decimal:
		return n.decimal(dst, c.Bytes)
	default:
		return binary.AppendVarint(dst, c.Int)
	}
}

// decimal brings a two's complement to the length that the schema wants: that of a fixed, or the shortest.
func (n *node) decimal(dst, b []byte) []byte {
	sign := byte(0)
	if b[0] >= 0x80 {
		sign = 0xff
	}
	if n.typ.Size == 0 {
		for len(b) > 1 && b[0] == sign && b[1]&0x80 == sign&0x80 {
			b = b[1:]
		}
		return lengthy(dst, b)
	}
	for range n.typ.Size - len(b) {
		dst = append(dst, sign)
	}
	return append(dst, b...)
}

// appendRaw appends the datum of an event as it is, or says why it has none; then dst is as before.
func appendRaw(dst []byte, e *ingest.Event, p ingest.Partition) ([]byte, *formats.RecordError) {
	for i := range e.Headers {
		if !utf8.ValidString(e.Headers[i].Key) {
			return dst, &formats.RecordError{
				Code: "invalid_utf8", Path: fmt.Sprintf("headers[%d].key", i), Detail: "the name of a header must be valid UTF-8: it is a string in Avro",
			}
		}
	}
	dst = nullable(nullable(dst, e.Key), e.Body)
	if len(e.Headers) > 0 {
		dst = binary.AppendVarint(dst, int64(len(e.Headers)))
		for i := range e.Headers {
			dst = nullable(lengthy(dst, e.Headers[i].Key), e.Headers[i].Value)
		}
	}
	return appendOrigin(append(dst, 0), e, p), nil
}

func nullable(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 0)
	}
	return lengthy(append(dst, 2), b)
}

// appendOrigin appends the fields that tell where an event came from.
func appendOrigin(dst []byte, e *ingest.Event, p ingest.Partition) []byte {
	dst = lengthy(binary.AppendVarint(dst, e.Timestamp), p.Topic)
	return binary.AppendVarint(binary.AppendVarint(dst, int64(p.ID)), int64(e.Offset))
}
