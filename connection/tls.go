package connection

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/restconn/restconn/internal/pemcert"
)

// CertificateSource tells the client certificate of a connection, with its private key. *keystore.Store is one.
//
// Identity is called by [New], and after that as often as [WithReloadInterval] says. ctx ends after 30 s. An answer
// that is equal to the one before changes nothing; what was returned is not to be changed. It is never called twice
// at once for one connection; its errors hold no secret.
type CertificateSource interface {
	Identity(ctx context.Context) (*tls.Certificate, error)
}

// StaticCertificate is a certificate that never changes.
func StaticCertificate(cert tls.Certificate) CertificateSource { return staticIdentity{&cert} }

type staticIdentity struct{ cert *tls.Certificate }

func (s staticIdentity) Identity(context.Context) (*tls.Certificate, error) { return s.cert, nil }

// Format shows nothing: there is a private key in it.
func (staticIdentity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "a client certificate") }

// RootSource tells the certificates that a connection trusts. *keystore.Store is one. Roots is called as
// [CertificateSource] describes it.
type RootSource interface {
	Roots(ctx context.Context) (*x509.CertPool, error)
}

// WithTrustedCA trusts the certificates in the PEM texts, beside those of the system or of [WithRootCAs]. Given again
// it adds to them. It concerns https only, token calls among it unless they have certificates of their own.
func WithTrustedCA(texts ...[]byte) Option {
	return option{"WithTrustedCA", func(cfg *config) error { return cfg.trustPEM("WithTrustedCA", texts) }}
}

// WithTrustedCAOnly is [WithTrustedCA] without those of the system. Beside [WithRootCAs], which has taken their place
// already, it is the same.
func WithTrustedCAOnly(texts ...[]byte) Option {
	return option{"WithTrustedCAOnly", func(cfg *config) error {
		cfg.pool.noSystem = true
		return cfg.trustPEM("WithTrustedCAOnly", texts)
	}}
}

// trustPEM adds the certificates of PEM texts, each of which must have one.
func (cfg *config) trustPEM(option string, texts [][]byte) error {
	if len(texts) == 0 {
		return errors.New("there is no PEM text")
	}
	for i, text := range texts {
		certs, err := pemcert.Parse(text)
		if err != nil {
			return fmt.Errorf("text %d: %w", i+1, err)
		}
		cfg.pool.authorities = append(cfg.pool.authorities, certs...)
	}
	return cfg.ofPool(option)
}

// WithRootCAs trusts what src tells in the place of the system's certificates, as a Java trust store does.
func WithRootCAs(src RootSource) Option {
	return option{"WithRootCAs", func(cfg *config) error {
		if src == nil {
			return errors.New("the source is nil")
		}
		cfg.pool.trust = src
		return cfg.ofPool("WithRootCAs")
	}}
}

// WithClientCertificate proves with a client certificate who the client is (mutual TLS). It is shown to the origins
// of this connection and to token servers, if they ask for it: not where a redirect leads elsewhere, and not to
// proxies. It does not take the place of [WithAuth].
func WithClientCertificate(src CertificateSource) Option {
	return option{"WithClientCertificate", func(cfg *config) error {
		if src == nil {
			return errors.New("the source is nil")
		}
		cfg.pool.identity = src
		return cfg.ofPool("WithClientCertificate")
	}}
}

// WithReloadInterval sets how often the sources of [WithClientCertificate], [WithRootCAs] and of proxy passwords are
// asked for news: when a request is sent, and the last time was that long ago. The default is one minute; [NoTimeout]
// means never again. What is new holds from that very request on, and the connections that were made before are
// closed when they are idle. If a source fails, what was there before stays, a warning is logged, and
// [Connection.Describe] shows it. A request waits at most 5 s for a source.
func WithReloadInterval(every time.Duration) Option {
	return option{"WithReloadInterval", func(cfg *config) error {
		if every <= 0 {
			return errors.New("the time is not positive: use NoTimeout for never")
		}
		cfg.pool.reload = every
		return cfg.ofPool("WithReloadInterval")
	}}
}

// WithInsecureSkipVerify accepts any certificate of the connection's origins and token servers, and with it anybody
// on the way who reads and changes what is sent. It is for a test against a server with a certificate of its own
// making; what such a server wants in earnest is [WithTrustedCA]. Public keys are still pinned, if they are.
// Connections that were made so are never used for requests that verify. A warning is logged once, and
// [Connection.Describe] shows it.
func WithInsecureSkipVerify() Option {
	return option{"WithInsecureSkipVerify", func(cfg *config) error {
		cfg.insecureTLS = true
		return nil
	}}
}

// identical reports whether two certificates prove the same by the same means.
func identical(a, b *tls.Certificate) bool {
	if a == nil || b == nil || len(a.Certificate) != len(b.Certificate) {
		return a == b
	}
	for i := range a.Certificate {
		if !bytes.Equal(a.Certificate[i], b.Certificate[i]) {
			return false
		}
	}
	return sameSigner(a.PrivateKey, b.PrivateKey)
}

// sameSigner reports whether two keys sign alike. One that lies in hardware may have another session: only the very
// same object is the same.
func sameSigner(a, b crypto.PrivateKey) bool {
	if own, ok := a.(interface {
		Equal(x crypto.PrivateKey) bool
	}); ok {
		return own.Equal(b)
	}
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.TypeOf(a).Comparable() && a == b
}

// checkIdentity tells what keeps a certificate from proving anything.
func checkIdentity(cert *tls.Certificate) error {
	leaf, err := leafOf(cert)
	if err != nil {
		return err
	}
	signer, ok := cert.PrivateKey.(crypto.Signer)
	if !ok {
		return errors.New("the private key cannot sign")
	}
	public, ok := signer.Public().(interface{ Equal(x crypto.PublicKey) bool })
	if !ok || !public.Equal(leaf.PublicKey) {
		return errors.New("the private key is not that of the certificate")
	}
	return nil
}

// leafOf returns the certificate itself, parsed.
func leafOf(cert *tls.Certificate) (*x509.Certificate, error) {
	switch {
	case cert == nil || len(cert.Certificate) == 0:
		return nil, errors.New("there is no certificate")
	case cert.PrivateKey == nil:
		return nil, errors.New("there is no private key")
	case cert.Leaf != nil:
		return cert.Leaf, nil
	}
	return x509.ParseCertificate(cert.Certificate[0])
}
