package bench

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"
)

type retryableHTTP struct {
	base   string
	client *retryablehttp.Client
}

func newRetryableHTTP(c Config) (Peer, error) {
	client := retryablehttp.NewClient()
	client.Logger = nil // the default writes every request to stderr
	if c.Transport != nil {
		client.HTTPClient.Transport = c.Transport
	}
	if c.Retries > 0 {
		client.RetryMax = c.Retries
		client.RetryWaitMin, client.RetryWaitMax = 0, 0
	}
	return &retryableHTTP{base: c.BaseURL, client: client}, nil
}

func (p *retryableHTTP) GetJSON(ctx context.Context) (*Item, error) {
	target, err := itemURL(p.base)
	if err != nil {
		return nil, err
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	setHeaders(req.Header)
	req.Header.Set("Authorization", "Bearer "+Token)
	return decode(p.client.Do(req))
}

func (p *retryableHTTP) PostJSON(ctx context.Context, in *Item) (*Item, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, p.base+itemsPath, body)
	if err != nil {
		return nil, err
	}
	setHeaders(req.Header)
	req.Header.Set("Content-Type", mediaJSON)
	req.Header.Set("Authorization", "Bearer "+Token)
	return decode(p.client.Do(req))
}

func (p *retryableHTTP) Close() { p.client.HTTPClient.CloseIdleConnections() }
