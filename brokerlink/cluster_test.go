//go:build integration

package brokerlink_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/ingest/ingesttest"
	"github.com/penstock-io/penstock/integration/cluster"
	"github.com/penstock-io/penstock/kerberos"
)

// kafka is the Kafka of the integration cluster, with a client for its plain listener.
type kafka struct {
	c      *cluster.Cluster
	client *kgo.Client
	admin  *kadm.Client
}

func newReal(t *testing.T) *kafka {
	t.Helper()
	c, err := cluster.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Conf().KafkaPlain), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &kafka{c: c, client: client, admin: kadm.NewClient(client)}
}

// topic makes a topic that is removed after the test.
func (r *kafka) topic(t *testing.T, partitions int32, configs map[string]string) string {
	t.Helper()
	name := "brokerlink-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	set := map[string]*string{}
	for k, v := range configs {
		set[k] = &v
	}
	if _, err := r.admin.CreateTopic(t.Context(), partitions, 1, set, name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := r.admin.DeleteTopic(context.Background(), name); err != nil {
			t.Log(err)
		}
	})
	return name
}

func (r *kafka) produce(t *testing.T, topic string, from, n int) {
	t.Helper()
	var records []*kgo.Record
	for i := from; i < from+n; i++ {
		records = append(records, &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(i))})
	}
	if err := r.client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// transact writes n events in a transaction.
func (r *kafka) transact(t *testing.T, topic string, n int, commit bool) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.c.Conf().KafkaPlain), kgo.TransactionalID(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		client.Produce(t.Context(), &kgo.Record{Topic: topic, Value: []byte("tx" + strconv.Itoa(i))}, nil)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := client.EndTransaction(t.Context(), kgo.TransactionEndTry(commit)); err != nil {
		t.Fatal(err)
	}
}

// config is for one listener of the cluster.
func (r *kafka) config(t *testing.T, addr, topic string) brokerlink.Config {
	t.Helper()
	c := brokerlink.DefaultConfig()
	c.Brokers = []conf.HostPort{hostPort(t, addr)}
	c.Topics, c.Group = []string{topic}, topic
	c.Heartbeat = conf.Duration(500 * time.Millisecond)
	c.SessionTimeout = conf.Duration(6 * time.Second)
	c.RebalanceTimeout = conf.Duration(10 * time.Second)
	c.MetadataRefresh = conf.Duration(time.Second)
	c.Fetch.MaxWait = conf.Duration(500 * time.Millisecond)
	return c
}

// identity finds users of the cluster by name.
func (r *kafka) identity(name string) (kerberos.Credential, error) {
	return kerberos.NewLogin(kerberos.Identity{Principal: r.c.Principal(name), Keytab: r.c.Keytab(name), Krb5Conf: r.c.Conf().KRB5})
}

func gssapi(user string) *brokerlink.SASL {
	return &brokerlink.SASL{Mechanism: "GSSAPI", Kerberos: user}
}

func TestClusterEveryListener(t *testing.T) {
	r := newReal(t)
	k := r.c.Conf()
	topic := r.topic(t, 1, nil)
	r.produce(t, topic, 0, 1000)
	r.transact(t, topic, 10, false)
	r.transact(t, topic, 10, true)
	scram := func(password string) *brokerlink.SASL {
		return &brokerlink.SASL{Mechanism: "SCRAM-SHA-512", User: "ingest", Password: secretFile(t, password)}
	}
	cert, key := r.c.Certificate("ingest")
	ca := &conf.TLS{CA: fileRef(t, k.CA)}
	for _, c := range []struct {
		name, addr string
		sasl       *brokerlink.SASL
		tls        *conf.TLS
		want       []string
	}{
		{name: "plain", addr: k.KafkaPlain},
		{name: "gssapi", addr: k.KafkaGSSAPI, sasl: gssapi("ingest")},
		{name: "scram", addr: k.KafkaSCRAM, sasl: scram(k.SCRAMPassword)},
		{name: "gssapi over tls", addr: k.KafkaSASLSSL, sasl: gssapi("ingest"), tls: ca},
		{name: "scram over tls", addr: k.KafkaSASLSSL, sasl: scram(k.SCRAMPassword), tls: ca},
		{name: "mutual tls", addr: k.KafkaSSL, tls: &conf.TLS{CA: fileRef(t, k.CA), Cert: fileRef(t, cert), Key: fileRef(t, key)}},

		{name: "wrong password", addr: k.KafkaSCRAM, sasl: scram("wrong"), want: []string{"as ingest by SCRAM-SHA-512", "authentication failed"}},
		{name: "mechanism not offered", addr: k.KafkaGSSAPI, sasl: scram("x"), want: []string{"does not offer SCRAM-SHA-512 but GSSAPI"}},
		{name: "wrong service name", addr: k.KafkaGSSAPI, sasl: &brokerlink.SASL{Mechanism: "GSSAPI", Kerberos: "ingest", ServiceName: "kfka"}, want: []string{"kfka/"}},
		{name: "login where there is none", addr: k.KafkaPlain, sasl: scram("x"), want: []string{"does not use SASL"}},
		{name: "no login where one is asked for", addr: k.KafkaSCRAM, want: []string{"a login (sasl)"}},
		{name: "no certificate", addr: k.KafkaSSL, tls: ca, want: []string{"tls.cert and tls.key"}},
		{name: "tls to a plain port", addr: k.KafkaPlain, tls: ca, want: []string{"not to speak TLS"}},
		{name: "plain to a tls port", addr: k.KafkaSASLSSL, sasl: gssapi("ingest"), want: []string{"TLS"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := r.config(t, c.addr, topic)
			config.SASL, config.TLS = c.sasl, c.tls
			config.DialTimeout = conf.Duration(5 * time.Second)
			config.RequestTimeout = conf.Duration(5 * time.Second)
			if c.want != nil {
				if err := tryReal(t, r, config); !contains(err, c.want...) {
					t.Errorf("got %v, want %q", err, c.want)
				}
				return
			}
			began := time.Now()
			withReal(t, r, config, func(ctx context.Context, s ingest.Stream) error {
				t.Logf("assigned after %s", time.Since(began))
				info, err := s.Describe(ctx)
				if err != nil {
					return err
				}
				if info.TopicID == "" || info.Cluster == "" || info.Retention == 0 {
					return fmt.Errorf("described as %+v", info)
				}
				events, gaps, err := read(ctx, s, info.Start, info.End)
				if err != nil {
					return err
				}
				if len(events) != 1010 || len(gaps) != 3 {
					return fmt.Errorf("%d events, gaps %+v", len(events), gaps)
				}
				last := events[len(events)-1]
				if err := s.Check(ctx, ingest.Mark{Offset: last.Offset, LeaderEpoch: -1, CRC: last.CRC()}); err != nil {
					return err
				}
				if err := s.Check(ctx, ingest.Mark{Offset: last.Offset, LeaderEpoch: -1, CRC: last.CRC() + 1}); !errors.Is(err, ingest.ErrReplaced) {
					return fmt.Errorf("another event's mark: %w", err)
				}
				if err := s.Commit(ctx, ingest.Hint{Next: 5, Metadata: c.name}); err != nil {
					return err
				}
				if h, ok, err := s.Hint(ctx); err != nil || !ok || h.Metadata != c.name {
					return fmt.Errorf("hint %+v, %v, %w", h, ok, err)
				}
				return s.Confirm(ctx)
			})
		})
	}
}

// withReal is withStream with the cluster's identities.
func withReal(t *testing.T, r *kafka, c brokerlink.Config, f func(ctx context.Context, s ingest.Stream) error) {
	t.Helper()
	withOptions(t, c, brokerlink.Options{Kerberos: r.identity}, f)
}

func tryReal(t *testing.T, r *kafka, c brokerlink.Config) error {
	t.Helper()
	return tryWith(t, c, brokerlink.Options{Kerberos: r.identity})
}

func TestClusterStreamSuite(t *testing.T) {
	r := newReal(t)
	ingesttest.StreamSuite(t, func(t *testing.T) ingesttest.Fixture {
		t.Helper()
		topic := r.topic(t, 1, map[string]string{"retention.ms": "-1"}) // the suite's events are of 2023
		return ingesttest.Fixture{
			Stream: func(t *testing.T) ingest.Stream {
				t.Helper()
				return openStream(t, r.config(t, r.c.Conf().KafkaPlain, topic))
			},
			Produce: func(t *testing.T, events ...ingest.Event) {
				t.Helper()
				for _, e := range events {
					p := &kgo.Record{Topic: topic, Key: e.Key, Value: e.Body, Timestamp: time.UnixMilli(e.Timestamp)}
					for _, h := range e.Headers {
						p.Headers = append(p.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
					}
					if err := r.client.ProduceSync(t.Context(), p).FirstErr(); err != nil {
						t.Fatal(err)
					}
				}
			},
			DeleteBefore: func(t *testing.T, start ingest.Offset) {
				t.Helper()
				to := kadm.Offsets{}
				to.Add(kadm.Offset{Topic: topic, At: int64(start)})
				if _, err := r.admin.DeleteRecords(t.Context(), to); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

func TestClusterMembersShareAndComeBack(t *testing.T) {
	r := newReal(t)
	topic := r.topic(t, 4, nil)
	l := newLedger(t)
	c := r.config(t, r.c.Conf().KafkaGSSAPI, topic)
	c.SASL = gssapi("ingest")
	one := run(t, c, brokerlink.Options{Name: "one", Instance: "one", Kerberos: r.identity}, l.drain("one"))
	l.until("one has all", func() bool { return l.owned("one") == 4 })
	run(t, c, brokerlink.Options{Name: "two", Instance: "two", Kerberos: r.identity}, l.drain("two"))
	l.until("both have two", func() bool { return l.owned("one") == 2 && l.owned("two") == 2 })
	before := l.rebalanced()
	if err := one.stop(); err != nil {
		t.Fatal(err)
	}
	// The leader comes back under its static name. Kafka gives it its partitions without a new generation.
	run(t, c, brokerlink.Options{Name: "again", Instance: "one", Kerberos: r.identity}, l.drain("again"))
	l.until("it is back", func() bool { return l.owned("again") == 2 })
	if after := l.rebalanced(); after != before {
		t.Errorf("the other member was disturbed: %d revocations before, %d after", before, after)
	}
	// It does not know that it leads, and new partitions are noticed all the same.
	if _, err := r.admin.CreatePartitions(t.Context(), 2, topic); err != nil {
		t.Fatal(err)
	}
	l.until("six are drained", func() bool { return len(l.owner) == 6 })
}

// rebalanced counts the drains of "two" that ended.
func (l *ledger) rebalanced() (n int) {
	l.note(func() {
		n = l.ends["two: "+ingest.ErrRevoked.Error()] + l.ends["two: "+ingest.ErrSessionLost.Error()]
	})
	return n
}

func TestClusterCompactedTopic(t *testing.T) {
	r := newReal(t)
	topic := r.topic(t, 1, map[string]string{
		"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001", "segment.ms": "100", "min.compaction.lag.ms": "0", "delete.retention.ms": "0",
	})
	for range 50 {
		for k := range 4 {
			rec := &kgo.Record{Topic: topic, Key: []byte(strconv.Itoa(k)), Value: []byte("v")}
			if err := r.client.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	withReal(t, r, r.config(t, r.c.Conf().KafkaPlain, topic), func(ctx context.Context, s ingest.Stream) error {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Second)
		defer cancel()
		for n := 200; ; n++ {
			// A new segment lets the cleaner have the one before; it runs every fifteen seconds.
			rec := &kgo.Record{Topic: topic, Key: []byte("tick"), Value: []byte("v")}
			if err := r.client.ProduceSync(ctx, rec).FirstErr(); err != nil {
				return err
			}
			events, gaps, err := read(ctx, s, 0, ingest.Offset(n+1))
			if err != nil {
				return err
			}
			if len(gaps) > 0 && len(events) < n/2 {
				t.Logf("%d events, gaps %+v", len(events), gaps)
				return nil
			}
			pauseFor(ctx, 300*time.Millisecond)
		}
	})
}

// pauseFor keeps a loop that asks for progress from being a busy one.
func pauseFor(ctx context.Context, d time.Duration) {
	c, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-c.Done()
}
