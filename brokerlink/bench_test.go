package brokerlink

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest"
)

// sampleBlock is what sarama would have decoded: broker batches of 1,000 events with two headers each.
func sampleBlock(batches, events int) func() block {
	made := make([]*sarama.Records, batches)
	value, key := make([]byte, 480), []byte("key")
	for i := range made {
		b := &sarama.RecordBatch{FirstOffset: int64(i * events), LastOffsetDelta: int32(events - 1), FirstTimestamp: time.UnixMilli(1)}
		for j := range events {
			b.Records = append(b.Records, &sarama.Record{
				OffsetDelta: int64(j), Key: key, Value: value,
				Headers: []*sarama.RecordHeader{{Key: []byte("host"), Value: key}, {Key: []byte("type"), Value: key}},
			})
		}
		made[i] = &sarama.Records{RecordBatch: b}
	}
	fresh := make([]*sarama.Records, batches)
	return func() block {
		copy(fresh, made)
		return block{batches: fresh, next: ingest.Offset(batches * events)}
	}
}

// BenchmarkDecode is our own part of reading: from sarama's structures to batches of events.
func BenchmarkDecode(b *testing.B) {
	const batches, events = 8, 1000
	next := sampleBlock(batches, events)
	d := decoder{p: ingest.Partition{Topic: "t"}, committed: true}
	b.ReportAllocs()
	for b.Loop() {
		d.put(next(), 0)
		for !d.empty() {
			if _, err := d.batch(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batches*events), "ns/event")
}

func TestDecodeHardlyAllocates(t *testing.T) {
	const batches, events = 8, 1000
	next := sampleBlock(batches, events)
	d := decoder{p: ingest.Partition{Topic: "t"}, committed: true}
	allocs := testing.AllocsPerRun(20, func() {
		d.put(next(), 0)
		for !d.empty() {
			if _, err := d.batch(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
	if per := allocs / (batches * events); per > 0.05 {
		t.Errorf("%.3f allocations per event, 0.05 are allowed", per)
	}
}

// BenchmarkRead reads from a broker in the same process that serves one batch for ever, all partitions at the same time.
func BenchmarkRead(b *testing.B) {
	for _, codec := range []string{"", "zstd"} {
		for _, partitions := range []int32{1, 4, 100} {
			b.Run(fmt.Sprintf("codec=%s/partitions=%d", codec, partitions), func(b *testing.B) { benchmarkRead(b, codec, partitions) })
		}
	}
}

func benchmarkRead(b *testing.B, codec string, partitions int32) {
	b.Helper()
	broker := brokertest.New(b, brokertest.Options{Topics: map[string]int32{"t": partitions}, Synthetic: &brokertest.Synthetic{Events: 1000, Bytes: 480, Codec: codec}})
	c := DefaultConfig()
	for _, addr := range broker.Addrs() {
		hp, err := conf.ParseHostPort(addr)
		if err != nil {
			b.Fatal(err)
		}
		c.Brokers = append(c.Brokers, hp)
	}
	c.Topics, c.Group = []string{"t"}, "g"
	ch, err := New(c, Options{Name: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	counts := make(chan int, 1000)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() {
		done <- ch.Drain(ctx, func(ctx context.Context, s ingest.Stream) error {
			next := ingest.Offset(0)
			for {
				batch, err := s.Read(ctx, next)
				if err != nil {
					return nil //nolint:nilerr // the benchmark is over
				}
				next = batch.Next
				select {
				case counts <- len(batch.Events):
				case <-ctx.Done():
				}
			}
		})
	}()
	<-counts
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		n += <-counts
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
