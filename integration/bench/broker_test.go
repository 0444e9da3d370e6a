//go:build integration

package bench

import (
	"context"
	"io"
	"iter"
	"os"
	"testing"

	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/ingest"
)

// brokerPlan is an embedded broker with one topic.
type brokerPlan struct {
	Work    workload
	Codec   string
	Endless bool // one batch for ever in every partition, instead of the workload: it has no end, costs the broker nothing, and does not compress
}

type brokerSays struct{ Addrs []string }

// playBroker serves until its standard input ends.
func playBroker(ctx context.Context, p brokerPlan) error {
	o := brokertest.Options{Topics: map[string]int32{topic: int32(p.Work.Partitions)}}
	if p.Endless {
		o.Synthetic = &brokertest.Synthetic{Events: 1000, Bytes: 480, Codec: p.Codec, Random: 1}
	}
	b, err := brokertest.Start(o)
	if err != nil {
		return err
	}
	defer b.Close()
	if !p.Endless {
		if err := b.Stream(ctx, p.Codec, p.Work.all()); err != nil {
			return err
		}
	}
	if err := say(brokerSays{Addrs: b.Addrs()}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// all yields the events of all partitions, one of each in turn.
func (w workload) all() iter.Seq[brokertest.Event] {
	return func(yield func(brokertest.Event) bool) {
		feeds := make([]*feed, w.Partitions)
		for i := range feeds {
			feeds[i] = w.feed(i)
		}
		for range w.each() {
			for i, f := range feeds {
				e := ingest.Event{Body: make([]byte, 0, 640)} // the producer keeps it
				f.next(&e)
				if !yield(brokertest.Event{Topic: topic, Partition: int32(i), Key: e.Key, Body: e.Body, Timestamp: millis(e.Timestamp)}) {
					return
				}
			}
		}
	}
}

// startBroker returns the addresses of a broker that has the workload.
func startBroker(b testing.TB, p brokerPlan) []string {
	b.Helper()
	var says brokerSays
	role(b, "broker", p).hear(b, &says)
	return says.Addrs
}
