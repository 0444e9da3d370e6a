package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Cluster is the one running cluster of this machine. Its methods may be called from many goroutines.
type Cluster struct {
	script string
	dir    string
	values map[string]string
}

// Conf says where clients find what they need. Every address is host:port and on loopback; "localhost" is part of the
// service principals, so addresses must be used as they are.
type Conf struct {
	// Dir holds everything that the cluster writes.
	Dir string
	// HadoopConf is the directory of core-site.xml and hdfs-site.xml.
	HadoopConf string
	// HBaseConf is the directory of hbase-site.xml. HBase runs only after StartHBase.
	HBaseConf string
	// KRB5 is the krb5.conf.
	KRB5 string
	// Realm is the Kerberos realm.
	Realm string
	// CA is the certificate that every TLS server's is signed with, in PEM.
	CA string
	// NameNode is the address of its RPC, and DefaultFS its URL.
	NameNode, DefaultFS string
	// NameNodeHTTPS serves WebHDFS and JMX with SPNEGO.
	NameNodeHTTPS string
	// KafkaPlain is the listener without any protection. Its client is the broker's super user.
	KafkaPlain string
	// KafkaGSSAPI is SASL_PLAINTEXT with GSSAPI; the service name is "kafka".
	KafkaGSSAPI string
	// KafkaSCRAM is SASL_PLAINTEXT with SCRAM-SHA-512, for the users ingest and ingest2 with SCRAMPassword.
	KafkaSCRAM string
	// KafkaSASLSSL is SASL_SSL with GSSAPI and SCRAM-SHA-512.
	KafkaSASLSSL string
	// KafkaSSL is TLS with a client certificate required: see Cluster.Certificate.
	KafkaSSL string
	// SCRAMPassword is the password of the SCRAM users.
	SCRAMPassword string
	// ZooKeeper is HBase's.
	ZooKeeper string
}

// Start returns the cluster when all its servers are ready, with the default protections (privacy, and privacy with AES for
// data). It brings up what does not run, which takes seconds, and some minutes the first time on a machine, when the image
// is built. The error holds the end of the failing server's log.
func Start(ctx context.Context) (*Cluster, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	c := &Cluster{script: filepath.Join(root, "integration", "cluster", "cluster.sh"), dir: os.Getenv("PENSTOCK_CLUSTER_DIR")}
	if c.dir == "" {
		c.dir = filepath.Join(root, "build", "cluster")
	}
	if c.dir, err = filepath.Abs(c.dir); err != nil {
		return nil, fmt.Errorf("resolve PENSTOCK_CLUSTER_DIR: %w", err)
	}
	if err := c.run(ctx, "up"); err != nil {
		return nil, err
	}
	if err := c.Switch(ctx); err != nil {
		return nil, err
	}
	c.values, err = readValues(filepath.Join(c.dir, "effective.env"))
	return c, err
}

// StartHBase brings ZooKeeper and HBase up beside the rest, and returns when their ports answer. The first table operation
// may still have to be tried for some seconds.
func (c *Cluster) StartHBase(ctx context.Context) error {
	return c.run(ctx, "up", "hbase")
}

// Encrypt brings a KMS up and tells HDFS of it, so that there can be encryption zones, until the next Switch. It returns when
// HDFS is ready again.
func (c *Cluster) Encrypt(ctx context.Context) error {
	if err := c.run(ctx, "up", "kms"); err != nil {
		return err
	}
	return c.Switch(ctx, "KEY_PROVIDER=kms://https@localhost:9600/kms")
}

// Conf returns the paths and addresses.
func (c *Cluster) Conf() Conf {
	at := func(name string) string { return "localhost:" + c.values[name] }
	return Conf{
		Dir:           c.dir,
		HadoopConf:    filepath.Join(c.dir, "conf", "hadoop"),
		HBaseConf:     filepath.Join(c.dir, "conf", "hbase"),
		KRB5:          filepath.Join(c.dir, "krb5.conf"),
		Realm:         c.values["REALM"],
		CA:            filepath.Join(c.dir, "tls", "ca.pem"),
		NameNode:      at("NAMENODE_PORT"),
		DefaultFS:     "hdfs://" + at("NAMENODE_PORT"),
		NameNodeHTTPS: at("NAMENODE_HTTPS"),
		KafkaPlain:    at("KAFKA_PLAIN"),
		KafkaGSSAPI:   at("KAFKA_GSSAPI"),
		KafkaSCRAM:    at("KAFKA_SCRAM"),
		KafkaSASLSSL:  at("KAFKA_SASL_SSL"),
		KafkaSSL:      at("KAFKA_SSL"),
		SCRAMPassword: c.values["SCRAM_PASSWORD"],
		ZooKeeper:     at("ZOOKEEPER_PORT"),
	}
}

// Keytab returns the path of a user's keytab. The users: hdfs (the superuser), ingest and ingest2 (group ingest, with a home
// directory each), alice (group users, whom ingest may impersonate), mallory (no home and no rights). A service's keytab has
// the first part of its principal as name: nn, dn, kafka, HTTP, hbase, zookeeper.
func (c *Cluster) Keytab(user string) string {
	return filepath.Join(c.dir, "keytabs", user+".keytab")
}

// Principal returns a user's principal, with the realm.
func (c *Cluster) Principal(user string) string {
	return user + "@" + c.values["REALM"]
}

// Certificate returns the paths of the client certificate and key of ingest or alice, in PEM, for KafkaSSL.
func (c *Cluster) Certificate(user string) (cert, key string) {
	return filepath.Join(c.dir, "tls", user+".pem"), filepath.Join(c.dir, "tls", user+".key")
}

// Switch changes the cluster's switches ("RPC_PROTECTION=integrity", "CIPHER_SUITES=", see bin/settings) and restarts HDFS
// under them; those that are not named go back to their defaults. It returns when HDFS is ready, after about ten seconds, or
// at once when nothing changes. Configuration files are replaced, so clients must read them again.
func (c *Cluster) Switch(ctx context.Context, switches ...string) error {
	return c.run(ctx, append([]string{"set"}, switches...)...)
}

// run calls cluster.sh.
func (c *Cluster) run(ctx context.Context, args ...string) error {
	_, err := c.output(exec.CommandContext(ctx, c.script, args...))
	return err
}

// output runs a command and returns its standard output; the error has the end of standard error.
func (c *Cluster) output(cmd *exec.Cmd) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "PENSTOCK_CLUSTER_DIR="+c.dir)
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, tail(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// tail cuts what servers print to what a test's log can show.
func tail(s string) string {
	const most = 4 << 10
	s = strings.TrimSpace(s)
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}

// moduleRoot is the directory of go.mod above the working directory, which is that of the tested package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the checkout: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("no go.mod above the working directory: run the test from within the checkout")
		}
		dir = filepath.Dir(dir)
	}
}

// readValues reads KEY=VALUE lines.
func readValues(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's settings: %w", err)
	}
	defer f.Close()
	values := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), "="); ok {
			values[name] = value
		}
	}
	return values, nil
}
