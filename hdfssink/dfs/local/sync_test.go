package local

import (
	"errors"
	"os"
	"path"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// recorder stands in for fsync and notes what was synced, by the last component of its path.
type recorder struct {
	mu   sync.Mutex
	log  []string
	fail error
	gate func()
}

func (r *recorder) sync(f *os.File) error {
	if r.gate != nil {
		r.gate()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	at, err := os.Readlink(path.Join("/proc/self/fd", strconv.Itoa(int(f.Fd()))))
	if err != nil {
		return err
	}
	r.log = append(r.log, path.Base(at))
	return r.fail
}

func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	log := r.log
	r.log = nil
	return log
}

func recorded(t *testing.T) (*FS, *recorder) {
	t.Helper()
	dir := path.Join(t.TempDir(), "root")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := New(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	f.fsync = r.sync
	return f, r
}

// What each call has synced when it returns, in order.
func TestSyncsBeforeReturning(t *testing.T) {
	f, r := recorded(t)
	ctx := t.Context()
	var w dfs.File
	for _, step := range []struct {
		what string
		do   func() error
		want []string
	}{
		{"mkdir", func() error { return f.MkdirAll(ctx, "/a/b", 0) }, []string{"root", "a"}},
		{"mkdir again", func() error { return f.MkdirAll(ctx, "/a/b", 0) }, nil},
		{"create", func() (err error) { w, err = f.Create(ctx, "/a/b/f", dfs.CreateOptions{}); return err }, nil},
		{"close", func() error { return w.Close(ctx) }, []string{"f", "b"}},
		{"rename in a directory", func() error { return f.Rename(ctx, "/a/b/f", "/a/b/g") }, []string{"b"}},
		{"rename across", func() error { return f.Rename(ctx, "/a/b/g", "/g") }, []string{"root", "b"}},
		{"rename a directory", func() error { return f.Rename(ctx, "/a/b", "/a/c") }, []string{"a"}},
		{"remove", func() error { return f.RemoveAll(ctx, "/a") }, []string{"root"}},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if diff := cmp.Diff(step.want, r.take()); diff != "" {
			t.Errorf("%s: synced (-want +got):\n%s", step.what, diff)
		}
	}
}

// While one fsync of a directory runs, any number of further changes wait for one more, which begins after they were made.
func TestDirectorySyncsAreShared(t *testing.T) {
	const files = 20
	f, r := recorded(t)
	ctx := t.Context()
	began, goOn := make(chan struct{}, files+1), make(chan struct{})
	r.gate = func() { began <- struct{}{}; <-goOn }
	parent, err := f.dirs.acquire("/")
	if err != nil {
		t.Fatal(err)
	}
	defer f.dirs.release(parent)
	results := make(chan error)
	mkdir := func(name string) { results <- f.MkdirAll(ctx, name, 0) }
	go mkdir("/first")
	<-began
	made := func() uint64 { parent.mu.Lock(); defer parent.mu.Unlock(); return parent.changed }
	for i := range files {
		go mkdir("/d" + strconv.Itoa(i))
	}
	for made() < files+1 { // all have done their part
		runtime.Gosched()
	}
	close(goOn)
	for range files + 1 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"root", "root"}, r.take()); diff != "" {
		t.Errorf("synced (-want +got):\n%s", diff)
	}
}

// The second of two makers of a directory, and whoever finds it there, returns only when it is on disk.
func TestFoundDirectoryIsSynced(t *testing.T) {
	f, r := recorded(t)
	parent, err := f.dirs.acquire("/")
	if err != nil {
		t.Fatal(err)
	}
	defer f.dirs.release(parent)
	parent.begin() // another call has made the entry and was stopped before its fsync
	if err := mkdirAt(parent.f, "d", 0); err != nil {
		t.Fatal(err)
	}
	if err := f.MkdirAll(t.Context(), "/d", 0); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"root"}, r.take()); diff != "" {
		t.Errorf("synced (-want +got):\n%s", diff)
	}
}

// After a failed fsync of a directory nothing may be changed any more, although the kernel would call the next fsync a success.
func TestFailedDirectorySyncPoisons(t *testing.T) {
	f, r := recorded(t)
	ctx := t.Context()
	w, err := f.Create(ctx, "/f", dfs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.fail = syscall.EIO
	if err := f.MkdirAll(ctx, "/d", 0); !errors.Is(err, dfs.ErrNoAnswer) || !errors.Is(err, syscall.EIO) {
		t.Errorf("mkdir: %v", err)
	}
	r.fail = nil
	if err := w.Close(ctx); !errors.Is(err, dfs.ErrRefused) {
		t.Errorf("close: %v", err)
	}
	if err := f.Rename(ctx, "/f", "/g"); !errors.Is(err, dfs.ErrRefused) {
		t.Errorf("rename: %v", err)
	}
	if _, err := f.Stat(ctx, "/f"); err != nil {
		t.Errorf("reading must go on: %v", err)
	}
}

// A failed fsync of a file is that file's end, not the file system's.
func TestFailedFileSync(t *testing.T) {
	f, r := recorded(t)
	ctx := t.Context()
	w, err := f.Create(ctx, "/f", dfs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.fail = syscall.ENOSPC
	if err := w.Close(ctx); !errors.Is(err, dfs.ErrQuota) {
		t.Errorf("close: %v", err)
	}
	r.fail = nil
	if err := w.Close(ctx); err == nil {
		t.Error("a second Close called the file good")
	}
	if err := f.MkdirAll(ctx, "/d", 0); err != nil {
		t.Errorf("the file system is unusable: %v", err)
	}
}

// The way taken where RENAME_NOREPLACE is not known.
func TestLinkAndUnlink(t *testing.T) {
	f, _ := recorded(t)
	ctx := t.Context()
	for _, name := range []string{"/a", "/b"} {
		w, err := f.Create(ctx, name, dfs.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Close(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.MkdirAll(ctx, "/d", 0); err != nil {
		t.Fatal(err)
	}
	if err := linkAndUnlink(f.top, "/a", "/b"); !errors.Is(err, os.ErrExist) {
		t.Errorf("onto a file: %v", err)
	}
	if err := linkAndUnlink(f.top, "/a", "/d"); !errors.Is(err, os.ErrExist) {
		t.Errorf("onto a directory: %v", err)
	}
	if err := linkAndUnlink(f.top, "/d", "/e"); !errors.Is(err, dfs.ErrRefused) {
		t.Errorf("a directory: %v", err)
	}
	if err := linkAndUnlink(f.top, "/a", "/d/a"); err != nil {
		t.Errorf("to a free name: %v", err)
	}
	if _, err := f.Stat(ctx, "/a"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old name: %v", err)
	}
}
