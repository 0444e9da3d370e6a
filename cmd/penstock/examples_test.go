package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spf13/cobra"

	"github.com/penstock-io/penstock/conf"
)

// examples are the configurations that people copy: those that ship, and the README's.
func examples(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("../../conf/examples/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("examples: %q, %v", files, err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		if all[f], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(readme(t), -1)
	if len(blocks) == 0 {
		t.Fatal("README.md has no configuration")
	}
	for _, b := range blocks {
		all["README.md"] = b[1]
	}
	return all
}

func readme(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestExamplesAreValid(t *testing.T) {
	for name, text := range examples(t) {
		doc, err := conf.Parse(name, text, kinds())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range doc.Warnings() {
			t.Errorf("%s: an example should give no warning: %s", name, w.String())
		}
	}
}

// TestSchemaAcceptsExamples: what `penstock schema` prints is what an editor checks a configuration with.
func TestSchemaAcceptsExamples(t *testing.T) {
	var printed bytes.Buffer
	if code := penstock(t.Context(), []string{"schema"}, &printed, t.Output()); code != exitOK {
		t.Fatalf("penstock schema: exit code %d", code)
	}
	text, err := jsonschema.UnmarshalJSON(&printed)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("penstock.json", text); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("penstock.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range examples(t) {
		if err := schema.Validate(instance(t, name, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := schema.Validate(instance(t, "base", []byte(strings.Replace(base, "group: penstock", "gruop: penstock", 1)))); err == nil {
		t.Error("the schema accepts a misspelled key")
	}
}

// instance is a configuration as an editor sees it.
func instance(t *testing.T, name string, text []byte) any {
	t.Helper()
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// TestDocumentedCommandsExist parses every command line that the README, the unit, the examples and --help show.
func TestDocumentedCommandsExist(t *testing.T) {
	texts := map[string]string{"README.md": string(readme(t))}
	unit, err := os.ReadFile("../../conf/systemd/penstock.service")
	if err != nil {
		t.Fatal(err)
	}
	texts["penstock.service"] = string(unit)
	for name, text := range examples(t) {
		texts[name] += string(text)
	}
	for c := range commandsBelow(rootCommand(t.Context())) {
		texts[c.CommandPath()+" --help"] = c.Example
		if c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
	}
	line := regexp.MustCompile("(?m)^(?:    |  |# +|Exec[A-Za-z]*=)(?:/usr/bin/|build/)?penstock ([a-z].*)$")
	found := 0
	for name, text := range texts {
		for _, m := range line.FindAllStringSubmatch(text, -1) {
			found++
			root := rootCommand(t.Context())
			c, rest, err := root.Find(words(m[1]))
			if err == nil {
				err = c.ParseFlags(rest)
			}
			if err == nil && c.RunE == nil {
				err = errors.New("it does nothing")
			}
			if err == nil {
				err = c.ValidateRequiredFlags()
			}
			if err != nil {
				t.Errorf("%s: penstock %s: %v", name, m[1], err)
			}
		}
	}
	if found < 25 {
		t.Errorf("only %d command lines were found", found)
	}
}

// commandsBelow yields a command and all below it that an operator sees.
func commandsBelow(c *cobra.Command) func(yield func(*cobra.Command) bool) {
	return func(yield func(*cobra.Command) bool) {
		all := []*cobra.Command{c}
		for i := 0; i < len(all); i++ {
			if !yield(all[i]) {
				return
			}
			all = append(all, all[i].Commands()...)
		}
	}
}

// words splits a line of a shell; what stands behind two spaces, a # or a pipe is not the command's.
func words(line string) []string {
	line = regexp.MustCompile(`   .*| +#.*| [|>] .*`).ReplaceAllString(line, "")
	quoted := regexp.MustCompile(`'[^']*'|\S+`).FindAllString(line, -1)
	return slices.DeleteFunc(quoted, func(w string) bool { return w == "" })
}
