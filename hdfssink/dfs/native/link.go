package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	hdfs "github.com/colinmarc/hdfs/v2"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// renewEvery is how often an open file's lease is renewed. The library asks for it every second, open file or not.
const renewEvery = 30 * time.Second

// rounds is how often the library goes through the NameNodes for a call of an open file before it gives up, with a pause
// before each round but the first: a NameNode that is started again must not cost every file that is open.
const rounds = 6

// link is what one hdfs.Client has below it. Each call of the file system, each open file and each reader has a client and a link of its own; the
// connections to the NameNodes are shared. The client believes that it dials; it gets virtual connections.
//
// A link remembers, for one operation at a time, what the library's errors do not tell: whether a request left without
// an answer, and the NameNode's words.
type link struct {
	f     *FS
	renew bool            // holds a lease
	life  context.Context //nolint:containedctx // the library's calls back bring none
	end   context.CancelFunc

	mu       sync.Mutex
	ctx      context.Context //nolint:containedctx // of the operation; the library's calls back bring none
	skipStat string          // getFileInfo for this path is answered "not there"
	renewed  time.Time
	unknown  error    // a request was sent, its answer is missing
	refused  *refusal // the last answer, if it was an exception
	unsent   error    // why a request could not be sent
	data     []*dataConn
	dataErr  error             // what went wrong with a DataNode
	sent     string            // method of the last request that was sent
	nodes    map[string][]byte // DataNodes of the last block, by address: DatanodeInfoProto
}

func (f *FS) newLink(ctx context.Context) *link {
	l := &link{f: f, ctx: ctx, renewed: time.Now()}
	l.life, l.end = context.WithCancel(context.WithoutCancel(ctx))
	return l
}

// client makes the library's client on top of the link.
func (l *link) client(rounds int) (*hdfs.Client, error) {
	o := l.f.library
	for k := range rounds {
		for i := range l.f.muxes { // the NameNode that answered last comes first
			n := (i + int(l.f.active.Load())) % len(l.f.muxes)
			o.Addresses = append(o.Addresses, strconv.Itoa(n)+"#"+strconv.Itoa(k))
		}
	}
	o.NamenodeDialFunc = l.dialNameNode
	o.DatanodeDialFunc = l.dialDataNode
	return hdfs.NewClient(o)
}

// begin starts an operation: what was remembered of the last one is forgotten.
func (l *link) begin(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ctx, l.skipStat, l.sent = ctx, "", ""
	l.unknown, l.refused, l.unsent, l.dataErr = nil, nil, nil, nil
}

// close makes every further request fail before it is sent, and lets go of the DataNodes.
func (l *link) close() {
	l.end()
	l.failData(errClosed)
}

func (l *link) failData(err error) {
	l.mu.Lock()
	conns := l.data
	l.data = nil
	l.mu.Unlock()
	for _, c := range conns {
		c.fail(err)
	}
}

// operation is the context of the operation under way.
func (l *link) operation() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ctx
}

// note remembers something about the operation.
func (l *link) note(set func()) {
	l.mu.Lock()
	set()
	l.mu.Unlock()
}

// dialNameNode is called by the library with the "address" N#K: NameNode N, round K.
func (l *link) dialNameNode(_ context.Context, _, addr string) (net.Conn, error) {
	number, round, _ := strings.Cut(addr, "#")
	n, err := strconv.Atoi(number)
	if err != nil || n >= len(l.f.muxes) {
		return nil, fmt.Errorf("no NameNode %q", addr)
	}
	k, err := strconv.Atoi(round)
	if err != nil {
		return nil, fmt.Errorf("no NameNode %q", addr)
	}
	if l.life.Err() != nil {
		return nil, errClosed
	}
	ctx, stop := l.bounded(l.operation())
	defer stop()
	if k > 0 {
		err = sleep(ctx, min(250*time.Millisecond<<k, 5*time.Second)/time.Duration(len(l.f.muxes))) //nolint:contextcheck // the library's own context is Background; the operation's is in the link
	}
	if err == nil {
		_, err = l.f.muxes[n].connect(ctx) //nolint:contextcheck // the library's own context is Background; the operation's is in the link
	}
	if err != nil {
		l.note(func() { l.unsent = err })
		return nil, err
	}
	return &nameConn{link: l, mux: l.f.muxes[n], number: n}, nil
}

// bounded ends when ctx does, or when the link is closed.
func (l *link) bounded(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.life, func() { cancel(errClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// explain turns the library's error into one of package dfs. effect: the operation changes something.
func (l *link) explain(err error, effect bool) error {
	if err == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.unknown != nil && effect && !readOnly(l.sent):
		return fmt.Errorf("%w: %w", dfs.ErrNoAnswer, l.unknown)
	case l.unknown != nil:
		return fmt.Errorf("%w: %w", dfs.ErrUnavailable, l.unknown)
	case l.dataErr != nil:
		return fmt.Errorf("%w: %w", dfs.ErrUnavailable, l.dataErr)
	case l.refused != nil:
		return l.refused.explain(l.f.o.who())
	case l.unsent != nil && errors.Is(l.unsent, dfs.ErrRefused):
		return l.unsent
	case l.unsent != nil:
		return fmt.Errorf("%w: %w", dfs.ErrUnavailable, l.unsent)
	}
	return plain(err, effect)
}

// readOnly reports whether a call leaves everything as it is. The library looks before it changes something.
func readOnly(method string) bool {
	return method == "getFileInfo" || method == "getListing" || method == "getBlockLocations" || cacheable(method)
}

// explainData is explain for reading and writing a file's bytes. What the library makes up itself is then about a DataNode, unless
// the file was to be completed.
func (l *link) explainData(err error) error {
	err = l.explain(err, true)
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(err, dfs.ErrNoAnswer) && l.unknown == nil && l.sent != "complete" {
		return fmt.Errorf("%w: DataNode: %s", dfs.ErrUnavailable, strings.TrimPrefix(err.Error(), dfs.ErrNoAnswer.Error()+": "))
	}
	return err
}

// nameConn is what the library takes for its connection to a NameNode. It is used by one goroutine at a time, except for Close. A request
// is one Write; its answer is there to Read afterwards.
type nameConn struct {
	link   *link
	mux    *mux
	number int

	conn    *nnConn
	call    *call // sent, not answered yet
	request request
	answer  []byte
	err     error // why there is no answer
}

// Write takes one packet: the library makes each in one piece. An error means that nothing was carried out: the library then
// sends the request again on another connection.
func (c *nameConn) Write(b []byte) (int, error) {
	c.call, c.answer, c.err = nil, nil, nil
	if string(b[:min(len(b), 4)]) == "hrpc" {
		return len(b), nil // the shared connection has had its handshake
	}
	r, err := parseRequest(b)
	if err == nil && r.callID >= 0 {
		err = c.send(r)
	}
	if err != nil {
		if r.method != "renewLease" {
			c.link.note(func() { c.link.unsent = err })
		}
		return 0, err
	}
	return len(b), nil
}

func (c *nameConn) send(r request) error {
	if c.link.life.Err() != nil { // no chance may be left: to close an aborted file would make it look complete
		return errClosed
	}
	c.request = request{callID: r.callID, method: r.method}
	switch r.method {
	case "renewLease":
		if !c.renewalDue() {
			// Any error will do: the library ignores those of renewals.
			c.answer = reply{status: 1, class: "penstock.NotDue"}.packet(r.callID)
			return nil
		}
	case "rename2":
		r.body = append([]byte(nil), r.body...)
		if err := refuseToReplace(r.body); err != nil {
			return err
		}
	case "addBlock":
		r.body = c.link.f.shared.exclude(r.body)
		c.request.header, c.request.body = bytes.Clone(r.header), bytes.Clone(r.body) // it may have to be asked again
	}
	if rest, ok := c.known(r); ok {
		c.answer = reply{rest: rest}.packet(r.callID)
		return nil
	}
	ctx, stop := c.context()
	defer stop()
	conn, err := c.mux.connect(ctx)
	if err != nil {
		return err
	}
	call, sent, err := conn.send(ctx, r)
	if err != nil && !sent {
		return err
	}
	c.conn, c.call = conn, call
	if r.method != "renewLease" {
		c.link.note(func() { c.link.sent = r.method })
	}
	if err != nil { // it may be on its way: the library must not send it again
		c.lost(err)
	}
	return nil
}

// known answers what need not be asked.
func (c *nameConn) known(r request) (rest []byte, ok bool) {
	switch {
	case r.method == "getFileInfo" && c.link.skips(r.body):
		return []byte{0}, true // an empty message: nothing there
	case r.method == "updateBlockForPipeline":
		return echoBlock(r.body)
	case cacheable(r.method):
		return c.link.f.shared.answer(r.method)
	}
	return nil, false
}

// context is that of the operation; renewals, which the library sends when it likes, have none.
func (c *nameConn) context() (context.Context, func()) {
	if c.request.method == "renewLease" {
		return c.link.life, func() {}
	}
	return c.link.bounded(c.link.operation())
}

func (c *nameConn) renewalDue() bool {
	l := c.link
	if !l.renew || time.Since(l.renewed) < renewEvery {
		return false
	}
	conn, err := c.mux.current()
	if err != nil {
		return false
	}
	if conn == nil { // to dial here would keep the file's own calls waiting
		c.mux.revive(l.life)
		return false
	}
	l.renewed = time.Now()
	return true
}

// skips reports whether the GetFileInfoRequestProto {src = 1} is one that the library sends for nothing.
func (l *link) skips(body []byte) bool {
	skip := false
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = fields(body, func(f field) bool { // if it is malformed the NameNode shall say so
		skip = f.num == 1 && l.skipStat != "" && string(f.bytes) == l.skipStat
		return !skip
	})
	return skip
}

// Read hands out the answer.
func (c *nameConn) Read(b []byte) (int, error) {
	if len(c.answer) == 0 && c.err == nil && c.call != nil {
		c.receive()
	}
	if c.err != nil {
		return 0, c.err
	}
	if len(c.answer) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.answer)
	c.answer = c.answer[n:]
	return n, nil
}

func (c *nameConn) receive() {
	ctx, stop := c.context()
	defer stop()
	r, err := c.await(ctx)
	c.call = nil
	if err != nil {
		c.lost(err)
		return
	}
	if c.request.method == "getServerDefaults" && r.status == 0 {
		var encrypts bool
		r.rest, encrypts = plainDefaults(r.rest)
		c.link.f.shared.setEncrypts(encrypts)
	}
	c.answer = r.packet(c.request.callID)
	if c.request.method == "renewLease" {
		return
	}
	l := c.link
	l.note(func() {
		l.refused = nil
		if r.status != 0 {
			l.refused = &refusal{method: c.request.method, class: r.class, words: firstLine(r.words)}
		}
		if c.request.method == "addBlock" {
			l.nodes = pipeline(r.rest, l.f.o.UseHostnames)
		}
	})
	if cacheable(c.request.method) && r.status == 0 {
		l.f.shared.keep(c.request.method, r.rest)
	}
	if r.class != classStandby {
		l.f.active.Store(int32(c.number))
	}
}

// A NameNode is given five pauses, doubled each time, to hear of the replicas of a block: 12 s in all, as by Java's client.
const (
	locateFirst = 400 * time.Millisecond
	locateTimes = 5
)

// await waits for the answer. A NameNode that has not heard yet of any replica of a file's last block does not add the next: it is asked again.
func (c *nameConn) await(ctx context.Context) (reply, error) {
	for again := range locateTimes + 1 {
		r, err := c.conn.wait(ctx, c.call)
		early := c.request.method == "addBlock" && strings.HasSuffix(r.class, ".NotReplicatedYetException")
		if err != nil || !early || again == locateTimes || sleep(ctx, c.link.f.locate<<again) != nil {
			return r, err
		}
		call, sent, err := c.conn.send(ctx, c.request)
		if !sent {
			return r, nil // the refusal stands
		}
		c.call = call
		if err != nil {
			return reply{}, err
		}
	}
	return reply{}, errClosed // cannot be: the last round returns
}

func (c *nameConn) lost(err error) {
	c.err = err
	if c.request.method != "renewLease" {
		c.link.note(func() { c.link.unknown = fmt.Errorf("%s was sent: %w", c.request.method, err) })
	}
}

// Close implements net.Conn. The shared connection stays.
func (c *nameConn) Close() error { return nil }

// LocalAddr implements net.Conn.
func (c *nameConn) LocalAddr() net.Addr { return nameAddr(c.mux.addr) }

// RemoteAddr implements net.Conn.
func (c *nameConn) RemoteAddr() net.Addr { return nameAddr(c.mux.addr) }

// SetDeadline implements net.Conn; contexts do what deadlines would.
func (c *nameConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (c *nameConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (c *nameConn) SetWriteDeadline(time.Time) error { return nil }

type nameAddr string

func (nameAddr) Network() string  { return "tcp" }
func (a nameAddr) String() string { return string(a) }
