package commitlog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/ingest"
)

const (
	logDir     = "log"
	claimMark  = "claim-"
	epochMark  = "epoch-"
	liveMark   = "live-"
	deadMark   = "dead-"
	byMark     = "by="
	doneExt    = ".done"
	seqExt     = ".json"
	archMark   = "archive-"
	archExt    = ".json.zst"
	sinkFile   = "sink.json"
	newMark    = ".new-"
	deadLetter = "dead"

	maxTopicName = 100
)

// paths are the names of one partition's state.
type paths struct {
	sinkDir string // State/Sink
	sink    string
	part    ingest.Partition
	life    int
	dir     string // sinkDir/<topic>[~N]+<partition>
}

func newPaths(state, sink string, part ingest.Partition, life int) paths {
	p := paths{sinkDir: path.Join(state, sink), sink: sink, part: part, life: life}
	p.dir = path.Join(p.sinkDir, p.base())
	return p
}

// base is "<topic>[~N]+<partition>": what state directories and published files call the partition.
func (p paths) base() string {
	s := topicName(p.part.Topic)
	if p.life > 1 {
		s += "~" + strconv.Itoa(p.life)
	}
	return s + "+" + strconv.Itoa(int(p.part.ID))
}

func (p paths) log() string             { return path.Join(p.dir, logDir) }
func (p paths) epoch(n int64) string    { return path.Join(p.dir, epochName(n)) }
func (p paths) manifest(n int64) string { return path.Join(p.log(), seqName(n)+seqExt) }
func (p paths) done(n int64) string     { return path.Join(p.log(), seqName(n)+doneExt) }

func (p paths) live(epoch int64, random string) string {
	return path.Join(p.epoch(epoch), liveMark+random)
}

func (p paths) dead(epoch int64, random string) string {
	return path.Join(p.epoch(epoch), deadMark+random)
}

// Numbers are padded so that a listing, which is read in pages in the order of names, comes to the newest last: a page that is
// read late can then only show more.
func epochName(n int64) string { return fmt.Sprintf("%s%010d", epochMark, n) }
func seqName(n int64) string   { return fmt.Sprintf("%010d", n) }

func archiveName(s span) string {
	return fmt.Sprintf("%s%010d-%010d%s", archMark, s.first, s.last, archExt)
}

func parseArchive(name string) (s span, ok bool) {
	first, last, found := strings.Cut(strings.TrimPrefix(name, archMark), "-")
	if !found || !strings.HasPrefix(name, archMark) {
		return s, false
	}
	var okLast bool
	s.first, ok = number(first, "", "")
	s.last, okLast = number(last, "", archExt)
	return s, ok && okLast && s.first <= s.last
}

// number parses what is left of name between prefix and suffix.
func number(name, prefix, suffix string) (int64, bool) {
	s, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	if s, ok = strings.CutSuffix(s, suffix); !ok || s == "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0
}

// topicName makes a topic fit into a file name: what Kafka does not allow is escaped as Hive does, what is too long is cut and gets
// a hash. '~' and '+' separate the parts of our names, so no topic may hold them.
func topicName(topic string) string {
	var b strings.Builder
	for i := range len(topic) {
		if c := topic[i]; safe(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() <= maxTopicName {
		return b.String()
	}
	sum := sha256.Sum256([]byte(topic))
	return b.String()[:maxTopicName-18] + "~x" + hex.EncodeToString(sum[:8])
}

func safe(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-'
}

// parseBase is the inverse of paths.base, for listings; ok is false for names that it did not make. The topic of a cut name stays cut.
func parseBase(name string) (part ingest.Partition, life int, ok bool) {
	m := regexp.MustCompile(`^([A-Za-z0-9._%-]+(?:~x[0-9a-f]{16})?)(?:~([0-9]+))?\+([0-9]+)$`).FindStringSubmatch(name)
	if m == nil {
		return part, 0, false
	}
	life = 1
	if m[2] != "" {
		life, _ = strconv.Atoi(m[2])
	}
	id, err := strconv.ParseInt(m[3], 10, 32)
	return ingest.Partition{Topic: m[1], ID: int32(id)}, life, err == nil && life > 0
}

// by is the directory name that tells people who made an epoch.
func (o Owner) by() string {
	host := strings.Map(func(r rune) rune {
		if r < 0x80 && safe(byte(r)) {
			return r
		}
		return '_'
	}, o.Host)
	if len(host) > 200 {
		host = host[:200]
	}
	return fmt.Sprintf("%s%s,%d,%s", byMark, host, o.PID, o.Start.UTC().Format("20060102T150405Z"))
}

// FinalName is the base name of a published file whose offsets go from first to last.
func (c *Claim) FinalName(first, last ingest.Offset, ext string) string {
	return fmt.Sprintf("%s+%s+%019d+%019d.%s", c.p.sink, c.p.base(), first, last, ext)
}

// StagedName is a fresh base name for a file in Live.
func (c *Claim) StagedName() string {
	c.staged++
	return fmt.Sprintf(".staged-%06d", c.staged)
}

// DeadDir is where this partition's dead letters are published; their extension is "dead".
func (c *Claim) DeadDir() string { return path.Join(c.p.sinkDir, deadLetter, c.p.base()) }

// Live is the staging directory, an absolute path that was never used before and never will be again.
func (c *Claim) Live() string { return c.p.live(c.epoch, c.live) }
