package jsondecoder_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/penstock-io/penstock/formats/jsondecoder"
)

func fuzzFields() []string {
	return []string{
		`s ["null","string"]`, `l ["null","long"]`, `d ["null","double"]`, `b ["null","boolean"]`,
		`m ["null",{"type":"bytes","logicalType":"decimal","precision":10,"scale":3}]`, `a ["null",{"type":"array","items":"long"}]`,
		`r ["null",{"type":"record","name":"r","fields":[{"name":"x","type":"int"}]}]`,
	}
}

// errSkip means that the reference cannot judge the event.
var errSkip = errors.New("not judged")

// reference decodes slowly and obviously: encoding/json, big numbers. The result is as cells shows it; an error means that the event must be refused.
func reference(event []byte) (string, error) {
	if lower := bytes.ToLower(event); bytes.Contains(lower, []byte(`\ud`)) || bytes.Count(event, []byte{'['})+bytes.Count(event, []byte{'{'}) > 500 {
		return "", errSkip // halves of pairs become U+FFFD there; and it goes deeper
	}
	if !json.Valid(event) || !utf8.Valid(event) {
		return "", errors.New("no JSON")
	}
	fields, err := members(event, "sldbmar")
	if err != nil {
		return "", err
	}
	var columns []string
	for _, f := range fuzzFields() {
		name, _, _ := strings.Cut(f, " ")
		text, ok := fields[name]
		if !ok {
			text = []byte("null")
		}
		cell, err := referenceValue(name, bytes.TrimSpace(text))
		if err != nil {
			return "", err
		}
		columns = append(columns, cell)
	}
	return strings.Join(columns, " | "), nil
}

// members are those of an object; one of the known that comes twice is an error.
func members(object []byte, known string) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("no object")
	}
	all := map[string]json.RawMessage{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if _, twice := all[name]; twice && len(name) == 1 && strings.Contains(known, name) {
			return nil, errors.New("twice")
		}
		all[name] = value
	}
	return all, nil
}

func referenceValue(name string, text []byte) (string, error) {
	if string(text) == "null" {
		return "0/0", nil
	}
	switch name {
	case "s":
		var s *string
		if err := json.Unmarshal(text, &s); err != nil || s == nil {
			return "", errors.New("no string")
		}
		return fmt.Sprintf("0/1:%q", *s), nil
	case "b":
		switch string(text) {
		case "true":
			return "0/1:1", nil
		case "false":
			return "0/1", nil
		}
		return "", errors.New("no boolean")
	case "d":
		f, err := strconv.ParseFloat(string(text), 64)
		if err != nil || text[0] == '"' {
			return "", errors.New("no number")
		}
		return "0/1" + shown(int64(math.Float64bits(f))), nil
	case "l":
		v, err := whole(text, 0, math.MinInt64, math.MaxInt64)
		return "0/1" + shown(v), err
	case "m":
		var s string
		if json.Unmarshal(text, &s) == nil {
			if !json.Valid([]byte(s)) || strings.TrimSpace(s) != s || s == "" {
				return "", errors.New("no number")
			}
			text = []byte(s)
		}
		v, err := whole(text, 3, -9_999_999_999, 9_999_999_999)
		b := []byte{byte(v >> 32), byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}
		return fmt.Sprintf("0/1:%q", b), err
	case "r":
		fields, err := members(text, "x")
		if err != nil {
			return "", err
		}
		if fields["x"] == nil {
			return "", errors.New("missing")
		}
		v, err := whole(bytes.TrimSpace(fields["x"]), 0, math.MinInt32, math.MaxInt32)
		return "0/1" + shown(v), err
	default:
		return referenceList(text)
	}
}

func referenceList(text []byte) (string, error) {
	var list []json.RawMessage
	if text[0] != '[' || json.Unmarshal(text, &list) != nil {
		return "", errors.New("no list")
	}
	if len(list) == 0 {
		return "0/1", nil
	}
	var parts []string
	for i, e := range list {
		v, err := whole(bytes.TrimSpace(e), 0, math.MinInt64, math.MaxInt64)
		if err != nil {
			return "", err
		}
		parts = append(parts, fmt.Sprintf("%d/2", min(i, 1))+shown(v))
	}
	return strings.Join(parts, " "), nil
}

func shown(v int64) string {
	if v == 0 {
		return ""
	}
	return ":" + strconv.FormatInt(v, 10)
}

// whole is a number times 10^scale, if that is an integer between the limits.
func whole(text []byte, scale int64, lowest, highest int64) (int64, error) {
	if len(text) == 0 || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return 0, errors.New("no number")
	}
	if _, e, ok := strings.Cut(strings.ToLower(string(text)), "e"); ok {
		if n, err := strconv.Atoi(e); err != nil || n > 1000 || n < -1000 {
			return 0, errSkip // a rational number of that size takes for ever
		}
	}
	x, ok := new(big.Rat).SetString(string(text))
	if !ok {
		return 0, errors.New("no number")
	}
	x.Mul(x, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(scale), nil)))
	if !x.IsInt() || x.Num().Cmp(big.NewInt(lowest)) < 0 || x.Num().Cmp(big.NewInt(highest)) > 0 {
		return 0, errors.New("beyond the column")
	}
	return x.Num().Int64(), nil
}

// FuzzDecode: the same row as the reference, or a refusal where it refuses; twice in a row, so that nothing is left of the event before.
func FuzzDecode(f *testing.F) {
	for _, v := range append(accepted(), refused()...) {
		if len(v) < 1000 {
			f.Add([]byte(`{"s":` + v + `}`))
			f.Add([]byte(`{"l":` + v + `,"x":` + v + `}`))
		}
	}
	f.Add([]byte(`{"s":"a\u00e9","l":12e1,"d":1.5,"b":true,"m":"-1.25","a":[1,2],"r":{"x":1}}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		d := plan(t, jsondecoder.Options{}, fuzzFields()...).NewDecoder()
		want, err := reference(event)
		for range 2 {
			row, why := d.Decode(bytes.Clone(event))
			switch {
			case errors.Is(err, errSkip):
			case (err == nil) != (why == nil):
				t.Fatalf("%q: refused %v; the reference says %v", event, why, err)
			case err == nil && cells(row) != want:
				t.Fatalf("%q: %s; the reference says %s", event, cells(row), want)
			}
		}
	})
}

// TestBombs: time and memory stay within what the event has.
func TestBombs(t *testing.T) {
	p := plan(t, jsondecoder.Options{}, append(fuzzFields(), `w ["null",{"type":"array","items":{"type":"record","name":"w","fields":[{"name":"p","type":["null","int"]},{"name":"q","type":["null","int"]}]}}]`)...)
	digits := strings.Repeat("9", 1<<20)
	for name, c := range map[string]struct{ event, want string }{
		"a string of 64 MiB":     {`{"s":"` + strings.Repeat("a", 64<<20) + `"}`, ""},
		"64 MiB of escapes":      {`{"s":"` + strings.Repeat(`\n`, 32<<20) + `"}`, ""},
		"a number of 1 MB":       {`{"l":` + digits + `}`, "out_of_range"},
		"1 MB of zeros":          {`{"l":0.` + strings.Repeat("0", 1<<20) + `}`, ""},
		"a double of 1 MB":       {`{"d":0.` + digits + `}`, ""},
		"an exponent of 1 MB":    {`{"l":1e` + digits + `}`, "out_of_range"},
		"a decimal of 1 MB":      {`{"m":"0.` + digits + `"}`, "inexact"},
		"many elements":          {`{"a":[` + strings.Repeat("1,", 3<<20) + `1]}`, "too_many_values"},
		"many empty records":     {`{"w":[` + strings.Repeat("{},", 2<<20) + `{}]}`, "too_many_values"},
		"many elements, skipped": {`{"x":[` + strings.Repeat("1,", 3<<20) + `1]}`, ""},
	} {
		got := ""
		d := p.NewDecoder()
		if _, why := d.Decode([]byte(c.event)); why != nil {
			got = why.Code
			if len(why.Path)+len(why.Detail) > 1000 {
				t.Errorf("%s: the refusal has %d bytes", name, len(why.Path)+len(why.Detail))
			}
		}
		if got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
		row, why := d.Decode([]byte(`{}`))
		if why != nil {
			t.Fatal(why)
		}
		held := cap(row.Scratch)
		for _, column := range row.Columns {
			held += cap(column) * 48
		}
		if held > 1<<20 {
			t.Errorf("%s: %d bytes are kept for the next event", name, held)
		}
	}
}

// TestDefaultsAreNoAlias: rows do not share cells with the plan.
func TestDefaultsAreNoAlias(t *testing.T) {
	d := plan(t, jsondecoder.Options{}, `v {"type":"array","items":"int"} = [1,2]`).NewDecoder()
	for range 2 {
		row, why := d.Decode([]byte(`{}`))
		if why != nil {
			t.Fatal(why)
		}
		if got := cells(row); got != "0/1:1 1/1:2" {
			t.Fatal(got)
		}
		clear(row.Columns[0])
	}
}
