package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// enter joins the group and returns what this member is to drain from now on.
func (m *member) enter(ctx context.Context) ([]ingest.Partition, error) {
	addr, err := m.c.findCoordinator(ctx)
	if err != nil {
		return nil, err
	}
	join, err := m.joinGroup(ctx, addr)
	if err != nil {
		return nil, m.coordinatorError(addr, err)
	}
	who := membership{id: join.MemberId, generation: join.GenerationId, instance: m.instance, leader: join.LeaderId == join.MemberId}
	req := &sarama.SyncGroupRequest{Version: 3, GroupId: m.c.group, MemberId: who.id, GenerationId: who.generation, GroupInstanceId: m.instance}
	if who.leader {
		if err := m.plan(ctx, join, req); err != nil {
			return nil, err
		}
	}
	var sync *sarama.SyncGroupResponse
	err = m.join.do(ctx, addr, func(b *sarama.Broker) (err error) {
		if sync, err = b.SyncGroup(req); err != nil {
			return err
		}
		return codeError(sync.Err)
	})
	if errors.Is(err, sarama.ErrRebalanceInProgress) {
		// Somebody came or went meanwhile. The generation that we were in is not lost, and what we own stays ours.
		m.set(who, true)
		return nil, errRejoin
	}
	if err != nil {
		return nil, m.coordinatorError(addr, err)
	}
	m.set(who, true)
	return assignedIn(sync)
}

// coordinatorError forgets a coordinator that is none any more.
func (m *member) coordinatorError(addr string, err error) error {
	if broken(err) || wrongCoordinator(err) {
		m.c.forget(addr)
	}
	return err
}

// joinGroup waits until all members have joined or the rebalance timed out.
func (m *member) joinGroup(ctx context.Context, addr string) (*sarama.JoinGroupResponse, error) {
	who, _ := m.membership()
	for {
		resp, err := m.joinOnce(ctx, addr, who)
		if errors.Is(err, sarama.ErrMemberIdRequired) {
			who.id = resp.MemberId // KIP-394: come again under this name
			continue
		}
		return resp, err
	}
}

func (m *member) joinOnce(ctx context.Context, addr string, who membership) (*sarama.JoinGroupResponse, error) {
	req := sarama.NewJoinGroupRequest(sarama.V3_6_0_0)
	req.GroupId = m.c.group
	req.MemberId = who.id
	req.GroupInstanceId = m.instance
	req.SessionTimeout = int32(m.cfg.SessionTimeout.Std().Milliseconds())
	req.RebalanceTimeout = int32(m.cfg.RebalanceTimeout.Std().Milliseconds())
	req.ProtocolType = "consumer"
	meta := &sarama.ConsumerGroupMemberMetadata{
		Version: 2, Topics: m.topics, UserData: []byte(m.nudge), OwnedPartitions: m.owned.wire(), GenerationID: who.generation,
	}
	if who.id == "" {
		meta.GenerationID = -1
	}
	if err := req.AddGroupProtocolMetadata(m.strategy.Name(), meta); err != nil {
		return nil, fmt.Errorf("encode subscription: %w", err)
	}
	var resp *sarama.JoinGroupResponse
	err := m.join.do(ctx, addr, func(b *sarama.Broker) (err error) {
		if resp, err = b.JoinGroup(req); err != nil {
			return err
		}
		return codeError(resp.Err)
	})
	return resp, err
}

// plan is the leader's work: who drains what. Partitions that change hands are first only taken away (KIP-429); the
// members that lose them join again, and the next plan gives them out.
func (m *member) plan(ctx context.Context, join *sarama.JoinGroupResponse, req *sarama.SyncGroupRequest) error {
	members, err := join.GetMembers()
	if err != nil {
		return fmt.Errorf("decode subscriptions: %w", err)
	}
	partitions, err := m.subscribed(ctx, members)
	if err != nil {
		return err
	}
	m.seen = m.c.counts(m.topics)
	plan, err := m.strategy.Plan(members, partitions)
	if err != nil {
		return fmt.Errorf("plan assignment: %w", err)
	}
	for id := range members {
		if err := req.AddGroupAssignmentMember(id, &sarama.ConsumerGroupMemberAssignment{Topics: plan[id]}); err != nil {
			return fmt.Errorf("encode assignment: %w", err)
		}
	}
	return nil
}

// subscribed returns the partitions of all topics that any member wants.
func (m *member) subscribed(ctx context.Context, members map[string]sarama.ConsumerGroupMemberMetadata) (map[string][]int32, error) {
	wanted := map[string]bool{}
	for _, meta := range members {
		for _, topic := range meta.Topics {
			wanted[topic] = true
		}
	}
	topics := slices.Sorted(maps.Keys(wanted))
	partitions := map[string][]int32{}
	if len(topics) == 0 {
		return partitions, nil // an empty list would ask for all
	}
	for try := range 3 {
		if err := m.c.refresh(ctx, topics); err != nil {
			return nil, err
		}
		if !vanished(m.seen, m.c.counts(m.topics)) {
			break
		}
		pause(ctx, try) // a broker that has just started may not know all topics yet
	}
	for _, topic := range topics {
		if ids := m.c.partitionIDs(topic); len(ids) > 0 {
			partitions[topic] = ids
		}
	}
	return partitions, nil
}

func assignedIn(sync *sarama.SyncGroupResponse) ([]ingest.Partition, error) {
	if len(sync.MemberAssignment) == 0 {
		return nil, nil
	}
	a, err := sync.GetMemberAssignment()
	if err != nil {
		return nil, fmt.Errorf("decode assignment: %w", err)
	}
	var all []ingest.Partition
	for topic, ids := range a.Topics {
		for _, id := range ids {
			all = append(all, ingest.Partition{Topic: topic, ID: id})
		}
	}
	slices.SortFunc(all, order)
	return all, nil
}

func order(a, b ingest.Partition) int {
	if c := strings.Compare(a.Topic, b.Topic); c != 0 {
		return c
	}
	return int(a.ID) - int(b.ID)
}
