package conformance_test

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// instagramApp is an application of Instagram in one process: a login, its tokens, and a connection.
type instagramApp struct {
	*Row

	server *connectiontest.Server
	code   *oauth2flow.AuthorizationCode
	tokens *auth.Manager
	conn   *connection.Connection
}

// swap is a call that makes a token of the one before, as Instagram has it.
func swap(s *connectiontest.Server, path string, query ...string) auth.Grant {
	return login.New(login.Config{
		BaseURL: s.URL,
		Secrets: map[string]secrets.Provider{"secret": secrets.Static("csec")},
		Renew: []login.Step{{
			Method: http.MethodGet, Path: path, Query: login.Fields(append(query, "access_token", "{{token}}")...),
		}},
		Token: "body.access_token", Expiry: "body.expires_in", MinAge: aDay,
	})
}

// newInstagram starts the application. All its calls go the way of the connection.
func (r *Row) newInstagram(s *connectiontest.Server, store auth.TokenStore) *instagramApp {
	r.Helper()
	p := &instagramApp{Row: r, server: s}
	p.code = oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{
			ID: "cid", Secret: secrets.Static("csec"), Auth: oauth2flow.InBody(), TokenURL: s.URL + "/oauth/access_token",
			Scopes: []string{"instagram_business_basic", "instagram_business_manage_messages"}, ScopeSeparator: ",",
		},
		oauth2flow.Authorization{
			URL: "https://www.instagram.example/oauth/authorize", RedirectURI: "https://app.example.test/cb",
			PKCE: oauth2flow.PKCENone,
			Then: swap(s, "/access_token", "grant_type", "ig_exchange_token", "client_secret", "{{secret}}"),
			// The token is its own refresh token.
			Renew: swap(s, "/refresh_access_token", "grant_type", "ig_refresh_token"),
		},
	)
	p.tokens = auth.Manage(p.code, auth.KeepIn(store, "ig"), auth.RenewBefore(longWindow))
	r.Cleanup(func() { _ = p.tokens.Close() })
	p.conn = r.open(s, connection.WithAuth(auth.Bearer(p.tokens)))
	return p
}

// signIn is a user's login.
func (p *instagramApp) signIn() {
	p.Helper()
	begun, err := p.code.Begin(p.ctx())
	p.NoError(err)
	u, err := url.Parse(begun.URL)
	p.NoError(err)
	p.Equal("scope", u.Query().Get("scope"), "instagram_business_basic,instagram_business_manage_messages")
	p.Equal("challenge", u.Query().Has("code_challenge"), false)
	answer := url.Values{"code": {"c0de"}, "state": u.Query()["state"]}
	token, err := p.code.Complete(p.ctx(), answer, begun.Browser)
	p.NoError(err)
	p.NoError(p.tokens.Set(p.ctx(), token))
}

// use sends GET /x, and again once what goes on in the background has ended.
func (p *instagramApp) use() error {
	p.Helper()
	err := request.Get(p.conn, "/x").Exec(p.ctx())
	time.Sleep(time.Minute)
	return err
}

// sentWith returns the line with the token of the last call of the API.
func (p *instagramApp) sentWith() string {
	calls := requestsTo(p.server, "/v1/x")
	return calls[len(calls)-1].Header.Get("Authorization")
}

// shortToken is the answer of the token endpoint.
var shortToken = connectiontest.JSON(200, map[string]any{"access_token": "short1", "user_id": 17841400000000000})

// provides runs the test of a provider in a bubble.
func provides(t *testing.T, name string, f func(r *Row)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { (&Row{T: t}).run(f) })
	})
}

func TestElasticioInstagram(t *testing.T) {
	t.Parallel()
	timed(t, "E-25 the login exchanges the code for a token", func(r *Row) {
		s := r.loginService(shortToken, longToken("long1"))
		r.newInstagram(s, tokenstore.NewMemory()).signIn()
		call := requestsTo(s, "/oauth/access_token")[0]
		r.Line(call, "POST /oauth/access_token HTTP/1.1")
		r.Equal("body", string(call.Body), "client_id=cid&client_secret=csec&code=c0de&grant_type=authorization_code"+
			"&redirect_uri=https%3A%2F%2Fapp.example.test%2Fcb")
	})
	timed(t, "E-26 the login exchanges that token at once, and uses it for nothing else", func(r *Row) {
		s := r.loginService(shortToken, longToken("long1"))
		store := &keptTokens{TokenStore: tokenstore.NewMemory()}
		p := r.newInstagram(s, store)
		p.signIn()
		r.NoError(p.use())
		sent := r.Sent(s, 3)
		r.Line(sent[1], "GET /access_token?grant_type=ig_exchange_token&client_secret=csec&access_token=short1 HTTP/1.1")
		r.Line(sent[2], "Authorization: Bearer long1")
		r.Hides("store", strings.Join(store.data, "\n"), "short1")
		token, err := p.tokens.Token(r.ctx(), auth.Want{})
		r.NoError(err)
		r.Equal("user", token.Extra["user_id"].Reveal(), "17841400000000000")
	})
	timed(t, "E-27 the token of the login is there after a restart", func(r *Row) {
		s := r.loginService(shortToken, longToken("long1"))
		store := tokenstore.NewMemory()
		r.newInstagram(s, store).signIn()
		r.Sent(s, 2)
		p := r.newInstagram(s, store) // a new manager, as in a new process
		r.NoError(p.use())
		r.Line(r.Sent(s, 3)[2], "Authorization: Bearer long1")
	})
	timed(t, "E-28 the token of the login is renewed ten days before its end, and not before it is a day old",
		func(r *Row) {
			s := r.loginService(shortToken, longToken("long1"), longToken("long2"), longToken("long3"))
			store := tokenstore.NewMemory()
			p := r.newInstagram(s, store)
			p.signIn()
			token, err := p.tokens.Token(r.ctx(), auth.Want{})
			r.NoError(err)
			r.Equal("age", time.Until(token.RenewableFrom), aDay)
			r.Equal("lifetime", time.Until(token.Expiry), longLife)
			for _, next := range []string{"1", "2"} {
				time.Sleep(longLife - longWindow - time.Hour)
				r.NoError(p.use())
				r.Equal("before", p.sentWith(), "Bearer long"+next)
				time.Sleep(2 * time.Hour)
				r.NoError(p.use())
				p = r.newInstagram(s, store) // what renews it is kept, too
			}
			r.NoError(p.use())
			r.Equal("after", p.sentWith(), "Bearer long3")
			renewals := requestsTo(s, "/refresh_access_token")
			r.Equal("renewals", len(renewals), 2)
			r.Line(renewals[1], "GET /refresh_access_token?grant_type=ig_refresh_token&access_token=long2 HTTP/1.1")
		})
	timed(t, "E-29 a renewal that fails after a login is tried again, and the token is used meanwhile",
		func(r *Row) {
			s := r.loginService(shortToken, longToken("long1"), connectiontest.Status(503), longToken("long2"))
			p := r.newInstagram(s, tokenstore.NewMemory())
			p.signIn()
			time.Sleep(longLife - longWindow + time.Minute)
			r.NoError(p.use())
			r.Equal("meanwhile", p.sentWith(), "Bearer long1")
			r.NoError(p.use())
			r.NoError(p.use())
			r.Equal("after", p.sentWith(), "Bearer long2")
		})
}

func TestInstagramLogin(t *testing.T) {
	t.Parallel()
	provides(t, "Q-096 Instagram: without a login there is a user to ask", func(r *Row) {
		s := r.loginService()
		p := r.newInstagram(s, tokenstore.NewMemory())
		lost, ok := errors.AsType[*auth.LoginRequiredError](p.use())
		r.Equal("LoginRequiredError", ok, true)
		r.Equal("its grant", lost.Grant == auth.Grant(p.code), true)
		r.Sent(s, 0)
	})
	provides(t, "Q-096 Instagram: a renewal that is refused takes a new login", func(r *Row) {
		refusal := connectiontest.JSON(400, map[string]any{"error": map[string]any{"code": 190}})
		s := r.loginService(shortToken, longToken("long1"), refusal, shortToken, longToken("long2"))
		p := r.newInstagram(s, tokenstore.NewMemory())
		p.signIn()
		time.Sleep(longLife)
		err := p.use()
		lost, ok := errors.AsType[*auth.LoginRequiredError](err)
		r.Equal("LoginRequiredError", ok, true)
		r.Equal("its grant", lost.Grant == auth.Grant(p.code), true)
		r.Hides("error", err.Error(), "long1", "csec", "access_token")
		for range 3 {
			r.Equal("still", errors.Is(p.use(), auth.ErrLoginRequired), true)
		}
		r.Equal("renewals", len(requestsTo(s, "/refresh_access_token")), 1)
		p.signIn()
		r.NoError(p.use())
		r.Equal("after the next login", p.sentWith(), "Bearer long2")
	})
	provides(t, "Q-096 Instagram: a login whose token is not exchanged brings none", func(r *Row) {
		s := r.loginService(shortToken, connectiontest.JSON(400, map[string]any{"error": "short1 of csec"}))
		p := r.newInstagram(s, tokenstore.NewMemory())
		begun, err := p.code.Begin(r.ctx())
		r.NoError(err)
		u, err := url.Parse(begun.URL)
		r.NoError(err)
		answer := url.Values{"code": {"c0de"}, "state": u.Query()["state"]}
		token, err := p.code.Complete(r.ctx(), answer, begun.Browser)
		r.Equal("token", token == nil && err != nil, true)
		r.Hides("error", err.Error(), "short1", "csec", "c0de")
	})
}

// Bullhorn has a session for its token, and a refresh token for the next one.
func TestBullhornLogin(t *testing.T) {
	t.Parallel()
	const week = 7 * aDay
	provides(t, "Q-106 Bullhorn: a login, and from then on a refresh and a session at its own host", func(r *Row) {
		net := connectiontest.NewNetwork(r)
		issuer := net.Serve("https://auth.bullhorn.test", connectiontest.Sequence(
			says(`{"access_token":"t1","refresh_token":"r1","expires_in":600}`),
			says(`{"BhRestToken":"s1","restUrl":"https://rest9.bullhorn.test"}`),
			says(`{"access_token":"t2","refresh_token":"r2","expires_in":600}`),
			says(`{"BhRestToken":"s2","restUrl":"https://rest9.bullhorn.test"}`)))
		api := net.Serve("https://rest9.bullhorn.test", connectiontest.JSON(200, map[string]int{"id": 1}))
		via := auth.Endpoint{Client: &http.Client{Transport: net.Transport()}}
		code := oauth2flow.NewAuthorizationCode(
			oauth2flow.Client{
				ID: "cid", Secret: secrets.Static("csec"), TokenURL: issuer.URL + "/oauth/token", Endpoint: via,
			},
			oauth2flow.Authorization{
				URL: issuer.URL + "/oauth/authorize", RedirectURI: "https://app.example.test/cb",
				Then: login.New(login.Config{
					BaseURL: issuer.URL, Endpoint: via,
					Renew: []login.Step{{Path: "/rest-services/login", Query: login.Fields(
						"version", "*", "access_token", "{{token}}", "ttl", "10080")}},
					Token: "body.BhRestToken", Lifetime: week, Extra: map[string]string{"host": "body.restUrl"},
				}),
			},
		)
		tokens := auth.Manage(code)
		r.Cleanup(func() { _ = tokens.Close() })
		begun, err := code.Begin(r.ctx())
		r.NoError(err)
		u, err := url.Parse(begun.URL)
		r.NoError(err)
		token, err := code.Complete(r.ctx(), url.Values{"code": {"c0de"}, "state": u.Query()["state"]}, begun.Browser)
		r.NoError(err)
		r.NoError(tokens.Set(r.ctx(), token))
		conn, err := connection.New(token.Extra["host"].Reveal(), net.Option(),
			connection.WithAuth(auth.TokenFunc(tokens, func(req *http.Request, t *auth.Token) error {
				req.Header.Set("Bhresttoken", t.Value.Reveal())
				return nil
			})))
		r.NoError(err)
		r.Cleanup(func() { _ = conn.Close() })
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		time.Sleep(week)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		for i, sent := range r.Sent(api, 2) {
			r.Line(sent, "Bhresttoken: s"+strconv.Itoa(i+1))
		}
		calls := r.Sent(issuer, 4)
		r.Line(calls[1], "POST /rest-services/login?version=%2A&access_token=t1&ttl=10080 HTTP/1.1")
		r.Equal("refresh", string(calls[2].Body),
			"client_id=cid&client_secret=csec&grant_type=refresh_token&refresh_token=r1")
		r.Line(calls[3], "POST /rest-services/login?version=%2A&access_token=t2&ttl=10080 HTTP/1.1")
	})
}
