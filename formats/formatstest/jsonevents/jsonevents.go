// Package jsonevents makes realistic events for the demo, for benchmarks and for tests that count: nested JSON of about 480 bytes, each
// with its producer and a sequence number without gaps, so that loss, duplication and reordering can be told from the bodies alone.
package jsonevents

import (
	"bytes"
	"fmt"
	"math/bits"
	"strconv"
)

// Generator makes the events of one producer. The same producer and seed make the same events. Not safe for concurrent use.
type Generator struct {
	producer int
	seq      uint64
	random   uint64
	millis   int64
	key      uint64
	words    *vocabulary
}

// Schema is the Avro schema of the events.
const Schema = `{"type":"record","name":"click","fields":[
	{"name":"producer","type":"int"},{"name":"seq","type":"long"},{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"level","type":"string"},{"name":"service","type":"string"},{"name":"host","type":"string"},{"name":"trace","type":"string"},
	{"name":"user","type":{"type":"record","name":"user","fields":[{"name":"id","type":"long"},{"name":"country","type":"string"},{"name":"premium","type":"boolean"}]}},
	{"name":"request","type":{"type":"record","name":"request","fields":[{"name":"method","type":"string"},{"name":"path","type":"string"},
		{"name":"status","type":"int"},{"name":"bytes","type":"long"},{"name":"latency_ms","type":"double"}]}},
	{"name":"tags","type":{"type":"array","items":"string"}},{"name":"message","type":"string"}]}`

// firstMillis is the time of the first event: 2026-01-01T00:00:00Z. Events are a few milliseconds apart.
const firstMillis = 1767225600000

// New returns the generator of one producer, before its first event, which has sequence number 0.
func New(producer int, seed uint64) *Generator {
	return &Generator{producer: producer, random: seed*0x9e3779b97f4a7c15 + uint64(producer), millis: firstMillis, words: words()}
}

// Append appends the next event's body to dst.
func (g *Generator) Append(dst []byte) []byte {
	w := g.words
	a, b, c := g.next(), g.next(), g.next()
	g.millis += int64(a >> 61)
	g.key = 100000 + pick(b, 250000)
	status := w.statuses[pick(a<<16, uint64(len(w.statuses)))]

	dst = append(dst, `{"producer":`...)
	dst = strconv.AppendInt(dst, int64(g.producer), 10)
	dst = append(dst, `,"seq":`...)
	dst = strconv.AppendUint(dst, g.seq, 10)
	dst = append(dst, `,"ts":`...)
	dst = strconv.AppendInt(dst, g.millis, 10)
	dst = append(append(append(dst, `,"level":"`...), w.levels[pick(c<<8, uint64(len(w.levels)))]...), `","service":"`...)
	dst = append(append(dst, w.services[pick(b<<16, uint64(len(w.services)))]...), `","host":"node-`...)
	dst = strconv.AppendUint(dst, 100+pick(c<<24, 64), 10)
	dst = append(dst, `.example.test","trace":"`...)
	dst = appendHex(appendHex(dst, b*0xff51afd7ed558ccd), c*0xc4ceb9fe1a85ec53)

	dst = append(dst, `","user":{"id":`...)
	dst = strconv.AppendUint(dst, g.key, 10)
	dst = append(append(append(dst, `,"country":"`...), w.countries[pick(g.key*0x9e3779b97f4a7c15, uint64(len(w.countries)))]...), `","premium":`...)
	dst = strconv.AppendBool(dst, g.key%7 == 0)

	dst = append(append(append(dst, `},"request":{"method":"`...), w.methods[pick(a<<24, uint64(len(w.methods)))]...), `","path":"/api/v2/`...)
	dst = append(append(dst, w.resources[pick(a<<32, uint64(len(w.resources)))]...), '/')
	dst = strconv.AppendUint(dst, pick(c, 1000000), 10)
	dst = append(dst, `","status":`...)
	dst = append(dst, status...)
	dst = append(dst, `,"bytes":`...)
	dst = strconv.AppendUint(dst, 200+pick(a<<40, 60000), 10)
	dst = append(dst, `,"latency_ms":`...)
	dst = strconv.AppendUint(dst, 1+pick(b<<32, 400), 10)
	dst = append(dst, '.')
	dst = strconv.AppendUint(dst, 100+pick(c<<32, 900), 10)

	dst = append(dst, `},"tags":["`...)
	dst = append(append(append(dst, w.tags[pick(b<<40, uint64(len(w.tags)))]...), `","`...), w.tags[pick(c<<40, uint64(len(w.tags)))]...)
	dst = append(dst, `"],"message":"`...)
	dst = g.appendSentence(dst)
	g.seq++
	return append(dst, `"}`...)
}

// appendSentence appends twenty words, so that bodies compress as text does.
func (g *Generator) appendSentence(dst []byte) []byte {
	var r uint64
	for i := range 20 {
		if i%7 == 0 {
			r = g.next() // enough for seven words
		}
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, g.words.prose[r&63]...)
		r >>= 9
	}
	return dst
}

// Seq is the sequence number of the next event.
func (g *Generator) Seq() uint64 { return g.seq }

// Millis is the time of the last event, Unix milliseconds.
func (g *Generator) Millis() int64 { return g.millis }

// AppendKey appends the last event's key, its user's id, to dst.
func (g *Generator) AppendKey(dst []byte) []byte { return strconv.AppendUint(dst, g.key, 10) }

// Parse takes producer and sequence number out of a body that Append made.
func Parse(body []byte) (producer int, seq uint64, err error) {
	rest, ok := bytes.CutPrefix(body, []byte(`{"producer":`))
	p, rest, ok2 := bytes.Cut(rest, []byte(`,"seq":`))
	s, _, ok3 := bytes.Cut(rest, []byte(`,`))
	if !ok || !ok2 || !ok3 {
		return 0, 0, fmt.Errorf("parse event of %d bytes: it does not begin with producer and seq", len(body))
	}
	if producer, err = strconv.Atoi(string(p)); err != nil {
		return 0, 0, fmt.Errorf("parse producer: %w", err)
	}
	if seq, err = strconv.ParseUint(string(s), 10, 64); err != nil {
		return 0, 0, fmt.Errorf("parse seq: %w", err)
	}
	return producer, seq, nil
}

// next is splitmix64.
func (g *Generator) next() uint64 {
	g.random += 0x9e3779b97f4a7c15
	z := g.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// pick maps the upper bits of r to [0, n).
func pick(r, n uint64) uint64 {
	hi, _ := bits.Mul64(r, n)
	return hi
}

func appendHex(dst []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for range 16 {
		dst = append(dst, digits[v&15])
		v >>= 4
	}
	return dst
}

type vocabulary struct {
	levels    [8]string
	services  [12]string
	countries [10]string
	methods   [6]string
	resources [10]string
	statuses  [10]string
	tags      [12]string
	prose     [64]string
}

func words() *vocabulary {
	return &vocabulary{
		levels:    [8]string{"INFO", "INFO", "INFO", "INFO", "DEBUG", "DEBUG", "WARN", "ERROR"},
		services:  [12]string{"checkout", "catalogue", "search", "payments", "identity", "shipping", "inventory", "recommend", "gateway", "mailer", "ledger", "media"},
		countries: [10]string{"DE", "FR", "US", "BR", "IN", "JP", "PL", "ES", "GB", "ZA"},
		methods:   [6]string{"GET", "GET", "GET", "POST", "PUT", "DELETE"},
		resources: [10]string{"orders", "baskets", "products", "users", "sessions", "invoices", "reviews", "prices", "images", "stock"},
		statuses:  [10]string{"200", "200", "200", "200", "200", "201", "204", "304", "404", "500"},
		tags:      [12]string{"web", "mobile", "beta", "eu-west", "eu-central", "us-east", "canary", "cached", "retry", "batch", "internal", "partner"},
		prose: [64]string{
			"request", "accepted", "upstream", "connection", "timed", "out", "after", "retry", "cache", "miss", "for", "key", "stored", "in", "replica", "primary",
			"lock", "released", "by", "owner", "batch", "of", "rows", "written", "to", "table", "index", "rebuilt", "session", "expired", "token", "refreshed",
			"user", "signed", "from", "new", "device", "payment", "authorised", "with", "provider", "basket", "merged", "price", "changed", "since", "last", "visit",
			"shipment", "created", "label", "printed", "address", "verified", "email", "queued", "delivery", "failed", "circuit", "open", "closed", "slow", "query", "logged",
		},
	}
}
