package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/ingest"
)

func stateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "state",
		Short: "List, show and change what the sinks have committed",
		Long: `ls and show look; the others change. A command that changes claims the partition first: an agent that is draining it is fenced, and
claims it again when the command is done. Each writes a manifest with the user and the reason, and has --dry-run.`,
		Example: `  penstock state ls -c clicks.yaml
  penstock state show -c clicks.yaml --topic clicks --partition 3
  penstock state accept-missing -c clicks.yaml --topic clicks --partition 3 --reason 'deleted by mistake' --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(stateLs(), stateShow(), stateAcceptGap(), stateAcceptTopic(), stateAcceptMissing(), stateAdopt(), stateReset())
	return c
}

// stateFlags are those that the subcommands share.
type stateFlags struct {
	config, sink, topic, output, reason string
	partition                           int32
	dryRun                              bool
}

func (f *stateFlags) add(c *cobra.Command, partition bool) {
	configFlag(c, &f.config)
	outputFlag(c, &f.output)
	sinkFlag(c, &f.sink, &f.config)
	if !partition {
		return
	}
	c.Flags().StringVar(&f.topic, "topic", "", "the topic")
	c.Flags().Int32Var(&f.partition, "partition", 0, "the partition")
	require(c, "topic", "partition")
}

func (f *stateFlags) part() ingest.Partition {
	return ingest.Partition{Topic: f.topic, ID: f.partition}
}

// one opens the configuration and returns the sink meant.
func (f *stateFlags) one(ctx context.Context) (*plant, *line, error) {
	p, err := openPlant(ctx, f.config)
	if err != nil {
		return nil, nil, err
	}
	lines, err := p.sinks(f.sink)
	if err == nil && len(lines) > 1 {
		err = withCode(exitUsage, fmt.Errorf("%s has %d sinks; name one with --sink", f.config, len(lines)))
	}
	if err != nil {
		p.close()
		return nil, nil, err
	}
	return p, lines[0], nil
}

// sinks returns the lines of one sink, or of all.
func (p *plant) sinks(name string) ([]*line, error) {
	var lines []*line
	for i := range p.lines {
		if l := &p.lines[i]; name == "" || l.sinkName == name {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return nil, withCode(exitUsage, fmt.Errorf("%s has no sink %q", p.config, name))
	}
	return lines, nil
}

// stateDir is <state>/<sink>.
func (l *line) stateDir() string {
	_, _, base := hdfssink.SplitPath(l.sinkConfig.State)
	return path.Join(path.Clean(base), l.sinkName)
}

// noState says that a sink has committed nothing yet.
func (l *line) noState() error {
	return fmt.Errorf("sink %s: there is no state in %s: it has never run, or `state:`, `path:` or its name was changed", l.sinkName, l.stateDir())
}

func stateLs() *cobra.Command {
	var f stateFlags
	c := &cobra.Command{
		Use: "ls", Short: "List the partitions and how far each is", Args: cobra.NoArgs,
		Example: "  penstock state ls -c clicks.yaml\n  penstock state ls -c clicks.yaml -o json | jq '.[] | select(.ahead > 0)'",
		RunE: func(c *cobra.Command, _ []string) error {
			p, err := openPlant(c.Context(), f.config)
			if err != nil {
				return err
			}
			defer p.close()
			lines, err := p.sinks(f.sink)
			if err != nil {
				return err
			}
			all := []commitlog.Summary{}
			for _, l := range lines {
				s, err := commitlog.List(c.Context(), l.fs, path.Dir(l.stateDir()), l.sinkName)
				if errors.Is(err, fs.ErrNotExist) {
					fmt.Fprintf(c.ErrOrStderr(), "%v\n", l.noState())
				} else if err != nil {
					return fmt.Errorf("list the state of sink %s: %w", l.sinkName, err)
				}
				all = append(all, s...)
			}
			if f.output == "json" {
				return printJSON(c.OutOrStdout(), all)
			}
			return printSummaries(c.OutOrStdout(), all)
		},
	}
	f.add(c, false)
	return c
}

func printSummaries(w io.Writer, all []commitlog.Summary) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SINK\tTOPIC\tPARTITION\tLIFE\tSEQ\tLOW\tAHEAD\tEPOCH\tLAST COMMIT\tBY")
	for _, s := range all {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", s.Sink, s.Topic, s.Partition, s.Life, s.Seq, s.Low, s.Ahead, s.Epoch, cmp.Or(s.Time, "-"), by(s.Owner))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range all {
		if s.Problem != "" {
			fmt.Fprintf(w, "PROBLEM sink %s, %s+%d: %s\n", s.Sink, s.Topic, s.Partition, s.Problem)
		}
	}
	return nil
}

func by(o commitlog.Owner) string {
	if o.Host == "" {
		return "-"
	}
	return fmt.Sprintf("%s,%d", o.Host, o.PID)
}

func stateShow() *cobra.Command {
	var f stateFlags
	c := &cobra.Command{
		Use: "show", Short: "Show one partition: its newest manifest, epochs and lives", Args: cobra.NoArgs,
		Example: "  penstock state show -c clicks.yaml --topic clicks --partition 3",
		RunE: func(c *cobra.Command, _ []string) error {
			p, l, err := f.one(c.Context())
			if err != nil {
				return err
			}
			defer p.close()
			d, err := commitlog.Show(c.Context(), l.fs, l.stateDir(), f.part())
			if err != nil {
				return err
			}
			return printJSON(c.OutOrStdout(), d) // a manifest is JSON: both forms are the same
		},
	}
	f.add(c, true)
	return c
}
