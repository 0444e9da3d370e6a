package main

import (
	"context"
	"errors"
	"fmt"
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
	checklist
	config  string
	connect bool

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
			if err == nil {
				err = m.findFields(c, &hdfssink.Options{})
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

func (v *validation) connectAll(ctx context.Context, doc *conf.Document) error {
	p, err := v.assemble(ctx, v.config, doc)
	if err == nil {
		defer p.close()
		for _, name := range slices.Sorted(maps.Keys(p.logins)) {
			_ = v.step(ctx, "kerberos."+name+": log in", func(ctx context.Context) (string, error) { // reported
				l := p.logins[name]
				if err := l.Affirm(ctx); err != nil {
					return "", err
				}
				return fmt.Sprintf("%s, ticket until %s", l.Principal(), l.Expiry().Local().Format(time.DateTime)), nil
			})
		}
		v.lines(ctx, p)
		err = v.verdict(ctx)
	}
	v.result.Steps = v.steps
	v.result.Valid = err == nil
	return err
}

// assemble puts the components together. Its failure is told already.
func (l *checklist) assemble(ctx context.Context, config string, doc *conf.Document) (p *plant, err error) {
	err = l.step(ctx, "read keytabs, ticket caches and Hadoop's configuration", func(ctx context.Context) (detail string, err error) {
		p, err = newPlant(ctx, doc, settings{config: config, log: slog.New(slog.DiscardHandler)})
		return "", err
	})
	if err != nil {
		return nil, told(codeOf(err), err)
	}
	return p, nil
}

// lines checks each channel and sink.
func (l *checklist) lines(ctx context.Context, p *plant) {
	for i := range p.lines {
		line := &p.lines[i]
		_ = l.step(ctx, "channels."+line.channelName+": describe", func(ctx context.Context) (string, error) { return describe(ctx, line) }) // reported, as are those below
		prefix := "sinks." + line.sinkName + ": "
		if line.check != nil {
			_ = l.step(ctx, prefix+"ask the registry", line.check)
		}
		dirs, err := line.directories()
		if err != nil {
			_ = l.step(ctx, prefix+"find its directories", func(context.Context) (string, error) { return "", err })
			continue
		}
		for _, dir := range dirs {
			_ = l.step(ctx, prefix+"look at "+dir, func(ctx context.Context) (string, error) { return preflight(ctx, line.fs, dir) })
			_ = l.step(ctx, prefix+"write, rename and delete a probe for "+dir, func(ctx context.Context) (string, error) { return probe(ctx, line.fs, dir) })
		}
	}
}
