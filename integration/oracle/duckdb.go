package oracle

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed duckdb_rows.py
var duckdbRows string

// ReadWithDuckDB has DuckDB read <dir>/**/*.parquet, by its own glob. python is that of integration/readers/setup.sh.
func ReadWithDuckDB(ctx context.Context, python, dir string, yield func(Row) error) error {
	out, err := os.CreateTemp("", "penstock-oracle-") // no pipe: DuckDB's threads mix what they write to one
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }()
	defer out.Close()
	cmd := exec.CommandContext(ctx, python, "-c", duckdbRows, filepath.Join(dir, "**", "*.parquet"), out.Name())
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("DuckDB: %w: %s", err, bytes.TrimSpace(text))
	}
	// Under its name: DuckDB may have put another file there.
	rows, err := os.Open(out.Name())
	if err != nil {
		return err
	}
	defer rows.Close()
	return readRows(rows, yield)
}

// readRows reads lines of file, topic, partition, offset and body in base64, with tabs between.
func readRows(from io.Reader, yield func(Row) error) error {
	in := bufio.NewReaderSize(from, 1<<20)
	for {
		line, err := in.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read DuckDB's rows: %w", err)
		}
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 {
			return fmt.Errorf("DuckDB wrote %.200q", line)
		}
		partition, err1 := strconv.ParseInt(f[2], 10, 32)
		offset, err2 := strconv.ParseInt(f[3], 10, 64)
		body, err3 := base64.StdEncoding.DecodeString(f[4])
		if err := errors.Join(err1, err2, err3); err != nil {
			return fmt.Errorf("DuckDB wrote %.200q: %w", line, err)
		}
		if err := yield(Row{File: f[0], Topic: f[1], Partition: int32(partition), Offset: offset, Body: body}); err != nil {
			return err
		}
	}
}
