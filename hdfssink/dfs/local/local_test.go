package local_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/local"
)

var _ dfs.FS = (*local.FS)(nil)

// open makes a file system over a fresh folder and returns the folder too.
func open(t testing.TB) (*local.FS, string) {
	t.Helper()
	dir := t.TempDir()
	f, err := local.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, dir
}

func write(t testing.TB, f dfs.FS, name, content string) dfs.Info {
	t.Helper()
	w, err := f.Create(t.Context(), name, dfs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	i, err := f.Stat(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestNewWantsAFolder(t *testing.T) {
	dir := t.TempDir()
	if _, err := local.New(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := local.New(file); err == nil {
		t.Error("a file was taken as root")
	}
}

// A link may not lead out of the root, whatever is asked of it.
func TestLinksDoNotLeadOut(t *testing.T) {
	f, dir := open(t)
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"out": outside, "file": secret} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(t, f, "/mine", "x")
	ctx := t.Context()
	for what, call := range map[string]func() error{
		"stat below":   func() error { _, err := f.Stat(ctx, "/out/secret"); return err },
		"list":         func() error { _, err := f.List(ctx, "/out"); return err },
		"open":         func() error { _, err := f.Open(ctx, "/file"); return err },
		"create below": func() error { _, err := f.Create(ctx, "/out/new", dfs.CreateOptions{}); return err },
		"create":       func() error { _, err := f.Create(ctx, "/file", dfs.CreateOptions{}); return err },
		"mkdir below":  func() error { return f.MkdirAll(ctx, "/out/new", 0) },
		"rename in":    func() error { return f.Rename(ctx, "/mine", "/out/new") },
		"rename out":   func() error { return f.Rename(ctx, "/out/secret", "/stolen") },
		"remove below": func() error { return f.RemoveAll(ctx, "/out/secret") },
	} {
		if err := call(); err == nil {
			t.Errorf("%s: went through a link out of the root", what)
		}
	}
	if err := f.RemoveAll(ctx, "/out"); err != nil {
		t.Errorf("remove the link itself: %v", err)
	}
	if got, err := os.ReadFile(secret); err != nil || string(got) != "x" {
		t.Errorf("the file outside: %q, %v", got, err)
	}
	left, err := os.ReadDir(outside)
	if err != nil || len(left) != 1 {
		t.Errorf("outside there is now %v, %v", left, err)
	}
}

// A new file that gets the inode of one just deleted is another file.
func TestFileIDSurvivesRenameButNotReuse(t *testing.T) {
	f, _ := open(t)
	ctx := t.Context()
	first := write(t, f, "/a", "1")
	if err := f.MkdirAll(ctx, "/d", 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Rename(ctx, "/a", "/d/b"); err != nil {
		t.Fatal(err)
	}
	moved, err := f.Stat(ctx, "/d/b")
	if err != nil || moved.ID != first.ID || moved.ID == 0 {
		t.Fatalf("id after a rename: %x, was %x, %v", moved.ID, first.ID, err)
	}
	seen := map[dfs.FileID]bool{first.ID: true}
	for range 200 { // ext4 gives the same inode number at once
		if err := f.RemoveAll(ctx, "/d/b"); err != nil {
			t.Fatal(err)
		}
		i := write(t, f, "/d/b", "1")
		if seen[i.ID] {
			t.Fatalf("id %x came back", i.ID)
		}
		seen[i.ID] = true
	}
}

func TestPermissionsAreExactWhenGiven(t *testing.T) {
	old := syscall.Umask(0o027)
	t.Cleanup(func() { syscall.Umask(old) })
	f, dir := open(t)
	ctx := t.Context()
	for _, tc := range []struct {
		name       string
		perm, want fs.FileMode
		dir        bool
	}{
		{"/file-default", 0, 0o640, false},
		{"/file-666", 0o666, 0o666, false},
		{"/dir-default", 0, 0o750, true},
		{"/dir-777", 0o777, 0o777, true},
	} {
		if tc.dir {
			if err := f.MkdirAll(ctx, tc.name, tc.perm); err != nil {
				t.Fatal(err)
			}
		} else {
			w, err := f.Create(ctx, tc.name, dfs.CreateOptions{Perm: tc.perm})
			if err != nil {
				t.Fatal(err)
			}
			w.Abort()
		}
		i, err := os.Stat(filepath.Join(dir, tc.name))
		if err != nil {
			t.Fatal(err)
		}
		if i.Mode().Perm() != tc.want {
			t.Errorf("%s has %v, want %v", tc.name, i.Mode().Perm(), tc.want)
		}
	}
}

func TestOddFiles(t *testing.T) {
	f, dir := open(t)
	ctx := t.Context()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(ctx, "/pipe"); !errors.Is(err, dfs.ErrRefused) { // and it must not hang
		t.Errorf("open a pipe: %v", err)
	}
	if err := f.Rename(ctx, "/", "/x"); !errors.Is(err, dfs.ErrRefused) {
		t.Errorf("rename the root: %v", err)
	}
	if err := f.RemoveAll(ctx, "/"); !errors.Is(err, dfs.ErrRefused) {
		t.Errorf("remove the root: %v", err)
	}
}

func TestEndedContext(t *testing.T) {
	f, _ := open(t)
	write(t, f, "/a", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Rename(ctx, "/a", "/b"); !errors.Is(err, context.Canceled) {
		t.Errorf("rename: %v", err)
	}
	if _, err := f.Stat(t.Context(), "/a"); err != nil {
		t.Errorf("a call that did not begin had an effect: %v", err)
	}
}

func BenchmarkWrite(b *testing.B) {
	f, _ := open(b)
	chunk := bytes.Repeat([]byte("penstock"), 8<<10) // 64 KiB
	b.SetBytes(int64(len(chunk)))
	w, err := f.Create(b.Context(), "/f", dfs.CreateOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := w.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
