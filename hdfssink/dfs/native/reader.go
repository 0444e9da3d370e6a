package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	hdfs "github.com/colinmarc/hdfs/v2"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// readTries is how often a read is begun anew, with fresh block locations and tokens, before it fails.
const readTries = 3

// reader reads a file. Its calls take turns.
type reader struct {
	f    *FS
	name string
	info dfs.Info

	mu  sync.Mutex
	l   *link
	c   *hdfs.Client
	r   *hdfs.FileReader
	at  int64 // where r stands
	pos int64 // where Read goes on
}

// Open implements dfs.FS.
func (f *FS) Open(ctx context.Context, name string) (dfs.Reader, error) {
	if err := dfs.CheckName(name); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	r := &reader{f: f, name: name}
	if err := f.retry(ctx, r.open); err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return r, nil
}

func (r *reader) open(ctx context.Context) error {
	l := r.f.newLink(ctx)
	c, err := l.client(1)
	if err != nil {
		l.close()
		return l.explain(err, false)
	}
	file, err := c.Open(r.name)
	if err != nil {
		err = l.explain(err, false)
	} else if i := info(file.Stat()); i.Dir {
		err = fmt.Errorf("%w: it is a directory", dfs.ErrRefused)
	} else if r.info.ID != 0 && (i.ID != r.info.ID || i.Size != r.info.Size) {
		err = fmt.Errorf("%w: another file has taken its place", dfs.ErrRefused)
	} else {
		r.info = i
	}
	if err != nil {
		l.close()
		_ = c.Close()
		return err
	}
	l.begin(context.Background()) //nolint:contextcheck // the reader outlives Open
	r.l, r.c, r.r, r.at = l, c, file, 0
	return nil
}

// Size implements dfs.Reader.
func (r *reader) Size() int64 { return r.info.Size }

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, err := r.read(p, r.pos)
	r.pos += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if off < 0 {
		return 0, fmt.Errorf("read %s: negative offset", r.name)
	}
	return r.read(p, off)
}

// read fills p from off on, or up to the end of the file, which is io.EOF.
func (r *reader) read(p []byte, off int64) (n int, err error) {
	if left := max(r.info.Size-off, 0); int64(len(p)) > left {
		p, err = p[:left], io.EOF
	}
	for try := 1; n < len(p); try++ {
		got, rerr := r.once(p[n:], off+int64(n))
		n += got
		if rerr == nil {
			break
		}
		if got > 0 {
			try = 0 // it gets on
		}
		if !errors.Is(rerr, dfs.ErrUnavailable) || try >= readTries {
			return n, fmt.Errorf("read %s at %d: %w", r.name, off+int64(n), rerr)
		}
		r.release()
	}
	return n, err
}

func (r *reader) once(p []byte, off int64) (int, error) {
	if r.info.ID == 0 || r.f == nil {
		return 0, fmt.Errorf("%w: the reader is closed", dfs.ErrRefused)
	}
	if r.r == nil {
		ctx, cancel := context.WithTimeout(context.Background(), r.f.o.RPCTimeout)
		defer cancel()
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
		if err := r.open(ctx); err != nil {
			return 0, err
		}
	}
	r.l.begin(context.Background())
	if off != r.at { // a Seek to where it stands would dial again
		if _, err := r.r.Seek(off, io.SeekStart); err != nil {
			return 0, r.l.explainData(err)
		}
	}
	n, err := io.ReadFull(r.r, p)
	r.at = off + int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // the length is known: this is a broken stream
		return n, fmt.Errorf("%w: the DataNode's answer ended too early", dfs.ErrUnavailable)
	}
	return n, r.l.explainData(err)
}

func (r *reader) release() {
	if r.r == nil {
		return
	}
	_ = r.r.Close()
	r.l.close()
	_ = r.c.Close()
	r.r = nil
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.release()
	r.info.ID = 0
	return nil
}
