package conf

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	yaml "github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// What a configuration file may be at most. A file of a thousand sinks stays far below; beyond, the parser's time and stack
// would be in the hands of whoever wrote the file.
const (
	maxFile   = 1 << 20
	maxTokens = 100_000
	maxNodes  = 100_000
	maxDepth  = 64
)

// parseYAML turns the text into nodes. It is the one function that knows the YAML library. Syntax errors end the reading;
// everything else is reported and read past. The answer is nil if there is nothing to go on with.
func parseYAML(data []byte, c *collector) *node {
	if !checkText(data, c) {
		return nil
	}
	tokens := lexer.Tokenize(strings.TrimPrefix(string(data), "\ufeff"))
	if !checkTokens(tokens, c) || !checkPercent(tokens, c) {
		return nil
	}
	file, err := parseTokens(joinAddresses(tokens))
	if err != nil {
		syntaxProblem(err, c)
		return nil
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if body != nil {
			c.add(SeverityError, place{key: tokenPos(doc.Start)}, "a second YAML document begins here; the configuration is one document").Fixf("remove the line `---`, or keep the second document in a file of its own")
			return nil
		}
		body = doc.Body
	}
	if body == nil {
		c.add(SeverityError, place{key: pos{line: 1, col: 1, width: 1}}, "the configuration is empty").Fixf("begin with `version: 1`")
		return nil
	}
	b := &builder{c: c, anchors: map[string]*node{}}
	root := b.build(body, 0)
	if b.stopped {
		return nil
	}
	return root
}

// parseTokens keeps a panic of the library, which fuzzing finds now and then, from ending the agent on a reload.
func parseTokens(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML parser gave up: %v", r)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// checkText refuses what is not a text file of a sane size.
func checkText(data []byte, c *collector) bool {
	switch {
	case len(data) > maxFile:
		c.add(SeverityError, place{}, "the file has more than %s, the most that is read", Size(maxFile)).Fixf("is this the configuration? Data and long lists belong in files of their own")
		return false
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		c.add(SeverityError, place{}, "the file is UTF-16").Fixf("save it as UTF-8")
		return false
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	line, col := 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			c.add(SeverityError, place{key: pos{line, col, 1}}, "byte 0x%02x is not UTF-8", data[0]).Fixf("save the file as UTF-8")
			return false
		case r == '\r' && (len(data) < 2 || data[1] != '\n'):
			c.add(SeverityError, place{key: pos{line, col, 1}}, "a carriage return without a line feed, which some programs take for the end of a line and some do not").
				Fixf("end the lines with line feeds")
			return false
		case r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f:
			c.add(SeverityError, place{key: pos{line, col, 1}}, "control character 0x%02x", r).Fixf("remove it, or write it in double quotes as \\x%02x", r)
			return false
		}
		if col++; r == '\n' {
			line, col = line+1, 1
		}
		data = data[size:]
	}
	return true
}

// checkTokens bounds nesting before the recursive parser sees it. In block style a level is deeper if its marker stands
// further right, so the open levels are a stack of columns.
func checkTokens(tokens token.Tokens, c *collector) bool {
	if len(tokens) > maxTokens {
		c.add(SeverityError, place{}, "the file has more than %d words and signs", maxTokens).Fixf("is this the configuration? Data and long lists belong in files of their own")
		return false
	}
	flow := 0
	var columns []int
	for i, t := range tokens {
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow = max(0, flow-1)
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType, token.TagType, token.AnchorType:
			if flow > 0 {
				continue
			}
			column := t.Position.Column
			if t.Type == token.MappingValueType && i > 0 && tokens[i-1].Position.Line == t.Position.Line {
				column = tokens[i-1].Position.Column
			}
			for len(columns) > 0 && columns[len(columns)-1] >= column {
				columns = columns[:len(columns)-1]
			}
			columns = append(columns, column)
		default:
		}
		if max(flow, len(columns)) > maxDepth {
			c.add(SeverityError, place{key: tokenPos(t)}, "blocks are nested more than %d deep", maxDepth)
			return false
		}
	}
	return true
}

// syntaxProblem puts the parser's finding into words for the mistakes that people make.
func syntaxProblem(err error, c *collector) {
	var se *yaml.SyntaxError
	if !errors.As(err, &se) || se.Token == nil {
		c.add(SeverityError, place{}, "this is not YAML: %s", clip(firstLine(err.Error())))
		return
	}
	at := tokenPos(se.Token)
	line := c.src.line(at.line)
	what, fix := "this is not YAML: "+clip(firstLine(se.Message)), ""
	switch {
	case strings.HasPrefix(strings.TrimLeft(line, " "), "\t"):
		what, fix = "a line is indented with a tab, which YAML does not allow", "indent with spaces"
		at.col, at.width = strings.IndexByte(line, '\t')+1, 1
	case strings.Contains(se.Message, "reserved character"):
		what = fmt.Sprintf("in YAML a value cannot begin with %s", strings.TrimSpace(se.Token.Value)[:1])
		fix = "quote it"
	case strings.Contains(se.Message, "mapping value is not allowed"):
		fix = "if the value holds a colon and a blank, quote it; otherwise check the indentation"
	case strings.Contains(se.Message, "end token ']'"):
		what, fix = "this [ is never closed", "add the ]"
	case strings.Contains(se.Message, "end token '}'"):
		what, fix = "this { is never closed", "add the }"
	case strings.Contains(se.Message, "-quoted text"):
		what, fix = "this quotation is never closed", "add the quote"
	}
	c.add(SeverityError, place{key: at}, "%s", what).Fix = fix
}

// checkPercent refuses values that begin with %, as YAML does: the library takes some of them for strings and others for
// directives, which it then complains about in words that help nobody.
func checkPercent(tokens token.Tokens, c *collector) bool {
	ok := true
	for _, t := range tokens {
		plain := t.Type == token.StringType && strings.HasPrefix(t.Value, "%")
		if !plain && (t.Type != token.DirectiveType || t.Position.Column == 1) {
			continue
		}
		at := tokenPos(t)
		at.width = 1
		c.add(SeverityError, place{key: at}, "in YAML a value cannot begin with %%").Fixf("quote it: %s", quoteFrom(c.src.line(at.line), at.col))
		ok = false
	}
	return ok
}

// quoteFrom is the value that begins at col, quoted: up to a comment, or to the sign that ends it in a list or block.
func quoteFrom(line string, col int) string {
	runes := []rune(line)
	if col > len(runes) {
		return `"…"`
	}
	depth := 0
	end := col - 1
scan:
	for ; end < len(runes); end++ {
		switch runes[end] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				break scan
			}
		case ',':
			if depth == 0 {
				break scan
			}
		case '#':
			if runes[end-1] == ' ' {
				break scan
			}
		}
	}
	return `"` + strings.TrimSpace(string(runes[col-1:end])) + `"`
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

func tokenPos(t *token.Token) pos {
	if t == nil || t.Position == nil {
		return pos{line: 1, col: 1, width: 1}
	}
	text := strings.TrimSpace(firstLine(strings.TrimLeft(t.Origin, "\r\n ")))
	return pos{line: max(1, t.Position.Line), col: max(1, t.Position.Column), width: max(1, utf8.RuneCountInString(text))}
}
