package kerberos_test

import (
	"encoding/asn1"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/penstock-io/penstock/kerberos"
)

// accept is the service's end of a handshake: it opens the AP-REQ with the service's keytab, checks it, and
// makes the answer if mutual authentication was asked for.
func accept(t *testing.T, keytabPath string, token []byte) (reply []byte, w *kerberos.Wrapper, client string) {
	t.Helper()
	kt, err := keytab.Load(keytabPath)
	if err != nil {
		t.Fatal(err)
	}
	id, message, err := kerberos.UnframeToken(token)
	if err != nil || id != 0x0100 {
		t.Fatalf("token of kind %04x: %v", id, err)
	}
	var request messages.APReq
	if err := request.Unmarshal(message); err != nil {
		t.Fatal(err)
	}
	if ok, err := request.Verify(kt, time.Minute, types.HostAddress{}, nil); !ok || err != nil {
		t.Fatalf("AP-REQ not valid: %v", err)
	}
	auth := request.Authenticator
	if auth.Cksum.CksumType != 0x8003 || len(auth.Cksum.Checksum) != 24 {
		t.Fatalf("authenticator's checksum = %+v, want RFC 4121's", auth.Cksum)
	}
	flags := binary.LittleEndian.Uint32(auth.Cksum.Checksum[20:])
	key, subkey, sendSeq := auth.SubKey, false, uint64(auth.SeqNumber)
	if flags&2 != 0 {
		key.KeyValue = slices.Clone(key.KeyValue)
		slices.Reverse(key.KeyValue) // a key of its own
		subkey, sendSeq = true, 4711
		reply = apRep(t, request, key, sendSeq)
	}
	w, err = kerberos.NewWrapper(key, true, subkey, sendSeq, uint64(auth.SeqNumber))
	if err != nil {
		t.Fatal(err)
	}
	return reply, w, auth.CName.PrincipalNameString() + "@" + auth.CRealm
}

// apRep makes the acceptor's token of RFC 4120, section 5.5.2; gokrb5 can only read it.
func apRep(t *testing.T, request messages.APReq, subkey types.EncryptionKey, seq uint64) []byte {
	t.Helper()
	part, err := asn1.Marshal(messages.EncAPRepPart{
		CTime: request.Authenticator.CTime, Cusec: request.Authenticator.Cusec, Subkey: subkey, SequenceNumber: int64(seq),
	})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := crypto.GetEncryptedData(asn1tools.AddASNAppTag(part, 27), request.Ticket.DecryptedEncPart.Key, keyusage.AP_REP_ENCPART, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := asn1.Marshal(messages.APRep{PVNO: 5, MsgType: 15, EncPart: sealed})
	if err != nil {
		t.Fatal(err)
	}
	return kerberos.FrameToken(0x0200, asn1tools.AddASNAppTag(b, 15))
}
