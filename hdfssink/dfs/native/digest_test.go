package native

import (
	"bytes"
	"errors"
	"fmt"
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
		{strings.Replace(challenge, "rc4,", "", 1), []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPIntegrity}, kerberos.QOPIntegrity},
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
		if err != nil && strings.Contains(err.Error(), d.password) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// ends are a client and the server's end of the same connection.
func ends(t *testing.T, qop kerberos.QOP) (client, server *digest) {
	t.Helper()
	for _, d := range []**digest{&client, &server} {
		*d = newDigest(token.Token{Identifier: []byte("id"), Password: []byte("pw")}, saslAuth{serverID: "default"}, []kerberos.QOP{qop})
		(*d).cnonce = "the same"
		if _, _, err := (*d).Step([]byte(challenge)); err != nil {
			t.Fatal(err)
		}
	}
	server.in, server.out = server.out, server.in
	return client, server
}

func TestDigestLayer(t *testing.T) {
	for _, qop := range []kerberos.QOP{kerberos.QOPIntegrity, kerberos.QOPPrivacy} {
		client, server := ends(t, qop)
		for i := range 5 {
			for _, way := range []struct{ from, to *digest }{{client, server}, {server, client}} {
				p := []byte(strings.Repeat(fmt.Sprint("message ", i), i))
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
		wrapped, err := client.Wrap([]byte("pay 10"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range wrapped {
			_, fresh := ends(t, qop)
			fresh.in.number = 5
			bad := bytes.Clone(wrapped)
			bad[i] ^= 1
			if _, err := fresh.Unwrap(bad); !errors.Is(err, kerberos.ErrBadToken) {
				t.Errorf("%v: byte %d of %d was changed: %v", qop, i, len(bad), err)
			}
		}
		for n := range wrapped {
			if _, err := server.Unwrap(wrapped[:n]); err == nil {
				t.Errorf("%v: %d of %d bytes pass", qop, n, len(wrapped))
			}
		}
	}
	client, server := ends(t, kerberos.QOPIntegrity)
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
