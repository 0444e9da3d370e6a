//go:build integration

package readers_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrofile"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/formatstest/typedevents"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/integration/readers"
)

// TestTypedRows: JSON events of random schemas are, value by value, what other readers find in the typed columns of Parquet, and in the datums of Avro.
func TestTypedRows(t *testing.T) {
	for seed := range uint64(8) {
		for _, kind := range []string{"parquet", "avro"} {
			g := typedevents.New(100 + seed)
			file := filepath.Join(t.TempDir(), "typed."+kind)
			want := writeTyped(t, g, kind, file, int(seed%4))
			for _, reader := range map[string][]string{"parquet": {"pyarrow", "duckdb"}, "avro": {"fastavro"}}[kind] {
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
}

// writeTyped writes a file and returns what its rows must be.
func writeTyped(t *testing.T, g *typedevents.Generator, kind, file string, depth int) (want []map[string]any) {
	t.Helper()
	s, err := schema.Parse(g.Schema(depth))
	if err != nil {
		t.Fatal(err)
	}
	source, err := bodies.JSON(s, jsondecoder.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := typedFormat(kind, source)
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

func typedFormat(kind string, source *bodies.Source) (formats.Format, error) {
	if kind == "avro" {
		c := avrofile.DefaultConfig()
		c.BlockSize, c.Origin = 8*conf.KiB, true
		return avrofile.NewTyped(c, source)
	}
	c := parquetfile.DefaultConfig()
	c.PageSize, c.RowGroupSize = 8*conf.KiB, conf.MiB
	return parquetfile.NewTyped(c, source)
}
