package parquetfile

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/ingest"
)

// maxValue bounds one value: the lengths in a page are 32 bits, and a page holds at least one row.
const maxValue = 1 << 30

// rawRow is the row source without a schema: an event goes into the columns as it is.
type rawRow struct{ *ingest.Event }

// check refuses what the columns cannot hold, before any of them is touched.
func (r rawRow) check() *formats.RecordError {
	for i := range r.Headers {
		if !utf8.ValidString(r.Headers[i].Key) {
			return &formats.RecordError{
				Code: "invalid_utf8", Path: fmt.Sprintf("headers[%d].key", i),
				Detail: "the name of a header must be valid UTF-8: it is a string in Parquet",
			}
		}
	}
	return r.checkSize()
}

func (r rawRow) checkSize() *formats.RecordError {
	if size := len(r.Key) + len(r.Body) + r.headerBytes(); size > maxValue {
		return &formats.RecordError{Code: "too_large", Detail: fmt.Sprintf("key, headers and body have %d bytes; a Parquet page can hold %d", size, maxValue)}
	}
	return nil
}

func (r rawRow) headerBytes() (n int) {
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value) + 12 // lengths and levels
	}
	return n
}

// put adds the row. It reports whether a page was finished to make room for it.
func (r rawRow) put(columns []column) (pageFinished bool) {
	pageFinished = putNullable(&columns[keyColumn], r.Key)
	pageFinished = putNullable(&columns[bodyColumn], r.Body) || pageFinished
	pageFinished = r.putHeaders(&columns[headerKeyColumn], &columns[headerValueColumn]) || pageFinished
	pageFinished = putInt64(&columns[timestampColumn], r.Timestamp) || pageFinished
	return putInt64(&columns[offsetColumn], int64(r.Offset)) || pageFinished
}

func (r rawRow) putHeaders(keys, values *column) (pageFinished bool) {
	const emptyMap = 0
	n := r.headerBytes()
	pageFinished = keys.room(n)
	pageFinished = values.room(n) || pageFinished
	if len(r.Headers) == 0 {
		keys.null(0, emptyMap)
		values.null(0, emptyMap)
		return pageFinished
	}
	for i := range r.Headers {
		rep := uint8(min(i, 1))
		keys.text(rep, r.Headers[i].Key)
		if v := r.Headers[i].Value; v != nil {
			values.bytes(rep, v)
		} else {
			values.null(rep, values.leaf.maxDef-1)
		}
	}
	return pageFinished
}

func putNullable(c *column, v []byte) (pageFinished bool) {
	pageFinished = c.room(len(v) + 5)
	if v == nil {
		c.null(0, 0)
	} else {
		c.bytes(0, v)
	}
	return pageFinished
}

func putInt64(c *column, v int64) (pageFinished bool) {
	pageFinished = c.room(8)
	c.int64(0, v)
	return pageFinished
}

// deadLetterEncoder is an encoder with columns for the reason.
type deadLetterEncoder struct{ *encoder }

// Append implements formats.Encoder: a dead letter without a reason.
func (e *deadLetterEncoder) Append(ev *ingest.Event) error { return e.AppendRejected(ev, nil) }

// AppendRejected implements formats.DeadLetterEncoder.
func (e *deadLetterEncoder) AppendRejected(ev *ingest.Event, why *formats.RecordError) error {
	if e.err != nil {
		return e.err
	}
	raw := rawRow{ev}
	if refused := raw.checkSize(); refused != nil {
		e.err = fmt.Errorf("write dead letter at offset %d: %w", ev.Offset, refused)
		return e.err
	}
	finished := raw.put(e.columns)
	if why == nil {
		why = &formats.RecordError{}
	}
	for i, s := range []string{why.Code, why.Path, why.Detail} {
		finished = putText(&e.columns[reasonColumn+i], s) || finished
	}
	return e.endRow(finished)
}

// putText adds a string, made valid; the empty one as null.
func putText(c *column, s string) (pageFinished bool) {
	pageFinished = c.room(len(s) + 5)
	if s == "" {
		c.null(0, 0)
		return pageFinished
	}
	c.text(0, strings.ToValidUTF8(s, "\uFFFD"))
	return pageFinished
}
