package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/hdfssink/commitlog"
	"github.com/penstock-io/penstock/ingest"
)

func dlqReplay() *cobra.Command {
	r := replay{}
	c := &cobra.Command{
		Use: "replay --to TOPIC", Short: "Produce dead letters to a topic, as they were", Args: cobra.NoArgs,
		Long: `Produces key, body, headers and timestamp of dead letters to a topic of the channel's cluster, with the channel's login, in order, and waits for all replicas
in sync. Four headers tell where each came from: penstock.dlq.topic, .partition, .offset and .reason. The dead letters stay where they are: what is replayed twice
is there twice, and so may be what was under way when a broker did not answer.

A topic that the sink itself reads needs --again: what is refused once more comes back as another dead letter.`,
		Example: `  penstock dlq replay -c clicks.yaml --reason wrong_type --to clicks-repair --dry-run
  penstock dlq replay -c clicks.yaml --sink lake --to clicks --again`,
		RunE: func(c *cobra.Command, _ []string) error {
			r.out = c.OutOrStdout()
			return r.run(c.Context())
		},
	}
	r.add(c)
	c.Flags().StringVar(&r.reason, "reason", "", "those of one reason")
	c.Flags().Int64Var(&r.offset, "offset", -1, "the one at an offset")
	c.Flags().StringVar(&r.to, "to", "", "the topic to produce to")
	c.Flags().BoolVar(&r.again, "again", false, "allow a topic that the sink reads")
	c.Flags().BoolVar(&r.dryRun, "dry-run", false, "count, and produce nothing")
	require(c, "to")
	return c
}

// replay is one run of dlq replay.
type replay struct {
	dlqFlags
	to            string
	again, dryRun bool
	out           io.Writer

	line     *line // whose dead letters are being produced
	producer *brokerlink.Producer
	from     ingest.Partition // of waiting
	waiting  []ingest.Event
	bytes    int
	done     replayed
	all      []replayed
}

// replayed is what became of one sink's dead letters.
type replayed struct {
	Sink   string `json:"sink"`
	To     string `json:"to"`
	Events int64  `json:"events"`
	DryRun bool   `json:"dry_run"`
}

func (r *replay) run(ctx context.Context) error {
	err := r.files(ctx, func(l *line, file commitlog.Published) error { return r.file(ctx, l, file) })
	err = errors.Join(err, r.end(ctx, err == nil))
	if r.output == "json" {
		return errors.Join(err, printJSON(r.out, append([]replayed{}, r.all...)))
	}
	for _, d := range r.all {
		what := "produced"
		if d.DryRun {
			what = "would be produced (dry run)"
		}
		fmt.Fprintf(r.out, "sink %s: %d dead letters %s to %s\n", d.Sink, d.Events, what, d.To)
	}
	return err
}

func (r *replay) file(ctx context.Context, l *line, file commitlog.Published) error {
	if r.offset >= 0 && !file.Offsets.Contains(uint64(r.offset)) {
		return nil
	}
	if r.line != l {
		if err := r.begin(ctx, l); err != nil {
			return err
		}
	}
	if r.from != file.Partition {
		if err := r.send(ctx); err != nil {
			return err
		}
		r.from = file.Partition
	}
	return readDeadLetters(ctx, l.fs, file, func(e *ingest.Event, why *formats.RecordError) error {
		if r.offset >= 0 && int64(e.Offset) != r.offset || r.reason != "" && why.Code != r.reason {
			return nil
		}
		return r.event(ctx, e, why)
	})
}

// event takes one to be produced; few are held, since they may be large.
func (r *replay) event(ctx context.Context, e *ingest.Event, why *formats.RecordError) error {
	if r.dryRun {
		r.done.Events++
		return nil
	}
	for _, h := range []struct{ name, value string }{
		{"topic", r.from.Topic}, {"partition", strconv.Itoa(int(r.from.ID))}, {"offset", strconv.FormatInt(int64(e.Offset), 10)}, {"reason", why.Code},
	} {
		e.Headers = append(e.Headers, ingest.Header{Key: "penstock.dlq." + h.name, Value: []byte(h.value)})
	}
	r.waiting, r.bytes = append(r.waiting, *e), r.bytes+len(e.Body)
	if len(r.waiting) >= 500 || r.bytes >= 1<<20 {
		return r.send(ctx)
	}
	return nil
}

func (r *replay) send(ctx context.Context) error {
	if len(r.waiting) == 0 {
		return nil
	}
	if err := r.producer.Send(ctx, r.from.ID, r.waiting); err != nil {
		return err
	}
	r.done.Events += int64(len(r.waiting))
	r.waiting, r.bytes = r.waiting[:0], 0
	return nil
}

// begin goes over to another sink.
func (r *replay) begin(ctx context.Context, l *line) error {
	if err := r.end(ctx, true); err != nil {
		return err
	}
	reads, err := l.channelConfig.Reads(r.to)
	if err != nil {
		return err
	}
	if reads && !r.again {
		return withCode(exitUsage, fmt.Errorf("sink %s reads %s itself: what is refused again would come back as another dead letter; name another topic, or say --again", l.sinkName, r.to))
	}
	if r.producer, err = l.channel.NewProducer(ctx, r.to); err != nil {
		return err
	}
	r.line, r.from, r.done = l, ingest.Partition{}, replayed{Sink: l.sinkName, To: r.to, DryRun: r.dryRun}
	return nil
}

// end produces what waits, unless something went wrong, and notes what was done.
func (r *replay) end(ctx context.Context, send bool) (err error) {
	if r.line == nil {
		return nil
	}
	if send {
		err = r.send(ctx)
	}
	r.producer.Close()
	r.all = append(r.all, r.done)
	r.line = nil
	return err
}
