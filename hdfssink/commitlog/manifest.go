package commitlog

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/ingest"
)

// Manifest is one commit as it stands in log/<seq>.json. The file is one line:
//
//	{"format":1,"sink":"lake", … ,"checksum":"<64 hex digits>"}\n
//
// The checksum is SHA-256 over every byte from the opening brace up to, and not including, `,"checksum":` (the last such text of
// the line), so it can be recomputed without knowing any field. Sets of offsets are base64 of portable 64-bit roaring bitmaps.
// Everything that a new owner needs is in the newest manifest alone; all of them together are the proof that verify checks.
type Manifest struct {
	Format    int           `json:"format"` // 1
	Sink      string        `json:"sink"`
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"`
	Life      int           `json:"life"`
	Seq       int64         `json:"seq"`
	Prev      string        `json:"prev"` // checksum of manifest seq-1; empty for the genesis
	Epoch     int64         `json:"epoch"`
	Live      string        `json:"live"` // random part of the epoch's staging directory
	Owner     Owner         `json:"owner"`
	Nonce     string        `json:"nonce"` // tells our manifest from another with the same seq
	Time      time.Time     `json:"time"`
	Reason    string        `json:"reason"`
	User      string        `json:"user,omitempty"` // who gave the command, when one did
	Config    string        `json:"config,omitempty"`
	First     ingest.Offset `json:"first"` // where this life begins
	Low       ingest.Offset `json:"low"`
	Ahead     Set           `json:"ahead"`
	Files     []FileEntry   `json:"files,omitempty"`
	Filtered  Set           `json:"filtered"`
	Gaps      []ingest.Gap  `json:"gaps,omitempty"`
	TopicID   string        `json:"topic_id,omitempty"`
	Mark      *ingest.Mark  `json:"mark,omitempty"`
	Missing   []string      `json:"missing,omitempty"` // final names that an operator gave up (state accept-missing)
	Adopted   *Adopted      `json:"adopted,omitempty"` // the last hint that did not fit and that an operator accepted; carried on
	Sealed    *Seal         `json:"sealed,omitempty"`  // set in the last manifest of a life

	sum string // own checksum, as read
}

// FileEntry is one published file in a manifest.
type FileEntry struct {
	Staged  string     `json:"staged"` // base name in epoch-<epoch>/live-<live>, or dead-<live> once another owner has fenced it
	Final   string     `json:"final"`
	ID      dfs.FileID `json:"id"`
	Size    int64      `json:"size"`
	Rows    int64      `json:"rows"`
	MinTime int64      `json:"min_time"`
	MaxTime int64      `json:"max_time"`
	Schema  string     `json:"schema,omitempty"`
	CRC     uint32     `json:"crc32c"`
	Dead    bool       `json:"dead,omitempty"`
	Offsets Set        `json:"offsets"`
}

// Adopted is a hint of another state directory, or of a state that is lost, that an operator accepted.
type Adopted struct {
	Dir  string        `json:"dir"`
	Next ingest.Offset `json:"next"`
}

// Seal ends a life: no manifest follows. The next life is the directory "<topic>~<life>+<partition>".
type Seal struct {
	Life  int            `json:"life"`            // the next one
	Start *ingest.Offset `json:"start,omitempty"` // where it begins; nil: at the log's beginning
	Torn  string         `json:"torn,omitempty"`  // what was wrong with the manifest before, when that could not be read
}

const (
	checksumKey = `,"checksum":"`
	maxManifest = 256 << 20
)

// errCorrupt marks a manifest that is there and cannot be believed.
var errCorrupt = errors.New("corrupt manifest")

// encode renders m and its checksum.
func (m *Manifest) encode() ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode manifest %d: %w", m.Seq, err)
	}
	body = body[:len(body)-1] // the closing brace comes after the checksum
	sum := sha256.Sum256(body)
	m.sum = hex.EncodeToString(sum[:])
	return append(append(append(body, checksumKey...), m.sum...), "\"}\n"...), nil
}

// decodeManifest is the inverse; the checksum is judged before anything else is.
func decodeManifest(line []byte) (*Manifest, error) {
	at := bytes.LastIndex(line, []byte(checksumKey))
	if at < 0 || !bytes.HasSuffix(line[at+len(checksumKey):], []byte("\"}\n")) {
		return nil, fmt.Errorf("%w: it is cut off or no manifest at all (%d bytes)", errCorrupt, len(line))
	}
	said := string(line[at+len(checksumKey) : len(line)-len("\"}\n")])
	sum := sha256.Sum256(line[:at])
	if is := hex.EncodeToString(sum[:]); is != said {
		return nil, fmt.Errorf("%w: its checksum is %s, it says %.64q", errCorrupt, is, said)
	}
	m := &Manifest{sum: said}
	if err := json.Unmarshal(append(line[:at:at], '}'), m); err != nil {
		return nil, fmt.Errorf("%w: %w", errCorrupt, err)
	}
	if m.Format != 1 {
		return nil, fmt.Errorf("manifest has format %d, this version of penstock reads 1: use the newer version that wrote it", m.Format)
	}
	return m, nil
}

// belongs checks that m is what its place says it is.
func (m *Manifest) belongs(p paths, seq int64) error {
	if m.Sink != p.sink || topicName(m.Topic) != topicName(p.part.Topic) || m.Partition != p.part.ID || m.Life != p.life || m.Seq != seq {
		return fmt.Errorf("%w: it is manifest %d of sink %s, %s+%d, life %d", errCorrupt, m.Seq, m.Sink, m.Topic, m.Partition, m.Life)
	}
	return nil
}

// readManifest reads log/<seq>.json. fs.ErrNotExist when it is not there, errCorrupt when it cannot be believed.
func readManifest(ctx context.Context, fsys dfs.FS, p paths, seq int64) (*Manifest, error) {
	b, err := readFile(ctx, fsys, p.manifest(seq))
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(b)
	if err == nil {
		err = m.belongs(p, seq)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", p.manifest(seq), err)
	}
	return m, nil
}

// readFile reads a small file whole. It trusts no length: what is read is what is there.
func readFile(ctx context.Context, fsys dfs.FS, name string) ([]byte, error) {
	r, err := fsys.Open(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(b) > maxManifest {
		return nil, fmt.Errorf("read %s: %w: it is longer than %d bytes", name, errCorrupt, maxManifest)
	}
	return b, nil
}

// writeFile makes a small file. After an error nothing is known but that the file is not to be used.
func writeFile(ctx context.Context, fsys dfs.FS, name string, b []byte) error {
	f, err := fsys.Create(ctx, name, dfs.CreateOptions{})
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer f.Abort()
	if _, err := f.Write(b); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := f.Close(ctx); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// stage is where a manifest's files are before they are published, as long as their owner is not fenced.
func (m *Manifest) stage(p paths) string { return p.live(m.Epoch, m.Live) }

// fencedStage is where they are after that.
func (m *Manifest) fencedStage(p paths) string { return p.dead(m.Epoch, m.Live) }

// state is what follows from m.
func (m *Manifest) state() State {
	s := State{Exists: true, Life: m.Life, Seq: m.Seq, First: m.First, Low: m.Low, Ahead: m.Ahead.Bitmap, TopicID: m.TopicID}
	if m.Mark != nil {
		s.Mark, s.HasMark = *m.Mark, true
	}
	return s
}

func (f *FileEntry) from(stage string) string { return path.Join(stage, f.Staged) }
