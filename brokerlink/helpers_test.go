package brokerlink_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest"
)

// config returns a configuration with the short times of a test.
func config(t *testing.T, b *brokertest.Broker, topics ...string) brokerlink.Config {
	t.Helper()
	c := brokerlink.DefaultConfig()
	for _, addr := range b.Addrs() {
		c.Brokers = append(c.Brokers, hostPort(t, addr))
	}
	c.Topics = topics
	c.Group = "g"
	c.Heartbeat = conf.Duration(20 * time.Millisecond)
	c.SessionTimeout = conf.Duration(10 * time.Second)
	c.RebalanceTimeout = conf.Duration(10 * time.Second)
	c.MetadataRefresh = conf.Duration(50 * time.Millisecond)
	c.Fetch.MaxWait = conf.Duration(200 * time.Millisecond)
	return c
}

func hostPort(t *testing.T, addr string) conf.HostPort {
	t.Helper()
	hp, err := conf.ParseHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return hp
}

// agent is a running Drain.
type agent struct {
	t       *testing.T
	channel *brokerlink.Channel
	cancel  context.CancelCauseFunc
	done    chan error
}

// stands looks at the channel's standing until it is as wanted.
func (a *agent) stands(what string, is func(brokerlink.Standing) bool) {
	a.t.Helper()
	tick, limit := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for !is(a.channel.Standing()) {
		select {
		case <-tick.C:
		case <-limit:
			a.t.Fatalf("waited in vain until %s: %+v", what, a.channel.Standing())
		}
	}
}

// run starts a channel; it is stopped when the test ends.
func run(t *testing.T, c brokerlink.Config, o brokerlink.Options, drain ingest.DrainFunc) *agent {
	t.Helper()
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	ch, err := brokerlink.New(c, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	a := &agent{t: t, channel: ch, cancel: cancel, done: make(chan error, 1)}
	go func() { a.done <- ch.Drain(ctx, drain) }()
	t.Cleanup(func() {
		cancel(nil)
		a.wait()
	})
	return a
}

// wait returns what Drain has returned.
func (a *agent) wait() error {
	err := <-a.done
	a.done <- err
	return err
}

// stop ends the agent in good order.
func (a *agent) stop() error {
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	a.cancel(&ingest.Ending{Reason: ingest.ErrStopping, Grace: grace})
	return a.wait()
}

// testWriter logs into the test's output.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	defer func() { _ = recover() }() // a goroutine of sarama may log after the test
	w.t.Logf("%s", p)
	return len(p), nil
}

// read calls Read from first on until the position reaches end, and checks that the batches tile.
func read(ctx context.Context, s ingest.Stream, first, end ingest.Offset) (events []ingest.Event, gaps []ingest.Gap, err error) {
	next := first
	for next < end {
		b, err := s.Read(ctx, next)
		if err != nil {
			return events, gaps, fmt.Errorf("read at %d: %w", next, err)
		}
		if err := tiles(b, next); err != nil {
			return events, gaps, err
		}
		for _, e := range b.Events {
			events = append(events, clone(e))
		}
		gaps = append(gaps, b.Gaps...)
		next = b.Next
	}
	return events, gaps, nil
}

func clone(e ingest.Event) ingest.Event {
	e.Key, e.Body, e.Headers = slices.Clone(e.Key), slices.Clone(e.Body), slices.Clone(e.Headers)
	return e
}

// tiles checks the contract of a batch.
func tiles(b ingest.Batch, next ingest.Offset) error {
	if b.First != next {
		return fmt.Errorf("batch begins at %d, not at %d", b.First, next)
	}
	if b.Empty() {
		return fmt.Errorf("batch [%d, %d) is empty", b.First, b.Next)
	}
	pos, g, e, m := b.First, 0, 0, 0
	for pos < b.Next {
		switch {
		case e < len(b.Events) && b.Events[e].Offset == pos:
			if m < len(b.Marks) && b.Marks[m].Offset == pos {
				if crc := b.Events[e].CRC(); b.Marks[m].CRC != crc {
					return fmt.Errorf("mark at %d has checksum %08x, event %08x", pos, b.Marks[m].CRC, crc)
				}
				m++
			}
			e++
			pos++
		case g < len(b.Gaps) && b.Gaps[g].First == pos && b.Gaps[g].Next > pos:
			if b.Gaps[g].Reason == "" || b.Gaps[g].Evidence == "" {
				return fmt.Errorf("gap at %d has no reason or evidence: %+v", pos, b.Gaps[g])
			}
			pos = b.Gaps[g].Next
			g++
		default:
			return fmt.Errorf("offset %d is neither event nor gap in [%d, %d): events %d, gaps %+v", pos, b.First, b.Next, len(b.Events), b.Gaps)
		}
	}
	if pos != b.Next || e != len(b.Events) || g != len(b.Gaps) || m != len(b.Marks) {
		return fmt.Errorf("batch [%d, %d): stopped at %d after %d of %d events, %d of %d gaps, %d of %d marks",
			b.First, b.Next, pos, e, len(b.Events), g, len(b.Gaps), m, len(b.Marks))
	}
	if len(b.Events) > 0 && (len(b.Marks) == 0 || b.Marks[len(b.Marks)-1].Offset != b.Events[len(b.Events)-1].Offset) {
		return errors.New("no mark at the last event")
	}
	return nil
}

// withStream runs a channel of one partition and calls f with its stream.
func withStream(t *testing.T, c brokerlink.Config, f func(ctx context.Context, s ingest.Stream) error) {
	t.Helper()
	withOptions(t, c, brokerlink.Options{}, f)
}

func withOptions(t *testing.T, c brokerlink.Config, o brokerlink.Options, f func(ctx context.Context, s ingest.Stream) error) {
	t.Helper()
	result := make(chan error, 1)
	var once sync.Once
	o.Name = t.Name()
	a := run(t, c, o, func(ctx context.Context, s ingest.Stream) error {
		err := f(ctx, s)
		once.Do(func() { result <- err })
		return err
	})
	select {
	case err := <-result:
		if err != nil {
			t.Fatal(err)
		}
	case err := <-a.done:
		a.done <- err
		t.Fatalf("drain ended: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the drain did not end within a minute")
	}
	a.cancel(nil)
	if err := a.wait(); err != nil {
		t.Fatal(err)
	}
}

// numbered returns n events whose bodies are their numbers.
func numbered(topic string, partition int32, from, n int) []brokertest.Event {
	events := make([]brokertest.Event, 0, n)
	for i := from; i < from+n; i++ {
		events = append(events, brokertest.Event{Topic: topic, Partition: partition, Body: []byte(strconv.Itoa(i))})
	}
	return events
}

func produce(t *testing.T, b *brokertest.Broker, events ...brokertest.Event) {
	t.Helper()
	if err := b.Produce(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

func bodies(events []ingest.Event) []string {
	out := make([]string, 0, len(events))
	for _, e := range events {
		out = append(out, string(e.Body))
	}
	return out
}

// contains reports whether an error's text has all parts.
func contains(err error, parts ...string) bool {
	if err == nil {
		return false
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			return false
		}
	}
	return true
}
