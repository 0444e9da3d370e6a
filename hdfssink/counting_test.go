package hdfssink_test

import (
	"io"
	"sync/atomic"

	"github.com/penstock-io/penstock/formats"
)

// counting counts the encoders that are open.
type counting struct {
	lines
	open, most *atomic.Int64
}

func (c counting) NewEncoder(w io.Writer, x formats.Context) (formats.Encoder, error) {
	e, err := c.lines.NewEncoder(w, x)
	c.most.Store(max(c.most.Load(), c.open.Add(1))) // encoders are made by one goroutine
	return &countedEncoder{Encoder: e, open: c.open}, err
}

type countedEncoder struct {
	formats.Encoder
	open *atomic.Int64
}

func (e *countedEncoder) Abandon() {
	if e.open != nil {
		e.open.Add(-1)
		e.open = nil
	}
	e.Encoder.Abandon()
}
