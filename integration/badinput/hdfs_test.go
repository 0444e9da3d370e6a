//go:build integration

package badinput

import (
	"path"
	"strings"
	"testing"
)

// TestNoPermission: the agent may write its state, and not where its files are to go.
func TestNoPermission(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plan.Sink = "roll: {age: 1s}\n    state: " + s.base + "/state"
	s.write(t)
	s.hdfs(t, "hdfs", "-mkdir", s.base+"/data")
	s.produce(t, "a", 10)

	code, out, _ := command(t, "validate", "-c", s.config, "--connect")
	if code != 77 || !strings.Contains(out, "FAILED") {
		t.Errorf("validate --connect: exit code %d\n%s", code, out)
	}
	a := s.run(t)
	s.golden(t, "no-permission", a.retrying(t, "Permission denied"))
	s.hdfs(t, "hdfs", "-chown", "ingest", s.base+"/data")
	a.reaches(t, s.topic, 10)
	a.stop(t)
	s.exactly(t)
}

// TestNoPermissionForState: not even a claim can be made.
func TestNoPermissionForState(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.hdfs(t, "hdfs", "-chown", "hdfs", s.base)
	s.produce(t, "a", 10)
	a := s.run(t)
	s.golden(t, "no-permission-for-state", a.retrying(t, "Permission denied"))
	s.hdfs(t, "hdfs", "-chown", "ingest", s.base)
	a.reaches(t, s.topic, 10)
	a.stop(t)
	s.exactly(t)
}

// TestNameQuota: there is no name left for another file, after some were published.
func TestNameQuota(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "a", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	s.quota(t, "-setQuota", "12")
	s.produce(t, "b", 10)
	s.golden(t, "name-quota", a.retrying(t, "QuotaExceeded"))
	code, out, _ := command(t, "validate", "-c", s.config, "--connect")
	if code != 73 || !strings.Contains(out, "-setQuota") {
		t.Errorf("validate --connect: exit code %d\n%s", code, out)
	}
	s.quota(t, "-clrQuota")
	a.reaches(t, s.topic, 20)
	a.stop(t)
	s.exactly(t)
}

// TestSpaceQuota: there is no space left for a block.
func TestSpaceQuota(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "a", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	s.quota(t, "-setSpaceQuota", "1m")
	s.produce(t, "b", 10)
	s.golden(t, "space-quota", a.retrying(t, "QuotaExceeded"))
	s.quota(t, "-clrSpaceQuota")
	a.reaches(t, s.topic, 20)
	a.stop(t)
	s.exactly(t)
}

// TestBaseDirectoryRemoved: somebody deletes data and state under a running agent. It must not publish everything again by itself; what the
// agent had published is what the deletion destroyed, and nothing else is lost.
func TestBaseDirectoryRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "gone", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	s.hdfs(t, "hdfs", "-rm", "-r", "-skipTrash", s.base+"/data")
	s.forget("gone", 10)
	s.produce(t, "kept", 10)
	message := a.refused(t, "penstock state")
	s.golden(t, "base-directory-removed", message)
	repair(t, message)
	a.reaches(t, s.topic, 20)
	a.stop(t)
	s.exactly(t)
}

// TestForeignFile: a name that the next file is to have is taken. Moving the file away is all that the message asks for.
func TestForeignFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plan.Path = s.base + "/data"
	s.write(t)
	name := path.Join(s.plan.Path, "lake+"+s.topic+"+0+0000000000000000000+0000000000000000009.parquet")
	s.hdfs(t, "ingest", "-mkdir", s.plan.Path)
	s.put(t, name, "somebody's")
	s.produce(t, "a", 10)
	a := s.run(t)
	s.golden(t, "foreign-file", a.refused(t, "is in the way"))
	if got := string(s.read(t, name)); got != "somebody's" {
		t.Errorf("the foreign file holds %q now", got)
	}
	s.hdfs(t, "hdfs", "-mv", name, s.base+"/moved-away")
	a.reaches(t, s.topic, 10)
	a.stop(t)
	s.exactly(t)
}

// TestCorruptManifest: the newest manifest does not have its checksum any more. Restoring it is the first thing that the message asks for,
// and costs nothing.
func TestCorruptManifest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "a", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	a.stop(t)
	name, whole := s.damage(t)
	s.produce(t, "b", 10)
	a = s.run(t)
	s.golden(t, "corrupt-manifest", a.refused(t, "cannot be believed"))
	s.put(t, name, whole)
	a.reaches(t, s.topic, 20)
	a.stop(t)
	s.exactly(t)
}

// TestCorruptManifestGivenUp: there is no copy of it. The command of the message begins a new life where the group's hint says that
// everything was done; nothing had been published beyond.
func TestCorruptManifestGivenUp(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "a", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	a.stop(t)
	s.damage(t)
	s.produce(t, "b", 10)
	a = s.run(t)
	repair(t, a.refused(t, "cannot be believed"))
	a.reaches(t, s.topic, 20)
	a.stop(t)
	s.exactly(t)
}

// damage changes one digit of the newest manifest.
func (s *site) damage(t *testing.T) (name, whole string) {
	t.Helper()
	manifests := s.files(t, s.base+"/data/.penstock/lake/"+s.topic+"+0/log", ".json")
	name = manifests[len(manifests)-1]
	whole = string(s.read(t, name))
	s.put(t, name, strings.Replace(whole, `"low":10`, `"low":19`, 1))
	if now := string(s.read(t, name)); now == whole {
		t.Fatalf("%s was not damaged:\n%s", name, whole)
	}
	return name, whole
}
