package conf

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// link checks what components say of one another, when all are known.
func (d *decoder) link(doc *Document, top place) {
	names := map[string][]string{}
	for _, c := range doc.Channels {
		names["channels"] = append(names["channels"], c.Name)
	}
	for _, section := range []string{"kerberos", "hadoop"} {
		if n := top.child(section).node; n != nil {
			for _, e := range n.entries {
				names[section] = append(names[section], e.key)
			}
		}
	}
	used := d.references(names)
	d.readers(doc, top)
	d.puts(doc)
	for _, c := range doc.Channels {
		if !d.blind {
			d.channelUse(doc, c)
		}
	}
	for _, section := range []string{"kerberos", "hadoop"} {
		if d.c.errors > 0 {
			break // the mistakes come first; these are hints
		}
		for _, name := range names[section] {
			if !used[section+"."+name] {
				d.c.add(SeverityWarning, top.child(section).child(name), "nothing uses this entry").Fixf("remove it, or name it where it is needed: `%s: %s`", section, name)
			}
		}
	}
	if len(doc.Sources)+len(doc.Sinks) == 0 && d.c.errors == 0 {
		d.c.add(SeverityError, top, "there is neither a source nor a sink, so there is nothing to do").Fixf("add an entry under sinks:")
	}
}

// references looks up every name and answers which entries are used.
func (d *decoder) references(names map[string][]string) map[string]bool {
	used := map[string]bool{}
	for _, r := range d.refs {
		if slices.Contains(names[r.section], r.name) {
			used[r.section+"."+r.name] = true
			continue
		}
		if !r.written {
			continue // a default that names nothing; who needs it says so
		}
		d.blind = true
		p := d.c.add(SeverityError, r.at, "there is no %q under %s", clip(r.name), r.section)
		if len(names[r.section]) == 0 {
			p.Fixf("add an entry %s under %s:", clip(r.name), r.section)
			continue
		}
		p.Fix = didYouMean(r.name, names[r.section])
	}
	return used
}

// readers refuses a second sink on a channel: two readers of one log would each get a part, or all of it twice.
func (d *decoder) readers(doc *Document, top place) {
	first := map[string]*Component{}
	for _, s := range doc.Sinks {
		if len(s.Channels) != 1 {
			continue
		}
		name := s.Channels[0]
		if first[name] == nil {
			first[name] = s
			continue
		}
		p := d.c.add(SeverityError, s.at.child("channel"), "channel %s is drained by sink %s already, and a channel has one sink", name, first[name].Name)
		channel := top.child("channels").child(name)
		if channel.node == nil || channel.node.kind != mapNode {
			continue
		}
		second := name + "-" + s.Name
		if hasKey(doc, name, "group") {
			p.Fixf("add a second channel with a group of its own, and write `channel: %s` here", second)
			p.Example = "channels:\n" + snippet(second, channel.node, map[string]string{"group": "penstock-" + second})
			continue
		}
		p.Fixf("add a second channel, name both in the source (`channels: [%s, %s]`), and write `channel: %s` here", name, second, second)
	}
}

func hasKey(doc *Document, channel, key string) bool {
	for _, c := range doc.Channels {
		if c.Name != channel || c.Config == nil {
			continue
		}
		for _, f := range fields(reflect.TypeOf(c.Config).Elem()) {
			if f.key == key {
				return true
			}
		}
	}
	return false
}

// puts refuses a source that puts where nothing can be put.
func (d *decoder) puts(doc *Document) {
	for _, s := range doc.Sources {
		for i, name := range s.Channels {
			for _, c := range doc.Channels {
				if c.Name != name || !c.kind.NoPut {
					continue
				}
				d.c.add(SeverityError, s.at.child("channels").item(i), "channel %s is of type %s, into which a source cannot put", name, c.Type).
					Fixf("name a channel of another type (%s)", strings.Join(putKinds(d.reg.Channels), ", "))
			}
		}
	}
}

func putKinds(kinds []Kind) []string {
	var out []string
	for _, k := range kinds {
		if !k.NoPut {
			out = append(out, k.Name)
		}
	}
	return out
}

// channelUse finds channels that fill up, or stay empty, for ever.
func (d *decoder) channelUse(doc *Document, c *Component) {
	if c.Config == nil {
		return
	}
	names := func(x *Component) bool { return slices.Contains(x.Channels, c.Name) }
	fed := slices.ContainsFunc(doc.Sources, names)
	drained := slices.ContainsFunc(doc.Sinks, names)
	switch {
	case !fed && !drained:
		d.c.add(SeverityError, c.at, "nothing uses this channel").Fixf("name it in a sink (`channel: %s`), or remove it", c.Name)
	case !drained && !c.kind.DrainedElsewhere:
		d.c.add(SeverityError, c.at, "no sink drains this channel, so it would fill up").Fixf("name it in a sink: `channel: %s`", c.Name)
	case !fed && !c.kind.FedElsewhere:
		d.c.add(SeverityWarning, c.at, "no source puts into this channel; what is in it is drained and then nothing comes").Fixf("name it in a source: `channels: [%s]`", c.Name)
	}
}

// moved recognizes an entry that belongs into another section, and shows it there.
func (d *decoder) moved(c *Component) bool {
	typeAt := c.at.child("type")
	if typeAt.node == nil || typeAt.node.kind != scalarNode {
		return false
	}
	m, ok := d.findMoved(c.Section, typeAt.node.text)
	if !ok {
		return false
	}
	p := d.c.add(SeverityError, typeAt, "%s", m.Why).Fixf("move the entry to %s:", m.ToSection)
	p.Example = m.ToSection + ":\n" + snippet(c.Name, c.at.node, map[string]string{"type": m.ToType}, "channels", "channel", "interceptors", "selector")
	if m.ToSection == "channels" {
		p.Fix += fmt.Sprintf(", and name it in a sink: `channel: %s`", c.Name)
	}
	return true
}

func (d *decoder) findMoved(section, typ string) (Moved, bool) {
	if d.reg.has(section, typ) {
		return Moved{}, false
	}
	for _, m := range d.reg.Moved {
		if m.Section == section && m.Type == typ {
			return m, true
		}
	}
	for _, other := range []string{"sources", "channels", "sinks"} {
		if d.reg.has(other, typ) {
			return Moved{ToSection: other, ToType: typ, Why: fmt.Sprintf("type %s is one of %s, not of %s", typ, other, section)}, true
		}
	}
	return Moved{}, false
}
