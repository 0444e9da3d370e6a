package sequencefile_test

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"testing"

	"github.com/golang/snappy"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/formatstest"
	"github.com/penstock-io/penstock/formats/sequencefile"
	"github.com/penstock-io/penstock/ingest"
)

func newFormat(t testing.TB, change func(*sequencefile.Config)) formats.Format {
	t.Helper()
	c := sequencefile.DefaultConfig()
	if change != nil {
		change(&c)
	}
	f, err := sequencefile.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// cursor reads a file as Hadoop's reader does, in the plainest way.
type cursor struct {
	t *testing.T
	p []byte
}

func (c *cursor) take(n int) []byte {
	c.t.Helper()
	if n < 0 || n > len(c.p) {
		c.t.Fatalf("%d bytes are wanted, %d are left", n, len(c.p))
	}
	b := c.p[:n]
	c.p = c.p[n:]
	return b
}

func (c *cursor) int32() int { return int(int32(binary.BigEndian.Uint32(c.take(4)))) }

func (c *cursor) vint() int {
	first := int8(c.take(1)[0])
	if first >= -112 {
		return int(first)
	}
	n := 0
	for _, b := range c.take(-112 - int(first)) {
		n = n<<8 | int(b)
	}
	return n
}

func (c *cursor) buffer(codec string) *cursor {
	packed := c.take(c.vint())
	var text []byte
	if codec == "org.apache.hadoop.io.compress.SnappyCodec" {
		for in := (&cursor{c.t, packed}); len(in.p) > 0; {
			whole := in.int32()
			for got := 0; got < whole; {
				chunk, err := snappy.Decode(nil, in.take(in.int32()))
				if err != nil {
					c.t.Fatal(err)
				}
				text, got = append(text, chunk...), got+len(chunk)
			}
		}
		return &cursor{c.t, text}
	}
	r, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		c.t.Fatal(err)
	}
	if text, err = io.ReadAll(r); err != nil {
		c.t.Fatal(err)
	}
	return &cursor{c.t, text}
}

func read(t testing.TB, file []byte) (events []ingest.Event) {
	t.Helper()
	tt, ok := t.(*testing.T)
	if !ok {
		t.Fatal("no test")
	}
	c := &cursor{tt, file}
	if string(c.take(4)) != "SEQ\x06" {
		t.Fatal("no SequenceFile")
	}
	key, value := string(c.take(c.vint())), string(c.take(c.vint()))
	if key != "org.apache.hadoop.io.LongWritable" {
		t.Fatalf("keys of %s", key)
	}
	text, codec := value == "org.apache.hadoop.io.Text", ""
	if flags := c.take(2); flags[0] != 0 {
		codec = string(c.take(c.vint()))
	}
	if n := c.int32(); n != 0 {
		t.Fatalf("%d pairs of metadata", n)
	}
	sync := c.take(16)
	add := func(key, value []byte) {
		v := &cursor{tt, value}
		length := v.int32
		if text {
			length = v.vint
		}
		n := length()
		events = append(events, ingest.Event{Timestamp: int64(binary.BigEndian.Uint64(key)), Body: append([]byte{}, v.take(n)...)})
		if len(v.p) > 0 {
			t.Fatalf("%d bytes follow a value", len(v.p))
		}
	}
	for len(c.p) > 0 {
		n := c.int32()
		if n >= 0 {
			k := c.int32()
			record := c.take(n)
			add(record[:k], record[k:])
			continue
		}
		if !bytes.Equal(c.take(16), sync) {
			t.Fatal("another mark")
		}
		if codec == "" || len(c.p) == 0 {
			continue
		}
		rows := c.vint()
		keyLengths, keys, lengths, values := c.buffer(codec), c.buffer(codec), c.buffer(codec), c.buffer(codec)
		for range rows {
			add(keys.take(keyLengths.vint()), values.take(lengths.vint()))
		}
	}
	return events
}

func TestSuite(t *testing.T) {
	for name, change := range map[string]func(*sequencefile.Config){
		"default":      nil,
		"text":         func(c *sequencefile.Config) { c.Value = "text" },
		"deflate":      func(c *sequencefile.Config) { c.Compression = "deflate" },
		"snappy":       func(c *sequencefile.Config) { c.Compression, c.Value = "snappy", "text" },
		"small blocks": func(c *sequencefile.Config) { c.Compression, c.BlockSize = "deflate", 8*conf.KiB },
	} {
		t.Run(name, func(t *testing.T) {
			refused := map[string]ingest.Event{"null_body": {}}
			if name == "text" {
				refused["invalid_utf8"] = ingest.Event{Body: []byte("\xff")}
			}
			formatstest.Suite(t, formatstest.Subject{
				New: func(t testing.TB) formats.Format {
					t.Helper()
					return newFormat(t, change)
				},
				Read:    read,
				Kept:    func(e ingest.Event) ingest.Event { return ingest.Event{Timestamp: e.Timestamp, Body: e.Body} },
				Refused: refused,
				Marked:  true,
			})
		})
	}
}

func inspect(f formats.Format, file []byte) (formats.Info, error) {
	return f.Inspect(bytes.NewReader(file), int64(len(file)))
}

// TestDamage: a file that was cut, but at a mark, is none; nor is one whose lengths were changed.
func TestDamage(t *testing.T) {
	for _, compression := range []string{"none", "deflate", "snappy"} {
		f := newFormat(t, func(c *sequencefile.Config) { c.Compression, c.BlockSize = compression, 4*conf.KiB })
		file := formatstest.Subject{}.Write(t, f, formatstest.Realistic(30))
		marks := 0
		for n := range file {
			info, err := inspect(f, file[:n])
			if err == nil {
				marks++
				if got := read(t, file[:n]); int64(len(got)) != info.Rows || len(got) >= 30 {
					t.Errorf("%s: %d bytes pass for %d rows, and have %d", compression, n, info.Rows, len(got))
				}
			}
		}
		if marks < 2 {
			t.Errorf("%s: %d marks before the end", compression, marks)
		}
		if _, err := inspect(f, append(bytes.Clone(file), 'x')); err == nil {
			t.Errorf("%s: a byte too many passes", compression)
		}
		checked, ok := f.(interface {
			CheckEnd(r io.ReaderAt, size int64) error
		})
		if !ok {
			t.Fatal("the format cannot look at the end alone")
		}
		if err := checked.CheckEnd(bytes.NewReader(file), int64(len(file))); err != nil {
			t.Errorf("%s: %v", compression, err)
		}
		for cut := 1; cut < 40; cut++ {
			if err := checked.CheckEnd(bytes.NewReader(file), int64(len(file)-cut)); err == nil {
				t.Errorf("%s: %d bytes are missing, and the end is taken for one", compression, cut)
			}
		}
	}
	f := newFormat(t, nil)
	file := formatstest.Subject{}.Write(t, f, formatstest.Realistic(2))
	at := bytes.Index(file, []byte(`{"producer"`))
	for _, i := range []int{at - 1, at - 13, at - 17} { // the lengths of body, key and record
		file[i] ^= 1
		if _, err := inspect(f, file); err == nil {
			t.Errorf("byte %d, of a length, was changed, and it passes", i)
		}
		file[i] ^= 1
	}
}

// TestBlocksThatDoNotAgree: the buffers of a block must have what each other say.
func TestBlocksThatDoNotAgree(t *testing.T) {
	f := newFormat(t, func(c *sequencefile.Config) { c.Compression = "deflate" })
	empty := formatstest.Subject{}.Write(t, f, nil)
	mark := empty[len(empty)-20:]
	header := empty[:len(empty)-20]
	buffer := func(text string) []byte {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return append([]byte{byte(b.Len())}, b.Bytes()...)
	}
	const key, value = "\x00\x00\x00\x00\x00\x00\x00\x05", "\x00\x00\x00\x01a"
	for _, c := range []struct {
		rows                              byte
		keyLengths, keys, lengths, values string
		ok                                bool
	}{
		{1, "\x08", key, "\x05", value, true},
		{2, "\x08\x08", key + key, "\x05\x05", value + value, true},
		{1, "\x08", key, "\x05", value + "x", false},
		{1, "\x08", key, "\x05\x05", value, false},
		{2, "\x08", key, "\x05", value, false},
		{1, "\x08", key + "x", "\x05", value, false},
		{1, "\x07", key, "\x05", value, false},
		{1, "\x08", key, "\x06", value, false},
		{1, "\x08", key, "\x04", value, false},
		{1, "\x08", key, "\x05", "\x00\x00\x00\x02a", false},
	} {
		file := append(append(bytes.Clone(header), mark...), c.rows)
		for _, text := range []string{c.keyLengths, c.keys, c.lengths, c.values} {
			file = append(file, buffer(text)...)
		}
		if _, err := inspect(f, append(file, mark...)); (err == nil) != c.ok {
			t.Errorf("%d rows, %q %q %q %q: %v", c.rows, c.keyLengths, c.keys, c.lengths, c.values, err)
		}
	}
}

func TestConfig(t *testing.T) {
	open := func(c sequencefile.Config) error {
		_, err := sequencefile.New(c)
		return err
	}
	formatstest.Configs(t, sequencefile.DefaultConfig, open, map[string]string{
		"{}":                                     "",
		"value: text\ncompression: snappy":       "",
		"compression: deflate\nlevel: 9":         "",
		"compression: gzip":                      "compression",
		"level: 3":                               "has no levels",
		"value: avro":                            "value",
		"compression: deflate\nblock_size: 1KiB": "block_size",
	})
}

func FuzzInspect(f *testing.F) {
	for _, compression := range []string{"none", "snappy", "deflate"} {
		format := newFormat(f, func(c *sequencefile.Config) { c.Compression, c.BlockSize = compression, 4*conf.KiB })
		f.Add(formatstest.Subject{}.Write(f, format, formatstest.Realistic(12)))
	}
	format := newFormat(f, nil)
	f.Fuzz(func(t *testing.T, file []byte) {
		if info, err := inspect(format, file); err == nil && info.Rows > int64(len(file))*1100 {
			t.Errorf("%d bytes have %d records", len(file), info.Rows)
		}
	})
}
