package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/penstock-io/penstock/conf"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files anew")
	testscript.Main(m, map[string]func(){"penstock": main})
}

const base = `version: 1
kerberos:
  ingest: {principal: ingest@EXAMPLE.TEST, keytab: file:/etc/ingest.keytab}
hadoop:
  default: {conf_dir: /etc/hadoop/conf, kerberos: ingest}
channels:
  clicks:
    type: kafka-topic
    brokers: ["broker1:9093"]
    topics: [clicks]
    group: penstock-clicks
    sasl: {mechanism: GSSAPI, kerberos: ingest}
sinks:
  lake:
    type: hdfs
    channel: clicks
    path: "/data/clicks/dt=%Y-%m-%d/hr=%H"
    format: {type: parquet, compression: zstd}
    roll: {size: 128MiB, age: 15m}
`

// TestConfigErrors holds what an operator reads about a mistake in a real configuration. Each case changes one thing in base.
func TestConfigErrors(t *testing.T) {
	cases := []struct{ name, old, new string }{
		{"unknown section", "sinks:", "sink:"},
		{"unknown key", "group: penstock", "gruop: penstock"},
		{"unknown key in a block", "age: 15m", "aeg: 15m"},
		{"missing key", "    group: penstock-clicks\n", ""},
		{"no version", "version: 1\n", ""},
		{"a newer version", "version: 1", "version: 2"},
		{"unknown type", "type: hdfs", "type: hfds"},
		{"unknown format", "type: parquet", "type: parket"},
		{"bare size", "size: 128MiB", "size: 134217728"},
		{"bare duration", "age: 15m", "age: 900"},
		{"size in nonsense", "size: 128MiB", "size: big"},
		{"unknown channel", "channel: clicks", "channel: click"},
		{"unknown identity", "sasl: {mechanism: GSSAPI, kerberos: ingest}", "sasl: {mechanism: GSSAPI, kerberos: ingets}"},
		{"GSSAPI without identity", "sasl: {mechanism: GSSAPI, kerberos: ingest}", "sasl: {mechanism: GSSAPI}"},
		{"unknown mechanism", "mechanism: GSSAPI", "mechanism: KERBEROS"},
		{"literal password", "sasl: {mechanism: GSSAPI, kerberos: ingest}", "sasl: {mechanism: SCRAM-SHA-512, user: u, password: hunter2}"},
		{"PLAIN in clear", "sasl: {mechanism: GSSAPI, kerberos: ingest}", "sasl: {mechanism: PLAIN, user: u, password: env:P}"},
		{"topics twice", "topics: [clicks]", "topics: [clicks]\n    topics_regex: c.*"},
		{"no topics", "    topics: [clicks]\n", ""},
		{"bad regular expression", "topics: [clicks]", `topics_regex: "c("`},
		{"broker without port", `"broker1:9093"`, `"broker1"`},
		{"unquoted path", `path: "/data/clicks/dt=%Y-%m-%d/hr=%H"`, "path: %{host}/x"},
		{"unknown escape", "hr=%H", "hr=%Q"},
		{"unclosed header", "hr=%H", "hr=%{hour"},
		{"body field", "hr=%H", "user=%{field:user.}"},
		{"relative path", `"/data`, `"data`},
		{"hidden directory", "/data/clicks/dt", "/data/_clicks/dt"},
		{"state on another file system", "roll: {", "state: file:///tmp/state\n    roll: {"},
		{"block smaller than file", "roll: {", "block_size: 64MiB\n    roll: {"},
		{"event time upside down", "roll: {", "event_time: {min: 2030-01-01, max: 2020-01-01}\n    roll: {"},
		{"bad start", "roll: {", "start: now\n    roll: {"},
		{"bad compression", "compression: zstd", "compression: lzo"},
		{"Flume's key", "roll: {", "hdfs.rollSize: 1024\n    roll: {"},
		{"Kafka as a source", "channels:\n", "sources:\n  k: {type: kafka, brokers: [\"b:9092\"], topics: [t], channels: [clicks]}\nchannels:\n"},
		{"two sinks on one channel", "sinks:\n", "sinks:\n  second: {type: hdfs, channel: clicks, path: /data/second}\n"},
		{"duplicate key", "    channel: clicks\n", "    channel: clicks\n    channel: clicks\n"},
		{"tab", "    channel: clicks\n", "\tchannel: clicks\n"},
		{"keytab and cache", "keytab: file:/etc/ingest.keytab", "keytab: file:/etc/ingest.keytab, cache: FILE:/tmp/cc"},
		{"login and token", "kerberos: ingest}\nchannels", "kerberos: ingest, tokens: /run/tokens}\nchannels"},
		{"token of one user for another", "kerberos: ingest}\nchannels", "tokens: /run/tokens, do_as: etl}\nchannels"},
		{"cache that cannot be read", "keytab: file:/etc/ingest.keytab", "cache: KCM:1000"},
	}
	var got strings.Builder
	for _, c := range cases {
		if strings.Count(base, c.old) < 1 {
			t.Fatalf("%s: base does not hold %q", c.name, c.old)
		}
		_, err := conf.Parse("clicks.yaml", []byte(strings.Replace(base, c.old, c.new, 1)), kinds())
		var invalid *conf.Error
		if !errors.As(err, &invalid) {
			t.Errorf("%s: accepted, or not a conf.Error: %v", c.name, err)
			continue
		}
		fmt.Fprintf(&got, "== %s\n%s\n\n", c.name, strings.TrimSpace(invalid.Long()))
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the message holds the password", c.name)
		}
	}
	golden(t, "testdata/config-errors.golden", got.String())
}

func TestBaseIsValid(t *testing.T) {
	if _, err := conf.Parse("clicks.yaml", []byte(base), kinds()); err != nil {
		t.Fatal(err)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run with -update to write it", err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}
