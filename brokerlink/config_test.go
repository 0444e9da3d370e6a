package brokerlink_test

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest"
)

func TestConfigMistakes(t *testing.T) {
	const ok = "brokers: [b1:9093]\ngroup: g\n"
	for _, c := range []struct {
		name, yaml string
		want       []string // parts of the error; nil: it is fine
	}{
		{name: "topics", yaml: ok + "topics: [clicks]\n"},
		{name: "regex", yaml: ok + "topics_regex: 'clicks\\..*'\n"},
		{name: "scram", yaml: ok + "topics: [a]\nsasl: {mechanism: SCRAM-SHA-512, user: u, password: 'env:P'}\n"},
		{name: "plain over tls", yaml: ok + "topics: [a]\ntls: {}\nsasl: {mechanism: PLAIN, user: u, password: 'env:P'}\n"},
		{name: "no topics", yaml: ok, want: []string{"neither topics nor topics_regex"}},
		{name: "both", yaml: ok + "topics: [a]\ntopics_regex: b\n", want: []string{"both written"}},
		{name: "bad regex", yaml: ok + "topics_regex: 'a('\n", want: []string{"not a regular expression"}},
		{name: "no group", yaml: "brokers: [b1:9093]\ntopics: [a]\n", want: []string{"group"}},
		{name: "no brokers", yaml: "group: g\ntopics: [a]\n", want: []string{"brokers"}},
		{name: "bad instance", yaml: ok + "topics: [a]\ninstance: 'a b'\n", want: []string{"no name for a member"}},
		{name: "slow heartbeat", yaml: ok + "topics: [a]\nheartbeat_interval: 40s\n", want: []string{"more than half of session_timeout"}},
		{name: "rare refresh", yaml: ok + "topics: [a]\nmetadata_refresh: 10m\n", want: []string{"metadata_refresh"}},
		{name: "fetch", yaml: ok + "topics: [a]\nfetch: {bytes: 4MiB, memory: 2MiB}\n", want: []string{"more than fetch.memory"}},
		{name: "half a pair", yaml: ok + "topics: [a]\ntls: {cert: c.pem}\n", want: []string{"cert is written without key"}},
		{name: "unknown mechanism", yaml: ok + "topics: [a]\nsasl: {mechanism: SCRAM}\n", want: []string{"SCRAM"}},
		{name: "no identity", yaml: ok + "topics: [a]\nsasl: {mechanism: GSSAPI}\n", want: []string{"needs a Kerberos identity"}},
		{name: "no user", yaml: ok + "topics: [a]\nsasl: {mechanism: SCRAM-SHA-256, password: 'env:P'}\n", want: []string{"needs a user"}},
		{name: "no password", yaml: ok + "topics: [a]\nsasl: {mechanism: SCRAM-SHA-256, user: u}\n", want: []string{"needs a password"}},
		{name: "plain in clear", yaml: ok + "topics: [a]\nsasl: {mechanism: PLAIN, user: u, password: 'env:P'}\n", want: []string{"in clear"}},
		{name: "token in clear", yaml: ok + "topics: [a]\nsasl: {mechanism: OAUTHBEARER, token: 'env:P'}\n", want: []string{"in clear"}},
		{name: "no token", yaml: ok + "topics: [a]\ntls: {}\nsasl: {mechanism: OAUTHBEARER}\n", want: []string{"needs a token"}},
		{name: "isolation", yaml: ok + "topics: [a]\nisolation: committed\n", want: []string{"isolation"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := brokerlink.DefaultConfig()
			err := conf.Unmarshal([]byte(c.yaml), &cfg, conf.Registry{})
			if (err == nil) != (c.want == nil) || err != nil && !contains(err, c.want...) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestLookDescribesWithoutJoining(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{ClusterID: "kraft-1", Topics: map[string]int32{"logs.a": 2, "other": 1}})
	produce(t, b, numbered("logs.a", 1, 0, 3)...)
	c := config(t, b)
	c.TopicsRegex = "logs.*"
	ch, err := brokerlink.New(c, brokerlink.Options{Name: "look", Registerer: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	topics, err := ch.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(topics) != 1 || topics[0].Name != "logs.a" || len(topics[0].Log) != 2 || topics[0].Log[1].End != 3 {
		t.Errorf("topics %+v", topics)
	}
	if id, err := ch.Cluster(t.Context()); err != nil || !strings.HasPrefix(id, "kraft") {
		t.Errorf("cluster %q, %v", id, err)
	}
	if _, ok, err := ch.Hint(t.Context(), ingest.Partition{Topic: "logs.a"}); ok || err != nil {
		t.Errorf("hint %v, %v", ok, err)
	}
	if g := b.Fake().GroupInfo("g"); g != nil && len(g.Members) > 0 {
		t.Errorf("the group has members: %+v", g.Members)
	}
}
