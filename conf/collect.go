package conf

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxProblems keeps the answer to a file that is no configuration at all readable.
const maxProblems = 200

// source is the text that positions refer to.
type source struct {
	name  string
	dir   string // where relative paths start; "" for the working directory
	lines []string
}

func newSource(name, dir string, data []byte) source {
	if len(data) > maxFile {
		data = nil // it is refused anyway
	}
	return source{name: name, dir: dir, lines: strings.Split(strings.TrimPrefix(string(data), "\ufeff"), "\n")}
}

// line n, counted from 1; "" if there is none.
func (s source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return utf8.RuneError // a terminal is not to be driven by what it shows
		}
		return r
	}, strings.TrimSuffix(s.lines[n-1], "\r"))
}

// collector gathers problems. Places become file, line and column here and nowhere else.
type collector struct {
	src      source
	problems []*Problem
	errors   int
	secrets  []string // texts that must not be shown, longest first
	spans    []pos    // where they stand
}

func (c *collector) add(s Severity, at place, format string, args ...any) *Problem {
	m := at.mark()
	p := &Problem{Severity: s, File: c.src.name, Line: m.line, Column: m.col, Path: at.path, What: fmt.Sprintf(format, args...), mark: m.col, width: m.width}
	if m.line > 0 {
		p.excerpt = c.src.line(m.line)
	}
	if s == SeverityError {
		c.errors++
	}
	if len(c.problems) < maxProblems {
		c.problems = append(c.problems, p)
	}
	return p
}

// merge adds what a Value's SetConf returned.
func (c *collector) merge(at place, err error) {
	if p, ok := err.(*Problem); ok { //nolint:errorlint // Value promises a bare *Problem
		added := c.add(SeverityError, at, "%s", p.What)
		added.Fix, added.Example = p.Fix, p.Example
		return
	}
	c.add(SeverityError, at, "%s", err.Error())
}

// list is what was found, in the order of the file, without secrets. Problems without a place come first.
func (c *collector) list(keep func(*Problem) bool) []Problem {
	var out []Problem
	for _, p := range c.problems {
		if keep(p) {
			out = append(out, c.masked(*p))
		}
	}
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return out
}

// err is nil if nothing but warnings was found.
func (c *collector) err() error {
	if c.errors == 0 {
		return nil
	}
	e := &Error{Problems: c.list(func(*Problem) bool { return true })}
	if more := c.errors - maxProblems; more > 0 {
		e.Problems = append(e.Problems, Problem{Severity: SeverityError, File: c.src.name, What: fmt.Sprintf("and at least %d more", more)})
	}
	return e
}

const mask = "********"

// masked hides secrets that somebody wrote into the file after all, be it in the line that is quoted or in a value.
func (c *collector) masked(p Problem) Problem {
	hide := func(text string) string {
		for _, s := range c.secrets {
			text = strings.ReplaceAll(text, s, mask)
		}
		return text
	}
	p.excerpt = hideLiterals(hide(c.hideSpans(&p)))
	p.What, p.Fix, p.Example = hide(p.What), hide(p.Fix), hideLiterals(hide(p.Example))
	return p
}

// hideLiterals masks what follows a key that sounds like a secret, in text that may not even be YAML.
func hideLiterals(text string) string {
	re := regexp.MustCompile(`(?i)((?:pass|pasw|pwd|secret|token|jaas)[a-z_.\-]*["']?[ \t]*[:=][ \t]*)("(?:\\.|[^"\\\n])*"?|'[^'\n]*'?|[^\s,}\]"'][^,}\]\n]*)`)
	return re.ReplaceAllStringFunc(text, func(m string) string {
		parts := re.FindStringSubmatch(m)
		if isReference(strings.Trim(parts[2], `"'`)) {
			return m
		}
		return parts[1] + mask
	})
}

// collectSecrets notes the values of keys that sound like secrets, wherever they stand.
func (c *collector) collectSecrets(n *node) {
	for _, e := range n.entries {
		if e.value.kind == scalarNode && soundsSecret(e.key) {
			c.hide(e.value)
		}
		c.collectSecrets(e.value)
	}
	for _, item := range n.items {
		c.collectSecrets(item)
	}
}

// hide keeps a value out of all messages. Very short texts are hidden only where they stand: masking every "a" would hide
// the message too.
func (c *collector) hide(n *node) {
	if isReference(n.text) || slices.Contains(c.spans, n.pos) {
		return
	}
	c.spans = append(c.spans, n.pos)
	slices.SortFunc(c.spans, func(a, b pos) int { return b.col - a.col })
	for line := range strings.Lines(n.text) {
		if line = strings.TrimSpace(line); len(line) >= 4 {
			c.secrets = append(c.secrets, line)
		}
	}
	slices.SortFunc(c.secrets, func(a, b string) int { return len(b) - len(a) })
}

// hideSpans masks secrets in the quoted line, from the right, and moves the mark if they stand to its left.
func (c *collector) hideSpans(p *Problem) string {
	text := []rune(p.excerpt)
	for _, s := range c.spans {
		if s.line != p.Line || s.col+s.width-1 > len(text) {
			continue
		}
		text = slices.Concat(text[:s.col-1], []rune(mask), text[s.col-1+s.width:])
		if s.col < p.mark {
			p.mark += len(mask) - s.width
		}
	}
	return string(text)
}

func soundsSecret(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"pass", "pasw", "pwd", "secret", "token", "jaas"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// Error is the short form: one line for each problem.
func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for i := range e.Problems {
		lines = append(lines, e.Problems[i].Error())
	}
	return strings.Join(lines, "\n")
}

// LogValue keeps the list of problems in one attribute.
func (e *Error) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// Long is for people: each problem with its line of the file, a mark below the place, and the example.
func (e *Error) Long() string {
	var b strings.Builder
	for i := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.Problems[i].Long())
	}
	return b.String()
}

// MarshalJSON is `{"problems": […]}`, for editors and CI.
func (e *Error) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Problems []Problem `json:"problems"`
	}{e.Problems})
}

// Error is the short form: `file:line:col: path: what; fix`.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.File != "" && p.Line > 0 {
		b.WriteByte(':')
	}
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d", p.Line, p.Column)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Severity == SeverityWarning {
		b.WriteString("warning: ")
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.What)
	if p.Fix != "" {
		b.WriteString("; " + p.Fix)
	}
	return b.String()
}

// String is Error.
func (p *Problem) String() string { return p.Error() }

// Long is the short form with the line of the file and the example below it.
func (p *Problem) Long() string {
	var b strings.Builder
	b.WriteString(p.Error() + "\n")
	if p.excerpt != "" {
		text, col := window(p.excerpt, p.mark)
		gutter := fmt.Sprintf("%5d | ", p.Line)
		fmt.Fprintf(&b, "%s%s\n", gutter, text)
		before := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, string([]rune(text)[:min(col-1, utf8.RuneCountInString(text))]))
		carets := max(1, min(p.width, utf8.RuneCountInString(text)-col+1))
		fmt.Fprintf(&b, "%s| %s%s\n", strings.Repeat(" ", len(gutter)-2), before, strings.Repeat("^", carets))
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(p.Example, "\n"), "\n") {
		if line != "" {
			b.WriteString("        " + line + "\n")
		}
	}
	return b.String()
}

// window cuts a very long line down to what stands around column col, and says which column that is now.
func window(text string, col int) (string, int) {
	const wide = 120
	runes := []rune(text)
	if len(runes) <= wide {
		return text, col
	}
	from := max(0, min(col-wide/2, len(runes)-wide))
	cut := slices.Clone(runes[from : from+wide])
	if from > 0 {
		cut[0] = '…'
	}
	if from+wide < len(runes) {
		cut[wide-1] = '…'
	}
	return string(cut), col - from
}

// Errorf adds an error at a path.
func (r *Report) Errorf(path, format string, args ...any) *Problem {
	return r.sink.add(SeverityError, r.find(path), format, args...)
}

// Warnf adds a warning at a path.
func (r *Report) Warnf(path, format string, args ...any) *Problem {
	return r.sink.add(SeverityWarning, r.find(path), format, args...)
}

// Written reports whether the file has a value at a path.
func (r *Report) Written(path string) bool { return r.find(path).node != nil }

// find follows a path as far as the file has it; the place of what is not written is the block where it would stand.
func (r *Report) find(path string) place {
	at := r.at
	for path != "" {
		key, rest := path, ""
		if i := strings.IndexAny(path, ".["); i > 0 {
			key, rest = path[:i], path[i:]
		}
		if key[0] == '[' {
			n := 0
			_, _ = fmt.Sscanf(key, "[%d]", &n)
			at = at.item(n)
			_, rest, _ = strings.Cut(path, "]")
		} else {
			at = at.child(key)
		}
		path = strings.TrimPrefix(rest, ".")
	}
	return at
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
