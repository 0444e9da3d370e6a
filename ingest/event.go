package ingest

import (
	"bytes"
	"slices"
	"strconv"
)

// Offset is an event's place in its partition. Offsets only grow; gaps are allowed but must be explained.
type Offset int64

// Partition names one ordered log: a Kafka topic-partition, or a partition of a local channel.
type Partition struct {
	Topic string
	ID    int32
}

// String is "topic+id", the form used in file names.
func (p Partition) String() string { return p.Topic + "+" + strconv.Itoa(int(p.ID)) }

// Header is one header of an event. Kafka allows a key more than once; Flume does not.
type Header struct {
	Key   string
	Value []byte
}

// Headers are in the order in which the producer wrote them.
type Headers []Header

// Get returns the last value of key, as Kafka's lastHeader does.
func (h Headers) Get(key string) ([]byte, bool) {
	for _, last := range slices.Backward(h) {
		if last.Key == key {
			return last.Value, true
		}
	}
	return nil, false
}

// Event is one entry of a partition. Key, Headers and Body are read-only and belong to the stream that gave
// the event: they are valid until the next Read of that stream.
type Event struct {
	Offset    Offset
	Timestamp int64  // Unix time, milliseconds, as Kafka's and Flume's timestamp
	Key       []byte // nil: no key
	Headers   Headers
	Body      []byte // nil: null (a Kafka tombstone), which is not the same as empty
}

// Equal reports whether both events carry the same data at the same offset.
func (e *Event) Equal(o *Event) bool {
	if e.Offset != o.Offset || e.Timestamp != o.Timestamp || len(e.Headers) != len(o.Headers) {
		return false
	}
	for i, h := range e.Headers {
		if h.Key != o.Headers[i].Key || !sameBytes(h.Value, o.Headers[i].Value) {
			return false
		}
	}
	return sameBytes(e.Key, o.Key) && sameBytes(e.Body, o.Body)
}

func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// Range is the half-open run of offsets [First, Next).
type Range struct {
	First Offset `json:"first"`
	Next  Offset `json:"next"`
}

// Empty reports whether the range holds no offset.
func (r Range) Empty() bool { return r.Next <= r.First }

// GapReason says why offsets hold no event that a sink may see.
type GapReason string

// The reasons a gap can have. A jump in offsets without one of them stops the partition.
const (
	GapControl   GapReason = "control"   // control batches of transactions
	GapAborted   GapReason = "aborted"   // events of aborted transactions
	GapCompacted GapReason = "compacted" // removed by log compaction inside a batch, or between batches of a compacted topic
	GapRetention GapReason = "retention" // removed by retention; only by the operator's policy or command
	GapAccepted  GapReason = "accepted"  // anything else that an operator accepted by command
)

// Gap is a run of offsets without events, with the reason and the evidence for it.
type Gap struct {
	Range
	Reason   GapReason `json:"reason"`
	Evidence string    `json:"evidence,omitempty"` // e.g. "control batch at 17, producer 4000"; empty when the reason says all
}

// Mark identifies a place in a log, so that a truncated or replaced log is recognised after a restart.
type Mark struct {
	Offset      Offset `json:"offset"`       // of the event that was fingerprinted
	LeaderEpoch int32  `json:"leader_epoch"` // of the batch it was in; -1: unknown
	CRC         uint32 `json:"crc"`          // CRC-32C over timestamp, key and body of that event (see Event.CRC)
}

// Batch is a run of one partition: its events (offsets ascending) and gaps tile [First, Next) exactly.
// A batch may have no events (gaps alone) but is never empty.
type Batch struct {
	Range
	Events []Event
	Gaps   []Gap
	Marks  []Mark // ascending; at least one for each broker batch with events, at its last event
}
