package conf

// Value is a setting written as one scalar: a size, a duration, a secret, a component's own enumeration. The method set
// belongs to the pointer. Types that have encoding.TextUnmarshaler instead are decoded too, from strings.
type Value interface {
	// SetConf takes what stands in the file. It is called once for each place where the value is written, never for a null,
	// a list or a map. An error may be a *Problem with What and Fix; the loader adds the place. On error the value is not used.
	SetConf(v Scalar) error
	// SchemaConf is the part of the JSON Schema that describes the value. It is called on a zero value.
	SchemaConf() Fragment
}

// Scalar is a value as it is written.
type Scalar struct {
	// Text is the value without quotes. A number keeps its spelling: 0750 stays "0750".
	Text string
	// Kind is how YAML reads it.
	Kind ScalarKind
	// Dir is the folder of the configuration file, "" if there is none. Relative paths start there.
	Dir string
}

// ScalarKind is a YAML type of a scalar.
type ScalarKind int

// The scalar kinds. Anything quoted is a String.
const (
	String ScalarKind = iota
	Integer
	Float
	Bool
)

// String is the word for k in a message.
func (k ScalarKind) String() string {
	switch k {
	case Integer:
		return "a number"
	case Float:
		return "a decimal number"
	case Bool:
		return "true or false"
	default:
		return "a string"
	}
}

// Fragment is a piece of JSON Schema, ready to be marshaled.
type Fragment map[string]any
