package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/kerberos"
)

// ErrNoSchema says that the registry answered, and has no Avro schema of that number.
var ErrNoSchema = errors.New("the registry has no such schema")

// ErrNoAnswer says that no registry could be asked.
var ErrNoAnswer = errors.New("no registry answers")

// Schema is an Avro schema as it was registered.
type Schema struct {
	Text   string
	Refers []string // schemas that it refers to; each refers only to those before it
}

// Options are what a client needs beside its configuration.
type Options struct {
	Kerberos func(name string) (kerberos.Credential, error) // finds an identity of the configuration
	Logger   *slog.Logger
}

// Client asks one registry. Safe for concurrent use.
type Client struct {
	config  Config
	options Options
	http    *http.Client
	cache   cache
}

// New makes a client. Nothing is asked yet, of anybody.
func New(c Config, o Options) *Client {
	client := &Client{config: c, options: o, cache: cache{dir: c.Cache}}
	client.http = &http.Client{
		Transport: &http.Transport{
			DialTLSContext: client.dialTLS, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		},
		// A password or a ticket must not follow to where an answer points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return client
}

// dialTLS reads the certificates anew, so that renewed ones are used.
func (c *Client) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	settings := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if c.config.TLS != nil {
		if settings, err = c.config.TLS.Client(host); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	return (&tls.Dialer{Config: settings}).DialContext(ctx, network, addr)
}

// maxReferences bounds a schema's family.
const maxReferences = 100

// answer is what the registry says of a schema.
type answer struct {
	Schema     string      `json:"schema"`
	SchemaType string      `json:"schemaType"` // "": AVRO
	References []reference `json:"references"`
}

type reference struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Schema returns the schema with a number. An error that wraps ErrNoSchema is final; any other means that no registry could tell.
func (c *Client) Schema(ctx context.Context, id uint32) (*Schema, error) {
	a, err := c.look(ctx, "schemas/ids/"+strconv.FormatUint(uint64(id), 10))
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	s := &Schema{Text: a.Schema}
	if err := c.gather(ctx, a.References, map[reference]bool{}, s); err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	return s, nil
}

// gather adds what is referred to, depth first.
func (c *Client) gather(ctx context.Context, all []reference, seen map[reference]bool, s *Schema) error {
	for _, r := range all {
		if seen[r] {
			continue
		}
		if seen[r] = true; len(seen) > maxReferences {
			return fmt.Errorf("%w: it refers to more than %d others", ErrNoSchema, maxReferences)
		}
		a, err := c.look(ctx, "subjects/"+url.PathEscape(r.Subject)+"/versions/"+strconv.Itoa(r.Version))
		if err != nil {
			return fmt.Errorf("reference %s version %d: %w", r.Subject, r.Version, err)
		}
		if err := c.gather(ctx, a.References, seen, s); err != nil {
			return err
		}
		s.Refers = append(s.Refers, a.Schema)
	}
	return nil
}

// look finds an answer in the cache, or asks for it.
func (c *Client) look(ctx context.Context, path string) (*answer, error) {
	if body, ok := c.cache.get(path); ok {
		if a, err := parse(body); err == nil {
			return a, nil
		} // a file that is damaged is made again
	}
	body, err := c.ask(ctx, path)
	if err != nil {
		return nil, err
	}
	a, err := parse(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := c.cache.put(path, body); err != nil {
		// It is worth more to go on than to be ready for an outage.
		c.options.Logger.Warn("a schema could not be kept", "error", err)
	}
	return a, nil
}

func parse(body []byte) (*answer, error) {
	var a answer
	if err := json.Unmarshal(body, &a); err != nil || a.Schema == "" {
		return nil, fmt.Errorf("the answer is no schema: %.100q; is the URL right?", body)
	}
	if a.SchemaType != "" && a.SchemaType != "AVRO" {
		return nil, fmt.Errorf("%w: it is of type %s, not AVRO", ErrNoSchema, a.SchemaType)
	}
	return &a, nil
}

// Check asks whether a registry is there and lets us in. It returns the URL that answered.
func (c *Client) Check(ctx context.Context) (string, error) {
	var failed []error
	for _, base := range c.config.URLs {
		_, err := c.get(ctx, base, "schemas/types")
		if err == nil {
			return base, nil
		}
		failed = append(failed, fmt.Errorf("%s: %w", base, err))
	}
	return "", fmt.Errorf("%w: %w", ErrNoAnswer, errors.Join(failed...))
}

// ask asks one registry after the other, until one answers.
func (c *Client) ask(ctx context.Context, path string) ([]byte, error) {
	var failed []error
	for _, base := range c.config.URLs {
		body, err := c.get(ctx, base, path)
		if err == nil || errors.Is(err, ErrNoSchema) {
			return body, err
		}
		failed = append(failed, fmt.Errorf("%s: %w", base, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrNoAnswer, errors.Join(failed...))
}

// maxAnswer is more than any schema has, in bytes.
const maxAnswer = 4 << 20

func (c *Client) get(ctx context.Context, base, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout.Std())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/json")
	if err := c.login(ctx, req); err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err // the caller names the URL
		}
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer: %w", err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	case res.StatusCode == http.StatusOK:
		return body, nil
	default:
		return nil, refusal(res, body)
	}
}

// login adds what proves who we are. It never shows in an error.
func (c *Client) login(ctx context.Context, req *http.Request) error {
	switch {
	case c.config.Kerberos != "":
		cred, err := c.options.Kerberos(c.config.Kerberos)
		if err != nil {
			return fmt.Errorf("registry.kerberos: %w", err)
		}
		token, err := kerberos.Negotiate(ctx, cred, req.URL.Hostname())
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Negotiate "+token)
	case c.config.Username != "":
		password, err := c.config.Password.Reveal()
		if err != nil {
			return fmt.Errorf("registry.password: %w", err)
		}
		req.SetBasicAuth(c.config.Username, string(bytes.TrimRight(password, "\r\n")))
	}
	return nil
}

// refusal is an answer that is none. Confluent's codes: 40403 for a schema, 40401 and 40402 for a subject and a version.
func refusal(res *http.Response, body []byte) error {
	var says struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}
	known := json.Unmarshal(body, &says) == nil && says.Message != ""
	switch {
	case known && says.Code >= 40401 && says.Code <= 40403:
		return fmt.Errorf("%w: %.200s", ErrNoSchema, says.Message)
	case res.StatusCode == http.StatusUnauthorized:
		return errors.New("it refuses the login (401): set registry.username and registry.password, registry.kerberos, or registry.tls.cert and .key")
	case res.StatusCode == http.StatusForbidden:
		return errors.New("this login may not read schemas (403): ask the registry's administrator for read access")
	case known:
		return fmt.Errorf("%s: %.200s", res.Status, says.Message)
	case res.StatusCode == http.StatusNotFound:
		return errors.New("404 Not Found: the URL leads to no registry; of Apicurio it ends in /apis/ccompat/v7")
	default:
		return errors.New(res.Status)
	}
}
