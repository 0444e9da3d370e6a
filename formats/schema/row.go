package schema

// Row is one event in the columns of a schema: for each leaf its values, with nulls and missing ones, in order. Used by one goroutine, and again
// for the next event after Reset.
type Row struct {
	Columns [][]Cell
	Scratch []byte // bytes that cells refer to and that lie in no event; append to it
}

// Cell is one value of a leaf, or the lack of one.
type Cell struct {
	// Int is the value of Boolean (0 or 1), Int, Long, Date and all times, and the bits of Float (32) and Double (64).
	Int int64
	// Bytes is the value of String, Bytes, Fixed, Enum (the symbol), UUID (the text) and Decimal (two's complement, big endian, DecimalSize
	// bytes). It may point into the event or into Scratch: what is kept of it is copied.
	Bytes []byte
	// Rep and Def are the levels; the value is there if Def is the leaf's MaxDef.
	Rep, Def uint8
}

// NewRow returns an empty row.
func (s *Schema) NewRow() *Row { return &Row{Columns: make([][]Cell, len(s.Leaves))} }

// keepScratch and keepCells are what a row keeps from one event to the next; a giant one leaves nothing behind.
const (
	keepScratch = 64 << 10
	keepCells   = 1 << 10
)

// Reset empties the row.
func (r *Row) Reset() {
	for i, c := range r.Columns {
		if cap(c) > keepCells {
			c = nil
		}
		r.Columns[i] = c[:0]
	}
	if cap(r.Scratch) > keepScratch {
		r.Scratch = nil
	}
	r.Scratch = r.Scratch[:0]
}

// DecimalSize is how many bytes hold every decimal of so many digits.
func DecimalSize(precision int) int {
	// The smallest n with 2^(8n-1) >= 10^precision, by Parquet's specification.
	sizes := [...]int{1, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 6, 6, 6, 7, 7, 8, 8, 9, 9, 9, 10, 10, 11, 11, 11, 12, 12, 13, 13, 13, 14, 14, 15, 15, 16, 16, 16}
	return sizes[precision]
}
