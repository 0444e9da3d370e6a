package parquetfile

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"

	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// codec compresses whole pages. One for all encoders of a format: a zstd encoder costs megabytes, and a page takes it for a millisecond.
type codec struct {
	kind    compress.Compression
	zstd    *zstd.Encoder
	gzips   sync.Pool
	gzLevel int
}

func newCodec(name string, level int) (*codec, error) {
	switch name {
	case "none":
		return &codec{kind: compress.Codecs.Uncompressed}, nil
	case "snappy":
		return &codec{kind: compress.Codecs.Snappy}, nil
	case "gzip":
		c := &codec{kind: compress.Codecs.Gzip, gzLevel: level}
		if _, err := gzip.NewWriterLevel(nil, level); err != nil {
			return nil, fmt.Errorf("gzip level %d: %w", level, err)
		}
		return c, nil
	case "zstd":
		// The checksum in each frame stays on: it costs little, and every reader checks it.
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)), zstd.WithZeroFrames(true),
			zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("zstd level %d: %w", level, err)
		}
		return &codec{kind: compress.Codecs.Zstd, zstd: e}, nil
	default:
		return nil, fmt.Errorf("compression %q is unknown: write zstd, snappy, gzip or none", name)
	}
}

// bound is the room that compressing n bytes may need.
func (c *codec) bound(n int) int { return n + n/6 + 128 }

// compress appends page, compressed, to dst. Safe for concurrent use.
func (c *codec) compress(dst, page []byte) []byte {
	switch c.kind {
	case compress.Codecs.Zstd:
		return c.zstd.EncodeAll(page, dst)
	case compress.Codecs.Snappy:
		room := dst[len(dst):cap(dst)]
		return append(dst, s2.EncodeSnappy(room, page)...)
	case compress.Codecs.Gzip:
		return c.gzip(dst, page)
	default:
		return append(dst, page...)
	}
}

func (c *codec) gzip(dst, page []byte) []byte {
	buf := bytes.NewBuffer(dst)
	w, ok := c.gzips.Get().(*gzip.Writer)
	if ok {
		w.Reset(buf)
	} else {
		w, _ = gzip.NewWriterLevel(buf, c.gzLevel) // the level was tried by newCodec
	}
	// Neither can fail: a bytes.Buffer takes everything.
	_, _ = w.Write(page)
	_ = w.Close()
	c.gzips.Put(w)
	return buf.Bytes()
}
