package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// errNowhere: a file is neither where it was staged nor where it was to be published.
var errNowhere = errors.New("file is neither staged nor published")

// publish gives all files of m their final names and marks m done. It may be repeated, by anybody who owns the partition, until it
// returns nil; stage is where the files are now.
func (c *Claim) publish(ctx context.Context, m *Manifest, stage string, how mode) error {
	for i := range m.Files {
		err := c.publishFile(ctx, &m.Files[i], stage)
		if errors.Is(err, errNowhere) {
			var done bool
			if done, err = c.judge(ctx, m, &m.Files[i], stage, how); done {
				return nil
			}
		}
		if err != nil {
			return err
		}
	}
	return mkdir(ctx, c.log.o.FS, c.p.done(m.Seq), 0)
}

// publishFile renames one file. The file's id decides what has happened when a rename is refused or its answer lost; nothing else could
// tell our file from one that only looks like it.
func (c *Claim) publishFile(ctx context.Context, f *FileEntry, stage string) error {
	from := f.from(stage)
	for try := 0; ; try++ {
		if err := pause(ctx, try-2); err != nil {
			return err
		}
		err := c.log.o.FS.Rename(ctx, from, f.Final)
		switch {
		case err == nil:
			return nil
		case unsure(err), errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		default:
			return fmt.Errorf("publish file: %w", err)
		}
		done, lookErr := c.published(ctx, f, from)
		if lookErr != nil && !again(lookErr) || done {
			return lookErr
		}
		if lookErr == nil && errors.Is(err, fs.ErrNotExist) { // it is still staged, so its new directory is missing
			if err := mkdir(ctx, c.log.o.FS, path.Dir(f.Final), c.log.o.DirPerm); err != nil {
				return err
			}
		}
	}
}

// published looks where a file is: done when it has its final name, not done and no error when it is still staged.
func (c *Claim) published(ctx context.Context, f *FileEntry, from string) (done bool, err error) {
	for range 2 { // the second time for a rename that was carried out late, between the two looks
		i, err := c.log.o.FS.Stat(ctx, f.Final)
		switch {
		case err == nil && i.ID == f.ID:
			return true, nil
		case err == nil:
			return false, c.foreign(f.Final, "after the commit that is to publish a file there")
		case !errors.Is(err, fs.ErrNotExist):
			return false, fmt.Errorf("look for %s: %w", f.Final, err)
		}
		if there, err := exists(ctx, c.log.o.FS, from); err != nil || there {
			return false, err
		}
	}
	return false, fmt.Errorf("%w: %s, %s", errNowhere, from, f.Final)
}

// judge says what it means that a file is nowhere. done: everything was published by somebody else, and what became of the files since is
// not our business. Otherwise we are fenced, or the file is lost.
func (c *Claim) judge(ctx context.Context, m *Manifest, f *FileEntry, stage string, how mode) (done bool, err error) {
	if done, err = exists(ctx, c.log.o.FS, c.p.done(m.Seq)); err != nil || done {
		return done, err
	}
	// An archive's owner deletes <seq>.json before <seq>.done: without the one, the other may have been there.
	if there, err := exists(ctx, c.log.o.FS, c.p.manifest(m.Seq)); err != nil {
		return false, err
	} else if !there {
		return false, c.fenced(ctx)
	}
	all, err := c.epochs(ctx)
	if err != nil {
		return false, err
	}
	if len(all) == 0 || all[len(all)-1] != c.epoch {
		return false, c.fenced(ctx)
	}
	if how == missing {
		c.lost = append(c.lost, f.Final)
		return false, nil
	}
	return false, refused("missing_file", fmt.Sprintf("%s: manifest %d promises %s (%d rows), and the file is neither there nor at %s: something else has removed it",
		c.p.part, m.Seq, f.Final, f.Rows, f.from(stage)),
		"put the file back under one of the two names by a rename (its id must stay the same), or give it up with "+c.command("accept-missing", ""))
}

// foreign refuses a file that is not ours where one of ours is to go.
func (c *Claim) foreign(name, when string) error {
	return refused("foreign_file", fmt.Sprintf("%s: %s is in the way: a file that this sink's log does not know has a name of this sink's, %s; it is never replaced", c.p.part, name, when),
		"find out who wrote it, and move it away; the sink goes on by itself then")
}
