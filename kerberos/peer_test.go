package kerberos_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/penstock-io/penstock/kerberos"
	"github.com/penstock-io/penstock/kerberos/kerberostest"
)

// krbErrorBytes is a KRB-ERROR as a peer would send it.
func krbErrorBytes(t testing.TB, code int32, at time.Time) []byte {
	t.Helper()
	e := messages.NewKRBError(types.PrincipalName{NameType: 2, NameString: []string{"krbtgt", "EXAMPLE.TEST"}}, "EXAMPLE.TEST", code, "text")
	e.STime = at.UTC()
	b, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scriptedKDC answers every connection with the same bytes, and with none keeps it open without a word.
// It returns a configuration that names it.
func scriptedKDC(t *testing.T, answer []byte) (config, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var open []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				break
			}
			open = append(open, conn)
			if answer != nil {
				buf := make([]byte, 4096)
				_, _ = conn.Read(buf)
				_, _ = conn.Write(answer)
			}
		}
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-ended
	})
	config = filepath.Join(t.TempDir(), "krb5.conf")
	text := fmt.Sprintf("[libdefaults]\ndefault_realm = EXAMPLE.TEST\n[realms]\nEXAMPLE.TEST = {\nkdc = %s\n}\n", l.Addr())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, l.Addr().String()
}

func TestScriptedKDCAnswers(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	keytab := kdc.Keytab("ingest")
	framed := func(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }
	for name, c := range map[string]struct {
		answer []byte
		kind   error
		says   string
	}{
		"skew":           {framed(krbErrorBytes(t, errorcode.KRB_AP_ERR_SKEW, time.Now().Add(-412*time.Second))), kerberos.ErrClockSkew, "6m5"},
		"revoked":        {framed(krbErrorBytes(t, errorcode.KDC_ERR_CLIENT_REVOKED, time.Now())), kerberos.ErrUnknownPrincipal, "modprinc -unlock"},
		"key expired":    {framed(krbErrorBytes(t, errorcode.KDC_ERR_KEY_EXPIRED, time.Now())), kerberos.ErrBadKeytab, "-pwexpire never"},
		"no etype":       {framed(krbErrorBytes(t, errorcode.KDC_ERR_ETYPE_NOSUPP, time.Now())), kerberos.ErrBadKeytab, "aes256-cts"},
		"out of service": {framed(krbErrorBytes(t, errorcode.KDC_ERR_SVC_UNAVAILABLE, time.Now())), kerberos.ErrKDCUnreachable, "SVC_UNAVAILABLE"},
		"another error":  {framed(krbErrorBytes(t, errorcode.KDC_ERR_POLICY, time.Now())), kerberos.ErrRefused, "KDC_ERR_POLICY"},
		"endless":        {[]byte{0xff, 0xff, 0xff, 0xff, 0x6b}, kerberos.ErrKDCUnreachable, "this is no KDC"},
		"a web server":   {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), kerberos.ErrKDCUnreachable, "this is no KDC"},
		"nonsense":       {framed([]byte("nonsense")), kerberos.ErrKDCUnreachable, "is it a KDC?"},
		"broken error":   {framed([]byte{0x7e, 0x03, 1, 2, 3}), kerberos.ErrKDCUnreachable, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			config, addr := scriptedKDC(t, c.answer)
			login, err := kerberos.NewLogin(kerberos.Identity{Principal: "ingest", Keytab: keytab, Krb5Conf: config})
			if err != nil {
				t.Fatal(err)
			}
			err = login.Affirm(t.Context())
			wantError(t, err, c.kind, c.says, addr)
		})
	}
}

// A KDC that takes the connection and says nothing holds nobody who stops waiting.
func TestSilentKDC(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	config, addr := scriptedKDC(t, nil)
	login, err := kerberos.NewLogin(kerberos.Identity{Principal: "ingest", Keytab: kdc.Keytab("ingest"), Krb5Conf: config})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the agent stops")
	result := make(chan error, 1)
	go func() { result <- login.Affirm(ctx) }()
	cancel(gone)
	if err := <-result; !errors.Is(err, gone) {
		t.Errorf("Affirm = %v, want the cause of its context", err)
	}
	short, cancelShort := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancelShort()
	err = login.Affirm(short)
	wantError(t, err, kerberos.ErrKDCUnreachable, addr)
	wantError(t, err, context.DeadlineExceeded)
	if st := login.Status(); st.Failures != 0 {
		t.Errorf("status = %+v: a caller that gives up is no failure", st)
	}
}

// The first KDC says nothing, and the caller has less time than one KDC may take.
func TestSilentKDCLeavesTimeForTheNext(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	silent, _ := scriptedKDC(t, nil)
	login, err := kerberos.NewLogin(kerberos.Identity{Principal: "ingest", Keytab: kdc.Keytab("ingest"), Krb5Conf: silent + ":" + kdc.ConfigPath})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := login.Affirm(ctx); err != nil {
		t.Fatal(err)
	}
	if got := login.Status().KDC; got != kdc.Addr {
		t.Errorf("KDC = %s, want %s", got, kdc.Addr)
	}
}

func TestServiceTicketsAreRefreshed(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	kdc.AddPrincipal("kafka/localhost")
	login := keytabLogin(t, kdc, "ingest", kdc.Keytab("ingest"))
	login.SetFresh(0)
	authenticate := func(service string) {
		t.Helper()
		x, err := login.Initiate(t.Context(), kafka)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := x.Step(nil)
		if err != nil {
			t.Fatal(err)
		}
		accept(t, service, token)
	}
	authenticate(kdc.Keytab("kafka/localhost"))
	kdc.Rotate("kafka/localhost")
	service := kdc.Keytab("kafka/localhost") // has the new key alone
	authenticate(service)
	kdc.Stop()
	authenticate(service) // an old ticket is better than none
}

func TestServiceSaysNo(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	kdc.AddPrincipal("kafka/localhost")
	login := keytabLogin(t, kdc, "ingest", kdc.Keytab("ingest"))
	for code, kind := range map[int32]error{
		errorcode.KRB_AP_ERR_SKEW:        kerberos.ErrClockSkew,
		errorcode.KRB_AP_ERR_MODIFIED:    kerberos.ErrRefused,
		errorcode.KRB_AP_ERR_TKT_EXPIRED: kerberos.ErrTicketExpired,
	} {
		for _, mutual := range []bool{false, true} {
			initiate := login.Initiate
			if mutual {
				initiate = login.InitiateMutual
			}
			x, err := initiate(t.Context(), kafka)
			if err != nil {
				t.Fatal(err)
			}
			m := kerberos.NewGSSAPI(x, kerberos.SASLOptions{})
			if _, _, err := m.Step(nil); err != nil {
				t.Fatal(err)
			}
			_, _, err = m.Step(kerberos.FrameToken(0x0300, krbErrorBytes(t, code, time.Now())))
			wantError(t, err, kind, "kafka/localhost")
		}
	}
}

// An AP-REP that is not the answer to this request proves nothing.
func TestForgedMutualAnswers(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	kdc.AddPrincipal("kafka/localhost")
	service := kdc.Keytab("kafka/localhost")
	login := keytabLogin(t, kdc, "ingest", kdc.Keytab("ingest"))
	begin := func() (kerberos.Exchange, []byte) {
		x, err := login.InitiateMutual(t.Context(), kafka)
		if err != nil {
			t.Fatal(err)
		}
		token, _, err := x.Step(nil)
		if err != nil {
			t.Fatal(err)
		}
		reply, _, _ := accept(t, service, token)
		return x, reply
	}
	_, others := begin()
	x, reply := begin()
	_, _, err := x.Step(others)
	wantError(t, err, kerberos.ErrBadToken, "answers another request")
	if _, err := x.Wrap([]byte("x"), true); err == nil {
		t.Error("Wrap worked on a context that was not established")
	}
	flipped := slices.Clone(reply)
	flipped[len(flipped)-1] ^= 1
	x, _ = begin()
	_, _, err = x.Step(flipped)
	wantError(t, err, kerberos.ErrBadToken)
}

// asReply is a well-formed AS-REP to ingest with a ciphertext of zeros.
func asReply(t testing.TB, size int) []byte {
	t.Helper()
	name := types.PrincipalName{NameType: 1, NameString: []string{"ingest"}}
	sealed := types.EncryptedData{EType: 18, KVNO: 1, Cipher: make([]byte, size)}
	reply := messages.ASRep{KDCRepFields: messages.KDCRepFields{
		PVNO: 5, MsgType: 11, CRealm: "EXAMPLE.TEST", CName: name, EncPart: sealed,
		Ticket: messages.Ticket{TktVNO: 5, Realm: "EXAMPLE.TEST", SName: types.PrincipalName{NameType: 2, NameString: []string{"krbtgt", "EXAMPLE.TEST"}}, EncPart: sealed},
	}}
	b, err := reply.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func FuzzKDCAnswer(f *testing.F) {
	f.Add(krbErrorBytes(f, 25, time.Unix(1e9, 0)))
	f.Add(krbErrorBytes(f, 37, time.Unix(1e9, 0)))
	f.Add([]byte{0x6b, 0x03, 0x30, 0x01, 0x00})
	for _, size := range []int{0, 27, 28, 200} { // of the ciphertext; gokrb5 panics below 28
		f.Add(asReply(f, size))
	}
	key := testKey(18)
	only := kerberos.OnlyKey(key)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := kerberos.OpenReply(b, key, only); err == nil {
			t.Errorf("% x is taken for a KDC's ticket", b)
		}
	})
}

func FuzzServiceAnswer(f *testing.F) {
	f.Add(kerberos.FrameToken(0x0300, krbErrorBytes(f, 41, time.Unix(1e9, 0))))
	f.Add(kerberos.FrameToken(0x0200, []byte{0x6f, 0x02, 0x30, 0x00}))
	key := testKey(17)
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := kerberos.NewMutualExchange(key)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := x.Step(b); err == nil {
			t.Errorf("% x is taken for an AP-REP", b)
		}
	})
}
