package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// netHTTP is the floor: what a careful engineer writes by hand, without preparing anything ahead.
type netHTTP struct {
	base    string
	client  *http.Client
	retries int
	sync    bool // see newNetHTTPSync
}

func newNetHTTP(c Config) (Peer, error) {
	return &netHTTP{base: c.BaseURL, client: &http.Client{Transport: c.Transport}, retries: c.Retries}, nil
}

func (p *netHTTP) GetJSON(ctx context.Context) (*Item, error) {
	target, err := itemURL(p.base)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, err
	}
	setHeaders(req.Header)
	req.Header.Set("Authorization", "Bearer "+Token)
	return decode(p.send(req))
}

func (p *netHTTP) PostJSON(ctx context.Context, in *Item) (*Item, error) {
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
	req.Header.Set("Authorization", "Bearer "+Token)
	return decode(p.send(req))
}

// send is the loop that is written by hand. A body is sent again as far as the request has a GetBody.
func (p *netHTTP) send(req *http.Request) (*http.Response, error) {
	for attempt := 0; ; attempt++ {
		resp, err := p.client.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusServiceUnavailable || attempt == p.retries {
			return resp, nil
		}
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

func (p *netHTTP) Close() { p.client.CloseIdleConnections() }

// The functions below are what the peers that leave building and decoding to net/http share.

func itemURL(base string) (string, error) {
	u, err := url.Parse(base + itemsPath + "/" + url.PathEscape(itemID))
	if err != nil {
		return "", err
	}
	query := url.Values{}
	query.Set("expand", expand)
	query.Set("limit", limit)
	u.RawQuery = query.Encode()
	return u.String(), nil
}

func setHeaders(h http.Header) {
	h.Set("Accept", mediaJSON)
	h.Set(headerTenant, Tenant)
	h.Set(headerTrace, Trace)
}

func decode(resp *http.Response, err error) (*Item, error) {
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := checkStatus(resp.StatusCode); err != nil {
		return nil, err
	}
	item := new(Item)
	if err := json.NewDecoder(resp.Body).Decode(item); err != nil {
		return nil, err
	}
	return item, nil
}

func checkStatus(code int) error {
	if code < 200 || code > 299 {
		return fmt.Errorf("status %d", code)
	}
	return nil
}
