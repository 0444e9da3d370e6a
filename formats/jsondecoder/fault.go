package jsondecoder

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/schema"
)

// fault is why an event is refused. Its path is put together on the way out, so that events that are fine pay nothing for it.
type fault struct {
	code, detail string
	path         []string // innermost first
}

func newFault(code, detail string) *fault { return &fault{code: code, detail: detail} }

// in says in which field the fault is.
func (f *fault) in(name string) *fault {
	for i, c := range []byte(name) {
		if c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9' {
			continue
		}
		f.path = append(f.path, "["+strconv.Quote(name)+"]")
		return f
	}
	f.path = append(f.path, "."+name)
	return f
}

// at says at which element of a list, or entry of a map.
func (f *fault) at(index int) *fault {
	f.path = append(f.path, "["+strconv.Itoa(index)+"]")
	return f
}

// maxPath is how much of a path is told; keys are the producer's.
const maxPath = 1 << 10

func (f *fault) recordError() *formats.RecordError {
	var b strings.Builder
	b.WriteByte('$')
	for i := len(f.path) - 1; i >= 0 && b.Len() < maxPath; i-- {
		b.WriteString(f.path[i])
	}
	return &formats.RecordError{Code: f.code, Path: b.String(), Detail: f.detail}
}

func (f *fault) error() error { return errors.New(f.code + ": " + f.detail) }

// syntax is a fault against the grammar.
func (d *Decoder) syntax(what string) *fault {
	return newFault("invalid_json", fmt.Sprintf("%s, at byte %d", what, d.i))
}

// wrong says that what is next is of another type than n; nothing of the event is quoted.
func (d *Decoder) wrong(n *node) *fault {
	var there string
	switch c := d.p[d.i]; {
	case c == '"':
		there = "a string"
	case c == '{':
		there = "an object"
	case c == '[':
		there = "a list"
	case c == 't' || c == 'f':
		there = "a boolean"
	case c == '-' || c >= '0' && c <= '9':
		there = "a number"
	default:
		return d.syntax("no value begins so")
	}
	if why := d.skip(); why != nil {
		return why
	}
	return newFault("wrong_type", there+", and the column is "+kindText(n.typ))
}

func kindText(t *schema.Type) string {
	if t.Kind == schema.Decimal {
		return fmt.Sprintf("decimal(%d, %d)", t.Precision, t.Scale)
	}
	if t.Local {
		return "local-" + t.Kind.String()
	}
	return t.Kind.String()
}
