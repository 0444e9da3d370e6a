package textfile

import (
	"github.com/klauspost/compress/zstd"

	"github.com/penstock-io/penstock/conf"
)

// Config is the block `format: {type: text, …}` of a sink.
type Config struct {
	Compression string `yaml:"compression" conf:"enum=none|gzip|zstd|snappy" doc:"How the file is compressed; snappy as Hadoop's SnappyCodec frames it."`
	Level       int    `yaml:"level"       conf:"min=0,max=22,assumed=gzip 6; zstd 1" doc:"Level of gzip (1 to 9) or zstd (1 to 22); 0: its default."`
	Newline     string `yaml:"newline"     conf:"enum=keep|reject" doc:"A body with a newline: keep writes it as it is, so that it becomes several lines, as in Flume; reject makes it a dead letter."`
}

// DefaultConfig is plain lines, and Flume's treatment of newlines.
func DefaultConfig() Config { return Config{Compression: "none", Newline: "keep"} }

// Validate implements conf's check of values that must agree.
func (c *Config) Validate(r *conf.Report) {
	switch {
	case c.Level > 0 && (c.Compression == "none" || c.Compression == "snappy"):
		r.Errorf("level", "compression %s has no levels", c.Compression).Fixf("leave level out, or write compression: gzip")
	case c.Level > 9 && c.Compression == "gzip":
		r.Errorf("level", "gzip has the levels 1 to 9, not %d", c.Level).Fixf("level: 6")
	}
}

func (c *Config) gzipLevel() int {
	if c.Level == 0 {
		return 6
	}
	return c.Level
}

func (c *Config) zstdLevel() zstd.EncoderLevel { return zstd.EncoderLevelFromZstd(max(c.Level, 1)) }
