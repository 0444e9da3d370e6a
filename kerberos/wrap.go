package kerberos

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/crypto/etype"
	"github.com/jcmturner/gokrb5/v8/types"
)

// A wrap token of RFC 4121, section 4.2.6.2. Integers are big-endian.
//
//	 0    2     3     4    6     8                16
//	+----+-----+----+----+-----+------------------+------------------------------------- -
//	|0504|flags| FF | EC | RRC | sequence number  | body, rotated right by RRC bytes
//	+----+-----+----+----+-----+------------------+------------------------------------- -
//
//	flags   01 sent by the acceptor, 02 sealed, 04 the key is the acceptor's subkey
//	signed  body = message | checksum                    EC = length of the checksum, which is over
//	                                                     message | header with EC = RRC = 0
//	sealed  body = E(message | filler | header copy)     EC = length of the filler, which we do not need;
//	                                                     the header copy has RRC = 0
//
// E is the encryption of RFC 3961: a confounder in front, a checksum behind. Its keys are derived from the
// context's key for the usages 24 (initiator) and 22 (acceptor). Rotation is what Windows does; the
// receiver turns it back. Sequence numbers grow by one with each token in one direction.
const (
	wrapHeader = 16

	flagAcceptor = 0x01
	flagSealed   = 0x02
	flagSubkey   = 0x04

	usageAcceptorSeal  = 22
	usageInitiatorSeal = 24
)

// wrapper makes and opens the wrap tokens of one end of one context. The two directions share nothing
// that changes, so one goroutine may wrap while another unwraps.
type wrapper struct {
	key      types.EncryptionKey
	et       etype.EType
	acceptor bool // this end is the acceptor
	subkey   bool // the key is the acceptor's subkey
	sendSeq  uint64
	recvSeq  uint64
}

func newWrapper(key types.EncryptionKey, acceptor, subkey bool, sendSeq, recvSeq uint64) (*wrapper, error) {
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil || len(key.KeyValue) != keySize(key.KeyType) {
		return nil, fmt.Errorf("%w: a context with a key of type %s cannot be used; give the service an aes key", ErrRefused, etypeName(key.KeyType))
	}
	return &wrapper{key: key, et: et, acceptor: acceptor, subkey: subkey, sendSeq: sendSeq, recvSeq: recvSeq}, nil
}

// header makes the header of a token from this end or, if peer is set, from the other.
func (w *wrapper) header(peer, seal bool, ec uint16, seq uint64) []byte {
	h := make([]byte, wrapHeader)
	h[0], h[1], h[3] = 0x05, 0x04, 0xff
	if w.acceptor != peer {
		h[2] |= flagAcceptor
	}
	if seal {
		h[2] |= flagSealed
	}
	if w.subkey {
		h[2] |= flagSubkey
	}
	binary.BigEndian.PutUint16(h[4:], ec)
	binary.BigEndian.PutUint64(h[8:], seq)
	return h
}

func (w *wrapper) usage(peer bool) uint32 {
	if w.acceptor != peer {
		return usageAcceptorSeal
	}
	return usageInitiatorSeal
}

func (w *wrapper) checksumSize() int { return w.et.GetHMACBitLength() / 8 }

func (w *wrapper) wrap(p []byte, seal bool) ([]byte, error) {
	var token []byte
	if seal {
		token = w.header(false, true, 0, w.sendSeq)
		plain := append(append(make([]byte, 0, len(p)+wrapHeader), p...), token...)
		_, sealed, err := w.et.EncryptMessage(w.key.KeyValue, plain, w.usage(false))
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		token = append(token, sealed...)
	} else {
		sum, err := w.checksum(p, false, w.sendSeq)
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		token = w.header(false, false, uint16(len(sum)), w.sendSeq)
		token = append(append(token, p...), sum...)
	}
	w.sendSeq++
	return token, nil
}

func (w *wrapper) checksum(p []byte, peer bool, seq uint64) ([]byte, error) {
	signed := append(append(make([]byte, 0, len(p)+wrapHeader), p...), w.header(peer, false, 0, seq)...)
	return w.et.GetChecksumHash(w.key.KeyValue, signed, w.usage(peer))
}

func badToken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadToken, fmt.Sprintf(format, args...))
}

func (w *wrapper) unwrap(token []byte) (p []byte, sealed bool, err error) {
	if len(token) < wrapHeader {
		return nil, false, badToken("%d bytes are too few for a wrap token", len(token))
	}
	flags := token[2]
	sealed = flags&flagSealed != 0
	ec := binary.BigEndian.Uint16(token[4:])
	seq := binary.BigEndian.Uint64(token[8:])
	want := w.header(true, sealed, ec, seq)
	copy(want[6:8], token[6:8]) // RRC
	if !bytes.Equal(token[:wrapHeader], want) {
		return nil, sealed, badToken("header % x is not that of a wrap token of this context's other end", token[:wrapHeader])
	}
	body := unrotate(token[wrapHeader:], binary.BigEndian.Uint16(token[6:]))
	if sealed {
		p, err = w.open(body, ec, seq)
	} else {
		p, err = w.verify(body, ec, seq)
	}
	if err != nil {
		return nil, sealed, err
	}
	if seq != w.recvSeq {
		return nil, sealed, badToken("token number %d came where %d was due: one was lost, repeated or put in another order", seq, w.recvSeq)
	}
	w.recvSeq++
	return p, sealed, nil
}

// open decrypts a sealed token's body.
func (w *wrapper) open(body []byte, ec uint16, seq uint64) ([]byte, error) {
	if len(body) < w.et.GetConfounderByteSize()+wrapHeader+w.checksumSize() {
		return nil, badToken("%d bytes are too few for a sealed body", len(body))
	}
	plain, err := w.et.DecryptMessage(w.key.KeyValue, body, w.usage(true))
	if err != nil {
		return nil, badToken("it was not sealed with this context's key, or was changed on the way")
	}
	end := len(plain) - wrapHeader - int(ec)
	if end < 0 {
		return nil, badToken("a filler of %d bytes does not fit", ec)
	}
	if !bytes.Equal(plain[len(plain)-wrapHeader:], w.header(true, true, ec, seq)) {
		return nil, badToken("the header was changed on the way")
	}
	return plain[:end], nil
}

// verify checks a signed token's body.
func (w *wrapper) verify(body []byte, ec uint16, seq uint64) ([]byte, error) {
	end := len(body) - int(ec)
	if int(ec) != w.checksumSize() || end < 0 {
		return nil, badToken("a checksum of %d bytes does not fit", ec)
	}
	sum, err := w.checksum(body[:end], true, seq)
	if err != nil || !hmac.Equal(sum, body[end:]) {
		return nil, badToken("it was not signed with this context's key, or was changed on the way")
	}
	return body[:end], nil
}

// unrotate returns a copy of body with its rotation to the right by n bytes undone.
func unrotate(body []byte, n uint16) []byte {
	out := make([]byte, 0, len(body))
	if len(body) == 0 {
		return out
	}
	at := int(n) % len(body)
	return append(append(out, body[at:]...), body[:at]...)
}
