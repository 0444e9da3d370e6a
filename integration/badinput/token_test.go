//go:build integration

package badinput

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/integration/cluster"
	"github.com/penstock-io/penstock/integration/penstock"
)

// fetchToken has Java's client get a delegation token of ingest's, and returns the file.
func (s *site) fetchToken(t *testing.T, tool cluster.Tool, args ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp(s.c.Conf().Dir, "badinput-") //nolint:usetesting // the client runs in a container, which sees that directory
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	file := filepath.Join(dir, "tokens")
	if out, err := s.c.AdminAs(t.Context(), "ingest", tool, append(args, file)...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// TestDelegationToken: with a token of the NameNode's, in either of Hadoop's two forms of files, an agent lands every event once, under privacy; commands find it where launchers leave it. One that
// was cancelled is named, and nothing is lost: with a new one in its place the agent goes on.
func TestDelegationToken(t *testing.T) {
	s := newSite(t) // not beside others: it sets an environment variable
	file := s.fetchToken(t, cluster.FetchTokens, "--renewer", "ingest")
	protobuf := s.fetchToken(t, cluster.Tokens, "get", s.c.Conf().DefaultFS, "-format", "protobuf")
	own := filepath.Join(s.dir, "tokens")
	copyFile(t, protobuf, own)
	config := s.changed(t, "kerberos: ingest}", `tokens: "`+own+`"}`)
	s.produce(t, "first", 300)
	a := start(t, config, s.plan.Admin)
	a.reaches(t, s.topic, 300)
	if page := penstock.Page(t.Context(), s.plan.Admin, "/metrics"); !regexp.MustCompile(`(?m)^penstock_hadoop_token_max_timestamp_seconds\{hadoop="default",owner="ingest@EXAMPLE.TEST"\} 1\.\d+e\+09$`).MatchString(page) {
		t.Errorf("no metric tells the token's end:\n%s", regexp.MustCompile(`(?m)^penstock_hadoop.*$`).FindAllString(page, -1))
	}
	a.stop(t)

	t.Setenv("HADOOP_TOKEN_FILE_LOCATION", file)
	if code, out, errs := command(t, "verify", "-c", s.changed(t, ", kerberos: ingest}", "}"), "--read"); code != 0 || !strings.Contains(out, "accounted for exactly once") {
		t.Errorf("verify by $HADOOP_TOKEN_FILE_LOCATION: exit code %d\n%s%s", code, out, errs)
	}
	if code, out, errs := command(t, "doctor", "-c", config); code != 0 || !strings.Contains(out, "as ingest@EXAMPLE.TEST by a delegation token; calls have auth-conf") {
		t.Errorf("doctor: exit code %d\n%s%s", code, out, errs)
	}

	if out, err := s.c.AdminAs(t.Context(), "ingest", cluster.FetchTokens, "--cancel", protobuf); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.produce(t, "second", 200)
	a = start(t, config, s.plan.Admin)
	if said := a.retrying(t, "has expired or was cancelled"); !strings.Contains(said, "fetch another") || strings.Contains(said, "password") {
		t.Errorf("it says %s", said)
	}
	copyFile(t, file, own)
	a.reaches(t, s.topic, 500)
	a.stop(t)
	s.exactly(t)
}
