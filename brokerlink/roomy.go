package brokerlink

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
)

// roomyConn adds bytes to answers that sarama would take for cut off.
//
// sarama calls an array too long when it has more elements than there are bytes left in the answer. The events of a compressed batch can be more
// than its bytes: twenty thousand equal ones take eighteen thousand bytes in zstd. Such a batch could not be read at all, unless enough others
// happen to follow it. So the answer to a fetch gets the beginning of another batch behind it, long enough, which sarama drops as it drops
// every batch that a broker has cut off. Only the first batch matters: one that fails behind others is the first of the next fetch.
//
// An answer to Fetch, version 11, for one partition:
//
//	int32 length | int32 correlation | int32 throttle | int16 error | int32 session | int32 topics | string topic | int32 partitions |
//	int32 partition | int16 error | int64 high watermark | int64 last stable offset | int64 log start |
//	int32 aborted | aborted × (int64 producer, int64 first offset) | int32 replica | int32 length of the batches | batches
type roomyConn struct {
	net.Conn
	from  *bufio.Reader
	fetch bool   // the request that is being answered
	head  []byte // bytes to hand out first
	left  int64  // bytes of the answer behind head that are still to come
	tail  []byte // bytes to hand out after that
}

const (
	fetchVersion = 11 // the last one whose lengths are plain numbers; 12 has nothing that is used here
	keyFetch     = 1
	batchHead    = 61      // bytes of a batch before its events
	mostEvents   = 2 << 20 // of a batch; sarama makes room for as many as the batch declares
	mostAborted  = 1 << 16
)

func newRoomyConn(conn net.Conn) *roomyConn {
	return &roomyConn{Conn: conn, from: bufio.NewReader(conn)}
}

// Write is called with a whole request at a time, and not before the last one was answered.
func (c *roomyConn) Write(p []byte) (int, error) {
	c.fetch = len(p) >= 8 && binary.BigEndian.Uint16(p[4:]) == keyFetch && binary.BigEndian.Uint16(p[6:]) == fetchVersion
	return c.Conn.Write(p)
}

func (c *roomyConn) Read(p []byte) (int, error) {
	if len(c.head) == 0 && c.left == 0 && len(c.tail) == 0 {
		if err := c.begin(); err != nil {
			return 0, err
		}
	}
	switch {
	case len(c.head) > 0:
		n := copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	case c.left > 0:
		n, err := c.from.Read(p[:min(int64(len(p)), c.left)])
		c.left -= int64(n)
		return n, err
	}
	n := copy(p, c.tail)
	c.tail = c.tail[n:]
	return n, nil
}

// begin reads as much of an answer as it takes to know how many events its first batch has.
func (c *roomyConn) begin() error {
	h := &head{from: c.from}
	c.left = int64(h.int32(0)) // sarama judges it
	if h.err == nil && c.fetch && c.left > 0 {
		h.most = c.left + 4
		c.widen(h)
	}
	if h.err != nil {
		return h.err
	}
	c.head, c.left = h.read, max(c.left-int64(len(h.read)-4), 0)
	return nil
}

// widen makes room if the first batch needs it.
func (c *roomyConn) widen(h *head) {
	at := h.skip(4+4+4+2+4+4, 2, 1) // the topic's name
	at = h.skip(at+4+4+2+8+8+8, 4, 16)
	size := at + 4 // where the length of the batches is
	first := size + 4
	if !h.has(first + batchHead) {
		return
	}
	attributes, events := h.read[first+22], int64(h.int32(first+57))
	all, whole := int64(h.int32(size)), int64(h.int32(first+8))+12
	need := events + batchHead - all
	if h.read[first+16] != 2 || attributes&7 == 0 || whole > all || need <= 0 || events > mostEvents {
		return
	}
	c.tail = make([]byte, max(need, batchHead))
	binary.BigEndian.PutUint32(c.tail[8:], uint32(2*len(c.tail))) // longer than it is: cut off
	c.tail[16] = 2
	h.add(0, len(c.tail))
	h.add(size, len(c.tail))
}

// head is the beginning of an answer. What lies behind most is not read: then nothing is found, and nothing changed.
type head struct {
	from io.Reader
	read []byte
	most int64 // length of the whole
	err  error
}

// has reads until there are n bytes.
func (h *head) has(n int) bool {
	if h.err == nil && n > len(h.read) && (len(h.read) == 0 || int64(n) <= h.most) {
		at := len(h.read)
		h.read = append(h.read, make([]byte, n-at)...)
		_, h.err = io.ReadFull(h.from, h.read[at:])
	}
	return h.err == nil && n <= len(h.read)
}

func (h *head) int32(at int) int32 {
	if !h.has(at + 4) {
		return 0
	}
	return int32(binary.BigEndian.Uint32(h.read[at:]))
}

// skip returns what is behind a count of so many bytes and its elements.
func (h *head) skip(at, count, each int) int {
	n := 0
	switch {
	case !h.has(at + count):
	case count == 2:
		n = int(binary.BigEndian.Uint16(h.read[at:]))
	default:
		n = int(h.int32(at))
	}
	if n < 0 || n > mostAborted {
		n = 0 // a batch will not be found there
	}
	return at + count + n*each
}

func (h *head) add(at, n int) {
	binary.BigEndian.PutUint32(h.read[at:], binary.BigEndian.Uint32(h.read[at:])+uint32(n))
}
