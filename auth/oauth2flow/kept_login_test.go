package oauth2flow_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// extras returns the Extra of a token as texts.
func extras(t *auth.Token) map[string]string {
	all := make(map[string]string)
	for name, value := range t.Extra {
		all[name] = value.Reveal()
	}
	return all
}

func TestLoginKeeps(t *testing.T) {
	t.Parallel()
	keeps := func(_ *client, a *authorization) { a.Keep = []string{"realmId", "api_domain", "gone"} }
	t.Run("Q-085 what the answer has, and the token answer wins", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(200, object{
			"access_token": "t1", "refresh_token": "r1", "api_domain": "https://api.eu.test",
			oauth2flow.ExtraIssuer: "x", oauth2flow.ExtraSubject: "x", oauth2flow.ExtraInitial: "x",
		}), issued)
		code := signIn(s, keeps)
		token := completes(t, code, "realmId", "7", "api_domain", "https://evil.test", "other", "x")
		want := map[string]string{"realmId": "7", "api_domain": "https://api.eu.test"}
		equal(t, "kept", extras(token), want)
		equal(t, "kept after a refresh", extras(obtain(t, code, token)), want)
	})
	t.Run("what is kept stays, however much a refresh brings", func(t *testing.T) {
		t.Parallel()
		many := object{"access_token": "t2"}
		for c := range strings.SplitSeq("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ", "") {
			many[c] = "x"
		}
		code := signIn(serve(t, connectiontest.JSON(200, object{"access_token": "t1", "refresh_token": "r1"}),
			connectiontest.JSON(200, many)), keeps)
		token := obtain(t, code, completes(t, code, "realmId", "7"))
		equal(t, "realmId", token.Extra["realmId"].Reveal(), "7")
		equal(t, "members", len(token.Extra), 33)
	})
	for name, value := range map[string][]string{
		"twice": {"7", "8"}, "too long": {strings.Repeat("x", 5000)}, "with a control": {"a\r\nb"},
	} {
		t.Run("S7 a kept parameter that is there "+name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			is(t, refuses(t, signIn(s, keeps), func(v url.Values) { v["realmId"] = value }), oauth2flow.ErrCallback)
			equal(t, "calls", len(s.Requests()), 0)
		})
	}
	t.Run("shared tokens are not changed", func(t *testing.T) {
		t.Parallel()
		code := signIn(serve(t), keeps)
		before := &auth.Token{
			Value: secrets.Static("t0"), Refresh: secrets.Static("r1"), Scopes: []string{"read"},
			Extra: map[string]secrets.Value{"realmId": secrets.Static("7"), oauth2flow.ExtraInitial: secrets.Static("h")},
		}
		after := obtain(t, code, before)
		after.Extra["realmId"] = secrets.Static("8")
		equal(t, "before", extras(before), map[string]string{"realmId": "7", oauth2flow.ExtraInitial: "h"})
	})
}

// The browser of whoever logs in says which server issues the token.
func TestLoginServers(t *testing.T) {
	t.Parallel()
	const home = "https://accounts.example.test"
	region := func(t *testing.T) (*connectiontest.Server, *oauth2flow.AuthorizationCode) {
		t.Helper()
		n := connectiontest.NewNetwork(t)
		_ = n.Serve(home, connectiontest.Status(500))
		eu := n.Serve("https://accounts.example.eu", connectiontest.Sequence(
			connectiontest.JSON(200, object{"access_token": "t1", "refresh_token": "r1", "accounts-server": home}),
			connectiontest.JSON(200, object{"access_token": "t2", "accounts-server": home}),
			connectiontest.Status(200),
		))
		c := clientOf(eu, func(c *client) {
			c.TokenURL, c.RevocationURL = home+"/oauth/token?v=2", home+"/revoke"
			c.RefreshURL = home + "/refresh"
		})
		return eu, oauth2flow.NewAuthorizationCode(c, authorization{
			URL: authorizeURL, RedirectURI: redirectURI,
			ServerParam: "accounts-server", Servers: []string{home, eu.URL},
		})
	}
	t.Run("Q-085 all calls go to the server that was named", func(t *testing.T) {
		t.Parallel()
		eu, code := region(t)
		token := completes(t, code, "accounts-server", eu.URL)
		renewed := obtain(t, code, token)
		equal(t, "the server", renewed.Extra["accounts-server"].Reveal(), eu.URL)
		if err := code.Revoke(t.Context(), renewed); err != nil {
			t.Error(err)
		}
		var targets []string
		for _, req := range eu.Requests() {
			targets = append(targets, req.Target)
		}
		equal(t, "targets", targets, []string{"/oauth/token?v=2", "/refresh", "/revoke", "/revoke"})
	})
	for name, server := range map[string]string{
		"F6 another server": "https://evil.test", "a server with a path": "https://accounts.example.eu/",
		"an empty one": "", "http": "http://accounts.example.eu", "a user": "https://x@accounts.example.eu",
	} {
		t.Run("S9 refused is "+name, func(t *testing.T) {
			t.Parallel()
			eu, code := region(t)
			is(t, refuses(t, code, func(v url.Values) { v.Set("accounts-server", server) }), oauth2flow.ErrCallback)
			equal(t, "connections", eu.Conns(), 0)
		})
	}
	t.Run("a refresh does not name another server", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(200, object{"access_token": "t1", "at": "https://auth.example.test"}))
		code := signIn(s, func(_ *client, a *authorization) { a.ServerParam, a.Servers = "at", []string{s.URL} })
		equal(t, "kept", extras(obtain(t, code, prev("r1"))), map[string]string{})
	})
	t.Run("without the parameter it is the configured one", func(t *testing.T) {
		t.Parallel()
		eu, code := region(t)
		err := refuses(t, code, func(url.Values) {})
		equal(t, "status", as[*oauth2flow.Error](t, err).Status, 500)
		equal(t, "connections", eu.Conns(), 0)
	})
}

// An answer with renamed parameters that also has the standard ones: an attacker sends what he likes.
func TestLoginNamesInTheAnswer(t *testing.T) {
	t.Parallel()
	named := func(_ *client, a *authorization) {
		a.Names = map[string]string{"state": "relay", "code": "auth_code", "error": "err", "error_description": "why"}
		a.Keep = []string{"tenant_id"}
	}
	answer := func(asked url.Values, pairs ...string) url.Values {
		v := url.Values{"relay": asked["relay"], "auth_code": {"c0de"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	t.Run("the standard names mean nothing", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		code := signIn(s, named)
		login, asked := asksFor(t, code)
		v := answer(asked, "state", "evil", "code", "evil", "error", "access_denied", "error_description", "evil")
		if _, err := code.Complete(t.Context(), v, login.Browser); err != nil {
			t.Fatal(err)
		}
		equal(t, "code", formOf(t, sent(t, s, 1)[0])["code"], []string{"c0de"})
	})
	for name, edit := range map[string]func(v url.Values){
		"N-29 the state by its standard name": func(v url.Values) { v["state"] = v["relay"]; v.Del("relay") },
		"S7 two states":                       func(v url.Values) { v.Add("relay", v.Get("relay")) },
		"F8 another state, beside the right one by its standard name": func(v url.Values) {
			v["state"] = v["relay"]
			v.Set("relay", "evil")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			code := signIn(s, named)
			login, asked := asksFor(t, code)
			v := answer(asked)
			edit(v)
			_, err := code.Complete(t.Context(), v, login.Browser)
			is(t, err, oauth2flow.ErrState)
			equal(t, "calls", len(s.Requests()), 0)
			if _, err := code.Complete(t.Context(), answer(asked), login.Browser); err != nil {
				t.Errorf("S5 the login is over: %v", err)
			}
		})
	}
	t.Run("the code by its standard name is none", func(t *testing.T) {
		t.Parallel()
		code := signIn(serve(t), named)
		login, asked := asksFor(t, code)
		v := answer(asked, "code", "evil")
		v.Del("auth_code")
		_, err := code.Complete(t.Context(), v, login.Browser)
		is(t, err, oauth2flow.ErrCallback)
	})
	t.Run("E-24 an error by its name is told", func(t *testing.T) {
		t.Parallel()
		code := signIn(serve(t), named)
		login, asked := asksFor(t, code)
		_, err := code.Complete(t.Context(), answer(asked, "err", "denied", "why", "no "+asked.Get("relay")), login.Browser)
		e := as[*oauth2flow.CallbackError](t, err)
		equal(t, "code", e.Code, "denied")
		hides(t, err, asked.Get("relay"))
	})
}

// S12: the answer has what was asked for, and nothing else that counts.
func TestLoginResponseTypes(t *testing.T) {
	t.Parallel()
	openID := &oauth2flow.OpenID{Verifier: &verifier{}}
	for kind, brings := range map[oauth2flow.ResponseType][]string{
		oauth2flow.ResponseCode: {"code"}, oauth2flow.ResponseNone: nil,
		oauth2flow.ResponseIDToken: {"id_token"}, oauth2flow.ResponseCodeIDToken: {"code", "id_token"},
	} {
		for _, name := range []string{"code", "id_token", "access_token"} {
			asked := slices.Contains(brings, name)
			t.Run("S12 "+string(kind)+" and "+name, func(t *testing.T) {
				t.Parallel()
				s := serve(t)
				code := signIn(s, func(_ *client, a *authorization) { a.ResponseType, a.OpenID = kind, openID })
				err := refuses(t, code, func(v url.Values) {
					v.Del("code")
					for _, name := range brings {
						v.Set(name, "x.y.z")
					}
					v.Set(name, "x.y.z")
					if asked {
						v.Del(name)
					}
				})
				is(t, err, oauth2flow.ErrCallback)
				equal(t, "calls", len(s.Requests()), 0)
			})
		}
	}
	t.Run("S12 two ID tokens", func(t *testing.T) {
		t.Parallel()
		code := signIn(serve(t), func(_ *client, a *authorization) {
			a.ResponseType, a.OpenID = oauth2flow.ResponseIDToken, openID
		})
		err := refuses(t, code, func(v url.Values) { v.Del("code"); v["id_token"] = []string{"a.b.c", "d.e.f"} })
		is(t, err, oauth2flow.ErrCallback)
	})
	t.Run("ResponseNone keeps the consent", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		code := signIn(s, func(_ *client, a *authorization) {
			a.ResponseType, a.Keep = oauth2flow.ResponseNone, []string{"tenant"}
		})
		login, asked := asksFor(t, code)
		token, err := code.Complete(t.Context(), url.Values{"state": asked["state"], "tenant": {"t7"}}, login.Browser)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "kept", extras(token), map[string]string{"tenant": "t7"})
		equal(t, "token", token.Value.Reveal(), "")
		equal(t, "calls", len(s.Requests()), 0)
	})
}
