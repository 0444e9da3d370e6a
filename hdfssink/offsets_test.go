package hdfssink

import (
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"pgregory.net/rapid"

	"github.com/penstock-io/penstock/ingest"
)

func TestOffsetSetIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s offsetSet
		for range rapid.IntRange(1, 3).Draw(t, "uses") {
			o := ingest.Offset(rapid.Int64Range(0, 1<<40).Draw(t, "first"))
			var want []uint64
			for range rapid.IntRange(1, 700).Draw(t, "n") {
				want = append(want, uint64(o))
				s.add(o)
				if rapid.IntRange(0, 2).Draw(t, "jump") == 0 {
					o += ingest.Offset(rapid.Int64Range(1, 1<<20).Draw(t, "by"))
				}
				o++
			}
			if s.start != ingest.Offset(want[0]) || s.last() != ingest.Offset(want[len(want)-1]) || s.count != int64(len(want)) {
				t.Fatalf("start %d last %d count %d", s.start, s.last(), s.count)
			}
			if got := s.bitmap().ToArray(); !slices.Equal(got, want) {
				t.Fatalf("%v, want %v", got, want)
			}
		}
	})
}

func TestDoneCursor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		done := roaring64.BitmapOf(rapid.SliceOfN(rapid.Uint64Range(0, 200), 0, 80).Draw(t, "done")...)
		c := newDoneCursor(done)
		seen := roaring64.New()
		for o := ingest.Offset(0); o < 220; {
			if rapid.Bool().Draw(t, "range") {
				r := ingest.Range{First: o, Next: o + ingest.Offset(rapid.IntRange(1, 30).Draw(t, "len"))}
				c.undone(r, func(r ingest.Range) { seen.AddRange(uint64(r.First), uint64(r.Next)) })
				o = r.Next
				continue
			}
			if !c.done(o) {
				seen.Add(uint64(o))
			}
			o++
		}
		if seen.Intersects(done) {
			t.Fatal("a done offset was not skipped")
		}
		seen.Or(done)
		seen.RemoveRange(220, 1000)
		if n := seen.GetCardinality(); n != 220 {
			t.Fatalf("%d of 220 offsets", n)
		}
	})
}

func TestMarks(t *testing.T) {
	var l markList
	if _, ok := l.before(10); ok {
		t.Error("a mark of nothing")
	}
	for o := ingest.Offset(9); o < 100_000; o += 10 {
		l.add(ingest.Mark{Offset: o})
	}
	if len(l.marks) > maxMarks {
		t.Errorf("%d marks", len(l.marks))
	}
	for _, low := range []ingest.Offset{20_000, 20_001, 70_000, 100_000} {
		m, ok := l.before(low)
		if !ok || m.Offset >= low || m.Offset < low-100 {
			t.Errorf("before %d: %v %v", low, m, ok)
		}
	}
}

func BenchmarkOffsetSet(b *testing.B) {
	for name, step := range map[string]ingest.Offset{"one-bucket": 1, "24-buckets": 24, "1000-buckets": 1000} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var s offsetSet
			o := ingest.Offset(0)
			for range b.N {
				s.add(o)
				if o += step; s.count == 1_000_000 {
					s.bitmap()
				}
			}
		})
	}
}
