package dfs

import (
	"fmt"
	"path"
	"strings"
)

// MaxComponent is the longest name of a file or directory, in bytes (dfs.namenode.fs-limits.max-component-length).
const MaxComponent = 255

// CheckName returns ErrInvalidName, wrapped, for a name that no HDFS can have. See the package comment for the rules.
func CheckName(name string) error {
	if name == "/" {
		return nil
	}
	if !strings.HasPrefix(name, "/") {
		return fmt.Errorf("%w: %q is not absolute", ErrInvalidName, name)
	}
	if path.Clean(name) != name {
		return fmt.Errorf("%w: %q has empty, \".\" or \"..\" components", ErrInvalidName, name)
	}
	if strings.ContainsAny(name, ":\x00") {
		return fmt.Errorf("%w: %q holds ':' or a zero byte", ErrInvalidName, name)
	}
	for c := range strings.SplitSeq(name[1:], "/") {
		if len(c) > MaxComponent {
			return fmt.Errorf("%w: a component of %.64q… has %d bytes, at most %d are allowed", ErrInvalidName, name, len(c), MaxComponent)
		}
	}
	return nil
}
