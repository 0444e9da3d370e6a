package brokerlink

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
)

// answers is a connection on which a broker has answered already.
type answers struct {
	net.Conn
	from io.Reader
}

func (a answers) Read(p []byte) (int, error)  { return a.from.Read(p) }
func (a answers) Write(p []byte) (int, error) { return len(p), nil }

// request is the beginning of one.
func request(key, version uint16) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 4), key)
	return binary.BigEndian.AppendUint16(b, version)
}

// framed puts the length before an answer.
func framed(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// fetched is an answer to a fetch with one batch, compressed by a codec (0: not), that declares so many events.
func fetched(events uint32, aborted int, codec byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, 0)                   // correlation, throttle
	b = append(b, 0, 0, 0, 0, 0, 0)                              // error, session
	b = append(b, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0) // one topic, t, one partition, 0
	b = append(b, make([]byte, 2+8+8+8)...)                      // error, offsets
	b = binary.BigEndian.AppendUint32(b, uint32(aborted))
	b = append(b, make([]byte, 16*aborted+4)...) // and the replica
	batch := make([]byte, batchHead+10)
	binary.BigEndian.PutUint32(batch[8:], uint32(len(batch)-12))
	batch[16], batch[22] = 2, codec // magic
	binary.BigEndian.PutUint32(batch[57:], events)
	return append(b, framed(batch)...)
}

func TestRoomyConnWidensOnlyWhatNeedsIt(t *testing.T) {
	for events, more := range map[uint32]int{1: 0, 10: 0, 11: batchHead, 1000: 990, mostEvents: mostEvents - 10, mostEvents + 1: 0} {
		for _, aborted := range []int{0, 3} {
			body := fetched(events, aborted, 4)
			c := newRoomyConn(answers{from: bytes.NewReader(framed(body))})
			if _, err := c.Write(request(keyFetch, fetchVersion)); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(c)
			if err != nil || len(got) != 4+len(body)+more || int(binary.BigEndian.Uint32(got)) != len(got)-4 {
				t.Errorf("%d events, %d aborted: %d bytes instead of %d: %v", events, aborted, len(got), 4+len(body)+more, err)
			}
		}
	}
}

// TestRoomyConnBelievesNoPlainBatch: events that are not compressed take bytes, so that more of them than bytes are a lie.
func TestRoomyConnBelievesNoPlainBatch(t *testing.T) {
	body := fetched(1000, 0, 0)
	c := newRoomyConn(answers{from: bytes.NewReader(framed(body))})
	if _, err := c.Write(request(keyFetch, fetchVersion)); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, framed(body)) {
		t.Errorf("%d bytes became %d: %v", 4+len(body), len(got), err)
	}
}

// FuzzRoomyConn: whatever a broker answers arrives as it was, but for two lengths and the room behind it; and so does the next answer.
func FuzzRoomyConn(f *testing.F) {
	f.Add(fetched(1000, 0, 4), true)
	f.Add(fetched(1000, 2, 4), true)
	f.Add(fetched(1, 0, 4), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, body []byte, fetch bool) {
		next := []byte("the next one")
		c := newRoomyConn(answers{from: bytes.NewReader(append(framed(body), framed(next)...))})
		ask := func(key uint16, most int) []byte {
			if _, err := c.Write(request(key, fetchVersion)); err != nil {
				t.Fatal(err)
			}
			var size [4]byte
			if _, err := io.ReadFull(c, size[:]); err != nil {
				t.Fatal(err)
			}
			n := int(binary.BigEndian.Uint32(size[:]))
			if n > most {
				t.Fatalf("%d bytes are announced", n)
			}
			got := make([]byte, n)
			if _, err := io.ReadFull(c, got); err != nil {
				t.Fatal(err)
			}
			return got
		}
		key := uint16(keyFetch + 1)
		if fetch {
			key = keyFetch
		}
		got := ask(key, len(body)+mostEvents+batchHead)
		if len(got) < len(body) || !fetch && len(got) > len(body) {
			t.Fatalf("%d bytes became %d", len(body), len(got))
		}
		changed := 0
		for i := range body {
			if got[i] != body[i] {
				changed++
			}
		}
		if changed > 4 || changed > 0 && len(got) == len(body) {
			t.Fatalf("%d bytes were changed", changed)
		}
		if again := ask(keyFetch+1, len(next)); !bytes.Equal(again, next) {
			t.Fatalf("the next answer is %q", again)
		}
	})
}
