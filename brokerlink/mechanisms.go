package brokerlink

import (
	"context"
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/conf"
	"github.com/penstock-io/penstock/kerberos"
)

// gssapiLogin proves a Kerberos principal.
type gssapiLogin struct {
	cred    kerberos.Credential
	service string
}

func (g *gssapiLogin) mechanism() string { return gssapi }
func (g *gssapiLogin) user() string      { return g.cred.Principal().String() }

func (g *gssapiLogin) begin(ctx context.Context, host string) (conversation, error) {
	x, err := g.cred.Initiate(ctx, kerberos.SPN{Service: g.service, Host: host})
	if err != nil {
		return nil, err
	}
	return kerberos.NewGSSAPI(x, kerberos.SASLOptions{}), nil
}

// plainLogin sends user and password: NUL user NUL password.
type plainLogin struct {
	name     string
	password conf.Secret
}

func (p *plainLogin) mechanism() string { return plain }
func (p *plainLogin) user() string      { return p.name }

func (p *plainLogin) begin(context.Context, string) (conversation, error) {
	secret, err := p.password.Reveal()
	if err != nil {
		return nil, err
	}
	return once("\x00" + p.name + "\x00" + string(secret)), nil
}

// bearerLogin sends a token (RFC 7628).
type bearerLogin struct{ token conf.Secret }

func (b *bearerLogin) mechanism() string { return oauthbearer }
func (b *bearerLogin) user() string      { return "the token's subject" }

func (b *bearerLogin) begin(context.Context, string) (conversation, error) {
	token, err := b.token.Reveal()
	if err != nil {
		return nil, err
	}
	return bearer("n,,\x01auth=Bearer " + strings.TrimSpace(string(token)) + "\x01\x01"), nil
}

// once is an exchange of a single response.
type once string

// Step implements conversation.
func (o once) Step([]byte) ([]byte, bool, error) { return []byte(o), true, nil }

// bearer is like once; a challenge after it is the reason for a refusal (RFC 7628, 3.2.2).
type bearer string

// Step implements conversation.
func (b bearer) Step([]byte) ([]byte, bool, error) { return []byte(b), true, nil }

func (b bearer) final(challenge []byte) error {
	if len(challenge) > 0 {
		return fmt.Errorf("the broker refused the token: %s", clean(string(challenge)))
	}
	return nil
}
