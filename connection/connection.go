package connection

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/origin"
	"github.com/restconn/restconn/internal/redact"
)

// Connection is one service, one policy and one pool. It is immutable and safe for concurrent use.
type Connection struct {
	base     *url.URL      // with the placeholders in it, if there are any
	template *baseTemplate // nil without placeholders
	roams    bool          // the host of the base URL is told per call
	from     *Connection   // what Resolve was called on; nil for others
	subject  string        // whom the placeholders were filled in for; "" for all
	home     origin.Origin
	trusted  map[origin.Origin]bool
	config   config
	auth     authState
	pool     *pool
	pipeline http.RoundTripper
	attempts attemptStage // the part of the pipeline within the retries
	shut     atomic.Bool
}

// New opens a connection to the service at baseURL, an absolute http or https URL. A path in it is kept before every
// path that is requested, and a query before every query. Placeholders in it, such as {tenant}, are filled in per call:
// see [WithBaseParams].
//
// Nothing is sent to the service. The environment is read for proxies, and the sources of certificates and of proxy
// passwords are asked, which may take up to 30 s. All faults are reported at once: the error joins one [*OptionError]
// per option that is wrong. Where the base URL is, it is not known what to connect to, and sources are not asked.
func New(baseURL string, options ...Option) (*Connection, error) {
	c := &Connection{config: defaults()}
	base, template, baseErr := parseTemplate(baseURL)
	err := errors.Join(baseErr, c.config.apply(options), c.config.enterRuntime())
	if baseErr != nil {
		return nil, errors.Join(err, c.config.conflicts(), wrapOption("WithAuth", auth.Validate(c.config.auth)))
	}
	c.base, c.template, c.roams = base, template, template != nil && template.roams()
	var poolErr error
	c.pool, poolErr = newPool(&c.config, base)
	return c.finish(errors.Join(err, poolErr))
}

// With derives a connection whose policy differs in the given options. It shares the pool, and the options about it
// cannot be changed. Each of the two is closed on its own.
func (c *Connection) With(options ...Option) (*Connection, error) {
	if c.base == nil {
		return nil, errUnmade
	}
	d := &Connection{
		base: c.base, template: c.template, roams: c.roams, subject: c.subject, pool: c.pool, config: c.config.clone(),
	}
	d.config.derived = true
	return d.finish(d.config.apply(options))
}

// finish checks what concerns several options, and makes the connection ready. err is what was found before.
func (c *Connection) finish(err error) (*Connection, error) {
	c.config.seal()
	err = errors.Join(err, c.config.conflicts(), c.checkBase())
	c.settle()
	state, authErr := c.bind(c.config.auth, false)
	c.auth = state
	err = errors.Join(err, wrapOption("WithAuth", authErr))
	if authErr == nil && !state.none {
		err = errors.Join(err, wrapOption("WithAuth", c.checkSecure(c.home)))
	}
	if c.config.header["Authorization"] != nil {
		err = errors.Join(err, wrapOption("WithHeader", c.checkSecure(c.home)))
	}
	if err != nil {
		_ = state.release()
		return nil, err
	}
	c.pool.users.Add(1)
	c.pipeline, c.attempts = newPipeline(&c.config, c.pool)
	return c, nil
}

// settle tells the origins that credentials may go to.
func (c *Connection) settle() {
	c.home, _ = origin.Of(c.base)
	c.trusted = map[origin.Origin]bool{c.home: true}
	for _, o := range c.config.trusted {
		c.trusted[o] = true
	}
}

func wrapOption(name string, err error) error {
	if err == nil {
		return nil
	}
	return &OptionError{Option: name, Err: err}
}

// parseBase parses a base URL. Its errors do not repeat it: it may hold a password.
func parseBase(s string) (*url.URL, error) {
	const name = optionBase
	u, err := url.Parse(s)
	switch {
	case s == "":
		return nil, &OptionError{Option: name, Err: errors.New("it is empty")}
	case err != nil || field.HasControl(s) || strings.ContainsAny(s, ` \`):
		return nil, &OptionError{Option: name, Err: errors.New("it is not a URL")}
	case u.User != nil:
		return nil, &OptionError{Option: name, Err: fmt.Errorf("%w: use auth.Basic", origin.ErrUser)}
	case u.Fragment != "":
		return nil, &OptionError{Option: name, Err: errors.New("there is a fragment, which is never sent")}
	}
	if _, err := origin.Of(u); err != nil {
		return nil, &OptionError{Option: name, Err: err}
	}
	if _, err := parsePath(u.EscapedPath()); u.Path != "" && err != nil {
		return nil, &OptionError{Option: name, Err: err}
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	escaped := strings.TrimRight(u.EscapedPath(), "/")
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), escaped
	return u, nil
}

// parsePath parses a path below the base URL, with or without a query.
func parsePath(path string) (*url.URL, error) {
	if path == "" {
		return nil, errors.New("the path is empty")
	}
	if strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\#") || field.HasControl(path) {
		return nil, errors.New("the path starts with //, or has a backslash, a # or a control byte")
	}
	u, err := url.Parse("/" + strings.TrimPrefix(path, "/"))
	if err != nil {
		return nil, errors.New("the path has a % that begins no escape")
	}
	return u, checkDots(u)
}

// checkDots refuses what would lead out of the path of the base URL.
func checkDots(u *url.URL) error {
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return errors.New("the path has a dot segment")
		}
	}
	return nil
}

// BaseURL returns a copy of the base URL, without a slash at its end. Its RawPath is set even where Path says the
// same. Where it has placeholders they stand in it, so that nothing can be sent to it: see [Connection.Resolve].
func (c *Connection) BaseURL() *url.URL {
	if c.base == nil {
		return new(url.URL)
	}
	u := *c.base
	return &u
}

// MaxBody returns the limit that [WithMaxBody] has set.
func (c *Connection) MaxBody() int64 { return c.config.maxBody }

// Codec returns what [WithCodec] has set.
func (c *Connection) Codec() Codec { return c.config.codec }

// Do sends req through the pipeline and returns the response of any status. req is not changed. A URL without host is
// taken as a path below the base URL. A body without GetBody can be sent only once (see [ErrNotReplayable]). The
// caller closes the response body, which is bounded by the idle timeout. The errors are those of [Connection.Send].
func (c *Connection) Do(req *http.Request) (*http.Response, error) {
	c, err := c.Resolve(req.Context())
	var call Call
	if err == nil {
		call, err = c.call(req)
	}
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	x, err := c.Send(req.Context(), call)
	if req.Body != nil && req.GetBody != nil {
		_ = req.Body.Close() // what was sent came from GetBody
	}
	if err != nil {
		return nil, err
	}
	x.Stream()
	return x.Response, nil
}

// call turns an *http.Request into a Call.
func (c *Connection) call(req *http.Request) (Call, error) {
	if req.URL == nil {
		return Call{}, &OptionError{Option: "request", Err: errors.New("there is no URL")}
	}
	if len(req.Trailer) > 0 || req.ContentLength > 0 && req.Body == nil {
		return Call{}, &OptionError{Option: "request", Err: errors.New("it has trailers, or a length without a body")}
	}
	if req.Host != "" && req.Host != req.URL.Host {
		return Call{}, &OptionError{Option: "request", Err: errors.New("its Host is not the host of its URL")}
	}
	path := redact.Path(req.Context())
	call := Call{
		Method: req.Method, URL: *req.URL, BodyLen: req.ContentLength, ShownPath: path.Shown, Secrets: path.Secrets,
	}
	if call.Method == "" {
		call.Method = http.MethodGet
	}
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		for _, v := range req.Header[name] {
			call.Header = append(call.Header, Field{Name: name, Value: v})
		}
	}
	if req.URL.Host == "" && req.URL.Scheme == "" {
		if err := errors.Join(validateURL(req.URL), checkDots(req.URL)); err != nil {
			return Call{}, &OptionError{Option: optionURL, Err: err}
		}
		call.URL = *c.join(req.URL)
	}
	call.URL.Fragment, call.URL.RawFragment = "", ""
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		call.BodyLen = 0
	case req.GetBody != nil:
		call.Body = req.GetBody
		if call.BodyLen == 0 { // which on a request of net/http means that it is not known
			call.BodyLen = -1
		}
	default:
		call.BodyOnce, call.Body = true, func() (io.ReadCloser, error) { return req.Body, nil }
		if call.BodyLen == 0 {
			call.BodyLen = -1
		}
	}
	return call, nil
}

// join puts a path below the base URL.
func (c *Connection) join(ref *url.URL) *url.URL {
	u := c.BaseURL()
	u.Path += "/" + strings.TrimPrefix(ref.Path, "/")
	u.RawPath += "/" + strings.TrimPrefix(ref.EscapedPath(), "/")
	if u.RawQuery != "" && ref.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += ref.RawQuery
	return u
}

// validateURL refuses what net/http would write into the request line as it stands, or in the place of the origin.
func validateURL(u *url.URL) error {
	switch {
	case u.User != nil:
		return origin.ErrUser
	case u.Opaque != "":
		return errors.New("it is opaque: there is no path")
	case field.HasControl(u.RawQuery) || strings.Contains(u.RawQuery, " "):
		return errors.New("the query has a space or control bytes")
	}
	return nil
}

// HTTPClient returns a client whose transport is this connection, for generated code and other SDKs: the same
// credentials, the same policy. It is the caller's; changes to it do not change the connection.
func (c *Connection) HTTPClient() *http.Client {
	return &http.Client{
		Transport:     asTransport{c},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type asTransport struct{ c *Connection }

// Format keeps fmt out of the connection.
func (t asTransport) Format(f fmt.State, verb rune) { t.c.Format(f, verb) }

func (t asTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	conn, err := t.c.Resolve(req.Context())
	if err != nil {
		return nil, refuse(req, err)
	}
	resp, err := conn.Do(req)
	if err != nil {
		return nil, err
	}
	if !conn.together(resp.Request.URL, req.URL) { // the client would file them under the URL that it has asked for
		resp.Header.Del("Set-Cookie")
	}
	resp.Request = req
	return resp, nil
}

// Close releases what the connection has started, and closes the connections of its pool as they become idle, unless
// the caller has given the transport or the pool is that of another connection that is open. Requests under way
// finish; later ones fail with [ErrClosed]. While a derived connection is open, those that are busy now stay for it.
// Close is idempotent; its error is that of the authenticator.
func (c *Connection) Close() error {
	if c.base == nil || c.from != nil || c.shut.Swap(true) {
		return nil
	}
	err := c.auth.release()
	if !c.config.derived {
		c.pool.drained.Store(true)
	}
	c.pool.leave()
	return err
}

func (c *Connection) closed() bool { return c.shut.Load() || c.from != nil && c.from.closed() }

// host is what authenticators get of this connection.
func (c *Connection) host() auth.Host {
	h := auth.Host{
		Client: &http.Client{
			Transport:     c.tokenTransport(),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Logger:     c.config.log(),
		Connection: c.config.name,
	}
	if h.Connection == "" {
		h.Connection = c.shown()
	}
	return h
}

// TestResult tells how a service is.
type TestResult struct {
	// Healthy is true if the status is a 2xx.
	Healthy bool
	Status  int
	// Duration is the time to the response headers.
	Duration time.Duration
}

// Test asks the test path, with credentials, for the health of the service. A response of any status is a result and
// no error.
func (c *Connection) Test(ctx context.Context) (TestResult, error) {
	if c.config.testPath == "" {
		return TestResult{}, ErrNoTestPath
	}
	path, err := parsePath(c.config.testPath)
	if err != nil {
		return TestResult{}, err
	}
	if c, err = c.Resolve(ctx); err != nil {
		return TestResult{}, err
	}
	began := time.Now()
	x, err := c.Send(ctx, Call{Method: http.MethodGet, URL: *c.join(path)})
	if err != nil {
		return TestResult{}, err
	}
	defer x.Close()
	took := time.Since(began)
	discard(x.Response)
	status := x.Response.StatusCode
	return TestResult{Healthy: status/100 == 2, Status: status, Duration: took}, nil
}
