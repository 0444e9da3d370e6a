package main

import (
	"fmt"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrofile"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/formats/textfile"
	"github.com/penstock-io/penstock/hdfssink"
)

// registry is every kind of component that a configuration may name.
func registry() conf.Registry {
	topic := conf.KindOf("kafka-topic", "Existing Kafka topics: nothing is copied, the topic is the channel.", brokerlink.DefaultConfig)
	topic.NoPut = true
	topic.FedElsewhere = true
	topic.DrainedElsewhere = true
	return conf.Registry{
		Channels: []conf.Kind{topic},
		Sinks:    []conf.Kind{conf.KindOf("hdfs", "Files on HDFS, or on a local file system.", hdfssink.DefaultConfig)},
		Moved: []conf.Moved{
			kafkaSource("kafka"), kafkaSource("org.apache.flume.source.kafka.KafkaSource"),
		},
		Blocks: map[string][]conf.Kind{
			"format": {
				conf.KindOf("parquet", "Apache Parquet: the columns of an Avro schema, or key, body, headers, timestamp, topic, partition, offset.", parquetfile.DefaultConfig),
				conf.KindOf("avro", "Avro object container files: datums of an Avro schema, or key, body, headers, timestamp, topic, partition, offset.", avrofile.DefaultConfig),
				conf.KindOf("text", "The bodies, a line each.", textfile.DefaultConfig),
			},
		},
	}
}

// kafkaSource answers those who look for Flume's Kafka source.
func kafkaSource(name string) conf.Moved {
	return conf.Moved{
		Section: "sources", Type: name, ToSection: "channels", ToType: "kafka-topic",
		Why: "a Kafka topic is a channel here, and needs no source",
	}
}

// newFormat makes the format that a sink's `format:` chose, and the one for its dead letters.
func newFormat(c conf.Choice) (format, deadLetters formats.Format, err error) {
	deadLetters, err = parquetfile.DeadLetters(parquetfile.DefaultConfig())
	if err != nil {
		return nil, nil, fmt.Errorf("make the format of dead letters: %w", err)
	}
	switch f := c.Config.(type) {
	case *parquetfile.Config:
		f.Version = thisVersion().Version
		format, err = parquetfile.New(*f)
	case *avrofile.Config:
		f.Version = thisVersion().Version
		format, err = avrofile.New(*f)
	case *textfile.Config:
		format, err = textfile.New(*f)
	default:
		err = fmt.Errorf("format type %q has no constructor", c.Type)
	}
	if err != nil {
		return nil, nil, withCode(exitConfig, err)
	}
	return format, deadLetters, nil
}
