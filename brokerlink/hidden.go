package brokerlink

import (
	"reflect"

	"github.com/IBM/sarama"
)

// hidden is what sarama found in an answer and does not export. It is looked at only when an answer holds no whole
// batch, so reflection costs nothing that matters.
//
// A batch whose events compaction has all removed stays in the log for its producer's sequence number. sarama drops it from the
// response. When nothing follows it, only recordsNextOffset tells that there is something to step over; without that a fetch at
// its offset would return "nothing new" for ever.
type hidden struct {
	next    int64 // behind the last batch of the answer; 0: unknown
	partial int64 // bytes of the batch that was cut off; 0: none was
	damaged bool  // the batch is whole but its events are not
}

func hiddenOf(b *sarama.FetchResponseBlock) hidden {
	var h hidden
	v := reflect.ValueOf(b).Elem()
	if next := v.FieldByName("recordsNextOffset"); next.IsValid() && next.Kind() == reflect.Pointer && !next.IsNil() {
		h.next = next.Elem().Int()
	}
	if size := v.FieldByName("partialBatchSize"); size.IsValid() {
		h.partial = size.Int()
	}
	for _, r := range b.RecordsSet {
		if r.RecordBatch != nil && r.RecordBatch.PartialTrailingRecord && h.partial == 0 {
			h.damaged = true
		}
	}
	return h
}

// hiddenFields are the names that hiddenOf relies on; a test looks for them.
func hiddenFields() []string { return []string{"recordsNextOffset", "partialBatchSize"} }

func hasField(b *sarama.FetchResponseBlock, name string) bool {
	return reflect.ValueOf(b).Elem().FieldByName(name).IsValid()
}
