package pieces

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Input reads a file from its beginning. What it allocates grows with what is there, not with what is declared.
type Input struct {
	from *bufio.Reader
	left int64
}

// NewInput reads the size bytes of r.
func NewInput(r io.ReaderAt, size int64) *Input {
	return &Input{from: bufio.NewReaderSize(io.NewSectionReader(r, 0, size), 64<<10), left: size}
}

// Left is how many bytes there should still be.
func (i *Input) Left() int64 { return i.left }

// ReadByte implements io.ByteReader; an end is io.ErrUnexpectedEOF.
func (i *Input) ReadByte() (byte, error) {
	b, err := i.from.ReadByte()
	if err != nil {
		return 0, NoEOF(err)
	}
	i.left--
	return b, nil
}

// Bytes returns the next n bytes; that there are fewer is an error.
func (i *Input) Bytes(n int64) ([]byte, error) {
	if n < 0 || n > i.left {
		return nil, fmt.Errorf("%d bytes are declared, and %d are left", n, i.left)
	}
	var b bytes.Buffer
	got, err := io.CopyN(&b, i.from, n)
	i.left -= got
	if err != nil {
		return nil, NoEOF(err)
	}
	return b.Bytes(), nil
}

// Unpack reads what a codec has compressed, and closes it; more than most bytes are an error.
func Unpack(in io.ReadCloser, most int64) ([]byte, error) {
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("unpack a block: %w", err)
	case int64(len(b)) > most:
		return nil, fmt.Errorf("unpack a block: it has more than %d bytes", most)
	}
	return b, nil
}

// NoEOF is an end that comes too early.
func NoEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
