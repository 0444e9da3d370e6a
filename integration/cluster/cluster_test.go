//go:build integration

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/integration/cluster"
)

func start(t *testing.T) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestUsersLogIn gets a ticket for each user with the keytab and the krb5.conf that tests are given.
func TestUsersLogIn(t *testing.T) {
	c := start(t)
	for _, user := range []string{"hdfs", "ingest", "ingest2", "alice", "mallory"} {
		login(t, c, user)
	}
}

// login runs kinit with a ticket cache of its own and returns what klist says of it.
func login(t *testing.T, c *cluster.Cluster, user string) string {
	t.Helper()
	const script = `export KRB5_CONFIG=$1 KRB5CCNAME=FILE:$(mktemp); kinit -kt "$2" "$3" && klist; code=$?; kdestroy -q; exit $code`
	cmd := exec.CommandContext(t.Context(), "docker", "exec", "penstock-kdc", "bash", "-c", script, "-",
		c.Conf().KRB5, c.Keytab(user), c.Principal(user))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("log %s in: %v: %s", user, err, out)
	}
	return string(out)
}

func TestLimitTickets(t *testing.T) {
	c := start(t)
	if err := c.LimitTickets(t.Context(), "ingest2", 2*time.Minute); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.LimitTickets(context.Background(), "ingest2", 0); err != nil {
			t.Error(err)
		}
	})
	var from, until time.Time
	for line := range strings.Lines(login(t, c, "ingest2")) {
		// 11/24/26 04:40:00  11/24/26 04:42:00  krbtgt/EXAMPLE.TEST@EXAMPLE.TEST
		if f := strings.Fields(line); len(f) == 5 && strings.HasPrefix(f[4], "krbtgt/") {
			from, _ = time.Parse("01/02/06 15:04:05", f[0]+" "+f[1])
			until, _ = time.Parse("01/02/06 15:04:05", f[2]+" "+f[3])
		}
	}
	if got := until.Sub(from); got <= 0 || got > 2*time.Minute {
		t.Errorf("ticket's life is %v, want at most 2m", got)
	}
}

func TestHDFS(t *testing.T) {
	c, ctx := start(t), t.Context()
	const dir = "/user/ingest/cluster-test"
	hdfs(t, c, "ingest", "-rm", "-r", "-f", "-skipTrash", dir)
	hdfs(t, c, "ingest", "-mkdir", dir)
	want := strings.Repeat("drop by drop\n", 20_000) // more than one packet
	if _, err := c.HDFSWith(ctx, strings.NewReader(want), "ingest", "-put", "-", dir+"/f"); err != nil {
		t.Fatal(err)
	}
	if got := hdfs(t, c, "ingest2", "-cat", dir+"/f"); got != want {
		t.Errorf("read %d bytes, want the %d that were written", len(got), len(want))
	}
	for _, user := range []string{"alice", "mallory"} {
		_, err := c.HDFS(ctx, user, "-touch", dir+"/g")
		if err == nil || !strings.Contains(err.Error(), "Permission denied: user="+user) {
			t.Errorf("%s may write into %s: %v", user, dir, err)
		}
	}
	if out, err := c.Admin(ctx, cluster.Fsck, dir); err != nil || !strings.Contains(out, "is HEALTHY") {
		t.Errorf("fsck: %v: %s", err, out)
	}
	hdfs(t, c, "ingest", "-rm", "-r", "-skipTrash", dir)
}

func hdfs(t *testing.T, c *cluster.Cluster, user string, args ...string) string {
	t.Helper()
	out, err := c.HDFS(t.Context(), user, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestKafka produces over every listener with its own credentials, and reads everything back over GSSAPI.
func TestKafka(t *testing.T) {
	c, ctx := start(t), t.Context()
	conf := c.Conf()
	topic := fmt.Sprintf("cluster-test-%d", time.Now().UnixNano())
	admin(t, c, cluster.Topics, "--create", "--topic", topic, "--config", "segment.bytes=1048576")
	t.Cleanup(func() {
		if _, err := c.Admin(context.Background(), cluster.Topics, "--delete", "--topic", topic); err != nil {
			t.Error(err)
		}
	})
	properties := func(name string) string {
		return filepath.Join(conf.Dir, "conf", "kafka", "client-"+name+".properties")
	}
	for _, listener := range []struct{ address, name string }{
		{conf.KafkaGSSAPI, "gssapi"},
		{conf.KafkaSCRAM, "scram"},
		{conf.KafkaSASLSSL, "saslssl"},
		{conf.KafkaSSL, "ssl"},
	} {
		_, err := c.AdminWith(ctx, strings.NewReader(listener.name+"\n"), "kafka.tools.ConsoleProducer", "--topic", topic,
			"--bootstrap-server", listener.address, "--producer.config", properties(listener.name))
		if err != nil {
			t.Fatal(err)
		}
	}
	got := admin(t, c, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--topic", topic, "--from-beginning",
		"--max-messages", "4", "--timeout-ms", "30000",
		"--bootstrap-server", conf.KafkaGSSAPI, "--consumer.config", properties("gssapi"))
	if want := "gssapi\nscram\nsaslssl\nssl\n"; got != want {
		t.Errorf("consumed %q, want %q", got, want)
	}
	if got := admin(t, c, cluster.Offsets, "--topic", topic); got != topic+":0:4\n" {
		t.Errorf("end offset is %q, want 4", got)
	}
}

func admin(t *testing.T, c *cluster.Cluster, tool cluster.Tool, args ...string) string {
	t.Helper()
	out, err := c.Admin(t.Context(), tool, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDataNodeDiesAndComesBack kills a DataNode, waits until the NameNode has given it up, and finds the same data after
// it was started again.
func TestDataNodeDiesAndComesBack(t *testing.T) {
	c, ctx := start(t), t.Context()
	const file = "/user/ingest/cluster-test-survivor"
	if _, err := c.HDFSWith(ctx, strings.NewReader("still here\n"), "ingest", "-put", "-f", "-", file); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(ctx, cluster.DataNode1); err != nil {
		t.Fatal(err)
	}
	awaitLive(t, c, 1)
	if got := hdfs(t, c, "ingest", "-cat", file); got != "still here\n" {
		t.Errorf("with one DataNode read %q", got)
	}
	if err := c.Run(ctx, cluster.DataNode1); err != nil {
		t.Fatal(err)
	}
	awaitLive(t, c, 2)
	if err := c.Kill(ctx, cluster.DataNode2); err != nil {
		t.Fatal(err)
	}
	if got := hdfs(t, c, "ingest", "-cat", file); got != "still here\n" {
		t.Errorf("from the DataNode that was killed read %q", got)
	}
	if err := c.Run(ctx, cluster.DataNode2); err != nil {
		t.Fatal(err)
	}
	awaitLive(t, c, 2)
}

// awaitLive returns when the NameNode counts n live DataNodes; the test's deadline is the limit.
func awaitLive(t *testing.T, c *cluster.Cluster, n int) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		beans, err := c.JMX(t.Context(), cluster.NameNode, "Hadoop:service=NameNode,name=FSNamesystemState")
		if err != nil {
			t.Fatal(err)
		}
		if len(beans) == 1 && beans[0]["NumLiveDataNodes"] == float64(n) {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("the NameNode does not count %d DataNodes: %v", n, beans)
		}
	}
}

// TestSwitch changes the protections of the living cluster and finds the old data under the new ones.
func TestSwitch(t *testing.T) {
	c, ctx := start(t), t.Context()
	const file = "/user/ingest/cluster-test-switch"
	if _, err := c.HDFSWith(ctx, strings.NewReader("before\n"), "ingest", "-put", "-f", "-", file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Switch(context.Background()); err != nil {
			t.Error(err)
		}
	})
	started := startTime(t, c)
	if err := c.Switch(ctx, "RPC_PROTECTION=authentication", "DATA_PROTECTION=integrity", "CIPHER_SUITES="); err != nil {
		t.Fatal(err)
	}
	if startTime(t, c) == started {
		t.Error("the NameNode was not restarted")
	}
	for file, want := range map[string]string{
		"core-site.xml": "<name>hadoop.rpc.protection</name><value>authentication</value>",
		"hdfs-site.xml": "<name>dfs.data.transfer.protection</name><value>integrity</value>",
	} {
		if got, err := os.ReadFile(filepath.Join(c.Conf().HadoopConf, file)); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s (%v) is without %s", file, err, want)
		}
	}
	if got := hdfs(t, c, "ingest", "-cat", file); got != "before\n" {
		t.Errorf("after the switch read %q", got)
	}
}

// TestEncrypt makes an encryption zone and reads a file in it, whose stored bytes are others.
func TestEncrypt(t *testing.T) {
	c, ctx := start(t), t.Context()
	if err := c.Encrypt(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Switch(context.Background()), c.Stop(context.Background(), cluster.KMS)); err != nil {
			t.Error(err)
		}
	})
	name := fmt.Sprintf("cluster-test-%d", time.Now().UnixNano())
	dir := "/user/ingest/" + name
	admin(t, c, cluster.Keys, "create", name, "-size", "128")
	hdfs(t, c, "ingest", "-mkdir", dir)
	admin(t, c, cluster.EncryptionZones, "-createZone", "-keyName", name, "-path", dir)
	if _, err := c.HDFSWith(ctx, strings.NewReader("secret\n"), "ingest", "-put", "-", dir+"/f"); err != nil {
		t.Fatal(err)
	}
	if got := hdfs(t, c, "ingest", "-cat", dir+"/f"); got != "secret\n" {
		t.Errorf("read %q", got)
	}
	if got := hdfs(t, c, "hdfs", "-cat", "/.reserved/raw"+dir+"/f"); got == "secret\n" {
		t.Error("the stored bytes are not encrypted")
	}
	hdfs(t, c, "ingest", "-rm", "-r", "-skipTrash", dir)
}

func startTime(t *testing.T, c *cluster.Cluster) float64 {
	t.Helper()
	beans, err := c.JMX(t.Context(), cluster.NameNode, "java.lang:type=Runtime")
	if err != nil || len(beans) != 1 {
		t.Fatalf("ask the NameNode when it started: %v, %d beans", err, len(beans))
	}
	return beans[0]["StartTime"].(float64)
}
