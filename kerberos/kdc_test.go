package kerberos_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/kerberos"
	"github.com/penstock-io/penstock/kerberos/kerberostest"
)

var kafka = kerberos.SPN{Service: "kafka", Host: "localhost"}

func keytabLogin(t *testing.T, kdc *kerberostest.KDC, principal, keytab string) *kerberos.Login {
	t.Helper()
	l, err := kerberos.NewLogin(kerberos.Identity{Principal: principal, Keytab: keytab, Krb5Conf: kdc.ConfigPath, Host: "edge1.example.test"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// wantError checks the kind of an error and that it says all of what an operator needs.
func wantError(t *testing.T, err, kind error, says ...string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error = %v, want %v", err, kind)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error = %q, want it to say %q", err, text)
		}
	}
}

func TestExchangeAndSASL(t *testing.T) {
	for _, etypes := range []string{"aes128-cts-hmac-sha1-96", "aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha256-128", "aes256-cts-hmac-sha384-192"} {
		t.Run(etypes, func(t *testing.T) {
			kdc := kerberostest.NewWith(t, kerberostest.Options{Etypes: etypes})
			kdc.AddPrincipal("ingest/edge1.example.test")
			kdc.AddPrincipal("kafka/localhost")
			service := kdc.Keytab("kafka/localhost")
			login := keytabLogin(t, kdc, "ingest/_HOST", kdc.Keytab("ingest/edge1.example.test"))
			for _, qop := range []kerberos.QOP{kerberos.QOPAuth, kerberos.QOPIntegrity, kerberos.QOPPrivacy} {
				for _, mutual := range []bool{false, true} {
					t.Run(fmt.Sprintf("%v,mutual=%v", qop, mutual), func(t *testing.T) { saslSession(t, login, service, qop, mutual) })
				}
			}
		})
	}
}

// saslSession authenticates and speaks to an acceptor that offers everything.
func saslSession(t *testing.T, login *kerberos.Login, service string, qop kerberos.QOP, mutual bool) {
	t.Helper()
	initiate := login.Initiate
	if mutual {
		initiate = login.InitiateMutual
	}
	x, err := initiate(t.Context(), kafka)
	if err != nil {
		t.Fatal(err)
	}
	m := kerberos.NewGSSAPI(x, kerberos.SASLOptions{QOP: []kerberos.QOP{qop}, Authzid: "alice"})
	token, _, err := m.Step(nil)
	if err != nil {
		t.Fatal(err)
	}
	reply, peer, client := accept(t, service, token)
	if client != "ingest/edge1.example.test@EXAMPLE.TEST" {
		t.Errorf("the service saw %s", client)
	}
	if mutual {
		if empty, done, err := m.Step(reply); len(empty) > 0 || done || err != nil {
			t.Fatalf("Step(AP-REP) = %x, %v, %v; want an empty response", empty, done, err)
		}
	}
	offer, err := peer.Wrap([]byte{7, 0x01, 0x00, 0x00}, false)
	if err != nil {
		t.Fatal(err)
	}
	choice, done, err := m.Step(offer)
	if err != nil || !done {
		t.Fatalf("Step(offer) = %v, %v", done, err)
	}
	plain, _, err := peer.Unwrap(choice)
	if err != nil || len(plain) < 4 || plain[0] != byte(qop) || string(plain[4:]) != "alice" {
		t.Fatalf("choice = %x, %v", plain, err)
	}
	if m.QOP() != qop {
		t.Errorf("QOP = %v, want %v", m.QOP(), qop)
	}
	if qop == kerberos.QOPAuth {
		if _, err := m.Wrap([]byte("x")); err == nil || !bytes.Equal(plain[1:4], []byte{0, 0, 0}) {
			t.Errorf("with auth: Wrap = %v, max size % x; want an error and 0", err, plain[1:4])
		}
		return
	}
	speak(t, m, peer)
}

// speak sends messages both ways at the level agreed on.
func speak(t *testing.T, m *kerberos.GSSAPI, peer *kerberos.Wrapper) {
	t.Helper()
	qop := m.QOP()
	for _, size := range []int{0, 1, 15, 16, 17, 4096, m.MaxWrap()} {
		text := bytes.Repeat([]byte("penstock"), size/8+1)[:size]
		token, err := m.Wrap(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(token) > 0x10000 {
			t.Errorf("a message of %d bytes became %d, more than the server takes", size, len(token))
		}
		if size > 8 && bytes.Contains(token, text) != (qop == kerberos.QOPIntegrity) {
			t.Errorf("text readable = %v at %v", qop != kerberos.QOPIntegrity, qop)
		}
		got, sealed, err := peer.Unwrap(token)
		if err != nil || !bytes.Equal(got, text) || sealed != (qop == kerberos.QOPPrivacy) {
			t.Fatalf("service unwrapped %d bytes of %d, sealed %v: %v", len(got), size, sealed, err)
		}
		back, err := peer.Wrap(text, sealed)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Unwrap(back); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("client unwrapped %d bytes of %d: %v", len(got), size, err)
		}
	}
	if _, err := m.Wrap(make([]byte, m.MaxWrap()+1)); err == nil {
		t.Error("a message longer than the server takes was wrapped")
	}
	if qop == kerberos.QOPPrivacy {
		unsealed, err := peer.Wrap([]byte("x"), false)
		if err != nil {
			t.Fatal(err)
		}
		_, err = m.Unwrap(unsealed)
		wantError(t, err, kerberos.ErrBadToken, "unsealed")
	}
}

func TestKDCDownAtStart(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	kdc.AddPrincipal("kafka/localhost")
	keytab := kdc.Keytab("ingest")
	kdc.Stop()
	login := keytabLogin(t, kdc, "ingest@EXAMPLE.TEST", keytab)
	_, err := login.Initiate(t.Context(), kafka)
	wantError(t, err, kerberos.ErrKDCUnreachable, kdc.Addr, "EXAMPLE.TEST", "krb5kdc")
	if st := login.Status(); st.Ready() || st.Failures != 1 || st.Err == nil {
		t.Errorf("status = %+v, want one failure and not ready", st)
	}
	kdc.Start()
	if _, err := login.Initiate(t.Context(), kafka); err != nil {
		t.Errorf("with the KDC back: %v", err)
	}
}

func TestOneOfTwoKDCsIsDead(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	config, err := os.ReadFile(kdc.ConfigPath)
	if err != nil {
		t.Fatal(err)
	}
	two := filepath.Join(t.TempDir(), "krb5.conf")
	text := strings.Replace(string(config), "\t\tkdc = ", "\t\tkdc = 127.0.0.1:1\n\t\tkdc = ", 1)
	if err := os.WriteFile(two, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	login, err := kerberos.NewLogin(kerberos.Identity{Principal: "ingest", Keytab: kdc.Keytab("ingest"), Krb5Conf: two})
	if err != nil {
		t.Fatal(err)
	}
	if err := login.Affirm(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := login.Status().KDC; got != kdc.Addr {
		t.Errorf("KDC = %s, want %s", got, kdc.Addr)
	}
}

// A real outage that outlasts the ticket: the KDC is away until the ticket has ended by the wall clock, and
// then comes back.
func TestOutageOutlastsRealTicket(t *testing.T) {
	kdc := kerberostest.NewWith(t, kerberostest.Options{MaxLife: 3 * time.Second})
	kdc.AddPrincipal("ingest")
	kdc.AddPrincipal("kafka/localhost")
	login := keytabLogin(t, kdc, "ingest", kdc.Keytab("ingest"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- login.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	}()
	until(t, "a login", func() bool { return login.Status().Ready() })
	if _, err := login.Initiate(t.Context(), kafka); err != nil {
		t.Fatal(err)
	}
	kdc.Stop()
	if _, err := login.Initiate(t.Context(), kafka); err != nil {
		t.Errorf("with the KDC away and a ticket at hand: %v", err)
	}
	until(t, "the ticket's end", func() bool { return !login.Status().Ready() })
	_, err := login.Initiate(t.Context(), kafka)
	wantError(t, err, kerberos.ErrKDCUnreachable)
	kdc.Start()
	if _, err := login.Initiate(t.Context(), kafka); err != nil {
		t.Errorf("at the first use with the KDC back: %v", err)
	}
	logins := login.Status().Logins
	until(t, "a renewal", func() bool { return login.Status().Logins > logins })
}

// until waits for what is observed to become true; the test's own deadline is the limit.
func until(t *testing.T, what string, seen func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !seen() {
		select {
		case <-t.Context().Done():
			t.Fatalf("waiting for %s: %v", what, t.Context().Err())
		case <-again.C:
		}
	}
}

func TestRotatedKeytab(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	keytab := kdc.Keytab("ingest")
	login := keytabLogin(t, kdc, "ingest", keytab)
	kdc.Rotate("ingest")
	err := login.Affirm(t.Context())
	wantError(t, err, kerberos.ErrBadKeytab, "ingest@EXAMPLE.TEST", keytab, kdc.Addr, "version 1", "klist -kte "+keytab)
	err = login.Affirm(t.Context())
	wantError(t, err, kerberos.ErrBadKeytab, "no new attempt before")
	if n := login.Status().Failures; n != 1 {
		t.Errorf("%d failures, want 1: a refused key is not tried again at once", n)
	}
	if err := os.Rename(kdc.Keytab("ingest"), keytab); err != nil {
		t.Fatal(err)
	}
	if err := login.Affirm(t.Context()); err != nil {
		t.Errorf("with the new keytab in place: %v", err)
	}
}

// The newest version counts, wherever it stands, and not the time at which an entry was written.
func TestKeytabWithOldKeys(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	keytab := kdc.Keytab("ingest")
	kdc.Rotate("ingest")
	kdc.Admin("ktadd -norandkey -k " + keytab + " ingest")
	if err := keytabLogin(t, kdc, "ingest", keytab).Affirm(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWrongKeytabs(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	kdc.AddPrincipal("other")
	dir := t.TempDir()
	junk := filepath.Join(dir, "junk.keytab")
	if err := os.WriteFile(junk, []byte("\x05\x02secret key material"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keytab string
		says   []string
	}{
		"another's": {kdc.Keytab("other"), []string{"no key for ingest@EXAMPLE.TEST", "other@EXAMPLE.TEST"}},
		"missing":   {filepath.Join(dir, "none"), []string{filepath.Join(dir, "none"), "correct the path"}},
		"junk":      {junk, []string{junk, "klist -kte"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := kerberos.NewLogin(kerberos.Identity{Principal: "ingest", Keytab: c.keytab, Krb5Conf: kdc.ConfigPath})
			wantError(t, err, kerberos.ErrBadKeytab, c.says...)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error quotes the file: %v", err)
			}
		})
	}
}

func TestUnknownNames(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	keytab := kdc.Keytab("ingest")
	login := keytabLogin(t, kdc, "ingest", keytab)
	_, err := login.Initiate(t.Context(), kerberos.SPN{Service: "nn", Host: "nowhere.example.test"})
	wantError(t, err, kerberos.ErrUnknownService, "nn/nowhere.example.test", "ingest@EXAMPLE.TEST", kdc.Addr, "[domain_realm]")
	kdc.Admin("delprinc -force ingest")
	err = keytabLogin(t, kdc, "ingest", keytab).Affirm(t.Context())
	wantError(t, err, kerberos.ErrUnknownPrincipal, "ingest@EXAMPLE.TEST", kdc.Addr, "addprinc")
}

func TestClockSkew(t *testing.T) {
	for _, skew := range []time.Duration{7 * time.Minute, -7 * time.Minute} {
		t.Run(skew.String(), func(t *testing.T) {
			kdc := kerberostest.NewWith(t, kerberostest.Options{Skew: skew})
			kdc.AddPrincipal("ingest")
			err := keytabLogin(t, kdc, "ingest", kdc.Keytab("ingest")).Affirm(t.Context())
			word := "behind"
			if skew < 0 {
				word = "ahead of"
			}
			wantError(t, err, kerberos.ErrClockSkew, word, kdc.Addr, "chrony")
			if !strings.Contains(err.Error(), "7m0s") && !strings.Contains(err.Error(), "6m59s") && !strings.Contains(err.Error(), "7m1s") {
				t.Errorf("error = %q, want it to say by how much", err)
			}
		})
	}
}

func TestCacheIsReadAgain(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	kdc.AddPrincipal("kafka/localhost")
	keytab, cache := kdc.Keytab("ingest"), filepath.Join(t.TempDir(), "krb5cc")
	_, err := kerberos.NewLogin(kerberos.Identity{Cache: "FILE:" + cache, Krb5Conf: kdc.ConfigPath})
	wantError(t, err, kerberos.ErrBadCache, cache)

	login, err := kerberos.NewLogin(kerberos.Identity{Principal: "ingest", Cache: cache, Krb5Conf: kdc.ConfigPath})
	if err != nil {
		t.Fatal(err)
	}
	err = login.Affirm(t.Context())
	wantError(t, err, kerberos.ErrBadCache, cache)
	kdc.Kinit("ingest", keytab, cache, "-l", "2s")
	if _, err := login.Initiate(t.Context(), kafka); err != nil {
		t.Fatal(err)
	}
	until(t, "the ticket's end", func() bool { return !login.Status().Ready() })
	_, err = login.Initiate(t.Context(), kafka)
	wantError(t, err, kerberos.ErrTicketExpired, cache, "kinit")
	kdc.Kinit("ingest", keytab, cache)
	if _, err := login.Initiate(t.Context(), kafka); err != nil {
		t.Errorf("after kinit: %v", err)
	}
	if st := login.Status(); st.Logins != 2 || time.Until(st.Expiry) < time.Hour {
		t.Errorf("status = %+v, want the second ticket", st)
	}

	anonymous, err := kerberos.NewLogin(kerberos.Identity{Cache: "FILE:" + cache, Krb5Conf: kdc.ConfigPath})
	if err != nil || anonymous.Principal().String() != "ingest@EXAMPLE.TEST" {
		t.Errorf("principal of the cache = %v, %v", anonymous, err)
	}
	_, err = kerberos.NewLogin(kerberos.Identity{Cache: "KCM:1000", Krb5Conf: kdc.ConfigPath})
	wantError(t, err, kerberos.ErrBadCache, "KCM", "kinit -c FILE:")
	truncate(t, cache)
	if err := login.Affirm(t.Context()); err != nil {
		t.Errorf("with the file torn and a good ticket in memory: %v", err)
	}
}

func truncate(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-10); err != nil {
		t.Fatal(err)
	}
}

// The KDC's own key is replaced, so that the ticket-granting ticket in hand is worth nothing.
func TestTicketGrantingTicketRevoked(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	kdc.AddPrincipal("kafka/localhost")
	login := keytabLogin(t, kdc, "ingest", kdc.Keytab("ingest"))
	if err := login.Affirm(t.Context()); err != nil {
		t.Fatal(err)
	}
	kdc.Rotate("krbtgt/EXAMPLE.TEST")
	if _, err := login.Initiate(t.Context(), kafka); err != nil {
		t.Errorf("want a new login behind the scenes, got %v", err)
	}
	if n := login.Status().Logins; n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
}

// A service of another realm: its KDC is asked with a ticket that the own realm's KDC gave for it.
func TestServiceInAnotherRealm(t *testing.T) {
	home, other := kerberostest.New(t), kerberostest.NewWith(t, kerberostest.Options{Realm: "OTHER.TEST"})
	home.AddPrincipal("ingest")
	other.AddPrincipal("kafka/h.other.test")
	for _, kdc := range []*kerberostest.KDC{home, other} {
		kdc.Admin("addprinc -pw shared krbtgt/OTHER.TEST@EXAMPLE.TEST")
	}
	dir := writeFiles(t, map[string]string{
		"other.conf": "[realms]\nOTHER.TEST = {\nkdc = " + other.Addr + "\n}\n[domain_realm]\n.other.test = OTHER.TEST\n",
	})
	for name, spn := range map[string]kerberos.SPN{
		"by its domain": {Service: "kafka", Host: "h.other.test"},
		"by its name":   {Service: "kafka", Host: "h.other.test", Realm: "OTHER.TEST"},
	} {
		login, err := kerberos.NewLogin(kerberos.Identity{
			Principal: "ingest", Keytab: home.Keytab("ingest"), Krb5Conf: home.ConfigPath + ":" + dir + "/other.conf",
		})
		if err != nil {
			t.Fatal(err)
		}
		x, err := login.Initiate(t.Context(), spn)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		token, _, err := x.Step(nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, client := accept(t, other.Keytab("kafka/h.other.test"), token); client != "ingest@EXAMPLE.TEST" {
			t.Errorf("%s: the service saw %s", name, client)
		}
	}
}

func TestClientForLibraries(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	kdc.AddPrincipal("kafka/localhost")
	login := keytabLogin(t, kdc, "ingest", kdc.Keytab("ingest"))
	c, _, err := login.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.GetServiceTicket("kafka/localhost"); err != nil {
		t.Errorf("a client that has to ask the KDC itself: %v", err)
	}
	before := runtime.NumGoroutine()
	for range 20 {
		c, until, err := login.Client(t.Context(), kafka)
		if err != nil {
			t.Fatal(err)
		}
		if time.Until(until) < time.Hour || until.After(login.Expiry()) {
			t.Errorf("until = %v, want no later than the ticket's end %v", until, login.Expiry())
		}
		kdc.Stop() // all that it needs is in it
		ticket, key, err := c.GetServiceTicket("kafka/localhost")
		if err != nil || len(key.KeyValue) == 0 || ticket.SName.PrincipalNameString() != "kafka/localhost" {
			t.Fatalf("ticket = %v, %v", ticket.SName, err)
		}
		if err := c.AffirmLogin(); err != nil {
			t.Errorf("AffirmLogin = %v", err)
		}
		kdc.Start()
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := new(bytes.Buffer)
		stacks := make([]byte, 1<<16)
		_, _ = io.Copy(buf, bytes.NewReader(stacks[:runtime.Stack(stacks, true)]))
		t.Errorf("%d goroutines, %d before:\n%s", n, before, buf)
	}
}
