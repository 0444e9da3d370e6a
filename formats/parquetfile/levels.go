package parquetfile

import "encoding/binary"

// appendLevels appends levels in Parquet's hybrid of run-length and bit-packed runs, as a page holds them:
//
//	length of what follows, 4 bytes
//	runs:  varint n<<1   | the level, 1 byte                      n times the same level
//	       varint g<<1|1 | 8*g levels of width bits, lowest first  (the last group is filled with zeros)
func appendLevels(dst []byte, levels []uint8, width int) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	for i := 0; i < len(levels); {
		if n := runLength(levels[i:]); n >= 8 || i+n == len(levels) {
			dst = append(binary.AppendUvarint(dst, uint64(n)<<1), levels[i])
			i += n
			continue
		}
		end := i + 8
		for end < len(levels) && !isLongRun(levels[end:]) {
			end += 8
		}
		groups := (end - i) / 8
		dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
		dst = packBits(dst, levels[i:min(end, len(levels))], groups, width)
		i = end
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

func runLength(levels []uint8) int {
	for i, l := range levels {
		if l != levels[0] {
			return i
		}
	}
	return len(levels)
}

func isLongRun(levels []uint8) bool {
	return len(levels) >= 8 && runLength(levels[:8]) == 8
}

func packBits(dst []byte, levels []uint8, groups, width int) []byte {
	for g := range groups {
		var packed uint64
		for j, l := range levels[8*g : min(8*g+8, len(levels))] {
			packed |= uint64(l) << (j * width)
		}
		for b := range width {
			dst = append(dst, byte(packed>>(8*b)))
		}
	}
	return dst
}

// appendConstantIndex appends the dictionary indices of n rows that all have the dictionary's only entry.
func appendConstantIndex(dst []byte, n int) []byte {
	const width = 1
	dst = append(dst, width)
	return append(binary.AppendUvarint(dst, uint64(n)<<1), 0)
}
