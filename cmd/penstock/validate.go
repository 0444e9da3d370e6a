package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/registry"
)

func validateCommand() *cobra.Command {
	var v validation
	c := &cobra.Command{
		Use:   "validate",
		Short: "Check a configuration, and with --connect everything that it needs",
		Long: `Checks syntax, schema and meaning, tells all mistakes at once, and prints every value that was assumed. With --connect it also logs
in, looks at the target directories, writes, renames and deletes a probe file there, and describes the topics. It changes nothing else.`,
		Example: "  penstock validate -c clicks.yaml\n  penstock validate -c clicks.yaml --connect\n  penstock validate -c clicks.yaml -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v.out = c.OutOrStdout()
			return v.run(c.Context())
		},
	}
	configFlag(c, &v.config)
	outputFlag(c, &v.output)
	c.Flags().BoolVar(&v.connect, "connect", false, "log in, write a probe, describe the topics")
	c.Flags().DurationVar(&v.timeout, "timeout", 30*time.Second, "for each step of --connect")
	return c
}

// validation is one run of validate.
type validation struct {
	config, output string
	connect        bool
	timeout        time.Duration
	out            io.Writer

	result validationResult
}

// validationResult is the JSON form.
type validationResult struct {
	Valid    bool           `json:"valid"`
	Problems []conf.Problem `json:"problems,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
	Assumed  []conf.Assumed `json:"assumed,omitempty"`
	Steps    []step         `json:"steps,omitempty"`
}

// step is one check of --connect.
type step struct {
	Name   string  `json:"name"`
	OK     bool    `json:"ok"`
	Millis float64 `json:"millis"`
	Detail string  `json:"detail,omitempty"`
	Error  string  `json:"error,omitempty"`
}

func (v *validation) run(ctx context.Context) error {
	doc, err := conf.Load(v.config, kinds())
	var invalid *conf.Error
	switch {
	case errors.As(err, &invalid):
		if v.output == "json" {
			v.result.Problems = invalid.Problems
			return errors.Join(told(exitConfig, err), printJSON(v.out, v.result))
		}
		return withCode(exitConfig, fmt.Errorf("the configuration is invalid\n%s", invalid.Long()))
	case err != nil:
		return withCode(exitConfig, err)
	}
	if err := checkFormats(doc); err != nil {
		return err
	}
	v.result.Valid, v.result.Assumed = true, doc.Assumed()
	for _, w := range doc.Warnings() {
		v.result.Warnings = append(v.result.Warnings, w.String())
	}
	v.text("%s: valid\n", v.config)
	for _, w := range v.result.Warnings {
		v.text("%s\n", w)
	}
	v.text("assumed, because they are not written:\n")
	for _, a := range v.result.Assumed {
		v.text("  %s: %s\n", a.Path, a.Value)
	}
	if v.connect {
		err = v.connectAll(ctx, doc)
	}
	if v.output == "json" {
		return errors.Join(err, printJSON(v.out, v.result))
	}
	return err
}

// checkFormats finds what is wrong with a schema beyond its syntax.
func checkFormats(doc *conf.Document) error {
	var all []error
	for _, s := range doc.Sinks {
		if c, ok := s.Config.(*hdfssink.Config); ok {
			m, err := newFormat(c.Format, registry.Options{})
			if names := c.EventTime.Field(); err == nil && len(names) > 0 {
				if _, err = m.source.Moments(names, c.EventTime.Unit); err != nil {
					err = fmt.Errorf("event_time.from: %w", err)
				}
			}
			if err != nil {
				all = append(all, fmt.Errorf("sinks.%s: %w", s.Name, err))
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return withCode(exitConfig, fmt.Errorf("the configuration is invalid: %w", errors.Join(all...)))
}

func (v *validation) text(format string, args ...any) {
	if v.output != "json" {
		fmt.Fprintf(v.out, format, args...)
	}
}

// step runs one check and reports it. Later steps run even when an earlier one failed, so that all that is wrong is seen at once.
func (v *validation) step(ctx context.Context, name string, check func(ctx context.Context) (detail string, err error)) error {
	if err := context.Cause(ctx); err != nil {
		return err // interrupted
	}
	ctx, cancel := context.WithTimeout(ctx, v.timeout)
	defer cancel()
	begin := time.Now()
	detail, err := check(ctx)
	took := time.Since(begin)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil {
		err = fmt.Errorf("not done within %s (--timeout): %w", v.timeout, err)
	}
	s := step{Name: name, OK: err == nil, Millis: float64(took.Microseconds()) / 1000, Detail: detail}
	mark, note := "ok    ", detail
	if err != nil {
		s.Error, mark, note = err.Error(), "FAILED", err.Error()
	}
	v.result.Steps = append(v.result.Steps, s)
	v.text("%s  %s (%d ms)", mark, name, took.Milliseconds())
	if note != "" {
		v.text(": %s", note)
	}
	v.text("\n")
	return err
}

func (v *validation) connectAll(ctx context.Context, doc *conf.Document) error {
	var p *plant
	err := v.step(ctx, "read keytabs, ticket caches and Hadoop's configuration", func(ctx context.Context) (detail string, err error) {
		p, err = newPlant(ctx, doc, settings{config: v.config, log: slog.New(slog.DiscardHandler)})
		return "", err
	})
	if err != nil {
		v.result.Valid = false
		return told(codeOf(err), err)
	}
	defer p.close()
	var failed []error
	note := func(err error) {
		if err != nil {
			failed = append(failed, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.logins)) {
		note(v.step(ctx, "kerberos."+name+": log in", func(ctx context.Context) (string, error) {
			l := p.logins[name]
			if err := l.Affirm(ctx); err != nil {
				return "", err
			}
			return fmt.Sprintf("%s, ticket until %s", l.Principal(), l.Expiry().Local().Format(time.DateTime)), nil
		}))
	}
	for i := range p.lines {
		l := &p.lines[i]
		note(v.step(ctx, "channels."+l.channelName+": describe", func(ctx context.Context) (string, error) { return describe(ctx, l) }))
		v.sink(ctx, l, note)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if len(failed) == 0 {
		return nil
	}
	v.result.Valid = false
	return withCode(codeOf(errors.Join(failed...)), fmt.Errorf("%d of %d checks failed", len(failed), len(v.result.Steps)))
}

func (v *validation) sink(ctx context.Context, l *line, note func(error)) {
	prefix := "sinks." + l.sinkName + ": "
	if l.check != nil {
		note(v.step(ctx, prefix+"ask the registry", l.check))
	}
	dirs, err := l.directories()
	if err != nil {
		note(err)
		return
	}
	for _, dir := range dirs {
		note(v.step(ctx, prefix+"look at "+dir, func(ctx context.Context) (string, error) { return preflight(ctx, l.fs, dir) }))
		note(v.step(ctx, prefix+"write, rename and delete a probe for "+dir, func(ctx context.Context) (string, error) { return probe(ctx, l.fs, dir) }))
	}
}
