package interop_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// newSite starts a web site, whose certificate browsers accept. Its name is one that Chromium takes for this machine.
// It has no handler yet.
func newSite(t *testing.T, name string) *httptest.Server {
	t.Helper()
	cert, err := certificates(t).Server.TLS()
	if err != nil {
		t.Fatal(err)
	}
	site := httptest.NewUnstartedServer(nil)
	site.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	site.StartTLS()
	t.Cleanup(site.Close)
	_, port, _ := net.SplitHostPort(site.Listener.Addr().String())
	site.URL = "https://" + net.JoinHostPort(name, port)
	return site
}

const sessionCookie = "__Host-session"

// application is a web application, each of whose users has a session, and in it the token of his login.
type application struct {
	*httptest.Server

	tokens *auth.Manager
	login  *oauth2flow.WebLogin
	// who asks on behalf of a session who has signed in.
	who      func(ctx context.Context) (string, error)
	sameSite http.SameSite // of the session

	mu       sync.Mutex
	sessions map[string]string // by the users
	set      []string          // cookies of logins
	leftover []string          // cookies, beside that of the session, that come to pages that are no login's
	failed   []error
}

// newApplication starts an application at a site. who is as in the type.
func newApplication(
	t *testing.T, site *httptest.Server, code *oauth2flow.AuthorizationCode, sameSite http.SameSite,
) *application {
	t.Helper()
	a := &application{
		Server: site, tokens: managed(t, code, auth.PerSubject()), sameSite: sameSite, sessions: map[string]string{},
	}
	a.login = oauth2flow.NewWebLogin(code, oauth2flow.Web{
		Tokens: a.tokens, Subject: session, SignOutPath: "/logout", Failed: a.fails,
	})
	if err := a.login.Validate(); err != nil {
		t.Fatal(err)
	}
	a.who = func(ctx context.Context) (string, error) {
		token, err := a.tokens.Token(ctx, auth.Want{})
		if err != nil {
			return "", err
		}
		claims, err := oidc.IDClaims(token)
		return claims.Subject(), err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", a.page)
	for _, path := range []string{"/login", "/callback", "/logout"} {
		mux.HandleFunc(path, a.signs)
	}
	site.Config.Handler = mux
	return a
}

// session returns the session of a request; "" without one.
func session(req *http.Request) string {
	c, err := req.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// signs serves logins, and notes the cookies that they set.
func (a *application) signs(w http.ResponseWriter, req *http.Request) {
	a.login.ServeHTTP(w, req)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set = append(a.set, w.Header()["Set-Cookie"]...)
}

// fails answers in place of a login.
func (a *application) fails(w http.ResponseWriter, _ *http.Request, _ int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.failed = append(a.failed, err)
	http.Error(w, "It failed", http.StatusForbidden)
}

// wantFailed wants so many failures since it was last asked, all with that reason.
func (a *application) wantFailed(t *testing.T, n int, reason error) {
	t.Helper()
	eventually(t, "it fails", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.failed) >= n
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, err := range a.failed {
		if !errors.Is(err, reason) {
			t.Errorf("it failed with %v, want %v", err, reason)
		}
	}
	if len(a.failed) != n {
		t.Errorf("%d failures, want %d", len(a.failed), n)
	}
	a.failed = nil
}

// page greets who has signed in, and begins a session if there is none.
func (a *application) page(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	id := session(req)
	if id == "" {
		http.SetCookie(w, &http.Cookie{
			Name: sessionCookie, Value: rand.Text(), Path: "/", Secure: true, HttpOnly: true, SameSite: a.sameSite,
		})
		_, _ = fmt.Fprint(w, "Nobody")
		return
	}
	user, err := a.who(auth.WithSubject(req.Context(), id))
	if errors.Is(err, auth.ErrLoginRequired) {
		_, _ = fmt.Fprint(w, "Nobody")
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions[user] = id
	for _, c := range req.Cookies() {
		if c.Name != sessionCookie {
			a.leftover = append(a.leftover, c.Name)
		}
	}
	_, _ = fmt.Fprintf(w, `Hello, %s!<form method="post" action="/logout"></form>`, html.EscapeString(user))
}

// token returns the token that the session of a user has.
func (a *application) token(t *testing.T, user string) *auth.Token {
	t.Helper()
	a.mu.Lock()
	id := a.sessions[user]
	a.mu.Unlock()
	token, err := a.tokens.Token(auth.WithSubject(within(t, time.Minute), id), auth.Want{})
	if err != nil {
		t.Fatal(user, err)
	}
	return token
}

// visit opens a window with a session.
func (a *application) visit(t *testing.T, s *servers.Server) *chromium {
	t.Helper()
	window := newChromium(t, s)
	if _, err := window.login(within(t, time.Minute), a.URL, ""); err != nil {
		t.Fatal("Chromium:", err)
	}
	return window
}

// signsIn logs a user in, and wants to come back to a page, by an address with nothing of the login in it.
func (a *application) signsIn(t *testing.T, window *chromium, user string) {
	t.Helper()
	back, err := window.login(within(t, time.Minute), a.URL+"/login?return=/orders%3Fid=7", user)
	if err != nil {
		t.Fatal("Chromium:", err)
	}
	if back.String() != a.URL+"/orders?id=7" {
		t.Errorf("S15 the address is that of %s, with the parameters %d", back.Path, len(back.Query()))
	}
	wantText(t, window, "Hello, "+user+"!")
}

// wantText waits until a window shows a text.
func wantText(t *testing.T, window *chromium, want string) {
	t.Helper()
	eventually(t, "the page says "+want, func() bool {
		text, err := window.script(within(t, time.Minute), "document.body.innerText")
		return err == nil && strings.TrimSpace(text) == want
	})
}

// wantCookies wants that each login has set a cookie of its own like that, and has taken it back.
func (a *application) wantCookies(t *testing.T, logins int, sameSite string) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	form := regexp.MustCompile(`^(__Host-login-[\w-]{43})=([A-Z2-7]{26}; Path=/; Max-Age=\d{3}|; Path=/; Max-Age=0); ` +
		`HttpOnly; Secure; SameSite=` + sameSite + `$`)
	names := map[string]int{}
	for _, c := range a.set {
		found := form.FindStringSubmatch(c)
		if found == nil {
			t.Errorf("S4 a cookie is %q", c)
			continue
		}
		names[found[1]]++
	}
	if len(names) != logins || len(a.set) != 2*logins || len(a.leftover) > 0 {
		t.Errorf("S4 cookies of logins: %v, those that are left: %v", names, a.leftover)
	}
}

// TestSignInWeb logs two users in at a web application, which is another site than the provider: each in a window of
// Chromium, both at once.
func TestSignInWeb(t *testing.T) {
	t.Parallel()
	s, site := server(t, servers.OIDC), newSite(t, "app.test")
	client := registered(t, s, webApp(site.URL+"/callback"))
	client.Scopes, client.Auth = offline(), oauth2flow.InHeader()
	code := oidc.New(discovered(t, s), client, consenting(site.URL+"/callback"))
	app := newApplication(t, site, code, http.SameSiteLaxMode)
	conn := dialing(t, s.URL, connection.WithAuth(auth.Bearer(app.tokens)))
	app.who = func(ctx context.Context) (string, error) {
		info, err := request.Do[struct {
			Subject string `json:"sub"`
		}](ctx, request.Get(conn, "/me"))
		return info.Subject, err
	}

	windows := map[string]*chromium{"alice": app.visit(t, s), "bob": app.visit(t, s)}
	var both sync.WaitGroup
	for user, window := range windows {
		both.Go(func() { t.Run("N-23 "+user, func(t *testing.T) { app.signsIn(t, window, user) }) })
	}
	both.Wait()
	if t.Failed() {
		return
	}
	app.wantCookies(t, 2, "Lax")
	alice, bob := app.token(t, "alice"), app.token(t, "bob")
	wantActive(t, client, alice.Value, "alice")
	wantActive(t, client, bob.Value, "bob")
	if text, err := windows["bob"].script(t.Context(), "document.cookie"); text != "" || err != nil {
		t.Errorf("S4 scripts see the cookies %q: %v", text, err)
	}

	foreign(t, app, windows["alice"])
	planted(t, app, s, client)

	if _, err := windows["alice"].script(t.Context(), "(document.forms[0].requestSubmit(), '')"); err != nil {
		t.Fatal(err)
	}
	wantText(t, windows["alice"], "Nobody")
	for hint, text := range map[string]secrets.Value{"access_token": alice.Value, "refresh_token": alice.Refresh} {
		in, err := oauth2flow.Introspect(t.Context(), client, text, hint)
		if err != nil || in.Active {
			t.Errorf("S53 the %s after the sign-out: %+v, %v", hint, in, err)
		}
	}
	wantActive(t, client, bob.Value, "bob")
	if _, err := windows["bob"].login(within(t, time.Minute), app.URL, ""); err != nil {
		t.Fatal(err)
	}
	wantText(t, windows["bob"], "Hello, bob!")
}

// foreign has another site begin a login in a part of its page, and sign out who is looking at it.
func foreign(t *testing.T, app *application, window *chromium) {
	t.Helper()
	ctx, other := within(t, time.Minute), newSite(t, "other.test")
	other.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<iframe src="%[1]s/login"></iframe><img src="%[1]s/login">`+
			`<form method="post" action="%[1]s/logout"></form>`, app.URL)
	})
	if _, err := window.login(ctx, other.URL, ""); err != nil {
		t.Fatal(err)
	}
	app.wantFailed(t, 2, oauth2flow.ErrNotOpened)
	if _, err := window.script(ctx, "(document.forms[0].requestSubmit(), '')"); err != nil {
		t.Fatal(err)
	}
	wantText(t, window, "It failed")
	app.wantFailed(t, 1, oauth2flow.ErrOtherSite)
	if _, err := window.login(ctx, app.URL, ""); err != nil {
		t.Fatal(err)
	}
	wantText(t, window, "Hello, alice!")
}

// planted has the window of a user open the answer to the login of somebody else.
func planted(t *testing.T, app *application, s *servers.Server, client oauth2flow.Client) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	thief := plainClient(t, func(tr *http.Transport) {
		tr.TLSClientConfig.ServerName = "localhost"
		tr.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, app.Listener.Addr().String())
		}
	})
	thief.Jar = jar
	wantStatus(t, http.StatusOK, thief, app.URL)
	begun := wantStatus(t, http.StatusSeeOther, thief, app.URL+"/login")
	back, err := newForms(t, s).login(within(t, time.Minute), begun.Header.Get("Location"), "mallory")
	if err != nil {
		t.Fatal(err)
	}
	before, window := len(calls(t, s, client.ID)), app.visit(t, s)
	if _, err := window.login(within(t, time.Minute), back.String(), ""); err != nil {
		t.Fatal(err)
	}
	wantText(t, window, "It failed")
	app.wantFailed(t, 1, oauth2flow.ErrState)
	if after := len(calls(t, s, client.ID)); after != before {
		t.Errorf("S4 there were %d calls", after-before)
	}
}

// TestSignInWebPosted logs users in where the provider has the browser post its answer from a page of its own.
func TestSignInWebPosted(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	begin := func(t *testing.T, kind oauth2flow.ResponseType, sameSite http.SameSite) *application {
		t.Helper()
		site, p := newSite(t, "app.test"), discovered(t, s)
		m := fronted(string(kind), site.URL+"/callback")
		if kind == oauth2flow.ResponseIDToken {
			m = with(m, metadata{"grant_types": []string{grantImplicit}, "token_endpoint_auth_method": "none"})
			p.TokenURL, p.RevocationURL = "", ""
		}
		code := oidc.New(p, enrolled(t, s, m, "openid"),
			oauth2flow.Authorization{RedirectURI: site.URL + "/callback", ResponseType: kind}, oidc.AsToken())
		return newApplication(t, site, code, sameSite)
	}
	for _, kind := range []oauth2flow.ResponseType{oauth2flow.ResponseIDToken, oauth2flow.ResponseCodeIDToken} {
		t.Run("N-23 "+string(kind), func(t *testing.T) {
			t.Parallel()
			app := begin(t, kind, http.SameSiteNoneMode)
			window := app.visit(t, s)
			app.signsIn(t, window, "alice")
			app.wantCookies(t, 1, "None")
			if _, err := window.script(t.Context(), "(document.forms[0].requestSubmit(), '')"); err != nil {
				t.Fatal(err)
			}
			wantText(t, window, "Nobody")
		})
	}
	t.Run("the session does not come along", func(t *testing.T) {
		t.Parallel()
		app := begin(t, oauth2flow.ResponseIDToken, http.SameSiteLaxMode)
		window := app.visit(t, s)
		if _, err := window.login(within(t, time.Minute), app.URL+"/login", "alice"); err != nil {
			t.Fatal(err)
		}
		wantText(t, window, "It failed")
		app.wantFailed(t, 1, auth.ErrNoSubject)
	})
}
