//go:build integration

package readers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrofile"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/sequencefile"
	"github.com/penstock-io/penstock/formats/textfile"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/integration/cluster"
)

// TestHadoopReadsText: `hdfs dfs -text` takes the codec by the file's name, and prints the lines that were written.
func TestHadoopReadsText(t *testing.T) {
	c, err := cluster.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events := formatstest.Realistic(2000)
	events = append(events, ingest.Event{Body: bytes.Repeat([]byte("long "), 200_000)}, ingest.Event{Body: []byte{}})
	var want bytes.Buffer
	for i := range events {
		want.Write(events[i].Body)
		want.WriteByte('\n')
	}
	for _, compression := range []string{"none", "gzip", "snappy"} {
		t.Run(compression, func(t *testing.T) {
			f, err := textfile.New(textfile.Config{Compression: compression, Newline: "reject"})
			if err != nil {
				t.Fatal(err)
			}
			if got := hadoopText(t, c, f, events); got != want.String() {
				t.Errorf("%d bytes are printed, %d were written", len(got), want.Len())
			}
		})
	}
}

// hadoopText has events written into a file on HDFS, and printed by `hdfs dfs -text`.
func hadoopText(t *testing.T, c *cluster.Cluster, f formats.Format, events []ingest.Event) string {
	t.Helper()
	name := fmt.Sprintf("/user/ingest/text-%d.%s", time.Now().UnixNano(), f.Ext())
	file := formatstest.Subject{}.Write(t, f, events)
	if _, err := c.HDFSWith(t.Context(), bytes.NewReader(file), "ingest", "-put", "-", name); err != nil {
		t.Fatal(err)
	}
	got, err := c.HDFS(t.Context(), "ingest", "-text", name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.HDFS(t.Context(), "ingest", "-rm", "-skipTrash", name); err != nil {
		t.Error(err)
	}
	return got
}

// TestHadoopReadsAvro: Java's Avro, as Hadoop has it, finds the events that were written.
func TestHadoopReadsAvro(t *testing.T) {
	c, err := cluster.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events := formatstest.Realistic(2000)
	for _, compression := range []string{"none", "deflate", "snappy"} {
		t.Run(compression, func(t *testing.T) {
			config := avrofile.DefaultConfig()
			config.Compression = compression
			f, err := avrofile.New(config)
			if err != nil {
				t.Fatal(err)
			}
			rows := json.NewDecoder(strings.NewReader(hadoopText(t, c, f, events)))
			for i := range events {
				var row struct {
					Body   struct{ Bytes string }
					Offset ingest.Offset
				}
				if err := rows.Decode(&row); err != nil {
					t.Fatalf("event %d: %v", i, err)
				}
				if row.Body.Bytes != string(events[i].Body) || row.Offset != events[i].Offset {
					t.Fatalf("event %d is %+v", i, row)
				}
			}
			if rows.More() {
				t.Errorf("more than %d events", len(events))
			}
		})
	}
}

// TestHadoopReadsSequenceFiles: Hadoop's own reader finds times and bodies, in order.
func TestHadoopReadsSequenceFiles(t *testing.T) {
	c, err := cluster.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events := formatstest.Realistic(2000)
	events = append(events, ingest.Event{Timestamp: 5, Body: bytes.Repeat([]byte("long "), 100_000)}, ingest.Event{Timestamp: -1, Body: []byte{}})
	for _, value := range []string{"text", "bytes"} {
		var want strings.Builder
		for i := range events {
			body := string(events[i].Body)
			if value == "bytes" { // which prints so
				body = strings.TrimSuffix(fmt.Sprintf("% x", events[i].Body), " ")
			}
			fmt.Fprintf(&want, "%d\t%s\n", events[i].Timestamp, body)
		}
		for _, compression := range []string{"none", "deflate", "snappy"} {
			t.Run(value+"/"+compression, func(t *testing.T) {
				config := sequencefile.DefaultConfig()
				config.Value, config.Compression = value, compression
				f, err := sequencefile.New(config)
				if err != nil {
					t.Fatal(err)
				}
				if got := hadoopText(t, c, f, events); got != want.String() {
					t.Errorf("%d bytes are printed, and should be %d: %.300q", len(got), want.Len(), got)
				}
			})
		}
	}
}
