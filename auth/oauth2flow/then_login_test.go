package oauth2flow_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// given is what a grant of somebody else's was asked to renew.
type given struct{ tokens []*auth.Token }

// grant is a grant that answers with t and err.
func (g *given) grant(t *auth.Token, err error) auth.Grant {
	return auth.GrantFunc(func(_ context.Context, prev *auth.Token) (*auth.Token, error) {
		g.tokens = append(g.tokens, prev)
		return t, err
	})
}

func token(text string) *auth.Token { return &auth.Token{Value: secrets.Static(text)} }

var twoTokens = []http.Handler{
	connectiontest.JSON(200, object{"access_token": "t1", "refresh_token": "r1", "scope": "read", "host": "h1"}),
	connectiontest.JSON(200, object{"access_token": "t2", "refresh_token": "r2", "scope": "read"}),
}

func TestLoginThen(t *testing.T) {
	t.Parallel()
	then := func(g auth.Grant) change { return func(_ *client, a *authorization) { a.Then = g } }
	t.Run("Q-106 what comes of it has the refresh token, and Then has part in renewals", func(t *testing.T) {
		t.Parallel()
		shared := &auth.Token{
			Value: secrets.Static("session"), Extra: map[string]secrets.Value{"host": secrets.Static("h2")},
		}
		var g given
		s := serve(t, twoTokens...)
		code := signIn(s, then(g.grant(shared, nil)))
		first := completes(t, code)
		second := obtain(t, code, first)
		for i, want := range []string{"r1", "r2"} {
			got := []*auth.Token{first, second}[i]
			equal(t, "token", got.Value.Reveal(), "session")
			equal(t, "refresh token", got.Refresh.Reveal(), want)
			equal(t, "scopes", got.Scopes, []string{"read"})
			equal(t, "extra", extras(got), map[string]string{"host": "h2"})
			equal(t, "given", g.tokens[i].Value.Reveal(), []string{"t1", "t2"}[i])
		}
		if shared.Refresh.Reveal() != "" || len(shared.Scopes) > 0 || len(shared.Extra) != 1 {
			t.Error("the token of somebody else's was changed")
		}
		equal(t, "refresh", formOf(t, sent(t, s, 2)[1]).Get("refresh_token"), "r1")
	})
	t.Run("the ID token that came with it stays", func(t *testing.T) {
		t.Parallel()
		var g given
		code, _ := openID(serve(t, answered("t1", "r1", "idp/ann")), then(g.grant(token("session"), nil)))
		equal(t, "ID token", completes(t, code).Extra[oauth2flow.ExtraIDToken].Reveal(), "idp/ann")
	})
	t.Run("S43 an ID token that nobody has verified is not kept", func(t *testing.T) {
		t.Parallel()
		var g given
		own := &auth.Token{Value: secrets.Static("session"), Extra: map[string]secrets.Value{
			oauth2flow.ExtraIDToken: secrets.Static("idp/ann with other claims"),
		}}
		code, _ := openID(serve(t, answered("t1", "r1", "idp/ann"), answered("t2", "", "")), then(g.grant(own, nil)))
		first := completes(t, code)
		equal(t, "ID token", first.Extra[oauth2flow.ExtraIDToken].Reveal(), "idp/ann")
		equal(t, "extra", extras(obtain(t, code, first)), map[string]string{
			oauth2flow.ExtraIssuer: "idp", oauth2flow.ExtraSubject: "ann", oauth2flow.ExtraIDToken: "idp/ann",
		})
	})
	before := &auth.Token{
		Value: secrets.Static("t0"), Refresh: secrets.Static("r1-secret"), Scopes: []string{"read"},
		Extra: map[string]secrets.Value{"realmId": secrets.Static("7")},
	}
	for name, c := range map[string]struct {
		token *auth.Token
		err   error
		want  error
	}{
		"no token":       {nil, nil, auth.ErrNoToken},
		"an empty token": {&auth.Token{Refresh: secrets.Static("other")}, nil, auth.ErrNoToken},
		"a refusal":      {nil, auth.ErrInvalidGrant, auth.ErrInvalidGrant},
		"a secret": {nil, &url.Error{
			Op: "Get", URL: "https://x.test/?t=t1-secret&again=t2-secret&r=r1-secret&r=r2-secret", Err: errIDToken,
		}, errIDToken},
	} {
		t.Run("S47 Then answers with "+name, func(t *testing.T) {
			t.Parallel()
			var g given
			code := signIn(serve(t, answered("t1-secret", "r1-secret", ""), answered("t2-secret", "r2-secret", "")),
				then(g.grant(c.token, c.err)))
			err := refuses(t, code, func(url.Values) {})
			is(t, err, c.want)
			hides(t, err, "t1-secret", "r1-secret")
			left, err := code.Obtain(t.Context(), before)
			is(t, err, c.want)
			hides(t, err, "t2-secret", "r2-secret")
			if left == nil || left.Value.Reveal() != "" || left.Refresh.Reveal() != "r2-secret" {
				t.Fatalf("left is %v", left)
			}
			equal(t, "left", extras(left), map[string]string{"realmId": "7"})
			equal(t, "scopes", left.Scopes, []string{"read"})
		})
	}
	t.Run("it makes a token of a consent", func(t *testing.T) {
		t.Parallel()
		var g given
		s := serve(t)
		code := signIn(s, then(g.grant(token("app"), nil)), ofKind(oauth2flow.ResponseNone),
			func(_ *client, a *authorization) { a.Keep = []string{"tenant"} })
		begun, asked := asksFor(t, code)
		answer := url.Values{"state": asked["state"], "tenant": {"t7"}}
		got, err := code.Complete(t.Context(), answer, begun.Browser)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "token", got.Value.Reveal(), "app")
		equal(t, "given", extras(g.tokens[0]), map[string]string{"tenant": "t7"})
	})
}

// A manager that a Then has refused goes on with the refresh token that came before it.
func TestLoginThenOfManager(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, twoTokens...)
		down := false
		code := signIn(s, func(_ *client, a *authorization) {
			a.Then = auth.GrantFunc(func(_ context.Context, prev *auth.Token) (*auth.Token, error) {
				if down {
					return nil, auth.ErrInvalidGrant
				}
				return token("session of " + prev.Value.Reveal()), nil
			})
		})
		tokens := auth.Manage(code)
		defer func() { _ = tokens.Close() }()
		first := completes(t, code)
		if err := tokens.Set(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		down = true
		if _, err := tokens.Renew(t.Context()); err == nil {
			t.Fatal("there is a token")
		}
		down = false
		time.Sleep(2 * time.Minute)
		got, err := tokens.Token(t.Context(), auth.Want{})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "token", got.Value.Reveal(), "session of t2")
		equal(t, "refresh", formOf(t, sent(t, s, 3)[2]).Get("refresh_token"), "r2")
	})
}

// Whose a token is, only an ID token tells that was verified.
func TestLoginExchangeNamesNobody(t *testing.T) {
	t.Parallel()
	own := &auth.Token{Value: secrets.Static("t1"), Extra: map[string]secrets.Value{
		oauth2flow.ExtraIssuer: secrets.Static("idp"), oauth2flow.ExtraSubject: secrets.Static("eve"),
	}}
	var g given
	code := signIn(serve(t), func(_ *client, a *authorization) { a.Exchange = g.grant(own, nil) })
	equal(t, "S45 extra", extras(completes(t, code)), map[string]string{})
}

func TestLoginRenew(t *testing.T) {
	t.Parallel()
	renew := func(g auth.Grant) change { return func(_ *client, a *authorization) { a.Renew = g } }
	before := &auth.Token{
		Value: secrets.Static("t0-secret"), Refresh: secrets.Static("r0-secret"), Scopes: []string{"read"},
		Extra: map[string]secrets.Value{"realmId": secrets.Static("7")},
	}
	t.Run("E-28 it takes the place of the refresh token grant and of Then", func(t *testing.T) {
		t.Parallel()
		var g, then given
		s := serve(t)
		code := signIn(s, renew(g.grant(token("t1"), nil)), func(_ *client, a *authorization) {
			a.Then = then.grant(token("x"), nil)
		})
		got := obtain(t, code, before)
		equal(t, "token", got.Value.Reveal(), "t1")
		equal(t, "refresh token", got.Refresh.Reveal(), "r0-secret")
		equal(t, "extra", extras(got), map[string]string{"realmId": "7"})
		equal(t, "calls", len(s.Requests())+len(then.tokens), 0)
		is(t, refused(t, code, nil), auth.ErrLoginRequired)
	})
	for name, c := range map[string]struct {
		token *auth.Token
		err   error
		left  string
	}{
		"no token":                         {nil, nil, ""},
		"a new refresh token without text": {&auth.Token{Refresh: secrets.Static("r1")}, nil, "r1"},
		"a new refresh token and a fault":  {&auth.Token{Refresh: secrets.Static("r1")}, auth.ErrMalformed, "r1"},
		"a refusal":                        {nil, auth.ErrInvalidGrant, ""},
		"a secret":                         {nil, errors.New("t0-secret and r0-secret"), ""}, //nolint:err113 // of a test
	} {
		t.Run("S47 Renew answers with "+name, func(t *testing.T) {
			t.Parallel()
			var g given
			left, err := signIn(serve(t), renew(g.grant(c.token, c.err))).Obtain(t.Context(), before)
			if err == nil {
				t.Fatal("there is a token")
			}
			hides(t, err, "t0-secret", "r0-secret")
			if c.left == "" {
				if left != nil {
					t.Errorf("left is %v", left)
				}
				return
			}
			equal(t, "refresh token", left.Refresh.Reveal(), c.left)
			equal(t, "extra", extras(left), map[string]string{"realmId": "7"})
		})
	}
	t.Run("S43 an ID token that it brings is verified", func(t *testing.T) {
		t.Parallel()
		for id, ok := range map[string]bool{"idp/ann": true, "idp/eve": false, "b4d": false, "": true} {
			got := token("t2")
			if id != "" {
				got.Extra = map[string]secrets.Value{oauth2flow.ExtraIDToken: secrets.Static(id)}
			}
			var g given
			code, _ := openID(serve(t, answered("t1", "", "idp/ann")), renew(g.grant(got, nil)))
			_, err := code.Obtain(t.Context(), completes(t, code))
			if (err == nil) != ok {
				t.Errorf("with %q: %v", id, err)
			}
		}
	})
	t.Run("F18 S43 after one that was refused, the next has to be good", func(t *testing.T) {
		t.Parallel()
		bring := func(id string) *auth.Token {
			return &auth.Token{Value: secrets.Static("t2"), Refresh: secrets.Static("r2"), Extra: map[string]secrets.Value{
				oauth2flow.ExtraIDToken: secrets.Static(id),
			}}
		}
		next := bring("idp/eve")
		code, v := openID(serve(t, answered("t1", "", "idp/ann")), renew(auth.GrantFunc(
			func(context.Context, *auth.Token) (*auth.Token, error) { return next, nil },
		)))
		left, err := code.Obtain(t.Context(), completes(t, code))
		if err == nil || left.Refresh.Reveal() != "r2" {
			t.Fatalf("left is %v, and the error %v", left, err)
		}
		next = &auth.Token{Value: secrets.Static("t3"), Refresh: secrets.Static("r3")}
		left, err = code.Obtain(t.Context(), left)
		is(t, err, auth.ErrLoginRequired)
		next = bring("idp/ann") // the one of the login
		_ = obtain(t, code, left)
		equal(t, "verified", len(v.wants), 3)
	})
	t.Run("S45 without an ID token there is none to send", func(t *testing.T) {
		t.Parallel()
		same := func(_ context.Context, prev *auth.Token) (*auth.Token, error) { return prev, nil }
		code, _ := openID(serve(t, answered("t1", "", "idp/ann")), asToken, renew(auth.GrantFunc(same)))
		if _, err := code.Obtain(t.Context(), completes(t, code)); err == nil {
			t.Error("there is a token")
		}
	})
}

func TestLoginExchange(t *testing.T) {
	t.Parallel()
	exchange := func(g auth.Grant) change {
		return func(c *client, a *authorization) {
			c.TokenURL, a.Exchange, a.Keep = "", g, []string{"region"}
		}
	}
	t.Run("it is told of the login, and none of that is kept", func(t *testing.T) {
		t.Parallel()
		var g given
		code := signIn(serve(t), exchange(auth.GrantFunc(func(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
			own := *prev // as one that copies what it gets
			own.Value = secrets.Static("t1")
			return g.grant(&own, nil).Obtain(ctx, prev)
		})))
		begun, asked := asksFor(t, code)
		got, err := code.Complete(t.Context(), callback(asked, "region", "eu"), begun.Browser)
		if err != nil {
			t.Fatal(err)
		}
		told := extras(g.tokens[0])
		equal(t, "code", g.tokens[0].Value.Reveal(), "c0de")
		equal(t, "told", []string{told["redirect_uri"], told["state"], told["region"]},
			[]string{redirectURI, asked.Get("state"), "eu"})
		if len(told["code_verifier"]) < 43 {
			t.Error("S2 there is no verifier")
		}
		equal(t, "kept", extras(got), map[string]string{"region": "eu"})
		is(t, refused(t, code, &auth.Token{Refresh: secrets.Static("r1")}), auth.ErrLoginRequired)
	})
	for name, c := range map[string]struct {
		token *auth.Token
		err   error
		want  error
	}{
		"no token":     {nil, nil, auth.ErrNoToken},
		"an empty one": {&auth.Token{}, nil, auth.ErrNoToken},
		"the code":     {nil, fmt.Errorf("%w: c0de", auth.ErrInvalidGrant), auth.ErrInvalidGrant},
		"fewer scopes": {&auth.Token{Value: secrets.Static("t1"), Scopes: []string{"x"}}, nil, oauth2flow.ErrScopes},
	} {
		t.Run("S26 S47 it answers with "+name, func(t *testing.T) {
			t.Parallel()
			var g given
			code := signIn(serve(t), exchange(g.grant(c.token, c.err)), func(c *client, _ *authorization) {
				c.Scopes, c.RequireScopes = []string{"read"}, true
			})
			err := refuses(t, code, func(url.Values) {})
			is(t, err, c.want)
			hides(t, err, "c0de")
		})
	}
	t.Run("a login of steps makes the exchange", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(200, object{"token": "t1"}))
		code := signIn(s, exchange(login.New(login.Config{
			BaseURL: s.URL, Endpoint: via(s), Token: "body.token", NeverExpires: true,
			Renew: []login.Step{{Path: "/code", JSON: map[string]any{
				"code": "{{token}}", "verifier": "{{code_verifier}}", "back": "{{redirect_uri}}",
			}}},
		})))
		equal(t, "kept", extras(completes(t, code)), map[string]string{})
		if got := body(t, s); !strings.Contains(got, `"back":"`+redirectURI+`","code":"c0de"`) {
			t.Errorf("the body is %s", got)
		}
	})
}

// A service whose code is for a token, and whose token is for a session.
func TestLoginSession(t *testing.T) {
	t.Parallel()
	s := serve(t,
		connectiontest.JSON(200, object{"access_token": "t1", "refresh_token": "r1", "expires_in": 600}),
		connectiontest.JSON(200, object{"BhRestToken": "s1", "restUrl": "https://rest1.test/"}),
		connectiontest.JSON(200, object{"access_token": "t2", "refresh_token": "r2", "expires_in": 600}),
		connectiontest.JSON(200, object{"BhRestToken": "s2", "restUrl": "https://rest2.test/"}),
	)
	code := signIn(s, func(c *client, a *authorization) {
		c.Secret, c.Auth, c.Encoding = secrets.Static("csec"), oauth2flow.InBody(), oauth2flow.Form
		a.Then = login.New(login.Config{
			BaseURL: s.URL, Endpoint: via(s), Token: "body.BhRestToken", Lifetime: 7 * 24 * time.Hour,
			Extra: map[string]string{"host": "body.restUrl"},
			Renew: []login.Step{{Path: "/login", Query: login.Fields(
				"version", "*", "access_token", "{{token}}", "ttl", "10080")}},
		})
	})
	got := completes(t, code)
	for _, want := range []string{"1", "2"} {
		equal(t, "Q-106 session", got.Value.Reveal(), "s"+want)
		equal(t, "Q-106 host", got.Extra["host"].Reveal(), "https://rest"+want+".test/")
		equal(t, "Q-106 refresh token", got.Refresh.Reveal(), "r"+want)
		if want == "1" {
			got = obtain(t, code, got)
		}
	}
	all := sent(t, s, 4)
	equal(t, "Q-106 session call", all[1].Target, "/login?version=%2A&access_token=t1&ttl=10080")
	equal(t, "Q-106 refresh", formOf(t, all[2]).Get("refresh_token"), "r1")
	equal(t, "Q-106 next session call", all[3].Target, "/login?version=%2A&access_token=t2&ttl=10080")
}

// What a token is for, and nothing else, makes another configuration.
func TestLoginConfig(t *testing.T) {
	t.Parallel()
	s := serve(t)
	of := func(changes ...change) string { return signIn(s, changes...).Traits().Config }
	grant := login.New(login.Config{
		BaseURL: s.URL, Token: "body.x", NeverExpires: true, Renew: []login.Step{{Path: "/{{token}}"}},
	})
	for name, c := range map[string]change{
		"Names": func(c *client, a *authorization) {
			c.Names = map[string]string{"client_id": "key"}
			c.AnswerNames, a.Names = map[string]string{"access_token": "t"}, c.Names
		},
		"Servers":       func(_ *client, a *authorization) { a.ServerParam, a.Servers = "at", []string{s.URL} },
		"RefreshParams": func(c *client, _ *authorization) { c.RefreshParams = oauth2flow.NewParams("x", "1") },
		"Params":        func(_ *client, a *authorization) { a.Params = oauth2flow.NewParams("prompt", "login") },
		"Keep":          func(_ *client, a *authorization) { a.Keep = []string{"tenant"} },
		"the hint":      func(_ *client, a *authorization) { a.LoginHint = auth.Subject },
		"Renew":         func(_ *client, a *authorization) { a.Renew = grant },
		"Scopes":        func(c *client, _ *authorization) { c.Scopes = []string{"read", "write"} },
		"RequireScopes": func(c *client, _ *authorization) { c.Scopes, c.RequireScopes = []string{"read"}, true },
		"Auth":          func(c *client, _ *authorization) { c.Auth = oauth2flow.InHeader() },
		"Client.Params": func(c *client, _ *authorization) { c.Params = oauth2flow.NewParams("x", "1") },
		"Header":        func(c *client, _ *authorization) { c.Header = http.Header{"X-Api-Version": {"2"}} },
		"RefreshURL":    func(c *client, _ *authorization) { c.RefreshURL = s.URL + "/refresh" },
		"RevocationURL": func(c *client, _ *authorization) { c.RevocationURL = s.URL + "/revoke" },
		"RedirectURI":   func(_ *client, a *authorization) { a.RedirectURI = "https://other.test/callback" },
	} {
		t.Run("no new login after a change of "+name, func(t *testing.T) {
			t.Parallel()
			equal(t, "configuration", of(c), of())
		})
	}
	seen := map[string]string{of(): "nothing"}
	for name, c := range map[string]change{
		"Then":     func(_ *client, a *authorization) { a.Then = grant },
		"Exchange": func(_ *client, a *authorization) { a.Exchange = grant },
		"the URL":  func(_ *client, a *authorization) { a.URL = "https://other.test/" },
		"AsToken": func(_ *client, a *authorization) {
			a.OpenID = &oauth2flow.OpenID{Verifier: &verifier{}, AsToken: true}
		},
		"the client": func(c *client, _ *authorization) { c.ID = "other" },
		"TokenURL":   func(c *client, _ *authorization) { c.TokenURL = "https://other.test/token" },
		"Resources":  func(c *client, _ *authorization) { c.Resources = []string{"https://api.test/"} },
		"two of them": func(c *client, _ *authorization) {
			c.Resources = []string{"https://api.test/", "https://other.test/"}
		},
		"a Then function": func(_ *client, a *authorization) {
			a.Then = auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
				return nil, auth.ErrNoToken
			})
		},
	} {
		if other, ok := seen[of(c)]; ok {
			t.Errorf("a change of %s is not seen: it is as after one of %s", name, other)
		}
		seen[of(c)] = name
	}
}

func TestDeviceLoginConfig(t *testing.T) {
	t.Parallel()
	s := serve(t)
	of := func(endpoint string, edits ...func(*client)) string {
		return oauth2flow.NewDeviceCode(clientOf(s, edits...), s.URL+endpoint).Traits().Config
	}
	equal(t, "after a change of Scopes, Auth, Params and Header", of("/device", func(c *client) {
		c.Scopes, c.Auth = []string{"read", "write"}, oauth2flow.InHeader()
		c.Params, c.Header = oauth2flow.NewParams("x", "1"), http.Header{"X-Api-Version": {"2"}}
	}), of("/device"))
	seen := map[string]bool{signIn(s).Traits().Config: true, oauth2flow.Refresh(clientOf(s), nil).Traits().Config: true}
	for _, config := range []string{
		of("/device"), of("/other"), of("/device", func(c *client) { c.ID = "other" }),
		of("/device", func(c *client) { c.TokenURL = "https://other.test/token" }),
		of("/device", func(c *client) { c.Resources = []string{"https://api.test/"} }),
	} {
		if seen[config] {
			t.Error("tokens of two kinds meet")
		}
		seen[config] = true
	}
}

// A release changes how the client calls the server, and asks for more. Whoever was logged in still is, with what he
// has allowed.
func TestLoginSurvivesARelease(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		told, granted string // by the login and by the renewal; "" for nothing
		want          error
	}{
		"the server tells no scopes":               {},
		"it tells them at the renewal":             {granted: "read"},
		"it tells them always":                     {told: "read", granted: "read"},
		"S52 a renewal grants more than the login": {told: "read", granted: "read write", want: oauth2flow.ErrScopes},
		"a renewal grants more than was asked for": {granted: "read write", want: oauth2flow.ErrScopes},
		"a renewal grants less":                    {told: "read", granted: "other", want: oauth2flow.ErrScopes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := func(text, scope string) object {
				o := object{"access_token": text, "refresh_token": "r-" + text, "expires_in": 3600}
				if scope != "" {
					o["scope"] = scope
				}
				return o
			}
			s := serve(t, connectiontest.JSON(200, answer("t1", c.told)), connectiontest.JSON(200, answer("t2", c.granted)))
			store := auth.KeepIn(tokenstore.NewMemory(), "x")
			code := signIn(s, func(c *client, _ *authorization) { c.Scopes = []string{"read"} })
			before := auth.Manage(code, store)
			defer before.Close() //nolint:errcheck // nothing is lost
			if err := before.Set(t.Context(), completes(t, code)); err != nil {
				t.Fatal(err)
			}

			after := auth.Manage(signIn(s, func(c *client, _ *authorization) {
				c.Scopes, c.RequireScopes, c.Auth = []string{"read", "write"}, true, oauth2flow.InHeader()
				c.Header = http.Header{"X-Api-Version": {"2"}}
			}), store)
			defer after.Close() //nolint:errcheck // nothing is lost
			got, err := after.Token(t.Context(), auth.Want{})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "token", got.Value.Reveal(), "t1")
			got, err = after.Renew(t.Context())
			if c.want != nil {
				is(t, err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "renewed", got.Value.Reveal(), "t2")
			equal(t, "scopes", got.Scopes, []string{"read"})
			equal(t, "header", sent(t, s, 2)[1].Header.Get("X-Api-Version"), "2")
		})
	}
}

// The calls of a login go the way of the connection that its grant was bound to last.
func TestLoginWays(t *testing.T) {
	t.Parallel()
	network := connectiontest.NewNetwork(t)
	tokens := network.Serve("https://auth.example.test", connectiontest.JSON(200, object{
		"access_token": "t1", "refresh_token": "r1",
	}))
	way := func(name string) *http.Client {
		return &http.Client{Transport: viaHeader{name: name, next: network.Transport()}}
	}
	code := signIn(tokens, func(c *client, a *authorization) {
		c.Endpoint, c.RevocationURL = auth.Endpoint{}, tokens.URL+"/revoke"
		a.Then = login.New(login.Config{
			BaseURL: tokens.URL, Token: "body.access_token", NeverExpires: true,
			Renew: []login.Step{{Path: "/then", Form: login.Fields("t", "{{token}}")}},
		})
	})
	bind := func(name string) func() {
		bound, err := code.BindGrant(auth.Host{Client: way(name)})
		if err != nil {
			t.Fatal(err)
		}
		closer, ok := bound.(interface{ Close() error })
		if !ok {
			t.Fatal("a bound grant cannot be closed")
		}
		return func() {
			if err := closer.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	ways := func() []string {
		before := len(tokens.Requests())
		got := completes(t, code)
		if err := code.Revoke(t.Context(), got); err != nil {
			t.Error(err)
		}
		var all []string
		for _, req := range tokens.Requests()[before:] {
			all = append(all, req.Header.Get("X-Way"))
		}
		return all
	}
	closeA, closeB := bind("a"), bind("b")
	closeC := bind("c")
	equal(t, "the last one", ways(), []string{"c", "c", "c", "c"})
	closeA()
	equal(t, "the last one, after an older one was closed", ways(), []string{"c", "c", "c", "c"})
	closeC()
	closeC() // once more, as nobody else's
	equal(t, "the one before, after the last one was closed", ways(), []string{"b", "b", "b", "b"})
	closeB()
	t.Run("without a connection it is Endpoint", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		code := signIn(s)
		bound, err := code.BindGrant(auth.Host{Client: way("a")})
		if err != nil {
			t.Fatal(err)
		}
		_ = completes(t, code) // Endpoint wins over a connection as well
		if err := bound.(interface{ Close() error }).Close(); err != nil {
			t.Error(err)
		}
		_ = completes(t, code)
		equal(t, "calls", len(s.Requests()), 2)
	})
}

// viaHeader tells the server which client has sent a call.
type viaHeader struct {
	name string
	next http.RoundTripper
}

func (v viaHeader) RoundTrip(req *http.Request) (*http.Response, error) {
	own := req.Clone(req.Context())
	own.Header.Set("X-Way", v.name)
	return v.next.RoundTrip(own)
}
