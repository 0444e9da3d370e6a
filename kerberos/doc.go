// Package kerberos proves who the agent is.
//
// # The pieces
//
// A [Login] is one identity: a principal with a keytab, or a ticket cache that somebody else keeps
// fresh. It logs in when a ticket is first asked for, logs in anew from the keytab when four fifths
// of the ticket's life have passed, and goes on trying through an outage of the KDC for as long as it
// lasts. [Login.Run] does the renewing ahead of time; without it a Login renews when it is used.
//
// A Login is a [Credential]: [Credential.Initiate] begins an [Exchange] with a service, which is a
// GSS-API security context (RFC 4121) with sealing of our own, since gokrb5 can only sign. [NewGSSAPI]
// makes it the SASL mechanism GSSAPI (RFC 4752), as Kafka, Hadoop RPC, HBase and ZooKeeper speak it:
//
//	login, err := kerberos.NewLogin(kerberos.Identity{
//		Principal: "ingest/_HOST@EXAMPLE.TEST",
//		Keytab:    "/etc/security/keytabs/ingest.keytab",
//	})
//	exchange, err := login.Initiate(ctx, kerberos.SPN{Service: "kafka", Host: "broker1.example.test"})
//	sasl := kerberos.NewGSSAPI(exchange, kerberos.SASLOptions{})
//	for challenge, done := []byte(nil), false; !done; {
//		var reply []byte
//		reply, done, err = sasl.Step(challenge)
//		// send reply; unless done, receive the next challenge
//	}
//
// # What gokrb5 does here, and what it does not
//
// gokrb5 encodes messages and does the cryptography. The exchanges with the KDC are ours, because the
// library's take no context, forget the KDC's error codes, trust a reply's declared length, give up on
// a ticket that expired while the KDC was away, choose keys by time stamp instead of version, and leave
// a goroutine behind for each login. Its parser of krb5.conf is not used either.
// This is the only package that imports gokrb5.
//
// # Limits
//
// Only AES keys (encryption types 17 to 20), keytabs and file caches; no PKINIT, no KDC proxies, no
// delegation of tickets (Hadoop's proxy users need none). A service may be one realm away; further ones
// fail, since gokrb5 names the wrong realm in what it shows to the third KDC. Names must be written in
// the KDC's upper and lower case.
//
// # Errors
//
// Every error wraps one of the sentinels ([ErrKDCUnreachable], [ErrClockSkew], …) where one fits, and
// says what to do. None of them holds a key or a ticket.
package kerberos
