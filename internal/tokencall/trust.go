package tokencall

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
)

// withRoots returns the TLS configuration of t with other roots, which are checked even if t checks nothing. A client
// certificate stays.
func withRoots(t *http.Transport, roots *x509.CertPool) *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.TLSClientConfig != nil {
		cfg = t.TLSClientConfig.Clone()
	}
	cfg.RootCAs, cfg.InsecureSkipVerify = roots, false
	return cfg
}
