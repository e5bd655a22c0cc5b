package bench

import (
	"context"
	"net/http"

	"github.com/go-resty/resty/v2"
)

type restyV2 struct {
	client *resty.Client
}

func newRestyV2(c Config) (Peer, error) {
	client := resty.New().
		SetBaseURL(c.BaseURL).
		SetAuthToken(Token).
		SetHeader(headerTenant, Tenant).
		SetDisableWarn(true) // it warns of a token over http, which loopback is
	if c.Transport != nil {
		client.SetTransport(c.Transport)
	}
	if c.Retries > 0 {
		client.SetRetryCount(c.Retries).
			SetRetryWaitTime(0).
			SetRetryMaxWaitTime(0).
			AddRetryCondition(func(r *resty.Response, err error) bool {
				return err != nil || r.StatusCode() == http.StatusServiceUnavailable
			})
	}
	return &restyV2{client: client}, nil
}

func (p *restyV2) GetJSON(ctx context.Context) (*Item, error) {
	item := new(Item)
	resp, err := p.client.R().
		SetContext(ctx).
		SetPathParam("id", itemID).
		SetQueryParam("expand", expand).
		SetQueryParam("limit", limit).
		SetHeader("Accept", mediaJSON).
		SetHeader(headerTrace, Trace).
		SetResult(item).
		Get(itemsPath + "/{id}")
	if err != nil {
		return nil, err
	}
	return item, checkStatus(resp.StatusCode())
}

func (p *restyV2) PostJSON(ctx context.Context, in *Item) (*Item, error) {
	item := new(Item)
	resp, err := p.client.R().
		SetContext(ctx).
		SetHeader("Accept", mediaJSON).
		SetHeader(headerTrace, Trace).
		SetBody(in).
		SetResult(item).
		Post(itemsPath)
	if err != nil {
		return nil, err
	}
	return item, checkStatus(resp.StatusCode())
}

func (p *restyV2) Close() { p.client.GetClient().CloseIdleConnections() }
