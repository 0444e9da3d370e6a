package jsondecoder

import (
	"math"
	"math/bits"
	"strconv"
	"unsafe"

	"github.com/penstock-io/penstock/formats/schema"
)

// number reads a number by the grammar of RFC 8259, section 6, and returns its text.
func (d *Decoder) number() ([]byte, *fault) {
	from := d.i
	if d.p[d.i] == '-' {
		d.i++
	}
	zero := d.i < len(d.p) && d.p[d.i] == '0'
	switch n := d.digits(); {
	case n == 0:
		return nil, d.syntax("a digit must follow")
	case zero && n > 1:
		return nil, d.syntax("a number must not begin with 0 and another digit")
	}
	if d.i < len(d.p) && d.p[d.i] == '.' {
		d.i++
		if d.digits() == 0 {
			return nil, d.syntax("a digit must follow the point")
		}
	}
	if d.i < len(d.p) && d.p[d.i]|0x20 == 'e' {
		d.i++
		if d.i < len(d.p) && (d.p[d.i] == '+' || d.p[d.i] == '-') {
			d.i++
		}
		if d.digits() == 0 {
			return nil, d.syntax("a digit must follow the exponent")
		}
	}
	return d.p[from:d.i], nil
}

func (d *Decoder) digits() int {
	from := d.i
	for d.i < len(d.p) && d.p[d.i]-'0' <= 9 {
		d.i++
	}
	return d.i - from
}

// short reads an integer of up to 18 digits without fraction and exponent; ok is false, and nothing is read, when it is something else.
func (d *Decoder) short() (v int64, ok bool) {
	i := d.i
	negative := d.p[i] == '-'
	if negative {
		i++
	}
	from := i
	for i < len(d.p) && d.p[i]-'0' <= 9 {
		v = v*10 + int64(d.p[i]-'0')
		i++
	}
	n := i - from
	if n == 0 || n > 18 || n > 1 && d.p[from] == '0' || i < len(d.p) && (d.p[i] == '.' || d.p[i]|0x20 == 'e') {
		return 0, false
	}
	d.i = i
	if negative {
		v = -v
	}
	return v, true
}

// integer reads a number that is to be whole, in 64 bits.
func (d *Decoder) integer() (int64, *fault) {
	if v, ok := d.short(); ok {
		return v, nil
	}
	text, why := d.number()
	if why != nil {
		return 0, why
	}
	x, ok := parse(text, &d.row.Scratch)
	if !ok {
		return 0, tooLarge()
	}
	v, why := x.unscaled(0, 19)
	if why != nil {
		return 0, why
	}
	return v.int64(x.negative)
}

func tooLarge() *fault { return newFault("out_of_range", "the number is too large for the column") }

// exact is a decimal number: 0.d₁d₂…dₙ × 10^point, without zeros at either end; no digits: zero.
type exact struct {
	negative bool
	digits   []byte // '0' to '9'
	point    int
}

// parse takes a number that fits the grammar apart; its digits may lie in scratch. False: its exponent is beyond everything.
func parse(text []byte, scratch *[]byte) (exact, bool) {
	x := exact{negative: text[0] == '-'}
	if x.negative {
		text = text[1:]
	}
	whole, fraction, exponent := split(text)
	x.point = len(whole)
	x.digits = whole
	if len(fraction) > 0 {
		from := len(*scratch)
		*scratch = append(append(*scratch, whole...), fraction...)
		x.digits = (*scratch)[from:]
	}
	for len(x.digits) > 0 && x.digits[0] == '0' {
		x.digits = x.digits[1:]
		x.point--
	}
	for len(x.digits) > 0 && x.digits[len(x.digits)-1] == '0' {
		x.digits = x.digits[:len(x.digits)-1]
	}
	if len(x.digits) == 0 {
		return exact{}, true // whatever the exponent, and -0 is 0
	}
	if len(exponent) == 0 {
		return x, true
	}
	e, err := strconv.Atoi(string(exponent))
	if err != nil || e < -1<<30 || e > 1<<30 {
		// So small that it has digits behind any scale, or so large that nothing holds it.
		return x, false
	}
	x.point += e
	return x, true
}

// split cuts a number, without its sign, at the point and at the exponent.
func split(text []byte) (whole, fraction, exponent []byte) {
	end := len(text)
	for i, c := range text {
		if c|0x20 == 'e' {
			exponent, end = text[i+1:], i
			break
		}
	}
	for i, c := range text[:end] {
		if c == '.' {
			return text[:i], text[i+1 : end], exponent
		}
	}
	return text[:end], nil, exponent
}

// wide is 128 bits, unsigned.
type wide struct{ hi, lo uint64 }

// unscaled returns the number without its sign, times 10^scale, which must be whole and have at most so many digits (38 at most).
func (x exact) unscaled(scale, precision int) (wide, *fault) {
	v, rest, why := x.cut(scale, precision)
	if why == nil && rest {
		why = newFault("inexact", "the number has more digits behind the point than the column can hold")
	}
	return v, why
}

// cut is unscaled without what is behind the point; rest says that there was something.
func (x exact) cut(scale, precision int) (v wide, rest bool, why *fault) {
	n := x.point + scale // digits of the result
	if len(x.digits) == 0 {
		return wide{}, false, nil
	}
	if n > precision {
		return wide{}, false, tooLarge()
	}
	for i := range n {
		digit := uint64(0)
		if i < len(x.digits) {
			digit = uint64(x.digits[i] - '0')
		}
		v = v.timesTen(digit)
	}
	return v, n < len(x.digits), nil
}

func (v wide) timesTen(digit uint64) wide {
	hi, lo := bits.Mul64(v.lo, 10)
	return wide{v.hi*10 + hi, lo}.plus(digit)
}

func (v wide) plus(n uint64) wide {
	lo, carry := bits.Add64(v.lo, n, 0)
	return wide{v.hi + carry, lo}
}

func (v wide) int64(negative bool) (int64, *fault) {
	limit := uint64(math.MaxInt64)
	if negative {
		limit++
	}
	if v.hi != 0 || v.lo > limit {
		return 0, tooLarge()
	}
	if negative {
		return -int64(v.lo), nil // also of 1<<63, which is its own negative
	}
	return int64(v.lo), nil
}

// bigEndian appends size bytes of two's complement.
func (v wide) bigEndian(dst []byte, size int, negative bool) []byte {
	if negative {
		v = wide{^v.hi, ^v.lo}.plus(1)
	}
	for i := size - 1; i >= 0; i-- {
		switch {
		case i >= 8:
			dst = append(dst, byte(v.hi>>(8*(i-8))))
		default:
			dst = append(dst, byte(v.lo>>(8*i)))
		}
	}
	return dst
}

// decimal reads a number, or a string with one in it.
func (d *Decoder) decimal(n *node) ([]byte, *fault) {
	text, why := d.quotedNumber(n)
	if why != nil {
		return nil, why
	}
	x, ok := parse(text, &d.row.Scratch)
	if !ok {
		return nil, newFault("out_of_range", "the exponent is beyond everything that the column can hold")
	}
	v, why := x.unscaled(n.typ.Scale, n.typ.Precision)
	if why != nil {
		return nil, why
	}
	from := len(d.row.Scratch)
	d.row.Scratch = v.bigEndian(d.row.Scratch, schema.DecimalSize(n.typ.Precision), x.negative)
	return d.row.Scratch[from:], nil
}

func (d *Decoder) quotedNumber(n *node) ([]byte, *fault) {
	switch c := d.p[d.i]; {
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	case c != '"':
		return nil, d.wrong(n)
	}
	text, why := d.text()
	if why != nil {
		return nil, why
	}
	if len(text) == 0 || text[0] != '-' && text[0]-'0' > 9 {
		return nil, newFault("bad_value", "the string is no number")
	}
	event, next := d.p, d.i
	d.p, d.i = text, 0
	_, why = d.number()
	whole := d.i == len(text)
	d.p, d.i = event, next
	if why != nil || !whole {
		return nil, newFault("bad_value", "the string is no number")
	}
	return text, nil
}

// powers are those of ten that a double has exactly.
func powers() *[16]float64 {
	return &[...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}
}

// simple reads a double of up to 15 digits and no exponent: both the digits and the power of ten are exact, so one division rounds once. ok is false,
// and nothing is read, when it is something else.
func (d *Decoder) simple() (v float64, ok bool) {
	i := d.i
	negative := d.p[i] == '-'
	if negative {
		i++
	}
	from, point, m := i, -1, uint64(0)
	for ; i < len(d.p); i++ {
		if c := d.p[i] - '0'; c <= 9 {
			m = m*10 + uint64(c)
		} else if d.p[i] == '.' && point < 0 {
			point = i
		} else {
			break
		}
	}
	n, fraction := i-from, 0
	if point >= 0 {
		n, fraction = n-1, i-point-1
	}
	switch {
	case n == 0 || n > 15 || point == from || point == i-1: // nothing, too much, or nothing on a side of the point
		return 0, false
	case d.p[from] == '0' && n > 1 && point != from+1, i < len(d.p) && d.p[i]|0x20 == 'e':
		return 0, false
	}
	d.i = i
	v = float64(m) / powers()[fraction]
	if negative {
		v = -v
	}
	return v, true
}

// float reads a number as the nearest one of so many bits.
func (d *Decoder) float(size int) (float64, *fault) {
	if size == 64 { // rounding to 64 bits and then to 32 is not rounding once
		if v, ok := d.simple(); ok {
			return v, nil
		}
	}
	text, why := d.number()
	if why != nil {
		return 0, why
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), size) //nolint:gosec // the string is gone before the event's bytes can change
	if err != nil {
		return 0, newFault("out_of_range", "the number is beyond a "+strconv.Itoa(size)+"-bit float")
	}
	return f, nil
}
