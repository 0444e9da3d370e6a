package native

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs/token"
	"github.com/penstock-io/penstock/kerberos"
)

// saslNode is a DataNode's side of the handshake; what follows is echoed.
type saslNode struct {
	challenge string
	token     token.Token // that the client must have
	user      string      // in place of the token's; "": none
	aes       bool
	refuse    string                            // answer with this error instead of a verdict
	spoil     func(step int, msg []byte) []byte // changes what is sent
	offered   []byte                            // cipher option of the client
}

// operation is what the library sends first, up to what the handshake needs.
func operation(t token.Token) []byte {
	tok := appendBytes(appendBytes(nil, 1, t.Identifier), 2, t.Password)
	op := appendBytes(nil, 1, appendBytes(nil, 1, appendBytes(appendBytes(nil, 1, []byte("block")), 2, tok)))
	return appendDelimited([]byte{0, 28, 80}, op)
}

func (n *saslNode) serve(c net.Conn) error {
	defer c.Close()
	var magic [4]byte
	if _, err := io.ReadFull(c, magic[:]); err != nil || magic != [4]byte{0xDE, 0xAD, 0xBE, 0xEF} {
		return fmt.Errorf("magic % x, %w", magic, err)
	}
	reader := &saslConn{Conn: c} // its messages are those of both sides
	if _, _, err := reader.message(); err != nil {
		return err
	}
	send := func(step int, msg []byte) error {
		spoiled := msg
		if n.spoil != nil {
			spoiled = n.spoil(step, bytes.Clone(msg))
		}
		_, err := c.Write(spoiled)
		if !bytes.Equal(spoiled, msg) {
			err = errEnd // and hang up
		}
		return err
	}
	if err := send(1, dataMessage([]byte(n.challenge), false)); err != nil {
		return err
	}
	response, option, err := reader.message()
	if err != nil {
		return err
	}
	n.offered = option
	said, err := directives(response)
	if err != nil {
		return err
	}
	d := newDigest(n.token, saslAuth{protocol: "hdfs", serverID: "0"}, []kerberos.QOP{kerberos.QOPAuth, kerberos.QOPIntegrity, kerberos.QOPPrivacy})
	d.cnonce = said["cnonce"]
	if n.user != "" {
		d.user = n.user
	}
	chosen := strings.NewReplacer("auth-conf,auth-int,auth", said["qop"]).Replace(n.challenge)
	if _, _, err := d.Step([]byte(chosen)); err != nil {
		return err
	}
	if n.refuse != "" || said["response"] != d.response("AUTHENTICATE") || said["username"] != d.user || said["digest-uri"] != "hdfs/0" {
		msg := appendVarint(nil, 1, 1)
		return send(2, appendDelimited(nil, appendBytes(msg, 3, n.refuse+" does not fit")))
	}
	d.turn()
	msg := appendBytes(appendVarint(nil, 1, 0), 2, []byte("rspauth="+d.response("")))
	peer := &saslConn{Conn: c, ready: true}
	switch {
	case d.qop == kerberos.QOPAuth:
	case d.qop == kerberos.QOPPrivacy && n.aes && option != nil:
		var keys [2][]byte
		for i, key := range []string{"to the DataNode ", "to the client 16"} {
			keys[i], _ = d.Wrap([]byte(key))
		}
		iv := bytes.Repeat([]byte{7}, 16)
		o := appendBytes(appendBytes(appendVarint(nil, 1, suiteAES), 2, keys[0]), 3, iv)
		o = appendBytes(appendBytes(o, 4, keys[1]), 5, append([]byte{8}, iv[1:]...))
		msg = appendBytes(msg, 4, o)
		in, _ := aes.NewCipher([]byte("to the DataNode "))
		out, _ := aes.NewCipher([]byte("to the client 16"))
		peer.in, peer.out = cipher.NewCTR(in, iv), cipher.NewCTR(out, append([]byte{8}, iv[1:]...))
	default:
		peer.sealed = d
	}
	if err := send(2, appendDelimited(nil, msg)); err != nil {
		return err
	}
	_, err = io.Copy(peer, peer)
	return err
}

// echo sends an operation in pieces and more, and returns what comes back.
func (n *saslNode) echo(t *testing.T, client token.Token, key *encryptionKey, want ...kerberos.QOP) (got, sent []byte, wire *tapPipe, err error) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- n.serve(theirs) }()
	defer func() {
		ours.Close()
		<-done
	}()
	wire = &tapPipe{Conn: ours}
	c := &saslConn{Conn: wire, timeout: time.Minute, want: want, key: key}
	op := operation(client)
	more := bytes.Repeat([]byte("what the event says "), 10_000) // more than a chunk
	sent = append(bytes.Clone(op), more...)
	for _, piece := range [][]byte{op[:2], op[2:7], op[7:]} {
		if _, err := c.Write(piece); err != nil {
			return nil, nil, wire, err
		}
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(more)
		wrote <- err
	}()
	got = make([]byte, len(sent))
	_, err = io.ReadFull(c, got)
	return got, sent, wire, errors.Join(err, <-wrote)
}

// tapPipe keeps what is sent.
type tapPipe struct {
	net.Conn
	sent    bytes.Buffer
	largest int // of single writes
}

func (p *tapPipe) Write(b []byte) (int, error) {
	p.sent.Write(b)
	p.largest = max(p.largest, len(b))
	return p.Conn.Write(b)
}

var blockOf = token.Token{Identifier: []byte("the block's token"), Password: []byte("its password")}

// TestDataSASL: what the library sends arrives as it is, under every protection; with privacy it cannot be read on the way.
func TestDataSASL(t *testing.T) {
	withoutRC4 := strings.Replace(challenge, "rc4,", "", 1)
	for _, c := range []struct {
		name      string
		challenge string
		aes       bool
		want      []kerberos.QOP
		clear     bool
	}{
		{"auth", challenge, true, []kerberos.QOP{kerberos.QOPAuth, kerberos.QOPPrivacy}, true},
		{"integrity", challenge, true, []kerberos.QOP{kerberos.QOPIntegrity}, true},
		{"privacy, AES", challenge, true, []kerberos.QOP{kerberos.QOPPrivacy}, false},
		{"privacy, RC4", challenge, false, []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPAuth}, false},
		{"privacy, triple DES", withoutRC4, false, []kerberos.QOP{kerberos.QOPPrivacy}, false},
		{"privacy, keys by triple DES", withoutRC4, true, []kerberos.QOP{kerberos.QOPPrivacy}, false},
	} {
		n := &saslNode{challenge: c.challenge, token: blockOf, aes: c.aes}
		got, sent, wire, err := n.echo(t, blockOf, nil, c.want...)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%s: %d bytes of %d, %v", c.name, len(got), len(sent), err)
		}
		if seen := bytes.Contains(wire.sent.Bytes(), []byte("event says")); seen != c.clear {
			t.Errorf("%s: readable on the wire: %t", c.name, seen)
		}
		if bytes.Contains(wire.sent.Bytes(), blockOf.Password) && !c.clear {
			t.Errorf("%s: the token's password is on the wire", c.name)
		}
		if !c.aes && wire.largest > 64<<10 {
			t.Errorf("%s: a frame of %d bytes; Java takes 64 KiB", c.name, wire.largest)
		}
		if (n.offered != nil) != (c.want[0] == kerberos.QOPPrivacy) {
			t.Errorf("%s: offered cipher option % x", c.name, n.offered)
		}
	}
}

// TestDataEncryptionKey: a NameNode's key stands in for the block's token.
func TestDataEncryptionKey(t *testing.T) {
	rest := appendDelimited(nil, appendBytes(nil, 1, appendBytes(appendBytes(appendBytes(appendVarint(nil, 1, 0xffffffff), 2, []byte("BP-1")), 3, []byte{1, 2}), 4, []byte("secret"))))
	key, err := parseKey(rest)
	if err != nil || key.user() != "-1 BP-1 AQI=" {
		t.Fatalf("%q, %v", key.user(), err)
	}
	n := &saslNode{challenge: challenge, token: token.Token{Password: []byte("secret")}, user: "-1 BP-1 AQI=", aes: true}
	if got, sent, _, err := n.echo(t, blockOf, key, kerberos.QOPPrivacy); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes of %d, %v", len(got), len(sent), err)
	}
	for _, bad := range [][]byte{nil, {5}, appendDelimited(nil, nil), appendDelimited(nil, appendBytes(nil, 1, appendVarint(nil, 1, 3)))} {
		if _, err := parseKey(bad); !errors.Is(err, errWire) {
			t.Errorf("% x: %v", bad, err)
		}
	}
}

// TestDataSASLRefuses: less than is wanted, a DataNode that proves nothing, and whatever it says that does not fit.
func TestDataSASLRefuses(t *testing.T) {
	other := token.Token{Identifier: blockOf.Identifier, Password: []byte("another")}
	size := func(n uint64) []byte { return binary.AppendUvarint(nil, n) }
	at := func(step int, what []byte) func(int, []byte) []byte {
		return func(s int, msg []byte) []byte {
			if s == step {
				return what
			}
			return msg
		}
	}
	for _, c := range []struct {
		name string
		node saslNode
		want kerberos.QOP
		says string
	}{
		{"another password", saslNode{token: other}, kerberos.QOPPrivacy, `the DataNode refuses it with status 1: "does not fit"`},
		{"refused", saslNode{token: blockOf, refuse: "Block token with block_id=5 is expired"}, kerberos.QOPPrivacy, "is expired"},
		{"less than wanted", saslNode{token: blockOf, challenge: strings.Replace(challenge, "auth-conf,auth-int,auth", "auth", 1)}, kerberos.QOPIntegrity, "compare dfs.data.transfer.protection here and on the DataNode"},
		{"no SASL there", saslNode{token: blockOf, spoil: at(1, nil)}, kerberos.QOPPrivacy, "is dfs.data.transfer.protection set there?"},
		{"a giant message", saslNode{token: blockOf, spoil: at(1, size(1<<62))}, kerberos.QOPPrivacy, "malformed protobuf message: a message of 4611686018427387904 bytes"},
		{"a message without end", saslNode{token: blockOf, spoil: at(2, size(1000))}, kerberos.QOPPrivacy, "EOF"},
		{"a message that is none", saslNode{token: blockOf, spoil: at(2, []byte{2, 0xff, 0xff})}, kerberos.QOPPrivacy, "malformed protobuf message"},
		{"no proof", saslNode{token: blockOf, spoil: at(2, dataMessage([]byte("rspauth=00"), false))}, kerberos.QOPPrivacy, "the DataNode does not prove that it knows the token"},
		{"another cipher suite", saslNode{token: blockOf, aes: true, spoil: func(step int, msg []byte) []byte {
			return bytes.Replace(msg, []byte{8, suiteAES, 0x12}, []byte{8, 3, 0x12}, step-1)
		}}, kerberos.QOPPrivacy, "cipher suite 3, which was not offered"},
		{"a key that was changed", saslNode{token: blockOf, aes: true, spoil: func(step int, msg []byte) []byte {
			if step == 2 {
				msg[len(msg)-40] ^= 1
			}
			return msg
		}}, kerberos.QOPPrivacy, "key "},
	} {
		if c.node.challenge == "" {
			c.node.challenge = challenge
		}
		_, _, wire, err := c.node.echo(t, blockOf, nil, c.want)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q in it", c.name, err, c.says)
		}
		if bytes.Contains(wire.sent.Bytes(), []byte("event says")) || bytes.Contains(wire.sent.Bytes(), blockOf.Password) {
			t.Errorf("%s: something was sent on", c.name)
		}
	}
}

// TestDataFrames: frames that do not fit are refused, whatever their length says.
func TestDataFrames(t *testing.T) {
	client, server := ends(t, kerberos.QOPIntegrity, challenge)
	whole, _ := server.Wrap([]byte("payload"))
	empty, _ := server.Wrap(nil)
	framed := func(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	for _, c := range []struct {
		name string
		in   []byte
		want string
		says error
	}{
		{"whole", framed(whole), "payload", errEnd},
		{"empty ones between", append(framed(whole), framed(empty)...), "payload", errEnd},
		{"cut", framed(whole)[:10], "", io.ErrUnexpectedEOF},
		{"cut in the length", framed(whole)[:2], "", io.ErrUnexpectedEOF},
		{"giant", []byte{0xff, 0xff, 0xff, 0xff}, "", errWire},
		{"too short", framed([]byte("short")), "", kerberos.ErrBadToken},
		{"twice", append(framed(whole), framed(whole)...), "payload", kerberos.ErrBadToken},
	} {
		client.in.number = 0
		ours, theirs := net.Pipe()
		go func() {
			_, _ = theirs.Write(c.in)
			_ = theirs.Close()
		}()
		got, err := io.ReadAll(io.MultiReader(noEmptyReads{t, &saslConn{Conn: ours, ready: true, sealed: client}}, errReader{}))
		if string(got) != c.want || !errors.Is(err, c.says) {
			t.Errorf("%s: %q, %v; want %q, %v", c.name, got, err, c.want, c.says)
		}
		_ = ours.Close()
	}
}

// noEmptyReads holds Read to what io.Reader asks.
type noEmptyReads struct {
	t *testing.T
	r io.Reader
}

func (r noEmptyReads) Read(b []byte) (int, error) {
	n, err := r.r.Read(b)
	if n == 0 && err == nil {
		r.t.Error("a read of nothing, without an error")
	}
	return n, err
}

var errEnd = errors.New("the end")

// errReader tells a clean end from none.
type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errEnd }

// TestPlainDefaults: the library hears that nothing is encrypted.
func TestPlainDefaults(t *testing.T) {
	defaults := func(encrypt uint64) []byte {
		return appendDelimited(nil, appendBytes(nil, 1, appendVarint(appendVarint(appendVarint(nil, 1, 128<<20), 6, encrypt), 7, 0)))
	}
	for encrypt, want := range map[uint64]bool{0: false, 1: true} {
		plain, encrypts := plainDefaults(defaults(encrypt))
		if encrypts != want || !bytes.Equal(plain, defaults(0)) {
			t.Errorf("%d: %t, % x", encrypt, encrypts, plain)
		}
	}
	if plain, encrypts := plainDefaults([]byte{9, 1}); encrypts || !bytes.Equal(plain, []byte{9, 1}) {
		t.Errorf("% x", plain)
	}
}

// FuzzDataNode: whatever a DataNode says in the handshake, no panic, and nothing is sent on without its proof.
func FuzzDataNode(f *testing.F) {
	f.Add(append(dataMessage([]byte(challenge), false), dataMessage([]byte("rspauth=00"), true)...))
	f.Fuzz(func(t *testing.T, said []byte) {
		c := &saslConn{Conn: &script{in: bytes.NewReader(said)}, timeout: time.Minute, want: []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPAuth}}
		if _, err := c.Write(operation(blockOf)); err == nil {
			t.Errorf("%q was taken", said)
		}
	})
}

// script is a connection whose other side has said all it will.
type script struct {
	net.Conn
	in io.Reader
}

func (s *script) Read(b []byte) (int, error)  { return s.in.Read(b) }
func (s *script) Write(b []byte) (int, error) { return len(b), nil }
func (s *script) SetDeadline(time.Time) error { return nil }
