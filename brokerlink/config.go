package brokerlink

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/kerberos"
)

// Config is a channel of type kafka-topic: existing topics of one cluster.
type Config struct {
	Brokers          []conf.HostPort `yaml:"brokers"            conf:"required,min=1" doc:"Brokers to ask first; the others are found through them."`
	Topics           []string        `yaml:"topics"             conf:"assumed=none: topics_regex decides" doc:"Topics to drain."`
	TopicsRegex      string          `yaml:"topics_regex"       conf:"assumed=none: topics decides" doc:"Drain the topics whose whole name matches this regular expression, those made later too."`
	OnNewTopic       string          `yaml:"on_new_topic"       conf:"enum=drain|ignore" doc:"What to do with a topic that begins to match topics_regex while the agent runs."`
	Group            string          `yaml:"group"              conf:"required" doc:"Consumer group that hands out the partitions."`
	Instance         string          `yaml:"instance"           conf:"assumed=<host>-<sink>" doc:"Name of this member for static membership, so that a quick restart moves no partition."`
	ClientID         string          `yaml:"client_id"          doc:"Name under which the brokers log and throttle this client."`
	Isolation        string          `yaml:"isolation"          conf:"enum=read_committed|read_uncommitted" doc:"Whether events of aborted transactions are left out."`
	SASL             *SASL           `yaml:"sasl"               doc:"How to log in to the brokers."`
	TLS              *conf.TLS       `yaml:"tls"                doc:"Use TLS, with these files."`
	Fetch            Fetch           `yaml:"fetch"              doc:"How much is read ahead."`
	SessionTimeout   conf.Duration   `yaml:"session_timeout"    conf:"min=1s" doc:"How long the group waits for a silent member before it gives its partitions away."`
	Heartbeat        conf.Duration   `yaml:"heartbeat_interval" conf:"min=10ms" doc:"How often a heartbeat is sent."`
	RebalanceTimeout conf.Duration   `yaml:"rebalance_timeout"  conf:"min=1s" doc:"How long a rebalance waits for members that are finishing files; a revoked partition has half of it to commit."`
	MetadataRefresh  conf.Duration   `yaml:"metadata_refresh"   conf:"min=10ms,max=60s" doc:"How often to look for new topics and partitions, and for topics that were made again."`
	DialTimeout      conf.Duration   `yaml:"dial_timeout"       conf:"min=10ms" doc:"How long to connect and log in to a broker may take."`
	RequestTimeout   conf.Duration   `yaml:"request_timeout"    conf:"min=10ms" doc:"How long a broker may take to answer, beyond what a request allows it to wait."`
}

// SASL says how to log in to the brokers.
type SASL struct {
	Mechanism      string      `yaml:"mechanism"        conf:"required,enum=GSSAPI|SCRAM-SHA-512|SCRAM-SHA-256|PLAIN|OAUTHBEARER" doc:"SASL mechanism."`
	Kerberos       string      `yaml:"kerberos"         conf:"ref=kerberos,assumed=none" doc:"For GSSAPI: the identity, by its name under kerberos."`
	ServiceName    string      `yaml:"service_name"     doc:"For GSSAPI: first part of the brokers' principals."`
	User           string      `yaml:"user"             conf:"assumed=none" doc:"For SCRAM and PLAIN: the user."`
	Password       conf.Secret `yaml:"password"         doc:"For SCRAM and PLAIN: the password, as file:, env: or credential:."`
	Token          conf.Secret `yaml:"token"            doc:"For OAUTHBEARER: the token, read anew for each connection."`
	AllowPlaintext bool        `yaml:"allow_plaintext"  doc:"Send a PLAIN password or a token without TLS."`
}

// Services are the principals of the brokers that are named, for tickets; none without GSSAPI.
func (c *Config) Services() (all []kerberos.SPN) {
	if c.SASL == nil || c.SASL.Mechanism != gssapi {
		return nil
	}
	for _, b := range c.Brokers {
		all = append(all, kerberos.SPN{Service: c.SASL.ServiceName, Host: b.Host})
	}
	return all
}

// Fetch bounds what is read ahead.
type Fetch struct {
	Memory   conf.Size     `yaml:"memory"    conf:"min=1MiB" doc:"Bytes of decoded events held for all partitions together; each has an equal part."`
	Bytes    conf.Size     `yaml:"bytes"     conf:"min=1KiB" doc:"Bytes asked for at once from one partition, at most."`
	MaxBatch conf.Size     `yaml:"max_batch" conf:"min=1MiB,max=90MiB" doc:"Largest batch of a producer, as it is on the wire."`
	MaxWait  conf.Duration `yaml:"max_wait"  conf:"min=1ms,max=60s" doc:"How long a broker holds a request when there is nothing new."`
}

// DefaultConfig returns the values of keys that are not written.
func DefaultConfig() Config {
	return Config{
		OnNewTopic:       "drain",
		ClientID:         "penstock",
		Isolation:        "read_committed",
		Fetch:            Fetch{Memory: 64 * conf.MiB, Bytes: 2 * conf.MiB, MaxBatch: 64 * conf.MiB, MaxWait: conf.Duration(5 * time.Second)},
		SessionTimeout:   conf.Duration(45 * time.Second),
		Heartbeat:        conf.Duration(3 * time.Second),
		RebalanceTimeout: conf.Duration(60 * time.Second),
		MetadataRefresh:  conf.Duration(30 * time.Second),
		DialTimeout:      conf.Duration(20 * time.Second),
		RequestTimeout:   conf.Duration(30 * time.Second),
	}
}

// Complete fills in what depends on other values.
func (c *Config) Complete() {
	if c.SASL != nil && c.SASL.Mechanism == gssapi && c.SASL.ServiceName == "" {
		c.SASL.ServiceName = "kafka"
	}
}

// Validate checks what must agree.
func (c *Config) Validate(r *conf.Report) {
	switch {
	case len(c.Topics) == 0 && c.TopicsRegex == "":
		r.Errorf("topics", "neither topics nor topics_regex says what to drain").Fixf("write topics: [NAME]")
	case len(c.Topics) > 0 && c.TopicsRegex != "":
		r.Errorf("topics_regex", "topics and topics_regex are both written").Fixf("keep one of them")
	}
	if _, err := c.pattern(); err != nil {
		r.Errorf("topics_regex", "not a regular expression: %v", err).Fixf("see https://pkg.go.dev/regexp/syntax")
	}
	if c.Instance != "" && !validInstance(c.Instance) {
		r.Errorf("instance", "%q is no name for a member of a group", c.Instance).Fixf("use at most 249 letters, digits, '.', '_' and '-'")
	}
	if c.Heartbeat*2 > c.SessionTimeout {
		r.Errorf("heartbeat_interval", "%s is more than half of session_timeout, %s", c.Heartbeat, c.SessionTimeout).
			Fixf("write a third of session_timeout or less")
	}
	if c.Fetch.Bytes > c.Fetch.Memory {
		r.Errorf("fetch.bytes", "%s is more than fetch.memory, %s", c.Fetch.Bytes, c.Fetch.Memory).Fixf("write a smaller fetch.bytes")
	}
	c.validateSASL(r)
}

func (c *Config) validateSASL(r *conf.Report) {
	s := c.SASL
	if s == nil {
		return
	}
	switch {
	case s.Mechanism == gssapi && s.Kerberos == "":
		r.Errorf("sasl.kerberos", "GSSAPI needs a Kerberos identity").Fixf("write kerberos: NAME, with NAME an entry under kerberos:")
	case strings.HasPrefix(s.Mechanism, "SCRAM-") || s.Mechanism == plain:
		if s.User == "" {
			r.Errorf("sasl.user", "%s needs a user", s.Mechanism).Fixf("write user: NAME")
		}
		if s.Password.IsZero() {
			r.Errorf("sasl.password", "%s needs a password", s.Mechanism).Fixf("write password: file:PATH, env:NAME or credential:NAME")
		}
	case s.Mechanism == oauthbearer && s.Token.IsZero():
		r.Errorf("sasl.token", "OAUTHBEARER needs a token").Fixf("write token: file:PATH")
	}
	if (s.Mechanism == plain || s.Mechanism == oauthbearer) && c.TLS == nil && !s.AllowPlaintext {
		r.Errorf("sasl.mechanism", "%s without TLS sends the secret in clear", s.Mechanism).
			Fixf("write tls: {ca: PATH}, or allow_plaintext: true under sasl")
	}
}

// pattern is what a topic's name must match, or nil when the topics are listed.
func (c *Config) pattern() (*regexp.Regexp, error) {
	if c.TopicsRegex == "" {
		return nil, nil //nolint:nilnil // no pattern is an answer
	}
	return regexp.Compile("^(?:" + c.TopicsRegex + ")$")
}

// Reads reports whether a topic of this name is drained.
func (c *Config) Reads(topic string) (bool, error) {
	pattern, err := c.pattern()
	if err != nil {
		return false, err
	}
	return slices.Contains(c.Topics, topic) || pattern != nil && pattern.MatchString(topic), nil
}

// validInstance is Kafka's rule for group.instance.id, which is that for topic names.
func validInstance(name string) bool {
	if len(name) > 249 || name == "." || name == ".." {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
}
