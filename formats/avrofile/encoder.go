package avrofile

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/penstock-io/penstock/formats"
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
	format  *Format
	part    ingest.Partition
	w       io.Writer
	block   []byte
	rows    int64 // in it
	sync    []byte
	written int64 // bytes given to w
	raw     int64 // bytes of datums in them
	err     error // final: the first error of the writer, or errDone
}

// Append implements formats.Encoder.
func (e *encoder) Append(ev *ingest.Event) error {
	if e.err != nil {
		return e.err
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
		e.err = fmt.Errorf("write avro: %w", err)
		return e.err
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
	if e.rows > 0 && len(e.block)+len(datum) > size {
		if err := e.writeBlock(); err != nil {
			return err
		}
	}
	e.block = append(e.format.blocks.Grow(e.block, len(datum)), datum...)
	e.rows++
	if len(e.block) > size { // one datum larger than a block: not kept
		return e.Flush()
	}
	return nil
}

// Buffered implements formats.Encoder.
func (e *encoder) Buffered() int64 { return int64(cap(e.block)) }

// Size implements formats.Encoder: the open block is taken to shrink as those before it did.
func (e *encoder) Size() int64 {
	open := int64(len(e.block))
	switch {
	case e.raw > 0:
		open = int64(float64(open) * float64(e.written) / float64(e.raw))
	case e.format.codec.name() != "null":
		open /= 3
	}
	if e.sync == nil {
		open += int64(len(e.format.header)) + syncSize
	}
	return e.written + open
}

// Flush implements formats.Encoder: one block. It gives the memory back.
func (e *encoder) Flush() error {
	if e.err != nil {
		return e.err
	}
	err := e.writeBlock()
	e.release()
	return err
}

// writeBlock writes the block and keeps its buffer: a file that has filled one will fill another.
func (e *encoder) writeBlock() error {
	if e.rows == 0 {
		return nil
	}
	if e.err = e.begin(); e.err != nil {
		return e.err
	}
	out := e.format.packed.Get()[:frontRoom]
	out = e.format.codec.compress(out, e.block)
	var numbers [frontRoom]byte
	head := binary.AppendVarint(binary.AppendVarint(numbers[:0], e.rows), int64(len(out)-frontRoom))
	from := frontRoom - len(head)
	copy(out[from:], head)
	out = append(out, e.sync...)
	e.raw += int64(len(e.block))
	e.err = e.write(out[from:])
	e.format.packed.Put(out)
	e.block, e.rows = e.block[:0], 0
	return e.err
}

// begin writes the header, once.
func (e *encoder) begin() error {
	if e.sync != nil {
		return nil
	}
	e.sync = make([]byte, syncSize)
	_, _ = rand.Read(e.sync) // it never fails
	return e.write(append(slices.Clip(e.format.header), e.sync...))
}

func (e *encoder) write(p []byte) error {
	n, err := e.w.Write(p)
	e.written += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// Close implements formats.Encoder. The header, which has the metadata of a file, was written before it was known.
func (e *encoder) Close(map[string]string) error {
	if err := e.Flush(); err != nil {
		return err
	}
	if e.err = e.begin(); e.err != nil {
		return e.err
	}
	e.Abandon()
	return nil
}

// Abandon implements formats.Encoder.
func (e *encoder) Abandon() {
	e.release()
	if e.err == nil {
		e.err = errDone
	}
}

func (e *encoder) release() {
	e.format.blocks.Put(e.block)
	e.block, e.rows = nil, 0
}
