package oracle_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/integration/oracle"
)

const (
	topic      = "clicks"
	producers  = 3
	partitions = 4
	perFile    = 50
)

// landing is what a sink without faults makes of some events: files, by name, with their events.
type landing struct {
	ledger *oracle.Ledger
	files  map[string]*content
}

type content struct {
	partition int32
	events    []ingest.Event
}

// land sends n events of each producer in turn into each partition, and puts each partition into files of perFile.
func land(t *testing.T, n int) *landing {
	t.Helper()
	l := &landing{ledger: oracle.NewLedger(producers), files: map[string]*content{}}
	next := make([]ingest.Offset, partitions)
	var gens []*jsonevents.Generator
	for p := range producers {
		gens = append(gens, jsonevents.New(p, 7))
	}
	for seq := range n {
		for p, g := range gens {
			body := g.Append(nil)
			if err := l.ledger.Sent(p, uint64(seq), body); err != nil {
				t.Fatal(err)
			}
			to := int32((seq + p) % partitions)
			name := fmt.Sprintf("dt=2026-01-01/hr=%02d/lake+%s+%d+%019d.parquet", to, topic, to, next[to]/perFile*perFile)
			if l.files[name] == nil {
				l.files[name] = &content{partition: to}
			}
			l.files[name].events = append(l.files[name].events, ingest.Event{Offset: next[to], Body: body, Timestamp: g.Millis()})
			next[to]++
		}
	}
	return l
}

// names are the files' in order, so that what a test plants is always the same.
func (l *landing) names() []string { return slices.Sorted(maps.Keys(l.files)) }

// write makes the files.
func (l *landing) write(t *testing.T) string {
	t.Helper()
	f, err := parquetfile.New(parquetfile.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, c := range l.files {
		var b bytes.Buffer
		enc, err := f.NewEncoder(&b, formats.Context{Partition: ingest.Partition{Topic: topic, ID: c.partition}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.events {
			if err := enc.Append(&c.events[i]); err != nil {
				t.Fatal(err)
			}
		}
		if err := enc.Close(nil); err != nil {
			t.Fatal(err)
		}
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// figures are the numbers of a report.
type figures struct{ lost, doubled, disordered, foreign, corrupt int64 }

func figuresOf(r oracle.Report) figures {
	return figures{r.Lost.N, r.Doubled.N, r.Disordered.N, r.Foreign.N, r.Corrupt.N}
}

// planted are faults that a sink could have, and what the oracle must say of them.
var planted = []struct {
	name  string
	plant func(l *landing)
	want  figures
}{
	{"nothing", func(*landing) {}, figures{}},
	{"a file lost", func(l *landing) { delete(l.files, l.names()[1]) }, figures{lost: perFile}},
	{"an event lost", func(l *landing) {
		c := l.files[l.names()[0]]
		c.events = slices.Delete(slices.Clone(c.events), 10, 11)
	}, figures{lost: 1}},
	{"the last event of all lost", func(l *landing) {
		c := l.files[l.names()[len(l.files)-1]]
		c.events = c.events[:len(c.events)-1]
	}, figures{lost: 1}},
	{"a file published twice", func(l *landing) { l.files["dt=2026-01-01/hr=00/again.parquet"] = l.files[l.names()[0]] }, figures{doubled: perFile}},
	{"a staged file under a name that plain readers find", func(l *landing) {
		l.files[".penstock/lake/clicks+0/epoch-3/live-77/.f1.parquet"] = l.files[l.names()[0]]
	}, figures{doubled: perFile}},
	{"an event doubled within a file", func(l *landing) {
		c := l.files[l.names()[0]]
		c.events = slices.Insert(slices.Clone(c.events), 5, c.events[4])
	}, figures{doubled: 1, disordered: 1}},
	{"an event doubled under an offset of its own", func(l *landing) {
		c := l.files[l.names()[len(l.files)-1]]
		e := c.events[len(c.events)-1]
		e.Offset++
		c.events = append(slices.Clone(c.events), e)
	}, figures{doubled: 1}},
	{"two rows changed places", func(l *landing) {
		c := l.files[l.names()[0]]
		c.events = slices.Clone(c.events)
		c.events[3], c.events[4] = c.events[4], c.events[3]
	}, figures{disordered: 1}},
	{"two bodies of a producer changed places", func(l *landing) {
		c := l.files[l.names()[0]]
		c.events = slices.Clone(c.events)
		c.events[3].Body, c.events[3+producers].Body = c.events[3+producers].Body, c.events[3].Body
	}, figures{disordered: 1}},
	{"two files' names changed places", func(l *landing) {
		a, b := l.names()[0], l.names()[1]
		l.files[a], l.files[b] = l.files[b], l.files[a]
	}, figures{}}, // names are verify's business: the rows say where they belong
	{"an event nobody sent", func(l *landing) {
		l.files["dt=2026-01-01/x.parquet"] = &content{partition: 0, events: []ingest.Event{{Offset: 1 << 40, Body: []byte(`{"producer":1,"seq":999999}`)}}}
	}, figures{foreign: 1}},
	{"an event of an unknown producer", func(l *landing) {
		l.files["dt=2026-01-01/x.parquet"] = &content{partition: 0, events: []ingest.Event{{Offset: 1 << 40, Body: []byte(`{"producer":3,"seq":1}`)}}}
	}, figures{foreign: 1}},
	{"a body without a number, and a null", func(l *landing) {
		l.files["dt=2026-01-01/x.parquet"] = &content{partition: 0, events: []ingest.Event{{Offset: 1 << 40, Body: []byte(`{"producer":1}`)}, {Offset: 1<<40 + 1}}}
	}, figures{foreign: 2}},
	{"a body changed", func(l *landing) {
		c := l.files[l.names()[2]]
		c.events = slices.Clone(c.events)
		c.events[0].Body = bytes.Replace(c.events[0].Body, []byte(`"seq"`), []byte(`"SEQ":0,"seq"`), 1)
	}, figures{corrupt: 1}},
	{"two events at one offset", func(l *landing) {
		names := l.names()
		a, b := l.files[names[0]], l.files[names[1]]
		b.events = slices.Clone(b.events)
		b.events[0].Offset = a.events[len(a.events)-1].Offset
	}, figures{doubled: 1}},
}

func TestPlantedFaults(t *testing.T) {
	for _, c := range planted {
		t.Run(c.name, func(t *testing.T) {
			l := land(t, 400)
			c.plant(l)
			j := oracle.NewJudge(l.ledger, topic)
			if err := oracle.ReadFiles(t.Context(), l.write(t), j.Add); err != nil {
				t.Fatal(err)
			}
			r := j.Report()
			if got := figuresOf(r); got != c.want {
				t.Errorf("found %+v; planted %+v: %v", got, c.want, r.Err())
			}
			if (r.Err() == nil) != (c.want == figures{}) {
				t.Errorf("Err is %v", r.Err())
			}
		})
	}
}

func TestOtherTopic(t *testing.T) {
	l := land(t, 400)
	j := oracle.NewJudge(l.ledger, "orders")
	if err := oracle.ReadFiles(t.Context(), l.write(t), j.Add); err != nil {
		t.Fatal(err)
	}
	if r := j.Report(); r.Foreign.N != r.Rows || r.Lost.N != l.ledger.Events() || r.Rows == 0 {
		t.Errorf("rows of another topic were taken for ours: %v", r.Err())
	}
}

// TestUnreadableFiles cuts and empties a file: what plain readers stumble over is no data that was overlooked.
func TestUnreadableFiles(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"empty":             func([]byte) []byte { return nil },
		"without a footer":  func(b []byte) []byte { return b[:len(b)*2/3] },
		"without an end":    func(b []byte) []byte { return b[:len(b)-1] },
		"another beginning": func(b []byte) []byte { return append([]byte("XXXX"), b[4:]...) },
		"garbled footer":    func(b []byte) []byte { return append(bytes.Repeat([]byte{0xee}, len(b)-8), b[len(b)-8:]...) },
		"footer of a longer file": func(b []byte) []byte {
			length := int(b[len(b)-8]) | int(b[len(b)-7])<<8 // of the footer
			return append(slices.Clone(b[:4]), b[len(b)-8-length:]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := land(t, 400)
			dir := l.write(t)
			file := filepath.Join(dir, l.names()[0])
			whole, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if rows, err := oracle.Footer(file, whole); err != nil || rows != perFile {
				t.Fatalf("Footer of a whole file: %d rows, %v", rows, err)
			}
			data := damage(slices.Clone(whole))
			if _, err := oracle.Footer(file, data); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("Footer: %v", err)
			}
			if name == "another beginning" {
				return // no reader looks at it
			}
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := oracle.ReadFiles(t.Context(), dir, func(oracle.Row) error { return nil }); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("ReadFiles: %v", err)
			}
		})
	}
}

func TestLedgerHasNoGaps(t *testing.T) {
	l := oracle.NewLedger(2)
	if err := l.Sent(1, 0, nil); err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{0, 2} {
		if err := l.Sent(1, seq, nil); err == nil {
			t.Errorf("number %d after 0 was taken", seq)
		}
	}
	if l.Events() != 1 {
		t.Errorf("%d events, want 1", l.Events())
	}
}
