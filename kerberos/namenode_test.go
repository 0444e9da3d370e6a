//go:build integration

package kerberos_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/penstock-io/penstock/kerberos"
)

// message is a protobuf message in the making, and field a decoded one's fields by number: as much as
// Hadoop's RPC headers need.
type message []byte

func (m message) varint(field int, v uint64) message {
	return binary.AppendUvarint(binary.AppendUvarint(m, uint64(field)<<3), v)
}

func (m message) bytes(field int, b []byte) message {
	m = binary.AppendUvarint(m, uint64(field)<<3|2)
	return append(binary.AppendUvarint(m, uint64(len(b))), b...)
}

// delimited is the message behind its length.
func (m message) delimited() []byte { return append(binary.AppendUvarint(nil, uint64(len(m))), m...) }

// cut takes a delimited message off the front.
func cut(t *testing.T, b []byte) (m, rest []byte) {
	t.Helper()
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		t.Fatalf("no message in % x", b)
	}
	return b[size : size+int(n)], b[size+int(n):]
}

// parse returns the last varint and bytes value of each field.
func parse(t *testing.T, m []byte) (numbers map[uint64]uint64, data map[uint64][]byte) {
	t.Helper()
	numbers, data = map[uint64]uint64{}, map[uint64][]byte{}
	for len(m) > 0 {
		tag, size := binary.Uvarint(m)
		m = m[max(size, 0):]
		switch tag & 7 {
		case 0:
			v, size := binary.Uvarint(m)
			numbers[tag>>3], m = v, m[max(size, 0):]
		case 2:
			data[tag>>3], m = cut(t, m)
		default:
			t.Fatalf("wire type %d", tag&7)
		}
	}
	return numbers, data
}

// namenode is a connection of Hadoop RPC: frames of int32 size and delimited messages.
type namenode struct {
	net.Conn
	t *testing.T
}

// rpcHeader is an RpcRequestHeaderProto.
func rpcHeader(callID int) []byte {
	zigzag := uint64(callID<<1) ^ uint64(callID>>63)
	return message(nil).varint(1, 2).varint(2, 0).varint(3, zigzag).bytes(4, bytes.Repeat([]byte{7}, 16)).delimited()
}

func frame(parts ...[]byte) []byte {
	body := bytes.Join(parts, nil)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

func (c namenode) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// receive returns the message that follows the response's header.
func (c namenode) receive(r io.Reader) []byte {
	c.t.Helper()
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(binary.BigEndian.Uint32(size[:]))))
	if err != nil {
		c.t.Fatal(err)
	}
	header, rest := cut(c.t, b)
	if numbers, data := parse(c.t, header); numbers[2] != 0 {
		c.t.Fatalf("the NameNode says %s: %s", data[4], data[5])
	}
	m, _ := cut(c.t, rest)
	return m
}

// The states of RpcSaslProto.
const (
	saslSuccess = iota
	saslNegotiate
	saslInitiate
	saslChallenge
	saslResponse
	saslWrap
)

func (c namenode) sasl(state uint64, token, auth []byte) (answer uint64, challenge []byte) {
	c.t.Helper()
	m := message(nil).varint(2, state)
	if token != nil {
		m = m.bytes(3, token)
	}
	if auth != nil {
		m = m.bytes(4, auth)
	}
	c.send(frame(rpcHeader(-33), m.delimited()))
	numbers, data := parse(c.t, c.receive(c))
	return numbers[2], data[3]
}

// The NameNode asks for privacy: after the handshake, a call goes sealed and its answer comes sealed.
func TestNameNode(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	x, err := clusterLogin(t).Initiate(ctx, kerberos.SPN{Service: "nn", Host: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", "localhost:8020")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := namenode{Conn: raw, t: t}
	c.send([]byte{'h', 'r', 'p', 'c', 9, 0, 0xdf})
	if state, _ := c.sasl(saslNegotiate, nil, nil); state != saslNegotiate {
		t.Fatalf("state %d, want negotiate", state)
	}
	m := kerberos.NewGSSAPI(x, kerberos.SASLOptions{QOP: []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPIntegrity, kerberos.QOPAuth}})
	token, _, err := m.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	auth := message(nil).bytes(1, []byte("KERBEROS")).bytes(2, []byte("GSSAPI")).bytes(3, []byte("nn")).bytes(4, []byte("localhost"))
	state, challenge := c.sasl(saslInitiate, token, auth)
	for state == saslChallenge {
		response, _, err := m.Step(challenge)
		if err != nil {
			t.Fatal(err)
		}
		state, challenge = c.sasl(saslResponse, response, nil)
	}
	if state != saslSuccess {
		t.Fatalf("state %d, want success", state)
	}
	if m.QOP() != kerberos.QOPPrivacy {
		t.Fatalf("QOP = %v, want auth-conf: is the cluster's rpc protection changed?", m.QOP())
	}
	c.sealed(m, frame(rpcHeader(-3), connectionContext().delimited()))
	call := message(nil).bytes(1, []byte("getFileInfo")).bytes(2, []byte("org.apache.hadoop.hdfs.protocol.ClientProtocol")).varint(3, 1)
	c.sealed(m, frame(rpcHeader(0), call.delimited(), message(nil).bytes(1, []byte("/user/ingest")).delimited()))

	numbers, data := parse(t, c.receive(c))
	if numbers[2] != saslWrap {
		t.Fatalf("state %d, want a wrapped answer", numbers[2])
	}
	plain, err := m.Unwrap(data[3])
	if err != nil {
		t.Fatal(err)
	}
	_, answer := parse(t, c.receive(bytes.NewReader(plain)))
	_, status := parse(t, answer[1])
	if string(status[5]) != "ingest" {
		t.Errorf("owner of /user/ingest = %q (%x), want ingest", status[5], answer)
	}
}

// connectionContext is an IpcConnectionContextProto.
func connectionContext() message {
	user := message(nil).bytes(1, []byte("ingest@EXAMPLE.TEST"))
	return message(nil).bytes(2, user).bytes(3, []byte("org.apache.hadoop.hdfs.protocol.ClientProtocol"))
}

// sealed sends a frame sealed inside another.
func (c namenode) sealed(m *kerberos.GSSAPI, inner []byte) {
	c.t.Helper()
	token, err := m.Wrap(inner)
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(frame(rpcHeader(-33), message(nil).varint(2, saslWrap).bytes(3, token).delimited()))
}
