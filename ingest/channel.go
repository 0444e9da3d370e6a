package ingest

import (
	"context"
	"time"
)

// Channel is a log of partitions between sources and one sink.
type Channel interface {
	// Drain calls drain once for each partition while this agent owns it, each call in a goroutine of its
	// own, until ctx ends or the channel fails. Before a partition is given up its drain's context ends with
	// an *Ending as the cause, and Drain waits for the call to return. What drain returns is its caller's own business:
	// Drain does not call it again for the same assignment.
	Drain(ctx context.Context, drain DrainFunc) error
}

// DrainFunc empties one partition until ctx ends.
type DrainFunc func(ctx context.Context, s Stream) error

// LogInfo describes the log behind a stream.
type LogInfo struct {
	Cluster   string        // id of the Kafka cluster (or of the local channel)
	Group     string        // consumer group that hands out the partitions
	TopicID   string        // changes when a topic is deleted and made again; empty: the broker does not tell
	Start     Offset        // first offset that the log still holds
	End       Offset        // one behind the last event that may be read (read_committed: last stable offset)
	Retention time.Duration // how long the log keeps events; 0: unknown or for ever
}

// Hint is what the channel remembers about a sink's progress. It is never the truth: that is in the sink's own log.
type Hint struct {
	Next     Offset // everything before it was done when the hint was given
	Metadata string // of the sink; at most 1,000 bytes
}

// Position names a place to start at when a sink has no state: earliest, latest or the first event at or after a time.
type Position struct {
	At   string    // "earliest", "latest" or "time"
	Time time.Time // for "time"
}

// Stream is one partition as its sink sees it. It keeps no cursor. Its methods are called by one goroutine.
// Errors that are not named here are passing (broker away, time-out): the caller may call again.
type Stream interface {
	Partition() Partition

	// Describe asks the log about itself. Called at each claim and when Read says that it is out of range.
	Describe(ctx context.Context) (LogInfo, error)

	// Hint returns the last hint that was committed; ok is false when there is none.
	Hint(ctx context.Context) (h Hint, ok bool, err error)

	// Resolve turns a position into an offset of this partition as it is now.
	Resolve(ctx context.Context, p Position) (Offset, error)

	// Check returns nil when the log still holds the marked event or cannot hold it any more (retention,
	// compaction), and ErrReplaced (wrapped, with what differs) when another event is in its place or the log ends before it.
	Check(ctx context.Context, m Mark) error

	// Read waits for events at next or later and returns a batch with First == next. It reads ahead while
	// the caller works, as long as each call's next is the batch's Next of the call before; any other next is
	// honoured too. The batch and all bytes in it are valid until the next call of Read.
	// Errors: ctx's; *OutOfRangeError when the log begins after next or ends before it; ErrReplaced when a leader's history
	// differs from what was read; *CorruptError for a batch that cannot be decoded; ErrUnexplainedGap for a jump without evidence.
	Read(ctx context.Context, next Offset) (Batch, error)

	// Commit stores a hint. A failure costs nothing but the hint.
	Commit(ctx context.Context, h Hint) error

	// Confirm waits until the owner of assignments (the group coordinator) has accepted this member's ownership after the call
	// was made. A sink that was fenced calls it before it claims again.
	Confirm(ctx context.Context) error
}

// Sink empties streams into storage.
type Sink interface {
	// Drain claims the stream's partition, recovers, and then reads and commits until ctx ends or something
	// fails. When ctx ends with an *Ending as the cause, Drain commits what it has under the Ending's grace and returns nil, or the
	// error that kept it from doing so. After any other error the caller may call Drain again: it recovers. Safe for
	// concurrent use with different partitions.
	Drain(ctx context.Context, s Stream) error
}

// Interceptor changes or drops events; it never adds any. It sees each event that is read, replays
// included, and need not be deterministic: one decision for each offset is committed.
type Interceptor interface {
	// Intercept reports whether the event goes on. It may replace fields of e, never bytes that they point to.
	Intercept(e *Event) bool
}
