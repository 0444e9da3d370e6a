// Package brokertest is an embedded Kafka broker (franz-go's kfake) for tests and the demo: topics, producers with transactions,
// retention, compaction, moves of leaders and coordinators, and faults. It listens on loopback and keeps everything in memory.
package brokertest

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Options say what kind of cluster to start. The zero value is one broker without topics, TLS or SASL.
type Options struct {
	Brokers   int              // 0: one
	Ports     []int            // of the brokers; nil: free ones
	Topics    map[string]int32 // topics to make, with their numbers of partitions
	ClusterID string           // empty: kfake's own
	TLS       *tls.Config      // of the listeners; nil: plain
	ClientTLS *tls.Config      // of this package's own producers, when TLS is set
	Users     []User           // nil: no SASL; the first is also who the producers log in as
	Synthetic *Synthetic       // serve one batch for ever instead of what was produced
}

// User may log in, and do everything.
type User struct {
	Mechanism string // PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
	Name      string
	Password  string
}

// Synthetic makes every fetch return copies of one batch, at any offset: a broker that costs almost nothing, for benchmarks.
type Synthetic struct {
	Events int     // in the batch
	Bytes  int     // of each body
	Codec  string  // zstd, snappy, lz4, gzip; empty: none
	Random float64 // part of each body that does not compress; 0: a quarter
}

// Broker is a running cluster.
type Broker struct {
	fake    *kfake.Cluster
	options Options
	client  *kgo.Client
}

// Start starts a cluster. Close ends it.
func Start(o Options) (*Broker, error) {
	opts := []kfake.Opt{kfake.NumBrokers(max(o.Brokers, 1))}
	if len(o.Ports) > 0 {
		opts = append(opts, kfake.Ports(o.Ports...))
	}
	if o.ClusterID != "" {
		opts = append(opts, kfake.ClusterID(o.ClusterID))
	}
	if o.TLS != nil {
		opts = append(opts, kfake.TLS(o.TLS))
	}
	if len(o.Users) > 0 {
		opts = append(opts, kfake.EnableSASL())
	}
	for _, u := range o.Users {
		opts = append(opts, kfake.Superuser(u.Mechanism, u.Name, u.Password))
	}
	if o.Synthetic != nil {
		batch, err := o.Synthetic.batch()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kfake.SyntheticFetch(batch))
	}
	for topic, partitions := range o.Topics {
		opts = append(opts, kfake.SeedTopics(partitions, topic))
	}
	fake, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start embedded broker: %w", err)
	}
	b := &Broker{fake: fake, options: o}
	if b.client, err = b.newClient(); err != nil {
		fake.Close()
		return nil, err
	}
	return b, nil
}

// T is what New needs of a testing.TB; the demo links this package, and should not link testing.
type T interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// New is Start for tests.
func New(t T, o Options) *Broker {
	t.Helper()
	b, err := Start(o)
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	t.Cleanup(b.Close)
	return b
}

// Close ends the cluster; what was in it is gone.
func (b *Broker) Close() {
	b.client.Close()
	b.fake.Close()
}

// Addrs are the brokers' addresses, host:port.
func (b *Broker) Addrs() []string { return b.fake.ListenAddrs() }

// Fake is the cluster itself, for faults that have no method here. Only brokerlink's tests use it.
func (b *Broker) Fake() *kfake.Cluster { return b.fake }

func (s *Synthetic) batch() (kfake.SyntheticBatch, error) {
	batch := kfake.SyntheticBatch{Records: s.Events, RecordBytes: s.Bytes, RandomFrac: cmp.Or(s.Random, 0.25)}
	switch s.Codec {
	case "":
	case "zstd":
		batch.Compression = kgo.ZstdCompression()
	case "snappy":
		batch.Compression = kgo.SnappyCompression()
	case "lz4":
		batch.Compression = kgo.Lz4Compression()
	case "gzip":
		batch.Compression = kgo.GzipCompression()
	default:
		return batch, fmt.Errorf("codec %q is not known", s.Codec)
	}
	return batch, nil
}

func (b *Broker) newClient(opts ...kgo.Opt) (*kgo.Client, error) {
	all := []kgo.Opt{
		kgo.SeedBrokers(b.Addrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(100_000),
		kgo.ProducerBatchMaxBytes(1 << 20),
	}
	if b.options.TLS != nil {
		all = append(all, kgo.DialTLSConfig(b.options.ClientTLS))
	}
	if len(b.options.Users) > 0 {
		all = append(all, kgo.SASL(mechanism(b.options.Users[0])))
	}
	client, err := kgo.NewClient(append(all, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("make producer: %w", err)
	}
	return client, nil
}

func mechanism(u User) sasl.Mechanism {
	switch u.Mechanism {
	case "SCRAM-SHA-256":
		return scram.Auth{User: u.Name, Pass: u.Password}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: u.Name, Pass: u.Password}.AsSha512Mechanism()
	default:
		return plain.Auth{User: u.Name, Pass: u.Password}.AsMechanism()
	}
}

// CreateTopic makes a topic. A topic that is made again under its old name gets another id.
func (b *Broker) CreateTopic(topic string, partitions int32, configs map[string]string) error {
	return b.fake.CreateTopic(topic, partitions, configs)
}

// DeleteTopic removes a topic and what the groups have committed for it.
func (b *Broker) DeleteTopic(topic string) error {
	err := b.fake.DeleteTopic(topic)
	b.client.PurgeTopicsFromProducing(topic) // it may be made again, under another id
	return err
}

// AddPartitions gives a topic more partitions, up to total.
func (b *Broker) AddPartitions(ctx context.Context, topic string, total int) error {
	resp, err := kadm.NewClient(b.client).UpdatePartitions(ctx, total, topic)
	if err != nil {
		return err
	}
	return resp.Error()
}

// SetConfig changes one key of a topic's configuration.
func (b *Broker) SetConfig(ctx context.Context, topic, key, value string) error {
	resp, err := kadm.NewClient(b.client).AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
	if err != nil {
		return err
	}
	for _, r := range resp {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

// DeleteRecords makes offset the first of a partition, as retention does.
func (b *Broker) DeleteRecords(topic string, partition int32, offset int64) error {
	return b.fake.DeleteRecords(topic, partition, offset)
}

// Compact compacts the topics whose cleanup.policy is compact.
func (b *Broker) Compact() { b.fake.Compact() }

// MoveLeader makes another broker lead a partition, under a new leader epoch.
func (b *Broker) MoveLeader(topic string, partition, node int32) error {
	return b.fake.MoveTopicPartition(topic, partition, node)
}

// ShuffleLeaders gives every partition a leader at random, under a new leader epoch.
func (b *Broker) ShuffleLeaders() { b.fake.ShufflePartitionLeaders() }

// ShuffleCoordinators moves groups and transactions to other coordinators.
func (b *Broker) ShuffleCoordinators() { b.fake.RehashCoordinators() }

// End returns the high watermark of a partition, -1 when it does not exist.
func (b *Broker) End(topic string, partition int32) int64 {
	if p := b.fake.PartitionInfo(topic, partition); p != nil {
		return p.HighWatermark
	}
	return -1
}

// Committed returns what a group has committed for a partition; offset -1: nothing.
func (b *Broker) Committed(group, topic string, partition int32) (offset int64, metadata string) {
	if g := b.fake.GroupInfo(group); g != nil {
		if c, ok := g.Commits[topic][partition]; ok {
			return c.Offset, c.Metadata
		}
	}
	return -1, ""
}
