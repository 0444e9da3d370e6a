package avrofile_test

import (
	"errors"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrofile"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/formatstest/typedevents"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/registry"
)

func sources(t testing.TB, text []byte) (*schema.Schema, map[string]*bodies.Source) {
	t.Helper()
	s, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := bodies.JSON(s, jsondecoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, map[string]*bodies.Source{"json": fromJSON, "avro": bodies.Datums(s)}
}

// TestTyped: JSON events and datums of random schemas are, value by value, what another library finds in the file, and what it makes of the datum.
func TestTyped(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 8
	}
	for seed := range seeds {
		g := typedevents.New(500 + seed)
		s, from := sources(t, g.Schema(int(seed%4)))
		other, err := avro.Parse(string(s.Text))
		if err != nil {
			t.Fatal(err)
		}
		made := make([]typedevents.Event, 60)
		var want []map[string]any
		for i := range made {
			made[i] = g.Event(s)
			var v map[string]any
			if _, err := other.Decode(made[i].Datum, &v); err != nil {
				t.Fatal(err)
			}
			want = append(want, v)
		}
		for kind, source := range from {
			for _, origin := range []bool{false, true} {
				var events []ingest.Event
				for i, e := range made {
					body := e.JSON
					if kind == "avro" {
						body = e.Datum
					}
					events = append(events, ingest.Event{Body: body, Offset: ingest.Offset(i), Timestamp: 1_700_000_000_123})
				}
				c := avrofile.DefaultConfig()
				c.Origin, c.BlockSize = origin, conf.KiB
				f, err := avrofile.NewTyped(c, source)
				if err != nil {
					t.Fatal(err)
				}
				file := formatstest.Subject{}.Write(t, f, events)
				if info, err := inspect(f, file); err != nil || info.Rows != int64(len(events)) {
					t.Fatalf("seed %d, %s: %d rows, %v", seed, kind, info.Rows, err)
				}
				got := values(t, file)
				if origin {
					takeOrigin(t, got)
				}
				if diff := cmp.Diff(want, got, exact()...); diff != "" {
					t.Fatalf("seed %d, %s, origin %v (-want +got):\n%.3000s", seed, kind, origin, diff)
				}
			}
		}
	}
}

func exact() []cmp.Option {
	return []cmp.Option{
		cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
		cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }),
		cmp.Comparer(func(a, b *big.Rat) bool { return a.Cmp(b) == 0 }),
	}
}

// takeOrigin checks the fields that tell where the events came from, and takes them away.
func takeOrigin(t *testing.T, rows []map[string]any) {
	t.Helper()
	for i, r := range rows {
		at, _ := r[bodies.OriginTimestamp].(time.Time)
		p := formatstest.Clicks().Partition
		if at.UnixMilli() != 1_700_000_000_123 || r[bodies.OriginTopic] != p.Topic || r[bodies.OriginPartition] != p.ID || r[bodies.OriginOffset] != int64(i) {
			t.Fatalf("row %d came from %v %v-%v at %v", i, at, r[bodies.OriginTopic], r[bodies.OriginPartition], r[bodies.OriginOffset])
		}
		for _, name := range bodies.Origin() {
			delete(r, name)
		}
	}
}

// TestRefusedDatums: what is no datum of the schema does not get into a file, where it would take all behind it along.
func TestRefusedDatums(t *testing.T) {
	_, from := sources(t, []byte(`{"type":"record","name":"r","fields":[{"name":"s","type":"string"},{"name":"e","type":{"type":"enum","name":"e","symbols":["A"]}}]}`))
	f, err := avrofile.NewTyped(avrofile.DefaultConfig(), from["avro"])
	if err != nil {
		t.Fatal(err)
	}
	w, err := f.NewEncoder(&discard{}, formatstest.Clicks())
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		"\x02a\x00": "", "\x00\x00": "",
		"\x02a": "invalid_avro", "\x02a\x00\x00": "invalid_avro", "": "invalid_avro", "\x02\xff\x00": "invalid_utf8", "\x02a\x02": "bad_value",
	} {
		var refused *formats.RecordError
		err := w.Append(&ingest.Event{Body: []byte(body)})
		if errors.As(err, &refused); err != nil && refused == nil || (refused == nil) != (want == "") || refused != nil && refused.Code != want {
			t.Errorf("%q: %v; want %q", body, err, want)
		}
	}
	if err := w.Append(&ingest.Event{}); err == nil {
		t.Error("an event without a body is none of the schema")
	}
}

type discard struct{}

func (*discard) Write(p []byte) (int, error) { return len(p), nil }

const order = `{"type":"record","name":"order","fields":[{"name":"id","type":"long"},{"name":"kind","type":{"type":"enum","name":"kind","symbols":["BUY","SELL"]}},
	{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},{"name":"tags","type":{"type":"array","items":"string"}},
	{"name":"note","type":["null","string"]}]}`

// TestTypedConfig: what the configuration says is what is made.
func TestTypedConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "order.avsc")
	if err := os.WriteFile(file, []byte(order), 0o600); err != nil {
		t.Fatal(err)
	}
	clash := filepath.Join(t.TempDir(), "clash.avsc")
	if err := os.WriteFile(clash, []byte(`{"type":"record","name":"r","fields":[{"name":"Kafka_Topic","type":"string"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	formatstest.Configs(t, avrofile.DefaultConfig, func(c avrofile.Config) error {
		source, err := bodies.Open(c.Config, registry.Options{})
		if err != nil {
			return err
		}
		f, err := avrofile.NewTyped(c, source)
		if err != nil {
			return err
		}
		w, err := f.NewEncoder(&discard{}, formatstest.Clicks())
		if err != nil {
			return err
		}
		return w.Append(&ingest.Event{Body: []byte(`{"id":1,"kind":"SELL","price":-12.5,"tags":[],"more":0}`)})
	}, map[string]string{
		"schema: " + file:                                            "",
		"schema: " + file + "\norigin: true":                         "",
		"schema: " + clash + "\norigin: true":                        "differ by case",
		"schema: " + file + "\nevents: avro\nunknown_fields: refuse": "has the fields of its schema",
		"schema: absent.avsc":                                        "absent.avsc",
	})
}

// TestFixedDecimals: a decimal takes all bytes of its fixed, with its sign in those before it.
func TestFixedDecimals(t *testing.T) {
	s, from := sources(t, []byte(`{"type":"record","name":"r","fields":[{"name":"d","type":{"type":"fixed","name":"f","size":12,"logicalType":"decimal","precision":5,"scale":2}}]}`))
	f, err := avrofile.NewTyped(avrofile.DefaultConfig(), from["json"])
	if err != nil {
		t.Fatal(err)
	}
	file := formatstest.Subject{}.Write(t, f, []ingest.Event{{Body: []byte(`{"d":-0.01}`)}, {Body: []byte(`{"d":123.45}`)}})
	got := values(t, file)
	for i, want := range []*big.Rat{big.NewRat(-1, 100), big.NewRat(12345, 100)} {
		if d, ok := got[i]["d"].(*big.Rat); !ok || d.Cmp(want) != 0 {
			t.Errorf("%d: %v; want %v (schema %s)", i, got[i]["d"], want, s.ID)
		}
	}
}
