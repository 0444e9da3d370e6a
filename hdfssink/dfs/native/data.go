package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stall is how many bytes the library may send to a DataNode without looking for acknowledgements. It lets 6 packets of
// 64 KiB be on their way, and reads at most as many acknowledgements in one go; so beyond this it has met a bad one, stopped looking, and would tell
// at Close only.
const stall = 4 << 20

// errNack: the DataNode reported a failure, which the library keeps to itself until Close.
var errNack = errors.New("a DataNode of the pipeline reported a failure")

// dataConn is a connection to a DataNode. Every read and write has a deadline.
//
// For a file that is written it hides failures of Write from the library: after a write error the library forgets a goroutine
// and cannot be closed in order; with silent writes and failing reads it ends cleanly, with an error. So whoever writes asks failed after
// each call.
type dataConn struct {
	net.Conn
	link    *link
	quiet   bool // hide write errors
	bare    bool // nothing protects it, though the cluster is secured
	timeout time.Duration

	mu      sync.Mutex
	err     error
	reading bool // a Read is under way
	heard   bool // the DataNode has said something
	unread  int  // bytes written since the last Read began or ended
}

// dialDataNode is the library's dialer for DataNodes.
func (l *link) dialDataNode(_ context.Context, network, addr string) (net.Conn, error) {
	if i := strings.LastIndexByte(addr, ':'); strings.Count(addr, ":") > 1 && !strings.HasPrefix(addr, "[") {
		addr = net.JoinHostPort(addr[:i], addr[i+1:]) // the library does not bracket IPv6 addresses
	}
	ctx, stop := l.bounded(l.operation())
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, l.f.o.DialTimeout)
	defer cancel()
	raw, err := l.f.o.Dial(ctx, network, addr) //nolint:contextcheck // the library's own context is Background; the operation's is in the link
	if err != nil {
		err = fmt.Errorf("DataNode %s: %w", addr, err)
		l.note(func() { l.dataErr = err })
		return nil, err
	}
	secured, err := l.secure(ctx, raw) //nolint:contextcheck // as for Dial: the operation's context is in the link
	if err != nil {
		_ = raw.Close()
		err = fmt.Errorf("DataNode %s: %w", addr, err)
		l.note(func() { l.dataErr = err })
		return nil, err
	}
	c := &dataConn{Conn: secured, bare: secured == raw && l.f.o.secured(), link: l, quiet: l.renew, timeout: l.f.o.IOTimeout}
	l.failData(errClosed) // the library forgets to close some
	l.note(func() { l.data = append(l.data, c) })
	return c, nil
}

// fail closes the connection for the reason err, unless it was closed before.
func (c *dataConn) fail(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
	}
	c.mu.Unlock()
	if first {
		_ = c.Conn.Close() // unblocks whoever reads or writes
	}
}

func (c *dataConn) failure() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// broke is fail for an error of the network, which the operation's error will name.
func (c *dataConn) broke(err error) error {
	c.mu.Lock()
	if c.bare && !c.heard && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)) {
		err = fmt.Errorf("%w; it may hang up because nothing is protected: set dfs.data.transfer.protection here as it is there", err)
	}
	c.mu.Unlock()
	c.fail(fmt.Errorf("DataNode %s: %w", c.RemoteAddr(), err))
	err = c.failure() // the first reason: perhaps we closed it ourselves
	c.link.note(func() {
		if c.link.dataErr == nil {
			c.link.dataErr = err
		}
	})
	return err
}

// Write implements net.Conn.
func (c *dataConn) Write(b []byte) (int, error) {
	err := c.failure()
	if err != nil {
		err = c.broke(err)
	} else {
		err = c.write(b)
	}
	if err != nil && !c.quiet {
		return 0, err
	}
	return len(b), nil
}

func (c *dataConn) write(b []byte) error {
	c.mu.Lock()
	nack := c.quiet && !c.reading && c.unread > stall
	c.unread += len(b)
	c.mu.Unlock()
	if nack {
		return c.broke(errNack)
	}
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return c.broke(err)
	}
	if _, err := c.Conn.Write(b); err != nil {
		return c.broke(err)
	}
	return nil
}

// Read implements net.Conn.
func (c *dataConn) Read(b []byte) (int, error) {
	if err := c.failure(); err != nil {
		return 0, c.broke(err)
	}
	c.mark(true)
	defer c.mark(false)
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, c.broke(err)
	}
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.mu.Lock()
		c.heard = true
		c.mu.Unlock()
	}
	if err != nil {
		err = c.broke(err)
	}
	return n, err
}

func (c *dataConn) mark(reading bool) {
	c.mu.Lock()
	c.reading, c.unread = reading, 0
	c.mu.Unlock()
}

// Close implements net.Conn.
func (c *dataConn) Close() error {
	c.fail(errClosed)
	return nil
}

// SetDeadline implements net.Conn. The library has no deadlines of its own to set.
func (c *dataConn) SetDeadline(time.Time) error { return nil }
