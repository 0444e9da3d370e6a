// Package typedevents makes random schemas, JSON events that fit them, and what each event must become in columns, for the tests of decoders and
// encoders. What is expected is made together with the text, never read from it.
package typedevents

import (
	"encoding/base64"
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
	if g.r.IntN(2) == 0 {
		return typ
	}
	return `["null",` + typ + `]`
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

// Event returns a JSON event of the schema, and its values as JSON has them after tagging: null, true, integers; and strings `text:…`, `hex:…` of
// bytes, `decimal:…` with all digits of the scale, `float:…` (the bits of the float64), `date:…` in days, `time:…` and `at:…` in nanoseconds.
// A record is an object of all its fields, a map a list of pairs.
func (g *Generator) Event(s *schema.Schema) (event []byte, want any) {
	text, want := g.value(s.Root, true)
	return []byte(text), want
}

func (g *Generator) space() string {
	return []string{"", "", "", "", " ", "\n", "\t", " \r "}[g.r.IntN(8)]
}

func (g *Generator) value(t *schema.Type, present bool) (text string, want any) {
	if t.Nullable && !present && g.r.IntN(3) == 0 {
		return "null", nil
	}
	switch t.Kind {
	case schema.Record:
		return g.object(t)
	case schema.Array:
		var parts []string
		list := []any{}
		for range g.r.IntN(4) {
			p, w := g.value(t.Items, false)
			parts, list = append(parts, g.space()+p+g.space()), append(list, w)
		}
		return "[" + g.space() + strings.Join(parts, ",") + "]", list
	case schema.Map:
		var parts []string
		list := []any{}
		for i := range g.r.IntN(4) {
			key := "key " + strconv.Itoa(i) // readers make dictionaries of maps, so no key comes twice
			p, w := g.value(t.Items, false)
			parts, list = append(parts, g.space()+g.quote(key)+g.space()+":"+g.space()+p), append(list, []any{"text:" + key, w})
		}
		return "{" + strings.Join(parts, ",") + g.space() + "}", list
	default:
		return g.leaf(t)
	}
}

func (g *Generator) object(t *schema.Type) (string, any) {
	want := map[string]any{}
	var parts []string
	for _, i := range g.r.Perm(len(t.Fields)) {
		f := t.Fields[i]
		if f.Type.Nullable && g.r.IntN(5) == 0 {
			want[f.Name] = nil // and the field is not there
			continue
		}
		p, w := g.value(f.Type, false)
		want[f.Name] = w
		parts = append(parts, g.space()+g.quote(f.Name)+g.space()+":"+g.space()+p+g.space())
	}
	if g.r.IntN(4) == 0 {
		parts = append(parts, `"unknown":{"a":[1,-2.5e3,"x\"y",null,true,{}],"b":[]}`)
	}
	return "{" + strings.Join(parts, ",") + "}", want
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

func (g *Generator) leaf(t *schema.Type) (string, any) {
	switch t.Kind {
	case schema.Boolean:
		v := g.r.IntN(2) == 0
		return strconv.FormatBool(v), v
	case schema.Int:
		return g.integer(int64(int32(g.r.Uint64() >> g.r.IntN(64))))
	case schema.Long:
		return g.integer(int64(g.r.Uint64() >> g.r.IntN(64)))
	case schema.Float:
		v := float32(g.float(120))
		return strconv.FormatFloat(float64(v), 'g', -1, 32), fmt.Sprintf("float:%016x", math.Float64bits(float64(v)))
	case schema.Double:
		v := g.float(1000)
		return strconv.FormatFloat(v, 'g', -1, 64), fmt.Sprintf("float:%016x", math.Float64bits(v))
	case schema.Bytes, schema.Fixed:
		b := make([]byte, t.Size)
		if t.Kind == schema.Bytes {
			b = make([]byte, g.r.IntN(20))
		}
		for i := range b {
			b[i] = byte(g.r.Uint64())
		}
		return strconv.Quote(base64.StdEncoding.EncodeToString(b)), "hex:" + hex.EncodeToString(b)
	case schema.Enum:
		s := t.Symbols[g.r.IntN(len(t.Symbols))]
		return g.quote(s), "text:" + s
	case schema.Decimal:
		return g.decimal(t)
	case schema.UUID:
		h := fmt.Sprintf("%016x%016x", g.r.Uint64(), g.r.Uint64())
		s := strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
		return strconv.Quote(strings.ToUpper(s)), "text:" + s
	case schema.String:
		s := g.text()
		return g.quote(s), "text:" + s
	default:
		return g.time(t)
	}
}

func (g *Generator) integer(v int64) (string, any) {
	text := strconv.FormatInt(v, 10)
	switch g.r.IntN(6) {
	case 0:
		text += ".0"
	case 1:
		text += "e0"
	case 2:
		if v != 0 {
			text += "00E-2"
		}
	}
	return text, json.Number(strconv.FormatInt(v, 10))
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

func (g *Generator) decimal(t *schema.Type) (string, any) {
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
	}
	if g.r.IntN(3) == 0 {
		return strconv.Quote(text), "decimal:" + text
	}
	return text, "decimal:" + text
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
func (g *Generator) time(t *schema.Type) (string, any) {
	unit := map[schema.Kind]time.Duration{
		schema.TimeMillis: time.Millisecond, schema.TimestampMillis: time.Millisecond, schema.TimeMicros: time.Microsecond,
		schema.TimestampMicros: time.Microsecond, schema.TimestampNanos: time.Microsecond,
	}[t.Kind]
	number := g.r.IntN(3) == 0
	switch t.Kind {
	case schema.Date:
		days := g.r.Int64N(40_000) - 15_000
		if number {
			return strconv.FormatInt(days, 10), fmt.Sprintf("date:%d", days)
		}
		return strconv.Quote(time.Unix(days*86_400, 0).UTC().Format(time.DateOnly)), fmt.Sprintf("date:%d", days)
	case schema.TimeMillis, schema.TimeMicros:
		v := time.Duration(g.r.Int64N(int64(24*time.Hour/unit))) * unit
		if number {
			return strconv.FormatInt(int64(v/unit), 10), fmt.Sprintf("time:%d", v)
		}
		return strconv.Quote(time.Unix(0, int64(v)).UTC().Format("15:04:05.000000000")), fmt.Sprintf("time:%d", v)
	default: // timestamps
	}
	at := time.Unix(0, (g.r.Int64N(4e15)-1e15)*int64(time.Microsecond)).UTC().Truncate(unit)
	want := fmt.Sprintf("at:%d", at.UnixNano())
	switch {
	case number && t.Kind == schema.TimestampNanos:
		return strconv.FormatInt(at.UnixNano(), 10), want
	case number:
		return strconv.FormatInt(at.UnixNano()/int64(unit), 10), want
	case t.Local:
		return strconv.Quote(at.Format("2006-01-02T15:04:05.999999")), want
	default:
		zone := time.FixedZone("", (g.r.IntN(48)-24)*1800)
		return strconv.Quote(at.In(zone).Format("2006-01-02T15:04:05.999999999Z07:00")), want
	}
}
