package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/ingest"
)

// operation is a change of one partition.
type operation struct {
	stateFlags
	log    *commitlog.Log
	l      *line
	op     commitlog.Operation
	out    io.Writer
	begins bool                            // the command may begin a state
	check  func(ctx context.Context) error // before anything is touched; nil: nothing to check
}

// change makes a subcommand that changes one partition.
func change(use, short, long, example string, flags func(*cobra.Command, *operation), do func(context.Context, *operation) (commitlog.Change, error)) *cobra.Command {
	var o operation
	c := &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\n" + long, Args: cobra.NoArgs, Example: "  " + example,
		RunE: func(c *cobra.Command, _ []string) error {
			o.out = c.OutOrStdout()
			return o.run(c.Context(), do)
		},
	}
	o.add(c, true)
	c.Flags().StringVar(&o.reason, "reason", "", "why, for those who read the log later")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "say what would be done; claim and change nothing")
	if flags != nil {
		flags(c, &o)
	}
	return c
}

func (o *operation) run(ctx context.Context, do func(context.Context, *operation) (commitlog.Change, error)) error {
	p, l, err := o.one(ctx)
	if err != nil {
		return err
	}
	defer p.close()
	who, err := user.Current()
	if err != nil {
		return fmt.Errorf("ask who you are: %w", err)
	}
	if o.partition < 0 {
		return withCode(exitUsage, fmt.Errorf("--partition %d: partitions are counted from 0", o.partition))
	}
	o.l = l
	o.op = commitlog.Operation{Partition: o.part(), User: who.Username + "@" + p.owner.Host, Reason: o.reason, DryRun: o.dryRun}
	if sudo := os.Getenv("SUDO_USER"); sudo != "" {
		o.op.User = sudo + " as " + o.op.User
	}
	if o.check != nil {
		if err := o.check(ctx); err != nil {
			return err
		}
	}
	if o.log, err = o.openLog(ctx, p); err != nil {
		return err
	}
	ch, err := do(ctx, o)
	if errors.Is(err, ingest.ErrFenced) {
		return fmt.Errorf("%w\n\tto do: an agent claimed the partition at the same moment; run the command again", err)
	}
	if err != nil {
		return err
	}
	if o.output == "json" {
		return printJSON(o.out, ch)
	}
	mark := ""
	if ch.DryRun {
		mark = "dry run, nothing was changed: "
	}
	_, err = fmt.Fprintf(o.out, "%s%s: %s (life %d, manifest %d, low %d -> %d)\n", mark, o.part(), ch.What, ch.Life, ch.Seq, ch.Was, ch.Now)
	for _, m := range ch.Missing {
		fmt.Fprintf(o.out, "  %s\n", m)
	}
	return err
}

// openLog opens a sink's log as an operator's command does. Cluster and group are those of sink.json; where there is none yet, adopt needs
// them from the brokers.
func (o *operation) openLog(ctx context.Context, p *plant) (*commitlog.Log, error) {
	l := o.l
	opts := commitlog.Options{
		FS: l.fs, State: path.Dir(l.stateDir()), Sink: l.sinkName, Owner: p.owner, Logger: p.log, Arguments: p.arguments(), DryRun: o.dryRun,
	}
	there, err := isState(ctx, l.fs, l.stateDir())
	switch {
	case err != nil:
		return nil, err
	case !there && !o.begins:
		return nil, l.noState()
	case !there:
		if opts.Cluster, err = l.channel.Cluster(ctx); err != nil {
			return nil, fmt.Errorf("there is no state in %s yet, and the brokers do not tell which cluster they are: %w", l.stateDir(), err)
		}
		opts.Group = l.channelConfig.Group
	}
	log, err := commitlog.Open(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("open the state of sink %s: %w", l.sinkName, err)
	}
	return log, nil
}

func stateAcceptGap() *cobra.Command {
	var from, to int64
	return change("accept-gap", "Count offsets as done although nothing of them was published",
		`For events that are lost: retention has deleted them before they were read, or a batch cannot be decoded. They are not read again;
verify counts them as a gap, and the log keeps the reason.`,
		"penstock state accept-gap -c clicks.yaml --topic clicks --partition 3 --from 100 --to 200 --reason 'retention, ticket 4711'",
		func(c *cobra.Command, o *operation) {
			c.Flags().Int64Var(&from, "from", 0, "first offset of the gap")
			c.Flags().Int64Var(&to, "to", 0, "first offset behind the gap")
			require(c, "from", "to")
			o.check = func(ctx context.Context) error {
				if from < 0 || to <= from {
					return withCode(exitUsage, fmt.Errorf("--from %d --to %d: no range; --to is the first offset behind the gap", from, to))
				}
				return o.inLog(ctx, "to", to)
			}
		},
		func(ctx context.Context, o *operation) (commitlog.Change, error) {
			return o.log.AcceptGap(ctx, o.op, ingest.Range{First: ingest.Offset(from), Next: ingest.Offset(to)})
		})
}

// inLog refuses an offset behind the log's end: what is still to come would be left out.
func (o *operation) inLog(ctx context.Context, flag string, at int64) error {
	info, err := o.l.channel.Describe(ctx, o.part())
	if err != nil {
		return fmt.Errorf("ask the brokers where the log of %s ends: %w", o.part(), err)
	}
	if ingest.Offset(at) > info.End {
		return withCode(exitUsage, fmt.Errorf("--%s %d: the log of %s ends at %d, and events that are still to come would be left out", flag, at, o.part(), info.End))
	}
	return nil
}

// startFlag adds --start OFFSET; unset means the log's beginning.
func startFlag(c *cobra.Command, to *int64) {
	c.Flags().Int64Var(to, "start", -1, "offset to start at (default: the log's beginning)")
}

func startOf(offset int64) *ingest.Offset {
	if offset < 0 {
		return nil
	}
	o := ingest.Offset(offset)
	return &o
}

func stateAcceptTopic() *cobra.Command {
	var start int64
	return change("accept-topic", "Begin a new life: the topic was deleted and made again, or truncated",
		`The offsets of such a topic mean other events than those that were published. What was published stays; the new life begins at the log's
beginning, or at --start.`,
		"penstock state accept-topic -c clicks.yaml --topic clicks --partition 3 --reason 'topic made again'",
		func(c *cobra.Command, _ *operation) { startFlag(c, &start) },
		func(ctx context.Context, o *operation) (commitlog.Change, error) {
			return o.log.AcceptTopic(ctx, o.op, startOf(start))
		})
}

func stateReset() *cobra.Command {
	var start int64
	return change("reset", "Begin a new life whatever the log looks like; what is read again is published again",
		`For a manifest that cannot be read any more and is in no snapshot. What was published stays. Events that are read again are published again,
so choose --start with care: the names of the published files end with the offsets that they hold.`,
		"penstock state reset -c clicks.yaml --topic clicks --partition 3 --start 4000 --reason 'log was restored from a backup'",
		func(c *cobra.Command, _ *operation) { startFlag(c, &start) },
		func(ctx context.Context, o *operation) (commitlog.Change, error) {
			return o.log.Reset(ctx, o.op, startOf(start))
		})
}

func stateAcceptMissing() *cobra.Command {
	return change("accept-missing", "Give up published files that are not there any more",
		`For files that were deleted on purpose, or are lost for good. verify does not report them again, and a commit that cannot be finished for the
want of one is finished without it. Their events are not read again.`,
		"penstock state accept-missing -c clicks.yaml --topic clicks --partition 3 --reason 'deleted by mistake'", nil,
		func(ctx context.Context, o *operation) (commitlog.Change, error) {
			return o.log.AcceptMissing(ctx, o.op)
		})
}

func stateAdopt() *cobra.Command {
	var offset int64
	return change("adopt", "Begin, or go on, at an offset that something else says",
		`For a sink that takes over from another program, or whose state was moved or lost: everything before --offset counts as done, and what the
consumer group has committed is believed.`,
		"penstock state adopt -c clicks.yaml --topic clicks --partition 3 --offset 4000 --reason 'moved from Flume'",
		func(c *cobra.Command, o *operation) {
			c.Flags().Int64Var(&offset, "offset", 0, "everything before it counts as done")
			require(c, "offset")
			o.begins, o.check = true, func(ctx context.Context) error { return o.inLog(ctx, "offset", offset) }
		},
		func(ctx context.Context, o *operation) (commitlog.Change, error) {
			hint, err := o.l.hint(ctx, o.part())
			if err != nil {
				return commitlog.Change{}, fmt.Errorf("read what the group has committed: %w", err)
			}
			return o.log.Adopt(ctx, o.op, ingest.Offset(offset), hint)
		})
}

// hint is what the consumer group has committed, nil if nothing: adopting accepts it.
func (l *line) hint(ctx context.Context, p ingest.Partition) (*ingest.Hint, error) {
	h, ok, err := l.channel.Hint(ctx, p)
	if err != nil || !ok {
		return nil, err
	}
	return &h, nil
}
