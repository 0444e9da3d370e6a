package conf

import "slices"

// Kind is one type of component, or of a block inside one: the name that `type:` takes and the Config that belongs to it.
type Kind struct {
	// Name is the value of `type:`.
	Name string
	// Doc is one sentence for the operator and the JSON Schema.
	Doc string
	// New makes a Config with its defaults: a pointer to a struct, another one at each call.
	New func() any

	// NoPut says of a channel that sources cannot put into it (an existing topic).
	NoPut bool
	// FedElsewhere says of a channel that events get into it without a source of this agent.
	FedElsewhere bool
	// DrainedElsewhere says of a channel that others may read it, so that a sink need not.
	DrainedElsewhere bool
}

// KindOf is the Kind of a Config type, from its DefaultConfig function.
func KindOf[T any](name, doc string, defaults func() T) Kind {
	return Kind{Name: name, Doc: doc, New: func() any {
		c := defaults()
		return &c
	}}
}

// Registry says which components exist. It is a value: tests make their own.
type Registry struct {
	Sources  []Kind
	Channels []Kind
	Sinks    []Kind
	// Blocks are the sets that fields with conf:"kinds=SET" choose from, by the name of the set. The sets "interceptor"
	// and "selector" are what `interceptors:` and `selector:` of a source choose from.
	Blocks map[string][]Kind
	// Moved are types that people look for in one section and that are, here, something in another.
	Moved []Moved
}

// Moved is a type that is written under the wrong section so often that the message shows the right one.
type Moved struct {
	Section, Type     string // where it is looked for: "sources", "kafka"
	ToSection, ToType string // where it is: "channels", "kafka-topic"
	Why               string // one clause: "a Kafka topic is a channel, and needs no source"
}

// Choice is a block whose `type` decides what else it may hold: `format: {type: parquet, compression: zstd}`. The field's
// tag names the set: conf:"kinds=format". A DefaultConfig sets Type alone; the loader fills Config.
type Choice struct {
	Type string
	// Config is what Kind.New returned, filled from the file: a pointer to the kind's Config.
	Config any
}

func (reg Registry) section(name string) []Kind {
	switch name {
	case "sources":
		return reg.Sources
	case "channels":
		return reg.Channels
	default:
		return reg.Sinks
	}
}

func (reg Registry) has(section, typ string) bool {
	return slices.ContainsFunc(reg.section(section), func(k Kind) bool { return k.Name == typ })
}
