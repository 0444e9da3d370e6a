// Package fault wraps a file system for one owner and lets its calls fail as real ones do: the owner stops dead before call n, the
// answer of call n is lost (with or without the effect, or with the effect later), listings are out of date, calls are refused. Calls are numbered from 1;
// each call of FS and each Write and Close of a file counts. The calls are logged in a form fit for golden files.
package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// ErrCrashed is what every call of a crashed owner returns, for ever. No product code knows it.
var ErrCrashed = errors.New("fault: this owner has crashed")

// Loss says what becomes of a call whose answer is lost.
type Loss int

// The ways to lose an answer.
const (
	NoLoss      Loss = iota
	WithEffect       // the call is carried out, its answer is lost
	NoEffect         // the call never arrives
	LateEffect       // the call is carried out right before this owner's next call but one, whatever has happened since
	KilledAfter      // the call is carried out, and the owner crashes before it learns of it
)

// Call is one numbered call.
type Call struct {
	N    int
	Op   string // stat, list, mkdir, create, write, close, open, rename, remove
	Name string
	To   string // rename
	Size int    // close: bytes written
}

// String is the line of the log.
func (c Call) String() string {
	switch c.Op {
	case "rename":
		return fmt.Sprintf("rename %s -> %s", c.Name, c.To)
	case "close":
		return fmt.Sprintf("close  %s (%d bytes)", c.Name, c.Size)
	default:
		return fmt.Sprintf("%-6s %s", c.Op, c.Name)
	}
}

// mutates reports whether the call may have an effect.
func (c Call) mutates() bool {
	switch c.Op {
	case "stat", "list", "open":
		return false
	}
	return true
}

// Plan decides what happens. All funcs may be nil. They are called by the goroutine that makes the call, in this order; all but Before and Stale
// under a lock, so they may keep count, and must not call the FS.
type Plan struct {
	// Before is called before each call without a lock held: the place to run other owners, or to wait for a turn.
	Before func(Call)
	// Crash reports whether the owner stops dead before this call.
	Crash func(Call) bool
	// Log is told every call that is made.
	Log func(Call)
	// Fail refuses the call with an error of its own; nil lets it pass.
	Fail func(Call) error
	// Lose says whether the answer is lost. A lost answer of a call without effects is dfs.ErrUnavailable, that of others
	// dfs.ErrNoAnswer.
	Lose func(Call) Loss
	// Stale reports whether a List gets the answer of this owner's List of the same directory before, if there was one.
	Stale func(Call) bool
}

// FS is one owner's view of a file system. Safe for concurrent use as far as Before and Stale are.
type FS struct {
	fs   dfs.FS
	plan Plan

	mu      sync.Mutex
	n       int
	crashed bool
	late    []lateCall
	lists   map[string][]dfs.Info
}

type lateCall struct {
	after int // carried out before the first call with a higher number
	do    func()
}

var _ dfs.FS = (*FS)(nil)

// New wraps fsys for one owner.
func New(fsys dfs.FS, plan Plan) *FS {
	return &FS{fs: fsys, plan: plan, lists: map[string][]dfs.Info{}}
}

// Calls is how many calls were made.
func (f *FS) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// Crash stops the owner now.
func (f *FS) Crash() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashed = true
}

// Settle carries out what is still due late.
func (f *FS) Settle() { f.settle(int(^uint(0) >> 1)) }

func (f *FS) settle(n int) {
	f.mu.Lock()
	var due []func()
	rest := f.late[:0]
	for _, l := range f.late {
		if l.after < n {
			due = append(due, l.do)
		} else {
			rest = append(rest, l)
		}
	}
	f.late = rest
	f.mu.Unlock()
	for _, do := range due {
		do()
	}
}

// call runs do, or whatever the plan has for it instead.
func (f *FS) call(c Call, do func() error) error {
	f.mu.Lock()
	f.n++
	c.N = f.n
	f.mu.Unlock()
	if f.plan.Before != nil {
		f.plan.Before(c)
	}
	f.settle(c.N)
	loss, err := f.decide(c)
	if err != nil {
		return err
	}
	return f.lose(c, loss, do)
}

// decide asks the plan.
func (f *FS) decide(c Call) (Loss, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.plan.Crash != nil && f.plan.Crash(c) {
		f.crashed = true
	}
	if f.crashed {
		return NoLoss, ErrCrashed
	}
	if f.plan.Log != nil {
		f.plan.Log(c)
	}
	if f.plan.Fail != nil {
		if err := f.plan.Fail(c); err != nil {
			return NoLoss, &fs.PathError{Op: c.Op, Path: c.Name, Err: err}
		}
	}
	if f.plan.Lose == nil {
		return NoLoss, nil
	}
	return f.plan.Lose(c), nil
}

func (f *FS) lose(c Call, loss Loss, do func() error) error {
	switch loss {
	case NoLoss:
		return do()
	case WithEffect:
		_ = do() // that answer is what is lost
	case KilledAfter:
		_ = do() // as above
		f.Crash()
		return ErrCrashed
	case LateEffect:
		f.mu.Lock()
		f.late = append(f.late, lateCall{c.N + 1, func() { _ = do() }}) // as above
		f.mu.Unlock()
	case NoEffect:
	}
	err := dfs.ErrNoAnswer
	if !c.mutates() {
		err = dfs.ErrUnavailable
	}
	return &fs.PathError{Op: c.Op, Path: c.Name, Err: err}
}

// Stat implements dfs.FS.
func (f *FS) Stat(ctx context.Context, name string) (i dfs.Info, err error) {
	err = f.call(Call{Op: "stat", Name: name}, func() (e error) { i, e = f.fs.Stat(ctx, name); return e })
	return i, err
}

// List implements dfs.FS.
func (f *FS) List(ctx context.Context, dir string) (is []dfs.Info, err error) {
	c := Call{Op: "list", Name: dir}
	err = f.call(c, func() (e error) {
		f.mu.Lock()
		old, ok := f.lists[dir]
		f.mu.Unlock()
		if ok && f.plan.Stale != nil && f.plan.Stale(c) {
			is = append([]dfs.Info(nil), old...)
			return nil
		}
		is, e = f.fs.List(ctx, dir)
		if e == nil {
			f.mu.Lock()
			f.lists[dir] = append([]dfs.Info(nil), is...)
			f.mu.Unlock()
		}
		return e
	})
	return is, err
}

// MkdirAll implements dfs.FS.
func (f *FS) MkdirAll(ctx context.Context, name string, perm fs.FileMode) error {
	return f.call(Call{Op: "mkdir", Name: name}, func() error { return f.fs.MkdirAll(ctx, name, perm) })
}

// Create implements dfs.FS. A file whose creation had its effect without an answer stays open for ever.
func (f *FS) Create(ctx context.Context, name string, o dfs.CreateOptions) (dfs.File, error) {
	var w dfs.File
	err := f.call(Call{Op: "create", Name: name}, func() (e error) { w, e = f.fs.Create(ctx, name, o); return e })
	if err != nil {
		return nil, err
	}
	return &file{fs: f, w: w, name: name}, nil
}

// Open implements dfs.FS.
func (f *FS) Open(ctx context.Context, name string) (r dfs.Reader, err error) {
	err = f.call(Call{Op: "open", Name: name}, func() (e error) { r, e = f.fs.Open(ctx, name); return e })
	return r, err
}

// Rename implements dfs.FS.
func (f *FS) Rename(ctx context.Context, from, to string) error {
	return f.call(Call{Op: "rename", Name: from, To: to}, func() error { return f.fs.Rename(ctx, from, to) })
}

// RemoveAll implements dfs.FS.
func (f *FS) RemoveAll(ctx context.Context, name string) error {
	return f.call(Call{Op: "remove", Name: name}, func() error { return f.fs.RemoveAll(ctx, name) })
}

type file struct {
	fs   *FS
	w    dfs.File
	name string
	size int
}

func (w *file) Write(p []byte) (n int, err error) {
	b := append([]byte(nil), p...) // the effect may come late
	err = w.fs.call(Call{Op: "write", Name: w.name}, func() (e error) { n, e = w.w.Write(b); return e })
	w.size += n
	return n, err
}

func (w *file) Close(ctx context.Context) error {
	return w.fs.call(Call{Op: "close", Name: w.name, Size: w.size}, func() error { return w.w.Close(ctx) })
}

// Abort is not numbered: it sends nothing. A crashed owner aborts nothing either.
func (w *file) Abort() {
	w.fs.mu.Lock()
	crashed := w.fs.crashed
	w.fs.mu.Unlock()
	if !crashed {
		w.w.Abort()
	}
}

// Trace collects a log of calls, with everything in replace (old, new, old, new, …) replaced.
type Trace struct {
	mu    sync.Mutex
	short *strings.Replacer
	lines []string
	// Skip leaves calls out.
	Skip func(Call) bool
}

// NewTrace makes a Trace; its Add is a Plan's Log.
func NewTrace(replace ...string) *Trace { return &Trace{short: strings.NewReplacer(replace...)} }

// Add appends a call.
func (t *Trace) Add(c Call) {
	if t.Skip != nil && t.Skip(c) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines, t.short.Replace(c.String()))
}

// Reset forgets what was collected.
func (t *Trace) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = nil
}

// String is one call per line.
func (t *Trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n") + "\n"
}
