package hdfssink

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/ingest"
)

func routerFor(t *testing.T, path string, edit func(t *pathTemplate)) *router {
	t.Helper()
	tm, err := compilePath(path)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(tm)
	}
	var clock eventClock
	clock.tick(time.Now())
	return newRouter(tm, clock, splitFor(tm), tm.bind(ingest.Partition{Topic: "clicks_eu", ID: 7}, "edge1.example.test"))
}

// split finds fields between spaces.
type split struct{}

func splitFor(t *pathTemplate) PathFields {
	if len(t.fields) == 0 {
		return nil
	}
	return split{}
}

func (split) Texts(body []byte) ([][]byte, error) {
	if body == nil {
		return nil, &formats.RecordError{Code: "null_body", Path: "body", Detail: "it has no fields"}
	}
	return bytes.Split(body, []byte(" ")), nil
}

func at(text string) int64 {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UnixMilli()
}

func TestPaths(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	headers := ingest.Headers{
		{Key: "app", Value: []byte("web")},
		{Key: "up", Value: []byte("../../etc")},
		{Key: "colon", Value: []byte("a:b=c%d")},
		{Key: "dot", Value: []byte(".hidden")},
		{Key: "under", Value: []byte("_x")},
		{Key: "empty"},
		{Key: "bin", Value: []byte("a\xffb\x00\n")},
		{Key: "utf", Value: []byte("Köln")},
		{Key: "app", Value: []byte("last")},
	}
	const moment = "2026-03-05T14:07:09.250Z" // a Thursday
	for _, c := range []struct {
		path, when, want string
		edit             func(t *pathTemplate)
	}{
		{path: "/d", want: "/d"},
		{path: "/d//e/", want: "/d/e"},
		{path: "/d/dt=%Y-%m-%d/hr=%H", want: "/d/dt=2026-03-05/hr=14"},
		{path: "/d/%y.%n.%e.%j", want: "/d/26.3.5.064"},
		{path: "/d/%I-%l-%k-%p", want: "/d/02-2-14-PM"},
		{path: "/d/%a-%A-%b-%B", want: "/d/Thu-Thursday-Mar-March"},
		{path: "/d/%M-%S-%s-%t", want: "/d/07-09-1772719629-1772719629250"},
		{path: "/d/%z", want: "/d/+0000"},
		{path: "/d/%D", want: "/d/03/05/26"},
		{path: "/d/%c", want: "/d/Thu Mar 5 14%3A07%3A09 2026"},
		{path: "/d/100%%", want: "/d/100%"},
		{path: "/d/%k", when: "2026-03-05T00:07:09Z", want: "/d/0"},
		{path: "/d/%I%p", when: "2026-03-05T00:07:09Z", want: "/d/12AM"},
		{path: "/d/%{topic}/p=%{partition}", want: "/d/clicks_eu/p=7"},
		{path: "/d/%{app}", want: "/d/last"},
		{path: "/d/%{field:a}", want: "/d/%2E1"},
		{path: "/d/%{field:b.c}.%{field:a}/k=%{field:b.c}/x=%{field:a}", want: "/d/%2E1.b%2Fc/k=.1/x=b%2Fc"}, // numbered as they come, each once
		{path: "/d/%{field:$.a}/%H/%{field:b}", want: "/d/%2E1/14/b%2Fc"},
		{path: "/d/a=%{field:a}/b=%{field:b}/c=%{field:c}", want: "/d/a=.1/b=b%2Fc/c=__HIVE_DEFAULT_PARTITION__"},
		{path: "/d/%{field:a}/%{field:b}/%{field:c}", want: "/d/%2E1/b%2Fc/none", edit: func(t *pathTemplate) { t.missing = "none" }},
		{path: "/d/%{up}", want: "/d/%2E.%2F..%2Fetc"},
		{path: "/d/k=%{up}", want: "/d/k=..%2F..%2Fetc"},
		{path: "/d/%{colon}", want: "/d/a%3Ab%3Dc%25d"},
		{path: "/d/%{dot}/%{under}", want: "/d/%2Ehidden/%5Fx"},
		{path: "/d/x%{dot}", want: "/d/x.hidden"},
		{path: "/d/%{bin}", want: "/d/a%FFb%00%0A"},
		{path: "/d/%{utf}", want: "/d/Köln"},
		{path: "/d/k=%{none}/j=%{empty}", want: "/d/k=__HIVE_DEFAULT_PARTITION__/j=__HIVE_DEFAULT_PARTITION__"},
		{path: "/d/%{none}-x", want: "/d/unknown-x", edit: func(t *pathTemplate) { t.missing = "unknown" }},
		{path: "/d/key=%{key}", want: "/d/key=user-1"},
		{path: "/d/h=%[localhost]", want: "/d/h=edge1.example.test"},
		{path: "/d/%H%M", edit: func(t *pathTemplate) { t.round = 10 * time.Minute }, want: "/d/1400"},
		{path: "/d/%d/%H", edit: func(t *pathTemplate) { t.round = 6 * time.Hour }, want: "/d/05/12"},
		{path: "/d/%s", edit: func(t *pathTemplate) { t.round = time.Hour }, want: "/d/1772719200"},
		{path: "/d/%d/%H%z", edit: func(t *pathTemplate) { t.zone = berlin }, want: "/d/05/15+0100"},
		{path: "/d/%d/%H%M%z", when: "2026-03-05T18:31:00Z", edit: func(t *pathTemplate) { t.zone = kolkata }, want: "/d/06/0001+0530"},
		{path: "/d/%d/%H%z", when: "2026-03-29T00:59:59Z", edit: func(t *pathTemplate) { t.zone = berlin }, want: "/d/29/01+0100"},
		{path: "/d/%d/%H%z", when: "2026-03-29T01:00:00Z", edit: func(t *pathTemplate) { t.zone = berlin }, want: "/d/29/03+0200"},
		{path: "/d/%Y-%j", when: "1969-12-31T23:59:59Z", want: "/d/1969-365"},
	} {
		when := c.when
		if when == "" {
			when = moment
		}
		b, why := routerFor(t, c.path, c.edit).route(&ingest.Event{Timestamp: at(when), Key: []byte("user-1"), Headers: headers, Body: []byte(".1 b/c ")})
		if why != nil {
			t.Errorf("%s: %v", c.path, why)
		} else if b.path != c.want {
			t.Errorf("%s: %s, want %s", c.path, b.path, c.want)
		}
	}
}

// TestBucketsAreFoundAgain compares the cached way with a fresh router for each event, over two clock changes.
func TestBucketsAreFoundAgain(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kathmandu"}
	paths := []string{"/d/%Y-%m-%d/%H", "/d/%m%d/%H%M", "/d/%Y/%m", "/d/%j/%p", "/d/%j/%z/%k"}
	for _, zone := range zones {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			edit := func(t *pathTemplate) { t.zone = loc }
			cached := routerFor(t, path, edit)
			for i := range int64(3000) {
				ms := at("2026-03-27T00:00:00Z") + (i*7_654_321)%(20*86_400_000)
				if i%2 == 1 {
					ms += 190 * 86_400_000
				}
				e := &ingest.Event{Timestamp: ms}
				got, _ := cached.route(e)
				want, _ := routerFor(t, path, edit).route(e)
				if got.path != want.path {
					t.Fatalf("%s %s at %s: cached %s, fresh %s", zone, path, time.UnixMilli(ms).In(loc), got.path, want.path)
				}
				if utc := time.UnixMilli(ms); !got.windowEnd.After(utc) {
					t.Fatalf("%s %s at %s: the window ended at %s", zone, path, utc, got.windowEnd)
				}
			}
		}
	}
}

func TestWindowEnds(t *testing.T) {
	for _, c := range []struct {
		path  string
		round time.Duration
		want  string // "": never
	}{
		{path: "/d/%{app}"},
		{path: "/d/%Y-%m-%d/%H", want: "2026-12-31T15:00:00Z"},
		{path: "/d/%Y-%m-%d", want: "2027-01-01T00:00:00Z"},
		{path: "/d/%Y/%m", want: "2027-01-01T00:00:00Z"},
		{path: "/d/%Y", want: "2027-01-01T00:00:00Z"},
		{path: "/d/%H%M", want: "2026-12-31T14:08:00Z"},
		{path: "/d/%H%M", round: 10 * time.Minute, want: "2026-12-31T14:10:00Z"},
		{path: "/d/%H", round: 6 * time.Hour, want: "2026-12-31T18:00:00Z"},
		{path: "/d/%p", want: "2027-01-01T00:00:00Z"},
	} {
		b, why := routerFor(t, c.path, func(t *pathTemplate) { t.round = c.round }).
			route(&ingest.Event{Timestamp: at("2026-12-31T14:07:09Z"), Headers: ingest.Headers{{Key: "app", Value: []byte("x")}}})
		if why != nil {
			t.Fatal(why)
		}
		got := ""
		if !b.windowEnd.IsZero() {
			got = b.windowEnd.UTC().Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%s round %s: %q, want %q", c.path, c.round, got, c.want)
		}
	}
}

// fieldTime takes a whole body for the time.
type fieldTime struct{}

func (fieldTime) Millis(body []byte) (int64, error) {
	ms, ok := parseMillis(body)
	if !ok {
		return 0, &formats.RecordError{Code: "missing_field", Path: "$.at", Detail: "it is not there"}
	}
	return ms, nil
}

func TestEventsWithoutBucket(t *testing.T) {
	clock := eventClock{
		min: Bound{fixed: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), text: "2000-01-01"},
		max: Bound{from: 24 * time.Hour, text: "+1d"},
	}
	byHeader := clock
	byHeader.header = "ts"
	byField := clock
	byField.path, byField.field = "$.at", fieldTime{}
	now := time.Date(2026, 3, 5, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, path string
		clock      eventClock
		e          ingest.Event
		want       string
	}{
		{"epoch 0", "/d/%Y", clock, ingest.Event{}, "bad_event_time at timestamp: 1970-01-01T00:00:00Z is before event_time.min, 2000-01-01"},
		{"no timestamp", "/d/%Y", clock, ingest.Event{Timestamp: -1}, "bad_event_time at timestamp: 1969-12-31T23:59:59Z is before event_time.min, 2000-01-01"},
		{"year 9999", "/d/%Y", clock, ingest.Event{Timestamp: at("9999-12-31T23:59:59Z")}, "bad_event_time at timestamp: 9999-12-31T23:59:59Z is after event_time.max, +1d"},
		{"the far end", "/d/%Y", clock, ingest.Event{Timestamp: 1<<63 - 1}, "bad_event_time at timestamp: 9223372036854775807 ms is after event_time.max, +1d"},
		{"header missing", "/d/%Y", byHeader, ingest.Event{}, "bad_event_time at headers.ts: the event has no such header"},
		{"header no number", "/d/%Y", byHeader, ingest.Event{Headers: ingest.Headers{{Key: "ts", Value: []byte("yesterday")}}}, "bad_event_time at headers.ts: not a number of milliseconds since 1970"},
		{"header out of bounds", "/d/%Y", byHeader, ingest.Event{Headers: ingest.Headers{{Key: "ts", Value: []byte("12")}}}, "bad_event_time at headers.ts: 1970-01-01T00:00:00Z is before event_time.min, 2000-01-01"},
		{"field missing", "/d/%Y", byField, ingest.Event{}, "missing_field at $.at: it is not there"},
		{"field out of bounds", "/d/%Y", byField, ingest.Event{Body: []byte("12")}, "bad_event_time at $.at: 1970-01-01T00:00:00Z is before event_time.min, 2000-01-01"},
		{"path header missing", "/d/%{app}", clock, ingest.Event{}, "missing_header at headers.app: the path needs a value, and missing_header is not configured"},
		{"path field missing", "/d/%{app}-%{field:a}-%{field:b.c}", clock, ingest.Event{Body: []byte("1 "), Headers: ingest.Headers{{Key: "app", Value: []byte("x")}}}, "missing_field at $.b.c: the path needs a value, and missing_header is not configured"},
		{"fields of what is none", "/d/b=%{field:a}", clock, ingest.Event{}, "null_body at body: it has no fields"},
		{"a value of 300 bytes", "/d/app=%{app}", clock, ingest.Event{Headers: ingest.Headers{{Key: "app", Value: []byte(strings.Repeat("x", 300))}}}, "bad_bucket at path: a name of 304 bytes cannot be a directory; HDFS allows 255"},
		{"100 bytes that escaping makes 300", "/d/%{app}", clock, ingest.Event{Headers: ingest.Headers{{Key: "app", Value: []byte(strings.Repeat(":", 100))}}}, "bad_bucket at path: a name of 300 bytes cannot be a directory; HDFS allows 255"},
	} {
		tm, err := compilePath(c.path)
		if err != nil {
			t.Fatal(err)
		}
		r := newRouter(tm, c.clock, splitFor(tm), tm.bind(ingest.Partition{}, ""))
		r.clock.tick(now)
		b, why := r.route(&c.e)
		if why == nil {
			t.Errorf("%s: bucket %s", c.name, b.path)
		} else if why.Error() != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, why, c.want)
		}
	}
}

func TestBadPaths(t *testing.T) {
	for _, c := range []struct {
		path, what string
		pos        int
	}{
		{"data/%Y", "not absolute", 0},
		{"", "not absolute", 0},
		{"/d/%Y-%q", "%q is no escape", 6},
		{"/d/%", "stands at the end", 3},
		{"/d/%{app", "%{ is not closed", 3},
		{"/d/%{}", "names no header", 3},
		{"/d/%{a b}", "cannot be in a header's name", 3},
		{"/d/%{field:}", "names no field", 3},
		{"/d/%{field:$}/x", "'$' cannot be in", 3},
		{"/d/%{field:user..id}", "names no field", 3},
		{"/d/%{field:a[0]}", "'[' cannot be in", 3},
		{"/d/%{field:a}:b", "no ':'", 13},
		{"/d/%[IP]", "%[IP] is not known", 3},
		{"/d/../e", "no name in HDFS", 3},
		{"/d/a:b", "no ':'", 4},
		{"/d/_tmp/%Y", "do not read", 3},
		{"/d/.x", "do not read", 3},
		{"/d/" + strings.Repeat("x", 256), "longer than 255", 3},
	} {
		_, err := compilePath(c.path)
		var bad *PathError
		if !errors.As(err, &bad) || bad.Pos != c.pos || !strings.Contains(bad.What, c.what) || bad.Fix == "" {
			t.Errorf("%s: %v, want position %d and %q", c.path, err, c.pos, c.what)
		}
	}
}

func TestPrefixes(t *testing.T) {
	for path, want := range map[string]string{
		"/data/clicks/dt=%Y": "/data/clicks", "/data/clicks": "/data/clicks", "/%Y": "/", "/d%Y/x": "/", "/a/b/c%{x}": "/a/b", "/a/%{topic}/x": "/a",
	} {
		if got, err := LiteralPrefix(path); err != nil || got != want {
			t.Errorf("%s: %s %v, want %s", path, got, err, want)
		}
	}
	for path, want := range map[string][3]string{
		"hdfs://ns1/d/%Y": {"hdfs", "ns1", "/d/%Y"}, "file:///d": {"file", "", "/d"}, "/d": {"", "", "/d"}, "hdfs://ns1": {"hdfs", "ns1", ""},
	} {
		s, a, r := SplitPath(path)
		if [3]string{s, a, r} != want {
			t.Errorf("%s: %q %q %q", path, s, a, r)
		}
	}
}

// TestRoutingByFields: each event by its own fields, times or not.
func TestRoutingByFields(t *testing.T) {
	for path, want := range map[string]string{"/d/%{field:a}": "/d/x /d/y /d/x", "/d/%Y/%{field:b}-%{field:a}": "/d/2026/1-x /d/2026/2-y /d/2026/3-x"} {
		r := routerFor(t, path, nil)
		var got []string
		for _, body := range []string{"x 1", "y 2", "x 3"} {
			e := &ingest.Event{Timestamp: at("2026-03-05T00:00:00Z"), Body: []byte(body)}
			if strings.HasPrefix(path, "/d/%Y") { // fields are numbered as they come
				a, b, _ := strings.Cut(body, " ")
				e.Body = []byte(b + " " + a)
			}
			b, err := r.route(e)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b.path)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %s", path, got, want)
		}
	}
}

// TestRoutingAllocatesNothing holds the promise of the router.
func TestRoutingAllocatesNothing(t *testing.T) {
	for _, path := range []string{"/d/%Y-%m-%d/%H", "/d/%{app}/%H", "/d/app=%{app}"} {
		r := routerFor(t, path, nil)
		var all []*ingest.Event
		for i := range 240 {
			all = append(all, &ingest.Event{Timestamp: at("2026-03-05T00:00:00Z") + int64(i)*360_000, Headers: ingest.Headers{{Key: "app", Value: []byte{byte('a' + i%7)}}}})
		}
		n := testing.AllocsPerRun(100, func() {
			for _, e := range all {
				if _, why := r.route(e); why != nil {
					t.Fatal(why)
				}
			}
		})
		if n > 0 {
			t.Errorf("%s: %v allocations for %d events", path, n, len(all))
		}
	}
}
