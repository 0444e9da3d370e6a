// Package mem is a file system in memory for tests: as strict as HDFS (no implicit parents in Create, a rename never
// replaces, HDFS's rules for names) and as lenient (an open file is known by its id, wherever its directory goes).
package mem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// Options of a file system; the zero value is fine.
type Options struct {
	PageSize int              // entries per page of List; between pages other calls get their turn. 0: 1000, as HDFS
	Now      func() time.Time // for ModTime; nil: time.Now
	// Check is asked before a change takes effect, with the call's name ("create", "mkdir", "rename", "remove", "write",
	// "close") and path: a quota, a permission. It must not call the file system.
	Check func(op, name string) error
	// BetweenPages, when not nil, is called after each page of a List but the last, without a lock held.
	BetweenPages func(dir string)
}

// FS is the file system. Its zero value is not usable; see New.
type FS struct {
	o  Options
	mu sync.Mutex
	// All below is guarded by mu.
	root *node
	last dfs.FileID
}

type node struct {
	id       dfs.FileID
	name     string
	parent   *node
	children map[string]*node // nil: a file
	data     []byte
	open     bool // being written
	gone     bool // deleted, itself or a directory above
	mod      time.Time
}

var _ dfs.FS = (*FS)(nil)

// New makes an empty file system.
func New(o Options) *FS {
	if o.PageSize <= 0 {
		o.PageSize = 1000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	f := &FS{o: o}
	f.root = f.newNode(nil, "", true)
	return f
}

func (f *FS) newNode(parent *node, name string, dir bool) *node {
	f.last++
	n := &node{id: f.last, name: name, parent: parent, mod: f.o.Now()}
	if dir {
		n.children = map[string]*node{}
	}
	if parent != nil {
		parent.children[name] = n
		parent.mod = n.mod
	}
	return n
}

func (n *node) info() dfs.Info {
	return dfs.Info{Name: n.name, ID: n.id, Size: int64(len(n.data)), Dir: n.children != nil, ModTime: n.mod}
}

// find walks to name. A file on the way is a refusal, as on HDFS (ParentNotDirectoryException).
func (f *FS) find(name string) (*node, error) {
	n := f.root
	for rest := strings.TrimPrefix(name, "/"); rest != ""; {
		var c string
		c, rest, _ = strings.Cut(rest, "/")
		if n.children == nil {
			return nil, fmt.Errorf("%w: %s is not a directory", dfs.ErrRefused, n.path())
		}
		if n = n.children[c]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

func (f *FS) findDir(name string) (*node, error) {
	n, err := f.find(name)
	if err == nil && n.children == nil {
		return nil, fmt.Errorf("%w: %s is not a directory", dfs.ErrRefused, name)
	}
	return n, err
}

func (n *node) path() string {
	if n.parent == nil {
		return "/"
	}
	return path.Join(n.parent.path(), n.name)
}

// begin is what every call starts with.
func (f *FS) begin(ctx context.Context, op string, names ...string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s %s: %w", op, names[0], err)
	}
	for _, n := range names {
		if err := dfs.CheckName(n); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	return nil
}

func (f *FS) check(op, name string) error {
	if f.o.Check == nil {
		return nil
	}
	return f.o.Check(op, name)
}

// wrap names the call in its error.
func wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Stat implements dfs.FS.
func (f *FS) Stat(ctx context.Context, name string) (dfs.Info, error) {
	if err := f.begin(ctx, "stat", name); err != nil {
		return dfs.Info{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(name)
	if err != nil {
		return dfs.Info{}, wrap("stat", name, err)
	}
	return n.info(), nil
}

// List implements dfs.FS. Each page is read under the lock, the next begins behind the last name of the one before.
func (f *FS) List(ctx context.Context, dir string) ([]dfs.Info, error) {
	if err := f.begin(ctx, "list", dir); err != nil {
		return nil, err
	}
	var all []dfs.Info
	for after := ""; ; after = all[len(all)-1].Name {
		more, err := f.page(dir, after, &all)
		if err != nil {
			return nil, wrap("list", dir, err)
		}
		if !more {
			return all, nil
		}
		if f.o.BetweenPages != nil {
			f.o.BetweenPages(dir)
		}
	}
}

func (f *FS) page(dir, after string, all *[]dfs.Info) (more bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.findDir(dir)
	if err != nil {
		return false, err
	}
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		if name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if more = len(names) > f.o.PageSize; more {
		names = names[:f.o.PageSize]
	}
	for _, name := range names {
		*all = append(*all, n.children[name].info())
	}
	return more, nil
}

// MkdirAll implements dfs.FS.
func (f *FS) MkdirAll(ctx context.Context, name string, _ fs.FileMode) error {
	if err := f.begin(ctx, "mkdir", name); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("mkdir", name); err != nil {
		return wrap("mkdir", name, err)
	}
	n := f.root
	for rest := strings.TrimPrefix(name, "/"); rest != ""; {
		var c string
		c, rest, _ = strings.Cut(rest, "/")
		next := n.children[c]
		switch {
		case next == nil:
			next = f.newNode(n, c, true)
		case next.children == nil && rest == "":
			return wrap("mkdir", name, fs.ErrExist) // a file has the name
		case next.children == nil:
			return wrap("mkdir", name, fmt.Errorf("%w: %s is not a directory", dfs.ErrRefused, next.path()))
		}
		n = next
	}
	return nil
}

// Create implements dfs.FS.
func (f *FS) Create(ctx context.Context, name string, _ dfs.CreateOptions) (dfs.File, error) {
	if err := f.begin(ctx, "create", name); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("create", name); err != nil {
		return nil, wrap("create", name, err)
	}
	if name == "/" {
		return nil, wrap("create", name, fs.ErrExist)
	}
	dir, err := f.findDir(path.Dir(name))
	if err != nil {
		return nil, wrap("create", name, err)
	}
	base := path.Base(name)
	if dir.children[base] != nil {
		return nil, wrap("create", name, fs.ErrExist)
	}
	n := f.newNode(dir, base, false)
	n.open = true
	return &file{fs: f, node: n, name: name}, nil
}

// Open implements dfs.FS. A file that is still being written cannot be opened.
func (f *FS) Open(ctx context.Context, name string) (dfs.Reader, error) {
	if err := f.begin(ctx, "open", name); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(name)
	switch {
	case err != nil:
		return nil, wrap("open", name, err)
	case n.children != nil:
		return nil, wrap("open", name, fmt.Errorf("%w: it is a directory", dfs.ErrRefused))
	case n.open:
		return nil, wrap("open", name, fmt.Errorf("%w: it is still being written", dfs.ErrRefused))
	}
	return reader{bytes.NewReader(n.data)}, nil
}

// Rename implements dfs.FS.
func (f *FS) Rename(ctx context.Context, from, to string) error {
	if err := f.begin(ctx, "rename", from, to); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("rename", from); err != nil {
		return wrap("rename", from, err)
	}
	err := f.rename(from, to)
	return wrap("rename", from+" to "+to, err)
}

// rename checks in the NameNode's order (FSDirRenameOp.validateRenameSource and after): source, itself, own child, target's
// parent, target.
func (f *FS) rename(from, to string) error {
	n, err := f.find(from)
	if err != nil {
		return err
	}
	if n == f.root || to == "/" {
		return fmt.Errorf("%w: the root cannot be renamed", dfs.ErrRefused)
	}
	if from == to {
		return fs.ErrExist
	}
	if strings.HasPrefix(to, from+"/") {
		return fmt.Errorf("%w: a directory cannot move into itself", dfs.ErrRefused)
	}
	dir, err := f.findDir(path.Dir(to))
	if err != nil {
		return err
	}
	base := path.Base(to)
	if dir.children[base] != nil {
		return fs.ErrExist
	}
	delete(n.parent.children, n.name)
	n.parent.mod = f.o.Now()
	n.parent, n.name = dir, base
	dir.children[base] = n
	dir.mod = f.o.Now()
	return nil
}

// RemoveAll implements dfs.FS.
func (f *FS) RemoveAll(ctx context.Context, name string) error {
	if err := f.begin(ctx, "remove", name); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check("remove", name); err != nil {
		return wrap("remove", name, err)
	}
	n, err := f.find(name)
	switch {
	case err != nil: // missing, or below a file: nothing there
		return nil // fine when it is not there
	case n == f.root:
		return wrap("remove", name, fmt.Errorf("%w: the root cannot be removed", dfs.ErrRefused))
	}
	delete(n.parent.children, n.name)
	n.parent.mod = f.o.Now()
	n.kill()
	return nil
}

func (n *node) kill() {
	n.gone = true
	for _, c := range n.children {
		c.kill()
	}
}

// Walk calls visit for every file and directory below dir, in order of names, with absolute paths. For tests' oracles: it is not
// part of dfs.FS, takes no context and sees the tree at one moment.
func (f *FS) Walk(dir string, visit func(name string, i dfs.Info, data []byte)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(dir)
	if err != nil {
		return
	}
	walk(dir, n, visit)
}

func walk(at string, n *node, visit func(string, dfs.Info, []byte)) {
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		c, p := n.children[name], path.Join(at, name)
		visit(p, c.info(), c.data)
		walk(p, c, visit)
	}
}

type reader struct{ *bytes.Reader }

func (reader) Close() error { return nil }

// file is open for writing. It holds the node, not the name: that is HDFS's file id.
type file struct {
	fs   *FS
	node *node
	name string
	done bool
}

var _ io.Writer = (*file)(nil)

func (w *file) Write(p []byte) (int, error) {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	if w.done {
		return 0, wrap("write", w.name, fs.ErrClosed)
	}
	if err := w.fs.check("write", w.name); err != nil {
		w.done = true
		return 0, wrap("write", w.name, err)
	}
	w.node.data = append(w.node.data, p...) // into a deleted file too: a DataNode does not know yet
	return len(p), nil
}

func (w *file) Close(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("close %s: %w: %w", w.name, dfs.ErrNoAnswer, err)
	}
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	if w.done {
		return wrap("close", w.name, fs.ErrClosed)
	}
	w.done = true
	if err := w.fs.check("close", w.name); err != nil {
		return wrap("close", w.name, err)
	}
	if w.node.gone {
		return wrap("close", w.name, fs.ErrNotExist)
	}
	w.node.open = false
	w.node.mod = w.fs.o.Now()
	return nil
}

func (w *file) Abort() {
	w.fs.mu.Lock()
	defer w.fs.mu.Unlock()
	w.done = true
}
