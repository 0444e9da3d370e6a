package conf

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Document is a whole configuration that was found to be right.
type Document struct {
	Kerberos map[string]*Identity
	Hadoop   map[string]*Cluster
	// The components, in the order of the file.
	Sources  []*Component
	Channels []*Component
	Sinks    []*Component
	// Memory is what all sinks together may hold of rows that are not written out.
	Memory Size
	Admin  Admin

	c    *collector
	root *node
}

// Component is an entry of sources, channels or sinks.
type Component struct {
	Section string // "sources", "channels" or "sinks"
	Name    string
	Type    string
	// Config is what Kind.New returned, filled from the file.
	Config any

	// Channels are where a source puts, or the one channel that a sink drains.
	Channels []string
	// Interceptors and Selector are a source's. Selector is nil if the file has none.
	Interceptors []Choice
	Selector     *Choice

	kind   Kind
	common any // the keys that all components of the section have
	at     place
	c      *collector
}

// documentKeys are the settings of the document itself; its other keys are sections.
type documentKeys struct {
	Memory Size  `yaml:"memory" conf:"min=16MiB" doc:"Memory for rows that are not yet written out, shared by all sinks."`
	Admin  Admin `yaml:"admin"                   doc:"Status page, metrics and health checks."`
}

func defaultDocument() documentKeys { return documentKeys{Memory: 256 * MiB, Admin: defaultAdmin()} }

func sections() []string {
	return []string{"version", "kerberos", "hadoop", "sources", "channels", "sinks"}
}

// sourceKeys, channelKeys and sinkKeys are what every component of a section has beside its own Config.
type sourceKeys struct {
	Channels     []string `yaml:"channels"     conf:"required,min=1,ref=channels" doc:"Channels to put events into."`
	Interceptors []Choice `yaml:"interceptors" conf:"kinds=interceptor"           doc:"What is done to events on the way, in this order."`
	Selector     *Choice  `yaml:"selector"     conf:"kinds=selector"              doc:"Which of the channels an event goes to." `
}

type channelKeys struct{}

type sinkKeys struct {
	Channel string `yaml:"channel" conf:"required,ref=channels" doc:"The channel to drain."`
}

// Load reads and decodes the configuration file at path. The error is an *Error unless the file cannot be read.
func Load(path string, reg Registry) (*Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data, reg)
}

// Parse is Load for a file that was read already. Its name stands in the messages; relative paths start at the name's folder.
func Parse(name string, data []byte, reg Registry) (*Document, error) {
	c := &collector{src: newSource(name, filepath.Dir(name), data)}
	root := parseYAML(data, c)
	if root == nil {
		return nil, c.unreadable(data)
	}
	c.collectSecrets(root)
	d := &decoder{c: c, reg: reg, file: true}
	doc := &Document{Kerberos: map[string]*Identity{}, Hadoop: map[string]*Cluster{}, c: c, root: root}
	d.document(doc)
	if root.kind == scalarNode { // YAML takes lines without a colon for one long text
		return nil, c.unreadable(data)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	return doc, nil
}

// Unmarshal decodes one component's configuration by itself: target is a pointer to a struct that has its defaults. Names
// of other blocks are not looked up. A Choice whose set reg does not have keeps its default type, without a Config.
func Unmarshal(data []byte, target any, reg Registry) error {
	c := &collector{src: newSource("", "", data)}
	if len(strings.TrimSpace(string(data))) == 0 {
		data = []byte("{}")
	}
	root := parseYAML(data, c)
	if root == nil {
		return c.err()
	}
	c.collectSecrets(root)
	d := &decoder{c: c, reg: reg, file: true}
	d.object(place{node: root, key: root.pos}, []reflect.Value{reflect.ValueOf(target).Elem()})
	return c.err()
}

// Check applies the rules of the tags, Complete and Validate to a Config that was made in Go.
func Check(target any) error {
	d := &decoder{c: &collector{}}
	d.object(place{}, []reflect.Value{reflect.ValueOf(target).Elem()})
	return d.c.err()
}

func flumeProperties(data []byte) bool {
	return regexp.MustCompile(`(?m)^[\w-]+\.(sources|channels|sinks)\s*=`).Match(data)
}

// unreadable is the error for a file that is no block of keys.
func (c *collector) unreadable(data []byte) error {
	if flumeProperties(data) {
		c.problems[0].Fix = "this looks like a properties file of Flume; Penstock's configuration is YAML"
	}
	return c.err()
}

// Err is everything found so far, Component.Report included; nil if there is no error among it.
func (doc *Document) Err() error { return doc.c.err() }

// Warnings lists what is odd but not wrong.
func (doc *Document) Warnings() []Problem {
	return doc.c.list(func(p *Problem) bool { return p.Severity == SeverityWarning })
}

// Report takes problems that are found later, when components are put together: the places are as exact as in Validate.
// Document.Err returns them.
func (c *Component) Report() *Report { return &Report{sink: c.c, at: c.at} }

// Report takes problems of the document as a whole; paths start at its top: "admin.listen".
func (doc *Document) Report() *Report {
	return &Report{sink: doc.c, at: place{key: doc.root.pos, node: doc.root}}
}

// document walks the top level.
func (d *decoder) document(doc *Document) {
	top := place{key: pos{line: doc.root.pos.line, col: 1, width: 1}, node: doc.root}
	if doc.root.kind != mapNode {
		d.wrongShape(top, "a block of keys", "begin with `version: 1`")
		return
	}
	if !d.version(top.child("version")) {
		return
	}
	settings := defaultDocument()
	d.object(top, []reflect.Value{reflect.ValueOf(&settings).Elem()}, sections()...)
	doc.Memory, doc.Admin = settings.Memory, settings.Admin
	for _, e := range doc.root.entries {
		if !slices.Contains(append(sections(), "memory", "admin"), e.key) {
			d.blind = true // it may be a section with a slip of the pen
		}
	}
	for _, e := range d.named(top.child("kerberos")) {
		id := &Identity{}
		d.object(e.at, []reflect.Value{reflect.ValueOf(id).Elem()})
		doc.Kerberos[e.name] = id
	}
	for _, e := range d.named(top.child("hadoop")) {
		cluster := &Cluster{}
		d.object(e.at, []reflect.Value{reflect.ValueOf(cluster).Elem()})
		doc.Hadoop[e.name] = cluster
	}
	doc.Sources = d.section(top.child("sources"))
	doc.Channels = d.section(top.child("channels"))
	doc.Sinks = d.section(top.child("sinks"))
	d.link(doc, top)
}

// version comes first: a file of another version is not to be judged by the rules of this one.
func (d *decoder) version(at place) bool {
	switch {
	case at.node == nil:
		d.c.add(SeverityError, at, "the key is missing").Fixf("begin the file with `version: 1`")
	case at.node.kind != scalarNode || at.node.text != "1" || at.node.scalar != Integer:
		d.c.add(SeverityError, at, "this Penstock reads version 1 of the configuration").Fixf("write `version: 1`")
		return at.node.kind != scalarNode || at.node.scalar != Integer
	}
	return true
}

// namedEntry is one entry of a section.
type namedEntry struct {
	name string
	at   place
}

// named lists the entries of a section whose names and shape are right.
func (d *decoder) named(at place) []namedEntry {
	if at.node == nil || d.nullCheck(at) {
		return nil
	}
	if at.node.kind != mapNode {
		d.blind = true
		d.wrongShape(at, "a block of named entries", "write each entry's name, a colon, and its keys below it")
		return nil
	}
	out := make([]namedEntry, 0, len(at.node.entries))
	for _, e := range at.node.entries {
		here := at.child(e.key)
		if !validName(e.key) {
			d.blind = true
			d.c.add(SeverityError, place{path: at.path, key: e.keyPos}, "%q cannot be a name, because names become parts of file names, metrics and groups", clip(e.key)).
				Fixf("use letters, digits, - and _, at most 64, with a letter or a digit first")
			continue
		}
		if d.nullCheck(here) {
			continue
		}
		out = append(out, namedEntry{e.key, here})
	}
	return out
}

func validName(name string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`).MatchString(name)
}

// section decodes sources, channels or sinks.
func (d *decoder) section(at place) []*Component {
	section := at.path
	var out []*Component
	for _, e := range d.named(at) {
		c := &Component{Section: section, Name: e.name, at: e.at, c: d.c}
		if e.at.node.kind != mapNode {
			d.blind = true
			d.wrongShape(e.at, "a block with a type", "")
			continue
		}
		out = append(out, c) // even if broken, so that a reference to it is not an error on top
		if d.moved(c) {
			d.blind = true
			continue
		}
		kind, ok := d.kind(e.at, d.reg.section(section), "")
		if !ok {
			d.blind = true
			continue
		}
		c.kind, c.Type, c.Config = kind, kind.Name, kind.New()
		d.component(c)
	}
	return out
}

func (d *decoder) component(c *Component) {
	source, sink := sourceKeys{}, sinkKeys{}
	switch c.Section {
	case "sources":
		c.common = &source
	case "sinks":
		c.common = &sink
	default:
		c.common = &channelKeys{}
	}
	before := d.c.errors
	d.object(c.at, []reflect.Value{reflect.ValueOf(c.common).Elem(), reflect.ValueOf(c.Config).Elem()}, "type")
	c.Channels, c.Interceptors, c.Selector = source.Channels, source.Interceptors, source.Selector
	if sink.Channel != "" {
		c.Channels = []string{sink.Channel}
	}
	if c.Section != "channels" && len(c.Channels) == 0 && d.c.errors > before {
		d.blind = true
	}
}
