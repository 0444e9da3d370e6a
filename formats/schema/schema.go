package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Kind is what a value is.
type Kind uint8

// The kinds: Avro's types, and those of its logical types that change what a column is.
const (
	Boolean         Kind = iota + 1
	Int                  // 32 bits
	Long                 // 64 bits
	Float                // 32 bits
	Double               // 64 bits
	String               // valid UTF-8
	Bytes                //
	Fixed                // Size bytes
	Enum                 // one of Symbols
	Decimal              // Precision digits, Scale of them behind the point
	UUID                 // 8-4-4-4-12 hexadecimal digits, lower case
	Date                 // days since 1970-01-01
	TimeMillis           // since midnight
	TimeMicros           // since midnight
	TimestampMillis      // since 1970-01-01T00:00:00Z; of a wall clock if Local is set
	TimestampMicros      //
	TimestampNanos       //
	Record               // Fields
	Array                // of Items
	Map                  // of strings to Items
	Null                 // of writers only, see ParseWriter
	Union                // of writers only: one of Branches
)

// names are Avro's, for messages and fingerprints.
func (k Kind) String() string {
	names := [...]string{
		Boolean: "boolean", Int: "int", Long: "long", Float: "float", Double: "double", String: "string", Bytes: "bytes", Fixed: "fixed",
		Enum: "enum", Decimal: "decimal", UUID: "uuid", Date: "date", TimeMillis: "time-millis", TimeMicros: "time-micros",
		TimestampMillis: "timestamp-millis", TimestampMicros: "timestamp-micros", TimestampNanos: "timestamp-nanos",
		Record: "record", Array: "array", Map: "map", Null: "null", Union: "union",
	}
	if int(k) < len(names) && names[k] != "" {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Type is a type in a schema. Read-only once parsed.
type Type struct {
	Kind     Kind
	Nullable bool // null is allowed
	NullLast bool // it is the second branch of its union, not the first; decides nothing but how Avro datums are read

	Name      string   // full name of a record, enum or fixed
	Fields    []Field  // Record
	Items     *Type    // Array, Map
	Branches  []*Type  // Union
	Symbols   []string // Enum
	Size      int      // Fixed: bytes
	Precision int      // Decimal: digits, 1 to 38
	Scale     int      // Decimal: 0 to Precision
	Local     bool     // timestamps: a wall clock's, without a zone
	Unit      string   // timestamps: of numbers in events, s, ms, us or ns; "": the type's own
}

// Field is a field of a record.
type Field struct {
	Name    string
	Aliases []string // other names under which a decoder finds it
	Doc     string
	Type    *Type
	Default []byte // JSON, as Avro writes it; nil: none
}

// Schema is a record and its columns. Read-only.
type Schema struct {
	Root   *Type
	Leaves []Leaf
	Text   []byte // as parsed
	ID     string // fingerprint of what decides a file's columns and values: schemas with the same ID make the same files
}

// Leaf is one column.
type Leaf struct {
	Path           []string // names from the root, those of a list's and a map's groups included
	Type           *Type
	MaxRep, MaxDef uint8
}

// New returns the schema of a record.
func New(root *Type, text []byte) (*Schema, error) {
	s := &Schema{Root: root, Text: text}
	if err := s.flatten(root, nil, 0, 0); err != nil {
		return nil, err
	}
	var b strings.Builder
	canonical(&b, root)
	sum := sha256.Sum256([]byte(b.String()))
	s.ID = hex.EncodeToString(sum[:8])
	return s, nil
}

const (
	maxLevel  = 200    // what fits into a byte, with room for one more step
	maxLeaves = 10_000 // a named type in a named type, again and again, would make billions
)

func (s *Schema) flatten(t *Type, path []string, rep, def uint8) error {
	if def > maxLevel {
		return fmt.Errorf("%s: nested more than %d levels deep", strings.Join(path, "."), maxLevel)
	}
	if t.Nullable {
		def++
	}
	switch t.Kind {
	case Record:
		for _, f := range t.Fields {
			if err := s.flatten(f.Type, step(path, f.Name), rep, def); err != nil {
				return err
			}
		}
	case Array:
		return s.flatten(t.Items, step(path, "list", "element"), rep+1, def+1)
	case Map:
		key := &Type{Kind: String}
		if err := s.flatten(key, step(path, "key_value", "key"), rep+1, def+1); err != nil {
			return err
		}
		return s.flatten(t.Items, step(path, "key_value", "value"), rep+1, def+1)
	default:
		if len(s.Leaves) == maxLeaves {
			return fmt.Errorf("%s: the schema has more than %d columns", strings.Join(path, "."), maxLeaves)
		}
		s.Leaves = append(s.Leaves, Leaf{Path: path, Type: t, MaxRep: rep, MaxDef: def})
	}
	return nil
}

// step is path with names behind it, in memory of its own.
func step(path []string, names ...string) []string {
	return append(append(make([]string, 0, len(path)+len(names)), path...), names...)
}

// canonical writes everything that decides columns and values, and nothing else: no documentation, no names of types.
func canonical(b *strings.Builder, t *Type) {
	if t.Nullable {
		b.WriteByte('?')
	}
	b.WriteString(t.Kind.String())
	switch t.Kind {
	case Record:
		for i, f := range t.Fields {
			fmt.Fprintf(b, "%c%q%q:", "{,"[min(i, 1)], f.Name, f.Aliases)
			canonical(b, f.Type)
			if f.Default != nil {
				fmt.Fprintf(b, "=%q", f.Default)
			}
		}
		b.WriteByte('}')
	case Array, Map:
		b.WriteByte('<')
		canonical(b, t.Items)
		b.WriteByte('>')
	case Enum:
		fmt.Fprintf(b, "%q", t.Symbols)
	case Fixed:
		fmt.Fprintf(b, "(%d)", t.Size)
	case Decimal:
		fmt.Fprintf(b, "(%d,%d)", t.Precision, t.Scale)
	case TimestampMillis, TimestampMicros, TimestampNanos:
		if t.Local {
			b.WriteString("(local)")
		}
		if t.Unit != "" {
			fmt.Fprintf(b, "(%s)", t.Unit)
		}
	default: // the name says all
	}
}
