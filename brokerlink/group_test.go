package brokerlink_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest"
)

// ledger notes who drains what, and fails the test when two do at once.
type ledger struct {
	t       *testing.T
	mu      sync.Mutex
	changed chan struct{}
	owner   map[ingest.Partition]string
	starts  map[string]int // by owner
	ends    map[string]int // by owner and reason
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	return &ledger{t: t, changed: make(chan struct{}), owner: map[ingest.Partition]string{}, starts: map[string]int{}, ends: map[string]int{}}
}

// drain is the drain function of the named agent: it owns the partition until its context ends.
func (l *ledger) drain(name string) ingest.DrainFunc {
	return func(ctx context.Context, s ingest.Stream) error {
		l.note(func() {
			if other := l.owner[s.Partition()]; other != "" {
				l.t.Errorf("%s drains %s while %s still does", name, s.Partition(), other)
			}
			l.owner[s.Partition()] = name
			l.starts[name]++
		})
		<-ctx.Done()
		l.note(func() {
			delete(l.owner, s.Partition())
			reason := "none"
			if e, ok := ingest.EndingOf(ctx); ok {
				reason = e.Reason.Error()
				if e.Grace.Err() != nil {
					l.t.Errorf("%s: the grace of %s was over at its start", name, s.Partition())
				}
			}
			l.ends[name+": "+reason]++
		})
		return nil
	}
}

func (l *ledger) note(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// until waits for a state.
func (l *ledger) until(what string, ok func() bool) {
	l.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		l.mu.Lock()
		good, changed := ok(), l.changed
		l.mu.Unlock()
		if good {
			return
		}
		select {
		case <-changed:
		case <-limit:
			l.mu.Lock()
			defer l.mu.Unlock()
			l.t.Fatalf("waited in vain until %s: owners %v, starts %v, ends %v", what, l.owner, l.starts, l.ends)
		}
	}
}

// owned counts the partitions of an agent. The caller holds the lock.
func (l *ledger) owned(name string) int {
	n := 0
	for _, owner := range l.owner {
		if owner == name {
			n++
		}
	}
	return n
}

func TestTwoMembersShareAndHandOver(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Brokers: 3, Topics: map[string]int32{"t": 6}})
	l := newLedger(t)
	c := config(t, b, "t")
	one := run(t, c, brokerlink.Options{Name: "one"}, l.drain("one"))
	l.until("one has all", func() bool { return l.owned("one") == 6 })
	two := run(t, c, brokerlink.Options{Name: "two"}, l.drain("two"))
	l.until("both have three", func() bool { return l.owned("one") == 3 && l.owned("two") == 3 })
	l.note(func() {
		if l.starts["one"] != 6 || l.ends["one: "+ingest.ErrRevoked.Error()] != 3 {
			t.Errorf("a rebalance took more than had to move: starts %v, ends %v", l.starts, l.ends)
		}
	})
	if err := one.stop(); err != nil {
		t.Fatal(err)
	}
	l.until("two has all", func() bool { return l.owned("two") == 6 })
	l.note(func() {
		if l.ends["one: "+ingest.ErrStopping.Error()] != 3 {
			t.Errorf("the agent's own ending was not handed through: %v", l.ends)
		}
	})
	if err := two.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestRebalancesNeverOverlap(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Brokers: 3, Topics: map[string]int32{"t": 7}})
	l := newLedger(t)
	c := config(t, b, "t")
	keep := run(t, c, brokerlink.Options{Name: "keep"}, l.drain("keep"))
	for i := range 4 {
		name := "guest" + strconv.Itoa(i)
		guest := run(t, c, brokerlink.Options{Name: name}, l.drain(name))
		l.until(name+" has some", func() bool { return l.owned(name) > 0 })
		if i%2 == 0 {
			b.ShuffleCoordinators()
		}
		if err := guest.stop(); err != nil {
			t.Fatal(err)
		}
	}
	l.until("all are drained again", func() bool { return l.owned("keep") == 7 })
	if err := keep.stop(); err != nil {
		t.Fatal(err)
	}
}

func TestStaticMemberComesBackToItsPartitions(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 4}})
	l := newLedger(t)
	c := config(t, b, "t")
	run(t, c, brokerlink.Options{Name: "leader", Instance: "host2-lake"}, l.drain("leader"))
	l.until("the leader has all", func() bool { return l.owned("leader") == 4 })
	one := run(t, c, brokerlink.Options{Name: "one", Instance: "host1-lake"}, l.drain("one"))
	l.until("both have two", func() bool { return l.owned("one") == 2 && l.owned("leader") == 2 })
	var mine []ingest.Partition
	l.note(func() {
		for p, owner := range l.owner {
			if owner == "one" {
				mine = append(mine, p)
			}
		}
	})
	if err := one.stop(); err != nil {
		t.Fatal(err)
	}
	run(t, c, brokerlink.Options{Name: "again", Instance: "host1-lake"}, l.drain("again"))
	l.until("it is back", func() bool { return l.owned("again") == 2 })
	l.note(func() {
		for _, p := range mine {
			if l.owner[p] != "again" {
				t.Errorf("%s went to %q", p, l.owner[p])
			}
		}
		if l.ends["leader: "+ingest.ErrRevoked.Error()] > 2 || l.ends["leader: "+ingest.ErrSessionLost.Error()] > 0 {
			t.Errorf("the other member was disturbed: %v", l.ends)
		}
	})
}

func TestSecondMemberOfTheSameInstanceIsReported(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	first, second := newLedger(t), newLedger(t)
	c := config(t, b, "t")
	one := run(t, c, brokerlink.Options{Name: "one", Instance: "same"}, first.drain("one"))
	first.until("it drains", func() bool { return first.owned("one") == 1 })
	run(t, c, brokerlink.Options{Name: "two", Instance: "same"}, second.drain("two"))
	err := one.wait()
	if !ingest.IsPermanent(err) || !contains(err, `instance "same"`, "--instance") {
		t.Errorf("the fenced member says %v", err)
	}
	first.note(func() {
		if first.ends["one: "+ingest.ErrSessionLost.Error()] != 1 {
			t.Errorf("ends %v", first.ends)
		}
	})
	second.until("the new one drains", func() bool { return second.owned("two") == 1 })
}

func TestLostSessionEndsDrainsAndStartsThemAgain(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 2}})
	l := newLedger(t)
	late := make(chan error, 4)
	drain := l.drain("one")
	c := config(t, b, "t")
	c.RebalanceTimeout = conf.Duration(time.Second) // the fake waits for the member that it was made to forget
	run(t, c, brokerlink.Options{Name: "one"}, func(ctx context.Context, s ingest.Stream) error {
		err := drain(ctx, s)
		if e, ok := ingest.EndingOf(ctx); ok && errors.Is(e.Reason, ingest.ErrSessionLost) {
			late <- s.Commit(e.Grace, ingest.Hint{Next: 1})
		}
		return err
	})
	l.until("it drains", func() bool { return l.owned("one") == 2 })
	b.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, TopLevel: true})
	l.until("it drains again", func() bool { return l.starts["one"] == 4 && l.owned("one") == 2 })
	l.note(func() {
		if l.ends["one: "+ingest.ErrSessionLost.Error()] != 2 {
			t.Errorf("ends %v", l.ends)
		}
	})
	for range 2 {
		if err := <-late; err == nil {
			t.Error("a member that the group had given up could commit a hint")
		}
	}
}

func TestConfirmNeedsAHeartbeatAfterTheCall(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	c := config(t, b, "t")
	c.Heartbeat = conf.Duration(4 * time.Second) // none of the usual ones comes in between
	withStream(t, c, func(ctx context.Context, s ingest.Stream) error {
		seen := b.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, TopLevel: true, Count: -1})
		refused := b.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress, TopLevel: true, Count: 3})
		if err := s.Confirm(ctx); err != nil {
			return err
		}
		if refused.Hits() != 3 || seen.Hits() < 4 {
			return fmt.Errorf("%d heartbeats were refused and %d sent", refused.Hits(), seen.Hits())
		}
		return nil
	})
}

func TestNewTopicsAndPartitionsArePickedUp(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"logs.a": 1, "other": 1}})
	l := newLedger(t)
	c := config(t, b)
	c.TopicsRegex = `logs\..*`
	run(t, c, brokerlink.Options{Name: "one"}, l.drain("one"))
	run(t, c, brokerlink.Options{Name: "two"}, l.drain("one")) // either may get them
	l.until("the first topic is drained", func() bool { return len(l.owner) == 1 })
	if err := b.CreateTopic("logs.b", 2, nil); err != nil {
		t.Fatal(err)
	}
	l.until("the new topic is drained", func() bool { return len(l.owner) == 3 })
	if err := b.AddPartitions(t.Context(), "logs.a", 3); err != nil {
		t.Fatal(err)
	}
	l.until("the new partitions are drained", func() bool { return len(l.owner) == 5 })
	l.note(func() {
		for p := range l.owner {
			if p.Topic == "other" {
				t.Errorf("%s does not match", p)
			}
		}
	})
	if err := b.DeleteTopic("logs.b"); err != nil {
		t.Fatal(err)
	}
	l.until("the deleted topic is given up", func() bool { return len(l.owner) == 3 })
}

func TestRestartedStaticLeaderSeesNewPartitions(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	l := newLedger(t)
	c := config(t, b, "t")
	first := run(t, c, brokerlink.Options{Name: "one", Instance: "only"}, l.drain("one"))
	l.until("it drains", func() bool { return l.owned("one") == 1 })
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	run(t, c, brokerlink.Options{Name: "one", Instance: "only"}, l.drain("one"))
	l.until("it drains again", func() bool { return l.owned("one") == 1 })
	if err := b.AddPartitions(t.Context(), "t", 3); err != nil {
		t.Fatal(err)
	}
	l.until("new partitions are drained", func() bool { return l.owned("one") == 3 })
}

func TestIgnoredNewTopics(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"a": 1}})
	l := newLedger(t)
	c := config(t, b)
	c.TopicsRegex, c.OnNewTopic = ".*", "ignore"
	run(t, c, brokerlink.Options{Name: "one"}, l.drain("one"))
	l.until("it drains", func() bool { return l.owned("one") == 1 })
	if err := b.CreateTopic("b", 1, nil); err != nil {
		t.Fatal(err)
	}
	// New partitions of a known topic are noticed in the same look that passes the new topic by.
	if err := b.AddPartitions(t.Context(), "a", 2); err != nil {
		t.Fatal(err)
	}
	l.until("the new partition is drained", func() bool { return l.owned("one") == 2 })
	l.note(func() {
		if slices.ContainsFunc(keys(l.owner), func(p ingest.Partition) bool { return p.Topic == "b" }) {
			t.Errorf("owners %v", l.owner)
		}
	})
}

func TestTopicThatDoesNotExistIsAnError(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"clicks": 1}})
	l := newLedger(t)
	a := run(t, config(t, b, "clikcs"), brokerlink.Options{Name: "one"}, l.drain("one"))
	if err := a.wait(); !ingest.IsPermanent(err) || !contains(err, `topic "clikcs" does not exist`) {
		t.Errorf("drain says %v", err)
	}
}

func TestOtherAssignorIsAnError(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	b.Fake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.InconsistentGroupProtocol, TopLevel: true, Count: -1})
	l := newLedger(t)
	a := run(t, config(t, b, "t"), brokerlink.Options{Name: "one"}, l.drain("one"))
	if err := a.wait(); !ingest.IsPermanent(err) || !contains(err, "cooperative-sticky") {
		t.Errorf("drain says %v", err)
	}
}

func TestBrokersThatAreAwayAreWaitedFor(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	c := config(t, b, "t")
	port := c.Brokers[0].Port
	b.Close()
	l := newLedger(t)
	run(t, c, brokerlink.Options{Name: "one"}, l.drain("one"))
	again := brokertest.New(t, brokertest.Options{Ports: []int{port}, Topics: map[string]int32{"t": 1}})
	l.until("it drains", func() bool { return l.owned("one") == 1 })
	again.Close()
	last := brokertest.New(t, brokertest.Options{Ports: []int{port}, Topics: map[string]int32{"t": 1}})
	produce(t, last, numbered("t", 0, 0, 1)...)
	// A new cluster does not know the member: its session is lost, and it comes back.
	l.until("it drains again", func() bool { return l.starts["one"] == 2 && l.owned("one") == 1 })
}

func keys[K comparable, V any](m map[K]V) []K {
	var out []K
	for k := range m {
		out = append(out, k)
	}
	return out
}

func TestHintOfAMemberThatWasReplacedIsRefused(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	produce(t, b, numbered("t", 0, 0, 10)...)
	c := config(t, b, "t")
	c.Heartbeat = conf.Duration(4 * time.Second) // the first member does not hear of the second before it commits
	streams := make(chan ingest.Stream, 1)
	replaced, said := make(chan struct{}), make(chan error, 1)
	first := run(t, c, brokerlink.Options{Name: "first", Instance: "same"}, func(ctx context.Context, s ingest.Stream) error {
		streams <- s
		<-replaced
		said <- s.Commit(ctx, ingest.Hint{Next: 9, Metadata: "first"})
		<-ctx.Done()
		return nil
	})
	<-streams
	l := newLedger(t)
	run(t, c, brokerlink.Options{Name: "second", Instance: "same"}, l.drain("second"))
	l.until("the second drains", func() bool { return l.owned("second") == 1 })
	close(replaced)
	if err := <-said; err == nil {
		t.Error("the coordinator took the hint of a member that it had replaced")
	}
	if offset, _ := b.Committed("g", "t", 0); offset != -1 {
		t.Errorf("the group's offset is %d", offset)
	}
	first.cancel(nil)
}
