package conf

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes. In the file it is written with a unit: `128MiB`, `20GiB`, `64kB`. Zero needs none.
type Size int64

// The binary units.
const (
	Byte Size = 1
	KiB       = 1024 * Byte
	MiB       = 1024 * KiB
	GiB       = 1024 * MiB
	TiB       = 1024 * GiB
)

// sizeUnits are tried by their exact spelling: KB or mb would leave open whether 1000 or 1024 is meant.
func sizeUnits() []unit {
	return []unit{
		{"B", 1},
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"TiB", 1 << 40},
		{"kB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
		{"TB", 1e12},
	}
}

// ParseSize reads a size such as `128MiB` or `1.5GiB`.
func ParseSize(text string) (Size, error) {
	n, err := parseQuantity(text, sizeGrammar())
	if err != nil {
		return 0, err
	}
	return Size(n), nil
}

func sizeGrammar() grammar {
	return grammar{
		noun:    "size",
		units:   sizeUnits(),
		example: "128MiB",
		likely:  likelySize,
	}
}

// likelySize guesses what a bare number means: Flume's keys are in bytes, and a small number is one of MiB.
func likelySize(n float64) string {
	switch {
	case n >= 1<<20 && math.Mod(n, 1<<20) == 0:
		return strconv.FormatFloat(n/(1<<20), 'f', -1, 64) + "MiB"
	case n >= 1024 && math.Mod(n, 1024) == 0:
		return strconv.FormatFloat(n/1024, 'f', -1, 64) + "KiB"
	case n <= 4096:
		return strconv.FormatFloat(n, 'f', -1, 64) + "MiB"
	default:
		return strconv.FormatFloat(n, 'f', -1, 64) + "B"
	}
}

// Bytes is s as a plain number.
func (s Size) Bytes() int64 { return int64(s) }

// String writes s in the largest binary unit that loses nothing, so that ParseSize reads it back.
func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	units := sizeUnits()[:5]
	for i := len(units) - 1; i > 0; i-- {
		if int64(s)%units[i].factor == 0 {
			return strconv.FormatInt(int64(s)/units[i].factor, 10) + units[i].name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// SetConf implements Value.
func (s *Size) SetConf(v Scalar) error {
	n, err := parseQuantity(v.Text, sizeGrammar())
	if err != nil {
		return err
	}
	*s = Size(n)
	return nil
}

// SchemaConf implements Value.
func (s *Size) SchemaConf() Fragment { return quantitySchema(sizeGrammar()) }

// unit is a spelling and how many of the smallest unit it stands for.
type unit struct {
	name   string
	factor int64
}

// grammar describes quantities of one kind, for the parser, the messages and the schema.
type grammar struct {
	noun    string
	units   []unit
	example string
	likely  func(float64) string
}

func (g grammar) names() string {
	names := make([]string, 0, len(g.units))
	for _, u := range g.units {
		names = append(names, u.name)
	}
	return strings.Join(names, ", ")
}

// parseQuantity reads digits, perhaps with a fraction, and a unit. The answer is exact: what does not come out as a whole
// number of the smallest unit, or does not fit into 63 bits, is an error.
func parseQuantity(text string, g grammar) (int64, error) {
	end := 0
	for end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.') {
		end++
	}
	number, name := text[:end], strings.TrimLeft(text[end:], " ")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, &Problem{What: fmt.Sprintf("%q is not a %s", clip(text), g.noun), Fix: "write a number and a unit, such as " + g.example}
	}
	if name == "" {
		if strings.Trim(number, "0.") == "" {
			return 0, nil
		}
		return 0, &Problem{
			What: fmt.Sprintf("%s has no unit", clip(text)),
			Fix:  fmt.Sprintf("write %s, if that is what you mean (units: %s)", g.likely(value), g.names()),
		}
	}
	return scale(number, name, g)
}

func scale(number, name string, g grammar) (int64, error) {
	for _, u := range g.units {
		if u.name != name {
			continue
		}
		n, ok := multiply(number, u.factor)
		if !ok {
			return 0, &Problem{What: fmt.Sprintf("%s%s is too large or too finely divided for a %s", clip(number), name, g.noun), Fix: "write a whole number of a smaller unit"}
		}
		return n, nil
	}
	fix := "write one of " + g.names()
	for _, u := range g.units {
		if strings.EqualFold(u.name, name) || strings.EqualFold(u.name, name+"iB") || strings.EqualFold(u.name, name+"B") {
			fix = fmt.Sprintf("write %s%s (units: %s)", number, u.name, g.names())
			break
		}
	}
	return 0, &Problem{What: fmt.Sprintf("%q is not a unit of a %s", clip(name), g.noun), Fix: fix}
}

// multiply is exact decimal arithmetic: "1.5" times 1024 is 1536, and "0.3" times 1024 is refused.
func multiply(number string, factor int64) (int64, bool) {
	whole, fraction, _ := strings.Cut(number, ".")
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > 9 || strings.Contains(fraction, ".") {
		return 0, false
	}
	digits, err := strconv.ParseInt(whole+fraction, 10, 64)
	if err != nil {
		return 0, false
	}
	divisor := int64(1)
	for range fraction {
		divisor *= 10
	}
	g := gcd(factor, divisor)
	factor, divisor = factor/g, divisor/g
	if digits%divisor != 0 {
		return 0, false
	}
	digits /= divisor
	if digits > math.MaxInt64/factor {
		return 0, false
	}
	return digits * factor, true
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func quantitySchema(g grammar) Fragment {
	names := make([]string, 0, len(g.units))
	for _, u := range g.units {
		names = append(names, u.name)
	}
	pattern := fmt.Sprintf(`^(0|[0-9]+(\.[0-9]+)? *(%s))$`, strings.Join(names, "|"))
	return Fragment{"anyOf": []any{
		Fragment{"type": "string", "pattern": pattern},
		Fragment{"const": 0},
	}, "examples": []any{g.example}}
}

// clip keeps a quotation of bad input short.
func clip(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
