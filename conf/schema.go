package conf

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
)

// Schema is the JSON Schema (draft 2020-12) of configurations with these components, for editors and CI. It is weaker than
// Load: what depends on several values, and whether a name exists, only Load knows.
func (reg Registry) Schema() ([]byte, error) {
	s := &schemer{reg: reg, defs: map[string]any{}}
	settings := s.object(reflect.ValueOf(defaultDocument()))["properties"].(Fragment)
	top := Fragment{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "Configuration of Penstock",
		"type":                 "object",
		"additionalProperties": false,
		"required":             []string{"version"},
		"properties": Fragment{
			"version":  Fragment{"const": 1, "description": "Version of the configuration's language."},
			"kerberos": s.named("Kerberos identities.", s.object(reflect.ValueOf(Identity{}))),
			"hadoop":   s.named("Hadoop clusters.", s.object(reflect.ValueOf(Cluster{}))),
			"sources":  s.section("sources", "What puts events into channels.", reg.Sources, sourceKeys{}),
			"channels": s.section("channels", "Where events wait, each a log of partitions.", reg.Channels, channelKeys{}),
			"sinks":    s.section("sinks", "What drains channels.", reg.Sinks, sinkKeys{}),
			"memory":   settings["memory"],
			"admin":    settings["admin"],
		},
	}
	top["$defs"] = s.defs
	data, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write schema: %w", err)
	}
	return append(data, '\n'), nil
}

type schemer struct {
	reg  Registry
	defs map[string]any
}

func (s *schemer) named(doc string, entry Fragment) Fragment {
	return Fragment{
		"type": "object", "description": doc, "additionalProperties": entry,
		"propertyNames": Fragment{"pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"},
	}
}

func (s *schemer) section(name, doc string, kinds []Kind, common any) Fragment {
	return s.named(doc, s.oneOf(name, kinds, "", reflect.ValueOf(common)))
}

// oneOf refers to a definition for each kind, made once. type is optional where a default names one.
func (s *schemer) oneOf(set string, kinds []Kind, assumed string, common ...reflect.Value) Fragment {
	if len(kinds) == 0 {
		return Fragment{"not": Fragment{}} // nothing can be written there; an empty anyOf would be no schema
	}
	refs := make([]any, 0, len(kinds))
	names := make([]string, 0, len(kinds))
	for _, k := range kinds {
		name := set + "." + k.Name
		names = append(names, k.Name)
		refs = append(refs, Fragment{"$ref": "#/$defs/" + name})
		if _, ok := s.defs[name]; ok {
			continue
		}
		s.defs[name] = nil // a set may, through another, hold itself
		def := s.object(append(slices.Clone(common), reflect.ValueOf(k.New()).Elem())...)
		def["properties"].(Fragment)["type"] = Fragment{"const": k.Name}
		if k.Doc != "" {
			def["description"] = k.Doc
		}
		s.defs[name] = def
	}
	out := Fragment{"type": "object", "anyOf": refs, "properties": Fragment{"type": Fragment{"enum": names}}}
	if assumed == "" {
		out["required"] = []string{"type"}
	}
	return out
}

// object describes structs that share one mapping.
func (s *schemer) object(values ...reflect.Value) Fragment {
	properties, required := Fragment{}, []string{}
	for _, v := range values {
		for _, f := range fields(v.Type()) {
			value := v.FieldByIndex(f.index)
			p := s.setting(value, f.rules)
			if f.doc != "" {
				p["description"] = f.doc
			}
			if shapeOf(f.typ) != structShape && shapeOf(f.typ) != choiceShape && !value.IsZero() {
				p["default"] = defaultOf(value)
			}
			properties[f.key] = p
			if f.rules.required && value.IsZero() {
				required = append(required, f.key)
			}
		}
	}
	out := Fragment{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// defaultOf keeps numbers, booleans and lists what they are in JSON.
func defaultOf(v reflect.Value) any {
	switch shapeOf(v.Type()) {
	case boolShape, intShape, uintShape, floatShape, stringShape:
		return v.Interface()
	case listShape:
		list := make([]any, 0, v.Len())
		for i := range v.Len() {
			list = append(list, defaultOf(v.Index(i)))
		}
		return list
	default:
		return written(v)
	}
}

func (s *schemer) setting(v reflect.Value, r rules) Fragment {
	t := v.Type()
	switch shapeOf(t) {
	case valueShape:
		return reflect.New(t).Interface().(Value).SchemaConf()
	case choiceShape:
		return s.oneOf(r.kinds, s.reg.Blocks[r.kinds], v.Interface().(Choice).Type)
	case structShape:
		return s.object(v)
	case pointerShape:
		inner := reflect.New(t.Elem())
		if d, ok := reflect.TypeAssert[Defaulter](inner); ok {
			d.SetDefaults()
		}
		return s.setting(inner.Elem(), r)
	case listShape:
		out := Fragment{"type": "array", "items": s.setting(reflect.New(t.Elem()).Elem(), elementRules(r))}
		count(out, r, "minItems", "maxItems")
		return out
	case mapShape:
		out := Fragment{"type": "object", "additionalProperties": s.setting(reflect.New(t.Elem()).Elem(), elementRules(r))}
		count(out, r, "minProperties", "maxProperties")
		return out
	case boolShape:
		return Fragment{"type": "boolean"}
	case intShape, uintShape:
		out := Fragment{"type": "integer"}
		count(out, r, "minimum", "maximum")
		return out
	case floatShape:
		out := Fragment{"type": "number"}
		count(out, r, "minimum", "maximum")
		return out
	default:
		out := Fragment{"type": "string"}
		if len(r.enum) > 0 {
			out["enum"] = r.enum
		}
		count(out, r, "minLength", "maxLength")
		if r.required && out["minLength"] == nil {
			out["minLength"] = json.Number("1")
		}
		return out
	}
}

// elementRules are those that hold for each element of a list or map.
func elementRules(r rules) rules { return rules{enum: r.enum, kinds: r.kinds} }

func count(out Fragment, r rules, least, most string) {
	for key, text := range map[string]string{least: r.min, most: r.max} {
		if _, err := strconv.ParseFloat(text, 64); err == nil && (r.zero == "" || key == most) {
			out[key] = json.Number(text)
		}
	}
}
