package kerberos

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Bounds of what is read as configuration.
const (
	maxProfileFile  = 1 << 20
	maxProfileDepth = 10 // of includes
	maxProfileNest  = 8  // of braces
)

// A profile is krb5.conf in its own grammar, with all includes in place and all sections of one name
// joined, whatever file they came from. The grammar is that of MIT's library: comments are whole lines
// (# or ;), sections are [name], a relation is key = value or key = { … }, a final * on a key or a
// section is a mark that is of no importance here, and include, includedir and module may stand on any
// line.
//
// gokrb5's parser is not used: it skips includes, knows only the last of several [realms] sections, cuts
// values at their first =, and takes the last of several values where MIT and Java take the first.
type profile struct {
	sections map[string][]relation
	files    []string
}

// relation is key = value, or key = { sub }.
type relation struct {
	key, value string
	sub        []relation
	at         position
}

// position is where in which file something was written.
type position struct {
	file string
	line int
}

// String is file:line.
func (p position) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }

// errorf is an error about what is written here.
func (p position) errorf(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrBadConfig, p, fmt.Sprintf(format, args...))
}

// find returns the first relation with that key; MIT and Java take the first as well.
func find(rs []relation, key string) (relation, bool) {
	for _, r := range rs {
		if strings.EqualFold(r.key, key) {
			return r, true
		}
	}
	return relation{}, false
}

// readProfile reads the files of a list separated by colons, as $KRB5_CONFIG has it. Files that do not
// exist are passed over if one does.
func readProfile(paths string) (*profile, error) {
	p := &profile{sections: map[string][]relation{}}
	var missing error
	for _, path := range filepath.SplitList(paths) {
		err := p.readFile(path, position{}, 0)
		if errors.Is(err, fs.ErrNotExist) && len(p.files) == 0 && missing == nil {
			missing = err
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if len(p.files) == 0 {
		if missing == nil {
			missing = errors.New("no file is named")
		}
		return nil, fmt.Errorf("%w: %w; install the realm's krb5.conf, or set krb5_conf or KRB5_CONFIG to where it is", ErrBadConfig, missing)
	}
	return p, nil
}

func (p *profile) readFile(path string, from position, depth int) error {
	if depth > maxProfileDepth {
		return from.errorf("includes are nested deeper than %d: does a file include itself?", maxProfileDepth)
	}
	f, err := os.Open(path)
	if err != nil {
		return includeError(from, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxProfileFile+1))
	if err != nil {
		return includeError(from, err)
	}
	if len(data) > maxProfileFile {
		return fmt.Errorf("%w: %s: larger than %d bytes", ErrBadConfig, path, maxProfileFile)
	}
	p.files = append(p.files, path)
	return p.parse(path, data, func(at position, dir bool, target string) error {
		if dir {
			return p.readDir(target, at, depth+1)
		}
		return p.readFile(target, at, depth+1)
	})
}

// includeError keeps fs.ErrNotExist only for files of the list, where it means something.
func includeError(from position, err error) error {
	if from.line == 0 {
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrBadConfig, err)
	}
	return from.errorf("include: %v", err)
}

// readDir reads the files that MIT would: names of letters, digits, - and _, or ending in .conf, in
// the order of their names.
func (p *profile) readDir(dir string, from position, depth int) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return from.errorf("includedir: %v", err)
	}
	for _, e := range entries {
		if e.IsDir() || !includable(e.Name()) {
			continue
		}
		if err := p.readFile(filepath.Join(dir, e.Name()), from, depth); err != nil {
			return err
		}
	}
	return nil
}

func includable(name string) bool {
	if strings.HasPrefix(name, ".") {
		return false
	}
	return strings.HasSuffix(name, ".conf") || !strings.ContainsFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && r != '-' && r != '_'
	})
}

// includeFunc reads an included file (or, if dir, the files of a directory) into the profile.
type includeFunc func(at position, dir bool, target string) error

// profileParser is one file being parsed. An included file stands by itself: it cannot begin in the
// middle of a section of the file that includes it.
type profileParser struct {
	profile *profile
	section string      // "" before the first
	open    []*relation // the braces that are open, outermost first
	brace   bool        // the last relation ended in =, so { must follow
}

func (p *profile) parse(file string, data []byte, include includeFunc) error {
	parser := &profileParser{profile: p}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxProfileFile+1)
	at := position{file: file}
	for lines.Scan() {
		at.line++
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if word, target, ok := directive(line); ok {
			if word == "module" {
				continue // a plug-in of MIT's library
			}
			if err := include(at, word == "includedir", target); err != nil {
				return err
			}
			continue
		}
		if err := parser.line(at, line); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return at.errorf("after this line: %v", err)
	}
	if n := len(parser.open); n > 0 {
		return parser.open[n-1].at.errorf("the { of %q is never closed", parser.open[n-1].key)
	}
	return nil
}

// directive recognises include, includedir and module lines.
func directive(line string) (word, target string, ok bool) {
	word, target, found := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	target = strings.TrimSpace(target)
	if !found || target == "" || target[0] == '=' {
		return "", "", false
	}
	switch word {
	case "include", "includedir", "module":
		return word, target, true
	}
	return "", "", false
}

func (p *profileParser) line(at position, line string) error {
	switch {
	case p.brace && line != "{":
		return at.errorf("expected { after %q", p.open[len(p.open)-1].key)
	case p.brace:
		p.brace = false
		return nil
	case line[0] == '[':
		return p.begin(at, line)
	case line[0] == '}':
		return p.close(at)
	case p.section == "":
		return at.errorf("%q stands before the first [section]", line)
	}
	return p.relation(at, line)
}

func (p *profileParser) begin(at position, line string) error {
	if len(p.open) > 0 {
		return at.errorf("section inside the braces of %q, opened at %s", p.open[0].key, p.open[0].at)
	}
	name, rest, found := strings.Cut(line[1:], "]")
	if !found || strings.Trim(rest, "* \t") != "" || strings.TrimSpace(name) == "" {
		return at.errorf("section header %q: write [name]", line)
	}
	p.section = strings.TrimSpace(name)
	return nil
}

func (p *profileParser) close(at position) error {
	n := len(p.open)
	if n == 0 {
		return at.errorf("} without {")
	}
	done := *p.open[n-1]
	p.open = p.open[:n-1]
	p.add(done)
	return nil
}

func (p *profileParser) relation(at position, line string) error {
	key, value, found := strings.Cut(line, "=")
	key = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(key), "*"))
	value = strings.TrimSpace(value)
	if !found || key == "" {
		return at.errorf("%q: write key = value", line)
	}
	r := relation{key: key, value: unquote(value), at: at}
	if value != "" && value != "{" {
		p.add(r)
		return nil
	}
	if len(p.open) == maxProfileNest {
		return at.errorf("braces are nested deeper than %d", maxProfileNest)
	}
	r.value, p.brace = "", value == ""
	p.open = append(p.open, &r)
	return nil
}

// add puts a finished relation where it belongs.
func (p *profileParser) add(r relation) {
	if n := len(p.open); n > 0 {
		p.open[n-1].sub = append(p.open[n-1].sub, r)
		return
	}
	p.profile.sections[p.section] = append(p.profile.sections[p.section], r)
}

// unquote takes off the quotes of "value"; MIT knows the escapes \n, \t, \b and backslash.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	return strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n", `\t`, "\t", `\b`, "\b").Replace(s[1 : len(s)-1])
}
