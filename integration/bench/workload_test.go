//go:build integration

package bench

import (
	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
	"github.com/penstock-io/penstock/ingest"
)

const (
	topic = "clicks"
	hour  = int64(3_600_000) // ms
	begin = 1_767_225_600_000
)

// workload is what a topic holds. Whoever produces it and whoever encodes it from memory makes the same events.
type workload struct {
	Events     int64 // in all partitions
	Partitions int
	Buckets    int64 // hours that the events are spread over, one by one
}

func (w workload) each() int64 { return w.Events / int64(w.Partitions) }

// feed makes the events of one partition, in order.
type feed struct {
	gen     *jsonevents.Generator
	buckets int64
	n       int64
}

func (w workload) feed(partition int) *feed {
	return &feed{gen: jsonevents.New(partition, 1), buckets: w.Buckets}
}

// next makes an event whose body and key are appended to what it had; so a caller decides about their memory.
func (f *feed) next(e *ingest.Event) {
	e.Body, e.Key = f.gen.Append(e.Body), f.gen.AppendKey(e.Key)
	e.Offset = ingest.Offset(f.n)
	bucket := int64(uint64(f.n) * 0x9e3779b97f4a7c15 >> 32 % uint64(f.buckets))
	e.Timestamp = begin + bucket*hour + f.n/100
	f.n++
}
