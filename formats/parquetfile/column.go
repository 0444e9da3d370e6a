package parquetfile

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
)

// leaf describes one column of the file. All leaves of a format are in the order of the schema.
type leaf struct {
	path           string // "headers.key_value.key"
	maxRep, maxDef uint8
	kind           physical
	numbered       bool // byteArray: with a dictionary, for as long as it helps
	stats          statistics
	constant       constancy
}

// physical is how a value lies in a page.
type physical uint8

const (
	byteArray  physical = iota // 4 bytes of length, and the bytes
	fixedBytes                 // the bytes
	int32s                     // 4 bytes
	int64s                     // 8 bytes
	bits1                      // a bit, lowest first
)

// constancy says that a column has one value in the whole file, which the encoder knows: a dictionary of one entry, and nothing is held.
type constancy uint8

const (
	varies constancy = iota
	theTopic
	thePartition
)

// statistics says what a column chunk tells readers beside its nulls.
type statistics uint8

const (
	nullsOnly statistics = iota // bodies and headers: a range of them prunes nothing, and may leak a value into footers
	byteRange
	int32Range
	int64Range
	floatRange  // of the 32 bits of a float
	doubleRange // of the 64 bits of a double
)

// statLimit bounds a byte range: a chunk with a longer value has none.
const statLimit = 1 << 10

// page is a finished page of a column.
type page struct {
	data         []byte // compressed
	values       int    // with nulls and missing ones
	uncompressed int
	numbered     bool // the values are numbers of the dictionary
}

// column builds the chunk of one leaf: values go in row by row, pages come out. It knows nothing of files.
type column struct {
	leaf     leaf
	mem      *holding
	codec    *codec
	pageSize int

	// the open page
	rep, def []byte
	values   []byte // numbered: numbers, 4 bytes each
	count    int
	numbered bool
	bits     int // bits1: in values

	// the chunk
	words      dictionary
	pages      []page
	compressed int64 // of pages
	raw        int64 // of pages, before compression
	total      int64 // values of pages, with nulls and missing ones
	nulls      int64

	ranged     bool // min and max, or minInt and maxInt, are set
	unranged   bool // a value that no range can tell was there: a long one, a NaN
	min, max   []byte
	minI, maxI int64
	minF, maxF float64
}

// room makes sure that n more bytes do not overfill the open page, and finishes it if they would. Called
// between rows only, so that a page holds whole rows. Reports whether a page was finished.
func (c *column) room(n int) bool {
	if c.count == 0 || len(c.values)+len(c.def)+len(c.rep)+n <= c.pageSize {
		return false
	}
	c.finishPage()
	return true
}

// level notes one value's levels; those that a column does not have are ignored.
func (c *column) level(rep, def uint8) {
	c.count++
	if c.leaf.maxRep > 0 {
		c.rep = append(c.mem.grow(c.rep, 1), rep)
	}
	if c.leaf.maxDef > 0 {
		c.def = append(c.mem.grow(c.def, 1), def)
	}
}

// null adds a null or missing value: def says how much of the path is there.
func (c *column) null(rep, def uint8) {
	c.level(rep, def)
	c.nulls++
}

// bytes adds a value, of which it keeps a copy.
func (c *column) bytes(rep uint8, v []byte) {
	c.level(rep, c.leaf.maxDef)
	if c.leaf.numbered && !c.words.full && c.number(v) {
		return
	}
	c.values = c.mem.grow(c.values, 4+len(v))
	c.values = binary.LittleEndian.AppendUint32(c.values, uint32(len(v)))
	c.values = append(c.values, v...)
	if c.leaf.stats == byteRange {
		c.widenBytes(v)
	}
}

// number adds a value by its number in the dictionary; false: there is no dictionary any more.
func (c *column) number(v []byte) bool {
	n, fresh, ok := c.words.number(c.mem, v)
	if !ok {
		c.spellOut()
		return false
	}
	if fresh && c.leaf.stats == byteRange {
		c.widenBytes(v)
	}
	c.numbered = true
	c.values = binary.LittleEndian.AppendUint32(c.mem.grow(c.values, 4), n)
	return true
}

// spellOut turns the open page's numbers into values, since its next value has none.
func (c *column) spellOut() {
	if !c.numbered {
		return
	}
	numbers := c.values
	c.values = nil
	for i := 0; i < len(numbers); i += 4 {
		v := c.words.value(binary.LittleEndian.Uint32(numbers[i:]))
		c.values = append(c.mem.grow(c.values, len(v)), v...)
	}
	c.mem.free(numbers)
	c.numbered = false
}

// text is bytes for a string.
func (c *column) text(rep uint8, v string) {
	c.level(rep, c.leaf.maxDef)
	c.values = c.mem.grow(c.values, 4+len(v))
	c.values = binary.LittleEndian.AppendUint32(c.values, uint32(len(v)))
	c.values = append(c.values, v...)
}

// int64 adds a value.
func (c *column) int64(rep uint8, v int64) {
	c.level(rep, c.leaf.maxDef)
	c.values = binary.LittleEndian.AppendUint64(c.mem.grow(c.values, 8), uint64(v))
	c.widen(v)
}

// int32 adds a value of 32 bits.
func (c *column) int32(rep uint8, v int64) {
	c.level(rep, c.leaf.maxDef)
	c.values = binary.LittleEndian.AppendUint32(c.mem.grow(c.values, 4), uint32(v))
	c.widen(v)
}

// bit adds a boolean.
func (c *column) bit(rep uint8, v int64) {
	c.level(rep, c.leaf.maxDef)
	if c.bits%8 == 0 {
		c.values = append(c.mem.grow(c.values, 1), 0)
	}
	c.values[c.bits/8] |= byte(v) << (c.bits % 8)
	c.bits++
}

// fixed adds bytes of the column's own length.
func (c *column) fixed(rep uint8, v []byte) {
	c.level(rep, c.leaf.maxDef)
	c.values = append(c.mem.grow(c.values, len(v)), v...)
}

func (c *column) widen(v int64) {
	switch {
	case c.leaf.stats == floatRange:
		c.widenFloat(float64(math.Float32frombits(uint32(v))))
	case c.leaf.stats == doubleRange:
		c.widenFloat(math.Float64frombits(uint64(v)))
	case !c.ranged:
		c.ranged, c.minI, c.maxI = true, v, v
	default:
		c.minI, c.maxI = min(c.minI, v), max(c.maxI, v)
	}
}

// widenFloat leaves a chunk with a NaN without a range, as parquet.thrift asks.
func (c *column) widenFloat(v float64) {
	switch {
	case c.unranged:
	case v != v:
		c.unranged, c.ranged = true, false
	case !c.ranged:
		c.ranged, c.minF, c.maxF = true, v, v
	default:
		c.minF, c.maxF = min(c.minF, v), max(c.maxF, v)
	}
}

func (c *column) widenBytes(v []byte) {
	switch {
	case c.unranged:
	case len(v) > statLimit:
		c.unranged, c.ranged = true, false
	case !c.ranged:
		c.ranged = true
		c.min, c.max = append(c.min[:0], v...), append(c.max[:0], v...)
	case bytes.Compare(v, c.min) < 0:
		c.min = append(c.min[:0], v...)
	case bytes.Compare(v, c.max) > 0:
		c.max = append(c.max[:0], v...)
	}
}

// finishPage compresses the open page and keeps it.
func (c *column) finishPage() {
	if c.count == 0 {
		return
	}
	body := c.values
	scratch := []byte(nil)
	if c.leaf.maxDef > 0 || c.numbered {
		scratch = c.mem.buffers.get(len(c.values) + 2*len(c.def) + 2*len(c.rep) + 64)
		if c.leaf.maxRep > 0 {
			scratch = appendLevels(scratch, c.rep, bits.Len8(c.leaf.maxRep))
		}
		if c.leaf.maxDef > 0 {
			scratch = appendLevels(scratch, c.def, bits.Len8(c.leaf.maxDef))
		}
		if c.numbered {
			scratch = c.words.appendNumbers(scratch, c.values)
			c.words.used = true
		} else {
			scratch = append(scratch, c.values...)
		}
		body = scratch
	}
	out := c.codec.compress(c.mem.buffers.get(c.codec.bound(len(body))), body)
	c.pages = append(c.pages, page{data: c.mem.keep(out), values: c.count, uncompressed: len(body), numbered: c.numbered})
	c.compressed += int64(len(out))
	c.raw += int64(len(body))
	c.total += int64(c.count)
	c.mem.buffers.put(out)
	if scratch != nil {
		c.mem.buffers.put(scratch)
	}
	c.emptyPage()
}

// emptyPage begins the next page. A buffer that a giant event has stretched is given back.
func (c *column) emptyPage() {
	c.count, c.bits, c.numbered = 0, 0, false
	c.rep, c.def, c.values = c.rep[:0], c.def[:0], c.values[:0]
	if cap(c.values) > 2*c.pageSize {
		c.mem.free(c.values)
		c.values = nil
	}
}

// reset gives back everything: the chunk was written, or is given up.
func (c *column) reset() {
	c.mem.free(c.rep)
	c.mem.free(c.def)
	c.mem.free(c.values)
	c.words.free(c.mem)
	for _, p := range c.pages {
		c.mem.drop(p.data)
	}
	*c = column{leaf: c.leaf, mem: c.mem, codec: c.codec, pageSize: c.pageSize}
}
