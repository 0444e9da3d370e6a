package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// member is this agent's place in the consumer group. One goroutine runs it; streams only ask for membership and confirm.
//
// A round is: JoinGroup with the partitions that are still drained → (as leader: plan) → SyncGroup → stop what was taken away → if
// something was, the next round at once, so that others may have it → start what is new → heartbeats until the next round is due.
type member struct {
	c        *cluster
	cfg      *Config
	log      *slog.Logger
	met      *metrics
	instance *string // static membership
	pattern  *regexp.Regexp
	strategy sarama.BalanceStrategy
	owned    *assignment
	standing *atomic.Pointer[Standing]

	join    line // JoinGroup and SyncGroup wait for the other members
	beat    line // heartbeats
	topics  []string
	seen    map[string]int // partitions of each topic at the last join
	allowed []string       // on_new_topic: ignore: the topics of the start
	joined  bool           // at least once
	nudge   string         // changes when others must be told to join again
	said    string         // what was logged last of being outside
	saidAt  time.Time

	mu  sync.Mutex
	who membership
	ok  bool
}

// membership is what the coordinator knows us by.
type membership struct {
	id         string
	generation int32
	instance   *string
	leader     bool
}

// errRejoin ends a round in good order.
var errRejoin = errors.New("group rebalances")

// membership returns the present one; ok is false while there is none.
func (m *member) membership() (membership, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.who, m.ok
}

func (m *member) set(who membership, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.who, m.ok = who, ok
}

// run joins and stays until ctx ends or somebody has to act. Brokers that are away are waited for.
func (m *member) run(ctx context.Context) error {
	defer m.join.close()
	if err := m.firstLook(ctx); err != nil {
		return err
	}
	contact := time.Now()
	for try := 0; ctx.Err() == nil; {
		err := m.round(ctx, &contact)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errRejoin):
			try = 0
			continue
		case fatal(err) && (!refusedLogin(err) || !m.joined || time.Since(contact) >= m.cfg.SessionTimeout.Std()):
			m.lose(ctx, err)
			return m.explain(err)
		case lostMembership(err), time.Since(contact) > m.cfg.SessionTimeout.Std():
			m.lose(ctx, err)
			contact = time.Now()
		}
		m.outside(ctx, err)
		pause(ctx, try)
		try++
	}
	return nil
}

// outside notes why this member is not in its group. The log has each reason once a minute.
func (m *member) outside(ctx context.Context, err error) {
	m.standing.Store(&Standing{Err: err})
	if err.Error() == m.said && time.Since(m.saidAt) < time.Minute {
		return
	}
	m.said, m.saidAt = err.Error(), time.Now()
	m.log.WarnContext(ctx, "not in the group, joining again", "group", m.c.group, "error", err)
}

// inside notes that this member is in its group, and whether a topic that the configuration lists has gone: a member that drains nothing
// would look healthy otherwise.
func (m *member) inside(ctx context.Context) {
	err := m.topicsExist()
	m.standing.Store(&Standing{Joined: true, Err: err})
	said := ""
	if err != nil {
		said = err.Error()
	}
	if said != "" && said != m.said {
		m.log.WarnContext(ctx, "a topic is gone, and is waited for", "group", m.c.group, "error", err)
	}
	m.said = said
}

// fatal reports whether joining again cannot help.
func fatal(err error) bool {
	for _, e := range []sarama.KError{
		sarama.ErrFencedInstancedId, sarama.ErrInconsistentGroupProtocol, sarama.ErrInvalidGroupId, sarama.ErrInvalidSessionTimeout,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return permanent(err)
}

// explain says what to do about a fatal error.
func (m *member) explain(err error) error {
	what := fmt.Sprintf("join group %q", m.c.group)
	switch {
	case errors.Is(err, sarama.ErrFencedInstancedId):
		err = fmt.Errorf("%s: another member came with the same instance %q and took this one's place; give each agent a name of its own (--instance): %w", what, *m.instance, err)
	case errors.Is(err, sarama.ErrInconsistentGroupProtocol):
		err = fmt.Errorf("%s: its other members do not use the cooperative-sticky assignor; choose a group of this agent's own: %w", what, err)
	case errors.Is(err, sarama.ErrInvalidSessionTimeout):
		err = fmt.Errorf("%s: the broker does not allow session_timeout %s (its group.min.session.timeout.ms and group.max.session.timeout.ms): %w", what, m.cfg.SessionTimeout, err)
	default:
		return wrap(what, err)
	}
	return ingest.Permanent(err)
}

// firstLook waits for the brokers and refuses topics that do not exist: a misspelled name would otherwise wait for ever.
func (m *member) firstLook(ctx context.Context) error {
	for try, missing := 0, 0; ctx.Err() == nil; try++ {
		err := m.look(ctx)
		if err == nil {
			if err = m.topicsExist(); err == nil {
				m.allowed = m.topics
				return nil
			}
			// Brokers learn of a topic that was just made one after the other.
			if missing++; missing > 4 {
				return err
			}
		} else if permanent(err) {
			return ingest.Permanent(err)
		}
		if ctx.Err() == nil && missing == 0 {
			m.outside(ctx, err)
		}
		pause(ctx, try)
	}
	return nil
}

// topicsExist looks at the listed topics.
func (m *member) topicsExist() error {
	for _, name := range m.cfg.Topics {
		err := m.c.topicError(name)
		switch {
		case errors.Is(err, sarama.ErrTopicAuthorizationFailed):
			return wrap("look up topic "+name, err)
		case errors.Is(err, sarama.ErrUnknownTopicOrPartition), errors.Is(err, sarama.ErrInvalidTopic):
			return ingest.Permanent(&NoTopicError{Topic: name, Cluster: m.c.clusterID()})
		}
	}
	return nil
}

// look refreshes metadata and the list of topics to subscribe to.
func (m *member) look(ctx context.Context) error {
	if m.pattern == nil {
		m.topics = slices.Clone(m.cfg.Topics)
		slices.Sort(m.topics)
		return m.c.refresh(ctx, m.topics)
	}
	if err := m.c.refresh(ctx, nil); err != nil {
		return err
	}
	var topics []string
	for _, name := range m.c.names() {
		switch {
		case strings.HasPrefix(name, "__") || !m.pattern.MatchString(name):
		case m.cfg.OnNewTopic == "ignore" && m.allowed != nil && !slices.Contains(m.allowed, name):
		default:
			topics = append(topics, name)
		}
	}
	m.topics = topics
	return nil
}

// round is one generation. It returns errRejoin when the next one is due.
func (m *member) round(ctx context.Context, contact *time.Time) error {
	if err := m.look(ctx); err != nil {
		return err
	}
	m.seen = m.c.counts(m.topics)
	assigned, err := m.enter(ctx)
	if err != nil {
		return err
	}
	*contact, m.joined = time.Now(), true
	m.inside(ctx)
	m.met.rebalances.Inc()
	p := m.pulse(ctx)
	defer p.stop()
	revoked := m.owned.except(assigned)
	if len(revoked) > 0 {
		m.log.InfoContext(ctx, "partitions revoked", "partitions", names(revoked))
		m.owned.end(ctx, revoked, ingest.ErrRevoked)
		*contact = p.contact()
	}
	if added := m.owned.begin(ctx, assigned); len(added) > 0 {
		m.log.InfoContext(ctx, "partitions assigned", "partitions", names(added))
	}
	if len(revoked) > 0 {
		return errRejoin
	}
	err = m.stay(ctx, p)
	*contact = p.contact()
	return err
}

// stay waits for a reason to join again.
func (m *member) stay(ctx context.Context, p *pulse) error {
	tick := time.NewTicker(m.cfg.MetadataRefresh.Std())
	defer tick.Stop()
	changed := 0
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-p.result:
			return err
		case <-tick.C:
		}
		before := m.topics
		if err := m.look(ctx); err != nil {
			m.log.WarnContext(ctx, "metadata could not be refreshed", "error", err)
			continue
		}
		m.inside(ctx)
		if !slices.Equal(before, m.topics) {
			return errRejoin // another subscription: the coordinator makes everybody join
		}
		now := m.c.counts(m.topics)
		if maps.Equal(now, m.seen) {
			changed = 0
			continue
		}
		if changed == 0 && vanished(m.seen, now) {
			changed++ // a broker that has just started may not know all topics yet
			continue
		}
		// The leader's joining makes everybody join. A leader that was restarted under its static name does not know that it leads,
		// so the others wait one turn and then change their metadata, which has the same effect.
		if who, _ := m.membership(); who.leader || changed > 0 {
			m.nudge = countsText(now)
			return errRejoin
		}
		changed++
	}
}

// vanished reports whether a topic that was there is not there any more.
func vanished(before, now map[string]int) bool {
	for name := range before {
		if now[name] == 0 {
			return true
		}
	}
	return false
}

func countsText(counts map[string]int) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		b.WriteString(name + "=" + strconv.Itoa(counts[name]) + ";")
	}
	return b.String()
}

// lose ends all drains because the group has given this member up.
func (m *member) lose(ctx context.Context, err error) {
	who, _ := m.membership()
	who.id, who.generation = "", -1
	m.set(who, false)
	all := m.owned.partitions()
	if len(all) == 0 {
		return
	}
	m.met.sessionsLost.Inc()
	m.log.WarnContext(ctx, "group session lost", "group", m.c.group, "partitions", names(all), "error", err)
	m.owned.end(ctx, all, ingest.ErrSessionLost)
}

// leave tells the group that this member goes, unless it is static: then its partitions wait for it for session_timeout.
func (m *member) leave(ctx context.Context) {
	who, ok := m.membership()
	m.set(membership{instance: m.instance}, false)
	if !ok || m.instance != nil {
		return
	}
	leave := func(b *sarama.Broker) error {
		resp, err := b.LeaveGroup(&sarama.LeaveGroupRequest{Version: 4, GroupId: m.c.group, Members: []sarama.MemberIdentity{{MemberId: who.id}}})
		if err != nil {
			return err
		}
		return codeError(resp.Err)
	}
	err := m.c.coordinate(ctx, leave)
	if wrongCoordinator(err) {
		err = m.c.coordinate(ctx, leave)
	}
	if err != nil {
		m.log.WarnContext(ctx, "group was not left", "group", m.c.group, "error", err)
	}
}

func names(ps []ingest.Partition) []string {
	out := make([]string, 0, len(ps))
	for _, p := range ps {
		out = append(out, p.String())
	}
	return out
}
