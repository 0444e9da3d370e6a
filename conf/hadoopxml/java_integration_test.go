//go:build integration

package hadoopxml_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestJava asks Hadoop itself: the golden file must be what org.apache.hadoop.conf.Configuration prints.
func TestJava(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "../../integration/cluster/cluster.sh", "image").Output()
	if err != nil {
		t.Fatalf("find the cluster's image: %v", err)
	}
	data, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadFile("testdata/names.txt")
	if err != nil {
		t.Fatal(err)
	}
	java := exec.CommandContext(t.Context(), "docker", "run", "--rm", "-i", "--network", "none", "-v", data+":/t:ro",
		"-e", "PENSTOCK_A=from-env", "-e", "PENSTOCK_EMPTY=", "--entrypoint", "java", strings.TrimSpace(string(out)),
		"-Duser.name=penstock", "-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-cp", "/t/odd:/opt/cluster/lib/hadoop/*", "/t/Dump.java")
	java.Stdin = bytes.NewReader(names)
	var stderr strings.Builder
	java.Stderr = &stderr
	got, err := java.Output()
	if err != nil {
		t.Fatalf("run Hadoop's Configuration: %v\n%s", err, stderr.String())
	}
	want, err := os.ReadFile("testdata/java.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("(-golden +java):\n%s", diff)
	}
}
