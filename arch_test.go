package penstock_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/penstock-io/penstock/"

// allowed lists for each package (a trailing /* stands for those below) the packages of this module that it may import, tests
// aside. ARCHITECTURE.md shows the same list; the test compares them.
func allowed(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list := map[string][]string{}
	in := false
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := sc.Text()
		switch {
		case line == "```imports":
			in = true
		case line == "```":
			in = false
		case in:
			from, to, ok := strings.Cut(line, "→")
			if !ok {
				t.Fatalf("ARCHITECTURE.md: %q is not \"package → packages\"", line)
			}
			to, _, _ = strings.Cut(to, "(")
			list[strings.TrimSpace(from)] = strings.FieldsFunc(to, func(r rune) bool { return r == ',' || r == ' ' })
		}
	}
	if len(list) == 0 {
		t.Fatal("ARCHITECTURE.md has no ```imports block")
	}
	return list
}

// rule finds the line for a package: its own, or that of the nearest folder above with a /*.
func rule(list map[string][]string, pkg string) (to []string, ok bool) {
	if to, ok := list[pkg]; ok {
		return to, true
	}
	for dir := path.Dir(pkg); dir != "."; dir = path.Dir(dir) {
		if to, ok := list[dir+"/*"]; ok {
			return to, true
		}
	}
	return nil, false
}

func matches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if below, ok := strings.CutSuffix(p, "/*"); ok {
			return strings.HasPrefix(pkg, below+"/")
		}
		return p == pkg || p == "everything"
	})
}

// TestImportsPointOneWay fails on an import that is not in the list and on a package that is not in it.
func TestImportsPointOneWay(t *testing.T) {
	list := allowed(t)
	used := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name == p.ImportPath {
			continue // the root package: only this test
		}
		to, ok := rule(list, name)
		if !ok {
			t.Errorf("package %s is not in ARCHITECTURE.md's import list: give it a place in the picture", name)
			continue
		}
		used[name] = true
		for _, i := range p.Imports {
			if in, ours := strings.CutPrefix(i, module); ours && !matches(to, in) {
				t.Errorf("%s imports %s, which ARCHITECTURE.md does not allow", name, in)
			}
		}
	}
	for from := range maps.Keys(list) {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(used)), func(p string) bool { return matches([]string{from}, p) }) {
			t.Errorf("ARCHITECTURE.md lists %s, which has no package", from)
		}
	}
}

type goPackage struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-tags", "integration", "-json=ImportPath,Imports", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestSymbolsExist fails on a `package.Symbol` (or `package.Type.Method`) of ARCHITECTURE.md that is not there any more.
func TestSymbolsExist(t *testing.T) {
	page, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	dirs := map[string]string{}
	for _, p := range packages(t) {
		dirs[path.Base(p.ImportPath)] = "./" + strings.TrimPrefix(p.ImportPath, module)
	}
	found := 0
	for _, m := range regexp.MustCompile("`(?:[a-z/]+/)?([a-z]+)\\.([A-Z][A-Za-z.]*)`").FindAllStringSubmatch(string(page), -1) {
		dir, ok := dirs[m[1]]
		if !ok {
			t.Errorf("ARCHITECTURE.md names %s, and there is no package %s", m[0], m[1])
			continue
		}
		found++
		if out, err := exec.CommandContext(t.Context(), "go", "doc", "-short", dir, m[2]).CombinedOutput(); err != nil {
			t.Errorf("ARCHITECTURE.md names %s: %s", m[0], out)
		}
	}
	if found < 10 {
		t.Errorf("only %d symbols found: the page or the pattern has changed", found)
	}
}
