package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"sync/atomic"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// listTries bounds how often List starts again because entries went away under its eyes; it does so for directories of up to
// pageSize entries, which HDFS lists in one go.
const (
	listTries = 20
	pageSize  = 1000
)

// removeTries bounds how often RemoveAll starts again because somebody made a file in what it removes.
const removeTries = 5

// FS is a folder of this machine as a file system.
type FS struct {
	root   *os.Root
	top    *os.File // the root again, for calls that os.Root does not have
	dirs   *dirs
	fsync  func(*os.File) error
	broken atomic.Pointer[error] // why nothing may be changed any more
}

// New makes the file system whose "/" is the folder root, which must exist. Close lets go of it.
func New(root string) (*FS, error) {
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open the root folder %s of a local file system: %w; make it first", root, err)
	}
	top, err := r.Open(".")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the root folder %s of a local file system: %w", root, err), r.Close())
	}
	f := &FS{root: r, top: top, fsync: (*os.File).Sync}
	f.dirs = &dirs{root: r, fsync: func(d *os.File) error { return f.fsync(d) }, open: map[inode]*dir{}}
	return f, nil
}

// Close gives back the root's file descriptors. No call may be under way and no file open.
func (f *FS) Close() error { return errors.Join(f.top.Close(), f.root.Close()) }

// Stat implements dfs.FS.
func (f *FS) Stat(ctx context.Context, name string) (dfs.Info, error) {
	if err := check(ctx, name); err != nil {
		return dfs.Info{}, fmt.Errorf("stat: %w", err)
	}
	i, err := f.stat(name)
	if err != nil {
		return dfs.Info{}, fmt.Errorf("stat %s: %w", name, reading(err))
	}
	return i, nil
}

func (f *FS) stat(name string) (dfs.Info, error) {
	dir, base := path.Split(name)
	if base == "" {
		base = "."
	}
	parent, err := f.root.OpenFile(rel(dir), os.O_RDONLY|openDirectory, 0)
	if err != nil {
		return dfs.Info{}, err
	}
	defer parent.Close()
	i, _, err := statAt(parent, base)
	if base == "." {
		i.Name = ""
	}
	return i, err
}

// List implements dfs.FS.
func (f *FS) List(ctx context.Context, dir string) ([]dfs.Info, error) {
	if err := check(ctx, dir); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	d, err := f.root.OpenFile(rel(dir), os.O_RDONLY|openDirectory, 0)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, reading(err))
	}
	defer d.Close()
	for try := 0; ; try++ {
		list, gone, err := entries(d)
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", dir, reading(err))
		}
		// What went away after it was named may have been renamed within dir, and must not be missing under both names.
		if !gone || try >= listTries || len(list) > pageSize || ctx.Err() != nil {
			return list, nil
		}
		if _, err := d.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("list %s: %w", dir, reading(err))
		}
	}
}

// entries describes what is in d. gone: some of it went away meanwhile.
func entries(d *os.File) (list []dfs.Info, gone bool, err error) {
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, false, err
	}
	sort.Strings(names)
	for _, n := range names {
		i, _, err := statAt(d, n)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			gone = true
		case err != nil:
			return nil, false, fmt.Errorf("stat %s: %w", n, err)
		default:
			list = append(list, i)
		}
	}
	return list, gone, nil
}

// MkdirAll implements dfs.FS. perm 0 is 0777 less the process's umask; any other is used as it is.
func (f *FS) MkdirAll(ctx context.Context, name string, perm fs.FileMode) error {
	if err := f.checkChange(ctx, name); err != nil {
		return fmt.Errorf("mkdir: %w", err)
	}
	if err := f.mkdirAll(name, perm); err != nil {
		return fmt.Errorf("mkdir %s: %w", name, err)
	}
	return nil
}

func (f *FS) mkdirAll(name string, perm fs.FileMode) error {
	if name == "/" {
		return nil
	}
	i, err := f.stat(name)
	if err == nil && !i.Dir {
		return fmt.Errorf("%s is a file: %w", name, fs.ErrExist)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = f.mkdirParent(path.Dir(name), perm)
	}
	if err != nil {
		return changing(err)
	}
	parent, err := f.dirs.acquire(path.Dir(name))
	if err != nil {
		return changing(err)
	}
	defer f.dirs.release(parent)
	if i.Dir {
		return f.syncIfDirty(parent) // whoever made it may not be done yet
	}
	parent.begin()
	err = mkdirAt(parent.f, path.Base(name), perm)
	n := parent.end()
	if errors.Is(err, fs.ErrExist) { // somebody was quicker
		if i, _, err = statAt(parent.f, path.Base(name)); err == nil && !i.Dir {
			return fmt.Errorf("%s is a file: %w", name, fs.ErrExist)
		}
	}
	if err != nil {
		return changing(err)
	}
	return f.sync(parent, n)
}

func (f *FS) mkdirParent(dir string, perm fs.FileMode) error {
	err := f.mkdirAll(dir, perm)
	if errors.Is(err, fs.ErrExist) { // for the child it is not "exists" but "cannot be"
		return fmt.Errorf("%w: %s is not a directory", dfs.ErrRefused, dir)
	}
	return err
}

// Create implements dfs.FS. Perm 0 is 0666 less the process's umask; any other is used as it is. BlockSize means nothing here.
func (f *FS) Create(ctx context.Context, name string, o dfs.CreateOptions) (dfs.File, error) {
	if err := f.checkChange(ctx, name); err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	if name == "/" {
		return nil, fmt.Errorf("create /: %w", fs.ErrExist)
	}
	parent, err := f.dirs.acquire(path.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, changing(err))
	}
	parent.begin()
	file, err := createAt(parent.f, path.Base(name), o.Perm)
	n := parent.end()
	if err != nil {
		f.dirs.release(parent)
		return nil, fmt.Errorf("create %s: %w", name, changing(err))
	}
	return &writer{fs: f, f: file, name: name, parent: parent, change: n}, nil
}

// Open implements dfs.FS.
func (f *FS) Open(ctx context.Context, name string) (dfs.Reader, error) {
	if err := check(ctx, name); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	file, err := f.root.OpenFile(rel(name), os.O_RDONLY|openNonblock, 0) // a named pipe must not hang the agent
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, reading(err))
	}
	i, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open %s: %w", name, reading(err))
	}
	if !i.Mode().IsRegular() {
		_ = file.Close()
		return nil, fmt.Errorf("open %s: %w: it is not a file but %s", name, dfs.ErrRefused, i.Mode().Type())
	}
	return &reader{File: file, size: i.Size()}, nil
}

// Rename implements dfs.FS.
func (f *FS) Rename(ctx context.Context, from, to string) error {
	for _, name := range []string{from, to} {
		if err := f.checkChange(ctx, name); err != nil {
			return fmt.Errorf("rename: %w", err)
		}
	}
	if err := f.rename(from, to); err != nil {
		return fmt.Errorf("rename %s to %s: %w", from, to, err)
	}
	return nil
}

func (f *FS) rename(from, to string) error {
	if from == "/" || to == "/" {
		return fmt.Errorf("%w: the root cannot be renamed or replaced", dfs.ErrRefused)
	}
	source, err := f.dirs.acquire(path.Dir(from))
	if err != nil {
		return changing(err)
	}
	defer f.dirs.release(source)
	target, err := f.dirs.acquire(path.Dir(to))
	if err != nil {
		return changing(err)
	}
	defer f.dirs.release(target)
	if _, _, err := statAt(source.f, path.Base(from)); err != nil {
		return changing(err) // before the check below: a source that is not there is ErrNotExist whatever the target
	}
	if within(from, to) {
		return fmt.Errorf("%w: a directory cannot be moved into itself", dfs.ErrRefused)
	}
	source.begin()
	target.begin()
	err = f.renameNoReplace(from, to)
	s, t := source.end(), target.end()
	if err != nil {
		return changing(err)
	}
	if source == target {
		return f.sync(target, t)
	}
	if err := f.sync(target, t); err != nil { // first where it is now: a crash in between may show it twice, never not at all
		return err
	}
	return f.sync(source, s)
}

// RemoveAll implements dfs.FS. It is not atomic.
func (f *FS) RemoveAll(ctx context.Context, name string) error {
	if err := f.checkChange(ctx, name); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	if name == "/" {
		return fmt.Errorf("remove /: %w: the root cannot be removed", dfs.ErrRefused)
	}
	parent, err := f.dirs.acquire(path.Dir(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, changing(err))
	}
	defer f.dirs.release(parent)
	parent.begin()
	for range removeTries {
		if err = f.root.RemoveAll(rel(name)); !errors.Is(err, errNotEmpty) {
			break
		}
	}
	n := parent.end()
	if errors.Is(err, errNotEmpty) {
		return fmt.Errorf("remove %s: %w: somebody goes on making files in it", name, dfs.ErrUnavailable)
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", name, changing(err))
	}
	if err := f.sync(parent, n); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

// sync makes change n of d durable. A failure poisons the file system.
func (f *FS) sync(d *dir, n uint64) error {
	if err := d.sync(n); err != nil {
		err = fmt.Errorf("fsync of a directory failed (%w): what is on disk is not known any more; look at the disk, then start the agent anew", err)
		f.broken.CompareAndSwap(nil, &err)
		return fmt.Errorf("%w: %w", dfs.ErrNoAnswer, err)
	}
	return nil
}

func (f *FS) syncIfDirty(d *dir) error {
	n, dirty := d.dirty()
	if !dirty {
		return nil
	}
	return f.sync(d, n)
}

// checkChange is check for calls with an effect.
func (f *FS) checkChange(ctx context.Context, name string) error {
	if err := f.broken.Load(); err != nil {
		return fmt.Errorf("%s: %w: an earlier %w", name, dfs.ErrRefused, *err)
	}
	return check(ctx, name)
}

func check(ctx context.Context, name string) error {
	if err := dfs.CheckName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // system calls cannot be cut short; this is the place to stop
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// rel is name for calls that start at the root's descriptor.
func rel(name string) string {
	if name = path.Clean(name); name == "/" {
		return "."
	}
	return name[1:]
}

// within reports whether to lies below from.
func within(from, to string) bool {
	return len(to) > len(from) && to[:len(from)] == from && to[len(from)] == '/'
}
