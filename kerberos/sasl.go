package kerberos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// QOP is a SASL quality of protection: a level or, in sets, a bit.
type QOP byte

// The levels of protection, as RFC 4752 numbers them.
const (
	QOPAuth      QOP = 1 // authentication only: nothing is wrapped afterwards
	QOPIntegrity QOP = 2 // every message is signed
	QOPPrivacy   QOP = 4 // every message is sealed
)

// String is the level, or the set of levels, as Java writes it: auth, auth-int, auth-conf.
func (q QOP) String() string {
	var names []string
	for _, level := range []struct {
		qop  QOP
		name string
	}{{QOPAuth, "auth"}, {QOPIntegrity, "auth-int"}, {QOPPrivacy, "auth-conf"}} {
		if q&level.qop != 0 {
			names = append(names, level.name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ",")
}

// SASLOptions are what a client of the mechanism decides.
type SASLOptions struct {
	// QOP lists the levels that are acceptable, best first: the first that the server offers is
	// taken. Empty means QOPAuth alone, which is what Kafka offers.
	QOP []QOP
	// Authzid is the identity to act as; empty means the principal's own.
	Authzid string
	// MaxSize is the largest wrapped message that the server may send; 0, and anything above what three
	// bytes hold, means 16 MiB less one. It is told to the server only with a security layer.
	MaxSize uint32
}

const (
	maxSASLSize = 1<<24 - 1
	// wrapOverhead is the most that sealing adds: header, confounder, copy of the header, checksum.
	wrapOverhead = wrapHeader + 16 + wrapHeader + 24
)

// GSSAPI is the client's side of the SASL mechanism GSSAPI (RFC 4752). After the tokens of the handshake
// come two wrapped, signed ones:
//
//	server's offer    +--------+-------------------+
//	                  | levels | max size, 3 bytes |        the largest token that it takes
//	                  +--------+-------------------+
//	client's choice   +--------+-------------------+----------------- -
//	                  | level  | max size, 3 bytes | authzid, UTF-8   with auth the size is 0
//	                  +--------+-------------------+----------------- -
type GSSAPI struct {
	exchange Exchange
	options  SASLOptions
	stage    saslStage
	qop      QOP
	peerMax  int
}

type saslStage int

const (
	saslHandshake saslStage = iota // tokens of the exchange
	saslOffer                      // the server's offer is due
	saslDone
	saslFailed
)

// NewGSSAPI begins the mechanism on an exchange that has not been stepped yet.
func NewGSSAPI(x Exchange, o SASLOptions) *GSSAPI {
	if len(o.QOP) == 0 {
		o.QOP = []QOP{QOPAuth}
	}
	if o.MaxSize == 0 || o.MaxSize > maxSASLSize {
		o.MaxSize = maxSASLSize
	}
	return &GSSAPI{exchange: x, options: o}
}

// Name is the mechanism's name, GSSAPI.
func (g *GSSAPI) Name() string { return "GSSAPI" }

// Step takes the server's challenge (nil at first) and returns the response to send, which may be empty
// but is sent all the same. When done, the response is the last one, and the server's verdict follows by
// the outer protocol's own means. An error is final: the connection is to be closed.
func (g *GSSAPI) Step(challenge []byte) (response []byte, done bool, err error) {
	switch g.stage {
	case saslHandshake:
		response, done, err = g.exchange.Step(challenge)
		if done {
			g.stage = saslOffer
		}
	case saslOffer:
		response, err = g.choose(challenge)
		g.stage = saslDone
	default:
		err = badToken("a challenge came after the end of the mechanism")
	}
	if err != nil {
		g.stage = saslFailed
		return nil, false, fmt.Errorf("SASL GSSAPI: %w", err)
	}
	return response, g.stage == saslDone, nil
}

// choose answers the server's offer.
func (g *GSSAPI) choose(challenge []byte) ([]byte, error) {
	offer, _, err := g.exchange.Unwrap(challenge)
	if err != nil {
		return nil, err
	}
	offered, size, err := parseOffer(offer)
	if err != nil {
		return nil, err
	}
	var accepted QOP
	for _, q := range g.options.QOP {
		accepted |= q
		if g.qop == 0 && offered&q != 0 {
			g.qop = q
		}
	}
	if g.qop == 0 {
		return nil, fmt.Errorf("%w: the server offers the protection %s, and %s is asked for; make the two agree", ErrRefused, offered, accepted)
	}
	choice := binary.BigEndian.AppendUint32(nil, uint32(g.qop)<<24)
	if g.qop != QOPAuth {
		if size <= wrapOverhead {
			return nil, badToken("the server takes messages of %d bytes, which is less than the wrapping needs", size)
		}
		g.peerMax = size - wrapOverhead
		choice = binary.BigEndian.AppendUint32(nil, uint32(g.qop)<<24|g.options.MaxSize)
	}
	return g.exchange.Wrap(append(choice, g.options.Authzid...), false)
}

// parseOffer reads the server's offer.
func parseOffer(offer []byte) (levels QOP, size int, err error) {
	if len(offer) != 4 {
		return 0, 0, badToken("the offer has %d bytes, not 4", len(offer))
	}
	word := binary.BigEndian.Uint32(offer)
	return QOP(word >> 24), int(word & maxSASLSize), nil
}

// QOP is the level agreed on, once Step has said done.
func (g *GSSAPI) QOP() QOP { return g.qop }

// MaxWrap is the longest message that may be given to Wrap so that the server takes the result; 0 with QOPAuth.
func (g *GSSAPI) MaxWrap() int { return g.peerMax }

// layer says whether there is a security layer to use.
func (g *GSSAPI) layer() error {
	if g.stage != saslDone || g.qop == QOPAuth {
		return errors.New("SASL GSSAPI: no security layer was agreed on: messages go as they are")
	}
	return nil
}

// Wrap protects a message at the level agreed on. It is an error with QOPAuth, where messages go as they are.
func (g *GSSAPI) Wrap(p []byte) ([]byte, error) {
	if err := g.layer(); err != nil {
		return nil, err
	}
	if len(p) > g.peerMax {
		return nil, fmt.Errorf("SASL GSSAPI: a message of %d bytes is longer than the %d that the server takes; split it", len(p), g.peerMax)
	}
	return g.exchange.Wrap(p, g.qop == QOPPrivacy)
}

// Unwrap takes the protection off, and refuses a message that has less of it than was agreed on.
func (g *GSSAPI) Unwrap(token []byte) ([]byte, error) {
	if err := g.layer(); err != nil {
		return nil, err
	}
	p, sealed, err := g.exchange.Unwrap(token)
	if err == nil && g.qop == QOPPrivacy && !sealed {
		return nil, badToken("a message came unsealed, although auth-conf was agreed on")
	}
	return p, err
}
