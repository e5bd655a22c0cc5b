package connection

import (
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"

	"github.com/restconn/restconn/internal/origin"
	"github.com/restconn/restconn/internal/tokencall"
)

// tokenTransport sends token calls: with the connection's trust and client certificate, through the proxy of token
// calls.
type tokenTransport struct {
	conn    *Connection
	variant *variant
}

var _ tokencall.Derivable = tokenTransport{}

// tokenTransport returns the transport of token calls: the caller's own as it is, so that it can be taken apart.
func (c *Connection) tokenTransport() http.RoundTripper {
	if c.pool.custom != nil {
		return c.pool.custom
	}
	return tokenTransport{conn: c}
}

// RoundTrip implements [http.RoundTripper].
func (t tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	c := t.conn
	o, err := origin.Of(req.URL)
	if err != nil {
		return nil, refuse(req, err)
	}
	via, err := t.choose(req)
	if err != nil {
		return nil, refuse(req, err)
	}
	proxy := c.pool.current.Load().tokenProxy
	if t.chooses() {
		proxy = only(via)
	}
	if !o.Secure() && o.Loopback() && !c.config.insecureHTTP && !c.pool.leadsHere(o, proxy) {
		return nil, refuse(req, ErrInsecure)
	}
	key := laneKey{
		home: c.trusts(req.URL), own: true, token: true, insecure: c.config.insecureTLS,
		variant: t.variant, via: fingerprintOf(via),
	}
	if key.insecure {
		c.pool.warn(req.Context(), c.config.log())
	}
	return c.pool.roundTrip(req, key, via)
}

// chooses reports whether the flow chooses the proxy.
func (t tokenTransport) chooses() bool { return t.variant != nil && t.variant.proxy != nil }

// choose returns the proxy that the flow has chosen for a call; nil for none. New cannot know of it, and so its
// conflicts are found here.
func (t tokenTransport) choose(req *http.Request) (*url.URL, error) {
	if !t.chooses() {
		return nil, nil //nolint:nilnil // as documented
	}
	via, err := t.variant.proxy.choose(req)
	switch c := &t.conn.pool.config; {
	case err != nil || via == nil:
		return nil, err
	case c.publicOnly:
		return nil, &OptionError{Option: "WithPublicAddressesOnly", Err: errProxyResolves}
	case c.noProxy:
		return nil, &OptionError{Option: withRuntime, Err: errors.New("there are no proxies (NoProxy), and auth.Endpoint " +
			"asks for one")}
	}
	return via, nil
}

// Derive returns a transport with other roots or another proxy, each unless it is nil. The flow that has asked for it
// closes its idle connections.
func (t tokenTransport) Derive(
	roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error),
) http.RoundTripper {
	return tokenTransport{conn: t.conn, variant: &variant{roots: roots, proxy: proxy}}
}

// CloseIdleConnections closes the idle connections of a derived transport. Those of others belong to the connection.
func (t tokenTransport) CloseIdleConnections() {
	if t.variant != nil {
		t.conn.pool.forget(t.variant)
	}
}
