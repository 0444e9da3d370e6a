//go:build integration

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/penstock-io/penstock/integration/cluster"
)

// TestClusterScripts runs the program against the kerberised cluster. Topic, group and directory are the test's own.
func TestClusterScripts(t *testing.T) {
	c, err := cluster.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("penstock-cmd-%d", os.Getpid())
	home := "/user/ingest/" + name
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if _, err := c.Admin(ctx, cluster.Topics, "--delete", "--topic", name); err != nil {
			t.Error(err)
		}
		if _, err := c.HDFS(ctx, "ingest", "-rm", "-r", "-f", "-skipTrash", home); err != nil {
			t.Error(err)
		}
	})
	all := commands()
	all["hdfs"] = func(ts *testscript.TestScript, neg bool, args []string) {
		_, err := c.HDFS(t.Context(), args[0], args[1:]...)
		if (err != nil) != neg {
			ts.Fatalf("hdfs dfs %s: %v", args, err)
		}
	}
	// hdfs-put LOCAL PATH replaces a file.
	all["hdfs-put"] = func(ts *testscript.TestScript, _ bool, args []string) {
		_, err := c.HDFSWith(t.Context(), strings.NewReader(ts.ReadFile(args[0])), "ingest", "-put", "-f", "-", args[1])
		ts.Check(err)
	}
	all["kafka-topic"] = func(ts *testscript.TestScript, _ bool, _ []string) {
		_, err := c.Admin(t.Context(), cluster.Topics, "--create", "--topic", name, "--partitions", "1")
		ts.Check(err)
	}
	all["kafka-produce"] = func(ts *testscript.TestScript, _ bool, args []string) {
		lines := strings.Repeat("an event\n", int(number(ts, args[0])))
		_, err := c.AdminWith(t.Context(), strings.NewReader(lines), "kafka.tools.ConsoleProducer", "--topic", name)
		ts.Check(err)
	}
	all["freeze"] = func(ts *testscript.TestScript, _ bool, args []string) {
		service := cluster.Service(args[0])
		ts.Defer(func() { _ = c.Resume(context.Background(), service) })
		ts.Check(c.Pause(t.Context(), service))
	}
	all["thaw"] = func(ts *testscript.TestScript, _ bool, args []string) {
		ts.Check(c.Resume(t.Context(), cluster.Service(args[0])))
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/cluster", Cmds: all, Deadline: time.Now().Add(3 * time.Minute),
		Setup: func(e *testscript.Env) error {
			e.Values[worldKey{}] = &world{agents: map[string]*child{}}
			conf := c.Conf()
			for k, v := range map[string]string{
				"TOPIC": name, "DIR": home, "KRB5_CONFIG": conf.KRB5, "CONF": conf.HadoopConf, "FS": conf.DefaultFS,
				"GSSAPI": conf.KafkaGSSAPI, "SCRAM": conf.KafkaSCRAM, "INGEST": c.Keytab("ingest"), "MALLORY": c.Keytab("mallory"),
				"REALM": conf.Realm, "PASSWORD": conf.SCRAMPassword,
			} {
				e.Setenv(k, v)
			}
			return nil
		},
	})
}
