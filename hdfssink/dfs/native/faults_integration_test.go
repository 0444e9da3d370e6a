//go:build integration

package native_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/conf/hadoopxml"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/native"
	"github.com/penstock-io/penstock/integration/cluster"
	"github.com/penstock-io/penstock/kerberos"
)

// tap notes what is sent on the connections that it dials, and how many are open.
type tap struct {
	mu   sync.Mutex
	sent bytes.Buffer
	open int
}

func (p *tap) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open++
	return &tapped{Conn: c, tap: p}, nil
}

func (p *tap) connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

func (p *tap) saw(s string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Contains(p.sent.Bytes(), []byte(s))
}

type tapped struct {
	net.Conn
	tap  *tap
	once sync.Once
}

func (c *tapped) Write(b []byte) (int, error) {
	c.tap.mu.Lock()
	c.tap.sent.Write(b)
	c.tap.mu.Unlock()
	return c.Conn.Write(b)
}

func (c *tapped) Close() error {
	c.once.Do(func() {
		c.tap.mu.Lock()
		c.tap.open--
		c.tap.mu.Unlock()
	})
	return c.Conn.Close()
}

// eventually waits until ok, at most a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: still not after a minute", what)
		}
	}
}

func roundTrip(t *testing.T, f *native.FS, name string, size int) {
	t.Helper()
	want := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	w, err := f.Create(t.Context(), name, dfs.CreateOptions{BlockSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(want); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := f.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("read back %d bytes of %d, %v", len(got), len(want), err)
	}
	tail := make([]byte, 100)
	if n, err := r.ReadAt(tail, r.Size()-50); n != 50 || !errors.Is(err, io.EOF) || !bytes.Equal(tail[:n], want[len(want)-50:]) {
		t.Errorf("ReadAt the end: %d, %v", n, err)
	}
}

// Under every protection files are written and read, and with privacy nothing that we send to NameNode or DataNodes can be read on the wire.
func TestProtections(t *testing.T) {
	c, _, dir := start(t)
	t.Cleanup(func() {
		if err := c.Switch(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, tc := range []struct {
		switches        []string
		clearRPC, clear bool // path, or content, can be seen
	}{
		{[]string{"RPC_PROTECTION=privacy"}, false, false},
		{[]string{"RPC_PROTECTION=integrity"}, true, false},
		{[]string{"RPC_PROTECTION=authentication", "DATA_PROTECTION=authentication"}, true, true},
		{[]string{"RPC_PROTECTION=authentication,privacy", "DATA_PROTECTION=integrity,privacy"}, true, true},
		{[]string{"DATA_PROTECTION=privacy,authentication", "CIPHER_SUITES="}, false, false},
		{[]string{"ENCRYPT_DATA=true", "DATA_PROTECTION=authentication"}, false, false},
		{[]string{"ENCRYPT_DATA=true", "ENCRYPT_ALGORITHM=3des"}, false, false},
		{[]string{"ENCRYPT_DATA=true", "ENCRYPT_ALGORITHM=3des", "CIPHER_SUITES="}, false, false},
	} {
		t.Run(strings.Join(tc.switches, ","), func(t *testing.T) {
			if err := c.Switch(t.Context(), tc.switches...); err != nil {
				t.Fatal(err)
			}
			x, err := hadoopxml.Load(hadoopxml.Options{Dir: c.Conf().HadoopConf})
			if err != nil {
				t.Fatal(err)
			}
			p, err := x.Protection()
			if err != nil {
				t.Fatal(err)
			}
			if warning := native.CheckProtections(p); (warning != "") != (p.DataTransfer[0] == "authentication" && len(p.DataTransfer) > 1 && !p.Encrypt) {
				t.Errorf("CheckProtections: %q", warning)
			}
			o := options(t, c, "ingest")
			wire := &tap{}
			o.Dial = wire.dial
			f := as(t, o)
			roundTrip(t, f, dir+"/MARKER-"+t.Name()[len("TestProtections/"):][:4], 3<<20)
			if got := wire.saw("MARKER-"); got != tc.clearRPC {
				t.Errorf("the path was readable on the wire: %v, want %v", got, tc.clearRPC)
			}
			if got := wire.saw("0123456789abcde"); got != tc.clear {
				t.Errorf("the content was readable on the wire: %v, want %v", got, tc.clear)
			}
			if err := f.RemoveAll(t.Context(), dir); err != nil {
				t.Error(err)
			}
			if err := f.MkdirAll(t.Context(), dir, 0); err != nil {
				t.Error(err)
			}
		})
	}
}

// A DataNode dies in the middle of a block: the writer is told, nothing is left behind, the next file works.
func TestDataNodeKilled(t *testing.T) {
	c, _, dir := start(t)
	ctx := t.Context()
	wire := &tap{}
	o := options(t, c, "ingest")
	o.Dial = wire.dial
	f := as(t, o)
	roundTrip(t, f, dir+"/warm", 1<<20)
	eventually(t, "only the NameNode's connection", func() bool { return wire.connections() == 1 })
	before := runtime.NumGoroutine()
	var writers []dfs.File
	for _, n := range []string{"/a", "/b", "/c", "/d", "/e", "/f", "/g", "/h"} {
		w, err := f.Create(ctx, dir+n, dfs.CreateOptions{BlockSize: 64 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, 300<<10)); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	if err := c.Kill(ctx, cluster.DataNode1); err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 64<<10)
	for i, w := range writers { // with two replicas on two DataNodes every pipeline has lost one
		var err error
		n := 0
		for ; err == nil && n < 64<<20; n += len(chunk) {
			_, err = w.Write(chunk)
		}
		if !errors.Is(err, dfs.ErrUnavailable) {
			t.Errorf("file %d: after %d bytes: %v, want ErrUnavailable", i, n, err)
		}
		if err := w.Close(ctx); err == nil {
			t.Errorf("file %d: Close is a success", i)
		}
	}
	eventually(t, "all connections to DataNodes closed", func() bool { return wire.connections() == 1 })
	eventually(t, "all goroutines gone", func() bool { return runtime.NumGoroutine() <= before })
	roundTrip(t, f, dir+"/one-left", 3<<20) // at once: the dead one is left out, which the NameNode does not know yet
	if err := c.Run(ctx, cluster.DataNode1); err != nil {
		t.Fatal(err)
	}
	roundTrip(t, f, dir+"/next", 1<<20)
	if err := f.RemoveAll(ctx, dir); err != nil { // their leases go too
		t.Error(err)
	}
	open, err := c.Admin(ctx, cluster.DFSAdmin, "-listOpenFiles", "-path", "/user/ingest/native")
	if err != nil || strings.Contains(open, dir) {
		t.Errorf("open files: %s, %v", open, err)
	}
}

// The NameNode is started anew while a file is open; the file goes on.
func TestNameNodeRestart(t *testing.T) {
	c, f, dir := start(t)
	ctx := t.Context()
	w, err := f.Create(ctx, dir+"/a", dfs.CreateOptions{BlockSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(make([]byte, 300<<10)); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(ctx, cluster.NameNode); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 300<<10)); err != nil {
		t.Errorf("write in a block without the NameNode: %v", err)
	}
	stat := make(chan error)
	go func() { _, err := f.Stat(ctx, dir+"/a"); stat <- err }() // waits for it
	if err := c.Run(ctx, cluster.NameNode); err != nil {
		t.Fatal(err)
	}
	if err := <-stat; err != nil {
		t.Errorf("stat across the restart: %v", err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil { // a new block
		t.Errorf("write afterwards: %v", err)
	}
	if err := w.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
	if i, err := f.Stat(ctx, dir+"/a"); err != nil || i.Size != 600<<10+1<<20 {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestSafeMode(t *testing.T) {
	c, _, dir := start(t)
	ctx := t.Context()
	o := options(t, c, "ingest")
	o.Patience = -1
	f := as(t, o)
	admin := func(what string) {
		t.Helper()
		if _, err := c.Admin(context.WithoutCancel(ctx), cluster.DFSAdmin, "-safemode", what); err != nil {
			t.Fatal(err)
		}
	}
	admin("enter")
	t.Cleanup(func() { admin("leave") })
	err := f.MkdirAll(ctx, dir+"/d", 0)
	if !errors.Is(err, dfs.ErrUnavailable) || !strings.Contains(err.Error(), "safe mode") {
		t.Errorf("mkdir: %v", err)
	}
	if _, err := f.List(ctx, dir); err != nil {
		t.Errorf("reading goes on: %v", err)
	}
	o.Patience = time.Minute
	patient := as(t, o)
	done := make(chan error)
	go func() { done <- patient.MkdirAll(ctx, dir+"/d", 0) }()
	admin("leave")
	if err := <-done; err != nil {
		t.Errorf("mkdir of the patient: %v", err)
	}
}

func TestQuota(t *testing.T) {
	c, f, dir := start(t)
	ctx := t.Context()
	quota := func(args ...string) {
		t.Helper()
		if _, err := c.Admin(ctx, cluster.DFSAdmin, append(args, dir)...); err != nil {
			t.Fatal(err)
		}
	}
	quota("-setQuota", "2")
	if err := f.MkdirAll(ctx, dir+"/one", 0); err != nil {
		t.Fatal(err)
	}
	if err := f.MkdirAll(ctx, dir+"/two", 0); !errors.Is(err, dfs.ErrQuota) || !strings.Contains(err.Error(), dir) {
		t.Errorf("names: %v", err)
	}
	quota("-clrQuota")
	quota("-setSpaceQuota", "1m")
	w, err := f.Create(ctx, dir+"/big", dfs.CreateOptions{BlockSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(make([]byte, 100)); !errors.Is(err, dfs.ErrQuota) || !strings.Contains(err.Error(), "-setSpaceQuota") {
		t.Errorf("space: %v", err)
	}
	quota("-clrSpaceQuota")
	roundTrip(t, f, dir+"/after", 1<<20)
}

func TestNoPermission(t *testing.T) {
	c, _, dir := start(t)
	f := as(t, options(t, c, "mallory"))
	ctx := t.Context()
	_, err := f.Create(ctx, dir+"/x", dfs.CreateOptions{})
	for _, says := range []string{"mallory@", "access=WRITE", dir, "-setfacl"} {
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), says) {
			t.Errorf("create: %v, want %q in it", err, says)
		}
	}
	if err := f.Rename(ctx, dir, "/tmp/stolen"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("rename: %v", err)
	}
	if err := f.RemoveAll(ctx, dir); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("remove: %v", err)
	}
}

// Without the KDC everything goes on over the connection that is there; a new identity gets an error that names the KDC.
func TestKDCAway(t *testing.T) {
	c, f, dir := start(t)
	ctx := t.Context()
	if err := c.Pause(ctx, cluster.KDC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Resume(context.WithoutCancel(ctx), cluster.KDC); err != nil {
			t.Error(err)
		}
	})
	roundTrip(t, f, dir+"/a", 1<<20)
	o := options(t, c, "ingest")
	o.Patience = -1
	_, err := as(t, o).Stat(ctx, dir)
	if !errors.Is(err, dfs.ErrUnavailable) || !errors.Is(err, kerberos.ErrKDCUnreachable) {
		t.Errorf("a new login: %v", err)
	}
}

// A paused NameNode costs each call its deadline, and no more; a frozen one is told from one that refuses.
func TestFrozenNameNode(t *testing.T) {
	c, _, dir := start(t)
	ctx := t.Context()
	o := options(t, c, "ingest")
	o.RPCTimeout, o.Patience = 2*time.Second, -1
	f := as(t, o)
	if err := f.MkdirAll(ctx, dir+"/x", 0); err != nil {
		t.Fatal(err)
	}
	if err := c.Pause(ctx, cluster.NameNode); err != nil {
		t.Fatal(err)
	}
	rerr := f.Rename(ctx, dir+"/x", dir+"/y") // which it may carry out when it thaws
	err := f.MkdirAll(ctx, dir+"/d", 0)
	_, serr := f.Stat(ctx, dir)
	if err := c.Resume(ctx, cluster.NameNode); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, dfs.ErrUnavailable) || errors.Is(err, dfs.ErrNoAnswer) { // MkdirAll looks first; that look got no answer
		t.Errorf("mkdir: %v", err)
	}
	if !errors.Is(rerr, dfs.ErrNoAnswer) {
		t.Errorf("rename: %v", rerr)
	}
	if !errors.Is(serr, dfs.ErrUnavailable) {
		t.Errorf("stat: %v", serr)
	}
	if _, err := f.Stat(ctx, dir); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestPreflight(t *testing.T) {
	c, f, dir := start(t)
	ctx := t.Context()
	for _, d := range []string{"/plain", "/ssd", "/ec", "/replicated"} {
		if err := f.MkdirAll(ctx, dir+d, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, do := range [][]string{
		{string(cluster.StoragePolicies), "-setStoragePolicy", "-path", dir + "/ssd", "-policy", "ALL_SSD"},
		{string(cluster.ErasureCoding), "-enablePolicy", "-policy", "XOR-2-1-1024k"},
		{string(cluster.ErasureCoding), "-setPolicy", "-path", dir + "/ec", "-policy", "XOR-2-1-1024k"},
	} {
		if out, err := c.Admin(ctx, cluster.Tool(do[0]), do[1:]...); err != nil {
			t.Fatalf("%v: %v: %s", do, err, out)
		}
	}
	for d, says := range map[string]string{
		"/plain": "", "/plain/not/yet/there": "", "/ssd": "ALL_SSD", "/ssd/below/it": "ALL_SSD", "/ec": "XOR-2-1-1024k", "/ec/x": "hdfs ec",
	} {
		err := f.Preflight(ctx, dir+d)
		if says == "" && err != nil || says != "" && (!errors.Is(err, dfs.ErrRefused) || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v, want %q in it", d, err, says)
		}
	}
}

// Files that others wrote are read, ours are read by others.
func TestInterop(t *testing.T) {
	c, f, dir := start(t)
	ctx := t.Context()
	text := strings.Repeat("line\n", 300_000)
	if _, err := c.HDFSWith(ctx, strings.NewReader(text), "ingest", "-put", "-", dir+"/java"); err != nil {
		t.Fatal(err)
	}
	r, err := f.Open(ctx, dir+"/java")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil || string(got) != text {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	roundTrip(t, f, dir+"/go", 3<<20)
	out, err := c.HDFS(ctx, "ingest", "-cat", dir+"/go")
	if err != nil || len(out) != 3<<20 {
		t.Errorf("java reads %d bytes, %v", len(out), err)
	}
	list, err := f.List(ctx, dir)
	if err != nil || !slices.IsSortedFunc(list, func(a, b dfs.Info) int { return strings.Compare(a.Name, b.Name) }) || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}
