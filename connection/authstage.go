package connection

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/origin"
)

// authState is an authenticator as a connection uses it: validated, bound and searched for what it can do.
type authState struct {
	authenticator auth.Authenticator
	challengers   []auth.Challenger
	none          bool
	closer        io.Closer
}

// bind makes an authenticator ready for use on this connection, or for one call of it.
func (c *Connection) bind(a auth.Authenticator, call bool) (authState, error) {
	if err := auth.Validate(a); err != nil {
		return authState{}, err
	}
	if auth.IsNone(a) {
		return authState{authenticator: a, none: true}, nil
	}
	host := c.host()
	host.Call = call
	bound, err := auth.Bind(a, host)
	if err != nil {
		return authState{}, err
	}
	s := authState{authenticator: bound, challengers: slices.Collect(auth.Find[auth.Challenger](bound))}
	if _, ok := a.(auth.Binder); ok { // only what was bound is ours to close
		if c, ok := bound.(io.Closer); ok {
			s.closer = c
		}
	}
	return s, nil
}

// release closes what bind has bound.
func (s *authState) release() error {
	if s.closer == nil {
		return nil
	}
	return s.closer.Close()
}

// authStage puts the credentials on an attempt, if its URL lies within the connection's origins.
type authStage struct{ next http.RoundTripper }

func (s authStage) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	resp, err := s.send(x, req)
	if resp != nil {
		resp.Request = x.hop // and not the one with the credential
		if len(x.conn.config.attemptMiddleware) > 0 {
			resp.Request = x.bare()
		}
	}
	return resp, err
}

func (s authStage) send(x *Exchange, req *http.Request) (*http.Response, error) {
	x.query = ""
	if isForeign(req) || x.auth.none {
		return s.next.RoundTrip(req)
	}
	if err := x.mayCarryCredentials(req.URL); err != nil {
		return nil, refuse(req, err)
	}
	// What the server thinks of the caller's own credential is the caller's to learn.
	if len(x.auth.challengers) == 0 || x.call.has("Authorization") {
		if err := authenticate(x, req); err != nil {
			return nil, refuse(req, err)
		}
		return s.next.RoundTrip(req)
	}
	return s.challengeable(x, req)
}

// challengeable sends a request that may be sent once more after a challenge.
func (s authStage) challengeable(x *Exchange, req *http.Request) (*http.Response, error) {
	query := req.URL.RawQuery
	var bare http.Header
	if len(x.conn.config.attemptMiddleware) > 0 || x.conn.config.jar != nil { // they have changed it
		bare = maps.Clone(req.Header)
	}
	if err := authenticate(x, req); err != nil {
		return nil, refuse(req, err)
	}
	resp, err := s.next.RoundTrip(req)
	if err != nil || resp.StatusCode < http.StatusBadRequest {
		return resp, err
	}
	resend, err := challenged(x.auth.challengers, req, resp)
	if err != nil {
		discardSoon(resp)
		return nil, asAuthError(err)
	}
	if !resend || hasBody(req) && req.GetBody == nil {
		return resp, nil
	}
	if bare == nil {
		bare = x.bare().Header
	}
	again := req.WithContext(req.Context())
	again.Header, again.URL = maps.Clone(bare), cloneURL(req.URL)
	again.URL.RawQuery = query
	if err := authenticate(x, again); err != nil {
		discardSoon(resp)
		return nil, err
	}
	if again.URL.RawQuery == req.URL.RawQuery && reflect.DeepEqual(again.Header, req.Header) {
		return resp, nil // the caller's own credential was rejected: the same request would be again
	}
	discardSoon(resp)
	if hasBody(req) {
		if again.Body, err = openAgain(req.GetBody); err != nil {
			return nil, err
		}
	}
	return s.next.RoundTrip(again)
}

func hasBody(req *http.Request) bool { return req.Body != nil && req.Body != http.NoBody }

// challenged asks every challenger, since each has to learn of the rejection.
func challenged(challengers []auth.Challenger, req *http.Request, resp *http.Response) (bool, error) {
	resend := false
	var errs []error
	for _, c := range challengers {
		again, err := c.Challenged(req, resp)
		resend = resend || again
		if err != nil {
			errs = append(errs, err)
		}
	}
	return resend, errors.Join(errs...)
}

func asAuthError(err error) error {
	if as[*auth.Error](err) {
		return err
	}
	return &auth.Error{Err: err}
}

// authenticate lets the authenticator change headers and query of the request, and nothing else.
func authenticate(x *Exchange, req *http.Request) error {
	method, before := req.Method, *req.URL
	if err := x.auth.authenticator.Authenticate(req); err != nil {
		return asAuthError(err)
	}
	u := req.URL
	if u == nil || u.Scheme != before.Scheme || u.Host != before.Host || u.EscapedPath() != before.EscapedPath() ||
		req.Method != method || req.Host != before.Host {
		return &auth.Error{Err: errors.New("the authenticator changed more than headers and query")}
	}
	if err := validateURL(req.URL); err != nil {
		return &auth.Error{Err: fmt.Errorf("the authenticator changed the URL: %w", err)}
	}
	x.query = req.URL.RawQuery
	return nil
}

// refuse closes the request body, as a RoundTripper must, and returns err.
func refuse(req *http.Request, err error) error {
	if req.Body != nil {
		_ = req.Body.Close()
	}
	return err
}

// checkOrigin refuses a call that goes to a foreign origin, or in clear over the net with a credential.
func (x *Exchange) checkOrigin() error {
	c := x.conn
	if c.isHome(&x.call.URL) {
		if x.auth.none && !x.carriesCredential() {
			return nil
		}
		return c.checkSecure(c.home)
	}
	o, err := origin.Of(&x.call.URL)
	if err != nil {
		return &OptionError{Option: optionURL, Err: err}
	}
	if c.trusted[o] {
		return c.checkSecure(o)
	}
	if x.call.Auth == nil || !x.auth.none {
		return &OriginError{Origin: o.String(), Home: c.home.String()}
	}
	if x.carriesCredential() {
		return c.checkSecure(o)
	}
	return nil
}

// carriesCredential reports whether the caller has put a credential on the request, or on the connection, by hand.
func (x *Exchange) carriesCredential() bool {
	for _, name := range []string{"Authorization", "Cookie"} {
		if x.call.has(name) || x.conn.config.header[name] != nil && x.conn.trusts(&x.call.URL) {
			return true
		}
	}
	return false
}

// mayCarryCredentials checks the URL of a request on the wire side of redirects and the attempt middleware, which may
// have changed it.
func (x *Exchange) mayCarryCredentials(u *url.URL) error {
	c := x.conn
	if c.isHome(u) {
		return c.checkSecure(c.home)
	}
	o, err := origin.Of(u)
	if err != nil {
		return &OptionError{Option: optionURL, Err: err}
	}
	if !c.trusted[o] {
		return &OriginError{Origin: o.String(), Home: c.home.String()}
	}
	return c.checkSecure(o)
}

// checkSecure refuses plain http to another machine, or through one.
func (c *Connection) checkSecure(o origin.Origin) error {
	if o.Secure() || c.config.insecureHTTP || o.Loopback() && c.pool.staysHere(o) {
		return nil
	}
	return ErrInsecure
}

// isHome reports whether u is written as the base URL's origin is. That is the fast path: another spelling of the
// same origin is found in c.trusted.
func (c *Connection) isHome(u *url.URL) bool {
	return u.Host == c.base.Host && u.Scheme == c.base.Scheme
}

// trusts reports whether credentials may go to u.
func (c *Connection) trusts(u *url.URL) bool {
	if c.isHome(u) {
		return true
	}
	o, err := origin.Of(u)
	return err == nil && c.trusted[o]
}

// together reports whether what was sent to one URL may be sent to the other: both are of one origin, or of the
// connection's.
func (c *Connection) together(a, b *url.URL) bool {
	if c.trusts(a) {
		return c.trusts(b)
	}
	from, err := origin.Of(a)
	if err != nil {
		return false
	}
	to, err := origin.Of(b)
	return err == nil && from == to
}

func cloneURL(u *url.URL) *url.URL {
	clone := *u
	return &clone
}
