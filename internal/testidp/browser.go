package testidp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// Browser plays a user with a browser: it keeps cookies, and fills in the forms of a [Server]. It is for one goroutine
// at a time.
type Browser struct {
	// OTP is the one-time code, if the login asks for one.
	OTP string
	// Deny says no where the user is asked to consent.
	Deny bool
	// Watch is told the name of each form that is filled in: login, consent, device or post. Nil tells nobody.
	Watch func(form string)

	client *http.Client
	jar    http.CookieJar
}

// NewBrowser returns a browser without cookies. A nil transport is that of net/http.
func NewBrowser(transport http.RoundTripper) *Browser {
	inner, _ := cookiejar.New(nil) // it fails for no options
	b := &Browser{jar: &jar{inner}}
	b.client = &http.Client{
		Transport: transport, Jar: b.jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return b
}

// Page is where the browser has arrived.
type Page struct {
	Status int
	Header http.Header
	URL    *url.URL
	Body   string
}

// Callback is the answer of the authorization endpoint, on its way to the client.
type Callback struct {
	// URL is the redirect URI, with the answer in its query or fragment.
	URL *url.URL
	// Form is the answer if it is to be posted; nil otherwise.
	Form url.Values
}

// Values returns the parameters of the answer.
func (c *Callback) Values() url.Values {
	if c.Form != nil {
		return c.Form
	}
	if c.URL.Fragment != "" {
		values, err := url.ParseQuery(c.URL.EscapedFragment())
		if err == nil {
			return values
		}
	}
	return c.URL.Query()
}

const (
	mostSteps = 30
	mostPage  = 1 << 20
)

// ErrRefused says that the server does not take user and password.
var ErrRefused = errors.New("testidp: the login was refused")

// Login opens a URL of the authorization endpoint, logs in, consents, and stops where the server sends the browser to
// the client. A page that is no form ends it with an error.
func (b *Browser) Login(ctx context.Context, target, user, password string) (*Callback, error) {
	w := &walk{browser: b, user: user, password: password}
	if u, err := url.Parse(target); err == nil {
		w.origin = originOf(u)
	}
	page, err := w.from(ctx, target)
	switch {
	case err != nil:
		return nil, err
	case w.callback == nil:
		return nil, fmt.Errorf("testidp: the browser stays at %s with status %d", page.URL.Path, page.Status)
	}
	return w.callback, nil
}

// Visit opens a URL and goes on until there is nothing more to do, through the login as well if there is one, and back
// to the client. It returns the page at the end.
func (b *Browser) Visit(ctx context.Context, target, user, password string) (*Page, error) {
	w := &walk{browser: b, user: user, password: password}
	return w.from(ctx, target)
}

// Deliver brings an answer to the client, and returns the page at the end.
func (b *Browser) Deliver(ctx context.Context, c *Callback) (*Page, error) {
	w := &walk{browser: b}
	if c.Form != nil {
		req, err := newPost(ctx, c.URL.String(), c.Form)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		return w.run(ctx, req)
	}
	return w.from(ctx, c.URL.String())
}

// Post posts a form of the same site, and returns the page at the end.
func (b *Browser) Post(ctx context.Context, target string, values url.Values) (*Page, error) {
	req, err := newPost(ctx, target, values)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Origin", originOf(req.URL))
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return (&walk{browser: b}).run(ctx, req)
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// walk is a way through pages.
type walk struct {
	browser        *Browser
	user, password string
	origin         string // which it does not leave; empty for any
	callback       *Callback
}

func (w *walk) from(ctx context.Context, target string) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	return w.run(ctx, req)
}

func newPost(ctx context.Context, target string, values url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(values.Encode()))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", "null") // as of a page with Referrer-Policy: no-referrer
	}
	return req, err
}

// run sends a request and those that follow from it.
func (w *walk) run(ctx context.Context, req *http.Request) (*Page, error) {
	for range mostSteps {
		page, err := w.send(req)
		if err != nil {
			return nil, err
		}
		next, values, err := w.next(page)
		if err != nil || next == nil {
			return page, err
		}
		if w.origin != "" && originOf(next) != w.origin {
			w.callback = &Callback{next, values}
			return page, nil
		}
		if req, err = follow(ctx, page, next, values); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("testidp: there is no end to this way")
}

// follow returns the request that follows from a page.
func follow(ctx context.Context, page *Page, next *url.URL, values url.Values) (*http.Request, error) {
	if values == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, next.String(), nil)
	}
	req, err := newPost(ctx, next.String(), values)
	if err != nil {
		return nil, err
	}
	site := "cross-site"
	if originOf(next) == originOf(page.URL) {
		site = "same-origin"
	}
	req.Header.Set("Sec-Fetch-Site", site)
	return req, nil
}

// send returns the page that a request gets.
func (w *walk) send(req *http.Request) (*Page, error) {
	resp, err := w.browser.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostPage))
	if err != nil {
		return nil, err
	}
	return &Page{resp.StatusCode, resp.Header, req.URL, string(body)}, nil
}

// next returns where a page leads, and what is posted there; nil if it is the end.
func (w *walk) next(page *Page) (*url.URL, url.Values, error) {
	if page.Status >= 300 && page.Status < 400 {
		next, err := page.URL.Parse(page.Header.Get("Location"))
		return next, nil, err
	}
	if !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		return nil, nil, nil
	}
	f, err := readForm([]byte(page.Body))
	if err != nil || f == nil {
		return nil, nil, err
	}
	switch {
	case f.id == "login" && page.Status == http.StatusUnauthorized:
		return nil, nil, ErrRefused
	case page.Status != http.StatusOK || !w.fill(f):
		return nil, nil, nil
	}
	next, err := page.URL.Parse(f.action)
	return next, f.fields, err
}

// fill fills in a form, and reports whether it is one that it knows.
func (w *walk) fill(f *form) bool {
	switch f.id {
	case "login":
		if w.user == "" {
			return false
		}
		f.fields.Set("username", w.user)
		f.fields.Set("password", w.password)
		if f.fields.Has("otp") {
			f.fields.Set("otp", w.browser.OTP)
		}
	case "consent":
		f.fields.Set("decision", "allow")
		if w.browser.Deny {
			f.fields.Set("decision", "deny")
		}
	case "device", "post":
	default:
		return false
	}
	if w.browser.Watch != nil {
		w.browser.Watch(f.id)
	}
	return true
}
