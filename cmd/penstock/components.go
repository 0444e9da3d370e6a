package main

import (
	"fmt"

	"github.com/penstock-io/penstock/brokerlink"
	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/formats"
	"github.com/penstock-io/penstock/formats/avrofile"
	"github.com/penstock-io/penstock/formats/bodies"
	"github.com/penstock-io/penstock/formats/parquetfile"
	"github.com/penstock-io/penstock/formats/sequencefile"
	"github.com/penstock-io/penstock/formats/textfile"
	"github.com/penstock-io/penstock/hdfssink"
	"github.com/penstock-io/penstock/registry"
)

// kinds is every kind of component that a configuration may name.
func kinds() conf.Registry {
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
				conf.KindOf("sequencefile", "Hadoop's SequenceFile: times and bodies, as Flume writes them.", sequencefile.DefaultConfig),
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

// made is what a sink's `format:` chose.
type made struct {
	format      formats.Format
	deadLetters formats.Format
	source      *bodies.Source // of rows; nil: events are not decoded
}

// newFormat makes it. Nothing is asked of the network.
func newFormat(c conf.Choice, o registry.Options) (m made, err error) {
	switch f := c.Config.(type) {
	case *parquetfile.Config:
		f.Version = thisVersion().Version
		if m.source, err = bodies.Open(f.Config, o); err != nil {
			break
		}
		if m.source == nil {
			m.format, err = parquetfile.New(*f)
		} else {
			m.format, err = parquetfile.NewTyped(*f, m.source)
		}
	case *avrofile.Config:
		f.Version = thisVersion().Version
		if m.source, err = bodies.Open(f.Config, o); err != nil {
			break
		}
		if m.source == nil {
			m.format, err = avrofile.New(*f)
		} else {
			m.format, err = avrofile.NewTyped(*f, m.source)
		}
	case *sequencefile.Config:
		m.format, err = sequencefile.New(*f)
	case *textfile.Config:
		m.format, err = textfile.New(*f)
	default:
		err = fmt.Errorf("format type %q has no constructor", c.Type)
	}
	if err != nil {
		return made{}, withCode(exitConfig, err)
	}
	if m.deadLetters, err = parquetfile.DeadLetters(parquetfile.DefaultConfig()); err != nil {
		return made{}, fmt.Errorf("make the format of dead letters: %w", err)
	}
	return m, nil
}

// findFields has the sink find the fields of events that its configuration names.
func (m *made) findFields(c *hdfssink.Config, o *hdfssink.Options) error {
	if names := c.EventTime.Field(); len(names) > 0 {
		moment, err := m.source.Moments(names, c.EventTime.Unit)
		if err != nil {
			return fmt.Errorf("event_time.from: %w", err)
		}
		o.NewFieldTime = func() hdfssink.FieldTime { return moment() }
	}
	if fields := c.PathFields(); len(fields) > 0 {
		texts, err := m.source.NewTexts(fields)
		if err != nil {
			return fmt.Errorf("path: %w", err)
		}
		o.NewFields = func() hdfssink.PathFields { return texts() }
	}
	return nil
}
