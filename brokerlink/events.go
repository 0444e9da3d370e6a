package brokerlink

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// readAtLeast is how many events a Read returns if the block has them. It stops at the end of a batch: small enough that the events
// stay in the processor's cache, large enough that the cost of a Read does not show.
const readAtLeast = 512

// decoder turns blocks into batches. Its slices are used again for each batch.
type decoder struct {
	p         ingest.Partition
	committed bool // leave out aborted transactions
	compacted func(ctx context.Context, from, to ingest.Offset) (bool, error)

	block  block
	at     int // next batch of the block
	skip   int // next aborted transaction of the block
	pos    ingest.Offset
	open   map[int64]bool // producers with an aborted transaction at pos
	keys   map[string]string
	events []ingest.Event
	heads  []ingest.Header
	gaps   []ingest.Gap
	marks  []ingest.Mark
	failed error // of the batch that comes next
}

// put gives the decoder a block that begins at or before pos.
func (d *decoder) put(b block, pos ingest.Offset) {
	d.block, d.at, d.skip, d.pos, d.failed = b, 0, 0, pos, nil
	clear(d.open)
}

// empty reports whether the block is used up.
func (d *decoder) empty() bool { return d.at >= len(d.block.batches) && d.pos >= d.block.next }

// batch returns the next run of the block: some broker batches, whole.
func (d *decoder) batch(ctx context.Context) (ingest.Batch, error) {
	d.events, d.heads, d.gaps, d.marks = d.events[:0], d.heads[:0], d.gaps[:0], d.marks[:0]
	if d.failed != nil {
		return ingest.Batch{}, d.failed
	}
	first := d.pos
	for d.at < len(d.block.batches) && len(d.events) < readAtLeast {
		before, events, gaps, marks := d.pos, len(d.events), len(d.gaps), len(d.marks)
		if err := d.add(ctx, d.block.batches[d.at].RecordBatch); err != nil {
			if before == first {
				return ingest.Batch{}, err
			}
			// What is in front of it is good. The error comes with the next call.
			d.failed, d.pos, d.events, d.gaps, d.marks = err, before, d.events[:events], d.gaps[:gaps], d.marks[:marks]
			break
		}
		d.block.batches[d.at] = nil // its memory may go when the events do
		d.at++
	}
	if d.failed == nil && d.at >= len(d.block.batches) && d.pos < d.block.next {
		d.gap(d.block.next, ingest.GapCompacted, "batches without events up to "+strconv.FormatInt(int64(d.block.next), 10))
	}
	return ingest.Batch{Range: ingest.Range{First: first, Next: d.pos}, Events: d.events, Gaps: d.gaps, Marks: d.marks}, nil
}

// add appends one broker batch from pos on and moves pos behind it.
func (d *decoder) add(ctx context.Context, b *sarama.RecordBatch) error {
	first, last := ingest.Offset(b.FirstOffset), ingest.Offset(b.LastOffset())
	aborted := d.aborted(b, last)
	if last < first {
		return &ingest.CorruptError{Partition: d.p, Offset: first, Err: fmt.Errorf("it ends at %d, before it begins", last)}
	}
	if last < d.pos {
		return nil // a fetch begins with the batch that holds the wanted offset, or one that ends before it
	}
	if first > d.pos {
		if err := d.between(ctx, first); err != nil {
			return err
		}
	}
	switch {
	case b.Control:
		d.gap(last+1, ingest.GapControl, "control batch at "+strconv.FormatInt(b.FirstOffset, 10)+", producer "+strconv.FormatInt(b.ProducerID, 10))
	case aborted:
		d.gap(last+1, ingest.GapAborted, "aborted transaction of producer "+strconv.FormatInt(b.ProducerID, 10))
	default:
		return d.records(b, last)
	}
	return nil
}

// between explains offsets that no batch covers. Only compaction removes whole batches inside a log.
func (d *decoder) between(ctx context.Context, first ingest.Offset) error {
	ok, err := d.compacted(ctx, d.pos, first)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: %s: the next batch after offset %d begins at %d, and the topic's cleanup.policy is not compact", ingest.ErrUnexplainedGap, d.p, d.pos, first)
	}
	d.gap(first, ingest.GapCompacted, "cleanup.policy=compact, next batch at "+strconv.FormatInt(int64(first), 10))
	return nil
}

// records appends the events of a batch.
func (d *decoder) records(b *sarama.RecordBatch, last ingest.Offset) error {
	before, count := d.pos, len(d.events)
	for _, r := range b.Records {
		offset := ingest.Offset(b.FirstOffset + r.OffsetDelta)
		if offset < d.pos && offset < before {
			continue
		}
		if offset < d.pos || offset > last {
			return &ingest.CorruptError{Partition: d.p, Offset: ingest.Offset(b.FirstOffset), Err: fmt.Errorf("offset %d is out of order in a batch that ends at %d", offset, last)}
		}
		if offset > d.pos {
			d.gap(offset, ingest.GapCompacted, d.holes(b))
		}
		if len(d.events) == cap(d.events) {
			d.events = append(make([]ingest.Event, 0, max(2*cap(d.events), readAtLeast)), d.events...)
		}
		d.events = d.events[:len(d.events)+1]
		e := &d.events[len(d.events)-1]
		fill(e, b, r)
		e.Headers = d.headers(r.Headers)
		d.pos = offset + 1
	}
	if len(d.events) > count {
		e := &d.events[len(d.events)-1]
		d.marks = append(d.marks, ingest.Mark{Offset: e.Offset, LeaderEpoch: b.PartitionLeaderEpoch, CRC: e.CRC()})
	}
	if d.pos <= last {
		d.gap(last+1, ingest.GapCompacted, d.holes(b))
	}
	return nil
}

// holes is the evidence for offsets that are missing inside a batch.
func (d *decoder) holes(b *sarama.RecordBatch) string {
	if n := len(d.gaps); n > 0 && d.gaps[n-1].Reason == ingest.GapCompacted && d.gaps[n-1].First >= ingest.Offset(b.FirstOffset) {
		return d.gaps[n-1].Evidence // of the same batch: one string for all its holes
	}
	return fmt.Sprintf("batch at %d holds %d of %d events", b.FirstOffset, len(b.Records), b.LastOffsetDelta+1)
}

// gap notes [pos, to) and moves pos there.
func (d *decoder) gap(to ingest.Offset, reason ingest.GapReason, evidence string) {
	if n := len(d.gaps); n > 0 && d.gaps[n-1].Next == d.pos && d.gaps[n-1].Reason == reason && d.gaps[n-1].Evidence == evidence {
		d.gaps[n-1].Next = to
	} else {
		d.gaps = append(d.gaps, ingest.Gap{Range: ingest.Range{First: d.pos, Next: to}, Reason: reason, Evidence: evidence})
	}
	d.pos = to
}

// aborted reports whether the batch belongs to an aborted transaction. The answer lists where each begins; its end is the
// producer's next abort marker.
func (d *decoder) aborted(b *sarama.RecordBatch, last ingest.Offset) bool {
	if !d.committed {
		return false
	}
	for d.skip < len(d.block.aborted) && d.block.aborted[d.skip].FirstOffset <= int64(last) {
		if d.open == nil {
			d.open = map[int64]bool{}
		}
		d.open[d.block.aborted[d.skip].ProducerID] = true
		d.skip++
	}
	if b.Control {
		if isAbort(b) {
			delete(d.open, b.ProducerID)
		}
		return false
	}
	return b.IsTransactional && d.open[b.ProducerID]
}

// isAbort reads a control event's key: int16 version, int16 type, where 0 is abort and 1 is commit.
func isAbort(b *sarama.RecordBatch) bool {
	if len(b.Records) == 0 || len(b.Records[0].Key) < 4 {
		return false
	}
	return binary.BigEndian.Uint16(b.Records[0].Key[2:]) == 0
}

// fill copies what can be copied without a loop; Key and Body point into sarama's buffer.
func fill(e *ingest.Event, b *sarama.RecordBatch, r *sarama.Record) {
	*e = ingest.Event{
		Offset:    ingest.Offset(b.FirstOffset + r.OffsetDelta),
		Timestamp: timestamp(b, r),
		Key:       r.Key,
		Body:      r.Value,
	}
}

// headers appends to the shared slice. Keys are few, so each is made a string once.
func (d *decoder) headers(from []*sarama.RecordHeader) ingest.Headers {
	if len(from) == 0 {
		return nil
	}
	start := len(d.heads)
	for _, h := range from {
		d.heads = append(d.heads, ingest.Header{Key: d.key(h.Key), Value: h.Value})
	}
	return d.heads[start:len(d.heads):len(d.heads)]
}

// key returns the string of a header's key. A producer that makes keys up gets a new string each time, since the table is bounded.
func (d *decoder) key(k []byte) string {
	if s, ok := d.keys[string(k)]; ok {
		return s
	}
	s := string(k)
	if d.keys == nil {
		d.keys = map[string]string{}
	}
	if len(d.keys) < 256 && len(s) <= 128 {
		d.keys[s] = s
	}
	return s
}

// timestamp returns an event's time in milliseconds.
//
// sarama gives the difference to the batch's first timestamp as a time.Duration, that is in nanoseconds in 64 bits: 292 years. An event from
// year 9999 in a batch that began in 1970 wraps around. The multiplication by 10⁶ = 2⁶·15625 is undone modulo 2⁵⁸ instead of divided, which
// gives the right number for every difference below nine million years.
func timestamp(b *sarama.RecordBatch, r *sarama.Record) int64 {
	if b.LogAppendTime {
		return milliseconds(b.MaxTimestamp)
	}
	return milliseconds(b.FirstTimestamp) + undoNano(r.TimestampDelta)
}

// milliseconds is -1 for sarama's zero time: Kafka's "no timestamp".
func milliseconds(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return t.UnixMilli()
}

func undoNano(d time.Duration) int64 {
	const inverse = 0x790fb65668c26139 // of 15625, modulo 2⁶⁴
	return int64(uint64(int64(d)>>6)*inverse<<6) >> 6
}
