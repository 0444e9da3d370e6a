package avrodecoder

import "math"

// wide is 128 bits: of a two's complement, or of a number without a sign.
type wide struct{ hi, lo uint64 }

// fromTwosComplement reads a number of any length, big endian; false: it has more than 128 bits.
func fromTwosComplement(b []byte) (v wide, fits bool) {
	sign := byte(0)
	if len(b) > 0 && b[0] >= 0x80 {
		sign, v = 0xff, wide{math.MaxUint64, math.MaxUint64}
	}
	for i, c := range b {
		if len(b)-i > 16 && c != sign {
			return wide{}, false
		}
		v = wide{v.hi<<8 | v.lo>>56, v.lo<<8 | uint64(c)}
	}
	return v, (v.hi>>63 == 1) == (sign != 0)
}

// magnitude is a two's complement without its sign.
func (v wide) magnitude() wide {
	if v.hi>>63 == 0 {
		return v
	}
	v = wide{^v.hi, ^v.lo}
	if v.lo++; v.lo == 0 {
		v.hi++
	}
	return v
}

func (v wide) less(w wide) bool { return v.hi < w.hi || v.hi == w.hi && v.lo < w.lo }
