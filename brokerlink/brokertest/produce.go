package brokertest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Event is what is produced. Partition is the producer's choice.
type Event struct {
	Topic     string
	Partition int32
	Key       []byte
	Body      []byte
	Headers   []Header
	Timestamp time.Time // zero: now
}

// Header is one header of an event.
type Header struct {
	Key   string
	Value []byte
}

func (e Event) record() *kgo.Record {
	r := &kgo.Record{Topic: e.Topic, Partition: e.Partition, Key: e.Key, Value: e.Body, Timestamp: e.Timestamp}
	for _, h := range e.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r
}

// Produce writes events as one batch for each partition, as far as they fit, and returns when all are acknowledged.
func (b *Broker) Produce(ctx context.Context, events ...Event) error {
	records := make([]*kgo.Record, 0, len(events))
	for _, e := range events {
		records = append(records, e.record())
	}
	return b.client.ProduceSync(ctx, records...).FirstErr()
}

// Stream writes events as fast as the cluster takes them, each partition in order, and returns when all are acknowledged. The codec is
// that of a producer: none, gzip, snappy, lz4 or zstd. Bodies must not be changed afterwards.
func (b *Broker) Stream(ctx context.Context, codec string, events iter.Seq[Event]) error {
	client, err := b.newClient(kgo.ProducerBatchCompression(compression(codec)), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	var mu sync.Mutex
	var first error
	for e := range events {
		client.Produce(ctx, e.record(), func(_ *kgo.Record, err error) {
			if err == nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if first == nil {
				first = err
			}
		})
		if ctx.Err() != nil {
			break
		}
	}
	if err := client.Flush(ctx); err != nil {
		return fmt.Errorf("flush producer: %w", err)
	}
	mu.Lock()
	defer mu.Unlock()
	return first
}

func compression(codec string) kgo.CompressionCodec {
	switch codec {
	case "gzip":
		return kgo.GzipCompression()
	case "snappy":
		return kgo.SnappyCompression()
	case "lz4":
		return kgo.Lz4Compression()
	case "zstd":
		return kgo.ZstdCompression()
	default:
		return kgo.NoCompression()
	}
}

// Transaction writes events in one transaction and commits or aborts it.
type Transaction struct {
	client *kgo.Client
}

// Begin starts a transaction under a transactional id. End must be called.
func (b *Broker) Begin(id string) (*Transaction, error) {
	client, err := b.newClient(kgo.TransactionalID(id))
	if err != nil {
		return nil, err
	}
	if err := client.BeginTransaction(); err != nil {
		client.Close()
		return nil, fmt.Errorf("begin transaction %s: %w", id, err)
	}
	return &Transaction{client: client}, nil
}

// Produce writes events and waits until the cluster has them.
func (t *Transaction) Produce(ctx context.Context, events ...Event) error {
	records := make([]*kgo.Record, 0, len(events))
	for _, e := range events {
		records = append(records, e.record())
	}
	return t.client.ProduceSync(ctx, records...).FirstErr()
}

// End commits or aborts.
func (t *Transaction) End(ctx context.Context, commit bool) error {
	defer t.client.Close()
	return t.client.EndTransaction(ctx, kgo.TransactionEndTry(commit))
}

// InTransaction writes events in one transaction.
func (b *Broker) InTransaction(ctx context.Context, id string, commit bool, events ...Event) error {
	t, err := b.Begin(id)
	if err != nil {
		return err
	}
	return errors.Join(t.Produce(ctx, events...), t.End(ctx, commit))
}
