//go:build integration

package bench

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/integration/cluster"
)

// BenchmarkStart is the time from the start of the process to its first published file, on the cluster: Kerberos for Kafka and HDFS, the
// group, the claim, the first block. The first start has no state yet; the second finds it, and an event more.
func BenchmarkStart(b *testing.B) {
	t := hdfsTarget(b)
	for b.Loop() {
		var first, again series
		for round := range rounds(b, 7) {
			name := fmt.Sprintf("bench-start-%d-%d", time.Now().UnixMilli(), round)
			k := newTopic(b, t.cluster, name, 4)
			dir := t.dir(b, name)
			plan := agentPlan{
				Brokers: []string{t.cluster.Conf().KafkaGSSAPI}, GSSAPI: true, Topic: name, Group: name,
				Path: dir + "/dt=%Y-%m-%d", Format: parquet, Roll: "{rows: 1}", Cluster: t.cluster,
			}
			for i, s := range []*series{&first, &again} {
				k.one(b)
				a := startAgent(b, plan)
				t.await(b, a, dir, i+1)
				*s = append(*s, time.Since(a.began).Seconds())
				a.stop(b)
			}
		}
		b.Logf("seconds to the first published file: without state %s, with state %s", first, again)
		b.ReportMetric(first.median(), "first-s")
		b.ReportMetric(again.median(), "again-s")
		b.ReportMetric(0, "ns/op")
	}
}

// await looks for files as a reader would, until there are so many.
func (t *target) await(b testing.TB, a *agent, dir string, files int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	day := path.Join(t.local(dir), "dt="+millis(begin).UTC().Format(time.DateOnly))
	for tick(ctx, 5*time.Millisecond) {
		if list, err := t.fs.List(ctx, day); err == nil && len(list) >= files {
			return
		}
	}
	b.Fatalf("no file: %v\n%s", ctx.Err(), a.tail())
}

// kafkaTopic is a topic of the cluster, gone with the benchmark.
type kafkaTopic struct {
	name   string
	client *kgo.Client
	feed   *feed
}

func newTopic(b testing.TB, c *cluster.Cluster, name string, partitions int) *kafkaTopic {
	b.Helper()
	// The events are older than the cluster's retention.
	if _, err := c.Admin(b.Context(), cluster.Topics, "--create", "--topic", name, "--partitions", strconv.Itoa(partitions),
		"--replication-factor", "1", "--config", "retention.ms=-1"); err != nil {
		b.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Conf().KafkaPlain), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(100_000))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		client.Close()
		// The benchmark's own context is over by now.
		if _, err := c.Admin(context.Background(), cluster.Topics, "--delete", "--topic", name); err != nil {
			b.Error(err)
		}
	})
	return &kafkaTopic{name: name, client: client, feed: workload{Buckets: 1}.feed(0)}
}

// one produces an event.
func (k *kafkaTopic) one(b testing.TB) {
	b.Helper()
	var e ingest.Event
	k.feed.next(&e)
	r := &kgo.Record{Topic: k.name, Key: e.Key, Value: e.Body, Timestamp: millis(e.Timestamp)}
	if err := k.client.ProduceSync(b.Context(), r).FirstErr(); err != nil {
		b.Fatal(err)
	}
}

// fill produces a workload.
func (k *kafkaTopic) fill(b testing.TB, w workload) {
	b.Helper()
	failed := make(chan error, 1)
	for e := range w.all() {
		r := &kgo.Record{Topic: k.name, Partition: e.Partition, Key: e.Key, Value: e.Body, Timestamp: e.Timestamp}
		k.client.Produce(b.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
	}
	if err := k.client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
}
