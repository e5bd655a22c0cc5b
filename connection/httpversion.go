package connection

import (
	"errors"
	"net/http"
)

// HTTPVersion is which HTTP a connection speaks.
type HTTPVersion string

// The versions. HTTP/3 is not among them.
const (
	// HTTP2Preferred, the default, is HTTP/2 where the server offers it in the TLS handshake, and HTTP/1.1 elsewhere.
	HTTP2Preferred HTTPVersion = "HTTP/2 or HTTP/1.1"
	// HTTP11 is HTTP/1.1 with every server.
	HTTP11 HTTPVersion = "HTTP/1.1"
	// HTTP2Required is HTTP/2; a server that does not offer it is an error, before anything is sent. It wants https.
	HTTP2Required HTTPVersion = "HTTP/2"
	// HTTP2Unencrypted is HTTP/2 on http too, without asking: the server must be known to speak it (RFC 9113, section
	// 3.3). On https it is HTTP2Required.
	HTTP2Unencrypted HTTPVersion = "HTTP/2, unencrypted on http"
)

// ErrNoHTTP2 means that a server does not offer HTTP/2, which [HTTP2Required] demands. Nothing was sent.
var ErrNoHTTP2 = errors.New("the server does not offer HTTP/2, which WithHTTPVersion demands " +
	"(HTTP2Preferred would do with HTTP/1.1)")

// WithHTTPVersion sets which HTTP is spoken with the service. The default is [HTTP2Preferred]. Token calls that leave
// the connection's origins, and redirects that do, always speak HTTP2Preferred.
func WithHTTPVersion(v HTTPVersion) Option {
	return option{"WithHTTPVersion", func(cfg *config) error {
		switch v {
		case HTTP2Preferred, HTTP11, HTTP2Required, HTTP2Unencrypted:
		default:
			return errors.New("it is none of the versions: HTTP2Preferred, HTTP11, HTTP2Required, HTTP2Unencrypted")
		}
		cfg.pool.version = v
		return cfg.ofPool("WithHTTPVersion")
	}}
}

// protocols returns what net/http is to speak.
func (v HTTPVersion) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(v == HTTP2Preferred || v == HTTP11)
	p.SetHTTP2(v != HTTP11)
	p.SetUnencryptedHTTP2(v == HTTP2Unencrypted)
	return p
}

// offers returns what the TLS handshake offers (ALPN, RFC 7301).
func (v HTTPVersion) offers() []string {
	var names []string
	p := v.protocols()
	if p.HTTP2() {
		names = append(names, "h2")
	}
	if p.HTTP1() {
		names = append(names, "http/1.1")
	}
	return names
}
