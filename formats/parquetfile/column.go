package parquetfile

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// leaf describes one column of the file. All leaves of a format are in the order of the schema.
type leaf struct {
	path           string // "headers.key_value.key"
	maxRep, maxDef uint8
	stats          statistics
	constant       bool // one value in the whole file, which the encoder knows: a dictionary of one entry, nothing held
}

// statistics says what a column chunk tells readers beside its nulls.
type statistics uint8

const (
	nullsOnly statistics = iota // bodies and headers: a range of them prunes nothing, and may leak a value into footers
	byteRange
	int64Range
)

// statLimit bounds a byte range: a chunk with a longer value has none.
const statLimit = 1 << 10

// page is a finished page of a column.
type page struct {
	data         []byte // compressed
	values       int    // with nulls and missing ones
	uncompressed int
}

// column builds the chunk of one leaf: values go in row by row, pages come out. It knows nothing of files.
type column struct {
	leaf     leaf
	mem      *holding
	codec    *codec
	pageSize int

	// the open page
	rep, def []byte
	values   []byte
	count    int

	// the chunk
	pages      []page
	compressed int64 // of pages
	raw        int64 // of pages, before compression
	total      int64 // values of pages, with nulls and missing ones
	nulls      int64

	ranged     bool // min and max, or minInt and maxInt, are set
	tooLong    bool
	min, max   []byte
	minI, maxI int64
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
	c.values = c.mem.grow(c.values, 4+len(v))
	c.values = binary.LittleEndian.AppendUint32(c.values, uint32(len(v)))
	c.values = append(c.values, v...)
	if c.leaf.stats == byteRange {
		c.widenBytes(v)
	}
}

// text is bytes for a string.
func (c *column) text(rep uint8, v string) {
	c.level(rep, c.leaf.maxDef)
	c.values = c.mem.grow(c.values, 4+len(v))
	c.values = binary.LittleEndian.AppendUint32(c.values, uint32(len(v)))
	c.values = append(c.values, v...)
}

// int64 adds a value to a column that has no levels.
func (c *column) int64(v int64) {
	c.count++
	c.values = binary.LittleEndian.AppendUint64(c.mem.grow(c.values, 8), uint64(v))
	if !c.ranged {
		c.ranged, c.minI, c.maxI = true, v, v
		return
	}
	c.minI, c.maxI = min(c.minI, v), max(c.maxI, v)
}

func (c *column) widenBytes(v []byte) {
	switch {
	case c.tooLong:
	case len(v) > statLimit:
		c.tooLong, c.ranged = true, false
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
	if c.leaf.maxDef > 0 {
		scratch = c.mem.buffers.get(len(c.values) + 2*len(c.def) + 2*len(c.rep) + 64)
		if c.leaf.maxRep > 0 {
			scratch = appendLevels(scratch, c.rep, bits.Len8(c.leaf.maxRep))
		}
		scratch = appendLevels(scratch, c.def, bits.Len8(c.leaf.maxDef))
		scratch = append(scratch, c.values...)
		body = scratch
	}
	out := c.codec.compress(c.mem.buffers.get(c.codec.bound(len(body))), body)
	c.pages = append(c.pages, page{data: c.mem.keep(out), values: c.count, uncompressed: len(body)})
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
	c.count = 0
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
	for _, p := range c.pages {
		c.mem.drop(p.data)
	}
	*c = column{leaf: c.leaf, mem: c.mem, codec: c.codec, pageSize: c.pageSize}
}
