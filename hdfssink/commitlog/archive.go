package commitlog

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// An archive is log/archive-<first>-<last>.json.zst: the lines of the manifests first to last as they were, byte for byte, in one
// or more zstd frames. It is written in the staging directory and renamed into the log, so only the owner can, and it is there
// whole or not at all; then what it covers is deleted. Nothing depends on that deletion: readers ignore what an archive covers.

const archiveTemp = ".archive-"

// archive merges old manifests when enough of them have come together, and archives when enough of those have. The newest manifest
// stays. A failure costs nothing: a later commit tries again.
func (c *Claim) archive(ctx context.Context) {
	if c.state.Seq < c.archiveAt {
		return
	}
	v, err := listLog(ctx, c.log.o.FS, c.p)
	if err == nil {
		err = c.archiveView(ctx, v)
	}
	if err != nil {
		c.archiveAt = c.state.Seq + 1 + int64(c.log.o.ArchiveAfter)/10
		c.log.o.Logger.WarnContext(ctx, "manifests not archived; a later commit tries again", "topic", c.p.part.Topic, "partition", c.p.part.ID, "error", err)
	}
}

// archiveDue says when to look at the log again: at the next full thousand, or at once when leftovers are to be swept.
func (v *logView) archiveDue(after int) int64 {
	last, err := v.archived()
	if err != nil || len(v.covered) > 0 || len(v.loose) > 0 && v.loose[0] <= last {
		return 0
	}
	return last + 1 + int64(after)
}

func (c *Claim) archiveView(ctx context.Context, v logView) error {
	last, err := v.archived()
	if err != nil {
		return err
	}
	if err := c.sweep(ctx, v, last); err != nil {
		return err
	}
	next := span{last + 1, c.state.Seq - 1}
	c.archiveAt = next.first + int64(c.log.o.ArchiveAfter)
	if c.state.Seq < c.archiveAt {
		return nil
	}
	if err := c.placeArchive(ctx, next, c.looseParts(next)); err != nil {
		return err
	}
	c.archiveAt = c.state.Seq + int64(c.log.o.ArchiveAfter)
	for n := next.first; n <= next.last; n++ {
		if err := c.drop(ctx, n); err != nil {
			return err
		}
	}
	return c.archiveArchives(ctx, append(v.archives, next))
}

// archiveArchives merges the newest archives of one order of magnitude, as long as there are enough of them.
func (c *Claim) archiveArchives(ctx context.Context, all []span) error {
	for {
		tail := sameLevel(all, int64(c.log.o.ArchiveAfter))
		if len(tail) < c.log.o.ArchiveAfter {
			return nil
		}
		merged := span{tail[0].first, tail[len(tail)-1].last}
		parts := make([]string, len(tail))
		for i, s := range tail {
			parts[i] = path.Join(c.p.log(), archiveName(s))
		}
		if err := c.placeArchive(ctx, merged, parts); err != nil {
			return err
		}
		for _, p := range parts {
			if err := c.log.o.FS.RemoveAll(ctx, p); err != nil {
				return err
			}
		}
		all = append(all[:len(all)-len(tail)], merged)
	}
}

// sameLevel is the longest tail of archives of the same order of magnitude.
func sameLevel(all []span, base int64) []span {
	level := func(s span) (n int) {
		for size := s.last - s.first + 1; size >= base; size /= base {
			n++
		}
		return n
	}
	i := len(all) - 1
	for i > 0 && level(all[i-1]) == level(all[len(all)-1]) {
		i--
	}
	return all[i:]
}

func (c *Claim) looseParts(s span) []string {
	var parts []string
	for n := s.first; n <= s.last; n++ {
		parts = append(parts, c.p.manifest(n))
	}
	return parts
}

// sweep deletes what an archive covers and a crash has left.
func (c *Claim) sweep(ctx context.Context, v logView, last int64) error {
	for _, n := range v.loose {
		if n > last {
			break
		}
		if err := c.drop(ctx, n); err != nil {
			return err
		}
	}
	for n := range v.done {
		if n <= last && n > 0 {
			c.remove(ctx, c.p.done(n))
		}
	}
	for _, s := range v.covered {
		c.remove(ctx, path.Join(c.p.log(), archiveName(s)))
	}
	return nil
}

// drop deletes an archived manifest. Others conclude from what is there (readNewest, judge), so the order is fixed and nobody goes on after
// an error: lower seqs first, .json before .done. 0.done stays for ever, as the sign that there is a log.
func (c *Claim) drop(ctx context.Context, n int64) error {
	if err := c.log.o.FS.RemoveAll(ctx, c.p.manifest(n)); err != nil || n == 0 {
		return err
	}
	return c.log.o.FS.RemoveAll(ctx, c.p.done(n))
}

// placeArchive writes the archive of s from parts, checks every line on the way, and renames it into the log.
func (c *Claim) placeArchive(ctx context.Context, s span, parts []string) error {
	temp := path.Join(c.Live(), archiveTemp+c.log.o.Nonce())
	if err := c.writeArchive(ctx, temp, s, parts); err != nil {
		c.remove(ctx, temp)
		return fmt.Errorf("write archive: %w", err)
	}
	if err := c.log.o.FS.Rename(ctx, temp, path.Join(c.p.log(), archiveName(s))); err != nil {
		return fmt.Errorf("archive: %w", err) // perhaps it is there: then a later sweep goes on from here
	}
	return nil
}

func (c *Claim) writeArchive(ctx context.Context, name string, s span, parts []string) error {
	f, err := c.log.o.FS.Create(ctx, name, dfs.CreateOptions{})
	if err != nil {
		return err
	}
	defer f.Abort()
	z, err := zstd.NewWriter(f, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	defer z.Close() //nolint:errcheck // closed with its error below
	next := s.first
	for _, part := range parts {
		err := eachLine(ctx, c.log.o.FS, part, func(line []byte, m *Manifest) error {
			if err := m.belongs(c.p, next); err != nil {
				return err
			}
			next++
			_, err := z.Write(line)
			return err
		})
		if err != nil {
			return err
		}
	}
	if next != s.last+1 {
		return fmt.Errorf("%w: manifests %d to %d are not there", errCorrupt, next, s.last)
	}
	if err := z.Close(); err != nil {
		return err
	}
	return f.Close(ctx)
}

// eachLine reads a manifest or an archive line by line. visit must not keep line.
func eachLine(ctx context.Context, fsys dfs.FS, name string, visit func(line []byte, m *Manifest) error) error {
	r, err := fsys.Open(ctx, name)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer r.Close()
	var src io.Reader = r
	if path.Ext(name) == path.Ext(archExt) {
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxManifest))
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		defer z.Close()
		src = z
	}
	lines := bufio.NewReader(src)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return nil
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read %s: %w: %w", name, errCorrupt, err)
		}
		m, err := decodeManifest(line)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if err := visit(line, m); err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
}
