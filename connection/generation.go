package connection

import (
	"context"
	"crypto/x509"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// generation is a set of transports that are made with the same material. When it ends, another one takes its place,
// and its connections are closed as they become idle.
type generation struct {
	material

	pool  *pool
	next  atomic.Int64 // when to look for new material, in nanoseconds since pool.began
	ends  int64        // when it is too old, likewise; 0 for never
	lanes [lanes]atomic.Pointer[lane]

	sweeping atomic.Bool // a sweep is to come

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

// made yields the lanes that there are.
func (g *generation) made() iter.Seq[*lane] {
	return func(yield func(*lane) bool) {
		for i := range g.lanes {
			if l := g.lanes[i].Load(); l != nil && !yield(l) {
				return
			}
		}
		g.mu.Lock()
		derived := slices.Collect(maps.Values(g.derived))
		g.mu.Unlock()
		for _, l := range derived {
			if !yield(l) {
				return
			}
		}
	}
}

// closeIdle closes the connections that nobody uses.
func (g *generation) closeIdle() {
	for l := range g.made() {
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
