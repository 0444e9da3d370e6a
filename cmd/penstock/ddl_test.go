package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/conf"
)

// printDDL is what the command prints for a configuration with one sink, whose path and format are given.
func printDDL(t *testing.T, path, format string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/order.avsc", []byte(`{"type":"record","name":"order","fields":[
		{"name":"id","type":"long"},{"name":"day","type":{"type":"int","logicalType":"date"}},{"name":"at","type":["null",{"type":"long","logicalType":"timestamp-micros"}]},
		{"name":"exact","type":{"type":"long","logicalType":"timestamp-nanos"}},{"name":"daily","type":{"type":"int","logicalType":"time-millis"}},
		{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},{"name":"ok","type":"boolean"},{"name":"ratio","type":"float"},
		{"name":"kind","type":{"type":"enum","name":"kind","symbols":["A"]}},{"name":"key","type":{"type":"fixed","name":"k","size":4}},
		{"name":"lines","type":{"type":"array","items":["null",{"type":"record","name":"line","fields":[{"name":"sku","type":{"type":"string","logicalType":"uuid"}},{"name":"n","type":"int"}]}]}},
		{"name":"tags","type":{"type":"map","values":"double"}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	text := `version: 1
channels:
  c: {type: kafka-topic, brokers: ["b:9092"], topics: [t], group: g}
sinks:
  lake: {type: hdfs, channel: c, path: "` + path + `", format: {` + strings.ReplaceAll(format, "DIR", dir) + `}}
admin: {off: true}
`
	if err := os.WriteFile(dir+"/penstock.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := conf.Load(dir+"/penstock.yaml", kinds())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	d := ddl{config: "penstock.yaml", table: "web.orders"}
	err = d.run(&out, doc)
	return out.String(), err
}

func TestDDL(t *testing.T) {
	const columns = "  `id` BIGINT,\n  `day` DATE,\n  `at` TIMESTAMP,\n  `exact` BIGINT,\n  `daily` INT,\n  `price` DECIMAL(12,2),\n  `ok` BOOLEAN,\n  `ratio` FLOAT,\n  `kind` STRING,\n  `key` BINARY,\n" +
		"  `lines` ARRAY<STRUCT<`sku`:STRING,`n`:INT>>,\n  `tags` MAP<STRING,DOUBLE>"
	for _, c := range []struct{ path, format, want string }{
		{
			"/data/orders/dt=%Y-%m-%d/hr=%H", "type: parquet, schema: DIR/order.avsc, origin: false",
			"-- Hive before 4.0 reads Parquet's timestamps of 64 bits as BIGINT only: write that there\nCREATE EXTERNAL TABLE `web`.`orders` (\n" + columns +
				"\n)\nPARTITIONED BY (`dt` STRING, `hr` STRING)\nSTORED AS PARQUET\nLOCATION '/data/orders';\nMSCK REPAIR TABLE `web`.`orders`;\n",
		},
		{
			"hdfs://prod/data/it's/%{kind}", "type: avro, schema: DIR/order.avsc, origin: true",
			"-- the directories \"%{kind}\" are no partitions, since they are not key=value: set mapreduce.input.fileinputformat.input.dir.recursive=true\nCREATE EXTERNAL TABLE `web`.`orders` (\n" + columns +
				",\n  `kafka_timestamp` TIMESTAMP,\n  `kafka_topic` STRING,\n  `kafka_partition` INT,\n  `kafka_offset` BIGINT\n)\nSTORED AS AVRO\nLOCATION 'hdfs://prod/data/it\\'s';\n",
		},
		{
			"/data/kind=%{field:kind}/id=%{field:$.id}/tenant=%{field:tenant}", "type: avro, schema: DIR/order.avsc, origin: false",
			"-- the column kind is in the files too, with the same values\n-- the column id is in the files too, with the same values\nCREATE EXTERNAL TABLE `web`.`orders` (\n" +
				strings.NewReplacer("  `id` BIGINT,\n", "", "  `kind` STRING,\n", "").Replace(columns) +
				"\n)\nPARTITIONED BY (`kind` STRING, `id` STRING, `tenant` STRING)\nSTORED AS AVRO\nLOCATION '/data';\nMSCK REPAIR TABLE `web`.`orders`;\n",
		},
		{"file:///logs", "type: text", "CREATE EXTERNAL TABLE `web`.`orders` (\n  `line` STRING\n)\nSTORED AS TEXTFILE\nLOCATION 'file:///logs';\n"},
	} {
		if got, err := printDDL(t, c.path, c.format); err != nil || got != c.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", c.path, err, got, c.want)
		}
	}
	for _, c := range []struct{ path, format, want string }{
		{"/data/day=%Y-%m-%d", "type: parquet, schema: DIR/order.avsc", `the column "day" is in the files and in the path`},
		{"/data/day=%{field:at}", "type: parquet, schema: DIR/order.avsc", `the column "day" is in the files and in the path`},
		{"/data/Topic=%{topic}", "type: parquet", `the column "Topic" is in the files and in the path`},
	} {
		if _, err := printDDL(t, c.path, c.format); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.path, err)
		}
	}
}
