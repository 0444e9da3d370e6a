package brokerlink_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest"
)

func TestLeadersMoveWhileReading(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Brokers: 3, Topics: map[string]int32{"t": 1}})
	withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
		var got []ingest.Event
		for i := range 20 {
			if err := b.Produce(ctx, numbered("t", 0, i*10, 10)...); err != nil {
				return err
			}
			if i%2 == 0 {
				b.ShuffleLeaders()
			} else if err := b.MoveLeader("t", 0, int32(i%3)); err != nil {
				return err
			}
			events, gaps, err := read(ctx, s, ingest.Offset(i*10), ingest.Offset(i*10+10))
			if err != nil || len(gaps) > 0 {
				return fmt.Errorf("after move %d: gaps %v, %w", i, gaps, err)
			}
			got = append(got, events...)
		}
		for i, e := range got {
			if string(e.Body) != strconv.Itoa(i) {
				return fmt.Errorf("event %d is %q", i, e.Body)
			}
		}
		return nil
	})
}

func TestPassingErrorsOfTheLeaderAreTriedAgain(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	produce(t, b, numbered("t", 0, 0, 5)...)
	for _, e := range []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError,
		kerr.LeaderNotAvailable, kerr.UnknownServerError, kerr.OffsetNotAvailable, kerr.OffsetOutOfRange,
	} {
		t.Run(e.Message, func(t *testing.T) {
			fault := b.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "t", Err: e, Count: 2})
			withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
				got, _, err := read(ctx, s, 0, 5)
				if err != nil || len(got) != 5 || fault.Hits() != 2 {
					return fmt.Errorf("%d events, %d faults, %w", len(got), fault.Hits(), err)
				}
				return nil
			})
		})
	}
}

func TestTopicMadeAgainIsNoticed(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{})
	again := func(ctx context.Context, n int) error {
		if err := b.DeleteTopic("t"); err != nil {
			return err
		}
		if err := b.CreateTopic("t", 1, nil); err != nil {
			return err
		}
		events := numbered("t", 0, 1000, n)
		if n == 0 {
			return nil
		}
		return b.Produce(ctx, events...)
	}
	for _, c := range []struct {
		name string
		n    int
	}{{"shorter", 3}, {"longer", 30}, {"empty", 0}} {
		t.Run(c.name, func(t *testing.T) {
			if err := b.CreateTopic("t", 1, nil); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = b.DeleteTopic("t") }()
			produce(t, b, numbered("t", 0, 0, 10)...)
			cfg := config(t, b, "t")
			cfg.MetadataRefresh = conf.Duration(time.Minute) // nobody but the reader looks
			withStream(t, cfg, func(ctx context.Context, s ingest.Stream) error {
				first, _, err := read(ctx, s, 0, 10)
				if err != nil {
					return err
				}
				mark := ingest.Mark{Offset: 9, LeaderEpoch: 0, CRC: first[9].CRC()}
				if err := s.Check(ctx, mark); err != nil {
					return fmt.Errorf("check before: %w", err)
				}
				before, err := s.Describe(ctx)
				if err != nil {
					return err
				}
				if err := again(ctx, c.n); err != nil {
					return err
				}
				if _, err := s.Read(ctx, 10); !errors.Is(err, ingest.ErrReplaced) {
					return fmt.Errorf("read says %w", err)
				}
				if err := s.Check(ctx, mark); !errors.Is(err, ingest.ErrReplaced) {
					return fmt.Errorf("check says %w", err)
				}
				after, err := s.Describe(ctx)
				if err != nil || after.TopicID == before.TopicID {
					return fmt.Errorf("topic id %q before and %q after, %w", before.TopicID, after.TopicID, err)
				}
				return nil
			})
		})
	}
}

// TestTopicThatGoesIsSaid: a member whose topic was deleted drains nothing, and looks like one that has nothing to do.
func TestTopicThatGoesIsSaid(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"clicks": 1}})
	l := newLedger(t)
	a := run(t, config(t, b, "clicks"), brokerlink.Options{Name: "one"}, l.drain("one"))
	l.until("the topic is drained", func() bool { return len(l.owner) == 1 })
	if err := b.DeleteTopic("clicks"); err != nil {
		t.Fatal(err)
	}
	a.stands("the topic is missed", func(s brokerlink.Standing) bool { return s.Joined && contains(s.Err, `topic "clicks" does not exist`) })
	if err := b.CreateTopic("clicks", 1, nil); err != nil {
		t.Fatal(err)
	}
	a.stands("the topic is there again", func(s brokerlink.Standing) bool { return s.Joined && s.Err == nil })
	l.until("the topic is drained again", func() bool { return len(l.owner) == 1 })
}

func TestCheck(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	produce(t, b, numbered("t", 0, 0, 10)...)
	produce(t, b, numbered("t", 0, 10, 10)...)
	withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
		events, _, err := read(ctx, s, 0, 20)
		if err != nil {
			return err
		}
		at := func(i int) ingest.Mark {
			return ingest.Mark{Offset: ingest.Offset(i), LeaderEpoch: 0, CRC: events[i].CRC()}
		}
		other, epoch := at(3), at(3)
		other.CRC++
		epoch.LeaderEpoch = 7
		unknown := at(3)
		unknown.LeaderEpoch = -1
		for _, c := range []struct {
			mark     ingest.Mark
			replaced bool
		}{
			{at(0), false},
			{at(3), false},
			{at(19), false},
			{unknown, false},
			{other, true},
			{epoch, true},
			{ingest.Mark{Offset: 20}, true},
			{ingest.Mark{Offset: 1000}, true},
		} {
			if err := s.Check(ctx, c.mark); errors.Is(err, ingest.ErrReplaced) != c.replaced || err != nil && !c.replaced {
				return fmt.Errorf("%+v: %w", c.mark, err)
			}
		}
		if err := b.DeleteRecords("t", 0, 10); err != nil {
			return err
		}
		if err := s.Check(ctx, other); err != nil {
			return fmt.Errorf("a mark before the log's start: %w", err)
		}
		return nil
	})
}

func TestAnotherHistoryUnderANewLeaderIsNoticed(t *testing.T) {
	// The fake does not truncate. A topic without ids (brokers before 2.8) that is made again looks the same: other events, same offsets.
	b := brokertest.New(t, brokertest.Options{Brokers: 2, Topics: map[string]int32{"t": 1}})
	produce(t, b, numbered("t", 0, 0, 10)...)
	away := hide(b)
	withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
		if _, _, err := read(ctx, s, 0, 10); err != nil {
			return err
		}
		away.Store(true)
		if err := b.DeleteTopic("t"); err != nil {
			return err
		}
		if err := b.CreateTopic("t", 1, nil); err != nil {
			return err
		}
		for range 3 { // leader epochs of the old topic do not come again
			if err := b.MoveLeader("t", 0, 1-b.Fake().LeaderFor("t", 0)); err != nil {
				return err
			}
		}
		away.Store(false)
		if err := b.Produce(ctx, numbered("t", 0, 500, 20)...); err != nil {
			return err
		}
		next := ingest.Offset(10)
		for next < 30 {
			batch, err := s.Read(ctx, next)
			if errors.Is(err, ingest.ErrReplaced) && contains(err, "another event") {
				return nil
			}
			if _, early := errors.AsType[*ingest.OutOfRangeError](err); early {
				continue // what was read ahead, before there were events again
			}
			if err != nil {
				return err
			}
			next = batch.Next
		}
		return errors.New("nobody noticed")
	})
}

// hide takes topic ids out of metadata, and the leader too while away is set.
func hide(b *brokertest.Broker) (away *atomic.Bool) {
	away = new(atomic.Bool)
	b.Fake().ControlKey(int16(kmsg.Metadata), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake().KeepControl()
		req := kreq.(*kmsg.MetadataRequest)
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		for i, addr := range b.Addrs() {
			broker := kmsg.NewMetadataResponseBroker()
			broker.NodeID = int32(i)
			broker.Host, broker.Port = split(addr)
			resp.Brokers = append(resp.Brokers, broker)
		}
		for _, t := range req.Topics {
			topic := kmsg.NewMetadataResponseTopic()
			topic.Topic = t.Topic
			info := b.Fake().PartitionInfo(*t.Topic, 0)
			if info == nil {
				topic.ErrorCode = kerr.UnknownTopicOrPartition.Code
			} else {
				p := kmsg.NewMetadataResponseTopicPartition()
				p.Leader, p.LeaderEpoch = info.Leader, info.Epoch
				if away.Load() {
					p.Leader, p.ErrorCode = -1, kerr.LeaderNotAvailable.Code
				}
				topic.Partitions = append(topic.Partitions, p)
			}
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	return away
}

func TestSlowPartitionsStallNobodyAndMemoryIsBounded(t *testing.T) {
	const partitions, each = 100, 2000
	b := brokertest.New(t, brokertest.Options{Brokers: 2, Topics: map[string]int32{"t": partitions}})
	body := make([]byte, 1000)
	err := b.Stream(t.Context(), "snappy", func(yield func(brokertest.Event) bool) {
		for i := range partitions * each {
			if !yield(brokertest.Event{Topic: "t", Partition: int32(i % partitions), Body: body}) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	c := config(t, b, "t")
	c.Fetch.Memory, c.Fetch.Bytes = 8*conf.MiB, conf.MiB
	registry := prometheus.NewRegistry()
	done := make(chan ingest.Partition, partitions)
	most := make(chan float64, partitions*each)
	run(t, c, brokerlink.Options{Name: "one", Registerer: registry}, func(ctx context.Context, s ingest.Stream) error {
		next := ingest.Offset(0)
		for next < each {
			got, err := s.Read(ctx, next)
			if err != nil {
				return err
			}
			next = got.Next
			if s.Partition().ID%2 == 0 {
				<-ctx.Done() // takes one batch and never comes back
				return nil
			}
			most <- gauge(t, registry, "penstock_kafka_buffered_bytes")
		}
		done <- s.Partition()
		<-ctx.Done()
		return nil
	})
	for range partitions / 2 {
		select {
		case <-done:
		case <-time.After(time.Minute):
			t.Fatal("the others do not get on")
		}
	}
	peak := 0.0
	for range len(most) {
		peak = max(peak, <-most)
	}
	t.Logf("at most %.1f MiB were buffered", peak/(1<<20))
	// Half a partition's part is less than one batch here, about 1.3 MB with overhead. Each may hold one beyond fetch.memory, and those that
	// begin at the same time one more.
	if limit := float64(c.Fetch.Memory.Bytes()) + partitions*1.3*float64(1<<20); peak > limit {
		t.Errorf("%.0f bytes were buffered, %.0f are allowed", peak, limit)
	}
}

func gauge(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	return metric(t, r, name).GetGauge().GetValue()
}

func counter(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	return metric(t, r, name).GetCounter().GetValue()
}

func metric(t *testing.T, r *prometheus.Registry, name string) *dto.Metric {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Error(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0]
		}
	}
	t.Errorf("no metric %s", name)
	return nil
}
