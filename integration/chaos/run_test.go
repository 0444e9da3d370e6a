//go:build integration

package chaos

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/integration/cluster"
	"github.com/penstock-io/penstock/integration/penstock"
)

// liveness is how long it may take until events are committed again after a fault has been healed.
const liveness = 3 * time.Minute

// config is what an operator would write, with rolls and sessions short enough for a test.
const config = `version: 1
kerberos:
  ingest: {principal: {{.Principal}}, keytab: "file:{{.Keytab}}", krb5_conf: "{{.KRB5}}"}
hadoop:
  default: {conf_dir: "{{.HadoopConf}}", kerberos: ingest}
channels:
  events:
    type: kafka-topic
    brokers: ["{{.Broker}}"]
    topics: [{{.Topic}}]
    group: {{.Topic}}
    sasl: {mechanism: GSSAPI, kerberos: ingest}
    session_timeout: 8s
    heartbeat_interval: 1s
    rebalance_timeout: 10s
sinks:
  lake:
    type: hdfs
    channel: events
    path: "{{.Base}}/dt=%Y-%m-%d/hr=%H/shard=%{shard}"
    format: {type: parquet, compression: zstd}
    roll: {size: 4MiB, age: 5s}
admin: {listen: "{{.Admin}}"}
`

// run is one run of a plan.
type run struct {
	t       *testing.T
	cluster *cluster.Cluster
	admin   *kadm.Client
	topic   string // and the group
	base    string // in HDFS
	agents  [2]*agent
	random  *rand.Rand
	sampler *sampler
	servers chan struct{} // holds a place while a server is away
	sending chan struct{} // the producer's turn
	done    atomic.Int64  // events committed, as far as was looked
}

// newRun makes the topic, and agents that do not run yet.
func newRun(t *testing.T, seed uint64) *run {
	t.Helper()
	ctx := t.Context()
	c, err := cluster.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Conf().KafkaPlain))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	dir := t.TempDir() // before clean, which shows the logs in it
	name := fmt.Sprintf("chaos-%d", time.Now().UnixMilli())
	r := &run{
		t: t, cluster: c, admin: kadm.NewClient(client), topic: name, base: "/user/ingest/" + name,
		random: rand.New(rand.NewPCG(seed, 0)), servers: make(chan struct{}, 1), sending: make(chan struct{}, 1),
	}
	r.sampler = newSampler(c, r.base, seed)
	forever := "-1" // the events are of January; what is deleted is this test's choice
	if _, err := r.admin.CreateTopic(ctx, partitions, 1, map[string]*string{"retention.ms": &forever}, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.clean)
	binary, err := penstock.Build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.agents {
		if r.agents[i], err = r.newAgent(dir, binary, fmt.Sprintf("agent%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *run) newAgent(dir, binary, name string) (*agent, error) {
	address, err := penstock.FreeAddress(r.t.Context())
	if err != nil {
		return nil, err
	}
	a := &agent{
		name: name, binary: binary, admin: address,
		config: filepath.Join(dir, name+".yaml"), log: filepath.Join(dir, name+".log"),
	}
	conf := r.cluster.Conf()
	var text bytes.Buffer
	err = template.Must(template.New("").Parse(config)).Execute(&text, map[string]string{
		"Principal": r.cluster.Principal("ingest"), "Keytab": r.cluster.Keytab("ingest"), "KRB5": conf.KRB5, "HadoopConf": conf.HadoopConf,
		"Broker": conf.KafkaGSSAPI, "Topic": r.topic, "Base": r.base, "Admin": address,
	})
	if err != nil {
		return nil, err
	}
	return a, os.WriteFile(a.config, text.Bytes(), 0o600)
}

// clean leaves the cluster as it was; logs of the agents are shown when something went wrong.
func (r *run) clean() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, a := range r.agents {
		if a == nil || a.cmd == nil {
			continue
		}
		status := penstock.Page(ctx, a.admin, "/status")
		_ = a.cmd.Process.Kill()
		<-a.ended
		if r.t.Failed() {
			r.t.Logf("%s: status:\n%s\nthe end of its log:\n%s", a.name, status, a.tail())
		}
	}
	_, _ = r.admin.DeleteTopic(ctx, r.topic)
	_, _ = r.admin.DeleteGroup(ctx, r.topic)
	if _, err := r.cluster.HDFS(ctx, "ingest", "-rm", "-r", "-f", "-skipTrash", r.base); err != nil {
		r.t.Logf("clean: %v", err)
	}
}

// committed returns the offset that the group has for each partition: a hint for the agents, and a fair one, since they may only
// commit it after HDFS has the events. An error when the broker does not answer.
func (r *run) committed(ctx context.Context) (by [partitions]int64, sum int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	all, err := r.admin.FetchOffsets(ctx, r.topic)
	if err != nil {
		return by, 0, err
	}
	for p := range by {
		if o, ok := all.Lookup(r.topic, int32(p)); ok && o.At > 0 {
			by[p] = o.At
			sum += o.At
		}
	}
	r.done.Store(max(sum, r.done.Load()))
	return by, sum, nil
}

// until looks until something is true.
func (r *run) until(ctx context.Context, what string, is func(ctx context.Context) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, liveness, fmt.Errorf("not true within %v: %s", liveness, what))
	defer cancel()
	for !is(ctx) {
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// progress waits until so many more events are committed.
func (r *run) progress(ctx context.Context, more int64) error {
	from := r.done.Load()
	return r.until(ctx, fmt.Sprintf("%d more events than %d are committed", more, from), func(ctx context.Context) bool {
		_, sum, err := r.committed(ctx)
		return err == nil && sum >= from+more
	})
}

// everyPartition waits until each partition has got on: then all of them have owners.
func (r *run) everyPartition(ctx context.Context) error {
	var from [partitions]int64
	known := false
	return r.until(ctx, "every partition gets on", func(ctx context.Context) bool {
		now, _, err := r.committed(ctx)
		if err != nil {
			return false
		}
		if !known {
			from, known = now, true
		}
		for p := range now {
			if now[p] <= from[p] {
				return false
			}
		}
		return true
	})
}
