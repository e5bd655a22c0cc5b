// Package tokencall sends the calls of token flows: under limits, without redirects to elsewhere, and without the
// credentials of anybody else.
package tokencall

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/restconn/restconn/internal/origin"
	"github.com/restconn/restconn/internal/pemcert"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/sendonce"
)

const (
	// MaxBody is the most that is read of an answer, in bytes.
	MaxBody = 1 << 20
	// Timeout limits a call whose context has no deadline.
	Timeout = 30 * time.Second

	maxRedirects = 5
)

// Errors of a call, beside those of the network.
var (
	ErrRedirect = errors.New("the server redirects, and token calls are not sent elsewhere")
	ErrTooLarge = errors.New("the answer is larger than 1 MiB")
	ErrInsecure = errors.New("plain http to another machine would show the credentials to everybody")
)

// Config says how calls are sent. The zero Config sends them as the host does.
type Config struct {
	Client    *http.Client // of the caller; its transport is used, and nothing else of it
	CA        []byte       // PEM
	CAOnly    bool         // CA takes the place of the system's roots
	Proxy     func(*http.Request) (*url.URL, error)
	AllowHTTP bool
	Follow    bool // redirects within the origin

	Logger     *slog.Logger // gets a record of each call; nil for none
	Connection string       // is named in the records
}

// Validate tells what is wrong with the configuration.
func (c Config) Validate() error {
	if c.CAOnly && len(c.CA) == 0 {
		return errors.New("there are no trusted certificates beside the request to trust no others")
	}
	_, err := c.roots()
	return err
}

// CheckURL tells whether calls may go to the URL.
func (c Config) CheckURL(u *url.URL) error {
	o, err := origin.Of(u)
	switch {
	case err != nil:
		return err
	case u.User != nil:
		return origin.ErrUser
	case u.Fragment != "":
		return errors.New("there is a fragment, which is never sent")
	case !o.Secure() && !o.Loopback() && !c.AllowHTTP:
		return ErrInsecure
	}
	return nil
}

// roots returns the certificates to trust; nil for those of the transport.
func (c Config) roots() (*x509.CertPool, error) {
	if len(c.CA) == 0 {
		return nil, nil //nolint:nilnil // nil is what tls.Config wants
	}
	pool := x509.NewCertPool()
	if !c.CAOnly {
		system, err := x509.SystemCertPool()
		if err != nil {
			return nil, err
		}
		pool = system
	}
	certs, err := pemcert.Parse(c.CA)
	if err != nil {
		return nil, err
	}
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return pool, nil
}

// Answer is what a server answered.
type Answer struct {
	Status   int
	Header   http.Header
	Body     []byte
	Received time.Time // when the headers were there
	URL      *url.URL  // where the answer came from
}

// Caller sends calls. It is safe for concurrent use.
type Caller struct {
	config Config
	client *http.Client
	own    idler // closed with the Caller
}

// Derivable is a transport that knows how to make another one like it, with other roots or another proxy, each unless
// it is nil.
type Derivable interface {
	http.RoundTripper
	Derive(roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error)) http.RoundTripper
}

// onceTransport keeps net/http from sending a token call again: a refresh token may be good for one.
type onceTransport struct{ transport http.RoundTripper }

func (t onceTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" { // and so not HTTP/2
		return t.transport.RoundTrip(req)
	}
	return sendonce.RoundTrip(t.transport, req, false)
}

type idler interface{ CloseIdleConnections() }

// New returns a Caller. host is the client of the connection, nil if there is none.
func New(config Config, host *http.Client) (*Caller, error) {
	c := &Caller{config: config}
	base, err := c.transport(host)
	if err != nil {
		return nil, err
	}
	if _, ours := base.(Derivable); !ours {
		base = onceTransport{base}
	}
	c.client = &http.Client{
		Transport:     base,
		CheckRedirect: c.checkRedirect,
	}
	return c, nil
}

// transport returns what the calls are sent with: the given one, or the host's, unless trust or proxy are others.
func (c *Caller) transport(host *http.Client) (http.RoundTripper, error) {
	client := c.config.Client
	if client == nil {
		client = host
	}
	base := http.DefaultTransport //nolint:forbidigo // what there is outside a connection, see auth.Endpoint
	if client != nil && client.Transport != nil {
		base = client.Transport
	}
	roots, err := c.config.roots()
	if err != nil || roots == nil && c.config.Proxy == nil {
		return base, err
	}
	if d, ok := base.(Derivable); ok {
		own := d.Derive(roots, c.config.Proxy)
		c.own, _ = own.(idler)
		return own, nil
	}
	t, ok := base.(*http.Transport)
	switch {
	case !ok:
		return nil, fmt.Errorf("trust and proxy cannot be set on a transport that is a %T", base)
	case roots != nil && t.DialTLSContext != nil:
		return nil, errors.New("trust cannot be set on a transport that has a DialTLSContext of its own")
	}
	own := t.Clone()
	c.own = own
	if roots != nil {
		own.TLSClientConfig = withRoots(t, roots)
	}
	if c.config.Proxy != nil {
		own.Proxy = c.config.Proxy
	}
	return own, nil
}

// checkRedirect ends a chain of redirects at the first that is not to be followed; its answer is the answer.
func (c *Caller) checkRedirect(req *http.Request, via []*http.Request) error {
	from, errFrom := origin.Of(via[0].URL)
	to, errTo := origin.Of(req.URL)
	if !c.config.Follow || len(via) > maxRedirects || errFrom != nil || errTo != nil || from != to {
		return http.ErrUseLastResponse
	}
	req.Header.Del("Referer")
	return nil
}

// Close closes the connections that are the Caller's own.
func (c *Caller) Close() error {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
	return nil
}

// Do sends req, whose context limits the call, and reads the answer whole. Without a deadline in the context,
// [Timeout] is the limit. A redirect that is not followed is an answer and [ErrRedirect]. Errors hold no query and
// nothing of what the server wrote. A path that [redact.WithPath] describes is not shown in the log.
func (c *Caller) Do(req *http.Request) (*Answer, error) {
	if err := c.config.CheckURL(req.URL); err != nil {
		return nil, err
	}
	if _, limited := req.Context().Deadline(); !limited {
		ctx, cancel := context.WithTimeout(req.Context(), Timeout)
		defer cancel()
		req = req.WithContext(ctx)
	}
	began := time.Now()
	a, err := c.send(req)
	c.log(req, a, err, time.Since(began))
	if a == nil { // its server is not that of the request which waits for the token
		err = fmt.Errorf("%s: %w", scrubber(req).Text(redact.Printable(req.URL.Host)), err)
	}
	return a, err
}

// send sends req and reads the answer.
func (c *Caller) send(req *http.Request) (*Answer, error) {
	resp, err := c.client.Do(req) //nolint:gosec // the URL is the configured one
	if err != nil {
		return nil, redact.Wire(err)
	}
	defer resp.Body.Close()
	a := &Answer{Status: resp.StatusCode, Header: resp.Header, Received: time.Now(), URL: req.URL}
	if resp.Request != nil {
		a.URL = resp.Request.URL
	}
	var body bytes.Buffer
	n, err := body.ReadFrom(io.LimitReader(resp.Body, MaxBody+1))
	switch {
	case a.Status/100 == 3: //nolint:mnd // a class of statuses
		return a, ErrRedirect
	case err != nil:
		return a, redact.Wire(err)
	case n > MaxBody:
		return a, ErrTooLarge
	}
	a.Body = body.Bytes()
	return a, nil
}
