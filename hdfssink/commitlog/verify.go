package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// Level says how deep Verify looks.
type Level int

// The levels; each includes those before it.
const (
	LevelLog   Level = iota // the manifests tile every partition
	LevelFiles              // published files are there: names, ids, lengths; nothing else is
	LevelRead               // every byte: checksums, footers, rows
)

// VerifyOptions of a Verify.
type VerifyOptions struct {
	Level Level
	// Inspect reads what a finished file says of itself and returns its rows; ext is the final name's extension. Needed for LevelRead.
	Inspect func(ext string, r io.ReaderAt, size int64) (rows int64, err error)
	// Partition, when not nil, limits the check to one partition.
	Partition *ingest.Partition
}

// Report is what Verify found. Ok says whether the proof holds.
type Report struct {
	State      string            `json:"state"` // <state>/<sink>
	Sink       string            `json:"sink"`
	Level      string            `json:"level"`
	Partitions []PartitionReport `json:"partitions"`
	Files      int64             `json:"files"` // in manifests
	Rows       int64             `json:"rows"`
	Bytes      int64             `json:"bytes"`
	Pending    int64             `json:"pending"`          // committed, about to be published by the sink or the next claim
	Missing    []Finding         `json:"missing"`          // published and not there any more: a reader, a TTL, or a loss
	GivenUp    int64             `json:"given_up"`         // missing, and accepted by `state accept-missing`
	Foreign    []Finding         `json:"foreign"`          // in the sink's directories and in no manifest
	Damaged    []Finding         `json:"damaged"`          // there, and not what the manifest says
	Broken     []Finding         `json:"broken,omitempty"` // logs that prove nothing
}

// PartitionReport is one life of one partition.
type PartitionReport struct {
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"`
	Life      int           `json:"life"`
	Sealed    bool          `json:"sealed,omitempty"`
	Torn      string        `json:"torn,omitempty"` // why this life proves nothing: `state reset` gave it up
	Seq       int64         `json:"seq"`
	First     ingest.Offset `json:"first"`
	Low       ingest.Offset `json:"low"`
	Ahead     uint64        `json:"ahead"` // offsets beyond low that are done
	Published uint64        `json:"published"`
	Dead      uint64        `json:"dead_letters"`
	Filtered  uint64        `json:"filtered"`
	Gaps      uint64        `json:"gap_offsets"`
	Files     int64         `json:"files"`
}

// Finding is one thing that is not as it should be.
type Finding struct {
	Path string `json:"path"`
	What string `json:"what"`
}

// OK reports whether the proof holds: every offset accounted for once, and (from LevelFiles on) the files are what the log says. Missing
// files break it, foreign ones do not: they are in nobody's proof, but readers see them, so look at them.
func (r *Report) OK() bool { return len(r.Broken) == 0 && len(r.Damaged) == 0 && len(r.Missing) == 0 }

// String is the report for people.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "sink %s, state %s, checked: %s\n", r.Sink, r.State, r.Level)
	for _, p := range r.Partitions {
		fmt.Fprintf(&b, "  %s+%d", p.Topic, p.Partition)
		if p.Life > 1 {
			fmt.Fprintf(&b, " (life %d)", p.Life)
		}
		if p.Torn != "" {
			fmt.Fprintf(&b, ": given up by `state reset`, not checked: %s\n", p.Torn)
			continue
		}
		fmt.Fprintf(&b, ": [%d, %d) and %d ahead = %d published + %d dead letters + %d filtered + %d in gaps; %d files, %d manifests\n",
			p.First, p.Low, p.Ahead, p.Published, p.Dead, p.Filtered, p.Gaps, p.Files, p.Seq+1)
	}
	fmt.Fprintf(&b, "  files %d, rows %d, bytes %d, pending %d, missing %d (given up before: %d), foreign %d, damaged %d\n",
		r.Files, r.Rows, r.Bytes, r.Pending, len(r.Missing), r.GivenUp, len(r.Foreign), len(r.Damaged))
	for _, l := range []struct {
		name string
		all  []Finding
	}{{"BROKEN", r.Broken}, {"DAMAGED", r.Damaged}, {"MISSING", r.Missing}, {"foreign", r.Foreign}} {
		for i, f := range l.all {
			if i == 20 {
				fmt.Fprintf(&b, "  %s … and %d more\n", l.name, len(l.all)-i)
				break
			}
			fmt.Fprintf(&b, "  %s %s: %s\n", l.name, f.Path, f.What)
		}
	}
	if r.OK() {
		b.WriteString("  OK: every offset is accounted for exactly once\n")
	} else {
		b.WriteString("  FAILED\n")
	}
	return b.String()
}

// Verify checks one sink's state without claiming anything; safe while the sink runs. Its error is the file system's; what is wrong with the
// data is in the report.
func Verify(ctx context.Context, fsys dfs.FS, stateDir string, o VerifyOptions) (*Report, error) {
	sink := path.Base(stateDir)
	v := &verifier{
		fs: fsys, o: o, known: map[string]dfs.FileID{}, dirs: map[string]bool{},
		r: &Report{State: stateDir, Sink: sink, Level: []string{"log", "files", "read"}[o.Level], Missing: []Finding{}, Foreign: []Finding{}, Damaged: []Finding{}},
	}
	lives, err := listLives(ctx, fsys, stateDir, o.Partition)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", stateDir, err)
	}
	for _, p := range lives {
		if err := v.partition(ctx, p); err != nil {
			return nil, fmt.Errorf("verify %s: %w", p.dir, err)
		}
	}
	if o.Level >= LevelFiles && o.Partition == nil {
		if err := v.foreign(ctx, stateDir); err != nil {
			return nil, fmt.Errorf("verify %s: %w", stateDir, err)
		}
	}
	return v.r, nil
}

// listLives finds the partitions in a sink's state directory; only those of one partition when it is given.
func listLives(ctx context.Context, fsys dfs.FS, stateDir string, only *ingest.Partition) ([]paths, error) {
	entries, err := fsys.List(ctx, stateDir)
	if err != nil {
		return nil, err
	}
	var all []paths
	for _, e := range entries {
		part, life, ok := parseBase(e.Name)
		if !ok || !e.Dir || only != nil && (topicName(only.Topic) != part.Topic || only.ID != part.ID) {
			continue
		}
		if only != nil {
			part = *only
		}
		p := newPaths(path.Dir(stateDir), path.Base(stateDir), part, life)
		p.dir = path.Join(stateDir, e.Name)
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b paths) int {
		if c := strings.Compare(a.part.Topic, b.part.Topic); c != 0 {
			return c
		}
		if a.part.ID != b.part.ID {
			return int(a.part.ID) - int(b.part.ID)
		}
		return a.life - b.life
	})
	return all, nil
}

type verifier struct {
	fs    dfs.FS
	o     VerifyOptions
	r     *Report
	known map[string]dfs.FileID // final names in manifests
	dirs  map[string]bool       // directories of final names
	torn  []string              // how the files of lives begin that an operator gave up: nobody can say which of them are published
}

// partition checks one life.
func (v *verifier) partition(ctx context.Context, p paths) error {
	l, err := readRunning(ctx, v.fs, p)
	var overlap *overlapError
	if errors.Is(err, errCorrupt) || errors.Is(err, errProof) || errors.As(err, &overlap) || errors.Is(err, fs.ErrNotExist) {
		if m := v.givenUp(ctx, p); m != nil {
			v.torn = append(v.torn, v.r.Sink+"+"+p.base()+"+")
			v.r.Partitions = append(v.r.Partitions, PartitionReport{
				Topic: m.Topic, Partition: m.Partition, Life: m.Life, Seq: m.Seq, Sealed: true, Torn: m.Sealed.Torn,
			})
			return nil
		}
		v.r.Broken = append(v.r.Broken, Finding{p.log(), err.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	if l.newest == nil {
		return nil // claimed, and nothing committed yet
	}
	if l.report.Torn != "" {
		v.torn = append(v.torn, v.r.Sink+"+"+p.base()+"+")
	}
	v.r.Partitions = append(v.r.Partitions, l.report)
	if v.o.Level < LevelFiles {
		v.count(l)
		return nil
	}
	return v.files(ctx, l)
}

func (v *verifier) givenUp(ctx context.Context, p paths) *Manifest {
	view, err := listLog(ctx, v.fs, p)
	if err != nil {
		return nil
	}
	return givenUp(ctx, v.fs, p, view)
}

func (v *verifier) count(l *ledger) {
	for _, f := range l.files {
		v.r.Files++
		v.r.Rows += f.Rows
		v.r.Bytes += f.Size
	}
	if !l.done {
		v.r.Pending += int64(len(l.newest.Files))
	}
}

// files looks at every published file of a partition.
func (v *verifier) files(ctx context.Context, l *ledger) error {
	v.count(l)
	pendingFrom := len(l.files) - len(l.newest.Files)
	for i := range l.files {
		f := &l.files[i]
		v.known[f.Final], v.dirs[path.Dir(f.Final)] = f.ID, true
		info, err := v.fs.Stat(ctx, f.Final)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if l.missing[f.Final] {
				v.r.GivenUp++
			} else if l.done || i < pendingFrom {
				v.r.Missing = append(v.r.Missing, Finding{f.Final, fmt.Sprintf("%d rows, offsets %d to %d", f.Rows, f.Offsets.Minimum(), f.Offsets.Maximum())})
			}
			continue
		case err != nil:
			return err
		case f.ID != info.ID || f.Size != info.Size:
			v.damaged(f, fmt.Errorf("it has id %d and %d bytes, the log says %d and %d", info.ID, info.Size, f.ID, f.Size))
			continue
		}
		if v.o.Level >= LevelRead {
			if err := v.readFile(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *verifier) damaged(f *FileEntry, err error) {
	v.r.Damaged = append(v.r.Damaged, Finding{f.Final, err.Error()})
}

// readFile checks every byte of one file. A reader may take the file away meanwhile.
func (v *verifier) readFile(ctx context.Context, f *FileEntry) error {
	r, err := v.fs.Open(ctx, f.Final)
	if errors.Is(err, fs.ErrNotExist) {
		v.r.Missing = append(v.r.Missing, Finding{f.Final, "it was there a moment ago"})
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	sum := newCRC()
	n, err := io.Copy(sum, r)
	switch {
	case err != nil:
		v.damaged(f, fmt.Errorf("cannot be read: %w", err))
		return ctx.Err()
	case n != f.Size || sum.Sum32() != f.CRC:
		v.damaged(f, fmt.Errorf("%d bytes with CRC-32C %08x, the log says %d with %08x", n, sum.Sum32(), f.Size, f.CRC))
		return nil
	case v.o.Inspect == nil:
		return nil
	}
	_, ext, _ := strings.Cut(f.Final[strings.LastIndex(f.Final, "+")+1:], ".") // behind the last offset: topics may hold dots
	rows, err := v.o.Inspect(ext, r, f.Size)
	if err == nil && rows != f.Rows {
		err = fmt.Errorf("it has %d rows, the log says %d", rows, f.Rows)
	}
	if err != nil {
		v.damaged(f, err)
	}
	return nil
}

// foreign lists the directories of published files for what no manifest knows. What a running sink has published since its log was
// read is looked up once more.
func (v *verifier) foreign(ctx context.Context, stateDir string) error {
	suspects, err := v.suspects(ctx)
	if err != nil || len(suspects) == 0 {
		return err
	}
	lives, err := listLives(ctx, v.fs, stateDir, nil)
	if err != nil {
		return err
	}
	for _, p := range lives {
		if l, err := readLedger(ctx, v.fs, p); err == nil {
			for i := range l.files {
				v.known[l.files[i].Final] = l.files[i].ID
			}
		}
	}
	for _, name := range suspects {
		if _, ok := v.known[name]; ok || slices.ContainsFunc(v.torn, func(p string) bool { return strings.HasPrefix(path.Base(name), p) }) {
			continue
		}
		what := "no manifest of this sink names it"
		if strings.HasPrefix(path.Base(name), v.r.Sink+"+") {
			what = "it is called like a file of this sink, and no manifest names it"
		}
		v.r.Foreign = append(v.r.Foreign, Finding{name, what})
	}
	return nil
}

// suspects lists what readers see beside published files and what the logs, as far as they were read, do not name.
func (v *verifier) suspects(ctx context.Context) ([]string, error) {
	var all []string
	for _, dir := range slices.Sorted(maps.Keys(v.dirs)) {
		entries, err := v.fs.List(ctx, dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			name := path.Join(dir, e.Name)
			if _, ok := v.known[name]; !ok && !e.Dir && !strings.HasPrefix(e.Name, ".") && !strings.HasPrefix(e.Name, "_") {
				all = append(all, name)
			}
		}
	}
	return all, nil
}
