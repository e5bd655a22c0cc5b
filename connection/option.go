package connection

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/origin"
)

// Option changes the policy of a connection. Every option is validated by [New]. Of two that set the same thing the
// last one counts; headers, trusted origins and middleware add up, on a derived connection too.
type Option interface {
	// String names the option.
	String() string
	apply(cfg *config) error
}

type option struct {
	name string
	set  func(cfg *config) error
}

func (o option) String() string          { return o.name }
func (o option) apply(cfg *config) error { return o.set(cfg) }

// Options makes one option of several.
func Options(options ...Option) Option {
	return option{"Options", func(cfg *config) error { return cfg.apply(options) }}
}

// WithAuth sets who authenticates the requests. The default is auth.None(). A nil authenticator is an error.
func WithAuth(a auth.Authenticator) Option {
	return option{"WithAuth", func(cfg *config) error {
		if a == nil {
			return errors.New("the authenticator is nil: anonymity is auth.None()")
		}
		cfg.auth = a
		return nil
	}}
}

// WithHeader adds a header to every request that goes to the connection's origins; a request can replace it. Several
// values of one name are sent in their order. Credentials belong into [WithAuth].
func WithHeader(name, value string) Option {
	return option{"WithHeader", func(cfg *config) error {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !field.IsToken(name):
			return errors.New("the name is not a token (RFC 9110, section 5.1)")
		case field.Reserved(canonical):
			return errors.New(canonical + " is not set by hand")
		case !field.IsValue(value):
			return errors.New("the value of " + canonical + " has control bytes")
		case canonical == "User-Agent":
			return errors.New("it is set by WithUserAgent")
		case canonical == "Idempotency-Key":
			return errors.New("one Idempotency-Key for all requests would make one request of them: use Idempotent")
		}
		cfg.header.Add(canonical, value)
		return nil
	}}
}

// WithUserAgent replaces the default User-Agent, "restconn".
func WithUserAgent(agent string) Option {
	return option{"WithUserAgent", func(cfg *config) error {
		if agent == "" || !field.IsValue(agent) {
			return errors.New("the value is empty or has control bytes")
		}
		cfg.header.Set("User-Agent", agent)
		return nil
	}}
}

// WithRetry sets the retry policy. By default nothing is retried. It is about requests to the service: whether a
// token exchange is repeated, auth.Retries says.
func WithRetry(r Retry) Option {
	return option{"WithRetry", func(cfg *config) error {
		cfg.retry = r.withDefaults()
		return r.validate()
	}}
}

// WithTimeouts sets time limits. Fields that are 0 keep what was there before.
func WithTimeouts(t Timeouts) Option {
	return option{"WithTimeouts", func(cfg *config) error {
		cfg.timeouts = t.over(cfg.timeouts)
		if t.ofPool() {
			return errors.Join(t.validate(), cfg.ofPool("WithTimeouts"))
		}
		return t.validate()
	}}
}

// WithMaxRedirects sets how many redirects are followed. The default is 5; with 0 a redirect is the response.
func WithMaxRedirects(n int) Option {
	return option{"WithMaxRedirects", func(cfg *config) error {
		if n < 0 {
			return errors.New("the number is negative")
		}
		cfg.maxRedirects = n
		return nil
	}}
}

// WithTrustedOrigins names origins, such as "https://files.example.com", to which the credentials and the headers of
// this connection may go besides the base URL's own.
func WithTrustedOrigins(origins ...string) Option {
	return option{"WithTrustedOrigins", func(cfg *config) error {
		var errs []error
		for i, s := range origins {
			o, err := origin.Parse(s)
			if err != nil {
				errs = append(errs, fmt.Errorf("origin %d: %w", i+1, err))
				continue
			}
			cfg.trusted = append(cfg.trusted, o)
		}
		return errors.Join(errs...)
	}}
}

// WithInsecureHTTP lets credentials go over plain http, where everybody on the way can read them. Without it that is
// an error, except to loopback addresses.
func WithInsecureHTTP() Option {
	return option{"WithInsecureHTTP", func(cfg *config) error {
		cfg.insecureHTTP = true
		return nil
	}}
}

// WithLogger writes one record per attempt and redirect hop, without bodies, at level Info, or Warn where the attempt
// failed or was answered with 400 and above. Header values, queries and bodies that are not known to be harmless are
// redacted. Token calls are recorded in the same way, without headers. The default is silence.
func WithLogger(l *slog.Logger) Option {
	return option{"WithLogger", func(cfg *config) error {
		if l == nil {
			return errors.New("the logger is nil")
		}
		cfg.logger = l
		return nil
	}}
}

// WithDebug is [WithLogger] with up to 10 KiB of each body in the record, in which the values of fields that sound
// like secrets and the credentials of the request are masked. The record is written when the response body has been
// closed.
func WithDebug(l *slog.Logger) Option {
	return option{"WithDebug", func(cfg *config) error {
		if l == nil {
			return errors.New("the logger is nil")
		}
		cfg.debug = l
		return nil
	}}
}

// WithMiddleware adds middleware that runs once per call, around the retries. The first one given is the outermost.
func WithMiddleware(m ...Middleware) Option {
	return option{"WithMiddleware", func(cfg *config) error {
		cfg.middleware = append(cfg.middleware, m...)
		return notNil(m)
	}}
}

// WithAttemptMiddleware adds middleware that runs once per attempt and redirect hop, before authentication: what it
// does to the request is covered by signatures, and it does not see what the authenticator adds.
func WithAttemptMiddleware(m ...Middleware) Option {
	return option{"WithAttemptMiddleware", func(cfg *config) error {
		cfg.attemptMiddleware = append(cfg.attemptMiddleware, m...)
		return notNil(m)
	}}
}

func notNil(m []Middleware) error {
	for _, f := range m {
		if f == nil {
			return errors.New("a middleware is nil")
		}
	}
	return nil
}

// WithCodec sets how values become request bodies and response bodies become values; a request can replace it. The
// default is JSON by encoding/json. See [Codec].
func WithCodec(codec Codec) Option {
	return option{"WithCodec", func(cfg *config) error {
		cfg.codec = codec
		return codec.Validate()
	}}
}

// WithMaxBody sets how many bytes of a response body, after decompression, are read into memory. The default is 32
// MiB. A longer one is an error and not cut short. Streams are not bounded.
func WithMaxBody(n int64) Option {
	return option{"WithMaxBody", func(cfg *config) error {
		if n <= 0 {
			return errors.New("the limit is not positive")
		}
		cfg.maxBody = n
		return nil
	}}
}

// WithMaxConnsPerHost bounds the connections per host, those in use included: a request over it waits. By default
// there is no bound, because with one a caller with many open streams hangs. Requests that must not share connections
// (token calls, those that do not verify certificates, those after a reload) are counted apart. Beside WithTransport
// or WithHTTPClient it is an error.
func WithMaxConnsPerHost(n int) Option {
	return option{"WithMaxConnsPerHost", func(cfg *config) error {
		if n <= 0 {
			return errors.New("the number is not positive")
		}
		cfg.pool.maxConns = n
		return cfg.ofPool("WithMaxConnsPerHost")
	}}
}

// WithTransport sends requests through rt. It is used as it is and never closed: proxies, TLS and pooling are up to
// it. A POST, or another request that may be sent only once, comes to it without GetBody over https: an
// http.Transport in it would send the request again where it is not safe.
func WithTransport(rt http.RoundTripper) Option {
	return option{"WithTransport", func(cfg *config) error {
		if rt == nil {
			return errors.New("the transport is nil")
		}
		cfg.transport = rt
		cfg.transportBy = "WithTransport"
		return cfg.fixed()
	}}
}

// WithHTTPClient takes transport, cookie jar and timeout (as [Timeouts].Total) from client, which is never changed.
// Redirects are the connection's business: a client with a CheckRedirect function is an error.
func WithHTTPClient(client *http.Client) Option {
	return option{"WithHTTPClient", func(cfg *config) error {
		switch {
		case client == nil:
			return errors.New("the client is nil")
		case client.CheckRedirect != nil:
			return errors.New("the client has a CheckRedirect function: use WithMaxRedirects and WithTrustedOrigins")
		}
		cfg.transport, cfg.jar = client.Transport, client.Jar
		if cfg.transport == nil {
			cfg.transport = http.DefaultTransport //nolint:forbidigo // what a client without transport means
		}
		if client.Timeout > 0 {
			cfg.timeouts.Total = client.Timeout
		}
		cfg.transportBy = "WithHTTPClient"
		return cfg.fixed()
	}}
}

// WithCookieJar keeps cookies (RFC 6265) in jar, for the connection's origins only. By default there is no jar, and a
// Set-Cookie is not obeyed. Jars that are made for one site (net/http/cookiejar without a public suffix list) are
// fine: what a foreign origin sets never gets there.
func WithCookieJar(jar http.CookieJar) Option {
	return option{"WithCookieJar", func(cfg *config) error {
		if jar == nil {
			return errors.New("the jar is nil")
		}
		cfg.jar = jar
		return nil
	}}
}

// WithName names the connection, for logs and people.
func WithName(name string) Option {
	return option{"WithName", func(cfg *config) error {
		const longest = 255
		if strings.TrimSpace(name) == "" || len(name) > longest || field.HasControl(name) {
			return errors.New("the name is empty, longer than 255 bytes, or has control bytes")
		}
		cfg.name = name
		return nil
	}}
}

// WithDescription says for people what the connection is for. It is never sent.
func WithDescription(text string) Option {
	return option{"WithDescription", func(cfg *config) error {
		cfg.description = text
		return nil
	}}
}

// WithDocsURL says where the documentation of the service is. It is never sent.
func WithDocsURL(link string) Option {
	return option{"WithDocsURL", func(cfg *config) error {
		u, err := url.Parse(link)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
			return errors.New("it is not an http or https URL, or there is a user name in it")
		}
		cfg.docsURL = link
		return nil
	}}
}

// WithTestPath sets the path, below the base URL, that [Connection.Test] asks, such as "/health".
func WithTestPath(path string) Option {
	return option{"WithTestPath", func(cfg *config) error {
		if strings.Contains(path, "://") {
			return errors.New("it is a URL: the test path lies below the base URL")
		}
		_, err := parsePath(path)
		cfg.testPath = path
		return err
	}}
}
