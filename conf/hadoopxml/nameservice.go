package hadoopxml

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// DefaultPort is the NameNode's RPC port where none is written.
const DefaultPort = "8020"

// NameService is an HDFS that a client can talk to.
type NameService struct {
	// Name is the logical name, or the host and port of a single NameNode.
	Name string
	// Logical is true if Name is a name service and not a host.
	Logical bool
	// Addresses are the NameNodes of this name service alone, `host:port`; one, or the two or more of an HA set.
	Addresses []string
}

// Resolve finds the name service of a URI such as hdfs://ns1/data, or of fs.defaultFS for a plain path. It returns the path
// of the URI too, "/" if it has none.
func (c *Config) Resolve(uri string) (ns NameService, path string, err error) {
	u, err := url.Parse(escapePercent(uri))
	if err != nil {
		return ns, "", fmt.Errorf("resolve %s: not a URI; write hdfs://NAMESERVICE/path or /path", clip(uri))
	}
	if path = u.Path; path == "" {
		path = "/"
	}
	where := "the URI"
	if u.Scheme == "" && u.Host == "" || u.Scheme == "hdfs" && u.Host == "" {
		p, _, err := c.Lookup("fs.defaultFS")
		if err != nil {
			return ns, "", err
		}
		where = p.Place() + ": fs.defaultFS"
		text := strings.TrimSpace(p.Value)
		if !strings.Contains(text, "://") {
			text = "hdfs://" + text // the form before Hadoop 0.21, which Java still understands
		}
		if u, err = url.Parse(text); err != nil {
			return ns, "", fmt.Errorf("%s: %q is not a URI", where, clip(text))
		}
	}
	switch {
	case u.Scheme == "viewfs":
		return ns, "", c.viewfs(where, u.Host, path)
	case u.Scheme == "file" && where != "the URI":
		return ns, "", fmt.Errorf("resolve %s: fs.defaultFS is not set in %s, so it is the local disk; write hdfs://NAMESERVICE%s, or name the folder with the cluster's core-site.xml", path, c.dir, path)
	case u.Scheme != "hdfs":
		return ns, "", fmt.Errorf("%s: %s is not an HDFS; write hdfs://NAMESERVICE/path", where, clip(u.Scheme+"://"+u.Host))
	}
	ns, err = c.nameService(u)
	return ns, path, err
}

// escapePercent lets a path template through, whose % signs are no escapes of URIs.
func escapePercent(uri string) string { return strings.ReplaceAll(uri, "%", "%25") }

// nameService finds the NameNodes behind an authority.
func (c *Config) nameService(u *url.URL) (NameService, error) {
	host := u.Hostname()
	services, err := c.List("dfs.nameservices")
	if err != nil {
		return NameService{}, err
	}
	ids, err := c.List("dfs.ha.namenodes." + host)
	if err != nil {
		return NameService{}, err
	}
	if len(ids) == 0 && !slices.Contains(services, host) {
		if u.Port() == "" {
			return NameService{Name: net.JoinHostPort(host, DefaultPort), Addresses: []string{net.JoinHostPort(host, DefaultPort)}}, nil
		}
		return NameService{Name: u.Host, Addresses: []string{u.Host}}, nil
	}
	if u.Port() != "" && u.Port() != DefaultPort {
		return NameService{}, fmt.Errorf("resolve hdfs://%s: %s is a name service, which has no port; write hdfs://%s", u.Host, host, host)
	}
	ns := NameService{Name: host, Logical: true}
	suffixes := make([]string, 0, len(ids))
	for _, id := range ids {
		suffixes = append(suffixes, host+"."+id)
	}
	if len(ids) == 0 {
		suffixes = []string{host}
	}
	for _, suffix := range suffixes {
		address, err := c.String("dfs.namenode.rpc-address."+suffix, "")
		if err != nil {
			return NameService{}, err
		}
		if address == "" {
			return NameService{}, fmt.Errorf("resolve hdfs://%s: dfs.namenode.rpc-address.%s is not set in %s; is its hdfs-site.xml complete?", host, suffix, c.dir)
		}
		if address, err = withPort(address); err != nil {
			return NameService{}, fmt.Errorf("resolve hdfs://%s: dfs.namenode.rpc-address.%s: %w", host, suffix, err)
		}
		ns.Addresses = append(ns.Addresses, address)
	}
	return ns, nil
}

func withPort(address string) (string, error) {
	if strings.Contains(address, "/") || strings.ContainsAny(address, " \t") {
		return "", fmt.Errorf("%q is not host:port", clip(address))
	}
	if !strings.Contains(address, ":") {
		return address + ":" + DefaultPort, nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", fmt.Errorf("%q is not host:port", clip(address))
	}
	return address, nil
}

// viewfs refuses a client-side mount table, and says what the path would be behind it.
func (c *Config) viewfs(where, table, path string) error {
	if table == "" {
		table = "default"
	}
	prefix := "fs.viewfs.mounttable." + table + ".link."
	best := ""
	for _, name := range c.Names() {
		mount, ok := strings.CutPrefix(name, prefix)
		if ok && len(mount) > len(best) && (path == mount || strings.HasPrefix(path, strings.TrimSuffix(mount, "/")+"/")) {
			best = mount
		}
	}
	hint := "write the HDFS behind it, such as hdfs://NAMESERVICE/path"
	if best != "" {
		if target, err := c.String(prefix+best, ""); err == nil {
			hint = "write " + strings.TrimSuffix(target, "/") + "/" + strings.TrimLeft(strings.TrimPrefix(path, best), "/")
		}
	}
	return fmt.Errorf("%s is a viewfs, whose mount points are several file systems, and a sink needs one; %s", where, hint)
}
