package hadoopxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// What a file and its includes may be at most.
const (
	maxFile  = 4 << 20
	maxTotal = 16 << 20
	maxDepth = 16
)

// parsed is a property element.
type parsed struct {
	name, value string
	hasValue    bool
	final       bool
	file        string
	line        int
}

// loader reads a file and what it includes.
type loader struct {
	dir    string
	budget int64 // bytes that may still be read, over all files
}

// file parses one file. The error is fs.ErrNotExist if it does not exist.
func (l *loader) file(path string, depth int) ([]parsed, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("read %s: files include one another more than %d deep; look for a circle", path, maxDepth)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read hadoop configuration: %w", err)
	}
	defer func() { _ = f.Close() }()
	limit := min(maxFile, l.budget)
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read hadoop configuration: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("read %s: more than %d bytes of configuration; is it the right file?", path, limit)
	}
	l.budget -= int64(len(data))
	p := &parser{loader: l, path: path, depth: depth, d: xml.NewDecoder(bytes.NewReader(data))}
	p.d.CharsetReader = charset
	if err := p.run(); err != nil {
		return nil, err
	}
	return p.out, nil
}

// charset reads the encodings that configuration files declare; everything in them is ASCII but comments.
func charset(label string, in io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return in, nil
	case "iso-8859-1", "latin1", "windows-1252":
		data, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		out := make([]byte, 0, len(data))
		for _, b := range data {
			out = utf8.AppendRune(out, rune(b))
		}
		return bytes.NewReader(out), nil
	default:
		return nil, fmt.Errorf("encoding %q cannot be read; save the file as UTF-8", label)
	}
}

// parser goes through a file as Java's does: by the names of elements, whatever they are nested in.
type parser struct {
	*loader
	path  string
	depth int
	d     *xml.Decoder
	out   []parsed

	current parsed
	text    []byte
	collect bool // text belongs to the element that began last
	// An xi:include that found nothing allows its xi:fallback; properties of a fallback that is not allowed do not count.
	missing         string
	fallbackAllowed bool
	inFallback      bool
}

func (p *parser) run() error {
	root := false
	for {
		token, err := p.d.Token()
		if errors.Is(err, io.EOF) {
			if !root {
				return p.errorf("the file has no <configuration>")
			}
			return nil
		}
		if err != nil {
			return p.errorf("not well-formed XML: %w", err)
		}
		if t, ok := token.(xml.StartElement); ok && !root {
			if root = true; t.Name.Local != "configuration" {
				return p.errorf("the first element is <%s>, where <configuration> is wanted", clip(t.Name.Local))
			}
		}
		if err := p.token(token); err != nil {
			return err
		}
	}
}

func (p *parser) token(token xml.Token) error {
	switch t := token.(type) {
	case xml.StartElement:
		return p.start(t)
	case xml.CharData:
		if p.collect {
			p.text = append(p.text, t...)
		}
	case xml.EndElement:
		return p.end(t.Name.Local)
	}
	return nil
}

func (p *parser) errorf(format string, args ...any) error {
	line, _ := p.d.InputPos()
	return fmt.Errorf("read %s:%d: %w", p.path, line, fmt.Errorf(format, args...))
}

func (p *parser) start(t xml.StartElement) error {
	switch t.Name.Local {
	case "property":
		line, _ := p.d.InputPos()
		p.current = parsed{file: p.path, line: line}
		for _, a := range t.Attr { // the short form, <property name="a" value="b"/>
			switch a.Name.Local {
			case "name":
				p.current.name = a.Value
			case "value":
				p.current.value, p.current.hasValue = a.Value, true
			case "final":
				p.current.final = a.Value == "true"
			}
		}
	case "name", "value", "final", "source", "tag":
		p.collect, p.text = true, p.text[:0]
	case "include":
		for _, a := range t.Attr {
			if a.Name.Local == "href" {
				return p.include(a.Value)
			}
		}
	case "fallback":
		p.inFallback = true
	default:
	}
	return nil
}

func (p *parser) end(name string) error {
	switch name {
	case "name":
		if len(p.text) > 0 {
			p.current.name = strings.TrimSpace(string(p.text))
		}
	case "value":
		if len(p.text) > 0 {
			p.current.value, p.current.hasValue = string(p.text), true
		}
	case "final":
		p.current.final = string(p.text) == "true"
	case "property":
		if p.current.name != "" && (p.fallbackAllowed || !p.inFallback) {
			p.out = append(p.out, p.current)
		}
	case "include":
		if p.fallbackAllowed && !p.inFallback {
			return p.errorf("the included file %s does not exist, and there is no xi:fallback", p.missing)
		}
		p.fallbackAllowed, p.inFallback = false, false
	default:
	}
	return nil
}

// include reads another file at this place. A relative name starts at the configuration folder, where Java's class path has
// it, or else at the folder of this file.
func (p *parser) include(href string) error {
	u, err := url.Parse(href)
	switch {
	case err != nil || u.Scheme != "" && u.Scheme != "file":
		return p.errorf("cannot include %s: only files can be included", clip(href))
	case u.Scheme == "file":
		href = u.Path
	}
	candidates := []string{href}
	if !filepath.IsAbs(href) {
		candidates = []string{filepath.Join(p.dir, href), filepath.Join(filepath.Dir(p.path), href)}
	}
	for _, path := range candidates {
		out, err := p.file(path, p.depth+1)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		p.out = append(p.out, out...)
		return err
	}
	p.missing, p.fallbackAllowed = href, true
	return nil
}

func clip(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
