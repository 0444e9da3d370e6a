package brokerlink_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/ingest"
)

// TestStanding: a channel says what keeps it from draining, and that nothing does any more.
func TestStanding(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(l.Addr())
	}
	if err := l.Close(); err != nil { // nobody answers there, for now
		t.Fatal(err)
	}
	c := config(t, brokertest.New(t, brokertest.Options{}), "clicks")
	c.Brokers = c.Brokers[:0]
	c.Brokers = append(c.Brokers, hostPort(t, addr.String()))
	ch, err := brokerlink.New(c, brokerlink.Options{Name: "one"})
	if err != nil {
		t.Fatal(err)
	}
	if s := ch.Standing(); s.Joined || s.Err != nil {
		t.Errorf("before it is drained: %+v", s)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- ch.Drain(ctx, func(ctx context.Context, _ ingest.Stream) error { <-ctx.Done(); return nil })
	}()
	until(t, "the broker is missed", func() bool { return errors.Is(ch.Standing().Err, brokerlink.ErrNoBroker) })
	if _, err := ch.Describe(t.Context(), ingest.Partition{Topic: "clicks"}); !errors.Is(err, brokerlink.ErrNoBroker) {
		t.Errorf("describe without a broker: %v", err)
	}
	b := brokertest.New(t, brokertest.Options{Ports: []int{addr.Port}, Topics: map[string]int32{"clicks": 1}})
	until(t, "the group is joined", func() bool { s := ch.Standing(); return s.Joined && s.Err == nil })
	if err := b.Produce(t.Context(), brokertest.Event{Topic: "clicks", Body: []byte("a")}); err != nil {
		t.Fatal(err)
	}
	if info, err := ch.Describe(t.Context(), ingest.Partition{Topic: "clicks"}); err != nil || info.End != 1 {
		t.Errorf("describe: %+v, %v", info, err)
	}
	if _, err := ch.Describe(t.Context(), ingest.Partition{Topic: "clicks", ID: 7}); err == nil {
		t.Error("a partition that does not exist is described")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}
