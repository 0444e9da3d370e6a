package jsondecoder

import (
	"math"
	"slices"

	"github.com/penstock-io/penstock/formats/schema"
)

// scalar decodes a value that is one cell.
func (d *Decoder) scalar(n *node, rep uint8) *fault {
	cell := schema.Cell{Rep: rep, Def: n.def}
	var why *fault
	switch first := d.p[d.i]; n.kind {
	case schema.Boolean:
		cell.Int, why = d.boolean(n)
	case schema.Int, schema.Long, schema.Float, schema.Double:
		if first != '-' && first-'0' > 9 {
			return d.wrong(n)
		}
		cell.Int, why = d.numeric(n.kind)
	case schema.Decimal:
		cell.Bytes, why = d.decimal(n)
	case schema.Date, schema.TimeMillis, schema.TimeMicros, schema.TimestampMillis, schema.TimestampMicros, schema.TimestampNanos:
		cell.Int, why = d.time(n)
	default:
		switch {
		case first == '"':
			cell.Bytes, why = d.bytes(n.typ)
		case d.plan.options.Literals && n.kind == schema.String && first != '{' && first != '[':
			from := d.i
			why = d.skip()
			cell.Bytes = d.p[from:d.i:d.i]
		default:
			return d.wrong(n)
		}
	}
	if why != nil {
		return why
	}
	d.row.Columns[n.from] = append(d.row.Columns[n.from], cell)
	return nil
}

func (d *Decoder) boolean(n *node) (int64, *fault) {
	switch {
	case d.literal("true"):
		return 1, nil
	case d.literal("false"):
		return 0, nil
	default:
		return 0, d.wrong(n)
	}
}

func (d *Decoder) numeric(k schema.Kind) (int64, *fault) {
	switch k {
	case schema.Float:
		f, why := d.float(32)
		return int64(math.Float32bits(float32(f))), why
	case schema.Double:
		f, why := d.float(64)
		return int64(math.Float64bits(f)), why
	case schema.Int:
		v, why := d.integer()
		if why == nil && v != int64(int32(v)) {
			why = tooLarge()
		}
		return v, why
	default:
		return d.integer()
	}
}

// bytes reads a string for a column of bytes.
func (d *Decoder) bytes(t *schema.Type) ([]byte, *fault) {
	text, why := d.text()
	if why != nil {
		return nil, why
	}
	switch t.Kind {
	case schema.Bytes:
		return d.base64(text)
	case schema.Fixed:
		b, why := d.base64(text)
		if why == nil && len(b) != t.Size {
			why = newFault("bad_value", "the base64 is not of as many bytes as the fixed has")
		}
		return b, why
	case schema.Enum:
		if !slices.Contains(t.Symbols, string(text)) {
			return nil, newFault("bad_value", "the string is no symbol of the enum")
		}
		return text, nil
	case schema.UUID:
		return d.uuid(text)
	default:
		return text, nil
	}
}

func (d *Decoder) base64(text []byte) ([]byte, *fault) {
	for _, c := range text {
		if c == '\n' || c == '\r' { // which the library would pass over
			return nil, newFault("bad_value", "the string is no base64")
		}
	}
	from := len(d.row.Scratch)
	var err error
	if d.row.Scratch, err = d.plan.base64.AppendDecode(d.row.Scratch, text); err != nil {
		return nil, newFault("bad_value", "the string is no base64")
	}
	return d.row.Scratch[from:len(d.row.Scratch):len(d.row.Scratch)], nil
}

func (d *Decoder) uuid(text []byte) ([]byte, *fault) {
	from := len(d.row.Scratch)
	var ok bool
	if d.row.Scratch, ok = schema.AppendUUID(d.row.Scratch, text); !ok {
		return nil, newFault("bad_value", "the string is no UUID of the form 8-4-4-4-12 hexadecimal digits")
	}
	return d.row.Scratch[from:], nil
}
