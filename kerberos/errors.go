package kerberos

import "errors"

// What can be wrong, for callers that must tell one case from another with [errors.Is].
var (
	// ErrKDCUnreachable means that no KDC of the realm gave an answer. It passes by itself.
	ErrKDCUnreachable = errors.New("KDC unreachable")
	// ErrClockSkew means that this host's clock and the KDC's, or a service's, are too far apart.
	ErrClockSkew = errors.New("clock skew too great")
	// ErrBadKeytab means that the keytab cannot be read, has no key for the principal, or has one
	// that the KDC does not take.
	ErrBadKeytab = errors.New("bad keytab")
	// ErrBadCache means that the ticket cache cannot be read or has no usable ticket.
	ErrBadCache = errors.New("bad ticket cache")
	// ErrBadConfig means that the krb5 configuration cannot be read or does not name what is needed.
	ErrBadConfig = errors.New("bad krb5 configuration")
	// ErrUnknownPrincipal means that the KDC does not know the principal that logs in, or has
	// disabled it.
	ErrUnknownPrincipal = errors.New("unknown principal")
	// ErrUnknownService means that the KDC does not know the service.
	ErrUnknownService = errors.New("unknown service")
	// ErrTicketExpired means that the only ticket there is has expired: the cache was not refreshed.
	ErrTicketExpired = errors.New("ticket expired")
	// ErrRefused is any other refusal by a KDC or a service.
	ErrRefused = errors.New("refused")
	// ErrBadToken means that a peer sent a token that is malformed, out of order, or not sealed or
	// signed with the right key. The connection it came on must be given up.
	ErrBadToken = errors.New("bad token")
)
