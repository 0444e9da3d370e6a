package sequencefile

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/penstock-io/penstock/formats/pieces"
)

// appendVint appends n as WritableUtils.writeVInt does: up to 127 in one byte, else a byte that tells how many follow. Lengths are never negative.
func appendVint(dst []byte, n int) []byte {
	if n <= 127 {
		return append(dst, byte(n))
	}
	size := 0
	for v := n; v > 0; v >>= 8 {
		size++
	}
	dst = append(dst, byte(-112-size))
	for i := size - 1; i >= 0; i-- {
		dst = append(dst, byte(n>>(8*i)))
	}
	return dst
}

var errVint = errors.New("no length where one should be")

// readVint is the inverse; negative numbers are errors.
func readVint(r io.ByteReader) (int64, error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, pieces.NoEOF(err)
	}
	size := -int(int8(first)) - 112
	switch {
	case first <= 127:
		return int64(first), nil
	case size < 1 || size > 7:
		return 0, errVint
	}
	var n int64
	for range size {
		b, err := r.ReadByte()
		if err != nil {
			return 0, pieces.NoEOF(err)
		}
		n = n<<8 | int64(b)
	}
	return n, nil
}

// appendText appends a Text.
func appendText(dst []byte, s string) []byte { return append(appendVint(dst, len(s)), s...) }

// appendLength appends what stands before the bytes of a BytesWritable, or of a Text.
func appendLength(dst []byte, n int, text bool) []byte {
	if text {
		return appendVint(dst, n)
	}
	return binary.BigEndian.AppendUint32(dst, uint32(n))
}
