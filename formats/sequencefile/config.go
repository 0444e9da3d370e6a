package sequencefile

import "github.com/penstock-io/penstock/conf"

// Config is the block `format: {type: sequencefile, …}` of a sink.
type Config struct {
	Value       string    `yaml:"value"       conf:"enum=bytes|text" doc:"What the values are: BytesWritable (Flume's Writable), or Text, for bodies that are UTF-8."`
	Compression string    `yaml:"compression" conf:"enum=none|deflate|snappy" doc:"How blocks of records are compressed: by Hadoop's DefaultCodec or SnappyCodec."`
	Level       int       `yaml:"level"       conf:"min=0,max=9,assumed=6" doc:"Level of deflate (1 to 9); 0: its default."`
	BlockSize   conf.Size `yaml:"block_size"  conf:"min=4KiB,max=16MiB" doc:"Records between two marks, which are compressed together, in bytes; readers that share a file begin at a mark."`
}

// DefaultConfig is what Flume writes without being told anything.
func DefaultConfig() Config {
	return Config{Value: "bytes", Compression: "none", BlockSize: 128 * conf.KiB}
}

// Validate implements conf's check of values that must agree.
func (c *Config) Validate(r *conf.Report) {
	if c.Level > 0 && c.Compression != "deflate" {
		r.Errorf("level", "compression %s has no levels", c.Compression).Fixf("leave level out, or write compression: deflate")
	}
}
