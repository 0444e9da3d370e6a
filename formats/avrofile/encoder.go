package avrofile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/pieces"
	"github.com/penstock-io/penstock/ingest"
)

var (
	errDone     = errors.New("write avro: the encoder is closed or abandoned")
	errNoWriter = errors.New("write avro: the format has no writer")
)

// maxDatum is what readers have arrays for.
const maxDatum = 1 << 30

// frontRoom is where a block's two numbers go once they are known.
const frontRoom = 2 * binary.MaxVarintLen64

// encoder implements formats.Encoder. It holds one block at most, and nothing before the first event.
type encoder struct {
	format *Format
	part   ingest.Partition
	out    pieces.Output
	rows   int64 // in the open block
}

// Append implements formats.Encoder.
func (e *encoder) Append(ev *ingest.Event) error {
	if e.out.Err != nil {
		return e.out.Err
	}
	w, ok := e.format.writers.Get().(*writer)
	if !ok {
		return errNoWriter // cannot be: New makes them
	}
	defer e.format.putWriter(w)
	if err := e.datum(w, ev); err != nil {
		if _, refused := errors.AsType[*formats.RecordError](err); refused {
			return err
		}
		e.out.Err = fmt.Errorf("write avro: %w", err)
		return e.out.Err
	}
	return e.add(w.datum)
}

// datum makes the datum of an event in w.
func (e *encoder) datum(w *writer, ev *ingest.Event) error {
	if e.format.source == nil {
		var refused *formats.RecordError
		if w.datum, refused = appendRaw(w.datum[:0], ev, e.part); refused != nil {
			return refused
		}
	} else {
		if err := w.row(ev.Body); err != nil {
			return err
		}
		if e.format.origin {
			w.datum = appendOrigin(w.datum, ev, e.part)
		}
	}
	if len(w.datum) > maxDatum {
		return &formats.RecordError{Code: "too_large", Detail: fmt.Sprintf("the datum has %d bytes; readers take %d", len(w.datum), maxDatum)}
	}
	return nil
}

// keepDatum is what a writer keeps from one event to the next; a giant one leaves nothing behind.
const keepDatum = 64 << 10

func (f *Format) putWriter(w *writer) {
	if cap(w.datum) > keepDatum {
		w.datum = nil
	}
	f.writers.Put(w)
}

func (e *encoder) add(datum []byte) error {
	size := e.format.blocks.Size()
	if e.rows > 0 && len(e.out.Open)+len(datum) > size {
		if err := e.writeBlock(); err != nil {
			return err
		}
	}
	e.out.Append(datum)
	e.rows++
	if len(e.out.Open) > size { // one datum larger than a block: not kept
		return e.Flush()
	}
	return nil
}

// Buffered implements formats.Encoder.
func (e *encoder) Buffered() int64 { return e.out.Buffered() }

// Size implements formats.Encoder: the open block is taken to shrink as those before it did.
func (e *encoder) Size() int64 {
	open := int64(len(e.out.Open))
	guess := open
	if e.format.codec.name() != "null" {
		guess /= 3
	}
	size := e.out.Written() + e.out.Shrunk(open, guess)
	if e.out.Mark == nil {
		size += int64(len(e.format.header)) + pieces.MarkSize
	}
	return size
}

// Flush implements formats.Encoder: one block.
func (e *encoder) Flush() error { return e.out.Flush(e.writeBlock) }

// writeBlock writes the block and keeps its buffer: a file that has filled one will fill another.
func (e *encoder) writeBlock() error {
	if e.rows == 0 {
		return nil
	}
	if err := e.out.Begin(e.format.header); err != nil {
		return err
	}
	packed := e.format.packed.Get()[:frontRoom]
	packed = e.format.codec.compress(packed, e.out.Open)
	defer e.format.packed.Put(packed)
	var numbers [frontRoom]byte
	head := binary.AppendVarint(binary.AppendVarint(numbers[:0], e.rows), int64(len(packed)-frontRoom))
	from := frontRoom - len(head)
	copy(packed[from:], head)
	e.out.Raw += int64(len(e.out.Open))
	e.out.Open, e.rows = e.out.Open[:0], 0
	return e.out.Write(append(packed[from:], e.out.Mark...))
}

// Close implements formats.Encoder. The header, which has the metadata of a file, was written before it was known.
func (e *encoder) Close(map[string]string) error {
	if err := e.Flush(); err != nil {
		return err
	}
	if err := e.out.Begin(e.format.header); err != nil {
		return err
	}
	e.Abandon()
	return nil
}

// Abandon implements formats.Encoder.
func (e *encoder) Abandon() { e.out.Abandon(errDone) }
