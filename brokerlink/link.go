package brokerlink

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// sarama's bounds for what a broker declares are variables of its package, the same for all channels of a process. They are set
// once, since other channels may already be reading them.
var bounds sync.Once //nolint:gochecknoglobals // see above

// maxDecompressed bounds what one batch may grow to.
const maxDecompressed = 256 << 20

func setBounds() {
	bounds.Do(func() { sarama.MaxDecompressedBatchSize = maxDecompressed })
}

// link is one connection to one broker, for one user at a time.
type link struct {
	addr   string
	dialer *dialer
	broker *sarama.Broker
}

// newLink returns a link that connects at its first use. Answers that take longer than wait end it.
func (t *transport) newLink(addr string, wait time.Duration) (*link, error) {
	d := &dialer{t: t}
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0 // the newest requests to use; each broker's ApiVersions brings them down to what it knows
	c.ClientID = t.clientID
	c.Net.MaxOpenRequests = 1
	c.Net.DialTimeout = t.dialTimeout
	c.Net.ReadTimeout = wait
	c.Net.WriteTimeout = t.requestTimeout
	c.Net.Proxy.Enable = true
	c.Net.Proxy.Dialer = d
	b := sarama.NewBroker(addr)
	if err := b.Open(c); err != nil {
		return nil, err
	}
	return &link{addr: addr, dialer: d, broker: b}, nil
}

// do runs one request. When ctx ends, the connection is cut and ctx's cause is returned. After an error for which
// broken is true the link must be closed.
func (l *link) do(ctx context.Context, request func(*sarama.Broker) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	stop := context.AfterFunc(ctx, l.dialer.kill)
	err := request(l.broker)
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}

func (l *link) close() {
	l.dialer.kill() // first: Close waits for whoever waits for an answer
	_ = l.broker.Close()
}

// line is a link of one owner that is made anew when it breaks or when the address changes. Not for concurrent use.
type line struct {
	t    *transport
	wait time.Duration // how long an answer may take
	link *link
}

// do runs one request at addr. The connection is kept when the request was answered, whatever the answer.
func (n *line) do(ctx context.Context, addr string, request func(*sarama.Broker) error) error {
	if n.link != nil && n.link.addr != addr {
		n.close()
	}
	used := n.link != nil
	if !used {
		l, err := n.t.newLink(addr, n.wait)
		if err != nil {
			return err
		}
		n.link = l
	}
	err := n.link.do(ctx, request)
	if !broken(err) {
		return err
	}
	n.close()
	if used && ctx.Err() == nil && stale(err) {
		return n.do(ctx, addr, request)
	}
	return err
}

// reset makes the next request use a new connection.
func (n *line) close() {
	if n.link != nil {
		n.link.close()
		n.link = nil
	}
}
