package dfstest

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// renameTable is what a real NameNode answers to rename2 without overwriting.
func renameTable(e env) {
	ctx := e.t.Context()
	e.mkdirs("dir", "empty", "full", "target")
	e.put("file", "1")
	e.put("other", "2")
	e.put("dir/in", "3")
	e.put("full/in", "4")
	before := e.tree()
	var refusal error // any that is one
	for _, c := range []struct {
		what, from, to string
		want           error
	}{
		{"file onto a file", "file", "other", fs.ErrExist},
		{"file onto an empty directory", "file", "empty", fs.ErrExist},
		{"file onto a full directory", "file", "full", fs.ErrExist},
		{"directory onto an empty directory", "dir", "empty", fs.ErrExist},
		{"directory onto a full directory", "dir", "full", fs.ErrExist},
		{"directory onto a file", "dir", "file", fs.ErrExist},
		{"file onto itself", "file", "file", fs.ErrExist},
		{"directory onto itself", "dir", "dir", fs.ErrExist},
		{"directory into itself", "dir", "dir/below", refusal},
		{"directory deep into itself", "dir", "dir/none/below", refusal},
		{"what is not there", "none", "new", fs.ErrNotExist},
		{"what is not there onto a file", "none", "file", fs.ErrNotExist},
		{"to a parent that is not there", "file", "none/new", fs.ErrNotExist},
		{"directory to a parent that is not there", "dir", "none/new", fs.ErrNotExist},
		{"below a file", "dir", "file/new", refusal},
	} {
		switch err := e.fs.Rename(ctx, e.at(c.from), e.at(c.to)); {
		case err == nil:
			e.t.Errorf("%s: no error", c.what)
		case c.want != nil:
			e.want(c.what, err, c.want)
		case errors.Is(err, dfs.ErrNoAnswer), errors.Is(err, dfs.ErrUnavailable):
			e.t.Errorf("%s: %v is no refusal", c.what, err)
		}
	}
	if d := cmp.Diff(before, e.tree()); d != "" {
		e.t.Fatalf("refused renames changed something (-before +after):\n%s", d)
	}
	e.must(e.fs.Rename(ctx, e.at("file"), e.at("target/file")))
	e.must(e.fs.Rename(ctx, e.at("dir"), e.at("target/dir")))
	e.wantTree("empty/", "full/", "full/in=4", "other=2", "target/", "target/dir/", "target/dir/in=3", "target/file=1")
}

func renameKeepsID(e env) {
	ctx := e.t.Context()
	e.mkdirs("d", "elsewhere")
	e.put("d/f", "1")
	before, err := e.fs.Stat(ctx, e.at("d/f"))
	e.must(err)
	e.must(e.fs.Rename(ctx, e.at("d"), e.at("d2")))
	e.must(e.fs.Rename(ctx, e.at("d2/f"), e.at("elsewhere/g")))
	after, err := e.fs.Stat(ctx, e.at("elsewhere/g"))
	e.must(err)
	if before.ID != after.ID || before.Size != after.Size {
		e.t.Errorf("before: %+v, after two renames: %+v", before, after)
	}
	e.mkdirs("d")
	e.put("d/f", "1")
	if again, err := e.fs.Stat(ctx, e.at("d/f")); err != nil || again.ID == before.ID {
		e.t.Errorf("another file at the old path has id %d, %v; the first has %d", again.ID, err, before.ID)
	}
}

// openUnderRename: a writer goes on when a directory above its file is renamed, and when the file itself is.
func openUnderRename(e env) {
	ctx := e.t.Context()
	e.mkdirs("live")
	f, err := e.fs.Create(ctx, e.at("live/f"), dfs.CreateOptions{})
	e.must(err)
	write := func(s string) { _, err := f.Write([]byte(s)); e.must(err) }
	write("before-")
	e.must(e.fs.Rename(ctx, e.at("live"), e.at("dead")))
	write("between-")
	e.must(e.fs.Rename(ctx, e.at("dead/f"), e.at("dead/g")))
	write("after")
	e.must(f.Close(ctx))
	_, err = e.fs.Create(ctx, e.at("live/f2"), dfs.CreateOptions{})
	e.want("create at the old path", err, fs.ErrNotExist)
	e.want("rename from the old path", e.fs.Rename(ctx, e.at("live/f"), e.at("x")), fs.ErrNotExist)
	e.wantTree("dead/", "dead/g=before-between-after")
}

// otherAtOldPath: neither file touches the other.
func otherAtOldPath(e env) {
	ctx := e.t.Context()
	e.mkdirs("live")
	f, err := e.fs.Create(ctx, e.at("live/f"), dfs.CreateOptions{})
	e.must(err)
	_, err = f.Write([]byte("first"))
	e.must(err)
	e.must(e.fs.Rename(ctx, e.at("live"), e.at("dead")))
	e.mkdirs("live")
	e.put("live/f", "second")
	_, err = f.Write([]byte(" goes on"))
	e.must(err)
	e.must(f.Close(ctx))
	e.wantTree("dead/", "dead/f=first goes on", "live/", "live/f=second")
}

// renameRace: of many who want one name, one gets it.
func renameRace(e env) {
	const n = 8
	for round := range 4 {
		for i := range n {
			e.put(fmt.Sprintf("from%d-%d", round, i), strconv.Itoa(i))
		}
		won := race(e, n, func(i int) error {
			return e.fs.Rename(e.t.Context(), e.at(fmt.Sprintf("from%d-%d", round, i)), e.at(fmt.Sprintf("to%d", round)))
		})
		if got := e.get(fmt.Sprintf("to%d", round)); len(won) != 1 || got != strconv.Itoa(won[0]) {
			e.t.Errorf("round %d: %v were told that they won, the file is of %s", round, won, got)
		}
	}
}

func createRace(e env) {
	won := race(e, 8, func(int) error {
		f, err := e.fs.Create(e.t.Context(), e.at("f"), dfs.CreateOptions{})
		if err == nil {
			err = f.Close(e.t.Context())
		}
		return err
	})
	if len(won) != 1 {
		e.t.Errorf("%v all made the same file", won)
	}
}

// race runs do n times at once; the losers must be told fs.ErrExist.
func race(e env, n int, do func(i int) error) (won []int) {
	e.t.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	wg.Wait()
	for i, err := range errs {
		if err == nil {
			won = append(won, i)
		} else {
			e.want("loser", err, fs.ErrExist)
		}
	}
	return won
}

// atomicDirRename: a lister sees a directory under the one name or the other, whole.
func atomicDirRename(e env) {
	ctx := e.t.Context()
	e.mkdirs("d/a")
	const children = 5
	for i := range children {
		e.put(fmt.Sprintf("d/a/f%d", i), "")
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 50 {
			from, to := "d/a", "d/b"
			if i%2 == 1 {
				from, to = to, from
			}
			if err := e.fs.Rename(ctx, e.at(from), e.at(to)); err != nil {
				e.t.Error(err)
				return
			}
		}
	})
	for range 50 {
		is, err := e.fs.List(ctx, e.at("d"))
		if err != nil || len(is) != 1 {
			e.t.Errorf("saw %v, %v; want one of a and b", is, err)
			break
		}
		below, err := e.fs.List(ctx, e.at("d/"+is[0].Name))
		if err == nil && len(below) != children {
			e.t.Errorf("saw %d of %d files", len(below), children)
		} else if err != nil {
			e.want("renamed since it was listed", err, fs.ErrNotExist)
		}
	}
	wg.Wait()
}
