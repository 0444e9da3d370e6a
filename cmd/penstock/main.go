// Penstock takes events from Kafka topics and lands them in files on HDFS, exactly once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/ingest/agent"
)

func main() {
	os.Exit(penstock(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// penstock runs one command line and returns its exit code. Data goes to stdout, talk to stderr.
func penstock(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	stop, hard, release := interrupts(ctx)
	defer release()
	root, started := rootCommand(hard), false
	noteStart(root, &started)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(stop)
	if err == nil {
		return exitOK
	}
	code := codeOf(err)
	if !started {
		code = exitUsage
	}
	by, interrupted := errors.AsType[*interruptedError](context.Cause(stop))
	switch {
	case interrupted && errors.Is(err, by):
		code = by.code()
	case interrupted && (errors.Is(err, context.Canceled) || errors.Is(err, agent.ErrAbandoned)):
		code, err = by.code(), fmt.Errorf("%w: %w", by, err)
	}
	var quiet *codeError
	if !errors.As(err, &quiet) || !quiet.told {
		fmt.Fprintf(stderr, "penstock: %v\n", err)
	}
	return code
}

// rootCommand has all the others; hard is when `run` has to end at once.
func rootCommand(hard context.Context) *cobra.Command {
	root := &cobra.Command{
		Use:   "penstock",
		Short: "Carries events from Kafka topics into files on HDFS, exactly once",
		Long: `Carries events from Kafka topics into files on HDFS, exactly once.

Results go to stdout, everything else to stderr. Exit codes:

    0  done; of run: told to stop, and everything is committed
    1  unexpected failure; trying again may help
   64  bad command line
   65  a proof failed, or there was nothing to prove it by (verify, demo)
   69  Kafka, HDFS or the KDC cannot be reached, or a topic does not exist; try again later
   73  the target cannot be written: quota, no space
   75  somebody else holds what is needed: the admin port, the place in the group, or a partition that an agent claimed meanwhile
   77  login or permission refused
   78  the configuration is invalid
  130  interrupted by SIGINT, 143 by SIGTERM; what was committed stays committed, the rest is read again`,
		Example: `  penstock demo --dir build/demo
  penstock validate -c clicks.yaml --connect
  penstock run -c clicks.yaml
  penstock verify -c clicks.yaml --files`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return withCode(exitUsage, fmt.Errorf("%w (see: %s --help)", err, c.CommandPath()))
	})
	//nolint:contextcheck // cobra hands the context to each command
	root.AddCommand(runCommand(hard), validateCommand(), verifyCommand(), stateCommand(), dlqCommand(), ddlCommand(), inferCommand(), kerberosCommand(), doctorCommand(), demoCommand(), schemaCommand(), versionCommand())
	return root
}

// noteStart tells errors in a command line from those of the command, which cobra does not.
func noteStart(c *cobra.Command, started *bool) {
	if run := c.RunE; run != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			*started = true
			return run(c, args)
		}
	}
	for _, sub := range c.Commands() {
		noteStart(sub, started)
	}
}
