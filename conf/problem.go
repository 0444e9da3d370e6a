package conf

import "fmt"

// Severity tells an error, which refuses the configuration, from a warning, which does not.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
)

// Problem is one mistake in a configuration. It is also an error, so that a Value can return one with a Fix.
type Problem struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line,omitempty"`    // 1 is the first; 0 if the problem has no place
	Column   int      `json:"column,omitempty"`  // in characters; 1 is the first
	Path     string   `json:"path,omitempty"`    // sinks.lake.roll.size
	What     string   `json:"what"`              // what is wrong, and why, in one clause
	Fix      string   `json:"fix,omitempty"`     // what to write or to do instead
	Example  string   `json:"example,omitempty"` // YAML to copy, if a clause is not enough

	excerpt string // the line of the file
	mark    int    // column of the excerpt to underline from
	width   int    // characters to underline
}

// Fixf says what to do about p, and returns p.
func (p *Problem) Fixf(format string, args ...any) *Problem {
	p.Fix = fmt.Sprintf(format, args...)
	return p
}

// Error holds everything that is wrong with a configuration, in the order of the file. Load and its relatives return it (as
// error) if at least one problem is an error; warnings come along.
type Error struct {
	Problems []Problem
}

// Report is where a Validate method says what is wrong. Paths are relative to the struct that is validated, in the words of
// the file: "roll.size", "topics[0]", "" for the struct itself. The loader turns them into places.
type Report struct {
	sink *collector
	at   place
}

// Validator is implemented (on the pointer) by structs whose values must agree with one another. Validate reads no file and
// no network, and is called only if every value by itself was right.
type Validator interface {
	Validate(r *Report)
}

// Completer is implemented (on the pointer) by structs with defaults that depend on other values. What Complete fills in is
// listed among the assumed values.
type Completer interface {
	Complete()
}

// Defaulter is implemented (on the pointer) by structs behind a pointer field, which is nil unless the block is written:
// SetDefaults gives the block its defaults before the file's values are put in.
type Defaulter interface {
	SetDefaults()
}

// Renamer is implemented (on the pointer) by a component's Config that people know from Flume: Renamed maps Flume's keys
// ("hdfs.rollInterval") to where the setting is now ("roll.age"). The keys are not accepted, but the message knows them.
type Renamer interface {
	Renamed() map[string]string
}
