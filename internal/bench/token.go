package bench

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// AccessToken is the token that peers put on requests. It is as long as a JWT often is.
var AccessToken = strings.Repeat(Token, 15)

// Issued is a token as a server issues it.
type Issued struct {
	Text     string
	Obtained time.Time
	Expiry   time.Time
}

// Obtain makes one exchange for a token.
type Obtain func(ctx context.Context) (Issued, error)

// TokenPeer is one way to keep a token and to put it on requests. It is safe for concurrent use.
type TokenPeer interface {
	// Prepare returns a request of its own for one goroutine at a time.
	Prepare(ctx context.Context) (Carrier, error)
	// Close gives back what the peer holds, as far as its library has a way to.
	Close()
}

// Carrier is a request that takes a token. Its context is the one that it was prepared with.
type Carrier struct {
	Header http.Header
	// Authorize sets the Authorization header. If there is no good token, it gets one or waits for it.
	Authorize func() error
}

// TokenSpec names a [TokenPeer] and makes it.
type TokenSpec struct {
	Name string
	New  func(Obtain) TokenPeer
	// Only names the scenarios of a peer that is of interest there alone; empty means all scenarios with tokens.
	Only []string
}

// Enters reports whether the peer takes part in the scenario.
func (s TokenSpec) Enters(scenario string) bool {
	return len(s.Only) == 0 || slices.Contains(s.Only, scenario)
}

// TokenSpecs returns all peers that keep tokens, the floor first.
func TokenSpecs() []TokenSpec {
	return []TokenSpec{
		{Name: Floor, New: newNetHTTPTokens},
		{Name: "header-only", New: newHeaderOnly, Only: []string{TokenHot, TokenHotParallel}},
		{Name: "azcore", New: newAzcoreTokens},
		{Name: "oauth2", New: newOAuth2Tokens},
		{Name: "restconn", New: newRestConnTokens},
		{Name: "restconn-headers", New: newRestConnHeaders, Only: []string{TokenHot, TokenHotParallel}},
	}
}

// Reauthorize removes the header that the last call has set, and authorizes the request once more.
func (c Carrier) Reauthorize() error {
	delete(c.Header, headerAuthorization)
	return c.Authorize()
}

// authorize puts a token on a request of its own, and tells whether it is there.
func authorize(ctx context.Context, peer TokenPeer) error {
	c, err := peer.Prepare(ctx)
	if err != nil {
		return err
	}
	if err := c.Authorize(); err != nil {
		return err
	}
	if c.Header.Get(headerAuthorization) != "Bearer "+AccessToken {
		return errors.New("there is no token on the request")
	}
	return nil
}

// newTokenRequest returns the request of the peers that work on those of net/http.
func newTokenRequest(ctx context.Context) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodGet, FakeURL+itemsPath, http.NoBody)
}

// headerOnly has no token to look after: it is what the removal and the writing of the header take by themselves.
type headerOnly struct{ values []string }

func newHeaderOnly(Obtain) TokenPeer { return &headerOnly{values: []string{"Bearer " + AccessToken}} }

func (p *headerOnly) Prepare(ctx context.Context) (Carrier, error) {
	req, err := newTokenRequest(ctx)
	if err != nil {
		return Carrier{}, err
	}
	return Carrier{Header: req.Header, Authorize: func() error {
		req.Header[headerAuthorization] = p.values
		return nil
	}}, nil
}

func (*headerOnly) Close() {}
