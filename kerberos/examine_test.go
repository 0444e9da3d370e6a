package kerberos_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/kerberos"
	"github.com/penstock-io/penstock/kerberos/kerberostest"
)

// examined runs all checks and returns a line for each.
func examined(t *testing.T, id kerberos.Identity, services ...kerberos.SPN) (lines []string) {
	t.Helper()
	id.Host = "edge1.example.test"
	kerberos.Examine(id, services, func(name string, check func(context.Context) (string, error)) error {
		detail, err := check(t.Context())
		if err != nil {
			lines = append(lines, fmt.Sprintf("FAILED %s: %v", name, err))
		} else {
			lines = append(lines, fmt.Sprintf("ok %s: %s", name, detail))
		}
		return err
	})
	return lines
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	for i, line := range got {
		if i >= len(want) {
			t.Errorf("%s", line)
			continue
		}
		for part := range strings.SplitSeq(want[i], "|") {
			if !strings.Contains(line, part) {
				t.Errorf("%s\nwant it to say %q", line, part)
			}
		}
	}
}

func TestExamine(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest/edge1.example.test")
	kdc.AddPrincipal("kafka/localhost")
	kdc.AddPrincipal("nn/nowhere.invalid")
	keytab := kdc.Keytab("ingest/edge1.example.test")
	if err := os.Chmod(keytab, 0o644); err != nil {
		t.Fatal(err)
	}
	id := kerberos.Identity{Principal: "ingest/_HOST", Keytab: keytab, Krb5Conf: kdc.ConfigPath}
	got := examined(t, id, kafka, kerberos.SPN{Service: "nn", Host: "nowhere.invalid"}, kerberos.SPN{Service: "nn", Host: "localhost"}, kerberos.SPN{Service: "kafka", Host: "localhost", Realm: "ELSEWHERE"})
	wantLines(t, got,
		"ok read the krb5 configuration: |"+kdc.ConfigPath+"; default realm EXAMPLE.TEST; aes256-cts-hmac-sha1-96",
		"ok read keytab "+keytab+": ingest/edge1.example.test@EXAMPLE.TEST, key version |: aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96; _HOST is edge1.example.test; WARNING: its mode is 0644|chmod 0400 "+keytab,
		"ok find the KDCs of EXAMPLE.TEST: "+kdc.Addr,
		"ok ask KDC "+kdc.Addr+": answers by TCP; its clock agrees with ours",
		"ok log in: ingest/edge1.example.test@EXAMPLE.TEST, ticket until |by KDC "+kdc.Addr+", session key aes256-cts-hmac-sha1-96",
		"ok get a ticket for kafka/localhost: realm EXAMPLE.TEST, key version |aes256-cts-hmac-sha1-96; the host is 127.0.0.1",
		"FAILED get a ticket for nn/nowhere.invalid: there is a ticket, but no address for the host nowhere.invalid: |correct its name, the DNS or /etc/hosts",
		"FAILED get a ticket for nn/localhost: |KDC_ERR_S_PRINCIPAL_UNKNOWN|its host must be written as in the service's keytab",
		"FAILED get a ticket for kafka/localhost@ELSEWHERE: |krbtgt/ELSEWHERE",
	)
}

// TestExaminePlanted: each misconfiguration is told by the first line that fails.
func TestExaminePlanted(t *testing.T) {
	kdc := kerberostest.New(t)
	kdc.AddPrincipal("ingest")
	kdc.AddPrincipal("locked")
	keytab := kdc.Keytab("ingest")
	locked := kdc.Keytab("locked")
	kdc.Admin("modprinc -allow_tix locked")
	kdc.AddPrincipal("rotated")
	rotated := kdc.Keytab("rotated")
	kdc.Rotate("rotated")
	kdc.AddPrincipal("gone")
	gone := kdc.Keytab("gone")
	kdc.Admin("delprinc -force gone")
	file := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := func(libdefaults, kdcs string) string {
		return file("krb5.conf", "[libdefaults]\n"+libdefaults+"\n[realms]\nEXAMPLE.TEST = {\n"+kdcs+"}\n")
	}
	skewed := kerberostest.NewWith(t, kerberostest.Options{Skew: 20 * time.Minute})
	skewed.AddPrincipal("ingest")
	silent, silentAddr := scriptedKDC(t, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	here := "kdc = " + kdc.Addr + "\n"
	const realm = "default_realm = EXAMPLE.TEST"
	for name, c := range map[string]struct {
		id   kerberos.Identity
		want string // the first line that fails
	}{
		"no krb5.conf":            {kerberos.Identity{Principal: "ingest", Keytab: keytab, Krb5Conf: "/nonexistent/krb5.conf"}, "read the krb5 configuration: |/nonexistent/krb5.conf"},
		"broken krb5.conf":        {kerberos.Identity{Principal: "ingest", Keytab: keytab, Krb5Conf: file("krb5.conf", "[libdefaults\n")}, "read the krb5 configuration: |krb5.conf:1"},
		"no realm":                {kerberos.Identity{Principal: "ingest", Keytab: keytab, Krb5Conf: config("", here)}, "read keytab |has no realm, and there is no default_realm"},
		"no keytab":               {kerberos.Identity{Principal: "ingest", Keytab: "/nonexistent.keytab", Krb5Conf: kdc.ConfigPath}, "read keytab |correct the path, or put it there"},
		"no keytab at all":        {kerberos.Identity{Principal: "ingest", Keytab: file("k", "hello"), Krb5Conf: kdc.ConfigPath}, "read keytab |is not a keytab"},
		"other principal":         {kerberos.Identity{Principal: "other", Keytab: keytab, Krb5Conf: kdc.ConfigPath}, "read keytab |has no key for other@EXAMPLE.TEST, but for: ingest@EXAMPLE.TEST"},
		"other case":              {kerberos.Identity{Principal: "Ingest", Keytab: keytab, Krb5Conf: kdc.ConfigPath}, "read keytab |has no key for Ingest@EXAMPLE.TEST"},
		"types not permitted":     {kerberos.Identity{Principal: "ingest", Keytab: keytab, Krb5Conf: config(realm+"\npermitted_enctypes = aes256-cts-hmac-sha384-192", here)}, "read keytab |none of which the krb5 configuration permits"},
		"realm without KDC":       {kerberos.Identity{Principal: "ingest", Keytab: keytab, Krb5Conf: config(realm+"\ndns_lookup_kdc = false", "")}, "find the KDCs of EXAMPLE.TEST: |names no KDC for realm EXAMPLE.TEST|under [realms]"},
		"a KDC that is away":      {kerberos.Identity{Principal: "ingest", Keytab: keytab, Krb5Conf: config(realm, "kdc = 127.0.0.1:1\n"+here)}, "ask KDC 127.0.0.1:1: |connection refused|check that krb5kdc runs there"},
		"a KDC that is none":      {kerberos.Identity{Principal: "ingest", Keytab: keytab, Krb5Conf: silent}, "ask KDC " + silentAddr + ": |this is no KDC"},
		"clocks apart":            {kerberos.Identity{Principal: "ingest", Keytab: skewed.Keytab("ingest"), Krb5Conf: skewed.ConfigPath}, "ask KDC |clock skew|set the clock with chrony"},
		"key was rotated":         {kerberos.Identity{Principal: "rotated", Keytab: rotated, Krb5Conf: kdc.ConfigPath}, "log in: |fetch the keytab again"},
		"principal was deleted":   {kerberos.Identity{Principal: "gone", Keytab: gone, Krb5Conf: kdc.ConfigPath}, "log in: |unknown principal|addprinc -randkey gone@EXAMPLE.TEST"},
		"principal is locked":     {kerberos.Identity{Principal: "locked", Keytab: locked, Krb5Conf: kdc.ConfigPath}, "log in: |unknown principal|locked, disabled or expired"},
		"no cache":                {kerberos.Identity{Cache: "/nonexistent_cc", Krb5Conf: kdc.ConfigPath}, "read ticket cache |bad ticket cache"},
		"a cache of a daemon's":   {kerberos.Identity{Cache: "KCM:0", Krb5Conf: kdc.ConfigPath}, "read ticket cache KCM:0: |FILE:"},
		"a cache of another user": {kerberos.Identity{Principal: "other", Cache: kinit(t, kdc, "ingest", keytab), Krb5Conf: kdc.ConfigPath}, "read ticket cache |is of ingest@EXAMPLE.TEST, and other@EXAMPLE.TEST is configured"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, line := range examined(t, c.id) {
				failed, isFailed := strings.CutPrefix(line, "FAILED ")
				if !isFailed {
					continue
				}
				for part := range strings.SplitSeq(c.want, "|") {
					if !strings.Contains(failed, part) {
						t.Errorf("%s\nwant it to say %q", failed, part)
					}
				}
				return
			}
			t.Error("nothing failed")
		})
	}
	// One of two KDCs is away: that is told, and the rest goes on.
	got := examined(t, kerberos.Identity{Principal: "ingest", Keytab: keytab, Krb5Conf: config(realm, "kdc = 127.0.0.1:1\n"+here)})
	wantLines(t, got, "ok read", "ok read", "ok find", "FAILED ask KDC 127.0.0.1:1", "ok ask KDC "+kdc.Addr, "ok log in")
	got = examined(t, kerberos.Identity{Cache: kinit(t, kdc, "ingest", keytab), Krb5Conf: kdc.ConfigPath})
	wantLines(t, got, "ok read", "ok read ticket cache |: ingest@EXAMPLE.TEST, ticket until", "ok find", "ok ask", "ok log in: ingest@EXAMPLE.TEST")
}

func kinit(t *testing.T, kdc *kerberostest.KDC, principal, keytab string) string {
	t.Helper()
	cache := filepath.Join(t.TempDir(), "cc")
	kdc.Kinit(principal, keytab, cache)
	return cache
}
