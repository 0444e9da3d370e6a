package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrofile"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/formats/sequencefile"
	"github.com/penstock-io/penstock/formats/textfile"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
)

func verifyCommand() *cobra.Command {
	var v verification
	c := &cobra.Command{
		Use:   "verify {-c FILE | URL}",
		Short: "Prove that every offset is in exactly one published file, filtered by rule, or a gap with a reason",
		Long: `Reads what the sinks have committed and checks it; it claims and changes nothing, and is safe while they run.

  --log    (default) the manifests tile every partition: no offset is missing, none is there twice
  --files  and every published file is there, with its id and length; files that no manifest knows are listed as foreign
  --read   and every file is read: checksum, footer, rows

URL names the target or the state of a sink: hdfs://ns1/data/clicks, file:///data/clicks/.penstock/lake. Exit code 65: a proof
failed, or there is no state to prove anything by.

With -o json the result is a list with an element for each sink; its "ok" is the verdict.`,
		Example: "  penstock verify -c clicks.yaml\n  penstock verify -c clicks.yaml --files\n  penstock verify file:///data/clicks --read -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v.out = c.OutOrStdout()
			switch {
			case (v.config == "") == (len(args) == 0):
				return withCode(exitUsage, errors.New("verify what? Either -c FILE or a URL"))
			case len(args) == 1:
				return v.url(c.Context(), args[0])
			}
			return v.configured(c.Context())
		},
	}
	c.Flags().StringVarP(&v.config, "config", "c", "", "configuration file: all of its sinks, or the one of --sink")
	fileFlag(c, "config")
	sinkFlag(c, &v.sink, &v.config)
	c.Flags().BoolVar(&v.log, "log", false, "check the manifests (default)")
	c.Flags().BoolVar(&v.files, "files", false, "check names, ids and lengths too")
	c.Flags().BoolVar(&v.read, "read", false, "read every file too")
	c.MarkFlagsMutuallyExclusive("log", "files", "read")
	outputFlag(c, &v.output)
	return c
}

// verification is one run of verify.
type verification struct {
	config, sink, output string
	log, files, read     bool
	out                  io.Writer
}

func (v *verification) level() commitlog.Level {
	switch {
	case v.read:
		return commitlog.LevelRead
	case v.files:
		return commitlog.LevelFiles
	}
	return commitlog.LevelLog
}

func (v *verification) configured(ctx context.Context) error {
	p, err := openPlant(ctx, v.config)
	if err != nil {
		return err
	}
	defer p.close()
	lines, err := p.sinks(v.sink)
	if err != nil {
		return err
	}
	var reports []*commitlog.Report
	var without []error
	for _, l := range lines {
		r, err := v.one(ctx, l.fs, l.stateDir())
		if errors.Is(err, fs.ErrNotExist) {
			without = append(without, l.noState())
			continue
		}
		if err != nil {
			return fmt.Errorf("verify sink %s: %w", l.sinkName, err)
		}
		reports = append(reports, r)
	}
	if err := errors.Join(without...); err != nil {
		return errors.Join(withCode(exitProof, err), v.print(reports))
	}
	return v.print(reports)
}

func (v *verification) url(ctx context.Context, url string) error {
	p := &plant{settings: settings{log: slog.New(slog.DiscardHandler)}, doc: &conf.Document{}, files: map[string]fileSystem{}}
	defer p.close()
	f, err := p.fileSystem(ctx, &hdfssink.Config{Path: url})
	if err != nil {
		return err
	}
	_, _, dir := hdfssink.SplitPath(url)
	states, err := findStates(ctx, f, path.Clean(dir))
	if err != nil {
		return err
	}
	var reports []*commitlog.Report
	for _, s := range states {
		if v.sink != "" && v.sink != path.Base(s) {
			continue
		}
		r, err := v.one(ctx, f, s)
		if err != nil {
			return fmt.Errorf("verify %s: %w", s, err)
		}
		reports = append(reports, r)
	}
	if len(reports) == 0 {
		return withCode(exitProof, fmt.Errorf("there is no state of a sink in %s; name the sink's path without escapes, or its state directory", dir))
	}
	return v.print(reports)
}

// findStates returns the sinks' state directories that dir, a target, a base of states, or a state itself, stands for.
func findStates(ctx context.Context, f dfs.FS, dir string) ([]string, error) {
	if there, err := isState(ctx, f, dir); err != nil || there {
		return []string{dir}, err
	}
	for _, base := range []string{path.Join(dir, ".penstock"), dir} {
		if states, err := statesIn(ctx, f, base); err != nil || len(states) > 0 {
			return states, err
		}
	}
	return nil, nil
}

func statesIn(ctx context.Context, f dfs.FS, base string) ([]string, error) {
	entries, err := f.List(ctx, base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for states in %s: %w", base, err)
	}
	var states []string
	for _, e := range entries {
		if !e.Dir || strings.HasPrefix(e.Name, ".") {
			continue
		}
		s := path.Join(base, e.Name)
		there, err := isState(ctx, f, s)
		if err != nil {
			return nil, err
		}
		if there {
			states = append(states, s)
		}
	}
	return states, nil
}

func isState(ctx context.Context, f dfs.FS, dir string) (bool, error) {
	_, err := f.Stat(ctx, path.Join(dir, "sink.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for a state in %s: %w", dir, err)
	}
	return true, nil
}

func (v *verification) one(ctx context.Context, f dfs.FS, stateDir string) (*commitlog.Report, error) {
	return commitlog.Verify(ctx, f, stateDir, commitlog.VerifyOptions{Level: v.level(), Inspect: inspect})
}

// inspect counts the rows of a published file, by its extension.
func inspect(ext string, r io.ReaderAt, size int64) (rows int64, err error) {
	var f formats.Format
	switch {
	case ext == "parquet":
		f, err = parquetfile.New(parquetfile.DefaultConfig())
	case ext == "dead":
		f, err = parquetfile.DeadLetters(parquetfile.DefaultConfig())
	case ext == "avro":
		f, err = avrofile.New(avrofile.DefaultConfig())
	case ext == "seq":
		f, err = sequencefile.New(sequencefile.DefaultConfig())
	case strings.HasPrefix(ext, "txt"):
		c := textfile.DefaultConfig()
		if i := slices.Index([]string{"txt.gz", "txt.zst", "txt.snappy"}, ext); i >= 0 {
			c.Compression = []string{"gzip", "zstd", "snappy"}[i]
		}
		f, err = textfile.New(c)
	default:
		return 0, fmt.Errorf("files that end in .%s are of no known format", ext)
	}
	if err != nil {
		return 0, err
	}
	info, err := f.Inspect(r, size)
	return info.Rows, err
}

// verdict is a report in its JSON form.
type verdict struct {
	OK bool `json:"ok"`
	*commitlog.Report
}

func (v *verification) print(reports []*commitlog.Report) error {
	failed := 0
	verdicts := []verdict{}
	for _, r := range reports {
		if !r.OK() {
			failed++
		}
		verdicts = append(verdicts, verdict{r.OK(), r})
		if v.output != "json" {
			if _, err := io.WriteString(v.out, r.String()); err != nil {
				return err
			}
		}
	}
	if v.output == "json" {
		if err := printJSON(v.out, verdicts); err != nil {
			return err
		}
	}
	if failed > 0 {
		return told(exitProof, fmt.Errorf("%d of %d proofs failed", failed, len(reports)))
	}
	return nil
}
