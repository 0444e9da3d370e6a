package hadoopxml

import (
	"fmt"
	"slices"
	"strings"
)

// Protection is what HDFS's wire protocols ask of a client.
type Protection struct {
	Kerberos        bool     // hadoop.security.authentication is kerberos
	RPC             []string // hadoop.rpc.protection: authentication, integrity, privacy, in the order of preference
	DataTransfer    []string // dfs.data.transfer.protection, empty if unset
	Encrypt         bool     // dfs.encrypt.data.transfer
	Algorithm       string   // dfs.encrypt.data.transfer.algorithm: 3des, rc4, or "" for the NameNode's choice
	CipherSuites    []string // dfs.encrypt.data.transfer.cipher.suites: AES/CTR/NoPadding, or empty
	NameNodeName    string   // dfs.namenode.kerberos.principal, with _HOST
	PrincipalGlob   string   // dfs.namenode.kerberos.principal.pattern
	DataNodeByName  bool     // dfs.client.use.datanode.hostname
	ResolverPresent bool     // dfs.data.transfer.saslproperties.resolver.class or hadoop.security.saslproperties.resolver.class decides at run time
}

// Protection gathers what the files say on security. A value that is none of Hadoop's is an error with its place.
func (c *Config) Protection() (Protection, error) {
	var p Protection
	login, err := c.oneOf("hadoop.security.authentication", "simple", "kerberos")
	if err != nil {
		return p, err
	}
	p.Kerberos = len(login) == 1 && login[0] == "kerberos"
	levels := []string{"authentication", "integrity", "privacy"}
	if p.RPC, err = c.oneOf("hadoop.rpc.protection", levels...); err != nil {
		return p, err
	}
	if p.DataTransfer, err = c.oneOf("dfs.data.transfer.protection", levels...); err != nil {
		return p, err
	}
	algorithm, err := c.oneOf("dfs.encrypt.data.transfer.algorithm", "3des", "rc4")
	if err != nil {
		return p, err
	}
	p.Algorithm = strings.Join(algorithm, ",")
	if p.CipherSuites, err = c.List("dfs.encrypt.data.transfer.cipher.suites"); err != nil {
		return p, err
	}
	if p.Encrypt, err = c.Bool("dfs.encrypt.data.transfer", false); err != nil {
		return p, err
	}
	if p.DataNodeByName, err = c.Bool("dfs.client.use.datanode.hostname", false); err != nil {
		return p, err
	}
	if p.NameNodeName, err = c.String("dfs.namenode.kerberos.principal", ""); err != nil {
		return p, err
	}
	if p.PrincipalGlob, err = c.String("dfs.namenode.kerberos.principal.pattern", ""); err != nil {
		return p, err
	}
	for _, key := range []string{"dfs.data.transfer.saslproperties.resolver.class", "hadoop.security.saslproperties.resolver.class"} {
		if _, ok, err := c.Lookup(key); err != nil {
			return p, err
		} else if ok {
			p.ResolverPresent = true
		}
	}
	return p, nil
}

// oneOf reads a list whose items are among allowed, in any case of letters.
func (c *Config) oneOf(key string, allowed ...string) ([]string, error) {
	items, err := c.List(key)
	if err != nil {
		return nil, err
	}
	for i, item := range items {
		items[i] = strings.ToLower(item)
		if !slices.Contains(allowed, items[i]) {
			p, _, _ := c.Lookup(key)
			return nil, fmt.Errorf("%s: %s: %q is not one of %s", p.Place(), key, clip(item), strings.Join(allowed, ", "))
		}
	}
	return items, nil
}
