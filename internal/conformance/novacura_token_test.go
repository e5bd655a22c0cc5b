package conformance_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const issuerURL = "https://auth.example.test"

// A grantOf makes a grant of a client, such as oauth2flow.ClientCredentials.
type grantOf func(c oauth2flow.Client) auth.Grant

// answered is the answer of a token endpoint.
func answered(members map[string]any) connectiontest.Reply {
	return connectiontest.JSON(http.StatusOK, members)
}

// issue adds a token endpoint to the network of s, at https://auth.example.test/token. It issues t1 for an hour,
// unless there are replies.
func (r *Row) issue(s *connectiontest.Server, replies ...http.Handler) *connectiontest.Server {
	r.Helper()
	if len(replies) == 0 {
		replies = []http.Handler{answered(map[string]any{"access_token": "t1", "token_type": "Bearer", "expires_in": 3600})}
	}
	return s.Network().Serve(issuerURL, connectiontest.Sequence(replies...))
}

// oauthClient is the client cid with the secret csec.
func oauthClient(changes ...func(c *oauth2flow.Client)) oauth2flow.Client {
	c := oauth2flow.Client{ID: "cid", Secret: secrets.Static("csec"), TokenURL: issuerURL + "/token"}
	for _, change := range changes {
		change(&c)
	}
	return c
}

// withGrant authenticates a connection with the tokens of a grant.
func withGrant(g auth.Grant) connection.Option {
	return connection.WithAuth(auth.Bearer(auth.Manage(g)))
}

// tokenCall sends GET /x over a connection with the tokens of the grant, asserts that it has the token t1 and that
// there was one call to the token endpoint, and returns that call.
func (r *Row) tokenCall(grant grantOf, changes ...func(c *oauth2flow.Client)) connectiontest.Request {
	r.Helper()
	api := r.serve()
	idp := r.issue(api)
	conn := r.open(api, withGrant(grant(oauthClient(changes...))))
	r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
	r.Line(r.Sent(api, 1)[0], "Authorization: Bearer t1")
	return r.Sent(idp, 1)[0]
}

// tokenForm asserts the body of a token call, which is a form.
func (r *Row) tokenForm(req connectiontest.Request, want string) {
	r.Helper()
	r.Line(req, "Content-Type: application/x-www-form-urlencoded")
	r.Equal("body", string(req.Body), want)
}

// tokenKeys asserts that the parameters of those names are not in the body.
func (r *Row) tokenKeys(req connectiontest.Request, absent ...string) {
	r.Helper()
	form, err := url.ParseQuery(string(req.Body))
	r.NoError(err)
	for _, name := range absent {
		r.Equal("there is "+name, form.Has(name), false)
	}
}

// rejectsClient asserts that New refuses a connection with the tokens of such a client.
func (r *Row) rejectsClient(grant grantOf, change func(c *oauth2flow.Client)) {
	r.Helper()
	r.rejects("WithAuth", home, withGrant(grant(oauthClient(change))))
}

// bobs is the password grant of bob@example.test.
func bobs(c oauth2flow.Client) auth.Grant {
	return oauth2flow.Password(c, oauth2flow.ResourceOwner{
		Username: "bob@example.test", Password: secrets.Static("p@ss w&rd"), AcceptRisk: true,
	})
}

func TestNovacuraClientCredentials(t *testing.T) {
	t.Parallel()
	row(t, "N-14 a token is fetched for the first call, and used for the next", func(r *Row) {
		api := r.serve()
		idp := r.issue(api)
		conn := r.open(api, withGrant(oauth2flow.ClientCredentials(oauthClient())))
		for range 2 {
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		}
		for _, req := range r.Sent(api, 2) {
			r.Line(req, "Authorization: Bearer t1")
			r.Without(req, "csec")
		}
		call := r.Sent(idp, 1)[0]
		r.Line(call, "POST /token HTTP/1.1")
		r.tokenForm(call, "client_id=cid&client_secret=csec&grant_type=client_credentials")
	})
	row(t, "N-15 the token endpoint may be another host than the service", func(r *Row) {
		r.Line(r.tokenCall(oauth2flow.ClientCredentials), "Host: auth.example.test")
	})
	row(t, "N-15 there is no connection without a token endpoint", func(r *Row) {
		for _, u := range []string{"", "/token", "auth.example.test/token"} {
			r.rejectsClient(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.TokenURL = u })
		}
	})
	row(t, "N-16 the client id is required", func(r *Row) {
		form, err := url.ParseQuery(string(r.tokenCall(oauth2flow.ClientCredentials).Body))
		r.NoError(err)
		r.Equal("client_id", form["client_id"], []string{"cid"})
		r.rejectsClient(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.ID = "" })
	})
	row(t, "N-17 the client secret goes to the token endpoint and shows nowhere", func(r *Row) {
		form, err := url.ParseQuery(string(r.tokenCall(oauth2flow.ClientCredentials).Body))
		r.NoError(err)
		r.Equal("client_secret", form["client_secret"], []string{"csec"})
		g := oauth2flow.ClientCredentials(oauthClient())
		conn := r.open(r.serve(), withGrant(g))
		for _, v := range []any{conn, g, oauthClient()} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
				r.Hides(verb, fmt.Sprintf(verb, v), "csec")
			}
		}
	})
	row(t, "N-18 scopes are a list or one text", func(r *Row) {
		for _, scopes := range [][]string{{"read", "write"}, {"read write"}} {
			call := r.tokenCall(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.Scopes = scopes })
			r.tokenForm(call, "client_id=cid&client_secret=csec&grant_type=client_credentials&scope=read+write")
		}
	})
	row(t, "N-18 without scopes there is no such parameter", func(r *Row) {
		r.tokenKeys(r.tokenCall(oauth2flow.ClientCredentials), "scope")
	})
}

func TestNovacuraPassword(t *testing.T) {
	t.Parallel()
	row(t, "N-19 name and password of the owner are sent with the client's", func(r *Row) {
		call := r.tokenCall(bobs, func(c *oauth2flow.Client) { c.Scopes = []string{"read", "write"} })
		r.tokenForm(call, "client_id=cid&client_secret=csec&grant_type=password&password=p%40ss+w%26rd&"+
			"scope=read+write&username=bob%40example.test")
	})
	row(t, "N-20 the client may authenticate in the header", func(r *Row) {
		call := r.tokenCall(bobs, func(c *oauth2flow.Client) { c.Auth = oauth2flow.InHeader() })
		r.Line(call, "Authorization: Basic Y2lkOmNzZWM=")
		r.tokenKeys(call, "client_id", "client_secret")
	})
	row(t, "N-20 endpoint and id are required here too", func(r *Row) {
		r.rejectsClient(bobs, func(c *oauth2flow.Client) { c.TokenURL = "" })
		r.rejectsClient(bobs, func(c *oauth2flow.Client) { c.ID = "" })
		r.rejectsClient(bobs, func(c *oauth2flow.Client) { c.Secret, c.Auth = nil, oauth2flow.InHeader() })
	})
	row(t, "N-21 name and password are required, and show nowhere", func(r *Row) {
		for _, owner := range []oauth2flow.ResourceOwner{
			{Password: secrets.Static("p"), AcceptRisk: true},
			{Username: "bob@example.test", AcceptRisk: true},
		} {
			r.rejects("WithAuth", home, withGrant(oauth2flow.Password(oauthClient(), owner)))
		}
		conn := r.open(r.serve(), withGrant(bobs(oauthClient())))
		r.Hides("connection", fmt.Sprintf("%+v %#v", conn, bobs(oauthClient())), "bob@example.test", "p@ss w&rd")
	})
	timed(t, "N-21 without a refresh token the grant is made again", func(r *Row) {
		api := r.serve()
		idp := r.issue(api, answered(map[string]any{"access_token": "t1", "expires_in": 60}),
			answered(map[string]any{"access_token": "t2", "expires_in": 60}))
		conn := r.open(api, withGrant(bobs(oauthClient())))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		time.Sleep(61 * time.Second)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Line(r.Sent(api, 2)[1], "Authorization: Bearer t2")
		for _, call := range r.Sent(idp, 2) {
			r.tokenForm(call, "client_id=cid&client_secret=csec&grant_type=password&password=p%40ss+w%26rd&"+
				"username=bob%40example.test")
		}
	})
	timed(t, "N-21 with a refresh token the token is refreshed", func(r *Row) {
		api := r.serve()
		idp := r.issue(api, answered(map[string]any{"access_token": "t1", "expires_in": 60, "refresh_token": "r1"}),
			answered(map[string]any{"access_token": "t2", "expires_in": 60}))
		conn := r.open(api, withGrant(bobs(oauthClient())))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		time.Sleep(61 * time.Second)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Line(r.Sent(api, 2)[1], "Authorization: Bearer t2")
		r.tokenForm(r.Sent(idp, 2)[1], "client_id=cid&client_secret=csec&grant_type=refresh_token&refresh_token=r1")
	})
	row(t, "N-22 scopes are one parameter, separated by spaces", func(r *Row) {
		for _, scopes := range [][]string{{"a", "b"}, {"a b"}} {
			call := r.tokenCall(bobs, func(c *oauth2flow.Client) { c.Scopes = scopes })
			form, err := url.ParseQuery(string(call.Body))
			r.NoError(err)
			r.Equal("scope", form["scope"], []string{"a b"})
		}
		r.tokenKeys(r.tokenCall(bobs), "scope")
	})
}
