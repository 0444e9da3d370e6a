package commitlog_test

// A drain in small, and a world around it, for tests of the protocol: events are integers, files hold one offset per line, and the oracle
// reads the published files without knowing anything of manifests.

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/hdfssink/dfs/mem"
	"github.com/penstock-io/penstock/ingest"
)

const (
	stateBase = "/data/.penstock"
	sinkName  = "lake"
)

// world is one partition, its file system, and the group's memory of it.
type world struct {
	fs      *mem.FS
	events  ingest.Offset // offsets 0 to events-1
	part    ingest.Partition
	hint    ingest.Hint
	hasHint bool
	read    map[ingest.Offset]int // what a reader has taken away, by offset
	clock   time.Time
	tick    time.Duration
	nonces  int
	start   ingest.Offset // what the next owner without state resolves its start to; it moves, as "latest" does
	first   ingest.Offset // least offset that anybody has read; -1: none
}

func newWorld(events ingest.Offset) *world {
	w := &world{
		events: events, part: ingest.Partition{Topic: "clicks", ID: 3}, read: map[ingest.Offset]int{}, first: -1,
		clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), tick: time.Millisecond,
	}
	w.fs = mem.New(mem.Options{PageSize: 3, Now: w.now})
	return w
}

func (w *world) now() time.Time { w.clock = w.clock.Add(w.tick); return w.clock }

func (w *world) nonce() string { w.nonces++; return fmt.Sprintf("r%04d", w.nonces) }

// Some offsets hold no event that a sink may see, and some are filtered by rule.
func isGap(o ingest.Offset) bool    { return o%13 == 4 || o%13 == 5 }
func filtered(o ingest.Offset) bool { return o%11 == 7 }

// config is what may change between two lives of an owner.
type config struct {
	buckets, roll, batch int // roll: events per file
	keep, archive        int
}

func defaultConfig() config { return config{buckets: 2, roll: 5, batch: 7, keep: 2, archive: 3} }

// owner is one process that drains the partition.
type owner struct {
	w    *world
	name string
	fs   dfs.FS
	cfg  config
	lows []ingest.Offset // after each commit: must never fall
}

func (o *owner) open(ctx context.Context) (*commitlog.Log, error) {
	return commitlog.Open(ctx, commitlog.Options{
		FS: o.fs, State: stateBase, Sink: sinkName, Cluster: "kafka-1", Group: "penstock",
		Owner:  commitlog.Owner{Host: o.name, PID: 1, Start: time.Unix(0, 0)},
		Config: fmt.Sprint(o.cfg), KeepEpochs: o.cfg.keep, ArchiveAfter: o.cfg.archive, Nonce: o.w.nonce, Now: o.w.now,
	})
}

// drain is one life: claim, recover, read, commit until every event is done.
func (o *owner) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second) // a life takes a millisecond; this ends one that goes round in circles
	defer cancel()
	l, err := o.open(ctx)
	if err != nil {
		return err
	}
	c, err := l.Claim(ctx, commitlog.ClaimRequest{
		Partition: o.w.part, Log: ingest.LogInfo{Cluster: "kafka-1", Group: "penstock", TopicID: "t1"}, Hint: o.w.hint, HasHint: o.w.hasHint,
	})
	if err != nil {
		return err
	}
	if !c.State().Exists {
		start := o.w.start
		o.w.start += 3
		if err := o.settle(ctx, c, c.Genesis(ctx, start, nil)); err != nil {
			return err
		}
	}
	for c.State().Low < o.w.events {
		if err := o.pass(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// pass reads from low to the end once. It ends early, without an error, when a file had to be dropped: its offsets replay.
func (o *owner) pass(ctx context.Context, c *commitlog.Claim) error {
	g := &generation{o: o, c: c, files: map[int]*openFile{}, filtered: roaring64.New()}
	defer g.abandon()
	for next := c.State().Low; next < o.w.events; {
		for range o.cfg.batch {
			if next >= o.w.events {
				break
			}
			o.w.sawRead(next)
			if st := c.State(); !st.Done(next) {
				if dropped, err := g.take(ctx, next); dropped || err != nil {
					return errors.Join(err, g.commit(ctx, 1))
				}
			}
			next++
		}
		if g.due(o.cfg.roll) {
			if err := g.commit(ctx, o.cfg.roll); err != nil || g.dropped {
				return err
			}
		}
	}
	return g.commit(ctx, 1)
}

func (w *world) sawRead(o ingest.Offset) {
	if w.first < 0 || o < w.first {
		w.first = o
	}
}

// settle does what the contract asks after a commit's error.
func (o *owner) settle(ctx context.Context, c *commitlog.Claim, err error) error {
	for range 3 {
		if !errors.Is(err, commitlog.ErrUnfinished) {
			break
		}
		err = c.Finish(ctx)
	}
	if n := len(o.lows); err == nil && n > 0 && o.lows[n-1] > c.State().Low {
		return ingest.Permanent(fmt.Errorf("low fell from %d to %d", o.lows[n-1], c.State().Low))
	}
	if err == nil {
		o.lows = append(o.lows, c.State().Low)
		o.w.hint, o.w.hasHint = c.HintFor(), true
	}
	return err
}

// generation is what is open between two commits.
type generation struct {
	o        *owner
	c        *commitlog.Claim
	files    map[int]*openFile
	filtered *roaring64.Bitmap
	gaps     []ingest.Gap
	dropped  bool
}

type openFile struct {
	w       dfs.File
	name    string
	bucket  int
	offsets *roaring64.Bitmap
	size    int64
	crc     uint32
}

func (g *generation) take(ctx context.Context, off ingest.Offset) (dropped bool, err error) {
	switch {
	case isGap(off):
		g.gaps = append(g.gaps, ingest.Gap{Range: ingest.Range{First: off, Next: off + 1}, Reason: ingest.GapControl})
		return false, nil
	case filtered(off):
		g.filtered.Add(uint64(off))
		return false, nil
	}
	b := int(off) * 7 / 3 % g.o.cfg.buckets
	f := g.files[b]
	if f == nil {
		f = &openFile{name: g.c.StagedName(), bucket: b, offsets: roaring64.New()}
		if f.w, err = g.o.fs.Create(ctx, path.Join(g.c.Live(), f.name), dfs.CreateOptions{}); err != nil {
			return false, err
		}
		g.files[b] = f
	}
	n, err := f.w.Write([]byte(strconv.Itoa(int(off)) + "\n"))
	if err != nil {
		g.drop(ctx, f)
		return true, nil //nolint:nilerr // the file is dropped, the partition goes on
	}
	f.size += int64(n)
	f.crc = crc32.Update(f.crc, crc32.MakeTable(crc32.Castagnoli), []byte(strconv.Itoa(int(off))+"\n"))
	f.offsets.Add(uint64(off))
	return false, nil
}

func (g *generation) due(roll int) bool {
	for _, f := range g.files {
		if int(f.offsets.GetCardinality()) >= roll {
			return true
		}
	}
	return len(g.gaps) > roll
}

func (g *generation) drop(ctx context.Context, f *openFile) {
	f.w.Abort()
	_ = g.o.fs.RemoveAll(ctx, path.Join(g.c.Live(), f.name)) // the next claim deletes it
	delete(g.files, f.bucket)
	g.dropped = true
}

func (g *generation) abandon() {
	for _, f := range g.files {
		f.w.Abort()
	}
}

// commit closes and commits the files with at least that many events, and all gaps and filters.
func (g *generation) commit(ctx context.Context, atLeast int) error {
	m := commitlog.Commit{Filtered: g.filtered, Gaps: g.gaps, Reason: "roll", Mark: func(low ingest.Offset) (ingest.Mark, bool) {
		return ingest.Mark{Offset: low - 1, CRC: uint32(low)}, low > 0
	}}
	for b := range g.o.cfg.buckets {
		f := g.files[b]
		if f == nil || int(f.offsets.GetCardinality()) < atLeast {
			continue
		}
		file, err := g.close(ctx, f)
		if err != nil {
			g.drop(ctx, f)
			continue
		}
		m.Files = append(m.Files, file)
		delete(g.files, b)
	}
	if len(m.Files) == 0 && len(m.Gaps) == 0 && m.Filtered.IsEmpty() {
		return nil
	}
	err := g.o.settle(ctx, g.c, g.c.Commit(ctx, m))
	for range 2 {
		if !errors.Is(err, commitlog.ErrNotCommitted) {
			break
		}
		// "Surely not committed" means that the files are ours to delete: one is, and the rest is committed without it.
		if len(m.Files) > 1 {
			_ = g.o.fs.RemoveAll(ctx, path.Join(g.c.Live(), m.Files[0].Staged)) // the next claim deletes it
			m.Files, g.dropped = m.Files[1:], true
		}
		err = g.o.settle(ctx, g.c, g.c.Commit(ctx, m))
	}
	g.filtered, g.gaps = roaring64.New(), nil
	return err
}

func (g *generation) close(ctx context.Context, f *openFile) (commitlog.File, error) {
	if err := f.w.Close(ctx); err != nil {
		return commitlog.File{}, err
	}
	i, err := g.o.fs.Stat(ctx, path.Join(g.c.Live(), f.name))
	if err != nil {
		return commitlog.File{}, err
	}
	if i.Size != f.size {
		return commitlog.File{}, fmt.Errorf("%s has %d bytes, %d were written", f.name, i.Size, f.size)
	}
	first, last := ingest.Offset(f.offsets.Minimum()), ingest.Offset(f.offsets.Maximum())
	dir := fmt.Sprintf("/data/b=%d-of-%d", f.bucket, g.o.cfg.buckets)
	return commitlog.File{
		Staged: f.name, Final: path.Join(dir, g.c.FinalName(first, last, "txt")), ID: i.ID, Size: i.Size,
		Rows: int64(f.offsets.GetCardinality()), Offsets: f.offsets, CRC: f.crc,
	}, nil
}

// visible counts the offsets in published files, and fails the test for a file that is not what its name says.
func (w *world) visible(t *testing.T) map[ingest.Offset]int {
	t.Helper()
	seen := maps.Clone(w.read)
	w.fs.Walk("/data", func(name string, i dfs.Info, data []byte) {
		if i.Dir || strings.HasPrefix(name, stateBase+"/") {
			if strings.HasSuffix(name, ".txt") {
				t.Errorf("%s would be found by a glob", name)
			}
			return
		}
		first, last := count(t, name, data, seen)
		if want := fmt.Sprintf("+%019d+%019d.txt", first, last); !strings.HasSuffix(name, want) {
			t.Errorf("%s holds offsets %d to %d", name, first, last)
		}
	})
	return seen
}

func count(t *testing.T, name string, data []byte, into map[ingest.Offset]int) (first, last ingest.Offset) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for i, line := range lines {
		n, err := strconv.Atoi(line)
		if err != nil {
			t.Errorf("%s: line %d is %q", name, i, line)
		}
		if i == 0 {
			first = ingest.Offset(n)
		}
		last = ingest.Offset(n)
		into[last]++
	}
	return first, last
}

// problems is the oracle: every event of [from, upTo) exactly once, nothing else.
func problems(seen map[ingest.Offset]int, from, upTo ingest.Offset) []string {
	var all []string
	for o := range upTo {
		want := 1
		if isGap(o) || filtered(o) || o < from {
			want = 0
		}
		if seen[o] != want {
			all = append(all, fmt.Sprintf("offset %d: %d times, want %d", o, seen[o], want))
		}
	}
	for o := range seen {
		if o >= upTo {
			all = append(all, fmt.Sprintf("offset %d was never produced", o))
		}
	}
	return all
}

// noDoubles is what holds at every moment.
func (w *world) noDoubles(t *testing.T) {
	t.Helper()
	for o, n := range w.visible(t) {
		if n > 1 {
			t.Errorf("offset %d is visible %d times", o, n)
		}
	}
}

// consume takes published files away as a reader does that moves or deletes what it has read. It only runs while no manifest is
// unfinished.
func (w *world) consume(r *rand.Rand) {
	newest, done := "", map[string]bool{}
	w.fs.Walk(path.Join(stateBase, sinkName, w.part.String(), "log"), func(name string, _ dfs.Info, _ []byte) {
		switch base := path.Base(name); path.Ext(base) {
		case ".json":
			newest = strings.TrimSuffix(base, ".json")
		case ".done":
			done[strings.TrimSuffix(base, ".done")] = true
		}
	})
	if newest == "" || !done[newest] {
		return
	}
	var taken []string
	w.fs.Walk("/data", func(name string, i dfs.Info, data []byte) {
		if i.Dir || strings.HasPrefix(name, stateBase+"/") || r.IntN(3) > 0 {
			return
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(string(data), "\n"), "\n") {
			n, err := strconv.Atoi(line)
			if err != nil {
				panic(err)
			}
			w.read[ingest.Offset(n)]++
		}
		taken = append(taken, name)
	})
	for _, name := range taken {
		if err := w.fs.RemoveAll(context.Background(), name); err != nil {
			panic(err)
		}
	}
}

// finish lets a last owner drain the rest without faults, and asks the oracle and verify.
func (w *world) finish(t *testing.T, cfg config) {
	t.Helper()
	w.noDoubles(t)
	last := &owner{w: w, name: "last", fs: w.fs, cfg: cfg}
	if err := last.drain(t.Context()); err != nil {
		t.Errorf("the last owner: %v", err)
		return
	}
	for i, p := range problems(w.visible(t), w.first, w.events) {
		if i == 5 {
			t.Error("…")
			break
		}
		t.Error(p)
	}
	w.verify(t)
}

// unexpected reports errors that no owner of a healthy partition may ever see.
func unexpected(err error) bool {
	return err != nil && !errors.Is(err, fault.ErrCrashed) && ingest.IsPermanent(err)
}
