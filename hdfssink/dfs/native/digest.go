package native

import (
	"bytes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // the mechanism's
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
// What follows is signed, or sealed with RC4, or with triple DES where a server has nothing else (dfs.encrypt.data.transfer.algorithm):
//
//	auth-int         message | HMAC-MD5 of number and message, 10 bytes | 00 01 | number, 4 bytes
//	auth-conf, rc4   RC4 (message | the same 10 bytes) | 00 01 | number
//	auth-conf, 3des  CBC (message | 1 to 8 bytes that say how many they are | the same 10 bytes) | 00 01 | number
type digest struct {
	user, password string
	uri            string
	want           []kerberos.QOP // best first
	cnonce         string
	peer, setting  string // for messages: the server, and what it is configured by

	realm, nonce string
	qop          kerberos.QOP
	cipher       string // rc4 or 3des
	a1           []byte // H(A1)
	out, in      direction
}

// direction is one way of a connection that is protected.
type direction struct {
	sign   []byte
	rc4    *rc4.Cipher
	cbc    cipher.BlockMode // of triple DES
	number uint32
}

// newDigest begins the mechanism for a token at a server, as the server names itself.
func newDigest(t token.Token, auth saslAuth, want []kerberos.QOP) *digest {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	return &digest{
		user: base64.StdEncoding.EncodeToString(t.Identifier), password: base64.StdEncoding.EncodeToString(t.Password),
		uri: auth.protocol + "/" + auth.serverID, want: want, cnonce: base64.StdEncoding.EncodeToString(random[:]),
		peer: "the NameNode", setting: "hadoop.rpc.protection",
	}
}

var errDigest = errors.New("the server's DIGEST-MD5 challenge cannot be answered")

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
		b.WriteString(",cipher=" + d.cipher)
	}
	return b.Bytes(), true, nil
}

// choose takes the best protection that both have.
func (d *digest) choose(qop, ciphers string) error {
	offered := strings.FieldsFunc(qop, comma)
	if qop == "" {
		offered = []string{"auth"}
	}
	for _, c := range []string{"3des", "rc4"} {
		if slices.Contains(strings.FieldsFunc(ciphers, comma), c) {
			d.cipher = c // rc4 if it is there, which costs a tenth
		}
	}
	for _, q := range d.want {
		if slices.Contains(offered, q.String()) && (q != kerberos.QOPPrivacy || d.cipher != "") {
			d.qop = q
			return nil
		}
	}
	return fmt.Errorf("%w: it offers %q (ciphers %q), and we take %v; compare %s here and on %s", errDigest, qop, ciphers, d.want, d.setting, d.peer)
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
	if d.qop != kerberos.QOPPrivacy {
		return
	}
	out, in := key("Digest H(A1) to client-to-server sealing key magic constant"), key("Digest H(A1) to server-to-client sealing key magic constant")
	if d.cipher == "3des" {
		d.out.cbc, d.in.cbc = cipher.NewCBCEncrypter(tripleDES(out), out[8:]), cipher.NewCBCDecrypter(tripleDES(in), in[8:])
		return
	}
	// A key of 16 bytes is one that RC4 takes.
	d.out.rc4, _ = rc4.NewCipher(out) //nolint:gosec // the mechanism's
	d.in.rc4, _ = rc4.NewCipher(in)   //nolint:gosec // the mechanism's
}

// tripleDES is the cipher with two keys, of 7 bytes each, which DES wants in 8 with a bit of parity at each end.
func tripleDES(key []byte) cipher.Block {
	var keys []byte
	for _, k := range [][]byte{key[:7], key[7:14], key[:7]} {
		var bits uint64
		for _, b := range k {
			bits = bits<<8 | uint64(b)
		}
		for i := range 8 {
			keys = append(keys, byte(bits>>(49-7*i))<<1)
		}
	}
	block, _ := des.NewTripleDESCipher(keys) //nolint:gosec // the mechanism's; it takes all keys of 24 bytes
	return block
}

// verify checks that the server knows the token too.
func (d *digest) verify(verdict []byte) error {
	c, err := directives(verdict)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(c["rspauth"]), []byte(d.response(""))) != 1 {
		return fmt.Errorf("%w: %s does not prove that it knows the token", kerberos.ErrBadToken, d.peer)
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
	b := slices.Clone(p)
	if d.out.cbc != nil {
		pad := des.BlockSize - (len(p)+digestMAC)%des.BlockSize
		b = append(b, bytes.Repeat([]byte{byte(pad)}, pad)...)
	}
	b = append(b, d.out.mac(p)...)
	switch {
	case d.out.rc4 != nil:
		d.out.rc4.XORKeyStream(b, b)
	case d.out.cbc != nil:
		d.out.cbc.CryptBlocks(b, b)
	}
	b = binary.BigEndian.AppendUint32(append(b, 0, 1), d.out.number)
	d.out.number++
	return b, nil
}

// Unwrap takes the protection off.
func (d *digest) Unwrap(b []byte) ([]byte, error) {
	if len(b) < digestFooter || !bytes.Equal(b[len(b)-6:len(b)-4], []byte{0, 1}) || binary.BigEndian.Uint32(b[len(b)-4:]) != d.in.number {
		return nil, fmt.Errorf("%w: a message of %s has not the form or the number that is due", kerberos.ErrBadToken, d.peer)
	}
	b = slices.Clone(b[:len(b)-6])
	pad := 0
	switch {
	case d.in.rc4 != nil:
		d.in.rc4.XORKeyStream(b, b)
	case d.in.cbc != nil:
		if len(b)%des.BlockSize != 0 {
			return nil, fmt.Errorf("%w: a message of %s is not of whole blocks", kerberos.ErrBadToken, d.peer)
		}
		d.in.cbc.CryptBlocks(b, b)
		pad = int(b[len(b)-digestMAC-1])
	}
	end := len(b) - digestMAC - pad // below zero, or wrong: the signature does not fit either
	if end < 0 || !hmac.Equal(b[len(b)-digestMAC:], d.in.mac(b[:end])) {
		return nil, fmt.Errorf("%w: a message of %s is not signed with the key agreed on", kerberos.ErrBadToken, d.peer)
	}
	d.in.number++
	return b[:end], nil
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
