package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/ingest"
)

// letter is a dead letter as it is shown.
type letter struct {
	Sink      string         `json:"sink"`
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	Offset    ingest.Offset  `json:"offset"`
	Timestamp int64          `json:"timestamp"` // Unix milliseconds
	Reason    string         `json:"reason"`
	Path      string         `json:"path,omitempty"`
	Detail    string         `json:"detail,omitempty"`
	Key       *string        `json:"key,omitempty"`
	KeyBytes  []byte         `json:"key_base64,omitempty"`
	Headers   []letterHeader `json:"headers,omitempty"`
	Body      *string        `json:"body,omitempty"`
	BodyBytes []byte         `json:"body_base64,omitempty"`
}

type letterHeader struct {
	Key        string  `json:"key"`
	Value      *string `json:"value,omitempty"`
	ValueBytes []byte  `json:"value_base64,omitempty"`
}

func newLetter(sink string, p ingest.Partition, e *ingest.Event, why *formats.RecordError) letter {
	l := letter{
		Sink: sink, Topic: p.Topic, Partition: p.ID, Offset: e.Offset, Timestamp: e.Timestamp, Reason: why.Code, Path: why.Path, Detail: why.Detail,
	}
	l.Key, l.KeyBytes = textOrBytes(e.Key)
	l.Body, l.BodyBytes = textOrBytes(e.Body)
	for _, h := range e.Headers {
		shown := letterHeader{Key: h.Key}
		shown.Value, shown.ValueBytes = textOrBytes(h.Value)
		l.Headers = append(l.Headers, shown)
	}
	return l
}

// textOrBytes is a value in one of two forms; both are nil for null.
func textOrBytes(v []byte) (text *string, other []byte) {
	if v == nil {
		return nil, nil
	}
	if s := string(v); utf8.ValidString(s) {
		return &s, nil
	}
	return nil, v
}

// print writes it for people.
func (l *letter) print(w io.Writer) error {
	where := ""
	if l.Path != "" {
		where = " at " + l.Path
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s+%d@%d  %s  %s%s: %s\n", l.Topic, l.Partition, l.Offset, time.UnixMilli(l.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z"), l.Reason, where, l.Detail)
	if l.Key != nil || l.KeyBytes != nil {
		fmt.Fprintf(&b, "  key: %s\n", readable(l.Key, l.KeyBytes))
	}
	for _, h := range l.Headers {
		fmt.Fprintf(&b, "  header %s: %s\n", readable(&h.Key, nil), readable(h.Value, h.ValueBytes))
	}
	fmt.Fprintf(&b, "  body: %s\n", readable(l.Body, l.BodyBytes))
	_, err := io.WriteString(w, b.String())
	return err
}

// readable is a value that cannot confuse a terminal, cut when it is long.
func readable(text *string, other []byte) string {
	const most = 500
	switch {
	case text != nil:
		s := *text
		more := ""
		if len(s) > most {
			s, more = strings.ToValidUTF8(s[:most], ""), fmt.Sprintf(" … (%d bytes)", len(*text))
		}
		quoted := strconv.Quote(s)
		return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`) + more
	case other != nil:
		more := ""
		if len(other) > most {
			more = fmt.Sprintf(" … (%d bytes)", len(other))
		}
		return "base64 " + base64.StdEncoding.EncodeToString(other[:min(len(other), most)]) + more
	default:
		return "null"
	}
}
