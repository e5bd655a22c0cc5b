package connection

import (
	"net/http"
	"slices"
)

// Middleware wraps a stage of the pipeline. It keeps to the contract of [http.RoundTripper]: it does not change the
// request that it is given, but passes on a clone, with the same context or one derived from it. It may call next
// again, but not twice at once. It is asked for a stage once per connection, derived ones included.
type Middleware = func(next http.RoundTripper) http.RoundTripper

// newPipeline builds the way of a request, outermost first:
//
//	caller middleware      once per call
//	retry                  owns attempts and their waits
//	attempt                a private request, and its time limit
//	redirects              origin-pruned for good
//	rate limit             if there is one: a token of the host, per attempt and hop
//	attempt middleware     once per attempt and hop
//	cookies                if there is a jar, and within the connection's origins
//	auth                   origin check, https check, Authenticate, one resend after a challenge
//	log                    redacted, silent by default
//	transport              net/http
func newPipeline(cfg *config, pool *pool) (http.RoundTripper, attemptStage) {
	hop := cookieStage{authStage{logStage{wireStage{pool}}}, cfg.jar}
	hops := wrap(hop, cfg.attemptMiddleware...)
	if cfg.hosts != nil {
		hops = rateStage{hops, cfg.hosts}
	}
	attempts := attemptStage{redirectStage{hops}}
	return wrap(retryStage{attempts}, cfg.middleware...), attempts
}

// wrap puts middleware around rt, the first one outermost.
func wrap(rt http.RoundTripper, middleware ...Middleware) http.RoundTripper {
	for _, m := range slices.Backward(middleware) {
		rt = m(rt)
	}
	return rt
}

// cookieStage keeps cookies, if the connection has a jar. A jar knows hosts and no ports, so the origin is checked
// here: in both directions, since a sub-domain may set cookies for its parent.
type cookieStage struct {
	next http.RoundTripper
	jar  http.CookieJar
}

func (s cookieStage) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req)
	if x == nil {
		return nil, errContext
	}
	if x.hopBusy.Swap(true) {
		return nil, errBusy
	}
	defer x.hopBusy.Store(false)
	if s.jar == nil || isForeign(req) || x.mayCarryCredentials(req.URL) != nil {
		return s.next.RoundTrip(req)
	}
	for _, cookie := range s.jar.Cookies(req.URL) {
		req.AddCookie(cookie)
	}
	resp, err := s.next.RoundTrip(req)
	if err == nil {
		if cookies := resp.Cookies(); len(cookies) > 0 {
			s.jar.SetCookies(req.URL, cookies)
		}
	}
	return resp, err
}
