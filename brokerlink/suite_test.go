package brokerlink_test

import (
	"context"
	"testing"
	"time"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/ingest/ingesttest"
)

func TestStreamSuite(t *testing.T) {
	ingesttest.StreamSuite(t, func(t *testing.T) ingesttest.Fixture {
		t.Helper()
		b := brokertest.New(t, brokertest.Options{Brokers: 2, Topics: map[string]int32{"t": 1}})
		return ingesttest.Fixture{
			Stream: func(t *testing.T) ingest.Stream {
				t.Helper()
				return openStream(t, config(t, b, "t"))
			},
			Produce: func(t *testing.T, events ...ingest.Event) {
				t.Helper()
				for _, e := range events {
					p := brokertest.Event{Topic: "t", Key: e.Key, Body: e.Body, Timestamp: time.UnixMilli(e.Timestamp)}
					for _, h := range e.Headers {
						p.Headers = append(p.Headers, brokertest.Header{Key: h.Key, Value: h.Value})
					}
					produce(t, b, p)
				}
			},
			DeleteBefore: func(t *testing.T, start ingest.Offset) {
				t.Helper()
				if err := b.DeleteRecords("t", 0, int64(start)); err != nil {
					t.Fatal(err)
				}
			},
		}
	})
}

// openStream runs a channel until the test ends and returns its only stream.
func openStream(t *testing.T, c brokerlink.Config) ingest.Stream {
	t.Helper()
	got := make(chan ingest.Stream, 1)
	over := make(chan struct{})
	a := run(t, c, brokerlink.Options{Name: t.Name()}, func(_ context.Context, s ingest.Stream) error {
		got <- s
		<-over
		return nil
	})
	t.Cleanup(func() { close(over) })
	select {
	case s := <-got:
		return s
	case err := <-a.done:
		a.done <- err
		t.Fatalf("drain ended: %v", err)
		return nil
	}
}
