package conformance_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestPrismaticRefreshURL(t *testing.T) {
	t.Parallel()
	const body = "client_id=cid&client_secret=csec&grant_type=refresh_token&refresh_token=r1"
	refresh := func(c oauth2flow.Client) auth.Grant { return oauth2flow.Refresh(c, secrets.Static("r1")) }
	row(t, "P-18 refresh tokens go to the refresh URL", func(r *Row) {
		call := r.tokenCall(refresh, func(c *oauth2flow.Client) {
			c.TokenURL, c.RefreshURL = issuerURL+"/oauth/token", issuerURL+"/oauth/refresh"
		})
		r.Line(call, "POST /oauth/refresh HTTP/1.1")
		r.tokenForm(call, body)
	})
	row(t, "P-18 without one they go to the token URL", func(r *Row) {
		call := r.tokenCall(refresh, func(c *oauth2flow.Client) { c.TokenURL = issuerURL + "/oauth/token" })
		r.Line(call, "POST /oauth/token HTTP/1.1")
		r.tokenForm(call, body)
	})
	row(t, "P-18 nothing but refresh tokens goes to the refresh URL", func(r *Row) {
		call := r.tokenCall(bobs, func(c *oauth2flow.Client) { c.RefreshURL = issuerURL + "/oauth/refresh" })
		r.Line(call, "POST /token HTTP/1.1")
	})
	timed(t, "P-20 headers are on both token calls, and on no other", func(r *Row) {
		api := r.serve()
		idp := r.issue(api, answered(map[string]any{"access_token": "t1", "expires_in": 60, "refresh_token": "r1"}),
			answered(map[string]any{"access_token": "t2", "expires_in": 60}))
		g := bobs(oauthClient(func(c *oauth2flow.Client) { c.Header = http.Header{"X-Tenant": {"7"}} }))
		conn := r.open(api, withGrant(g))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		time.Sleep(61 * time.Second)
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		for _, call := range r.Sent(idp, 2) {
			r.Line(call, "X-Tenant: 7")
		}
		for _, req := range r.Sent(api, 2) {
			r.Lines(req, "X-Tenant")
		}
	})
}

func TestPrismaticClientCredentials(t *testing.T) {
	t.Parallel()
	row(t, "P-22 two servers are all that takes part", func(r *Row) {
		r.tokenForm(r.tokenCall(oauth2flow.ClientCredentials),
			"client_id=cid&client_secret=csec&grant_type=client_credentials")
	})
	row(t, "P-23 the token URL is required, and may be of another host", func(r *Row) {
		r.rejectsClient(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.TokenURL = "" })
		r.Line(r.tokenCall(oauth2flow.ClientCredentials), "Host: auth.example.test")
	})
	row(t, "P-24 scopes are optional", func(r *Row) {
		r.tokenKeys(r.tokenCall(oauth2flow.ClientCredentials), "scope")
		call := r.tokenCall(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.Scopes = []string{"read write"} })
		r.tokenForm(call, "client_id=cid&client_secret=csec&grant_type=client_credentials&scope=read+write")
	})
	row(t, "P-25 id and secret are required", func(r *Row) {
		r.rejectsClient(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.ID = "" })
		for _, method := range []oauth2flow.ClientAuth{oauth2flow.InBody(), oauth2flow.InHeader(), oauth2flow.InHeaderRaw()} {
			r.rejectsClient(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.Secret, c.Auth = nil, method })
		}
		r.tokenForm(r.tokenCall(oauth2flow.ClientCredentials),
			"client_id=cid&client_secret=csec&grant_type=client_credentials")
	})
	row(t, "P-26 headers are on token calls, and on no other", func(r *Row) {
		api := r.serve()
		idp := r.issue(api)
		g := oauth2flow.ClientCredentials(oauthClient(func(c *oauth2flow.Client) {
			c.Header = http.Header{"X-Api-Version": {"2"}}
		}))
		r.NoError(request.Get(r.open(api, withGrant(g)), "/x").Exec(r.ctx()))
		r.Line(r.Sent(idp, 1)[0], "X-Api-Version: 2")
		r.Lines(r.Sent(api, 1)[0], "X-Api-Version")
	})
	row(t, "P-26 headers of the connection are not on token calls", func(r *Row) {
		api := r.serve()
		idp := r.issue(api)
		conn := r.open(api, withGrant(oauth2flow.ClientCredentials(oauthClient())), connection.WithHeader("X-Key", "k"))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Lines(r.Sent(idp, 1)[0], "X-Key")
		r.Line(r.Sent(api, 1)[0], "X-Key: k")
	})
	row(t, "P-26 a header that would break the call is refused", func(r *Row) {
		for name, value := range map[string]string{
			"Content-Type": "application/json", "Authorization": "Basic eDp5", "Host": "x", "Content-Length": "1",
			"Transfer-Encoding": "chunked", "Cookie": "a=b", "Accept-Encoding": "br", "A b": "c", "X": "a\r\nb: c",
		} {
			r.rejectsClient(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) { c.Header = http.Header{name: {value}} })
		}
	})
	row(t, "P-26 the content type that the body is of may have a parameter", func(r *Row) {
		const media = "application/x-www-form-urlencoded; charset=UTF-8"
		call := r.tokenCall(oauth2flow.ClientCredentials, func(c *oauth2flow.Client) {
			c.Header = http.Header{"Content-Type": {media}}
		})
		r.Line(call, "Content-Type: "+media)
	})
	row(t, "P-22 a token endpoint that redirects is not followed", func(r *Row) {
		api := r.serve()
		idp := r.issue(api, connectiontest.Status(307).Header("Location", "https://evil.example.test/token"))
		evil := api.Network().Serve("https://evil.example.test", answered(map[string]any{"access_token": "t1"}))
		err := request.Get(r.open(api, withGrant(oauth2flow.ClientCredentials(oauthClient()))), "/x").Exec(r.ctx())
		r.Is(err, oauth2flow.ErrRedirect)
		r.Sent(idp, 1)
		r.NothingSent(evil)
		r.NothingSent(api)
	})
}
