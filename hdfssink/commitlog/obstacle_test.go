package commitlog_test

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/fault"
	"github.com/penstock-io/penstock/hdfssink/dfs/mem"
	"github.com/penstock-io/penstock/ingest"
)

// once runs do before the first call that match accepts.
func once(match func(fault.Call) bool, do func(fault.Call)) fault.Plan {
	done := false
	return fault.Plan{Before: func(c fault.Call) {
		if !done && match(c) {
			done = true
			do(c)
		}
	}}
}

func putFile(t *testing.T, f dfs.FS, name, content string) {
	t.Helper()
	if err := f.MkdirAll(t.Context(), path.Dir(name), 0); err != nil {
		t.Fatal(err)
	}
	w, err := f.Create(t.Context(), name, dfs.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func wantRefused(t *testing.T, err error, code, remedy string) {
	t.Helper()
	var r *commitlog.RefusedError
	if !errors.As(err, &r) || !ingest.IsPermanent(err) {
		t.Fatalf("got %v, want a permanent refusal %q", err, code)
	}
	if r.Code != code || !strings.Contains(r.Remedy, remedy) {
		t.Errorf("code %q, remedy %q; want %q, and a remedy with %q", r.Code, r.Remedy, code, remedy)
	}
}

// TestProtocolForeignFile: a file with our name and our length appears between the commit and the publishing. It is never replaced,
// never taken for ours, and once it is moved away the next claim publishes ours.
func TestProtocolForeignFile(t *testing.T) {
	w := newWorld(30)
	var planted string
	f := fault.New(w.fs, once(publishing, func(c fault.Call) {
		i, err := w.fs.Stat(t.Context(), c.Name)
		if err != nil {
			t.Fatal(err)
		}
		planted = c.To
		putFile(t, w.fs, c.To, strings.Repeat("x", int(i.Size)))
	}))
	err := (&owner{w: w, name: "first", fs: f, cfg: defaultConfig()}).drain(t.Context())
	wantRefused(t, err, "foreign_file", "move it away")
	if !errors.Is(err, commitlog.ErrUnfinished) {
		t.Errorf("the manifest is in the log, the error says %v", err)
	}
	wantRefused(t, (&owner{w: w, name: "second", fs: w.fs, cfg: defaultConfig()}).drain(t.Context()), "foreign_file", "move it away")
	if i, err := w.fs.Stat(t.Context(), planted); err != nil || i.Size == 0 {
		t.Errorf("the foreign file: %+v, %v", i, err)
	}
	if err := w.fs.Rename(t.Context(), planted, "/elsewhere"); err != nil {
		t.Fatal(err)
	}
	w.finish(t, defaultConfig())
}

// TestProtocolForeignFileBefore: found before the commit, nothing is committed.
func TestProtocolForeignFileBefore(t *testing.T) {
	w := newWorld(30)
	var planted string
	stat := func(c fault.Call) bool { return c.Op == "stat" && strings.HasPrefix(c.Name, "/data/b=") }
	f := fault.New(w.fs, once(stat, func(c fault.Call) {
		planted = c.Name
		putFile(t, w.fs, planted, "x")
	}))
	err := (&owner{w: w, name: "first", fs: f, cfg: config{buckets: 1, roll: 5, batch: 7, keep: 2, archive: 3}}).drain(t.Context())
	wantRefused(t, err, "foreign_file", "move it away")
	if !errors.Is(err, commitlog.ErrNotCommitted) {
		t.Errorf("nothing was committed, the error says %v", err)
	}
	if err := w.fs.RemoveAll(t.Context(), planted); err != nil {
		t.Fatal(err)
	}
	w.finish(t, defaultConfig())
}

// TestProtocolDirectoryRemoved: somebody deletes the empty directory of a bucket between the commit and the publishing; the owner, or
// whoever recovers, makes it again.
func TestProtocolDirectoryRemoved(t *testing.T) {
	w := newWorld(30)
	remove := func(c fault.Call) {
		if err := w.fs.RemoveAll(t.Context(), path.Dir(c.To)); err != nil {
			t.Fatal(err)
		}
	}
	f := fault.New(w.fs, once(publishing, remove))
	if err := (&owner{w: w, name: "first", fs: f, cfg: defaultConfig()}).drain(t.Context()); err != nil {
		t.Errorf("the owner: %v", err)
	}
	w.finish(t, defaultConfig())

	w = newWorld(30)
	f = fault.New(w.fs, fault.Plan{Crash: func(c fault.Call) bool {
		if publishing(c) {
			remove(c)
			return true
		}
		return false
	}})
	if err := (&owner{w: w, name: "first", fs: f, cfg: defaultConfig()}).drain(t.Context()); !errors.Is(err, fault.ErrCrashed) {
		t.Errorf("first owner: %v", err)
	}
	w.finish(t, defaultConfig())
}

// TestProtocolTargetRefused: what can be found out about a target is found out before the point of no return.
func TestProtocolTargetRefused(t *testing.T) {
	w := newWorld(30)
	refuse := true
	w.fs = mem.New(mem.Options{Now: w.now, Check: func(op, name string) error {
		if refuse && op == "mkdir" && strings.HasPrefix(name, "/data/b=") {
			return fs.ErrPermission
		}
		return nil
	}})
	err := (&owner{w: w, name: "first", fs: w.fs, cfg: defaultConfig()}).drain(t.Context())
	if !errors.Is(err, commitlog.ErrNotCommitted) || !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want ErrNotCommitted and fs.ErrPermission", err)
	}
	w.fs.Walk(stateBase, func(name string, _ dfs.Info, _ []byte) {
		if strings.HasSuffix(name, "0000000001.json") {
			t.Errorf("%s is in the log", name)
		}
	})
	refuse = false
	w.finish(t, defaultConfig())
}

// TestProtocolFullDisk: no space for the manifest; the claim stays good.
func TestProtocolFullDisk(t *testing.T) {
	w := newWorld(30)
	full := 3
	f := fault.New(w.fs, fault.Plan{Fail: func(c fault.Call) error {
		if full > 0 && (c.Op == "write" || c.Op == "close") && strings.Contains(c.Name, "/.commit-") && c.N > 25 {
			full--
			return dfs.ErrQuota
		}
		return nil
	}})
	o := &owner{w: w, name: "first", fs: f, cfg: defaultConfig()}
	for try := 0; ; try++ {
		err := o.drain(t.Context())
		if err == nil {
			break
		}
		if !errors.Is(err, dfs.ErrQuota) || !errors.Is(err, commitlog.ErrNotCommitted) || try > 5 {
			t.Fatal(err)
		}
	}
	if full != 0 {
		t.Error("the fault was not met")
	}
	w.finish(t, defaultConfig())
}

// TestProtocolLostFile: a promised file is deleted before it was published: loud, with the command; and the command gets the partition going.
func TestProtocolLostFile(t *testing.T) {
	w := newWorld(30)
	var lost string
	f := fault.New(w.fs, fault.Plan{Crash: func(c fault.Call) bool {
		if !publishing(c) {
			return false
		}
		lost = c.To
		if err := w.fs.RemoveAll(t.Context(), c.Name); err != nil {
			t.Fatal(err)
		}
		return true
	}})
	if err := (&owner{w: w, name: "first", fs: f, cfg: defaultConfig()}).drain(t.Context()); !errors.Is(err, fault.ErrCrashed) {
		t.Fatal(err)
	}
	second := &owner{w: w, name: "second", fs: w.fs, cfg: defaultConfig()}
	wantRefused(t, second.drain(t.Context()), "missing_file", "`penstock state accept-missing --sink lake --topic clicks --partition 3`")

	l, err := second.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	op := commitlog.Operation{Partition: w.part, User: "alice", Reason: "fat finger", DryRun: true}
	for _, op.DryRun = range []bool{true, false} {
		ch, err := l.AcceptMissing(t.Context(), op)
		if err != nil || len(ch.Missing) != 1 || ch.Missing[0] != lost {
			t.Fatalf("dry run %t: %+v, %v", op.DryRun, ch, err)
		}
	}
	if err := second.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := commitlog.Verify(t.Context(), w.fs, path.Join(stateBase, sinkName), commitlog.VerifyOptions{Level: commitlog.LevelFiles})
	if err != nil || !r.OK() || r.GivenUp != 1 {
		t.Errorf("%v, %v", r, err)
	}
	seen, other := int64(0), w.part
	other.ID++
	err = commitlog.Files(t.Context(), w.fs, path.Join(stateBase, sinkName), &w.part, func(f commitlog.Published) error {
		seen++
		info, err := w.fs.Stat(t.Context(), f.Final)
		if err != nil || info.ID != f.ID || f.Partition != w.part {
			t.Errorf("%s of %v: %v", f.Final, f.Partition, err)
		}
		return nil
	})
	if err != nil || seen != r.Files-1 {
		t.Errorf("%d files are visited, %d were committed and one was given up: %v", seen, r.Files, err)
	}
	err = commitlog.Files(t.Context(), w.fs, path.Join(stateBase, sinkName), &other, func(commitlog.Published) error { return errors.New("of another partition") })
	if err != nil {
		t.Error(err)
	}
}

// TestProtocolUnsureUntilDeadline: the answer of the manifest's rename never comes, nor can anybody be asked: when the time is over the claim is over, and the
// next one finds out.
func TestProtocolUnsureUntilDeadline(t *testing.T) {
	for _, loss := range []fault.Loss{fault.WithEffect, fault.NoEffect, fault.LateEffect} {
		synctest.Test(t, func(t *testing.T) { unsureUntilDeadline(t, loss) })
	}
}

func unsureUntilDeadline(t *testing.T, loss fault.Loss) {
	w := newWorld(30)
	gone := false
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	f := fault.New(w.fs, fault.Plan{Lose: func(c fault.Call) fault.Loss {
		if gone {
			return fault.NoEffect
		}
		if gone = committed(c); gone {
			return loss
		}
		return fault.NoLoss
	}})
	err := (&owner{w: w, name: "first", fs: f, cfg: defaultConfig()}).drain(ctx)
	if err == nil || errors.Is(err, commitlog.ErrNotCommitted) || errors.Is(err, ingest.ErrFenced) || ingest.IsPermanent(err) {
		t.Errorf("nobody knows the outcome, the error says %v", err)
	}
	f.Settle()
	w.finish(t, defaultConfig())
}
