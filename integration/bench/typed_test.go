//go:build integration

package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/integration/readers"
)

// shape is a kind of event: an Avro schema, the same for DuckDB's reader, and a way to make them.
type shape struct {
	name, schema, columns string
	event                 func(dst []byte) []byte
}

// nested is a log event as jsonevents makes it.
func nested() shape {
	g := jsonevents.New(1, 7)
	return shape{
		name: "nested",
		schema: `{"type":"record","name":"click","fields":[{"name":"producer","type":"int"},{"name":"seq","type":"long"},{"name":"ts","type":"long"},
			{"name":"level","type":"string"},{"name":"service","type":"string"},{"name":"host","type":"string"},{"name":"trace","type":"string"},
			{"name":"user","type":["null",{"type":"record","name":"user","fields":[{"name":"id","type":["null","long"]},{"name":"country","type":["null","string"]},{"name":"premium","type":["null","boolean"]}]}]},
			{"name":"request","type":["null",{"type":"record","name":"request","fields":[{"name":"method","type":["null","string"]},{"name":"path","type":["null","string"]},
				{"name":"status","type":["null","int"]},{"name":"bytes","type":["null","long"]},{"name":"latency_ms","type":["null","double"]}]}]},
			{"name":"tags","type":["null",{"type":"array","items":["null","string"]}]},{"name":"message","type":["null","string"]}]}`,
		columns: `{producer: 'INTEGER', seq: 'BIGINT', ts: 'BIGINT', level: 'VARCHAR', service: 'VARCHAR', host: 'VARCHAR', trace: 'VARCHAR',
			user: 'STRUCT(id BIGINT, country VARCHAR, premium BOOLEAN)',
			request: 'STRUCT(method VARCHAR, path VARCHAR, status INTEGER, bytes BIGINT, latency_ms DOUBLE)', tags: 'VARCHAR[]', message: 'VARCHAR'}`,
		event: g.Append,
	}
}

// flat is an event of n numbers, every third of them with a fraction.
func flat(n int) shape {
	r := rand.New(rand.NewPCG(7, 7))
	var fields, columns []string
	for i := range n {
		avro, sql := "long", "BIGINT"
		if i%3 == 2 {
			avro, sql = "double", "DOUBLE"
		}
		fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":["null",%q]}`, i, avro))
		columns = append(columns, fmt.Sprintf("f%d: '%s'", i, sql))
	}
	return shape{
		name:    fmt.Sprintf("flat, %d columns", n),
		schema:  `{"type":"record","name":"numbers","fields":[` + strings.Join(fields, ",") + `]}`,
		columns: "{" + strings.Join(columns, ", ") + "}",
		event: func(dst []byte) []byte {
			for i := range n {
				dst = append(dst, "{,"[min(i, 1)])
				dst = append(strconv.AppendInt(append(dst, `"f`...), int64(i), 10), `":`...)
				if i%3 == 2 {
					dst = strconv.AppendFloat(dst, r.Float64()*1000, 'f', 4, 64)
				} else {
					dst = strconv.AppendInt(dst, r.Int64N(1_000_000), 10)
				}
			}
			return append(dst, '}')
		},
	}
}

// BenchmarkTyped is JSON lines to typed Parquet (zstd, level 1) on one core, beside DuckDB with one thread: from file to file, by the CPU that the
// work itself took.
func BenchmarkTyped(b *testing.B) {
	python, err := readers.Python(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range []shape{nested(), flat(12), flat(200)} {
		b.Run(s.name, func(b *testing.B) { typedBeside(b, s, python) })
	}
}

func typedBeside(b *testing.B, s shape, python string) {
	b.Helper()
	dir := b.TempDir()
	lines := filepath.Join(dir, "events.json")
	events := writeLines(b, lines, s, size(200<<20, 10<<20))
	for b.Loop() {
		var ours, theirs series
		for range rounds(b, 7) {
			var says encodeSays
			p := role(b, "typed", typedPlan{Lines: lines, Schema: s.schema, Out: filepath.Join(dir, "ours.parquet")})
			p.hear(b, &says)
			p.finish(b)
			ours = append(ours, perMillion(says.CPU, events))
			theirs = append(theirs, perMillion(duckCPU(b, python, s, lines, filepath.Join(dir, "theirs.parquet")), events))
		}
		ratios := theirs.over(ours)
		b.Logf("%d events; CPU s per million: Penstock %s, DuckDB %s; events per CPU second, ratio %s; bytes %s", events, ours, theirs, ratios, sizesOf(b, dir))
		b.ReportMetric(ratios.median(), "ratio")
		b.ReportMetric(ours.median(), "cpu-s/Mevents")
		b.ReportMetric(0, "ns/op")
	}
}

func writeLines(b *testing.B, name string, s shape, bytes int64) (events int64) {
	b.Helper()
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	var line []byte
	for written := int64(0); written < bytes; events++ {
		line = append(s.event(line[:0]), '\n')
		if _, err := w.Write(line); err != nil {
			b.Fatal(err)
		}
		written += int64(len(line))
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return events
}

func sizesOf(b *testing.B, dir string) string {
	b.Helper()
	var sizes []string
	for _, name := range []string{"ours.parquet", "theirs.parquet"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			b.Fatal(err)
		}
		sizes = append(sizes, strconv.FormatInt(info.Size(), 10))
	}
	return strings.Join(sizes, " and ")
}

// typedPlan turns lines of JSON into a typed file.
type typedPlan struct{ Lines, Schema, Out string }

func playTyped(_ context.Context, p typedPlan) error {
	s, err := schema.Parse([]byte(p.Schema))
	if err != nil {
		return err
	}
	source, err := bodies.JSON(s, jsondecoder.Options{})
	if err != nil {
		return err
	}
	c := parquetfile.DefaultConfig()
	c.Origin = false
	f, err := parquetfile.NewTyped(c, source)
	if err != nil {
		return err
	}
	before, err := ownCPU()
	if err != nil {
		return err
	}
	if err := encodeLines(f, p); err != nil {
		return err
	}
	after, err := ownCPU()
	if err != nil {
		return err
	}
	return say(encodeSays{CPU: after - before})
}

func encodeLines(f *parquetfile.Format, p typedPlan) error {
	in, err := os.Open(p.Lines)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(p.Out)
	if err != nil {
		return err
	}
	enc, err := f.NewEncoder(out, formats.Context{Partition: ingest.Partition{Topic: topic}})
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	for lines.Scan() {
		if err := enc.Append(&ingest.Event{Body: lines.Bytes()}); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	if err := enc.Close(nil); err != nil {
		return err
	}
	return out.Close()
}

// duckCPU has DuckDB do the same.
func duckCPU(b *testing.B, python string, s shape, in, out string) time.Duration {
	b.Helper()
	const script = `
import duckdb, resource, sys
columns, source, target = sys.argv[1:]
duckdb.execute("SET threads = 1; SET enable_progress_bar = false")
def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
before = cpu()
duckdb.execute(f"COPY (SELECT * FROM read_json('{source}', format = 'newline_delimited', columns = {columns})) TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
print(cpu() - before)
`
	text, err := exec.CommandContext(b.Context(), python, "-c", script, s.columns, in, out).Output()
	if err != nil {
		b.Fatal(err)
	}
	seconds, err := strconv.ParseFloat(string(bytes.TrimSpace(text)), 64)
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(seconds * float64(time.Second))
}
