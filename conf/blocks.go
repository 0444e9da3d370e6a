package conf

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
)

// Identity is a Kerberos identity, an entry of `kerberos`.
type Identity struct {
	Principal string  `yaml:"principal" doc:"Principal to log in as; _HOST stands for this host's name."`
	Keytab    FileRef `yaml:"keytab"    doc:"Keytab with the principal's keys."`
	Cache     string  `yaml:"cache"     doc:"Ticket cache that someone else keeps fresh, instead of a keytab, such as FILE:/run/krb5cc."`
	Krb5Conf  FileRef `yaml:"krb5_conf" doc:"Kerberos configuration." conf:"assumed=$KRB5_CONFIG or /etc/krb5.conf"`
}

// Validate implements Validator.
func (id *Identity) Validate(r *Report) {
	switch {
	case id.Keytab.IsZero() && id.Cache == "":
		r.Errorf("", "the identity has neither a keytab nor a cache").Fixf("write `keytab: file:/etc/security/keytabs/NAME.keytab`")
	case !id.Keytab.IsZero() && id.Cache != "":
		r.Errorf("cache", "the identity has a keytab and a cache, and can log in from one of them").Fixf("remove one")
	case !id.Keytab.IsZero() && id.Principal == "":
		r.Errorf("principal", "the key is missing, and a keytab may hold several principals").Fixf("write `principal: NAME/_HOST@REALM` (`klist -kt` lists them)")
	}
	if kind, _, ok := strings.Cut(id.Cache, ":"); ok && kind != "FILE" {
		r.Errorf("cache", "a cache of type %s cannot be read", clip(kind)).Fixf("write FILE:/path, and let kinit -c FILE:/path fill it")
	}
	if at := strings.Count(id.Principal, "@"); at > 1 || strings.ContainsAny(id.Principal, " \t") {
		r.Errorf("principal", "%q is not a principal", clip(id.Principal)).Fixf("write NAME/_HOST@REALM")
	}
}

// Cluster is a Hadoop cluster, an entry of `hadoop`.
type Cluster struct {
	ConfDir    string            `yaml:"conf_dir"   doc:"Folder with core-site.xml and hdfs-site.xml."                   conf:"assumed=$HADOOP_CONF_DIR or /etc/hadoop/conf"`
	Kerberos   string            `yaml:"kerberos"   doc:"Identity to log in with, by its name under kerberos."           conf:"ref=kerberos,assumed=none: simple authentication"`
	Tokens     FileRef           `yaml:"tokens"     doc:"A file with a delegation token of the NameNode, in place of a login; without both, $HADOOP_TOKEN_FILE_LOCATION and then the ticket cache are looked for."`
	DoAs       string            `yaml:"do_as"      doc:"User on whose behalf files are read and written, as Hadoop's proxy users are; the NameNode must allow it to the identity (hadoop.proxyuser.NAME.hosts, .groups, .users)."`
	Properties map[string]string `yaml:"properties" doc:"Hadoop properties that win over those of the files."`
}

// Validate implements Validator.
func (c *Cluster) Validate(r *Report) {
	if c.Kerberos != "" && !c.Tokens.IsZero() {
		r.Errorf("tokens", "an identity and a token are two logins").Fixf("leave one of them out")
	}
	if c.DoAs != "" && !c.Tokens.IsZero() {
		r.Errorf("do_as", "a token is for one user already").Fixf("leave one of them out, or fetch the token as that user")
	}
}

// Dir is where the cluster's files are: conf_dir, or else $HADOOP_CONF_DIR, or else /etc/hadoop/conf.
func (c *Cluster) Dir() string {
	if c.ConfDir != "" {
		return c.ConfDir
	}
	return cmp.Or(os.Getenv("HADOOP_CONF_DIR"), "/etc/hadoop/conf")
}

// Admin is the block `admin`: the status page, metrics and health checks.
type Admin struct {
	Listen HostPort `yaml:"listen" doc:"Address of the status page, /metrics, /healthz and /readyz."`
	Off    bool     `yaml:"off"    doc:"Do not listen at all."`
}

func defaultAdmin() Admin { return Admin{Listen: HostPort{Host: "127.0.0.1", Port: 9600}} }

// TLS is a block `tls` of anything that connects or listens with TLS.
type TLS struct {
	CA         FileRef `yaml:"ca"          doc:"Certificates that the peer's must lead to, PEM."           conf:"assumed=the system's"`
	Cert       FileRef `yaml:"cert"        doc:"Our certificate, PEM, for mutual TLS or for listening."`
	Key        FileRef `yaml:"key"         doc:"The private key that belongs to cert, PEM."`
	ServerName string  `yaml:"server_name" doc:"Name that the peer's certificate must have."               conf:"assumed=the host that is connected to"`
}

// Validate implements Validator.
func (t *TLS) Validate(r *Report) {
	if t.Cert.IsZero() != t.Key.IsZero() {
		missing, there := "key", "cert"
		if t.Cert.IsZero() {
			missing, there = there, missing
		}
		r.Errorf(there, "%s is written without %s", there, missing).Fixf("write both, or neither")
	}
}

// Client is the configuration of a connection to host. The files are read at each call, so that renewed ones are seen by the
// next connection.
func (t *TLS) Client(host string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if t.ServerName != "" {
		c.ServerName = t.ServerName
	}
	if !t.CA.IsZero() {
		path, err := t.CA.Path()
		if err != nil {
			return nil, fmt.Errorf("read ca: %w", err)
		}
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read ca: %s holds no certificate in PEM form", path)
		}
	}
	if t.Cert.IsZero() {
		return c, nil
	}
	pair, err := t.pair()
	if err != nil {
		return nil, err
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

func (t *TLS) pair() (tls.Certificate, error) {
	cert, err := t.Cert.Path()
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read cert: %w", err)
	}
	key, err := t.Key.Path()
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read key: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read cert and key: %w", err)
	}
	return pair, nil
}
