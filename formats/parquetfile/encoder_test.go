package parquetfile_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/ingest"
)

func TestRowGroupsAreBounded(t *testing.T) {
	f := newFormat(t, func(c *parquetfile.Config) {
		c.Compression = "none"
		c.RowGroupSize = conf.MiB
		c.PageSize = 64 * conf.KiB
	})
	events := formatstest.Realistic(20_000)
	data := formatstest.Subject{}.Write(t, f, events)
	subject(nil).Check(t, f, data, events)
	_, m := split(t, data)
	if len(m.RowGroups) < 9 {
		t.Fatalf("%d row groups in %d bytes", len(m.RowGroups), len(data))
	}
	for i, g := range m.RowGroups[:len(m.RowGroups)-1] {
		if size := g.GetTotalCompressedSize(); size < 1<<20 || size > 3<<19 {
			t.Errorf("row group %d has %d bytes; want a bit more than 1 MiB", i, size)
		}
	}
}

// TestManyOpenFiles: 100 files grow to 128 MiB in turn while the largest row group is written out whenever all of them together
// pass the budget. The budget holds, and no row group is too small for it.
func TestManyOpenFiles(t *testing.T) {
	const files, budget = 100, 64 << 20 // a quarter of the real ones, to be quick: 32 MiB files, 64 MiB of memory
	f := newFormat(t, func(c *parquetfile.Config) { c.Compression = "snappy" })
	encoders := openEncoders(t, f, files, nil)
	held, most := int64(0), int64(0)
	events := formatstest.Realistic(2000)
	smallest := int64(1 << 40)
	for round := range 20 {
		for i, enc := range encoders {
			before := enc.Buffered()
			for j := range 200 {
				if err := enc.Append(&events[(200*round+j+i)%len(events)]); err != nil {
					t.Fatal(err)
				}
			}
			held += enc.Buffered() - before
			most = max(most, held)
			if held > budget {
				largest := enc
				for _, other := range encoders {
					if other.Buffered() > largest.Buffered() {
						largest = other
					}
				}
				smallest = min(smallest, largest.Buffered())
				held -= largest.Buffered()
				if err := largest.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	sum := int64(0)
	for _, enc := range encoders {
		sum += enc.Buffered()
		enc.Abandon()
		if enc.Buffered() != 0 {
			t.Error("an abandoned encoder holds memory")
		}
	}
	if sum != held || most > budget+1<<20 {
		t.Errorf("held %d by the sums of changes, %d by the encoders, at most %d", held, sum, most)
	}
	if smallest < 600<<10 {
		t.Errorf("a row group of %d bytes was the largest of 100", smallest)
	}
}

// TestAllocations: nothing is allocated for an event. Filling pages allocates for each page; row groups and the footer, which are arrow's part,
// come with the second figure.
func TestAllocations(t *testing.T) {
	allocations(t, newFormat(t, nil), 0.05)
}

func allocations(t *testing.T, f *parquetfile.Format, most float64) {
	t.Helper()
	events := formatstest.Realistic(20_000)
	mallocs := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.Mallocs
	}
	fill := func() (appending, all float64) {
		before := mallocs()
		enc, err := f.NewEncoder(io.Discard, formatstest.Clicks())
		if err != nil {
			t.Fatal(err)
		}
		for i := range events {
			if err := enc.Append(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
		appended := mallocs()
		if err := enc.Close(nil); err != nil {
			t.Fatal(err)
		}
		n := float64(len(events))
		return float64(appended-before) / n, float64(mallocs()-before) / n
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection empties the pools
	appending, all := fill()
	for range 3 { // whatever else runs in the process only adds
		a, b := fill()
		appending, all = min(appending, a), min(all, b)
	}
	t.Logf("allocations per event: %.4f in Append, %.4f with arrow's row groups and footer", appending, all)
	if appending > 0.02 || all > most {
		t.Errorf("%.3f and %.3f allocations per event; want at most 0.02 and %.2f", appending, all, most)
	}
}

func TestDeadLetters(t *testing.T) {
	f, err := parquetfile.DeadLetters(parquetfile.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if f.Ext() != "dead" {
		t.Errorf("extension %q", f.Ext())
	}
	var file bytes.Buffer
	enc, err := f.NewEncoder(&file, formatstest.Clicks())
	if err != nil {
		t.Fatal(err)
	}
	letters, ok := enc.(formats.DeadLetterEncoder)
	if !ok {
		t.Fatal("not an encoder of dead letters")
	}
	events := append(formatstest.Edges(), formatstest.Realistic(1000)...) // among the edges those that the plain format refuses
	for i := range events {
		why := &formats.RecordError{Code: "code", Path: "$.user", Detail: "not \xff UTF-8"}
		if i%2 == 0 {
			why = &formats.RecordError{Code: "alone"}
		}
		if err := letters.AppendRejected(&events[i], why); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		if i == 500 {
			if err := letters.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := letters.Append(&events[0]); err != nil {
		t.Fatal(err)
	}
	if err := letters.Close(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Inspect(bytes.NewReader(file.Bytes()), int64(file.Len())); err != nil {
		t.Fatal(err)
	}
	rows := readBack(t, file.Bytes())
	if len(rows) != len(events)+1 {
		t.Fatalf("%d rows; want %d", len(rows), len(events)+1)
	}
	at := 0
	err = parquetfile.ReadDeadLetters(bytes.NewReader(file.Bytes()), int64(file.Len()), func(e *ingest.Event, why *formats.RecordError) error {
		if want := rows[at]; !e.Equal(&want.Event) || why.Code != want.Reason || why.Path != want.Where || why.Detail != want.Explain {
			t.Errorf("row %d is read as offset %d, %v", at, e.Offset, why)
		}
		at++
		return nil
	})
	if err != nil || at != len(rows) {
		t.Errorf("%d of %d dead letters are read: %v", at, len(rows), err)
	}
	for i, e := range events {
		want := row{Event: e, Partition: formatstest.Clicks().Partition, Reason: "code", Where: "$.user", Explain: "not \uFFFD UTF-8"}
		if i%2 == 0 {
			want.Reason, want.Where, want.Explain = "alone", "", ""
		}
		got := rows[i]
		if !got.Equal(&e) || got.Partition != want.Partition || got.Reason != want.Reason || got.Where != want.Where || got.Explain != want.Explain {
			t.Errorf("row %d: reason %q, path %q, detail %q", i, got.Reason, got.Where, got.Explain)
		}
	}
	if last := rows[len(events)]; last.Reason != "" {
		t.Errorf("a dead letter without a reason has the reason %q", last.Reason)
	}
}

// TestDeadLettersSuite: what holds for files of events holds for those of dead letters, and they refuse nothing.
func TestDeadLettersSuite(t *testing.T) {
	s := subject(nil)
	s.New = func(t testing.TB) formats.Format {
		t.Helper()
		f, err := parquetfile.DeadLetters(parquetfile.DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	s.Refused = nil
	formatstest.Suite(t, s)
}

func TestTopicsThatAreNoText(t *testing.T) {
	f := newFormat(t, nil)
	if _, err := f.NewEncoder(io.Discard, formats.Context{Partition: ingest.Partition{Topic: "\xff"}}); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("NewEncoder: %v", err)
	}
	enc, err := f.NewEncoder(io.Discard, formatstest.Clicks())
	if err != nil {
		t.Fatal(err)
	}
	err = enc.Close(map[string]string{"k": "\xff"})
	if err == nil || !strings.Contains(err.Error(), `"k"`) || !errors.Is(enc.Flush(), err) {
		t.Errorf("Close: %v, and then Flush: %v", err, enc.Flush())
	}
}
