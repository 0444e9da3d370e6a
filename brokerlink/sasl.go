package brokerlink

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/kerberos"
)

// The mechanisms' names.
const (
	gssapi      = "GSSAPI"
	plain       = "PLAIN"
	oauthbearer = "OAUTHBEARER"
	scram256    = "SCRAM-SHA-256"
	scram512    = "SCRAM-SHA-512"
)

// Frames that are exchanged before sarama gets the connection. All numbers are big-endian; a string is an int16 length and its bytes, in
// UTF-8, and length -1 is null; bytes are an int32 length and themselves.
//
//	request    int32 length | int16 key | int16 version | int32 correlation | string client id | body
//	answer     int32 length | int32 correlation | body
//	key 17, version 1, SaslHandshake      body: string mechanism
//	                                      answer: int16 error | int32 n | n × string mechanism
//	key 36, version 1, SaslAuthenticate   body: bytes response
//	                                      answer: int16 error | string message | bytes challenge | int64 session lifetime, ms
//
// Version 0 of SaslAuthenticate (brokers before 2.2) has no session lifetime.
const (
	keyHandshake    = 17
	keyAuthenticate = 36
	maxSASLFrame    = 1 << 20 // no challenge is near that; a larger answer is not Kafka's

	codeUnsupportedMechanism = 33
	codeIllegalSASLState     = 34
	codeUnsupportedVersion   = 35
	codeAuthFailed           = 58
)

// authenticator makes one SASL exchange for each connection.
type authenticator interface {
	mechanism() string
	user() string
	// begin starts an exchange with the broker on host.
	begin(ctx context.Context, host string) (conversation, error)
}

// conversation is one exchange: Step takes a challenge (nil at first) and returns the response. It is done when the last
// response was returned; for some mechanisms the broker's answer to that one is checked by final.
type conversation interface {
	Step(challenge []byte) (response []byte, done bool, err error)
}

// finisher is a conversation that checks the broker's last answer too (SCRAM: the broker's own proof).
type finisher interface {
	final(challenge []byte) error
}

// newAuthenticator returns nil when there is no SASL.
func newAuthenticator(s *SASL, find func(name string) (kerberos.Credential, error)) (authenticator, error) {
	if s == nil {
		return nil, nil //nolint:nilnil // no login is an answer
	}
	switch s.Mechanism {
	case gssapi:
		if find == nil {
			return nil, fmt.Errorf("sasl.kerberos: no Kerberos identities are configured, %q was wanted", s.Kerberos)
		}
		cred, err := find(s.Kerberos)
		if err != nil {
			return nil, fmt.Errorf("sasl.kerberos: %w", err)
		}
		service := s.ServiceName
		if service == "" {
			service = "kafka"
		}
		return &gssapiLogin{cred: cred, service: service}, nil
	case plain:
		return &plainLogin{name: s.User, password: s.Password}, nil
	case oauthbearer:
		return &bearerLogin{token: s.Token}, nil
	case scram256, scram512:
		return &scramLogin{hash: s.Mechanism, name: s.User, password: s.Password}, nil
	default:
		return nil, fmt.Errorf("sasl.mechanism: %q is not known", s.Mechanism)
	}
}

// logIn goes through the whole exchange and returns how long the session may last (0: for ever).
func (t *transport) logIn(ctx context.Context, conn *guardedConn, host string) (time.Duration, error) {
	f := &frames{conn: conn, clientID: t.clientID}
	refuse := func(err error) error {
		return &AuthError{Broker: conn.addr, Mechanism: t.login.mechanism(), User: t.login.user(), Err: err}
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return 0, &ConnectError{Broker: conn.addr, Err: err}
		}
		defer func() { _ = conn.SetDeadline(time.Time{}) }()
	}
	if err := f.handshake(t.login); err != nil {
		return 0, err
	}
	talk, err := t.login.begin(ctx, host)
	if err != nil {
		// The KDC is away, or a password's file cannot be read: that may pass, the broker has refused nothing.
		return 0, &ConnectError{Broker: conn.addr, Err: fmt.Errorf("log in as %s by %s: %w", t.login.user(), t.login.mechanism(), err)}
	}
	var challenge []byte
	for {
		response, done, err := talk.Step(challenge)
		if err != nil {
			return 0, refuse(err)
		}
		var life time.Duration
		challenge, life, err = f.authenticate(response)
		var code saslError
		switch {
		case errors.As(err, &code):
			return 0, refuse(err)
		case err != nil:
			return 0, &ConnectError{Broker: conn.addr, Err: fmt.Errorf("as %s by %s: %w", t.login.user(), t.login.mechanism(), err)}
		case !done:
			continue
		}
		if last, ok := talk.(finisher); ok {
			if err := last.final(challenge); err != nil {
				return 0, refuse(err)
			}
		}
		return life, nil
	}
}

// saslError is an error that the broker answered with.
type saslError struct {
	code int16
	text string
}

func (e saslError) Error() string {
	what := fmt.Sprintf("error code %d", e.code)
	switch e.code {
	case codeAuthFailed:
		what = "authentication failed"
	case codeIllegalSASLState:
		what = "this listener does not use SASL: remove sasl, or use the broker's SASL_SSL or SASL_PLAINTEXT port"
	case codeUnsupportedVersion:
		what = "the broker is older than Kafka 1.0, which is not supported"
	}
	if e.text != "" {
		what += ": " + e.text
	}
	return what
}

// frames exchanges requests one by one.
type frames struct {
	conn        *guardedConn
	clientID    string
	correlation int32
	old         bool // SaslAuthenticate version 0
}

func (f *frames) handshake(login authenticator) error {
	answer, err := f.call(keyHandshake, 1, appendString(nil, login.mechanism()))
	if err != nil {
		return err
	}
	r := reader{rest: answer}
	code := r.int16()
	n := r.int32()
	var offered []string
	for range min(int(n), 64) {
		offered = append(offered, r.string())
	}
	refused := &AuthError{Broker: f.conn.addr, Mechanism: login.mechanism(), User: login.user()}
	switch {
	case r.short:
		return &ConnectError{Broker: f.conn.addr, Err: errors.New("answer to SaslHandshake is cut short: is this a Kafka broker?")}
	case code == 0:
		return nil
	case code == codeUnsupportedMechanism && len(offered) > 0 && !slices.Contains(offered, login.mechanism()):
		refused.Offered = offered
		return refused
	default:
		refused.Err = saslError{code: code}
		return refused
	}
}

func (f *frames) authenticate(response []byte) (challenge []byte, life time.Duration, err error) {
	version := int16(1)
	if f.old {
		version = 0
	}
	body := binary.BigEndian.AppendUint32(nil, uint32(len(response)))
	answer, err := f.call(keyAuthenticate, version, append(body, response...))
	if err != nil {
		return nil, 0, err
	}
	r := reader{rest: answer}
	code, text := r.int16(), r.string()
	challenge = r.bytes()
	if !f.old {
		life = time.Duration(r.int64()) * time.Millisecond
	}
	if code != 0 {
		return nil, 0, saslError{code: code, text: clean(text)}
	}
	if r.short {
		return nil, 0, &ConnectError{Broker: f.conn.addr, Err: errors.New("answer to SaslAuthenticate is cut short")}
	}
	return challenge, life, nil
}

func (f *frames) call(key, version int16, body []byte) ([]byte, error) {
	f.correlation++
	p := binary.BigEndian.AppendUint16(make([]byte, 4), uint16(key))
	p = binary.BigEndian.AppendUint16(p, uint16(version))
	p = binary.BigEndian.AppendUint32(p, uint32(f.correlation))
	p = appendString(p, f.clientID)
	p = append(p, body...)
	binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	fail := func(err error) error {
		if key == keyAuthenticate && errors.Is(err, io.EOF) {
			return fmt.Errorf("the broker closed the connection during the login (%w): wrong user or password? its log says why", err)
		}
		if _, ok := errors.AsType[*ConnectError](err); ok {
			return err
		}
		return &ConnectError{Broker: f.conn.addr, Err: explainLogin(f.conn.secured, err)}
	}
	if _, err := f.conn.Write(p); err != nil {
		return nil, fail(err)
	}
	var head [8]byte
	if _, err := io.ReadFull(f.conn, head[:]); err != nil {
		return nil, fail(err)
	}
	size := int32(binary.BigEndian.Uint32(head[:4]))
	correlation := int32(binary.BigEndian.Uint32(head[4:]))
	if size < 4 || size > maxSASLFrame || correlation != f.correlation {
		return nil, fail(fmt.Errorf("the answer is not Kafka's (it begins with %x)", head))
	}
	answer := make([]byte, size-4)
	if _, err := io.ReadFull(f.conn, answer); err != nil {
		return nil, fail(err)
	}
	return answer, nil
}

func explainLogin(secured bool, err error) error {
	var timeout net.Error
	switch {
	case remoteAlert(err):
		return explainTLS(err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("log in: no answer in time: %w", err)
	case errors.Is(err, io.EOF) && !secured:
		return fmt.Errorf("log in: the broker closed the connection (%w): its log says why; this listener may want TLS (tls)", err)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("log in: the broker closed the connection (%w): its log says why", err)
	default:
		return fmt.Errorf("log in: %w", err)
	}
}

// clean keeps a broker's text to one short line.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > 256 {
		s = strings.ToValidUTF8(s[:256], "") + "…"
	}
	return s
}

func appendString(p []byte, s string) []byte {
	p = binary.BigEndian.AppendUint16(p, uint16(len(s)))
	return append(p, s...)
}

// reader takes an answer apart; after a read beyond its end everything is zero and short is set.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.short, r.rest = true, nil
		return nil
	}
	p := r.rest[:n]
	r.rest = r.rest[n:]
	return p
}

func (r *reader) int16() int16 {
	if p := r.take(2); p != nil {
		return int16(binary.BigEndian.Uint16(p))
	}
	return 0
}

func (r *reader) int32() int32 {
	if p := r.take(4); p != nil {
		return int32(binary.BigEndian.Uint32(p))
	}
	return 0
}

func (r *reader) int64() int64 {
	if p := r.take(8); p != nil {
		return int64(binary.BigEndian.Uint64(p))
	}
	return 0
}

func (r *reader) string() string {
	if n := r.int16(); n > 0 {
		return string(r.take(int(n)))
	}
	return ""
}

func (r *reader) bytes() []byte {
	if n := r.int32(); n > 0 {
		return r.take(int(n))
	}
	return nil
}
