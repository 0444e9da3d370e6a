package textfile_test

import (
	"testing"

	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/textfile"
)

func TestConfig(t *testing.T) {
	open := func(c textfile.Config) error {
		_, err := textfile.New(c)
		return err
	}
	formatstest.Configs(t, textfile.DefaultConfig, open, map[string]string{
		"{}": "",
		"compression: gzip\nlevel: 9\nnewline: reject": "",
		"compression: zstd\nlevel: 22":                 "",
		"compression: bzip2":                           "compression",
		"level: 3":                                     "has no levels",
		"compression: gzip\nlevel: 10":                 "levels 1 to 9",
		"newline: escape":                              "newline",
	})
}
