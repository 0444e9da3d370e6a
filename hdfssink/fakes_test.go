package hdfssink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/mem"
	"github.com/penstock-io/penstock/ingest"
	"github.com/penstock-io/penstock/ingest/ingesttest"
)

// lines is a small format with a footer: a line "offset<TAB>body" for each event, and "END rows" at the end.
type lines struct {
	ext    string
	unit   int  // bytes that are written at once; 0: nothing before Flush or Close
	reject bool // dead letters
	fail   func(e *ingest.Event) error
}

func (l lines) Name() string     { return "lines" }
func (l lines) Ext() string      { return l.ext }
func (l lines) SchemaID() string { return "lines-1" }

func (l lines) NewEncoder(w io.Writer, _ formats.Context) (formats.Encoder, error) {
	return &lineEncoder{l: l, w: w}, nil
}

func (l lines) Inspect(r io.ReaderAt, size int64) (formats.Info, error) {
	b := make([]byte, size)
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return formats.Info{}, err
	}
	_, rows, err := parseLines(b)
	return formats.Info{Rows: int64(rows)}, err
}

func parseLines(b []byte) (map[ingest.Offset]string, int, error) {
	all := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if !strings.HasSuffix(string(b), "\n") || !strings.HasPrefix(all[len(all)-1], "END ") {
		return nil, 0, errors.New("no footer")
	}
	rows := map[ingest.Offset]string{}
	for _, line := range all[:len(all)-1] {
		o, body, _ := strings.Cut(line, "\t")
		n, err := strconv.Atoi(o)
		if err != nil {
			return nil, 0, err
		}
		rows[ingest.Offset(n)] = body
	}
	if want := fmt.Sprintf("END %d", len(all)-1); all[len(all)-1] != want || len(rows) != len(all)-1 {
		return nil, 0, fmt.Errorf("footer %q, want %q of %d offsets", all[len(all)-1], want, len(rows))
	}
	return rows, len(rows), nil
}

type lineEncoder struct {
	l       lines
	w       io.Writer
	buf     bytes.Buffer
	written int64
	rows    int
}

func (e *lineEncoder) Append(ev *ingest.Event) error {
	if ev.Body == nil && !e.l.reject {
		return &formats.RecordError{Code: "null_body", Path: "body", Detail: "a line has no null"}
	}
	if e.l.fail != nil {
		if err := e.l.fail(ev); err != nil {
			return err
		}
	}
	fmt.Fprintf(&e.buf, "%d\t%s\n", ev.Offset, ev.Body)
	e.rows++
	if e.l.unit > 0 && e.buf.Len() >= e.l.unit {
		return e.Flush()
	}
	return nil
}

func (e *lineEncoder) AppendRejected(ev *ingest.Event, why *formats.RecordError) error {
	fmt.Fprintf(&e.buf, "%d\t%s|%s|%s|%s\n", ev.Offset, why.Code, why.Path, why.Detail, ev.Body)
	e.rows++
	return nil
}

func (e *lineEncoder) Buffered() int64 { return int64(e.buf.Len()) }
func (e *lineEncoder) Size() int64     { return e.written + int64(e.buf.Len()) }

func (e *lineEncoder) Flush() error {
	n, err := e.w.Write(e.buf.Bytes())
	e.written += int64(n)
	e.buf.Reset()
	return err
}

func (e *lineEncoder) Close(map[string]string) error {
	fmt.Fprintf(&e.buf, "END %d\n", e.rows)
	return e.Flush()
}

func (e *lineEncoder) Abandon() {}

// rig is a topic, a file system, and what a sink between them needs.
type rig struct {
	fs  *mem.FS
	log *ingesttest.Log
	c   hdfssink.Config
	o   hdfssink.Options
}

// start is where the tests' clocks are when they begin: synctest's.
var start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func newRig(edit ...func(r *rig)) *rig {
	r := &rig{fs: mem.New(mem.Options{}), log: ingesttest.NewLog("clicks", 4), c: hdfssink.DefaultConfig()}
	r.c.Path = "/data/hr=%H"
	r.c.EventTime.Min, r.c.EventTime.Max = hdfssink.Bound{}, hdfssink.Bound{}
	r.o = hdfssink.Options{
		Name: "lake", FS: r.fs, Format: lines{ext: "txt"}, DeadLetters: lines{ext: "dead", reject: true},
		Owner: commitlog.Owner{Host: "edge1", PID: 42, Start: start},
	}
	for _, f := range edit {
		f(r)
	}
	return r
}

func (r *rig) sink(t *testing.T) *hdfssink.Sink {
	t.Helper()
	s, err := hdfssink.New(r.c, r.o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// events are numbered bodies, one a second from start on, unless the function says otherwise.
func events(from, n int, edit ...func(i int, e *ingest.Event)) []ingest.Event {
	out := make([]ingest.Event, n)
	for i := range out {
		out[i] = ingest.Event{Timestamp: start.UnixMilli() + int64(from+i)*1000, Body: fmt.Appendf(nil, "event-%d", from+i)}
		for _, f := range edit {
			f(from+i, &out[i])
		}
	}
	return out
}

// spread puts events into so many hours in turn.
func spread(hours int) func(i int, e *ingest.Event) {
	return func(i int, e *ingest.Event) { e.Timestamp = start.UnixMilli() + int64(i%hours)*3600_000 }
}

// drained runs a sink on a stream until the log's end is read and d has passed, and then stops it in good order.
func drained(t *testing.T, s *hdfssink.Sink, stream ingest.Stream, d time.Duration) error {
	t.Helper()
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	grace, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	defer cancel()
	timer := time.AfterFunc(d, func() {
		stop(&ingest.Ending{Reason: ingest.ErrStopping, Grace: grace})
		time.AfterFunc(time.Minute, cancel)
	})
	defer timer.Stop()
	return s.Drain(ctx, stream)
}

// published is the oracle: every visible file, read without any of the sink's code. It fails on an offset that is there twice, and on a
// file under the targets that is not whole.
func (r *rig) published(t *testing.T) map[ingest.Offset]string {
	t.Helper()
	all, twice := r.count(t, "/data", ".txt")
	for o := range twice {
		t.Errorf("offset %d is published twice", o)
	}
	return all
}

func (r *rig) dead(t *testing.T) map[ingest.Offset]string {
	t.Helper()
	all, _ := r.count(t, "/data/.penstock/lake/dead", ".dead")
	return all
}

func (r *rig) count(t *testing.T, dir, ext string) (all map[ingest.Offset]string, twice map[ingest.Offset]bool) {
	t.Helper()
	all, twice = map[ingest.Offset]string{}, map[ingest.Offset]bool{}
	r.fs.Walk(dir, func(name string, i dfs.Info, data []byte) {
		if i.Dir || path.Ext(name) != ext {
			return
		}
		rows, _, err := parseLines(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for o, body := range rows {
			key := ingest.Offset(int64(partitionOf(name))<<32) + o
			if _, ok := all[key]; ok {
				twice[key] = true
			}
			all[key] = body
		}
	})
	return all, twice
}

// partitionOf reads a published file's name: <sink>+<topic>+<partition>+<first>+<last>.<ext>.
func partitionOf(name string) int {
	f := strings.Split(path.Base(name), "+")
	n, _ := strconv.Atoi(f[2])
	return n
}

// files are the published files' paths.
func (r *rig) files() (names []string) {
	r.fs.Walk("/data", func(name string, i dfs.Info, _ []byte) {
		if !i.Dir && path.Ext(name) == ".txt" {
			names = append(names, name)
		}
	})
	return names
}

// exactly compares what is published with the events that the log was given.
func (r *rig) exactly(t *testing.T, n int) {
	t.Helper()
	got := r.published(t)
	for i := range n {
		if want := fmt.Sprintf("event-%d", i); got[ingest.Offset(i)] != want {
			t.Errorf("offset %d: %q, want %q", i, got[ingest.Offset(i)], want)
		}
	}
	if len(got) != n {
		t.Errorf("%d offsets are published, want %d", len(got), n)
	}
}

func testLogger(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func minutes(n int) conf.Duration { return conf.Duration(time.Duration(n) * time.Minute) }
