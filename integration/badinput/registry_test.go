//go:build integration

package badinput

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/integration/apicurio"
	"github.com/penstock-io/penstock/integration/readers"
)

// versions are what producers wrote with, the oldest first, and columns what the sink has.
func versions() (schemas []string, columns string) {
	record := func(fields string) string { return `{"type":"record","name":"order","fields":[` + fields + `]}` }
	return []string{
			record(`{"name":"id","type":"int"},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}`),
			record(`{"name":"note","type":["null","string","long"]},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"id","type":"long"},{"name":"state","type":"string"}`),
			record(`{"name":"state","type":"string"},{"name":"id","type":"long"},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}`),
			record(`{"name":"id","type":"string"}`),
		},
		record(`{"name":"id","type":"long"},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},{"name":"state","type":"string","default":"new"}`)
}

// serialize has a producer's library write events, each by the version at its number.
func serialize(t *testing.T, url string, lines ...string) (bodies [][]byte) {
	t.Helper()
	python, err := readers.Python(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	schemas, _ := versions()
	cmd := exec.CommandContext(t.Context(), python, append([]string{"../apicurio/serialize.py", url}, schemas...)...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("serialize.py: %v\n%s", err, stderrOf(err))
	}
	for line := range strings.Lines(string(out)) {
		body, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, body)
	}
	return bodies
}

func (s *site) sendBodies(t *testing.T, bodies ...[]byte) {
	t.Helper()
	var records []*kgo.Record
	for _, b := range bodies {
		records = append(records, &kgo.Record{Topic: s.topic, Value: b})
	}
	s.send(t, records...)
}

// TestRegistry: events of several versions of a schema, by a producer's own library and a real registry, land in the columns of one. While the registry is away what is
// known goes on, over a start of the agent too; what is not waits, and is neither lost nor refused.
func TestRegistry(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	there, err := apicurio.Start(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { there.Stop() })
	_, columns := versions()
	file := filepath.Join(s.dir, "order.avsc")
	if err := os.WriteFile(file, []byte(columns), 0o600); err != nil {
		t.Fatal(err)
	}
	s.plan.Sink = fmt.Sprintf("event_time: {from: field $.at}\n    roll: {age: 1s}\n    format: {type: parquet, schema: %q, events: confluent-avro, registry: {urls: [%q], timeout: 2s, cache: %q}}",
		file, there.URL, filepath.Join(s.dir, "schemas"))
	s.write(t)
	bodies := serialize(t, there.URL,
		`0 {"id": 1, "at": 1767225600000}`, `1 {"id": 2, "at": 1767225600001, "note": 5, "state": "paid"}`, `3 {"id": "three"}`,
		`1 {"id": 4, "at": 1767225600002, "note": null, "state": "sent"}`, `0 {"id": 5, "at": 1767225600003}`, `2 {"id": 6, "at": 1767225600004, "state": "late"}`,
	)
	late := bodies[5] // of a version that the agent meets when the registry is away
	unknown := append(binary.BigEndian.AppendUint32([]byte{0}, 4242), 0)
	s.sendBodies(t, append(bodies[:5:5], unknown, []byte("no event of ours"))...)
	a := s.run(t)
	a.reaches(t, s.topic, 7)
	a.stop(t)

	there.Stop()
	s.sendBodies(t, bodies[0], bodies[1])
	a = s.run(t)
	a.reaches(t, s.topic, 9)
	s.sendBodies(t, late)
	a.retrying(t, "no registry answers: "+there.URL)
	_, elsewhere, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	if there, err = apicurio.Start(t.Context(), elsewhere); err != nil {
		t.Fatal(err)
	}
	serialize(t, there.URL, `0 {"id": 0, "at": 0}`, `1 {"id": 0, "at": 0, "note": null, "state": ""}`, `3 {"id": ""}`, `2 {"id": 0, "at": 0, "state": ""}`) // the same numbers as before
	forward(t, "127.0.0.1:"+port, "127.0.0.1:"+elsewhere)
	a.reaches(t, s.topic, 10)
	a.stop(t)

	s.verify(t)
	var want []map[string]any
	for _, row := range []string{"1 0 new", "2 1 paid", "4 2 sent", "5 3 new", "1 0 new", "2 1 paid", "6 4 late"} {
		var id, at int64
		var state string
		if _, err := fmt.Sscan(row, &id, &at, &state); err != nil {
			t.Fatal(err)
		}
		want = append(want, map[string]any{
			"id": json.Number(strconv.FormatInt(id, 10)), "at": fmt.Sprintf("at:%d", (1767225600000+at)*1_000_000), "state": "text:" + state,
		})
	}
	if diff := cmp.Diff(want, s.typedRows(t, "parquet")); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	dead := map[int64]deadLetter{
		2: {"incompatible_schema", "body", string(bodies[2])},
		5: {"unknown_schema", "body", string(unknown)},
		6: {"no_schema_id", "body", "no event of ours"},
	}
	if diff := cmp.Diff(dead, s.deadLetters(t)); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

func stderrOf(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(exit.Stderr)
	}
	return ""
}
