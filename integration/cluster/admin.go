package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
)

// Tool is one of the command line tools that Admin runs.
type Tool string

// The tools. Those of HDFS run as the superuser, those of Kafka on the plain listener.
const (
	DFSAdmin        Tool = "org.apache.hadoop.hdfs.tools.DFSAdmin"
	Fsck            Tool = "org.apache.hadoop.hdfs.tools.DFSck"
	Debug           Tool = "org.apache.hadoop.hdfs.tools.DebugAdmin" // recoverLease -path P -retries N
	ErasureCoding   Tool = "org.apache.hadoop.hdfs.tools.ECAdmin"
	StoragePolicies Tool = "org.apache.hadoop.hdfs.tools.StoragePolicyAdmin"
	EncryptionZones Tool = "org.apache.hadoop.hdfs.tools.CryptoAdmin" // after Encrypt
	Keys            Tool = "org.apache.hadoop.crypto.key.KeyShell"    // after Encrypt
	FetchTokens     Tool = "org.apache.hadoop.hdfs.tools.DelegationTokenFetcher"
	Tokens          Tool = "org.apache.hadoop.security.token.DtUtilShell"
	Topics          Tool = "org.apache.kafka.tools.TopicCommand"
	Configs         Tool = "kafka.admin.ConfigCommand"
	ACLs            Tool = "kafka.admin.AclCommand"
	Groups          Tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
	DeleteRecords   Tool = "org.apache.kafka.tools.DeleteRecordsCommand"
	Offsets         Tool = "org.apache.kafka.tools.GetOffsetShell"
	KAdmin          Tool = "kadmin.local" // runs beside the KDC, so only while that runs
)

// HDFS runs the file system shell (hdfs dfs) as a user, with its keytab, and returns what it printed. When it fails the
// error has what it said.
func (c *Cluster) HDFS(ctx context.Context, user string, args ...string) (string, error) {
	return c.HDFSWith(ctx, nil, user, args...)
}

// HDFSWith is HDFS with a standard input, for "-put - PATH".
func (c *Cluster) HDFSWith(ctx context.Context, stdin io.Reader, user string, args ...string) (string, error) {
	words := append([]string{user, "org.apache.hadoop.fs.FsShell"}, args...)
	return call(ctx, "127.0.0.1:"+c.values["HADOOP_TOOLBOX"], stdin, words)
}

// Admin runs a tool of Hadoop, Kafka or Kerberos and returns what it printed. When it fails the error has what it said.
func (c *Cluster) Admin(ctx context.Context, tool Tool, args ...string) (string, error) {
	return c.AdminWith(ctx, nil, tool, args...)
}

// AdminAs is Admin with a tool of Hadoop's, as another user than the superuser.
func (c *Cluster) AdminAs(ctx context.Context, user string, tool Tool, args ...string) (string, error) {
	return call(ctx, "127.0.0.1:"+c.values["HADOOP_TOOLBOX"], nil, append([]string{user, string(tool)}, args...))
}

// AdminWith is Admin with a standard input, for tools that read one.
func (c *Cluster) AdminWith(ctx context.Context, stdin io.Reader, tool Tool, args ...string) (string, error) {
	switch {
	case tool == KAdmin:
		words := append([]string{"exec", KDC.container(), "kadmin.local", "-r", c.values["REALM"]}, args...)
		out, err := c.output(exec.CommandContext(ctx, "docker", words...))
		return string(out), err
	case strings.HasPrefix(string(tool), "org.apache.hadoop."):
		words := append([]string{"hdfs", string(tool)}, args...)
		return call(ctx, "127.0.0.1:"+c.values["HADOOP_TOOLBOX"], stdin, words)
	default:
		words := append([]string{"", string(tool)}, args...)
		if !strings.Contains(strings.Join(args, " "), "-server ") { // --bootstrap-server, or its old name in some tools
			words = append(words, "--bootstrap-server", c.Conf().KafkaPlain)
		}
		return call(ctx, "127.0.0.1:"+c.values["KAFKA_TOOLBOX"], stdin, words)
	}
}

// call has a toolbox run a main class; java/Toolbox.java shows the frames.
func call(ctx context.Context, address string, stdin io.Reader, words []string) (string, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", fmt.Errorf("reach the toolbox: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()

	sent := make(chan error, 1)
	go func() { sent <- request(conn, stdin, words) }()
	stdout, stderr, code, err := response(conn)
	command := strings.Join(words[1:], " ")
	switch {
	case ctx.Err() != nil:
		return stdout, fmt.Errorf("%s: %w", command, ctx.Err())
	case err != nil:
		return stdout, fmt.Errorf("%s: read its output: %w", command, err)
	case code != 0:
		return stdout, fmt.Errorf("%s: exit code %d: %s", command, code, tail(stderr+stdout))
	}
	// A tool that did not read all of its input has had enough: no error of this side.
	select {
	case err := <-sent:
		if err != nil && !errors.Is(err, net.ErrClosed) {
			return stdout, fmt.Errorf("%s: send its input: %w", command, err)
		}
	default:
	}
	return stdout, nil
}

func request(w io.Writer, stdin io.Reader, words []string) error {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(words)))
	for _, word := range words {
		head = appendChunk(head, []byte(word))
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for buffer := make([]byte, 64<<10); stdin != nil; {
		n, err := stdin.Read(buffer)
		if n > 0 {
			if _, err := w.Write(appendChunk(nil, buffer[:n])); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	_, err := w.Write(appendChunk(nil, nil))
	return err
}

func appendChunk(to, chunk []byte) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(chunk))), chunk...)
}

func response(r io.Reader) (stdout, stderr string, code int, err error) {
	var streams [2]strings.Builder
	done := func(code int, err error) (string, string, int, error) {
		return streams[0].String(), streams[1].String(), code, err
	}
	for {
		var frame struct {
			Kind   uint8
			Length int32
		}
		if err := binary.Read(r, binary.BigEndian, &frame); err != nil {
			return done(0, err)
		}
		switch frame.Kind {
		case 1, 2:
			if _, err := io.CopyN(&streams[frame.Kind-1], r, int64(frame.Length)); err != nil {
				return done(0, err)
			}
		case 3:
			var code int32
			err := binary.Read(r, binary.BigEndian, &code)
			return done(int(code), err)
		default:
			return done(0, fmt.Errorf("frame of unknown kind %d", frame.Kind))
		}
	}
}
