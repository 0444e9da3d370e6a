package jsondecoder_test

import (
	"testing"

	"github.com/penstock-io/penstock/formats/jsondecoder"
)

func TestMoments(t *testing.T) {
	m, err := jsondecoder.NewMoments([]string{"user", "at-time"}, "s")
	if err != nil {
		t.Fatal(err)
	}
	moment := m.NewMoment()
	for body, want := range map[string]string{
		`{"x":1,"user":{"at-time":1767225600.5}}`:            "",
		`{"user":{"at-time":"2026-01-01T01:00:00.5+01:00"}}`: "",
		`{"user":{"at-time":null}}`:                          "null_value $.user[\"at-time\"]",
		`{"user":{}}`:                                        "missing_field $.user[\"at-time\"]",
		`{"user":[]}`:                                        "wrong_type $.user",
		`{}`:                                                 "missing_field $.user",
		`{`:                                                  "invalid_json $",
	} {
		ms, why := moment.Millis([]byte(body))
		got := ""
		if why != nil {
			got = why.Code + " " + why.Path
		}
		if got != want || why == nil && ms != 1767225600500 {
			t.Errorf("%s: %d, %q; want %q", body, ms, got, want)
		}
	}
	for _, names := range [][]string{nil, {"a", ""}, {`a"b`}, {"a\\"}, {"\n"}, {"\xff"}} {
		if _, err := jsondecoder.NewMoments(names, "ms"); err == nil {
			t.Errorf("%q is a field", names)
		}
	}
}
