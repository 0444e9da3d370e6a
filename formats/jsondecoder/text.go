package jsondecoder

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string: a slice of the event when nothing in it is escaped, of the row's scratch otherwise. The event is UTF-8, as was seen before.
func (d *Decoder) text() ([]byte, *fault) {
	from := d.i + 1
	i := plain(d.p, from)
	if i < len(d.p) && d.p[i] == '"' {
		d.i = i + 1
		return d.p[from:i:i], nil
	}
	start := len(d.row.Scratch)
	for {
		d.row.Scratch = append(d.row.Scratch, d.p[from:i]...)
		d.i = i
		switch {
		case i == len(d.p):
			return nil, d.syntax("the event ends in a string")
		case d.p[i] == '"':
			d.i++
			s := d.row.Scratch
			return s[start:len(s):len(s)], nil
		case d.p[i] != '\\':
			return nil, d.syntax("a control character in a string must be escaped")
		}
		if why := d.escape(); why != nil {
			return nil, why
		}
		from = d.i
		i = plain(d.p, from)
	}
}

// plain returns the place of the first quote, backslash or control character from i on, or the end.
func plain(p []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for i+8 <= len(p) {
		w := binary.LittleEndian.Uint64(p[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		// The high bit of a byte is set where it is zero, or below 0x20; bytes from 0x80 on are none of these. A borrow can only mark bytes
		// above one that is marked rightly, and the first one is looked for byte by byte.
		hit := ((quote - ones) &^ quote) | ((slash - ones) &^ slash) | ((w - ones*0x20) &^ w)
		if hit&highs != 0 {
			break
		}
		i += 8
	}
	for i < len(p) && p[i] != '"' && p[i] != '\\' && p[i] >= 0x20 {
		i++
	}
	return i
}

// escape reads what begins with a backslash into the scratch.
func (d *Decoder) escape() *fault {
	if d.i+1 >= len(d.p) {
		return d.syntax("the event ends in an escape")
	}
	c := d.p[d.i+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return d.unicode()
	default:
		return d.syntax("no such escape")
	}
	d.i += 2
	d.row.Scratch = append(d.row.Scratch, c)
	return nil
}

func (d *Decoder) unicode() *fault {
	r, ok := hex4(d.p, d.i+2)
	if !ok {
		return d.syntax("four hexadecimal digits must follow \\u")
	}
	n := 6
	if utf16.IsSurrogate(r) {
		low, ok := hex4(d.p, d.i+8)
		if !ok || d.p[d.i+6] != '\\' || d.p[d.i+7] != 'u' || utf16.DecodeRune(r, low) == utf8.RuneError {
			return d.syntax("half of a surrogate pair, which is no character")
		}
		r, n = utf16.DecodeRune(r, low), 12
	}
	d.i += n
	d.row.Scratch = utf8.AppendRune(d.row.Scratch, r)
	return nil
}

func hex4(p []byte, at int) (rune, bool) {
	if at+4 > len(p) {
		return 0, false
	}
	var r rune
	for _, c := range p[at : at+4] {
		v, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(v)
	}
	return r, true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	default:
		return 0, false
	}
}

// skip reads any value and keeps nothing of it.
func (d *Decoder) skip() *fault {
	d.space()
	if d.i == len(d.p) {
		return d.syntax("the event ends where a value should be")
	}
	switch c := d.p[d.i]; {
	case c == '"':
		return d.skipText()
	case c == '{':
		return d.skipNested('}')
	case c == '[':
		return d.skipNested(']')
	case c == '-' || c >= '0' && c <= '9':
		_, why := d.number()
		return why
	case c == 't' && d.literal("true"), c == 'f' && d.literal("false"), c == 'n' && d.literal("null"):
		return nil
	default:
		return d.syntax("no value begins so")
	}
}

func (d *Decoder) skipText() *fault {
	start := len(d.row.Scratch)
	_, why := d.text()
	d.row.Scratch = d.row.Scratch[:start] // nothing refers to what was added
	return why
}

// skipNested reads an object or a list, by the bracket that ends it.
func (d *Decoder) skipNested(end byte) *fault {
	d.i++
	if why := d.deeper(); why != nil {
		return why
	}
	for first := true; ; first = false {
		more, why := d.next(first, end)
		switch {
		case why != nil:
			return why
		case !more:
			d.deep--
			return nil
		}
		if end == '}' {
			if why := d.skipText(); why != nil {
				return why
			}
			if why := d.colon(); why != nil {
				return why
			}
		}
		if why := d.skip(); why != nil {
			return why
		}
	}
}
