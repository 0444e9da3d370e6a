package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"
)

// The part of Thrift's compact protocol that a footer needs. Written here, and not taken from the library that wrote the
// footer, for two reasons: it checks that library, and it allocates nothing from a length that the file declares.
//
//	struct:  fields, then 0x00
//	field:   id delta << 4 | type, or type and then the id as zigzag varint; then the value
//	list:    count << 4 | type of the elements, or 0xF0 | type and then the count as varint; then the elements
//	integer: zigzag varint    binary: length as varint, then the bytes    boolean: in the field's type
const (
	tStop   = 0
	tTrue   = 1
	tFalse  = 2
	tByte   = 3
	tI16    = 4
	tI32    = 5
	tI64    = 6
	tDouble = 7
	tBinary = 8
	tList   = 9
	tSet    = 10
	tMap    = 11
	tStruct = 12

	maxDepth = 32 // of structs and lists in each other; a footer has 7
)

var errFooter = errors.New("not a Thrift structure, or cut short")

// decoder walks over the footer. The first error sticks and empties p, so that every loop ends.
type decoder struct {
	p     []byte
	depth int
	err   error
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = errFooter
	}
	d.p = nil
}

func (d *decoder) byte() byte {
	if len(d.p) == 0 {
		d.fail()
		return 0
	}
	b := d.p[0]
	d.p = d.p[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.p)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.p = d.p[n:]
	return v
}

func (d *decoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.p)) {
		d.fail()
		return nil
	}
	b := d.p[:n]
	d.p = d.p[n:]
	return b
}

// structure calls field for each field of a struct; field returns false for one that it does not want, and true when it has read it.
func (d *decoder) structure(field func(id int64, kind byte) bool) {
	if d.depth++; d.depth > maxDepth {
		d.fail()
	}
	id := int64(0)
	for d.err == nil {
		b := d.byte()
		if d.err != nil || b == tStop {
			break
		}
		if delta := int64(b >> 4); delta != 0 {
			id += delta
		} else {
			id = d.varint()
		}
		if !field(id, b&0xf) {
			d.skip(b & 0xf)
		}
	}
	d.depth--
}

// list calls element for each element of a list of structs, of which each takes at least smallest bytes (so that a list
// of empty ones cannot make the caller allocate many times the footer).
func (d *decoder) list(smallest int, element func()) {
	count, kind := d.listHeader()
	if count > 0 && (kind != tStruct || count > uint64(len(d.p)/smallest)) {
		d.fail()
	}
	for i := uint64(0); i < count && d.err == nil; i++ {
		element()
	}
}

func (d *decoder) listHeader() (count uint64, kind byte) {
	b := d.byte()
	count = uint64(b >> 4)
	if count == 15 {
		count = d.uvarint()
	}
	if count > uint64(len(d.p)) { // every element has at least a byte
		d.fail()
	}
	return count, b & 0xf
}

func (d *decoder) skip(kind byte) {
	switch kind {
	case tTrue, tFalse:
	case tByte:
		d.byte()
	case tI16, tI32, tI64:
		d.uvarint()
	case tDouble:
		if len(d.p) < 8 {
			d.fail()
			return
		}
		d.p = d.p[8:]
	case tBinary:
		d.bytes()
	case tStruct:
		d.structure(func(int64, byte) bool { return false })
	case tList, tSet:
		d.skipList()
	case tMap: // Parquet has none
		d.fail()
	default:
		d.fail()
	}
}

func (d *decoder) skipList() {
	if d.depth++; d.depth > maxDepth {
		d.fail()
	}
	count, kind := d.listHeader()
	for i := uint64(0); i < count && d.err == nil; i++ {
		if kind == tTrue || kind == tFalse {
			d.byte() // booleans in lists have a byte of their own
		} else {
			d.skip(kind)
		}
	}
	d.depth--
}

// Field ids of parquet.thrift.
func parseFooter(p []byte) (*footer, error) {
	d := &decoder{p: p}
	m := &footer{metadata: map[string]string{}}
	d.structure(func(id int64, kind byte) bool {
		switch {
		case id == 2 && kind == tList:
			d.list(4, func() {
				if d.isLeaf() {
					m.leaves++
				}
			})
		case id == 3 && kind == tI64:
			m.rows = d.varint()
		case id == 4 && kind == tList:
			d.list(32, func() { m.groups = append(m.groups, d.rowGroup()) })
		case id == 5 && kind == tList:
			d.list(4, func() { d.keyValue(m.metadata) })
		default:
			return false
		}
		return true
	})
	switch {
	case d.err != nil:
		return nil, d.err
	case len(d.p) > 0:
		return nil, fmt.Errorf("%d bytes are left over", len(d.p))
	case m.rows < 0:
		return nil, fmt.Errorf("%d rows", m.rows)
	}
	return m, nil
}

// isLeaf reads an element of the schema: one without children is a column.
func (d *decoder) isLeaf() bool {
	children := int64(0)
	d.structure(func(id int64, kind byte) bool {
		if id != 5 || kind != tI32 {
			return false
		}
		children = d.varint()
		return true
	})
	return children == 0
}

func (d *decoder) rowGroup() (g rowGroup) {
	d.structure(func(id int64, kind byte) bool {
		switch {
		case id == 1 && kind == tList:
			d.list(24, func() { g.chunks = append(g.chunks, d.columnChunk()) })
		case id == 3 && kind == tI64:
			g.rows = d.varint()
		default:
			return false
		}
		return true
	})
	return g
}

func (d *decoder) columnChunk() (c chunk) {
	d.structure(func(id int64, kind byte) bool {
		if id != 3 || kind != tStruct {
			return false
		}
		d.structure(func(id int64, kind byte) bool {
			if kind != tI64 {
				return false
			}
			switch id {
			case 5:
				c.values = d.varint()
			case 7:
				c.size = d.varint()
			case 9:
				c.data = d.varint()
			case 11:
				c.dictionary = d.varint()
			default:
				return false
			}
			return true
		})
		return true
	})
	return c
}

func (d *decoder) keyValue(into map[string]string) {
	var key, value []byte
	d.structure(func(id int64, kind byte) bool {
		switch {
		case id == 1 && kind == tBinary:
			key = d.bytes()
		case id == 2 && kind == tBinary:
			value = d.bytes()
		default:
			return false
		}
		return true
	})
	if !utf8.Valid(key) || !utf8.Valid(value) {
		d.fail()
		return
	}
	into[string(key)] = string(value)
}
