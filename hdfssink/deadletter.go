package hdfssink

import (
	"fmt"

	"github.com/penstock-io/penstock/formats"
)

// The reasons for which the sink itself makes a dead letter of an event; formats have more.
const (
	codeBadTime       = "bad_event_time"
	codeMissingHeader = "missing_header"
	codeMissingField  = "missing_field"
	codeBadBucket     = "bad_bucket"
)

func badTime(where, detail string) *formats.RecordError {
	return &formats.RecordError{Code: codeBadTime, Path: where, Detail: detail}
}

// missingValue says that a header or a field, which the path needs, is missing or empty.
func missingValue(s *segment) *formats.RecordError {
	e := &formats.RecordError{Code: codeMissingHeader, Path: "headers." + s.text, Detail: "the path needs a value, and missing_header is not configured"}
	if s.kind == bodyField {
		e.Code, e.Path = codeMissingField, s.text
	}
	return e
}

// badBucket says that an event's values make a path that HDFS cannot have. It tells the length and not the value, which is event data.
func badBucket(part string) *formats.RecordError {
	return &formats.RecordError{
		Code: codeBadBucket, Path: "path",
		Detail: fmt.Sprintf("a name of %d bytes cannot be a directory; HDFS allows %d", len(part), maxComponent),
	}
}
