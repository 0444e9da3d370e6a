package native

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs/token"
	"github.com/penstock-io/penstock/kerberos"
)

// saslConn is a connection to a DataNode that wants DIGEST-MD5 first (dfs.data.transfer.protection, dfs.encrypt.data.transfer). The library believes that none does. What it
// sends first, the operation, has the token of the block; with that the handshake is made before anything is sent on.
//
//	→ DE AD BE EF | message {}
//	← message {payload = challenge}
//	→ message {payload = response, cipherOption = {suite = AES_CTR_NOPADDING}}       the option with privacy only
//	← message {payload = verdict, cipherOption = {suite, inKey, inIv, outKey, outIv}} the option if the DataNode has AES; the keys are wrapped, and in is the DataNode's
//
// A message is a varint of its length and a DataTransferEncryptorMessageProto {status = 1, payload = 2, message = 3, cipherOption = 4}. What follows is, both ways, by what was agreed on:
//
//	auth                bytes as they are
//	privacy with AES    AES/CTR of them
//	integrity, privacy  uint32 length | bytes as package-level digest wraps them, as often as need be
type saslConn struct {
	net.Conn
	timeout time.Duration // of the handshake
	want    []kerberos.QOP
	key     *encryptionKey // in place of the block's token; nil: none

	operation []byte // what the library sent before the handshake
	ready     bool
	sealed    *digest // frames are wrapped; nil: they are not
	out, in   cipher.Stream
	buffer    []byte       // of out
	frame     bytes.Buffer // what came in and was not read yet
}

const (
	maxOperation = 1 << 20  // bytes of the library's first message
	maxMessage   = 1 << 20  // bytes of a DataNode's message in the handshake
	maxChunk     = 60 << 10 // bytes wrapped at once: Java's servers take 64 KiB, footer included
	maxFrame     = 1<<24 + digestFooter + 8

	suiteAES = 2 // CipherSuiteProto.AES_CTR_NOPADDING
)

// Write implements net.Conn.
func (c *saslConn) Write(b []byte) (int, error) {
	if c.ready {
		return len(b), c.send(b)
	}
	c.operation = append(c.operation, b...)
	t, whole := blockToken(c.operation)
	switch {
	case !whole && len(c.operation) > maxOperation:
		return 0, fmt.Errorf("%w: the operation has no end", errWire)
	case !whole:
		return len(b), nil
	}
	if err := c.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	if err := c.handshake(t); err != nil {
		return 0, fmt.Errorf("SASL handshake: %w", err)
	}
	operation := c.operation
	c.ready, c.operation = true, nil
	return len(b), c.send(operation)
}

// blockToken finds the token of an operation:
//
//	uint16 version | op | varint length | Op…Proto {header = 1 {baseHeader = 1 {token = 2 {identifier = 1, password = 2, kind = 3, service = 4}}}}
func blockToken(b []byte) (t token.Token, whole bool) {
	if len(b) < 4 {
		return t, false
	}
	op, _, err := delimited(b[3:])
	if err != nil {
		return t, false
	}
	within(op, []int{1, 1, 2}, func(f field) {
		switch f.num {
		case 1:
			t.Identifier = f.bytes
		case 2:
			t.Password = f.bytes
		}
	})
	return t, true
}

// within uses each field of the message at the end of the path of fields.
func within(msg []byte, path []int, use func(field)) {
	_ = fields(msg, func(f field) bool { // what is malformed is not there
		switch {
		case len(path) == 0:
			use(f)
		case f.num == path[0] && f.kind == wireBytes:
			within(f.bytes, path[1:], use)
		}
		return true
	})
}

func (c *saslConn) handshake(t token.Token) error {
	d := newDigest(t, saslAuth{protocol: "hdfs", serverID: "0"}, c.want)
	d.peer, d.setting = "the DataNode", "dfs.data.transfer.protection"
	if c.key != nil {
		d.user, d.password = c.key.user(), base64.StdEncoding.EncodeToString(c.key.secret)
	}
	hello := append([]byte{0xDE, 0xAD, 0xBE, 0xEF}, dataMessage(nil, false)...)
	if _, err := c.Conn.Write(hello); err != nil {
		return err
	}
	challenge, _, err := c.message()
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return errors.New("the DataNode hangs up; is dfs.data.transfer.protection set there?")
	}
	if err != nil {
		return err
	}
	response, _, err := d.Step(challenge)
	if err != nil {
		return err
	}
	if _, err := c.Conn.Write(dataMessage(response, d.qop == kerberos.QOPPrivacy)); err != nil {
		return err
	}
	verdict, option, err := c.message()
	if err == nil {
		err = d.verify(verdict)
	}
	switch {
	case err != nil:
		return err
	case d.qop == kerberos.QOPAuth:
	case option != nil && d.qop == kerberos.QOPPrivacy:
		return c.encrypt(d, option)
	default:
		c.sealed = d
	}
	return nil
}

// encrypt takes the keys of a CipherOptionProto {suite = 1, inKey = 2, inIv = 3, outKey = 4, outIv = 5}.
func (c *saslConn) encrypt(d *digest, option []byte) error {
	var of [6][]byte
	suite := uint64(0)
	err := fields(option, func(f field) bool {
		switch {
		case f.num == 1 && f.kind == wireVarint:
			suite = f.value
		case f.num < len(of) && f.kind == wireBytes:
			of[f.num] = f.bytes
		}
		return true
	})
	if err != nil || suite != suiteAES {
		return fmt.Errorf("the DataNode takes cipher suite %d, which was not offered (%w)", suite, errors.Join(err, errWire))
	}
	stream := func(wrapped, iv []byte) (cipher.Stream, error) {
		key, err := d.Unwrap(wrapped)
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		if len(iv) != aes.BlockSize {
			return nil, fmt.Errorf("%w: an IV of %d bytes", errWire, len(iv))
		}
		return cipher.NewCTR(block, iv), nil
	}
	if c.out, err = stream(of[2], of[3]); err != nil {
		return fmt.Errorf("key to the DataNode: %w", err)
	}
	if c.in, err = stream(of[4], of[5]); err != nil {
		return fmt.Errorf("key from the DataNode: %w", err)
	}
	return nil
}

// dataMessage is a DataTransferEncryptorMessageProto with its length.
func dataMessage(payload []byte, aes bool) []byte {
	m := appendVarint(nil, 1, 0) // SUCCESS
	if payload != nil {
		m = appendBytes(m, 2, payload)
	}
	if aes {
		m = appendBytes(m, 4, appendVarint(nil, 1, suiteAES))
	}
	return appendDelimited(nil, m)
}

// message reads the DataNode's next.
func (c *saslConn) message() (payload, option []byte, err error) {
	size, err := binary.ReadUvarint(oneByte{c.Conn})
	if err != nil {
		return nil, nil, err
	}
	if size > maxMessage {
		return nil, nil, fmt.Errorf("%w: a message of %d bytes", errWire, size)
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, c.Conn, int64(size)); err != nil {
		return nil, nil, err
	}
	var status uint64
	var words string
	err = fields(b.Bytes(), func(f field) bool {
		switch {
		case f.num == 1 && f.kind == wireVarint:
			status = f.value
		case f.num == 2:
			payload = f.bytes
		case f.num == 3:
			words = string(f.bytes)
		case f.num == 4 && option == nil:
			option = f.bytes
		}
		return true
	})
	if err == nil && status != 0 {
		err = fmt.Errorf("the DataNode refuses it with status %d: %q", status, firstLine(words))
	}
	return payload, option, err
}

// oneByte reads no further than it is asked to.
type oneByte struct{ r io.Reader }

func (o oneByte) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(o.r, b[:])
	return b[0], err
}

func (c *saslConn) send(b []byte) error {
	switch {
	case c.out != nil:
		if cap(c.buffer) < len(b) {
			c.buffer = make([]byte, len(b))
		}
		sealed := c.buffer[:len(b)]
		c.out.XORKeyStream(sealed, b)
		_, err := c.Conn.Write(sealed)
		return err
	case c.sealed == nil:
		_, err := c.Conn.Write(b)
		return err
	}
	for len(b) > 0 {
		n := min(len(b), maxChunk)
		wrapped, err := c.sealed.Wrap(b[:n])
		if err != nil {
			return err
		}
		c.buffer = append(binary.BigEndian.AppendUint32(c.buffer[:0], uint32(len(wrapped))), wrapped...)
		if _, err := c.Conn.Write(c.buffer); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Read implements net.Conn.
func (c *saslConn) Read(b []byte) (int, error) {
	if c.sealed == nil {
		n, err := c.Conn.Read(b)
		if c.in != nil {
			c.in.XORKeyStream(b[:n], b[:n])
		}
		return n, err
	}
	for c.frame.Len() == 0 && len(b) > 0 {
		if err := c.receive(); err != nil {
			return 0, err
		}
	}
	n, _ := c.frame.Read(b) // there is something
	return n, nil
}

// receive reads one frame.
func (c *saslConn) receive() error {
	var head [4]byte
	if _, err := io.ReadFull(c.Conn, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return fmt.Errorf("%w: a frame of %d bytes, and %d were agreed on", errWire, size, maxFrame)
	}
	c.frame.Reset()
	if _, err := io.CopyN(&c.frame, c.Conn, int64(size)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	p, err := c.sealed.Unwrap(c.frame.Bytes())
	if err != nil {
		return err
	}
	c.frame.Reset()
	c.frame.Write(p) // p is a copy
	return nil
}
