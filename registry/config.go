package registry

import (
	"net/url"
	"strings"
	"time"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/kerberos"
)

// Config is the block `registry` of a format whose events name their schema by its number.
type Config struct {
	URLs     []string      `yaml:"urls"     conf:"required,min=1" doc:"Base URLs of the registry, tried in this order: https://registry:8081; of Apicurio https://registry:8080/apis/ccompat/v7."`
	Username string        `yaml:"username" doc:"User for basic authentication."`
	Password conf.Secret   `yaml:"password" doc:"Its password."`
	Kerberos string        `yaml:"kerberos" conf:"ref=kerberos,assumed=none" doc:"For SPNEGO: the identity, by its name under kerberos."`
	TLS      *conf.TLS     `yaml:"tls"      doc:"Authorities and our certificate for https; without it those of the system."`
	Timeout  conf.Duration `yaml:"timeout"  conf:"min=1s,max=5m" doc:"Time for one answer."`
	Cache    string        `yaml:"cache"    conf:"assumed=memory only" doc:"Directory for schemas that were asked for, so that an agent can start while the registry is away. Of one registry only."`

	AllowPlaintext bool `yaml:"allow_plaintext" doc:"Send a password without TLS."`
}

// SetDefaults implements conf's Defaulter.
func (c *Config) SetDefaults() { c.Timeout = conf.Duration(10 * time.Second) }

// Services are the registry's hosts, for tickets.
func (c *Config) Services() (all []kerberos.SPN) {
	for _, text := range c.URLs {
		if u, err := url.Parse(text); err == nil {
			all = append(all, kerberos.HTTP(u.Hostname()))
		}
	}
	return all
}

// Validate implements conf's check of values that must agree.
func (c *Config) Validate(r *conf.Report) {
	plain := false
	for _, text := range c.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			if strings.Contains(text, "@") {
				text = "(with @)" // there may be a password in it
			}
			r.Errorf("urls", "%q is no URL of a registry", text).Fixf("write http://HOST:PORT or https://HOST:PORT, and the path before /schemas, if there is one")
			continue
		}
		if u.User != nil {
			r.Errorf("urls", "a user or a password does not belong into a URL: it would be in logs").Fixf("write username: and password: file:PATH")
		}
		plain = plain || u.Scheme == "http"
	}
	switch {
	case c.Kerberos != "" && c.Username != "":
		r.Errorf("username", "a user and a Kerberos identity are two logins").Fixf("leave one of them out")
	case c.Username == "" && !c.Password.IsZero():
		r.Errorf("password", "there is a password and no user").Fixf("write username: NAME")
	case c.Username != "" && plain && !c.AllowPlaintext:
		r.Errorf("username", "http sends the password in clear").Fixf("write https:// under urls, or allow_plaintext: true")
	}
	if strings.Contains(c.Cache, "://") {
		r.Errorf("cache", "%q is no directory of this machine", c.Cache).Fixf("write a path, such as /var/lib/penstock/schemas")
	}
}
