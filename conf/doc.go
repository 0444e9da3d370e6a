// Package conf reads Penstock's configuration: one YAML file, decoded strictly.
//
// A mistake in a configuration is found before anything starts, all mistakes are told at once, and each is told with its
// file, line and column, what is wrong, and what to write instead. What the operator left out takes a default, and every
// default so taken can be listed (Document.Assumed).
//
// The package knows no component. A component owns a Config struct with yaml, doc and conf tags and a DefaultConfig; a
// Registry, which cmd/penstock writes down as a function one can read, says which type names exist and what their Config is:
//
//	type Config struct {
//		Path   string      `yaml:"path"   conf:"required"             doc:"Target, with escapes."`
//		Roll   Roll        `yaml:"roll"                               doc:"When a file is finished."`
//		Format conf.Choice `yaml:"format" conf:"kinds=format"         doc:"File format."`
//		Hadoop string      `yaml:"hadoop" conf:"ref=hadoop"           doc:"Cluster, by its name under hadoop."`
//		OnGap  string      `yaml:"on_gap" conf:"enum=stop|accept"     doc:"What to do about a gap."`
//	}
//
// # Tags
//
//   - yaml:"name" names the key; yaml:"-" hides a field. Every exported field has one of the two. An embedded struct without
//     a name has its keys beside those of the struct around it.
//   - doc:"…" is one sentence for the operator. It is the description in the JSON Schema.
//   - conf:"…" is a comma-separated list of rules:
//     required (the key must be written and must not be empty), enum=a|b, min=V and max=V in the field's own notation
//     (`min=1MiB`; for a string, list or map they count its elements; a zero that was not written is not held to them),
//     zero=TEXT (0 is allowed although min is above it, and means TEXT), kinds=SET (a Choice, or a list or map of them, out of
//     Registry.Blocks), ref=SECTION (the name of an entry of kerberos, hadoop or channels), assumed=TEXT (what an empty
//     value means, for the list of assumed values; words instead of commas).
//
// # YAML
//
// One document of version 1, at most 1 MiB. Numbers have units, strings that look like numbers have quotes, true and false are
// the booleans, an empty value is an error. Anchors, aliases and merges (<<) are understood, up to a number of values that
// stops a document from growing without end; tags are not. A list and a block in braces are what they are in JSON.
//
// # Secrets
//
// A Secret refers to a file, an environment variable or a credential of systemd, and prints as a mask. One that is written out
// is an error, and whatever follows a key that sounds like a secret is kept out of all messages, even of those about files
// that are not YAML.
//
// # Order of events
//
// For each struct: defaults, then the file's values, then the rules of the tags, then Complete (if the struct has it; it
// fills in defaults that depend on other values), then Validate (if the struct has it; skipped while the struct has errors).
// Inner structs come before the struct around them. A struct behind a pointer exists only if it is written; SetDefaults, if it
// has it, comes before the file's values. Names of other blocks are looked up last.
package conf
