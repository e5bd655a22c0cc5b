package bench

import (
	"context"

	"resty.dev/v3"
)

type restyV3 struct {
	client *resty.Client
}

func newRestyV3(c Config) (Peer, error) {
	client := resty.New().
		SetBaseURL(c.BaseURL).
		SetAuthToken(Token).
		SetHeader(headerTenant, Tenant).
		SetLoggerWarnLevel(true) // true means silent: it warns of a token over http, which loopback is
	if c.Transport != nil {
		client.SetTransport(c.Transport)
	}
	if c.Retries > 0 {
		client.SetRetryCount(c.Retries).
			SetRetryDelayStrategy(resty.RetryConstantDelayStrategy(0)).
			AddRetryConditions(resty.RetryConditionStatus5XX)
	}
	return &restyV3{client: client}, nil
}

func (p *restyV3) GetJSON(ctx context.Context) (*Item, error) {
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

func (p *restyV3) PostJSON(ctx context.Context, in *Item) (*Item, error) {
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

func (p *restyV3) Close() { _ = p.client.Close() }
