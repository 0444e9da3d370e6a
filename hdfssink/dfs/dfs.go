// Package dfs is what Penstock uses of a distributed file system, and what it relies on. Every
// implementation (native HDFS, local, mem, fault) passes the same suite, and is as strict as HDFS: no implicit parents in Create, a
// rename never replaces; and as lenient: a file that is open for writing is known by its id, so a writer goes on when a
// directory above it is renamed, and may even close it.
//
// Names are absolute, slash-separated, without "." or ".." or empty components and without a scheme; no
// component holds ':' or is longer than 255 bytes; "/" is the root. Any other name is refused with ErrInvalidName.
package dfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"
)

// Errors beside fs.ErrNotExist, fs.ErrExist and fs.ErrPermission; compare with errors.Is. All but ErrNoAnswer say that the call had no
// effect.
var (
	// ErrNoAnswer: the call was sent and no answer came. It may have had its effect or may have it later; only looking tells.
	ErrNoAnswer = errors.New("no answer: the outcome is unknown")
	// ErrUnavailable: the file system cannot be asked now (no connection, safe mode, standby). Trying again is right.
	ErrUnavailable = errors.New("file system not available")
	// ErrQuota: a name or space quota, or the disks, are full. Trying again later is right.
	ErrQuota = errors.New("quota exceeded or no space left")
	// ErrInvalidName: no HDFS can have such a name.
	ErrInvalidName = errors.New("invalid path name")
	// ErrRefused: any other refusal that trying again does not mend (encryption zone, not a directory, …).
	ErrRefused = errors.New("refused by the file system")
)

// FileID identifies a file or directory as long as it lives, through renames (an inode number). 0: unknown.
type FileID uint64

// Info describes a file or directory.
type Info struct {
	Name    string // last component
	ID      FileID
	Size    int64 // of a closed file; of an open one, whatever the file system says
	Dir     bool
	ModTime time.Time
}

// CreateOptions are hints; zero values mean the file system's defaults.
type CreateOptions struct {
	BlockSize int64       // bytes; rounded up to what the file system can have
	Perm      fs.FileMode // permission bits
}

// FS is a file system. Safe for concurrent use. Every call ends when ctx does (a deadline is set for each, even where ctx
// has none); a call that was under way then returns ErrNoAnswer if it could have had an effect.
type FS interface {
	// Stat describes name. fs.ErrNotExist when it is not there.
	Stat(ctx context.Context, name string) (Info, error)
	// List returns the entries of dir, sorted by name. It is not atomic: large directories are read in pages, so
	// entries that come or go meanwhile may or may not be seen; those that stay are.
	List(ctx context.Context, dir string) ([]Info, error)
	// MkdirAll makes name and its parents; fine when it is there already. perm 0: the default.
	MkdirAll(ctx context.Context, name string, perm fs.FileMode) error
	// Create makes an empty file and opens it for writing. fs.ErrExist when the name is taken, fs.ErrNotExist when the parent is missing.
	Create(ctx context.Context, name string, o CreateOptions) (File, error)
	// Open opens a file for reading.
	Open(ctx context.Context, name string) (Reader, error)
	// Rename moves a file or a directory with all that is in it, atomically. fs.ErrExist when to exists, whatever it is;
	// fs.ErrNotExist when from or to's parent is missing. It never replaces and never moves into a directory.
	Rename(ctx context.Context, from, to string) error
	// RemoveAll deletes name and all below it; fine when it is not there. An open file's writer learns of it at Close at the latest.
	RemoveAll(ctx context.Context, name string) error
}

// File is open for writing. Used by one goroutine. The first error is final for the file: whoever gets it calls Abort and writes
// another file.
type File interface {
	io.Writer
	// Close completes the file: after nil its bytes are as durable as the file system makes them at close, and its length is final. Called
	// once; no other outcome than nil proves anything.
	Close(ctx context.Context) error
	// Abort lets go of the file without completing it, freeing all it holds; safe after Close and more than once. The
	// name stays for RemoveAll.
	Abort()
}

// Reader reads a closed file.
type Reader interface {
	io.Reader
	io.ReaderAt
	io.Closer
	Size() int64
}

// Preflighter is implemented by file systems that can say beforehand that a directory cannot be a target: encryption
// zone, erasure coding, storage policy. dir need not exist: its nearest existing parent counts. Errors say what to do.
type Preflighter interface {
	Preflight(ctx context.Context, dir string) error
}
