package avrofile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// codec compresses blocks. Safe for concurrent use.
type codec interface {
	// name is avro.codec.
	name() string
	// compress appends the compressed block to dst.
	compress(dst, block []byte) []byte
	// open reads a compressed block.
	open(packed []byte) (io.ReadCloser, error)
}

func newCodec(compression string, level int) (codec, error) {
	switch compression {
	case "none":
		return plain{}, nil
	case "snappy":
		return snappyCodec{}, nil
	case "deflate":
		if level == 0 {
			level = 6
		}
		if _, err := flate.NewWriter(io.Discard, level); err != nil {
			return nil, fmt.Errorf("deflate level %d: %w", level, err)
		}
		return &deflateCodec{level: level}, nil
	case "zstd":
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(max(level, 1))), zstd.WithWindowSize(1<<20),
			zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("zstd level %d: %w", level, err)
		}
		return zstdCodec{e}, nil
	default:
		return nil, fmt.Errorf("compression %q is unknown: write snappy, deflate, zstd or none", compression)
	}
}

// codecOf finds the codec of a file by avro.codec, for reading.
func codecOf(name string) (codec, error) {
	switch name {
	case "", "null":
		return plain{}, nil
	case "zstandard":
		return newCodec("zstd", 0)
	case "snappy", "deflate":
		return newCodec(name, 0)
	default:
		return nil, fmt.Errorf("avro.codec %q is unknown here", name)
	}
}

type plain struct{}

func (plain) name() string                      { return "null" }
func (plain) compress(dst, block []byte) []byte { return append(dst, block...) }
func (plain) open(packed []byte) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(packed)), nil
}

type deflateCodec struct {
	level   int
	writers sync.Pool
}

func (*deflateCodec) name() string { return "deflate" }

func (c *deflateCodec) compress(dst, block []byte) []byte {
	buf := bytes.NewBuffer(dst)
	w, ok := c.writers.Get().(*flate.Writer)
	if ok {
		w.Reset(buf)
	} else {
		w, _ = flate.NewWriter(buf, c.level) // the level was tried
	}
	// Neither can fail: a bytes.Buffer takes everything.
	_, _ = w.Write(block)
	_ = w.Close()
	c.writers.Put(w)
	return buf.Bytes()
}

func (*deflateCodec) open(packed []byte) (io.ReadCloser, error) {
	return flate.NewReader(bytes.NewReader(packed)), nil
}

// snappyCodec is raw Snappy, and the CRC-32 of the block behind it, 4 bytes, big endian.
type snappyCodec struct{}

func (snappyCodec) name() string { return "snappy" }

func (snappyCodec) compress(dst, block []byte) []byte {
	at := len(dst)
	if room := cap(dst) - at; room < s2.MaxEncodedLen(len(block)) {
		dst = append(make([]byte, 0, at+s2.MaxEncodedLen(len(block))+4), dst...)
	}
	packed := s2.EncodeSnappy(dst[at:cap(dst)], block)
	return binary.BigEndian.AppendUint32(dst[:at+len(packed)], crc32.ChecksumIEEE(block))
}

var errSnappy = errors.New("damaged Snappy")

func (snappyCodec) open(packed []byte) (io.ReadCloser, error) {
	if len(packed) < 4 {
		return nil, fmt.Errorf("%w: a block of %d bytes has no room for its checksum", errSnappy, len(packed))
	}
	packed, sum := packed[:len(packed)-4], binary.BigEndian.Uint32(packed[len(packed)-4:])
	// Snappy makes at most 64 bytes of three (a copy): a length beyond that is a lie, and nothing is allocated for it.
	if n, err := s2.DecodedLen(packed); err != nil || n > 64*len(packed) {
		return nil, fmt.Errorf("%w: it declares %d bytes", errSnappy, n)
	}
	block, err := s2.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSnappy, err)
	}
	if crc32.ChecksumIEEE(block) != sum {
		return nil, fmt.Errorf("%w: the checksum does not match", errSnappy)
	}
	return io.NopCloser(bytes.NewReader(block)), nil
}

type zstdCodec struct{ encoder *zstd.Encoder }

func (zstdCodec) name() string { return "zstandard" }

func (c zstdCodec) compress(dst, block []byte) []byte { return c.encoder.EncodeAll(block, dst) }

func (zstdCodec) open(packed []byte) (io.ReadCloser, error) {
	d, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}
