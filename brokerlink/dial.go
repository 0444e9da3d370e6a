package brokerlink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penstock-io/penstock/conf"
)

// transport makes connections that are ready for requests: TLS is up and the client is logged in.
type transport struct {
	dialTimeout    time.Duration
	requestTimeout time.Duration
	clientID       string
	tls            *conf.TLS
	login          authenticator // nil: no SASL
	refused        func()        // counts refused logins
}

// dialer is what one sarama broker dials with. It remembers the connection, so that it can be cut from outside: sarama
// holds the broker's lock while it waits for an answer, and its own Close waits for that lock.
type dialer struct {
	t *transport

	mu     sync.Mutex
	cut    bool
	cancel context.CancelFunc
	conn   net.Conn
}

// Dial is called by sarama, in a goroutine of its own, once for each Open.
func (d *dialer) Dial(_, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d.t.dialTimeout)
	defer cancel()
	if !d.begin(cancel) {
		return nil, net.ErrClosed
	}
	conn, err := d.t.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	if !d.keep(conn) {
		return nil, net.ErrClosed
	}
	return newRoomyConn(conn), nil
}

func (d *dialer) begin(cancel context.CancelFunc) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cancel = cancel
	return !d.cut
}

func (d *dialer) keep(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cut {
		_ = conn.Close()
		return false
	}
	d.conn = conn
	return true
}

// kill ends the connection, or the attempt to make it, for good.
func (d *dialer) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = true
	if d.cancel != nil {
		d.cancel()
	}
	if d.conn != nil {
		_ = d.conn.Close()
	}
}

// dial connects, in this order: TCP, TLS, SASL. The whole must be done when ctx ends.
func (t *transport) dial(ctx context.Context, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &ConnectError{Broker: addr, Err: err}
	}
	d := net.Dialer{KeepAlive: 15 * time.Second}
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, &ConnectError{Broker: addr, Err: fmt.Errorf("%w; check name and port, that the broker runs there, and that this host may connect to it", err)}
	}
	// The context has to end a handshake that hangs, and a deadline alone would not see it cancelled.
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	conn, err := t.secure(ctx, raw, addr, host)
	if !stop() && err == nil {
		err = &ConnectError{Broker: addr, Err: context.Cause(ctx)}
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

func (t *transport) secure(ctx context.Context, raw net.Conn, addr, host string) (net.Conn, error) {
	conn := &guardedConn{Conn: raw, addr: addr, secured: t.tls != nil, sasl: t.login != nil}
	if t.tls != nil {
		config, err := tlsConfig(t.tls, host)
		if err != nil {
			return nil, &ConnectError{Broker: addr, Err: err, Permanent: true}
		}
		over := tls.Client(raw, config)
		if err := over.HandshakeContext(ctx); err != nil {
			return nil, &ConnectError{Broker: addr, Err: explainTLS(err)}
		}
		conn.Conn = over
	}
	if t.login == nil {
		return conn, nil
	}
	life, err := t.logIn(ctx, conn, host)
	if err != nil {
		var refused *AuthError
		if errors.As(err, &refused) && t.refused != nil {
			t.refused()
		}
		return nil, err
	}
	if life > 0 {
		// KIP-368: the broker ends the connection then. Leave early, at the start of a request and not in its middle.
		conn.until = time.Now().Add(life * 85 / 100)
	}
	return conn, nil
}

// tlsConfig reads the files anew for each connection, so that renewed certificates are used.
func tlsConfig(c *conf.TLS, host string) (*tls.Config, error) {
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if c.ServerName != "" {
		config.ServerName = c.ServerName
	}
	if !c.CA.IsZero() {
		path, err := c.CA.Path()
		if err != nil {
			return nil, fmt.Errorf("find tls.ca: %w", err)
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate in PEM form", path)
		}
	}
	if c.Cert.IsZero() {
		return config, nil
	}
	cert, err := c.Cert.Path()
	if err != nil {
		return nil, fmt.Errorf("find tls.cert: %w", err)
	}
	key, err := c.Key.Path()
	if err != nil {
		return nil, fmt.Errorf("find tls.key: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read tls.cert and tls.key: %w", err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// explainTLS says what a failed handshake most likely means.
func explainTLS(err error) error {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return fmt.Errorf("TLS handshake: %w; set tls.ca to the certificates of the authority that signed the broker's", err)
	case errors.As(err, &name):
		return fmt.Errorf("TLS handshake: %w; use the name in the certificate under brokers, or set tls.server_name", err)
	case remoteAlert(err):
		return fmt.Errorf("TLS handshake: the broker refused: %w; it may ask for a client's certificate: set tls.cert and tls.key", err)
	case errors.As(err, &record), errors.Is(err, io.EOF), errors.Is(err, context.DeadlineExceeded), errors.Is(err, net.ErrClosed):
		return fmt.Errorf("TLS handshake: %w; this listener seems not to speak TLS: use the broker's SSL or SASL_SSL port, or remove tls", err)
	default:
		return fmt.Errorf("TLS handshake: %w", err)
	}
}

// remoteAlert reports whether err is a TLS alert that the broker sent.
func remoteAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// guardedConn is a connection that sarama reads and writes. It turns the failures of a first answer into advice and
// ends a SASL session in time. One goroutine reads, one writes.
type guardedConn struct {
	net.Conn
	addr    string
	secured bool      // TLS
	sasl    bool      // logged in
	until   time.Time // when the SASL session ends; zero: never
	read    bool      // something was read
	writes  atomic.Int32
}

// Write is called with a whole request at a time.
func (c *guardedConn) Write(p []byte) (int, error) {
	if !c.until.IsZero() && time.Now().After(c.until) {
		return 0, errSessionOver
	}
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func (c *guardedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && !c.read {
		c.read = true
		if !c.secured && looksLikeTLS(p[:n]) {
			return 0, &ConnectError{Broker: c.addr, Err: errors.New("the broker answers with TLS: add tls under the channel, or use its PLAINTEXT or SASL_PLAINTEXT port")}
		}
	}
	switch {
	case err == nil, n > 0:
		return n, err
	case !c.read && remoteAlert(err):
		return n, &ConnectError{Broker: c.addr, Err: explainTLS(err)}
	case !c.sasl && errors.Is(err, io.EOF) && c.writes.Load() <= 2:
		// A listener with SASL answers ApiVersions, the first request, and nothing else.
		return n, &ConnectError{Broker: c.addr, Err: fmt.Errorf("closed before the first answer (%w): this listener may want %s", err, c.missing())}
	}
	return n, err
}

func (c *guardedConn) missing() string {
	if c.secured {
		return "a login (sasl), or a client's certificate (tls.cert and tls.key)"
	}
	return "TLS (tls) or a login (sasl)"
}

// looksLikeTLS recognises a TLS alert or handshake, which a TLS server sends when it is not spoken to in TLS.
func looksLikeTLS(p []byte) bool {
	return len(p) >= 2 && (p[0] == 0x15 || p[0] == 0x16) && p[1] == 0x03
}
