package kerberos_test

import (
	"errors"
	"testing"

	"github.com/penstock-io/penstock/kerberos"
)

// fakeExchange is done after one token, and wraps by prefixing s (signed) or e (sealed).
type fakeExchange struct{}

func (fakeExchange) Step([]byte) ([]byte, bool, error) { return []byte("hello"), true, nil }

func (fakeExchange) Wrap(p []byte, seal bool) ([]byte, error) {
	mark := "s"
	if seal {
		mark = "e"
	}
	return append([]byte(mark), p...), nil
}

func (fakeExchange) Unwrap(token []byte) ([]byte, bool, error) {
	if len(token) == 0 {
		return nil, false, kerberos.ErrBadToken
	}
	return token[1:], token[0] == 'e', nil
}

func TestSASLChoosesProtection(t *testing.T) {
	const auth, integ, priv = kerberos.QOPAuth, kerberos.QOPIntegrity, kerberos.QOPPrivacy
	for name, c := range map[string]struct {
		accept []kerberos.QOP
		offer  string
		choice string
		err    error
	}{
		"default takes auth":                {nil, "s\x07\x00\xff\xff", "s\x01\x00\x00\x00", nil},
		"auth, with no size offered":        {nil, "s\x01\x00\x00\x00", "s\x01\x00\x00\x00", nil},
		"the best that is offered":          {[]kerberos.QOP{priv, integ, auth}, "s\x03\x00\xff\xff", "s\x02\x01\x00\x00", nil},
		"privacy":                           {[]kerberos.QOP{priv}, "s\x04\x00\xff\xff", "s\x04\x01\x00\x00", nil},
		"never less than asked for":         {[]kerberos.QOP{priv}, "s\x03\x00\xff\xff", "", kerberos.ErrRefused},
		"nothing known is offered":          {[]kerberos.QOP{priv, integ, auth}, "s\xf8\x00\xff\xff", "", kerberos.ErrRefused},
		"a size that holds no message":      {[]kerberos.QOP{priv}, "s\x04\x00\x00\x20", "", kerberos.ErrBadToken},
		"an offer that is too short":        {nil, "s\x07\x00", "", kerberos.ErrBadToken},
		"an offer that is too long":         {nil, "s\x07\x00\x00\x00\x00", "", kerberos.ErrBadToken},
		"no offer at all":                   {nil, "", "", kerberos.ErrBadToken},
		"an offer that came sealed is fine": {nil, "e\x07\x00\xff\xff", "s\x01\x00\x00\x00", nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := kerberos.NewGSSAPI(fakeExchange{}, kerberos.SASLOptions{QOP: c.accept, MaxSize: 0x10000})
			if hello, done, err := m.Step(nil); string(hello) != "hello" || done || err != nil {
				t.Fatalf("first Step = %q, %v, %v", hello, done, err)
			}
			choice, done, err := m.Step([]byte(c.offer))
			if string(choice) != c.choice || !errors.Is(err, c.err) || done != (c.err == nil) {
				t.Errorf("Step(offer) = %q, %v, %v; want %q, %v", choice, done, err, c.choice, c.err)
			}
			if _, _, err := m.Step(nil); !errors.Is(err, kerberos.ErrBadToken) {
				t.Errorf("a further Step = %v, want ErrBadToken", err)
			}
		})
	}
}

func TestQOPString(t *testing.T) {
	for qop, want := range map[kerberos.QOP]string{0: "none", 1: "auth", 2: "auth-int", 4: "auth-conf", 7: "auth,auth-int,auth-conf"} {
		if got := qop.String(); got != want {
			t.Errorf("QOP %d = %s, want %s", qop, got, want)
		}
	}
}

func FuzzOffer(f *testing.F) {
	f.Add([]byte{7, 1, 0, 0})
	f.Add([]byte{1, 0, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, size, err := kerberos.ParseOffer(b)
		if (err == nil) != (len(b) == 4) || size < 0 || size >= 1<<24 {
			t.Errorf("offer % x: size %d, %v", b, size, err)
		}
		m := kerberos.NewGSSAPI(fakeExchange{}, kerberos.SASLOptions{QOP: []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPAuth}})
		if _, _, err := m.Step(nil); err != nil {
			t.Fatal(err)
		}
		if _, done, err := m.Step(append([]byte("s"), b...)); done && err == nil && m.QOP() == kerberos.QOPPrivacy && m.MaxWrap() <= 0 {
			t.Errorf("offer % x: a layer that takes %d bytes", b, m.MaxWrap())
		}
	})
}
