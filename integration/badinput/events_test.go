//go:build integration

package badinput

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/penstock-io/penstock/integration/oracle"
)

// odd is an event that somebody's producer really sends, and where it has to go: a directory below the path, or the dead
// letters with a reason.
type odd struct {
	name  string
	event kgo.Record
	dir   string // below /data/; empty: dead letters
	dead  deadLetter
}

func headers(kind, where string) []kgo.RecordHeader {
	return []kgo.RecordHeader{{Key: "kind", Value: []byte(kind)}, {Key: "where", Value: []byte(where)}}
}

func oddEvents() []odd {
	now := func(h []kgo.RecordHeader) kgo.Record { return kgo.Record{Headers: h} }
	at := func(ms int64) kgo.Record {
		return kgo.Record{Headers: headers("a", "b"), Timestamp: time.UnixMilli(ms)}
	}
	dead := func(reason, at string) deadLetter { return deadLetter{Reason: reason, At: at} }
	return []odd{
		{name: "plain", event: now(headers("a", "b")), dir: "kind=a/in-b"},
		{name: "invalid UTF-8 in key and body", event: kgo.Record{Key: []byte("\xff\xfe"), Value: []byte("\xc3\x28\x80"), Headers: headers("a", "b")}, dir: "kind=a/in-b"},
		{name: "no body", event: kgo.Record{Key: []byte("k"), Headers: headers("a", "b")}, dir: "kind=a/in-b"},
		{name: "neither key nor body", event: now(headers("a", "b")), dir: "kind=a/in-b"},
		{name: "no header where Hive has a name for it", event: now(headers("", "b")[1:]), dir: "kind=__HIVE_DEFAULT_PARTITION__/in-b"},
		{name: "empty header where Hive has a name for it", event: now(headers("", "b")), dir: "kind=__HIVE_DEFAULT_PARTITION__/in-b"},
		{name: "no header where there is no name for it", event: now(headers("a", "")[:1]), dead: dead("missing_header", "headers.where")},
		{name: "way up", event: now(headers("../../etc", "b")), dir: "kind=..%2F..%2Fetc/in-b"},
		{name: "way up alone", event: now(headers("a", "../..")), dir: "kind=a/in-..%2F.."},
		{name: "colon", event: now(headers("a:b", "b")), dir: "kind=a%3Ab/in-b"},
		{name: "percent sign, null and newline", event: now(headers("100%\x00\n", "b")), dir: "kind=100%25%00%0A/in-b"},
		{name: "invalid UTF-8 in a header", event: now(headers("\xff\xfe", "b")), dir: "kind=%FF%FE/in-b"},
		{name: "300 bytes", event: now(headers(strings.Repeat("x", 300), "b")), dead: dead("bad_bucket", "path")},
		{name: "name of a header is no text", event: now(append(headers("a", "b"), kgo.RecordHeader{Key: "\xff", Value: []byte("v")})), dead: dead("invalid_utf8", "headers[2].key")},
		{name: "year 9999", event: at(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).UnixMilli()), dead: dead("bad_event_time", "timestamp")},
		{name: "epoch 0", event: at(0), dead: dead("bad_event_time", "timestamp")},
		{name: "no timestamp", event: at(-1), dead: dead("bad_event_time", "timestamp")},
	}
}

// TestOddEvents: each has a place, and nothing that an event says leads out of the sink's directory.
func TestOddEvents(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plan.Path = s.base + "/data/kind=%{kind}/in-%{where}/y=%Y"
	s.plan.Sink = "roll: {age: 1s}\n    event_time: {min: 2000-01-01, max: +1d}"
	s.write(t)
	events := oddEvents()
	for i := range events {
		r := events[i].event
		if r.Topic = s.topic; r.Value == nil && !strings.Contains(events[i].name, "no body") && !strings.Contains(events[i].name, "neither") {
			r.Value = []byte(`{"odd":` + strconv.Itoa(i) + `}`)
		}
		if r.Timestamp.IsZero() {
			r.Timestamp = time.Now()
		}
		events[i].event = r
		events[i].dir += r.Timestamp.UTC().Format("/y=2006")
		s.send(t, &r)
	}
	a := s.run(t)
	a.reaches(t, s.topic, int64(len(events)))
	a.ready(t)
	a.stop(t)
	s.verify(t)

	published := map[int64]oracle.Row{}
	for _, r := range s.rows(t, s.files(t, s.base, ".parquet")) {
		if _, twice := published[r.Offset]; twice {
			t.Errorf("offset %d is published twice", r.Offset)
		}
		published[r.Offset] = r
	}
	dead := s.deadLetters(t)
	for i, e := range events {
		row, isPublished := published[int64(i)]
		letter, isDead := dead[int64(i)]
		e.dead.Body = string(e.event.Value)
		switch {
		case isPublished == isDead:
			t.Errorf("%s: published: %t, dead letter: %t", e.name, isPublished, isDead)
		case e.dead.Reason != "" && letter != e.dead:
			t.Errorf("%s: dead letter %+v, want %+v", e.name, letter, e.dead)
		case e.dead.Reason == "" && (path.Dir(row.File) != s.base+"/data/"+e.dir || !bytes.Equal(row.Body, e.event.Value)):
			t.Errorf("%s: in %s with body %q, want %s with %q", e.name, row.File, row.Body, e.dir, e.event.Value)
		}
	}
	if n := len(published) + len(dead); n != len(events) {
		t.Errorf("%d events are there, %d were sent", n, len(events))
	}
}

// TestOneEventOfTenMegabytes is one that the topic allows.
func TestOneEventOfTenMegabytes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.allowLarge(t)
	s.produceLarge(t)
	s.produce(t, "small", 3)
	a := s.run(t)
	a.reaches(t, s.topic, 4)
	a.stop(t)
	s.exactly(t)
}

func (s *site) allowLarge(t *testing.T) {
	t.Helper()
	most := strconv.Itoa(16 << 20)
	s.alter(t, "max.message.bytes", most)
}

func (s *site) produceLarge(t *testing.T) {
	t.Helper()
	body := make([]byte, 10<<20)
	_, _ = rand.Read(body) // never fails
	s.sent[string(body)] = true
	client := s.client(t)
	until(t, "the broker has heard of max.message.bytes", func(ctx context.Context) bool {
		return client.ProduceSync(ctx, &kgo.Record{Topic: s.topic, Value: body}).FirstErr() == nil
	}, nil)
}

// TestTombstones: a compacted topic keeps null bodies as what deletes a key; they are events like the others, and what compaction has removed is a gap
// with its reason.
func TestTombstones(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for name, value := range map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001", "segment.ms": "100", "min.compaction.lag.ms": "0"} {
		s.alter(t, name, value)
	}
	n := int64(0)
	for round := range 10 {
		for key := range 4 {
			r := &kgo.Record{Topic: s.topic, Key: []byte{byte('a' + key)}, Value: fmt.Appendf(nil, "%d", round)}
			if round == 9 && key%2 == 0 {
				r.Value = nil
			}
			s.send(t, r)
			n++
		}
	}
	until(t, "the cleaner has removed events", func(ctx context.Context) bool {
		// A new segment lets it have the one before.
		if err := s.client(t).ProduceSync(ctx, &kgo.Record{Topic: s.topic, Key: []byte("tick"), Value: []byte("v")}).FirstErr(); err != nil {
			return false
		}
		n++
		return int64(len(s.consume(ctx, t, s.topic, n))) < n/2
	}, nil)
	before := s.consume(t.Context(), t, s.topic, n)
	a := s.run(t)
	a.reaches(t, s.topic, n)
	a.stop(t)
	s.verify(t)
	after := s.consume(t.Context(), t, s.topic, n)
	null := 0
	published := map[int64]bool{}
	for _, r := range s.rows(t, s.files(t, s.base, ".parquet")) {
		if body, there := before[r.Offset]; !there || published[r.Offset] || body != string(r.Body) {
			t.Errorf("offset %d: %q is published, the log had %q: %t", r.Offset, r.Body, body, there)
		}
		if published[r.Offset] = true; len(r.Body) == 0 {
			null++
		}
	}
	for offset := range after {
		if !published[offset] {
			t.Errorf("offset %d is in the log and is not published", offset)
		}
	}
	if null != 2 || len(after) == 0 {
		t.Errorf("%d tombstones, want 2; %d events in the log", null, len(after))
	}
}

// consume reads a topic up to an offset with another client, by offset.
func (s *site) consume(ctx context.Context, t *testing.T, topic string, end int64) map[int64]string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.c.Conf().KafkaPlain),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	got := map[int64]string{}
	for last := int64(-1); last < end-1; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got[r.Offset], last = string(r.Value), r.Offset })
	}
	return got
}
