//go:build integration

package badinput

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/integration/cluster"
)

// site is what one test has for itself: a topic, a group and a directory on HDFS that belongs to the agent's user.
type site struct {
	c      *cluster.Cluster
	topic  string
	base   string // on HDFS
	dir    string // on this machine
	plan   plan
	config string          // file with plan in it
	sent   map[string]bool // bodies that the broker has
}

// plan is a configuration, with the words that tests change.
type plan struct {
	User          string
	Keytab, KRB5  string
	Broker, SASL  string // SASL empty: none
	Topics, Group string // Topics is a YAML list
	Path, Sink    string // Sink holds further lines below the sink
	Hadoop, Admin string
}

const configText = `version: 1

kerberos:
  ingest: {principal: {{.User}}@EXAMPLE.TEST, keytab: "file:{{.Keytab}}", krb5_conf: "file:{{.KRB5}}"}
hadoop:
  default: {conf_dir: "{{.Hadoop}}", kerberos: ingest}
channels:
  events:
    type: kafka-topic
    brokers: ["{{.Broker}}"]
    topics: {{.Topics}}
    group: {{.Group}}
    metadata_refresh: 1s
    fetch: {memory: 32MiB}
{{with .SASL}}    sasl: {{.}}
{{end}}sinks:
  lake:
    type: hdfs
    channel: events
    path: "{{.Path}}"
{{with .Sink}}    {{.}}
{{else}}    roll: {age: 1s}
{{end}}
admin: {listen: "{{.Admin}}"}
`

// newSite makes a topic with one partition, and a directory.
func newSite(t *testing.T) *site {
	t.Helper()
	c, err := running()
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(strings.TrimPrefix(t.Name(), "Test")))
	name := "badinput-" + plain + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	s := &site{c: c, topic: name, base: "/user/ingest/" + name, dir: t.TempDir(), sent: map[string]bool{}}
	s.plan = plan{
		User: "ingest", Keytab: c.Keytab("ingest"), KRB5: c.Conf().KRB5, Hadoop: c.Conf().HadoopConf,
		Broker: c.Conf().KafkaGSSAPI, SASL: "{mechanism: GSSAPI, kerberos: ingest}", Topics: "[" + name + "]", Group: name,
		Path: s.base + "/data/dt=%Y-%m-%d",
	}
	s.write(t)
	s.makeTopic(t, name)
	s.hdfs(t, "ingest", "-mkdir", "-p", s.base)
	t.Cleanup(func() {
		if _, err := c.HDFS(context.Background(), "hdfs", "-rm", "-r", "-f", "-skipTrash", s.base); err != nil {
			t.Log(err)
		}
	})
	return s
}

// write makes the file of the plan.
func (s *site) write(t *testing.T) {
	t.Helper()
	s.plan.Admin = freeAddress(t)
	s.config = filepath.Join(s.dir, "penstock.yaml")
	writeConfig(t, s.config, s.plan)
}

func writeConfig(t *testing.T, name string, p plan) {
	t.Helper()
	var text bytes.Buffer
	if err := template.Must(template.New("").Parse(configText)).Execute(&text, p); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// hdfs runs the file system's shell as a user.
func (s *site) hdfs(t *testing.T, user string, args ...string) string {
	t.Helper()
	out, err := s.c.HDFS(t.Context(), user, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// read copies a file out of HDFS with the real client.
func (s *site) read(t *testing.T, name string) []byte {
	t.Helper()
	dir, err := os.MkdirTemp(s.c.Conf().Dir, "badinput-") //nolint:usetesting // the client runs in a container, which sees that directory
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s.hdfs(t, "hdfs", "-get", name, dir+"/file")
	data, err := os.ReadFile(dir + "/file")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// put writes a file on HDFS as the superuser, replacing what is there.
func (s *site) put(t *testing.T, name, text string) {
	t.Helper()
	if _, err := s.c.HDFSWith(t.Context(), strings.NewReader(text), "hdfs", "-put", "-f", "-", name); err != nil {
		t.Fatal(err)
	}
}

func (s *site) quota(t *testing.T, args ...string) {
	t.Helper()
	if _, err := s.c.Admin(t.Context(), cluster.DFSAdmin, append(args, s.base)...); err != nil {
		t.Fatal(err)
	}
}

// client is a new one each time: none remembers a topic that was made again.
func (s *site) client(t *testing.T) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.c.Conf().KafkaPlain), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(16<<20),
		kgo.UnknownTopicRetries(100)) // a topic that was made again comes slowly
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func (s *site) makeTopic(t *testing.T, name string) {
	t.Helper()
	admin := kadm.NewClient(s.client(t))
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := admin.DeleteTopic(context.Background(), name); err != nil {
			t.Log(err)
		}
	})
}

// alter sets one of the topic's settings.
func (s *site) alter(t *testing.T, name, value string) {
	t.Helper()
	admin := kadm.NewClient(s.client(t))
	if _, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}, s.topic); err != nil {
		t.Fatal(err)
	}
}

// remakeTopic deletes the topic and makes it again, as somebody would who wants to be rid of its events.
func (s *site) remakeTopic(t *testing.T) {
	t.Helper()
	admin := kadm.NewClient(s.client(t))
	if _, err := admin.DeleteTopic(t.Context(), s.topic); err != nil {
		t.Fatal(err)
	}
	until(t, "the topic can be made again", func(ctx context.Context) bool {
		_, err := admin.CreateTopic(ctx, 1, 1, nil, s.topic)
		return err == nil
	}, nil)
	// The controller has it at once; a busy broker may take what is produced into the old log for a while, and deletes it then.
	until(t, "the broker has the new log", func(ctx context.Context) bool {
		ends, err := admin.ListEndOffsets(ctx, s.topic)
		end, ok := ends.Lookup(s.topic, 0)
		return err == nil && ok && end.Err == nil && end.Offset == 0
	}, nil)
}

// deleteRecords does what retention does: the log begins at the offset then.
func (s *site) deleteRecords(t *testing.T, before int64) {
	t.Helper()
	var o kadm.Offsets
	o.Add(kadm.Offset{Topic: s.topic, Partition: 0, At: before})
	if _, err := kadm.NewClient(s.client(t)).DeleteRecords(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// produce sends n events that tell each other apart, and remembers them.
func (s *site) produce(t *testing.T, what string, n int) {
	t.Helper()
	var records []*kgo.Record
	for i := range n {
		body := fmt.Sprintf(`{"what":%q,"n":%d}`, what, i)
		s.sent[body] = true
		records = append(records, &kgo.Record{Topic: s.topic, Value: []byte(body)})
	}
	s.send(t, records...)
}

func (s *site) send(t *testing.T, records ...*kgo.Record) {
	t.Helper()
	if err := s.client(t).ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// forget takes events out of what is expected: those that the test itself has destroyed.
func (s *site) forget(what string, n int) {
	for i := range n {
		delete(s.sent, fmt.Sprintf(`{"what":%q,"n":%d}`, what, i))
	}
}
