package local

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// writer is a file open for writing.
type writer struct {
	fs     *FS
	f      *os.File
	name   string // at Create; for messages only
	parent *dir   // the directory it was made in, wherever that is now
	change uint64 // number of that change
	err    error  // the first error
	done   bool   // descriptors are given back
}

// Write implements dfs.File. It does not buffer: encoders do.
func (w *writer) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.f.Write(p)
	if err != nil {
		w.err = fmt.Errorf("write %s: %w", w.name, changing(err))
	}
	return n, w.err
}

// Close implements dfs.File.
func (w *writer) Close(ctx context.Context) error {
	if w.err == nil {
		w.err = w.finish(ctx)
	}
	err := w.err
	w.Abort()
	return err
}

func (w *writer) finish(ctx context.Context) error {
	if err := w.fs.checkChange(ctx, w.name); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if err := w.fs.fsync(w.f); err != nil {
		return fmt.Errorf("close %s: fsync: %w", w.name, changing(err))
	}
	if err := w.fs.sync(w.parent, w.change); err != nil {
		return fmt.Errorf("close %s: %w", w.name, err)
	}
	links, err := linkCount(w.f)
	if err != nil {
		return fmt.Errorf("close %s: %w", w.name, changing(err))
	}
	if links == 0 {
		return fmt.Errorf("close %s: it was removed while it was written: %w", w.name, fs.ErrNotExist)
	}
	return nil
}

// Abort implements dfs.File.
func (w *writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	_ = w.f.Close() // after a clean fsync there is nothing left to fail; without one nobody relies on the file
	w.fs.dirs.release(w.parent)
	if w.err == nil {
		w.err = fmt.Errorf("%s: %w: the file is closed", w.name, dfs.ErrRefused)
	}
}

// reader is a file open for reading.
type reader struct {
	*os.File
	size int64
}

// Size implements dfs.Reader.
func (r *reader) Size() int64 { return r.size }
