package bench

import (
	"context"
	"net/http"

	"github.com/dghubble/sling"
)

type slingPeer struct {
	client *http.Client
	api    *sling.Sling
}

func newSling(c Config) (Peer, error) {
	client := &http.Client{Transport: c.Transport}
	api := sling.New().
		Client(client).
		Base(c.BaseURL).
		Set("Authorization", "Bearer "+Token).
		Set(headerTenant, Tenant)
	return &slingPeer{client: client, api: api}, nil
}

type slingQuery struct {
	Expand string `url:"expand"`
	Limit  string `url:"limit"`
}

func (p *slingPeer) GetJSON(ctx context.Context) (*Item, error) {
	return p.send(ctx, p.api.New().
		Get(itemsPath+"/"+itemID).
		QueryStruct(slingQuery{Expand: expand, Limit: limit}))
}

func (p *slingPeer) PostJSON(ctx context.Context, in *Item) (*Item, error) {
	return p.send(ctx, p.api.New().Post(itemsPath).BodyJSON(in))
}

func (p *slingPeer) send(ctx context.Context, s *sling.Sling) (*Item, error) {
	req, err := s.Set("Accept", mediaJSON).Set(headerTrace, Trace).Request()
	if err != nil {
		return nil, err
	}
	item := new(Item)
	resp, err := s.Do(req.WithContext(ctx), item, nil) //nolint:bodyclose // Do closes it
	if err != nil {
		return nil, err
	}
	return item, checkStatus(resp.StatusCode)
}

func (p *slingPeer) Close() { p.client.CloseIdleConnections() }
