package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"golang.org/x/oauth2"
)

// oauth2Peer is hand-written code over the client of golang.org/x/oauth2, which adds the credential.
type oauth2Peer struct {
	base   string
	client *http.Client
}

func newOAuth2(c Config) (Peer, error) {
	ctx := context.Background()
	if c.Transport != nil {
		ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: c.Transport})
	}
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: Token})
	return &oauth2Peer{base: c.BaseURL, client: oauth2.NewClient(ctx, source)}, nil
}

func (p *oauth2Peer) GetJSON(ctx context.Context) (*Item, error) {
	target, err := itemURL(p.base)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, err
	}
	setHeaders(req.Header)
	return decode(p.client.Do(req))
}

func (p *oauth2Peer) PostJSON(ctx context.Context, in *Item) (*Item, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+itemsPath, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	setHeaders(req.Header)
	req.Header.Set("Content-Type", mediaJSON)
	return decode(p.client.Do(req))
}

func (p *oauth2Peer) Close() { p.client.CloseIdleConnections() }
