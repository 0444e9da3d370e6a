// Package pieces lends the buffers in which a format gathers what it compresses and writes at once.
package pieces

import "sync"

// Pool lends buffers of one size. Safe for concurrent use.
type Pool struct {
	size int
	free sync.Pool // of *[]byte
}

// New returns a pool of buffers of size bytes.
func New(size int) *Pool { return &Pool{size: size} }

// Size is that of a whole buffer, in bytes.
func (p *Pool) Size() int { return p.size }

// Get lends an empty buffer.
func (p *Pool) Get() []byte {
	if b, ok := p.free.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return make([]byte, 0, p.size)
}

// Put takes back a buffer of any origin; only whole ones are lent again.
func (p *Pool) Put(b []byte) {
	if cap(b) == p.size {
		p.free.Put(&b)
	}
}

// Grow returns b with room for n bytes more. It doubles, so that a file of few events stays small, and ends with a lent buffer; b goes back to the pool if it was
// one.
func (p *Pool) Grow(b []byte, n int) []byte {
	need := len(b) + n
	if need <= cap(b) {
		return b
	}
	size := max(need, 2*cap(b), 512)
	var larger []byte
	if need <= p.size && size > p.size/2 {
		larger = p.Get()
	} else {
		larger = make([]byte, 0, size)
	}
	larger = append(larger, b...)
	p.Put(b)
	return larger
}
