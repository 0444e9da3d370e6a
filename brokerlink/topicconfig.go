package brokerlink

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"
)

// topicConfig is what matters of a topic's configuration.
type topicConfig struct {
	at        time.Time
	retention time.Duration // 0: for ever
	compacted bool
}

// configMaxAge is how long a topic's configuration is believed.
const configMaxAge = 5 * time.Minute

// config returns a topic's configuration, not older than maxAge.
func (c *cluster) config(ctx context.Context, name string, maxAge time.Duration) (topicConfig, error) {
	c.mu.Lock()
	known, ok := c.configs[name]
	c.mu.Unlock()
	if ok && time.Since(known.at) < maxAge {
		return known, nil
	}
	var resp *sarama.DescribeConfigsResponse
	err := c.any(ctx, func(b *sarama.Broker) (err error) {
		resp, err = b.DescribeConfigs(&sarama.DescribeConfigsRequest{Version: 2, Resources: []*sarama.ConfigResource{{
			Type: sarama.TopicResource, Name: name, ConfigNames: []string{"retention.ms", "cleanup.policy"},
		}}})
		return err
	})
	if err != nil {
		return topicConfig{}, fmt.Errorf("describe configuration of topic %s: %w", name, err)
	}
	got := topicConfig{at: time.Now()}
	for _, r := range resp.Resources {
		if r.ErrorCode != 0 {
			return topicConfig{}, fmt.Errorf("describe configuration of topic %s: %w (allow this user DescribeConfigs on it)", name, sarama.KError(r.ErrorCode))
		}
		for _, e := range r.Configs {
			got.set(e.Name, e.Value)
		}
	}
	c.mu.Lock()
	c.configs[name] = got
	c.mu.Unlock()
	return got, nil
}

func (t *topicConfig) set(key, value string) {
	switch key {
	case "retention.ms":
		if ms, err := strconv.ParseInt(value, 10, 64); err == nil && ms > 0 {
			const longest = int64(math.MaxInt64 / time.Millisecond)
			t.retention = time.Duration(min(ms, longest)) * time.Millisecond
		}
	case "cleanup.policy":
		t.compacted = strings.Contains(value, "compact")
	}
}
