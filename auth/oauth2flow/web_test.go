package oauth2flow_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

const appURL = "https://app.example.test"

// tab is a window of the browser of one user: it keeps cookies, and shows where it is sent.
type tab struct {
	*testing.T

	client http.Client
	origin string
}

// page is what a tab has got.
type page struct {
	status int
	header http.Header
	text   string
}

// serveApp puts a web application on the network of s.
func serveApp(s *connectiontest.Server, origin string, h http.Handler) *connectiontest.Server {
	return s.Network().Serve(origin, h)
}

// newTab returns a browser without cookies, whose user is at the application.
func newTab(t *testing.T, app *connectiontest.Server) *tab {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &tab{T: t, origin: app.URL, client: http.Client{
		Transport: app.Network().Transport(), Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// ask sends a request, with header fields in turn.
func (b *tab) ask(method, target, body string, fields ...string) page {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, b.origin+target, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		b.Fatal(err)
	}
	return page{resp.StatusCode, resp.Header, string(text)}
}

func (b *tab) get(target string, fields ...string) page {
	b.Helper()
	return b.ask(http.MethodGet, target, "", fields...)
}

// begins starts a login there, and returns what the authorization server is asked.
func (b *tab) begins(target string, fields ...string) url.Values {
	b.Helper()
	p := b.get(target, fields...)
	u, err := url.Parse(p.header.Get("Location"))
	if err != nil || p.status != http.StatusSeeOther || u.Host != "idp.example.test" {
		b.Fatalf("the login did not begin: %d %s", p.status, p.text)
	}
	return u.Query()
}

// wants asserts the status of an answer.
func (b *tab) wants(p page, status int) {
	b.Helper()
	if p.status != status {
		b.Errorf("status %d %q, want %d", p.status, p.text, status)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
	} {
		if got := p.header.Get(name); got != want {
			b.Errorf("S15 %s is %q, want %q", name, got, want)
		}
	}
	if got := p.header.Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'") {
		b.Errorf("S15 Content-Security-Policy is %q", got)
	}
	if strings.Contains(p.text, "<") {
		b.Errorf("S15 the page has tags: %s", p.text)
	}
}

// byHeader takes the user from a header, as from a session.
func byHeader(req *http.Request) string { return req.Header.Get("X-User") }

// webOf returns a handler whose tokens are those of its users, and the manager that keeps them.
func webOf(
	t *testing.T, code *oauth2flow.AuthorizationCode, changes ...func(w *oauth2flow.Web),
) (*oauth2flow.WebLogin, *auth.Manager) {
	t.Helper()
	tokens := auth.Manage(code, auth.PerSubject())
	t.Cleanup(func() { _ = tokens.Close() })
	w := oauth2flow.Web{
		Tokens: tokens, Subject: byHeader, SignOutPath: "/logout", Logger: slog.New(slog.DiscardHandler),
	}
	for _, change := range changes {
		change(&w)
	}
	l := oauth2flow.NewWebLogin(code, w)
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	return l, tokens
}

// holds asserts whose token a manager has; "" is for none.
func holds(t *testing.T, tokens *auth.Manager, user, want string) {
	t.Helper()
	token, err := tokens.Token(auth.WithSubject(t.Context(), user), auth.Want{})
	switch {
	case want == "" && !errors.Is(err, auth.ErrLoginRequired):
		t.Errorf("%s has a token, or another error: %v", user, err)
	case want != "" && (err != nil || token.Value.Reveal() != want):
		t.Errorf("%s has another token: %v", user, err)
	}
}

func TestWeb(t *testing.T) {
	t.Parallel()
	s := serve(t)
	handler, tokens := webOf(t, signIn(s))
	b := newTab(t, serveApp(s, appURL, handler))

	p := b.get("/login?return=/orders/7%3Fa=b", "X-User", "ann", "Sec-Fetch-Dest", "document")
	b.wants(p, http.StatusSeeOther)
	u, err := url.Parse(p.header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), authorizeURL) {
		t.Fatalf("the browser is sent to %q", p.header.Get("Location"))
	}
	state := u.Query().Get("state")
	cookie := regexp.MustCompile(
		`^__Host-login-[\w-]{43}=[A-Z2-7]{26}; Path=/; Max-Age=(599|600); HttpOnly; Secure; SameSite=Lax$`)
	if got := p.header["Set-Cookie"]; len(got) != 1 || !cookie.MatchString(got[0]) || strings.Contains(got[0], state) {
		t.Errorf("S4 the cookie is %q", got)
	}

	p = b.get("/cb?"+callback(u.Query()).Encode(), "X-User", "ann")
	b.wants(p, http.StatusSeeOther)
	if got := p.header.Get("Location"); got != "/orders/7?a=b" {
		t.Errorf("S15 the browser is sent to %q", got)
	}
	if got := p.header.Get("Set-Cookie"); !strings.Contains(got, "=; Path=/; Max-Age=0; HttpOnly; Secure;") {
		t.Errorf("S4 the cookie stays: %q", got)
	}
	got := string(sent(t, s, 1)[0].Body)
	if !strings.Contains(got, "redirect_uri="+url.QueryEscape(redirectURI)) || !strings.Contains(got, "code=c0de") {
		t.Errorf("the token call is %s", got)
	}
	holds(t, tokens, "ann", "t1")
	holds(t, tokens, "bob", "")

	b.wants(b.get("/cb?"+callback(u.Query()).Encode(), "X-User", "ann"), http.StatusBadRequest)
	sent(t, s, 1)
}

func TestWebWithoutReturn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	handler, _ := webOf(t, signIn(s))
	b := newTab(t, serveApp(s, appURL, handler))
	asked := b.begins("/login", "X-User", "ann")
	if got := b.get("/cb?"+callback(asked).Encode(), "X-User", "ann").header.Get("Location"); got != "/" {
		t.Errorf("the browser is sent to %q", got)
	}
}

func TestWebInSeveralTabs(t *testing.T) {
	t.Parallel()
	s := serve(t)
	handler, _ := webOf(t, signIn(s))
	b := newTab(t, serveApp(s, appURL, handler))
	first, second := b.begins("/login?return=/1", "X-User", "ann"), b.begins("/login?return=/2", "X-User", "ann")
	for want, asked := range map[string]url.Values{"/2": second, "/1": first} {
		p := b.get("/cb?"+callback(asked).Encode(), "X-User", "ann")
		b.wants(p, http.StatusSeeOther)
		if got := p.header.Get("Location"); got != want {
			t.Errorf("the browser is sent to %q, want %q", got, want)
		}
	}
	body1, body2 := string(sent(t, s, 2)[0].Body), string(sent(t, s, 2)[1].Body)
	if regexp.MustCompile(`code_verifier=[^&]*`).FindString(body1) ==
		regexp.MustCompile(`code_verifier=[^&]*`).FindString(body2) {
		t.Error("F8 S2 two logins have one verifier")
	}
}

func TestWebRefuses(t *testing.T) {
	t.Parallel()
	const issuer = "https://idp.example.test"
	for name, c := range map[string]struct {
		answer func(asked url.Values) string
		user   string
		other  bool // another browser
		status int
		shown  string
	}{
		"F8 S4 another state": {
			answer: func(asked url.Values) string { return callback(asked, "state", "st-1").Encode() },
		},
		"S6 F8 no state": {answer: func(url.Values) string { return "code=c0de" }},
		"S5 an error without a state": {
			answer: func(url.Values) string { return "error=access_denied" },
		},
		"S7 two states": {
			answer: func(asked url.Values) string { v := callback(asked); v.Add("state", "x"); return v.Encode() },
		},
		"F8 S4 another browser": {other: true},
		"S4 another user":       {user: "bob"},
		"S4 nobody":             {user: "-", status: http.StatusForbidden, shown: "This request is refused."},
		"S8 another issuer": {
			answer: func(asked url.Values) string { return callback(asked, "iss", "https://evil.test").Encode() },
		},
		"S8 an error of another issuer": {
			answer: func(asked url.Values) string {
				return callback(asked, "iss", "https://evil.test", "error", "access_denied").Encode()
			},
		},
		"E-24 the user refuses": {
			answer: func(asked url.Values) string {
				return callback(asked, "iss", issuer, "error", "access_denied", "error_description", "no\nthanks").Encode()
			},
			shown: "The login was refused. access_denied no",
		},
		"F9 a query of 200 KiB": {
			answer: func(asked url.Values) string {
				return callback(asked, "x", strings.Repeat("x", 200<<10)).Encode()
			},
			status: http.StatusRequestEntityTooLarge,
		},
		"a query that cannot be read": {
			answer: func(asked url.Values) string { return callback(asked).Encode() + "&%zz" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			handler, tokens := webOf(t, signIn(s, func(_ *client, a *oauth2flow.Authorization) { a.Issuer = issuer }))
			app := serveApp(s, appURL, handler)
			ann := newTab(t, app)
			asked := ann.begins("/login", "X-User", "ann")
			b, user, answer := ann, "ann", callback(asked, "iss", issuer).Encode()
			if c.other {
				b = newTab(t, app)
			}
			if c.user != "" {
				user = strings.Trim(c.user, "-")
			}
			if c.answer != nil {
				answer = c.answer(asked)
			}
			p := b.get("/cb?"+answer, "X-User", user)
			if c.status == 0 {
				c.status = http.StatusBadRequest
			}
			b.wants(p, c.status)
			if !strings.Contains(p.text, c.shown) {
				t.Errorf("the page is %q", p.text)
			}
			hides(t, p.text, asked.Get("state"), "evil", "c0de")
			holds(t, tokens, "ann", "")
			sent(t, s, 0) // S6
		})
	}
}

func TestWebIsNotEndedByStrangers(t *testing.T) {
	t.Parallel()
	s := serve(t)
	handler, tokens := webOf(t, signIn(s))
	app := serveApp(s, appURL, handler)
	ann := newTab(t, app)
	asked := ann.begins("/login", "X-User", "ann")
	answer := "/cb?" + callback(asked).Encode()
	for name, p := range map[string]page{
		"F8 another state":   ann.get("/cb?code=x&state=wrong", "X-User", "ann"),
		"no state":           ann.get("/cb?error=access_denied", "X-User", "ann"),
		"F8 another browser": newTab(t, app).get(answer, "X-User", "ann"),
		"no user":            ann.get(answer),
		"F9 another method":  ann.ask(http.MethodPost, answer, "", "X-User", "ann"),
		"a preview":          ann.ask(http.MethodHead, answer, "", "X-User", "ann"),
	} {
		if p.status < 400 {
			t.Errorf("%s: status %d", name, p.status)
		}
	}
	sent(t, s, 0)
	p := ann.get(answer, "X-User", "ann")
	if p.status != http.StatusSeeOther {
		t.Errorf("S5 the login is over: %d %s", p.status, p.text)
	}
	holds(t, tokens, "ann", "t1")
}

func TestWebPaths(t *testing.T) {
	t.Parallel()
	s := serve(t)
	store := &countingStore{PendingStore: oauth2flow.NewPendingMemory()}
	handler, _ := webOf(t, signIn(s, func(_ *client, a *oauth2flow.Authorization) { a.Pending = store }))
	b := newTab(t, serveApp(s, appURL, handler))
	for name, c := range map[string]struct {
		method, path, dest string
		status             int
	}{
		"another path":                  {"GET", "/", "", 404},
		"a longer path":                 {"GET", "/login/", "", 404},
		"POST to begin":                 {"POST", "/login", "", 405},
		"HEAD to begin":                 {"HEAD", "/login", "", 405},
		"F9 POST of an answer":          {"POST", "/cb", "", 405},
		"GET to sign out":               {"GET", "/logout", "", 405},
		"a login in an image":           {"GET", "/login", "image", 403},
		"a login in a frame":            {"GET", "/login", "iframe", 403},
		"a login by a script":           {"GET", "/login", "empty", 403},
		"a page to return to elsewhere": {"GET", "/login?return=//evil.test", "", 400},
		"a page that is a URL":          {"GET", "/login?return=https://evil.test/", "", 400},
		"a page with a backslash":       {"GET", "/login?return=/%5Cevil.test", "", 400},
		"a page that is empty":          {"GET", "/login?return=", "", 400},
		"a page in lines":               {"GET", "/login?return=/%0d%0aX:y", "", 400},
		"a query that cannot be read":   {"GET", "/login?%zz", "", 400},
	} {
		p := b.ask(c.method, c.path, "", "X-User", "ann", "Sec-Fetch-Dest", c.dest)
		if p.status != c.status || len(p.header["Set-Cookie"]) > 0 || p.header.Get("Location") != "" {
			t.Errorf("%s: %d %v, want %d", name, p.status, p.header, c.status)
		}
		if p.status == http.StatusMethodNotAllowed && p.header.Get("Allow") == "" {
			t.Errorf("%s: there is no Allow", name)
		}
	}
	b.wants(b.get("/login"), http.StatusForbidden)
	if store.puts.Load() != 0 {
		t.Errorf("%d logins began", store.puts.Load())
	}
}

// S9: RFC 9700, section 4.4.
func TestWebMixUp(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(c *client, a *oauth2flow.Authorization){
		"S9 of another server": func(c *client, a *oauth2flow.Authorization) {
			c.TokenURL += "/evil"
			a.RedirectURI = appURL + "/cb/evil"
		},
		"S9 of the same server, by another redirect URI": func(_ *client, a *oauth2flow.Authorization) {
			a.RedirectURI = appURL + "/cb/evil"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			pending := oauth2flow.NewPendingMemory()
			shared := func(_ *client, a *oauth2flow.Authorization) { a.Pending = pending }
			honest, _ := webOf(t, signIn(s, shared))
			evil, _ := webOf(t, signIn(s, shared, change), func(w *oauth2flow.Web) {
				w.BeginPath, w.SignOutPath = "/login/evil", ""
			})
			mux := http.NewServeMux()
			mux.Handle("/", honest)
			mux.Handle("/login/evil", evil)
			mux.Handle("/cb/evil", evil)
			b := newTab(t, serveApp(s, appURL, mux))
			of := map[string]url.Values{
				"/cb": b.begins("/login", "X-User", "ann"), "/cb/evil": b.begins("/login/evil", "X-User", "ann"),
			}
			b.wants(b.get("/cb/evil?"+callback(of["/cb"]).Encode(), "X-User", "ann"), http.StatusBadRequest)
			b.wants(b.get("/cb?"+callback(of["/cb/evil"]).Encode(), "X-User", "ann"), http.StatusBadRequest)
			sent(t, s, 0)
			for path, asked := range of {
				b.wants(b.get(path+"?"+callback(asked).Encode(), "X-User", "ann"), http.StatusSeeOther)
			}
			sent(t, s, 2)
		})
	}
}

func TestWebOfTwoReplicas(t *testing.T) {
	t.Parallel()
	s := serve(t)
	pending := oauth2flow.NewPendingMemory()
	shared := func(_ *client, a *oauth2flow.Authorization) { a.Pending = pending }
	first, _ := webOf(t, signIn(s, shared))
	second, tokens := webOf(t, signIn(s, shared))
	var mu sync.Mutex
	var n int
	app := serveApp(s, appURL, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		n++
		h := first
		if n%2 == 0 {
			h = second
		}
		mu.Unlock()
		h.ServeHTTP(w, req)
	}))
	b := newTab(t, app)
	asked := b.begins("/login", "X-User", "ann") // at the first
	b.wants(b.get("/cb?"+callback(asked).Encode(), "X-User", "ann"), http.StatusSeeOther)
	holds(t, tokens, "ann", "t1") // at the second
	sent(t, s, 1)

	asked = b.begins("/login", "X-User", "ann")
	u, err := url.Parse(appURL + "/")
	if err != nil {
		t.Fatal(err)
	}
	cookies := b.client.Jar.Cookies(u)
	var statuses []int
	var all sync.WaitGroup
	for _, h := range []http.Handler{first, second, first, second} {
		all.Go(func() {
			req := httptest.NewRequest(http.MethodGet, "/cb?"+callback(asked).Encode(), nil)
			req.Header.Set("X-User", "ann")
			for _, c := range cookies {
				req.AddCookie(c)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			mu.Lock()
			defer mu.Unlock()
			statuses = append(statuses, w.Code)
		})
	}
	all.Wait()
	slices.Sort(statuses)
	equal(t, "S4 statuses", statuses, []int{303, 400, 400, 400})
	sent(t, s, 2)
}

// idTokens lets every ID token pass.
type idTokens struct{}

func (idTokens) VerifyIDToken(
	_ context.Context, _ secrets.Value, _ oauth2flow.IDTokenWant,
) (*oauth2flow.IDToken, error) {
	return &oauth2flow.IDToken{Issuer: "https://idp.example.test", Subject: "1"}, nil
}

// posted makes a login one whose answer the browser posts.
func posted(_ *client, a *oauth2flow.Authorization) {
	a.ResponseType, a.OpenID = oauth2flow.ResponseIDToken, &oauth2flow.OpenID{Verifier: idTokens{}, AsToken: true}
}

func TestWebPosted(t *testing.T) {
	t.Parallel()
	s := serve(t)
	handler, tokens := webOf(t, signIn(s, posted))
	b := newTab(t, serveApp(s, appURL, handler))
	p := b.get("/login", "X-User", "ann")
	if got := p.header.Get("Set-Cookie"); !strings.HasPrefix(got, "__Host-login-") ||
		!strings.HasSuffix(got, "; HttpOnly; Secure; SameSite=None") {
		t.Errorf("the cookie is %q", got)
	}
	u, err := url.Parse(p.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"id_token": {"a.b.c"}, "state": {u.Query().Get("state")}}
	post := func(media, body string) page {
		return b.ask(http.MethodPost, "/cb", body, "X-User", "ann", "Content-Type", media, "Sec-Fetch-Site", "cross-site")
	}
	for name, c := range map[string]struct {
		media, body string
		status      int
	}{
		"JSON":                      {"application/json", `{}`, 415},
		"no type":                   {"", form.Encode(), 415},
		"F9 a form of 200 KiB":      {formType, form.Encode() + "&x=" + strings.Repeat("x", 200<<10), 413},
		"a form that is none":       {formType, "%zz", 400},
		"S4 a form without a state": {formType, "id_token=a.b.c", 400},
	} {
		if p := post(c.media, c.body); p.status != c.status {
			t.Errorf("%s: %d %s, want %d", name, p.status, p.text, c.status)
		}
	}
	b.wants(b.ask(http.MethodPost, "/cb?"+form.Encode(), "", "X-User", "ann", "Content-Type", formType), 400)
	b.wants(post(formType+"; charset=utf-8", form.Encode()), http.StatusSeeOther)
	holds(t, tokens, "ann", "a.b.c")
	sent(t, s, 0)

	asked := b.begins("/login", "X-User", "ann") // a server that did not understand the question
	p = b.get("/cb?"+url.Values{"state": asked["state"], "error": {"invalid_request"}}.Encode(), "X-User", "ann")
	b.wants(p, http.StatusBadRequest)
	equal(t, "page", p.text, "The login was refused. invalid_request\n")
}

func TestWebSlowClient(t *testing.T) {
	t.Parallel()
	s := serve(t)
	handler, _ := webOf(t, signIn(s, posted))
	app := serveApp(s, appURL, handler)
	b := newTab(t, app)
	asked := b.begins("/login", "X-User", "ann")
	slow, more := io.Pipe()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, app.URL+"/cb", slow)
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", formType)
		if resp, err := app.Network().Transport().RoundTrip(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	_, _ = io.WriteString(more, "state=")
	form := url.Values{"id_token": {"a.b.c"}, "state": asked["state"]}
	p := b.ask(http.MethodPost, "/cb", form.Encode(), "X-User", "ann", "Content-Type", formType)
	if p.status != http.StatusSeeOther {
		t.Errorf("F9 while another one is slow: %d", p.status)
	}
	_ = more.Close()
	<-gone
}

func TestWebOnLoopback(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const origin = "http://127.0.0.1:8080"
	local := func(_ *client, a *oauth2flow.Authorization) { a.RedirectURI = origin }
	handler, _ := webOf(t, signIn(s, local))
	b := newTab(t, serveApp(s, origin, handler))
	p := b.get("/login", "X-User", "ann")
	if got := p.header.Get("Set-Cookie"); !strings.HasPrefix(got, "login-") ||
		!strings.HasSuffix(got, "; HttpOnly; SameSite=Lax") {
		t.Errorf("S13 the cookie is %q", got)
	}
	u, err := url.Parse(p.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	b.wants(b.get("/?"+callback(u.Query()).Encode(), "X-User", "ann"), http.StatusSeeOther)
	handler, _ = webOf(t, signIn(s, local, posted))
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, "/login", nil)
	req.Header.Set("X-User", "ann")
	handler.ServeHTTP(w, req)
	if got := w.Header().Get("Set-Cookie"); !strings.HasSuffix(got, "; HttpOnly; Secure; SameSite=None") {
		t.Errorf("the cookie of one that is posted is %q", got)
	}
}

func TestWebSignOut(t *testing.T) {
	t.Parallel()
	s := serve(t)
	revoked := func(c *client, _ *oauth2flow.Authorization) { c.RevocationURL = s.URL + "/revoke" }
	handler, tokens := webOf(t, signIn(s, revoked))
	b := newTab(t, serveApp(s, appURL, handler))
	for _, user := range []string{"ann", "bob"} {
		asked := b.begins("/login", "X-User", user)
		b.wants(b.get("/cb?"+callback(asked).Encode(), "X-User", user), http.StatusSeeOther)
	}
	out := func(fields ...string) page { return b.ask(http.MethodPost, "/logout", "", fields...) }
	b.wants(out("X-User", "ann", "Sec-Fetch-Site", "cross-site"), http.StatusForbidden)
	b.wants(out("X-User", "ann", "Origin", "https://evil.test"), http.StatusForbidden)
	b.wants(out(), http.StatusForbidden)
	holds(t, tokens, "ann", "t1")
	p := out("X-User", "ann", "Sec-Fetch-Site", "same-origin")
	b.wants(p, http.StatusSeeOther)
	equal(t, "where to", p.header.Get("Location"), "/")
	holds(t, tokens, "ann", "")
	holds(t, tokens, "bob", "t1")
	got := sent(t, s, 3)[2]
	if got.Target != "/revoke" || !strings.Contains(string(got.Body), "token=t1") {
		t.Errorf("the revocation is %s", got.Raw)
	}
}

func TestWebFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply  http.Handler
		change func(c *client, a *oauth2flow.Authorization)
		close  bool
		status int
	}{
		"a token call that is refused": {reply: oauthError("invalid_grant"), status: 502},
		"a server that is broken":      {reply: connectiontest.Text(500, "c0de <p>"), status: 502},
		"a connection that breaks":     {reply: connectiontest.Cut(), status: 502},
		"a server that hangs":          {reply: issued.Delay(time.Hour), status: 504},
		"no secret": {
			change: func(c *client, _ *oauth2flow.Authorization) { c.Secret = secrets.Env("RESTCONN_NO_SUCH") }, status: 500,
		},
		"a manager that is closed": {close: true, status: 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, issued)
				if c.reply != nil {
					s = serve(t, c.reply)
				}
				change := func(*client, *oauth2flow.Authorization) {}
				if c.change != nil {
					change = c.change
				}
				handler, tokens := webOf(t, signIn(s, change))
				b := newTab(t, serveApp(s, appURL, handler))
				asked := b.begins("/login", "X-User", "ann")
				if c.close {
					_ = tokens.Close()
				}
				p := b.get("/cb?"+callback(asked).Encode(), "X-User", "ann")
				b.wants(p, c.status)
				hides(t, p.text, "invalid_grant", "c0de", "RESTCONN", s.URL)
			})
		})
	}
	t.Run("a store that is down", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		store := &countingStore{PendingStore: oauth2flow.NewPendingMemory()}
		handler, _ := webOf(t, signIn(s, func(_ *client, a *oauth2flow.Authorization) { a.Pending = store }))
		b := newTab(t, serveApp(s, appURL, handler))
		asked := b.begins("/login", "X-User", "ann")
		store.down.Store(true)
		b.wants(b.get("/cb?"+callback(asked).Encode(), "X-User", "ann"), http.StatusInternalServerError)
		b.wants(b.get("/login", "X-User", "ann"), http.StatusInternalServerError)
	})
}

func TestWebGoesOnWithoutTheBrowser(t *testing.T) {
	t.Parallel()
	s := serve(t)
	handler, tokens := webOf(t, signIn(s))
	b := newTab(t, serveApp(s, appURL, handler))
	asked := b.begins("/login", "X-User", "ann")
	u, err := url.Parse(appURL + "/")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/cb?"+callback(asked).Encode(), nil)
	req.Header.Set("X-User", "ann")
	for _, c := range b.client.Jar.Cookies(u) {
		req.AddCookie(c)
	}
	handler.ServeHTTP(httptest.NewRecorder(), req)
	holds(t, tokens, "ann", "t1")
}

func TestWebOfOnesOwn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	var failed []error
	var statuses []int
	var got *auth.Token
	handler, _ := webOf(t, signIn(s), func(w *oauth2flow.Web) {
		*w = oauth2flow.Web{
			BeginPath: "/sign-in", Logger: slog.New(slog.DiscardHandler),
			Options: func(req *http.Request) []oauth2flow.LoginOption {
				return []oauth2flow.LoginOption{oauth2flow.LoginHint(req.Header.Get("X-Mail"))}
			},
			Done: func(w http.ResponseWriter, req *http.Request, done oauth2flow.Completed) {
				got = done.Token
				http.Redirect(w, req, "/welcome?next="+done.Return, http.StatusFound)
			},
			Failed: func(w http.ResponseWriter, _ *http.Request, status int, err error) {
				failed, statuses = append(failed, err), append(statuses, status)
				w.WriteHeader(http.StatusTeapot)
			},
		}
	})
	b := newTab(t, serveApp(s, appURL, handler))
	asked := b.begins("/sign-in?return=/a", "X-Mail", "ann+x@example.test")
	equal(t, "S16 the hint", asked["login_hint"], []string{"ann+x@example.test"})
	p := b.get("/cb?code=x&state=y")
	b.wants(p, http.StatusTeapot)
	if len(failed) != 1 || !errors.Is(failed[0], oauth2flow.ErrState) {
		t.Errorf("errors %v", failed)
	}
	b.wants(b.get("/sign-in", "Sec-Fetch-Dest", "iframe"), http.StatusTeapot)
	if len(failed) != 2 || !errors.Is(failed[1], oauth2flow.ErrNotOpened) {
		t.Errorf("errors %v", failed)
	}
	p = b.get("/cb?" + callback(asked).Encode())
	if p.header.Get("Location") != "/welcome?next=/a" || got == nil || got.Value.Reveal() != "t1" {
		t.Errorf("the end is %d %v", p.status, p.header)
	}
	equal(t, "statuses", statuses, []int{400, 403})
	p = b.get("/cb?" + callback(b.begins("/sign-in")).Encode())
	equal(t, "where to without a return", p.header.Get("Location"), "/welcome?next=/")
	hides(t, oauth2flow.Completed{Token: got}, "t1")
}

func TestWebValidate(t *testing.T) {
	t.Parallel()
	type web = oauth2flow.Web
	tokens := func(code *oauth2flow.AuthorizationCode) *auth.Manager {
		m := auth.Manage(code)
		t.Cleanup(func() { _ = m.Close() })
		return m
	}
	redirect := func(uri string) func(_ *client, a *oauth2flow.Authorization) {
		return func(_ *client, a *oauth2flow.Authorization) { a.RedirectURI = uri }
	}
	same := redirect(redirectURI)
	for name, c := range map[string]struct {
		change func(c *client, a *oauth2flow.Authorization)
		web    func(w *web)
		want   []string
	}{
		"N-45 a private-use scheme":  {redirect("nccloud://openid"), nil, []string{"RedirectURI"}},
		"no redirect URI":            {redirect(""), nil, []string{"RedirectURI"}},
		"S13 http":                   {redirect("http://app.example.test/cb"), nil, []string{"RedirectURI"}},
		"the grant":                  {func(c *client, _ *oauth2flow.Authorization) { c.ID = "" }, nil, []string{"ID"}},
		"a path without a slash":     {same, func(w *web) { w.BeginPath = "login" }, []string{"BeginPath"}},
		"a path with a query":        {same, func(w *web) { w.SignOutPath = "/x?y" }, []string{"SignOutPath"}},
		"the path of the callback":   {same, func(w *web) { w.BeginPath = "/cb" }, []string{"BeginPath"}},
		"two paths that are one":     {same, func(w *web) { w.SignOutPath = "/login" }, []string{"SignOutPath"}},
		"nobody who keeps the token": {same, func(w *web) { w.Tokens = nil }, []string{"Done"}},
		"nothing to sign out of": {
			same, func(w *web) { w.Tokens, w.SignOutPath = nil, "/out" }, []string{"Tokens", "Done"},
		},
		"a manager that is not valid": {same, func(w *web) { w.Tokens = auth.Manage(nil) }, []string{"grant"}},
		"S15 one token for all users": {same, func(w *web) { w.Subject = byHeader }, []string{"auth.PerSubject"}},
		"all of it": {
			func(c *client, a *oauth2flow.Authorization) { c.ID, a.RedirectURI = "", "app://x" },
			func(w *web) { w.BeginPath, w.SignOutPath = "a", "b" },
			[]string{"ID", "RedirectURI", "BeginPath", "SignOutPath"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code := signIn(serve(t), c.change)
			w := web{Tokens: tokens(code), Logger: slog.New(slog.DiscardHandler)}
			if c.web != nil {
				c.web(&w)
			}
			var failed error
			w.Failed = func(w http.ResponseWriter, _ *http.Request, status int, err error) {
				failed = err
				w.WriteHeader(status)
			}
			l := oauth2flow.NewWebLogin(code, w)
			err := l.Validate()
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one about %s", err, want)
				}
			}
			l.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/login", nil))
			if err == nil || !errors.Is(failed, err) {
				t.Errorf("it answers with %v", failed)
			}
		})
	}
	for name, l := range map[string]*oauth2flow.WebLogin{
		"the zero value": {}, "no grant": oauth2flow.NewWebLogin(nil, web{Logger: slog.New(slog.DiscardHandler)}),
		"a grant that is zero": oauth2flow.NewWebLogin(
			new(oauth2flow.AuthorizationCode), web{Logger: slog.New(slog.DiscardHandler)}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			l.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/login", nil))
			if l.Validate() == nil || w.Code != http.StatusInternalServerError {
				t.Errorf("error %v, status %d", l.Validate(), w.Code)
			}
		})
	}
}
