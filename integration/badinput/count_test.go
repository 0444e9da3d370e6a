//go:build integration

package badinput

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xitongsys/parquet-go-source/buffer"
	"github.com/xitongsys/parquet-go/reader"

	"github.com/penstock-io/penstock/integration/oracle"
)

// files lists what is on HDFS below a directory, as a plain reader of names would.
func (s *site) files(t *testing.T, dir, ext string) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(s.hdfs(t, "hdfs", "-ls", "-R", dir)) {
		at := strings.Index(line, dir)
		if at < 0 || strings.HasPrefix(line, "d") {
			continue
		}
		if name := strings.TrimSuffix(line[at:], "\n"); strings.HasSuffix(name, ext) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// rows reads files with the oracle's reader, which shares no code with the writer.
func (s *site) rows(t *testing.T, names []string) []oracle.Row {
	t.Helper()
	var rows []oracle.Row
	for _, name := range names {
		err := oracle.ReadFile(name, s.read(t, name), func(r oracle.Row) error {
			rows = append(rows, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// exactly holds what a plain **/*.parquet finds to what was sent: each event once, and nothing else. `penstock verify` has to agree.
func (s *site) exactly(t *testing.T) {
	t.Helper()
	seen := map[string]int{}
	for _, r := range s.rows(t, s.files(t, s.base, ".parquet")) {
		seen[string(r.Body)]++
	}
	for _, body := range slices.Sorted(maps.Keys(seen)) {
		if n := seen[body]; n != 1 || !s.sent[body] {
			t.Errorf("%.80q is there %d times, and was sent: %t", body, n, s.sent[body])
		}
	}
	if len(seen) != len(s.sent) {
		t.Errorf("%d events are there, %d were sent", len(seen), len(s.sent))
	}
	s.verify(t)
}

func (s *site) verify(t *testing.T) {
	t.Helper()
	if code, out, errs := command(t, "verify", "-c", s.config, "--read"); code != 0 {
		t.Errorf("verify: exit code %d\n%s%s", code, out, errs)
	}
}

// deadLetter is one event that was not written, and why.
type deadLetter struct{ Reason, At, Body string }

// deadLetters reads the sink's, by offset.
func (s *site) deadLetters(t *testing.T) map[int64]deadLetter {
	t.Helper()
	all := map[int64]deadLetter{}
	for _, name := range s.files(t, s.base, ".dead") {
		data := s.read(t, name)
		pr, err := reader.NewParquetColumnReader(buffer.NewBufferFileFromBytesNoAlloc(data), 1)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		column := func(c string) []any {
			values, _, _, err := pr.ReadColumnByPath(pr.SchemaHandler.GetRootExName()+"\x01"+c, pr.GetNumRows())
			if err != nil {
				t.Fatalf("%s: column %s: %v", name, c, err)
			}
			return values
		}
		text := func(v any) string {
			is, _ := v.(string)
			return is
		}
		bodies, reasons, paths := column("body"), column("reason"), column("path")
		for i, o := range column("offset") {
			offset, ok := o.(int64)
			if _, twice := all[offset]; !ok || twice {
				t.Errorf("%s: offset %v is no number, or is there twice", name, o)
			}
			all[offset] = deadLetter{text(reasons[i]), text(paths[i]), text(bodies[i])}
		}
		pr.ReadStop()
	}
	return all
}

// golden holds a message to testdata/NAME.golden; what differs between runs is replaced first.
func (s *site) golden(t *testing.T, name, message string) {
	t.Helper()
	got := s.normal(message)
	file := filepath.Join("testdata", name+".golden")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s\n(go test -update writes it anew)", file, diff)
	}
}

func (s *site) normal(message string) string {
	host, _ := os.Hostname()
	plain := strings.NewReplacer(
		s.c.Conf().Dir, "CLUSTER", s.config, "/etc/penstock/events.yaml", path.Dir(s.config), "DIR", s.base, "/BASE", s.topic, "TOPIC", host, "HOST",
	).Replace(message)
	for _, r := range []struct{ from, to string }{
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`, "TIME"},
		{`pid \d+`, "pid N"},
		{`(127\.0\.0\.1|localhost):\d{4,5}`, "$1:PORT"},
		{`\[::1\]:\d{4,5}`, "[::1]:PORT"},
		{`(id was|now it is|and is) [A-Za-z0-9_-]{22}`, "$1 ID"},
		{`(cluster "?)[A-Za-z0-9_-]{22}`, "${1}ID"},
		{`(claim|live|new|probe|commit)-[a-zA-Z0-9]{12,}`, "$1-RANDOM"},
		{`[0-9a-f]{64}`, "SHA256"},
		{`epoch-\d{10}`, "epoch-N"},
		{`\.staged-[0-9-]+`, ".staged-N"},
		{`(file count=|consumed = )\d+( B = [0-9.]+)?`, "${1}N"},
		{`\(\d+ ms\)`, "(N ms)"},
		{`dt=\d{4}-\d\d-\d\d`, "dt=DAY"},
		{`\(attempt \d+\)`, "(attempt N)"},
	} {
		plain = regexp.MustCompile(r.from).ReplaceAllString(plain, r.to)
	}
	return fmt.Sprintln(strings.TrimSpace(plain))
}
