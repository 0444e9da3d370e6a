package brokerlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/IBM/sarama"

	"github.com/penstock-io/penstock/ingest"
)

// errSessionOver ends the use of a connection whose SASL session is about to end; the request was not sent.
var errSessionOver = errors.New("sasl session is over, a new connection is needed")

// ErrNoBroker says that none of the brokers can be asked. Compare with errors.Is.
var ErrNoBroker = errors.New("no broker answers")

// NoTopicError says that a topic which the configuration lists is not there.
type NoTopicError struct{ Topic, Cluster string }

func (e *NoTopicError) Error() string {
	return fmt.Sprintf("topic %q does not exist in cluster %q, or this user may not see it (Describe): correct the name, make the topic, or allow it", e.Topic, e.Cluster)
}

// errNoMember says that the group does not count this client as a member at the moment.
var errNoMember = errors.New("not a member of the group at the moment")

// errUnknownTopicID is Kafka's UNKNOWN_TOPIC_ID, which sarama has no name for.
const errUnknownTopicID = sarama.KError(100)

// ConnectError says why no connection to a broker could be made.
type ConnectError struct {
	Broker    string // host:port
	Err       error
	Permanent bool // the configuration or its files are wrong; no retry helps
}

func (e *ConnectError) Error() string {
	return fmt.Sprintf("connect to broker %s: %v", e.Broker, e.Err)
}
func (e *ConnectError) Unwrap() error { return e.Err }

// AuthError says that a broker refused the login. It never holds a secret.
type AuthError struct {
	Broker    string
	Mechanism string
	User      string   // user or principal
	Offered   []string // mechanisms that the broker offers, when ours is not among them
	Err       error
}

func (e *AuthError) Error() string {
	if len(e.Offered) > 0 {
		return fmt.Sprintf("log in to broker %s as %s: it does not offer %s but %s; set sasl.mechanism to one of these, or use another port",
			e.Broker, e.User, e.Mechanism, strings.Join(e.Offered, ", "))
	}
	return fmt.Sprintf("log in to broker %s as %s by %s: %v", e.Broker, e.User, e.Mechanism, e.Err)
}
func (e *AuthError) Unwrap() error { return e.Err }

// permanent reports whether err stays until somebody changes the configuration or the broker's rules.
func permanent(err error) bool {
	var connect *ConnectError
	return ingest.IsPermanent(err) || Denied(err) || errors.As(err, &connect) && connect.Permanent
}

// Denied reports whether err is a broker's refusal of a login or of a right.
func Denied(err error) bool {
	return refusedLogin(err) || errors.Is(err, sarama.ErrTopicAuthorizationFailed) || errors.Is(err, sarama.ErrGroupAuthorizationFailed) ||
		errors.Is(err, sarama.ErrClusterAuthorizationFailed)
}

// Replaced reports whether err says that another member has taken this one's place in the group.
func Replaced(err error) bool { return errors.Is(err, sarama.ErrFencedInstancedId) }

// refusedLogin reports whether a broker refused the login. One that has just started may do so until it has read its users, so
// whoever was logged in before tries for a while.
func refusedLogin(err error) bool {
	var auth *AuthError
	return errors.As(err, &auth)
}

// wrap marks what is permanent and says what to do about refused rights.
func wrap(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sarama.ErrTopicAuthorizationFailed):
		err = fmt.Errorf("%s: %w; allow this user Read and Describe on the topic", what, err)
	case errors.Is(err, sarama.ErrGroupAuthorizationFailed):
		err = fmt.Errorf("%s: %w; allow this user Read on the group", what, err)
	default:
		err = fmt.Errorf("%s: %w", what, err)
	}
	if permanent(err) {
		return ingest.Permanent(err)
	}
	return err
}

// broken reports whether err leaves the connection useless. An error code in an answer (KError) does not.
func broken(err error) bool {
	var code sarama.KError
	return err != nil && !errors.As(err, &code)
}

// undecodable reports whether err came from decoding an answer and not from the connection: what is neither an
// error code, nor one of ours, nor one of the network.
func undecodable(err error) bool {
	var (
		code    sarama.KError
		connect *ConnectError
		auth    *AuthError
		network net.Error
		sys     syscall.Errno
	)
	switch {
	case err == nil, errors.As(err, &code), errors.As(err, &connect), errors.As(err, &auth), errors.As(err, &network), errors.As(err, &sys):
		return false
	case errors.Is(err, io.EOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe), errors.Is(err, errSessionOver):
		return false
	case errors.Is(err, sarama.ErrNotConnected), errors.Is(err, sarama.ErrUnsupportedVersion), errors.Is(err, sarama.ErrAlreadyConnected):
		return false
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	}
	// A response cut short is io.ErrUnexpectedEOF from the connection; decompressors use the same error for a damaged batch. A
	// second attempt tells them apart, and the fetcher makes one.
	return true
}

// wrongLeader reports whether err says that somebody else leads the partition, or that we know an old state of it.
func wrongLeader(err error) bool {
	for _, e := range []sarama.KError{
		sarama.ErrNotLeaderForPartition, sarama.ErrLeaderNotAvailable, sarama.ErrFencedLeaderEpoch, sarama.ErrUnknownLeaderEpoch,
		sarama.ErrUnknownTopicOrPartition, sarama.ErrReplicaNotAvailable, sarama.ErrBrokerNotAvailable, sarama.ErrKafkaStorageError,
		sarama.ErrOffsetNotAvailable, errUnknownTopicID,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// wrongCoordinator reports whether err says that somebody else coordinates the group.
func wrongCoordinator(err error) bool {
	return errors.Is(err, sarama.ErrNotCoordinatorForConsumer) || errors.Is(err, sarama.ErrConsumerCoordinatorNotAvailable)
}

// lostMembership reports whether err says that the group does not count this member any more.
func lostMembership(err error) bool {
	return errors.Is(err, sarama.ErrUnknownMemberId) || errors.Is(err, sarama.ErrIllegalGeneration) ||
		errors.Is(err, sarama.ErrGroupIDNotFound) || errors.Is(err, errNoMember)
}
