package brokerlink_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/ingest"
)

// TestProducer: what is produced is read back as it was, in order, over several batches.
func TestProducer(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 2}})
	cfg := config(t, b, "t")
	ch, err := brokerlink.New(cfg, brokerlink.Options{Name: "one"})
	if err != nil {
		t.Fatal(err)
	}
	var none *brokerlink.NoTopicError
	if _, err := ch.NewProducer(t.Context(), "nope"); !errors.As(err, &none) {
		t.Errorf("a topic that is not there: %v", err)
	}
	p, err := ch.NewProducer(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var events []ingest.Event
	for i := range 30 {
		events = append(events, ingest.Event{
			Timestamp: int64(1_700_000_000_000 - i), Key: fmt.Append(nil, i), Body: []byte(strings.Repeat("x", 50_000) + strconv.Itoa(i)),
			Headers: ingest.Headers{{Key: "a", Value: []byte("1")}, {Key: "a"}},
		})
	}
	events = append(events, ingest.Event{Timestamp: 1_700_000_000_001}, ingest.Event{Timestamp: 5, Body: []byte{}})
	if err := p.Send(t.Context(), 3, events); err != nil { // 3 of 2: the second
		t.Fatal(err)
	}
	if b.End("t", 0) != 0 || b.End("t", 1) != int64(len(events)) {
		t.Fatalf("the partitions end at %d and %d", b.End("t", 0), b.End("t", 1))
	}
	withStream(t, cfg, func(ctx context.Context, s ingest.Stream) error {
		if s.Partition().ID != 1 {
			<-ctx.Done()
			return nil
		}
		got, _, err := read(ctx, s, 0, ingest.Offset(len(events)))
		if err != nil {
			return err
		}
		for i := range events {
			events[i].Offset = ingest.Offset(i)
			if !got[i].Equal(&events[i]) {
				return fmt.Errorf("event %d came back as another", i)
			}
		}
		return nil
	})
}
