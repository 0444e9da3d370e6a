package brokerlink

import (
	"testing"
	"time"

	"github.com/IBM/sarama"
	"pgregory.net/rapid"
)

func TestTimestampSurvivesSaramasNanoseconds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first := rapid.Int64Range(0, 253_402_300_799_999).Draw(t, "first")
		event := rapid.Int64Range(0, 253_402_300_799_999).Draw(t, "event")
		b := &sarama.RecordBatch{FirstTimestamp: time.UnixMilli(first)}
		// As sarama decodes it: the product wraps around beyond 292 years.
		r := &sarama.Record{TimestampDelta: time.Duration(event-first) * time.Millisecond}
		if got := timestamp(b, r); got != event {
			t.Fatalf("timestamp %d after %d comes out as %d", event, first, got)
		}
	})
}

func TestTimestampOfLogAppendTimeAndOfNone(t *testing.T) {
	appended := &sarama.RecordBatch{LogAppendTime: true, FirstTimestamp: time.UnixMilli(5), MaxTimestamp: time.UnixMilli(99)}
	if got := timestamp(appended, &sarama.Record{TimestampDelta: time.Millisecond}); got != 99 {
		t.Errorf("log append time is %d, want the batch's 99", got)
	}
	if got := timestamp(&sarama.RecordBatch{}, &sarama.Record{}); got != -1 {
		t.Errorf("no timestamp is %d, want Kafka's -1", got)
	}
}
