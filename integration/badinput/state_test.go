//go:build integration

package badinput

import (
	"path/filepath"
	"testing"
)

// TestTwoGroups: a second agent with a group of its own is pointed at a state that is in use. The first goes on undisturbed.
func TestTwoGroups(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "a", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	second := s.plan
	second.Group, second.Admin = s.plan.Group+"-2", freeAddress(t)
	config := filepath.Join(s.dir, "second.yaml")
	writeConfig(t, config, second)
	b := start(t, config, second.Admin)
	message := b.refused(t, "belongs to consumer group")
	s.golden(t, "two-groups", message)
	s.produce(t, "b", 10)
	a.reaches(t, s.topic, 20)
	b.stop(t)
	a.ready(t)
	a.stop(t)
	s.exactly(t)
}

// TestTwoSinks: two sinks would share one group's hint. Nothing starts.
func TestTwoSinks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plan.Sink = "roll: {age: 1s}\n  pond: {type: hdfs, channel: events, path: " + s.base + "/pond}"
	s.write(t)
	a := s.run(t)
	if code := a.end(t); code != 78 {
		t.Errorf("exit code %d", code)
	}
	s.golden(t, "two-sinks", a.text())
}

// TestPathMoved: another literal path puts the state elsewhere by default, where it would begin again.
func TestPathMoved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "a", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	a.stop(t)
	old := s.plan
	s.plan.Path = s.base + "/moved/dt=%Y-%m-%d"
	s.write(t)
	s.produce(t, "b", 10)
	a = s.run(t)
	message := a.refused(t, "penstock state adopt")
	s.golden(t, "path-moved", message)
	repair(t, message)
	a.reaches(t, s.topic, 20)
	a.stop(t)
	code, out, errs := command(t, "verify", "-c", s.config, "--files")
	if code != 0 {
		t.Errorf("verify: exit code %d\n%s%s", code, out, errs)
	}
	s.plan = old
	s.write(t)
	s.exactly(t) // both directories are below the base
}

// TestPathMovedWithState: the message's other way: `state:` names the old directory.
func TestPathMovedWithState(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "a", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	a.stop(t)
	s.plan.Path = s.base + "/moved/dt=%Y-%m-%d"
	s.plan.Sink = "roll: {age: 1s}\n    state: " + s.base + "/data/.penstock"
	s.write(t)
	s.produce(t, "b", 10)
	a = s.run(t)
	a.reaches(t, s.topic, 20)
	a.stop(t)
	if n := len(s.files(t, s.base+"/moved", ".parquet")); n == 0 {
		t.Error("nothing was published below the new path")
	}
	s.exactly(t)
}
