package bodies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
)

// Texts finds fields of an event as text. Used by one goroutine. There is a value for each field, in their order; nil: it is null or not there. The values are
// valid until the next call and may point into the body. Errors are those of a Decoder.
type Texts interface {
	Texts(body []byte) ([][]byte, error)
}

// NewTexts returns a maker of Texts for the fields below the paths, the outermost names first. Strings are as they are, numbers decimal, booleans true or false, dates 2026-01-31. s may be nil:
// then events are JSON. Fields of JSON need no column either way: one that the schema does not have is taken from the event as it is written.
func (s *Source) NewTexts(paths [][]string) (func() Texts, error) {
	var columns, free [][]string
	from := make([]place, len(paths))
	for i, path := range paths {
		if s == nil || s.json && !has(s.Schema.Root, path) {
			from[i] = place{free: true, at: len(free)}
			free = append(free, path)
		} else {
			from[i] = place{at: len(columns)}
			columns = append(columns, path)
		}
	}
	t := texts{from: from}
	if len(free) > 0 && s != nil && s.strict {
		return nil, fmt.Errorf("the schema has no field $.%s, and unknown_fields: refuse would refuse every event that has it; add it to the schema, or leave unknown_fields out", strings.Join(free[0], "."))
	}
	var inJSON *jsondecoder.Texts
	var source *Source
	var err error
	if len(free) > 0 {
		if inJSON, err = jsondecoder.NewTexts(free); err != nil {
			return nil, err
		}
	}
	if len(columns) > 0 {
		if source, err = s.only(columns); err != nil {
			return nil, err
		}
		if t.columns, err = textColumns(source.Schema, columns); err != nil {
			return nil, err
		}
	}
	return func() Texts {
		own := t
		if inJSON != nil {
			own.free = inJSON.NewText()
		}
		if source != nil {
			own.decoder = source.New()
		}
		return &own
	}, nil
}

// has reports whether the path names a column.
func has(t *schema.Type, path []string) bool {
	for _, name := range path {
		i := slices.IndexFunc(t.Fields, func(f schema.Field) bool { return f.Name == name })
		if i < 0 {
			return false
		}
		t = t.Fields[i].Type
	}
	return true
}

// texts takes some fields from columns, and others from JSON as it is.
type texts struct {
	decoder Decoder // nil: no field is a column
	columns []textColumn
	free    *jsondecoder.Text // nil: all are
	from    []place

	found   [][]byte // in free
	values  [][]byte
	scratch []byte
}

// place is where a field is: the index of a column, or of what free finds.
type place struct {
	free bool
	at   int
}

type textColumn struct {
	leaf   int
	kind   schema.Kind
	maxDef uint8
}

func textColumns(s *schema.Schema, paths [][]string) ([]textColumn, error) {
	var columns []textColumn
	for _, path := range paths {
		field := "$." + strings.Join(path, ".")
		i := slices.IndexFunc(s.Leaves, func(l schema.Leaf) bool { return slices.Equal(l.Path, path) })
		if i < 0 {
			return nil, fmt.Errorf("%s is a record, a list or a map; only one value can stand in a path", field)
		}
		l := s.Leaves[i]
		switch l.Type.Kind {
		case schema.String, schema.Enum, schema.UUID, schema.Int, schema.Long, schema.Boolean, schema.Date:
		case schema.TimestampMillis, schema.TimestampMicros, schema.TimestampNanos:
			return nil, fmt.Errorf("%s is of type %s, which makes a directory for each moment; write event_time: {from: field %s} and %%Y-%%m-%%d", field, l.Type.Kind, field)
		default:
			return nil, fmt.Errorf("%s is of type %s; in a path stand strings, enums, UUIDs, whole numbers, booleans and dates", field, l.Type.Kind)
		}
		columns = append(columns, textColumn{leaf: i, kind: l.Type.Kind, maxDef: l.MaxDef})
	}
	return columns, nil
}

func (t *texts) Texts(body []byte) ([][]byte, error) {
	t.values, t.scratch = t.values[:0], t.scratch[:0]
	var row *schema.Row
	if t.decoder != nil {
		var err error
		if row, err = t.decoder.Decode(body); err != nil {
			return nil, err
		}
	}
	if t.free != nil {
		var refused *formats.RecordError
		if t.found, refused = t.free.Values(body, t.found[:0]); refused != nil {
			return nil, refused
		}
	}
	for _, p := range t.from {
		if p.free {
			t.values = append(t.values, t.found[p.at])
		} else {
			t.values = append(t.values, t.text(row, t.columns[p.at]))
		}
	}
	return t.values, nil
}

func (t *texts) text(row *schema.Row, c textColumn) []byte {
	cell := row.Columns[c.leaf][0]
	if cell.Def < c.maxDef {
		return nil
	}
	from := len(t.scratch)
	switch c.kind {
	case schema.Int, schema.Long:
		t.scratch = strconv.AppendInt(t.scratch, cell.Int, 10)
	case schema.Boolean:
		t.scratch = strconv.AppendBool(t.scratch, cell.Int != 0)
	case schema.Date:
		t.scratch = time.Unix(cell.Int*24*60*60, 0).UTC().AppendFormat(t.scratch, time.DateOnly)
	default:
		return cell.Bytes
	}
	return t.scratch[from:]
}
