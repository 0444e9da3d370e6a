//go:build integration

package badinput

import (
	"strings"
	"testing"
)

// TestTopicMadeAgain: somebody deletes the topic under a running agent and makes it again; the new one is soon longer than the old one was, so
// that offsets alone show nothing.
func TestTopicMadeAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "old", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	s.remakeTopic(t)
	s.produce(t, "new", 30)
	message := a.refused(t, "accept-topic")
	// The reader notices it, or the next claim: both say the same in their own words.
	for _, says := range []string{s.topic + "+0: ", "was deleted and made again", "its id was", "`penstock state accept-topic -c " + s.config} {
		if !strings.Contains(message, says) {
			t.Errorf("the message does not say %q:\n%s", says, message)
		}
	}
	repair(t, message)
	a.reaches(t, s.topic, 30)
	a.ready(t)
	a.stop(t)
	s.exactly(t)
}

// TestLogTruncated: the topic was made again while the agent was down, and its log ends before what was read.
func TestLogTruncated(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "old", 20)
	a := s.run(t)
	a.reaches(t, s.topic, 20)
	a.stop(t)
	s.remakeTopic(t)
	s.produce(t, "new", 5)
	a = s.run(t)
	message := a.refused(t, "accept-topic")
	s.golden(t, "log-truncated", message)
	repair(t, message)
	s.produce(t, "newer", 5)
	a.reaches(t, s.topic, 10)
	a.stop(t)
	s.exactly(t)
}

// TestRetentionPassedLow: events were deleted before anybody read them.
func TestRetentionPassedLow(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.produce(t, "read", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	a.kill()
	s.produce(t, "deleted", 7)
	s.produce(t, "kept", 5)
	s.deleteRecords(t, 17)
	s.forget("deleted", 7)
	a = s.run(t)
	message := a.refused(t, "accept-gap")
	s.golden(t, "retention-passed-low", message)
	repair(t, message)
	a.reaches(t, s.topic, 22)
	a.stop(t)
	s.exactly(t)
}

// TestRetentionPassedLowByPolicy: the operator has said before that such a loss is accepted.
func TestRetentionPassedLowByPolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.plan.Sink = "roll: {age: 1s}\n    on_gap: accept"
	s.write(t)
	s.produce(t, "read", 10)
	a := s.run(t)
	a.reaches(t, s.topic, 10)
	a.kill()
	s.produce(t, "deleted", 7)
	s.produce(t, "kept", 5)
	s.deleteRecords(t, 17)
	s.forget("deleted", 7)
	a = s.run(t)
	a.reaches(t, s.topic, 22)
	a.stop(t)
	s.exactly(t)
}
