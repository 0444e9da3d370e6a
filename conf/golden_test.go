package conf_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/conf"
)

func golden(t *testing.T, path, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run with -update to write it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the golden files anew")
	flag.Parse()
	os.Exit(m.Run())
}

// parse reads a file of testdata under its base name, so that messages do not depend on where the tests run.
func parse(t *testing.T, path string) (*conf.Document, error) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return conf.Parse(filepath.Base(path), data, testRegistry())
}

// TestErrors holds every message that an operator can meet to its golden text.
func TestErrors(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/errors/*.yaml")
	if err != nil || len(paths) < 25 {
		t.Fatalf("%d cases, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			t.Parallel()
			doc, err := parse(t, path)
			var problems *conf.Error
			if !errors.As(err, &problems) {
				t.Fatalf("loaded: %v, %v", doc, err)
			}
			for _, p := range problems.Problems {
				if p.Severity == conf.SeverityError && p.What == "" || p.File == "" {
					t.Errorf("incomplete problem: %+v", p)
				}
			}
			if strings.Contains(problems.Long(), "hunter") {
				t.Error("the message shows the password")
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", problems.Long())
		})
	}
}

// TestEditors checks that what Windows editors do to a file changes no message: line ends, and a byte order mark.
func TestEditors(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*/*.yaml")
	if err != nil || len(paths) < 25 {
		t.Fatal(len(paths), err)
	}
	for _, path := range paths {
		text := read(t, path)
		if strings.Contains(text, "\r") || !utf8.ValidString(text) {
			continue
		}
		message := func(text string) string {
			doc, err := conf.Parse("p.yaml", []byte(text), testRegistry())
			if err == nil {
				return fmt.Sprint(doc.Assumed())
			}
			return err.(*conf.Error).Long() // Parse promises it
		}
		want := message(text)
		if diff := cmp.Diff(want, message(strings.ReplaceAll(text, "\n", "\r\n"))); diff != "" {
			t.Errorf("%s with CRLF: %s", path, diff)
		}
		if diff := cmp.Diff(want, message("\ufeff"+text)); diff != "" {
			t.Errorf("%s with a byte order mark: %s", path, diff)
		}
	}
}

func TestGood(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			doc, err := parse(t, path)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, p := range doc.Warnings() {
				fmt.Fprintf(&b, "%s", p.Long())
			}
			for _, a := range doc.Assumed() {
				fmt.Fprintf(&b, "%s: %s\n", a.Path, a.Value)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".golden", b.String())
		})
	}
}

func TestErrorJSON(t *testing.T) {
	t.Parallel()
	_, err := conf.Parse("p.yaml", []byte("version: 1\nadmin: {listn: x}\n"), testRegistry())
	data, jsonErr := json.MarshalIndent(err, "", " ")
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	want := `{
 "problems": [
  {
   "severity": "error",
   "file": "p.yaml",
   "line": 2,
   "column": 9,
   "path": "admin.listn",
   "what": "unknown key",
   "fix": "did you mean \"listen\"?"
  }
 ]
}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
}
