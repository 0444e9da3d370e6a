package sequencefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/pieces"
)

// Inspect implements formats.Format. It reads the whole file, of any configuration: lengths must agree, blocks unpack, and the end be a mark.
func (f *Format) Inspect(r io.ReaderAt, size int64) (formats.Info, error) {
	rows, err := inspect(r, size)
	if err != nil {
		return formats.Info{}, fmt.Errorf("inspect sequencefile: after %d records: %w", rows, err)
	}
	return formats.Info{Rows: rows}, nil
}

// CheckEnd looks at the two ends of a finished file alone: the header, and the mark behind the last record.
func (f *Format) CheckEnd(r io.ReaderAt, size int64) error {
	in := &reader{Input: pieces.NewInput(r, size)}
	if err := in.header(); err != nil {
		return err
	}
	end := make([]byte, len(escape)+pieces.MarkSize)
	if n, err := r.ReadAt(end, size-int64(len(end))); n < len(end) {
		return fmt.Errorf("read the end: %w", err)
	}
	if string(end) != escape+string(in.sync) {
		return errNoMark
	}
	return nil
}

var (
	errNoMark = errors.New("no mark where one should be: the file was cut, or another program wrote into it")
	errLength = errors.New("a length that does not fit")
)

// reader reads a file from its beginning.
type reader struct {
	*pieces.Input

	codec string
	text  bool
	sync  []byte
}

func inspect(r io.ReaderAt, size int64) (rows int64, err error) {
	in := &reader{Input: pieces.NewInput(r, size)}
	if err := in.header(); err != nil {
		return 0, err
	}
	for marked := false; !marked || in.Left() > 0; {
		n, err := in.number()
		if err != nil {
			return rows, err
		}
		var more int64
		if marked = n == -1; marked {
			more, err = in.behindMark()
			marked = more == 0
		} else {
			more, err = 1, in.record(int64(n))
		}
		if rows += more; err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// behindMark reads the rest of a mark, and the block for which it stands unless it is the last.
func (r *reader) behindMark() (rows int64, err error) {
	if b, err := r.Bytes(pieces.MarkSize); err != nil || !bytes.Equal(b, r.sync) {
		return 0, errors.Join(errNoMark, err)
	}
	if r.codec == "" || r.Left() == 0 {
		return 0, nil
	}
	return r.block()
}

func (r *reader) header() error {
	if b, err := r.Bytes(int64(len(magic))); err != nil || string(b) != magic {
		return errors.New("header: it does not begin as a SequenceFile of version 6 does")
	}
	key, err := r.string()
	if err != nil {
		return err
	}
	value, err := r.string()
	if err != nil {
		return err
	}
	flags, err := r.Bytes(2)
	if err != nil {
		return err
	}
	if key != longWritable || value != bytesWritable && value != textWritable || flags[0] != flags[1] {
		return fmt.Errorf("header: keys of %s and values of %s, compressed %d, in blocks %d, are not what this program writes", key, value, flags[0], flags[1])
	}
	r.text = value == textWritable
	if flags[0] != 0 {
		if r.codec, err = r.string(); err != nil {
			return err
		}
	}
	metadata, err := r.number()
	if err == nil && metadata != 0 {
		err = errors.New("header: it has metadata, which this program does not write")
	}
	if err == nil {
		r.sync, err = r.Bytes(pieces.MarkSize)
	}
	return err
}

// record passes over one of n bytes.
func (r *reader) record(n int64) error {
	if r.codec != "" {
		return errNoMark
	}
	key, err := r.number()
	if err != nil {
		return err
	}
	if key != keySize || n < keySize {
		return fmt.Errorf("%w: a record of %d bytes with a key of %d", errLength, n, key)
	}
	b, err := r.Bytes(n)
	if err != nil {
		return err
	}
	return r.value(b[keySize:])
}

// value checks that a value has the bytes that it declares.
func (r *reader) value(b []byte) error {
	var n int64
	var err error
	in := bytes.NewReader(b)
	if r.text {
		n, err = readVint(in)
	} else {
		var length uint32
		err = binary.Read(in, binary.BigEndian, &length)
		n = int64(length)
	}
	if err != nil || n != int64(in.Len()) {
		return fmt.Errorf("%w: a value of %d bytes declares %d", errLength, len(b), n)
	}
	return nil
}

// block reads one behind its mark.
func (r *reader) block() (rows int64, err error) {
	if rows, err = readVint(r); err != nil {
		return 0, err
	}
	var buffers [4][]byte
	for i := range buffers {
		if buffers[i], err = r.buffer(); err != nil {
			return 0, err
		}
	}
	keys, lengths, values := buffers[1], bytes.NewReader(buffers[2]), buffers[3]
	if int64(len(buffers[0])) != rows || strings.Trim(string(buffers[0]), string(rune(keySize))) != "" || int64(len(keys)) != rows*keySize {
		return 0, fmt.Errorf("%w: %d records with %d bytes of keys", errLength, rows, len(keys))
	}
	for range rows {
		n, err := readVint(lengths)
		if err != nil || n > int64(len(values)) {
			return 0, errors.Join(fmt.Errorf("%w: a value of %d bytes where %d are left", errLength, n, len(values)), err)
		}
		if err := r.value(values[:n]); err != nil {
			return 0, err
		}
		values = values[n:]
	}
	if lengths.Len() > 0 || len(values) > 0 {
		return 0, fmt.Errorf("%w: %d bytes follow the %d values of a block", errLength, len(values), rows)
	}
	return rows, nil
}

// maxBlock is what the largest body makes of the largest block.
const maxBlock = maxBody + 32<<20

// buffer reads a compressed buffer and unpacks it.
func (r *reader) buffer() ([]byte, error) {
	n, err := readVint(r)
	if err != nil {
		return nil, err
	}
	packed, err := r.Bytes(n)
	if err != nil {
		return nil, err
	}
	in, err := open(r.codec, packed)
	if err != nil {
		return nil, err
	}
	return pieces.Unpack(in, maxBlock)
}

func (r *reader) number() (int32, error) {
	b, err := r.Bytes(4)
	if err != nil {
		return 0, err
	}
	return int32(binary.BigEndian.Uint32(b)), nil
}

func (r *reader) string() (string, error) {
	n, err := readVint(r)
	if err != nil {
		return "", err
	}
	b, err := r.Bytes(n)
	return string(b), err
}
