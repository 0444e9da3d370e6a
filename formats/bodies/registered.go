package bodies

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrodecoder"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/registry"
)

// Writers has the schemas with which datums were written. Asked once for each number, by any goroutine.
type Writers interface {
	// Schema returns the schema with a number. registry.ErrNoSchema: there is none; any other error: it cannot be told now.
	Schema(ctx context.Context, id uint32) (*registry.Schema, error)
}

// Registered is the source of datums behind the number of their schema, as Confluent's serializers write them:
//
//	00 | number of the schema, 4 bytes, big endian | datum
//
// They are resolved to the schema s. Refusals: no_schema_id; unknown_schema (the registry has none of that number, or it is none of Avro); incompatible_schema (it cannot be read as
// s); and those of package avrodecoder. While no registry answers, an event of a schema that is not known yet is an error, and neither written nor refused.
func Registered(s *schema.Schema, w Writers) (*Source, error) {
	plan, err := jsondecoder.Compile(s, jsondecoder.Options{}) // for its defaults
	if err != nil {
		return nil, err
	}
	r := &resolver{schema: s, defaults: plan.Defaults(), writers: w, known: map[uint32]*resolved{}}
	return &Source{
		Schema: s, New: func() Decoder { return &registered{from: r, decoders: map[uint32]*avrodecoder.Decoder{}} },
		reading: func(other *schema.Schema) (*Source, error) { return Registered(other, w) },
	}, nil
}

// resolver has the plans for all decoders of a source.
type resolver struct {
	schema   *schema.Schema
	defaults avrodecoder.Defaults
	writers  Writers

	mu    sync.Mutex
	known map[uint32]*resolved
}

// resolved is a plan, or why there is none.
type resolved struct {
	plan    *avrodecoder.Plan
	refused *formats.RecordError
	until   time.Time // when a refusal is to be asked for again; zero: never
}

// forget is how long it is believed that a number is unknown: a registry's copies may lag behind.
const forget = time.Minute

func (r *resolver) resolve(id uint32) (*resolved, error) {
	r.mu.Lock()
	there := r.known[id]
	r.mu.Unlock()
	if there != nil && (there.until.IsZero() || time.Now().Before(there.until)) {
		return there, nil
	}
	found, err := r.find(id) // two may ask at the same time, and find the same
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.known[id] = found
	r.mu.Unlock()
	return found, nil
}

func (r *resolver) find(id uint32) (*resolved, error) {
	refuse := func(code string, why error) *resolved {
		return &resolved{refused: &formats.RecordError{Code: code, Path: "body", Detail: why.Error()}}
	}
	text, err := r.writers.Schema(context.Background(), id) // each answer has a time limit
	if errors.Is(err, registry.ErrNoSchema) {
		unknown := refuse("unknown_schema", err)
		unknown.until = time.Now().Add(forget)
		return unknown, nil
	}
	if err != nil {
		return nil, err
	}
	refers := make([][]byte, len(text.Refers))
	for i := range refers {
		refers[i] = []byte(text.Refers[i])
	}
	writer, err := schema.ParseWriter([]byte(text.Text), refers...)
	if err != nil {
		return refuse("incompatible_schema", fmt.Errorf("schema %d: %w", id, err)), nil
	}
	plan, err := avrodecoder.Resolve(writer, r.schema, r.defaults)
	if err != nil {
		return refuse("incompatible_schema", fmt.Errorf("schema %d: %w", id, err)), nil
	}
	return &resolved{plan: plan}, nil
}

// registered decodes events of any schema that can be read as the source's.
type registered struct {
	from     *resolver
	decoders map[uint32]*avrodecoder.Decoder
}

const (
	frameMagic  = 0
	frameHeader = 5
)

// Decode implements Decoder.
func (d *registered) Decode(body []byte) (*schema.Row, error) {
	if body == nil {
		return nil, &formats.RecordError{Code: "null_body", Path: "body", Detail: "an event without a body has no columns"}
	}
	if len(body) < frameHeader || body[0] != frameMagic {
		return nil, &formats.RecordError{Code: "no_schema_id", Path: "body", Detail: "it does not begin with a zero byte and the number of a schema: was it written by a serializer with a registry?"}
	}
	id := binary.BigEndian.Uint32(body[1:])
	decoder := d.decoders[id]
	if decoder == nil {
		r, err := d.from.resolve(id)
		switch {
		case err != nil:
			return nil, err
		case r.refused != nil:
			again := *r.refused // its path grows on the way out
			return nil, &again
		}
		decoder = r.plan.NewDecoder()
		d.decoders[id] = decoder
	}
	row, refused := decoder.Decode(body[frameHeader:])
	if refused != nil {
		return nil, refused
	}
	return row, nil
}
