package conf_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/conf"
)

// TestDesign checks that the values, and not only the absence of errors, are those of the file.
func TestDesign(t *testing.T) {
	t.Parallel()
	doc, err := parse(t, "testdata/good/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sink := doc.Sinks[0]
	want := defaultSink()
	want.Path = "/data/clicks/dt=%Y-%m-%d/hr=%H"
	want.State, want.Block = "/data/.penstock", 128*conf.MiB
	want.Format = conf.Choice{Type: "parquet", Config: &parquet{Compression: "zstd"}}
	if diff := cmp.Diff(&want, sink.Config); diff != "" {
		t.Error(diff)
	}
	if sink.Name != "lake" || sink.Type != "hdfs" || sink.Section != "sinks" || !slices.Equal(sink.Channels, []string{"clicks"}) {
		t.Errorf("%+v", sink)
	}
	topic := doc.Channels[0].Config.(*topicChannel)
	if diff := cmp.Diff([]conf.HostPort{{Host: "broker1", Port: 9093}, {Host: "broker2", Port: 9093}}, topic.Brokers); diff != "" {
		t.Error(diff)
	}
	if topic.SASL == nil || topic.SASL.Kerberos != "ingest" || topic.TLS.CA.String() != "file:/etc/pki/ca.pem" {
		t.Errorf("%+v", topic)
	}
	source := doc.Sources[0]
	if len(source.Interceptors) != 2 || source.Interceptors[1].Config.(*host).Header != "host" || source.Selector != nil || source.Channels[0] != "buffer" {
		t.Errorf("%+v", source)
	}
	if doc.Kerberos["ingest"].Principal != "ingest/_HOST@EXAMPLE.TEST" || doc.Hadoop["default"].Kerberos != "ingest" || doc.Admin.Listen.Port != 9600 {
		t.Errorf("%+v", doc)
	}
}

// TestAddressesInBraces checks what the YAML library by itself gets wrong.
func TestAddressesInBraces(t *testing.T) {
	t.Parallel()
	doc, err := parse(t, "testdata/good/flow.yaml")
	if err != nil {
		t.Fatal(err)
	}
	topic := doc.Channels[0].Config.(*topicChannel)
	want := []conf.HostPort{{Host: "b1", Port: 9093}, {Host: "b2.example.test", Port: 9093}, {Host: "b3", Port: 1}}
	if diff := cmp.Diff(want, topic.Brokers); diff != "" {
		t.Error(diff)
	}
	if sink := doc.Sinks[0].Config.(*hdfsSink); sink.Path != "hdfs://ns1:8020/data" || sink.Roll.Size != 64*conf.MiB {
		t.Errorf("%+v", sink)
	}
}

// TestLateReport checks that problems found after loading have places.
func TestLateReport(t *testing.T) {
	t.Parallel()
	doc, err := parse(t, "testdata/good/design.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := doc.Sinks[0].Report()
	r.Warnf("roll.size", "a warning")
	if doc.Err() != nil || len(doc.Warnings()) != 1 {
		t.Fatal(doc.Err(), doc.Warnings())
	}
	r.Errorf("roll.size", "too small")
	r.Errorf("permissions.dir", "not written")
	doc.Channels[0].Report().Errorf("brokers[1]", "no such host")
	doc.Report().Errorf("admin.listen", "port in use").Fixf("use another")
	want := `design.yaml:25:29: channels.clicks.brokers[1]: no such host
design.yaml:36:3: sinks.lake.permissions.dir: not written
design.yaml:42:18: warning: sinks.lake.roll.size: a warning
design.yaml:42:18: sinks.lake.roll.size: too small
design.yaml:48:17: admin.listen: port in use; use another`
	if err := doc.Err(); err == nil {
		t.Error("no error")
	} else if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
	if !r.Written("roll.size") || r.Written("block_size") {
		t.Error("Written does not tell what is written")
	}
}

func TestRelativePathsStartAtTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "penstock.yaml")
	yaml := strings.Replace(read(t, "testdata/good/small.yaml"), "path: /data", "path: /data, format: {type: parquet, schema: clicks.avsc}", 1)
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := conf.Load(path, testRegistry())
	if err != nil {
		t.Fatal(err)
	}
	got, err := doc.Sinks[0].Config.(*hdfsSink).Format.Config.(*parquet).Schema.Path()
	if err != nil || got != filepath.Join(dir, "clicks.avsc") {
		t.Error(got, err)
	}
}

func TestLoadFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := conf.Load(filepath.Join(dir, "none.yaml"), testRegistry()); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, err := conf.Load(dir, testRegistry()); err == nil {
		t.Error("a folder was read")
	}
}

type kitchen struct {
	Name   string            `yaml:"name"  conf:"required"`
	Level  level             `yaml:"level"`
	Addr   netip.Addr        `yaml:"addr"`
	Small  int8              `yaml:"small"`
	Count  uint16            `yaml:"count" conf:"max=1000"`
	Labels map[string]string `yaml:"labels"`
	Nested map[string]inner  `yaml:"nested"`
	List   []inner           `yaml:"list"  conf:"max=3"`
	Opt    *inner            `yaml:"opt"`
	Hidden string            `yaml:"-"`
	Shared
}

type Shared struct {
	Wait conf.Duration `yaml:"wait" conf:"max=1h"`
}

func (s *Shared) Complete() {
	if s.Wait == 0 {
		s.Wait = conf.Duration(time.Second)
	}
}

type inner struct {
	X int `yaml:"x"`
}

func (i *inner) SetDefaults() { i.X = 7 }

func (i *inner) Validate(r *conf.Report) {
	if i.X == 13 {
		r.Errorf("x", "unlucky")
	}
}

type level int

func (l *level) UnmarshalText(text []byte) error {
	if string(text) != "high" {
		return fmt.Errorf("%q is not a level", text)
	}
	*l = 2
	return nil
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	var got kitchen
	err := conf.Unmarshal([]byte(`
name: "n"
level: high
addr: 10.0.0.1
small: -128
count: 1000
labels: {a: b, "1": c}
nested: {one: {x: 1}, two: {}}
list: [{x: 1}, {x: 2}]
opt: {}
`), &got, conf.Registry{})
	if err != nil {
		t.Fatal(err)
	}
	want := kitchen{
		Name: "n", Level: 2, Addr: netip.MustParseAddr("10.0.0.1"), Small: -128, Count: 1000, Labels: map[string]string{"a": "b", "1": "c"},
		Nested: map[string]inner{"one": {1}, "two": {}}, List: []inner{{1}, {2}}, Opt: &inner{7}, Shared: Shared{Wait: conf.Duration(time.Second)},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	t.Parallel()
	var got kitchen
	err := conf.Unmarshal([]byte(`
level: low
addr: 10.0.0
small: 128
count: -1
labels: {a: 1}
nested: {one: {x: 13}}
list: [{x: 1}, {x: 13}, {}, {}]
opt: {x: 13}
wait: 2h
Hidden: x
`), &got, conf.Registry{})
	want := []string{
		`name: the key is missing`, `level: "low" is not a level`, `addr: ParseAddr`, `small: 128 is out of range`, `count: -1 is out of range`,
		`labels.a: this is a number, where a string is wanted; quote it: "1"`, `nested.one.x: unlucky`, `list[1].x: unlucky`, `opt.x: unlucky`,
		`wait: 2h is more than the most that is allowed, 1h`, `Hidden: unknown key`,
	}
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in:\n%v", w, err)
		}
	}
	if n := strings.Count(fmt.Sprint(err), "\n") + 1; n != len(want) {
		t.Errorf("%d problems, want %d:\n%v", n, len(want), err)
	}
	if got.Small != 0 || got.Labels["a"] != "" {
		t.Errorf("values that were wrong were used: %+v", got)
	}
	var empty kitchen
	if err := conf.Unmarshal(nil, &empty, conf.Registry{}); err == nil || err.Error() != "1:1: name: the key is missing; write `name: …`" {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	c := defaultSink()
	c.Path = "/data"
	if err := conf.Check(&c); err != nil {
		t.Fatal(err)
	}
	if c.State != "/data/.penstock" {
		t.Error("Complete did not run")
	}
	c.Path, c.OnGap, c.Roll.Size, c.Roll.Idle = "", "perhaps", 3, 5
	c.Format = conf.Choice{Type: "parquet", Config: &parquet{Compression: "lzma"}}
	err := conf.Check(&c)
	for _, want := range []string{"path: the value is empty", `on_gap: "perhaps" is not one of stop, accept`, "roll.size: 3B is less", "roll.idle: 5ns is less"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

// TestLimits checks that no input costs more than a moment, by the number of things that are told and not by a clock.
func TestLimits(t *testing.T) {
	t.Parallel()
	many := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	var merges strings.Builder
	merges.WriteString("version: 1\nk0: &k0 {" + strings.TrimSuffix(many("a%d: 1, ", 300), ", ") + "}\n")
	for i := 1; i < 2000; i++ {
		fmt.Fprintf(&merges, "k%d: &k%d {<<: *k%d, b%d: 1}\n", i, i, i-1, i)
	}
	cases := map[string]struct{ yaml, want string }{
		"large":     {strings.Repeat("# a comment\n", 200_000), "the file has more than 1MiB"},
		"tokens":    {"version: 1\nsinks:\n" + strings.Repeat("- a\n", 150_000), "more than 100000 words"},
		"keys":      {"version: 1\n" + many("k%d: v\n", 10_000), "and at least"},
		"dashes":    {"version: 1\nsinks: \n  " + strings.Repeat("- ", 5000) + "a\n", "nested more than 64 deep"},
		"braces":    {"version: 1\nsinks: " + strings.Repeat("{a: ", 5000), "nested more than 64 deep"},
		"questions": {strings.Repeat("? ", 5000) + "a\n", "nested more than 64 deep"},
		"merges":    {merges.String(), "more than 100000 values"},
		"tags":      {"version: 1\na: " + strings.Repeat("!a ", 5000) + "b\n", ""},
		"itself":    {"version: 1\nsinks: &a [*a]\n", "there is no anchor &a above"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := conf.Parse("p.yaml", []byte(c.yaml), testRegistry())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%.500v; want %q", err, c.want)
			}
			var e *conf.Error
			if errors.As(err, &e) && len(e.Problems) > 201 {
				t.Errorf("%d problems", len(e.Problems))
			}
		})
	}
}

// TestMisuse checks that mistakes of a component's author show at its first test.
func TestMisuse(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]any{
		"no tag": &struct{ A string }{},
		"options": &struct {
			A string `yaml:"a,omitempty"`
		}{},
		"unknown rule": &struct {
			A string `yaml:"a" conf:"requird"`
		}{},
		"type": &struct {
			A chan int `yaml:"a"`
		}{},
		"bound": &struct {
			A conf.Size `yaml:"a" conf:"min=big"`
		}{},
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "conf: ") {
					t.Errorf("%s: %v", name, r)
				}
			}()
			_ = conf.Unmarshal([]byte("a: 1KiB\n"), target, conf.Registry{})
		}()
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
