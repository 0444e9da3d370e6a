package readers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Python makes the environment, unless it is there, and returns its interpreter. It is for the tests of packages beside this one: tests run in
// the directory of their package.
func Python(ctx context.Context) (string, error) {
	if out, err := exec.CommandContext(ctx, "../readers/setup.sh").CombinedOutput(); err != nil {
		return "", fmt.Errorf("integration/readers/setup.sh: %w\n%s", err, out)
	}
	return filepath.Abs("../../build/readers/bin/python")
}

// TypedRows reads a file with typed columns by pyarrow or duckdb, or, of Avro, by fastavro; values are tagged as package typedevents tags what it expects. For the tests of packages
// beside this one, and of this one.
func TypedRows(ctx context.Context, reader, file string) (rows []map[string]any, err error) {
	python, err := Python(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, python, "../readers/dump_typed.py", reader, file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("read %s by %s: %w\n%s", file, reader, err, stderr.Bytes())
	}
	d := json.NewDecoder(bytes.NewReader(out))
	d.UseNumber()
	for d.More() {
		var row map[string]any
		if err := d.Decode(&row); err != nil {
			return nil, fmt.Errorf("row %d of %s: %w", len(rows), file, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}
