package jsondecoder

import (
	"math"
	"slices"

	"github.com/penstock-io/penstock/formats/schema"
)

const (
	secondsOfDay = 24 * 60 * 60
	nanos        = 1_000_000_000
)

// unit is how many of a type's units make a second; of a date, 0.
func unit(k schema.Kind) int64 {
	switch k {
	case schema.TimeMillis, schema.TimestampMillis:
		return 1_000
	case schema.TimeMicros, schema.TimestampMicros:
		return 1_000_000
	case schema.TimestampNanos:
		return nanos
	default:
		return 0
	}
}

// time decodes a date, a time or a timestamp.
func (d *Decoder) time(n *node) (int64, *fault) {
	switch c := d.p[d.i]; {
	case c == '-' || c-'0' <= 9:
		return d.timeNumber(n.typ)
	case c != '"':
		return 0, d.wrong(n)
	}
	text, why := d.text()
	if why != nil {
		return 0, why
	}
	c := clock{p: text}
	switch n.kind {
	case schema.Date:
		days := c.date()
		return days, c.end("YYYY-MM-DD")
	case schema.TimeMillis, schema.TimeMicros:
		seconds, fraction := c.time()
		return seconds*unit(n.kind) + fraction/(nanos/unit(n.kind)), c.end("HH:MM:SS[.fraction]")
	default: // timestamps
	}
	days := c.date()
	c.separator()
	seconds, fraction := c.time()
	form := "YYYY-MM-DDTHH:MM:SS[.fraction], without a zone"
	if !n.typ.Local {
		seconds -= c.zone()
		form = "YYYY-MM-DDTHH:MM:SS[.fraction] and Z or ±HH:MM"
	}
	if why := c.end(form); why != nil {
		return 0, why
	}
	return scaled(days*secondsOfDay+seconds, fraction, unit(n.kind))
}

// inUnit decodes a number of the unit that the schema names. Digits finer than the type's own are cut off, towards the past.
func (d *Decoder) inUnit(t *schema.Type) (int64, *fault) {
	text, why := d.number()
	if why != nil {
		return 0, why
	}
	x, ok := parse(text, &d.row.Scratch)
	if !ok {
		return 0, tooLarge()
	}
	zeros := map[int64]int{1_000: 3, 1_000_000: 6, nanos: 9}[unit(t.Kind)] - 3*slices.Index([]string{"s", "ms", "us", "ns"}, t.Unit)
	v, rest, why := x.cut(zeros, 19)
	if why != nil {
		return 0, why
	}
	if rest && x.negative {
		v = v.plus(1)
	}
	return v.int64(x.negative)
}

// timeNumber decodes a number of the type's own unit.
func (d *Decoder) timeNumber(t *schema.Type) (int64, *fault) {
	if t.Unit != "" {
		return d.inUnit(t)
	}
	k := t.Kind
	v, why := d.integer()
	switch {
	case why != nil:
		return 0, why
	case k == schema.Date && v != int64(int32(v)):
		return 0, tooLarge()
	case (k == schema.TimeMillis || k == schema.TimeMicros) && (v < 0 || v >= secondsOfDay*unit(k)):
		return 0, newFault("out_of_range", "a time lies between midnight and midnight")
	default:
		return v, nil
	}
}

// scaled is seconds and nanoseconds in a unit.
func scaled(seconds, fraction, unit int64) (int64, *fault) {
	// Seconds of four-digit years times a thousand million do not always fit.
	if limit := int64(math.MaxInt64)/unit - 1; seconds > limit || seconds < -limit {
		return 0, newFault("out_of_range", "the time is too far away for 64 bits of this unit")
	}
	return seconds*unit + fraction/(nanos/unit), nil
}

// clock reads parts of dates and times. What is wrong once stays wrong.
type clock struct {
	p   []byte
	i   int
	bad bool
	far bool // of the right form, and no such day or time
}

func (c *clock) end(form string) *fault {
	switch {
	case c.bad || c.i != len(c.p):
		return newFault("bad_value", "the string is not of the form "+form)
	case c.far:
		return newFault("out_of_range", "there is no such date or time")
	default:
		return nil
	}
}

func (c *clock) digits(n int) (v int64) {
	if c.i+n > len(c.p) {
		c.bad = true
		return 0
	}
	for _, b := range c.p[c.i : c.i+n] {
		if b-'0' > 9 {
			c.bad = true
		}
		v = v*10 + int64(b-'0')
	}
	c.i += n
	return v
}

func (c *clock) is(b byte) bool {
	if c.i < len(c.p) && c.p[c.i] == b {
		c.i++
		return true
	}
	return false
}

func (c *clock) must(b byte) { c.bad = !c.is(b) || c.bad }

func (c *clock) separator() {
	if !c.is('T') && !c.is(' ') && !c.is('t') {
		c.bad = true
	}
}

// date returns days since 1970-01-01 in the Gregorian calendar.
func (c *clock) date() int64 {
	y := c.digits(4)
	c.must('-')
	m := c.digits(2)
	c.must('-')
	day := c.digits(2)
	if c.bad {
		return 0
	}
	if m < 1 || m > 12 || day < 1 || day > daysIn(y, m) {
		c.far = true
		return 0
	}
	// Years that begin in March, in eras of 400 (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
	if m <= 2 {
		y--
	}
	era := (y + 400) / 400
	yearOfEra := y + 400 - era*400
	dayOfYear := (153*((m+9)%12)+2)/5 + day - 1
	return (era-1)*146097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear - 719468
}

func daysIn(y, m int64) int64 {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	default:
		return 31
	}
}

// time returns seconds since midnight, and nanoseconds; digits beyond those are dropped.
func (c *clock) time() (seconds, fraction int64) {
	h := c.digits(2)
	c.must(':')
	m := c.digits(2)
	c.must(':')
	s := c.digits(2)
	if h > 23 || m > 59 || s > 59 {
		c.far = true
	}
	if c.is('.') {
		place := int64(nanos)
		from := c.i
		for c.i < len(c.p) && c.p[c.i]-'0' <= 9 {
			place /= 10
			fraction += place * int64(c.p[c.i]-'0')
			c.i++
		}
		c.bad = c.bad || c.i == from
	}
	return h*3600 + m*60 + s, fraction
}

// zone returns seconds east of Greenwich.
func (c *clock) zone() int64 {
	if c.is('Z') || c.is('z') {
		return 0
	}
	sign := int64(1)
	if c.is('-') {
		sign = -1
	} else {
		c.must('+')
	}
	h := c.digits(2)
	c.is(':')
	m := c.digits(2)
	if h > 23 || m > 59 {
		c.far = true
	}
	return sign * (h*3600 + m*60)
}
