package brokerlink

import (
	"bytes"
	"context"
	"net"
	"testing"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// FuzzDecode: whatever batches a broker sends, what comes out tiles a run of offsets, or is an error. sarama has taken the bytes apart
// before; what it vouches for is the shape, not the sense.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 2, 0, 3, 0, 1, 2, 1, 4, 1, 0})
	f.Add([]byte{3, 0, 2, 1, 0, 0, 255, 4, 1, 200})
	f.Add([]byte{0, 5, 5, 2, 3, 1, 0, 0, 1, 1, 0, 0, 9, 8, 3, 7, 7, 7})
	f.Fuzz(func(t *testing.T, in []byte) {
		b, next := blockFrom(&in)
		d := &decoder{
			p: ingest.Partition{Topic: "clicks"}, committed: true,
			compacted: func(context.Context, ingest.Offset, ingest.Offset) (bool, error) { return len(in)%2 == 0, nil },
		}
		d.put(b, next)
		for range 100 {
			if d.empty() {
				return
			}
			got, err := d.batch(t.Context())
			if err != nil {
				return
			}
			if got.First != next || got.Next < got.First {
				t.Fatalf("[%d, %d) comes after %d", got.First, got.Next, next)
			}
			tiles(t, &got)
			next = got.Next
		}
		t.Fatal("the decoder does not come to an end")
	})
}

// tiles checks that events and gaps are all offsets of the batch, once each.
func tiles(t *testing.T, b *ingest.Batch) {
	t.Helper()
	at, gaps := b.First, b.Gaps
	for i := 0; i <= len(b.Events); {
		switch {
		case len(gaps) > 0 && gaps[0].First == at && gaps[0].Next > at:
			at, gaps = gaps[0].Next, gaps[1:]
		case i < len(b.Events) && b.Events[i].Offset == at:
			at++
			i++
		case i == len(b.Events) && len(gaps) == 0 && at == b.Next:
			return
		default:
			t.Fatalf("[%d, %d): neither an event nor a gap is at %d: %d events, gaps %v", b.First, b.Next, at, len(b.Events), b.Gaps)
		}
	}
}

// blockFrom makes batches of bytes: of each how far it lies behind the one before, its length, flags, and its events' distances.
func blockFrom(in *[]byte) (block, ingest.Offset) {
	take := func() int64 {
		if len(*in) == 0 {
			return 0
		}
		v := (*in)[0]
		*in = (*in)[1:]
		return int64(int8(v))
	}
	var b block
	first := max(take(), 0)
	at := first
	for len(*in) > 0 && len(b.batches) < 20 {
		r := &sarama.RecordBatch{FirstOffset: at + take(), LastOffsetDelta: int32(take()), ProducerID: 1}
		flags := take()
		r.Control, r.IsTransactional = flags&1 != 0, flags&2 != 0
		if flags&4 != 0 {
			b.aborted = append(b.aborted, &sarama.AbortedTransaction{ProducerID: 1, FirstOffset: r.FirstOffset})
		}
		for range max(take(), 0) % 8 {
			r.Records = append(r.Records, &sarama.Record{OffsetDelta: take(), Key: []byte{0, 0, 0, byte(take())}})
		}
		at = r.LastOffset() + 1
		b.batches = append(b.batches, &sarama.Records{RecordBatch: r})
		b.next = ingest.Offset(at)
	}
	return b, ingest.Offset(first)
}

// FuzzLogin: what a stranger answers before it has shown who it is.
func FuzzLogin(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00\x00\x14\x00\x00\x00\x02\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x12\x00\x00\x00\x01\x00\x21\x00\x00\x00\x01\x00\x05PLAIN"))
	f.Add([]byte("\x7f\xff\xff\xff\x00\x00\x00\x01"))
	f.Fuzz(func(_ *testing.T, answers []byte) {
		fr := &frames{conn: &guardedConn{Conn: stranger{Reader: bytes.NewReader(answers)}, addr: "broker:9093"}}
		if err := fr.handshake(&plainLogin{name: "ingest"}); err != nil {
			_ = err.Error()
			return
		}
		if _, _, err := fr.authenticate(nil); err != nil {
			_ = err.Error()
		}
	})
}

// stranger is a connection that answers whatever it likes.
type stranger struct {
	net.Conn
	*bytes.Reader
}

func (s stranger) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s stranger) Write(p []byte) (int, error) { return len(p), nil }
