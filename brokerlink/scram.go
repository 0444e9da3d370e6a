package brokerlink

import (
	"context"
	"fmt"

	"github.com/xdg-go/scram"

	"github.com/penstock-io/penstock/conf"
)

// scramLogin proves a password without sending it (RFC 5802).
type scramLogin struct {
	hash     string // SCRAM-SHA-256 or SCRAM-SHA-512
	name     string
	password conf.Secret
}

func (s *scramLogin) mechanism() string { return s.hash }
func (s *scramLogin) user() string      { return s.name }

func (s *scramLogin) begin(context.Context, string) (conversation, error) {
	secret, err := s.password.Reveal()
	if err != nil {
		return nil, err
	}
	hash := scram.SHA512
	if s.hash == scram256 {
		hash = scram.SHA256
	}
	client, err := hash.NewClient(s.name, string(secret), "")
	if err != nil {
		return nil, fmt.Errorf("prepare user and password (RFC 4013): %w", err)
	}
	return &scramTalk{client: client.NewConversation()}, nil
}

// scramTalk is two responses: nonce, then proof. The broker's answer to the second is its own proof.
type scramTalk struct {
	client *scram.ClientConversation
	steps  int
}

// Step implements conversation.
func (s *scramTalk) Step(challenge []byte) ([]byte, bool, error) {
	response, err := s.client.Step(string(challenge))
	if err != nil {
		return nil, false, fmt.Errorf("step %d of the exchange: %w", s.steps+1, err)
	}
	s.steps++
	return []byte(response), s.steps == 2, nil
}

func (s *scramTalk) final(challenge []byte) error {
	if _, err := s.client.Step(string(challenge)); err != nil {
		return fmt.Errorf("the broker does not know the password either: %w", err)
	}
	return nil
}
