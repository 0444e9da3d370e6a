package commitlog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/ingest"
)

// hintInfo is a hint's metadata:
//
//	{"penstock":1,"dir":"/data/.penstock/lake","life":1,"seq":12}
//
// dir is "sha256:<hex>" of a directory with a name too long for the room that Kafka leaves.
type hintInfo struct {
	Penstock int    `json:"penstock"` // 1
	Dir      string `json:"dir"`
	Life     int    `json:"life"`
	Seq      int64  `json:"seq"`
}

const maxHintDir = 700

func hintDir(dir string) string {
	if len(dir) <= maxHintDir {
		return dir
	}
	sum := sha256.Sum256([]byte(dir))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// HintFor is the hint to store after Genesis or Commit: State().Low, and metadata naming the state's directory, life and seq.
func (c *Claim) HintFor() ingest.Hint {
	b, err := json.Marshal(hintInfo{Penstock: 1, Dir: hintDir(c.p.sinkDir), Life: c.p.life, Seq: c.state.Seq})
	if err != nil {
		return ingest.Hint{Next: c.state.Low} // cannot be: three numbers and a string
	}
	return ingest.Hint{Next: c.state.Low, Metadata: string(b)}
}

func parseHint(h ingest.Hint) (hintInfo, bool) {
	var i hintInfo
	if err := json.Unmarshal([]byte(h.Metadata), &i); err != nil || i.Penstock != 1 {
		return hintInfo{}, false
	}
	return i, true
}

// checkTopic refuses a topic that was deleted and made again: its offsets mean other events.
func (c *Claim) checkTopic(l ingest.LogInfo) error {
	was := c.state.TopicID
	if was == "" || l.TopicID == "" || was == l.TopicID {
		return nil
	}
	return refused("topic_replaced", fmt.Sprintf("%s: the topic was deleted and made again (its id was %s, now it is %s): its offsets mean other events than those in %s", c.p.part, was, l.TopicID, c.p.dir),
		c.command("accept-topic", "")+" drains the new topic from its beginning beside what was published from the old one")
}

// checkHint compares the log with what the channel remembers of it. The hint is never followed; but one that does not fit tells that the
// state was lost, moved or set back, and going on would publish events twice or leave some out.
func (c *Claim) checkHint(ctx context.Context, r ClaimRequest) error {
	if !r.HasHint {
		if c.state.Exists || c.p.life > 1 {
			return nil
		}
		return c.checkNeighbours(ctx)
	}
	info, ours := parseHint(r.Hint)
	here := hintDir(c.p.sinkDir)
	adopt := c.command("adopt", "--offset "+strconv.FormatInt(int64(r.Hint.Next), 10))
	switch {
	case ours && info.Dir != here && !c.adopted(info.Dir, r.Hint.Next):
		return refused("hint_of_other_directory", fmt.Sprintf("%s: the group's last commit (offset %d) was made by a sink whose state is in %s, this sink's state is in %s: was `state:`, `path:` or the sink's name changed?",
			c.p.part, r.Hint.Next, info.Dir, here), "set `state:` and the sink's name so that the directory is the old one; or go on in the new one from there with "+adopt)
	case !c.state.Exists && c.p.life == 1:
		return refused("hint_without_state", fmt.Sprintf("%s: the group has committed offset %d, but there is no state of this sink in %s: it was removed, or something else has used the group",
			c.p.part, r.Hint.Next, c.p.dir), "restore the directory from a snapshot; or start at the group's offset with "+adopt+" (any other --offset is as good)")
	case ours && info.Dir == here && c.olderThan(info, r.Hint.Next) && !c.adopted(info.Dir, r.Hint.Next):
		return refused("hint_newer_than_state", fmt.Sprintf("%s: the group's last commit names manifest %d of life %d and offset %d, the newest in %s is %d of life %d, at %d: the state was set back to an older one",
			c.p.part, info.Seq, info.Life, r.Hint.Next, c.p.log(), c.state.Seq, c.p.life, c.state.Low), "restore the newer state; or, if it is lost for ever, count what it had done as done with "+adopt)
	case !ours && c.state.Exists && r.Hint.Next > c.state.Low:
		return refused("hint_newer_than_state", fmt.Sprintf("%s: the group's offset is %d, and was not committed by this sink, which is at %d: was it set by hand, or does something else use the group?",
			c.p.part, r.Hint.Next, c.state.Low), "set the group's offset back or delete it; or leave the events between out with "+adopt)
	}
	return nil
}

// olderThan reports whether a hint of ours names a manifest that we do not have, or an offset that none of ours had reached: a state that was set
// back gets manifests with the same numbers from an operator's commands. A life that has begun but has no genesis yet has none.
func (c *Claim) olderThan(h hintInfo, next ingest.Offset) bool {
	if h.Life != c.p.life {
		return h.Life > c.p.life
	}
	return !c.state.Exists || h.Seq > c.state.Seq || next > c.state.Low
}

func (c *Claim) adopted(dir string, next ingest.Offset) bool {
	return c.newest != nil && c.newest.Adopted != nil && c.newest.Adopted.Dir == dir && next <= c.newest.Adopted.Next
}

// checkNeighbours refuses to begin where another sink under the same base has drained this topic: most likely the sink was renamed.
func (c *Claim) checkNeighbours(ctx context.Context) error {
	base := c.log.o.State
	entries, err := c.log.o.FS.List(ctx, base)
	if err != nil {
		return fmt.Errorf("look for other sinks' state: %w", err)
	}
	for _, e := range entries {
		if !e.Dir || e.Name == c.p.sink || strings.HasPrefix(e.Name, ".") {
			continue
		}
		there, err := exists(ctx, c.log.o.FS, newPaths(base, e.Name, c.p.part, 1).dir)
		if err != nil {
			return err
		}
		if !there || c.otherCluster(ctx, e.Name) {
			continue
		}
		return refused("other_sink_has_topic", fmt.Sprintf("%s: this sink has no state for it, but sink %s has, in %s: was the sink renamed? Starting over would publish every event again",
			c.p.part, e.Name, path.Join(base, e.Name)),
			fmt.Sprintf("call the sink %s again; or start this one at an offset of your choice with %s", e.Name, c.command("adopt", "--offset OFFSET")))
	}
	return nil
}

// otherCluster reports whether a sink's state belongs to another Kafka cluster, where a topic of the same name is another topic.
func (c *Claim) otherCluster(ctx context.Context, sink string) bool {
	other := Log{o: c.log.o, dir: path.Join(c.log.o.State, sink)}
	other.o.Sink = sink
	err := other.readSink(ctx)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	return other.info.Cluster != "" && c.log.info.Cluster != "" && other.info.Cluster != c.log.info.Cluster
}
