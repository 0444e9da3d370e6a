package readers

import (
	"context"
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
