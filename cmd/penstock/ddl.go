package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats/avrofile"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/formats/sequencefile"
	"github.com/penstock-io/penstock/formats/textfile"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/registry"
)

func ddlCommand() *cobra.Command {
	var d ddl
	c := &cobra.Command{
		Use:   "ddl",
		Short: "Print the external table of a sink's files, for Hive, Impala and Spark",
		Long: `Prints CREATE EXTERNAL TABLE for the files of a sink, in HiveQL: the columns of its schema, or those of events as they are; partitions by the parts of its path that are key=value; and the
statement that finds new ones. Nothing is asked of the network.`,
		Example: "  penstock ddl -c clicks.yaml\n  penstock ddl -c clicks.yaml --sink lake --table web.clicks",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			doc, err := loadConfig(d.config)
			if err != nil {
				return err
			}
			return d.run(c.OutOrStdout(), doc)
		},
	}
	configFlag(c, &d.config)
	c.Flags().StringVar(&d.sink, "sink", "", "the name of one sink; all without it")
	c.Flags().StringVar(&d.table, "table", "", "the table's name, with its database if it has one; the sink's without it")
	return c
}

type ddl struct{ config, sink, table string }

func (d *ddl) run(out io.Writer, doc *conf.Document) error {
	found := 0
	for _, s := range doc.Sinks {
		c, ok := s.Config.(*hdfssink.Config)
		if !ok || d.sink != "" && d.sink != s.Name {
			continue
		}
		found++
		t, err := tableOf(c)
		if err != nil {
			return withCode(exitConfig, fmt.Errorf("sinks.%s: %w", s.Name, err))
		}
		t.name = s.Name
		if d.table != "" {
			t.name = d.table
		}
		fmt.Fprint(out, t)
	}
	switch {
	case found == 0:
		return withCode(exitUsage, fmt.Errorf("there is no sink %q in %s", d.sink, d.config))
	case found > 1 && d.table != "":
		return withCode(exitUsage, fmt.Errorf("--table is for one sink, and %s has %d: add --sink", d.config, found))
	}
	return nil
}

// table is an external table.
type table struct {
	name       string
	columns    []tableColumn
	partitions []string
	stored     string
	location   string
	notes      []string
}

type tableColumn struct{ name, typ string }

func tableOf(c *hdfssink.Config) (*table, error) {
	t := &table{}
	if err := t.format(c.Format); err != nil {
		return nil, err
	}
	scheme, authority, rest := hdfssink.SplitPath(c.Path)
	base, err := hdfssink.LiteralPrefix(rest)
	if err != nil {
		return nil, err
	}
	t.location = base
	if authority != "" || scheme == "file" {
		t.location = scheme + "://" + authority + base
	}
	for part := range strings.SplitSeq(strings.Trim(strings.TrimPrefix(rest, base), "/"), "/") {
		key, value, ok := strings.Cut(part, "=")
		named := func(c tableColumn) bool { return strings.EqualFold(c.name, key) }
		switch {
		case part == "":
		case ok && slices.Contains([]string{"%{field:" + key + "}", "%{field:$." + key + "}"}, value) && slices.ContainsFunc(t.columns, named):
			t.notes = append(t.notes, fmt.Sprintf("the column %s is in the files too, with the same values", key))
			t.columns = slices.DeleteFunc(t.columns, named)
			t.partitions = append(t.partitions, key)
		case !ok || strings.Contains(key, "%"):
			t.notes = append(t.notes, fmt.Sprintf("the directories %q are no partitions, since they are not key=value: set mapreduce.input.fileinputformat.input.dir.recursive=true", part))
		case slices.ContainsFunc(t.columns, named):
			return nil, fmt.Errorf("the column %q is in the files and in the path, and no table can have it twice: rename it in one of them", key)
		default:
			t.partitions = append(t.partitions, key)
		}
	}
	return t, nil
}

// format has the columns of a format's files.
func (t *table) format(c conf.Choice) error {
	var config bodies.Config
	var origin bool
	switch f := c.Config.(type) {
	case *parquetfile.Config:
		config, origin, t.stored = f.Config, f.Origin, "PARQUET"
	case *avrofile.Config:
		config, origin, t.stored = f.Config, f.Origin, "AVRO"
	case *sequencefile.Config:
		t.stored, t.columns = "SEQUENCEFILE", []tableColumn{{"line", "STRING"}}
		return nil
	case *textfile.Config:
		t.stored, t.columns = "TEXTFILE", []tableColumn{{"line", "STRING"}}
		return nil
	default:
		return fmt.Errorf("format type %q has no table", c.Type)
	}
	source, err := bodies.Open(config, registry.Options{})
	if err != nil {
		return err
	}
	if source == nil {
		headers := map[string]string{"PARQUET": "MAP<STRING,BINARY>", "AVRO": "ARRAY<STRUCT<`key`:STRING,`value`:BINARY>>"}[t.stored]
		t.columns = []tableColumn{
			{"key", "BINARY"}, {"body", "BINARY"}, {"headers", headers}, {"timestamp", "TIMESTAMP"}, {"topic", "STRING"}, {"partition", "INT"}, {"offset", "BIGINT"},
		}
	} else {
		for _, f := range source.Schema.Root.Fields {
			t.columns = append(t.columns, tableColumn{f.Name, f.Type.Hive()})
		}
		if origin {
			for i, typ := range []string{"TIMESTAMP", "STRING", "INT", "BIGINT"} {
				t.columns = append(t.columns, tableColumn{bodies.Origin()[i], typ})
			}
		}
	}
	if slices.ContainsFunc(t.columns, func(c tableColumn) bool { return strings.Contains(c.typ, "TIMESTAMP") }) && t.stored == "PARQUET" {
		t.notes = append(t.notes, "Hive before 4.0 reads Parquet's timestamps of 64 bits as BIGINT only: write that there")
	}
	return nil
}

// String is the statement.
func (t *table) String() string {
	var b strings.Builder
	for _, n := range t.notes {
		fmt.Fprintf(&b, "-- %s\n", n)
	}
	name := strings.Split(t.name, ".")
	for i := range name {
		name[i] = schema.HiveName(name[i])
	}
	full := strings.Join(name, ".")
	fmt.Fprintf(&b, "CREATE EXTERNAL TABLE %s (\n", full)
	for i, c := range t.columns {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, "  %s %s", schema.HiveName(c.name), c.typ)
	}
	b.WriteString("\n)\n")
	if len(t.partitions) > 0 {
		var by []string
		for _, p := range t.partitions {
			by = append(by, schema.HiveName(p)+" STRING")
		}
		fmt.Fprintf(&b, "PARTITIONED BY (%s)\n", strings.Join(by, ", "))
	}
	fmt.Fprintf(&b, "STORED AS %s\nLOCATION '%s';\n", t.stored, strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(t.location))
	if len(t.partitions) > 0 {
		fmt.Fprintf(&b, "MSCK REPAIR TABLE %s;\n", full)
	}
	return b.String()
}
