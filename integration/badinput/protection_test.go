//go:build integration

package badinput

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/hdfssink/dfs/token"
	"github.com/penstock-io/penstock/integration/cluster"
)

// Ports of what the agent talks to on HDFS.
const (
	portNameNode  = 8020
	portDataNode1 = 9866
	portDataNode2 = 9886
)

// dataProtection is how the connections to DataNodes are protected.
type dataProtection struct {
	name     string
	switches []string
	clear    bool // contents can be read on the wire
}

func dataProtections() []dataProtection {
	return []dataProtection{
		{"authentication", []string{"DATA_PROTECTION=authentication"}, true},
		{"integrity", []string{"DATA_PROTECTION=integrity"}, true},
		{"privacy with AES", nil, false},
		{"privacy with RC4", []string{"CIPHER_SUITES="}, false},
		{"encryption with AES", []string{"ENCRYPT_DATA=true", "DATA_PROTECTION=authentication"}, false},
		{"encryption with 3DES", []string{"ENCRYPT_DATA=true", "ENCRYPT_ALGORITHM=3des", "CIPHER_SUITES="}, false},
	}
}

// TestProtections: an agent lands every event once under each protection of calls and of data transfer, by a keytab, a ticket cache, a delegation token and as a proxy user. What crosses the loopback device
// meanwhile holds the path and the events where they are not sealed, which shows that the capture works, and neither where they are; it never holds the secret of a token. PENSTOCK_NIGHTLY=1 runs
// all 18 pairs, otherwise each protection comes once.
func TestProtections(t *testing.T) {
	c, err := running()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Switch(context.Background()); err != nil {
			t.Error(err)
		}
	})
	rpcs := []string{"privacy", "integrity", "authentication"}
	for d, data := range dataProtections() {
		for r, rpc := range rpcs {
			if os.Getenv("PENSTOCK_NIGHTLY") == "" && (d%len(rpcs) != r || d > len(rpcs)) {
				continue
			}
			t.Run(rpc+", "+data.name, func(t *testing.T) {
				if err := c.Switch(t.Context(), append([]string{"RPC_PROTECTION=" + rpc}, data.switches...)...); err != nil {
					t.Fatal(err)
				}
				for _, by := range []string{"keytab", "cache", "token", "proxy"} {
					t.Run(by, func(t *testing.T) { protectedRun(t, by, rpc != "privacy", data.clear) })
				}
			})
		}
	}
}

// protectedRun has an agent land events, logged in by one of three means, and looks for them on the wire.
func protectedRun(t *testing.T, by string, clearCalls, clearData bool) {
	t.Helper()
	s := newSite(t)
	s.plan.Sink = "roll: {age: 1s}\n    format: {type: parquet, compression: none}"
	s.write(t)
	config := s.config
	secrets := [][]byte{readSecret(t, s.plan.Keytab)}
	switch by {
	case "cache":
		cache := filepath.Join(s.dir, "cache")
		kinit := exec.CommandContext(t.Context(), "kinit", "-kt", s.plan.Keytab, "-c", "FILE:"+cache, "ingest@EXAMPLE.TEST")
		kinit.Env = append(os.Environ(), "KRB5_CONFIG="+s.plan.KRB5)
		if out, err := kinit.CombinedOutput(); err != nil {
			t.Fatalf("kinit: %v\n%s", err, out)
		}
		config = s.changed(t, fmt.Sprintf("keytab: \"file:%s\"", s.plan.Keytab), fmt.Sprintf("cache: %q", "FILE:"+cache))
	case "token":
		file := s.fetchToken(t, cluster.FetchTokens, "--renewer", "ingest")
		all, err := token.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, all[0].Password, []byte(base64.StdEncoding.EncodeToString(all[0].Password)))
		config = s.changed(t, "kerberos: ingest}", `tokens: "`+file+`"}`)
	}
	if by == "proxy" {
		s.hdfs(t, "hdfs", "-chown", "alice", s.base)
		config = s.changed(t, "kerberos: ingest}", "kerberos: ingest, do_as: alice}")
	}
	const events = 200
	s.produce(t, "what "+s.topic+" says", events)
	wire := newCapture(t, portNameNode, portDataNode1, portDataNode2)
	a := start(t, config, s.plan.Admin)
	a.reaches(t, s.topic, events)
	a.stop(t)
	wire.end(t)
	if by == "proxy" {
		s.hdfs(t, "hdfs", "-chown", "-R", "ingest", s.base) // for verify, which comes as itself
	}
	s.exactly(t)

	if got := wire.holds([]byte("/user/ingest/" + s.topic)); got != (clearCalls || clearData) { // manifests have it too
		t.Errorf("the path can be read on the wire: %t", got)
	}
	if got := wire.holds([]byte("what " + s.topic + " says")); got != clearData {
		t.Errorf("the events can be read on the wire: %t", got)
	}
	if n := wire.size(); n < events*len(s.topic) {
		t.Errorf("%d bytes crossed: that cannot be all", n)
	}
	if slices.ContainsFunc(secrets, wire.holds) {
		t.Error("a secret crossed the wire")
	}
	if strings.Contains(a.text(), "WARN") {
		t.Logf("the agent warns:\n%s", a.text())
	}
}

// TestProxyUser: files are the user's on whose behalf the agent comes. One whom it may not stand for is named, with what to do, and nothing is lost.
func TestProxyUser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.hdfs(t, "hdfs", "-chown", "alice", s.base)
	s.produce(t, "a", 20)
	forbidden := s.changed(t, "kerberos: ingest}", "kerberos: ingest, do_as: mallory}")
	a := start(t, forbidden, s.plan.Admin)
	if said := a.retrying(t, "is not allowed to impersonate mallory"); !strings.Contains(said, "hadoop.proxyuser.NAME.hosts") {
		t.Errorf("it says %s", said)
	}
	a.stop(t)
	if code, out, _ := command(t, "doctor", "-c", forbidden); code != 77 || !strings.Contains(out, "mallory by proxy of ingest@EXAMPLE.TEST") {
		t.Errorf("doctor: exit code %d\n%s", code, out)
	}
	allowed := s.changed(t, "kerberos: ingest}", "kerberos: ingest, do_as: alice}")
	a = start(t, allowed, s.plan.Admin)
	a.reaches(t, s.topic, 20)
	a.stop(t)
	for line := range strings.Lines(s.hdfs(t, "hdfs", "-ls", "-R", s.base)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] != "alice" {
			t.Errorf("not alice's: %s", line)
		}
	}
	if code, out, errs := command(t, "verify", "-c", allowed, "--read"); code != 0 {
		t.Errorf("verify: exit code %d\n%s%s", code, out, errs)
	}
}

// readSecret is the end of a keytab, which is a key.
func readSecret(t *testing.T, keytab string) []byte {
	t.Helper()
	data, err := os.ReadFile(keytab)
	if err != nil {
		t.Fatal(err)
	}
	return data[len(data)-24 : len(data)-4]
}
