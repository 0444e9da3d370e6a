package textfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/penstock-io/penstock/formats"
)

var errNoEnd = errors.New("the last line has no end")

// Inspect implements formats.Format. It reads the whole file: rows are newlines (an upper bound where a body may hold
// one), every checksum of a compressed file is checked, and its last piece must be the empty one.
func (f *Format) Inspect(r io.ReaderAt, size int64) (formats.Info, error) {
	if err := f.CheckEnd(r, size); err != nil {
		return formats.Info{}, fmt.Errorf("inspect text: %w", err)
	}
	stream, err := f.codec.open(io.NewSectionReader(r, 0, size))
	if err != nil {
		return formats.Info{}, fmt.Errorf("inspect text: %w", err)
	}
	defer stream.Close()
	rows, err := countLines(stream)
	if err != nil {
		return formats.Info{}, fmt.Errorf("inspect text: after %d lines: %w", rows, err)
	}
	return formats.Info{Rows: rows, AtMost: f.config.Newline != "reject"}, nil
}

// CheckEnd looks at the end of a finished file alone: the empty piece of a compressed one, the newline of lines as they are.
func (f *Format) CheckEnd(r io.ReaderAt, size int64) error {
	want := f.codec.end()
	if want == "" && size > 0 {
		want = "\n"
	}
	if size < int64(len(want)) {
		return fmt.Errorf("the file has %d bytes; the shortest has %d", size, len(want))
	}
	end := make([]byte, len(want))
	if n, err := r.ReadAt(end, size-int64(len(end))); n < len(end) {
		return fmt.Errorf("read the end: %w", err)
	}
	switch {
	case string(end) == want:
		return nil
	case want == "\n":
		return errNoEnd
	default:
		return errors.New("the file does not end with an empty piece: it was not closed, or another program wrote it")
	}
}

// countLines counts newlines and refuses a last line without one.
func countLines(r io.Reader) (lines int64, err error) {
	buf := make([]byte, 64<<10)
	last := byte('\n')
	for {
		n, err := r.Read(buf)
		if n > 0 {
			text := buf[:n]
			lines += int64(bytes.Count(text, []byte{'\n'}))
			last = text[len(text)-1]
		}
		switch {
		case err == io.EOF && last == '\n':
			return lines, nil
		case err == io.EOF:
			return lines, errNoEnd
		case err != nil:
			return lines, err
		}
	}
}
