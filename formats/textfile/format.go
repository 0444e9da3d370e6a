package textfile

import (
	"bytes"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/pieces"
	"github.com/penstock-io/penstock/ingest"
)

// pieceSize is how much text is compressed and written at once.
const pieceSize = 128 << 10

// Format implements formats.Format.
type Format struct {
	config Config
	codec  codec
	pieces *pieces.Pool
}

// New returns the format. The configuration has passed conf's checks.
func New(c Config) (*Format, error) {
	f := &Format{config: c, pieces: pieces.New(pieceSize)}
	switch c.Compression {
	case "none":
		f.codec = plain{}
		return f, nil
	case "gzip":
		if _, err := gzip.NewWriterLevel(io.Discard, c.gzipLevel()); err != nil {
			return nil, fmt.Errorf("gzip level %d: %w", c.gzipLevel(), err)
		}
		f.codec = &gzipCodec{level: c.gzipLevel()}
	case "zstd":
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(c.zstdLevel()), zstd.WithZeroFrames(true), zstd.WithWindowSize(1<<20),
			zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("zstd level %d: %w", c.Level, err)
		}
		f.codec = zstdCodec{e}
	case "snappy":
		f.codec = snappyCodec{}
	default:
		return nil, fmt.Errorf("compression %q is unknown: write none, gzip, zstd or snappy", c.Compression)
	}
	return f, nil
}

// Name implements formats.Format.
func (f *Format) Name() string { return "text" }

// Ext implements formats.Format: txt, txt.gz, txt.zst or txt.snappy.
func (f *Format) Ext() string { return "txt" + f.codec.suffix() }

// SchemaID implements formats.Format.
func (f *Format) SchemaID() string { return "text-1" }

// NewEncoder implements formats.Format.
func (f *Format) NewEncoder(w io.Writer, _ formats.Context) (formats.Encoder, error) {
	return &encoder{format: f, out: pieces.Output{W: w, Pool: f.pieces}}, nil
}

// check refuses what is no line.
func (f *Format) check(e *ingest.Event) *formats.RecordError {
	if e.Body == nil {
		return &formats.RecordError{Code: "null_body", Path: "body", Detail: "a null body (a tombstone) is no line of text"}
	}
	if f.config.Newline == "reject" {
		if i := bytes.IndexByte(e.Body, '\n'); i >= 0 {
			return &formats.RecordError{
				Code: "newline", Path: "body",
				Detail: fmt.Sprintf("a newline at byte %d would make two lines of it, and the sink says newline: reject", i),
			}
		}
	}
	return nil
}
