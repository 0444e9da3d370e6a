package kerberos_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/kerberos"
)

// writeFiles writes files into a new directory; DIR in their text stands for it.
func writeFiles(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The layout of RHEL and SSSD, with sections that come in pieces.
func TestConfigFlattensIncludes(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"krb5.conf": `# comment
includedir DIR/conf.d
include DIR/realms
module /usr/lib/x.so:residual
[libdefaults]
	default_realm = LATER.TEST
	ticket_lifetime = 1d 2h
	clockskew = 120
	permitted_enctypes = aes256-cts rc4-hmac aes256-sha2 -aes256-cts
[realms]
	EXAMPLE.TEST = {
		kdc = kdc2.example.test:1088
		auth_to_local = RULE:[1:$1@$0](.*@X=Y)s/=//
	}
[domain_realm]
	.example.test = EXAMPLE.TEST
	special.example.test = OTHER.TEST
	flat.test = FLAT.TEST
[capaths]
	A = {
		B = .
	}
`,
		"conf.d/10-first":    "[libdefaults]\n default_realm = EXAMPLE.TEST\n dns_lookup_kdc = no\n",
		"conf.d/20.conf":     "[libdefaults]\n default_tkt_enctypes = aes\n",
		"conf.d/.hidden":     "nonsense",
		"conf.d/old.rpmsave": "nonsense",
		"realms":             "[realms]\n EXAMPLE.TEST =\n {\n  kdc* = kdc1.example.test\n  kdc = [::1]:88\n }\n",
	})
	got, realmOf, err := kerberos.LoadConfig(filepath.Join(dir, "krb5.conf"))
	if err != nil {
		t.Fatal(err)
	}
	want := kerberos.ConfigView{
		DefaultRealm: "EXAMPLE.TEST", ClockSkew: 2 * time.Minute, Lifetime: 26 * time.Hour,
		Tkt:   []int32{18, 17, 20, 19},
		Tgs:   []int32{20},
		KDCs:  map[string][]string{"EXAMPLE.TEST": {"kdc1.example.test:88", "[::1]:88", "kdc2.example.test:1088"}},
		Files: []string{dir + "/krb5.conf", dir + "/conf.d/10-first", dir + "/conf.d/20.conf", dir + "/realms"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	for host, want := range map[string]string{
		"a.b.Example.test": "EXAMPLE.TEST", "special.example.test": "OTHER.TEST", "flat.test": "FLAT.TEST",
		"x.flat.test": "FLAT.TEST", "elsewhere.test": "", "localhost": "", "example.test": "",
	} {
		if got := realmOf(host); got != want {
			t.Errorf("realm of %s = %q, want %q", host, got, want)
		}
	}
}

func TestConfigErrorsNameTheLine(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"before a section":    {"default_realm = X\n", "krb5.conf:1:"},
		"no equals sign":      {"[libdefaults]\n\nnonsense\n", `krb5.conf:3: "nonsense"`},
		"header not closed":   {"[libdefaults\n", "krb5.conf:1: section header"},
		"brace not closed":    {"[realms]\nA = {\nkdc = x\n", `krb5.conf:2: the { of "A" is never closed`},
		"brace not opened":    {"[realms]\n}\n", "krb5.conf:2: } without {"},
		"section in braces":   {"[realms]\nA = {\n[libdefaults]\n", "krb5.conf:3: section inside the braces"},
		"brace missing":       {"[realms]\nA =\nkdc = x\n", "krb5.conf:3: expected {"},
		"bad boolean":         {"[libdefaults]\ndns_lookup_kdc = perhaps\n", "krb5.conf:2: dns_lookup_kdc = perhaps: write true or false"},
		"bad duration":        {"[libdefaults]\nclockskew = soon\n", "krb5.conf:2: clockskew = soon"},
		"only weak etypes":    {"[libdefaults]\ndefault_tgs_enctypes = rc4-hmac des3-cbc-sha1\n", "krb5.conf:2: default_tgs_enctypes"},
		"KDC proxy":           {"[realms]\nA = {\nkdc = https://proxy/KdcProxy\n}\n", "krb5.conf:3: kdc = https://proxy/KdcProxy: https proxies are not supported"},
		"bad port":            {"[realms]\nA = {\nkdc = host:http\n}\n", "krb5.conf:3:"},
		"missing include":     {"include DIR/nowhere\n", "krb5.conf:1: include:"},
		"missing includedir":  {"includedir DIR/nowhere\n", "krb5.conf:1: includedir:"},
		"includes itself":     {"include DIR/krb5.conf\n", "does a file include itself?"},
		"error in an include": {"include DIR/extra\n", "extra:2:"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeFiles(t, map[string]string{"krb5.conf": c.text, "extra": "[libdefaults]\nnonsense\n"})
			_, _, err := kerberos.LoadConfig(filepath.Join(dir, "krb5.conf"))
			wantError(t, err, kerberos.ErrBadConfig, c.says, dir)
		})
	}
}

func TestConfigFromEnvironment(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a": "[libdefaults]\ndefault_realm = A.TEST\n", "b": "[libdefaults]\ndefault_realm = B.TEST\nclockskew = 1m\n"})
	t.Setenv("KRB5_CONFIG", dir+"/none:"+dir+"/a:"+dir+"/b")
	got, _, err := kerberos.LoadConfig("")
	if err != nil || got.DefaultRealm != "A.TEST" || got.ClockSkew != time.Minute {
		t.Errorf("config = %+v, %v; want A.TEST's realm and B's skew", got, err)
	}
	t.Setenv("KRB5_CONFIG", dir+"/none")
	_, _, err = kerberos.LoadConfig("")
	wantError(t, err, kerberos.ErrBadConfig, dir+"/none", "KRB5_CONFIG")
}

func FuzzConfig(f *testing.F) {
	f.Add("[libdefaults]\ndefault_realm = A\nticket_lifetime = 1d 2h\nclockskew=10:00:00\n[realms]\nA = {\n kdc = [::1]:88\n}\n")
	f.Add("include x\nincludedir /\n[realms]\nA =\n{\nB = {\n}\n}\n")
	f.Add("[libdefaults]\npermitted_enctypes = aes -aes256-cts DEFAULT\n\"")
	f.Fuzz(func(t *testing.T, text string) {
		err := kerberos.ParseConfig("fuzz", []byte(text))
		if err != nil && (!errors.Is(err, kerberos.ErrBadConfig) || !strings.Contains(err.Error(), "fuzz:")) {
			t.Errorf("error without its place: %v", err)
		}
	})
}

func TestParsePrincipal(t *testing.T) {
	for text, want := range map[string]kerberos.Principal{
		"ingest":              {Primary: "ingest"},
		"ingest@A.TEST":       {Primary: "ingest", Realm: "A.TEST"},
		"ingest/_HOST@A.TEST": {Primary: "ingest", Instance: "_HOST", Realm: "A.TEST"},
		"nn/h1.example.test":  {Primary: "nn", Instance: "h1.example.test"},
	} {
		got, err := kerberos.ParsePrincipal(text)
		if got != want || err != nil || got.String() != text {
			t.Errorf("ParsePrincipal(%q) = %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "@A", "a/@A", "a/b/c@A", "a@", "a@B@C", "a b@C", "a/b@C/D", `a\@b`} {
		if got, err := kerberos.ParsePrincipal(text); err == nil || !strings.Contains(err.Error(), "NAME@REALM") {
			t.Errorf("ParsePrincipal(%q) = %+v, %v; want an error that shows the form", text, got, err)
		}
	}
}

func TestParseSPN(t *testing.T) {
	got, err := kerberos.ParseSPN("nn/_HOST@A.TEST", "NN1.Example.Test.")
	if want := (kerberos.SPN{Service: "nn", Host: "nn1.example.test", Realm: "A.TEST"}); got != want || err != nil {
		t.Errorf("ParseSPN = %+v, %v; want %+v", got, err, want)
	}
	for _, c := range [][2]string{{"nn", "h"}, {"nn/_HOST", ""}, {"", "h"}} {
		if got, err := kerberos.ParseSPN(c[0], c[1]); err == nil {
			t.Errorf("ParseSPN(%q, %q) = %+v, want an error", c[0], c[1], got)
		}
	}
}

// resolver answers from maps.
type resolver struct{ hosts, addrs map[string][]string }

func (r resolver) LookupHost(_ context.Context, host string) ([]string, error) {
	return r.hosts[host], nil
}

func (r resolver) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return r.addrs[addr], nil
}

func TestFullName(t *testing.T) {
	r := resolver{
		hosts: map[string][]string{"edge1": {"127.0.1.1", "10.0.0.1"}, "lone": {"10.0.0.2"}},
		addrs: map[string][]string{"127.0.1.1": {"localhost."}, "10.0.0.1": {"Edge1.Example.Test."}, "10.0.0.2": {"other.example.test."}},
	}
	for name, want := range map[string]string{"Edge1": "edge1.example.test", "Already.Full.Test": "already.full.test", "lone": "lone", "unknown": "unknown"} {
		if got := kerberos.FullName(t.Context(), r, name); got != want {
			t.Errorf("full name of %s = %s, want %s", name, got, want)
		}
	}
}

func FuzzKeytab(f *testing.F) {
	f.Add([]byte("\x05\x02\x00\x00\x00\x3d\x00\x01\x00\x06A.TEST\x00\x06ingest\x00\x00\x00\x01\x65\x00\x00\x00\x02\x00\x12\x00\x20" + strings.Repeat("k", 32)))
	f.Add([]byte{5, 2, 0xff, 0xff, 0xff, 0xf0})
	f.Add([]byte{5, 1, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := kerberos.ParseKeytab(b); err != nil && !errors.Is(err, kerberos.ErrBadKeytab) {
			t.Errorf("%v", err)
		}
	})
}

func FuzzCache(f *testing.F) {
	f.Add([]byte{5, 4, 0, 12, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte("\x05\x03\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01A\x00\x00\x00\x01b"))
	f.Add([]byte{5, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := kerberos.ParseCache(b); err == nil && len(b) < 100 {
			t.Errorf("% x is taken for a cache with a ticket", b)
		}
	})
}
