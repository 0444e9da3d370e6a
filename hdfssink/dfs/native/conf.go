package native

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/conf/hadoopxml"
	"github.com/penstock-io/penstock/kerberos"
)

// FromConf takes the options for uri (hdfs://NAMESERVICE/path, or a plain path on fs.defaultFS) out of a Hadoop configuration, and
// returns the path too. cred may be nil for a cluster without security; a secured one without cred is refused. It does not call
// CheckProtections.
func FromConf(c *hadoopxml.Config, uri string, cred kerberos.Credential) (o Options, path string, err error) {
	service, path, err := c.Resolve(uri)
	if err != nil {
		return o, "", err
	}
	p, err := c.Protection()
	if err != nil {
		return o, "", err
	}
	if p.Kerberos && cred == nil {
		return o, "", fmt.Errorf("HDFS %s is secured (hadoop.security.authentication is kerberos) and no identity is given; write kerberos: NAME under hadoop", service.Name)
	}
	if !p.Kerberos {
		cred = nil
	}
	o = Options{
		NameNodes: service.Addresses, Credential: cred, NameNodePrincipal: p.NameNodeName,
		Encrypt: p.Encrypt, UseHostnames: p.DataNodeByName,
	}
	if len(p.DataTransfer) > 0 {
		o.DataProtection = p.DataTransfer[0] // what a server with the same list offers first
	}
	for _, level := range p.RPC {
		o.RPCProtection = append(o.RPCProtection, qop(level))
	}
	if o.Umask, err = umask(c); err != nil {
		return o, "", err
	}
	replication, err := c.Int("dfs.replication", 3)
	if err != nil {
		return o, "", err
	}
	o.Replication = int(replication)
	o.BlockSize, err = c.Size("dfs.blocksize", 128<<20)
	return o, path, err
}

func qop(level string) kerberos.QOP {
	switch level {
	case "privacy":
		return kerberos.QOPPrivacy
	case "integrity":
		return kerberos.QOPIntegrity
	default:
		return kerberos.QOPAuth
	}
}

func umask(c *hadoopxml.Config) (fs.FileMode, error) {
	text, err := c.String("fs.permissions.umask-mode", "022")
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(text, 8, 16)
	if err != nil || n > 0o777 {
		return 0, fmt.Errorf("fs.permissions.umask-mode is %q; write it in octal, such as 022", text)
	}
	return fs.FileMode(n), nil
}

// CheckProtections says whether the library can write *and read* under the protections of data transfer that the configuration
// asks for; the error names the key and the remedy. The warning, if any, is for the operator to know.
func CheckProtections(p hadoopxml.Protection) (warning string, err error) {
	aes := slices.ContainsFunc(p.CipherSuites, func(s string) bool { return strings.EqualFold(s, "AES/CTR/NoPadding") })
	const setAES = "set dfs.encrypt.data.transfer.cipher.suites to AES/CTR/NoPadding on the cluster and here"
	if p.Encrypt && strings.EqualFold(p.Algorithm, "3des") {
		return "", errors.New("dfs.encrypt.data.transfer.algorithm is 3des, which this client does not have, not even to agree on an AES key; set it to rc4 and " + setAES)
	}
	if p.Encrypt && !aes {
		return "", errors.New("dfs.encrypt.data.transfer without AES: this client could write but not read back; " + setAES)
	}
	if p.Encrypt || len(p.DataTransfer) == 0 {
		return resolverWarning(p), nil
	}
	switch first := p.DataTransfer[0]; {
	case first == "integrity":
		return "", errors.New("dfs.data.transfer.protection begins with integrity: this client could write but not read back; make it privacy (and " + setAES + ") or authentication")
	case first == "privacy" && !aes:
		return "", errors.New("dfs.data.transfer.protection is privacy without AES: this client could write but not read back; " + setAES)
	case first == "authentication" && len(p.DataTransfer) > 1:
		return fmt.Sprintf("dfs.data.transfer.protection is %s: DataNodes offer authentication first, so file contents go in clear; put privacy first to have them encrypted",
			strings.Join(p.DataTransfer, ",")), nil
	}
	return resolverWarning(p), nil
}

func resolverWarning(p hadoopxml.Protection) string {
	if p.ResolverPresent {
		return "a saslproperties.resolver.class decides at run time how connections are protected; whether this client can read and write there is only known by trying (validate --connect)"
	}
	return ""
}

// Services are the principals of all NameNodes of a name service; none if the cluster is not secured. See FromConf for uri.
func Services(c *hadoopxml.Config, uri string) ([]kerberos.SPN, error) {
	service, _, err := c.Resolve(uri)
	if err != nil {
		return nil, err
	}
	p, err := c.Protection()
	if err != nil || !p.Kerberos {
		return nil, err
	}
	var all []kerberos.SPN
	for _, addr := range service.Addresses {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("NameNode %q: %w", addr, err)
		}
		spn, err := kerberos.ParseSPN(p.NameNodeName, host)
		if err != nil {
			return nil, fmt.Errorf("dfs.namenode.kerberos.principal: %w", err)
		}
		all = append(all, spn)
	}
	return all, nil
}
