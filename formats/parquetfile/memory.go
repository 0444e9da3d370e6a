package parquetfile

import (
	"math/bits"
	"sync"
)

// smallest and largest powers of two that are recycled; a page holding a single giant event is left to the collector.
const (
	minClass = 9  // 512 bytes
	maxClass = 24 // 16 MiB
)

// buffers recycles byte slices among all encoders of a format, by powers of two. What nobody needs goes with the next garbage collections.
type buffers struct {
	classes [maxClass + 1]sync.Pool // of *boxed
	boxes   sync.Pool               // of empty *boxed, so that recycling allocates nothing itself
}

type boxed struct{ p []byte }

func class(n int) int { return max(minClass, bits.Len(uint(max(n, 1)-1))) }

// get returns an empty slice with room for n bytes; its capacity is what it costs.
func (b *buffers) get(n int) []byte {
	c := class(n)
	if c > maxClass {
		return make([]byte, 0, n)
	}
	box, ok := b.classes[c].Get().(*boxed)
	if !ok {
		return make([]byte, 0, 1<<c)
	}
	p := box.p
	box.p = nil
	b.boxes.Put(box)
	return p[:0]
}

func (b *buffers) put(p []byte) {
	c := class(cap(p))
	if c > maxClass || cap(p) != 1<<c {
		return
	}
	box, ok := b.boxes.Get().(*boxed)
	if !ok {
		box = new(boxed)
	}
	box.p = p
	b.classes[c].Put(box)
}

// holding counts exactly the bytes that one encoder has allocated. Everything that an encoder keeps from one call to
// the next passes through it.
type holding struct {
	buffers *buffers
	bytes   int64
}

// grow returns p with room for n more bytes.
func (h *holding) grow(p []byte, n int) []byte {
	if cap(p)-len(p) >= n {
		return p
	}
	q := h.buffers.get(max(len(p)+n, 2*len(p)))
	h.bytes += int64(cap(q))
	q = append(q, p...)
	h.free(p)
	return q
}

func (h *holding) free(p []byte) {
	if p == nil {
		return
	}
	h.bytes -= int64(cap(p))
	h.buffers.put(p)
}

// keep returns a copy of p that costs no more than its length: a finished page, which does not grow again.
func (h *holding) keep(p []byte) []byte {
	q := append(make([]byte, 0, len(p)), p...)
	h.bytes += int64(cap(q))
	return q
}

// drop gives up what keep returned.
func (h *holding) drop(p []byte) { h.bytes -= int64(cap(p)) }
