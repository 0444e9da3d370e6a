package native

import (
	"context"
	"errors"
	"fmt"
	"time"

	hdfs "github.com/colinmarc/hdfs/v2"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

const (
	piece        = 64 << 10 // the library copies what it is given into a buffer of its own, so not too much at once
	minBlockSize = 1 << 20  // dfs.namenode.fs-limits.min-block-size
	blockUnit    = 512      // bytes per checksum
)

// writer is a file open for writing.
type writer struct {
	l    *link
	c    *hdfs.Client
	w    *hdfs.FileWriter
	name string

	err    error // the first
	ended  bool  // the library's Close was called: a second call would vouch for bytes that were lost
	closed bool  // everything is given back
}

// Create implements dfs.FS. Each file has a client, and so a lease, of its own.
func (f *FS) Create(ctx context.Context, name string, o dfs.CreateOptions) (dfs.File, error) {
	if err := dfs.CheckName(name); err != nil {
		return nil, fmt.Errorf("create: %w", err)
	}
	block, perm := o.BlockSize, o.Perm.Perm()
	if block <= 0 {
		block = f.o.BlockSize
	}
	block = (max(block, minBlockSize) + blockUnit - 1) / blockUnit * blockUnit
	if perm == 0 {
		perm = 0o666 &^ f.o.Umask
	}
	var w *writer
	err := f.retry(ctx, func(ctx context.Context) error {
		l := f.newLink(ctx)
		l.renew = true
		c, err := l.client(rounds)
		if err != nil {
			l.close()
			return l.explain(err, true)
		}
		file, err := c.CreateFile(name, f.o.Replication, block, perm)
		if err != nil {
			l.close()
			_ = c.Close()
			return l.explain(err, true)
		}
		l.begin(context.Background()) //nolint:contextcheck // the file outlives Create
		w = &writer{l: l, c: c, w: file, name: name}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	return w, nil
}

// Write implements dfs.File. It ends within the time-outs for a silent DataNode or NameNode.
func (w *writer) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) && w.err == nil {
		w.l.begin(context.Background())
		n, err := w.w.Write(p[done:min(done+piece, len(p))])
		if err == nil {
			err = w.l.dataFailure()
		}
		if err != nil {
			w.err = w.failed("write", err)
			break
		}
		done += n
	}
	return done, w.err
}

// dataFailure is the reason why the connection to the DataNode broke, if it did.
func (l *link) dataFailure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.data {
		if err := c.failure(); err != nil && !errors.Is(err, errClosed) { // closed: the block is complete
			l.dataErr = err
			return err
		}
	}
	return nil
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
	ctx, cancel := context.WithTimeout(ctx, w.l.f.o.CloseWait)
	defer cancel()
	w.l.begin(ctx)
	stop := context.AfterFunc(ctx, func() { w.l.failData(context.Cause(ctx)) })
	defer stop()
	w.ended = true
	err := w.w.Close()
	for wait := 50 * time.Millisecond; hdfs.IsErrReplicating(err); wait = min(2*wait, 2*time.Second) {
		if sleep(ctx, wait) != nil {
			return fmt.Errorf("close %s: %w: the DataNodes have not reported the last block to the NameNode in time (%w)", w.name, dfs.ErrUnavailable, context.Cause(ctx))
		}
		w.l.begin(ctx)
		err = w.w.Close() // only the call to the NameNode is repeated
	}
	if err != nil {
		return w.failed("close", err) //nolint:contextcheck // the look at the DataNodes has a second of its own
	}
	return nil
}

func (w *writer) failed(what string, err error) error {
	err = fmt.Errorf("%s %s: %w", what, w.name, w.l.explainData(err))
	if errors.Is(err, dfs.ErrUnavailable) {
		w.l.probe()
	}
	return err
}

// Abort implements dfs.File. From here on nothing is sent to the NameNode, so the library's Close, which ends its goroutines,
// cannot complete the file.
func (w *writer) Abort() {
	if w.closed {
		return
	}
	w.closed = true
	w.l.close()
	if !w.ended {
		w.ended = true
		_ = w.w.Close()
	}
	_ = w.c.Close()
	if w.err == nil {
		w.err = fmt.Errorf("%s: %w: the file is closed", w.name, dfs.ErrRefused)
	}
}
