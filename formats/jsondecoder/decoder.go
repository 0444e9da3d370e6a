package jsondecoder

import (
	"bytes"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/schema"
)

// Decoder decodes one event after the other. Used by one goroutine.
type Decoder struct {
	plan    *Plan
	row     *schema.Row
	p       []byte // the event
	i       int    // where it is read
	deep    int    // objects and lists that are open
	cells   int    // of elements
	unknown []byte // key of the last field that the schema does not have

	// order[id][1+i] is the field that followed field i in the last object of record id (0: the first one's place): producers keep an order, and
	// a guess costs less than a look-up.
	order [][]int32
	seen  [][]uint64 // for each depth of records, a bit for each field
}

// NewDecoder returns a decoder with a row of its own.
func (p *Plan) NewDecoder() *Decoder {
	d := &Decoder{plan: p, row: p.schema.NewRow(), order: make([][]int32, p.records)}
	d.sizes(p.root)
	return d
}

func (d *Decoder) sizes(n *node) {
	if n.kind == schema.Record {
		d.order[n.id] = make([]int32, len(n.fields)+1)
		for i := range n.fields {
			d.order[n.id][i] = int32(i)
		}
	}
	for i := range n.fields {
		d.sizes(n.fields[i].node)
	}
	if n.items != nil {
		d.sizes(n.items)
	}
}

// Decode returns the event as a row, which is valid until the next call and points into body. A *formats.RecordError says why there is none.
func (d *Decoder) Decode(body []byte) (*schema.Row, *formats.RecordError) {
	if body == nil {
		return nil, &formats.RecordError{Code: "null_body", Path: "body", Detail: "an event without a body has no columns"}
	}
	d.reset(body)
	if at := invalidUTF8(body); at >= 0 {
		return nil, &formats.RecordError{Code: "invalid_utf8", Path: "body", Detail: "byte " + strconv.Itoa(at) + " begins no UTF-8 character; JSON is UTF-8"}
	}
	if why := d.whole(); why != nil {
		return nil, why.recordError()
	}
	return d.row, nil
}

func (d *Decoder) reset(body []byte) {
	d.row.Reset()
	d.p, d.i, d.deep, d.cells = body, 0, 0, 0
}

// invalidUTF8 returns where the text stops to be UTF-8; -1: it is.
func invalidUTF8(p []byte) int {
	if utf8.Valid(p) {
		return -1
	}
	at := 0
	for {
		r, n := utf8.DecodeRune(p[at:])
		if r == utf8.RuneError && n <= 1 {
			return at
		}
		at += n
	}
}

func (d *Decoder) whole() *fault {
	d.space()
	if d.i < len(d.p) && d.p[d.i] != '{' {
		if why := d.skip(); why != nil {
			return why
		}
		return newFault("not_an_object", "an event must be a JSON object, whose fields are the columns")
	}
	if why := d.record(d.plan.root, 0); why != nil {
		return why
	}
	if d.space(); d.i != len(d.p) {
		return d.syntax("something follows the object")
	}
	return nil
}

func (d *Decoder) space() {
	for d.i < len(d.p) {
		switch d.p[d.i] {
		case ' ', '\t', '\r', '\n':
			d.i++
		default:
			return
		}
	}
}

// value decodes what is next as a value of n, whose first cell has the repetition level rep.
func (d *Decoder) value(n *node, rep uint8) *fault {
	d.space()
	if d.i == len(d.p) {
		return d.syntax("the event ends where a value should be")
	}
	if d.p[d.i] == 'n' {
		if !d.literal("null") {
			return d.syntax("only null begins with n")
		}
		if !n.nullable {
			return newFault("null_value", "null, and the schema does not allow it here")
		}
		d.absent(n, rep, n.def-1)
		return nil
	}
	switch n.kind {
	case schema.Record:
		return d.record(n, rep)
	case schema.Array:
		return d.several(n, rep, '[', ']')
	case schema.Map:
		return d.several(n, rep, '{', '}')
	default:
		return d.scalar(n, rep)
	}
}

// absent says for all leaves of n that the path is there up to def only.
func (d *Decoder) absent(n *node, rep, def uint8) {
	for i := n.from; i < n.to; i++ {
		d.row.Columns[i] = append(d.row.Columns[i], schema.Cell{Rep: rep, Def: def})
	}
}

// record decodes an object.
func (d *Decoder) record(n *node, rep uint8) *fault {
	if why := d.open('{', n); why != nil {
		return why
	}
	seen := d.unseen(len(n.all))
	last, follows, strays := 0, d.order[n.id], 0
	for first := true; ; first = false {
		more, why := d.next(first, '}')
		if why != nil {
			return why
		}
		if !more {
			break
		}
		f, why := d.field(n, int(follows[last]))
		switch {
		case why != nil:
			return why
		case f < 0:
			if why := d.stray(n, strays); why != nil {
				return why
			}
			strays++
			continue
		case seen[f/64]&(1<<(f%64)) != 0:
			return newFault("duplicate_key", "the field is there twice").in(n.fields[f].name)
		}
		seen[f/64] |= 1 << (f % 64)
		follows[last] = int32(f)
		last = f + 1
		if why := d.value(n.fields[f].node, rep); why != nil {
			return why.in(n.fields[f].name)
		}
	}
	d.deep--
	if n.rest >= 0 {
		seen[n.rest/64] |= 1 << (n.rest % 64)
		if m := n.fields[n.rest].node; strays == 0 && m.nullable {
			d.absent(m, rep, m.def-1)
		} else if strays == 0 {
			d.absent(m, rep, m.def) // an empty map
		}
	}
	return d.missing(n, seen, rep)
}

// stray reads the value of a field that the schema does not have. In an object that keeps such fields, the root, it becomes the entry number count of their map.
func (d *Decoder) stray(n *node, count int) *fault {
	if n.rest < 0 {
		return d.skip()
	}
	m := n.fields[n.rest].node
	if why := d.more(m); why != nil {
		return why
	}
	rep := m.rep
	if count == 0 {
		rep = 0
	}
	d.row.Columns[m.from] = append(d.row.Columns[m.from], schema.Cell{Bytes: d.unknown, Rep: rep, Def: m.def + 1})
	d.space()
	value := schema.Cell{Rep: rep, Def: m.items.def}
	var why *fault
	switch from := d.i; {
	case d.i < len(d.p) && d.p[d.i] == '"':
		value.Bytes, why = d.text()
	case m.items.nullable && d.literal("null"):
		value.Def--
	default:
		why = d.skip()
		value.Bytes = d.p[from:d.i:d.i]
	}
	d.row.Columns[m.from+1] = append(d.row.Columns[m.from+1], value)
	return why
}

// unseen returns bits for the fields of an object at this depth, all zero.
func (d *Decoder) unseen(words int) []uint64 {
	for len(d.seen) < d.deep {
		d.seen = append(d.seen, nil)
	}
	s := d.seen[d.deep-1]
	if cap(s) < words {
		s = make([]uint64, words)
		d.seen[d.deep-1] = s
	}
	s = s[:words]
	clear(s)
	return s
}

// missing fills the fields that were not in the object.
func (d *Decoder) missing(n *node, seen []uint64, rep uint8) *fault {
	for w, all := range n.all {
		for left := all &^ seen[w]; left != 0; left &= left - 1 {
			f := &n.fields[64*w+bits.TrailingZeros64(left)]
			switch {
			case f.fallback != nil:
				for i, cells := range f.fallback {
					at := len(d.row.Columns[f.node.from+i])
					d.row.Columns[f.node.from+i] = append(d.row.Columns[f.node.from+i], cells...)
					d.row.Columns[f.node.from+i][at].Rep = rep // the others go on in lists of the default's own
				}
			case f.node.nullable:
				d.absent(f.node, rep, f.node.def-1)
			default:
				return newFault("missing_field", "the field is not there, and the schema has neither null nor a default for it").in(f.name)
			}
		}
	}
	return nil
}

// field reads a key and its colon, and returns the field's index; -1: the schema has none. guess is the likely one.
func (d *Decoder) field(n *node, guess int) (int, *fault) {
	if name := n.fields[guess].name; guess != n.rest && d.guessed(name) {
		d.i += len(name) + 2
		return guess, d.colon()
	}
	key, why := d.text()
	if why != nil {
		return 0, why
	}
	if why := d.colon(); why != nil {
		return 0, why
	}
	if f, ok := n.byName[string(key)]; ok && f != n.rest {
		return f, nil
	}
	d.unknown = key
	if d.plan.options.RefuseUnknown {
		return 0, newFault("unknown_field", "the schema has no such field").in(string(key[:min(len(key), 256)]))
	}
	return -1, nil
}

// guessed reports whether the key that is next, quotes included, is name, which has no character that is escaped.
func (d *Decoder) guessed(name string) bool {
	end := d.i + len(name) + 2
	return end <= len(d.p) && d.p[d.i] == '"' && d.p[end-1] == '"' && string(d.p[d.i+1:end-1]) == name
}

func (d *Decoder) colon() *fault {
	d.space()
	if d.i == len(d.p) || d.p[d.i] != ':' {
		return d.syntax("a colon must follow the key")
	}
	d.i++
	return nil
}

// several decodes a list or a map, by the brackets around it.
func (d *Decoder) several(n *node, rep uint8, begin, end byte) *fault {
	if why := d.open(begin, n); why != nil {
		return why
	}
	for count := 0; ; count++ {
		more, why := d.next(count == 0, end)
		if why != nil {
			return why.at(count)
		}
		if !more {
			if count == 0 {
				d.absent(n, rep, n.def)
			}
			d.deep--
			return nil
		}
		if why := d.more(n); why != nil {
			return why
		}
		if n.kind == schema.Map {
			if why := d.key(n, rep); why != nil {
				return why.at(count) // not the key: it is data
			}
		}
		if why := d.value(n.items, rep); why != nil {
			return why.at(count)
		}
		rep = n.rep
	}
}

func (d *Decoder) key(n *node, rep uint8) *fault {
	key, why := d.text()
	if why != nil {
		return why
	}
	d.row.Columns[n.from] = append(d.row.Columns[n.from], schema.Cell{Bytes: key, Rep: rep, Def: n.def + 1})
	return d.colon()
}

// maxCells bounds a row: an element of two bytes takes a cell of 48 in each column below the list.
const maxCells = 2 << 20

// more counts the cells of another element of n.
func (d *Decoder) more(n *node) *fault {
	if d.cells += n.to - n.from; d.cells > maxCells {
		return newFault("too_many_values", "the lists and maps of one event have more than "+strconv.Itoa(maxCells)+" values")
	}
	return nil
}

// open reads the bracket that begins a value of n.
func (d *Decoder) open(bracket byte, n *node) *fault {
	if d.i == len(d.p) {
		return d.syntax("the event is empty")
	}
	if d.p[d.i] != bracket {
		return d.wrong(n)
	}
	d.i++
	return d.deeper()
}

const maxDeep = 512

func (d *Decoder) deeper() *fault {
	if d.deep++; d.deep > maxDeep {
		return newFault("too_deep", "objects and lists are more than "+strconv.Itoa(maxDeep)+" deep")
	}
	return nil
}

// next goes to the next key of an object, or element of a list, which end ends; more is false there.
func (d *Decoder) next(first bool, end byte) (more bool, why *fault) {
	d.space()
	switch {
	case d.i == len(d.p):
		return false, d.syntax("the event ends in an object or a list")
	case d.p[d.i] == end:
		d.i++
		return false, nil
	case first:
	case d.p[d.i] != ',':
		return false, d.syntax("a comma or " + string(rune(end)) + " must follow")
	default:
		d.i++
		d.space()
	}
	if end == '}' && (d.i == len(d.p) || d.p[d.i] != '"') {
		return false, d.syntax("a key in quotes must follow")
	}
	return true, nil
}

func (d *Decoder) literal(word string) bool {
	if !bytes.HasPrefix(d.p[d.i:], []byte(word)) {
		return false
	}
	d.i += len(word)
	return true
}
