package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/formats/schema/infer"
)

func inferCommand() *cobra.Command {
	var name string
	var events int
	c := &cobra.Command{
		Use:   "infer [FILE]",
		Short: "Propose an Avro schema for JSON events, from a sample of them",
		Long: `Reads JSON events, one on each line, from a file or the standard input, and prints an Avro schema into which they fit. What to look at before it is used is told on the standard error: fields of
several types, names that no column can have, guesses.`,
		Example: "  penstock infer sample.json\n  penstock infer --name click --events 10000",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			in := c.InOrStdin()
			if len(args) == 1 {
				f, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer f.Close()
				in = f
			}
			return propose(in, c.OutOrStdout(), c.ErrOrStderr(), name, events)
		},
	}
	c.Flags().StringVar(&name, "name", "event", "the name of the record")
	c.Flags().IntVar(&events, "events", 100_000, "read so many events at most")
	return c
}

// maxLine is what one event may have, in bytes.
const maxLine = 64 << 20

func propose(in io.Reader, out, notes io.Writer, name string, most int) error {
	var sample infer.Sample
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for n := 1; sample.Events() < most && lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := sample.Add(lines.Bytes()); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a line has more than %d bytes: one event is wanted on each", maxLine)
		}
		return fmt.Errorf("read events: %w", err)
	}
	text, doubts, err := sample.Schema(name)
	if err == nil {
		_, err = schema.Parse(text) // as --name may be none
	}
	if err != nil {
		return err
	}
	if _, err := out.Write(text); err != nil {
		return err
	}
	fmt.Fprintf(notes, "penstock: from %d events\n", sample.Events())
	for _, d := range doubts {
		fmt.Fprintf(notes, "penstock: %s\n", d)
	}
	return nil
}
