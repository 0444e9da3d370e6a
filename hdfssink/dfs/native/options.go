package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"time"

	"github.com/penstock-io/penstock/hdfssink/dfs/token"
	"github.com/penstock-io/penstock/kerberos"
)

// Options say which HDFS, as whom, and with what patience. Zero values mean the defaults named.
type Options struct {
	// NameNodes are the addresses, host:port, of one name service: one, or all of an HA set.
	NameNodes []string
	// Credential proves who we are. Nil: the cluster is not secured, and User is believed.
	Credential kerberos.Credential
	// Token gives a delegation token of the NameNode's, anew for each connection; set, it is used in place of Credential, and User is its owner. See FindToken.
	Token func(context.Context) (token.Token, error)
	// DoAs is a user on whose behalf the identity comes, as the NameNode must allow it (hadoop.proxyuser.NAME.…). Not with Token, which is somebody's already.
	DoAs string
	// NameNodePrincipal is dfs.namenode.kerberos.principal, such as nn/_HOST@EXAMPLE.TEST. Needed with a Credential.
	NameNodePrincipal string
	// User of a cluster that is not secured; by default HADOOP_USER_NAME, or else the operating system's.
	User string
	// RPCProtection lists what is acceptable for calls to the NameNode, best first; by default all, privacy first.
	RPCProtection []kerberos.QOP
	// DataProtection lists what is acceptable for connections to DataNodes, best first; by default none is protected, and no DataNode asks.
	DataProtection []kerberos.QOP
	// Encrypt is dfs.encrypt.data.transfer: nothing but privacy is acceptable. A NameNode that has it set is obeyed either way.
	Encrypt bool
	// UseHostnames dials DataNodes by name instead of address (dfs.client.use.datanode.hostname).
	UseHostnames bool

	Replication int         // dfs.replication; 3
	BlockSize   int64       // dfs.blocksize; 128 MiB
	Umask       fs.FileMode // fs.permissions.umask-mode; see FromConf. It is used where a call gives no permissions

	DialTimeout time.Duration // TCP connect and, together, RPC handshake; 10 s and RPCTimeout
	RPCTimeout  time.Duration // the longest wait for an answer of the NameNode; 30 s
	IOTimeout   time.Duration // the longest silence of a DataNode that owes us bytes; 60 s
	Patience    time.Duration // how long calls that had no effect are tried again; 30 s. Negative: not at all
	CloseWait   time.Duration // how long Close waits for the NameNode to see the replicas; 2 min

	// Dial replaces the TCP dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

func withDefaults(o Options) (Options, error) {
	if len(o.NameNodes) == 0 {
		return o, errors.New("HDFS: no NameNode address; set fs.defaultFS (and dfs.namenode.rpc-address… for a name service) in the Hadoop configuration")
	}
	for _, a := range o.NameNodes {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return o, fmt.Errorf("HDFS: NameNode address %q: %w; write host:port", a, err)
		}
	}
	if o.Credential != nil && o.NameNodePrincipal == "" {
		return o, errors.New("HDFS: the NameNode's principal is not known; set dfs.namenode.kerberos.principal (nn/_HOST@REALM) in hdfs-site.xml")
	}
	if !o.secured() && o.User == "" {
		name, err := userName()
		if err != nil {
			return o, err
		}
		o.User = name
	}
	if len(o.RPCProtection) == 0 {
		o.RPCProtection = []kerberos.QOP{kerberos.QOPPrivacy, kerberos.QOPIntegrity, kerberos.QOPAuth}
	}
	setDefault(&o.Replication, 3)
	setDefault(&o.BlockSize, 128<<20)
	setDefault(&o.DialTimeout, 10*time.Second)
	setDefault(&o.RPCTimeout, 30*time.Second)
	setDefault(&o.IOTimeout, time.Minute)
	setDefault(&o.Patience, 30*time.Second)
	setDefault(&o.CloseWait, 2*time.Minute)
	if o.Dial == nil {
		o.Dial = (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext
	}
	return o, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// userName is who a cluster without security believes us to be.
func userName() (string, error) {
	if name := os.Getenv("HADOOP_USER_NAME"); name != "" {
		return name, nil
	}
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("HDFS: find the user's name: %w; set HADOOP_USER_NAME", err)
	}
	return u.Username, nil
}

// login is who proves to be there: a principal, a token's owner, or a user who is believed.
func (o *Options) login() string {
	if o.Token == nil && o.Credential != nil {
		return o.Credential.Principal().String()
	}
	return o.User
}

// who names the identity in messages.
func (o *Options) who() string {
	if o.DoAs != "" {
		return o.DoAs + " by proxy of " + o.login()
	}
	return o.login()
}

// effective is whose rights calls have, and whose files are made.
func (o *Options) effective() string { return cmp.Or(o.DoAs, o.login()) }

// secured says whether we prove who we are.
func (o *Options) secured() bool { return o.Token != nil || o.Credential != nil }
