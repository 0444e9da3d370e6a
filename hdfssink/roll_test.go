package hdfssink

import (
	"slices"
	"testing"
	"time"

	"github.com/penstock-io/penstock/ingest"
)

func TestRollPolicyByTime(t *testing.T) {
	zero := time.Date(2026, 3, 5, 14, 0, 0, 0, time.UTC)
	m := func(n int) time.Time { return zero.Add(time.Duration(n) * time.Minute) }
	full := rollPolicy{age: 15 * time.Minute, idle: 2 * time.Minute, window: 5 * time.Minute}
	for _, c := range []struct {
		name   string
		policy rollPolicy
		file   fileTimes
		want   time.Time
		reason string
	}{
		{"idle comes first", full, fileTimes{opened: m(0), appended: m(1), windowEnd: m(60)}, m(3), rollIdle},
		{"age, if it is busy", full, fileTimes{opened: m(0), appended: m(14), windowEnd: m(60)}, m(15), rollAge},
		{"the hour is over", full, fileTimes{opened: m(53), appended: m(64), windowEnd: m(60)}, m(65), rollWindow},
		{"late events do not roll at once", full, fileTimes{opened: m(70), appended: m(70), windowEnd: m(60)}, m(72), rollIdle},
		{"a bucket without time", full, fileTimes{opened: m(0), appended: m(14)}, m(15), rollAge},
		{"everything off", rollPolicy{}, fileTimes{opened: m(0), appended: m(0), windowEnd: m(60)}, time.Time{}, ""},
		{"a quarter of the retention", rollPolicy{retention: 4 * time.Hour}, fileTimes{opened: m(10), appended: m(11), oldest: m(0)}, m(60), rollRetention},
		{"lagging, not for each event", rollPolicy{retention: 4 * time.Hour}, fileTimes{opened: m(500), appended: m(500), oldest: m(0)}, m(515), rollRetention},
		{"retention is far away", rollPolicy{age: 15 * time.Minute, retention: 7 * 24 * time.Hour}, fileTimes{opened: m(0), appended: m(0), oldest: m(0)}, m(15), rollAge},
	} {
		at, reason := c.policy.dueAt(c.file)
		if !at.Equal(c.want) || reason != c.reason {
			t.Errorf("%s: %v %s, want %v %s", c.name, at, reason, c.want, c.reason)
		}
	}
}

func TestRollPolicyBySize(t *testing.T) {
	for _, c := range []struct {
		policy     rollPolicy
		size, rows int64
		want       string
	}{
		{rollPolicy{size: 100}, 99, 1 << 40, ""},
		{rollPolicy{size: 100}, 100, 0, rollSize},
		{rollPolicy{rows: 10}, 1 << 40, 9, ""},
		{rollPolicy{rows: 10}, 0, 10, rollRows},
		{rollPolicy{}, 1 << 40, 1 << 40, ""},
	} {
		if got, ok := c.policy.full(c.size, c.rows); got != c.want || ok != (c.want != "") {
			t.Errorf("%+v %d %d: %q %v", c.policy, c.size, c.rows, got, ok)
		}
	}
}

func TestLagging(t *testing.T) {
	for _, c := range []struct {
		firsts []ingest.Offset
		next   ingest.Offset
		want   []int
	}{
		{nil, 10, nil},
		{[]ingest.Offset{5}, 6, []int{0}},
		{[]ingest.Offset{90, 0, 49, 50, 10}, 100, []int{1, 4, 2}},
		{[]ingest.Offset{1000, 1001, 1002}, 1003, []int{0}},
	} {
		if got := lagging(c.firsts, c.next); !slices.Equal(got, c.want) {
			t.Errorf("%v next %d: %v, want %v", c.firsts, c.next, got, c.want)
		}
	}
}
