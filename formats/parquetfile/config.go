package parquetfile

import (
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/schema"
)

// Config is the block `format: {type: parquet, …}` of a sink.
type Config struct {
	Compression  string    `yaml:"compression"    conf:"enum=zstd|snappy|gzip|none" doc:"How pages are compressed."`
	Level        int       `yaml:"level"          conf:"min=0,max=22,assumed=zstd 1; gzip 6" doc:"Level of zstd (1 to 22) or gzip (1 to 9); 0: its default."`
	RowGroupSize conf.Size `yaml:"row_group_size" conf:"min=1MiB,max=1GiB" doc:"A row group is written out when its compressed pages reach this size; earlier when memory is short."`
	PageSize     conf.Size `yaml:"page_size"      conf:"min=8KiB,max=16MiB" doc:"A page is compressed when its values reach this size; each open file holds up to one for each column."`

	bodies.Config
	Origin bool `yaml:"origin" doc:"With a schema: the columns kafka_timestamp, kafka_topic, kafka_partition and kafka_offset behind its own."`

	// Version is this program's, for the footer's created_by. The program sets it.
	Version string `yaml:"-"`
}

// DefaultConfig is a file that every reader knows, small and cheap to write: zstd's first level costs half of its default and saves nearly as much.
func DefaultConfig() Config {
	return Config{Compression: "zstd", RowGroupSize: 32 * conf.MiB, PageSize: 128 * conf.KiB, Config: bodies.DefaultConfig(), Origin: true}
}

// Validate implements conf's check of values that must agree.
func (c *Config) Validate(r *conf.Report) {
	switch {
	case c.Level == 0:
	case c.Compression == "snappy" || c.Compression == "none":
		r.Errorf("level", "compression %s has no levels", c.Compression).Fixf("leave level out, or write compression: zstd")
	case c.Compression == "gzip" && c.Level > 9:
		r.Errorf("level", "gzip has the levels 1 to 9, not %d", c.Level).Fixf("level: 6")
	}
	c.Check(r, func(s *schema.Schema) error {
		_, err := typedSchema(s.Root, c.Origin)
		return err
	}, "origin")
	if c.PageSize > c.RowGroupSize {
		r.Errorf("page_size", "%s is larger than row_group_size, %s", c.PageSize, c.RowGroupSize).Fixf("page_size: %s", DefaultConfig().PageSize)
	}
}

func (c *Config) level() int {
	switch {
	case c.Level > 0:
		return c.Level
	case c.Compression == "gzip":
		return 6
	default:
		return 1
	}
}

func (c *Config) createdBy() string {
	version := c.Version
	if version == "" {
		version = "0.0.0"
	}
	// "application version number (build hash)" is what readers parse.
	return "penstock version " + version + " (build arrow-go-15.0.2)"
}
