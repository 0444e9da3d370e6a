package parquetfile

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/ingest"

	pqschema "github.com/apache/arrow/go/v15/parquet/schema"
)

// schemaKey is where the footer has the schema as it was given.
const schemaKey = "penstock.schema"

var errNoDecoder = errors.New("write parquet: the format has no decoder")

// typed is the row source with a schema: a decoder's cells go into the columns.
type typed struct {
	schema   *schema.Schema
	origin   bool
	group    *pqschema.GroupNode
	leaves   []leaf // the schema's, and then the origin's
	id       string
	decoders sync.Pool // of bodies.Decoder: rows are scratch, and a thousand open files need no thousand of them
}

func newTyped(from *bodies.Source, origin bool) (*typed, error) {
	s := from.Schema
	t := &typed{schema: s, origin: origin, id: "schema-" + s.ID}
	t.decoders.New = func() any { return from.New() }
	for _, l := range s.Leaves {
		t.leaves = append(t.leaves, typedLeaf(l))
	}
	if origin {
		t.id += "-origin"
		t.leaves = append(t.leaves,
			leaf{path: bodies.OriginTimestamp, kind: int64s, stats: int64Range},
			leaf{path: bodies.OriginTopic, constant: theTopic},
			leaf{path: bodies.OriginPartition, constant: thePartition},
			leaf{path: bodies.OriginOffset, kind: int64s, stats: int64Range},
		)
	}
	var err error
	if t.group, err = typedSchema(s.Root, origin); err != nil {
		return nil, err
	}
	return t, nil
}

func typedLeaf(l schema.Leaf) leaf {
	c := leaf{path: strings.Join(l.Path, "."), maxRep: l.MaxRep, maxDef: l.MaxDef}
	switch l.Type.Kind {
	case schema.Boolean:
		c.kind = bits1
	case schema.Int, schema.Date, schema.TimeMillis:
		c.kind, c.stats = int32s, int32Range
	case schema.Float:
		c.kind, c.stats = int32s, floatRange
	case schema.Double:
		c.kind, c.stats = int64s, doubleRange
	case schema.Long, schema.TimeMicros, schema.TimestampMillis, schema.TimestampMicros, schema.TimestampNanos:
		c.kind, c.stats = int64s, int64Range
	case schema.Fixed, schema.Decimal:
		c.kind = fixedBytes
	case schema.String, schema.Enum:
		c.stats, c.numbered = byteRange, true
	case schema.UUID:
		c.stats = byteRange
	default: // bytes: a range of them prunes nothing
	}
	return c
}

// put decodes an event and adds its row. It reports whether a page was finished to make room for it.
func (t *typed) put(columns []column, e *ingest.Event) (pageFinished bool, err error) {
	d, ok := t.decoders.Get().(bodies.Decoder)
	if !ok {
		return false, errNoDecoder // cannot be: New makes them
	}
	defer t.decoders.Put(d)
	row, err := d.Decode(e.Body)
	if err != nil {
		return false, err
	}
	for i, cells := range row.Columns {
		if size := sizeOf(columns[i].leaf.kind, cells); size > maxValue {
			return false, &formats.RecordError{
				Code: "too_large", Path: columns[i].leaf.path, Detail: fmt.Sprintf("the column has %d bytes; a Parquet page can hold %d", size, maxValue),
			}
		}
	}
	for i, cells := range row.Columns {
		pageFinished = columns[i].cells(cells) || pageFinished
	}
	if t.origin {
		n := len(row.Columns)
		pageFinished = putInt64(&columns[n], e.Timestamp) || pageFinished
		pageFinished = putInt64(&columns[n+3], int64(e.Offset)) || pageFinished
	}
	return pageFinished, nil
}

// sizeOf is what cells may take in a page.
func sizeOf(k physical, cells []schema.Cell) int {
	n := 10 * len(cells) // two levels, and a length or a number
	if k == byteArray || k == fixedBytes {
		for i := range cells {
			n += len(cells[i].Bytes)
		}
	}
	return n
}

// cells adds one row's values.
func (c *column) cells(cells []schema.Cell) (pageFinished bool) {
	pageFinished = c.room(sizeOf(c.leaf.kind, cells))
	for i := range cells {
		v := &cells[i]
		if v.Def < c.leaf.maxDef {
			c.null(v.Rep, v.Def)
			continue
		}
		switch c.leaf.kind {
		case bits1:
			c.bit(v.Rep, v.Int)
		case int32s:
			c.int32(v.Rep, v.Int)
		case int64s:
			c.int64(v.Rep, v.Int)
		case fixedBytes:
			c.fixed(v.Rep, v.Bytes)
		case byteArray:
			c.bytes(v.Rep, v.Bytes)
		}
	}
	return pageFinished
}

// metadata is that of a file, and the schema.
func (t *typed) metadata(given map[string]string) map[string]string {
	all := maps.Clone(given)
	if all == nil {
		all = map[string]string{}
	}
	all[schemaKey] = string(t.schema.Text)
	return all
}
