//go:build integration

package badinput

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/formats/formatstest/typedevents"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/integration/readers"
)

func TestTypedJSON(t *testing.T) {
	t.Parallel()
	typedEvents(t, "parquet", "json")
}

func TestTypedDatums(t *testing.T) {
	t.Parallel()
	typedEvents(t, "parquet", "avro")
}

func TestAvroFilesOfJSON(t *testing.T) {
	t.Parallel()
	typedEvents(t, "avro", "json")
}

func TestAvroFilesOfDatums(t *testing.T) {
	t.Parallel()
	typedEvents(t, "avro", "avro")
}

// typedEvents has events that fit a schema, and between them some that do not. The former are, value by value, what another reader finds in the
// columns; the latter are dead letters, each with its reason, and can be produced again as they were.
func typedEvents(t *testing.T, format, kind string) {
	t.Helper()
	s := newSite(t)
	g := typedevents.New(11)
	text := g.Schema(2)
	file := filepath.Join(t.TempDir(), "events.avsc")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.plan.Sink = fmt.Sprintf("roll: {age: 1s}\n    format: {type: %s, schema: %q, events: %s}", format, file, kind)
	s.write(t)
	columns, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	const events, every = 300, 7 // the last of each seven does not fit
	var records []*kgo.Record
	var want []map[string]any
	dead := map[int64]deadLetter{}
	for i := range int64(events) {
		e := g.Event(columns)
		body := e.JSON
		if kind == "avro" {
			body = e.Datum
		}
		switch {
		case i%every < every-1:
			want = append(want, e.Want)
		case kind == "avro":
			body = append(bytes.Clone(body), 0)
			dead[i] = deadLetter{"invalid_avro", "$", string(body)}
		default:
			body = append(bytes.Clone(body), '}')
			dead[i] = deadLetter{"invalid_json", "$", string(body)}
		}
		records = append(records, &kgo.Record{Topic: s.topic, Value: body})
	}
	s.send(t, records...)
	a := s.run(t)
	a.reaches(t, s.topic, events)
	a.stop(t)
	s.verify(t)
	if diff := cmp.Diff(dead, s.deadLetters(t)); diff != "" {
		t.Fatalf("dead letters (-want +got):\n%s", diff) // what is not there cannot be waited for
	}
	s.replayed(t, dead)
	if diff := cmp.Diff(want, s.typedRows(t, format)); diff != "" {
		t.Errorf("rows (-want +got):\n%.3000s", diff)
	}
}

// replayed has dead letters produced to another topic, over the agent's own login, and compares what is there then.
func (s *site) replayed(t *testing.T, dead map[int64]deadLetter) {
	t.Helper()
	to := s.topic + "-repair"
	s.makeTopic(t, to)
	if code, out, errs := command(t, "dlq", "replay", "-c", s.config, "--to", to); code != 0 {
		t.Fatalf("dlq replay: exit code %d\n%s%s", code, out, errs)
	}
	got := s.consume(t.Context(), t, to, int64(len(dead)))
	for i, offset := range slices.Sorted(maps.Keys(dead)) {
		if got[int64(i)] != dead[offset].Body {
			t.Errorf("the dead letter at %d came back as %q", offset, got[int64(i)])
		}
	}
}

// typedRows reads the published files by pyarrow or fastavro, in the order of their names, which is that of the offsets.
func (s *site) typedRows(t *testing.T, format string) (rows []map[string]any) {
	t.Helper()
	for _, name := range s.files(t, s.base, "."+format) {
		rows = append(rows, s.typedRowsOf(t, format, name)...)
	}
	return rows
}

func (s *site) typedRowsOf(t *testing.T, format, name string) []map[string]any {
	t.Helper()
	local := filepath.Join(t.TempDir(), "events."+format)
	if err := os.WriteFile(local, s.read(t, name), 0o600); err != nil {
		t.Fatal(err)
	}
	rows, err := readers.TypedRows(t.Context(), map[string]string{"parquet": "pyarrow", "avro": "fastavro"}[format], local)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
