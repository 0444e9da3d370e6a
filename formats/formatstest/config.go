package formatstest

import (
	"strings"
	"testing"

	"github.com/penstock-io/penstock/conf"
)

// Configs decodes blocks in YAML over the defaults; each with what the error about it says, or nothing when it is fine and must make a
// format.
func Configs[C any](t *testing.T, defaults func() C, open func(C) error, cases map[string]string) {
	t.Helper()
	for yaml, want := range cases {
		c := defaults()
		err := conf.Unmarshal([]byte(yaml), &c, conf.Registry{})
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", yaml, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v; want an error about %q", yaml, err, want)
		case want == "":
			if err := open(c); err != nil {
				t.Errorf("%q: it decodes, and makes no format: %v", yaml, err)
			}
		}
	}
}
