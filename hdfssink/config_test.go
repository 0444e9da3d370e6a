package hdfssink_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/hdfssink"
)

func registry() conf.Registry {
	none := func() struct{} { return struct{}{} }
	return conf.Registry{Blocks: map[string][]conf.Kind{"format": {
		conf.KindOf("parquet", "columns", none),
		conf.KindOf("text", "lines", none),
	}}}
}

func TestConfigDefaults(t *testing.T) {
	c := hdfssink.DefaultConfig()
	if err := conf.Unmarshal([]byte(`path: "/data/clicks/dt=%Y-%m-%d/hr=%H"`), &c, registry()); err != nil {
		t.Fatal(err)
	}
	if c.State != "/data/clicks/.penstock" || c.Roll.Size != 128*conf.MiB || c.Roll.Age.Std() != 15*time.Minute || c.Roll.Idle.Std() != 2*time.Minute ||
		c.BlockSize != 144*conf.MiB || c.Format.Type != "parquet" || c.Start != "earliest" || c.OnGap != "stop" {
		t.Errorf("%+v", c)
	}
}

func TestConfigOfEverything(t *testing.T) {
	c := hdfssink.DefaultConfig()
	err := conf.Unmarshal([]byte(`
path: "hdfs://ns1/data/%{topic}/dt=%Y-%m-%d/%H%M"
hadoop: east
zone: Europe/Berlin
round: 10m
event_time: {from: header ts, min: -90d, max: 2030-01-01T00:00:00Z}
missing_header: unknown
format: {type: text}
roll: {size: 256MiB, rows: 1000000, age: 1h, idle: 0, window: 10m}
state: hdfs://ns1/data/.penstock
start: 2026-01-31
on_gap: accept
dead_letters: {dir: /data/.dead}
permissions: {dir: "0750", file: "0640"}
block_size: 256MiB
max_open_files: 200
closers: 2
`), &c, registry())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hdfssink.New(c, hdfssink.Options{Name: "lake", Format: lines{ext: "txt"}}); err != nil {
		t.Fatal(err)
	}
}

func TestConfigMistakes(t *testing.T) {
	for _, c := range []struct{ yaml, what, fix string }{
		{`path: "data/%Y"`, `character 1: the path is not absolute`, `begin it with / or a scheme such as hdfs://ns1/`},
		{`path: "hdfs://ns1/d/%Q"`, `character 14: %Q is no escape`, `write %% for a percent sign`},
		{`path: "/d/%{field:.id}"`, `character 4: %{field:.id} names no field`, `%{field:NAME}`},
		{`path: "/d/%{a"`, `character 4: %{ is not closed`, `add the }`},
		{`path: "/d/a:b"`, `character 5: HDFS allows no ':' in a name`, `choose another name`},
		{`path: "/d/_x/%Y"`, `do not read "_x"`, `choose another name`},
		{`{path: "/d/%Y", block_size: 64MiB}`, `64MiB is smaller than roll.size, 128MiB`, `write block_size: 128MiB`},
		{`{path: "/d/%Y", roll: {size: 128}}`, `128`, `128MiB`},
		{`{path: "/d/%H%M", round: 7m}`, `7m0s does not divide a day`, `10m`},
		{`{path: "/d/%{app}", round: 10m}`, `the path has no time in it`, `dt=%Y-%m-%d`},
		{`{path: "/d/%Y", event_time: {from: yesterday}}`, `"yesterday" names no time`, `header NAME`},
		{`{path: "/d/%Y", event_time: {from: "field user.ts"}}`, `"field user.ts" names no field`, `field $.NAME`},
		{`{path: "/d/%Y", event_time: {from: "field $.a..b"}}`, `names no field`, `field $.NAME`},
		{`{path: "/d/%Y", event_time: {unit: s}}`, `the time is not read from a field`, `from: field $.NAME`},
		{`{path: "/d/%Y", event_time: {min: soon}}`, `"soon" is no bound`, `2000-01-01`},
		{`{path: "/d/%Y", event_time: {min: 2031-01-01, max: 2030-01-01}}`, `2031-01-01 is not before event_time.max, 2030-01-01`, `min: 2000-01-01`},
		{`{path: "/d/%Y", start: begin}`, `"begin" is neither earliest nor latest nor a time`, `2026-01-31T06:00:00Z`},
		{`{path: "/d/%Y", on_gap: skip}`, `skip`, `stop`},
		{`{path: "/d/%Y", missing_header: "a/b"}`, `"a/b" cannot be part of a directory's name`, `none`},
		{`{path: "hdfs://ns1/d/%Y", state: "hdfs://ns2/d"}`, `is on another file system than the path`, `/d`},
		{`{path: "/d/%Y", state: "x"}`, `"x" is not an absolute directory`, `/d/.penstock`},
		{`{path: "/d/%Y", dead_letters: {dir: x}}`, `"x" is not an absolute path`, `leave it out`},
		{`{path: "/d/%Y", max_open_files: 0}`, `0`, ``},
		{`{path: "/d/%Y", rol: {size: 1MiB}}`, `rol`, `roll`},
		{`{roll: {size: 1MiB}}`, `path`, ``},
	} {
		cfg := hdfssink.DefaultConfig()
		err := conf.Unmarshal([]byte(c.yaml), &cfg, registry())
		var e *conf.Error
		if !errors.As(err, &e) || len(e.Problems) != 1 {
			t.Errorf("%s: %v", c.yaml, err)
			continue
		}
		if p := e.Problems[0]; !strings.Contains(p.What, c.what) && !strings.Contains(p.Path, c.what) || !strings.Contains(p.Fix+p.What, c.fix) || p.Line == 0 {
			t.Errorf("%s:\n what %s\n fix  %s\n line %d", c.yaml, p.What, p.Fix, p.Line)
		}
	}
}
