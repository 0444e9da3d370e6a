package brokerlink

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/conf"
)

// shortSessions is a listener in front of a broker that answers the login itself and says that it lasts for life.
type shortSessions struct {
	to    string
	life  time.Duration
	count atomic.Int32 // logins
}

func (s *shortSessions) serve(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.pass(conn)
		}
	}()
	return l.Addr().String()
}

func (s *shortSessions) pass(conn net.Conn) {
	defer conn.Close()
	// SaslHandshake: no error, one mechanism. SaslAuthenticate: no error, no message, no challenge, session lifetime.
	handshake := appendString([]byte{0, 0, 0, 0, 0, 1}, plain)
	authenticate := binary.BigEndian.AppendUint64([]byte{0, 0, 0xff, 0xff, 0, 0, 0, 0}, uint64(s.life.Milliseconds()))
	for _, answer := range [][]byte{handshake, authenticate} {
		var head [12]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		rest := int64(binary.BigEndian.Uint32(head[:])) - 8
		if _, err := io.CopyN(io.Discard, conn, rest); err != nil {
			return
		}
		frame := binary.BigEndian.AppendUint32(nil, uint32(len(answer)+4))
		frame = append(frame, head[8:]...) // correlation
		if _, err := conn.Write(append(frame, answer...)); err != nil {
			return
		}
	}
	s.count.Add(1)
	broker, err := net.Dial("tcp", s.to)
	if err != nil {
		return
	}
	defer broker.Close()
	go func() {
		_, _ = io.Copy(broker, conn)
		_ = broker.Close()
	}()
	_, _ = io.Copy(conn, broker)
}

func TestConnectionsAreRenewedBeforeTheirSessionEnds(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	front := &shortSessions{to: b.Addrs()[0], life: 100 * time.Millisecond}
	addr := front.serve(t)
	t.Setenv("BROKERLINK_TEST_PASSWORD", "secret")
	password, err := conf.NewSecret("env:BROKERLINK_TEST_PASSWORD")
	if err != nil {
		t.Fatal(err)
	}
	tr := &transport{dialTimeout: 5 * time.Second, requestTimeout: 5 * time.Second, clientID: "test", login: &plainLogin{name: "ada", password: password}}
	c := newCluster(tr, []string{addr}, "g")
	defer c.close()
	n := line{t: tr, wait: 5 * time.Second}
	defer n.close()
	ask := func(b *sarama.Broker) error {
		_, err := b.GetMetadata(sarama.NewMetadataRequest(sarama.V3_6_0_0, []string{"t"}))
		return err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for front.count.Load() < 6 {
		if err := c.call(ctx, addr, ask); err != nil {
			t.Fatalf("shared connection, after %d logins: %v", front.count.Load(), err)
		}
		if err := n.do(ctx, addr, ask); err != nil {
			t.Fatalf("own connection, after %d logins: %v", front.count.Load(), err)
		}
	}
}

func TestHiddenFieldsOfSaramaAreThere(t *testing.T) {
	// A new release of sarama may rename them; then hiddenOf would see nothing, in silence.
	empty := &sarama.FetchResponseBlock{}
	if got := hiddenOf(empty); got != (hidden{}) {
		t.Errorf("an empty block shows %+v", got)
	}
	for _, name := range hiddenFields() {
		if !hasField(empty, name) {
			t.Errorf("sarama.FetchResponseBlock has no %s any more", name)
		}
	}
}
