package registry

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// cache keeps answers in files: one each, named by what was asked, with / as +. The zero cache keeps none.
type cache struct{ dir string }

func (c cache) file(path string) string {
	return filepath.Join(c.dir, strings.ReplaceAll(path, "/", "+")+".json")
}

// get returns what was kept. A file that cannot be read is asked for again.
func (c cache) get(path string) (body []byte, ok bool) {
	if c.dir == "" {
		return nil, false
	}
	body, err := os.ReadFile(c.file(path))
	return body, err == nil
}

// put keeps an answer. Several agents may share the directory: a file is there as a whole, or not.
func (c cache) put(path string, body []byte) error {
	if c.dir == "" {
		return nil
	}
	if err := c.write(path, body); err != nil {
		return fmt.Errorf("keep schema in registry.cache: %w", err)
	}
	return nil
}

func (c cache) write(path string, body []byte) error {
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(c.dir, ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), c.file(path))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what failed before is told
	}
	return err
}
