package bench

import (
	"context"

	"golang.org/x/oauth2"
)

// oauth2Tokens is the source that golang.org/x/oauth2 puts around every other.
type oauth2Tokens struct{ source oauth2.TokenSource }

func newOAuth2Tokens(obtain Obtain) TokenPeer {
	return &oauth2Tokens{source: oauth2.ReuseTokenSource(nil, oauth2Obtain(obtain))}
}

func (p *oauth2Tokens) Prepare(ctx context.Context) (Carrier, error) {
	req, err := newTokenRequest(ctx)
	if err != nil {
		return Carrier{}, err
	}
	return Carrier{Header: req.Header, Authorize: func() error {
		token, err := p.source.Token()
		if err != nil {
			return err
		}
		token.SetAuthHeader(req)
		return nil
	}}, nil
}

func (*oauth2Tokens) Close() {}

// oauth2Obtain is an exchange as a source. Those of the library have no context of a caller either.
type oauth2Obtain Obtain

func (o oauth2Obtain) Token() (*oauth2.Token, error) {
	issued, err := o(context.Background())
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: issued.Text, Expiry: issued.Expiry}, nil
}
