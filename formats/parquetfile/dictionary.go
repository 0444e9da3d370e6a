package parquetfile

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// dictionary numbers the distinct values of a column chunk, whose pages then hold numbers: few distinct values take few bits, and there is less to
// compress. A chunk with many gives up, and its later pages are plain; readers know both by the page.
//
// The dictionary page, compressed as a whole, has the values in the order of their numbers, PLAIN: length (4) and bytes. A data page has
// instead of the values
//
//	width, 1 byte | numbers of so many bits, in the hybrid of appendLevels, without its length
type dictionary struct {
	seed  maphash.Seed
	plain []byte   // the values, as in the page
	at    []uint32 // where in plain each begins
	table []uint32 // by hash, open addressing: number+1, 0 where there is none; a power of two long
	asked int      // values looked up
	full  bool     // given up: no page uses it any more
	used  bool     // pages that are finished do
}

const (
	smallTable   = 64      // entries of the first table
	dictionaryOf = 4096    // values at most
	dictionaryIn = 1 << 16 // bytes at most
	dictionaryBy = 256     // values from which on at least every second one must have been there before
)

// number returns the number of v, which is new perhaps; ok is false when the dictionary has given up.
func (d *dictionary) number(mem *holding, v []byte) (n uint32, fresh, ok bool) {
	d.asked++
	if len(d.at)*4 >= len(d.table)*3 {
		d.grow(mem)
	}
	mask := len(d.table) - 1
	slot := int(maphash.Bytes(d.seed, v)) & mask
	for ; d.table[slot] != 0; slot = (slot + 1) & mask {
		n = d.table[slot] - 1
		if bytes.Equal(d.value(n)[4:], v) {
			return n, false, true
		}
	}
	count := len(d.at)
	if count == dictionaryOf || len(d.plain)+4+len(v) > dictionaryIn || count >= dictionaryBy && 2*count > d.asked {
		d.full = true
		return 0, false, false
	}
	d.table[slot] = uint32(count + 1)
	d.at = append(d.at, uint32(len(d.plain)))
	d.plain = mem.grow(d.plain, 4+len(v))
	d.plain = append(binary.LittleEndian.AppendUint32(d.plain, uint32(len(v))), v...)
	return uint32(count), true, true
}

// grow doubles the table.
func (d *dictionary) grow(mem *holding) {
	table := make([]uint32, max(smallTable, 2*len(d.table)))
	mem.bytes += int64(4 * (len(table) - len(d.table)))
	if d.table == nil {
		d.seed = maphash.MakeSeed()
	}
	d.table = table
	mask := len(table) - 1
	for n := range d.at {
		slot := int(maphash.Bytes(d.seed, d.value(uint32(n))[4:])) & mask
		for ; table[slot] != 0; slot = (slot + 1) & mask {
		}
		table[slot] = uint32(n + 1)
	}
	room := make([]uint32, len(d.at), len(table)*3/4)
	mem.bytes += int64(4 * (cap(room) - cap(d.at)))
	copy(room, d.at)
	d.at = room
}

// value is a value with its length before it.
func (d *dictionary) value(n uint32) []byte {
	from := d.at[n]
	return d.plain[from : from+4+binary.LittleEndian.Uint32(d.plain[from:])]
}

// free gives back what it holds.
func (d *dictionary) free(mem *holding) {
	mem.free(d.plain)
	mem.bytes -= int64(4 * (len(d.table) + cap(d.at)))
	*d = dictionary{}
}

// appendNumbers appends the numbers, 4 bytes each in p, as a page has them.
func (d *dictionary) appendNumbers(dst, p []byte) []byte {
	width := max(bits.Len(uint(len(d.at)-1)), 1)
	dst = append(dst, byte(width))
	number := func(i int) uint32 { return binary.LittleEndian.Uint32(p[4*i:]) }
	count := len(p) / 4
	for i := 0; i < count; {
		run := 1
		for i+run < count && number(i+run) == number(i) {
			run++
		}
		if run >= 8 || i+run == count {
			dst = binary.AppendUvarint(dst, uint64(run)<<1)
			dst = append(dst, byte(number(i)))
			if width > 8 {
				dst = append(dst, byte(number(i)>>8))
			}
			i += run
			continue
		}
		end := packedEnd(number, i, count)
		groups := (end - i + 7) / 8
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		dst = appendPacked(dst, number, i, min(end, count), groups, width)
		i = min(end, count)
	}
	return dst
}

// packedEnd returns where numbers that are packed from i on end: before eight equal ones, in groups of eight.
func packedEnd(number func(int) uint32, i, count int) int {
	end := i + 8
	for end+8 <= count {
		equal := 1
		for equal < 8 && number(end+equal) == number(end) {
			equal++
		}
		if equal == 8 {
			return end
		}
		end += 8
	}
	return end
}

// appendPacked packs numbers from i to end, filled up to whole groups with zeros.
func appendPacked(dst []byte, number func(int) uint32, i, end, groups, width int) []byte {
	var word uint64
	held := 0
	for j := range 8 * groups {
		if i+j < end {
			word |= uint64(number(i+j)) << held
		}
		for held += width; held >= 8; held -= 8 {
			dst = append(dst, byte(word))
			word >>= 8
		}
	}
	return dst
}
