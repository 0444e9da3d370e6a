package textfile

import (
	"errors"
	"io"

	"github.com/penstock-io/penstock/ingest"
)

var errDone = errors.New("write text: the encoder is closed or abandoned")

// encoder implements formats.Encoder. It holds one piece of text at most, and nothing before the first event.
type encoder struct {
	format  *Format
	w       io.Writer
	text    []byte
	written int64 // bytes given to w
	raw     int64 // bytes of text in them
	err     error // final: the first error of the writer, or errDone
}

// Append implements formats.Encoder.
func (e *encoder) Append(ev *ingest.Event) error {
	if e.err != nil {
		return e.err
	}
	if refused := e.format.check(ev); refused != nil {
		return refused
	}
	if len(e.text)+len(ev.Body)+1 > pieceSize {
		if err := e.writePiece(); err != nil {
			return err
		}
	}
	e.text = e.format.pieces.Grow(e.text, len(ev.Body)+1)
	e.text = append(append(e.text, ev.Body...), '\n')
	if len(e.text) > pieceSize { // one event larger than a piece: not kept
		return e.Flush()
	}
	return nil
}

// Buffered implements formats.Encoder.
func (e *encoder) Buffered() int64 { return int64(cap(e.text)) }

// Size implements formats.Encoder: open text is taken to shrink as what came before it.
func (e *encoder) Size() int64 {
	open := int64(len(e.text))
	switch {
	case e.raw > 0:
		open = int64(float64(open) * float64(e.written) / float64(e.raw))
	case e.format.codec.end() != "":
		open /= 4
	}
	return e.written + open + int64(len(e.format.codec.end()))
}

// Flush implements formats.Encoder: one piece. It gives the memory back.
func (e *encoder) Flush() error {
	if e.err != nil {
		return e.err
	}
	err := e.writePiece()
	e.release()
	return err
}

// writePiece writes the text and keeps its buffer: a file that has filled a piece will fill another.
func (e *encoder) writePiece() error {
	if len(e.text) == 0 {
		return nil
	}
	e.raw += int64(len(e.text))
	if e.format.codec.end() == "" {
		e.err = e.write(e.text)
	} else {
		// Text that does not compress grows a little; then the buffer is not recycled.
		packed := e.format.codec.compress(e.format.pieces.Get(), e.text)
		e.err = e.write(packed)
		e.format.pieces.Put(packed)
	}
	e.text = e.text[:0]
	return e.err
}

func (e *encoder) write(p []byte) error {
	n, err := e.w.Write(p)
	e.written += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// Close implements formats.Encoder. Text has no room for metadata.
func (e *encoder) Close(map[string]string) error {
	if err := e.Flush(); err != nil {
		return err
	}
	if end := e.format.codec.end(); end != "" {
		if e.err = e.write([]byte(end)); e.err != nil {
			return e.err
		}
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
	e.format.pieces.Put(e.text)
	e.text = nil
}
