package pieces

import (
	"crypto/rand"
	"io"
	"slices"
)

// MarkSize is that of the marks in files that others read in parts: random bytes, the same in one file.
const MarkSize = 16

// Output is what encoders that write piece by piece share: the piece that is open, what was written, and the first error. Used by one goroutine.
type Output struct {
	W    io.Writer
	Pool *Pool
	Open []byte // the piece that is not written yet
	Raw  int64  // bytes of pieces, as they were before they were compressed
	Err  error  // final
	Mark []byte // of the file; nil: it has not begun

	written int64
}

// Buffered implements formats.Encoder.
func (o *Output) Buffered() int64 { return int64(cap(o.Open)) }

// Written is how many bytes were given to W.
func (o *Output) Written() int64 { return o.written }

// Shrunk is what n open bytes will take if they shrink as what came before them; guess is for when nothing did.
func (o *Output) Shrunk(n, guess int64) int64 {
	if o.Raw == 0 {
		return guess
	}
	return int64(float64(n) * float64(o.written) / float64(o.Raw))
}

// Append adds to the open piece.
func (o *Output) Append(p ...[]byte) {
	n := 0
	for _, b := range p {
		n += len(b)
	}
	o.Open = o.Pool.Grow(o.Open, n)
	for _, b := range p {
		o.Open = append(o.Open, b...)
	}
}

// Write writes to W. Its error is final.
func (o *Output) Write(p []byte) error {
	n, err := o.W.Write(p)
	o.written += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	o.Err = err
	return err
}

// Begin writes a header and the file's mark behind it, once.
func (o *Output) Begin(header []byte) error {
	if o.Mark != nil {
		return nil
	}
	o.Mark = make([]byte, MarkSize)
	_, _ = rand.Read(o.Mark) // it never fails
	return o.Write(append(slices.Clip(header), o.Mark...))
}

// Flush writes the open piece by piece(), and gives its memory back.
func (o *Output) Flush(piece func() error) error {
	if o.Err != nil {
		return o.Err
	}
	err := piece()
	o.release()
	return err
}

// Abandon gives the memory back; done is the error of all that follows, unless there was one.
func (o *Output) Abandon(done error) {
	o.release()
	if o.Err == nil {
		o.Err = done
	}
}

func (o *Output) release() {
	o.Pool.Put(o.Open)
	o.Open = nil
}
