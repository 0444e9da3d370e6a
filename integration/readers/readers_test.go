//go:build integration

package readers_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/integration/readers"
)

// row is what dump.py prints.
type row struct {
	Key, Body *string
	Headers   [][2]*string
	Timestamp int64
	Topic     string
	Partition int32
	Offset    int64
}

func rowOf(e *ingest.Event, p ingest.Partition) row {
	r := row{Key: hexOf(e.Key), Body: hexOf(e.Body), Timestamp: e.Timestamp, Topic: p.Topic, Partition: p.ID, Offset: int64(e.Offset), Headers: [][2]*string{}}
	for _, h := range e.Headers {
		r.Headers = append(r.Headers, [2]*string{&h.Key, hexOf(h.Value)})
	}
	return r
}

func hexOf(b []byte) *string {
	if b == nil {
		return nil
	}
	s := hex.EncodeToString(b)
	return &s
}

// dump reads a file by one of the other readers.
func dump(t *testing.T, reader, file string) []row {
	t.Helper()
	python, err := readers.Python(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "dump.py", reader, file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", reader, err, stderr.Bytes())
	}
	var rows []row
	lines := bufio.NewReader(bytes.NewReader(out))
	for d := json.NewDecoder(lines); d.More(); {
		var r row
		if err := d.Decode(&r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	return rows
}

// edges leaves out what the format refuses, and times that a reader has no type for.
func edges(reader string) []ingest.Event {
	var events []ingest.Event
	for _, e := range formatstest.Edges() {
		refused := len(e.Headers) > 0 && e.Headers[0].Key == "\xff\xfe"
		beyond := reader == "duckdb" && (e.Timestamp == math.MinInt64 || e.Timestamp == math.MaxInt64)
		if !refused && !beyond {
			events = append(events, e)
		}
	}
	return events
}

func TestOtherReaders(t *testing.T) {
	for _, reader := range []string{"pyarrow", "duckdb"} {
		for _, compression := range []string{"zstd", "snappy", "gzip", "none"} {
			for name, events := range map[string][]ingest.Event{
				"realistic": formatstest.Realistic(20_000),
				"edges":     edges(reader),
				"empty":     nil,
			} {
				t.Run(reader+"/"+compression+"/"+name, func(t *testing.T) {
					c := parquetfile.DefaultConfig()
					c.Compression = compression
					c.PageSize, c.RowGroupSize = 32<<10, 1<<20
					f, err := parquetfile.New(c)
					if err != nil {
						t.Fatal(err)
					}
					file := filepath.Join(t.TempDir(), "events.parquet")
					data := formatstest.Subject{}.Write(t, f, events)
					if err := os.WriteFile(file, data, 0o600); err != nil {
						t.Fatal(err)
					}
					got := dump(t, reader, file)
					if len(got) != len(events) {
						t.Fatalf("%d rows; want %d", len(got), len(events))
					}
					for i := range events {
						if diff := cmp.Diff(rowOf(&events[i], formatstest.Clicks().Partition), got[i]); diff != "" {
							t.Fatalf("row %d (-want +got):\n%.2000s", i, diff)
						}
					}
				})
			}
		}
	}
}
