package brokerlink_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/ingest"
)

func TestReadGivesEventsAsTheyWereProduced(t *testing.T) {
	b := brokertest.New(t, brokertest.Options{Topics: map[string]int32{"t": 1}})
	produce(t, b,
		brokertest.Event{Topic: "t", Key: []byte("k"), Body: []byte("v"), Timestamp: time.UnixMilli(1)},
		brokertest.Event{Topic: "t", Timestamp: time.UnixMilli(4_102_444_800_000), Headers: []brokertest.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}, {Key: "b", Value: []byte{}}}},
		brokertest.Event{Topic: "t", Key: []byte{}, Body: []byte{}, Timestamp: time.UnixMilli(1_700_000_000_123)},
	)
	want := []ingest.Event{
		{Offset: 0, Timestamp: 1, Key: []byte("k"), Body: []byte("v")},
		{Offset: 1, Timestamp: 4_102_444_800_000, Headers: ingest.Headers{{Key: "a", Value: []byte("1")}, {Key: "a"}, {Key: "b", Value: []byte{}}}},
		{Offset: 2, Timestamp: 1_700_000_000_123, Key: []byte{}, Body: []byte{}},
	}
	withStream(t, config(t, b, "t"), func(ctx context.Context, s ingest.Stream) error {
		got, gaps, err := read(ctx, s, 0, 3)
		if err != nil {
			return err
		}
		if len(gaps) > 0 {
			return fmt.Errorf("gaps: %+v", gaps)
		}
		for i := range got {
			if !got[i].Equal(&want[i]) {
				return fmt.Errorf("event %d differs: %s", i, cmp.Diff(want[i], got[i]))
			}
		}
		return nil
	})
}
