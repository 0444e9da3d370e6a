//go:build integration

package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/integration/penstock"
)

// BenchmarkFlume lands the same topic as text on the same HDFS, with Flume 1.11 (Kafka source, memory channel, HDFS sink) and with the agent, in
// turn. Both log in to Kafka by GSSAPI and speak to HDFS under its protections (privacy, AES). Neither is warm: each round starts a process.
func BenchmarkFlume(b *testing.B) {
	w := workload{Events: size(2_000_000, 100_000), Partitions: 4, Buckets: 1}
	t := hdfsTarget(b)
	for b.Loop() {
		k := newTopic(b, t.cluster, fmt.Sprintf("bench-flume-%d", time.Now().UnixMilli()), w.Partitions)
		k.fill(b, w)
		var ours, plain, tuned cost
		for round := range rounds(b, 5) {
			name := fmt.Sprintf("%s-%d", k.name, round)
			plain.add(runFlume(b, t, w, flumePlan{Topic: k.name, Group: name + "-flume", Path: t.dir(b, name+"-flume"), Batch: 1000}))
			ours.add(runAgent(b, t, w, agentPlan{
				Brokers: []string{t.cluster.Conf().KafkaGSSAPI}, GSSAPI: true, Topic: k.name, Group: name, Path: t.dir(b, name), Format: text, Cluster: t.cluster,
			}))
			tuned.add(runFlume(b, t, w, flumePlan{Topic: k.name, Group: name + "-tuned", Path: t.dir(b, name+"-tuned"), Batch: 10_000, Tuned: true}))
		}
		b.Logf("CPU s per million events, whole process: Flume %s, tuned %s, agent %s", plain.total, tuned.total, ours.total)
		b.Logf("CPU s per million events, second half: Flume %s, tuned %s, agent %s", plain.warm, tuned.warm, ours.warm)
		b.Logf("peak RSS MiB: Flume %s, tuned %s, agent %s", plain.peak, tuned.peak, ours.peak)
		over, overTuned, warm, warmTuned := plain.total.over(ours.total), tuned.total.over(ours.total), plain.warm.over(ours.warm), tuned.warm.over(ours.warm)
		b.Logf("times the agent's cost, round by round: whole process %s, tuned %s; second half %s, tuned %s", over, overTuned, warm, warmTuned)
		b.ReportMetric(over.median(), "x-Flume")
		b.ReportMetric(overTuned.median(), "x-tuned")
		b.ReportMetric(warm.median(), "x-Flume-warm")
		b.ReportMetric(warmTuned.median(), "x-tuned-warm")
		b.ReportMetric(0, "ns/op")
	}
}

func runAgent(b testing.TB, t *target, w workload, plan agentPlan) (meter, time.Duration, int64) {
	b.Helper()
	a := startAgent(b, plan)
	m := meter{p: a.process}
	m.run(b, w.Events, func(ctx context.Context) int64 { return a.metric(ctx, readEvents) })
	cpu := a.stop(b)
	t.verify(b, plan.Path, w.Events)
	t.bytes(b, plan.Path, w)
	return m, cpu, w.Events
}

type flumePlan struct {
	Topic, Group, Path string
	Batch              int
	Tuned              bool
	Brokers            string
	Principal, Keytab  string
}

// flumeConfig is the usual way from Kafka to text on HDFS. The sizes are those of the published baseline: batches of 1000.
const flumeConfig = `agent.sources = kafka
agent.channels = memory
agent.sinks = hdfs

agent.sources.kafka.type = org.apache.flume.source.kafka.KafkaSource
agent.sources.kafka.channels = memory
agent.sources.kafka.kafka.bootstrap.servers = {{.Brokers}}
agent.sources.kafka.kafka.topics = {{.Topic}}
agent.sources.kafka.kafka.consumer.group.id = {{.Group}}
agent.sources.kafka.kafka.consumer.auto.offset.reset = earliest
agent.sources.kafka.kafka.consumer.security.protocol = SASL_PLAINTEXT
agent.sources.kafka.kafka.consumer.sasl.mechanism = GSSAPI
agent.sources.kafka.kafka.consumer.sasl.kerberos.service.name = kafka
agent.sources.kafka.kafka.consumer.sasl.jaas.config = com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true keyTab="{{.Keytab}}" principal="{{.Principal}}";
agent.sources.kafka.batchSize = {{.Batch}}

agent.channels.memory.type = memory
agent.channels.memory.capacity = 100000
agent.channels.memory.transactionCapacity = 10000

agent.sinks.hdfs.type = hdfs
agent.sinks.hdfs.channel = memory
agent.sinks.hdfs.hdfs.path = {{.Path}}
agent.sinks.hdfs.hdfs.kerberosPrincipal = {{.Principal}}
agent.sinks.hdfs.hdfs.kerberosKeytab = {{.Keytab}}
agent.sinks.hdfs.hdfs.fileType = DataStream
agent.sinks.hdfs.hdfs.writeFormat = Text
agent.sinks.hdfs.hdfs.batchSize = {{.Batch}}
agent.sinks.hdfs.hdfs.rollSize = 134217728
agent.sinks.hdfs.hdfs.rollCount = 0
agent.sinks.hdfs.hdfs.rollInterval = 0
{{if .Tuned}}agent.sinks.hdfs.hdfs.threadsPoolSize = 1
{{end}}`

// logging sends Flume's warnings to standard error.
const logging = `<Configuration status="warn"><Appenders><Console name="err" target="SYSTEM_ERR"/></Appenders>
<Loggers><Root level="warn"><AppenderRef ref="err"/></Root></Loggers></Configuration>`

func runFlume(b testing.TB, t *target, w workload, plan flumePlan) (meter, time.Duration, int64) {
	b.Helper()
	conf := t.cluster.Conf()
	plan.Brokers, plan.Principal, plan.Keytab = conf.KafkaGSSAPI, t.cluster.Principal("ingest"), t.cluster.Keytab("ingest")
	dir := b.TempDir()
	var properties bytes.Buffer
	if err := template.Must(template.New("").Parse(flumeConfig)).Execute(&properties, plan); err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{"flume.properties": properties.String(), "log4j2.xml": logging} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	_, port, err := net.SplitHostPort(freeAddress(b))
	if err != nil {
		b.Fatal(err)
	}
	args := []string{"-Xmx512m", "-Djava.security.krb5.conf=" + conf.KRB5, "-Dflume.monitoring.type=http", "-Dflume.monitoring.port=" + port}
	if plan.Tuned {
		args = append(args, "-XX:+UseParallelGC")
	}
	for _, p := range []string{"java.lang", "java.nio", "sun.nio.ch", "java.util", "java.util.concurrent"} {
		args = append(args, "--add-opens=java.base/"+p+"=ALL-UNNAMED")
	}
	args = append(args, "-cp", strings.Join(append([]string{dir, conf.HadoopConf}, flumeJars(b)...), ":"),
		"org.apache.flume.node.Application", "-n", "agent", "-f", filepath.Join(dir, "flume.properties"), "--no-reload-conf")
	m := meter{p: start(b, "flume", exec.Command("java", args...))}
	m.p.wanted = 128 + int(syscall.SIGTERM) // as a JVM ends after it
	m.run(b, w.Events, func(ctx context.Context) int64 { return drained(ctx, port) })
	cpu := m.p.stop(b)
	t.bytes(b, plan.Path, w)
	return m, cpu, w.Events
}

// drained is how many events Flume's sink says it has written.
func drained(ctx context.Context, port string) int64 {
	var counters map[string]map[string]string
	if json.Unmarshal([]byte(penstock.Page(ctx, "127.0.0.1:"+port, "/metrics")), &counters) != nil {
		return 0 // it has not begun to listen
	}
	n, _ := strconv.ParseInt(counters["SINK.hdfs"]["EventDrainSuccessCount"], 10, 64)
	return n
}

// flumeJars is Flume's class path as its own start script has it: its jars, then Hadoop's without their loggers.
func flumeJars(b testing.TB) []string {
	b.Helper()
	root, err := filepath.Abs("../../build/bench")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "hadoop")); err != nil {
		fetch(b, exec.Command("mvn", "-B", "-q", "-f", "pom/flume.xml", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+filepath.Join(root, "flume")))
		fetch(b, exec.Command("docker", "cp", "penstock-namenode:/opt/cluster/lib/hadoop", filepath.Join(root, "hadoop")))
	}
	jars := []string{filepath.Join(root, "flume", "*")}
	hadoop, err := filepath.Glob(filepath.Join(root, "hadoop", "*.jar"))
	if err != nil || len(hadoop) == 0 {
		b.Fatalf("no Hadoop in %s: %v", root, err)
	}
	for _, j := range hadoop {
		if name := filepath.Base(j); !strings.HasPrefix(name, "slf4j-") && !strings.Contains(name, "reload4j") {
			jars = append(jars, j)
		}
	}
	return jars
}

func fetch(b testing.TB, cmd *exec.Cmd) {
	b.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
}

// bytes proves that the files hold every line, by their size.
func (t *target) bytes(b testing.TB, dir string, w workload) {
	b.Helper()
	var got, want int64
	t.walk(b, t.local(dir), func(_ string, i dfs.Info) { got += i.Size })
	for p := range w.Partitions {
		f := w.feed(p)
		for range w.each() {
			e := ingest.Event{}
			f.next(&e)
			want += int64(len(e.Body)) + 1
		}
	}
	if got != want {
		b.Fatalf("%s holds %d bytes, the lines have %d", dir, got, want)
	}
}
