package hdfssink

import (
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/ingest"
)

// Config is what an operator writes under sinks: with type hdfs.
type Config struct {
	Path          string        `yaml:"path" conf:"required" doc:"Target directory with Flume's escapes: time (%Y-%m-%d, %H …), %{header}, %{topic}, %{partition}, and %{field:NAME.NAME}, a field of the body: of a schema's columns, or of JSON."`
	Hadoop        string        `yaml:"hadoop" conf:"ref=hadoop" doc:"Hadoop cluster, by its name under hadoop."`
	Zone          conf.Zone     `yaml:"zone" doc:"Time zone of the path's time escapes."`
	Round         conf.Duration `yaml:"round" doc:"Rounds the path's time down, within the day; 0s: off."`
	EventTime     EventTime     `yaml:"event_time" doc:"Which time decides an event's bucket, and which times are believed."`
	MissingHeader string        `yaml:"missing_header" doc:"Stands in the path for a header or a field that is missing or empty, outside key=value; empty: such an event is a dead letter."`
	Format        conf.Choice   `yaml:"format" conf:"kinds=format" doc:"File format."`
	Roll          Roll          `yaml:"roll" doc:"When a file is finished and published."`
	State         string        `yaml:"state" conf:"assumed=<directory before the first escape>/.penstock" doc:"Directory of the commit logs, on the same file system and in the same encryption zone as the path."`
	Start         string        `yaml:"start" doc:"Where a sink without any state starts: earliest, latest, a date or a time. Partitions that appear later start at their beginning."`
	OnGap         string        `yaml:"on_gap" conf:"enum=stop|accept" doc:"What to do when retention has deleted events that were not read yet: stop the partition, or log, count and go on."`
	DeadLetters   DeadLetters   `yaml:"dead_letters" doc:"Where events go that cannot be written."`
	Permissions   Permissions   `yaml:"permissions" doc:"Permission bits of what is published."`
	BlockSize     conf.Size     `yaml:"block_size" conf:"min=1MiB,assumed=roll.size and an eighth" doc:"HDFS block size of the files; at least roll.size."`
	MaxOpenFiles  int           `yaml:"max_open_files" conf:"min=1" doc:"Open files per partition; beyond that the one that was idle longest is rolled."`
	Closers       int           `yaml:"closers" conf:"min=1,max=64" doc:"Files of one partition that are closed at once."`
}

// EventTime says which time decides an event's bucket.
type EventTime struct {
	From string `yaml:"from" doc:"timestamp (Kafka's), arrival (the clock of this host, Flume's useLocalTimeStamp), header NAME (milliseconds since 1970) or field $.NAME.NAME (of the body: a timestamp, a number, or in JSON a string such as 2026-01-31T06:00:00Z)."`
	Unit string `yaml:"unit" conf:"enum=s|ms|us|ns" doc:"Of numbers in the field."`
	Min  Bound  `yaml:"min" doc:"Earlier events are dead letters: a date, a time, or a distance from now such as -90d; empty: no limit."`
	Max  Bound  `yaml:"max" doc:"Later events are dead letters: a date, a time, or a distance from now such as +1d; empty: no limit."`
}

// Roll says when a file is finished.
type Roll struct {
	Size   conf.Size     `yaml:"size" conf:"min=1KiB" doc:"Size of a file when it is rolled."`
	Rows   int64         `yaml:"rows" conf:"min=0" doc:"Rows of a file when it is rolled; 0: no limit."`
	Age    conf.Duration `yaml:"age" conf:"min=1s" doc:"Time after a file's first event; also how often progress without files is committed."`
	Idle   conf.Duration `yaml:"idle" doc:"Time after a file's last event; 0s: off."`
	Window conf.Duration `yaml:"window" doc:"Time after the end of the hour, day … that the path names; 0s: off."`
}

// DeadLetters says where events go that cannot be written.
type DeadLetters struct {
	Dir       string `yaml:"dir" conf:"assumed=<state>/<sink>/dead" doc:"Directory of the dead letters, one below it for each partition."`
	StopAfter int    `yaml:"stop_after" conf:"min=0,assumed=never" doc:"Refuse to go on with a partition when so many of its events in a row cannot be written, which is rather a wrong schema than so many wrong events; events without a body do not count. 0: never."`
}

// Permissions are those of what is published; empty: the file system's defaults.
type Permissions struct {
	Dir  conf.Mode `yaml:"dir" conf:"assumed=the file system's umask" doc:"Of directories."`
	File conf.Mode `yaml:"file" conf:"assumed=the file system's umask" doc:"Of files."`
}

// DefaultConfig is what need not be written.
func DefaultConfig() Config {
	return Config{
		Hadoop: "default",
		EventTime: EventTime{
			From: "timestamp", Unit: "ms",
			Min: Bound{fixed: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), text: "2000-01-01"},
			Max: Bound{from: 24 * time.Hour, text: "+1d"},
		},
		Format:       conf.Choice{Type: "parquet"},
		Roll:         Roll{Size: 128 * conf.MiB, Age: conf.Duration(15 * time.Minute), Idle: conf.Duration(2 * time.Minute), Window: conf.Duration(5 * time.Minute)},
		Start:        "earliest",
		OnGap:        "stop",
		MaxOpenFiles: 1024,
		Closers:      4,
	}
}

// Complete fills in what follows from other values.
func (c *Config) Complete() {
	_, _, rest := SplitPath(c.Path)
	if c.State == "" {
		if prefix, err := LiteralPrefix(rest); err == nil {
			c.State = path.Join(prefix, ".penstock")
		}
	}
	if c.BlockSize == 0 {
		c.BlockSize = max((c.Roll.Size+c.Roll.Size/8+conf.MiB-1)/conf.MiB*conf.MiB, conf.MiB)
	}
}

// Validate checks what values mean together.
func (c *Config) Validate(r *conf.Report) {
	scheme, authority, rest := SplitPath(c.Path)
	t, err := compilePath(rest)
	if bad, ok := errors.AsType[*PathError](err); ok {
		at := bad.Pos + 1 + len(c.Path) - len(rest)
		r.Errorf("path", "character %d: %s", at, bad.What).Fixf("%s", bad.Fix)
	}
	if err == nil {
		c.validateTime(r, t)
		c.validateState(r, t, scheme+"://"+authority)
	}
	if _, err := parseStart(c.Start); err != nil {
		r.Errorf("start", "%q is neither earliest nor latest nor a time", c.Start).Fixf("write earliest, latest, 2026-01-31 or 2026-01-31T06:00:00Z")
	}
	if c.BlockSize < c.Roll.Size {
		r.Errorf("block_size", "%s is smaller than roll.size, %s: files would have several blocks", c.BlockSize, c.Roll.Size).
			Fixf("write block_size: %s, or leave it out", c.Roll.Size)
	}
	if c.Roll.Size < conf.MiB {
		r.Warnf("roll.size", "files of %s are a burden for the NameNode", c.Roll.Size).Fixf("write roll: {size: 128MiB}")
	}
	if strings.Contains(c.MissingHeader, "/") || strings.ContainsAny(c.MissingHeader, ":%") || strings.HasPrefix(c.MissingHeader, ".") || strings.HasPrefix(c.MissingHeader, "_") {
		r.Errorf("missing_header", "%q cannot be part of a directory's name that readers see", c.MissingHeader).Fixf("write a plain word such as none")
	}
}

func (c *Config) validateTime(r *conf.Report, t *pathTemplate) {
	if err := checkRound(c.Round.Std()); err != nil {
		r.Errorf("round", "%v", err).Fixf("write 10m, 1h or 6h")
	}
	if c.Round > 0 && !t.usesTime() {
		r.Errorf("round", "the path has no time in it").Fixf("leave round out, or add time escapes such as dt=%%Y-%%m-%%d")
	}
	if t.unit == unitMilli {
		r.Warnf("path", "%%t makes a directory for each millisecond").Fixf("use %%Y-%%m-%%d and %%H")
	}
	if _, err := parseEventTime(c.EventTime); err != nil {
		r.Errorf("event_time.from", "%v", err).Fixf("write timestamp, arrival, header NAME or field $.NAME")
	}
	if len(c.EventTime.Field()) == 0 && r.Written("event_time.unit") {
		r.Errorf("event_time.unit", "the time is not read from a field").Fixf("leave it out, or write from: field $.NAME")
	}
	now := time.Now()
	if c.EventTime.Min.at(now, -1<<62) >= c.EventTime.Max.at(now, 1<<62) {
		r.Errorf("event_time.min", "%s is not before event_time.max, %s: every event would be a dead letter", &c.EventTime.Min, &c.EventTime.Max).
			Fixf("write event_time: {min: 2000-01-01, max: +1d}")
	}
}

func (c *Config) validateState(r *conf.Report, t *pathTemplate, fs string) {
	scheme, authority, rest := SplitPath(c.State)
	if scheme != "" && scheme+"://"+authority != fs {
		r.Errorf("state", "%s is on another file system than the path: files are published by renaming", c.State).Fixf("put it below %s", t.prefix)
	}
	if !strings.HasPrefix(rest, "/") || path.Clean(rest) == "/" {
		r.Errorf("state", "%q is not an absolute directory", c.State).Fixf("write %s", path.Join(t.prefix, ".penstock"))
	}
	if c.DeadLetters.Dir != "" && !strings.HasPrefix(c.DeadLetters.Dir, "/") {
		r.Errorf("dead_letters.dir", "%q is not an absolute path", c.DeadLetters.Dir).Fixf("leave it out, or begin it with /")
	}
}

// Renamed maps Flume's keys to where the settings are now.
func (c *Config) Renamed() map[string]string {
	return map[string]string{
		"hdfs.path": "path", "hdfs.rollInterval": "roll.age", "hdfs.rollSize": "roll.size", "hdfs.rollCount": "roll.rows",
		"hdfs.idleTimeout": "roll.idle", "hdfs.timeZone": "zone", "hdfs.useLocalTimeStamp": "event_time.from", "hdfs.round": "round",
		"hdfs.roundValue": "round", "hdfs.roundUnit": "round", "hdfs.maxOpenFiles": "max_open_files", "hdfs.fileType": "format",
		"hdfs.codeC": "format", "serializer": "format",
	}
}

// parseStart reads the key start.
func parseStart(text string) (ingest.Position, error) {
	if text == "earliest" || text == "latest" {
		return ingest.Position{At: text}, nil
	}
	t, err := parseMoment(text)
	return ingest.Position{At: "time", Time: t}, err
}

// PathFields returns the names of the path's fields of the body, outermost first; nil: it has none.
func (c *Config) PathFields() [][]string {
	_, _, rest := SplitPath(c.Path)
	t, err := compilePath(rest)
	if err != nil {
		return nil // which Validate reports
	}
	return t.fields
}

// Field returns the names of `from: field $.NAME.NAME`, outermost first; nil: another source has the time, or the field is not well named.
func (c EventTime) Field() []string {
	text, ok := strings.CutPrefix(c.From, "field ")
	text, dollar := strings.CutPrefix(strings.TrimSpace(text), "$.")
	if !ok || !dollar || strings.ContainsAny(text, " []\t") {
		return nil
	}
	names := strings.Split(text, ".")
	if slices.Contains(names, "") {
		return nil
	}
	return names
}

// parseEventTime makes the clock that reads event times.
func parseEventTime(c EventTime) (eventClock, error) {
	clock := eventClock{min: c.Min, max: c.Max}
	name, isHeader := strings.CutPrefix(c.From, "header ")
	name = strings.TrimSpace(name)
	switch {
	case c.From == "timestamp":
	case c.From == "arrival":
		clock.arrival = true
	case isHeader && name != "" && !strings.ContainsAny(name, " \t"):
		clock.header = name
	case len(c.Field()) > 0:
		clock.path = strings.TrimSpace(strings.TrimPrefix(c.From, "field "))
	case strings.HasPrefix(c.From, "field"):
		return clock, errors.New("\"" + c.From + "\" names no field: it is $. and names with points between them")
	default:
		return clock, errors.New("\"" + c.From + "\" names no time")
	}
	return clock, nil
}

// parseSpan reads a duration as the configuration writes it, days included.
func parseSpan(s string) (time.Duration, error) {
	d, err := conf.ParseDuration(s)
	return d.Std(), err
}

// template compiles the path with all that belongs to it.
func (c *Config) template() (*pathTemplate, error) {
	_, _, rest := SplitPath(c.Path)
	t, err := compilePath(rest)
	if err != nil {
		return nil, err
	}
	t.zone, t.round, t.missing = c.Zone.Location(), c.Round.Std(), c.MissingHeader
	return t, nil
}

// policy is the roll policy without what the source decides.
func (c *Config) policy() rollPolicy {
	return rollPolicy{
		size: c.Roll.Size.Bytes(), rows: c.Roll.Rows,
		age: c.Roll.Age.Std(), idle: c.Roll.Idle.Std(), window: c.Roll.Window.Std(),
		ahead: aheadLimit,
	}
}
