package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// errProof: the manifests can be read and do not add up.
var errProof = errors.New("the log proves nothing")

// ledger is a whole log added up.
type ledger struct {
	newest  *Manifest
	done    bool // the newest has its .done
	files   []FileEntry
	missing map[string]bool
	report  PartitionReport
	sum     progress
	next    int64
	prev    string
}

// readLedger reads every manifest of a life and adds up what they say.
func readLedger(ctx context.Context, fsys dfs.FS, p paths) (*ledger, error) {
	l := &ledger{missing: map[string]bool{}}
	v, err := listLog(ctx, fsys, p)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	newest, err := v.newest()
	if err != nil || newest < 0 {
		return l, err
	}
	var names []string
	for _, s := range v.archives {
		names = append(names, path.Join(p.log(), archiveName(s)))
	}
	last, _ := v.archived() // newest has checked it
	for n := last + 1; n <= newest; n++ {
		names = append(names, p.manifest(n))
	}
	for _, name := range names {
		if err := eachLine(ctx, fsys, name, func(_ []byte, m *Manifest) error { return l.add(p, m) }); err != nil {
			return nil, err
		}
	}
	if l.next != newest+1 {
		return nil, fmt.Errorf("%w: archives end at manifest %d, not %d", errCorrupt, l.next-1, newest)
	}
	l.done = v.done[newest]
	l.report.Seq, l.report.Low, l.report.Ahead = newest, l.sum.low, l.sum.ahead.GetCardinality()
	return l, nil
}

// readRunning is readLedger for a sink that may be running: a log that changes under our eyes is read again. Archiving moves manifests, and each reading
// is of a prefix of what there is.
func readRunning(ctx context.Context, fsys dfs.FS, p paths) (l *ledger, err error) {
	for try := range 6 {
		if err := pause(ctx, try-1); err != nil {
			return nil, err
		}
		if l, err = readLedger(ctx, fsys, p); err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errCorrupt) {
			break
		}
	}
	return l, err
}

// add counts one manifest in.
func (l *ledger) add(p paths, m *Manifest) error {
	if err := m.belongs(p, l.next); err != nil {
		return err
	}
	r := &l.report
	if l.next == 0 {
		*r = PartitionReport{Topic: m.Topic, Partition: m.Partition, Life: m.Life, First: m.First}
		l.sum = progress{low: m.First, ahead: roaring64.New()}
	} else if m.Prev != l.prev && (m.Sealed == nil || m.Sealed.Torn == "") {
		return fmt.Errorf("%w: manifest %d follows another manifest %d than the one that is there", errProof, m.Seq, m.Seq-1)
	}
	if l.newest != nil && (l.newest.Sealed != nil || m.Epoch < l.newest.Epoch || m.First != r.First) {
		return fmt.Errorf("%w: manifest %d (epoch %d) cannot follow manifest %d (epoch %d)", errProof, m.Seq, m.Epoch, l.newest.Seq, l.newest.Epoch)
	}
	if err := l.addOffsets(m); err != nil {
		return fmt.Errorf("manifest %d: %w", m.Seq, err)
	}
	for _, name := range m.Missing {
		l.missing[name] = true
	}
	torn := m.Sealed != nil && m.Sealed.Torn != ""
	if !torn && (l.sum.low != m.Low || !l.sum.ahead.Equals(m.Ahead.Bitmap)) {
		return fmt.Errorf("%w: manifest %d says low %d and %d offsets ahead; all that was committed makes low %d and %d ahead",
			errProof, m.Seq, m.Low, m.Ahead.GetCardinality(), l.sum.low, l.sum.ahead.GetCardinality())
	}
	if r.Sealed = m.Sealed != nil; r.Sealed {
		r.Torn = m.Sealed.Torn
	}
	l.newest, l.prev, l.next = m, m.sum, m.Seq+1
	return nil
}

// addOffsets counts the offsets of one manifest in: files, filtered, gaps.
func (l *ledger) addOffsets(m *Manifest) error {
	r := &l.report
	for i := range m.Files {
		f := &m.Files[i]
		if err := l.sum.add("file "+f.Final, f.Offsets.Bitmap); err != nil {
			return err
		}
		if n := f.Offsets.GetCardinality(); f.Dead {
			r.Dead += n
		} else {
			r.Published += n
		}
		r.Files++
		l.files = append(l.files, *f)
	}
	if err := l.sum.add("filtered", m.Filtered.Bitmap); err != nil {
		return err
	}
	r.Filtered += m.Filtered.GetCardinality()
	for _, g := range m.Gaps {
		if err := l.sum.addGap(g); err != nil {
			return err
		}
		r.Gaps += u(g.Next - g.First)
	}
	return l.sum.settle()
}
