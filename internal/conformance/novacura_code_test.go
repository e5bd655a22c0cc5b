package conformance_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// session is a user's login at an authorization server in memory.
type session struct {
	*Row

	issuer *connectiontest.Server
	code   *oauth2flow.AuthorizationCode
	asked  url.Values // the parameters of the authorization URL
	url    string
	begun  *oauth2flow.Login
}

const callbackURI = "https://app.example.test/cb"

// signsIn begins a login, with changes of the usual configuration.
func (r *Row) signsIn(changes ...func(c *oauth2flow.Client, a *oauth2flow.Authorization)) *session {
	r.Helper()
	issuer := connectiontest.NewNetwork(r).Serve("https://auth.example.test", connectiontest.JSON(200,
		map[string]any{"access_token": "t1", "token_type": "Bearer", "expires_in": 3600}))
	c := oauth2flow.Client{
		ID: "cid", Secret: secrets.Static("csec"), TokenURL: issuer.URL + "/token",
		Endpoint: auth.Endpoint{Client: &http.Client{Transport: issuer.Network().Transport()}},
	}
	a := oauth2flow.Authorization{URL: "https://idp.example.test/authorize", RedirectURI: callbackURI}
	for _, change := range changes {
		change(&c, &a)
	}
	l := &session{Row: r, issuer: issuer, code: oauth2flow.NewAuthorizationCode(c, a)}
	l.begin(r.ctx())
	return l
}

func (l *session) begin(ctx context.Context) {
	l.Helper()
	begun, err := l.code.Begin(ctx)
	l.NoError(err)
	u, err := url.Parse(begun.URL)
	l.NoError(err)
	l.begun, l.url, l.asked = begun, begun.URL, u.Query()
}

// completes ends the login with a code, and returns the token and the body of the one token call.
func (l *session) completes() (*auth.Token, string) {
	l.Helper()
	answer := url.Values{"code": {"c0de"}, "state": l.asked["state"]}
	token, err := l.code.Complete(l.ctx(), answer, l.begun.Browser)
	l.NoError(err)
	sent := l.Sent(l.issuer, 1)[0]
	l.Line(sent, "POST /token HTTP/1.1")
	return token, string(sent.Body)
}

const tokenCallOfCode = "client_id=cid&client_secret=csec&code=c0de&code_verifier=VERIFIER&" +
	"grant_type=authorization_code&redirect_uri=https%3A%2F%2Fapp.example.test%2Fcb"

// withoutVerifier puts a word in the place of the verifier, which is another one each time.
func withoutVerifier(body string) string {
	before, rest, ok := strings.Cut(body, "code_verifier=")
	if !ok {
		return body
	}
	_, after, _ := strings.Cut(rest, "&")
	return before + "code_verifier=VERIFIER&" + after
}

func TestNovacuraAuthorizationCode(t *testing.T) {
	t.Parallel()
	row(t, "N-23 a code is exchanged, and a wrong state is not", func(r *Row) {
		l := r.signsIn()
		_, body := l.completes()
		r.Equal("token call", withoutVerifier(body), tokenCallOfCode)
		l = r.signsIn()
		_, err := l.code.Complete(r.ctx(), url.Values{"code": {"c0de"}, "state": {"st-1"}}, l.begun.Browser)
		r.Is(err, oauth2flow.ErrState)
		r.NothingSent(l.issuer)
	})
	row(t, "N-25 the query of the authorization endpoint is kept", func(r *Row) {
		l := r.signsIn(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			a.URL = "https://idp.example.test/authorize?tenant=1"
		})
		r.Equal("tenant", l.asked["tenant"], []string{"1"})
		r.Equal("response_type", l.asked["response_type"], []string{"code"})
	})
	row(t, "N-26 the code is sent once, however many end the login", func(r *Row) {
		l := r.signsIn()
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				_, _ = l.code.Complete(r.ctx(), url.Values{"code": {"c0de"}, "state": l.asked["state"]}, l.begun.Browser)
			})
		}
		all.Wait()
		r.Sent(l.issuer, 1)
	})
	row(t, "N-27 a public client sends its id and no secret", func(r *Row) {
		l := r.signsIn(func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.Secret = nil })
		_, body := l.completes()
		r.Equal("token call", withoutVerifier(body), strings.Replace(tokenCallOfCode, "&client_secret=csec", "", 1))
		r.Lines(l.Sent(l.issuer, 1)[0], "Authorization")
	})
	row(t, "N-28 scopes are separated by spaces", func(r *Row) {
		l := r.signsIn(func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.Scopes = []string{"read", "write"} })
		r.Equal("scope", l.asked["scope"], []string{"read write"})
	})
	row(t, "N-29 extra parameters repeat, and those of the protocol are refused", func(r *Row) {
		l := r.signsIn(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			a.Params = oauth2flow.NewParams("audience", "x", "audience", "y")
		})
		r.Equal("audience", l.asked["audience"], []string{"x", "y"})
		code := oauth2flow.NewAuthorizationCode(
			oauth2flow.Client{ID: "cid", TokenURL: "https://auth.example.test/token"},
			oauth2flow.Authorization{
				URL: "https://idp.example.test/authorize", RedirectURI: callbackURI,
				Params: oauth2flow.NewParams("state", "evil"),
			})
		r.Equal("state as a parameter is refused", code.Validate() != nil, true)
	})
	row(t, "N-30 prompt=login is sent as it is", func(r *Row) {
		l := r.signsIn(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			a.Params = oauth2flow.NewParams("prompt", "login")
		})
		r.Equal("prompt", l.asked["prompt"], []string{"login"})
	})
	row(t, "N-31 PKCE is on, and can be switched off", func(r *Row) {
		l := r.signsIn()
		r.Equal("method", l.asked["code_challenge_method"], []string{"S256"})
		l = r.signsIn(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.PKCE = oauth2flow.PKCENone })
		_, body := l.completes()
		r.Equal("challenge", l.asked["code_challenge"], []string(nil))
		r.Equal("verifier", strings.Contains(body, "code_verifier"), false)
	})
	row(t, "N-32 the acting user prefills the prompt, where that is wanted", func(r *Row) {
		mail := func(ctx context.Context) string {
			if user := auth.Subject(ctx); user != "" {
				return user + "@example.test"
			}
			return ""
		}
		l := r.signsIn(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.LoginHint = mail })
		r.Equal("nobody", l.asked["login_hint"], []string(nil))
		l.begin(auth.WithSubject(r.ctx(), "ann"))
		r.Equal("ann", l.asked["login_hint"], []string{"ann@example.test"})
		r.Equal("escaped", strings.Contains(l.url, "login_hint=ann%40example.test"), true)
		l = r.signsIn()
		l.begin(auth.WithSubject(r.ctx(), "ann"))
		r.Equal("off", l.asked["login_hint"], []string(nil))
	})
	row(t, "N-46 every user has tokens of his own on one connection", func(r *Row) {
		l := r.signsIn()
		tokens := auth.Manage(l.code, auth.PerSubject())
		r.Cleanup(func() { _ = tokens.Close() })
		s := r.serve()
		conn := r.open(s, connection.WithAuth(auth.Bearer(tokens)))
		for _, user := range []string{"ann", "bob"} {
			r.NoError(tokens.Set(auth.WithSubject(r.ctx(), user), &auth.Token{Value: secrets.Static("of-" + user)}))
			r.NoError(request.Get(conn, "/x").Exec(auth.WithSubject(r.ctx(), user)))
		}
		sent := r.Sent(s, 2)
		r.Line(sent[0], "Authorization: Bearer of-ann")
		r.Line(sent[1], "Authorization: Bearer of-bob")
	})
}

// parameters reads the body of a token call.
func parameters(r *Row, body string) url.Values {
	r.Helper()
	v, err := url.ParseQuery(body)
	r.NoError(err)
	return v
}
