package textfile

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/formats/hadoopsnappy"
)

// codec compresses pieces. Safe for concurrent use.
type codec interface {
	suffix() string
	// end is the empty piece that ends a file; the same at every level and in every version.
	end() string
	// compress appends the piece p to dst.
	compress(dst, p []byte) []byte
	// open reads all pieces of a file as one stream.
	open(r io.Reader) (io.ReadCloser, error)
}

type plain struct{}

func (plain) suffix() string                          { return "" }
func (plain) end() string                             { return "" }
func (plain) compress(dst, p []byte) []byte           { return append(dst, p...) }
func (plain) open(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(r), nil }

type gzipCodec struct {
	level   int
	writers sync.Pool
}

func (*gzipCodec) suffix() string { return ".gz" }

func (*gzipCodec) end() string {
	return "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + // header, without time, name or system
		"\x03\x00" + // one final block of nothing
		"\x00\x00\x00\x00\x00\x00\x00\x00" // its CRC-32 and length
}

func (c *gzipCodec) compress(dst, p []byte) []byte {
	buf := bytes.NewBuffer(dst)
	w, ok := c.writers.Get().(*gzip.Writer)
	if ok {
		w.Reset(buf)
	} else {
		w, _ = gzip.NewWriterLevel(buf, c.level) // the level was tried by New
	}
	// Neither can fail: a bytes.Buffer takes everything.
	_, _ = w.Write(p)
	_ = w.Close()
	c.writers.Put(w)
	return buf.Bytes()
}

func (*gzipCodec) open(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }

type zstdCodec struct{ encoder *zstd.Encoder }

func (zstdCodec) suffix() string { return ".zst" }

func (zstdCodec) end() string {
	return "\x28\xb5\x2f\xfd\x20\x00" + // magic number, single segment of 0 bytes, no checksum
		"\x01\x00\x00" // last block, raw, of nothing
}

func (c zstdCodec) compress(dst, p []byte) []byte { return c.encoder.EncodeAll(p, dst) }

func (zstdCodec) open(r io.Reader) (io.ReadCloser, error) {
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

type snappyCodec struct{}

func (snappyCodec) suffix() string                { return ".snappy" }
func (snappyCodec) end() string                   { return hadoopsnappy.End }
func (snappyCodec) compress(dst, p []byte) []byte { return hadoopsnappy.Append(dst, p) }
func (snappyCodec) open(r io.Reader) (io.ReadCloser, error) {
	return io.NopCloser(hadoopsnappy.NewReader(r, false)), nil
}
