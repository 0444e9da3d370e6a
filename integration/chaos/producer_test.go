//go:build integration

package chaos

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
	"github.com/penstock-io/penstock/integration/oracle"
)

const (
	producers  = 4
	partitions = 6
	shards     = 2 // values of the header that is in the path, beside the hour of the event
)

// producer sends events and enters them in the ledger. It is idempotent and never gives up, so what is in the ledger is in the topic, once.
type producer struct {
	topic  string
	client *kgo.Client
	turn   chan struct{}  // holds a place while a chunk is sent, or must not be
	ledger *oracle.Ledger // of the sending goroutine, until send has returned
	sent   atomic.Int64
}

func newProducer(topic, broker string, turn chan struct{}) (*producer, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return nil, fmt.Errorf("make the producer: %w", err)
	}
	return &producer{topic: topic, client: client, turn: turn, ledger: oracle.NewLedger(producers)}, nil
}

// send sends at least so many events, and goes on until enough is closed. It keeps a backlog for the agents of about most, and not more: the
// topic must not come to its end before the last fault, nor grow without one.
func (p *producer) send(ctx context.Context, atLeast, most int64, enough <-chan struct{}, backlog func(sent int64) int64) error {
	const chunk = 1000
	var gens []*jsonevents.Generator
	for id := range producers {
		gens = append(gens, jsonevents.New(id, 1))
	}
	for {
		select {
		case <-enough:
			if p.sent.Load() >= atLeast {
				return nil
			}
		default:
		}
		if backlog(p.sent.Load()) > most {
			if err := wait(ctx, 50*time.Millisecond); err != nil {
				return err
			}
			continue
		}
		if err := p.chunk(ctx, gens, chunk); err != nil {
			return err
		}
	}
}

func (p *producer) chunk(ctx context.Context, gens []*jsonevents.Generator, events int) error {
	records := make([]*kgo.Record, 0, events)
	for range events / producers {
		for id, g := range gens {
			body := g.Append(nil)
			seq := uint64(p.ledger.Events()) / producers // they take turns
			if err := p.ledger.Sent(id, seq, body); err != nil {
				return err
			}
			records = append(records, &kgo.Record{
				Topic: p.topic, Partition: int32(seq % partitions), Value: body, Timestamp: time.UnixMilli(g.Millis()),
				Headers: []kgo.RecordHeader{{Key: "shard", Value: strconv.AppendUint(nil, seq/partitions%shards, 10)}},
			})
		}
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-p.turn }()
	if err := p.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	p.sent.Add(int64(len(records)))
	return nil
}

// wait is for a moment between two looks, or a moment at random.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
