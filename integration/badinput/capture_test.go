//go:build integration

package badinput

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// capture is what crosses the loopback device to and from some ports, by connection and direction.
type capture struct {
	fd    int
	ports []uint16
	flows map[string]*bytes.Buffer
	stop  chan struct{}
	ended chan error
}

const captureBuffer = 64 << 20

// newCapture begins to listen, which takes root.
func newCapture(t *testing.T, ports ...uint16) *capture {
	t.Helper()
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		t.Fatalf("listen to the loopback device: %v; it takes CAP_NET_RAW", err)
	}
	c := &capture{fd: fd, ports: ports, flows: map[string]*bytes.Buffer{}, stop: make(chan struct{}), ended: make(chan error, 1)}
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: loopback.Index}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}),
	)
	if err != nil {
		t.Fatal(err)
	}
	go func() { c.ended <- c.listen() }()
	return c
}

// listen takes packets until it was told to stop and none is left.
func (c *capture) listen() error {
	buf := make([]byte, 128<<10) // what crosses the loopback device is not cut to 1,500 bytes
	for {
		n, from, err := unix.Recvfrom(c.fd, buf, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			select {
			case <-c.stop:
				return nil
			default:
			}
		case err != nil:
			return err
		default:
			if link, ok := from.(*unix.SockaddrLinklayer); ok && link.Pkttype != unix.PACKET_OUTGOING { // each packet comes twice
				c.packet(buf[:n])
			}
		}
	}
}

// packet keeps the payload of a TCP segment over IPv4 or IPv6, whose headers have no extensions here.
func (c *capture) packet(p []byte) {
	const ethernet, v4, v6 = 14, 20, 40
	if len(p) < ethernet+v4 {
		return
	}
	kind, p := binary.BigEndian.Uint16(p[12:]), p[ethernet:]
	var tcp []byte
	switch {
	case kind == unix.ETH_P_IP && p[9] == unix.IPPROTO_TCP:
		tcp = p[min(len(p), 4*int(p[0]&15)):]
	case kind == unix.ETH_P_IPV6 && len(p) >= v6 && p[6] == unix.IPPROTO_TCP:
		tcp = p[v6:]
	}
	if len(tcp) < 20 {
		return
	}
	ports, payload := tcp[:4], tcp[min(len(tcp), 4*int(tcp[12]>>4)):]
	for _, port := range c.ports {
		if binary.BigEndian.Uint16(ports) != port && binary.BigEndian.Uint16(ports[2:]) != port {
			continue
		}
		if c.flows[string(ports)] == nil {
			c.flows[string(ports)] = &bytes.Buffer{}
		}
		c.flows[string(ports)].Write(payload)
		return
	}
}

// end stops listening. What the kernel could not keep would prove nothing, so there must not be any.
func (c *capture) end(t *testing.T) {
	t.Helper()
	close(c.stop)
	if err := <-c.ended; err != nil {
		t.Fatal(err)
	}
	stats, err := unix.GetsockoptTpacketStats(c.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil || stats.Drops > 0 {
		t.Fatalf("%d of %d packets were lost, %v", stats.Drops, stats.Packets, err)
	}
	if err := unix.Close(c.fd); err != nil {
		t.Fatal(err)
	}
}

// holds reports whether the bytes crossed in one direction of a connection.
func (c *capture) holds(what []byte) bool {
	for _, f := range c.flows {
		if bytes.Contains(f.Bytes(), what) {
			return true
		}
	}
	return false
}

// size is how much crossed.
func (c *capture) size() (n int) {
	for _, f := range c.flows {
		n += f.Len()
	}
	return n
}
