package bench

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

type azcorePeer struct {
	base     string
	pipeline runtime.Pipeline
}

func newAzcore(c Config) (Peer, error) {
	// The base URLs of this benchmark are http.
	insecure := &policy.BearerTokenOptions{InsecureAllowCredentialWithHTTP: true}
	auth := runtime.NewBearerTokenPolicy(azcoreToken{}, []string{"items"}, insecure)
	tenant := map[string]string{headerTenant: Tenant}

	var options policy.ClientOptions
	if c.Transport != nil {
		options.Transport = &http.Client{Transport: c.Transport}
	}
	if c.Retries > 0 {
		options.Retry.MaxRetries = int32(c.Retries)
		options.Retry.RetryDelay = time.Nanosecond // the documented "no delay", -1, waits MaxRetryDelay
	}
	pipeline := runtime.NewPipeline("bench", "v1.0.0", runtime.PipelineOptions{
		PerCall:  []policy.Policy{azcoreHeaders(tenant)},
		PerRetry: []policy.Policy{auth},
	}, &options)
	return &azcorePeer{base: c.BaseURL, pipeline: pipeline}, nil
}

func (p *azcorePeer) GetJSON(ctx context.Context) (*Item, error) {
	target := runtime.JoinPaths(p.base, itemsPath, url.PathEscape(itemID))
	req, err := runtime.NewRequest(ctx, http.MethodGet, target)
	if err != nil {
		return nil, err
	}
	query := req.Raw().URL.Query()
	query.Set("expand", expand)
	query.Set("limit", limit)
	req.Raw().URL.RawQuery = query.Encode()
	return p.send(req)
}

func (p *azcorePeer) PostJSON(ctx context.Context, in *Item) (*Item, error) {
	req, err := runtime.NewRequest(ctx, http.MethodPost, runtime.JoinPaths(p.base, itemsPath))
	if err != nil {
		return nil, err
	}
	if err := runtime.MarshalAsJSON(req, in); err != nil {
		return nil, err
	}
	return p.send(req)
}

func (p *azcorePeer) send(req *policy.Request) (*Item, error) {
	req.Raw().Header.Set("Accept", mediaJSON)
	req.Raw().Header.Set(headerTrace, Trace)
	resp, err := p.pipeline.Do(req) //nolint:bodyclose // the pipeline has read and closed it
	if err != nil {
		return nil, err
	}
	if !runtime.HasStatusCode(resp, http.StatusOK, http.StatusCreated) {
		return nil, runtime.NewResponseError(resp)
	}
	item := new(Item)
	if err := runtime.UnmarshalAsJSON(resp, item); err != nil {
		return nil, err
	}
	return item, nil
}

// Close does nothing: azcore has no way to close its default transport.
func (p *azcorePeer) Close() {}

// azcoreHeaders is a policy, which is where azcore puts headers that all requests share.
type azcoreHeaders map[string]string

func (h azcoreHeaders) Do(req *policy.Request) (*http.Response, error) {
	for name, value := range h {
		req.Raw().Header.Set(name, value)
	}
	return req.Next()
}

type azcoreToken struct{}

func (azcoreToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: Token, ExpiresOn: time.Now().Add(time.Hour)}, nil
}
