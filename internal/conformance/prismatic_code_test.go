package conformance_test

import (
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

func TestPrismaticAuthorizationCode(t *testing.T) {
	t.Parallel()
	const callback = "https://oauth2.integrations.acme.com/callback"
	row(t, "P-13 a user logs in, and requests carry the token", func(r *Row) {
		l := r.signsIn()
		token, body := l.completes()
		r.Equal("token call", withoutVerifier(body), tokenCallOfCode)
		tokens := auth.Manage(l.code)
		r.Cleanup(func() { _ = tokens.Close() })
		r.NoError(tokens.Set(r.ctx(), token))
		r.Line(r.get(connection.WithAuth(auth.Bearer(tokens))), "Authorization: Bearer t1")
	})
	row(t, "P-14 the callback URL is the same in both calls", func(r *Row) {
		l := r.signsIn(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.RedirectURI = callback })
		_, body := l.completes()
		r.Equal("authorization", l.asked["redirect_uri"], []string{callback})
		r.Equal("token call", parameters(r, body)["redirect_uri"], []string{callback})
	})
	row(t, "P-15 the token call has id and secret", func(r *Row) {
		_, body := r.signsIn().completes()
		r.Equal("id", parameters(r, body)["client_id"], []string{"cid"})
		r.Equal("secret", parameters(r, body)["client_secret"], []string{"csec"})
	})
	row(t, "P-16 the authorize URL is required, and its query kept", func(r *Row) {
		l := r.signsIn(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.URL += "?tenant=1" })
		r.Equal("tenant", l.asked["tenant"], []string{"1"})
		code := oauth2flow.NewAuthorizationCode(oauthClient(), oauth2flow.Authorization{RedirectURI: callback})
		r.Equal("without it", code.Validate() != nil, true)
	})
	row(t, "P-17 the token URL is required, and gets the code", func(r *Row) {
		_, body := r.signsIn().completes()
		r.Equal("code", parameters(r, body)["code"], []string{"c0de"})
		code := oauth2flow.NewAuthorizationCode(oauth2flow.Client{ID: "cid"},
			oauth2flow.Authorization{URL: "https://idp.example.test/authorize", RedirectURI: callback})
		r.Equal("without it", code.Validate() != nil, true)
	})
	row(t, "P-19 scopes are optional", func(r *Row) {
		r.Equal("without", r.signsIn().asked["scope"], []string(nil))
		l := r.signsIn(func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.Scopes = []string{"a", "b"} })
		r.Equal("with", l.asked["scope"], []string{"a b"})
	})
}

func TestElasticioAuthorizationCode(t *testing.T) {
	t.Parallel()
	row(t, "E-07 a code becomes a bearer token", func(r *Row) {
		l := r.signsIn()
		token, _ := l.completes()
		tokens := auth.Manage(l.code)
		r.Cleanup(func() { _ = tokens.Close() })
		r.NoError(tokens.Set(r.ctx(), token))
		s := r.serve()
		r.NoError(request.Get(r.open(s, connection.WithAuth(auth.Bearer(tokens))), "/x").Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "Authorization: Bearer t1")
	})
	row(t, "E-25 the code is exchanged when the login ends", func(r *Row) {
		token, body := r.signsIn(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			a.PKCE = oauth2flow.PKCENone
		}).completes()
		r.Equal("token call", body, "client_id=cid&client_secret=csec&code=c0de&grant_type=authorization_code&"+
			"redirect_uri=https%3A%2F%2Fapp.example.test%2Fcb")
		r.Equal("token", token.Value.Reveal(), "t1")
	})
}
