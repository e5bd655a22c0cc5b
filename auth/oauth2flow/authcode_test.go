package oauth2flow_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

const (
	redirectURI  = "https://app.example.test/cb"
	authorizeURL = "https://idp.example.test/authorize?tenant=1"
)

// signIn returns the grant of a user's login at s.
func signIn(
	s *connectiontest.Server, changes ...func(c *client, a *oauth2flow.Authorization),
) *oauth2flow.AuthorizationCode {
	c, a := clientOf(s), oauth2flow.Authorization{URL: authorizeURL, RedirectURI: redirectURI}
	for _, change := range changes {
		change(&c, &a)
	}
	return oauth2flow.NewAuthorizationCode(c, a)
}

// begun begins a login, and returns it with the parameters of its URL.
func begun(t *testing.T, code *oauth2flow.AuthorizationCode) (*oauth2flow.Login, url.Values) {
	t.Helper()
	login, err := code.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(login.URL)
	if err != nil {
		t.Fatal(err)
	}
	return login, u.Query()
}

// callback is a good answer to a login with these parameters, with those changes in turn.
func callback(asked url.Values, changes ...string) url.Values {
	v := url.Values{"code": {"c0de"}, "state": asked["state"]}
	for i := 0; i < len(changes); i += 2 {
		v.Set(changes[i], changes[i+1])
	}
	return v
}

func TestAuthorizationCode(t *testing.T) {
	t.Parallel()
	s := serve(t, connectiontest.JSON(200, object{"access_token": "t1", "refresh_token": "r1", "expires_in": 60}))
	code := signIn(s)
	login, asked := begun(t, code)
	for name, want := range map[string]string{
		"tenant": "1", "response_type": "code", "client_id": "cid", "redirect_uri": redirectURI,
		"code_challenge_method": "S256",
	} {
		if got := asked[name]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q once", name, got, want)
		}
	}
	token, err := code.Complete(t.Context(), callback(asked), login.Browser)
	if err != nil {
		t.Fatal(err)
	}
	if token.Value.Reveal() != "t1" || token.Refresh.Reveal() != "r1" {
		t.Error("the token is another one")
	}
	got, err := url.ParseQuery(string(s.Requests()[0].Body))
	if err != nil {
		t.Fatal(err)
	}
	verifier := got.Get("code_verifier")
	want := url.Values{
		"client_id": {"cid"}, "client_secret": {"csec"}, "code": {"c0de"}, "code_verifier": {verifier},
		"grant_type": {"authorization_code"}, "redirect_uri": {redirectURI},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("S11 the token call (-want +got):\n%s", diff)
	}
	if len(verifier) < 43 || len(asked.Get("state")) < 26 || len(login.Browser.Reveal()) < 26 {
		t.Error("S2 S4 verifier, state or the mark of the browser are too short")
	}
	if strings.Contains(login.URL, verifier) || strings.Contains(login.URL, login.Browser.Reveal()) {
		t.Error("S1 the URL shows what is secret")
	}
	if _, err := code.Complete(t.Context(), callback(asked), login.Browser); !errors.Is(err, oauth2flow.ErrState) {
		t.Errorf("S4 a second callback: %v", err)
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("there were %d token calls", n)
	}
}

func TestAuthorizationCodePKCE(t *testing.T) {
	t.Parallel()
	for pkce, want := range map[oauth2flow.PKCE]string{
		oauth2flow.PKCES256: "S256", oauth2flow.PKCEPlain: "plain", oauth2flow.PKCENone: "",
	} {
		t.Run("N-31 PKCE "+string(pkce), func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			code := signIn(s, func(_ *client, a *oauth2flow.Authorization) { a.PKCE = pkce })
			login, asked := begun(t, code)
			if got := asked.Get("code_challenge_method"); got != want || asked.Has("code_challenge") != (want != "") {
				t.Errorf("the method is %q, want %q", got, want)
			}
			if _, err := code.Complete(t.Context(), callback(asked), login.Browser); err != nil {
				t.Fatal(err)
			}
			if sent := strings.Contains(string(s.Requests()[0].Body), "code_verifier"); sent != (want != "") {
				t.Errorf("the verifier is sent: %t", sent)
			}
		})
	}
}

func TestAuthorizationCodeRefuses(t *testing.T) {
	t.Parallel()
	ofIssuer := func(_ *client, a *oauth2flow.Authorization) { a.Issuer = "https://idp.example.test" }
	required := func(c *client, a *oauth2flow.Authorization) { ofIssuer(c, a); a.RequireIssuer = true }
	as := func(subject string) func(ctx context.Context) context.Context {
		return func(ctx context.Context) context.Context { return auth.WithSubject(ctx, subject) }
	}
	double := func(name string) func(v url.Values) { return func(v url.Values) { v[name] = []string{"a", "a"} } }
	again := func(name string) func(v url.Values) { return func(v url.Values) { v.Add(name, v.Get(name)) } }
	const evil = "https://evil.test"
	set := func(pairs ...string) func(v url.Values) {
		return func(v url.Values) {
			for i := 0; i < len(pairs); i += 2 {
				v.Set(pairs[i], pairs[i+1])
			}
		}
	}
	for name, c := range map[string]struct {
		change  func(c *client, a *oauth2flow.Authorization)
		edit    func(v url.Values)
		browser string
		ctx     func(ctx context.Context) context.Context
		want    error
	}{
		"F8 S4 another state":            {edit: set("state", "st-1"), want: oauth2flow.ErrState},
		"F8 S6 no state":                 {edit: func(v url.Values) { v.Del("state") }, want: oauth2flow.ErrState},
		"S5 an error with another state": {edit: set("state", "x", "error", "access_denied"), want: oauth2flow.ErrState},
		"S7 two states":                  {edit: again("state"), want: oauth2flow.ErrState},
		"S4 another browser":             {browser: "other", want: oauth2flow.ErrState},
		"S4 another user":                {ctx: as("bob"), want: oauth2flow.ErrState},
		"S7 two codes":                   {edit: double("code"), want: oauth2flow.ErrCallback},
		"S7 two issuers":                 {edit: double("iss"), want: oauth2flow.ErrCallback},
		"S7 two errors":                  {edit: double("error"), want: oauth2flow.ErrCallback},
		"no code":                        {edit: func(v url.Values) { v.Del("code") }, want: oauth2flow.ErrCallback},
		"a long code":                    {edit: set("code", strings.Repeat("x", 5000)), want: oauth2flow.ErrCallback},
		"S12 a token in the answer":      {edit: set("access_token", "t"), want: oauth2flow.ErrCallback},
		"F6 S8 another issuer":           {change: ofIssuer, edit: set("iss", evil), want: oauth2flow.ErrIssuer},
		"F6 S8 an error of another issuer": {
			change: ofIssuer, edit: set("iss", evil, "error", "x"), want: oauth2flow.ErrIssuer,
		},
		"F6 S8 no issuer": {change: required, want: oauth2flow.ErrIssuer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			var changes []func(c *client, a *oauth2flow.Authorization)
			if c.change != nil {
				changes = append(changes, c.change)
			}
			code := signIn(s, changes...)
			login, asked := begun(t, code)
			answer, browser, ctx := callback(asked), login.Browser, t.Context()
			if c.edit != nil {
				c.edit(answer)
			}
			if c.browser != "" {
				browser = secrets.Static(c.browser)
			}
			if c.ctx != nil {
				ctx = c.ctx(ctx)
			}
			if _, err := code.Complete(ctx, answer, browser); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if n := len(s.Requests()); n != 0 {
				t.Errorf("there were %d token calls", n)
			}
		})
	}
	t.Run("S5 a wrong state does not end the login", func(t *testing.T) {
		t.Parallel()
		code := signIn(serve(t))
		login, asked := begun(t, code)
		_, _ = code.Complete(t.Context(), callback(asked, "state", "x"), login.Browser)
		if _, err := code.Complete(t.Context(), callback(asked), login.Browser); err != nil {
			t.Error(err)
		}
	})
	t.Run("E-24 a refusal is told", func(t *testing.T) {
		t.Parallel()
		code := signIn(serve(t))
		login, asked := begun(t, code)
		_, err := code.Complete(t.Context(),
			callback(asked, "error", "access_denied", "error_description", "no\x1b[31m\nthanks"), login.Browser)
		e, ok := errors.AsType[*oauth2flow.CallbackError](err)
		if !ok || e.Code != "access_denied" || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("error %q", err)
		}
	})
}

func TestAuthorizationCodeExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		code := signIn(serve(t))
		login, asked := begun(t, code)
		time.Sleep(10 * time.Minute)
		if _, err := code.Complete(t.Context(), callback(asked), login.Browser); !errors.Is(err, oauth2flow.ErrState) {
			t.Errorf("S4 after ten minutes: %v", err)
		}
	})
}

func TestAuthorizationCodeOnce(t *testing.T) {
	t.Parallel()
	s := serve(t)
	code := signIn(s)
	login, asked := begun(t, code)
	var done sync.WaitGroup
	for range 20 {
		done.Go(func() { _, _ = code.Complete(t.Context(), callback(asked), login.Browser) })
	}
	done.Wait()
	if n := len(s.Requests()); n != 1 {
		t.Errorf("N-26 S4 the code was sent %d times", n)
	}
}

// What a login began with is fixed.
func TestAuthorizationCodeIsFixed(t *testing.T) {
	t.Parallel()
	shared := oauth2flow.NewPendingMemory()
	keep := func(_ *client, a *oauth2flow.Authorization) { a.Pending = shared }
	t.Run("S11 another redirect URI by now does not change that of the exchange", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		login, asked := begun(t, signIn(s, keep))
		after := signIn(s, keep, func(_ *client, a *oauth2flow.Authorization) { a.RedirectURI += "2" })
		if _, err := after.Complete(t.Context(), callback(asked), login.Browser); err != nil {
			t.Fatal(err)
		}
		if got := string(s.Requests()[0].Body); !strings.Contains(got, url.QueryEscape(redirectURI)) {
			t.Errorf("the token call is %s", got)
		}
	})
	for name, change := range map[string]func(c *client, a *oauth2flow.Authorization){
		"client":         func(c *client, _ *oauth2flow.Authorization) { c.ID = "other" },
		"token endpoint": func(c *client, _ *oauth2flow.Authorization) { c.TokenURL += "/elsewhere" },
		"issuer":         func(_ *client, a *oauth2flow.Authorization) { a.Issuer = "https://other.test" },
	} {
		t.Run("S10 the answer does not reach another "+name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			code := signIn(s, keep)
			login, asked := begun(t, code)
			_, err := signIn(s, keep, change).Complete(t.Context(), callback(asked), login.Browser)
			if !errors.Is(err, oauth2flow.ErrState) || len(s.Requests()) != 0 {
				t.Errorf("error %v, and %d token calls", err, len(s.Requests()))
			}
			if _, err := code.Complete(t.Context(), callback(asked), login.Browser); err != nil {
				t.Errorf("S5 the login is over: %v", err)
			}
		})
	}
}

func TestLoginsDoNotPrint(t *testing.T) {
	t.Parallel()
	s := serve(t)
	login, asked := begun(t, signIn(s))
	for _, v := range []any{login, *login, []any{login}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, asked.Get("state")) {
				t.Errorf("S47 %s of a %T shows the state: %s", verb, v, text)
			}
		}
	}
}

func TestAuthorizationCodeRefreshAsksForNoScopes(t *testing.T) {
	t.Parallel()
	s := serve(t)
	code := signIn(s, func(c *client, _ *oauth2flow.Authorization) { c.Scopes = []string{"read", "write"} })
	_ = obtain(t, code, &auth.Token{Refresh: secrets.Static("r1"), Scopes: []string{"read"}})
	if got := string(s.Requests()[0].Body); strings.Contains(got, "scope") {
		t.Errorf("S26 the refresh asks for scopes again: %s", got)
	}
}

func TestAuthorizationCodeOfManager(t *testing.T) {
	t.Parallel()
	s := serve(t,
		connectiontest.JSON(200, object{"access_token": "ann-1", "refresh_token": "r1", "expires_in": 60}),
		connectiontest.JSON(200, object{"access_token": "ann-2", "expires_in": 60}))
	code := signIn(s)
	tokens := auth.Manage(code, auth.PerSubject())
	ann := auth.WithSubject(t.Context(), "ann")
	if _, err := tokens.Token(ann, auth.Want{}); !errors.Is(err, auth.ErrLoginRequired) {
		t.Errorf("before a login: %v", err)
	}
	login, err := code.Begin(ann)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(login.URL)
	if err != nil {
		t.Fatal(err)
	}
	token, err := code.Complete(ann, callback(u.Query()), login.Browser)
	if err != nil {
		t.Fatal(err)
	}
	if err := tokens.Set(ann, token); err != nil {
		t.Fatal(err)
	}
	if got, err := tokens.Token(ann, auth.Want{}); err != nil || got.Value.Reveal() != "ann-1" {
		t.Errorf("the token of the login: %v", err)
	}
	if got, err := tokens.Token(ann, auth.Want{Not: token.Value}); err != nil || got.Value.Reveal() != "ann-2" {
		t.Errorf("the next token: %v", err)
	}
	if _, err := tokens.Token(auth.WithSubject(t.Context(), "bob"), auth.Want{}); !errors.Is(err, auth.ErrLoginRequired) {
		t.Errorf("another user: %v", err)
	}
	if err := tokens.Close(); err != nil {
		t.Error(err)
	}
}

func TestAuthorizationCodeValidate(t *testing.T) {
	t.Parallel()
	type authorization = oauth2flow.Authorization
	redirect := func(uri string) func(c *client, a *authorization) {
		return func(_ *client, a *authorization) { a.RedirectURI = uri }
	}
	for name, c := range map[string]struct {
		change func(c *client, a *authorization)
		want   string
	}{
		"E-10 no client id":         {func(c *client, _ *authorization) { c.ID = "" }, "ID"},
		"E-10 no token endpoint":    {func(c *client, _ *authorization) { c.TokenURL = "" }, "TokenURL"},
		"E-10 no authorization URL": {func(_ *client, a *authorization) { a.URL = "" }, "Authorization.URL"},
		"S17 http":                  {func(_ *client, a *authorization) { a.URL = "http://idp.test/a" }, "Authorization.URL"},
		"S13 redirect over http":    {redirect("http://app.test/"), "RedirectURI"},
		"S13 redirect to localhost": {redirect("http://localhost:9/"), "RedirectURI"},
		"redirect to a script":      {redirect("javascript:x"), "RedirectURI"},
		"N-29 state as a parameter": {func(_ *client, a *authorization) { a.Params = oauth2flow.NewParams("state", "x") },
			"Params"},
		"state in the query of the URL": {func(_ *client, a *authorization) { a.URL = "https://idp.test/?state=x" },
			"Authorization.URL"},
		"an issuer that is none": {func(_ *client, a *authorization) { a.Issuer = "idp" }, "Issuer"},
		"a Rewrite that takes away the state": {func(_ *client, a *authorization) {
			a.Rewrite = func(u *url.URL) { u.RawQuery = "" }
		}, ""},
		"an issuer that is required": {func(_ *client, a *authorization) { a.RequireIssuer = true }, "Issuer"},
		"a PKCE of its own":          {func(_ *client, a *authorization) { a.PKCE = "S512" }, "PKCE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code := signIn(serve(t), c.change)
			err := code.Validate()
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want one about %s", err, c.want)
			}
			if _, err := code.Begin(t.Context()); err == nil {
				t.Error("a login begins all the same")
			}
		})
	}
	for _, uri := range []string{
		redirectURI, "http://127.0.0.1:8080/callback", "http://[::1]:8080/x", "nccloud://openid",
	} {
		t.Run("N-45 S13 "+uri, func(t *testing.T) {
			t.Parallel()
			code := signIn(serve(t), func(_ *client, a *oauth2flow.Authorization) { a.RedirectURI = uri })
			if _, asked := begun(t, code); asked.Get("redirect_uri") != uri {
				t.Errorf("redirect_uri is %q", asked.Get("redirect_uri"))
			}
		})
	}
}
