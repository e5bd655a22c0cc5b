package connection

import (
	"crypto/x509"
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
	proxy := t.proxy()
	if !o.Secure() && o.Loopback() && !c.config.insecureHTTP && !c.pool.leadsHere(o, proxy) {
		return nil, refuse(req, ErrInsecure)
	}
	if c.pool.config.publicOnly && proxy != nil { // New cannot know of it
		return nil, refuse(req, &OptionError{Option: "WithPublicAddressesOnly", Err: errProxyResolves})
	}
	key := laneKey{home: c.trusts(req.URL), own: true, token: true, insecure: c.config.insecureTLS, variant: t.variant}
	if key.insecure {
		c.pool.warn(req.Context(), c.config.log())
	}
	resp, err := c.pool.roundTrip(req, key)
	return resp, c.pool.timeout(err)
}

// proxy returns the route of the calls.
func (t tokenTransport) proxy() route {
	if t.variant != nil && t.variant.proxy != nil {
		return t.variant.proxy
	}
	return t.conn.pool.current.Load().tokenProxy
}

// Derive returns a transport with other roots or another proxy, each unless it is nil. The flow that has asked for it
// closes its idle connections.
func (t tokenTransport) Derive(
	roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error),
) http.RoundTripper {
	v := &variant{roots: roots}
	if proxy != nil {
		v.proxy = chosen(proxy)
	}
	return tokenTransport{conn: t.conn, variant: v}
}

// CloseIdleConnections closes the idle connections of a derived transport. Those of others belong to the connection.
func (t tokenTransport) CloseIdleConnections() {
	if t.variant != nil {
		t.conn.pool.forget(t.variant)
	}
}
