package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs/local"
)

func (d *demo) stateBase() string { return filepath.Join(d.dir, "data", ".penstock") }

// committed counts the offsets that the agent has committed so far, by looking at its state as any other program could.
func (d *demo) committed(ctx context.Context) (int64, error) {
	f, err := local.New("/")
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	all, err := commitlog.List(ctx, f, d.stateBase(), "")
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // not even begun
	}
	if err != nil {
		return 0, fmt.Errorf("look at the state: %w", err)
	}
	var n int64
	for _, s := range all {
		n += int64(s.Low) + int64(s.Ahead)
	}
	return n, nil
}

// report proves the result and shows it.
func (d *demo) report(ctx context.Context, took time.Duration, killedAt int64) error {
	f, err := local.New("/")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r, err := commitlog.Verify(ctx, f, filepath.Join(d.stateBase(), "lake"), commitlog.VerifyOptions{Level: commitlog.LevelRead, Inspect: inspect})
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	fmt.Fprintf(d.out, "\nverify --read:\n%s\n", r)
	files, err := filepath.Glob(filepath.Join(d.dir, "data", "*", "*", "*.parquet"))
	if err != nil {
		return err
	}
	if len(files) > 0 {
		if err := printFirstRows(d.out, files[0], 3); err != nil {
			return err
		}
	}
	fmt.Fprintf(d.out, "%d events, %d rows in %d files (%.1f MB), %.1f s, %.0f rows/s; the agent was killed with %d committed\n",
		d.events, r.Rows, r.Files, float64(r.Bytes)/1e6, took.Seconds(), float64(r.Rows)/took.Seconds(), killedAt)
	fmt.Fprintf(d.out, "look yourself: %s\n", filepath.Join(d.dir, "data"))
	if !r.OK() || r.Rows != d.events || int64(len(files)) != r.Files {
		return withCode(exitProof, fmt.Errorf("the proof failed: %d events, %d rows, %d files, %d published", d.events, r.Rows, len(files), r.Files))
	}
	return nil
}

// printFirstRows shows the first rows of a published file.
func printFirstRows(w io.Writer, name string, n int64) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	i, err := f.Stat()
	if err != nil {
		return err
	}
	rows, err := parquetfile.Head(f, i.Size(), n)
	if err != nil {
		return fmt.Errorf("read the first rows of %s: %w", name, err)
	}
	fmt.Fprintf(w, "first rows of %s:\n", filepath.Base(name))
	for _, e := range rows {
		fmt.Fprintf(w, "  offset %d  %s  key %s\n    %.160s…\n", e.Offset, time.UnixMilli(e.Timestamp).UTC().Format(time.RFC3339), e.Key, e.Body)
	}
	return nil
}
