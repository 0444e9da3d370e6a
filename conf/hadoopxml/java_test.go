package hadoopxml_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/conf/hadoopxml"
)

// odd is testdata/odd in the surroundings in which java.golden was made.
func odd(t *testing.T) *hadoopxml.Config {
	t.Helper()
	c, err := hadoopxml.Load(hadoopxml.Options{
		Dir: "testdata/odd",
		Getenv: func(name string) (string, bool) {
			switch name {
			case "PENSTOCK_A":
				return "from-env", true
			case "PENSTOCK_EMPTY":
				return "", true
			}
			return "", false
		},
		SystemProperty: func(name string) (string, bool) { return "penstock", name == "user.name" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// show prints a property as testdata/Dump.java does.
func show(c *hadoopxml.Config, name string) string {
	var value any
	var err error
	switch {
	case strings.HasPrefix(name, "t.size"):
		value, err = c.Size(name, -1)
	case strings.HasPrefix(name, "t.int"):
		value, err = c.Int(name, -1)
	case strings.HasPrefix(name, "t.bool"):
		value, err = c.Bool(name, false)
	case strings.HasPrefix(name, "t.time"):
		var d time.Duration
		d, err = c.Duration(name, -1, time.Second)
		value = d.Nanoseconds()
	case name == "t.lines":
		var list []string
		list, err = c.List(name)
		value = strings.Join(list, "|")
	default:
		p, ok, lookupErr := c.Lookup(name)
		value, err = `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(p.Value)+`"`, lookupErr
		if !ok {
			value = "(none)"
		}
	}
	if err != nil {
		return "(error)"
	}
	return fmt.Sprint(value)
}

// TestAsJava compares every oddity with what Hadoop's own Configuration made of the same files. The golden file was written
// by Hadoop: TestJava, with the tag integration, writes it again and compares.
func TestAsJava(t *testing.T) {
	t.Parallel()
	c := odd(t)
	want, err := os.ReadFile("testdata/java.golden")
	if err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadFile("testdata/names.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for name := range strings.Lines(string(names)) {
		name = strings.TrimSuffix(name, "\n")
		fmt.Fprintf(&got, "%s\t%s\n", name, show(c, name))
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("(-java +ours):\n%s", diff)
	}
	if n := strings.Count(string(want), "\n"); n < 70 {
		t.Errorf("only %d properties compared", n)
	}
}
