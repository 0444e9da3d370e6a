package commitlog

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/mem"
	"github.com/penstock-io/penstock/ingest"
)

func someManifest(f *testing.F) []byte {
	f.Helper()
	m := &Manifest{
		Format: 1, Sink: "lake", Topic: "clicks", Life: 1, Seq: 3, Epoch: 2, Low: 10, Ahead: Set{roaring64.BitmapOf(12, 1<<40)},
		Files: []FileEntry{{Staged: ".staged-1", Final: "/data/x", ID: 7, Rows: 2, Offsets: Set{roaring64.BitmapOf(8, 9)}}},
		Gaps:  []ingest.Gap{{Range: ingest.Range{First: 3, Next: 5}, Reason: ingest.GapControl}},
	}
	line, err := m.encode()
	if err != nil {
		f.Fatal(err)
	}
	return line
}

// FuzzManifest: the checksum keeps damage out, so it is made right here. What a writer with a bug or with bad intent puts below it
// must be an error and nothing worse, and what is read is what is written again.
func FuzzManifest(f *testing.F) {
	line := someManifest(f)
	f.Add(line[:len(line)-len(checksumKey)-64-len("\"}\n")])
	f.Add([]byte(`{"format":1,"ahead":"AAAAABAAAAAAAA=="`)) // says that it holds 2³⁶ containers
	f.Add([]byte(`{"format":1,"ahead":"AQAAAAAAAAAAAAAAOjAAAAEAAAAAAP//EAAAAA=="`))
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		m, err := decodeManifest(append(append(append([]byte(nil), body...), checksumKey...), hex.EncodeToString(sum[:])+"\"}\n"...))
		if err != nil {
			return
		}
		before := m.state()
		line, err := m.encode()
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := decodeManifest(line)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if s := again.state(); s.Low != before.Low || s.Ahead != nil && before.Ahead != nil && !s.Ahead.Equals(before.Ahead) {
			t.Errorf("%+v became %+v", before, s)
		}
	})
}

// FuzzArchive: the decompressor is bounded, and so is a line.
func FuzzArchive(f *testing.F) {
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00\x00\x00\x00"))
	f.Add(someManifest(f))
	f.Fuzz(func(t *testing.T, data []byte) {
		fsys := mem.New(mem.Options{})
		for _, name := range []string{"/archive" + archExt, "/1" + seqExt} {
			w, err := fsys.Create(t.Context(), name, dfs.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			_ = eachLine(t.Context(), fsys, name, func([]byte, *Manifest) error { return nil })
		}
	})
}

// FuzzHint: a group's metadata is whatever some client has committed.
func FuzzHint(f *testing.F) {
	f.Add(`{"penstock":1,"dir":"/data/.penstock/lake","life":1,"seq":12}`)
	f.Add("")
	f.Add(`{"penstock":1,"seq":1e99}`)
	f.Fuzz(func(t *testing.T, text string) {
		i, ours := parseHint(ingest.Hint{Metadata: text})
		if !ours {
			return
		}
		b, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		if again, ours := parseHint(ingest.Hint{Metadata: string(b)}); !ours || again != i {
			t.Errorf("%+v became %+v", i, again)
		}
	})
}
