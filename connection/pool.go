package connection

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/sendonce"
)

// poolConfig is what the options have set that concerns how connections are made. A derived connection shares it.
type poolConfig struct {
	authorities []*x509.Certificate // trusted beside the roots
	noSystem    bool                // without the roots of the system
	trust       RootSource
	identity    CertificateSource
	reload      time.Duration
	pins        []string
	version     HTTPVersion
	proxy       Proxy
	tokenProxy  Proxy
	noProxy     bool  // the runtime has none
	platform    Proxy // of the runtime
	dial        DialFunc
	dialTo      string // host and port in the place of those of the base URL
	publicOnly  bool
	maxConns    int
	lifetime    time.Duration

	given []string // the names of the options that have set it
}

const defaultReload = time.Minute

// pool holds the connections of a Connection and of those derived from it.
type pool struct {
	custom http.RoundTripper // the caller's, in the place of all that follows

	config   poolConfig
	timeouts Timeouts
	base     *url.URL
	platform route // what the environment says
	logger   *slog.Logger

	began   time.Time
	current atomic.Pointer[generation]
	loads   flight.Group[struct{}, *generation]
	fault   atomic.Pointer[string] // why the last reload failed; nil if it did not
	warned  sync.Once              // of certificates that are not checked
	drained atomic.Bool            // the connection that it was made for is closed
	users   atomic.Int64           // connections that are not closed
}

// newPool opens what the connections are made with. The pool is there also where there is an error.
func newPool(cfg *config, base *url.URL) (*pool, error) {
	p := &pool{custom: cfg.transport, config: cfg.pool, timeouts: cfg.timeouts, base: base, began: time.Now()}
	p.logger = cfg.log()
	if p.custom != nil {
		return p, nil
	}
	var envErr error
	if p.config.asksEnvironment() {
		p.platform, envErr = fromEnvironment()
	}
	ctx, cancel := context.WithTimeout(context.Background(), materialLimit)
	defer cancel()
	m, err := flight.Catch(func() (material, error) { return p.load(ctx) })
	p.current.Store(p.newGeneration(m, p.after(p.config.reload)))
	return p, errors.Join(wrapOption("WithProxy", envErr), err, p.conflicts(&m))
}

// now returns the time, in nanoseconds since the pool began.
func (p *pool) now() int64 { return int64(time.Since(p.began)) }

// after returns the time when d will have passed.
func (p *pool) after(d time.Duration) int64 {
	now := p.now()
	return now + int64(min(d, NoTimeout-time.Duration(now)))
}

// roundTrip sends a request. via is the proxy that the variant of the key has chosen.
func (p *pool) roundTrip(req *http.Request, key laneKey, via *url.URL) (*http.Response, error) {
	if p.custom != nil {
		return p.sendCustom(req)
	}
	g, err := p.generation(req.Context())
	if err != nil {
		return nil, refuse(req, err)
	}
	return g.lane(key, via).roundTrip(req)
}

// warn says once, to the first who listens, that certificates are not checked.
func (p *pool) warn(ctx context.Context, l *slog.Logger) {
	if p.custom != nil || !l.Enabled(ctx, slog.LevelWarn) {
		return
	}
	p.warned.Do(func() {
		l.WarnContext(context.WithoutCancel(ctx), "TLS certificates are not checked (WithInsecureSkipVerify): "+
			"whoever is on the way can read and change what is sent")
	})
}

// sendCustom sends a request with the caller's transport.
func (p *pool) sendCustom(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" && onlyOnce(req) { // there may be an http.Transport somewhere in it
		return sendonce.RoundTrip(p.custom, req, false)
	}
	return p.custom.RoundTrip(req)
}

// leave says that a connection is closed. It closes what nobody uses, if that is the pool's own; where no connection
// is left, also what is in use now, once it is not.
func (p *pool) leave() {
	p.users.Add(-1)
	if p.custom == nil && p.drained.Load() {
		p.current.Load().sweep()
	}
}

// timeout returns the error of a limit that net/http keeps for us, and tells in a text.
func (p *pool) timeout(err error) error {
	const waiting = "timeout awaiting response headers"
	if err != nil && p.timeouts.ResponseHeader != NoTimeout && strings.HasSuffix(err.Error(), waiting) {
		return &TimeoutError{Phase: PhaseHeader, Limit: p.timeouts.ResponseHeader}
	}
	return err
}
