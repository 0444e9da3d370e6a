package brokerlink_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/ingest"
)

// history is what a random test has written to partition 0 of a topic.
type history struct {
	b       *brokertest.Broker
	topic   string
	random  *rand.Rand
	count   int
	keys    int
	visible []string          // bodies of committed events, in order
	latest  map[string]string // body by key
}

func (h *history) events() ([]brokertest.Event, func()) {
	var events []brokertest.Event
	var bodies, keys []string
	for range 1 + h.random.IntN(40) {
		key, body := strconv.Itoa(h.random.IntN(h.keys)), strconv.Itoa(h.count)
		h.count++
		keys, bodies = append(keys, key), append(bodies, body)
		events = append(events, brokertest.Event{Topic: h.topic, Key: []byte(key), Body: []byte(body)})
	}
	return events, func() {
		h.visible = append(h.visible, bodies...)
		for i, key := range keys {
			h.latest[key] = bodies[i]
		}
	}
}

// step does one thing that a producer may do.
func (h *history) step(ctx context.Context) error {
	events, commit := h.events()
	switch h.random.IntN(4) {
	case 0:
		return h.b.InTransaction(ctx, "tx"+strconv.Itoa(h.random.IntN(3)), false, events...)
	case 1:
		commit()
		return h.b.InTransaction(ctx, "tx"+strconv.Itoa(h.random.IntN(3)), true, events...)
	case 2:
		// Two transactions interleave; the one that began first ends last.
		outer, err := h.b.Begin("outer")
		if err != nil {
			return err
		}
		half := len(events) / 2
		if half > 0 {
			err = outer.Produce(ctx, events[:half]...)
		}
		inner, kept := h.events()
		keep := h.random.IntN(2) == 0
		err = errors.Join(err, h.b.InTransaction(ctx, "inner", keep, inner...), outer.Produce(ctx, events[half:]...), outer.End(ctx, false))
		if keep {
			kept()
		}
		return err
	default:
		commit()
		return h.b.Produce(ctx, events...)
	}
}

func seeds() int {
	if testing.Short() {
		return 5
	}
	return 25
}

func TestEventsAndGapsTileEveryHistory(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Brokers: 2})
	for seed := range seeds() {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			topic := "history" + strconv.Itoa(seed)
			if err := b.CreateTopic(topic, 1, nil); err != nil {
				t.Fatal(err)
			}
			h := &history{b: b, topic: topic, random: rand.New(rand.NewPCG(uint64(seed), 1)), keys: 1000, latest: map[string]string{}}
			for range 12 {
				if err := h.step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			end := ingest.Offset(b.End(topic, 0))
			c := config(t, b, topic)
			c.Group = topic
			c.Fetch.Bytes = 1 << 10 // many answers, which begin in the middle of transactions
			withStream(t, c, func(ctx context.Context, s ingest.Stream) error {
				got, _, err := read(ctx, s, 0, end)
				if err != nil {
					return err
				}
				if diff := cmp.Diff(h.visible, bodies(got)); diff != "" {
					return errors.New("committed events differ: " + diff)
				}
				// From any offset on, the same events come.
				for range 5 {
					first := ingest.Offset(h.random.IntN(int(end)))
					again, _, err := read(ctx, s, first, end)
					if err != nil {
						return err
					}
					i, _ := slices.BinarySearchFunc(got, first, func(e ingest.Event, o ingest.Offset) int { return int(e.Offset - o) })
					if diff := cmp.Diff(bodies(got[i:]), bodies(again)); diff != "" {
						return fmt.Errorf("from offset %d on: %s", first, diff)
					}
				}
				return nil
			})
		})
	}
}

func TestUncommittedIsolationShowsAbortedEvents(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	if err := b.InTransaction(t.Context(), "tx", false, numbered("t", 0, 0, 3)...); err != nil {
		t.Fatal(err)
	}
	c := config(t, b, "t")
	c.Isolation = "read_uncommitted"
	withStream(t, c, func(ctx context.Context, s ingest.Stream) error {
		got, gaps, err := read(ctx, s, 0, 4)
		if err != nil {
			return err
		}
		if len(got) != 3 || len(gaps) != 1 || gaps[0].Reason != ingest.GapControl {
			return fmt.Errorf("events %v, gaps %+v", bodies(got), gaps)
		}
		return nil
	})
}

func TestCompactedTopicIsGapsWithEvidence(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{})
	for seed := range seeds() {
		topic := "compacted" + strconv.Itoa(seed)
		if err := b.CreateTopic(topic, 1, map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0", "segment.bytes": "1024"}); err != nil {
			t.Fatal(err)
		}
		h := &history{b: b, topic: topic, random: rand.New(rand.NewPCG(uint64(seed), 2)), keys: 20, latest: map[string]string{}}
		for range 10 {
			if err := h.step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		b.Compact()
		end := ingest.Offset(b.End(topic, 0))
		c := config(t, b, topic)
		c.Group = topic
		withStream(t, c, func(ctx context.Context, s ingest.Stream) error {
			info, err := s.Describe(ctx)
			if err != nil {
				return err
			}
			got, gaps, err := read(ctx, s, info.Start, end)
			if err != nil {
				return err
			}
			kept := map[string]string{}
			for _, e := range got {
				if !slices.Contains(h.visible, string(e.Body)) {
					return fmt.Errorf("event %q at %d was never committed", e.Body, e.Offset)
				}
				kept[string(e.Key)] = string(e.Body)
			}
			if diff := cmp.Diff(h.latest, kept); diff != "" {
				return errors.New("latest values differ: " + diff)
			}
			if !slices.ContainsFunc(gaps, func(g ingest.Gap) bool { return g.Reason == ingest.GapCompacted }) {
				return fmt.Errorf("nothing was compacted: the test shows nothing (%d events, gaps %+v)", len(got), gaps)
			}
			return nil
		})
	}
}

func TestOutOfRangeTellsTheBounds(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	produce(t, b, numbered("t", 0, 0, 20)...)
	produce(t, b, numbered("t", 0, 20, 20)...)
	if err := b.DeleteRecords("t", 0, 25); err != nil {
		t.Fatal(err)
	}
	withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
		for _, next := range []ingest.Offset{0, 24, 41, 1000} {
			_, err := s.Read(ctx, next)
			want := &ingest.OutOfRangeError{Partition: s.Partition(), Next: next, Start: 25, End: 40}
			var got *ingest.OutOfRangeError
			if !errors.As(err, &got) || *got != *want {
				return fmt.Errorf("read at %d: %w, want %w", next, err, want)
			}
		}
		// The first batch begins before the wanted offset.
		got, _, err := read(ctx, s, 25, 40)
		if err != nil || len(got) != 15 || string(got[0].Body) != "25" {
			return fmt.Errorf("after retention: %v, %w", bodies(got), err)
		}
		// The end is not out of range: the next event comes there.
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		if _, err := s.Read(short, 40); !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("read at the end: %w, want to wait", err)
		}
		info, err := s.Describe(ctx)
		if err != nil {
			return err
		}
		if info.Start != 25 || info.End != 40 || info.TopicID == "" || info.Cluster == "" || info.Group != "g" || info.Retention != 7*24*time.Hour {
			return fmt.Errorf("described as %+v", info)
		}
		return nil
	})
}

func TestOpenTransactionHoldsBackWhatFollows(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	produce(t, b, numbered("t", 0, 0, 2)...)
	open, err := b.Begin("tx")
	if err != nil {
		t.Fatal(err)
	}
	if err := open.Produce(t.Context(), numbered("t", 0, 2, 2)...); err != nil {
		t.Fatal(err)
	}
	produce(t, b, numbered("t", 0, 4, 2)...)
	withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
		info, err := s.Describe(ctx)
		if err != nil || info.End != 2 {
			return fmt.Errorf("end is %d (%w), want the last stable offset 2", info.End, err)
		}
		got, _, err := read(ctx, s, 0, 2)
		if err != nil || len(got) != 2 {
			return fmt.Errorf("before the transaction: %v, %w", bodies(got), err)
		}
		if err := open.End(ctx, true); err != nil {
			return err
		}
		got, gaps, err := read(ctx, s, 2, 7)
		if err != nil || len(got) != 4 || len(gaps) != 1 {
			return fmt.Errorf("after the transaction: %v, %+v, %w", bodies(got), gaps, err)
		}
		return nil
	})
}

func TestResolve(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	for i := range 5 {
		produce(t, b, brokertest.Event{Topic: "t", Timestamp: time.UnixMilli(int64(1000 * (i + 1)))})
	}
	if err := b.DeleteRecords("t", 0, 1); err != nil {
		t.Fatal(err)
	}
	withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
		for _, c := range []struct {
			p    ingest.Position
			want ingest.Offset
		}{
			{ingest.Position{At: "earliest"}, 1},
			{ingest.Position{At: "latest"}, 5},
			{ingest.Position{At: "time", Time: time.UnixMilli(3000)}, 2},
			{ingest.Position{At: "time", Time: time.UnixMilli(3001)}, 3},
			{ingest.Position{At: "time", Time: time.UnixMilli(99_000)}, 5},
		} {
			got, err := s.Resolve(ctx, c.p)
			if err != nil || got != c.want {
				return fmt.Errorf("%+v is offset %d (%w), want %d", c.p, got, err, c.want)
			}
		}
		if _, err := s.Resolve(ctx, ingest.Position{At: "somewhere"}); !ingest.IsPermanent(err) {
			return fmt.Errorf("unknown position: %w", err)
		}
		return nil
	})
}

func TestHintIsKeptWithItsMetadata(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	produce(t, b, numbered("t", 0, 0, 20)...)
	withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
		if _, ok, err := s.Hint(ctx); ok || err != nil {
			return fmt.Errorf("hint before any was given: %v, %w", ok, err)
		}
		want := ingest.Hint{Next: 17, Metadata: `{"state":"/data/.penstock","seq":4}`}
		if err := s.Commit(ctx, want); err != nil {
			return err
		}
		got, ok, err := s.Hint(ctx)
		if err != nil || !ok || got != want {
			return fmt.Errorf("hint %+v, %v, %w", got, ok, err)
		}
		if err := s.Commit(ctx, ingest.Hint{Metadata: string(make([]byte, 1001))}); err == nil {
			return errors.New("metadata of 1001 bytes was taken")
		}
		return s.Confirm(ctx)
	})
	if _, err := brokerlink.New(brokerlink.Config{}, brokerlink.Options{}); err == nil {
		t.Error("an empty configuration was taken")
	}
}
