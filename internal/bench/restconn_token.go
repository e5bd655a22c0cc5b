package bench

import (
	"context"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// restConnTokens is what a connection puts tokens on requests with.
type restConnTokens struct {
	manager *auth.Manager
	bearer  auth.Authenticator
	headers bool // see newRestConnHeaders
}

func newRestConnTokens(obtain Obtain) TokenPeer { return makeRestConnTokens(obtain) }

// newRestConnHeaders is restconn with requests that have other headers already, among which it looks for a credential
// of the caller's. The other peers do not look.
func newRestConnHeaders(obtain Obtain) TokenPeer {
	p := makeRestConnTokens(obtain)
	p.headers = true
	return p
}

func makeRestConnTokens(obtain Obtain) *restConnTokens {
	grant := func(ctx context.Context, _ *auth.Token) (*auth.Token, error) {
		issued, err := obtain(ctx)
		if err != nil {
			return nil, err
		}
		return &auth.Token{
			Value: secrets.Static(issued.Text), Obtained: issued.Obtained, Expiry: issued.Expiry,
		}, nil
	}
	manager := auth.Manage(auth.GrantFunc(grant))
	return &restConnTokens{manager: manager, bearer: auth.Bearer(manager)}
}

func (p *restConnTokens) Prepare(ctx context.Context) (Carrier, error) {
	req, err := newTokenRequest(ctx)
	if err != nil {
		return Carrier{}, err
	}
	if p.headers {
		setHeaders(req.Header)
	}
	return Carrier{Header: req.Header, Authorize: func() error { return p.bearer.Authenticate(req) }}, nil
}

func (p *restConnTokens) Close() { _ = p.manager.Close() }
