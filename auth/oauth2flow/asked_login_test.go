package oauth2flow_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
)

// authorization has a short name, as it stands in all tables.
type authorization = oauth2flow.Authorization

// change amends the grant of a login.
type change = func(c *client, a *authorization)

// asksFor begins a login with these options, and returns it with the parameters of its URL, in query and fragment.
func asksFor(
	t *testing.T, code *oauth2flow.AuthorizationCode, opts ...oauth2flow.LoginOption,
) (*oauth2flow.Login, url.Values) {
	t.Helper()
	login, err := code.Begin(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(login.URL)
	if err != nil {
		t.Fatal(err)
	}
	asked := u.Query()
	_, query, _ := strings.Cut(u.EscapedFragment(), "?")
	inFragment, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range inFragment {
		asked[name] = append(asked[name], values...)
	}
	return login, asked
}

// completes makes a whole login, of which the browser brings those changes as well.
func completes(t *testing.T, code *oauth2flow.AuthorizationCode, changes ...string) *auth.Token {
	t.Helper()
	login, asked := asksFor(t, code)
	token, err := code.Complete(t.Context(), callback(asked, changes...), login.Browser)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// refuses makes a login that has to fail, and returns its error.
func refuses(t *testing.T, code *oauth2flow.AuthorizationCode, edit func(v url.Values)) error {
	t.Helper()
	login, asked := asksFor(t, code)
	answer := callback(asked)
	edit(answer)
	token, err := code.Complete(t.Context(), answer, login.Browser)
	if err == nil || token != nil {
		t.Fatalf("Complete returned a token: %t, and the error %v", token != nil, err)
	}
	return err
}

// formOf returns the parameters of the body of a request.
func formOf(t *testing.T, req connectiontest.Request) url.Values {
	t.Helper()
	v, err := url.ParseQuery(string(req.Body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestLoginURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change change
		opts   []oauth2flow.LoginOption
		want   url.Values // nil for none of that name
	}{
		{
			name:   "LoginScopes are beside those of the client, each once",
			change: func(c *client, _ *authorization) { c.Scopes = []string{"read mail", "write"} },
			opts:   []oauth2flow.LoginOption{oauth2flow.LoginScopes("mail", "admin", "admin")},
			want:   url.Values{"scope": {"read mail write admin"}},
		},
		{
			name: "Q-107 LoginScopes have the separator of the client",
			change: func(c *client, _ *authorization) {
				c.Scopes, c.ScopeSeparator = []string{"read"}, ","
			},
			opts: []oauth2flow.LoginOption{oauth2flow.LoginScopes("read,write")},
			want: url.Values{"scope": {"read,write"}},
		},
		{
			name:   "S30 resources are parameters of their own",
			change: func(c *client, _ *authorization) { c.Resources = []string{"https://b.test/", "urn:a"} },
			want:   url.Values{"resource": {"https://b.test/", "urn:a"}},
		},
		{
			name: "LoginParams take the place of Params",
			change: func(_ *client, a *authorization) {
				a.Params = oauth2flow.NewParams("prompt", "none", "audience", "a", "audience", "b")
			},
			opts: []oauth2flow.LoginOption{oauth2flow.LoginParams(oauth2flow.NewParams("prompt", "login", "x", "1", "x", "2"))},
			want: url.Values{"prompt": {"login"}, "audience": {"a", "b"}, "x": {"1", "2"}},
		},
		{
			name:   "S7 a later option takes the place of an earlier one",
			change: func(*client, *authorization) {},
			opts: []oauth2flow.LoginOption{
				oauth2flow.LoginParams(oauth2flow.NewParams("prompt", "login", "max_age", "5", "x", "1")),
				oauth2flow.LoginParams(oauth2flow.NewParams("prompt", "none")),
				oauth2flow.LoginStepUp(&auth.StepUpError{HasMaxAge: true, MaxAge: time.Minute}, nil),
			},
			want: url.Values{"prompt": {"none"}, "max_age": {"60"}, "x": {"1"}},
		},
		{
			name: "Q-107 LoginStepUp asks for the scopes of the token as well, each once",
			change: func(c *client, _ *authorization) {
				c.Scopes, c.ScopeSeparator = []string{"read mail"}, ","
			},
			opts: []oauth2flow.LoginOption{oauth2flow.LoginStepUp(
				&auth.StepUpError{Scopes: []string{"admin", "write"}},
				&auth.Token{Scopes: []string{"mail", "write", "files"}},
			)},
			want: url.Values{"scope": {"read mail,write,files,admin"}},
		},
		{
			name: "the names of the client hold here too, but for those that it leaves out",
			change: func(c *client, _ *authorization) {
				c.Names = map[string]string{"client_id": "client_key", "redirect_uri": "", "code": "auth_code", "scope": "perms"}
				c.Scopes = []string{"read"}
			},
			want: url.Values{
				"client_key": {"cid"}, "client_id": nil, "redirect_uri": {redirectURI}, "perms": {"read"}, "scope": nil,
			},
		},
		{
			name: "Names win over those of the client",
			change: func(c *client, a *authorization) {
				c.Names = map[string]string{"client_id": "client_key", "redirect_uri": "back"}
				a.Names = map[string]string{"client_id": "client_id"}
			},
			want: url.Values{"client_id": {"cid"}, "client_key": nil, "back": {redirectURI}, "redirect_uri": nil},
		},
		{
			name:   "N-45 S16 the hint of the configuration",
			change: func(_ *client, a *authorization) { a.LoginHint = auth.Subject },
			want:   url.Values{"login_hint": {"ann&x=1"}},
		},
		{
			name:   "LoginHint wins",
			change: func(_ *client, a *authorization) { a.LoginHint = auth.Subject },
			opts:   []oauth2flow.LoginOption{oauth2flow.LoginHint("bob@example.test")},
			want:   url.Values{"login_hint": {"bob@example.test"}},
		},
		{
			name:   "an empty hint is not sent",
			change: func(_ *client, a *authorization) { a.LoginHint = func(context.Context) string { return "" } },
			want:   url.Values{"login_hint": nil},
		},
		{
			name: "Names are other names",
			change: func(_ *client, a *authorization) {
				a.Names = map[string]string{"client_id": "client_key", "state": "relay", "login_hint": "user"}
			},
			opts: []oauth2flow.LoginOption{oauth2flow.LoginHint("ann")},
			want: url.Values{"client_key": {"cid"}, "client_id": nil, "state": nil, "user": {"ann"}, "login_hint": nil},
		},
		{
			name: "Names leave out, and Params have another in its place",
			change: func(_ *client, a *authorization) {
				a.Names = map[string]string{"response_type": "", "client_id": "", "redirect_uri": ""}
				a.Params = oauth2flow.NewParams("client_id", "app:cid")
			},
			want: url.Values{"response_type": nil, "client_id": {"app:cid"}, "redirect_uri": nil},
		},
		{
			name: "ResponseNone asks for no code",
			change: func(_ *client, a *authorization) {
				a.ResponseType = oauth2flow.ResponseNone
			},
			want: url.Values{"response_type": {"none"}, "code_challenge": nil, "nonce": nil, "response_mode": nil},
		},
		{
			name: "LoginStepUp asks for what was missing, and later options win",
			change: func(c *client, a *authorization) {
				c.Scopes = []string{"read"}
				a.Params = oauth2flow.NewParams("acr_values", "low", "max_age", "9999")
			},
			opts: []oauth2flow.LoginOption{
				oauth2flow.LoginParams(oauth2flow.NewParams("acr_values", "middle")),
				oauth2flow.LoginStepUp(&auth.StepUpError{
					Scopes: []string{"write"}, ACRValues: []string{"high", "higher"}, MaxAge: time.Minute, HasMaxAge: true,
				}, nil),
			},
			want: url.Values{"scope": {"read write"}, "acr_values": {"high higher"}, "max_age": {"60"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			code := signIn(serve(t), test.change)
			login, err := code.Begin(auth.WithSubject(t.Context(), "ann&x=1"), test.opts...)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(login.URL)
			if err != nil {
				t.Fatal(err)
			}
			got := u.Query()
			equal(t, "the query of the URL", got.Get("tenant"), "1")
			for name, values := range test.want {
				equal(t, name, got[name], values)
			}
		})
	}
}

func TestLoginURLWithFragment(t *testing.T) {
	t.Parallel()
	const page = "https://idp.example.test/app?tenant=1#/sign%20in"
	for name, c := range map[string]struct {
		url    string
		prefix string
	}{
		"a page":                        {page, page + "?client_id=cid&"},
		"a page with parameters of its": {page + "?theme=d%26k", page + "?theme=d%26k&client_id=cid&"},
	} {
		t.Run("the parameters are in the fragment: "+name, func(t *testing.T) {
			t.Parallel()
			code := signIn(serve(t), func(_ *client, a *authorization) { a.URL = c.url })
			login, asked := asksFor(t, code)
			if !strings.HasPrefix(login.URL, c.prefix) {
				t.Errorf("the URL is %s", login.URL)
			}
			equal(t, "redirect_uri", asked["redirect_uri"], []string{redirectURI})
			if _, err := code.Complete(t.Context(), callback(asked), login.Browser); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("Rewrite gets the finished URL", func(t *testing.T) {
		t.Parallel()
		var got string
		code := signIn(serve(t), func(_ *client, a *authorization) {
			a.URL = page
			a.Rewrite = func(u *url.URL) { got = u.String(); u.Host = "eu.example.test" }
		})
		login, _ := asksFor(t, code)
		equal(t, "URL", login.URL, strings.Replace(got, "idp.example.test", "eu.example.test", 1))
	})
	for name, rewrite := range map[string]func(u *url.URL){
		"N-29 takes the state away": func(u *url.URL) { u.Fragment, u.RawFragment = "", "" },
		"N-29 has a second state":   func(u *url.URL) { u.RawQuery = "state=x" },
		"S17 leads to http":         func(u *url.URL) { u.Scheme = "http" },
	} {
		t.Run("no login begins where Rewrite "+name, func(t *testing.T) {
			t.Parallel()
			code := signIn(serve(t), func(_ *client, a *authorization) { a.URL, a.Rewrite = page, rewrite })
			if _, err := code.Begin(t.Context()); err == nil {
				t.Error("it begins")
			}
		})
	}
}

func TestLoginOptionsAreRefused(t *testing.T) {
	t.Parallel()
	param := func(name string) oauth2flow.LoginOption {
		return oauth2flow.LoginParams(oauth2flow.NewParams(name, "v4lue"))
	}
	code := signIn(serve(t), func(_ *client, a *authorization) {
		a.Names = map[string]string{"client_id": "client_key"}
	})
	for name, opt := range map[string]oauth2flow.LoginOption{
		"nil":                            nil,
		"N-29 the state":                 param("state"),
		"N-29 the nonce":                 param("nonce"),
		"the client id":                  param("client_id"),
		"the client id by its name":      param("client_key"),
		"a request object":               param("request_uri"),
		"a parameter without a name":     param(""),
		"S7 max_age twice":               oauth2flow.LoginParams(oauth2flow.NewParams("max_age", "1", "max_age", "2")),
		"a token with a scope that none": oauth2flow.LoginStepUp(&auth.StepUpError{}, &auth.Token{Scopes: []string{"\\"}}),
		"an empty scope":                 oauth2flow.LoginScopes("read", " "),
		"a scope with a control":         oauth2flow.LoginScopes("read\n"),
		"step-up of no error":            oauth2flow.LoginStepUp(nil, nil),
		"step-up with a scope that none": oauth2flow.LoginStepUp(&auth.StepUpError{Scopes: []string{`"`}}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := code.Begin(t.Context(), opt)
			if err == nil {
				t.Fatal("a login begins")
			}
			hides(t, err, "v4lue")
		})
	}
	t.Run("S47 options do not print their values", func(t *testing.T) {
		t.Parallel()
		for _, opt := range []oauth2flow.LoginOption{param("prompt"), oauth2flow.LoginHint("v4lue")} {
			if strings.Contains(opt.String(), "v4lue") {
				t.Errorf("it shows %v", opt)
			}
		}
	})
}

func TestLoginIsForDisplay(t *testing.T) {
	t.Parallel()
	code := signIn(serve(t), func(_ *client, a *authorization) { a.DisplayName, a.PrivateSession = "The CRM", true })
	login, asked := asksFor(t, code)
	if login.DisplayName != "The CRM" || !login.PrivateSession || login.Posted {
		t.Errorf("the login is %+v", login)
	}
	if strings.Contains(asked.Encode(), "CRM") {
		t.Error("the name is sent")
	}
}

// What is given to the constructor is copied.
func TestLoginIsCopied(t *testing.T) {
	t.Parallel()
	s := serve(t)
	c := clientOf(s, func(c *client) {
		c.Names, c.AnswerNames = map[string]string{}, map[string]string{}
		c.RefreshParams, c.Scopes = oauth2flow.NewParams("x", "1"), []string{"read"}
	})
	a := authorization{
		URL: authorizeURL, RedirectURI: redirectURI, Names: map[string]string{"client_id": "key"},
		Params: oauth2flow.NewParams("p", "1"), Keep: []string{"tenant_id"}, ServerParam: "at", Servers: []string{s.URL},
	}
	code := oauth2flow.NewAuthorizationCode(c, a)
	c.Names["client_id"], c.AnswerNames["access_token"], a.Names["client_id"] = "other", "other", "other"
	c.RefreshParams[0].Value, c.Scopes[0], a.Params[0].Value = "2", "all", "2"
	a.Keep[0], a.Servers[0] = "other", "https://evil.test"
	login, asked := asksFor(t, code)
	equal(t, "URL", []string{asked.Get("key"), asked.Get("p"), asked.Get("scope")}, []string{"cid", "1", "read"})
	token, err := code.Complete(t.Context(), callback(asked, "tenant_id", "t7", "at", s.URL), login.Browser)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "kept", token.Extra["tenant_id"].Reveal(), "t7")
	_ = obtain(t, code, prev("r1"))
	equal(t, "refresh", formOf(t, sent(t, s, 2)[1]).Get("x"), "1")
}
