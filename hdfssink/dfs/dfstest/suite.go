// Package dfstest is the suite that every dfs.FS passes: each promise of package dfs, row by row, as a real NameNode keeps
// them.
package dfstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// Options say where the suite may work.
type Options struct {
	// Base is an existing directory that is the suite's own; "" is "/". Each test makes a directory in it.
	Base string
	// Entries is how many entries the large listing has; 0: 40. A file system that reads listings in pages should get more than two pages.
	Entries int
	// Unchecked names promises that this file system cannot keep, each with the reason. They are printed; an unknown name fails.
	Unchecked map[string]string
}

// env is what each test gets.
type env struct {
	t   *testing.T
	fs  dfs.FS
	dir string // of this test
}

// Suite runs every promise against the file systems that open makes, one for each test; they may share their files.
func Suite(t *testing.T, open func(t *testing.T) dfs.FS) { SuiteWith(t, Options{}, open) }

// SuiteWith is Suite with options.
func SuiteWith(t *testing.T, o Options, open func(t *testing.T) dfs.FS) {
	t.Helper()
	if o.Base == "" {
		o.Base = "/"
	}
	if o.Entries == 0 {
		o.Entries = 40
	}
	tests := map[string]func(env){
		"create":              create,
		"write_and_read":      writeAndRead,
		"stat":                stat,
		"mkdir":               mkdir,
		"list":                func(e env) { list(e, o.Entries) },
		"list_while_changing": func(e env) { listWhileChanging(e, o.Entries) },
		"rename_table":        renameTable,
		"rename_keeps_id":     renameKeepsID,
		"open_under_rename":   openUnderRename,
		"other_at_old_path":   otherAtOldPath,
		"names":               names,
		"remove":              remove,
		"remove_open_file":    removeOpenFile,
		"close_once":          closeOnce,
		"abort":               abort,
		"context":             contexts,
		"rename_race":         renameRace,
		"create_race":         createRace,
		"atomic_dir_rename":   atomicDirRename,
	}
	for name, why := range o.Unchecked {
		if tests[name] == nil {
			t.Errorf("Unchecked names %q, which is no promise", name)
		}
		t.Logf("not checked: %s: %s", name, why)
		delete(tests, name)
	}
	order := make([]string, 0, len(tests))
	for name := range tests {
		order = append(order, name)
	}
	slices.Sort(order)
	for _, name := range order {
		t.Run(name, func(t *testing.T) {
			e := env{t: t, fs: open(t), dir: path.Join(o.Base, "suite-"+name)}
			e.must(e.fs.RemoveAll(t.Context(), e.dir))
			e.must(e.fs.MkdirAll(t.Context(), e.dir, 0o755))
			tests[name](e)
			if !t.Failed() {
				e.must(e.fs.RemoveAll(t.Context(), e.dir))
			}
		})
	}
}

func (e env) at(name string) string { return path.Join(e.dir, name) }

func (e env) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e env) want(what string, err, want error) {
	e.t.Helper()
	if !errors.Is(err, want) {
		e.t.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// put makes a complete file.
func (e env) put(name, content string) {
	e.t.Helper()
	f, err := e.fs.Create(e.t.Context(), e.at(name), dfs.CreateOptions{})
	e.must(err)
	if content != "" {
		_, err = f.Write([]byte(content))
		e.must(err)
	}
	e.must(f.Close(e.t.Context()))
}

func (e env) mkdirs(names ...string) {
	e.t.Helper()
	for _, n := range names {
		e.must(e.fs.MkdirAll(e.t.Context(), e.at(n), 0o755))
	}
}

func (e env) get(name string) string {
	e.t.Helper()
	r, err := e.fs.Open(e.t.Context(), e.at(name))
	e.must(err)
	b, err := io.ReadAll(r)
	e.must(err)
	e.must(r.Close())
	return string(b)
}

// tree lists everything below the test's directory: directories end in '/', files show their content.
func (e env) tree() []string {
	e.t.Helper()
	var all []string
	var walk func(rel string)
	walk = func(rel string) {
		is, err := e.fs.List(e.t.Context(), e.at(rel))
		e.must(err)
		for _, i := range is {
			name := path.Join(rel, i.Name)
			if i.Dir {
				all = append(all, name+"/")
				walk(name)
			} else {
				all = append(all, name+"="+e.get(name))
			}
		}
	}
	walk("")
	return all
}

func (e env) wantTree(want ...string) {
	e.t.Helper()
	if d := cmp.Diff(want, e.tree()); d != "" {
		e.t.Errorf("tree (-want +got):\n%s", d)
	}
}

func create(e env) {
	ctx := e.t.Context()
	_, err := e.fs.Create(ctx, e.at("no/file"), dfs.CreateOptions{})
	e.want("create without a parent", err, fs.ErrNotExist)
	e.put("a", "1")
	_, err = e.fs.Create(ctx, e.at("a"), dfs.CreateOptions{})
	e.want("create onto a file", err, fs.ErrExist)
	e.mkdirs("d")
	_, err = e.fs.Create(ctx, e.at("d"), dfs.CreateOptions{})
	e.want("create onto a directory", err, fs.ErrExist)
	open, err := e.fs.Create(ctx, e.at("open"), dfs.CreateOptions{})
	e.must(err)
	_, err = e.fs.Create(ctx, e.at("open"), dfs.CreateOptions{})
	e.want("create onto a file that is being written", err, fs.ErrExist)
	e.must(open.Close(ctx))
	if _, err = e.fs.Create(ctx, e.at("a/below"), dfs.CreateOptions{}); err == nil {
		e.t.Error("create below a file: no error")
	}
	e.put("sized", "")
	f, err := e.fs.Create(ctx, e.at("opts"), dfs.CreateOptions{BlockSize: 1<<20 + 1, Perm: 0o640})
	e.must(err)
	e.must(f.Close(ctx))
	e.wantTree("a=1", "d/", "open=", "opts=", "sized=")
}

func writeAndRead(e env) {
	ctx := e.t.Context()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<14) // 256 KiB
	f, err := e.fs.Create(ctx, e.at("big"), dfs.CreateOptions{})
	e.must(err)
	for b := big; len(b) > 0; {
		n := min(len(b), 70_000)
		got, err := f.Write(b[:n])
		if err != nil || got != n {
			e.t.Fatalf("write %d bytes: %d, %v", n, got, err)
		}
		b = b[n:]
	}
	e.must(f.Close(ctx))
	r, err := e.fs.Open(ctx, e.at("big"))
	e.must(err)
	if r.Size() != int64(len(big)) {
		e.t.Errorf("Size() = %d, want %d", r.Size(), len(big))
	}
	tail := make([]byte, 100)
	if n, err := r.ReadAt(tail, r.Size()-100); n != 100 || err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(tail, big[len(big)-100:]) {
		e.t.Errorf("ReadAt the last 100 bytes: %d, %v", n, err)
	}
	if n, err := r.ReadAt(tail, r.Size()-10); n != 10 || !errors.Is(err, io.EOF) {
		e.t.Errorf("ReadAt over the end: %d, %v; want 10, EOF", n, err)
	}
	all, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(all, big) {
		e.t.Errorf("read %d bytes, %v; what was written is %d bytes", len(all), err, len(big))
	}
	e.must(r.Close())
	_, err = e.fs.Open(ctx, e.at("none"))
	e.want("open what is not there", err, fs.ErrNotExist)
}

func stat(e env) {
	ctx := e.t.Context()
	e.mkdirs("d")
	e.put("d/f", "12345")
	i, err := e.fs.Stat(ctx, e.at("d/f"))
	e.must(err)
	if i.Name != "f" || i.Size != 5 || i.Dir || i.ID == 0 || i.ModTime.IsZero() {
		e.t.Errorf("file: %+v", i)
	}
	d, err := e.fs.Stat(ctx, e.at("d"))
	e.must(err)
	if d.Name != "d" || !d.Dir || d.ID == 0 || d.ID == i.ID {
		e.t.Errorf("directory: %+v, its file has id %d", d, i.ID)
	}
	_, err = e.fs.Stat(ctx, e.at("none"))
	e.want("stat what is not there", err, fs.ErrNotExist)
	_, err = e.fs.Stat(ctx, e.at("none/f"))
	e.want("stat without a parent", err, fs.ErrNotExist)
	l, err := e.fs.List(ctx, e.at("d"))
	e.must(err)
	if len(l) != 1 || l[0].Name != "f" || l[0].ID != i.ID || l[0].Size != 5 || l[0].Dir {
		e.t.Errorf("List says %+v, Stat said %+v", l, i)
	}
}

func mkdir(e env) {
	ctx := e.t.Context()
	e.must(e.fs.MkdirAll(ctx, e.at("a/b/c"), 0))
	e.must(e.fs.MkdirAll(ctx, e.at("a/b/c"), 0o750))
	e.put("f", "x")
	if err := e.fs.MkdirAll(ctx, e.at("f"), 0); err == nil {
		e.t.Error("mkdir onto a file: no error")
	}
	if err := e.fs.MkdirAll(ctx, e.at("f/d"), 0); err == nil {
		e.t.Error("mkdir below a file: no error")
	}
	e.wantTree("a/", "a/b/", "a/b/c/", "f=x")
}

func list(e env, entries int) {
	ctx := e.t.Context()
	_, err := e.fs.List(ctx, e.at("none"))
	e.want("list what is not there", err, fs.ErrNotExist)
	e.mkdirs("d")
	is, err := e.fs.List(ctx, e.at("d"))
	if err != nil || len(is) != 0 {
		e.t.Errorf("list of an empty directory: %v, %v", is, err)
	}
	var want []string
	for n := range entries {
		name := fmt.Sprintf("e%d", n*7919%entries)
		want = append(want, name)
		e.mkdirs("d/" + name)
	}
	e.mkdirs("d/e0/below")
	slices.Sort(want)
	is, err = e.fs.List(ctx, e.at("d"))
	e.must(err)
	var got []string
	for _, i := range is {
		got = append(got, i.Name)
	}
	if d := cmp.Diff(want, got); d != "" {
		e.t.Errorf("names, sorted as bytes (-want +got):\n%s", d)
	}
}

// listWhileChanging: entries that stay are in every listing, whatever comes and goes beside them.
func listWhileChanging(e env, entries int) {
	ctx := e.t.Context()
	e.mkdirs("d")
	for n := range entries {
		e.mkdirs(fmt.Sprintf("d/stay%04d", n))
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			name := e.at(fmt.Sprintf("d/stay%04d-comes", n%entries))
			if err := errors.Join(e.fs.MkdirAll(ctx, name, 0), e.fs.RemoveAll(ctx, name)); err != nil {
				e.t.Error(err)
				return
			}
		}
	})
	for range 20 {
		is, err := e.fs.List(ctx, e.at("d"))
		if err != nil {
			e.t.Error(err)
			break
		}
		staying(e, is, entries)
	}
	close(stop)
	wg.Wait()
}

// staying checks that a listing is in order and has every entry that stays.
func staying(e env, is []dfs.Info, entries int) {
	n := 0
	for i, info := range is {
		if !strings.HasSuffix(info.Name, "-comes") {
			n++
		}
		if i > 0 && is[i-1].Name >= info.Name {
			e.t.Errorf("%s comes before %s", is[i-1].Name, info.Name)
		}
	}
	if n != entries {
		e.t.Errorf("%d of %d entries that stay were listed", n, entries)
	}
}

func names(e env) {
	ctx := e.t.Context()
	long := strings.Repeat("n", dfs.MaxComponent)
	e.mkdirs("ok")
	for _, good := range []string{".hidden", "a b", "dt=2026-01-02", "a+b~c", "%3A", "ü", long} {
		e.put("ok/"+good, "")
	}
	for _, bad := range []string{
		e.at("a:b"), e.at("x/") + "/", e.dir + "//x", e.dir + "/./x", e.dir + "/../x", "relative", "", e.at(long + "n"), e.at("a:b/c"),
	} {
		_, err := e.fs.Create(ctx, bad, dfs.CreateOptions{})
		e.want("create "+bad, err, dfs.ErrInvalidName)
		e.want("mkdir "+bad, e.fs.MkdirAll(ctx, bad, 0), dfs.ErrInvalidName)
		e.want("rename to "+bad, e.fs.Rename(ctx, e.at("ok"), bad), dfs.ErrInvalidName)
		e.want("rename from "+bad, e.fs.Rename(ctx, bad, e.at("new")), dfs.ErrInvalidName)
		e.want("remove "+bad, e.fs.RemoveAll(ctx, bad), dfs.ErrInvalidName)
		_, err = e.fs.Stat(ctx, bad)
		e.want("stat "+bad, err, dfs.ErrInvalidName)
		_, err = e.fs.List(ctx, bad)
		e.want("list "+bad, err, dfs.ErrInvalidName)
		_, err = e.fs.Open(ctx, bad)
		e.want("open "+bad, err, dfs.ErrInvalidName)
	}
	if i, err := e.fs.Stat(ctx, "/"); err != nil || !i.Dir {
		e.t.Errorf("stat of the root: %+v, %v", i, err)
	}
}

func remove(e env) {
	ctx := e.t.Context()
	e.mkdirs("d/e", "keep")
	e.put("d/e/f", "1")
	e.put("f", "2")
	e.must(e.fs.RemoveAll(ctx, e.at("d")))
	e.must(e.fs.RemoveAll(ctx, e.at("f")))
	e.must(e.fs.RemoveAll(ctx, e.at("d")))
	e.must(e.fs.RemoveAll(ctx, e.at("none/none")))
	e.wantTree("keep/")
}

func removeOpenFile(e env) {
	ctx := e.t.Context()
	e.mkdirs("d")
	f, err := e.fs.Create(ctx, e.at("d/f"), dfs.CreateOptions{})
	e.must(err)
	_, err = f.Write([]byte("1"))
	e.must(err)
	e.must(e.fs.RemoveAll(ctx, e.at("d")))
	_, writeErr := f.Write([]byte("2"))
	if closeErr := f.Close(ctx); writeErr == nil && closeErr == nil {
		e.t.Error("write and close of a deleted file: no error")
	}
	f.Abort()
	e.wantTree()
}

func closeOnce(e env) {
	ctx := e.t.Context()
	f, err := e.fs.Create(ctx, e.at("f"), dfs.CreateOptions{})
	e.must(err)
	_, err = f.Write([]byte("1"))
	e.must(err)
	e.must(f.Close(ctx))
	if err := f.Close(ctx); err == nil {
		e.t.Error("second close: no error")
	}
	if _, err := f.Write([]byte("2")); err == nil {
		e.t.Error("write after close: no error")
	}
	f.Abort()
	e.wantTree("f=1")
}

// abort: the name stays until it is removed, nothing more can be written, and it may be called at any time.
func abort(e env) {
	ctx := e.t.Context()
	f, err := e.fs.Create(ctx, e.at("f"), dfs.CreateOptions{})
	e.must(err)
	_, err = f.Write([]byte("1"))
	e.must(err)
	f.Abort()
	f.Abort()
	if _, err := f.Write([]byte("2")); err == nil {
		e.t.Error("write after abort: no error")
	}
	if err := f.Close(ctx); err == nil {
		e.t.Error("close after abort: no error")
	}
	_, err = e.fs.Create(ctx, e.at("f"), dfs.CreateOptions{})
	e.want("create onto an aborted file", err, fs.ErrExist)
	e.must(e.fs.RemoveAll(ctx, e.at("f")))
	e.put("f", "new")
	e.wantTree("f=new")
}

// contexts: a call under an ended context has no effect, or says that it does not know.
func contexts(e env) {
	ctx, cancel := context.WithCancel(e.t.Context())
	e.mkdirs("d")
	cancel()
	if err := e.fs.Rename(ctx, e.at("d"), e.at("d2")); err == nil {
		e.t.Error("rename under an ended context: no error")
	}
	if _, err := e.fs.Stat(ctx, e.at("d")); err == nil {
		e.t.Error("stat under an ended context: no error")
	}
	if _, err := e.fs.List(ctx, e.at("d")); err == nil {
		e.t.Error("list under an ended context: no error")
	}
	if f, err := e.fs.Create(ctx, e.at("d/f"), dfs.CreateOptions{}); err == nil {
		f.Abort()
		e.t.Error("create under an ended context: no error")
	}
}
