package native

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path"
	"slices"
	"sync"
	"testing"
	"time"
)

// fakeHDFS is a NameNode and a DataNode in memory, as much of them as the library needs, over net.Pipe: so the tests run in a
// synctest bubble, where time-outs cost nothing and a goroutine that stays behind is a failure.
type fakeHDFS struct {
	// before is asked before each call is carried out. Called with mu held.
	before func(method string, body []byte) verdict
	// data serves a DataNode's connection; nil: every packet is acknowledged.
	data func(net.Conn)
	stop chan struct{} // closed at the end
	// refuse makes dialling fail.
	refuse func(addr string) error

	mu        sync.Mutex
	nodes     map[string]uint64 // path → file id; directories end with /
	last      uint64
	calls     []string
	completed int // answers to complete that are still false
	conns     []net.Conn
	renames   [][]byte // Rename2RequestProtos as they came
	dials     int
}

// verdict is what the fake NameNode does with a call.
type verdict struct {
	class, words string // answer with this exception instead
	fatal        bool
	skip         bool   // do not carry it out
	silent       bool   // do not answer
	hangUp       bool   // close the connection instead of answering
	raw          []byte // answer with these bytes
	callID       int32  // answer under this id
}

func newFake() *fakeHDFS {
	return &fakeHDFS{nodes: map[string]uint64{"/": 1}, last: 1, stop: make(chan struct{})}
}

// open makes a file system that talks to the fake, with time-outs below the second after which the library renews leases.
func (h *fakeHDFS) open(t *testing.T, change func(*Options)) *FS {
	t.Helper()
	o := Options{
		NameNodes: []string{"nn:8020"}, User: "ingest", Dial: h.dial,
		DialTimeout: 200 * time.Millisecond, RPCTimeout: 500 * time.Millisecond, IOTimeout: 5 * time.Second, Patience: -1,
	}
	if change != nil {
		change(&o)
	}
	f, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		close(h.stop)
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, c := range h.conns {
			_ = c.Close()
		}
	})
	return f
}

func (h *fakeHDFS) dial(_ context.Context, _, addr string) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dials++
	if h.refuse != nil {
		if err := h.refuse(addr); err != nil {
			return nil, err
		}
	}
	ours, theirs := net.Pipe()
	h.conns = append(h.conns, theirs)
	if addr == "dn:9866" {
		serve := h.data
		if serve == nil {
			serve = acknowledge
		}
		go func() { defer theirs.Close(); serve(theirs) }()
	} else {
		go func() { defer theirs.Close(); _ = h.serve(theirs) }()
	}
	return ours, nil
}

// seen returns how often a call came.
func (h *fakeHDFS) seen(method string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, m := range h.calls {
		if m == method {
			n++
		}
	}
	return n
}

func (h *fakeHDFS) serve(c net.Conn) error {
	var head [7]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	if string(head[:]) != rpcHeaderNone {
		return errors.New("bad header")
	}
	if _, err := readPacket(c); err != nil { // the connection context
		return err
	}
	for {
		packet, err := readPacket(c)
		if err != nil {
			return err
		}
		whole := append(binary.BigEndian.AppendUint32(nil, uint32(len(packet))), packet...)
		r, err := parseRequest(whole)
		if err != nil {
			return err
		}
		answer := h.answer(r)
		if answer == nil {
			return nil
		}
		if len(answer) == 0 {
			continue
		}
		if _, err := c.Write(answer); err != nil {
			return err
		}
	}
}

// answer carries a call out. nil: hang up; empty: say nothing.
func (h *fakeHDFS) answer(r request) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, r.method)
	if r.method == "rename2" {
		h.renames = append(h.renames, slices.Clone(r.body))
	}
	v := verdict{}
	if h.before != nil {
		v = h.before(r.method, r.body)
	}
	var body []byte
	if v.class == "" && !v.skip {
		body, v = h.do(r, v)
	}
	id := r.callID
	if v.callID != 0 {
		id = v.callID
	}
	switch {
	case v.hangUp:
		return nil
	case v.silent:
		return []byte{}
	case v.raw != nil:
		return v.raw
	case v.fatal:
		return reply{status: 2, class: v.class, words: v.words}.packet(id)
	case v.class != "":
		return reply{status: 1, class: v.class, words: v.words}.packet(id)
	}
	return reply{rest: appendDelimited(nil, body)}.packet(id)
}

// text returns field num of a message.
func text(body []byte, num int) (s string) {
	_ = fields(body, func(f field) bool {
		if f.num == num {
			s = string(f.bytes)
		}
		return true
	})
	return s
}

func (h *fakeHDFS) do(r request, v verdict) ([]byte, verdict) {
	src := text(r.body, 1)
	switch r.method {
	case "getFileInfo":
		if id, dir, ok := h.find(src); ok {
			return appendBytes(nil, 1, status(path.Base(src), id, dir)), v
		}
		return nil, v
	case "mkdirs":
		h.last++
		h.nodes[src+"/"] = h.last
		return appendVarint(nil, 1, 1), v
	case "create":
		if _, _, ok := h.find(src); ok {
			v.class, v.words = "org.apache.hadoop.fs.FileAlreadyExistsException", src+" already exists"
			return nil, v
		}
		h.last++
		h.nodes[src] = h.last
		return appendBytes(nil, 1, status("", h.last, false)), v
	case "rename2":
		dst := text(r.body, 2)
		id, _, ok := h.find(src)
		if !ok {
			v.class, v.words = "java.io.FileNotFoundException", "rename source "+src+" is not found."
			return nil, v
		}
		delete(h.nodes, src)
		h.nodes[dst] = id
		return nil, v
	case "delete":
		delete(h.nodes, src)
		return appendVarint(nil, 1, 1), v
	case "getServerDefaults":
		var d []byte
		for num, val := range map[int]uint64{1: 1 << 27, 2: 512, 3: 65536, 4: 1, 5: 4096} {
			d = appendVarint(d, num, val)
		}
		return appendBytes(nil, 1, d), v
	case "addBlock", "updateBlockForPipeline":
		return appendBytes(nil, 1, locatedBlock()), v
	case "complete":
		h.completed--
		if h.completed >= 0 {
			return appendVarint(nil, 1, 0), v
		}
		return appendVarint(nil, 1, 1), v
	}
	return nil, v
}

func (h *fakeHDFS) find(name string) (id uint64, dir, ok bool) {
	if id, ok = h.nodes[name]; ok {
		return id, name == "/", true
	}
	id, ok = h.nodes[name+"/"]
	return id, true, ok
}

// status is an HdfsFileStatusProto.
func status(name string, id uint64, dir bool) []byte {
	kind := uint64(2)
	if dir {
		kind = 1
	}
	b := appendVarint(nil, 1, kind)
	b = appendBytes(b, 2, name)
	b = appendVarint(b, 3, 0)
	b = appendBytes(b, 4, appendVarint(nil, 1, 0o644))
	b = appendBytes(b, 5, "ingest")
	b = appendBytes(b, 6, "ingest")
	b = appendVarint(b, 7, 0)
	b = appendVarint(b, 8, 0)
	return appendVarint(b, 13, id)
}

// locatedBlock is a LocatedBlockProto on the DataNode dn:9866.
func locatedBlock() []byte {
	b := appendBytes(nil, 1, "pool")
	b = appendVarint(appendVarint(b, 2, 1), 3, 1)
	id := appendBytes(nil, 1, "dn")
	id = appendBytes(id, 2, "dn")
	id = appendBytes(id, 3, "uuid")
	for num, port := range map[int]uint64{4: 9866, 5: 1, 6: 1} {
		id = appendVarint(id, num, port)
	}
	var token []byte
	for num := 1; num <= 4; num++ {
		token = appendBytes(token, num, "")
	}
	l := appendBytes(nil, 1, b)
	l = appendVarint(l, 2, 0)
	l = appendBytes(l, 3, appendBytes(nil, 1, id))
	l = appendVarint(l, 4, 0)
	return appendBytes(l, 5, token)
}

// accept reads a DataNode's operation header and agrees.
func accept(c net.Conn) error {
	var head [3]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	if err := skipDelimited(c); err != nil {
		return err
	}
	_, err := c.Write(appendDelimited(nil, appendBytes(appendVarint(nil, 1, 0), 2, "none")))
	return err
}

func skipDelimited(c net.Conn) error {
	size, err := binary.ReadUvarint(byteReader{c})
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.Discard, c, int64(size))
	return err
}

type byteReader struct{ io.Reader }

func (r byteReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}

// packet reads a packet of a block: uint32 length, uint16 length of the header, header, checksums and data.
func packet(c net.Conn) (seqno int64, last bool, err error) {
	var head [6]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return 0, false, err
	}
	header := make([]byte, binary.BigEndian.Uint16(head[4:]))
	if _, err := io.ReadFull(c, header); err != nil {
		return 0, false, err
	}
	if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:]))-4); err != nil {
		return 0, false, err
	}
	err = fields(header, func(f field) bool {
		switch f.num {
		case 2: // sfixed64
			seqno = int64(binary.LittleEndian.Uint64(header[f.at:]))
		case 3:
			last = f.value == 1
		}
		return true
	})
	return seqno, last, err
}

// ack is a PipelineAckProto {seqno = 1, reply = 2, downstreamAckTimeNanos = 3}. Status 1 is ERROR.
func ack(seqno int64, status uint64) []byte {
	b := appendVarint(nil, 1, uint64(seqno<<1^seqno>>63))
	b = appendVarint(b, 2, status)
	return appendDelimited(nil, appendVarint(b, 3, 1<<20))
}

// acknowledge is a DataNode that works.
func acknowledge(c net.Conn) { _ = acknowledgeN(c, 1<<30) }

// acknowledgeN is a DataNode that works for n packets.
func acknowledgeN(c net.Conn, n int) error {
	if err := accept(c); err != nil {
		return err
	}
	for range n {
		seqno, last, err := packet(c)
		if err != nil {
			return err
		}
		if seqno < 0 {
			continue // a heartbeat; the library does not look at its answer
		}
		if _, err := c.Write(ack(seqno, 0)); err != nil || last {
			return err
		}
	}
	return nil
}
