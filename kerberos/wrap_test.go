package kerberos_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/penstock-io/penstock/kerberos"
)

// testKey is a fixed key of an encryption type.
func testKey(etype int32) types.EncryptionKey {
	size := 16
	if etype == 18 || etype == 20 {
		size = 32
	}
	return types.EncryptionKey{KeyType: etype, KeyValue: bytes.Repeat([]byte{0x5a}, size)}
}

// ends makes both ends of a context; the initiator's numbers begin at 10, the acceptor's at 20.
func ends(t testing.TB, etype int32) (initiator, acceptor *kerberos.Wrapper) {
	t.Helper()
	initiator, err := kerberos.NewWrapper(testKey(etype), false, false, 10, 20)
	if err != nil {
		t.Fatal(err)
	}
	acceptor, err = kerberos.NewWrapper(testKey(etype), true, false, 20, 10)
	if err != nil {
		t.Fatal(err)
	}
	return initiator, acceptor
}

func mustWrap(t testing.TB, w *kerberos.Wrapper, p string, seal bool) []byte {
	t.Helper()
	token, err := w.Wrap([]byte(p), seal)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Every single bit of a token matters, and a token that was refused leaves the context as it was.
func TestUnwrapRefusesEveryFlippedBit(t *testing.T) {
	for _, etype := range []int32{17, 18, 19, 20} {
		for _, seal := range []bool{false, true} {
			initiator, acceptor := ends(t, etype)
			token := mustWrap(t, initiator, "the quick brown fox", seal)
			for bit := range len(token) * 8 {
				if bit/8 == 6 || bit/8 == 7 {
					continue // RRC: some rotations amount to none; see below
				}
				bad := slices.Clone(token)
				bad[bit/8] ^= 1 << (bit % 8)
				_, _, err := acceptor.Unwrap(bad)
				wantError(t, err, kerberos.ErrBadToken)
			}
			for n := range token {
				_, _, err := acceptor.Unwrap(token[:n])
				wantError(t, err, kerberos.ErrBadToken)
			}
			if p, sealed, err := acceptor.Unwrap(token); string(p) != "the quick brown fox" || sealed != seal || err != nil {
				t.Errorf("etype %d: the token itself: %q, %v, %v", etype, p, sealed, err)
			}
		}
	}
}

func TestUnwrapTurnsRotationBack(t *testing.T) {
	for _, seal := range []bool{false, true} {
		for _, rrc := range []uint16{1, 12, 28, 31, 1000, 65535} {
			initiator, acceptor := ends(t, 18)
			token := mustWrap(t, initiator, "rotated as Windows does", seal)
			body := token[16:]
			by := int(rrc) % len(body)
			rotated := append(slices.Clone(token[:16]), body[len(body)-by:]...)
			rotated = append(rotated, body[:len(body)-by]...)
			binary.BigEndian.PutUint16(rotated[6:], rrc)
			if p, _, err := acceptor.Unwrap(rotated); string(p) != "rotated as Windows does" || err != nil {
				t.Errorf("RRC %d, sealed %v: %q, %v", rrc, seal, p, err)
			}
		}
	}
}

func TestUnwrapKeepsOrder(t *testing.T) {
	initiator, acceptor := ends(t, 18)
	first, second := mustWrap(t, initiator, "one", true), mustWrap(t, initiator, "two", true)
	_, _, err := acceptor.Unwrap(second)
	wantError(t, err, kerberos.ErrBadToken, "number 11 came where 10 was due")
	if _, _, err := acceptor.Unwrap(first); err != nil {
		t.Error(err)
	}
	_, _, err = acceptor.Unwrap(first)
	wantError(t, err, kerberos.ErrBadToken, "repeated")
	if _, _, err := acceptor.Unwrap(second); err != nil {
		t.Error(err)
	}
	_, _, err = initiator.Unwrap(mustWrap(t, initiator, "reflected", true))
	wantError(t, err, kerberos.ErrBadToken)
}

func TestWrapNeedsAnAESKey(t *testing.T) {
	_, err := kerberos.NewWrapper(types.EncryptionKey{KeyType: 23, KeyValue: make([]byte, 16)}, false, false, 0, 0)
	wantError(t, err, kerberos.ErrRefused, "arcfour-hmac")
}

func FuzzUnwrap(f *testing.F) {
	for _, seal := range []bool{false, true} {
		_, acceptor := ends(f, 18)
		f.Add(mustWrap(f, acceptor, "", seal))
		f.Add(mustWrap(f, acceptor, "some text", seal))
	}
	_, fresh := ends(f, 18)
	good := mustWrap(f, fresh, "", false)
	f.Fuzz(func(t *testing.T, token []byte) {
		initiator, _ := ends(t, 18)
		p, sealed, err := initiator.Unwrap(token)
		if err == nil && len(p) > len(token) {
			t.Errorf("%d bytes came out of %d (sealed %v)", len(p), len(token), sealed)
		}
		if err != nil {
			if _, _, err := initiator.Unwrap(good); err != nil {
				t.Errorf("a good token after a bad one: %v", err)
			}
		}
	})
}

func FuzzUnframeToken(f *testing.F) {
	f.Add(kerberos.FrameToken(0x0200, []byte("ap-rep")))
	f.Add(kerberos.FrameToken(0x0300, make([]byte, 300)))
	f.Add([]byte{0x60, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, token []byte) {
		id, message, err := kerberos.UnframeToken(token)
		if err == nil && len(message) >= len(token) {
			t.Errorf("kind %04x: %d bytes came out of %d", id, len(message), len(token))
		}
	})
}

func FuzzKDCReply(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 'o', 'k'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{0, 0x0f, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		reply, err := kerberos.ReadReply(b)
		if err == nil && !bytes.Equal(reply, b[4:4+len(reply)]) {
			t.Errorf("reply % x of % x", reply, b)
		}
	})
}
