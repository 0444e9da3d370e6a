package native

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	hdfs "github.com/colinmarc/hdfs/v2"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// FS is an HDFS name service as one identity sees it.
type FS struct {
	o       Options
	library hdfs.ClientOptions // without addresses and dialers
	muxes   []*mux             // one for each NameNode
	active  atomic.Int32       // the one that answered last
	shared  shared
	locate  time.Duration // the first pause before a block is asked for again
}

var (
	_ dfs.FS          = (*FS)(nil)
	_ dfs.Preflighter = (*FS)(nil)
)

// New makes a file system. It talks to nobody yet: an HDFS that is away makes calls fail, not New.
func New(o Options) (*FS, error) {
	o, err := withDefaults(o)
	if err != nil {
		return nil, err
	}
	id := make([]byte, clientIDBytes)
	_, _ = rand.Read(id) // never fails
	f := &FS{o: o, locate: locateFirst}
	for _, addr := range o.NameNodes {
		// Call ids are numbered for each NameNode, so each needs a client id of its own.
		id := append([]byte(nil), id...)
		id[0] += byte(len(f.muxes))
		f.muxes = append(f.muxes, newMux(addr, &f.o, id))
	}
	f.library = hdfs.ClientOptions{User: f.o.effective(), UseDatanodeHostname: o.UseHostnames}
	return f, nil
}

// Close ends the connections. Calls under way, open files and readers fail.
func (f *FS) Close() error {
	for _, m := range f.muxes {
		m.close()
	}
	return nil
}

// attempt runs one operation on a client of its own.
func (f *FS) attempt(ctx context.Context, effect bool, op func(*hdfs.Client, *link) error) error {
	l := f.newLink(ctx)
	defer l.close()
	c, err := l.client(1)
	if err == nil {
		err = op(c, l)
		_ = c.Close()
	}
	return l.explain(err, effect)
}

// retry repeats do as long as it fails without an effect for a passing reason, ctx lasts and there is patience left.
func (f *FS) retry(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, max(f.o.Patience, 0)+2*f.o.RPCTimeout)
	defer cancel()
	began := time.Now()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := do(ctx)
		if !errors.Is(err, dfs.ErrUnavailable) || time.Since(began)+wait > f.o.Patience || sleep(ctx, wait) != nil {
			return err
		}
	}
}

func (f *FS) call(ctx context.Context, effect bool, op func(*hdfs.Client, *link) error) error {
	return f.retry(ctx, func(ctx context.Context) error { return f.attempt(ctx, effect, op) })
}

// Stat implements dfs.FS.
func (f *FS) Stat(ctx context.Context, name string) (dfs.Info, error) {
	s, err := f.status(ctx, name)
	if err != nil {
		return dfs.Info{}, err
	}
	return info(s), nil
}

func (f *FS) status(ctx context.Context, name string) (s os.FileInfo, err error) {
	if err := dfs.CheckName(name); err != nil {
		return nil, fmt.Errorf("stat: %w", err)
	}
	err = f.call(ctx, false, func(c *hdfs.Client, _ *link) (err error) {
		s, err = c.Stat(name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("stat %s: %w", name, err)
	}
	return s, nil
}

// Describe asks the NameNode for the root directory, and says who answered, as whom we came, and what protects the calls.
func (f *FS) Describe(ctx context.Context) (string, error) {
	if _, err := f.status(ctx, "/"); err != nil {
		return "", err
	}
	m := f.muxes[f.active.Load()]
	conn, err := m.current()
	if err != nil {
		return "", err
	}
	protection := "nothing protects the calls"
	switch {
	case conn != nil && conn.layer != nil:
		protection = "calls have " + conn.layer.QOP().String()
	case f.o.secured():
		protection = "calls have auth"
	}
	data := "whatever the DataNodes ask for"
	if len(f.o.DataProtection) > 0 {
		var all []string
		for _, q := range f.o.DataProtection {
			all = append(all, q.String())
		}
		data = strings.Join(all, " or ")
	}
	if f.o.Encrypt {
		data += ", encrypted"
	}
	who := f.o.who()
	if f.o.Token != nil {
		who += " by a delegation token"
	}
	return fmt.Sprintf("%s is active of %d; as %s; %s; data transfer: %s", m.addr, len(f.muxes), who, protection, data), nil
}

func info(s os.FileInfo) dfs.Info {
	i := dfs.Info{Name: s.Name(), Size: s.Size(), Dir: s.IsDir(), ModTime: s.ModTime()}
	if i.Name == "/" {
		i.Name = ""
	}
	if raw, ok := s.Sys().(*hdfs.FileStatus); ok {
		i.ID = dfs.FileID(raw.GetFileId())
	}
	return i
}

// List implements dfs.FS.
func (f *FS) List(ctx context.Context, dir string) ([]dfs.Info, error) {
	if err := dfs.CheckName(dir); err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	var found []os.FileInfo
	err := f.call(ctx, false, func(c *hdfs.Client, _ *link) error {
		r, err := c.Open(dir) // a stat
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }() // holds nothing yet
		if !r.Stat().IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		found, err = r.Readdir(0) // all pages
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	list := make([]dfs.Info, len(found))
	for i, s := range found {
		list[i] = info(s)
	}
	slices.SortFunc(list, func(a, b dfs.Info) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// MkdirAll implements dfs.FS. perm 0 is 0777 less the configured umask; any other is used as it is.
func (f *FS) MkdirAll(ctx context.Context, name string, perm fs.FileMode) error {
	if err := dfs.CheckName(name); err != nil {
		return fmt.Errorf("mkdir: %w", err)
	}
	if perm == 0 {
		perm = 0o777 &^ f.o.Umask
	}
	err := f.call(ctx, true, func(c *hdfs.Client, _ *link) error { return c.MkdirAll(name, perm.Perm()) })
	if err != nil {
		return fmt.Errorf("mkdir %s: %w", name, err)
	}
	return nil
}

// Rename implements dfs.FS: rename2 without overwriting.
func (f *FS) Rename(ctx context.Context, from, to string) error {
	for _, name := range []string{from, to} {
		if err := dfs.CheckName(name); err != nil {
			return fmt.Errorf("rename: %w", err)
		}
	}
	err := f.call(ctx, true, func(c *hdfs.Client, l *link) error {
		l.note(func() { l.skipStat = to })
		return c.Rename(from, to)
	})
	if err != nil {
		return fmt.Errorf("rename %s to %s: %w", from, to, err)
	}
	return nil
}

// RemoveAll implements dfs.FS. An open file among what is removed loses its lease.
func (f *FS) RemoveAll(ctx context.Context, name string) error {
	if err := dfs.CheckName(name); err != nil {
		return fmt.Errorf("remove: %w", err)
	}
	if name == "/" {
		return fmt.Errorf("remove /: %w: the root cannot be removed", dfs.ErrRefused)
	}
	err := f.call(ctx, true, func(c *hdfs.Client, _ *link) error { return c.RemoveAll(name) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}
