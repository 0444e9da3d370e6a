package textfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/s2"
)

// snappyCodec is Snappy as Hadoop's SnappyCodec has it (BlockCompressorStream, BlockDecompressorStream): neither raw Snappy nor its framing format. A
// piece, all numbers big endian:
//
//	length of the text, 4 bytes
//	chunks until the text is complete:  length of the chunk, 4 bytes | raw Snappy of up to 128 KiB of it
//
// and the end of the file is a piece of length 0, without chunks, which Hadoop takes for the end. There is no checksum.
type snappyCodec struct{}

// snappyChunk is less than what Hadoop's readers have room for: 256 KiB, packed and not (io.compression.codec.snappy.buffersize).
const snappyChunk = 128 << 10

func (snappyCodec) suffix() string { return ".snappy" }

func (snappyCodec) end() string { return "\x00\x00\x00\x00" }

func (snappyCodec) compress(dst, p []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(p)))
	for len(p) > 0 {
		n := min(len(p), snappyChunk)
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		room := dst[len(dst):cap(dst)]
		dst = append(dst, s2.EncodeSnappy(room, p[:n])...)
		binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
		p = p[n:]
	}
	return dst
}

func (snappyCodec) open(r io.Reader) (io.ReadCloser, error) {
	return io.NopCloser(&snappyReader{from: r}), nil
}

// snappyReader reads all pieces of a file.
type snappyReader struct {
	from   io.Reader
	left   int64 // text of the piece that is still to come
	packed bytes.Buffer
	room   []byte
	text   []byte
	ended  bool
}

var errSnappy = errors.New("damaged Snappy")

func (s *snappyReader) Read(p []byte) (int, error) {
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
func (s *snappyReader) next() error {
	if s.ended {
		var more [1]byte
		if n, err := io.ReadFull(s.from, more[:]); n > 0 || err != io.EOF {
			return errors.Join(fmt.Errorf("%w: something follows the end", errSnappy), err)
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
		return fmt.Errorf("%w: a chunk of %d bytes ends after %d: %w", errSnappy, n, got, noEOF(err))
	}
	size, err := s2.DecodedLen(s.packed.Bytes())
	if err != nil || size == 0 || int64(size) > min(s.left, snappyChunk) {
		return fmt.Errorf("%w: a chunk of %d bytes of text, where %d are missing", errSnappy, size, s.left)
	}
	if s.room, err = s2.Decode(s.room[:cap(s.room)], s.packed.Bytes()); err != nil {
		return fmt.Errorf("%w: %w", errSnappy, err)
	}
	s.text = s.room
	s.left -= int64(len(s.text))
	return nil
}

func (s *snappyReader) length() (int64, error) {
	var b [4]byte
	if _, err := io.ReadFull(s.from, b[:]); err != nil {
		return 0, fmt.Errorf("%w: read a length: %w", errSnappy, noEOF(err))
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
