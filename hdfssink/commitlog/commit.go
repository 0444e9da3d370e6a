package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// commitMark begins the name under which a manifest waits in the staging directory; a nonce follows, so that each attempt has its own.
const commitMark = ".commit-"

func newSet() *roaring64.Bitmap { return roaring64.New() }

// State is what is committed. The value is replaced, never changed, by Genesis and Commit.
func (c *Claim) State() State { return c.state }

// Epoch is this ownership's number.
func (c *Claim) Epoch() int64 { return c.epoch }

// Genesis commits manifest 0 of a life: everything starts at first. To be called exactly when !State().Exists, before anything is
// read. Errors as Commit.
func (c *Claim) Genesis(ctx context.Context, first ingest.Offset, mark *ingest.Mark) error {
	if c.state.Exists {
		return fmt.Errorf("genesis of %s: it has manifest %d already", c.p.part, c.state.Seq)
	}
	if first < 0 {
		return fmt.Errorf("genesis of %s: offset %d", c.p.part, first)
	}
	m := c.draft("genesis", "")
	m.First, m.Low, m.Mark = first, first, mark
	return c.write(ctx, m)
}

// Commit makes everything in m done, and publishes its files. Errors: ErrNotCommitted (nothing happened; try again, or, where it is
// ErrTarget, too, without the file that is refused), ErrUnfinished (committed; call Finish or claim again),
// ingest.ErrFenced; after any other error the outcome is not known and the claim is over: claim again.
func (c *Claim) Commit(ctx context.Context, in Commit) error {
	if !c.state.Exists {
		return fmt.Errorf("commit %s: no genesis: %w", c.p.part, ErrNotCommitted)
	}
	low, ahead, err := advance(c.state, &in)
	if err != nil {
		return fmt.Errorf("commit %s: %w: %w", c.p.part, ErrNotCommitted, err)
	}
	ahead.RunOptimize() // its size decides when buckets that lag are rolled
	m := c.draft(in.Reason, in.User)
	m.Low, m.Ahead, m.Filtered, m.Gaps = low, Set{ahead}, Set{in.Filtered}, in.Gaps
	if in.Mark != nil {
		if mark, ok := in.Mark(low); ok {
			m.Mark = &mark
		}
	}
	for _, f := range in.Files {
		m.Files = append(m.Files, FileEntry{
			Staged: f.Staged, Final: f.Final, ID: f.ID, Size: f.Size, Rows: f.Rows, MinTime: f.MinTime, MaxTime: f.MaxTime,
			Schema: f.Schema, CRC: f.CRC, Dead: f.Dead, Offsets: Set{f.Offsets},
		})
	}
	return c.write(ctx, m)
}

// Finish goes on with publishing after ErrUnfinished.
func (c *Claim) Finish(ctx context.Context) error {
	if c.over != nil {
		return c.over
	}
	if c.open == nil {
		return nil
	}
	if err := c.publish(ctx, c.open, c.Live(), strict); err != nil {
		if errors.Is(err, ingest.ErrFenced) {
			return err
		}
		return fmt.Errorf("manifest %d of %s: %w: %w", c.open.Seq, c.p.part, ErrUnfinished, err)
	}
	c.open = nil
	c.archive(ctx)
	return nil
}

// draft is the next manifest with all that is carried on from the newest.
func (c *Claim) draft(reason, user string) *Manifest {
	o := &c.log.o
	m := &Manifest{
		Format: 1, Sink: c.p.sink, Topic: c.p.part.Topic, Partition: c.p.part.ID, Life: c.p.life,
		Epoch: c.epoch, Live: c.live, Owner: o.Owner, Nonce: o.Nonce(), Time: o.Now().UTC(),
		Reason: reason, User: user, Config: o.Config, First: c.state.First, Low: c.state.Low, Ahead: Set{c.state.Ahead}, TopicID: c.topic,
	}
	if n := c.newest; n != nil {
		m.Seq, m.Prev, m.Adopted, m.Mark = n.Seq+1, n.sum, n.Adopted, n.Mark
		if m.Config == "" {
			m.Config = n.Config // an operator's command has none of its own
		}
	}
	return m
}

// write brings m into the log and publishes its files.
func (c *Claim) write(ctx context.Context, m *Manifest) error {
	if c.over != nil {
		return c.over
	}
	if c.open != nil {
		return fmt.Errorf("commit %s: manifest %d has to be finished first: %w", c.p.part, c.open.Seq, ErrNotCommitted)
	}
	if m.Sealed == nil && c.newest != nil && c.newest.Sealed != nil {
		return fmt.Errorf("commit %s: life %d is sealed: %w", c.p.part, c.p.life, ErrNotCommitted)
	}
	if err := c.checkTargets(ctx, m); errors.Is(err, ingest.ErrFenced) {
		return err
	} else if err != nil {
		return fmt.Errorf("commit %s: %w: %w: %w", c.p.part, ErrNotCommitted, ErrTarget, err)
	}
	b, err := m.encode()
	if err != nil {
		return fmt.Errorf("commit %s: %w: %w", c.p.part, ErrNotCommitted, err)
	}
	from := path.Join(c.Live(), commitMark+m.Nonce)
	if err := writeFile(ctx, c.log.o.FS, from, b); err != nil {
		return c.notWritten(ctx, from, err)
	}
	if err := c.land(ctx, from, m); err != nil {
		if !errors.Is(err, ErrNotCommitted) {
			c.over = err
		}
		return fmt.Errorf("commit manifest %d of %s: %w", m.Seq, c.p.part, err)
	}
	c.newest, c.state, c.open = m, m.state(), m
	return c.Finish(ctx)
}

// notWritten judges why a manifest's own file could not be made: when the staging directory is gone, somebody has fenced us.
func (c *Claim) notWritten(ctx context.Context, name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if there, lookErr := exists(ctx, c.log.o.FS, c.Live()); lookErr == nil && !there {
			return c.fenced(ctx)
		}
	}
	c.remove(ctx, name)
	return fmt.Errorf("commit %s: %w: %w", c.p.part, ErrNotCommitted, err)
}

// checkTargets makes the directories of m's files and looks whether the names are free: after the manifest is in the log it is too
// late to find out.
func (c *Claim) checkTargets(ctx context.Context, m *Manifest) error {
	names := map[string]bool{}
	for i := range m.Files {
		f := &m.Files[i]
		if err := f.check(); err != nil {
			return err
		}
		if names[f.Final] || names[f.Staged] {
			return fmt.Errorf("file %s or its final name %s is there twice", f.Staged, f.Final)
		}
		names[f.Final], names[f.Staged] = true, true
		if dir := path.Dir(f.Final); !c.made[dir] {
			if err := mkdir(ctx, c.log.o.FS, dir, c.log.o.DirPerm); err != nil {
				return err
			}
			c.made[dir] = true
		}
		if err := c.checkFree(ctx, f.Final); err != nil {
			return err
		}
	}
	return nil
}

// check judges what the sink says of a file.
func (f *FileEntry) check() error {
	if !strings.HasPrefix(f.Staged, ".") || strings.Contains(f.Staged, "/") || strings.HasPrefix(f.Staged, commitMark) {
		return fmt.Errorf("staged name %q does not begin with a dot, or is a path", f.Staged)
	}
	if err := dfs.CheckName(f.Final); err != nil {
		return fmt.Errorf("final name: %w", err)
	}
	if f.ID == 0 {
		return fmt.Errorf("file %s has no id", f.Staged)
	}
	return nil
}

// checkFree refuses a final name that something has already.
func (c *Claim) checkFree(ctx context.Context, final string) error {
	there, err := exists(ctx, c.log.o.FS, final)
	if err != nil || !there {
		return err
	}
	// Not foreign if somebody has fenced us and published the same events since.
	still, err := exists(ctx, c.log.o.FS, c.Live())
	if err != nil {
		return err
	}
	if !still {
		return c.fenced(ctx)
	}
	return c.foreign(final, "and the next file of this sink is to have it")
}

// land renames m's file into the log: the point of no return. nil: it is in the log. ErrNotCommitted: surely not, and it never
// will be. ErrFenced: not ours to write any more (and if it did get in, the next claim finds it). Anything else: not known.
func (c *Claim) land(ctx context.Context, from string, m *Manifest) error {
	sent := false // an earlier rename may still be carried out
	for try := 0; ; try++ {
		if err := pause(ctx, try-2); err != nil {
			return err
		}
		err := c.log.o.FS.Rename(ctx, from, c.p.manifest(m.Seq))
		switch {
		case err == nil:
			return nil
		case unsure(err):
			sent = true
		case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		case sent && again(err):
		case sent:
			return err
		default:
			return fmt.Errorf("%w: %w", ErrNotCommitted, err)
		}
		if done, err := c.landed(ctx, from, m, errors.Is(err, fs.ErrNotExist)); done || err != nil && !again(err) {
			return err
		}
	}
}

// landed looks whether m is in the log. Not done and no error: its file is still where it was.
func (c *Claim) landed(ctx context.Context, from string, m *Manifest, refusedMissing bool) (done bool, err error) {
	for range 2 { // the second time for a rename that was carried out late, between the two looks
		is, err := readManifest(ctx, c.log.o.FS, c.p, m.Seq)
		switch {
		case err == nil && is.Nonce == m.Nonce:
			return true, nil
		case err == nil:
			return false, c.fenced(ctx)
		case !errors.Is(err, fs.ErrNotExist):
			return false, err
		}
		there, err := exists(ctx, c.log.o.FS, from)
		if err != nil || there && !refusedMissing {
			return false, err
		}
		if there {
			return false, c.missingLog(ctx)
		}
	}
	return false, c.fenced(ctx)
}

// missingLog explains a rename that found its source and not its target's parent.
func (c *Claim) missingLog(ctx context.Context) error {
	there, err := exists(ctx, c.log.o.FS, c.p.log())
	if err != nil || there {
		return err
	}
	return refused("state_removed", fmt.Sprintf("%s: %s is gone: something removes the sink's state while it runs", c.p.part, c.p.log()),
		"stop what removes it, and restore the directory from a snapshot")
}
