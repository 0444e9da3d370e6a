package hdfssink

import (
	"cmp"
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"path"
	"strconv"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// openFile is a file that is being written: an encoder on a staged file that exists from its first bytes on.
//
// Used by its drain's goroutine; close may run in another one while the drain waits for it.
type openFile struct {
	bucket   *bucket // nil: the dead letters
	format   formats.Format
	enc      formats.Encoder
	staged   *stagedFile
	offsets  offsetSet
	rows     int64
	buffered int64 // as last counted into the partition's total
	touched  bool  // since the last count
	due      string
	times    fileTimes
	minTime  int64
	maxTime  int64
}

// took counts an event that the encoder has accepted.
func (f *openFile) took(e *ingest.Event, now time.Time) {
	if f.rows == 0 {
		f.times.opened, f.times.oldest = now, time.UnixMilli(e.Timestamp)
		if f.bucket != nil {
			f.times.windowEnd = f.bucket.windowEnd
		}
		f.minTime, f.maxTime = e.Timestamp, e.Timestamp
	}
	f.rows++
	f.times.appended = now
	f.minTime, f.maxTime = min(f.minTime, e.Timestamp), max(f.maxTime, e.Timestamp)
	f.offsets.add(e.Offset)
}

// abandon lets go of everything but the name.
func (f *openFile) abandon() {
	f.enc.Abandon()
	f.staged.abort()
}

// finish completes the file. Only a nil error proves that all its rows are there: encoder, close, length, footer.
func (f *openFile) finish(ctx context.Context, metadata map[string]string) (commitlog.File, error) {
	s := f.staged
	fail := func(what string, err error) (commitlog.File, error) {
		f.abandon()
		return commitlog.File{}, fmt.Errorf("%s %s: %w", what, s, err)
	}
	if err := f.enc.Close(metadata); err != nil {
		return fail("finish", err)
	}
	f.enc.Abandon()
	if err := s.close(ctx); err != nil {
		return fail("close", err)
	}
	info, err := s.fs.Stat(ctx, s.name)
	if err != nil {
		return fail("look at", err)
	}
	if info.Size != s.size || info.Dir {
		return fail("look at", fmt.Errorf("%d bytes were written, but the file has %d", s.size, info.Size))
	}
	if err := f.inspect(ctx, info.Size); err != nil {
		return fail("check", err)
	}
	return commitlog.File{
		Staged: path.Base(s.name), ID: info.ID, Size: info.Size, Rows: f.rows,
		MinTime: f.minTime, MaxTime: f.maxTime, Schema: f.format.SchemaID(), CRC: s.crc, Dead: f.bucket == nil,
	}, nil
}

// endChecker is a format whose files say nothing of themselves short of being read as a whole, which costs as much as to write them. A clean
// close has vouched for each byte and the length is right, so their end is enough here; `penstock verify --read` reads the rest.
type endChecker interface {
	CheckEnd(r io.ReaderAt, size int64) error
}

// inspect reads back what the file says of itself.
func (f *openFile) inspect(ctx context.Context, size int64) error {
	r, err := f.staged.fs.Open(ctx, f.staged.name)
	if err != nil {
		return err
	}
	defer r.Close()
	if e, ok := f.format.(endChecker); ok {
		return e.CheckEnd(r, size)
	}
	info, err := f.format.Inspect(r, size)
	if err != nil {
		return err
	}
	return info.CheckRows(f.rows)
}

// stagedFile is a writer that creates its file at its first bytes. What is not there yet cannot break when a DataNode restarts. It
// counts length and CRC-32C on the way. Its first error is final.
type stagedFile struct {
	ctx  context.Context //nolint:containedctx // io.Writer has no place for it; it is the drain's, which outlives the file
	fs   dfs.FS
	live string
	base string // of its name; a second try gets another
	opts dfs.CreateOptions

	name  string // absolute; empty: not made yet
	tries int
	file  dfs.File
	size  int64
	crc   uint32
	err   error
}

func (s *stagedFile) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if s.file == nil {
		if s.err = s.create(); s.err != nil {
			return 0, s.err
		}
	}
	n, err := s.file.Write(p)
	s.size += int64(n)
	s.crc = crc32.Update(s.crc, crc32.MakeTable(crc32.Castagnoli), p[:n])
	if err != nil {
		s.err = err // names the file; finish says what for
	}
	return n, s.err
}

// String names the file for messages.
func (s *stagedFile) String() string {
	return cmp.Or(s.name, "a staged file in "+s.live)
}

// create tries again while the file system is away. A name whose creation got no answer is not used again: the file may come
// into being any time, and goes away with the staging directory.
func (s *stagedFile) create() error {
	return patiently(s.ctx, createPatience, func() error {
		name := path.Join(s.live, s.base)
		if s.tries++; s.tries > 1 {
			name += "-" + strconv.Itoa(s.tries)
		}
		f, err := s.fs.Create(s.ctx, name, s.opts)
		if err != nil {
			return err
		}
		s.name, s.file = name, f
		return nil
	})
}

// close completes the file. An encoder that wrote nothing has made a file of no bytes, which cannot be told from a broken one.
func (s *stagedFile) close(ctx context.Context) error {
	if s.err != nil {
		return s.err
	}
	if s.file == nil {
		s.err = fmt.Errorf("the encoder wrote nothing")
		return s.err
	}
	if s.err = s.file.Close(ctx); s.err != nil {
		return s.err
	}
	return nil
}

func (s *stagedFile) abort() {
	if s.file != nil {
		s.file.Abort()
	}
}

// remove deletes a file that will not be published, so that its lease and its bytes go before the staging directory does.
func (s *stagedFile) remove(ctx context.Context) error {
	if s.name == "" {
		return nil
	}
	return s.fs.RemoveAll(ctx, s.name)
}
