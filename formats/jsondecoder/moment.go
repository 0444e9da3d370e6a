package jsondecoder

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/schema"
)

// Moments finds the time of an event in one of its fields. Safe for concurrent use; see NewMoment.
type Moments struct{ plan *Plan }

// NewMoments is for the field below the names, the outermost first. Numbers are of the unit (s, ms, us, ns); strings are timestamps as columns take them.
func NewMoments(names []string, unit string) (*Moments, error) {
	if len(names) == 0 {
		return nil, errors.New("no field is named")
	}
	t := &schema.Type{Kind: schema.TimestampMillis, Unit: unit}
	for i, name := range slices.Backward(names) {
		if !plainName(name) {
			return nil, fmt.Errorf("the name %d of the field, %q, is empty or would have to be escaped in JSON", i+1, name)
		}
		t = &schema.Type{Kind: schema.Record, Fields: []schema.Field{{Name: name, Type: t}}}
	}
	s, err := schema.New(t, nil)
	if err != nil {
		return nil, err
	}
	plan, err := Compile(s, Options{})
	return &Moments{plan: plan}, err
}

// plainName reports whether a name stands in JSON as it is, for guesses to be sure of it.
func plainName(name string) bool {
	return name != "" && plain([]byte(name), 0) == len(name) && utf8.ValidString(name)
}

// Moment reads the field. Used by one goroutine.
type Moment struct{ d *Decoder }

// NewMoment returns a reader.
func (m *Moments) NewMoment() *Moment { return &Moment{d: m.plan.NewDecoder()} }

// Millis returns the time, in Unix milliseconds. Events are decoded as strictly as for columns, and refused with the same codes.
func (m *Moment) Millis(body []byte) (int64, *formats.RecordError) {
	row, why := m.d.Decode(body)
	if why != nil {
		return 0, why
	}
	return row.Columns[0][0].Int, nil
}
