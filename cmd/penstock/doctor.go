package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats/avrofile"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/dfs/native"
	"github.com/penstock-io/penstock/kerberos"
	"github.com/penstock-io/penstock/registry"
)

func kerberosCommand() *cobra.Command {
	c := &cobra.Command{Use: "kerberos", Short: "Find out why a login fails", Example: "  penstock kerberos check -c clicks.yaml"}
	var e examination
	check := &cobra.Command{
		Use:   "check",
		Short: "Look at all that the identities of a configuration depend on",
		Long: `For each identity, or that of --identity: the krb5 configuration, the keytab (principal, versions and types of its keys, who may read it) or the ticket cache, every KDC of the realm and its
clock, the login, and a ticket for each NameNode, broker and registry that the configuration names for it. Each line says what was found or what to do. The first failure is most
likely the cause of those behind it. It logs in once, and changes nothing.`,
		Example: "  penstock kerberos check -c clicks.yaml\n  penstock kerberos check -c clicks.yaml --identity ingest -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e.out = c.OutOrStdout()
			return e.run(c.Context(), e.identities)
		},
	}
	e.flags(check)
	check.Flags().StringVar(&e.identity, "identity", "", "the name of one entry under kerberos; all without it")
	c.AddCommand(check)
	return c
}

func doctorCommand() *cobra.Command {
	var e examination
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that a configuration needs, from the keytab to a probe on HDFS",
		Long: `What kerberos check and validate --connect do, and what a NameNode and this client agree on: which one is active, as whom it knows us, what protects the calls. Run it as the user that runs
the agent. It changes nothing but a probe file that it writes, renames and deletes in each target directory.`,
		Example: "  penstock doctor -c clicks.yaml\n  penstock doctor -c clicks.yaml -o json",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			e.out = c.OutOrStdout()
			return e.run(c.Context(), e.everything)
		},
	}
	e.flags(c)
	return c
}

// examination is one run of either.
type examination struct {
	checklist
	config, identity string
}

func (e *examination) flags(c *cobra.Command) {
	configFlag(c, &e.config)
	outputFlag(c, &e.output)
	c.Flags().DurationVar(&e.timeout, "timeout", 30*time.Second, "for each check")
}

// examined is the JSON form.
type examined struct {
	OK    bool   `json:"ok"`
	Steps []step `json:"steps"`
}

func (e *examination) run(ctx context.Context, checks func(context.Context, *conf.Document) error) error {
	doc, err := loadConfig(e.config)
	if err != nil {
		return err
	}
	err = checks(ctx, doc)
	if err == nil {
		err = e.verdict(ctx)
	}
	if e.output == "json" {
		if perr := printJSON(e.out, examined{OK: err == nil, Steps: e.steps}); perr != nil {
			return perr
		}
	}
	return err
}

// identities examines those of the configuration.
func (e *examination) identities(ctx context.Context, doc *conf.Document) error {
	names := slices.Sorted(maps.Keys(doc.Kerberos))
	if e.identity != "" {
		if doc.Kerberos[e.identity] == nil {
			return withCode(exitUsage, fmt.Errorf("there is no identity kerberos.%s in %s; it has: %v", e.identity, e.config, names))
		}
		names = []string{e.identity}
	}
	for _, name := range names {
		id, err := identity(doc.Kerberos[name])
		if err != nil {
			return fmt.Errorf("kerberos.%s: %w", name, err)
		}
		services, err := servicesOf(doc, name)
		if err != nil {
			_ = e.step(ctx, "kerberos."+name+": find what it needs tickets for", func(context.Context) (string, error) { return "", withCode(exitConfig, err) }) // reported
		}
		kerberos.Examine(id, services, func(what string, check func(context.Context) (string, error)) error {
			return e.step(ctx, "kerberos."+name+": "+what, check)
		})
	}
	if len(names) == 0 {
		e.text("there are no identities under kerberos\n")
	}
	return nil
}

// everything examines the identities, and then does what run will need.
func (e *examination) everything(ctx context.Context, doc *conf.Document) error {
	if err := e.identities(ctx, doc); err != nil {
		return err
	}
	p, err := e.assemble(ctx, e.config, doc)
	if err != nil {
		return nil // reported, with its code
	}
	defer p.close()
	for _, key := range slices.Sorted(maps.Keys(p.files)) {
		if fs, ok := p.files[key].(*native.FS); ok {
			_ = e.step(ctx, "hadoop."+strings.TrimSpace(key)+": ask the NameNode", fs.Describe) // reported
		}
	}
	e.lines(ctx, p)
	return nil
}

// servicesOf lists what an identity must have tickets for: NameNodes, brokers and registries.
func servicesOf(doc *conf.Document, name string) (services []kerberos.SPN, err error) {
	add := func(more ...kerberos.SPN) {
		for _, spn := range more {
			if !slices.Contains(services, spn) {
				services = append(services, spn)
			}
		}
	}
	for _, s := range doc.Sinks {
		if c, ok := s.Config.(*hdfssink.Config); ok {
			of, err := sinkServices(c, doc.Hadoop[c.Hadoop], name)
			if err != nil {
				return nil, fmt.Errorf("hadoop.%s: %w", c.Hadoop, err)
			}
			add(of...)
		}
	}
	for _, ch := range doc.Channels {
		if c, ok := ch.Config.(*brokerlink.Config); ok && c.SASL != nil && c.SASL.Kerberos == name {
			add(c.Services()...)
		}
	}
	return services, nil
}

func sinkServices(c *hdfssink.Config, cluster *conf.Cluster, name string) (services []kerberos.SPN, err error) {
	scheme, authority, _ := hdfssink.SplitPath(c.Path)
	if scheme != "file" && cluster != nil && cluster.Kerberos == name {
		site, _, err := hadoopSite(cluster)
		if err != nil {
			return nil, err
		}
		if services, err = native.Services(site, hdfsURI(authority)); err != nil {
			return nil, err
		}
	}
	if r := registryOf(c.Format); r != nil && r.Kerberos == name {
		services = append(services, r.Services()...)
	}
	return services, nil
}

// registryOf is the registry of a format, if it has one.
func registryOf(c conf.Choice) *registry.Config {
	switch f := c.Config.(type) {
	case *parquetfile.Config:
		return f.Registry
	case *avrofile.Config:
		return f.Registry
	default:
		return nil
	}
}
