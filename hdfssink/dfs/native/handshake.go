package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/penstock-io/penstock/kerberos"
)

// The beginning of a connection:
//
//	"hrpc" | version 9 | service class 0 | authentication: 0 none, 0xdf SASL
//	with SASL: packets of RpcSaslProto with call id -33, to and fro, until the server says SUCCESS
//	IpcConnectionContextProto with call id -3, protected like all that follows
const (
	rpcHeaderNone = "hrpc\x09\x00\x00"
	rpcHeaderSASL = "hrpc\x09\x00\xdf"
	protocolName  = "org.apache.hadoop.hdfs.protocol.ClientProtocol"
)

// States of RpcSaslProto.
const (
	saslSuccess   = 0
	saslNegotiate = 1
	saslInitiate  = 2
	saslChallenge = 3
	saslResponse  = 4
	saslWrap      = 5
)

const maxSASLSteps = 10

// saslMessage is RpcSaslProto {version = 1, state = 2, token = 3, auths = 4}.
type saslMessage struct {
	state uint64
	token []byte
	auths []saslAuth
}

// saslAuth is SaslAuth {method = 1, mechanism = 2, protocol = 3, serverId = 4, challenge = 5}.
type saslAuth struct{ method, mechanism, protocol, serverID, challenge string }

func (s saslMessage) encode() []byte {
	b := appendVarint(nil, 2, s.state)
	if s.token != nil {
		b = appendBytes(b, 3, s.token)
	}
	for _, a := range s.auths {
		m := appendBytes(nil, 1, a.method)
		m = appendBytes(m, 2, a.mechanism)
		m = appendBytes(m, 3, a.protocol)
		m = appendBytes(m, 4, a.serverID)
		b = appendBytes(b, 4, m)
	}
	return b
}

// parseSASL reads a length-prefixed RpcSaslProto.
func parseSASL(b []byte) (s saslMessage, err error) {
	msg, _, err := delimited(b)
	if err != nil {
		return s, err
	}
	var inner error
	err = fields(msg, func(f field) bool {
		switch {
		case f.num == 2 && f.kind == wireVarint:
			s.state = f.value
		case f.num == 3 && f.kind == wireBytes:
			s.token = f.bytes
		case f.num == 4 && f.kind == wireBytes:
			var a saslAuth
			a, inner = parseAuth(f.bytes)
			s.auths = append(s.auths, a)
		}
		return inner == nil
	})
	return s, errors.Join(err, inner)
}

func parseAuth(b []byte) (a saslAuth, err error) {
	to := map[int]*string{1: &a.method, 2: &a.mechanism, 3: &a.protocol, 4: &a.serverID, 5: &a.challenge}
	err = fields(b, func(f field) bool {
		if p := to[f.num]; p != nil && f.kind == wireBytes {
			*p = string(f.bytes)
		}
		return true
	})
	return a, err
}

// handshake opens the connection. The caller bounds it by a deadline on raw.
func (c *nnConn) handshake(ctx context.Context) error {
	o := c.mux.o
	if !o.secured() {
		if _, err := c.raw.Write([]byte(rpcHeaderNone)); err != nil {
			return err
		}
	} else if err := c.authenticate(ctx); err != nil {
		return fmt.Errorf("authenticate as %s: %w", o.who(), advised(err))
	}
	context := appendBytes(nil, 2, o.userInformation()) // IpcConnectionContextProto {userInfo = 2, protocol = 3}
	context = appendBytes(context, 3, protocolName)
	packet := frame(c.mux.header(callContext), context)
	if c.layer != nil {
		token, err := c.layer.Wrap(packet)
		if err != nil {
			return err
		}
		packet = frame(c.mux.header(callSASL), saslMessage{state: saslWrap, token: token}.encode())
	}
	_, err := c.raw.Write(packet)
	return err
}

// userInformation is a UserInformationProto {effectiveUser = 1, realUser = 2}: what SASL has not said yet.
func (o *Options) userInformation() []byte {
	switch {
	case o.Token != nil:
		return []byte{}
	case o.DoAs != "" && !o.secured():
		return appendBytes(appendBytes(nil, 1, o.DoAs), 2, o.login())
	default:
		return appendBytes(nil, 1, o.effective())
	}
}

// advised is a refusal with what to do about it. It is tried again all the same: tokens and rights are put right while agents run.
func advised(err error) error {
	if r, ok := errors.AsType[*refusal](err); ok {
		if do, _ := r.kind(); do != "" {
			return fmt.Errorf("%w; %s", err, do)
		}
	}
	return err
}

// mechanism is the client's side of a SASL mechanism.
type mechanism interface {
	layer
	// Step takes a challenge and returns the response; done: it is the last.
	Step(challenge []byte) (response []byte, done bool, err error)
}

// verifier is a mechanism whose server has a last word, which must be heard.
type verifier interface {
	verify(verdict []byte) error
}

// authenticate runs SASL, GSSAPI or with a token DIGEST-MD5, and keeps its security layer, if one was agreed on.
func (c *nnConn) authenticate(ctx context.Context) error {
	if _, err := c.raw.Write([]byte(rpcHeaderSASL)); err != nil {
		return err
	}
	offer, err := c.exchange(saslMessage{state: saslNegotiate})
	if err != nil {
		return err
	}
	var m mechanism
	var auth saslAuth
	if c.mux.o.Token != nil {
		m, auth, err = c.byToken(ctx, offer)
	} else {
		m, auth, err = c.byKerberos(ctx, offer)
	}
	if err != nil {
		return err
	}
	return c.converse(m, auth)
}

func (c *nnConn) byKerberos(ctx context.Context, offer saslMessage) (mechanism, saslAuth, error) {
	o := c.mux.o
	auth, err := choose(offer, "KERBEROS", "GSSAPI")
	if err != nil {
		return nil, auth, err
	}
	auth.challenge = "" // the client begins
	host, _, err := net.SplitHostPort(c.mux.addr)
	if err != nil {
		return nil, auth, err
	}
	spn, err := kerberos.ParseSPN(o.NameNodePrincipal, host)
	if err != nil {
		return nil, auth, err
	}
	x, err := o.Credential.Initiate(ctx, spn)
	if err != nil {
		return nil, auth, err
	}
	return kerberos.NewGSSAPI(x, kerberos.SASLOptions{QOP: o.RPCProtection, MaxSize: 1<<24 - 1}), auth, nil // Java does not cut long answers
}

func (c *nnConn) byToken(ctx context.Context, offer saslMessage) (mechanism, saslAuth, error) {
	auth, err := choose(offer, "TOKEN", "DIGEST-MD5")
	if err != nil {
		return nil, auth, err
	}
	t, err := c.mux.o.Token(ctx)
	if err != nil {
		return nil, auth, err
	}
	return newDigest(t, auth, c.mux.o.RPCProtection), auth, nil
}

// converse goes on until the server says that all is well, or that it is not.
func (c *nnConn) converse(m mechanism, auth saslAuth) error {
	token, done, err := m.Step([]byte(auth.challenge))
	if err != nil {
		return err
	}
	out := saslMessage{state: saslInitiate, token: token, auths: []saslAuth{auth}}
	for range maxSASLSteps {
		in, err := c.exchange(out)
		switch {
		case err != nil:
			return err
		case in.state == saslSuccess && done:
			if v, ok := m.(verifier); ok {
				if err := v.verify(in.token); err != nil {
					return err
				}
			}
			if m.QOP() != kerberos.QOPAuth {
				c.layer = m
			}
			return nil
		case in.state != saslChallenge || done:
			return fmt.Errorf("SASL state %d of the NameNode does not fit", in.state)
		}
		if token, done, err = m.Step(in.token); err != nil {
			return fmt.Errorf("%w; compare hadoop.rpc.protection here and on the NameNode", err)
		}
		if token == nil {
			token = []byte{} // an empty token is sent as such
		}
		out = saslMessage{state: saslResponse, token: token}
	}
	return errors.New("the NameNode's SASL handshake does not end")
}

func choose(offer saslMessage, method, mechanism string) (saslAuth, error) {
	var methods []string
	for _, a := range offer.auths {
		if a.method == method && a.mechanism == mechanism {
			return a, nil
		}
		methods = append(methods, a.method)
	}
	return saslAuth{}, fmt.Errorf("the NameNode offers %s and not %s; is hadoop.security.authentication the same on both sides?",
		strings.Join(methods, ", "), method)
}

// exchange sends a message and reads the next.
func (c *nnConn) exchange(out saslMessage) (saslMessage, error) {
	if _, err := c.raw.Write(frame(c.mux.header(callSASL), out.encode())); err != nil {
		return saslMessage{}, err
	}
	packet, err := readPacket(c.raw)
	if err != nil {
		return saslMessage{}, err
	}
	r, err := parseReply(packet)
	if err != nil {
		return saslMessage{}, err
	}
	if r.status != 0 {
		return saslMessage{}, &refusal{method: "SASL", class: r.class, words: firstLine(r.words)}
	}
	if r.callID != callSASL {
		return saslMessage{}, fmt.Errorf("call id %d in the handshake", r.callID)
	}
	return parseSASL(r.rest)
}
