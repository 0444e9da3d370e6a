package hadoopxml_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/conf/hadoopxml"
)

func load(t *testing.T, o hadoopxml.Options) *hadoopxml.Config {
	t.Helper()
	c, err := hadoopxml.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// folder writes files and answers where.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	c := odd(t)
	for name, want := range map[string]string{
		"t.later":           "testdata/odd/hdfs-site.xml:2",
		"t.included":        "testdata/odd/sub/included.xml:2",
		"t.attribute.final": "testdata/odd/core-site.xml:23",
		"hadoop.tmp.dir":    "(set by the configuration or by default)",
	} {
		p, ok, err := c.Lookup(name)
		if err != nil || !ok || p.Place() != want {
			t.Errorf("%s: %s, %v, %v; want %s", name, p.Place(), ok, err, want)
		}
	}
	p, _, _ := c.Lookup("t.final")
	if want := (hadoopxml.Property{Name: "t.final", Raw: "core", Value: "core", Final: true, File: "testdata/odd/core-site.xml", Line: 11}); p != want {
		t.Errorf("%+v", p)
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	c := load(t, hadoopxml.Options{Dir: "testdata/ha"})
	ns1 := hadoopxml.NameService{Name: "ns1", Logical: true, Addresses: []string{"master1.example.test:8020", "master2.example.test:8020"}}
	for uri, want := range map[string]struct {
		ns   hadoopxml.NameService
		path string
	}{
		"hdfs://ns1/data/x":         {ns1, "/data/x"},
		"hdfs://ns1":                {ns1, "/"},
		"hdfs://ns1:8020/":          {ns1, "/"},
		"/data/dt=%Y-%m-%d/%{host}": {ns1, "/data/dt=%Y-%m-%d/%{host}"},
		"hdfs:///data":              {ns1, "/data"},
		"hdfs://ns2/":               {hadoopxml.NameService{Name: "ns2", Logical: true, Addresses: []string{"x1:9000", "x2:8020", "[::1]:9000"}}, "/"},
		"hdfs://fed/a":              {hadoopxml.NameService{Name: "fed", Logical: true, Addresses: []string{"fed1:8020"}}, "/a"},
		"hdfs://host:9000/a":        {hadoopxml.NameService{Name: "host:9000", Addresses: []string{"host:9000"}}, "/a"},
		"hdfs://host/a":             {hadoopxml.NameService{Name: "host:8020", Addresses: []string{"host:8020"}}, "/a"},
		"hdfs://[::1]/a":            {hadoopxml.NameService{Name: "[::1]:8020", Addresses: []string{"[::1]:8020"}}, "/a"},
	} {
		ns, path, err := c.Resolve(uri)
		if err != nil || path != want.path {
			t.Errorf("%s: %q, %v", uri, path, err)
		}
		if diff := cmp.Diff(want.ns, ns); diff != "" {
			t.Errorf("%s: %s", uri, diff)
		}
	}
	for uri, want := range map[string]string{
		"hdfs://half/a":     "dfs.namenode.rpc-address.half.nn2 is not set in testdata/ha",
		"hdfs://ns1:9000/a": "write hdfs://ns1",
		"s3a://bucket/a":    "s3a://bucket is not an HDFS",
		"viewfs://c/a":      "is a viewfs",
	} {
		if ns, _, err := c.Resolve(uri); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want %q", uri, ns, err, want)
		}
	}
}

func TestResolveDefaultFS(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                   "fs.defaultFS is not set",
		"host:9000":          "", // the form of Hadoop 0.20
		"viewfs://clusterX/": "write hdfs://ns7/warehouse/a/b",
		"s3a://b":            "core-site.xml:1: fs.defaultFS: s3a://b is not an HDFS",
		"hdfs://%zz":         "is not a URI",
	} {
		dir := folder(t, map[string]string{"core-site.xml": `<configuration><property><name>fs.defaultFS</name><value>` + value + `</value></property>
			<property><name>fs.viewfs.mounttable.clusterX.link./data</name><value>hdfs://ns7/warehouse</value></property>
			<property><name>fs.viewfs.mounttable.clusterX.link./</name><value>hdfs://ns8/</value></property></configuration>`})
		ns, path, err := load(t, hadoopxml.Options{Dir: dir}).Resolve("/data/a/b")
		if want == "" {
			if err != nil || ns.Name != "host:9000" || path != "/data/a/b" {
				t.Errorf("%s: %v, %s, %v", value, ns, path, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", value, err, want)
		}
	}
}

func TestProtection(t *testing.T) {
	t.Parallel()
	got, err := load(t, hadoopxml.Options{Dir: "testdata/ha"}).Protection()
	if err != nil {
		t.Fatal(err)
	}
	want := hadoopxml.Protection{
		Kerberos: true, RPC: []string{"privacy", "integrity"}, DataTransfer: []string{"privacy"}, Encrypt: true, Algorithm: "3des",
		CipherSuites: []string{"AES/CTR/NoPadding"}, NameNodeName: "nn/_HOST@EXAMPLE.TEST",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got, err = load(t, hadoopxml.Options{Overrides: map[string]string{"fs.default.name": "hdfs://h"}}).Protection()
	if diff := cmp.Diff(hadoopxml.Protection{RPC: []string{"authentication"}}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	_, err = load(t, hadoopxml.Options{Dir: folder(t, map[string]string{"core-site.xml": "<configuration>\n<property><name>hadoop.rpc.protection</name><value>privat</value></property></configuration>"})}).Protection()
	if err == nil || !strings.HasSuffix(err.Error(), `core-site.xml:2: hadoop.rpc.protection: "privat" is not one of authentication, integrity, privacy`) {
		t.Error(err)
	}
}

func TestOverrides(t *testing.T) {
	t.Parallel()
	c := load(t, hadoopxml.Options{Dir: "testdata/odd", Overrides: map[string]string{"t.final": "override", "dfs.block.size": "1m", "t.empty": ""}})
	if p, ok, err := c.Lookup("t.final"); p.Value != "override" || !ok || err != nil {
		t.Error(p, ok, err)
	}
	if n, err := c.Size("dfs.blocksize", 0); n != 1<<20 || err != nil {
		t.Error(n, err)
	}
	if _, ok, _ := c.Lookup("t.empty"); !ok {
		t.Error("an empty override does not count")
	}
}

func TestTypedErrors(t *testing.T) {
	t.Parallel()
	c := load(t, hadoopxml.Options{Overrides: map[string]string{"a": "12x", "b": "9999999999g", "c": "5 parsecs", "d": "", "e": "9223372036854775807d"}})
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		if n, err := c.Int(key, 7); err == nil || n != 7 {
			t.Errorf("%s: %d, %v", key, n, err)
		}
		if n, err := c.Size(key, 7); err == nil || n != 7 {
			t.Errorf("%s: %d, %v", key, n, err)
		}
		if d, err := c.Duration(key, 7, time.Second); err == nil || d != 7 {
			t.Errorf("%s: %d, %v", key, d, err)
		}
	}
	if n, err := c.Int("nothing", 7); n != 7 || err != nil {
		t.Error(n, err)
	}
}

// TestRefused lists files that are errors, each with its place.
func TestRefused(t *testing.T) {
	t.Parallel()
	include := func(name string) string {
		return `<configuration><include href="` + name + `"/></configuration>`
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no files":   {nil, "no core-site.xml and no hdfs-site.xml in"},
		"empty":      {map[string]string{"core-site.xml": ""}, "core-site.xml:1: the file has no <configuration>"},
		"not xml":    {map[string]string{"core-site.xml": "<configuration>\n<property></configuration>"}, "core-site.xml:2: not well-formed XML"},
		"other root": {map[string]string{"core-site.xml": "<html/>"}, "the first element is <html>"},
		"no include": {map[string]string{"core-site.xml": include("absent.xml")}, "absent.xml does not exist, and there is no xi:fallback"},
		"http":       {map[string]string{"core-site.xml": include("http://h/a.xml")}, "only files can be included"},
		"circle":     {map[string]string{"core-site.xml": include("a.xml"), "a.xml": include("core-site.xml")}, "look for a circle"},
		"entity":     {map[string]string{"core-site.xml": `<!DOCTYPE c [<!ENTITY e "x">]><configuration><property><name>a</name><value>&e;</value></property></configuration>`}, "invalid character entity &e;"},
		"encoding":   {map[string]string{"core-site.xml": `<?xml version="1.0" encoding="EBCDIC"?><configuration/>`}, `encoding "EBCDIC" cannot be read`},
		"large":      {map[string]string{"core-site.xml": "<configuration>" + strings.Repeat(" ", 5<<20) + "</configuration>"}, "more than 4194304 bytes"},
		"many":       {map[string]string{"core-site.xml": "<configuration>" + strings.Repeat(`<include href="big.xml"/>`, 10) + "</configuration>", "big.xml": "<configuration>" + strings.Repeat(" ", 3<<20) + "</configuration>"}, "bytes of configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := hadoopxml.Load(hadoopxml.Options{Dir: folder(t, c.files)}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %q", err, c.want)
			}
		})
	}
}

// TestSubstitutionIsBounded grows a value tenfold at each of 20 steps, and lets two refer to one another.
func TestSubstitutionIsBounded(t *testing.T) {
	t.Parallel()
	o := map[string]string{"a0": strings.Repeat("x", 1000), "ping": "${pong}", "pong": "${ping}"}
	for i := 1; i < 20; i++ {
		o["a"+strconv.Itoa(i)] = strings.Repeat("${a"+strconv.Itoa(i-1)+"}", 10)
	}
	c := load(t, hadoopxml.Options{Overrides: o})
	for _, name := range []string{"a19", "ping"} {
		if p, ok, err := c.Lookup(name); err == nil || ok {
			t.Errorf("%s: %d bytes", name, len(p.Value))
		}
	}
}

func TestLatin1(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{"core-site.xml": "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><configuration><property><name>a</name><value>gr\xf6\xdfe</value></property></configuration>"})
	if s, err := load(t, hadoopxml.Options{Dir: dir}).String("a", ""); s != "größe" || err != nil {
		t.Error(s, err)
	}
}

// FuzzLoad checks that any file loads or is an error, and that whatever loaded can be read.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"odd/core-site.xml", "odd/hdfs-site.xml", "ha/hdfs-site.xml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`<configuration><include href="core-site.xml"/></configuration>`))
	f.Add([]byte(`<configuration><property name="a" value="${a}${b"/></configuration>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := folder(t, map[string]string{"core-site.xml": string(data)})
		c, err := hadoopxml.Load(hadoopxml.Options{Dir: dir})
		if err != nil {
			return
		}
		for _, name := range c.Names() {
			p, ok, err := c.Lookup(name)
			if err == nil && (!ok || p.Value == "" && p.Raw != "" && !strings.Contains(p.Raw, "$")) {
				t.Errorf("%q: %+v, %v", name, p, ok)
			}
			_, _ = c.Size(name, 0)
			_, _ = c.Duration(name, 0, time.Second)
			_, _ = c.Int(name, 0)
		}
		_, _, _ = c.Resolve("/a")
		_, _ = c.Protection()
	})
}
