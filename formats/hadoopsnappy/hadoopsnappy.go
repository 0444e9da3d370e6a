// Package hadoopsnappy is Snappy as Hadoop's SnappyCodec has it (BlockCompressorStream, BlockDecompressorStream): neither raw Snappy nor its framing format. A piece, all numbers big
// endian:
//
//	length of the text, 4 bytes
//	chunks until the text is complete:  length of the chunk, 4 bytes | raw Snappy of up to 128 KiB of it
//
// A piece of length 0, without chunks, is what Hadoop takes for the end. There is no checksum.
package hadoopsnappy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
)

// End is the piece of length 0.
const End = "\x00\x00\x00\x00"

// chunk is less than what Hadoop's readers have room for: 256 KiB, packed and not (io.compression.codec.snappy.buffersize).
const chunk = 128 << 10

// Append appends p as a piece to dst.
func Append(dst, p []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(p)))
	for len(p) > 0 {
		n := min(len(p), chunk)
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		room := dst[len(dst):cap(dst)]
		dst = append(dst, s2.EncodeSnappy(room, p[:n])...)
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
		p = p[n:]
	}
	return dst
}

// NewReader reads the text of pieces up to one of length 0, which must be the last; bounded says that the end of r is as good.
func NewReader(r io.Reader, bounded bool) io.Reader { return &reader{from: r, bounded: bounded} }

// reader reads all pieces of a file.
type reader struct {
	bounded bool
	from    io.Reader
	left    int64 // text of the piece that is still to come
	packed  bytes.Buffer
	room    []byte
	text    []byte
	ended   bool
}

var errDamaged = errors.New("damaged Snappy")

func (s *reader) Read(p []byte) (int, error) {
	for len(s.text) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.text)
	s.text = s.text[n:]
	return n, nil
}

// next reads a piece's length or a chunk. io.EOF: the file ended as it should.
func (s *reader) next() error {
	if s.ended {
		var more [1]byte
		if n, err := io.ReadFull(s.from, more[:]); n > 0 || err != io.EOF {
			return errors.Join(fmt.Errorf("%w: something follows the end", errDamaged), err)
		}
		return io.EOF
	}
	n, err := s.length()
	if err != nil {
		return err
	}
	if s.left == 0 {
		s.left, s.ended = n, n == 0
		return nil
	}
	// The buffer grows with what is there, not with what is declared.
	s.packed.Reset()
	if got, err := io.CopyN(&s.packed, s.from, n); err != nil {
		return fmt.Errorf("%w: a chunk of %d bytes ends after %d: %w", errDamaged, n, got, noEOF(err))
	}
	size, err := s2.DecodedLen(s.packed.Bytes())
	if err != nil || size == 0 || int64(size) > min(s.left, chunk) {
		return fmt.Errorf("%w: a chunk of %d bytes of text, where %d are missing", errDamaged, size, s.left)
	}
	if s.room, err = s2.Decode(s.room[:cap(s.room)], s.packed.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	s.text = s.room
	s.left -= int64(len(s.text))
	return nil
}

func (s *reader) length() (int64, error) {
	var b [4]byte
	if n, err := io.ReadFull(s.from, b[:]); err != nil {
		if n == 0 && err == io.EOF && s.bounded && s.left == 0 {
			return 0, io.EOF
		}
		return 0, fmt.Errorf("%w: read a length: %w", errDamaged, noEOF(err))
	}
	return int64(binary.BigEndian.Uint32(b[:])), nil
}

// noEOF is an end that comes too early.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
