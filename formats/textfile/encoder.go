package textfile

import (
	"errors"

	"github.com/penstock-io/penstock/formats/pieces"
	"github.com/penstock-io/penstock/ingest"
)

var errDone = errors.New("write text: the encoder is closed or abandoned")

// encoder implements formats.Encoder. It holds one piece of text at most, and nothing before the first event.
type encoder struct {
	format *Format
	out    pieces.Output
}

// Append implements formats.Encoder.
func (e *encoder) Append(ev *ingest.Event) error {
	if e.out.Err != nil {
		return e.out.Err
	}
	if refused := e.format.check(ev); refused != nil {
		return refused
	}
	if len(e.out.Open)+len(ev.Body)+1 > pieceSize {
		if err := e.writePiece(); err != nil {
			return err
		}
	}
	e.out.Append(ev.Body, []byte{'\n'})
	if len(e.out.Open) > pieceSize { // one event larger than a piece: not kept
		return e.Flush()
	}
	return nil
}

// Buffered implements formats.Encoder.
func (e *encoder) Buffered() int64 { return e.out.Buffered() }

// Size implements formats.Encoder: open text is taken to shrink as what came before it.
func (e *encoder) Size() int64 {
	open, end := int64(len(e.out.Open)), e.format.codec.end()
	guess := open
	if end != "" {
		guess /= 4
	}
	return e.out.Written() + e.out.Shrunk(open, guess) + int64(len(end))
}

// Flush implements formats.Encoder: one piece.
func (e *encoder) Flush() error { return e.out.Flush(e.writePiece) }

// writePiece writes the text and keeps its buffer: a file that has filled a piece will fill another.
func (e *encoder) writePiece() error {
	text := e.out.Open
	if len(text) == 0 {
		return nil
	}
	e.out.Raw += int64(len(text))
	e.out.Open = text[:0]
	if e.format.codec.end() == "" {
		return e.out.Write(text)
	}
	// Text that does not compress grows a little; then the buffer is not recycled.
	packed := e.format.codec.compress(e.format.pieces.Get(), text)
	defer e.format.pieces.Put(packed)
	return e.out.Write(packed)
}

// Close implements formats.Encoder. Text has no room for metadata.
func (e *encoder) Close(map[string]string) error {
	if err := e.Flush(); err != nil {
		return err
	}
	if end := e.format.codec.end(); end != "" {
		if err := e.out.Write([]byte(end)); err != nil {
			return err
		}
	}
	e.Abandon()
	return nil
}

// Abandon implements formats.Encoder.
func (e *encoder) Abandon() { e.out.Abandon(errDone) }
