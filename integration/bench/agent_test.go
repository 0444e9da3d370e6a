//go:build integration

package bench

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/penstock-io/penstock/integration/cluster"
	"github.com/penstock-io/penstock/integration/penstock"
)

// agentPlan is a configuration of the agent: what an operator would write, and nothing of what has a default.
type agentPlan struct {
	Brokers []string
	GSSAPI  bool   // log in to Kafka
	Topic   string // empty: clicks
	Group   string // of its own, since the state is
	Path    string // file:// or hdfs path, with escapes
	Format  string // a YAML value
	Roll    string // a YAML value; empty: the defaults
	Cluster *cluster.Cluster
	Admin   string
}

const agentConfig = `version: 1
{{with .Cluster}}
kerberos:
  ingest:
    principal: {{.Principal "ingest"}}
    keytab: file:{{.Keytab "ingest"}}
    krb5_conf: file:{{.Conf.KRB5}}
hadoop:
  default: {conf_dir: {{.Conf.HadoopConf}}, kerberos: ingest}
{{end}}
channels:
  clicks:
    type: kafka-topic
    brokers: [{{range $i, $b := .Brokers}}{{if $i}}, {{end}}"{{$b}}"{{end}}]
    topics: [{{.Topic}}]
    group: {{.Group}}
{{if .GSSAPI}}    sasl: {mechanism: GSSAPI, kerberos: ingest}
{{end}}
sinks:
  lake:
    type: hdfs
    channel: clicks
    path: "{{.Path}}"
    format: {{.Format}}
{{with .Roll}}    roll: {{.}}
{{end}}
admin: {listen: "{{.Admin}}"}
`

// agent is the real binary at work.
type agent struct {
	*process
	plan  agentPlan
	began time.Time
}

// binary builds the agent as `make build` does, once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs("../../build/bench")
	if err != nil {
		return "", err
	}
	return penstock.Build(context.Background(), dir)
})

// configure writes the configuration and returns its name.
func configure(b testing.TB, plan *agentPlan) string {
	b.Helper()
	plan.Admin = freeAddress(b)
	if plan.Topic == "" {
		plan.Topic = topic
	}
	var text bytes.Buffer
	if err := template.Must(template.New("").Parse(agentConfig)).Execute(&text, plan); err != nil {
		b.Fatal(err)
	}
	name := filepath.Join(b.TempDir(), "penstock.yaml")
	if err := os.WriteFile(name, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return name
}

func startAgent(b testing.TB, plan agentPlan) *agent {
	b.Helper()
	bin, err := binary()
	if err != nil {
		b.Fatal(err)
	}
	config := configure(b, &plan)
	a := &agent{plan: plan, began: time.Now()}
	a.process = start(b, "penstock", exec.Command(bin, "run", "-c", config, "--stop-timeout", "5m"))
	return a
}

// until looks at a metric of the agent, five times a second, until it is large enough.
func (a *agent) until(b testing.TB, metric string, atLeast int64) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 30*time.Minute)
	defer cancel()
	for tick(ctx, 200*time.Millisecond) {
		a.look()
		if procField(a.cmd.Process.Pid, "VmHWM:") == 0 {
			a.wait()
			b.Fatalf("the agent ended: %v\n%s", a.err, a.tail())
		}
		if a.metric(ctx, metric) >= atLeast {
			return
		}
	}
	b.Fatalf("%s did not come to %d: %v\n%s", metric, atLeast, ctx.Err(), a.tail())
}

// metric is the sum of a metric's series, 0 while the agent does not listen yet.
func (a *agent) metric(ctx context.Context, name string) (sum int64) {
	text := penstock.Page(ctx, a.plan.Admin, "/metrics")
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:\{[^}]*\})? (\S+)$`).FindAllStringSubmatch(text, -1) {
		v, _ := strconv.ParseFloat(m[1], 64)
		sum += int64(v)
	}
	return sum
}

const (
	readEvents = "penstock_kafka_fetched_events_total"
	lowOffset  = "penstock_hdfssink_low_offset"
)

// land drains so many events, stops the agent in good order, so that all of them are published, and returns the CPU time of all that.
func land(b testing.TB, plan agentPlan, events int64) (time.Duration, *agent) {
	b.Helper()
	a := startAgent(b, plan)
	a.until(b, readEvents, events)
	return a.stop(b), a
}

func freeAddress(b testing.TB) string {
	b.Helper()
	address, err := penstock.FreeAddress(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return address
}

func millis(ms int64) time.Time { return time.UnixMilli(ms) }
