package commitlog_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/mem"
	"github.com/penstock-io/penstock/ingest"
)

// drained is a world with everything published, and its log.
func drained(t *testing.T) (*world, *commitlog.Log) {
	t.Helper()
	w := newWorld(30)
	o := &owner{w: w, name: "first", fs: w.fs, cfg: defaultConfig()}
	if err := o.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, err := o.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return w, l
}

func (w *world) request() commitlog.ClaimRequest {
	return commitlog.ClaimRequest{
		Partition: w.part, Log: ingest.LogInfo{Cluster: "kafka-1", Group: "penstock", TopicID: "t1"}, Hint: w.hint, HasHint: w.hasHint,
	}
}

func openAs(ctx context.Context, f dfs.FS, base, sink, cluster, group string) (*commitlog.Log, error) {
	return commitlog.Open(ctx, commitlog.Options{FS: f, State: base, Sink: sink, Cluster: cluster, Group: group, Owner: commitlog.Owner{Host: "h", PID: 1}})
}

func TestOpenRefuses(t *testing.T) {
	w, _ := drained(t)
	for name, c := range map[string]struct{ sink, cluster, group, code, remedy string }{
		"another group":   {sinkName, "kafka-1", "other", "other_group", "`group: penstock`"},
		"another cluster": {sinkName, "kafka-2", "penstock", "other_cluster", "name of its own"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := openAs(t.Context(), w.fs, stateBase, c.sink, c.cluster, c.group)
			wantRefused(t, err, c.code, c.remedy)
		})
	}
	if err := w.fs.RemoveAll(t.Context(), path.Join(stateBase, sinkName, "sink.json")); err != nil {
		t.Fatal(err)
	}
	_, err := openAs(t.Context(), w.fs, stateBase, sinkName, "kafka-1", "penstock")
	wantRefused(t, err, "no_sink_file", "snapshot")
	for _, bad := range []string{"", ".x", "a/b", "a+b", strings.Repeat("s", 65)} {
		if _, err := openAs(t.Context(), w.fs, stateBase, bad, "", ""); !ingest.IsPermanent(err) {
			t.Errorf("sink %q: %v", bad, err)
		}
	}
}

func TestHints(t *testing.T) {
	cmd := func(verb string) string {
		return "`penstock state " + verb + " --sink lake --topic clicks --partition 3"
	}
	for name, c := range map[string]struct {
		change       func(w *world, r *commitlog.ClaimRequest)
		code, remedy string
	}{
		"as it should be": {func(*world, *commitlog.ClaimRequest) {}, "", ""},
		"no hint":         {func(_ *world, r *commitlog.ClaimRequest) { r.HasHint = false }, "", ""},
		"set back by hand": {func(_ *world, r *commitlog.ClaimRequest) {
			r.Hint = ingest.Hint{Next: 3}
		}, "", ""},
		"set forward by hand": {func(_ *world, r *commitlog.ClaimRequest) {
			r.Hint = ingest.Hint{Next: 31}
		}, "hint_newer_than_state", cmd("adopt") + " --offset 31`"},
		"newer than the state": {func(_ *world, r *commitlog.ClaimRequest) {
			r.Hint.Metadata = `{"penstock":1,"dir":"/data/.penstock/lake","life":1,"seq":900}`
		}, "hint_newer_than_state", cmd("adopt")},
		"of a state that was set back and went on": {func(_ *world, r *commitlog.ClaimRequest) {
			r.Hint.Next = 35
			r.Hint.Metadata = `{"penstock":1,"dir":"/data/.penstock/lake","life":1,"seq":1}`
		}, "hint_newer_than_state", cmd("adopt") + " --offset 35`"},
		"of another directory": {func(_ *world, r *commitlog.ClaimRequest) {
			r.Hint.Metadata = `{"penstock":1,"dir":"/old/.penstock/lake","life":1,"seq":1}`
		}, "hint_of_other_directory", cmd("adopt")},
		"without state": {func(_ *world, r *commitlog.ClaimRequest) {
			r.Partition.ID = 4
		}, "hint_without_state", "`penstock state adopt --sink lake --topic clicks --partition 4 --offset 30`"},
		"topic made again": {func(_ *world, r *commitlog.ClaimRequest) {
			r.Log.TopicID = "t2"
		}, "topic_replaced", cmd("accept-topic") + "`"},
		"topic id not known": {func(_ *world, r *commitlog.ClaimRequest) { r.Log.TopicID = "" }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w, l := drained(t)
			r := w.request()
			c.change(w, &r)
			claim, err := l.Claim(t.Context(), r)
			if c.code != "" {
				wantRefused(t, err, c.code, c.remedy)
				if !strings.Contains(c.remedy, "adopt") {
					return
				}
				if _, err := l.Adopt(t.Context(), commitlog.Operation{Partition: r.Partition, User: "bob"}, r.Hint.Next, &r.Hint); err != nil {
					t.Fatal(err)
				}
				if claim, err = l.Claim(t.Context(), r); err != nil || claim.State().Low != r.Hint.Next {
					t.Errorf("after the command: %v", err)
				}
			} else if err != nil || claim.State().Low != 30 {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRenamedSink(t *testing.T) {
	w, _ := drained(t)
	l, err := openAs(t.Context(), w.fs, stateBase, "pond", "kafka-1", "penstock-2")
	if err != nil {
		t.Fatal(err)
	}
	r := w.request()
	r.HasHint, r.Log.Group = false, ""
	_, err = l.Claim(t.Context(), r)
	wantRefused(t, err, "other_sink_has_topic", "`penstock state adopt --sink pond --topic clicks --partition 3 --offset OFFSET`")
	if _, err := l.Adopt(t.Context(), commitlog.Operation{Partition: w.part, User: "bob", Reason: "a second table"}, 12, nil); err != nil {
		t.Fatal(err)
	}
	c, err := l.Claim(t.Context(), r)
	if err != nil || !c.State().Exists || c.State().Low != 12 {
		t.Errorf("%+v, %v", c, err)
	}
	other, err := openAs(t.Context(), w.fs, stateBase, "far", "kafka-2", "penstock")
	if err != nil {
		t.Fatal(err)
	}
	r.Log.Cluster = "kafka-2"
	if _, err := other.Claim(t.Context(), r); err != nil {
		t.Errorf("a topic of the same name on another cluster: %v", err)
	}
}

func TestAdoptOtherDirectory(t *testing.T) {
	w, _ := drained(t)
	l, err := openAs(t.Context(), w.fs, "/new/.penstock", sinkName, "kafka-1", "penstock")
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Claim(t.Context(), w.request())
	wantRefused(t, err, "hint_of_other_directory", "--offset 30")
	op := commitlog.Operation{Partition: w.part, User: "bob", Reason: "moved"}
	if _, err := l.Adopt(t.Context(), op, 30, &w.hint); err != nil {
		t.Fatal(err)
	}
	c, err := l.Claim(t.Context(), w.request())
	if err != nil || c.State().Low != 30 {
		t.Fatalf("%v", err)
	}
	old, err := openAs(t.Context(), w.fs, stateBase, sinkName, "kafka-1", "penstock")
	if err != nil {
		t.Fatal(err)
	}
	r := w.request()
	r.Hint = c.HintFor()
	_, err = old.Claim(t.Context(), r)
	wantRefused(t, err, "hint_of_other_directory", "adopt")
	r.Hint = w.hint
	r.Hint.Next++ // the old directory's owner went on
	_, err = l.Claim(t.Context(), r)
	wantRefused(t, err, "hint_of_other_directory", "adopt")
}

func TestAcceptGap(t *testing.T) {
	w, l := drained(t)
	op := commitlog.Operation{Partition: w.part, User: "carol", Reason: "retention", DryRun: true}
	before := tree(w.fs)
	ch, err := l.AcceptGap(t.Context(), op, ingest.Range{First: 20, Next: 40})
	if err != nil || ch.Was != 30 || ch.Now != 40 || !ch.DryRun {
		t.Errorf("dry run: %+v, %v", ch, err)
	}
	if tree(w.fs) != before {
		t.Error("a dry run changed something")
	}
	op.DryRun = false
	if _, err = l.AcceptGap(t.Context(), op, ingest.Range{First: 20, Next: 40}); err != nil {
		t.Fatal(err)
	}
	// A gap beyond low, and one over it: what is done is left alone.
	for _, r := range []ingest.Range{{First: 50, Next: 60}, {First: 30, Next: 70}} {
		if _, err = l.AcceptGap(t.Context(), op, r); err != nil {
			t.Fatal(err)
		}
	}
	d, err := commitlog.Show(t.Context(), w.fs, path.Join(stateBase, sinkName), w.part)
	if err != nil || d.Low != 70 || d.Newest.User != "carol" || len(d.Newest.Gaps) != 2 || !strings.Contains(d.Newest.Gaps[0].Evidence, "carol: retention") || !d.Done {
		t.Errorf("%+v, %v", d, err)
	}
	w.wantOK(t)
	if _, err = l.AcceptGap(t.Context(), op, ingest.Range{First: 30, Next: 70}); err == nil {
		t.Error("nothing to accept: no error")
	}
	if _, err = l.AcceptGap(t.Context(), commitlog.Operation{Partition: w.part}, ingest.Range{First: 70, Next: 71}); err == nil {
		t.Error("nobody's command: no error")
	}
}

func (w *world) wantOK(t *testing.T) *commitlog.Report {
	t.Helper()
	r, err := commitlog.Verify(t.Context(), w.fs, path.Join(stateBase, sinkName), commitlog.VerifyOptions{Level: commitlog.LevelRead})
	if err != nil || !r.OK() {
		t.Errorf("%v, %v", r, err)
	}
	return r
}

func tree(f *mem.FS) string {
	var b strings.Builder
	f.Walk("/", func(name string, _ dfs.Info, data []byte) { b.WriteString(name + " " + string(data) + "\n") })
	return b.String()
}

func TestLives(t *testing.T) {
	w, l := drained(t)
	op := commitlog.Operation{Partition: w.part, User: "dan", Reason: "made again"}
	ch, err := l.AcceptTopic(t.Context(), op, nil)
	if err != nil || ch.Life != 1 || !strings.Contains(ch.What, "life 2 begins at the log's beginning") {
		t.Fatalf("%+v, %v", ch, err)
	}
	r := w.request()
	r.Log.TopicID = "t2"
	c, err := l.Claim(t.Context(), r)
	if err != nil || c.State().Exists || c.State().Life != 2 || c.State().Start != nil {
		t.Fatalf("%+v, %v", c.State(), err)
	}
	if err := c.Genesis(t.Context(), 0, nil); err != nil {
		t.Fatal(err)
	}
	if name := c.FinalName(5, 9, "parquet"); name != "lake+clicks~2+3+0000000000000000005+0000000000000000009.parquet" {
		t.Error(name)
	}
	start := ingest.Offset(17)
	if _, err := l.Reset(t.Context(), op, &start); err != nil {
		t.Fatal(err)
	}
	r.Hint, r.HasHint = c.HintFor(), true
	c, err = l.Claim(t.Context(), r)
	if err != nil || c.State().Life != 3 || c.State().Start == nil || *c.State().Start != 17 {
		t.Fatalf("%+v, %v", c, err)
	}
	w.wantOK(t)
	all, err := commitlog.List(t.Context(), w.fs, stateBase, "")
	if err != nil || len(all) != 1 || all[0].Life != 3 || all[0].Seq != -1 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestCorrupt: a damaged or missing manifest stops the partition, verify reports it, and reset begins anew.
func TestCorrupt(t *testing.T) {
	newest := func(w *world) string {
		name := ""
		w.fs.Walk(path.Join(stateBase, sinkName, "clicks+3", "log"), func(n string, _ dfs.Info, _ []byte) {
			if strings.HasSuffix(n, ".json") {
				name = n
			}
		})
		return name
	}
	for name, damage := range map[string]func(t *testing.T, w *world){
		"a bit": func(t *testing.T, w *world) {
			rewrite(t, w.fs, newest(w), func(b string) string { return strings.Replace(b, `"low":30`, `"low":31`, 1) })
		},
		"cut off": func(t *testing.T, w *world) {
			rewrite(t, w.fs, newest(w), func(b string) string { return b[:len(b)/2] })
		},
		"empty": func(t *testing.T, w *world) { rewrite(t, w.fs, newest(w), func(string) string { return "" }) },
		"of others": func(t *testing.T, w *world) {
			rewrite(t, w.fs, newest(w), func(string) string { return otherManifest(t) })
		},
		"missing": func(t *testing.T, w *world) {
			if err := w.fs.RemoveAll(t.Context(), newest(w)); err != nil {
				t.Fatal(err)
			}
			var archives []string
			w.fs.Walk(path.Join(stateBase, sinkName, "clicks+3", "log"), func(n string, _ dfs.Info, _ []byte) {
				if strings.HasSuffix(n, ".json") {
					archives = append(archives, n)
				}
			})
			for _, n := range archives {
				if err := w.fs.RemoveAll(t.Context(), n); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, l := drained(t)
			damage(t, w)
			_, err := l.Claim(t.Context(), w.request())
			wantRefused(t, err, "corrupt_manifest", "`penstock state reset --sink lake --topic clicks --partition 3 --start 30` begins a new life there")
			silent := w.request()
			silent.HasHint = false
			_, err = l.Claim(t.Context(), silent)
			wantRefused(t, err, "corrupt_manifest", "`penstock state reset --sink lake --topic clicks --partition 3 --start OFFSET`")
			r, err := commitlog.Verify(t.Context(), w.fs, path.Join(stateBase, sinkName), commitlog.VerifyOptions{})
			if err != nil || r.OK() || len(r.Broken) != 1 {
				t.Errorf("verify: %v, %v", r, err)
			}
			start := ingest.Offset(30)
			if _, err := l.Reset(t.Context(), commitlog.Operation{Partition: w.part, User: "eve", Reason: "disk"}, &start); err != nil {
				t.Fatal(err)
			}
			c, err := l.Claim(t.Context(), w.request())
			if err != nil || c.State().Life != 2 || *c.State().Start != 30 {
				t.Fatalf("after reset: %v", err)
			}
			if r := w.wantOK(t); len(r.Partitions) == 0 || r.Partitions[0].Torn == "" {
				t.Errorf("the torn life is not told: %v", r)
			}
		})
	}
}

func rewrite(t *testing.T, f *mem.FS, name string, change func(string) string) {
	t.Helper()
	r, err := f.Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.RemoveAll(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	putFile(t, f, name, change(string(b)))
}

// otherManifest is a sound manifest of another partition.
func otherManifest(t *testing.T) string {
	t.Helper()
	w := newWorld(10)
	w.part.ID = 9
	if err := (&owner{w: w, name: "x", fs: w.fs, cfg: defaultConfig()}).drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	text := ""
	w.fs.Walk(path.Join(stateBase, sinkName, "clicks+9", "log"), func(n string, _ dfs.Info, data []byte) {
		if strings.HasSuffix(n, ".json") {
			text = string(data)
		}
	})
	return text
}

func TestVerifyFinds(t *testing.T) {
	w, _ := drained(t)
	var files []string
	w.fs.Walk("/data", func(n string, i dfs.Info, _ []byte) {
		if strings.HasSuffix(n, ".txt") && !i.Dir {
			files = append(files, n)
		}
	})
	if len(files) < 3 {
		t.Fatal(files)
	}
	ctx := t.Context()
	if err := errors.Join(w.fs.RemoveAll(ctx, files[0])); err != nil {
		t.Fatal(err)
	}
	rewrite(t, w.fs, files[1], func(s string) string { return s }) // the same bytes in another file
	putFile(t, w.fs, path.Join(path.Dir(files[2]), "part-00000"), "x")
	putFile(t, w.fs, path.Join(path.Dir(files[2]), "lake+clicks+3+0000000000000000000+0000000000000000099.txt"), "x")
	stateDir := path.Join(stateBase, sinkName)
	r, err := commitlog.Verify(ctx, w.fs, stateDir, commitlog.VerifyOptions{Level: commitlog.LevelFiles})
	if err != nil || r.OK() || len(r.Missing) != 1 || len(r.Damaged) != 1 || len(r.Foreign) != 2 || len(r.Broken) != 0 {
		t.Errorf("%v, %v", r, err)
	}
	for _, want := range []string{"MISSING " + files[0], "DAMAGED " + files[1], "foreign ", "FAILED"} {
		if !strings.Contains(r.String(), want) {
			t.Errorf("the report does not say %q:\n%s", want, r)
		}
	}
	r, err = commitlog.Verify(ctx, w.fs, stateDir, commitlog.VerifyOptions{})
	if err != nil || !r.OK() || r.Files == 0 || !strings.Contains(r.String(), "OK") {
		t.Errorf("log alone: %v, %v", r, err)
	}
	_, err = commitlog.Verify(ctx, w.fs, "/none", commitlog.VerifyOptions{})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no state: %v", err)
	}
	calls := 0
	_, err = commitlog.Verify(ctx, w.fs, stateDir, commitlog.VerifyOptions{Level: commitlog.LevelRead, Inspect: func(ext string, r io.ReaderAt, size int64) (int64, error) {
		calls++
		if ext != "txt" || size == 0 || r == nil {
			t.Errorf("inspect %q, %d bytes", ext, size)
		}
		return 1, nil
	}})
	if err != nil || calls == 0 {
		t.Errorf("%d files inspected, %v", calls, err)
	}
}

// TestCommitRefusesBugs: what a caller must never do is refused before anything happens.
func TestCommitRefusesBugs(t *testing.T) {
	w := newWorld(10)
	l, err := openAs(t.Context(), w.fs, stateBase, sinkName, "kafka-1", "penstock")
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Claim(t.Context(), w.request())
	if err != nil {
		t.Fatal(err)
	}
	gap := func(a, b ingest.Offset) ingest.Gap {
		return ingest.Gap{Range: ingest.Range{First: a, Next: b}, Reason: ingest.GapControl}
	}
	if err := c.Commit(t.Context(), commitlog.Commit{Gaps: []ingest.Gap{gap(0, 1)}}); !errors.Is(err, commitlog.ErrNotCommitted) {
		t.Errorf("before the genesis: %v", err)
	}
	if err := c.Genesis(t.Context(), 5, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Genesis(t.Context(), 5, nil); err == nil {
		t.Error("second genesis: no error")
	}
	if err := c.Commit(t.Context(), commitlog.Commit{Gaps: []ingest.Gap{gap(5, 8), gap(20, 1<<20)}}); err != nil {
		t.Fatal(err)
	}
	if st := c.State(); st.Low != 8 || !st.Done(7) || st.Done(8) || !st.Done(1<<19) {
		t.Errorf("state %+v", st)
	}
	set := roaring64.BitmapOf
	for name, m := range map[string]commitlog.Commit{
		"below low":               {Gaps: []ingest.Gap{gap(7, 9)}},
		"done ahead":              {Filtered: set(25)},
		"gap over what is ahead":  {Gaps: []ingest.Gap{gap(10, 21)}},
		"two gaps at once":        {Gaps: []ingest.Gap{gap(10, 12), gap(11, 13)}},
		"filtered and in a gap":   {Gaps: []ingest.Gap{gap(10, 12)}, Filtered: set(11)},
		"endless gap ahead":       {Gaps: []ingest.Gap{gap(1<<21, 1<<60)}},
		"empty gap":               {Gaps: []ingest.Gap{gap(10, 10)}},
		"gap without a reason":    {Gaps: []ingest.Gap{{Range: ingest.Range{First: 10, Next: 11}}}},
		"file without offsets":    {Files: []commitlog.File{{Staged: ".a", Final: "/data/a", ID: 1}}},
		"file without an id":      {Files: []commitlog.File{{Staged: ".a", Final: "/data/a", Offsets: set(9)}}},
		"staged name is visible":  {Files: []commitlog.File{{Staged: "a", Final: "/data/a", ID: 1, Offsets: set(9)}}},
		"final name of no HDFS":   {Files: []commitlog.File{{Staged: ".a", Final: "/data/a:b", ID: 1, Offsets: set(9)}}},
		"one name for two files":  {Files: []commitlog.File{{Staged: ".a", Final: "/data/a", ID: 1, Offsets: set(9)}, {Staged: ".b", Final: "/data/a", ID: 2, Offsets: set(10)}}},
		"two files with an event": {Files: []commitlog.File{{Staged: ".a", Final: "/data/a", ID: 1, Offsets: set(9)}, {Staged: ".b", Final: "/data/b", ID: 2, Offsets: set(9)}}},
	} {
		if err := c.Commit(t.Context(), m); !errors.Is(err, commitlog.ErrNotCommitted) {
			t.Errorf("%s: %v, want ErrNotCommitted", name, err)
		}
	}
	if err := c.Commit(t.Context(), commitlog.Commit{Gaps: []ingest.Gap{gap(8, 20)}}); err != nil || c.State().Low != 1<<20 || !c.State().Ahead.IsEmpty() {
		t.Errorf("after the refusals: %+v, %v", c.State(), err)
	}
	if err := c.Commit(t.Context(), commitlog.Commit{Gaps: []ingest.Gap{gap(1<<20, 1<<60)}}); err != nil || c.State().Low != 1<<60 {
		t.Errorf("an endless gap at low: %+v, %v", c.State(), err)
	}
}

func TestNames(t *testing.T) {
	w := newWorld(1)
	w.part.Topic = strings.Repeat("long.topic_", 30) + "/:+~"
	l, err := openAs(t.Context(), w.fs, stateBase, strings.Repeat("s", 64), "", "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Claim(t.Context(), commitlog.ClaimRequest{Partition: w.part})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Genesis(t.Context(), 0, nil); err != nil {
		t.Fatal(err)
	}
	name := c.FinalName(1, 1<<62, "parquet.zst")
	if err := dfs.CheckName("/data/" + name); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if len(c.HintFor().Metadata) > 1000 {
		t.Error("the hint's metadata is too long")
	}
	if c, err = l.Claim(t.Context(), commitlog.ClaimRequest{Partition: w.part, Hint: c.HintFor(), HasHint: true}); err != nil || !c.State().Exists {
		t.Errorf("the next claim: %v", err)
	}
}
