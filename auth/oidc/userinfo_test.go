package oidc_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestUserInfo(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]oidc.Option{
		"S42 the access token is sent": nil, "S45 with AsToken, too": {oidc.AsToken()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newIDP(t)
			provider := p.discovered(t)
			c, err := provider.UserInfo(t.Context(), p.signedIn(t, oidc.New(provider, usual(), here(), opts...)))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "claims", []string{c.Subject(), c.Text("name")}, []string{"ann", "Ann"})
			calls := p.to("/userinfo")
			if len(calls) != 1 {
				t.Fatalf("there were %d calls", len(calls))
			}
			equal(t, "request", strings.SplitAfter(calls[0].Raw, "\r\n"), []string{
				"GET /userinfo HTTP/1.1\r\n", "Host: idp.example.test\r\n", "User-Agent: Go-http-client/1.1\r\n",
				"Accept: application/json\r\n", "Authorization: Bearer t1\r\n", "Accept-Encoding: gzip\r\n", "\r\n", "",
			})
		})
	}
}

func TestUserInfoRefuses(t *testing.T) {
	t.Parallel()
	answer := func(v any) connectiontest.Reply { return connectiontest.JSON(200, v) }
	challenged := func(code string) http.Handler {
		return connectiontest.Text(401, "leak").Header("WWW-Authenticate", `Bearer realm="leak", error="`+code+`"`)
	}
	text := func(s string) http.Handler {
		return connectiontest.Text(200, s).Header("Content-Type", "application/json")
	}
	away := connectiontest.Status(307).Header("Location", "https://leak.test/")
	along := connectiontest.Status(302).Header("Location", "/leak")
	jwt := connectiontest.Text(200, "leak").Header("Content-Type", "application/jwt; charset=utf-8")
	big := text(`{"sub":"ann","a":"` + strings.Repeat("x", 1<<20) + `"}`)
	for name, tt := range map[string]struct {
		reply  http.Handler
		status int
		code   string
		want   error
		says   string
	}{
		"S42 another subject":          {answer(object{"sub": "leak"}), 200, "", oidc.ErrSubject, "subject"},
		"S42 no subject":               {answer(object{"name": "leak"}), 200, "", oidc.ErrSubject, ""},
		"S42 the subject is no text":   {answer(object{"sub": []string{"ann"}}), 200, "", oidc.ErrSubject, ""},
		"S42 the subject twice":        {text(`{"sub":"ann","sub":"leak"}`), 200, "", nil, "JSON"},
		"S42 it is signed":             {jwt, 200, "", oidc.ErrSigned, "register"},
		"S18 a redirect":               {away, 307, "", oidc.ErrRedirect, ""},
		"S18 a redirect on the host":   {along, 302, "", oidc.ErrRedirect, ""},
		"S20 F2 more than 1 MiB":       {big, 200, "", oidc.ErrTooLarge, ""},
		"F2 HTML":                      {connectiontest.Text(200, "<p>leak"), 200, "", nil, "JSON"},
		"F2 no content":                {connectiontest.Status(204), 204, "", nil, "answered 204"},
		"F2 no answer":                 {connectiontest.Cut(), 0, "", nil, "idp.example.test"},
		"a token that has expired":     {challenged("invalid_token"), 401, "invalid_token", nil, "401: invalid_token"},
		"a code that nobody knows":     {challenged("leak"), 401, "", nil, "answered 401"},
		"a refusal without challenges": {connectiontest.Status(403), 403, "", nil, "answered 403"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connectiontest.NewNetwork(t).Serve(issuer, tt.reply)
			provider := byHand(func(p *oidc.Provider) { p.UserInfoURL, p.Endpoint = issuer+"/userinfo", via(s) })
			c, err := provider.UserInfo(t.Context(), tokenOf("{"+ofAnn+"}"))
			e := as[*oidc.UserInfoError](t, err)
			equal(t, "error", []any{e.URL, e.Status, e.Code}, []any{issuer + "/userinfo", tt.status, tt.code})
			if tt.want != nil {
				is(t, err, tt.want)
			}
			says(t, err, "oidc: no userinfo at "+issuer+"/userinfo", tt.says)
			hides(t, err, "leak", "t1")
			if c.String() != "claims []" || len(s.Requests()) != 1 {
				t.Error("there are claims, or not one call")
			}
		})
	}
}

func TestUserInfoSendsNothing(t *testing.T) {
	t.Parallel()
	good := func(changes ...string) *auth.Token {
		token := tokenOf("{" + ofAnn + "}")
		for i := 0; i < len(changes); i += 2 {
			token.Extra[changes[i]] = secrets.Static(changes[i+1])
		}
		return token
	}
	only := good()
	only.Value = only.Extra[oauth2flow.ExtraIDToken]
	for name, tt := range map[string]struct {
		token  *auth.Token
		change func(p *oidc.Provider)
		want   error
	}{
		"no token":                     {nil, nil, auth.ErrNoToken},
		"S45 the ID token alone":       {only, nil, auth.ErrNoToken},
		"S42 nobody was identified":    {good(oauth2flow.ExtraSubject, ""), nil, oidc.ErrUnverified},
		"S9 a token of another issuer": {good(oauth2flow.ExtraIssuer, "https://other.test"), nil, oidc.ErrIssuer},
		"no endpoint":                  {good(), func(p *oidc.Provider) { p.UserInfoURL = "" }, nil},
		"S17 an endpoint over http":    {good(), func(p *oidc.Provider) { p.UserInfoURL = "http://idp.example.test/u" }, nil},
		"S17 an endpoint that is none": {good(), func(p *oidc.Provider) { p.UserInfoURL = "https://[leak" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			ok := connectiontest.Status(200)
			s, plain := n.Serve(issuer, ok), n.Serve("http://idp.example.test", ok)
			p := byHand(func(p *oidc.Provider) { p.UserInfoURL, p.Endpoint = issuer+"/userinfo", via(s) })
			if tt.change != nil {
				tt.change(&p)
			}
			_, err := p.UserInfo(t.Context(), tt.token)
			if err == nil || tt.want != nil {
				is(t, err, tt.want)
			}
			says(t, err, "oidc: ")
			hides(t, err, "leak", "t1")
			if s.Conns()+plain.Conns() > 0 {
				t.Error("there was a connection")
			}
		})
	}
}

func TestUserInfoTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := connectiontest.NewNetwork(t).Serve(issuer, connectiontest.Status(200).Delay(time.Hour))
		p := byHand(func(p *oidc.Provider) { p.UserInfoURL, p.Endpoint = issuer+"/userinfo", via(s) })
		began := time.Now()
		if _, err := p.UserInfo(t.Context(), tokenOf("{"+ofAnn+"}")); err == nil {
			t.Error("S20 there is an answer")
		}
		equal(t, "S20 time", time.Since(began), 30*time.Second)
	})
}
