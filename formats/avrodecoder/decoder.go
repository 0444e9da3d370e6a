package avrodecoder

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/schema"
)

// Decoder decodes one datum after the other. Used by one goroutine.
type Decoder struct {
	plan  *Plan
	row   *schema.Row
	p     []byte // the datum
	i     int    // where it is read
	cells int    // of elements
	skim  bool   // no row is wanted
}

// NewDecoder returns a decoder with a row of its own.
func (p *Plan) NewDecoder() *Decoder { return &Decoder{plan: p, row: p.schema.NewRow()} }

// Decode returns the event as a row, which is valid until the next call and points into body. A *formats.RecordError says why there is none.
func (d *Decoder) Decode(body []byte) (*schema.Row, *formats.RecordError) {
	if why := d.event(body, false); why != nil {
		return nil, why
	}
	return d.row, nil
}

// Check finds every fault that Decode finds, and makes no row.
func (d *Decoder) Check(body []byte) *formats.RecordError { return d.event(body, true) }

// Skip is Check of the datum with which p begins, whatever follows it. It returns its length in bytes.
func (d *Decoder) Skip(p []byte) (int, *formats.RecordError) {
	why := d.datum(p, true)
	return d.i, why
}

func (d *Decoder) event(body []byte, skim bool) *formats.RecordError {
	if body == nil {
		return &formats.RecordError{Code: "null_body", Path: "body", Detail: "an event without a body has no columns"}
	}
	why := d.datum(body, skim)
	if why == nil && d.i != len(d.p) {
		why = d.invalid(strconv.Itoa(len(d.p)-d.i) + " bytes follow the record: was it written with another schema?")
		why.Path = "$"
	}
	return why
}

func (d *Decoder) datum(p []byte, skim bool) *formats.RecordError {
	d.p, d.i, d.cells, d.skim = p, 0, 0, skim
	if skim {
		d.row.Scratch = d.row.Scratch[:0]
	} else {
		d.row.Reset()
	}
	why := d.value(d.plan.root, 0)
	if why != nil {
		why.Path = "$" + why.Path
	}
	return why
}

// The errors of what follows have the path from the value on; it grows on the way out, so that events that are fine pay nothing for it.

func (d *Decoder) invalid(what string) *formats.RecordError {
	return &formats.RecordError{Code: "invalid_avro", Detail: what + ", at byte " + strconv.Itoa(d.i)}
}

// maxPath is how much of a path is told; keys are the producer's.
const maxPath = 1 << 10

func within(step string, why *formats.RecordError) *formats.RecordError {
	if len(why.Path) < maxPath {
		why.Path = step + why.Path
	}
	return why
}

// value decodes a value of n, whose first cell has the repetition level rep.
func (d *Decoder) value(n *node, rep uint8) *formats.RecordError {
	if n.typ.Nullable {
		branch, why := d.long()
		switch {
		case why != nil:
			return why
		case branch != 0 && branch != 1:
			return d.invalid("a union of two has no branch " + strconv.FormatInt(branch, 10))
		case (branch == 1) == n.typ.NullLast:
			return d.null(n, rep)
		}
	}
	switch n.typ.Kind {
	case schema.Union:
		return d.union(n, rep)
	case schema.Record:
		return d.record(n, rep)
	case schema.Array, schema.Map:
		return d.blocks(n, rep)
	case schema.Null: // in a list that is passed over
		return nil
	default:
		return d.scalar(n, rep)
	}
}

// null is one that was written.
func (d *Decoder) null(n *node, rep uint8) *formats.RecordError {
	if !n.nullable && n.column != nil {
		return &formats.RecordError{Code: "wrong_type", Detail: "a null, and the column is " + describe(n.column)}
	}
	d.absent(n, rep, n.def-1)
	return nil
}

// union is one that was not of null and one other type.
func (d *Decoder) union(n *node, rep uint8) *formats.RecordError {
	branch, why := d.long()
	switch {
	case why != nil:
		return why
	case branch < 0 || branch >= int64(len(n.branches)):
		return d.invalid(fmt.Sprintf("a union of %d has no branch %d", len(n.branches), branch))
	case n.branches[branch].misfit != "":
		return &formats.RecordError{Code: "wrong_type", Detail: n.branches[branch].misfit}
	case n.branches[branch].kind == schema.Null:
		return d.null(n, rep)
	default:
		return d.value(n.branches[branch], rep)
	}
}

func (d *Decoder) record(n *node, rep uint8) *formats.RecordError {
	for i, f := range n.fields {
		if f.column == nil {
			if why := d.pass(f); why != nil {
				return within("."+n.typ.Fields[i].Name, why)
			}
			continue
		}
		if why := d.value(f, rep); why != nil {
			return within("."+n.typ.Fields[i].Name, why)
		}
	}
	for i := range n.missing {
		d.missing(&n.missing[i], rep)
	}
	return nil
}

// pass reads what no column is for.
func (d *Decoder) pass(n *node) *formats.RecordError {
	was := d.skim
	d.skim = true
	why := d.value(n, 0)
	d.skim = was
	return why
}

// missing has the cells of a field that was not written.
func (d *Decoder) missing(m *missing, rep uint8) {
	for i := m.from; i < m.to; i++ {
		if m.fallback == nil {
			d.put(i, schema.Cell{Rep: rep, Def: m.def})
			continue
		}
		for j, cell := range m.fallback[i-m.from] {
			if j == 0 {
				cell.Rep = rep // the others go on in lists of the default's own
			}
			d.put(i, cell)
		}
	}
}

// absent says for all leaves of n that the path is there up to def only.
func (d *Decoder) absent(n *node, rep, def uint8) {
	if d.skim {
		return
	}
	for i := n.from; i < n.to; i++ {
		d.row.Columns[i] = append(d.row.Columns[i], schema.Cell{Rep: rep, Def: def})
	}
}

// maxCells bounds a row: an element of one byte takes a cell of 48 in each column below the list.
const maxCells = 2 << 20

// blocks decodes an array or a map.
func (d *Decoder) blocks(n *node, rep uint8) *formats.RecordError {
	for index := 0; ; {
		count, why := d.blockCount()
		switch {
		case why != nil:
			return why
		case count == 0:
			if index == 0 {
				d.absent(n, rep, n.def)
			}
			return nil
		}
		for range count {
			if d.cells += n.to - n.from; d.cells > maxCells {
				return &formats.RecordError{Code: "too_many_values", Detail: fmt.Sprintf("the lists and maps of one event have more than %d values", maxCells)}
			}
			if why := d.element(n, rep, index); why != nil {
				return why
			}
			rep = n.rep
			index++
		}
	}
}

// blockCount reads how many elements follow. Each takes a byte at least.
func (d *Decoder) blockCount() (int, *formats.RecordError) {
	count, why := d.long()
	if why == nil && count < 0 {
		count = -count
		_, why = d.long() // the bytes of the block, for those who pass over it
	}
	if why == nil && (count < 0 || count > int64(len(d.p)-d.i)) {
		why = d.invalid("a block has more elements than there are bytes")
	}
	return int(count), why
}

func (d *Decoder) element(n *node, rep uint8, index int) *formats.RecordError {
	if n.typ.Kind == schema.Array {
		return d.nth(n, rep, index)
	}
	key, why := d.text()
	if why != nil {
		return why
	}
	d.put(n.from, schema.Cell{Bytes: key, Rep: rep, Def: n.def + 1})
	return d.nth(n, rep, index)
}

func (d *Decoder) nth(n *node, rep uint8, index int) *formats.RecordError {
	if why := d.value(n.items, rep); why != nil {
		return within("["+strconv.Itoa(index)+"]", why) // of a map not the key: it is data
	}
	return nil
}

// long reads a zigzag varint.
func (d *Decoder) long() (int64, *formats.RecordError) {
	u, n := binary.Uvarint(d.p[d.i:])
	if n <= 0 {
		return 0, d.invalid("no number of at most 64 bits")
	}
	d.i += n
	return int64(u>>1) ^ -int64(u&1), nil
}

// int reads what is written as an int: a zigzag varint of at most five bytes.
func (d *Decoder) int() (int64, *formats.RecordError) {
	from := d.i
	v, why := d.long()
	if why == nil && d.i-from > binary.MaxVarintLen32 {
		d.i = from
		why = d.invalid("no number of at most 32 bits")
	}
	return v, why
}

// take returns the next n bytes.
func (d *Decoder) take(n int64) ([]byte, *formats.RecordError) {
	if n < 0 || n > int64(len(d.p)-d.i) {
		return nil, d.invalid(fmt.Sprintf("%d bytes should follow, and %d are left", n, len(d.p)-d.i))
	}
	b := d.p[d.i : d.i+int(n) : d.i+int(n)]
	d.i += int(n)
	return b, nil
}

func (d *Decoder) lengthy() ([]byte, *formats.RecordError) {
	n, why := d.long()
	if why != nil {
		return nil, why
	}
	return d.take(n)
}

func (d *Decoder) text() ([]byte, *formats.RecordError) {
	b, why := d.lengthy()
	if why == nil && !utf8.Valid(b) {
		why = &formats.RecordError{Code: "invalid_utf8", Detail: "Avro's strings are UTF-8; declare the field as bytes to land it as it is"}
	}
	return b, why
}

// scalar decodes a value that is one cell.
func (d *Decoder) scalar(n *node, rep uint8) *formats.RecordError {
	cell := schema.Cell{Rep: rep, Def: n.def}
	var why *formats.RecordError
	switch n.kind {
	case schema.Boolean:
		cell.Int, why = d.plain(n.kind)
	case schema.Float, schema.Double:
		cell.Int, why = d.float(base(n.typ), n.kind)
	case schema.Bytes:
		cell.Bytes, why = d.lengthy()
	case schema.Fixed:
		cell.Bytes, why = d.take(int64(n.typ.Size))
	case schema.String:
		cell.Bytes, why = d.text()
	case schema.Enum:
		cell.Bytes, why = d.symbol(n)
	case schema.UUID:
		cell.Bytes, why = d.uuid()
	case schema.Decimal:
		cell.Bytes, why = d.decimal(n)
	default:
		cell.Int, why = d.integer(base(n.typ), n.kind)
	}
	if why != nil {
		return why
	}
	d.put(n.from, cell)
	return nil
}

func (d *Decoder) put(leaf int, cell schema.Cell) {
	if !d.skim {
		d.row.Columns[leaf] = append(d.row.Columns[leaf], cell)
	}
}

// float reads a number that becomes a float or a double.
func (d *Decoder) float(wire, k schema.Kind) (int64, *formats.RecordError) {
	if wire == k {
		return d.plain(k)
	}
	if wire == schema.Float {
		v, why := d.plain(wire)
		return int64(math.Float64bits(float64(math.Float32frombits(uint32(v))))), why
	}
	v, why := d.integer(wire, wire)
	if k == schema.Float {
		return int64(math.Float32bits(float32(v))), why
	}
	return int64(math.Float64bits(float64(v))), why
}

// plain reads what has the same length always.
func (d *Decoder) plain(k schema.Kind) (int64, *formats.RecordError) {
	size := int64(1)
	switch k {
	case schema.Double:
		size = 8
	case schema.Float:
		size = 4
	default: // a boolean
	}
	b, why := d.take(size)
	switch {
	case why != nil:
		return 0, why
	case size == 8:
		return int64(binary.LittleEndian.Uint64(b)), nil
	case size == 4:
		return int64(binary.LittleEndian.Uint32(b)), nil
	case b[0] > 1:
		d.i--
		return 0, d.invalid("a boolean is 0 or 1")
	default:
		return int64(b[0]), nil
	}
}

// integer reads all that is a number in the column.
func (d *Decoder) integer(wire, k schema.Kind) (int64, *formats.RecordError) {
	read := d.long
	if wire == schema.Int {
		read = d.int
	}
	v, why := read()
	if why != nil {
		return 0, why
	}
	lowest, highest := int64(math.MinInt64), int64(math.MaxInt64)
	if wire == schema.Int {
		lowest, highest = math.MinInt32, math.MaxInt32
	}
	switch k {
	case schema.TimeMillis:
		lowest, highest = 0, 24*60*60*1_000-1
	case schema.TimeMicros:
		lowest, highest = 0, 24*60*60*1_000_000-1
	default:
	}
	if v < lowest || v > highest {
		return 0, &formats.RecordError{Code: "out_of_range", Detail: fmt.Sprintf("the column holds %d to %d", lowest, highest)}
	}
	return v, nil
}

func (d *Decoder) symbol(n *node) ([]byte, *formats.RecordError) {
	t := n.typ
	v, why := d.int()
	if why != nil {
		return nil, why
	}
	if v < 0 || v >= int64(len(t.Symbols)) {
		return nil, &formats.RecordError{Code: "bad_value", Detail: fmt.Sprintf("the enum has %d symbols, and none with the number %d", len(t.Symbols), v)}
	}
	if !n.symbols[v] {
		return nil, &formats.RecordError{Code: "bad_value", Detail: fmt.Sprintf("the writer's symbol %s is none of the column's", t.Symbols[v])}
	}
	from := len(d.row.Scratch)
	d.row.Scratch = append(d.row.Scratch, t.Symbols[v]...)
	return d.row.Scratch[from:], nil
}

func (d *Decoder) uuid() ([]byte, *formats.RecordError) {
	b, why := d.lengthy()
	if why != nil {
		return nil, why
	}
	from := len(d.row.Scratch)
	var ok bool
	if d.row.Scratch, ok = schema.AppendUUID(d.row.Scratch, b); !ok {
		return nil, &formats.RecordError{Code: "bad_value", Detail: "the string is no UUID of the form 8-4-4-4-12 hexadecimal digits"}
	}
	return d.row.Scratch[from:], nil
}

// digits is the precision of the column.
func (n *node) digits() int {
	if n.column != nil {
		return n.column.Precision
	}
	return n.typ.Precision
}

// decimal brings a two's complement of any length to that of the column.
func (d *Decoder) decimal(n *node) ([]byte, *formats.RecordError) {
	var b []byte
	var why *formats.RecordError
	if n.typ.Size > 0 {
		b, why = d.take(int64(n.typ.Size))
	} else {
		b, why = d.lengthy()
	}
	if why != nil {
		return nil, why
	}
	v, fits := fromTwosComplement(b)
	if !fits || !v.magnitude().less(n.limit) {
		return nil, &formats.RecordError{Code: "out_of_range", Detail: fmt.Sprintf("the number has more than %d digits", n.digits())}
	}
	from := len(d.row.Scratch)
	var all [16]byte
	binary.BigEndian.PutUint64(all[:8], v.hi)
	binary.BigEndian.PutUint64(all[8:], v.lo)
	d.row.Scratch = append(d.row.Scratch, all[16-schema.DecimalSize(n.digits()):]...)
	return d.row.Scratch[from:], nil
}
