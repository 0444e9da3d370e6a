// Package hadoopxml reads core-site.xml, hdfs-site.xml and their like as Hadoop's Configuration class reads them.
//
// A folder of Hadoop configuration has been written for Java, often by a management tool, and the agent must see in it what
// every other client of the cluster sees. So the rules are Java's, the odd ones too:
//
//   - A later file wins, except over a property that an earlier one, or an earlier line, has made final.
//   - A property without a value, or with an empty one, does not count (but may still be final).
//   - ${name} stands for a system property, ${env.NAME} and ${env.NAME:-default} for the environment, and otherwise for
//     another property; an unknown one stays as it is; a value that refers to itself stays as it is.
//   - xi:include takes the properties of another file in at that place; if the file does not exist, those in xi:fallback.
//   - Older names of properties count as the new ones.
//   - HDFS's own defaults are read between core-site.xml and hdfs-site.xml, and so win over the former: dfs.blocksize belongs
//     into hdfs-site.xml.
//   - true and false are the only booleans: anything else is the default.
//
// Other than in Java, a value that cannot be read is an error with file and line, and what a file may do to the reader is
// bounded: its size, the depth of its includes, and no entities beyond XML's own five.
package hadoopxml

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// Options say where to read.
type Options struct {
	// Dir is the configuration folder, such as /etc/hadoop/conf.
	Dir string
	// Files are read in this order, a later one winning; by default core-site.xml, then hdfs-site.xml. A file that does not
	// exist is passed over, but one must exist.
	Files []string
	// Overrides win over the files, final properties included.
	Overrides map[string]string
	// Getenv and SystemProperty answer ${env.NAME} and ${user.name}; by default the environment, and the user.name, user.home
	// and java.io.tmpdir of this process.
	Getenv         func(string) (string, bool)
	SystemProperty func(string) (string, bool)
}

// Property is a value and where it came from.
type Property struct {
	Name  string
	Raw   string // before ${…} is replaced
	Value string
	Final bool
	File  string // "" for an override or a default
	Line  int
}

// Place is `file:line`, for messages.
func (p Property) Place() string {
	if p.File == "" {
		return "(set by the configuration or by default)"
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Config is a set of properties. It does not change after Load, and may be shared.
type Config struct {
	dir            string
	properties     map[string]stored
	getenv         func(string) (string, bool)
	systemProperty func(string) (string, bool)
}

// stored is a property, or the mere knowledge that one without a value is final.
type stored struct {
	Property
	set bool
}

// Load reads the files.
func Load(o Options) (*Config, error) {
	c := &Config{dir: o.Dir, properties: map[string]stored{}, getenv: o.Getenv, systemProperty: o.SystemProperty}
	if c.getenv == nil {
		c.getenv = os.LookupEnv
	}
	if c.systemProperty == nil {
		c.systemProperty = systemProperty
	}
	c.loadAll(coreDefaults())
	if len(o.Files) == 0 {
		o.Files = []string{"core-site.xml", "hdfs-site.xml"}
	}
	l := &loader{dir: o.Dir, budget: maxTotal}
	found := false
	for _, name := range o.Files {
		if filepath.Base(name) == "hdfs-site.xml" {
			c.loadAll(hdfsDefaults())
		}
		path := name
		if !filepath.IsAbs(name) {
			path = filepath.Join(o.Dir, name)
		}
		properties, err := l.file(path, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found = true
		c.loadAll(properties)
	}
	if !found && (o.Dir != "" || len(o.Overrides) == 0) {
		return nil, fmt.Errorf("read hadoop configuration: there is no %s in %s; name the folder that has them (conf_dir), or install the cluster's client configuration there",
			strings.Join(o.Files, " and no "), o.Dir)
	}
	for name, value := range o.Overrides {
		for _, today := range names(name) {
			c.properties[today] = stored{Property{Name: today, Raw: value}, true}
		}
	}
	return c, nil
}

func (c *Config) loadAll(properties []parsed) {
	for _, p := range properties {
		c.load(p)
	}
}

// load adds a property as Java does: a final one stays, whoever comes later, and finality does not need a value.
func (c *Config) load(p parsed) {
	for _, name := range names(p.name) {
		old := c.properties[name]
		if !old.Final && p.hasValue {
			c.properties[name] = stored{Property{Name: name, Raw: p.value, Final: p.final, File: p.file, Line: p.line}, true}
			continue
		}
		if p.final && !old.Final {
			old.Name, old.Final = name, true
			c.properties[name] = old
		}
	}
}

// Lookup finds a property, by its name of today or an older one; ok is false if no file, override or default has it. The
// error is one of substitution.
func (c *Config) Lookup(key string) (p Property, ok bool, err error) {
	for _, name := range names(key) {
		p, ok = c.raw(name)
		if !ok {
			continue
		}
		if p.Value, err = c.substitute(p.Raw); err != nil {
			return Property{}, false, fmt.Errorf("%s: %s: %w", p.Place(), name, err)
		}
		return p, true, nil
	}
	return Property{}, false, nil
}

// raw tells a property that exists from one that is only known to be final.
func (c *Config) raw(name string) (Property, bool) {
	s := c.properties[name]
	return s.Property, s.set
}

// Names lists the properties that have a value, in no order.
func (c *Config) Names() []string {
	out := make([]string, 0, len(c.properties))
	for name := range c.properties {
		if _, ok := c.raw(name); ok {
			out = append(out, name)
		}
	}
	return out
}

// systemProperty knows those of Java's system properties that configurations use.
func systemProperty(name string) (string, bool) {
	switch name {
	case "user.name":
		if u, err := user.Current(); err == nil {
			return u.Username, true
		}
		return os.LookupEnv("USER")
	case "user.home":
		home, err := os.UserHomeDir()
		return home, err == nil
	case "java.io.tmpdir":
		return "/tmp", true
	default:
		return "", false
	}
}

// names are what a name of today or of old stands for.
func names(name string) []string {
	name = strings.TrimSpace(name)
	if today, ok := deprecated()[name]; ok {
		return []string{today}
	}
	return []string{name}
}
