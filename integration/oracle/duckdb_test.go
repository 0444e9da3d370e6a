//go:build integration

package oracle_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/penstock-io/penstock/integration/oracle"
	"github.com/penstock-io/penstock/integration/readers"
)

func python(t *testing.T) string {
	t.Helper()
	python, err := readers.Python(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return python
}

// TestPlantedFaultsByDuckDB plants the same faults for the other reader.
func TestPlantedFaultsByDuckDB(t *testing.T) {
	py := python(t)
	for _, c := range planted {
		t.Run(c.name, func(t *testing.T) {
			l := land(t, 400)
			c.plant(l)
			j := oracle.NewJudge(l.ledger, topic)
			if err := oracle.ReadWithDuckDB(t.Context(), py, l.write(t), j.Add); err != nil {
				t.Fatal(err)
			}
			r := j.Report()
			if got := figuresOf(r); got != c.want {
				t.Errorf("found %+v; planted %+v: %v", got, c.want, r.Err())
			}
		})
	}
}

func TestUnreadableFileByDuckDB(t *testing.T) {
	py, l := python(t), land(t, 400)
	dir := l.write(t)
	if err := os.Truncate(filepath.Join(dir, l.names()[0]), 100); err != nil {
		t.Fatal(err)
	}
	if err := oracle.ReadWithDuckDB(t.Context(), py, dir, func(oracle.Row) error { return nil }); err == nil {
		t.Error("a file that was cut went unnoticed")
	}
}
