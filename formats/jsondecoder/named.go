package jsondecoder

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/schema"
)

// named is a record of the fields below the paths, whose names stand outermost first. Each is a leaf; nullable says whether the records around it may be null.
func named(paths [][]string, leaf *schema.Type, nullable bool) (*schema.Type, error) {
	t := &schema.Type{Kind: schema.Record}
	for _, path := range paths {
		at := t
		if len(path) == 0 {
			return nil, errors.New("no field is named")
		}
		for i, name := range path {
			if !plainName(name) {
				return nil, fmt.Errorf("the name %d of the field, %q, is empty or would have to be escaped in JSON", i+1, name)
			}
			last := i+1 == len(path)
			f := slices.IndexFunc(at.Fields, func(f schema.Field) bool { return f.Name == name })
			switch {
			case f >= 0 && (last || at.Fields[f].Type == leaf):
				return nil, fmt.Errorf("$.%s is named twice, or has another below it", strings.Join(path[:i+1], "."))
			case last:
				at.Fields = append(at.Fields, schema.Field{Name: name, Type: leaf})
			case f < 0:
				f = len(at.Fields)
				at.Fields = append(at.Fields, schema.Field{Name: name, Type: &schema.Type{Kind: schema.Record, Nullable: nullable}})
			}
			if !last {
				at = at.Fields[f].Type
			}
		}
	}
	return t, nil
}

// plainName reports whether a name stands in JSON as it is, for guesses to be sure of it.
func plainName(name string) bool {
	return name != "" && plain([]byte(name), 0) == len(name) && utf8.ValidString(name)
}

// Texts finds fields of an event as text, without a schema. Safe for concurrent use; see NewText.
type Texts struct {
	plan   *Plan
	leaves []int // for each path
}

// NewTexts is for the fields below the paths, the outermost names first.
func NewTexts(paths [][]string) (*Texts, error) {
	t, err := named(paths, &schema.Type{Kind: schema.String, Nullable: true}, true)
	if err != nil {
		return nil, err
	}
	s, err := schema.New(t, nil)
	if err != nil {
		return nil, err
	}
	plan, err := Compile(s, Options{Literals: true})
	if err != nil {
		return nil, err
	}
	texts := &Texts{plan: plan}
	for _, path := range paths {
		texts.leaves = append(texts.leaves, slices.IndexFunc(s.Leaves, func(l schema.Leaf) bool { return slices.Equal(l.Path, path) }))
	}
	return texts, nil
}

// Text reads the fields. Used by one goroutine.
type Text struct {
	d      *Decoder
	leaves []int
}

// NewText returns a reader.
func (t *Texts) NewText() *Text { return &Text{d: t.plan.NewDecoder(), leaves: t.leaves} }

// Values appends the field of each path, in their order: a string's characters, a number, true or false as it is written, and nil for null and for what is not
// there. They are valid until the next call and may point into the body. Objects and lists are refused, and events that are no JSON, with the codes of Decode.
func (t *Text) Values(body []byte, to [][]byte) ([][]byte, *formats.RecordError) {
	row, why := t.d.Decode(body)
	if why != nil {
		return nil, why
	}
	for _, leaf := range t.leaves {
		to = append(to, row.Columns[leaf][0].Bytes)
	}
	return to, nil
}
