package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"text/template"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/penstock-io/penstock/brokerlink/brokertest"
	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
)

const (
	demoTopic      = "clicks"
	demoPartitions = 4
	demoMarker     = ".penstock-demo" // makes a directory ours to clear
)

func demoCommand() *cobra.Command {
	var d demo
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show it all on this machine: an embedded broker, the real agent, a kill -9, and the proof",
		Long: `Starts an embedded Kafka broker in this process, produces JSON events into four partitions, runs the agent as a child
process that lands them as Parquet in a directory, kills it with -9 in the middle, starts it again, and proves with verify that every
event is in exactly one published file.`,
		Example: "  penstock demo --dir build/demo --events 1000000",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			d.out, d.talk = c.OutOrStdout(), c.ErrOrStderr()
			return d.run(c.Context())
		},
	}
	c.Flags().StringVar(&d.dir, "dir", "", "directory to land files in; an earlier demo's is cleared")
	c.Flags().Int64Var(&d.events, "events", 1_000_000, "events to produce")
	if err := errors.Join(c.MarkFlagRequired("dir"), c.MarkFlagDirname("dir")); err != nil {
		panic(err) // the flag was added above
	}
	return c
}

// demo is one run. Files: <dir>/data (the published files and .penstock), <dir>/demo.yaml, <dir>/agent.log.
type demo struct {
	dir    string
	events int64
	out    io.Writer     // results
	talk   io.Writer     // progress
	killed chan struct{} // closed when the agent was killed: the second half is produced after that
}

func (d *demo) run(ctx context.Context) error {
	if d.events < 1 {
		return withCode(exitUsage, fmt.Errorf("--events %d: at least 1", d.events))
	}
	dir, err := filepath.Abs(d.dir)
	if err != nil {
		return err
	}
	d.dir = dir
	if err := d.prepare(); err != nil {
		return err
	}
	broker, err := brokertest.Start(brokertest.Options{})
	if err != nil {
		return fmt.Errorf("start the embedded broker: %w", err)
	}
	defer broker.Close()
	if err := broker.CreateTopic(demoTopic, demoPartitions, nil); err != nil {
		return fmt.Errorf("make topic %s: %w", demoTopic, err)
	}
	if err := d.writeConfig(broker.Addrs()); err != nil {
		return err
	}

	begin := time.Now()
	d.killed = make(chan struct{})
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return d.produce(gctx, broker) })
	killed, err := d.land(gctx)
	if perr := g.Wait(); err == nil || errors.Is(err, context.Canceled) {
		err = errors.Join(perr, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("demo: %w (the agent's log: %s)", err, filepath.Join(d.dir, "agent.log"))
	}
	return d.report(ctx, time.Since(begin), killed)
}

// prepare makes dir empty, if it is ours to clear.
func (d *demo) prepare() error {
	entries, err := os.ReadDir(d.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read --dir: %w", err)
	}
	if _, err := os.Stat(filepath.Join(d.dir, demoMarker)); len(entries) > 0 && err != nil {
		return withCode(exitCannotWrite, fmt.Errorf("--dir %s holds something that is not a demo; name a directory that is empty or does not exist", d.dir))
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("clear the earlier demo: %w", err)
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return fmt.Errorf("make --dir: %w", err)
	}
	return os.WriteFile(filepath.Join(d.dir, demoMarker), nil, 0o600)
}

func (d *demo) configPath() string { return filepath.Join(d.dir, "demo.yaml") }

func (d *demo) writeConfig(brokers []string) error {
	var b bytes.Buffer
	t := template.Must(template.New("demo").Parse(`version: 1

channels:
  clicks:
    type: kafka-topic
    brokers: [{{range $i, $b := .Brokers}}{{if $i}}, {{end}}"{{$b}}"{{end}}]
    topics: [clicks]
    group: penstock-demo
    instance: demo

sinks:
  lake:
    type: hdfs
    channel: clicks
    path: "file://{{.Dir}}/data/dt=%Y-%m-%d/hr=%H"
    format: {type: parquet, compression: zstd}
    roll: {size: 16MiB, rows: {{.Rows}}, age: 4s, idle: 1s}

admin: {off: true}
`))
	if err := t.Execute(&b, struct {
		Brokers []string
		Dir     string
		Rows    int64
	}{brokers, d.dir, max(1000, d.events/32)}); err != nil {
		return err
	}
	return os.WriteFile(d.configPath(), b.Bytes(), 0o600)
}

// produce writes the events, in turn into each partition, so that a partition's events have ascending numbers.
func (d *demo) produce(ctx context.Context, broker *brokertest.Broker) error {
	gen := jsonevents.New(1, 1)
	begin := time.Now()
	events := func(yield func(brokertest.Event) bool) {
		for i := range d.events {
			body := gen.Append(make([]byte, 0, 640))
			// The generator's clock starts in the past; the demo's events are of now, one each 100 µs.
			e := brokertest.Event{Topic: demoTopic, Partition: int32(i % demoPartitions), Key: gen.AppendKey(nil), Body: body, Timestamp: begin.Add(time.Duration(i) * 100 * time.Microsecond)}
			if !yield(e) || i == d.events/2 && !d.halfway(ctx) {
				return
			}
		}
	}
	if err := broker.Stream(ctx, "zstd", events); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	return nil
}

// halfway waits until the agent was killed, so that it always is, however fast it has become.
func (d *demo) halfway(ctx context.Context) bool {
	select {
	case <-d.killed:
		return true
	case <-ctx.Done():
		return false
	}
}

// land runs the agent, kills it when a third is committed, starts it again, and waits until everything is committed. It returns
// how much was committed when the kill came.
func (d *demo) land(ctx context.Context) (killedAt int64, err error) {
	log, err := os.OpenFile(filepath.Join(d.dir, "agent.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	fmt.Fprintf(d.talk, "%d events into %d partitions of topic %s; the agent lands them in %s\n", d.events, demoPartitions, demoTopic, d.dir)

	a, err := d.startAgent(ctx, log)
	if err != nil {
		return 0, err
	}
	defer func() { a.kill() }()
	progress := newProgress(d.talk, d.events)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for restarted := false; ; {
		select {
		case <-ctx.Done():
			return killedAt, context.Cause(ctx)
		case err := <-a.ended:
			return killedAt, fmt.Errorf("the agent ended by itself: %w", err)
		case <-tick.C:
		}
		done, err := d.committed(ctx)
		if err != nil {
			return killedAt, err
		}
		progress.show(done)
		switch {
		case done >= d.events:
			progress.end()
			return killedAt, a.stop()
		case !restarted && done > 0 && done >= d.events/3:
			a.kill()
			killedAt, restarted = done, true
			close(d.killed)
			progress.say("kill -9 of the agent (pid %d) with %d events committed; starting it again", a.pid(), done)
			again, err := d.startAgent(ctx, log)
			if err != nil {
				return killedAt, err
			}
			a = again
		}
	}
}

// demoAgent is the agent as a child process.
type demoAgent struct {
	cmd   *exec.Cmd
	ended chan error
}

func (d *demo) startAgent(ctx context.Context, log io.Writer) (*demoAgent, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "run", "-c", d.configPath()) //nolint:gosec // ourselves
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childDiesWithUs()
	a := &demoAgent{cmd: cmd, ended: make(chan error, 1)}
	started := make(chan error, 1)
	go func() {
		// The kernel ends the child with the thread that started it, so that thread stays until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- fmt.Errorf("start the agent: %w", err)
			return
		}
		started <- nil
		a.ended <- cmd.Wait()
	}()
	return a, <-started
}

func (a *demoAgent) wait() error { return <-a.ended }

func (a *demoAgent) pid() int { return a.cmd.Process.Pid }

// kill is kill -9, and waits for the end.
func (a *demoAgent) kill() {
	if a.cmd.Process.Kill() == nil {
		_ = a.wait() // killed, as it should be
	}
}

// stop asks the agent to stop and returns how it did.
func (a *demoAgent) stop() error {
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := a.wait(); err != nil {
		return fmt.Errorf("stop the agent: %w", err)
	}
	return nil
}
