package mem_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/dfstest"
	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/hdfssink/dfs/mem"
)

func TestSuite(t *testing.T) {
	t.Run("pages of 3", func(t *testing.T) {
		dfstest.Suite(t, func(*testing.T) dfs.FS { return mem.New(mem.Options{PageSize: 3}) })
	})
	t.Run("default pages", func(t *testing.T) {
		dfstest.Suite(t, func(*testing.T) dfs.FS { return mem.New(mem.Options{}) })
	})
	t.Run("behind fault without faults", func(t *testing.T) {
		dfstest.Suite(t, func(*testing.T) dfs.FS { return fault.New(mem.New(mem.Options{PageSize: 4}), fault.Plan{}) })
	})
}

func TestPagesAreNotAtomic(t *testing.T) {
	var f *mem.FS
	done := false
	f = mem.New(mem.Options{PageSize: 2, BetweenPages: func(string) {
		if done {
			return
		}
		done = true
		for _, n := range []string{"/d/a0", "/d/c9"} { // before and behind the page that was read
			if err := f.MkdirAll(t.Context(), n, 0); err != nil {
				t.Error(err)
			}
		}
	}})
	for _, n := range []string{"/d/a", "/d/b", "/d/c"} {
		if err := f.MkdirAll(t.Context(), n, 0); err != nil {
			t.Fatal(err)
		}
	}
	is, err := f.List(t.Context(), "/d")
	if err != nil || len(is) != 4 || is[2].Name != "c" || is[3].Name != "c9" {
		t.Errorf("got %v, %v; want a, b, c and c9 without a0", is, err)
	}
}

func TestCheckRefuses(t *testing.T) {
	quota := false
	f := mem.New(mem.Options{Check: func(op, _ string) error {
		if quota && op == "write" {
			return dfs.ErrQuota
		}
		if quota && op == "rename" {
			return fs.ErrPermission
		}
		return nil
	}})
	w, err := f.Create(t.Context(), "/f", dfs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	quota = true
	if _, err := w.Write([]byte("1")); !errors.Is(err, dfs.ErrQuota) {
		t.Errorf("write: %v", err)
	}
	if err := w.Close(t.Context()); err == nil {
		t.Error("close after a failed write: no error")
	}
	if err := f.Rename(t.Context(), "/f", "/g"); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("rename: %v", err)
	}
	if _, err := f.Stat(t.Context(), "/f"); err != nil {
		t.Errorf("a refused rename had an effect: %v", err)
	}
}
