package conf_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/penstock-io/penstock/conf"
)

// compile checks the schema against the meta-schema of its draft on the way.
func compile(t *testing.T, reg conf.Registry) *jsonschema.Schema {
	t.Helper()
	data, err := reg.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("penstock.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("penstock.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// instance is a YAML file as an editor hands it to the schema.
func instance(t *testing.T, text string) any {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAcceptsWhatLoads(t *testing.T) {
	t.Parallel()
	s := compile(t, testRegistry())
	paths, _ := filepath.Glob("testdata/good/*.yaml")
	if len(paths) == 0 {
		t.Fatal("no files")
	}
	for _, path := range paths {
		if name := filepath.Base(path); name == "anchors.yaml" || name == "flow.yaml" {
			continue // the converter used here neither resolves merges nor reads addresses in braces; editors do
		}
		if err := s.Validate(instance(t, read(t, path))); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestSchemaRefuses lists the mistakes that an editor should show while one types.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	s := compile(t, testRegistry())
	for _, name := range []string{
		"version-missing", "version-2", "version-quoted", "top-level-typo", "unknown-key", "flume-key", "size-no-unit", "size-bad-unit", "size-not-a-size",
		"duration-no-unit", "duration-bad", "wrong-shapes", "enum", "format-unknown", "format-key", "zone-and-mode", "secret-literal",
		"secret-number", "missing-keys", "brokers-as-string", "host-port", "kafka-source", "file-source", "unknown-type", "type-missing", "names", "all-at-once",
	} {
		if err := s.Validate(instance(t, read(t, "testdata/errors/"+name+".yaml"))); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// TestSchemaOfFewKinds: a binary without sources still prints a schema.
func TestSchemaOfFewKinds(t *testing.T) {
	t.Parallel()
	s := compile(t, conf.Registry{})
	if err := s.Validate(instance(t, "version: 1\n")); err != nil {
		t.Error(err)
	}
	if err := s.Validate(instance(t, "version: 1\nsources: {s: {type: exec}}\n")); err == nil {
		t.Error("a source was accepted where there is none")
	}
}

func TestSchemaDescribes(t *testing.T) {
	t.Parallel()
	data, err := testRegistry().Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Defs map[string]struct {
			Description string
			Required    []string
			Properties  map[string]map[string]any
		} `json:"$defs"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	sink := s.Defs["sinks.hdfs"]
	if sink.Description != "Files on HDFS." || sink.Properties["on_gap"]["default"] != "stop" || sink.Properties["path"]["description"] != "Target, with escapes." {
		t.Errorf("%+v", sink)
	}
	golden(t, "testdata/schema.golden.json", string(data))
}
