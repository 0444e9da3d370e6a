package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/dfs"
)

// directories are where a sink writes: what stands before the first escape of its path, its state, and its dead letters.
func (l *line) directories() ([]string, error) {
	_, _, rest := hdfssink.SplitPath(l.sinkConfig.Path)
	base, err := hdfssink.LiteralPrefix(rest)
	if err != nil {
		return nil, err
	}
	dirs := []string{base}
	if _, _, state := hdfssink.SplitPath(l.sinkConfig.State); path.Dir(state) != base { // else one probe says it all
		dirs = append(dirs, state)
	}
	if dead := l.sinkConfig.DeadLetters.Dir; dead != "" {
		dirs = append(dirs, dead)
	}
	return dirs, nil
}

func preflight(ctx context.Context, f dfs.FS, dir string) (string, error) {
	if p, ok := f.(dfs.Preflighter); ok {
		return "", p.Preflight(ctx, dir)
	}
	return "", nil
}

// probe does what a commit does, under a name of its own in the nearest directory that exists: create, write, close, rename, rename
// onto an existing name (which must be refused), delete.
func probe(ctx context.Context, f dfs.FS, dir string) (detail string, err error) {
	at, err := nearest(ctx, f, dir)
	if err != nil {
		return "", err
	}
	tmp := path.Join(at, ".penstock-probe-"+strings.ToLower(rand.Text()))
	if err := f.MkdirAll(ctx, tmp, 0); err != nil {
		return "", fmt.Errorf("make a directory in %s: %w", at, err)
	}
	defer func() {
		if rerr := f.RemoveAll(context.WithoutCancel(ctx), tmp); rerr != nil {
			err = errors.Join(err, fmt.Errorf("delete the probe %s: %w (delete it by hand)", tmp, rerr))
		}
	}()
	for _, name := range []string{"a", "b"} {
		if err := writeProbe(ctx, f, path.Join(tmp, name)); err != nil {
			return "", err
		}
	}
	if err := f.Rename(ctx, path.Join(tmp, "a"), path.Join(tmp, "c")); err != nil {
		return "", fmt.Errorf("rename the probe in %s: %w", tmp, err)
	}
	switch err := f.Rename(ctx, path.Join(tmp, "b"), path.Join(tmp, "c")); {
	case err == nil:
		return "", fmt.Errorf("a rename onto an existing file in %s was not refused: exactly-once rests on that refusal; do not use this file system", tmp)
	case !errors.Is(err, fs.ErrExist):
		return "", fmt.Errorf("rename onto an existing file in %s: %w", tmp, err)
	}
	if at != dir {
		return "in " + at + "; " + dir + " will be made", nil
	}
	return "", nil
}

func writeProbe(ctx context.Context, f dfs.FS, name string) error {
	w, err := f.Create(ctx, name, dfs.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create %s: %w", name, err)
	}
	defer w.Abort()
	if _, err := w.Write([]byte("penstock\n")); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := w.Close(ctx); err != nil {
		return fmt.Errorf("close %s: %w", name, err)
	}
	return nil
}

// nearest is dir or the first directory above it that exists.
func nearest(ctx context.Context, f dfs.FS, dir string) (string, error) {
	for tried := []string{}; ; dir = path.Dir(dir) {
		i, err := f.Stat(ctx, dir)
		switch {
		case err == nil && i.Dir:
			return dir, nil
		case err == nil:
			return "", withCode(exitCannotWrite, fmt.Errorf("%s is a file; move it away, or choose another path", dir))
		case !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("look at %s: %w", dir, err)
		}
		if tried = append(tried, dir); slices.Contains(tried, "/") {
			return "", fmt.Errorf("not even / exists: %w", err)
		}
	}
}

// describe says what a channel's brokers tell about its topics.
func describe(ctx context.Context, l *line) (string, error) {
	topics, err := l.channel.Look(ctx)
	if err != nil {
		return "", err
	}
	if len(topics) == 0 {
		return "", withCode(exitUnavailable, fmt.Errorf("no topic matches topics_regex %q yet, or this user may not see it (it needs Describe on the topics)", l.channelConfig.TopicsRegex))
	}
	var all []string
	for _, t := range topics {
		var events int64
		for _, i := range t.Log {
			events += int64(i.End - i.Start)
		}
		all = append(all, fmt.Sprintf("%s (%d partitions, %d offsets)", t.Name, len(t.Partitions), events))
	}
	return strings.Join(all, ", "), nil
}
