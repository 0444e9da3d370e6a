package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// Topic is what Look finds of a topic.
type Topic struct {
	Name       string
	Partitions []ingest.Partition
	Log        []ingest.LogInfo // of each partition
}

// Standing is how a channel stands with its group while it is drained.
type Standing struct {
	Joined bool  // a member of the group
	Err    error // what keeps it from being one, nil: nothing so far; of a member: a topic that the configuration lists is gone
}

// Standing may be asked at any time.
func (ch *Channel) Standing() Standing {
	if s := ch.standing.Load(); s != nil {
		return *s
	}
	return Standing{}
}

// Look asks the brokers about everything that Drain will need, without joining the group: the topics, their partitions' bounds, and
// the group's coordinator. For `validate --connect`.
func (ch *Channel) Look(ctx context.Context) ([]Topic, error) {
	c := newCluster(ch.t, ch.seeds(), ch.cfg.Group)
	defer c.close()
	names, err := ch.wanted(ctx, c)
	if err != nil {
		return nil, err
	}
	var topics []Topic
	for _, name := range names {
		if err := c.topicError(name); err != nil {
			if errors.Is(err, sarama.ErrUnknownTopicOrPartition) || errors.Is(err, sarama.ErrInvalidTopic) {
				return nil, &NoTopicError{Topic: name, Cluster: c.clusterID()}
			}
			return nil, wrap("describe topic "+name, err)
		}
		t := Topic{Name: name}
		for _, id := range c.partitionIDs(name) {
			s := ch.look(c, ingest.Partition{Topic: name, ID: id})
			info, err := s.Describe(ctx)
			s.close()
			if err != nil {
				return nil, err
			}
			t.Partitions, t.Log = append(t.Partitions, s.p), append(t.Log, info)
		}
		topics = append(topics, t)
	}
	if _, err := c.findCoordinator(ctx); err != nil {
		return nil, err
	}
	return topics, nil
}

// wanted returns the names of the topics that the configuration means, as far as they exist now.
func (ch *Channel) wanted(ctx context.Context, c *cluster) ([]string, error) {
	pattern, err := ch.cfg.pattern()
	if err != nil {
		return nil, err
	}
	if pattern == nil {
		return ch.cfg.Topics, c.refresh(ctx, ch.cfg.Topics)
	}
	if err := c.refresh(ctx, nil); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(c.names(), func(name string) bool { return strings.HasPrefix(name, "__") || !pattern.MatchString(name) }), nil
}

// Cluster asks for the id of the Kafka cluster.
func (ch *Channel) Cluster(ctx context.Context) (string, error) {
	c := newCluster(ch.t, ch.seeds(), ch.cfg.Group)
	defer c.close()
	if err := c.refresh(ctx, []string{}); err != nil {
		return "", err
	}
	if c.clusterID() == "" {
		return "", fmt.Errorf("the brokers do not tell the cluster's id: %w", sarama.ErrUnsupportedVersion)
	}
	return c.clusterID(), nil
}

// Hint asks what the group has committed for a partition; ok is false when that is nothing.
func (ch *Channel) Hint(ctx context.Context, p ingest.Partition) (h ingest.Hint, ok bool, err error) {
	c := newCluster(ch.t, ch.seeds(), ch.cfg.Group)
	defer c.close()
	s := ch.look(c, p)
	defer s.close()
	return s.Hint(ctx)
}

// Describe asks for the bounds of one partition's log.
func (ch *Channel) Describe(ctx context.Context, p ingest.Partition) (ingest.LogInfo, error) {
	c := newCluster(ch.t, ch.seeds(), ch.cfg.Group)
	defer c.close()
	s := ch.look(c, p)
	defer s.close()
	return s.Describe(ctx)
}

// look is a stream outside of the group, for questions only.
func (ch *Channel) look(c *cluster, p ingest.Partition) *stream {
	return &stream{p: p, c: c, cfg: &ch.cfg, log: ch.log, met: ch.met, part: ch.part, held: &ch.held, life: context.Background(), line: line{t: ch.t, wait: ch.t.requestTimeout}}
}
