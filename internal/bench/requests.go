package bench

import (
	"context"
	"net/http"

	"github.com/carlmjohnson/requests"
)

type requestsPeer struct {
	client *http.Client
	api    *requests.Builder
}

func newRequests(c Config) (Peer, error) {
	client := &http.Client{Transport: c.Transport}
	api := requests.URL(c.BaseURL).Client(client).Bearer(Token).Header(headerTenant, Tenant)
	return &requestsPeer{client: client, api: api}, nil
}

func (p *requestsPeer) GetJSON(ctx context.Context) (*Item, error) {
	item := new(Item)
	err := p.api.Clone().
		Pathf(itemsPath+"/%s", itemID).
		Param("expand", expand).
		Param("limit", limit).
		Accept(mediaJSON).
		Header(headerTrace, Trace).
		ToJSON(item).
		Fetch(ctx)
	if err != nil {
		return nil, err
	}
	return item, nil
}

func (p *requestsPeer) PostJSON(ctx context.Context, in *Item) (*Item, error) {
	item := new(Item)
	err := p.api.Clone().
		Path(itemsPath).
		Accept(mediaJSON).
		Header(headerTrace, Trace).
		BodyJSON(in).
		ToJSON(item).
		Fetch(ctx)
	if err != nil {
		return nil, err
	}
	return item, nil
}

func (p *requestsPeer) Close() { p.client.CloseIdleConnections() }
