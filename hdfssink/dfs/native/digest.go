package native

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the mechanism's
	"crypto/rand"
	"crypto/rc4" //nolint:gosec // the mechanism's
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/hdfssink/dfs/token"
	"github.com/penstock-io/penstock/kerberos"
)

// digest is the client's side of the SASL mechanism DIGEST-MD5 (RFC 2831), by which Hadoop's servers take tokens. User and password are the token's identifier and password in base64.
//
//	challenge  realm="default",nonce="…",qop="auth-conf",charset=utf-8,cipher="3des,rc4,…",algorithm=md5-sess
//	response   charset=utf-8,username="…",realm="default",nonce="…",nc=00000001,cnonce="…",digest-uri="/default",maxbuf=16777215,response=HEX,qop=auth-conf,cipher=rc4
//	verdict    rspauth=HEX
//
// What follows is signed, or sealed with RC4, the one cipher of the mechanism that is not worse than it and that all have:
//
//	auth-int   message | HMAC-MD5 of number and message, 10 bytes | 00 01 | number, 4 bytes
//	auth-conf  RC4 (message | the same 10 bytes) | 00 01 | number
type digest struct {
	user, password string
	uri            string
	want           []kerberos.QOP // best first
	cnonce         string

	realm, nonce string
	qop          kerberos.QOP
	a1           []byte // H(A1)
	out, in      direction
}

// direction is one way of a connection that is protected.
type direction struct {
	sign   []byte
	cipher *rc4.Cipher
	number uint32
}

// newDigest begins the mechanism for a token at a server, as the server names itself.
func newDigest(t token.Token, auth saslAuth, want []kerberos.QOP) *digest {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	return &digest{
		user: base64.StdEncoding.EncodeToString(t.Identifier), password: base64.StdEncoding.EncodeToString(t.Password),
		uri: auth.protocol + "/" + auth.serverID, want: want, cnonce: base64.StdEncoding.EncodeToString(random[:]),
	}
}

var errDigest = errors.New("the NameNode's DIGEST-MD5 challenge cannot be answered")

// Step takes the challenge and returns the response, which is the only one.
func (d *digest) Step(challenge []byte) (response []byte, done bool, err error) {
	c, err := directives(challenge)
	if err != nil {
		return nil, false, err
	}
	d.realm, d.nonce = c["realm"], c["nonce"]
	if d.nonce == "" || c["algorithm"] != "md5-sess" {
		return nil, false, fmt.Errorf("%w: it has no nonce, or another algorithm than md5-sess", errDigest)
	}
	if err := d.choose(c["qop"], c["cipher"]); err != nil {
		return nil, false, err
	}
	d.a1 = md5Of(string(md5Of(d.user+":"+d.realm+":"+d.password)) + ":" + d.nonce + ":" + d.cnonce)
	d.keys()
	var b bytes.Buffer
	fmt.Fprintf(&b, "charset=utf-8,username=%q,realm=%q,nonce=%q,nc=00000001,cnonce=%q,digest-uri=%q,maxbuf=16777215,response=%s,qop=%s",
		d.user, d.realm, d.nonce, d.cnonce, d.uri, d.response("AUTHENTICATE"), d.qop)
	if d.qop == kerberos.QOPPrivacy {
		b.WriteString(",cipher=rc4")
	}
	return b.Bytes(), true, nil
}

// choose takes the best protection that both have.
func (d *digest) choose(qop, ciphers string) error {
	offered := strings.FieldsFunc(qop, comma)
	if qop == "" {
		offered = []string{"auth"}
	}
	for _, q := range d.want {
		if slices.Contains(offered, q.String()) && (q != kerberos.QOPPrivacy || slices.Contains(strings.FieldsFunc(ciphers, comma), "rc4")) {
			d.qop = q
			return nil
		}
	}
	return fmt.Errorf("%w: it offers %q (ciphers %q), and we take %v; compare hadoop.rpc.protection here and on the NameNode", errDigest, qop, ciphers, d.want)
}

func comma(r rune) bool { return r == ',' || r == ' ' }

// response is request-digest of section 2.1.2.1; for the server's verdict method is empty.
func (d *digest) response(method string) string {
	a2 := method + ":" + d.uri
	if d.qop != kerberos.QOPAuth {
		a2 += ":00000000000000000000000000000000"
	}
	return hex.EncodeToString(md5Of(hex.EncodeToString(d.a1) + ":" + d.nonce + ":00000001:" + d.cnonce + ":" + d.qop.String() + ":" + hex.EncodeToString(md5Of(a2))))
}

func md5Of(text string) []byte {
	sum := md5.Sum([]byte(text)) //nolint:gosec // the mechanism's
	return sum[:]
}

// keys makes those of section 2.3 and 2.4.
func (d *digest) keys() {
	key := func(text string) []byte { return md5Of(string(d.a1) + text) }
	d.out.sign = key("Digest session key to client-to-server signing key magic constant")
	d.in.sign = key("Digest session key to server-to-client signing key magic constant")
	if d.qop == kerberos.QOPPrivacy {
		// A key of 16 bytes is one that RC4 takes.
		d.out.cipher, _ = rc4.NewCipher(key("Digest H(A1) to client-to-server sealing key magic constant")) //nolint:gosec // the mechanism's
		d.in.cipher, _ = rc4.NewCipher(key("Digest H(A1) to server-to-client sealing key magic constant"))  //nolint:gosec // the mechanism's
	}
}

// verify checks that the server knows the token too.
func (d *digest) verify(verdict []byte) error {
	c, err := directives(verdict)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(c["rspauth"]), []byte(d.response(""))) != 1 {
		return fmt.Errorf("%w: the NameNode does not prove that it knows the token", kerberos.ErrBadToken)
	}
	return nil
}

// QOP is what was agreed on.
func (d *digest) QOP() kerberos.QOP { return d.qop }

const (
	digestMAC    = 10
	digestFooter = digestMAC + 2 + 4
)

// Wrap protects a message.
func (d *digest) Wrap(p []byte) ([]byte, error) {
	b := append(slices.Clone(p), d.out.mac(p)...)
	if d.out.cipher != nil {
		d.out.cipher.XORKeyStream(b, b)
	}
	b = binary.BigEndian.AppendUint32(append(b, 0, 1), d.out.number)
	d.out.number++
	return b, nil
}

// Unwrap takes the protection off.
func (d *digest) Unwrap(b []byte) ([]byte, error) {
	if len(b) < digestFooter || !bytes.Equal(b[len(b)-6:len(b)-4], []byte{0, 1}) || binary.BigEndian.Uint32(b[len(b)-4:]) != d.in.number {
		return nil, fmt.Errorf("%w: a message of the NameNode has not the form or the number that is due", kerberos.ErrBadToken)
	}
	b = slices.Clone(b[:len(b)-6])
	if d.in.cipher != nil {
		d.in.cipher.XORKeyStream(b, b)
	}
	p, mac := b[:len(b)-digestMAC], b[len(b)-digestMAC:]
	if !hmac.Equal(mac, d.in.mac(p)) {
		return nil, fmt.Errorf("%w: a message of the NameNode is not signed with the key agreed on", kerberos.ErrBadToken)
	}
	d.in.number++
	return p, nil
}

func (d *direction) mac(p []byte) []byte {
	h := hmac.New(md5.New, d.sign)
	var number [4]byte
	binary.BigEndian.PutUint32(number[:], d.number)
	h.Write(number[:])
	h.Write(p)
	return h.Sum(nil)[:digestMAC]
}

// directives reads key=value and key="value", separated by commas.
func directives(p []byte) (map[string]string, error) {
	all := map[string]string{}
	for text := strings.Trim(string(p), " ,\t"); text != ""; text = strings.TrimLeft(text, " ,\t") {
		key, rest, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("%w: it is no list of key=value", errDigest)
		}
		var value string
		if quoted, is := strings.CutPrefix(rest, `"`); is {
			if value, text, ok = unquoteDirective(quoted); !ok {
				return nil, fmt.Errorf("%w: a quote is not closed", errDigest)
			}
		} else if value, text, ok = strings.Cut(rest, ","); !ok {
			text = ""
		}
		all[strings.ToLower(strings.TrimSpace(key))] = value
	}
	return all, nil
}

// unquoteDirective reads up to the quote that closes; a backslash stands before a character that is meant as it is.
func unquoteDirective(s string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}
