package native

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/penstock-io/penstock/hdfssink/dfs"
)

const classStandby = "org.apache.hadoop.ipc.StandbyException"

// refusal is an exception that the NameNode answered with: the call had no effect.
type refusal struct {
	method string
	class  string // Java class
	words  string // first line of the message
}

func (r *refusal) Error() string {
	name := r.class[strings.LastIndexByte(r.class, '.')+1:]
	return fmt.Sprintf("NameNode: %s: %s", name, r.words)
}

// firstLine cuts the stack trace off.
func firstLine(words string) string {
	line, _, _ := strings.Cut(words, "\n")
	return strings.TrimSpace(line)
}

// explain says in the words of package dfs what was refused, and what to do.
func (r *refusal) explain(who string) error {
	do, kind := r.kind()
	if errors.Is(kind, fs.ErrPermission) {
		do = "the agent is " + who + ": " + do
	}
	if do != "" {
		return fmt.Errorf("%w: %w; %s", kind, r, do)
	}
	return fmt.Errorf("%w: %w", kind, r)
}

// kind finds the sentinel for an exception, by its class and, where Hadoop throws a bare IOException, by its words.
func (r *refusal) kind() (do string, kind error) {
	name := r.class[strings.LastIndexAny(r.class, ".$")+1:]
	switch name {
	case "FileNotFoundException":
		return "", fs.ErrNotExist
	case "FileAlreadyExistsException", "AlreadyBeingCreatedException":
		return "", fs.ErrExist
	case "AccessControlException", "TraverseAccessControlException":
		if strings.Contains(r.words, "is not a directory") {
			return "", dfs.ErrRefused
		}
		return "give it the right (hdfs dfs -chmod, -chown or -setfacl), or change who the agent is", fs.ErrPermission
	case "InvalidToken":
		return "the delegation token has expired or was cancelled: fetch another, by hdfs fetchdt or from the launcher", fs.ErrPermission
	case "AuthorizationException":
		if strings.Contains(r.words, "is not allowed to impersonate") {
			return "allow it on the NameNode, by hadoop.proxyuser.NAME.hosts and .groups or .users in core-site.xml and hdfs dfsadmin -refreshSuperUserGroupsConfiguration; or change do_as", fs.ErrPermission
		}
		return "it must be allowed to use HDFS (hadoop-policy.xml, hadoop.proxyuser.*)", fs.ErrPermission
	case "NSQuotaExceededException", "DSQuotaExceededException", "QuotaByStorageTypeExceededException", "QuotaExceededException":
		return "make room, or raise it with hdfs dfsadmin -setQuota or -setSpaceQuota", dfs.ErrQuota
	case "MaxDirectoryItemsExceededException":
		return "remove entries of that directory, or raise dfs.namenode.fs-limits.max-directory-items", dfs.ErrQuota
	case "SafeModeException":
		return "it ends by itself when the DataNodes have reported; see hdfs dfsadmin -safemode get", dfs.ErrUnavailable
	case "StandbyException", "RetriableException", "ObserverRetryOnActiveException", "NotReplicatedYetException", "RecoveryInProgressException":
		return "", dfs.ErrUnavailable
	case "InvalidPathException", "PathComponentTooLongException", "HadoopIllegalArgumentException", "IllegalArgumentException":
		return "", dfs.ErrInvalidName
	case "UnknownCryptoProtocolVersionException":
		return "the directory is an encryption zone, which Penstock cannot write: use another directory", dfs.ErrRefused
	case "IOException", "RemoteException":
		return r.kindOfWords()
	}
	return "", dfs.ErrRefused
}

func (r *refusal) kindOfWords() (do string, kind error) {
	has := func(s string) bool { return strings.Contains(r.words, s) }
	switch {
	case has("could only be written to"), has("could only be replicated to"):
		return "look at hdfs dfsadmin -report: too few DataNodes live, or their disks are full", dfs.ErrUnavailable
	case r.method == "rename2" && (has("must both be directories") || has("must both be files") || has("is not a directory") && has("destination")):
		return "", fs.ErrExist // a file onto a directory or the other way round
	}
	return "", dfs.ErrRefused
}

// plain is for errors that the library makes up itself.
func plain(err error, effect bool) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fs.ErrNotExist
	case errors.Is(err, fs.ErrExist):
		return fs.ErrExist
	case effect: // an answer that it could not read, for example
		return fmt.Errorf("%w: %w", dfs.ErrNoAnswer, err)
	}
	return fmt.Errorf("%w: %w", dfs.ErrRefused, err)
}
