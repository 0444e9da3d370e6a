package brokerlink_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest"
)

// batch encodes a record batch of format v2 whose events are at the given offsets of [first, last].
func batch(first, last int64, offsets ...int64) []byte {
	var records []byte
	for _, o := range offsets {
		body := strconv.FormatInt(o, 10)
		r := []byte{0}                                 // attributes
		r = binary.AppendVarint(r, 0)                  // timestamp delta
		r = binary.AppendVarint(r, o-first)            // offset delta
		r = binary.AppendVarint(r, -1)                 // key
		r = binary.AppendVarint(r, int64(len(body)))   // body
		r = binary.AppendVarint(append(r, body...), 0) // headers
		records = append(binary.AppendVarint(records, int64(len(r))), r...)
	}
	return raw(first, last, len(offsets), records)
}

// raw is a batch with any bytes as its events.
func raw(first, last int64, count int, records []byte) []byte {
	tail := binary.BigEndian.AppendUint16(nil, 0)                  // attributes
	tail = binary.BigEndian.AppendUint32(tail, uint32(last-first)) // last offset delta
	tail = binary.BigEndian.AppendUint64(tail, 1_000)              // first timestamp
	tail = binary.BigEndian.AppendUint64(tail, 1_000)              // max timestamp
	tail = binary.BigEndian.AppendUint64(tail, ^uint64(0))         // producer id
	tail = binary.BigEndian.AppendUint16(tail, ^uint16(0))         // producer epoch
	tail = binary.BigEndian.AppendUint32(tail, ^uint32(0))         // first sequence
	tail = binary.BigEndian.AppendUint32(tail, uint32(count))      // events
	tail = append(tail, records...)                                //
	out := binary.BigEndian.AppendUint64(nil, uint64(first))       // base offset
	out = binary.BigEndian.AppendUint32(out, uint32(len(tail)+9))  // length of what follows
	out = binary.BigEndian.AppendUint32(out, 0)                    // leader epoch
	out = append(out, 2)                                           // magic
	sum := crc32.Checksum(tail, crc32.MakeTable(crc32.Castagnoli)) //
	return append(binary.BigEndian.AppendUint32(out, sum), tail...)
}

// serve makes every fetch answer with the batches from the wanted offset on, as many as fit and one at least.
func serve(b *brokertest.Broker, end int64, batches ...[]byte) {
	b.Fake().ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake().KeepControl()
		req := kreq.(*kmsg.FetchRequest)
		want := req.Topics[0].Partitions[0]
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition, p.HighWatermark, p.LastStableOffset, p.RecordBatches = want.Partition, end, end, []byte{}
		for _, batch := range batches {
			first, delta := int64(binary.BigEndian.Uint64(batch)), int64(binary.BigEndian.Uint32(batch[23:]))
			if first+delta < want.FetchOffset || len(p.RecordBatches) > 0 && len(p.RecordBatches)+len(batch) > int(want.PartitionMaxBytes) {
				continue
			}
			p.RecordBatches = append(p.RecordBatches, batch...)
		}
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.Partitions = req.Topics[0].Topic, []kmsg.FetchResponseTopicPartition{p}
		resp.Topics = []kmsg.FetchResponseTopic{topic}
		resp.ThrottleMillis = 20
		return resp, nil, true
	})
}

func TestDamagedLogs(t *testing.T) {
	flip := func(b []byte) []byte {
		b = slices.Clone(b)
		b[len(b)-2] ^= 1
		return b
	}
	short := batch(2, 3, 2, 3)
	for _, c := range []struct {
		name    string
		policy  string
		batches [][]byte
		events  []string
		check   func(err error) bool
	}{
		{
			name: "hole between batches", batches: [][]byte{batch(0, 1, 0, 1), batch(4, 5, 4, 5)}, events: []string{"0", "1"},
			check: func(err error) bool {
				return errors.Is(err, ingest.ErrUnexplainedGap) && contains(err, "cleanup.policy")
			},
		},
		{
			name: "hole between batches of a compacted topic", policy: "compact", batches: [][]byte{batch(0, 1, 0, 1), batch(4, 5, 4, 5)},
			events: []string{"0", "1", "4", "5"},
		},
		{name: "holes inside a batch", batches: [][]byte{batch(0, 5, 1, 3)}, events: []string{"1", "3"}},
		{name: "empty batch at the end", batches: [][]byte{batch(0, 1, 0, 1), batch(2, 5)}, events: []string{"0", "1"}},
		{name: "nothing but empty batches", batches: [][]byte{batch(0, 2), batch(3, 5)}},
		{
			name: "bad checksum", batches: [][]byte{batch(0, 1, 0, 1), flip(batch(2, 3, 2, 3)), batch(4, 5, 4, 5)}, events: []string{"0", "1"},
			check: corruptAt(2, "CRC"),
		},
		{
			name: "events cut short under a good checksum", batches: [][]byte{batch(0, 1, 0, 1), raw(2, 3, 2, short[61:len(short)-3])}, events: []string{"0", "1"},
			check: corruptAt(2, "cut short"),
		},
		{
			name: "offsets out of order", batches: [][]byte{batch(0, 1, 0, 1), batch(2, 4, 3, 2, 4)}, events: []string{"0", "1"},
			check: corruptAt(2, "out of order"),
		},
		{
			name: "offset behind the batch's end", batches: [][]byte{batch(0, 1, 0, 7)},
			check: corruptAt(0, "out of order"),
		},
		{
			name: "old message format", batches: [][]byte{oldFormat(batch(0, 5, 0, 1, 2, 3, 4, 5))},
			check: func(err error) bool { var c *ingest.CorruptError; return errors.As(err, &c) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := brokertest.New(t, brokertest.Options{})
			policy := c.policy
			if policy == "" {
				policy = "delete"
			}
			if err := b.CreateTopic("t", 1, map[string]string{"cleanup.policy": policy}); err != nil {
				t.Fatal(err)
			}
			serve(b, 6, c.batches...)
			withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
				var got []string
				next := ingest.Offset(0)
				for next < 6 {
					batch, err := s.Read(ctx, next)
					if err != nil {
						if c.check == nil || !c.check(err) {
							return fmt.Errorf("read at %d: %w", next, err)
						}
						break
					}
					if err := tiles(batch, next); err != nil {
						return err
					}
					got = append(got, bodies(batch.Events)...)
					next = batch.Next
				}
				if c.check != nil && next == 6 {
					return errors.New("the damage was not noticed")
				}
				if !slices.Equal(got, c.events) {
					return fmt.Errorf("events %q, want %q", got, c.events)
				}
				return nil
			})
		})
	}
}

func corruptAt(offset ingest.Offset, text string) func(error) bool {
	return func(err error) bool {
		var c *ingest.CorruptError
		return errors.As(err, &c) && c.Offset == offset && contains(err, text)
	}
}

// oldFormat sets the magic of message format v1.
func oldFormat(b []byte) []byte {
	b = slices.Clone(b)
	b[16] = 1
	return b
}

func TestBatchLargerThanTheFetchIsReadWhole(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	large := make([]byte, 900<<10)
	produce(t, b, brokertest.Event{Topic: "t", Body: large}, brokertest.Event{Topic: "t", Body: []byte("small")})
	c := config(t, b, "t")
	c.Fetch.Bytes = conf.KiB
	withStream(t, c, func(ctx context.Context, s ingest.Stream) error {
		got, _, err := read(ctx, s, 0, 2)
		if err != nil || len(got) != 2 || len(got[0].Body) != len(large) {
			return fmt.Errorf("%d events, %w", len(got), err)
		}
		return nil
	})
}

func TestThrottlingIsCounted(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	serve(b, 4, batch(0, 1, 0, 1), batch(2, 3, 2, 3))
	c := config(t, b, "t")
	c.Fetch.Bytes = conf.KiB
	registry := prometheus.NewRegistry()
	throttled := make(chan float64, 1)
	run(t, c, brokerlink.Options{Name: "one", Registerer: registry}, func(ctx context.Context, s ingest.Stream) error {
		if _, _, err := read(ctx, s, 0, 4); err != nil {
			return err
		}
		throttled <- counter(t, registry, "penstock_kafka_throttled_seconds_total")
		<-ctx.Done()
		return nil
	})
	if got := <-throttled; got < 0.02 {
		t.Errorf("throttled for %v seconds", got)
	}
}
