package native

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"

	"github.com/penstock-io/penstock/kerberos"
)

// encryptionKey is what a NameNode with dfs.encrypt.data.transfer gives its clients for their handshakes with DataNodes: a DataEncryptionKeyProto
// {keyId = 1, blockPoolId = 2, nonce = 3, encryptionKey = 4}.
type encryptionKey struct {
	id            int32
	pool          string
	nonce, secret []byte
}

// user is the name under which a DataNode knows the key.
func (k *encryptionKey) user() string {
	return fmt.Sprintf("%d %s %s", k.id, k.pool, base64.StdEncoding.EncodeToString(k.nonce))
}

// parseKey reads a GetDataEncryptionKeyResponseProto {dataEncryptionKey = 1} with its length.
func parseKey(rest []byte) (*encryptionKey, error) {
	body, _, err := delimited(rest)
	if err != nil {
		return nil, err
	}
	var k encryptionKey
	within(body, []int{1}, func(f field) {
		switch f.num {
		case 1:
			k.id = int32(uint32(f.value))
		case 2:
			k.pool = string(f.bytes)
		case 3:
			k.nonce = f.bytes
		case 4:
			k.secret = f.bytes
		}
	})
	if len(k.secret) == 0 {
		return nil, fmt.Errorf("%w: the NameNode gives no data encryption key", errWire)
	}
	return &k, nil
}

// encryptionKey asks the NameNode, unless the answer is known.
func (f *FS) encryptionKey(ctx context.Context) (*encryptionKey, error) {
	const method = "getDataEncryptionKey"
	if rest, ok := f.shared.answer(method); ok {
		return parseKey(rest)
	}
	conn, err := f.muxes[f.active.Load()].connect(ctx)
	if err != nil {
		return nil, err
	}
	header := appendBytes(nil, 1, method) // RequestHeaderProto
	header = appendBytes(header, 2, "org.apache.hadoop.hdfs.protocol.ClientProtocol")
	header = appendVarint(header, 3, 1)
	call, _, err := conn.send(ctx, request{method: method, header: header})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	r, err := conn.wait(ctx, call)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", method, err)
	case r.status != 0:
		return nil, &refusal{method: method, class: r.class, words: firstLine(r.words)}
	}
	f.shared.keep(method, r.rest)
	return parseKey(r.rest)
}

// plainDefaults is a GetServerDefaultsResponseProto {serverDefaults = 1 {encryptDataTransfer = 6}} with its length, as it would be if nothing were encrypted: encryption is not the library's.
func plainDefaults(rest []byte) (plain []byte, encrypts bool) {
	body, after, err := delimited(rest)
	if err != nil {
		return rest, false // the library will say so
	}
	body = append([]byte(nil), body...)
	_ = fields(body, func(defaults field) bool {
		_ = fields(defaults.bytes, func(f field) bool {
			if f.num == 6 && f.kind == wireVarint && f.value != 0 {
				encrypts = true
				defaults.bytes[f.at] = 0 // a boolean is one byte
			}
			return true
		})
		return true
	})
	return append(appendDelimited(nil, body), after...), encrypts
}

// secure is a new connection to a DataNode with the handshake that it will ask for, by Java's rules: encryption if the NameNode says so; else none on privileged
// ports, which only root can have taken; else what is configured.
func (l *link) secure(ctx context.Context, raw net.Conn) (net.Conn, error) {
	o := &l.f.o
	c := &saslConn{Conn: raw, timeout: o.IOTimeout, want: o.DataProtection}
	if l.f.shared.encrypts() {
		key, err := l.f.encryptionKey(ctx)
		if err != nil {
			return nil, err
		}
		c.want, c.key = []kerberos.QOP{kerberos.QOPPrivacy}, key
		return c, nil
	}
	if o.Encrypt {
		c.want = []kerberos.QOP{kerberos.QOPPrivacy}
	}
	addr, _ := raw.RemoteAddr().(*net.TCPAddr)
	if !o.secured() || len(c.want) == 0 || addr != nil && addr.Port < 1024 {
		return raw, nil
	}
	return c, nil
}
