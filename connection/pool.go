package connection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/internal/flight"
	"github.com/restconn/restconn/internal/redact"
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

// material is what connections are made with and what may change with time.
type material struct {
	roots             *x509.CertPool // nil for those of the system
	identity          *tls.Certificate
	proxy, tokenProxy route
	proxies           [3]fingerprint // both, and that of the platform, to compare
}

// generation is a set of transports that are made with the same material. When it ends, another one takes its place,
// and its connections are closed as they become idle; of HTTP/2, one that was busy at that moment once it has been
// idle for idleConnTimeout.
type generation struct {
	material

	pool  *pool
	next  atomic.Int64 // when to look for new material, in nanoseconds since pool.began
	ends  int64        // when it is too old, likewise; 0 for never
	lanes [lanes]atomic.Pointer[lane]

	census census

	mu      sync.Mutex
	derived map[laneKey]*lane
}

// laneKey tells apart requests that must not share connections.
type laneKey struct {
	home     bool // it goes to an origin of the connection: HTTP version and pins hold
	own      bool // the connection has chosen the URL, and no foreign server: the client certificate is shown
	token    bool // it is a token call
	insecure bool // certificates are not checked
	variant  *variant
	via      fingerprint // of the proxy that the variant has chosen for the request
}

// variant is what a token flow has asked for beside what the connection has.
type variant struct {
	roots *x509.CertPool // nil for those of the connection
	proxy proxyFunc      // nil for that of the connection
	gone  atomic.Bool    // the flow needs it no longer
}

// lanes is how many keys there are without a variant.
const lanes = 16

func (k laneKey) index() int {
	n := 0
	for i, bit := range []bool{k.home, k.own, k.token, k.insecure} {
		if bit {
			n |= 1 << i
		}
	}
	return n
}

const (
	// materialLimit bounds the reading of certificates and passwords.
	materialLimit = 30 * time.Second
	// materialPatience is how long a request waits for it, before it goes on with what there is.
	materialPatience = 5 * time.Second
)

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

// newGeneration makes a generation. next is when to look for new material.
func (p *pool) newGeneration(m material, next int64) *generation {
	g := &generation{material: m, pool: p}
	g.next.Store(next)
	if lifetime := p.config.lifetime; lifetime > 0 {
		const tenth = 10
		early := rand.Int64N(int64(lifetime)/tenth + 1) //nolint:gosec // so that a fleet does not connect anew all at once
		g.ends = p.after(lifetime - time.Duration(early))
	}
	return g
}

// now returns the time, in nanoseconds since the pool began.
func (p *pool) now() int64 { return int64(time.Since(p.began)) }

// after returns the time when d will have passed.
func (p *pool) after(d time.Duration) int64 {
	now := p.now()
	return now + int64(min(d, NoTimeout-time.Duration(now)))
}

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

// changes reports whether a generation ends other than with the pool.
func (p *pool) changes() bool {
	c := &p.config
	return c.lifetime > 0 || c.trust != nil || c.identity != nil || c.proxy.Password != nil ||
		c.tokenProxy.Password != nil || c.platform.Password != nil
}

// generation returns the current one. It may have to wait for the next, but not for long: where a source is slow, the
// others go on, and use what it says when it has answered.
func (p *pool) generation(ctx context.Context) (*generation, error) {
	g := p.current.Load()
	if !p.changes() {
		return g, nil
	}
	now := p.now()
	if g.ends > 0 && now >= g.ends {
		g, _ = p.begin(g, g.material, g.next.Load())
	}
	if now < g.next.Load() {
		return g, nil
	}
	patience, cancel := context.WithTimeout(ctx, materialPatience)
	defer cancel()
	next, err := p.loads.Do(patience, struct{}{}, materialLimit, p.reload)
	switch {
	case err == nil:
		return next, nil
	case ctx.Err() != nil:
		return nil, &dialError{err}
	case patience.Err() != nil:
		err = errNoAnswer
	}
	p.report(err)
	g = p.current.Load()
	g.next.Store(p.after(p.config.reload))
	return g, nil
}

var errNoAnswer = fmt.Errorf("a source of certificates or passwords has not answered within %v", materialPatience)

// begin begins a generation in the place of old. If somebody else has done so, it returns that one, and false.
func (p *pool) begin(old *generation, m material, next int64) (*generation, bool) {
	g := p.newGeneration(m, next)
	if !p.current.CompareAndSwap(old, g) {
		return p.current.Load(), false
	}
	old.sweep()
	return g, true
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

// lane returns the transport for requests of that key. via is the proxy that the variant has chosen.
func (g *generation) lane(key laneKey, via *url.URL) *lane {
	if key.variant == nil {
		slot := &g.lanes[key.index()]
		if l := slot.Load(); l != nil {
			return l
		}
		slot.CompareAndSwap(nil, newLane(g, key, nil))
		return slot.Load()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.derived == nil {
		g.derived = make(map[laneKey]*lane)
	}
	if l := g.derived[key]; l != nil {
		return l
	}
	l := newLane(g, key, via)
	if key.variant.gone.Load() { // nobody would close its connections
		l.transport.DisableKeepAlives = true
		return l
	}
	g.derived[key] = l
	return l
}

// closeIdle closes the connections that nobody uses.
func (g *generation) closeIdle() {
	for i := range g.lanes {
		if l := g.lanes[i].Load(); l != nil {
			l.transport.CloseIdleConnections()
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.derived {
		l.transport.CloseIdleConnections()
	}
}

// forget closes and drops the transports of a variant, as soon as nobody uses their connections.
func (p *pool) forget(v *variant) {
	v.gone.Store(true)
	g := p.current.Load()
	g.mu.Lock()
	defer g.mu.Unlock()
	busy := false
	for key, l := range g.derived {
		if key.variant != v {
			continue
		}
		l.transport.CloseIdleConnections()
		if l.open.Load() == 0 {
			delete(g.derived, key)
		} else {
			busy = true
		}
	}
	if busy {
		time.AfterFunc(sweepEvery, func() { p.forget(v) })
	}
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
