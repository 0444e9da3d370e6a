// Package formats is the seam between events and file formats: a [Format] makes an [Encoder] for each file.
// One package below it for each format, each the only importer of its library.
package formats

import (
	"fmt"
	"io"

	"github.com/penstock-io/penstock/ingest"
)

// Format makes encoders for one kind of file, with all its settings. Safe for concurrent use.
type Format interface {
	// Name is the configuration's word for it, e.g. "parquet".
	Name() string
	// Ext is the final file name's extension without the dot, e.g. "parquet" or "txt.gz".
	Ext() string
	// SchemaID identifies what Append makes of an event: files with the same id have the same columns.
	SchemaID() string
	// NewEncoder begins a file on w. Nothing is written to w before the first Flush, the first Append that
	// fills a unit of the format, or Close: a file exists only from its first bytes on. An idle encoder is small.
	NewEncoder(w io.Writer, c Context) (Encoder, error)
	// Inspect reads what a finished file says of itself (footers; whole contents where a format has no footer). Any file that
	// NewEncoder's result did not Close cleanly is an error.
	Inspect(r io.ReaderAt, size int64) (Info, error)
}

// Context is what all events of one file have in common and no event carries.
type Context struct {
	Partition ingest.Partition // where the events come from: the columns topic and partition
}

// Info is what a finished file says of itself.
type Info struct {
	Rows     int64
	AtMost   bool              // Rows is an upper bound: lines of text, when a body may hold a newline
	Metadata map[string]string // what was given to Close; nil when the format cannot keep it
}

// CheckRows reports whether the file can hold just the rows that were written into it.
func (i Info) CheckRows(written int64) error {
	switch {
	case i.AtMost && i.Rows < written:
		return fmt.Errorf("%d rows were written, but the file has %d lines", written, i.Rows)
	case !i.AtMost && i.Rows != written:
		return fmt.Errorf("%d rows were written, but the file says %d", written, i.Rows)
	default:
		return nil
	}
}

// Encoder writes one file. Used by one goroutine.
type Encoder interface {
	// Append adds an event. It keeps no reference to e or its bytes after it returns. A *RecordError means that
	// this event cannot be written in this format and that the file is as good as before; any other error is final for the file.
	Append(e *ingest.Event) error
	// Buffered is the memory that the unwritten rows hold, in bytes as allocated.
	Buffered() int64
	// Size estimates the file's size in bytes if it were closed now: written plus what the buffered rows will take.
	Size() int64
	// Flush writes the buffered rows out as far as the format allows (Parquet: one row group).
	Flush() error
	// Close writes the buffered rows and the footer, with metadata where the format has room for it. It does not close the writer.
	Close(metadata map[string]string) error
	// Abandon frees what the encoder holds; nothing is written. Safe after Close.
	Abandon()
}

// DeadLetterEncoder is an Encoder that also keeps why an event was refused. Its Append refuses nothing: a
// dead letter that could not be written would stop the partition for ever.
type DeadLetterEncoder interface {
	Encoder
	// AppendRejected is Append with the reason. It keeps no reference to either.
	AppendRejected(e *ingest.Event, why *RecordError) error
}

// RecordError refuses one event. It carries no event data.
type RecordError struct {
	Code   string // stable, snake_case: "null_body", "bad_event_time", "missing_header", …
	Path   string // where in the event: "body", "headers.user", "$.user.id"
	Detail string // for people
}

func (e *RecordError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s: %s", e.Code, e.Detail)
	}
	return fmt.Sprintf("%s at %s: %s", e.Code, e.Path, e.Detail)
}
