package auth

import (
	"net/http"
	"net/url"
)

// Endpoint says how the calls of a token flow are sent. The zero Endpoint sends them with the trust, the client
// certificate and the time limits of the connection, without its credentials and without redirects, through the proxy
// that the connection has for them: that of the platform, unless connection.WithTokenProxy says otherwise. Outside a
// connection they are sent by http.DefaultTransport.
type Endpoint struct {
	// Client takes the place of the connection's. Its Transport is used, and nothing else of it.
	Client *http.Client
	// TrustedCA are certificates in PEM to trust beside those of the system, for token calls only. What the
	// connection trusts has then no effect on them.
	TrustedCA []byte
	// TrustedCAOnly lets TrustedCA take the place of the system's certificates.
	TrustedCAOnly bool
	// Proxy is the proxy of token calls, such as http.ProxyURL(u). It is asked once for each call. Nil is that of the
	// connection.
	Proxy func(*http.Request) (*url.URL, error)
	// AllowHTTP sends credentials over plain http to other machines than this one.
	AllowHTTP bool
}

// IsZero reports whether nothing is set.
func (e Endpoint) IsZero() bool {
	return e.Client == nil && len(e.TrustedCA) == 0 && !e.TrustedCAOnly && e.Proxy == nil && !e.AllowHTTP
}
