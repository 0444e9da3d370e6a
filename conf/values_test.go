package conf_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-io/penstock/conf"
)

func TestParseSize(t *testing.T) {
	t.Parallel()
	good := map[string]conf.Size{
		"0": 0, "0.0": 0, "1B": 1, "128MiB": 128 << 20, "1.5GiB": 3 << 29, "20 GiB": 20 << 30, "64kB": 64000, "2TB": 2e12, "0.5KiB": 512,
		"9223372036854775807B": 1<<63 - 1,
	}
	for text, want := range good {
		if got, err := conf.ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	bad := map[string]string{ // text, and a part of what to write
		"134217728": "write 128MiB", "65536": "write 64KiB", "128": "write 128MiB", "10000019": "write 10000019B", "128M": "write 128MiB", "10g": "write 10GiB",
		"1KB": "write 1kB", "": "128MiB", "-1MiB": "128MiB", "1e3MiB": "write one of", "0.1B": "smaller unit", "1.2.3KiB": "128MiB", "9223372036854775808B": "smaller unit",
		"8388608TiB": "smaller unit", "12 apples": "write one of B, KiB", ".": "128MiB",
	}
	for text, fix := range bad {
		_, err := conf.ParseSize(text)
		var p *conf.Problem
		if !errors.As(err, &p) || !strings.Contains(p.Error(), fix) {
			t.Errorf("%q: %v; want %q in it", text, err, fix)
		}
	}
}

func TestSizeString(t *testing.T) {
	t.Parallel()
	for s, want := range map[conf.Size]string{0: "0", 1: "1B", 1500: "1500B", 1 << 20: "1MiB", 3 << 29: "1536MiB", 1 << 40: "1TiB", 1 << 50: "1024TiB"} {
		if s.String() != want {
			t.Errorf("%d: %s, want %s", s, s, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	good := map[string]time.Duration{
		"0": 0, "15m": 15 * time.Minute, "2h": 2 * time.Hour, "1d": 24 * time.Hour, "1h30m": 90 * time.Minute, "1.5h": 90 * time.Minute,
		"250ms": 250 * time.Millisecond, "1d12h": 36 * time.Hour, "5us": 5 * time.Microsecond, "7ns": 7,
	}
	for text, want := range good {
		got, err := conf.ParseDuration(text)
		if err != nil || got.Std() != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
		again, err := conf.ParseDuration(got.String())
		if err != nil || again != got {
			t.Errorf("%q is written %q, which reads as %v, %v", text, got, again, err)
		}
	}
	bad := map[string]string{
		"900": "write 900s", "30000": "write 30000ms", "15 min": "write one of", "15M": "write 15m", "1h30": "write 30s", "": "15m", "-1s": "15m",
		"200000d": "smaller unit", "106751d24h": "292 years", "h": "15m", "1w": "write one of",
	}
	for text, fix := range bad {
		if _, err := conf.ParseDuration(text); err == nil || !strings.Contains(err.Error(), fix) {
			t.Errorf("%q: %v; want %q in it", text, err, fix)
		}
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	t.Setenv("PENSTOCK_TEST_PASSWORD", "hunter2")
	s, err := conf.NewSecret("env:PENSTOCK_TEST_PASSWORD")
	if err != nil {
		t.Fatal(err)
	}
	type outer struct {
		Password conf.Secret
		Pointer  *conf.Secret
	}
	o := outer{s, &s}
	js, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "outer", o)
	var shown strings.Builder
	shown.WriteString(string(js) + log.String())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown.WriteString(fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, o))
	}
	if text := shown.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "PENSTOCK_TEST") || !strings.Contains(text, "(secret)") {
		t.Error(text)
	}
	got, err := s.Reveal()
	if err != nil || string(got) != "hunter2" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSecretReveal(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("unix", "pass word\n")
	write("dos", "pass word\r\n")
	write("two", "pass word\n\n")
	write("empty", "\n")
	write("large", strings.Repeat("x", 65<<10))
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for ref, want := range map[string]string{"file:" + dir + "/unix": "pass word", "credential:dos": "pass word", "credential:two": "pass word\n"} {
		s, err := conf.NewSecret(ref)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Reveal(); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
	for ref, want := range map[string]string{
		"credential:empty": "is empty", "credential:large": "more than 64KiB", "credential:none": "no such file", "env:PENSTOCK_TEST_UNSET": "PENSTOCK_TEST_UNSET is not set",
	} {
		s, err := conf.NewSecret(ref)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Reveal(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", ref, err, want)
		}
	}
	if _, err := (conf.Secret{}).Reveal(); err == nil {
		t.Error("an empty secret was revealed")
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	s, _ := conf.NewSecret("credential:unix")
	if _, err := s.Reveal(); err == nil || !strings.Contains(err.Error(), "LoadCredential=unix:PATH") {
		t.Error(err)
	}
	for _, literal := range []string{"hunter2", "file:", "", "http://hunter2", "credential:../../etc/hunter2"} {
		if _, err := conf.NewSecret(literal); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", literal, err)
		}
	}
}

func TestFileRef(t *testing.T) {
	t.Setenv("CREDENTIALS_DIRECTORY", "/run/credentials/penstock")
	var got struct {
		A conf.FileRef `yaml:"a"`
		B conf.FileRef `yaml:"b"`
		C conf.FileRef `yaml:"c"`
		D conf.FileRef `yaml:"d"`
	}
	err := conf.Unmarshal([]byte("a: file:/k\nb: credential:keytab\nc: rel/k.avsc\nd: FILE:/krb5.keytab\n"), &got, conf.Registry{})
	if err != nil {
		t.Fatal(err)
	}
	for f, want := range map[conf.FileRef]string{got.A: "/k", got.B: "/run/credentials/penstock/keytab", got.C: "rel/k.avsc", got.D: "/krb5.keytab"} {
		if path, err := f.Path(); err != nil || path != want {
			t.Errorf("%s: %q, %v; want %q", f, path, err, want)
		}
	}
	if path, err := (conf.FileRef{}).Path(); err != nil || path != "" {
		t.Error("an empty reference has a path", path, err)
	}
	for _, bad := range []string{"", "env:X", "file:", "file:///k", "credential:a/b"} {
		if f, err := conf.NewFileRef(bad); err == nil {
			t.Errorf("%q: %v", bad, f)
		}
	}
}

func TestClusterDir(t *testing.T) {
	t.Setenv("HADOOP_CONF_DIR", "")
	if dir := (&conf.Cluster{}).Dir(); dir != "/etc/hadoop/conf" {
		t.Error(dir)
	}
	t.Setenv("HADOOP_CONF_DIR", "/opt/hadoop")
	if dir := (&conf.Cluster{}).Dir(); dir != "/opt/hadoop" {
		t.Error(dir)
	}
	if dir := (&conf.Cluster{ConfDir: "/a"}).Dir(); dir != "/a" {
		t.Error(dir)
	}
}

func TestHostPort(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"broker1:9093", "[::1]:4141", "0.0.0.0:4141", ":4141", "127.0.0.1:0"} {
		if a, err := conf.ParseHostPort(text); err != nil || a.String() != text {
			t.Errorf("%s: %v, %v", text, a, err)
		}
	}
	for _, text := range []string{"", "a", "a:", "a:b", "a:65536", "a:-1", "::1:9", "http://a:1", "a:1,b:2", "a :1", "[::1]", "[a:1"} {
		if a, err := conf.ParseHostPort(text); err == nil {
			t.Errorf("%q: %v", text, a)
		}
	}
}

func TestZoneAndMode(t *testing.T) {
	t.Parallel()
	var got struct {
		Zone conf.Zone `yaml:"zone"`
		Mode conf.Mode `yaml:"mode"`
	}
	if got.Zone.Location() != time.UTC || got.Zone.String() != "UTC" || got.Mode.String() != "" {
		t.Errorf("zero values: %v", got)
	}
	if err := conf.Unmarshal([]byte("zone: Europe/Berlin\nmode: 01770\n"), &got, conf.Registry{}); err != nil {
		t.Fatal(err)
	}
	if got.Zone.Location().String() != "Europe/Berlin" || got.Mode.FileMode() != 0o1770 || got.Mode.String() != "1770" {
		t.Errorf("%v", got)
	}
}
