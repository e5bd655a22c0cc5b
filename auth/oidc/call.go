package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/tokencall"
)

// callConfig returns how the calls of an endpoint are sent.
func callConfig(e auth.Endpoint) tokencall.Config {
	return tokencall.Config{
		Client: e.Client, CA: e.TrustedCA, CAOnly: e.TrustedCAOnly, Proxy: e.Proxy, AllowHTTP: e.AllowHTTP,
	}
}

// sendGet sends a GET, which takes 30 s at most, whatever the deadline of ctx. Beside an error there may be an answer.
func sendGet(ctx context.Context, e auth.Endpoint, target *url.URL, header http.Header) (*tokencall.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, tokencall.Timeout)
	defer cancel()
	caller, err := tokencall.New(callConfig(e), nil)
	if err != nil {
		return nil, err
	}
	defer caller.Close() //nolint:errcheck // it never fails
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	req.Header = header
	return caller.Do(req)
}

// parseTarget reads the URL of a call.
func parseTarget(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || text == "" {
		return nil, errors.New("it is empty or no URL")
	}
	return u, nil
}

// shownURL returns a URL as errors show it.
func shownURL(u *url.URL) string { return redact.URL(u) }
