//go:build integration

package readers_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/formatstest/typedevents"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/integration/readers"
)

// TestTypedRows: JSON events of random schemas are, value by value, what two other readers find in the typed columns.
func TestTypedRows(t *testing.T) {
	for seed := range uint64(8) {
		g := typedevents.New(100 + seed)
		file := filepath.Join(t.TempDir(), "typed.parquet")
		want := writeTyped(t, g, g.Schema(int(seed%4)), file)
		for _, reader := range []string{"pyarrow", "duckdb"} {
			t.Run(reader+"/"+strconv.FormatUint(seed, 10), func(t *testing.T) {
				got, err := readers.TypedRows(t.Context(), reader, file)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("rows (-want +got):\n%.3000s", diff)
				}
			})
		}
	}
}

// writeTyped writes a file and returns what its rows must be.
func writeTyped(t *testing.T, g *typedevents.Generator, text []byte, file string) (want []map[string]any) {
	t.Helper()
	s, err := schema.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := jsondecoder.Compile(s, jsondecoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := parquetfile.DefaultConfig()
	c.PageSize, c.RowGroupSize = 8<<10, 1<<20
	f, err := parquetfile.NewTyped(c, s, func() parquetfile.Decoder { return plan.NewDecoder() })
	if err != nil {
		t.Fatal(err)
	}
	var events []ingest.Event
	for i := range 500 {
		e := g.Event(s)
		events = append(events, ingest.Event{Body: e.JSON, Offset: ingest.Offset(i)})
		want = append(want, e.Want)
	}
	if err := os.WriteFile(file, formatstest.Subject{}.Write(t, f, events), 0o600); err != nil {
		t.Fatal(err)
	}
	return want
}
