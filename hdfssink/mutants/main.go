// Mutants plants bugs into the commit protocol, one at a time, and checks that the protocol's tests catch each of them: a test that cannot
// fail proves nothing. Run it as
//
//	go run ./hdfssink/mutants [-run REGEXP] [-v]
//
// Each bug is a replacement of text in one file, applied with `go test -overlay`: no file of the checkout is touched. A text that does not occur exactly
// once fails the run, as does a mutant that does not compile. The last line is "N of N caught".
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	only := flag.String("run", "", "plant only the bugs whose name matches this")
	verbose := flag.Bool("v", false, "show how each bug was caught")
	flag.Parse()
	ok, err := run(context.Background(), os.Stdout, *only, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// run plants all bugs and reports whether each was caught.
func run(ctx context.Context, out io.Writer, only string, verbose bool) (bool, error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return false, fmt.Errorf("-run: %w", err)
	}
	root, err := output(ctx, ".", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return false, err
	}
	dir, err := os.MkdirTemp("", "penstock-mutants-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // temporary
	b := bench{root: strings.TrimSpace(root), dir: dir}
	if err := b.clean(ctx); err != nil {
		return false, err
	}
	caught, all := 0, 0
	for _, m := range mutants() {
		if !match.MatchString(m.name) {
			continue
		}
		all++
		began := time.Now()
		how, err := b.try(ctx, m)
		if err != nil {
			return false, fmt.Errorf("%s: %w", m.name, err)
		}
		verdict := "NOT CAUGHT"
		if how != "" {
			caught++
			verdict = "caught"
		}
		fmt.Fprintf(out, "%-11s %5.1fs  %s\n", verdict, time.Since(began).Seconds(), m.name)
		if verbose && how != "" {
			fmt.Fprintln(out, indent(how))
		}
	}
	fmt.Fprintf(out, "%d of %d caught\n", caught, all)
	return caught == all && all > 0, nil
}

// mutant is one planted bug.
type mutant struct {
	name  string
	edits []edit
	test  string // regular expression of the tests that must catch it; empty: TestProtocol
	pkg   string // whose tests; empty: the commit protocol's
}

// edit replaces text that occurs exactly once in a file.
type edit struct{ file, old, new string }

type bench struct{ root, dir string }

// args of every run: the quick form of the protocol tests, until the first failure.
func args(test string, more ...string) []string {
	if test == "" {
		test = "^TestProtocol"
	}
	return append([]string{"test", "-short", "-failfast", "-count=1", "-timeout=120s", "-run", test}, more...)
}

// tested is the package whose tests are run for a mutant.
func (m mutant) tested() string { return cmp.Or(m.pkg, "./hdfssink/commitlog") }

// clean makes sure that the tests pass without any bug: otherwise every mutant would count as caught.
func (b bench) clean(ctx context.Context) error {
	for _, m := range tests() {
		out, err := output(ctx, b.root, "go", args(m.test, m.tested())...)
		if err != nil {
			return fmt.Errorf("the tests fail without any bug:\n%s", out)
		}
		if strings.Contains(out, "[no tests to run]") {
			return fmt.Errorf("no test of %s is called %s", m.tested(), m.test)
		}
	}
	return nil
}

// tests are the tests that mutants name, each with one of its mutants.
func tests() []mutant {
	var all []mutant
	seen := map[string]bool{}
	for _, m := range mutants() {
		if key := m.tested() + m.test; !seen[key] {
			seen[key] = true
			all = append(all, m)
		}
	}
	return all
}

// try plants one bug. how says what the tests found; empty: nothing.
func (b bench) try(ctx context.Context, m mutant) (how string, err error) {
	overlay, err := b.overlay(m)
	if err != nil {
		return "", err
	}
	out, err := output(ctx, b.root, "go", args(m.test, "-overlay", overlay, m.tested())...)
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "", nil
	case !errors.As(err, &exit):
		return "", err
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		return "", fmt.Errorf("the mutant does not compile:\n%s", out)
	}
	return out, nil
}

func (b bench) overlay(m mutant) (string, error) {
	texts := map[string]string{}
	for _, e := range m.edits {
		name := filepath.Join(b.root, filepath.FromSlash(e.file))
		if _, ok := texts[name]; !ok {
			src, err := os.ReadFile(name)
			if err != nil {
				return "", err
			}
			texts[name] = string(src)
		}
		if n := strings.Count(texts[name], e.old); n != 1 {
			return "", fmt.Errorf("%s: this text occurs %d times, not once:\n%s", e.file, n, e.old)
		}
		texts[name] = strings.Replace(texts[name], e.old, e.new, 1)
	}
	replace := map[string]string{}
	for name, text := range texts {
		copied := filepath.Join(b.dir, filepath.Base(filepath.Dir(name))+"_"+filepath.Base(name))
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[name] = copied
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(b.dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// output runs a command and returns all it prints.
func output(ctx context.Context, dir, name string, arg ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, arg...)
	cmd.Dir = dir
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	err := cmd.Run()
	return b.String(), err
}

func indent(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > 6 {
		lines = lines[:6]
	}
	return "\t" + strings.Join(lines, "\n\t")
}
