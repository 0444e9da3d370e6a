package hdfssink

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/ingest"
)

// FieldTime finds the time in an event's body, in Unix milliseconds. Used by one goroutine; it keeps no reference to the body. A RecordError
// makes the event a dead letter; any other error is that the time cannot be told now, and ends the drain, which is tried again.
type FieldTime interface {
	Millis(body []byte) (int64, error)
}

// PathFields finds the values of the path's %{field:NAME} in an event's body. Used by one goroutine; it keeps no reference to the body. There is a value for
// each of Config.PathFields, in their order; an empty one is null or not there. They are valid until the next call and may point into the body. Errors are
// those of FieldTime.
type PathFields interface {
	Texts(body []byte) ([][]byte, error)
}

// eventClock reads the time that decides an event's bucket.
type eventClock struct {
	header   string // "": Kafka's timestamp
	arrival  bool   // the wall clock instead, as Flume's useLocalTimeStamp
	path     string // "$.user.at": a field of the body instead, by field
	field    FieldTime
	min, max Bound
	wall     time.Time // set for each batch
	now      int64     // ms; the same
	lo, hi   int64     // ms; min and max as of now
}

// tick sets the clock for a batch. All its events have one "now".
func (c *eventClock) tick(now time.Time) {
	c.wall, c.now = now, now.UnixMilli()
	c.lo, c.hi = c.min.at(now, -1<<62), c.max.at(now, 1<<62)
}

func (c *eventClock) at(e *ingest.Event) (int64, error) {
	ms := e.Timestamp
	switch {
	case c.arrival:
		return c.now, nil
	case c.field != nil:
		var err error
		if ms, err = c.field.Millis(e.Body); err != nil {
			return 0, err
		}
	case c.header != "":
		v, ok := e.Headers.Get(c.header)
		if !ok {
			return 0, badTime("headers."+c.header, "the event has no such header")
		}
		if ms, ok = parseMillis(v); !ok {
			return 0, badTime("headers."+c.header, "not a number of milliseconds since 1970")
		}
	}
	if ms < c.lo || ms > c.hi {
		return 0, badTime(c.where(), c.outside(ms))
	}
	return ms, nil
}

func (c *eventClock) where() string {
	switch {
	case c.path != "":
		return c.path
	case c.header != "":
		return "headers." + c.header
	default:
		return "timestamp"
	}
}

func (c *eventClock) outside(ms int64) string {
	text := strconv.FormatInt(ms, 10) + " ms"
	if t := time.UnixMilli(ms).UTC(); t.Year() >= 0 && t.Year() <= 9999 {
		text = t.Format(time.RFC3339)
	}
	if ms < c.lo {
		return fmt.Sprintf("%s is before event_time.min, %s", text, &c.min)
	}
	return fmt.Sprintf("%s is after event_time.max, %s", text, &c.max)
}

// parseMillis reads digits with an optional sign, without allocating.
func parseMillis(v []byte) (int64, bool) {
	neg := len(v) > 0 && v[0] == '-'
	if neg {
		v = v[1:]
	}
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

// Bound is a limit for event times: a date (2000-01-01), a moment (RFC 3339), or a distance from now (+1d, -90d). The zero
// Bound is no limit.
type Bound struct { //nolint:recvcheck // values are printed, pointers are decoded into
	fixed time.Time
	from  time.Duration // relative to now; fixed is zero
	text  string
}

// UnmarshalText reads the forms that the type names.
func (b *Bound) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	*b = Bound{text: s}
	if s == "" {
		return nil
	}
	if s[0] == '+' || s[0] == '-' {
		d, err := parseSpan(s[1:])
		if err != nil {
			return fmt.Errorf("%q is no distance from now: write +1d or -90d", s)
		}
		b.from = d
		if s[0] == '-' {
			b.from = -d
		}
		return nil
	}
	t, err := parseMoment(s)
	if err != nil {
		return fmt.Errorf("%q is no bound: write a date (2000-01-01), a moment (2000-01-01T00:00:00Z) or a distance from now (+1d)", s)
	}
	b.fixed = t
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (b Bound) MarshalText() ([]byte, error) { return []byte(b.text), nil }

func (b *Bound) String() string { return b.text }

func (b *Bound) at(now time.Time, none int64) int64 {
	switch {
	case !b.fixed.IsZero():
		return b.fixed.UnixMilli()
	case b.text != "":
		return now.Add(b.from).UnixMilli()
	default:
		return none
	}
}

// parseMoment reads a date or an RFC 3339 time; a date is its midnight in UTC.
func parseMoment(s string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}
