package bodies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
)

// Moment finds the time of an event in one of its fields, in Unix milliseconds. Used by one goroutine. Errors are those of a Decoder.
type Moment interface {
	Millis(body []byte) (int64, error)
}

// Moments returns a maker of Moments for the field below the names, the outermost first. Numbers are of the unit (s, ms, us, ns); in JSON strings are timestamps as columns take
// them. s may be nil: then events are JSON, and the field needs no column.
func (s *Source) Moments(names []string, unit string) (func() Moment, error) {
	if s == nil || s.json {
		m, err := jsondecoder.NewMoments(names, unit)
		if err != nil {
			return nil, err
		}
		return func() Moment { return jsonMoment{m.NewMoment()} }, nil
	}
	source, err := s.only([][]string{names})
	if err != nil {
		return nil, err
	}
	path := "$." + strings.Join(names, ".")
	leaf := slices.IndexFunc(source.Schema.Leaves, func(l schema.Leaf) bool { return slices.Equal(l.Path, names) })
	if leaf < 0 { // what begins with a time is none
		return nil, fmt.Errorf("%s is a record, a list or a map; an event's time is one value", path)
	}
	l := source.Schema.Leaves[leaf]
	perMilli, err := scale(l.Type, unit, path)
	if err != nil {
		return nil, err
	}
	at := column{leaf: leaf, maxDef: l.MaxDef, perMilli: perMilli, path: path}
	return func() Moment {
		c := at
		c.decoder = source.New()
		return &c
	}, nil
}

// scale is how many of a column's units make a millisecond; below zero: how many milliseconds make a unit.
func scale(t *schema.Type, unit, path string) (int64, error) {
	units := map[string]int64{"s": -1000, "ms": 1, "us": 1000, "ns": 1_000_000}
	switch t.Kind {
	case schema.TimestampMillis:
		return 1, nil
	case schema.TimestampMicros:
		return 1000, nil
	case schema.TimestampNanos:
		return 1_000_000, nil
	case schema.Date:
		return -24 * 60 * 60 * 1000, nil
	case schema.Int, schema.Long:
		return units[unit], nil
	default:
		return 0, fmt.Errorf("%s is of type %s; an event's time is a timestamp, a date, or a number of the unit", path, t.Kind)
	}
}

type jsonMoment struct{ m *jsondecoder.Moment }

func (j jsonMoment) Millis(body []byte) (int64, error) {
	ms, refused := j.m.Millis(body)
	if refused != nil {
		return 0, refused
	}
	return ms, nil
}

// column takes the time from a column.
type column struct {
	decoder  Decoder
	leaf     int
	maxDef   uint8
	perMilli int64
	path     string
}

func (c *column) Millis(body []byte) (int64, error) {
	row, err := c.decoder.Decode(body)
	if err != nil {
		return 0, err
	}
	cell := row.Columns[c.leaf][0]
	if cell.Def < c.maxDef {
		return 0, &formats.RecordError{Code: "bad_event_time", Path: c.path, Detail: "it is null"}
	}
	if c.perMilli > 0 {
		return floorDiv(cell.Int, c.perMilli), nil
	}
	ms := cell.Int * -c.perMilli
	if ms/-c.perMilli != cell.Int {
		return 0, &formats.RecordError{Code: "bad_event_time", Path: c.path, Detail: "it is beyond what 64 bits of milliseconds hold"}
	}
	return ms, nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
