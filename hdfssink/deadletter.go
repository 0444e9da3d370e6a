package hdfssink

import (
	"fmt"

	"github.com/penstock-io/penstock/formats"
)

// The reasons for which the sink itself makes a dead letter of an event; formats have more.
const (
	codeBadTime       = "bad_event_time"
	codeMissingHeader = "missing_header"
	codeBadBucket     = "bad_bucket"
)

func badTime(where, detail string) *formats.RecordError {
	return &formats.RecordError{Code: codeBadTime, Path: where, Detail: detail}
}

func missingHeader(name string) *formats.RecordError {
	return &formats.RecordError{
		Code: codeMissingHeader, Path: "headers." + name,
		Detail: "the path needs a value, and missing_header is not configured",
	}
}

// badBucket says that an event's values make a path that HDFS cannot have. It tells the length and not the value, which is event data.
func badBucket(part string) *formats.RecordError {
	return &formats.RecordError{
		Code: codeBadBucket, Path: "path",
		Detail: fmt.Sprintf("a name of %d bytes cannot be a directory; HDFS allows %d", len(part), maxComponent),
	}
}
