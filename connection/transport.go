package connection

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

const (
	dialTimeout         = 30 * time.Second
	keepAlive           = 30 * time.Second
	tlsTimeout          = 10 * time.Second
	idleConnTimeout     = 90 * time.Second
	maxIdleConnsPerHost = 256
	maxHeaderBytes      = 256 << 10
)

// newTransport returns the default transport. net/http keeps two idle connections per host, and under parallel load
// opens a new one for most requests; this one keeps enough of them.
func newTransport(cfg *config) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true, // a dialer of one's own turns HTTP/2 off otherwise
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    tlsTimeout,
		MaxIdleConnsPerHost:    maxIdleConnsPerHost,
		MaxConnsPerHost:        cfg.maxConnsPerHost,
		IdleConnTimeout:        idleConnTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}
