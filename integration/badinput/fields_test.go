//go:build integration

package badinput

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestPathOfFields: directories are named by a column and by a field that is none, which is kept in a map of such fields; what has no value goes where Hive looks for null, and what cannot
// be told to the dead letters.
func TestPathOfFields(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plan.Path = s.base + "/data/land=%{field:land}/tenant=%{field:tenant}"
	s.plan.Sink = `roll: {age: 1s}
    format:
      type: parquet
      origin: false
      columns: [{name: n, type: long, required: true}, {name: land, type: string, from: $.user.land, default: xx}, {name: rest, type: map<string>}]
      unknown_into: rest`
	s.write(t)
	// Where events of each shape belong; "": to the dead letters.
	const null = "__HIVE_DEFAULT_PARTITION__"
	shapes := []struct{ body, dir string }{
		{`{"n":%d,"user":{"land":"NO"},"tenant":"a/b"}`, "land=NO/tenant=a%2Fb"},
		{`{"tenant":17,"n":%d,"user":{}}`, "land=xx/tenant=17"},
		{`{"n":%d,"user":null,"tenant":""}`, "land=" + null + "/tenant=" + null},
		{`{"n":%d,"user":{"land":"S E"},"tenant":true}`, "land=S E/tenant=true"},
		{`{"n":%d,"user":{"land":"NO"},"tenant":{}}`, ""},
		{`{"n":%d,"user":{"land":5},"tenant":"a"}`, ""},
	}
	const events = 300
	var records []*kgo.Record
	want := map[string][]string{}
	dead := map[int64]deadLetter{}
	for i := range int64(events) {
		shape := shapes[i%int64(len(shapes))]
		body := fmt.Sprintf(shape.body, i)
		records = append(records, &kgo.Record{Topic: s.topic, Value: []byte(body)})
		switch {
		case shape.dir != "":
			want[shape.dir] = append(want[shape.dir], strconv.FormatInt(i, 10))
		case strings.HasSuffix(body, `{}}`):
			dead[i] = deadLetter{"wrong_type", "$.tenant", body}
		default:
			dead[i] = deadLetter{"wrong_type", "$.user.land", body}
		}
	}
	s.send(t, records...)
	a := s.run(t)
	a.reaches(t, s.topic, events)
	a.stop(t)
	s.verify(t)
	if diff := cmp.Diff(dead, s.deadLetters(t)); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	got, rests := map[string][]string{}, map[string]string{}
	for _, name := range s.files(t, s.base+"/data", ".parquet") {
		dir := strings.TrimPrefix(path.Dir(name), s.base+"/data/")
		for _, row := range s.typedRowsOf(t, "parquet", name) {
			got[dir] = append(got[dir], fmt.Sprint(row["n"]))
			rests[dir] = fmt.Sprint(row["rest"])
		}
	}
	wantRests := map[string]string{
		"land=NO/tenant=a%2Fb": "[[text:tenant text:a/b]]", "land=xx/tenant=17": "[[text:tenant text:17]]", "land=S E/tenant=true": "[[text:tenant text:true]]",
		"land=" + null + "/tenant=" + null: "[[text:tenant text:]]",
	}
	if diff := cmp.Diff(wantRests, rests); diff != "" {
		t.Errorf("what the schema does not have (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows of each directory (-want +got):\n%s", diff)
	}
}
