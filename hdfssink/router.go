package hdfssink

import (
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/ingest"
)

// bucket is one output directory of one partition. It has at most one open file.
type bucket struct {
	path      string
	windowEnd time.Time // zero: the path has no time in it
	file      *openFile
	forgotten bool // not in the router's table any more
}

// router finds the bucket of an event. Events whose values lead to a bucket that is known cost no allocation. One for each
// partition; used by its drain alone.
type router struct {
	t        *pathTemplate
	clock    eventClock
	fields   PathFields // nil: the path has none
	segments []segment
	timeOnly bool // no header and no field in the path: the cell alone decides
	buckets  map[string]*bucket

	slot  int64 // ms; cells are looked up by time divided by this
	cells map[int64]*cell
	last  *cell
	buf   []byte
	texts [][]byte // of the event's fields
}

// cell is a run of instants that have the same path as far as time goes.
type cell struct {
	first, next int64 // ms
	texts       []string
	windowEnd   time.Time
	only        *bucket // when the path has no headers and no fields
}

const (
	maxCells = 4096
	slotSpan = 15 * time.Minute // zones and days begin at multiples of it
)

func newRouter(t *pathTemplate, clock eventClock, fields PathFields, segments []segment) *router {
	r := &router{t: t, clock: clock, fields: fields, segments: segments, buckets: map[string]*bucket{}, cells: map[int64]*cell{}, timeOnly: true}
	r.slot = min(t.unit.span(), slotSpan).Milliseconds()
	for _, s := range segments {
		if s.kind == header || s.kind == bodyField {
			r.timeOnly = false
		}
	}
	return r
}

// route returns the event's bucket. A *formats.RecordError says why it can have none; any other error that this cannot be told now.
func (r *router) route(e *ingest.Event) (*bucket, error) {
	c, err := r.cell(e)
	if err != nil {
		return nil, err
	}
	if r.timeOnly && c.only != nil && !c.only.forgotten {
		return c.only, nil
	}
	if r.fields != nil {
		if r.texts, err = r.fields.Texts(e.Body); err != nil {
			return nil, err
		}
	}
	if why := r.build(e, c); why != nil {
		return nil, why
	}
	b := r.buckets[string(r.buf)] // no allocation: the compiler knows this form
	if b == nil {
		path := string(r.buf)
		if part, ok := badComponent(path); !ok {
			return nil, badBucket(part)
		}
		b = &bucket{path: path, windowEnd: c.windowEnd}
		r.buckets[path] = b
	}
	if r.timeOnly {
		c.only = b
	}
	return b, nil
}

// forget drops a bucket whose file was rolled.
func (r *router) forget(b *bucket) {
	delete(r.buckets, b.path)
	b.forgotten = true
}

func (r *router) cell(e *ingest.Event) (*cell, error) {
	var ms int64
	if r.t.usesTime() {
		var err error
		if ms, err = r.clock.at(e); err != nil {
			return nil, err
		}
	}
	if c := r.last; c != nil && ms >= c.first && ms < c.next {
		return c, nil
	}
	key := floorTo(ms, r.slot)
	c := r.cells[key]
	if c == nil || ms < c.first || ms >= c.next {
		if len(r.cells) >= maxCells {
			clear(r.cells)
		}
		c = r.newCell(ms)
		r.cells[key] = c
	}
	r.last = c
	return c, nil
}

func (r *router) newCell(ms int64) *cell {
	at, first, next := r.t.civilAt(ms)
	c := &cell{first: first, next: next, windowEnd: r.t.windowEnd(at)}
	if !r.t.usesTime() {
		c.first, c.next = 0, 1 // every event is at 0
	}
	for _, s := range r.segments {
		if s.kind == timeEscape {
			c.texts = append(c.texts, renderEscaped(s.text, at))
		}
	}
	return c
}

// build puts the event's path into r.buf.
func (r *router) build(e *ingest.Event, c *cell) *formats.RecordError {
	buf, texts := r.buf[:0], c.texts
	for i := range r.segments {
		s := &r.segments[i]
		switch s.kind {
		case timeEscape:
			buf = append(buf, texts[0]...)
			texts = texts[1:]
		case header, bodyField:
			value := r.value(e, s)
			switch {
			case len(value) > 0:
				buf = appendEscapedBytes(buf, value, len(buf) > 0 && buf[len(buf)-1] == '/')
			case s.whole:
				buf = append(buf, hiveDefault...)
			case r.t.missing != "":
				buf = append(buf, r.t.missing...)
			default:
				return missingValue(s)
			}
		default:
			buf = append(buf, s.text...)
		}
	}
	r.buf = buf
	return nil
}

// value is that of a header or a field; missing, null and empty are the same. %{key} falls back to Kafka's key, as it does
// behind Flume's Kafka source.
func (r *router) value(e *ingest.Event, s *segment) []byte {
	if s.kind == bodyField {
		return r.texts[s.field]
	}
	v, _ := e.Headers.Get(s.text)
	if len(v) == 0 && s.text == "key" {
		v = e.Key
	}
	return v
}
