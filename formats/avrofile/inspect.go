package avrofile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrodecoder"
	"github.com/penstock-io/penstock/formats/pieces"
)

// Inspect implements formats.Format. It reads the whole file, of any schema that this program can write: each block is unpacked, and must hold the datums that it
// declares.
func (f *Format) Inspect(r io.ReaderAt, size int64) (formats.Info, error) {
	rows, err := inspect(r, size)
	if err != nil {
		return formats.Info{}, fmt.Errorf("inspect avro: after %d datums: %w", rows, err)
	}
	return formats.Info{Rows: rows}, nil
}

// CheckEnd looks at the two ends of a finished file alone: the header, and the sync marker behind the last block.
func (f *Format) CheckEnd(r io.ReaderAt, size int64) error {
	head, err := readHeader(&reader{pieces.NewInput(r, size)})
	if err != nil {
		return err
	}
	end := make([]byte, pieces.MarkSize)
	if n, err := r.ReadAt(end, size-pieces.MarkSize); n < len(end) {
		return fmt.Errorf("read the end: %w", err)
	}
	if !bytes.Equal(end, head.sync) {
		return errNoSync
	}
	return nil
}

var errNoSync = errors.New("no sync marker where a block ends: the file was cut, or another program wrote into it")

type fileHeader struct {
	meta map[string]string
	sync []byte
}

func inspect(r io.ReaderAt, size int64) (rows int64, err error) {
	in := &reader{pieces.NewInput(r, size)}
	head, err := readHeader(in)
	if err != nil {
		return 0, err
	}
	plan, err := inside(head.meta["avro.schema"])
	if err != nil {
		return 0, fmt.Errorf("header: avro.schema: %w", err)
	}
	codec, err := codecOf(head.meta["avro.codec"])
	if err != nil {
		return 0, fmt.Errorf("header: %w", err)
	}
	checker := plan.NewDecoder()
	for in.Left() > 0 {
		n, err := in.block(head.sync, codec, checker)
		if err != nil {
			return rows, err
		}
		rows += n
	}
	return rows, nil
}

// reader reads a file from its beginning.
type reader struct{ *pieces.Input }

var errNumber = errors.New("no number where one should be")

func (r *reader) long() (int64, error) {
	var u uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, fmt.Errorf("%w: %w", errNumber, err)
		}
		u |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
	return 0, errNumber
}

func (r *reader) text() (string, error) {
	n, err := r.long()
	if err != nil {
		return "", err
	}
	b, err := r.Bytes(n)
	return string(b), err
}

func readHeader(r *reader) (fileHeader, error) {
	h := fileHeader{meta: map[string]string{}}
	if b, err := r.Bytes(int64(len(magic))); err != nil || string(b) != magic {
		return h, errors.New("header: it does not begin as an Avro file does")
	}
	for {
		n, err := r.long()
		switch {
		case err != nil:
			return h, fmt.Errorf("header: %w", err)
		case n == 0:
			h.sync, err = r.Bytes(pieces.MarkSize)
			return h, err
		case n < 0:
			n = -n
			if _, err := r.long(); err != nil {
				return h, fmt.Errorf("header: %w", err)
			}
		}
		for range n {
			if err := r.entry(h.meta); err != nil {
				return h, fmt.Errorf("header: %w", err)
			}
		}
	}
}

func (r *reader) entry(meta map[string]string) error {
	key, err := r.text()
	if err != nil {
		return err
	}
	meta[key], err = r.text()
	return err
}

// maxBlock is what the largest datum makes of the largest block.
const maxBlock = maxDatum + 16<<20

// block reads a block and counts its datums.
func (r *reader) block(sync []byte, c codec, checker *avrodecoder.Decoder) (rows int64, err error) {
	if rows, err = r.long(); err != nil {
		return 0, err
	}
	size, err := r.long()
	if err != nil {
		return 0, err
	}
	packed, err := r.Bytes(size)
	if err != nil {
		return 0, err
	}
	if end, err := r.Bytes(pieces.MarkSize); err != nil || !bytes.Equal(end, sync) {
		return 0, errors.Join(errNoSync, err)
	}
	in, err := c.open(packed)
	if err != nil {
		return 0, err
	}
	block, err := pieces.Unpack(in, maxBlock)
	if err != nil {
		return 0, err
	}
	return rows, datums(block, rows, checker)
}

// datums checks that a block holds so many, and nothing else.
func datums(block []byte, n int64, checker *avrodecoder.Decoder) error {
	for i := range n {
		length, wrong := checker.Skip(block)
		if wrong != nil {
			return fmt.Errorf("datum %d of a block of %d: %w", i, n, wrong)
		}
		block = block[length:]
	}
	if len(block) > 0 || n < 0 {
		return fmt.Errorf("%d bytes follow the %d datums of a block", len(block), n)
	}
	return nil
}
