package kerberos

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/flags"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Credential proves a principal to services. [Login] is one.
type Credential interface {
	Principal() Principal
	// Initiate begins an exchange with the service. It may have to ask the KDC; the error then
	// names the KDC, and wraps a sentinel of this package.
	Initiate(ctx context.Context, service SPN) (Exchange, error)
}

// Exchange is one GSS-API handshake, on one connection, and the protection of what follows. It is not
// for use by several goroutines, except that one may Wrap while another Unwraps.
type Exchange interface {
	// Step takes the peer's token (nil at first) and returns what to send. When done, the context is
	// established: Wrap and Unwrap may be used, and Step must not be called again. A reply is sent
	// even if done, unless it is empty.
	Step(challenge []byte) (reply []byte, done bool, err error)
	// Wrap returns p signed or, if seal is set, encrypted. Tokens must reach the peer in the order in
	// which they were made.
	Wrap(p []byte, seal bool) (token []byte, err error)
	// Unwrap returns what the peer wrapped and whether it was sealed. A token that is forged, comes
	// again or comes out of order is an error that wraps ErrBadToken. The result does not alias token.
	Unwrap(token []byte) (p []byte, sealed bool, err error)
}

// The tokens of a handshake (RFC 4121, section 4.1), in the frame of RFC 2743, section 3.1:
//
//	+----+------------+---------------------------------+-------+------------------- -
//	| 60 | DER length | 06 09 2a864886f712010202 (krb5) | TOK_ID| Kerberos message
//	+----+------------+---------------------------------+-------+------------------- -
//
//	TOK_ID  01 00 AP-REQ (initiator), 02 00 AP-REP (acceptor), 03 00 KRB-ERROR (acceptor)
//
// The authenticator in the AP-REQ carries, in place of a checksum (type 0x8003), integers little-endian:
//
//	+----------------+--------------------------------+----------------+
//	| 16 (uint32)    | channel bindings: 16 × 0       | flags (uint32) |
//	+----------------+--------------------------------+----------------+
//
//	flags  2 mutual, 4 replay, 8 sequence, 16 confidentiality, 32 integrity
const (
	tokAPReq    = 0x0100
	tokAPRep    = 0x0200
	tokKRBError = 0x0300

	gssMutual   = 2
	gssReplay   = 4
	gssSequence = 8
	gssConf     = 16
	gssInteg    = 32
)

// krb5OID is the mechanism's object identifier in DER.
func krb5OID() []byte {
	return []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}
}

// initiator is the client's end of a handshake. Without mutual authentication it is done with its first
// token, and a context with the initiator's subkey begins; the acceptor then numbers its tokens from
// the same number as the initiator.
type initiator struct {
	session *session
	service SPN
	ticket  serviceTicket
	mutual  bool

	stage   int // tokens sent
	auth    types.Authenticator
	wrapper *wrapper // nil until the context is established
}

func newInitiator(s *session, service SPN, t serviceTicket, mutual bool) *initiator {
	return &initiator{session: s, service: service, ticket: t, mutual: mutual}
}

func (x *initiator) Step(challenge []byte) ([]byte, bool, error) {
	switch {
	case x.stage == 0 && len(challenge) == 0:
		reply, err := x.begin()
		if err != nil {
			return nil, false, fmt.Errorf("authenticate to %s: %w", x.service, err)
		}
		x.stage++
		return reply, !x.mutual, nil
	case x.stage == 1 && x.mutual:
		x.stage++
		if err := x.finish(challenge); err != nil {
			return nil, false, fmt.Errorf("authenticate to %s: %w", x.service, err)
		}
		return nil, true, nil
	}
	return nil, false, fmt.Errorf("authenticate to %s: %w", x.service, badToken("a token came that nobody waits for"))
}

// begin makes the AP-REQ, with a fresh subkey and a fresh sequence number.
func (x *initiator) begin() ([]byte, error) {
	auth, err := types.NewAuthenticator(x.session.principal.Realm, x.session.principal.name())
	if err != nil {
		return nil, err
	}
	auth.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: x.checksum()}
	auth.SubKey = types.EncryptionKey{KeyType: x.ticket.key.KeyType, KeyValue: make([]byte, max(0, keySize(x.ticket.key.KeyType)))}
	if _, err := rand.Read(auth.SubKey.KeyValue); err != nil {
		return nil, err
	}
	seq := uint64(auth.SeqNumber)
	w, err := newWrapper(auth.SubKey, false, false, seq, seq)
	if err != nil {
		return nil, err
	}
	request, err := messages.NewAPReq(x.ticket.ticket, x.ticket.key, auth)
	if err != nil {
		return nil, err
	}
	if x.mutual {
		types.SetFlag(&request.APOptions, flags.APOptionMutualRequired)
	}
	b, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	x.auth = auth
	if !x.mutual {
		x.wrapper = w
	}
	return frameToken(tokAPReq, b), nil
}

func (x *initiator) checksum() []byte {
	var f uint32 = gssReplay | gssSequence | gssConf | gssInteg
	if x.mutual {
		f |= gssMutual
	}
	b := make([]byte, 24)
	binary.LittleEndian.PutUint32(b, 16)
	binary.LittleEndian.PutUint32(b[20:], f)
	return b
}

// finish takes the acceptor's AP-REP, which proves that it could open the ticket.
func (x *initiator) finish(token []byte) error {
	id, message, err := unframeToken(token)
	if err != nil {
		return err
	}
	switch id {
	case tokKRBError:
		return x.refused(message)
	case tokAPRep:
	default:
		return badToken("a token of kind %04x where an AP-REP was due", id)
	}
	var reply messages.APRep
	if err := reply.Unmarshal(message); err != nil || !openable(reply.EncPart) || reply.EncPart.EType != x.ticket.key.KeyType {
		return badToken("the AP-REP cannot be read")
	}
	plain, err := crypto.DecryptEncPart(reply.EncPart, x.ticket.key, keyusage.AP_REP_ENCPART)
	if err != nil {
		return badToken("the AP-REP was not sealed with the ticket's key")
	}
	var part messages.EncAPRepPart
	if err := part.Unmarshal(plain); err != nil {
		return badToken("the AP-REP cannot be read")
	}
	if part.Cusec != x.auth.Cusec || part.CTime.Unix() != x.auth.CTime.Unix() {
		return badToken("the AP-REP answers another request")
	}
	key, subkey := x.auth.SubKey, false
	if len(part.Subkey.KeyValue) > 0 {
		key, subkey = part.Subkey, true
	}
	x.wrapper, err = newWrapper(key, false, subkey, uint64(x.auth.SeqNumber), uint64(uint32(part.SequenceNumber)))
	return err
}

// refused explains a KRB-ERROR of the service, and forgets the ticket that it did not like.
func (x *initiator) refused(message []byte) error {
	e, err := krbError(message)
	if err != nil || e == nil {
		return badToken("the service's KRB-ERROR cannot be read")
	}
	x.session.forget(x.service)
	said := fmt.Sprintf("the service says %s", saying(e))
	switch e.ErrorCode {
	case errorcode.KRB_AP_ERR_SKEW, errorcode.KRB_AP_ERR_TKT_NYV:
		return skewError("authenticate", "the service", time.Since(e.STime))
	case errorcode.KRB_AP_ERR_TKT_EXPIRED:
		return &refusal{kind: ErrTicketExpired, text: said}
	case errorcode.KRB_AP_ERR_MODIFIED, errorcode.KRB_AP_ERR_BADKEYVER, errorcode.KRB_AP_ERR_NOKEY, errorcode.KRB_AP_ERR_NOT_US:
		return &refusal{kind: ErrRefused, text: said + "; the service's keytab does not have the key that the KDC has for " + x.service.String() + ": make it again there and restart the service"}
	}
	return &refusal{kind: ErrRefused, text: said + "; the service's log has more"}
}

var errNotEstablished = errors.New("the exchange is not finished: Wrap and Unwrap come after the last Step")

func (x *initiator) Wrap(p []byte, seal bool) ([]byte, error) {
	if x.wrapper == nil {
		return nil, errNotEstablished
	}
	return x.wrapper.wrap(p, seal)
}

func (x *initiator) Unwrap(token []byte) ([]byte, bool, error) {
	if x.wrapper == nil {
		return nil, false, errNotEstablished
	}
	// An acceptor that refuses an AP-REQ may say so in a token of the handshake.
	if id, message, err := unframeToken(token); err == nil && id == tokKRBError {
		return nil, false, fmt.Errorf("authenticate to %s: %w", x.service, x.refused(message))
	}
	p, sealed, err := x.wrapper.unwrap(token)
	if err != nil {
		return nil, sealed, fmt.Errorf("unwrap token of %s: %w", x.service, err)
	}
	return p, sealed, nil
}

// frameToken puts a message into the frame of a handshake's token.
func frameToken(id uint16, message []byte) []byte {
	oid := krb5OID()
	token := append([]byte{0x60}, derLength(len(oid)+2+len(message))...)
	token = append(token, oid...)
	token = binary.BigEndian.AppendUint16(token, id)
	return append(token, message...)
}

func derLength(n int) []byte {
	if n < 0x80 {
		return []byte{byte(n)}
	}
	b := bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, uint32(n)), "\x00")
	return append([]byte{0x80 | byte(len(b))}, b...)
}

// unframeToken takes a handshake's token apart. The message aliases token.
func unframeToken(token []byte) (id uint16, message []byte, err error) {
	if len(token) < 2 || token[0] != 0x60 {
		return 0, nil, badToken("it does not begin like a GSS-API token")
	}
	rest, size := token[2:], uint64(token[1])
	if size >= 0x80 {
		n := int(size & 0x7f)
		if n == 0 || n > 4 || n > len(rest) {
			return 0, nil, badToken("its length cannot be read")
		}
		size = 0
		for _, b := range rest[:n] {
			size = size<<8 | uint64(b)
		}
		rest = rest[n:]
	}
	if size != uint64(len(rest)) {
		return 0, nil, badToken("it says that it has %d bytes, and has %d", size, len(rest))
	}
	rest, ok := bytes.CutPrefix(rest, krb5OID())
	if !ok || len(rest) < 2 {
		return 0, nil, badToken("it is not of the Kerberos mechanism")
	}
	return binary.BigEndian.Uint16(rest), rest[2:], nil
}
