package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/conf/hadoopxml"
	"github.com/penstock-io/penstock/hdfssink/dfs/token"
	"github.com/penstock-io/penstock/kerberos"
)

// FromConf takes the options for uri (hdfs://NAMESERVICE/path, or a plain path on fs.defaultFS) out of a Hadoop configuration, and
// returns the path too. cred may be nil for a cluster without security; a secured one without cred is refused.
func FromConf(ctx context.Context, c *hadoopxml.Config, uri string, who Identity) (o Options, path string, err error) {
	service, path, err := c.Resolve(uri)
	if err != nil {
		return o, "", err
	}
	p, err := c.Protection()
	if err != nil {
		return o, "", err
	}
	if p.Kerberos && who.Credential == nil && who.TokenFile == "" {
		return o, "", fmt.Errorf("HDFS %s is secured (hadoop.security.authentication is kerberos) and no identity is given; write kerberos: NAME under hadoop", service.Name)
	}
	if !p.Kerberos {
		who = Identity{DoAs: who.DoAs}
	}
	o = Options{
		NameNodes: service.Addresses, Credential: who.Credential, DoAs: who.DoAs, NameNodePrincipal: p.NameNodeName,
		Encrypt: p.Encrypt, UseHostnames: p.DataNodeByName,
	}
	if who.TokenFile != "" {
		o.Token = func(ctx context.Context) (token.Token, error) { return FindToken(ctx, who.TokenFile, service) }
		if o.User, err = tokenOwner(ctx, o.Token); err != nil {
			return o, "", err
		}
	}
	for _, level := range p.DataTransfer {
		o.DataProtection = append(o.DataProtection, qop(level))
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

// Identity is what proves to a secured cluster who we are, one of the first two, and for whom we come.
type Identity struct {
	Credential kerberos.Credential
	TokenFile  string // with a delegation token of the name service's; see package token
	DoAs       string // on whose behalf; with a Credential, or on a cluster that is not secured
}

// FindToken reads a file and returns its token for a name service: by the service's name if it has several NameNodes, else by the NameNode's address or name.
func FindToken(ctx context.Context, path string, service hadoopxml.NameService) (token.Token, error) {
	all, err := token.Read(path)
	if err != nil {
		return token.Token{}, err
	}
	names := []string{"ha-hdfs:" + service.Name}
	for _, addr := range service.Addresses {
		names = append(names, addr)
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			continue // Options are checked elsewhere
		}
		ips, _ := net.DefaultResolver.LookupHost(ctx, host) // a name without an address may still be how the token has it
		for _, ip := range ips {
			names = append(names, net.JoinHostPort(ip, port))
		}
	}
	t, ok := token.Find(all, token.HDFS, names...)
	if !ok {
		return t, fmt.Errorf("%w: %s has no %s for %s; it has: %v", ErrNoToken, path, token.HDFS, strings.Join(names, " or "), all)
	}
	owner, err := t.Owner()
	if err != nil {
		return t, fmt.Errorf("%s: %w", path, err)
	}
	if time.Now().After(owner.Max) {
		return t, fmt.Errorf("%w: the token of %s in %s could be renewed until %s only: fetch another", ErrNoToken, owner.Name, path, owner.Max.Local().Format(time.DateTime))
	}
	return t, nil
}

func tokenOwner(ctx context.Context, find func(context.Context) (token.Token, error)) (string, error) {
	t, err := find(ctx)
	if err != nil {
		return "", err
	}
	owner, err := t.Owner()
	return owner.Name, err
}

// DelegationToken reads the token with which the next connection will be made, and says whose it is; ok is false where there is a login instead. An error says that
// none can be used.
func (f *FS) DelegationToken(ctx context.Context) (o token.Owner, ok bool, err error) {
	if f.o.Token == nil {
		return o, false, nil
	}
	t, err := f.o.Token(ctx)
	if err == nil {
		o, err = t.Owner()
	}
	return o, true, err
}

// ErrNoToken says that a file has no token that can be used.
var ErrNoToken = errors.New("no delegation token")

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

// CheckProtections warns of protections that are weaker than they look.
func CheckProtections(p hadoopxml.Protection) (warning string) {
	if !p.Encrypt && len(p.DataTransfer) > 1 && p.DataTransfer[0] == "authentication" {
		return fmt.Sprintf("dfs.data.transfer.protection is %s: authentication comes first, so file contents go in clear; put privacy first to have them encrypted", strings.Join(p.DataTransfer, ","))
	}
	return resolverWarning(p)
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
