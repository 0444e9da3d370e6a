package token_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs/token"
)

// text is a WritableUtils text or buffer of up to 127 bytes.
func text(s string) string { return string(byte(len(s))) + s }

// identifier is as a NameNode makes it: version, owner, renewer, real user, issued, max date, number, key.
func identifier() string {
	return "\x00" + text("alice") + text("yarn") + text("") + "\x8a\x01\x9b\x5e\x4c\x0c\x00" + "\x8a\x01\x9b\x82\x58\x90\x00" + "\x05\x02"
}

func writable() string {
	return "HDTS\x00\x02" +
		text("127.0.0.1:8020") + text(identifier()) + text("secret") + text(token.HDFS) + text("127.0.0.1:8020") +
		text("rm") + text("id") + text("pw") + text("RM_DELEGATION_TOKEN") + text("rm") +
		"\x00"
}

func proto() string {
	field := func(num byte, s string) string { return string(num<<3|2) + text(s) }
	kv := field(1, "alias") + field(2, field(1, identifier())+field(2, "secret")+field(3, token.HDFS)+field(4, "ha-hdfs:prod"))
	all := string(byte(1<<3|2)) + uvarint(len(kv)) + kv
	return "HDTS\x01" + uvarint(len(all)) + all
}

func uvarint(n int) string {
	if n < 0x80 {
		return string(rune(n))
	}
	return string([]byte{byte(n) | 0x80, byte(n >> 7)})
}

func TestParse(t *testing.T) {
	for form, c := range map[string]struct {
		data, service string
		tokens        int
	}{"writable": {writable(), "127.0.0.1:8020", 2}, "protobuf": {proto(), "ha-hdfs:prod", 1}} {
		all, err := token.Parse([]byte(c.data))
		if err != nil || len(all) != c.tokens {
			t.Fatalf("%s: %d tokens, %v", form, len(all), err)
		}
		got, ok := token.Find(all, token.HDFS, "elsewhere:8020", strings.ToUpper(c.service))
		if !ok || string(got.Identifier) != identifier() || string(got.Password) != "secret" || got.Service != c.service {
			t.Errorf("%s: %v %v", form, got, ok)
		}
		owner, err := got.Owner()
		if err != nil || owner.Name != "alice" || owner.Renewer != "yarn" || owner.Real != "" || owner.Max.Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("%s: %+v, %v", form, owner, err)
		}
		if _, ok := token.Find(all, token.HDFS, "elsewhere:8020"); ok {
			t.Errorf("%s: there is a token for elsewhere", form)
		}
		if said := fmt.Sprintf("%v %+v %#v %s", got, got, got, got); strings.Contains(said, "secret") || strings.Contains(said, hex.EncodeToString([]byte("secret"))) {
			t.Errorf("%s: it shows its password: %s", form, said)
		}
	}
}

// TestNumbers: Hadoop's numbers of several bytes, and below zero.
func TestNumbers(t *testing.T) {
	for last, want := range map[string]int64{"\x7f": 127, "\x90": -112, "\x8f\x80": 128, "\x8e\x01\x00": 256, "\x87\x70": -113, "\x87\xff": -256, "\x86\x01\x00": -257} {
		k := token.Token{Identifier: []byte("\x00" + text("a") + text("") + text("") + "\x00" + last)}
		if owner, err := k.Owner(); err != nil || owner.Max.UnixMilli() != want {
			t.Errorf("% x: %d, %v; want %d", last, owner.Max.UnixMilli(), err, want)
		}
	}
}

// TestDamaged: every cut is seen, and nothing is allocated for a length that is only declared.
func TestDamaged(t *testing.T) {
	for _, data := range []string{writable(), proto()} {
		for n := range len(data) - 1 { // the last byte of a writable file counts secrets
			if all, err := token.Parse([]byte(data[:n])); err == nil && n < len(data)-1 {
				t.Errorf("%d of %d bytes have %d tokens", n, len(data), len(all))
			}
		}
	}
	for _, data := range []string{"", "HDTS", "HDTS\x02", "HDTS\x00\x8c\x7f\xff\xff\xff", "HDTS\x00\x01\x88\x7f\xff\xff\xff\xff\xff\xff\xff", "HDTS\x01\xff\xff\xff\xff\x0f", "keytab"} {
		if _, err := token.Parse([]byte(data)); err == nil {
			t.Errorf("%q is taken", data)
		}
	}
	if _, err := (token.Token{Identifier: []byte("\x01")}).Owner(); err == nil {
		t.Error("an identifier of another version is taken")
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if _, err := token.Read(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("HDTS\x00\x01secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := token.Read(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "hdfs fetchdt") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(writable()))
	f.Add([]byte(proto()))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := token.Parse(data)
		if err != nil {
			return
		}
		n := 0
		for _, k := range all {
			n += len(k.Identifier) + len(k.Password)
			_, _ = k.Owner()
		}
		if n > len(data) {
			t.Errorf("%d bytes have tokens of %d", len(data), n)
		}
	})
}
