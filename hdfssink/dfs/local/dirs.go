package local

import (
	"os"
	"sync"
)

// dirs hands out one handle for each directory that somebody works in, so that they can share its fsyncs.
type dirs struct {
	root  *os.Root
	fsync func(*os.File) error

	mu   sync.Mutex
	open map[inode]*dir
}

// inode names a directory as long as a descriptor of it is open.
type inode struct{ dev, ino uint64 }

// dir is an open directory. It stays the same directory when it, or one above it, is renamed.
//
//	begin → change an entry → end, which numbers the change → sync(number)
type dir struct {
	f     *os.File
	fsync func(*os.File) error
	key   inode
	refs  int // guarded by dirs.mu

	mu      sync.Mutex
	idle    sync.Cond // no fsync is under way
	pending int       // changes between begin and end
	changed uint64    // changes so far
	synced  uint64    // changes that are on disk
	syncing bool
	failed  error // of an fsync; for ever, since the next one would forget what was lost
}

// acquire opens the directory name. The caller must release it.
func (ds *dirs) acquire(name string) (*dir, error) {
	f, err := ds.root.OpenFile(rel(name), os.O_RDONLY|openDirectory, 0)
	if err != nil {
		return nil, err
	}
	_, key, err := statAt(f, ".")
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if d := ds.open[key]; d != nil {
		_ = f.Close()
		d.refs++
		return d, nil
	}
	d := &dir{f: f, fsync: ds.fsync, key: key, refs: 1}
	d.idle.L = &d.mu
	ds.open[key] = d
	return d, nil
}

func (ds *dirs) release(d *dir) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if d.refs--; d.refs > 0 {
		return
	}
	delete(ds.open, d.key)
	_ = d.f.Close() // opened for reading: nothing can be lost
}

func (d *dir) begin() {
	d.mu.Lock()
	d.pending++
	d.mu.Unlock()
}

// end says that the change was made (or failed) and returns its number.
func (d *dir) end() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending--
	d.changed++
	return d.changed
}

// dirty reports whether an entry that can be seen may not be on disk yet, and what to sync then.
func (d *dir) dirty() (n uint64, dirty bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending > 0 { // its maker will number it later, which may be too late for us
		d.changed++
	}
	return d.changed, d.changed > d.synced
}

// sync returns when all changes up to number n are on disk. One fsync answers everybody whose change was made before it began.
func (d *dir) sync(n uint64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.failed == nil && d.synced < n {
		if d.syncing {
			d.idle.Wait()
			continue
		}
		d.syncing = true
		covered := d.changed
		d.mu.Unlock()
		err := d.fsync(d.f)
		d.mu.Lock()
		d.syncing = false
		d.idle.Broadcast()
		if err != nil {
			d.failed = err
			break
		}
		d.synced = covered
	}
	return d.failed
}
