package oauth2flow

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/secrets"
)

var errSecretInURL = errors.New("a secret would stand in the URL: Encoding is Query, or OverrideProtocol put it there")

// tokenRequest is a call to the authorization server while it is put together.
type tokenRequest struct {
	url    string // without what is added
	header http.Header
	params Params   // of the protocol, by their standard names
	added  Params   // of the configuration
	query  Params   // of the configuration, in the URL
	hidden []string // texts that the server may know and nobody else
	names  map[string]string
	own    Params // of this kind of call, in place of those of the client
}

// newRequest returns an empty request.
func (c *Client) newRequest(target string) *tokenRequest {
	r := &tokenRequest{url: target, header: c.Header.Clone(), names: c.Names}
	if r.header.Get("Accept") == "" {
		r.header.Set("Accept", "application/json")
	}
	return r
}

// add adds a parameter.
func (r *tokenRequest) add(name, value string) {
	r.params = append(r.params, Param{Name: name, Value: value})
	if !isPlain(name) && name != fieldClientID {
		r.conceal(value)
	}
}

// addSecret adds a parameter that p has, and that may not be empty.
func (r *tokenRequest) addSecret(ctx context.Context, name string, p secrets.Provider) error {
	text, err := reveal(ctx, name, p)
	if err != nil {
		return err
	}
	if text == "" {
		return fmt.Errorf("%w: the %s is empty", auth.ErrNoCredential, name)
	}
	r.add(name, text)
	r.conceal(text)
	return nil
}

// conceal keeps a text out of errors.
func (r *tokenRequest) conceal(text string) { r.hidden = append(r.hidden, text) }

// authenticate adds the proof of who the client is.
func (r *tokenRequest) authenticate(ctx context.Context, c *Client) error {
	if err := c.method().apply(ctx, c, r); err != nil {
		return fmt.Errorf("oauth2flow: %w", err)
	}
	return nil
}

// proofs returns how many methods of client authentication the request has (RFC 6749, section 2.3).
func (r *tokenRequest) proofs() int {
	n := len(r.header["Authorization"])
	for _, p := range slices.Concat(r.protocol(), r.added, r.query) {
		if p.Name == fieldClientSecret || p.Name == fieldClientAssertion {
			n++
		}
	}
	return n
}

// protocol returns the parameters of the protocol that are sent.
func (r *tokenRequest) protocol() Params {
	return slices.DeleteFunc(slices.Clone(r.params), func(p Param) bool {
		name, ok := r.names[p.Name]
		return ok && name == ""
	})
}

// extend adds what the configuration adds to every token call.
func (r *tokenRequest) extend(c *Client) {
	for _, resource := range c.Resources {
		r.add(fieldResource, resource)
	}
	params := append(c.Params.without(r.own), r.own...)
	if c.OverrideProtocol {
		r.params = r.params.without(params)
	}
	for _, p := range params {
		if c.ParamsInQuery {
			r.query = append(r.query, p)
		} else {
			r.added = append(r.added, p)
		}
		if !isPlain(p.Name) && p.Name != fieldClientID {
			r.conceal(p.Value)
		}
	}
}

// build returns the request as it is sent.
func (r *tokenRequest) build(ctx context.Context, e Encoding) (*http.Request, error) {
	protocol := r.protocol()
	inURL, sent, query := r.query, slices.Concat(rename(protocol, r.names), r.added), r.query
	if e == Query {
		inURL = slices.Concat(r.query, protocol, r.added)
		sent, query = nil, slices.Concat(r.query, sent)
	}
	if slices.ContainsFunc(inURL, func(p Param) bool { return isSecret(p.Name) }) {
		return nil, fmt.Errorf("oauth2flow: %w", errSecretInURL)
	}
	if r.proofs() > 1 {
		return nil, errors.New("oauth2flow: there are two methods of client authentication")
	}
	body, err := e.body(sent)
	if err != nil {
		return nil, fmt.Errorf("oauth2flow: the parameters cannot be written: %w", err)
	}
	u, err := url.Parse(r.url)
	if err != nil {
		return nil, errors.New("oauth2flow: the URL is malformed")
	}
	u.RawQuery = withQuery(u.RawQuery, query)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), body)
	if err != nil {
		return nil, errors.New("oauth2flow: the request cannot be made")
	}
	req.Header = r.header
	if media := e.media(); media != "" && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", media)
	}
	return req, nil
}

// shown returns the URL as errors show it.
func (r *tokenRequest) shown() string {
	u, err := url.Parse(r.url)
	if err != nil {
		return ""
	}
	return redact.URL(u)
}

// scrubber returns what masks the secrets of the request.
func (r *tokenRequest) scrubber() redact.Scrubber {
	return redact.NewScrubber(r.header, "", "", r.hidden)
}
