package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// Producer appends events to a topic of a channel's cluster, with the channel's login: for commands that bring events back. It is at least once: a request
// without an answer is sent again, and may have been carried out. Used by one goroutine.
type Producer struct {
	c          *cluster
	line       line
	topic      string
	partitions []int32
	timeout    time.Duration
}

const (
	produceVersion = 7
	produceTries   = 6
	produceBytes   = 512 << 10 // of a batch: brokers take 1 MiB unless they are told otherwise
)

// NewProducer looks the topic up. A *NoTopicError: it does not exist.
func (ch *Channel) NewProducer(ctx context.Context, topic string) (*Producer, error) {
	c := newCluster(ch.t, ch.seeds(), ch.cfg.Group)
	p := &Producer{c: c, line: line{t: ch.t, wait: ch.t.requestTimeout}, topic: topic, timeout: ch.t.requestTimeout}
	err := c.refresh(ctx, []string{topic})
	if err == nil {
		if err = c.topicError(topic); errors.Is(err, sarama.ErrUnknownTopicOrPartition) || errors.Is(err, sarama.ErrInvalidTopic) {
			err = &NoTopicError{Topic: topic, Cluster: c.clusterID()}
		}
	}
	if err != nil {
		p.Close()
		return nil, wrap("look up topic "+topic, err)
	}
	p.partitions = c.partitionIDs(topic)
	return p, nil
}

// Close ends the connections.
func (p *Producer) Close() {
	p.line.close()
	p.c.close()
}

// Send returns when all replicas in sync have the events. They go, in their order, to the partition of this number, counted around when the topic has fewer. Of
// an event's fields, offset and CRC are the broker's. It keeps nothing.
func (p *Producer) Send(ctx context.Context, partition int32, events []ingest.Event) error {
	to := ingest.Partition{Topic: p.topic, ID: p.partitions[int(partition)%len(p.partitions)]}
	for len(events) > 0 {
		n := batchEnd(events)
		if err := p.send(ctx, to, events[:n]); err != nil {
			return wrap("produce to "+to.String(), err)
		}
		events = events[n:]
	}
	return nil
}

// batchEnd is how many events go into the next batch; one at least.
func batchEnd(events []ingest.Event) int {
	size := 0
	for i := range events {
		size += len(events[i].Key) + len(events[i].Body) + 64
		for _, h := range events[i].Headers {
			size += len(h.Key) + len(h.Value) + 16
		}
		if size > produceBytes && i > 0 {
			return i
		}
	}
	return len(events)
}

func (p *Producer) send(ctx context.Context, to ingest.Partition, events []ingest.Event) error {
	var last error
	for try := range produceTries {
		if try > 0 {
			pause(ctx, try)
		}
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), last)
		}
		at, err := p.c.find(ctx, to, try > 0)
		if err == nil {
			err = p.request(ctx, at.addr, to, events)
		}
		switch {
		case err == nil:
			return nil
		case permanent(err), errors.Is(err, sarama.ErrMessageSizeTooLarge), errors.Is(err, sarama.ErrInvalidRecord):
			return err
		}
		last = err
	}
	return fmt.Errorf("given up after %d tries: %w", produceTries, last)
}

func (p *Producer) request(ctx context.Context, addr string, to ingest.Partition, events []ingest.Event) error {
	req := &sarama.ProduceRequest{RequiredAcks: sarama.WaitForAll, Timeout: int32(p.timeout.Milliseconds()), Version: produceVersion}
	req.AddBatch(to.Topic, to.ID, batchOf(events))
	return p.line.do(ctx, addr, func(b *sarama.Broker) error {
		resp, err := b.Produce(req)
		if err != nil {
			return err
		}
		block := resp.GetBlock(to.Topic, to.ID)
		if block == nil {
			return errors.New("the answer lacks the partition")
		}
		return codeError(block.Err)
	})
}

// batchOf is a record batch, version 2, without compression, of a producer without an id.
func batchOf(events []ingest.Event) *sarama.RecordBatch {
	first := time.UnixMilli(events[0].Timestamp)
	b := &sarama.RecordBatch{
		Version: 2, FirstTimestamp: first, MaxTimestamp: first, LastOffsetDelta: int32(len(events) - 1), ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
	}
	for i := range events {
		e := &events[i]
		at := time.UnixMilli(e.Timestamp)
		if at.After(b.MaxTimestamp) {
			b.MaxTimestamp = at
		}
		r := &sarama.Record{OffsetDelta: int64(i), TimestampDelta: at.Sub(first), Key: e.Key, Value: e.Body}
		for _, h := range e.Headers {
			r.Headers = append(r.Headers, &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		b.Records = append(b.Records, r)
	}
	return b
}
