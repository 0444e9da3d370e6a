package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// outputFlag adds -o text|json.
func outputFlag(c *cobra.Command, to *string) {
	c.Flags().StringVarP(to, "output", "o", "text", "text or json")
	completeFlag(c, "output", "text", "json")
	check := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if *to != "text" && *to != "json" {
			return withCode(exitUsage, fmt.Errorf("--output %q: text or json", *to))
		}
		if check != nil {
			return check(c, args)
		}
		return nil
	}
}

// configFlag adds -c FILE, which must be given.
func configFlag(c *cobra.Command, to *string) {
	c.Flags().StringVarP(to, "config", "c", "", "configuration file (YAML)")
	require(c, "config")
	fileFlag(c, "config")
}

// require says which flags must be given.
func require(c *cobra.Command, flags ...string) {
	for _, name := range flags {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // the flags were added by the caller
		}
	}
}

// fileFlag lets shells complete a flag with the names of configurations.
func fileFlag(c *cobra.Command, name string) {
	if err := c.MarkFlagFilename(name, "yaml", "yml"); err != nil {
		panic(err) // the flag was added by the caller
	}
}

// sinkFlag adds --sink NAME, which shells complete from the configuration.
func sinkFlag(c *cobra.Command, to, config *string) {
	c.Flags().StringVar(to, "sink", "", "the sink (may be left out when there is only one)")
	complete(c, "sink", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		doc, err := loadConfig(*config)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, s := range doc.Sinks {
			names = append(names, s.Name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}

// completeFlag lets shells complete a flag that takes one of a few words.
func completeFlag(c *cobra.Command, flag string, words ...string) {
	complete(c, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

func complete(c *cobra.Command, flag string, words cobra.CompletionFunc) {
	if err := c.RegisterFlagCompletionFunc(flag, words); err != nil {
		panic(err) // the flag was added by the caller
	}
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printLine is printJSON on one line.
func printLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// newLogger makes the agent's logger; the format auto is text for a terminal and JSON for anything else.
func newLogger(w io.Writer, format string, debug bool) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: readableDurations}
	if debug {
		o.Level = slog.LevelDebug
	}
	switch {
	case format == "text", format == "auto" && isTerminal(w):
		return slog.New(slog.NewTextHandler(w, o)), nil
	case format == "json", format == "auto":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, withCode(exitUsage, fmt.Errorf("--log-format %q: text, json or auto", format))
}

// readableDurations writes 1.5s where slog's JSON writes nanoseconds.
func readableDurations(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	i, err := f.Stat()
	return err == nil && i.Mode()&os.ModeCharDevice != 0
}

// firstLine cuts a message for places that have room for one line.
func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}
