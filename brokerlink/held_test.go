package brokerlink_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/ingest"
)

// TestABlockOnItsWayIsCounted: what is being fetched has its place in fetch.memory before it is there. Otherwise each of many partitions
// finds room for one more.
func TestABlockOnItsWayIsCounted(t *testing.T) {
	const size = 300_000
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	for range 3 {
		produce(t, b, brokertest.Event{Topic: "t", Body: make([]byte, size)})
	}
	registry := prometheus.NewRegistry()
	held := make(chan float64, 1)
	b.Fake().ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake().KeepControl()
		if kreq.(*kmsg.FetchRequest).Topics[0].Partitions[0].FetchOffset == 1 {
			select {
			case held <- gauge(t, registry, "penstock_kafka_buffered_bytes"):
			default:
			}
		}
		return nil, nil, false
	})
	c := config(t, b, "t")
	c.Fetch.Bytes = 1 << 10 // a batch at once
	withOptions(t, c, brokerlink.Options{Registerer: registry}, func(ctx context.Context, s ingest.Stream) error {
		if _, err := s.Read(ctx, 0); err != nil {
			return err
		}
		select {
		case n := <-held:
			if n < 2*size {
				return fmt.Errorf("%.0f bytes are held with an event of %d in use and another on its way", n, size)
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}
