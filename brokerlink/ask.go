package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// jitter spreads a wait over half to the whole of d, so that partitions and agents do not come back in step.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}

// offset asks the leader for the offset at a time, or at sarama.OffsetOldest or OffsetNewest; -1 when no event is that late.
func (c *cluster) offset(ctx context.Context, p ingest.Partition, when int64, isolation sarama.IsolationLevel) (ingest.Offset, error) {
	got, err := c.offsetAt(ctx, p, when, isolation, false)
	if err != nil && (wrongLeader(err) || broken(err)) && ctx.Err() == nil {
		got, err = c.offsetAt(ctx, p, when, isolation, true)
	}
	return got, wrap("ask for an offset of "+p.String(), err)
}

func (c *cluster) offsetAt(ctx context.Context, p ingest.Partition, when int64, isolation sarama.IsolationLevel, fresh bool) (ingest.Offset, error) {
	at, err := c.find(ctx, p, fresh)
	if err != nil {
		return 0, err
	}
	var resp *sarama.OffsetResponse
	err = c.call(ctx, at.addr, func(b *sarama.Broker) (err error) {
		req := sarama.NewOffsetRequest(sarama.V3_6_0_0)
		req.IsolationLevel = isolation
		req.AddBlock(p.Topic, p.ID, when, 1)
		resp, err = b.GetAvailableOffsets(req)
		return err
	})
	if err != nil {
		return 0, err
	}
	got := resp.GetBlock(p.Topic, p.ID)
	if got == nil {
		return 0, errors.New("the answer lacks the partition")
	}
	return ingest.Offset(got.Offset), codeError(got.Err)
}

// bounds returns what the log holds: [start, end).
func (c *cluster) bounds(ctx context.Context, p ingest.Partition, isolation sarama.IsolationLevel) (start, end ingest.Offset, err error) {
	if start, err = c.offset(ctx, p, sarama.OffsetOldest, isolation); err != nil {
		return 0, 0, err
	}
	end, err = c.offset(ctx, p, sarama.OffsetNewest, isolation)
	return start, end, err
}

// markQuery is a mark to look for at a leader.
type markQuery struct {
	p    ingest.Partition
	at   place
	mark ingest.Mark
}

// checkMark reads the batch in which the marked event was and compares. ErrReplaced says what differs; nil also means that
// the log cannot hold the event any more; any other error is passing.
func checkMark(ctx context.Context, c *cluster, n *line, q markQuery) error {
	var resp *sarama.FetchResponse
	err := n.do(ctx, q.at.addr, func(b *sarama.Broker) (err error) {
		// All events, not only the committed ones: the mark's transaction is settled, but others may not be.
		resp, err = b.Fetch(fetchRequest(fetchQuery{p: q.p, at: q.at, offset: q.mark.Offset, limit: 1, isolation: sarama.ReadUncommitted}))
		return err
	})
	if err != nil {
		return wrap("fetch "+q.p.String(), err)
	}
	got, err := blockOf(resp, q.p)
	if errors.Is(err, sarama.ErrOffsetOutOfRange) {
		return c.outside(ctx, q)
	}
	if err != nil {
		return wrap("fetch "+q.p.String(), err)
	}
	for _, r := range got.RecordsSet {
		b := r.RecordBatch
		if b == nil || b.PartialTrailingRecord || b.LastOffset() < int64(q.mark.Offset) {
			continue
		}
		return compare(q, b)
	}
	return c.outside(ctx, q)
}

// outside decides about a mark that no batch covers: before the log, behind its end, or emptied by compaction.
func (c *cluster) outside(ctx context.Context, q markQuery) error {
	start, end, err := c.bounds(ctx, q.p, sarama.ReadUncommitted)
	if err != nil {
		return err
	}
	if q.mark.Offset >= start && q.mark.Offset >= end {
		return fmt.Errorf("%w: %s: the log ends at offset %d, and the event at %d had been read from it", ingest.ErrReplaced, q.p, end, q.mark.Offset)
	}
	return nil
}

func compare(q markQuery, b *sarama.RecordBatch) error {
	for _, r := range b.Records {
		var e ingest.Event
		fill(&e, b, r)
		if e.Offset != q.mark.Offset {
			continue
		}
		if crc := e.CRC(); crc != q.mark.CRC {
			return fmt.Errorf("%w: %s: another event is at offset %d (checksum %08x, was %08x; leader epoch %d, was %d)",
				ingest.ErrReplaced, q.p, e.Offset, crc, q.mark.CRC, b.PartitionLeaderEpoch, q.mark.LeaderEpoch)
		}
		if q.mark.LeaderEpoch >= 0 && b.PartitionLeaderEpoch >= 0 && b.PartitionLeaderEpoch != q.mark.LeaderEpoch {
			return fmt.Errorf("%w: %s: the event at offset %d was written again (leader epoch %d, was %d)",
				ingest.ErrReplaced, q.p, e.Offset, b.PartitionLeaderEpoch, q.mark.LeaderEpoch)
		}
		return nil
	}
	return nil // compaction removed it
}
