//go:build integration

package native_test

import (
	"testing"

	"github.com/penstock-io/penstock/conf/hadoopxml"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/dfstest"
	"github.com/penstock-io/penstock/hdfssink/dfs/native"
	"github.com/penstock-io/penstock/integration/cluster"
	"github.com/penstock-io/penstock/kerberos"
)

// options are those of user on the running cluster.
func options(t testing.TB, c *cluster.Cluster, user string) native.Options {
	t.Helper()
	x, err := hadoopxml.Load(hadoopxml.Options{Dir: c.Conf().HadoopConf})
	if err != nil {
		t.Fatal(err)
	}
	login, err := kerberos.NewLogin(kerberos.Identity{Principal: c.Principal(user), Keytab: c.Keytab(user), Krb5Conf: c.Conf().KRB5})
	if err != nil {
		t.Fatal(err)
	}
	o, _, err := native.FromConf(t.Context(), x, "/", native.Identity{Credential: login})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// start returns the running cluster, and a file system on it as ingest, with a directory that is the test's own.
func start(t testing.TB) (c *cluster.Cluster, f *native.FS, dir string) {
	t.Helper()
	c, err := cluster.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f = as(t, options(t, c, "ingest"))
	dir = "/user/ingest/native/" + t.Name()
	if err := f.RemoveAll(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := f.MkdirAll(t.Context(), dir, 0); err != nil {
		t.Fatal(err)
	}
	return c, f, dir
}

func as(t testing.TB, o native.Options) *native.FS {
	t.Helper()
	f, err := native.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestSuite(t *testing.T) {
	_, f, dir := start(t)
	dfstest.SuiteWith(t, dfstest.Options{Base: dir, Entries: 2100}, func(*testing.T) dfs.FS { return f })
}
