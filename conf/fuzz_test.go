package conf_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/penstock-io/penstock/conf"
)

// FuzzParse checks that any input is either a configuration or an *Error with complete problems, the same each time.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/errors/*.yaml"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := conf.Parse("f.yaml", data, testRegistry())
		_, again := conf.Parse("f.yaml", data, testRegistry())
		if (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("not the same twice:\n%v\n%v", err, again)
		}
		if err == nil {
			doc.Assumed()
			return
		}
		var e *conf.Error
		if !errors.As(err, &e) || len(e.Problems) == 0 {
			t.Fatalf("%T: %v", err, err)
		}
		for _, p := range e.Problems {
			if p.What == "" || p.Line < 0 || p.Line > 0 && p.Column < 1 {
				t.Errorf("incomplete: %+v", p)
			}
			lines := strings.Split(string(data), "\n")
			if p.Line > len(lines) || p.Line > 0 && p.Column > utf8.RuneCountInString(lines[p.Line-1])+1 {
				t.Errorf("outside of the file: %+v", p)
			}
		}
		if !utf8.ValidString(e.Long()) {
			t.Error("the message is not UTF-8")
		}
	})
}

// FuzzUnits checks that what is accepted is written so that it reads back the same.
func FuzzUnits(f *testing.F) {
	for _, s := range []string{"128MiB", "1.5GiB", "0", "15m", "1h30m", "1d", "-1", "9223372036854775807B", "0.000000001s", "a:1", "[::1]:80", ":0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := conf.ParseSize(text); err == nil {
			if again, err := conf.ParseSize(s.String()); err != nil || again != s || s < 0 {
				t.Errorf("%q: %d, again %d, %v", text, s, again, err)
			}
		}
		if d, err := conf.ParseDuration(text); err == nil {
			if again, err := conf.ParseDuration(d.String()); err != nil || again != d || d < 0 {
				t.Errorf("%q: %v, again %v, %v", text, d, again, err)
			}
		}
		if a, err := conf.ParseHostPort(text); err == nil {
			if again, err := conf.ParseHostPort(a.String()); !a.IsZero() && (err != nil || again != a) {
				t.Errorf("%q: %v, again %v, %v", text, a, again, err)
			}
		}
		if s, err := conf.NewSecret(text); err == nil && s.String() != "(secret)" {
			t.Errorf("%q is shown as %v", text, s)
		}
	})
}
