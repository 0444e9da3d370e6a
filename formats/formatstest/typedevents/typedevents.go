// Package typedevents makes random schemas, JSON events that fit them, and what each event must become in columns, for the tests of decoders and
// encoders. What is expected is made together with the text, never read from it.
package typedevents

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats/schema"
)

// Generator makes schemas and events. The same seed makes the same ones.
type Generator struct {
	r     *rand.Rand
	names int
}

// New returns a generator.
func New(seed uint64) *Generator { return &Generator{r: rand.New(rand.NewPCG(seed, 1))} }

// Schema returns a record of all kinds, nested up to depth.
func (g *Generator) Schema(depth int) []byte {
	return []byte(g.record(depth, len(leafTypes())))
}

func (g *Generator) name(prefix string) string {
	g.names++
	return prefix + strconv.Itoa(g.names)
}

func (g *Generator) record(depth, fields int) string {
	var list []string
	for i := range fields {
		typ := g.typ(depth)
		if fields == len(leafTypes()) && i < fields { // the top has every kind at least once
			typ = g.maybeNull(leafType(g, i))
			if g.r.IntN(3) == 0 && depth > 0 {
				typ = g.typ(depth)
			}
		}
		list = append(list, fmt.Sprintf(`{"name":%q,"type":%s}`, g.name("f"), typ))
	}
	return fmt.Sprintf(`{"type":"record","name":%q,"fields":[%s]}`, g.name("r"), strings.Join(list, ","))
}

func (g *Generator) maybeNull(typ string) string {
	return []string{typ, typ, `["null",` + typ + `]`, `[` + typ + `,"null"]`}[g.r.IntN(4)]
}

func (g *Generator) typ(depth int) string {
	if depth == 0 {
		return g.maybeNull(leafType(g, g.r.IntN(len(leafTypes()))))
	}
	switch g.r.IntN(4) {
	case 0:
		return g.maybeNull(g.record(depth-1, 1+g.r.IntN(4)))
	case 1:
		return g.maybeNull(`{"type":"array","items":` + g.typ(depth-1) + `}`)
	case 2:
		return g.maybeNull(`{"type":"map","values":` + g.typ(depth-1) + `}`)
	default:
		return g.typ(0)
	}
}

func leafTypes() []string {
	return []string{
		`"boolean"`, `"int"`, `"long"`, `"float"`, `"double"`, `"string"`, `"bytes"`,
		`{"type":"fixed","name":NAME,"size":5}`, `{"type":"enum","name":NAME,"symbols":["RED","GREEN","BLUE"]}`,
		`{"type":"bytes","logicalType":"decimal","precision":PRECISION,"scale":SCALE}`, `{"type":"string","logicalType":"uuid"}`,
		`{"type":"int","logicalType":"date"}`, `{"type":"int","logicalType":"time-millis"}`, `{"type":"long","logicalType":"time-micros"}`,
		`{"type":"long","logicalType":"timestamp-millis"}`, `{"type":"long","logicalType":"timestamp-micros"}`, `{"type":"long","logicalType":"timestamp-nanos"}`,
		`{"type":"long","logicalType":"local-timestamp-millis"}`, `{"type":"long","logicalType":"local-timestamp-micros"}`,
	}
}

func leafType(g *Generator, i int) string {
	precision := 1 + g.r.IntN(38)
	return strings.NewReplacer("NAME", strconv.Quote(g.name("n")), "PRECISION", strconv.Itoa(precision), "SCALE", strconv.Itoa(g.r.IntN(precision+1))).
		Replace(leafTypes()[i])
}

// Event is an event in the forms that decoders read, and what must become of it.
type Event struct {
	JSON, Datum []byte // the datum is Avro's binary encoding
	Want        map[string]any
}

// Event returns an event of the schema. What it must become has JSON's forms, with tags: null, true, integers; and strings `text:…`, `hex:…` of
// bytes, `decimal:…` with all digits of the scale, `float:…` (the bits of the float64), `date:…` in days, `time:…` and `at:…` in nanoseconds.
// A record is an object of all its fields, a map a list of pairs.
func (g *Generator) Event(s *schema.Schema) Event {
	m := g.object(s.Root)
	want, _ := m.want.(map[string]any)
	return Event{JSON: []byte(m.text), Datum: m.datum, Want: want}
}

// made is a value in all forms.
type made struct {
	text  string
	datum []byte
	want  any
}

func long(v int64) []byte { return binary.AppendVarint(nil, v) }

// lengthy is Avro's bytes or string.
func lengthy[T string | []byte](b T) []byte { return append(long(int64(len(b))), b...) }

func (g *Generator) space() string {
	return []string{"", "", "", "", " ", "\n", "\t", " \r "}[g.r.IntN(8)]
}

func (g *Generator) value(t *schema.Type) made {
	if !t.Nullable {
		return g.present(t)
	}
	if g.r.IntN(3) == 0 {
		return null(t)
	}
	m := g.present(t)
	m.datum = append(long(branch(t, false)), m.datum...)
	return m
}

func null(t *schema.Type) made { return made{text: "null", datum: long(branch(t, true))} }

func branch(t *schema.Type, null bool) int64 {
	if null == t.NullLast {
		return 1
	}
	return 0
}

func (g *Generator) present(t *schema.Type) made {
	switch t.Kind {
	case schema.Record:
		return g.object(t)
	case schema.Array, schema.Map:
		return g.several(t)
	default:
		return g.leaf(t)
	}
}

// several is an array or a map, whose datum is in up to two blocks, one of them with its size.
func (g *Generator) several(t *schema.Type) made {
	var parts []string
	var datum, block []byte
	list := []any{}
	n := g.r.IntN(5)
	first := g.r.IntN(n + 1)
	for i := range n {
		m := g.value(t.Items)
		if t.Kind == schema.Map {
			key := "key " + strconv.Itoa(i) // readers make dictionaries of maps, so no key comes twice
			m.text = g.quote(key) + g.space() + ":" + g.space() + m.text
			m.datum = append(lengthy(key), m.datum...)
			m.want = []any{"text:" + key, m.want}
		}
		parts, list = append(parts, g.space()+m.text+g.space()), append(list, m.want)
		if block = append(block, m.datum...); i+1 == first {
			datum = append(append(datum, long(int64(first))...), block...)
			block = nil
		}
	}
	if n > first {
		datum = append(append(append(datum, long(int64(first-n))...), long(int64(len(block)))...), block...)
	}
	brackets := map[schema.Kind]string{schema.Array: "[]", schema.Map: "{}"}[t.Kind]
	return made{text: brackets[:1] + g.space() + strings.Join(parts, ",") + brackets[1:], datum: append(datum, 0), want: list}
}

func (g *Generator) object(t *schema.Type) made {
	fields, want, datum := make([]made, len(t.Fields)), map[string]any{}, []byte(nil)
	for i, f := range t.Fields {
		fields[i] = g.value(f.Type)
		want[f.Name] = fields[i].want
		datum = append(datum, fields[i].datum...)
	}
	var parts []string
	for _, i := range g.r.Perm(len(fields)) {
		if fields[i].text == "null" && g.r.IntN(2) == 0 {
			continue // not there is as good
		}
		parts = append(parts, g.space()+g.quote(t.Fields[i].Name)+g.space()+":"+g.space()+fields[i].text+g.space())
	}
	if g.r.IntN(4) == 0 {
		parts = append(parts, `"unknown":{"a":[1,-2.5e3,"x\"y",null,true,{}],"b":[]}`)
	}
	return made{text: "{" + strings.Join(parts, ",") + "}", datum: datum, want: want}
}

// quote is a JSON string in which some characters are escaped that need not be.
func (g *Generator) quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || g.r.IntN(40) == 0:
			for _, u := range utf16Units(r) {
				fmt.Fprintf(&b, `\u%04x`, u)
			}
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func utf16Units(r rune) []rune {
	if r < 0x10000 {
		return []rune{r}
	}
	r -= 0x10000
	return []rune{0xd800 + r>>10, 0xdc00 + r&0x3ff}
}

func (g *Generator) leaf(t *schema.Type) made {
	switch t.Kind {
	case schema.Boolean:
		v := g.r.IntN(2)
		return made{strconv.FormatBool(v == 1), []byte{byte(v)}, v == 1}
	case schema.Int:
		return g.integer(int64(int32(g.r.Uint64() >> g.r.IntN(64))))
	case schema.Long:
		return g.integer(int64(g.r.Uint64() >> g.r.IntN(64)))
	case schema.Float:
		v := float32(g.float(120))
		return made{
			strconv.FormatFloat(float64(v), 'g', -1, 32), binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)), fmt.Sprintf("float:%016x", math.Float64bits(float64(v))),
		}
	case schema.Double:
		v := g.float(1000)
		return made{strconv.FormatFloat(v, 'g', -1, 64), binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)), fmt.Sprintf("float:%016x", math.Float64bits(v))}
	case schema.Bytes, schema.Fixed:
		return g.bytes(t)
	case schema.Enum:
		n := g.r.IntN(len(t.Symbols))
		return made{g.quote(t.Symbols[n]), long(int64(n)), "text:" + t.Symbols[n]}
	case schema.Decimal:
		return g.decimal(t)
	case schema.UUID:
		h := fmt.Sprintf("%016x%016x", g.r.Uint64(), g.r.Uint64())
		s := strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
		return made{strconv.Quote(strings.ToUpper(s)), lengthy(s), "text:" + s}
	case schema.String:
		s := g.text()
		return made{g.quote(s), lengthy(s), "text:" + s}
	default:
		return g.time(t)
	}
}

func (g *Generator) bytes(t *schema.Type) made {
	b := make([]byte, g.r.IntN(20))
	if t.Kind == schema.Fixed {
		b = make([]byte, t.Size)
	}
	for i := range b {
		b[i] = byte(g.r.Uint64())
	}
	m := made{strconv.Quote(base64.StdEncoding.EncodeToString(b)), b, "hex:" + hex.EncodeToString(b)}
	if t.Kind == schema.Bytes {
		m.datum = lengthy(b)
	}
	return m
}

func (g *Generator) integer(v int64) made {
	text := strconv.FormatInt(v, 10)
	m := made{text, long(v), json.Number(text)}
	switch g.r.IntN(6) {
	case 0:
		m.text += ".0"
	case 1:
		m.text += "e0"
	case 2:
		if v != 0 {
			m.text += "00E-2"
		}
	}
	return m
}

// float is one of any size up to 2^±bits, and sometimes a special one.
func (g *Generator) float(bits int) float64 {
	switch g.r.IntN(8) {
	case 0:
		return 0
	case 1:
		return math.Copysign(0, -1)
	}
	return math.Ldexp(g.r.Float64()-0.5, g.r.IntN(2*bits)-bits)
}

func (g *Generator) decimal(t *schema.Type) made {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(1+g.r.IntN(t.Precision))), nil)
	v := new(big.Int).SetUint64(g.r.Uint64())
	v.Mul(v, new(big.Int).SetUint64(g.r.Uint64())).Mod(v, limit)
	digits := v.String()
	for len(digits) <= t.Scale {
		digits = "0" + digits
	}
	text := digits[:len(digits)-t.Scale]
	if t.Scale > 0 {
		text += "." + digits[len(digits)-t.Scale:]
	}
	if v.Sign() != 0 && g.r.IntN(2) == 0 {
		text = "-" + text
		v.Neg(v)
	}
	m := made{text, lengthy(twosComplement(v, v.BitLen()/8+1+g.r.IntN(3))), "decimal:" + text}
	if g.r.IntN(3) == 0 {
		m.text = strconv.Quote(text)
	}
	return m
}

// twosComplement is a number in so many bytes, big endian.
func twosComplement(v *big.Int, size int) []byte {
	if v.Sign() < 0 {
		v = new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return v.FillBytes(make([]byte, size))
}

func (g *Generator) text() string {
	const runes = "abcdefghijklmnopqrstuvwxyz ABC\"\\/\n\t\x01\u00e9\u4e16\u754c\U0001f600\u2028"
	var b strings.Builder
	for range g.r.IntN(30) {
		at := g.r.IntN(len(runes))
		for !utf8.RuneStart(runes[at]) {
			at--
		}
		r, _ := utf8.DecodeRuneInString(runes[at:])
		b.WriteRune(r)
	}
	return b.String()
}

// time makes dates and times as text, and sometimes as the number. Nanoseconds are whole microseconds, since Python has no finer ones.
func (g *Generator) time(t *schema.Type) made {
	unit := map[schema.Kind]time.Duration{
		schema.TimeMillis: time.Millisecond, schema.TimestampMillis: time.Millisecond, schema.TimeMicros: time.Microsecond,
		schema.TimestampMicros: time.Microsecond, schema.TimestampNanos: time.Nanosecond,
	}[t.Kind]
	var m made
	var v int64
	switch t.Kind {
	case schema.Date:
		v = g.r.Int64N(40_000) - 15_000
		m = made{strconv.Quote(time.Unix(v*86_400, 0).UTC().Format(time.DateOnly)), long(v), fmt.Sprintf("date:%d", v)}
	case schema.TimeMillis, schema.TimeMicros:
		v = g.r.Int64N(int64(24 * time.Hour / unit))
		since := time.Duration(v) * unit
		m = made{strconv.Quote(time.Unix(0, int64(since)).UTC().Format("15:04:05.000000000")), long(v), fmt.Sprintf("time:%d", since)}
	default:
		at := time.Unix(0, (g.r.Int64N(4e15)-1e15)*int64(time.Microsecond)).UTC().Truncate(unit)
		v = at.UnixNano() / int64(unit)
		text := at.In(time.FixedZone("", (g.r.IntN(48)-24)*1800)).Format("2006-01-02T15:04:05.999999999Z07:00")
		if t.Local {
			text = at.Format("2006-01-02T15:04:05.999999")
		}
		m = made{strconv.Quote(text), long(v), fmt.Sprintf("at:%d", at.UnixNano())}
	}
	if g.r.IntN(3) == 0 {
		m.text = strconv.FormatInt(v, 10)
	}
	return m
}
