package parquetfile_test

import (
	"testing"

	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/parquetfile"
)

func TestConfig(t *testing.T) {
	open := func(c parquetfile.Config) error {
		_, err := parquetfile.New(c)
		return err
	}
	formatstest.Configs(t, parquetfile.DefaultConfig, open, map[string]string{
		"{}": "",
		"compression: gzip\nlevel: 9\nrow_group_size: 64MiB\npage_size: 1MiB": "",
		"compression: lzo":                      "compression",
		"compression: snappy\nlevel: 3":         "has no levels",
		"compression: gzip\nlevel: 12":          "levels 1 to 9",
		"level: 23":                             "level",
		"page_size: 4MiB\nrow_group_size: 1MiB": "larger than row_group_size",
		"page_size: 1KiB":                       "page_size",
		"row_group_size: 10KiB":                 "row_group_size",
		"dictionary: true":                      "dictionary",
	})
}
