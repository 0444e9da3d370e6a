package conf_test

import (
	"time"

	"github.com/penstock-io/penstock/conf"
)

// The components below have the keys of the real ones in the small: enough for every feature of the loader.

type avroSource struct {
	Bind conf.HostPort `yaml:"bind" conf:"required" doc:"Address to listen on."`
	TLS  *conf.TLS     `yaml:"tls"                  doc:"TLS of the listener."`
}

type topicChannel struct {
	Brokers   []conf.HostPort `yaml:"brokers"      conf:"required"                                    doc:"Brokers to ask first."`
	Topics    []string        `yaml:"topics"                                                          doc:"Topics by name."`
	Regex     string          `yaml:"topics_regex"                                                    doc:"Topics by regular expression."`
	Group     string          `yaml:"group"        conf:"required"                                    doc:"Consumer group."`
	Isolation string          `yaml:"isolation"    conf:"enum=read_committed|read_uncommitted"        doc:"Which transactions are seen."`
	SASL      *sasl           `yaml:"sasl"                                                            doc:"How to log in."`
	TLS       *conf.TLS       `yaml:"tls"                                                             doc:"TLS to the brokers."`
	Fetch     int             `yaml:"fetch_parallel" conf:"min=1,max=64"                              doc:"Fetches at a time."`
}

func (c *topicChannel) Validate(r *conf.Report) {
	switch {
	case len(c.Topics) == 0 && c.Regex == "":
		r.Errorf("topics", "neither topics nor topics_regex is written").Fixf("write `topics: [NAME]`")
	case len(c.Topics) > 0 && c.Regex != "":
		r.Errorf("topics_regex", "topics and topics_regex are both written").Fixf("remove one")
	}
}

func (c *topicChannel) Renamed() map[string]string {
	return map[string]string{"kafka.bootstrap.servers": "brokers", "kafka.topics": "topics"}
}

type sasl struct {
	Mechanism string      `yaml:"mechanism" conf:"required,enum=GSSAPI|SCRAM-SHA-512|SCRAM-SHA-256|PLAIN" doc:"SASL mechanism."`
	Kerberos  string      `yaml:"kerberos"  conf:"ref=kerberos"                                           doc:"Identity for GSSAPI."`
	User      string      `yaml:"user"                                                                    doc:"User for SCRAM and PLAIN."`
	Password  conf.Secret `yaml:"password"                                                                doc:"Password for SCRAM and PLAIN."`
}

func (s *sasl) Validate(r *conf.Report) {
	if s.Mechanism == "GSSAPI" && s.Kerberos == "" {
		r.Errorf("kerberos", "GSSAPI needs an identity").Fixf("write `kerberos: NAME`")
	}
	if s.Mechanism != "GSSAPI" && s.Password.IsZero() {
		r.Errorf("password", "%s needs a password", s.Mechanism).Fixf("write `password: file:/path`")
	}
}

type fileChannel struct {
	Dir      string    `yaml:"dir"      conf:"required"  doc:"Folder of the log."`
	Capacity conf.Size `yaml:"capacity" conf:"min=64MiB" doc:"Most bytes to hold."`
}

type hdfsSink struct {
	Path        string                 `yaml:"path"        conf:"required"                              doc:"Target, with escapes."`
	Hadoop      string                 `yaml:"hadoop"      conf:"ref=hadoop"                            doc:"Cluster, by its name."`
	State       string                 `yaml:"state"                                                    doc:"Folder of the manifests."`
	Zone        conf.Zone              `yaml:"zone"                                                     doc:"Zone of the path's time."`
	Format      conf.Choice            `yaml:"format"      conf:"kinds=format"                          doc:"File format."`
	Roll        roll                   `yaml:"roll"                                                     doc:"When a file is finished."`
	Block       conf.Size              `yaml:"block_size"  conf:"min=1MiB,assumed=roll.size"            doc:"HDFS block size."`
	OnGap       string                 `yaml:"on_gap"      conf:"enum=stop|accept"                      doc:"What to do about a gap."`
	Perms       permissions            `yaml:"permissions"                                              doc:"Permission bits."`
	Verify      bool                   `yaml:"verify"                                                   doc:"Read back each footer."`
	Ratio       float64                `yaml:"ratio"       conf:"min=0.1,max=1"                         doc:"Share of the memory."`
	DeadLetters map[string]conf.Choice `yaml:"dead_letters" conf:"kinds=format"                        doc:"Formats of dead letters, by reason."`
}

type permissions struct {
	Dir  conf.Mode `yaml:"dir"  conf:"assumed=fs.permissions.umask-mode" doc:"Bits of folders."`
	File conf.Mode `yaml:"file" conf:"assumed=fs.permissions.umask-mode" doc:"Bits of files."`
}

type roll struct {
	Size conf.Size     `yaml:"size" conf:"min=1MiB,max=1TiB"   doc:"Bytes in a file."`
	Age  conf.Duration `yaml:"age"  conf:"min=1s"              doc:"Time since the first event."`
	Idle conf.Duration `yaml:"idle" conf:"min=1s,zero=never"   doc:"Time since the last event."`
	Rows int64         `yaml:"rows" conf:"min=1,zero=no limit" doc:"Events in a file."`
}

func (c *hdfsSink) Complete() {
	if c.State == "" {
		c.State = "/data/.penstock"
	}
	if c.Block == 0 {
		c.Block = c.Roll.Size
	}
}

func (c *hdfsSink) Validate(r *conf.Report) {
	if c.Block < c.Roll.Size {
		r.Errorf("block_size", "%s is smaller than roll.size, %s, so that a file would have several blocks", c.Block, c.Roll.Size).Fixf("write block_size: %s", c.Roll.Size)
	}
	if c.Roll.Age < conf.Duration(time.Minute) {
		r.Warnf("roll.age", "files of %s or less are many and small", c.Roll.Age)
	}
}

func (c *hdfsSink) Renamed() map[string]string {
	return map[string]string{"hdfs.rollInterval": "roll.age", "hdfs.path": "path"}
}

type parquet struct {
	Compression string       `yaml:"compression" conf:"enum=none|snappy|zstd" doc:"Codec of the pages."`
	Schema      conf.FileRef `yaml:"schema"                                   doc:"Avro schema of typed columns."`
}

type text struct {
	Newline bool `yaml:"newline" doc:"End each event with a line feed."`
}

type host struct {
	Header string `yaml:"header" conf:"min=1,max=20" doc:"Header to set."`
}

func defaultSink() hdfsSink {
	return hdfsSink{
		Hadoop: "default",
		Format: conf.Choice{Type: "parquet"},
		Roll:   roll{Size: 128 * conf.MiB, Age: conf.Duration(15 * time.Minute), Idle: conf.Duration(2 * time.Minute)},
		OnGap:  "stop", Verify: true, Ratio: 0.5,
	}
}

func testRegistry() conf.Registry {
	return conf.Registry{
		Sources: []conf.Kind{conf.KindOf("avro", "Flume's Avro RPC.", func() avroSource { return avroSource{} })},
		Channels: []conf.Kind{
			func() conf.Kind {
				k := conf.KindOf("kafka-topic", "An existing topic.", func() topicChannel { return topicChannel{Isolation: "read_committed", Fetch: 4} })
				k.NoPut, k.FedElsewhere = true, true
				return k
			}(),
			conf.KindOf("file", "A durable log on this host.", func() fileChannel { return fileChannel{Capacity: 10 * conf.GiB} }),
		},
		Sinks: []conf.Kind{conf.KindOf("hdfs", "Files on HDFS.", defaultSink)},
		Blocks: map[string][]conf.Kind{
			"format": {
				conf.KindOf("parquet", "Apache Parquet.", func() parquet { return parquet{Compression: "zstd"} }),
				conf.KindOf("text", "Lines.", func() text { return text{Newline: true} }),
			},
			"interceptor": {
				conf.KindOf("timestamp", "Sets the time of arrival.", func() struct{} { return struct{}{} }),
				conf.KindOf("host", "Sets the host's name.", func() host { return host{Header: "host"} }),
			},
			"selector": {conf.KindOf("replicating", "To all channels.", func() struct{} { return struct{}{} })},
		},
		Moved: []conf.Moved{{
			Section: "sources", Type: "kafka", ToSection: "channels", ToType: "kafka-topic",
			Why: "a Kafka topic is a channel here, and needs no source",
		}},
	}
}
