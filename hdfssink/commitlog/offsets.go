package commitlog

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/penstock-io/penstock/ingest"
)

// Set is a set of offsets as it is written into a manifest: the portable 64-bit roaring format, base64.
type Set struct{ *roaring64.Bitmap }

// MarshalJSON implements json.Marshaler; nil and empty are "".
func (s Set) MarshalJSON() ([]byte, error) {
	if s.Bitmap == nil || s.IsEmpty() {
		return []byte(`""`), nil
	}
	c := s.Clone()
	c.RunOptimize()
	b, err := c.ToBytes()
	if err != nil {
		return nil, fmt.Errorf("encode offset set: %w", err)
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Set) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return fmt.Errorf("decode offset set: %w", err)
	}
	s.Bitmap = roaring64.New()
	if text == "" {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("decode offset set: %w", err)
	}
	// The library makes room for as many containers as the first number says before it looks for them.
	if len(raw) < 8 || binary.LittleEndian.Uint64(raw) > uint64(len(raw))/smallestContainer {
		return fmt.Errorf("decode offset set: %d bytes are too few for what it says to hold", len(raw))
	}
	if err := s.UnmarshalBinary(raw); err != nil {
		return fmt.Errorf("decode offset set: %w", err)
	}
	if err := s.Validate(); err != nil {
		return fmt.Errorf("decode offset set: %w", err)
	}
	return nil
}

// smallestContainer is less than any 2³² offsets take that are not empty: a key, a cookie, and a container.
const smallestContainer = 12

func u(o ingest.Offset) uint64 { return uint64(o) } // offsets are checked not to be negative where they come in

// countIn is how many of b's offsets are in r.
func countIn(b *roaring64.Bitmap, r ingest.Range) uint64 {
	if r.Empty() {
		return 0
	}
	n := b.Rank(u(r.Next) - 1)
	if r.First > 0 {
		n -= b.Rank(u(r.First) - 1)
	}
	return n
}

// runEnd is the first offset at or after from that b does not hold.
func runEnd(b *roaring64.Bitmap, from ingest.Offset) ingest.Offset {
	if b.IsEmpty() || !b.Contains(u(from)) {
		return from
	}
	lo, hi := from, ingest.Offset(b.Maximum())+1 // as above
	for lo < hi {                                // [from, lo) is in b; the answer is at most hi
		mid := lo + (hi-lo+1)/2
		if countIn(b, ingest.Range{First: from, Next: mid}) == u(mid-from) {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// overlapError says that an offset would be done twice: a bug in the caller, or a damaged log.
type overlapError struct {
	what string
	off  ingest.Offset
}

func (e *overlapError) Error() string {
	return fmt.Sprintf("%s holds offset %d, which is done already", e.what, e.off)
}

// progress adds up what is done: [first, low) and ahead.
type progress struct {
	low   ingest.Offset
	ahead *roaring64.Bitmap // >= low
	gaps  []ingest.Gap      // beyond low, not in ahead yet: a gap may be longer than a bitmap can bear
}

// add counts a set as done; what names it in errors.
func (p *progress) add(what string, b *roaring64.Bitmap) error {
	if b == nil || b.IsEmpty() {
		return nil
	}
	if lo := b.Minimum(); lo < u(p.low) {
		return &overlapError{what, ingest.Offset(lo)} // less than low
	}
	if b.Maximum() > 1<<62 {
		return fmt.Errorf("%s holds offset %d, which no log can have", what, b.Maximum())
	}
	if p.ahead.Intersects(b) {
		both := p.ahead.Clone()
		both.And(b)
		return &overlapError{what, ingest.Offset(both.Minimum())} // at most 1<<62
	}
	p.ahead.Or(b)
	return nil
}

// addGap counts a range as done.
func (p *progress) addGap(g ingest.Gap) error {
	if g.Empty() || g.First < 0 || g.Next > 1<<62 {
		return fmt.Errorf("gap [%d, %d) is not a range of offsets", g.First, g.Next)
	}
	if g.First < p.low {
		return &overlapError{"gap", g.First}
	}
	p.gaps = append(p.gaps, g)
	return nil
}

// maxGapAhead bounds what a gap beyond low costs: one that begins at low may have any length.
const maxGapAhead = 1 << 31

// settle moves low up as far as everything is done, and returns an error when a gap overlaps anything.
func (p *progress) settle() error {
	slices.SortFunc(p.gaps, func(a, b ingest.Gap) int { return int(a.First - b.First) })
	for i, g := range p.gaps {
		if countIn(p.ahead, g.Range) > 0 || i > 0 && g.First < p.gaps[i-1].Next {
			return &overlapError{"gap", g.First}
		}
	}
	rest := p.gaps[:0]
	p.low = runEnd(p.ahead, p.low)
	for _, g := range p.gaps {
		if g.First != p.low {
			rest = append(rest, g)
			continue
		}
		p.low = runEnd(p.ahead, g.Next)
	}
	p.ahead.RemoveRange(0, u(p.low))
	for _, g := range rest {
		if g.Next-g.First > maxGapAhead {
			return fmt.Errorf("gap [%d, %d) is longer than %d offsets and does not begin at %d, where the log is: close the hole before it first", g.First, g.Next, int64(maxGapAhead), p.low)
		}
		p.ahead.AddRange(u(g.First), u(g.Next))
	}
	p.gaps = nil
	return nil
}

// advance is the arithmetic of a commit: what is done after st and m.
func advance(st State, m *Commit) (low ingest.Offset, ahead *roaring64.Bitmap, err error) {
	p := progress{low: st.Low, ahead: st.Ahead.Clone()}
	for _, f := range m.Files {
		if f.Offsets == nil || f.Offsets.IsEmpty() {
			return 0, nil, fmt.Errorf("file %s has no offsets", f.Staged)
		}
		if err := p.add("file "+f.Staged, f.Offsets); err != nil {
			return 0, nil, err
		}
	}
	if err := p.add("filtered", m.Filtered); err != nil {
		return 0, nil, err
	}
	for _, g := range m.Gaps {
		if g.Reason == "" {
			return 0, nil, fmt.Errorf("gap [%d, %d) has no reason", g.First, g.Next)
		}
		if err := p.addGap(g); err != nil {
			return 0, nil, err
		}
	}
	if err := p.settle(); err != nil {
		return 0, nil, err
	}
	return p.low, p.ahead, nil
}
