package bodies

import (
	"fmt"

	"github.com/penstock-io/penstock/formats/avrodecoder"
	"github.com/penstock-io/penstock/formats/schema"
)

// only is a source of the same events with the columns below the paths only, so that decoding passes over all else, or s itself where it can be no less.
func (s *Source) only(paths [][]string) (*Source, error) {
	t, err := narrow(s.Schema.Root, paths, "$")
	if err != nil || s.reading == nil {
		return s, err
	}
	one, err := schema.New(t, nil)
	if err != nil {
		return nil, err
	}
	return s.reading(one)
}

// narrow is the record t with only the fields that the paths name. A default that has more is still theirs: decoders pass over what they do not know.
func narrow(t *schema.Type, paths [][]string, at string) (*schema.Type, error) {
	if t.Kind != schema.Record {
		return nil, fmt.Errorf("%s is of type %s, and has no field %q", at, t.Kind, paths[0][0])
	}
	record := *t
	record.Fields = nil
	for _, path := range paths {
		if !has(t, path[:1]) {
			return nil, fmt.Errorf("the schema has no field %s.%s", at, path[0])
		}
	}
	for _, f := range t.Fields {
		below, named := under(f.Name, paths)
		if !named {
			continue
		}
		if len(below) > 0 {
			var err error
			if f.Type, err = narrow(f.Type, below, at+"."+f.Name); err != nil {
				return nil, err
			}
		}
		record.Fields = append(record.Fields, f)
	}
	return &record, nil
}

// under is what is left of the paths that begin with the name. named says that there are any: one may end with it.
func under(name string, paths [][]string) (below [][]string, named bool) {
	for _, path := range paths {
		if path[0] != name {
			continue
		}
		if named = true; len(path) > 1 {
			below = append(below, path[1:])
		}
	}
	return below, named
}

// resolvedDatums is the source of s's datums in another schema.
func resolvedDatums(writer, s *schema.Schema) (*Source, error) {
	plan, err := avrodecoder.Resolve(writer.Root, s, nil)
	if err != nil {
		return nil, err
	}
	return &Source{Schema: s, New: func() Decoder { return certain{plan.NewDecoder()} }}, nil
}
