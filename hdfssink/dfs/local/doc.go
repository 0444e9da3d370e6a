// Package local is a dfs.FS over a folder of this machine, as strict as HDFS: HDFS's names, no implicit parents, renames
// that never replace. The demo and the tests of the sink run on it; so does production on a mounted file system.
//
// # What is on disk when
//
// Close returns after the file and its directory entry are on disk, Rename and MkdirAll after the entries are. Directory
// syncs are shared: calls that wait for the same directory are answered by one fsync that began after all of them had
// done their part. After an fsync of a directory has failed nobody can say what is on disk, so every later call with an
// effect fails with ErrRefused until the process is started anew.
//
// # What HDFS does and a POSIX system cannot
//
// RemoveAll is not atomic. A rename looks up its two paths and then swaps the entries, within one system call: another rename of a
// directory above them may fall between (HDFS has one lock for both). It cannot be stopped in there by a signal, so the fence of
// the commit protocol has a hole of microseconds here, and none on HDFS.
//
// # Names and links
//
// Names are relative to the root. Symbolic links below it are followed as long as they stay below it; a link itself is shown
// as a file, not as what it points to. Inode numbers are reused, so a FileID is made of the inode number and the time of birth.
package local
