package jsondecoder_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/formats/jsondecoder"
)

// accepted and refused are texts of one value, by the classes of RFC 8259: structure, white space, numbers, strings, literals.
func accepted() []string {
	return []string{
		`{}`, `[]`, `""`, `0`, `-0`, `1`, `-1`, `10`, `0.0`, `-0.0`, `0.1`, `1e0`, `1E0`, `1e+0`, `1e-0`, `1e00`, `0e1`, `0E+1`, `-1.5e-10`,
		`123456789012345678901234567890`, `0.00000000000000000000000000000000000001`, `1e999999`, `-1e-999999`,
		`true`, `false`, `null`, ` 1 `, "\t\r\n 1\n", `[ ]`, `{ }`, `[1 , 2]`, `{"a" : 1 , "b" : 2}`, `[[[[]]]]`, `[{"a":[{}]}]`,
		`{"":0}`, `{"a":1,"a":2}`, `{"a\u0000b":1}`, `"\u0000"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e9\u00E9"`, `"\ud83d\ude00"`, `"\uD83D\uDE00"`,
		`"é"`, `"😀"`, "\"\u007f\"", "\"\u2028\u2029\"", `"\uFFFF"`, "\"\ufeff\"", `"a b"`, `"/*c*/"`, `"\\u0000"`, `"\\"`, `"asd "`,
		strings.Repeat("[", 400) + strings.Repeat("]", 400), strings.Repeat(`{"a":`, 400) + "1" + strings.Repeat("}", 400),
	}
}

func refused() []string {
	return []string{
		``, ` `, `,`, `:`, `[`, `]`, `{`, `}`, `[1`, `[1,`, `[1,]`, `[,1]`, `[1,,2]`, `[1 2]`, `["a" "b"]`, `[1}`, `{1}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`,
		`{"a":1 "b":2}`, `{"a":1,,"b":2}`, `{a:1}`, `{'a':1}`, `{"a"::1}`, `{"a":1]`, `{null:1}`, `{1:1}`, `[1]x`, `1 2`, `{}}`, `[]]`, `{}[]`, `[:]`, `{"a":1:2}`,
		`00`, `01`, `-01`, `-`, `--1`, `+1`, `1.`, `.1`, `-.1`, `1.e1`, `1e`, `1e+`, `1e-`, `1e1.5`, `1ee1`, `0x1`, `1_000`, `1,5`, `Infinity`, `-Infinity`, `NaN`, `1a`, `1.2.3`, `- 1`, `１`,
		`tru`, `True`, `TRUE`, `truee`, `nul`, `nulll`, `fals`, `undefined`,
		`"`, `"a`, `'a'`, `"\"`, `"\x41"`, `"\a"`, `"\u"`, `"\u1"`, `"\u12"`, `"\u123"`, `"\u123g"`, `"\u 123"`, `"\U0041"`, `"\'"`, `"\0"`, "\"\n\"", "\"\t\"", "\"\x00\"", "\"\x1f\"", "\"a\r\n\"",
		`"\ud800"`, `"\udc00"`, `"\ud800\u"`, `"\ud800\ud800"`, `"\ud800a"`, `"\ude00\ud83d"`, `"\ud83d\n"`,
		"\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"", "\xff", "\u00a01", "\ufeff1", "\v1", "\f1", "/**/1", "1//", "#1",
		strings.Repeat("[", 100_000), strings.Repeat(`{"a":`, 100_000), strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
	}
}

// TestConformance: what is JSON is read and what is not is refused, as the value of a field that nobody asks for.
func TestConformance(t *testing.T) {
	d := plan(t, jsondecoder.Options{}, `a ["null","int"]`).NewDecoder()
	for _, value := range accepted() {
		if !json.Valid([]byte(value)) {
			t.Errorf("%.60q is no JSON: the list is wrong", value)
		}
		for _, event := range []string{`{"x":` + value + `}`, ` { "x" : ` + value + ` , "a" : 1 } `, `{"x":[` + value + `,` + value + `]}`} {
			if _, why := d.Decode([]byte(event)); why != nil {
				t.Errorf("%.60q: %v", event, why)
			}
		}
	}
	for _, value := range refused() {
		for _, event := range []string{`{"x":` + value + `}`, `{"a":1,"x":` + value + `}`, `{"x":[1,` + value + `]}`} {
			if _, why := d.Decode([]byte(event)); why == nil && !fits(event) {
				t.Errorf("%.60q is accepted", event)
			}
		}
	}
}

// fits tells the few refused texts that complete their surroundings: "1,"b":2" and the like would be such.
func fits(event string) bool { return json.Valid([]byte(event)) }
