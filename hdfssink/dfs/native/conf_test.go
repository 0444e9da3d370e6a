package native_test

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/conf/hadoopxml"
	"github.com/penstock-io/penstock/hdfssink/dfs/native"
	"github.com/penstock-io/penstock/hdfssink/dfs/token"
	"github.com/penstock-io/penstock/kerberos"
)

func TestCheckProtections(t *testing.T) {
	for _, tc := range []struct {
		what    string
		p       hadoopxml.Protection
		warning string
	}{
		{"nothing set", hadoopxml.Protection{}, ""},
		{"rpc privacy is sealed", hadoopxml.Protection{RPC: []string{"privacy"}}, ""},
		{"privacy", hadoopxml.Protection{DataTransfer: []string{"privacy"}}, ""},
		{"all, privacy first", hadoopxml.Protection{DataTransfer: []string{"privacy", "integrity", "authentication"}}, ""},
		{"authentication", hadoopxml.Protection{DataTransfer: []string{"authentication"}}, ""},
		{"encryption", hadoopxml.Protection{Encrypt: true, DataTransfer: []string{"authentication", "integrity"}}, ""},
		{"all, authentication first", hadoopxml.Protection{DataTransfer: []string{"authentication", "privacy"}}, "in clear"},
		{"resolver", hadoopxml.Protection{ResolverPresent: true}, "resolver"},
	} {
		if warning := native.CheckProtections(tc.p); (warning == "") != (tc.warning == "") || !strings.Contains(warning, tc.warning) {
			t.Errorf("%s: warning %q; want %q", tc.what, warning, tc.warning)
		}
	}
}

// load makes a configuration of name=value lines. (In core-site.xml, the defaults of hdfs-default.xml would win over dfs.… keys.)
func load(t *testing.T, lines ...string) *hadoopxml.Config {
	t.Helper()
	var b strings.Builder
	b.WriteString("<configuration>")
	for _, l := range lines {
		name, value, _ := strings.Cut(l, "=")
		b.WriteString("<property><name>" + name + "</name><value>" + value + "</value></property>")
	}
	b.WriteString("</configuration>")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hdfs-site.xml"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := hadoopxml.Load(hadoopxml.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFromConf(t *testing.T) {
	c := load(t, "fs.defaultFS=hdfs://ns1", "dfs.nameservices=ns1,ns2", "dfs.ha.namenodes.ns1=a,b", "dfs.namenode.rpc-address.ns1.a=h1:8020",
		"dfs.namenode.rpc-address.ns1.b=h2:8020", "dfs.namenode.rpc-address.ns2=h3:8020", "dfs.replication=2", "dfs.blocksize=64m",
		"fs.permissions.umask-mode=027", "hadoop.rpc.protection=privacy,authentication", "dfs.data.transfer.protection=privacy",
		"dfs.client.use.datanode.hostname=true")
	got, path, err := native.FromConf(t.Context(), c, "/data/clicks", native.Identity{})
	if err != nil {
		t.Fatal(err)
	}
	want := native.Options{
		NameNodes: []string{"h1:8020", "h2:8020"}, DataProtection: []kerberos.QOP{kerberos.QOPPrivacy}, UseHostnames: true, Replication: 2, BlockSize: 64 << 20, Umask: 0o027,
		RPCProtection: []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPAuth},
	}
	if diff := cmp.Diff(want, got); diff != "" || path != "/data/clicks" {
		t.Errorf("path %s, options (-want +got):\n%s", path, diff)
	}
	if _, err := native.New(got); err != nil {
		t.Error(err)
	}
}

func TestFromConfRefuses(t *testing.T) {
	for _, tc := range []struct {
		lines []string
		uri   string
		says  string
	}{
		{[]string{"fs.defaultFS=hdfs://nn:8020", "hadoop.security.authentication=kerberos"}, "/x", "kerberos: NAME"},
		{[]string{"fs.defaultFS=viewfs://all"}, "/x", "viewfs"},
		{[]string{"fs.defaultFS=hdfs://nn:8020", "fs.permissions.umask-mode=u=rwx"}, "/x", "octal"},
		{[]string{"fs.defaultFS=hdfs://nn:8020", "dfs.data.transfer.protection=secret"}, "/x", "secret"},
	} {
		if _, _, err := native.FromConf(t.Context(), load(t, tc.lines...), tc.uri, native.Identity{}); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%v: %v, want %q in it", tc.lines, err, tc.says)
		}
	}
	for says, o := range map[string]native.Options{
		"fs.defaultFS": {},
		"host:port":    {NameNodes: []string{"nn"}},
	} {
		if _, err := native.New(o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("New: %v, want %q in it", err, says)
		}
	}
}

// TestFindToken: by the name service or an address of it, of the right kind, and not when it is too old to be renewed.
func TestFindToken(t *testing.T) {
	text := func(s string) string { return string(rune(len(s))) + s }
	identifier := func(until time.Time) string {
		return "\x00" + text("alice") + text("yarn") + text("") + "\x00" + "\x88" + string(binary.BigEndian.AppendUint64(nil, uint64(until.UnixMilli()))) + "\x01\x01"
	}
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(kind, service string, until time.Time) {
		file := "HDTS\x00\x01" + text("alias") + text(identifier(until)) + text("password") + text(kind) + text(service) + "\x00"
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	secured := []string{"hadoop.security.authentication=kerberos", "dfs.namenode.kerberos.principal=nn/_HOST@R"}
	one := load(t, append(secured, "fs.defaultFS=hdfs://localhost:8020")...)
	pair := load(t, append(secured, "fs.defaultFS=hdfs://ns1", "dfs.nameservices=ns1", "dfs.ha.namenodes.ns1=a,b", "dfs.namenode.rpc-address.ns1.a=h1:8020", "dfs.namenode.rpc-address.ns1.b=h2:8020")...)
	later := time.Now().Add(time.Hour)
	for _, c := range []struct {
		conf          *hadoopxml.Config
		kind, service string
		until         time.Time
		want          string // "": it is found
	}{
		{one, token.HDFS, "127.0.0.1:8020", later, ""},
		{one, token.HDFS, "localhost:8020", later, ""},
		{one, token.HDFS, "localhost:8021", later, "has no HDFS_DELEGATION_TOKEN for ha-hdfs:"},
		{one, "WEBHDFS delegation", "localhost:8020", later, "has no HDFS_DELEGATION_TOKEN for"},
		{one, token.HDFS, "localhost:8020", time.Now().Add(-time.Hour), "could be renewed until"},
		{pair, token.HDFS, "ha-hdfs:ns1", later, ""},
		{pair, token.HDFS, "ha-hdfs:ns2", later, "has no"},
	} {
		write(c.kind, c.service, c.until)
		o, _, err := native.FromConf(t.Context(), c.conf, "/", native.Identity{TokenFile: path})
		switch {
		case c.want != "":
			if !errors.Is(err, native.ErrNoToken) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "password") {
				t.Errorf("%s for %s: %v; want %q", c.kind, c.service, err, c.want)
			}
		case err != nil || o.User != "alice":
			t.Errorf("%s for %s: user %q, %v", c.kind, c.service, o.User, err)
		}
	}
}
