package hdfssink

import (
	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/penstock-io/penstock/ingest"
)

// offsetSet collects ascending offsets. Runs are kept as such, single offsets go to the bitmap many at a time, so that an event
// costs no allocation and a few nanoseconds.
type offsetSet struct {
	set         *roaring64.Bitmap
	first, next ingest.Offset // the current run, not in set yet
	singles     []uint64      // not in set yet
	count       int64
	start       ingest.Offset // lowest offset
}

const maxSingles = 256

// add puts in o, which is above all offsets before.
func (s *offsetSet) add(o ingest.Offset) {
	s.count++
	if o == s.next && s.count > 1 {
		s.next++
		return
	}
	if s.count == 1 {
		s.start = o
	} else {
		s.endRun()
	}
	s.first, s.next = o, o+1
}

func (s *offsetSet) endRun() {
	if s.next == s.first+1 {
		s.singles = append(s.singles, uint64(s.first))
		if len(s.singles) >= maxSingles {
			s.spill()
		}
		return
	}
	s.spill()
	s.set.AddRange(uint64(s.first), uint64(s.next))
}

func (s *offsetSet) spill() {
	if s.set == nil {
		s.set = roaring64.New()
	}
	s.set.AddMany(s.singles)
	s.singles = s.singles[:0]
}

// last is the highest offset.
func (s *offsetSet) last() ingest.Offset { return s.next - 1 }

// bitmap returns all offsets, in the smallest form, and leaves the set empty.
func (s *offsetSet) bitmap() *roaring64.Bitmap {
	if s.count == 0 {
		return nil
	}
	s.endRun()
	s.spill()
	out := s.set
	out.RunOptimize()
	*s = offsetSet{singles: s.singles[:0]}
	return out
}

// doneCursor finds out for ascending offsets which are done already. It costs nothing once the last one is passed.
type doneCursor struct {
	it roaring64.IntPeekable64
}

func newDoneCursor(ahead *roaring64.Bitmap) doneCursor {
	c := doneCursor{}
	if !ahead.IsEmpty() {
		c.it = ahead.Iterator()
	}
	return c
}

// done reports whether o, not below the offset of the call before, is done.
func (c *doneCursor) done(o ingest.Offset) bool {
	if c.it == nil {
		return false
	}
	return c.next(o) == o
}

// next returns the first done offset at or after o, or -1.
func (c *doneCursor) next(o ingest.Offset) ingest.Offset {
	if c.it == nil {
		return -1
	}
	c.it.AdvanceIfNeeded(uint64(o))
	if !c.it.HasNext() {
		c.it = nil
		return -1
	}
	return ingest.Offset(c.it.PeekNext())
}

// undone calls f with the parts of r that are not done. r lies at or after what was asked before.
func (c *doneCursor) undone(r ingest.Range, f func(ingest.Range)) {
	for !r.Empty() {
		d := c.next(r.First)
		if d < 0 || d >= r.Next {
			f(r)
			return
		}
		if d > r.First {
			f(ingest.Range{First: r.First, Next: d})
		}
		r.First = d + 1
	}
}
