package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// span is the closed run of seqs [first, last] that an archive holds.
type span struct{ first, last int64 }

// logView is a listing of log/.
type logView struct {
	loose    []int64 // seqs of log/<seq>.json, ascending
	done     map[int64]bool
	archives []span // by first; those that another covers are not here
	covered  []span // those that another covers: leftovers
}

func listLog(ctx context.Context, fsys dfs.FS, p paths) (logView, error) {
	v := logView{done: map[int64]bool{}}
	entries, err := fsys.List(ctx, p.log())
	if err != nil {
		return v, fmt.Errorf("list log: %w", err)
	}
	for _, e := range entries {
		if n, ok := number(e.Name, "", seqExt); ok && !e.Dir {
			v.loose = append(v.loose, n)
		} else if n, ok := number(e.Name, "", doneExt); ok && e.Dir {
			v.done[n] = true
		} else if s, ok := parseArchive(e.Name); ok {
			v.archives = append(v.archives, s)
		}
	}
	slices.Sort(v.loose)
	// The longest of those with the same beginning first, so that what it covers follows it.
	slices.SortFunc(v.archives, func(a, b span) int {
		if a.first != b.first {
			return int(a.first - b.first)
		}
		return int(b.last - a.last)
	})
	kept := v.archives[:0:0]
	for _, s := range v.archives {
		if n := len(kept); n > 0 && s.last <= kept[n-1].last {
			v.covered = append(v.covered, s)
			continue
		}
		kept = append(kept, s)
	}
	v.archives = kept
	return v, nil
}

// archived is the last seq that an archive covers, -1 when none does. Archives that do not follow each other are errCorrupt.
func (v *logView) archived() (int64, error) {
	last := int64(-1)
	for _, s := range v.archives {
		if s.first != last+1 {
			return last, fmt.Errorf("%w: manifests %d to %d are in no archive", errCorrupt, last+1, s.first-1)
		}
		last = s.last
	}
	return last, nil
}

// newest is the highest seq, after checking that no name is missing between the archives and it. -1: the log is empty.
func (v *logView) newest() (int64, error) {
	last, err := v.archived()
	if err != nil {
		return -1, err
	}
	next := last + 1
	for _, n := range v.loose {
		if n < next {
			continue // covered by an archive; somebody is about to delete it
		}
		if n > next {
			return -1, fmt.Errorf("%w: manifest %d is missing, manifest %d is there", errCorrupt, next, n)
		}
		next++
	}
	if next == last+1 && last >= 0 {
		return -1, fmt.Errorf("%w: manifest %d is missing, the archives end before it and the newest is never archived", errCorrupt, next)
	}
	return next - 1, nil
}

// errStale: what was listed is not (any more) what is there. Look again.
var errStale = errors.New("listing was out of date")

// readNewest finds the newest manifest; nil when there is none. Nobody else may be able to write one: all earlier owners are fenced.
// Listings are not atomic, and some file systems serve them late, so the answer rests on two single look-ups: the next
// manifest is not there, and after that the newest can still be read. (Manifests are deleted in ascending order, and the newest
// never: had a later one been there and gone, this one would be gone too.)
func readNewest(ctx context.Context, fsys dfs.FS, p paths) (m *Manifest, v logView, err error) {
	for try := range 5 {
		if err = pause(ctx, try-1); err != nil {
			return nil, v, err
		}
		if m, v, err = tryNewest(ctx, fsys, p); err == nil || !errors.Is(err, errStale) && !errors.Is(err, errCorrupt) {
			return m, v, err
		}
	}
	if errors.Is(err, errCorrupt) {
		if m := givenUp(ctx, fsys, p, v); m != nil {
			return m, v, nil
		}
	}
	return nil, v, err
}

// givenUp is the last manifest of a damaged log that an operator has ended (state reset); nil for any other.
func givenUp(ctx context.Context, fsys dfs.FS, p paths, v logView) *Manifest {
	m, err := readManifest(ctx, fsys, p, v.highest())
	if err != nil || m.Sealed == nil || m.Sealed.Torn == "" {
		return nil
	}
	return m
}

// recoverTorn says what to do about a log that cannot be believed, or, for state reset, goes on without it.
func (c *Claim) recoverTorn(v logView, how mode, err error) error {
	if how == tolerant {
		c.state = State{Exists: true, Life: c.p.life, Seq: v.highest(), Ahead: newSet()}
		c.newest, c.torn = &Manifest{Seq: c.state.Seq}, err.Error()
		return nil
	}
	start, where := "OFFSET", "at an offset of your choice"
	if g := c.group; g != nil {
		if info, ours := parseHint(*g); ours && info.Dir == hintDir(c.p.sinkDir) && info.Life == c.p.life {
			start, where = strconv.FormatInt(int64(g.Next), 10), "there, because the group says that everything before was done; what was published beyond is published again"
		}
	}
	return refused("corrupt_manifest", fmt.Sprintf("%s: the log in %s cannot be believed, so nothing is read or written: %v", c.p.part, c.p.log(), err),
		"restore the file from a snapshot; if that is impossible, "+c.command("reset", "--start "+start)+" begins a new life "+where)
}

// highest is the highest seq that any name mentions.
func (v *logView) highest() int64 {
	h := int64(-1)
	if len(v.loose) > 0 {
		h = v.loose[len(v.loose)-1]
	}
	for _, s := range v.archives {
		h = max(h, s.last)
	}
	return h
}

func tryNewest(ctx context.Context, fsys dfs.FS, p paths) (*Manifest, logView, error) {
	v, err := listLog(ctx, fsys, p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, v, nil
	}
	if err != nil {
		return nil, v, err
	}
	n, err := v.newest()
	if err != nil {
		return nil, v, err
	}
	if there, err := exists(ctx, fsys, p.manifest(n+1)); err != nil || there {
		return nil, v, errors.Join(err, stale(there, p.manifest(n+1)))
	}
	if n < 0 {
		// 0.done is never deleted, 0.json only after it was made: looked at in this order, one of them shows that there is a log.
		there, err := exists(ctx, fsys, p.done(0))
		return nil, v, errors.Join(err, stale(there, p.done(0)))
	}
	m, err := readManifest(ctx, fsys, p, n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, v, fmt.Errorf("%w: %s is listed and not there", errStale, p.manifest(n))
	}
	return m, v, err
}

func stale(is bool, name string) error {
	if !is {
		return nil
	}
	return fmt.Errorf("%w: %s was not listed and is there", errStale, name)
}

func exists(ctx context.Context, fsys dfs.FS, name string) (bool, error) {
	_, err := fsys.Stat(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for %s: %w", name, err)
	}
	return true, nil
}
