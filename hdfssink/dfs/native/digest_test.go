package native

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/hdfssink/dfs/token"
	"github.com/penstock-io/penstock/kerberos"
)

// TestDigestExample is section 4 of RFC 2831.
func TestDigestExample(t *testing.T) {
	d := &digest{user: "chris", password: "secret", uri: "imap/elwood.innosoft.com", cnonce: "OA6MHXh6VqTrRk", want: []kerberos.QOP{kerberos.QOPAuth}}
	response, done, err := d.Step([]byte(`realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8`))
	if err != nil || !done {
		t.Fatal(done, err)
	}
	for _, want := range []string{`username="chris"`, `digest-uri="imap/elwood.innosoft.com"`, "response=d388dad90d4bbd760a152321f2143af7", "qop=auth", "nc=00000001"} {
		if !strings.Contains(string(response), want) {
			t.Errorf("%s\nhas no %s", response, want)
		}
	}
	if err := d.verify([]byte("rspauth=ea40f60335c427b5527b84dbabcdfffd")); err != nil {
		t.Error(err)
	}
	if err := d.verify([]byte("rspauth=ea40f60335c427b5527b84dbabcdfffe")); !errors.Is(err, kerberos.ErrBadToken) {
		t.Error(err)
	}
	if err := d.verify(nil); err == nil {
		t.Error("a server that proves nothing is taken")
	}
}

const challenge = `realm="default",nonce="abc\"d",qop="auth-conf,auth-int,auth",charset=utf-8,cipher="3des,rc4,des,rc4-56,rc4-40",algorithm=md5-sess`

// TestDigestChoice: the best of what both have, and never less than is wanted.
func TestDigestChoice(t *testing.T) {
	for _, c := range []struct {
		challenge string
		want      []kerberos.QOP
		got       kerberos.QOP
	}{
		{challenge, []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPIntegrity, kerberos.QOPAuth}, kerberos.QOPPrivacy},
		{challenge, []kerberos.QOP{kerberos.QOPIntegrity}, kerberos.QOPIntegrity},
		{strings.Replace(challenge, "rc4,", "", 1), []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPIntegrity}, kerberos.QOPPrivacy},
		{strings.Replace(challenge, "3des,rc4,", "", 1), []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPIntegrity}, kerberos.QOPIntegrity},
		{`nonce="n",algorithm=md5-sess`, []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPAuth}, kerberos.QOPAuth},
		{`nonce="n",algorithm=md5-sess`, []kerberos.QOP{kerberos.QOPPrivacy}, 0},
		{`algorithm=md5-sess`, []kerberos.QOP{kerberos.QOPAuth}, 0},
		{`nonce="n"`, []kerberos.QOP{kerberos.QOPAuth}, 0},
		{`nonce="n`, []kerberos.QOP{kerberos.QOPAuth}, 0},
		{`nonce`, []kerberos.QOP{kerberos.QOPAuth}, 0},
		{``, []kerberos.QOP{kerberos.QOPAuth}, 0},
	} {
		d := newDigest(token.Token{Identifier: []byte("id"), Password: []byte("pw")}, saslAuth{serverID: "default"}, c.want)
		_, _, err := d.Step([]byte(c.challenge))
		if d.qop != c.got || (err == nil) != (c.got != 0) {
			t.Errorf("%s wanting %v: %v, %v", c.challenge, c.want, d.qop, err)
		}
		if err == nil && c.challenge == challenge && d.cipher != "rc4" {
			t.Errorf("of RC4 and triple DES, %q is taken", d.cipher)
		}
		if err != nil && strings.Contains(err.Error(), d.password) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// ends are a client and the server's end of the same connection.
func ends(t *testing.T, qop kerberos.QOP, challenge string) (client, server *digest) {
	t.Helper()
	for _, d := range []**digest{&client, &server} {
		*d = newDigest(token.Token{Identifier: []byte("id"), Password: []byte("pw")}, saslAuth{serverID: "default"}, []kerberos.QOP{qop})
		(*d).cnonce = "the same"
		if _, _, err := (*d).Step([]byte(challenge)); err != nil {
			t.Fatal(err)
		}
	}
	server.turn()
	return client, server
}

// turn makes the server's end of a client's.
func (d *digest) turn() {
	d.in, d.out = d.out, d.in
	if d.in.cbc != nil { // a block mode has a direction
		key := func(way string) []byte {
			return md5Of(string(d.a1) + "Digest H(A1) to " + way + " sealing key magic constant")
		}
		in, out := key("client-to-server"), key("server-to-client")
		d.in.cbc, d.out.cbc = cipher.NewCBCDecrypter(tripleDES(in), in[8:]), cipher.NewCBCEncrypter(tripleDES(out), out[8:])
	}
}

// TestTripleDES: the keys of 7 bytes are spread over 8. The vector is DES's own "0123456789ABCDEF" under 133457799BBCDFF1, whose 56 bits are 12695BC9B7B7F8; with one key three
// times, the triple cipher is the single one.
func TestTripleDES(t *testing.T) {
	key, _ := hex.DecodeString("12695bc9b7b7f812695bc9b7b7f80000")
	var got [8]byte
	tripleDES(key).Encrypt(got[:], []byte("\x01\x23\x45\x67\x89\xab\xcd\xef"))
	if hex.EncodeToString(got[:]) != "85e813540f0ab405" {
		t.Errorf("%x", got)
	}
	// Another key in the middle: E(first, D(other, E(first, p))).
	copy(key[7:], make([]byte, 7))
	first, _ := des.NewCipher([]byte("\x13\x34\x57\x79\x9b\xbc\xdf\xf1"))
	other, _ := des.NewCipher(make([]byte, 8))
	var want [8]byte
	tripleDES(key).Encrypt(got[:], want[:])
	first.Encrypt(want[:], want[:])
	other.Decrypt(want[:], want[:])
	first.Encrypt(want[:], want[:])
	if got != want {
		t.Errorf("with two keys: %x, want %x", got, want)
	}
}

func TestDigestLayer(t *testing.T) {
	withoutRC4 := strings.Replace(challenge, "rc4,", "", 1)
	for _, c := range []struct {
		qop       kerberos.QOP
		challenge string
	}{{kerberos.QOPIntegrity, challenge}, {kerberos.QOPPrivacy, challenge}, {kerberos.QOPPrivacy, withoutRC4}} {
		qop := c.qop
		client, server := ends(t, qop, c.challenge)
		for i := range 12 {
			for _, way := range []struct{ from, to *digest }{{client, server}, {server, client}} {
				p := []byte(strings.Repeat(fmt.Sprint("message", i), i))
				wrapped, err := way.from.Wrap(p)
				if err != nil {
					t.Fatal(err)
				}
				if i > 0 && bytes.Contains(wrapped, p) == (qop == kerberos.QOPPrivacy) {
					t.Errorf("%v: % x", qop, wrapped)
				}
				got, err := way.to.Unwrap(wrapped)
				if err != nil || !bytes.Equal(got, p) {
					t.Fatalf("%v: %q, %v", qop, got, err)
				}
			}
		}
		client, server = ends(t, qop, c.challenge)
		wrapped, err := client.Wrap([]byte("pay 10"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range wrapped {
			_, fresh := ends(t, qop, c.challenge)
			bad := bytes.Clone(wrapped)
			bad[i] ^= 1
			if _, err := fresh.Unwrap(bad); !errors.Is(err, kerberos.ErrBadToken) {
				t.Errorf("%v: byte %d of %d was changed: %v", qop, i, len(bad), err)
			}
		}
		for n := range wrapped {
			_, fresh := ends(t, qop, c.challenge)
			if _, err := fresh.Unwrap(wrapped[:n]); err == nil {
				t.Errorf("%v: %d of %d bytes pass", qop, n, len(wrapped))
			}
		}
		odd := append(bytes.Clone(wrapped[:len(wrapped)-6]), append([]byte{1}, wrapped[len(wrapped)-6:]...)...)
		_, fresh := ends(t, qop, c.challenge)
		if _, err := fresh.Unwrap(odd); !errors.Is(err, kerberos.ErrBadToken) {
			t.Errorf("%v: a byte more: %v", qop, err)
		}
		if got, err := server.Unwrap(wrapped); err != nil || string(got) != "pay 10" {
			t.Errorf("%v: %q, %v", qop, got, err)
		}
	}
	client, server := ends(t, kerberos.QOPIntegrity, challenge)
	first, _ := client.Wrap([]byte("first"))
	second, _ := client.Wrap([]byte("second"))
	if _, err := server.Unwrap(second); !errors.Is(err, kerberos.ErrBadToken) {
		t.Errorf("out of order: %v", err)
	}
	if _, err := server.Unwrap(first); err != nil {
		t.Error(err)
	}
	if _, err := server.Unwrap(first); !errors.Is(err, kerberos.ErrBadToken) {
		t.Errorf("again: %v", err)
	}
}

func FuzzDirectives(f *testing.F) {
	f.Add(challenge)
	f.Add(`a=b,c="d\"",`)
	f.Fuzz(func(t *testing.T, text string) {
		all, err := directives([]byte(text))
		n := 0
		for k, v := range all {
			n += len(k) + len(v)
		}
		if err == nil && n > 3*len(text) { // lower case may be longer
			t.Errorf("%q: %v", text, all)
		}
	})
}

// TestUserInformation: who we come as is said once, by SASL or here.
func TestUserInformation(t *testing.T) {
	some := func(context.Context) (token.Token, error) { return token.Token{}, nil }
	for _, c := range []struct {
		o    Options
		want []string
	}{
		{Options{User: "ingest"}, []string{"1 ingest"}},
		{Options{User: "ingest", DoAs: "alice"}, []string{"1 alice", "2 ingest"}},
		{Options{User: "ingest", Token: some}, nil},
	} {
		var got []string
		if err := fields(c.o.userInformation(), func(f field) bool {
			got = append(got, fmt.Sprintf("%d %s", f.num, f.bytes))
			return true
		}); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, %v; want %q", c.o, got, err, c.want)
		}
	}
}
