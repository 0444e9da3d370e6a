package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

const (
	openDirectory = unix.O_DIRECTORY
	openNonblock  = unix.O_NONBLOCK
)

// statAt describes an entry of d, or d itself (".").
func statAt(d *os.File, name string) (dfs.Info, inode, error) {
	var st unix.Statx_t
	const want = unix.STATX_BASIC_STATS | unix.STATX_BTIME
	if err := unix.Statx(int(d.Fd()), name, unix.AT_SYMLINK_NOFOLLOW, want, &st); err != nil {
		return dfs.Info{}, inode{}, err
	}
	i := dfs.Info{
		Name: name, ID: fileID(&st), Size: int64(st.Size),
		Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR, ModTime: time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)),
	}
	if i.Dir {
		i.Size = 0
	}
	return i, inode{dev: unix.Mkdev(st.Dev_major, st.Dev_minor), ino: st.Ino}, nil
}

// fileID mixes the inode number with the time of birth, because ext4 gives a new file the number of one that was just
// deleted, and to take that for the old one would be to take a foreign file for our own. Systems without a time of birth leave the number.
func fileID(st *unix.Statx_t) dfs.FileID {
	id := st.Ino
	if st.Mask&unix.STATX_BTIME != 0 {
		id = scramble(id) ^ scramble(uint64(st.Btime.Sec)*1e9+uint64(st.Btime.Nsec))
	}
	return dfs.FileID(max(id, 1)) // 0 means unknown
}

// scramble is the output function of splitmix64: one to one, and every bit of x reaches every bit of the result.
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func mkdirAt(d *os.File, name string, perm fs.FileMode) error {
	if perm == 0 {
		return unix.Mkdirat(int(d.Fd()), name, 0o777)
	}
	if err := unix.Mkdirat(int(d.Fd()), name, uint32(perm.Perm())); err != nil {
		return err
	}
	return unix.Fchmodat(int(d.Fd()), name, uint32(perm.Perm()), 0) // what the umask took away
}

func createAt(d *os.File, name string, perm fs.FileMode) (*os.File, error) {
	mode := perm.Perm()
	if perm == 0 {
		mode = 0o666
	}
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(int(d.Fd()), name, flags, uint32(mode))
	if err != nil {
		return nil, err
	}
	if perm != 0 {
		if err := unix.Fchmod(fd, uint32(mode)); err != nil {
			return nil, errors.Join(err, unix.Close(fd), unix.Unlinkat(int(d.Fd()), name, 0))
		}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// renameNoReplace names both paths in one system call instead of entries of open directories: a process that was
// stopped between opening a directory and renaming in it would go on after its directory was fenced away.
func (f *FS) renameNoReplace(from, to string) error {
	fd := int(f.top.Fd())
	err := unix.Renameat2(fd, rel(from), fd, rel(to), unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // NFS and old FUSE file systems
		return linkAndUnlink(f.top, from, to)
	}
	return err
}

// linkAndUnlink renames a file where the file system cannot refuse to replace: making a second name refuses by itself. Both
// names are there for a moment, and after a crash in between for good; they are one file.
func linkAndUnlink(root *os.File, from, to string) error {
	fd := int(root.Fd())
	i, _, err := statAt(root, rel(from))
	if err != nil {
		return err
	}
	if i.Dir {
		return fmt.Errorf("%w: this file system cannot rename a directory without the risk of replacing another (no RENAME_NOREPLACE): use ext4, xfs, btrfs or HDFS for %s", dfs.ErrRefused, path.Dir(to))
	}
	if err := unix.Linkat(fd, rel(from), fd, rel(to), 0); err != nil {
		return err
	}
	return unix.Unlinkat(fd, rel(from), 0)
}

func linkCount(f *os.File) (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, err
	}
	return uint64(st.Nlink), nil //nolint:unconvert // 32 bits on some architectures
}
