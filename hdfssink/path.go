package hdfssink

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/ingest"
)

// pathTemplate is a target path, compiled once. Events are put into buckets by what it makes of them.
type pathTemplate struct {
	source   string
	segments []segment
	prefix   string // directory before the first escape; "/" when there is none
	unit     timeUnit
	round    time.Duration
	zone     *time.Location
	missing  string     // for headers and fields that are missing outside key=value; "": such an event is a dead letter
	fields   [][]string // of bodies, as segments refer to them: the outermost names first
}

type segmentKind uint8

const (
	literal segmentKind = iota
	timeEscape
	header
	bodyField
	topicName
	partitionID
	hostName
)

type segment struct {
	kind  segmentKind
	text  string // literal text, header name, "$.user.id" of a field, or the letter of a time escape
	field int    // bodyField: its index among the template's
	whole bool   // the segment is all that follows "key=" in its component: Hive's default partition stands for null
}

// PathError says what is wrong in a path and where.
type PathError struct {
	Path string
	Pos  int // in bytes, from 0
	What string
	Fix  string
}

func (e *PathError) Error() string {
	return fmt.Sprintf("path %q, character %d: %s; %s", e.Path, e.Pos+1, e.What, e.Fix)
}

// SplitPath takes a scheme and an authority off a configured path: "hdfs://ns1/data/%Y" is ("hdfs", "ns1", "/data/%Y").
func SplitPath(path string) (scheme, authority, rest string) {
	scheme, after, ok := strings.Cut(path, "://")
	if !ok || strings.ContainsAny(scheme, "/%") {
		return "", "", path
	}
	slash := strings.IndexByte(after, '/')
	if slash < 0 {
		return scheme, after, ""
	}
	return scheme, after[:slash], after[slash:]
}

// LiteralPrefix is the directory in front of the first escape of a path without scheme, where the state goes by default.
func LiteralPrefix(path string) (string, error) {
	t, err := compilePath(path)
	if err != nil {
		return "", err
	}
	return t.prefix, nil
}

// compilePath reads the escapes of a path without scheme. The caller sets round, zone and missing.
func compilePath(path string) (*pathTemplate, error) {
	t := &pathTemplate{source: path, zone: time.UTC}
	if !strings.HasPrefix(path, "/") {
		return nil, &PathError{path, 0, "the path is not absolute", "begin it with / or a scheme such as hdfs://ns1/"}
	}
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			t.segments = append(t.segments, segment{kind: literal, text: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(path); {
		if path[i] != '%' {
			if path[i] != '/' || i == 0 || path[i-1] != '/' { // "//" is "/"
				lit.WriteByte(path[i])
			}
			i++
			continue
		}
		seg, n, err := parseEscape(path, i)
		if err != nil {
			return nil, err
		}
		if seg.kind == literal {
			lit.WriteString(seg.text)
		} else {
			flush()
			if seg.kind == bodyField {
				seg.field = t.fieldIndex(seg.text)
			}
			t.segments = append(t.segments, seg)
			t.unit = finer(t.unit, unitOf(seg))
		}
		i += n
	}
	flush()
	t.trimSlash()
	t.findWhole()
	t.prefix = t.literalPrefix()
	return t, t.checkLiterals()
}

// parseEscape reads the escape at path[i], a '%', and says how long it is.
func parseEscape(path string, i int) (segment, int, error) {
	bad := func(what, fix string) (segment, int, error) {
		return segment{}, 0, &PathError{path, i, what, fix}
	}
	if i+1 == len(path) {
		return bad("a % stands at the end", "write %% for a percent sign")
	}
	switch c := path[i+1]; c {
	case '%':
		return segment{kind: literal, text: "%"}, 2, nil
	case '{', '[':
		closing := map[byte]string{'{': "}", '[': "]"}[c]
		n := strings.Index(path[i:], closing)
		if n < 0 {
			return bad("%"+string(c)+" is not closed", "add the "+closing)
		}
		name := path[i+2 : i+n]
		if c == '{' {
			return parseHeader(path, i, name)
		}
		if name == "localhost" || name == "FQDN" {
			return segment{kind: hostName}, n + 1, nil
		}
		return bad(fmt.Sprintf("%%[%s] is not known", name), "%[localhost] is this host's name; an event's header is %{name}")
	default:
		if !strings.ContainsRune(timeLetters, rune(c)) {
			return bad(fmt.Sprintf("%%%c is no escape", c), "the time escapes are %"+strings.Join(strings.Split(timeLetters, ""), " %")+"; write %% for a percent sign")
		}
		return segment{kind: timeEscape, text: string(c)}, 2, nil
	}
}

func parseHeader(path string, i int, name string) (segment, int, error) {
	n := len(name) + 3
	bad := func(what, fix string) (segment, int, error) {
		return segment{}, 0, &PathError{path, i, what, fix}
	}
	switch name {
	case "":
		return bad("%{} names no header", "write %{name}")
	case "topic":
		return segment{kind: topicName}, n, nil
	case "partition":
		return segment{kind: partitionID}, n, nil
	}
	seg, whose := segment{kind: header, text: name}, "header's"
	field, isField := strings.CutPrefix(name, "field:")
	if isField {
		name = strings.TrimPrefix(field, "$.")
		seg, whose = segment{kind: bodyField, text: "$." + name}, "field's"
	}
	for _, c := range []byte(name) {
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return bad(fmt.Sprintf("%%{%s}: %q cannot be in a %s name here", path[i+2:i+n-1], c, whose), "use letters, digits, '.', '-' and '_'")
		}
	}
	if isField && slices.Contains(strings.Split(name, "."), "") {
		return bad(fmt.Sprintf("%%{field:%s} names no field", field), "write %{field:NAME}, or %{field:NAME.NAME} for one that is in another")
	}
	return seg, n, nil
}

// fieldIndex is where a field stands among the path's, which it is added to if it is not there.
func (t *pathTemplate) fieldIndex(field string) int {
	names := strings.Split(field[len("$."):], ".")
	same := func(other []string) bool { return slices.Equal(names, other) }
	if i := slices.IndexFunc(t.fields, same); i >= 0 {
		return i
	}
	t.fields = append(t.fields, names)
	return len(t.fields) - 1
}

func (t *pathTemplate) trimSlash() {
	for len(t.segments) > 0 {
		last := &t.segments[len(t.segments)-1]
		if last.kind != literal || !strings.HasSuffix(last.text, "/") || (len(t.segments) == 1 && last.text == "/") {
			return
		}
		last.text = strings.TrimSuffix(last.text, "/")
		if last.text == "" {
			t.segments = t.segments[:len(t.segments)-1]
		}
	}
}

// findWhole marks the segments for which null has a Hive name: those between "key=" and the component's end.
func (t *pathTemplate) findWhole() {
	for i := range t.segments {
		if t.segments[i].kind == literal || i == 0 || t.segments[i-1].kind != literal {
			continue
		}
		before := t.segments[i-1].text
		atEnd := i+1 == len(t.segments) || (t.segments[i+1].kind == literal && strings.HasPrefix(t.segments[i+1].text, "/"))
		t.segments[i].whole = atEnd && strings.HasSuffix(before, "=")
	}
}

func (t *pathTemplate) literalPrefix() string {
	if len(t.segments) == 0 || t.segments[0].kind != literal {
		return "/"
	}
	text := t.segments[0].text
	if len(t.segments) == 1 {
		return text
	}
	return text[:max(1, strings.LastIndexByte(text, '/'))]
}

// checkLiterals refuses what no HDFS can have or no reader would see, as far as it is written in the path itself.
func (t *pathTemplate) checkLiterals() error {
	pos := 0
	for part := range strings.SplitSeq(strings.ReplaceAll(t.source, "%{field:", "%{field."), "/") {
		fix := "choose another name"
		switch {
		case part == "." || part == "..":
			return &PathError{t.source, pos, fmt.Sprintf("%q is no name in HDFS", part), "write the path without it"}
		case strings.Contains(part, ":"):
			return &PathError{t.source, pos + strings.IndexByte(part, ':'), "HDFS allows no ':' in a name", fix}
		case strings.HasPrefix(part, "_") || strings.HasPrefix(part, "."):
			return &PathError{t.source, pos, fmt.Sprintf("Hive, Spark and MapReduce do not read %q: its name begins with %q", part, part[:1]), fix}
		case len(part) > maxComponent && !strings.Contains(part, "%"):
			return &PathError{t.source, pos, fmt.Sprintf("the name is longer than %d bytes", maxComponent), fix}
		}
		pos += len(part) + 1
	}
	return nil
}

// usesTime reports whether buckets depend on the event's time.
func (t *pathTemplate) usesTime() bool { return t.unit != unitNone }

// bind makes literals of what is the same for all events of a partition.
func (t *pathTemplate) bind(p ingest.Partition, host string) []segment {
	var out []segment
	for _, s := range t.segments {
		value := ""
		switch s.kind {
		case topicName:
			value = p.Topic
		case partitionID:
			value = strconv.Itoa(int(p.ID))
		case hostName:
			value = host
		case literal, timeEscape, header, bodyField:
			out = appendSegment(out, s)
			continue
		}
		atStart := len(out) > 0 && out[len(out)-1].kind == literal && strings.HasSuffix(out[len(out)-1].text, "/")
		out = appendSegment(out, segment{kind: literal, text: string(appendEscaped(nil, value, atStart))})
	}
	return out
}

func appendSegment(out []segment, s segment) []segment {
	if n := len(out); s.kind == literal && n > 0 && out[n-1].kind == literal {
		out[n-1].text += s.text
		return out
	}
	return append(out, s)
}
