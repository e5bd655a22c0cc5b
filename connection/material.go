package connection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/redact"
)

// material is what connections are made with and what may change with time.
type material struct {
	roots             *x509.CertPool // nil for those of the system
	identity          *tls.Certificate
	proxy, tokenProxy route
	proxies           [3]fingerprint // both, and that of the platform, to compare
}

const (
	// materialLimit bounds the reading of certificates and passwords.
	materialLimit = 30 * time.Second
	// materialPatience is how long a request waits for it, before it goes on with what there is.
	materialPatience = 5 * time.Second
)

// load reads the material.
func (p *pool) load(ctx context.Context) (material, error) {
	var m material
	var errs [5]error
	m.roots, errs[0] = p.loadRoots(ctx)
	if p.config.identity != nil {
		m.identity, errs[1] = loadIdentity(ctx, p.config.identity)
	}
	platform, text, err := p.openProxy(ctx, "WithRuntime", p.config.platform, p.platform)
	errs[2] = err
	m.proxy, m.proxies[0], errs[3] = p.openProxy(ctx, "WithProxy", p.config.proxy, platform)
	m.tokenProxy, m.proxies[1], errs[4] = p.openProxy(ctx, "WithTokenProxy", p.config.tokenProxy, platform)
	m.proxies[2] = text
	return m, errors.Join(errs[:]...)
}

// loadRoots returns the certificates to trust.
func (p *pool) loadRoots(ctx context.Context) (*x509.CertPool, error) {
	c := &p.config
	var roots *x509.CertPool
	switch {
	case c.trust != nil:
		loaded, err := flight.Catch(func() (*x509.CertPool, error) { return c.trust.Roots(ctx) })
		if err == nil && loaded == nil {
			err = errors.New("the source has no certificates")
		}
		if err != nil {
			return nil, &OptionError{Option: "WithRootCAs", Err: err}
		}
		roots = loaded
	case c.noSystem:
		roots = x509.NewCertPool()
	case len(c.authorities) > 0:
		system, err := x509.SystemCertPool()
		if err != nil {
			return nil, &OptionError{Option: "WithTrustedCA", Err: err}
		}
		roots = system
	default:
		return nil, nil //nolint:nilnil // nil is what tls.Config wants
	}
	if len(c.authorities) > 0 {
		roots = roots.Clone() // the source may give it to others
		for _, cert := range c.authorities {
			roots.AddCert(cert)
		}
	}
	return roots, nil
}

func loadIdentity(ctx context.Context, src CertificateSource) (*tls.Certificate, error) {
	cert, err := flight.Catch(func() (*tls.Certificate, error) { return src.Identity(ctx) })
	if err == nil {
		err = checkIdentity(cert)
	}
	return cert, wrapOption("WithClientCertificate", err)
}

// reload reads the material again, and begins the next generation with it if there is anything new.
func (p *pool) reload(ctx context.Context) (*generation, error) {
	if g := p.current.Load(); p.now() < g.next.Load() {
		return g, nil
	}
	m, err := p.load(ctx)
	next := p.after(p.config.reload)
	if err != nil {
		p.report(err)
		g := p.current.Load()
		g.next.Store(next)
		return g, nil
	}
	p.fault.Store(nil)
	for {
		g := p.current.Load()
		if m.equal(&g.material) {
			g.next.Store(next)
			return g, nil
		}
		if g, ok := p.begin(g, m, next); ok {
			return g, nil
		}
	}
}

// report says once that the material could not be read again.
func (p *pool) report(err error) {
	text := redact.Line(err.Error())
	if last := p.fault.Swap(&text); last != nil && *last == text {
		return
	}
	p.logger.Warn("certificates or proxy password could not be read again: those from before stay in use",
		slog.String("error", text))
}

func (m *material) equal(other *material) bool {
	return m.proxies == other.proxies && identical(m.identity, other.identity) &&
		(m.roots == other.roots || m.roots != nil && other.roots != nil && m.roots.Equal(other.roots))
}
