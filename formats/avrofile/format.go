package avrofile

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/s2"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrodecoder"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/pieces"
	"github.com/penstock-io/penstock/formats/schema"
)

// Format implements formats.Format.
type Format struct {
	source  *bodies.Source // nil: events as they are
	origin  bool
	id      string
	codec   codec
	header  []byte       // of every file: all up to its sync marker
	blocks  *pieces.Pool // of datums
	packed  *pieces.Pool // of blocks as they are written
	writers sync.Pool    // of *writer: a thousand open files need no thousand of them
}

// New returns the format for events as they are.
func New(c Config) (*Format, error) {
	return newFormat(c, &Format{id: "avro-raw-1"}, []byte(rawSchema))
}

// NewTyped returns the format whose datums are those of a source of rows.
func NewTyped(c Config, from *bodies.Source) (*Format, error) {
	text, err := fileSchema(from.Schema, c.Origin)
	if err != nil {
		return nil, fmt.Errorf("make Avro schema: %w", err)
	}
	id := "avro-" + from.Schema.ID
	if c.Origin {
		id += "-origin"
	}
	return newFormat(c, &Format{source: from, origin: c.Origin, id: id}, text)
}

// newFormat completes a format.
func newFormat(c Config, f *Format, text []byte) (*Format, error) {
	var err error
	if f.codec, err = newCodec(c.Compression, c.Level); err != nil {
		return nil, err
	}
	f.header = header(map[string]string{"avro.schema": string(text), "avro.codec": f.codec.name(), "penstock.version": c.Version})
	size := int(c.BlockSize.Bytes())
	f.blocks, f.packed = pieces.New(size), pieces.New(frontRoom+s2.MaxEncodedLen(size)+4+pieces.MarkSize)
	f.writers.New = func() any { return newWriter(f.source) }
	return f, nil
}

const magic = "Obj\x01"

// header is a file's, without its sync marker.
func header(meta map[string]string) []byte {
	h := binary.AppendVarint([]byte(magic), int64(len(meta)))
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		h = lengthy(lengthy(h, key), meta[key])
	}
	return append(h, 0)
}

// Name implements formats.Format.
func (f *Format) Name() string { return "avro" }

// Ext implements formats.Format.
func (f *Format) Ext() string { return "avro" }

// SchemaID implements formats.Format.
func (f *Format) SchemaID() string { return f.id }

// NewEncoder implements formats.Format.
func (f *Format) NewEncoder(w io.Writer, c formats.Context) (formats.Encoder, error) {
	if !utf8.ValidString(c.Partition.Topic) {
		return nil, fmt.Errorf("write avro: the topic %q is not valid UTF-8, which the field for it must be", c.Partition.Topic)
	}
	return &encoder{format: f, part: c.Partition, out: pieces.Output{W: w, Pool: f.blocks}}, nil
}

// writer makes datums of events. Used by one goroutine at a time.
type writer struct {
	decoder   bodies.Decoder
	checker   *avrodecoder.Decoder // set: bodies are datums, and are copied
	assembler assembler
	datum     []byte
}

func newWriter(from *bodies.Source) *writer {
	w := &writer{}
	switch {
	case from == nil:
	case from.Datums:
		w.checker = avrodecoder.Compile(from.Schema).NewDecoder()
	default:
		leaves := 0
		w.decoder = from.New()
		w.assembler.root = compile(from.Schema.Root, 0, 0, &leaves)
		w.assembler.at = make([]int, leaves)
	}
	return w
}

// row makes the datum of a body.
func (w *writer) row(body []byte) error {
	w.datum = w.datum[:0]
	if w.checker != nil {
		if refused := w.checker.Check(body); refused != nil {
			return refused
		}
		w.datum = append(w.datum, body...)
		return nil
	}
	row, err := w.decoder.Decode(body)
	if err != nil {
		return err
	}
	w.datum = w.assembler.append(w.datum, row)
	return nil
}

// inside reports the schema of a file's header, for reading its datums.
func inside(text string) (*avrodecoder.Plan, error) {
	s, err := schema.Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	return avrodecoder.Compile(s), nil
}
