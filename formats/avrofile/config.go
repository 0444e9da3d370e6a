package avrofile

import (
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/schema"
)

// Config is the block `format: {type: avro, …}` of a sink.
type Config struct {
	Compression string    `yaml:"compression" conf:"enum=snappy|deflate|zstd|none" doc:"How blocks are compressed. Every reader knows deflate and snappy; zstd (Avro's zstandard) those of Avro 1.9 and later."`
	Level       int       `yaml:"level"       conf:"min=0,max=22,assumed=deflate 6; zstd 1" doc:"Level of deflate (1 to 9) or zstd (1 to 22); 0: its default."`
	BlockSize   conf.Size `yaml:"block_size"  conf:"min=1KiB,max=16MiB" doc:"Datums that are compressed together, in bytes; readers that share a file begin at a block."`

	bodies.Config
	Origin bool `yaml:"origin" doc:"With a schema: the fields kafka_timestamp, kafka_topic, kafka_partition and kafka_offset behind its own; they take some 20 bytes in each datum."`

	// Version is this program's, for the header. The program sets it.
	Version string `yaml:"-"`
}

// DefaultConfig is a file that every reader knows and that is cheap to write.
func DefaultConfig() Config {
	return Config{Compression: "snappy", BlockSize: 128 * conf.KiB, Config: bodies.DefaultConfig()}
}

// Validate implements conf's check of values that must agree.
func (c *Config) Validate(r *conf.Report) {
	switch {
	case c.Level == 0:
	case c.Compression == "snappy" || c.Compression == "none":
		r.Errorf("level", "compression %s has no levels", c.Compression).Fixf("leave level out, or write compression: zstd")
	case c.Compression == "deflate" && c.Level > 9:
		r.Errorf("level", "deflate has the levels 1 to 9, not %d", c.Level).Fixf("level: 6")
	}
	c.Check(r, func(s *schema.Schema) error {
		_, err := fileSchema(s, c.Origin)
		return err
	}, "origin")
}
