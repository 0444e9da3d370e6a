package parquetfile_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/ingest"
)

func TestHeadShowsTheFirstEvents(t *testing.T) {
	f, err := parquetfile.New(parquetfile.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	enc, err := f.NewEncoder(&b, formats.Context{Partition: ingest.Partition{Topic: "clicks", ID: 3}})
	if err != nil {
		t.Fatal(err)
	}
	var want []ingest.Event
	for i := range 2000 {
		e := ingest.Event{Offset: ingest.Offset(10 + i), Timestamp: int64(1000 * i), Body: fmt.Appendf(nil, "body %d", i)}
		if i%3 == 0 {
			e.Key = fmt.Appendf(nil, "key %d", i)
		}
		if i == 4 {
			e.Body = nil
		}
		if err := enc.Append(&e); err != nil {
			t.Fatal(err)
		}
		want = append(want, e)
	}
	if err := enc.Close(nil); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 7, 2000, 5000} {
		got, err := parquetfile.Head(bytes.NewReader(b.Bytes()), int64(b.Len()), int64(n))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != min(n, len(want)) {
			t.Fatalf("Head(%d): %d events", n, len(got))
		}
		for i := range got {
			if !got[i].Equal(&want[i]) {
				t.Fatalf("Head(%d): event %d is %+v, want %+v", n, i, got[i], want[i])
			}
		}
	}
}
