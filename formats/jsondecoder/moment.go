package jsondecoder

import (
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/schema"
)

// Moments finds the time of an event in one of its fields. Safe for concurrent use; see NewMoment.
type Moments struct{ plan *Plan }

// NewMoments is for the field below the names, the outermost first. Numbers are of the unit (s, ms, us, ns); strings are timestamps as columns take them.
func NewMoments(names []string, unit string) (*Moments, error) {
	t, err := named([][]string{names}, &schema.Type{Kind: schema.TimestampMillis, Unit: unit}, false)
	if err != nil {
		return nil, err
	}
	s, err := schema.New(t, nil)
	if err != nil {
		return nil, err
	}
	plan, err := Compile(s, Options{})
	return &Moments{plan: plan}, err
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
