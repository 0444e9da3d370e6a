//go:build !linux

package local

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

const openDirectory, openNonblock = 0, 0

// errPlatform answers every call that needs more than Go's portable file functions: a rename that refuses to replace, a file's identity.
var errPlatform = fmt.Errorf("%w: the local file system is there on Linux only; run the agent on Linux, or write to HDFS", dfs.ErrRefused)

func statAt(*os.File, string) (dfs.Info, inode, error) { return dfs.Info{}, inode{}, errPlatform }

func mkdirAt(*os.File, string, fs.FileMode) error { return errPlatform }

func createAt(*os.File, string, fs.FileMode) (*os.File, error) { return nil, errPlatform }

func (f *FS) renameNoReplace(string, string) error { return errPlatform }

func linkCount(*os.File) (uint64, error) { return 0, errPlatform }
