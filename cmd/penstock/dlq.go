package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

func dlqCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "dlq",
		Short: "List, show and replay dead letters: events that could not be written",
		Long: `Dead letters are committed with the data: an offset is published, or it is a dead letter, never both. ls counts them by what the manifests
say; show reads them: why each was refused, and the event as it was; replay produces them to a topic. None changes what is committed, and all are
safe while the sinks run.`,
		Example: "  penstock dlq ls -c clicks.yaml\n  penstock dlq show -c clicks.yaml --reason wrong_type --limit 5",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(dlqLs(), dlqShow(), dlqReplay())
	return c
}

// dlqFlags say which dead letters are meant.
type dlqFlags struct {
	config, sink, output, topic, reason string
	partition                           int32
	offset, limit                       int64
}

func (f *dlqFlags) add(c *cobra.Command) {
	configFlag(c, &f.config)
	outputFlag(c, &f.output)
	sinkFlag(c, &f.sink, &f.config)
	c.Flags().StringVar(&f.topic, "topic", "", "those of one topic")
	c.Flags().Int32Var(&f.partition, "partition", -1, "those of one partition of every topic")
}

func (f *dlqFlags) wants(p ingest.Partition) bool {
	return (f.topic == "" || f.topic == p.Topic) && (f.partition < 0 || f.partition == p.ID)
}

// files visits the files of dead letters that are meant.
func (f *dlqFlags) files(ctx context.Context, visit func(*line, commitlog.Published) error) error {
	p, err := openPlant(ctx, f.config)
	if err != nil {
		return err
	}
	defer p.close()
	lines, err := p.sinks(f.sink)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if there, err := isState(ctx, l.fs, l.stateDir()); err != nil || !there {
			return errors.Join(err, withCode(exitProof, l.noState()))
		}
		err := commitlog.Files(ctx, l.fs, l.stateDir(), nil, func(file commitlog.Published) error {
			if !file.Dead || !f.wants(file.Partition) {
				return nil
			}
			return visit(l, file)
		})
		if err != nil {
			return fmt.Errorf("dead letters of sink %s: %w", l.sinkName, err)
		}
	}
	return nil
}

// letters is a line of dlq ls.
type letters struct {
	Sink      string        `json:"sink"`
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"`
	Files     int           `json:"files"`
	Events    int64         `json:"events"`
	Bytes     int64         `json:"bytes"`
	First     ingest.Offset `json:"first_offset"`
	Last      ingest.Offset `json:"last_offset"`
}

func dlqLs() *cobra.Command {
	var f dlqFlags
	c := &cobra.Command{
		Use: "ls", Short: "Count the dead letters of each partition", Args: cobra.NoArgs,
		Example: "  penstock dlq ls -c clicks.yaml\n  penstock dlq ls -c clicks.yaml -o json | jq 'map(.events) | add'",
		RunE: func(c *cobra.Command, _ []string) error {
			all := []letters{}
			err := f.files(c.Context(), func(l *line, file commitlog.Published) error {
				first, last := ingest.Offset(file.Offsets.Minimum()), ingest.Offset(file.Offsets.Maximum())
				n := len(all)
				if n == 0 || all[n-1].Sink != l.sinkName || all[n-1].Topic != file.Partition.Topic || all[n-1].Partition != file.Partition.ID {
					all = append(all, letters{Sink: l.sinkName, Topic: file.Partition.Topic, Partition: file.Partition.ID, First: first, Last: last})
				}
				s := &all[len(all)-1]
				s.Files, s.Events, s.Bytes = s.Files+1, s.Events+file.Rows, s.Bytes+file.Size
				s.First, s.Last = min(s.First, first), max(s.Last, last)
				return nil
			})
			if err != nil {
				return err
			}
			if f.output == "json" {
				return printJSON(c.OutOrStdout(), all)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "SINK\tTOPIC\tPARTITION\tFILES\tEVENTS\tBYTES\tFIRST\tLAST")
			for _, s := range all {
				fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\n", s.Sink, s.Topic, s.Partition, s.Files, s.Events, s.Bytes, s.First, s.Last)
			}
			return t.Flush()
		},
	}
	f.add(c)
	return c
}

func dlqShow() *cobra.Command {
	var f dlqFlags
	c := &cobra.Command{
		Use: "show", Short: "Show dead letters, each with its reason", Args: cobra.NoArgs,
		Long: `Shows dead letters in the order in which they were committed. As text, values are cut after 500 bytes, and bytes that are no text are escaped; with -o json each
is an object on a line of its own, with whole values: body, or body_base64 when it is no UTF-8, and so for keys and headers.`,
		Example: `  penstock dlq show -c clicks.yaml --topic clicks --partition 3 --offset 1234567
  penstock dlq show -c clicks.yaml --reason missing_field --limit 0 -o json | jq -r .path | sort | uniq -c`,
		RunE: func(c *cobra.Command, _ []string) error { return f.show(c.Context(), c.OutOrStdout()) },
	}
	f.add(c)
	c.Flags().StringVar(&f.reason, "reason", "", "those of one reason")
	c.Flags().Int64Var(&f.offset, "offset", -1, "the one at an offset")
	c.Flags().Int64Var(&f.limit, "limit", 20, "how many at most; 0: all")
	return c
}

// errStop ends a visit when enough was seen.
var errStop = errors.New("enough")

func (f *dlqFlags) show(ctx context.Context, w io.Writer) error {
	shown := int64(0)
	err := f.files(ctx, func(l *line, file commitlog.Published) error {
		if f.offset >= 0 && !file.Offsets.Contains(uint64(f.offset)) {
			return nil
		}
		return readDeadLetters(ctx, l.fs, file, func(e *ingest.Event, why *formats.RecordError) error {
			if f.offset >= 0 && int64(e.Offset) != f.offset || f.reason != "" && why.Code != f.reason {
				return nil
			}
			if f.limit > 0 && shown == f.limit {
				return errStop
			}
			shown++
			letter := newLetter(l.sinkName, file.Partition, e, why)
			if f.output == "json" {
				return printLine(w, letter)
			}
			return letter.print(w)
		})
	})
	if errors.Is(err, errStop) {
		if f.output != "json" {
			fmt.Fprintf(w, "… and more: --limit %d\n", f.limit)
		}
		return nil
	}
	return err
}

// readDeadLetters visits the events of a file.
func readDeadLetters(ctx context.Context, fsys dfs.FS, file commitlog.Published, visit func(*ingest.Event, *formats.RecordError) error) error {
	r, err := fsys.Open(ctx, file.Final)
	if err != nil {
		return fmt.Errorf("open %s: %w", file.Final, err)
	}
	defer r.Close()
	if err := parquetfile.ReadDeadLetters(r, file.Size, visit); err != nil {
		return fmt.Errorf("%s: %w", file.Final, err)
	}
	return nil
}
