package sequencefile

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/zlib"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/hadoopsnappy"
	"github.com/penstock-io/penstock/formats/pieces"
	"github.com/penstock-io/penstock/ingest"
)

const (
	magic = "SEQ\x06"

	longWritable  = "org.apache.hadoop.io.LongWritable"
	bytesWritable = "org.apache.hadoop.io.BytesWritable"
	textWritable  = "org.apache.hadoop.io.Text"
	defaultCodec  = "org.apache.hadoop.io.compress.DefaultCodec"
	snappyCodec   = "org.apache.hadoop.io.compress.SnappyCodec"
)

// Format implements formats.Format.
type Format struct {
	text    bool
	codec   string // class; "": not compressed
	level   int
	header  []byte // of every file: all up to its sync marker
	pool    *pieces.Pool
	writers sync.Pool // *zlib.Writer
}

// New returns the format. The configuration has passed conf's checks.
func New(c Config) (*Format, error) {
	f := &Format{text: c.Value == "text", level: c.Level, pool: pieces.New(int(c.BlockSize.Bytes()))}
	value, flags := bytesWritable, "\x00\x00"
	if f.text {
		value = textWritable
	}
	switch c.Compression {
	case "none":
	case "deflate":
		if f.codec = defaultCodec; f.level == 0 {
			f.level = 6
		}
		if _, err := zlib.NewWriterLevel(io.Discard, f.level); err != nil {
			return nil, fmt.Errorf("deflate level %d: %w", f.level, err)
		}
	case "snappy":
		f.codec = snappyCodec
	default:
		return nil, fmt.Errorf("compression %q is unknown: write none, deflate or snappy", c.Compression)
	}
	if f.codec != "" {
		flags = "\x01\x01"
	}
	f.header = append(appendText(appendText([]byte(magic), longWritable), value), flags...)
	if f.codec != "" {
		f.header = appendText(f.header, f.codec)
	}
	f.header = append(f.header, 0, 0, 0, 0)
	return f, nil
}

// Name implements formats.Format.
func (f *Format) Name() string { return "sequencefile" }

// Ext implements formats.Format.
func (f *Format) Ext() string { return "seq" }

// SchemaID implements formats.Format.
func (f *Format) SchemaID() string {
	if f.text {
		return "seq-text-1"
	}
	return "seq-bytes-1"
}

// NewEncoder implements formats.Format.
func (f *Format) NewEncoder(w io.Writer, _ formats.Context) (formats.Encoder, error) {
	return &encoder{format: f, out: pieces.Output{W: w, Pool: f.pool}}, nil
}

// maxBody is what readers have arrays for.
const maxBody = 1 << 30

// check refuses what is no value.
func (f *Format) check(e *ingest.Event) *formats.RecordError {
	switch {
	case e.Body == nil:
		return &formats.RecordError{Code: "null_body", Path: "body", Detail: "a null body (a tombstone) is no value"}
	case len(e.Body) > maxBody:
		return &formats.RecordError{Code: "too_large", Path: "body", Detail: fmt.Sprintf("the body has %d bytes; readers take %d", len(e.Body), maxBody)}
	case f.text && !utf8.Valid(e.Body):
		return &formats.RecordError{Code: "invalid_utf8", Path: "body", Detail: "a Text must be valid UTF-8, and the sink says value: text"}
	}
	return nil
}

// compress appends p to dst, as the codec has it.
func (f *Format) compress(dst, p []byte) []byte {
	if f.codec == snappyCodec {
		return hadoopsnappy.Append(dst, p)
	}
	buf := bytes.NewBuffer(dst)
	w, ok := f.writers.Get().(*zlib.Writer)
	if ok {
		w.Reset(buf)
	} else {
		w, _ = zlib.NewWriterLevel(buf, f.level) // the level was tried by New
	}
	// Neither can fail: a bytes.Buffer takes everything.
	_, _ = w.Write(p)
	_ = w.Close()
	f.writers.Put(w)
	return buf.Bytes()
}

// open reads what a codec has compressed.
func open(codec string, packed []byte) (io.ReadCloser, error) {
	switch codec {
	case defaultCodec:
		return zlib.NewReader(bytes.NewReader(packed))
	case snappyCodec:
		return io.NopCloser(hadoopsnappy.NewReader(bytes.NewReader(packed), true)), nil
	default:
		return nil, fmt.Errorf("the codec %s is unknown here", codec)
	}
}
