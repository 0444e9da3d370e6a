package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// callsAtOnce bounds the shared connections: a hundred partitions that are claimed at the same time ask one after the other.
const callsAtOnce = 8

// cluster knows the brokers, who leads what, and how to ask. Safe for concurrent use; no lock is held while it asks.
type cluster struct {
	t     *transport
	seeds []string
	group string
	slots chan struct{}

	mu          sync.Mutex
	id          string
	brokers     map[int32]string // address by node id
	topics      map[string]*topic
	coordinator string
	idle        map[string][]*link
	closed      bool
	configs     map[string]topicConfig
}

// topic is what metadata says of one.
type topic struct {
	id         sarama.Uuid
	err        error
	partitions map[int32]leader
}

// leader is who serves a partition.
type leader struct {
	node  int32
	epoch int32
	err   error
}

func newCluster(t *transport, seeds []string, group string) *cluster {
	return &cluster{
		t: t, seeds: seeds, group: group, slots: make(chan struct{}, callsAtOnce),
		brokers: map[int32]string{}, topics: map[string]*topic{}, idle: map[string][]*link{}, configs: map[string]topicConfig{},
	}
}

// call runs one request at a broker on a shared connection.
func (c *cluster) call(ctx context.Context, addr string, request func(*sarama.Broker) error) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	for {
		l, used, err := c.take(addr)
		if err != nil {
			return err
		}
		err = l.do(ctx, request)
		if !broken(err) {
			c.give(l)
			return err
		}
		l.close()
		if !used || ctx.Err() != nil || !stale(err) {
			return err
		}
		// Brokers close connections that were idle for long; the request was not looked at. Try another one.
	}
}

// stale reports whether err is how the first use of a connection fails that the broker had closed meanwhile.
func stale(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, errSessionOver) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, sarama.ErrNotConnected)
}

func (c *cluster) take(addr string) (l *link, used bool, err error) {
	c.mu.Lock()
	if links := c.idle[addr]; len(links) > 0 {
		l = links[len(links)-1]
		c.idle[addr] = links[:len(links)-1]
	}
	c.mu.Unlock()
	if l != nil {
		return l, true, nil
	}
	l, err = c.t.newLink(addr, c.t.requestTimeout)
	return l, false, err
}

func (c *cluster) give(l *link) {
	c.mu.Lock()
	keep := !c.closed && len(c.idle[l.addr]) < callsAtOnce
	if keep {
		c.idle[l.addr] = append(c.idle[l.addr], l)
	}
	c.mu.Unlock()
	if !keep {
		l.close()
	}
}

// close ends all idle connections; those in use end when they are given back.
func (c *cluster) close() {
	c.mu.Lock()
	c.closed = true
	idle := c.idle
	c.idle = map[string][]*link{}
	c.mu.Unlock()
	for _, links := range idle {
		for _, l := range links {
			l.close()
		}
	}
}

// any runs one request at whichever broker answers first, known ones before those of the configuration. When none does, a refused login is
// returned rather than a broker that is away: it is what has to be mended.
func (c *cluster) any(ctx context.Context, request func(*sarama.Broker) error) error {
	var failed []error
	for _, addr := range c.addresses() {
		err := c.call(ctx, addr, request)
		if err == nil || !broken(err) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("broker %s: %w", addr, err)
		}
		failed = append(failed, err)
		if permanent(err) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrNoBroker, errors.Join(failed...))
}

func (c *cluster) addresses() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var known []string
	for _, addr := range c.brokers {
		known = append(known, addr)
	}
	rand.Shuffle(len(known), func(i, j int) { known[i], known[j] = known[j], known[i] })
	for _, addr := range c.seeds {
		if !slices.Contains(known, addr) {
			known = append(known, addr)
		}
	}
	return known
}

// refresh asks for topics (nil: all) and remembers the answer. Topics that do not exist are remembered with their error.
func (c *cluster) refresh(ctx context.Context, names []string) error {
	var resp *sarama.MetadataResponse
	err := c.any(ctx, func(b *sarama.Broker) (err error) {
		req := sarama.NewMetadataRequest(sarama.V3_6_0_0, names)
		resp, err = b.GetMetadata(req)
		return err
	})
	if err != nil {
		return wrap("ask for metadata", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if resp.ClusterID != nil {
		c.id = *resp.ClusterID
	}
	if len(resp.Brokers) > 0 {
		c.brokers = make(map[int32]string, len(resp.Brokers))
		for _, b := range resp.Brokers {
			c.brokers[b.ID()] = b.Addr()
		}
	}
	if names == nil {
		c.topics = make(map[string]*topic, len(resp.Topics))
	}
	for _, t := range resp.Topics {
		c.topics[t.Name] = topicOf(t)
	}
	return nil
}

func topicOf(m *sarama.TopicMetadata) *topic {
	t := &topic{id: m.Uuid, err: codeError(m.Err), partitions: make(map[int32]leader, len(m.Partitions))}
	for _, p := range m.Partitions {
		l := leader{node: p.Leader, epoch: p.LeaderEpoch, err: codeError(p.Err)}
		if p.Version < 7 {
			l.epoch = -1
		}
		if l.err == nil && p.Leader < 0 {
			l.err = sarama.ErrLeaderNotAvailable
		}
		t.partitions[p.ID] = l
	}
	return t
}

// codeError turns Kafka's code for "no error" into nil.
func codeError(e sarama.KError) error {
	if e == sarama.ErrNoError {
		return nil
	}
	return e
}

// place is where a partition is served.
type place struct {
	addr  string
	epoch int32
	topic sarama.Uuid // all zero: the broker does not tell
}

// topicID is the id as LogInfo shows it.
func (p place) topicID() string {
	if p.topic == (sarama.Uuid{}) {
		return ""
	}
	return p.topic.String()
}

// find returns the leader of a partition as it was last known, or asks when nothing is known or fresh is set.
func (c *cluster) find(ctx context.Context, p ingest.Partition, fresh bool) (place, error) {
	if at, err := c.known(p); !fresh && err == nil {
		return at, nil
	}
	if err := c.refresh(ctx, []string{p.Topic}); err != nil {
		return place{}, err
	}
	return c.known(p)
}

func (c *cluster) known(p ingest.Partition) (place, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.topics[p.Topic]
	if t == nil {
		return place{}, sarama.ErrUnknownTopicOrPartition
	}
	if t.err != nil {
		return place{topic: t.id}, t.err
	}
	l, ok := t.partitions[p.ID]
	if !ok {
		return place{topic: t.id}, sarama.ErrUnknownTopicOrPartition
	}
	// A partition can have an error beside a leader (a replica is away); only a missing leader matters here.
	addr, ok := c.brokers[l.node]
	if !ok {
		if l.err != nil {
			return place{topic: t.id}, l.err
		}
		return place{topic: t.id}, sarama.ErrLeaderNotAvailable
	}
	return place{addr: addr, epoch: l.epoch, topic: t.id}, nil
}

// clusterID is empty until the first answer.
func (c *cluster) clusterID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.id
}

// counts returns how many partitions each of the named topics has; topics that do not exist are left out.
func (c *cluster) counts(names []string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := map[string]int{}
	for _, name := range names {
		if t := c.topics[name]; t != nil && t.err == nil {
			n[name] = len(t.partitions)
		}
	}
	return n
}

// topicError returns nil for a topic that exists.
func (c *cluster) topicError(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.topics[name]
	if t == nil {
		return sarama.ErrUnknownTopicOrPartition
	}
	return t.err
}

// names returns all topics that the last refresh of everything found, sorted.
func (c *cluster) names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for name, t := range c.topics {
		if t.err == nil {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}

// partitionIDs returns the partitions of a topic, ascending.
func (c *cluster) partitionIDs(name string) []int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.topics[name]
	if t == nil {
		return nil
	}
	ids := make([]int32, 0, len(t.partitions))
	for id := range t.partitions {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// findCoordinator returns the address of the group's coordinator, which is remembered until forget.
func (c *cluster) findCoordinator(ctx context.Context) (string, error) {
	c.mu.Lock()
	addr := c.coordinator
	c.mu.Unlock()
	if addr != "" {
		return addr, nil
	}
	var resp *sarama.FindCoordinatorResponse
	err := c.any(ctx, func(b *sarama.Broker) (err error) {
		req := &sarama.FindCoordinatorRequest{Version: 2, CoordinatorKey: c.group, CoordinatorType: sarama.CoordinatorGroup}
		if resp, err = b.FindCoordinator(req); err != nil {
			return err
		}
		return codeError(resp.Err)
	})
	if err != nil {
		return "", wrap(fmt.Sprintf("find the coordinator of group %q", c.group), err)
	}
	if resp.Coordinator == nil {
		return "", sarama.ErrConsumerCoordinatorNotAvailable
	}
	addr = resp.Coordinator.Addr()
	c.mu.Lock()
	c.coordinator = addr
	c.mu.Unlock()
	return addr, nil
}

// forget drops the coordinator if it is still the one at addr.
func (c *cluster) forget(addr string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.coordinator == addr {
		c.coordinator = ""
	}
}

// coordinate runs one request at the coordinator, on a shared connection. The caller tries again after an error.
func (c *cluster) coordinate(ctx context.Context, request func(*sarama.Broker) error) error {
	addr, err := c.findCoordinator(ctx)
	if err != nil {
		return err
	}
	err = c.call(ctx, addr, request)
	if err != nil && (broken(err) || wrongCoordinator(err)) {
		c.forget(addr)
	}
	return err
}
