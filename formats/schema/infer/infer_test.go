package infer_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/formats/formatstest/jsonevents"
	"github.com/penstock-io/penstock/formats/formatstest/typedevents"
	"github.com/penstock-io/penstock/formats/jsondecoder"
	"github.com/penstock-io/penstock/formats/schema"
	"github.com/penstock-io/penstock/formats/schema/infer"
)

func propose(t *testing.T, events ...string) (string, []string) {
	t.Helper()
	var s infer.Sample
	for _, e := range events {
		if err := s.Add([]byte(e)); err != nil {
			t.Fatalf("%s: %v", e, err)
		}
	}
	text, doubts, err := s.Schema("event")
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		t.Fatal(err)
	}
	return compact.String(), doubts
}

func TestInfer(t *testing.T) {
	field := func(typ string) string {
		return `{"fields":[{"name":"v","type":` + typ + `}],"name":"event","type":"record"}`
	}
	for _, c := range []struct {
		events       []string
		want, doubts string
	}{
		{[]string{`{"v":1}`, `{"v":-9223372036854775808}`}, field(`"long"`), ""},
		{[]string{`{"v":1}`, `{"v":1.5}`}, field(`"double"`), ""},
		{[]string{`{"v":9223372036854775808}`}, field(`"double"`), ""},
		{[]string{`{"v":true}`, `{"v":null}`}, field(`["null","boolean"]`), ""},
		{[]string{`{"v":"a"}`, `{}`}, field(`["null","string"]`), ""},
		{[]string{`{"v":"2026-01-01T00:00:00Z"}`, `{"v":"2026-01-01T00:00:00.123+01:00"}`}, field(`{"logicalType":"timestamp-millis","type":"long"}`), ""},
		{[]string{`{"v":"2026-01-01T00:00:00.123456Z"}`}, field(`{"logicalType":"timestamp-micros","type":"long"}`), ""},
		{[]string{`{"v":"2026-01-01"}`}, field(`{"logicalType":"date","type":"int"}`), ""},
		{[]string{`{"v":"00000000-0000-0000-0000-0000000000FF"}`}, field(`{"logicalType":"uuid","type":"string"}`), ""},
		{[]string{`{"v":"2026-01-01"}`, `{"v":"soon"}`}, field(`"string"`), ""},
		{[]string{`{"v":"2026-01-01T00:00:00Z"}`, `{"v":1767225600000}`}, field(`{"logicalType":"timestamp-millis","type":"long"}`), "json-unit"},
		{[]string{`{"v":null}`}, field(`["null","string"]`), "null always"},
		{[]string{`{"v":[]}`}, field(`{"items":"string","type":"array"}`), "all empty"},
		{[]string{`{"v":{}}`}, field(`{"type":"map","values":"string"}`), "all empty"},
		{[]string{`{"v":[1,null]}`, `{"v":[]}`}, field(`{"items":["null","long"],"type":"array"}`), ""},
		{[]string{`{"v":1}`, `{"v":2}`, `{"v":"x"}`}, field(`"long"`), "of 3 values 2 are of type number; the others would be dead letters"},
		{[]string{`{"v":{"a b":1,"c d":2}}`}, field(`{"type":"map","values":"long"}`), "a map, since its objects have 2 names"},
		{[]string{`{"v":1,"a b":2}`}, field(`"long"`), `"a b" cannot be the name of a column`},
		{[]string{`{"v":{"v":{"x":1}}}`}, field(`{"fields":[{"name":"v","type":{"fields":[{"name":"x","type":"long"}],"name":"v_2","type":"record"}}],"name":"v","type":"record"}`), ""},
	} {
		got, doubts := propose(t, c.events...)
		if got != c.want {
			t.Errorf("%v:\n%s\nwant\n%s", c.events, got, c.want)
		}
		if said := strings.Join(doubts, "\n"); (said == "") != (c.doubts == "") || !strings.Contains(said, c.doubts) {
			t.Errorf("%v: doubts %q; want %q", c.events, said, c.doubts)
		}
	}
	for _, bad := range []string{"", "[1]", "1", `{"a":}`, `{} {}`, `{"a":1`} {
		if err := new(infer.Sample).Add([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, _, err := new(infer.Sample).Schema("event"); err == nil {
		t.Error("a schema of nothing")
	}
}

// TestProposalsFit: without doubts, all events of the sample fit what is proposed for them.
func TestProposalsFit(t *testing.T) {
	var samples [][][]byte
	g := jsonevents.New(1, 5)
	var realistic [][]byte
	for range 200 {
		realistic = append(realistic, g.Append(nil))
	}
	samples = append(samples, realistic)
	for seed := range uint64(20) {
		g := typedevents.New(700 + seed)
		s, err := schema.Parse(g.Schema(int(seed % 3)))
		if err != nil {
			t.Fatal(err)
		}
		var events [][]byte
		for range 50 {
			events = append(events, g.Event(s).JSON)
		}
		samples = append(samples, events)
	}
	for i, events := range samples {
		var sample infer.Sample
		for _, e := range events {
			if err := sample.Add(e); err != nil {
				t.Fatal(err)
			}
		}
		text, doubts, err := sample.Schema("event")
		if err != nil {
			t.Fatal(err)
		}
		s, err := schema.Parse(text)
		if err != nil {
			t.Fatalf("sample %d: %v\n%s", i, err, text)
		}
		plan, err := jsondecoder.Compile(s, jsondecoder.Options{})
		if err != nil {
			t.Fatal(err)
		}
		d := plan.NewDecoder()
		for _, e := range events {
			if _, why := d.Decode(e); why != nil {
				if !strings.Contains(strings.Join(doubts, "\n"), "dead letters") {
					t.Fatalf("sample %d: %v\n%s\n%s", i, why, e, text)
				}
			}
		}
		if i == 0 && len(doubts) > 0 {
			t.Errorf("doubts about realistic events: %q", doubts)
		}
	}
}
