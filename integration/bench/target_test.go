//go:build integration

package bench

import (
	"context"
	"os"
	"path"
	"strconv"
	"testing"

	"github.com/penstock-io/penstock/conf/hadoopxml"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/local"
	"github.com/penstock-io/penstock/hdfssink/dfs/native"
	"github.com/penstock-io/penstock/integration/cluster"
	"github.com/penstock-io/penstock/kerberos"
)

// target is where files go, and how to look at them.
type target struct {
	scheme  string // of paths in a configuration
	base    string
	fs      dfs.FS
	cluster *cluster.Cluster // nil: this machine
}

func localTarget(b testing.TB) *target {
	b.Helper()
	f, err := local.New("/")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.Close() })
	return &target{scheme: "file://", base: b.TempDir(), fs: f}
}

// hdfsTarget is a directory on the cluster, under its default protections (privacy, AES).
func hdfsTarget(b testing.TB) *target {
	b.Helper()
	c, err := cluster.Start(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	t := &target{base: "/user/ingest/bench-" + strconv.Itoa(os.Getpid()), cluster: c}
	f, err := t.login().open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	t.fs = f
	b.Cleanup(func() {
		t.clear(b, t.base)
		_ = f.Close()
	})
	return t
}

// hdfsLogin is all that is needed to reach HDFS, also by a child.
type hdfsLogin struct{ Conf, KRB5, Principal, Keytab string }

// login is that of the target; nil for this machine.
func (t *target) login() *hdfsLogin {
	if t.cluster == nil {
		return nil
	}
	c := t.cluster.Conf()
	return &hdfsLogin{Conf: c.HadoopConf, KRB5: c.KRB5, Principal: t.cluster.Principal("ingest"), Keytab: t.cluster.Keytab("ingest")}
}

func (l *hdfsLogin) open(ctx context.Context) (*native.FS, error) {
	site, err := hadoopxml.Load(hadoopxml.Options{Dir: l.Conf})
	if err != nil {
		return nil, err
	}
	login, err := kerberos.NewLogin(kerberos.Identity{Principal: l.Principal, Keytab: l.Keytab, Krb5Conf: l.KRB5})
	if err != nil {
		return nil, err
	}
	o, _, err := native.FromConf(ctx, site, "/", native.Identity{Credential: login})
	if err != nil {
		return nil, err
	}
	return native.New(o)
}

// dir is a new directory below the base, gone with the benchmark.
func (t *target) dir(b testing.TB, name string) string {
	b.Helper()
	dir := path.Join(t.base, name)
	b.Cleanup(func() { t.clear(b, dir) })
	return t.scheme + dir
}

func (t *target) clear(b testing.TB, dir string) {
	b.Helper()
	// The benchmark's own context is over by now.
	if err := t.fs.RemoveAll(context.Background(), dir); err != nil {
		b.Error(err)
	}
}

// verify has the commit log prove that all events are in published files, and looks at each file's footer or lines.
func (t *target) verify(b testing.TB, dir string, events int64) *commitlog.Report {
	b.Helper()
	r, err := commitlog.Verify(b.Context(), t.fs, path.Join(t.local(dir), ".penstock/lake"), commitlog.VerifyOptions{Level: commitlog.LevelFiles})
	if err != nil {
		b.Fatal(err)
	}
	if !r.OK() || r.Rows != events {
		b.Fatalf("%d events, %d rows published:\n%s", events, r.Rows, r)
	}
	for _, p := range r.Partitions {
		if p.Dead+p.Filtered+p.Gaps > 0 {
			b.Fatalf("not all events were written as they are:\n%s", r)
		}
	}
	return r
}

// local is a path without its scheme.
func (t *target) local(dir string) string { return dir[len(t.scheme):] }
