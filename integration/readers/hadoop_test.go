//go:build integration

package readers_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/penstock-io/penstock/formats/formatstest"
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
			name := fmt.Sprintf("/user/ingest/text-%d.%s", time.Now().UnixNano(), f.Ext())
			file := formatstest.Subject{}.Write(t, f, events)
			if _, err := c.HDFSWith(t.Context(), bytes.NewReader(file), "ingest", "-put", "-", name); err != nil {
				t.Fatal(err)
			}
			got, err := c.HDFS(t.Context(), "ingest", "-text", name)
			if err != nil {
				t.Fatal(err)
			}
			if got != want.String() {
				t.Errorf("%d bytes are printed, %d were written", len(got), want.Len())
			}
			if _, err := c.HDFS(t.Context(), "ingest", "-rm", "-skipTrash", name); err != nil {
				t.Error(err)
			}
		})
	}
}
