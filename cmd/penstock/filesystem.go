package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/conf/hadoopxml"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/hdfssink/dfs"
	"github.com/penstock-io/penstock/hdfssink/dfs/local"
	"github.com/penstock-io/penstock/hdfssink/dfs/native"
	"github.com/penstock-io/penstock/kerberos"
)

// fileSystem is what both local and native are.
type fileSystem interface {
	dfs.FS
	Close() error
}

// fileSystem returns the file system that a sink's path is on; sinks on the same one share it.
func (p *plant) fileSystem(ctx context.Context, c *hdfssink.Config) (dfs.FS, error) {
	scheme, authority, _ := hdfssink.SplitPath(c.Path)
	key, open := c.Hadoop, p.openNative
	switch scheme {
	case "file":
		if authority != "" {
			return nil, withCode(exitConfig, fmt.Errorf("path %q: a local path has three slashes: file:///…", c.Path))
		}
		key, open = "", func(context.Context, string, string) (fileSystem, error) { return local.New("/") }
	case "", "hdfs":
		key += " " + authority
	default:
		return nil, withCode(exitConfig, fmt.Errorf("path %q: file systems are hdfs:// and file:///", c.Path))
	}
	if fs, ok := p.files[key]; ok {
		return fs, nil
	}
	fs, err := open(ctx, c.Hadoop, authority)
	if err != nil {
		return nil, err
	}
	p.files[key] = fs
	return fs, nil
}

// openNative connects to the NameNode of one name service. A refusal of its protections comes before anything is tried.
func (p *plant) openNative(ctx context.Context, cluster, authority string) (fileSystem, error) {
	c, ok := p.doc.Hadoop[cluster]
	where := "hadoop." + cluster
	if !ok {
		c, where = &conf.Cluster{}, "Hadoop's configuration" // `verify URL`, or a sink without a hadoop block: the environment's
	}
	site, dir, err := hadoopSite(c)
	if err != nil {
		return nil, withCode(exitConfig, fmt.Errorf("%s: %w (from conf_dir, $HADOOP_CONF_DIR or /etc/hadoop/conf, here %s)", where, err, dir))
	}
	protection, err := site.Protection()
	if err != nil {
		return nil, withCode(exitConfig, fmt.Errorf("%s: %w", where, err))
	}
	if warning := native.CheckProtections(protection); warning != "" {
		p.log.Warn("hadoop configuration", "hadoop", cluster, "warning", warning)
	}
	who, err := p.hadoopIdentity(ctx, c, protection, site, hdfsURI(authority))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	o, _, err := native.FromConf(ctx, site, hdfsURI(authority), who)
	if err != nil {
		return nil, withCode(exitConfig, fmt.Errorf("%s: %w", where, err))
	}
	return native.New(o)
}

// hadoopSite reads a cluster's configuration; it returns where it looked, too.
func hadoopSite(c *conf.Cluster) (site *hadoopxml.Config, dir string, err error) {
	dir = cmp.Or(c.ConfDir, os.Getenv("HADOOP_CONF_DIR"), "/etc/hadoop/conf")
	site, err = hadoopxml.Load(hadoopxml.Options{Dir: dir, Overrides: c.Properties})
	return site, dir, err
}

// hdfsURI is the root of a name service; of fs.defaultFS without one.
func hdfsURI(authority string) string {
	if authority == "" {
		return "/"
	}
	return "hdfs://" + authority + "/"
}

// hadoopIdentity is the cluster's identity. Where none is written it is, as for Java's clients, the delegation token that a launcher has left, or else the ticket cache of whoever runs
// the command.
func (p *plant) hadoopIdentity(ctx context.Context, c *conf.Cluster, protection hadoopxml.Protection, site *hadoopxml.Config, uri string) (who native.Identity, err error) {
	who.DoAs = c.DoAs
	if c.Kerberos != "" {
		who.Credential, err = p.credential(c.Kerberos)
		return who, err
	}
	if !protection.Kerberos {
		return who, nil
	}
	if !c.Tokens.IsZero() {
		who.TokenFile, err = c.Tokens.Path()
		return who, err
	}
	if file := os.Getenv("HADOOP_TOKEN_FILE_LOCATION"); file != "" && c.DoAs == "" {
		service, _, err := site.Resolve(uri)
		if err != nil {
			return who, err
		}
		if _, err = native.FindToken(ctx, file, service); err == nil {
			who.TokenFile = file
			return who, nil
		}
		p.log.Warn("$HADOOP_TOKEN_FILE_LOCATION is of no use here, and the ticket cache is looked for", "error", err)
	}
	cache := cmp.Or(os.Getenv("KRB5CCNAME"), fmt.Sprintf("FILE:/tmp/krb5cc_%d", os.Getuid()))
	l, err := kerberos.NewLogin(kerberos.Identity{Cache: cache}) //nolint:contextcheck // reads files, and asks DNS for this host's name at most
	if err != nil {
		return who, fmt.Errorf("the cluster is secured and no identity is configured for it; run kinit, or write kerberos: NAME: %w", err)
	}
	who.Credential = l
	return who, nil
}
