package native

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penstock-io/penstock/kerberos"
)

const (
	maxPacket     = 128 << 20 // ipc.maximum.response.length
	callContext   = -3        // call ids below zero belong to the handshake
	callSASL      = -33
	statusFatal   = 2
	clientIDBytes = 16

	reviveEvery = 5 * time.Second
)

// errClosed: the file system was closed.
var errClosed = errors.New("the connection to HDFS was closed by us")

// mux keeps one connection to one NameNode, which all calls share: requests are numbered, and answers come in any order.
type mux struct {
	addr     string
	o        *Options
	clientID []byte       // with the call id it names a call for the NameNode's retry cache; never used twice
	calls    atomic.Int32 // last call id

	dialing chan struct{} // holds a token while nobody dials
	mu      sync.Mutex
	conn    *nnConn   // nil or, possibly, broken
	revived time.Time // when revive dialled last
	closed  bool
}

func newMux(addr string, o *Options, clientID []byte) *mux {
	m := &mux{addr: addr, o: o, clientID: clientID, dialing: make(chan struct{}, 1)}
	m.dialing <- struct{}{}
	return m
}

// current is the connection if there is one that works.
func (m *mux) current() (*nnConn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errClosed
	}
	if m.conn != nil && !m.conn.broken() {
		return m.conn, nil
	}
	return nil, nil
}

// connect returns the connection, after dialling if need be. Nothing was sent when it fails.
func (m *mux) connect(ctx context.Context) (*nnConn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case <-m.dialing:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { m.dialing <- struct{}{} }()
	return m.connectAlone(ctx)
}

// revive connects in the background if nobody is at it, and not often: every open file asks for it each second.
func (m *mux) revive(ctx context.Context) {
	select {
	case <-m.dialing:
	default:
		return
	}
	m.mu.Lock()
	due := time.Since(m.revived) >= reviveEvery
	if due {
		m.revived = time.Now()
	}
	m.mu.Unlock()
	if !due {
		m.dialing <- struct{}{}
		return
	}
	go func() {
		defer func() { m.dialing <- struct{}{} }()
		_, _ = m.connectAlone(ctx) // the next call that needs it will say what is wrong
	}()
}

// connectAlone is connect for whoever holds the token.
func (m *mux) connectAlone(ctx context.Context) (*nnConn, error) {
	if c, err := m.current(); c != nil || err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.RPCTimeout)
	defer cancel()
	c, err := m.dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("NameNode %s: %w", m.addr, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		c.fail(errClosed)
		return nil, errClosed
	}
	m.conn = c
	return c, nil
}

func (m *mux) dial(ctx context.Context) (*nnConn, error) {
	dctx, cancel := context.WithTimeout(ctx, m.o.DialTimeout)
	raw, err := m.o.Dial(dctx, "tcp", m.addr)
	cancel()
	if err != nil {
		return nil, err
	}
	c := &nnConn{
		mux: m, raw: raw, out: make(chan *call), done: make(chan struct{}), pending: map[int32]*call{},
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Unix(1, 0)) }) // ends the handshake
	err = c.handshake(ctx)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	_ = raw.SetDeadline(time.Time{})
	c.heard.Store(time.Now().UnixNano())
	go c.writeCalls()
	go c.readReplies()
	return c, nil
}

func (m *mux) close() {
	m.mu.Lock()
	m.closed = true
	c := m.conn
	m.mu.Unlock()
	if c != nil {
		c.fail(errClosed)
	}
}

// nnConn is a TCP connection to a NameNode after its handshake. One goroutine writes and one reads until it breaks.
type nnConn struct {
	mux   *mux
	raw   net.Conn
	layer layer // nil: packets go as they are
	out   chan *call
	done  chan struct{} // closed when the connection breaks
	heard atomic.Int64  // when the last packet came

	mu      sync.Mutex
	err     error // why it broke
	pending map[int32]*call
}

// layer is the security layer agreed on in the handshake.
type layer interface {
	Wrap(p []byte) ([]byte, error)
	Unwrap(token []byte) ([]byte, error)
	QOP() kerberos.QOP
}

// call is a request on its way.
type call struct {
	id      int32
	request request
	written chan error // one value: nil when the whole packet was handed to the network
	answer  chan reply // one value, if an answer comes
}

func (c *nnConn) broken() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (c *nnConn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// fail ends the connection. What waits for an answer learns of it by done.
func (c *nnConn) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	close(c.done)
	_ = c.raw.Close()
}

// send hands a request to the writer and waits until it is written. sent tells whether any of it may have left.
func (c *nnConn) send(ctx context.Context, r request) (w *call, sent bool, err error) {
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	w = &call{id: c.mux.calls.Add(1) & 0x7fffffff, request: r, written: make(chan error, 1), answer: make(chan reply, 1)}
	select {
	case c.out <- w:
	case <-c.done:
		return nil, false, c.cause()
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
	select {
	case err := <-w.written: // an incomplete packet is never carried out
		return w, err == nil, err
	case <-ctx.Done():
		return w, true, context.Cause(ctx)
	}
}

// wait waits for the answer to w. Without one, whether the call was carried out is not known.
func (c *nnConn) wait(ctx context.Context, w *call) (reply, error) {
	began := time.Now()
	timeout := time.NewTimer(c.mux.o.RPCTimeout)
	defer timeout.Stop()
	defer c.forget(w)
	select {
	case r := <-w.answer:
		return r, nil
	case <-c.done:
		select {
		case r := <-w.answer: // it came before the end
			return r, nil
		default:
			return reply{}, c.cause()
		}
	case <-ctx.Done():
		return reply{}, context.Cause(ctx)
	case <-timeout.C:
		err := fmt.Errorf("no answer to %s within %s", w.request.method, c.mux.o.RPCTimeout)
		if c.heard.Load() < began.UnixNano() { // one slow call is not a dead connection
			c.fail(err)
		}
		return reply{}, err
	}
}

func (c *nnConn) forget(w *call) {
	c.mu.Lock()
	delete(c.pending, w.id)
	c.mu.Unlock()
}

func (c *nnConn) writeCalls() {
	for {
		select {
		case <-c.done:
			return
		case w := <-c.out:
			err := c.writeCall(w)
			w.written <- err
			if err != nil {
				c.forget(w)
				c.fail(fmt.Errorf("write to NameNode %s: %w", c.mux.addr, err))
				return
			}
		}
	}
}

func (c *nnConn) writeCall(w *call) error {
	packet := frame(c.mux.header(w.id), w.request.header, w.request.body)
	if c.layer != nil {
		token, err := c.layer.Wrap(packet)
		if err != nil {
			return err
		}
		packet = frame(c.mux.header(callSASL), saslMessage{state: saslWrap, token: token}.encode())
	}
	c.mu.Lock()
	c.pending[w.id] = w
	c.mu.Unlock()
	if err := c.raw.SetWriteDeadline(time.Now().Add(c.mux.o.RPCTimeout)); err != nil {
		return err
	}
	_, err := c.raw.Write(packet)
	return err
}

// header is an RpcRequestHeaderProto {rpcKind = 1, rpcOp = 2, callId = 3, clientId = 4}.
func (m *mux) header(callID int32) []byte {
	h := appendVarint(nil, 1, 2)           // RPC_PROTOCOL_BUFFER
	h = appendVarint(h, 2, 0)              // RPC_FINAL_PACKET
	h = appendVarint(h, 3, sint32(callID)) //
	return appendBytes(h, 4, m.clientID)   //
}

func (c *nnConn) readReplies() {
	answered := false
	for {
		r, err := c.readReply()
		if err != nil {
			c.fail(fmt.Errorf("read from NameNode %s: %w", c.mux.addr, err))
			return
		}
		c.heard.Store(time.Now().UnixNano())
		if r.status == statusFatal || r.callID < 0 {
			c.lastWords(r, answered)
			c.fail(fmt.Errorf("NameNode %s ended the connection: %s: %s", c.mux.addr, r.class, firstLine(r.words)))
			return
		}
		answered = true
		c.mu.Lock()
		w := c.pending[r.callID]
		delete(c.pending, r.callID)
		c.mu.Unlock()
		if w != nil { // else nobody waits for it any more
			w.answer <- r
		}
	}
}

// lastWords gives what a NameNode says before it ends a connection to the calls that it did not carry out for that reason: to the
// one that it names, or to all if it has not answered any (bad credentials, versions). Others may have been carried out; they get no answer.
func (c *nnConn) lastWords(r reply, answered bool) {
	r.status = 1
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, w := range c.pending {
		if id == r.callID || r.callID < 0 && !answered {
			delete(c.pending, id)
			w.answer <- r
		}
	}
}

func (c *nnConn) readReply() (reply, error) {
	packet, err := readPacket(c.raw)
	if err != nil {
		return reply{}, err
	}
	r, err := parseReply(packet)
	if err != nil || c.layer == nil {
		return r, err
	}
	if r.callID != callSASL || r.status != 0 { // anybody on the way could have sent it; Java refuses it too
		return r, fmt.Errorf("an answer came without the protection agreed on (%s: %s)", r.class, firstLine(r.words))
	}
	s, err := parseSASL(r.rest)
	if err != nil {
		return r, err
	}
	if s.state != saslWrap {
		return r, fmt.Errorf("SASL state %d instead of a protected answer", s.state)
	}
	inner, err := c.layer.Unwrap(s.token)
	if err != nil {
		return r, err
	}
	if len(inner) < 4 || int(binary.BigEndian.Uint32(inner)) != len(inner)-4 {
		return r, fmt.Errorf("%w: a protected answer is not one packet", errWire)
	}
	return parseReply(inner[4:])
}

// readPacket reads a packet without its length. It allocates as the bytes come, not as the length says.
func readPacket(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxPacket {
		return nil, fmt.Errorf("an answer of %d bytes, more than %d", n, maxPacket)
	}
	var b bytes.Buffer
	if n <= 64<<10 {
		b.Grow(int(n))
	}
	if _, err := io.CopyN(&b, r, int64(n)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b.Bytes(), nil
}
