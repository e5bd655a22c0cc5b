package conformance_test

import (
	"testing"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestInformaticaClientCredentials(t *testing.T) {
	t.Parallel()
	grant := oauth2flow.ClientCredentials
	row(t, "I-02 client credentials get a token that is sent as bearer token", func(r *Row) {
		call := r.tokenCall(grant)
		r.Line(call, "POST /token HTTP/1.1")
		r.tokenForm(call, "client_id=cid&client_secret=csec&grant_type=client_credentials")
	})
	row(t, "I-04 the access token URL is required", func(r *Row) {
		r.rejectsClient(grant, func(c *oauth2flow.Client) { c.TokenURL = "" })
	})
	row(t, "I-05 the client id is sent, and required", func(r *Row) {
		r.tokenForm(r.tokenCall(grant), "client_id=cid&client_secret=csec&grant_type=client_credentials")
		r.rejectsClient(grant, func(c *oauth2flow.Client) { c.ID = "" })
	})
	row(t, "I-06 the client secret is sent, and required", func(r *Row) {
		r.tokenForm(r.tokenCall(grant), "client_id=cid&client_secret=csec&grant_type=client_credentials")
		r.rejectsClient(grant, func(c *oauth2flow.Client) { c.Secret, c.Auth = nil, oauth2flow.InBody() })
	})
	row(t, "I-07 without a scope there is no such parameter", func(r *Row) {
		r.tokenKeys(r.tokenCall(grant), "scope")
	})
	row(t, "I-08 scopes are separated by spaces", func(r *Row) {
		const want = "client_id=cid&client_secret=csec&grant_type=client_credentials&" +
			"scope=root_readonly+root_readwrite+manage_app_users"
		for _, scopes := range [][]string{
			{"root_readonly root_readwrite manage_app_users"}, {"root_readonly", "root_readwrite", "manage_app_users"},
		} {
			r.tokenForm(r.tokenCall(grant, func(c *oauth2flow.Client) { c.Scopes = scopes }), want)
		}
	})
}

func TestInformaticaTokenParameters(t *testing.T) {
	t.Parallel()
	grant := oauth2flow.ClientCredentials
	// given is a call with the parameters as they stand in the configuration.
	given := func(r *Row, text string, changes ...func(c *oauth2flow.Client)) connectiontest.Request {
		params, err := oauth2flow.ParseParams([]byte(text))
		r.NoError(err)
		return r.tokenCall(grant, append(changes, func(c *oauth2flow.Client) { c.Params = params })...)
	}
	row(t, "I-09 parameters are in the body", func(r *Row) {
		call := given(r, `[{"Name":"resource","Value":"https://srv.example.test"}]`, func(c *oauth2flow.Client) {
			c.Scopes = []string{"root_readonly root_readwrite manage_app_users"}
		})
		r.tokenForm(call, "client_id=cid&client_secret=csec&grant_type=client_credentials&"+
			"resource=https%3A%2F%2Fsrv.example.test&scope=root_readonly+root_readwrite+manage_app_users")
	})
	row(t, "I-09 parameters are in the URL if that is set", func(r *Row) {
		call := given(r, `[{"Name":"resource","Value":"https://srv.example.test"}]`, func(c *oauth2flow.Client) {
			c.ParamsInQuery = true
		})
		r.Line(call, "POST /token?resource=https%3A%2F%2Fsrv.example.test HTTP/1.1")
		r.tokenForm(call, "client_id=cid&client_secret=csec&grant_type=client_credentials")
	})
	row(t, "I-10 a number is sent as it is written", func(r *Row) {
		r.tokenForm(given(r, `[{"Name":"max_age","Value":60},{"Name":"n","Value":1000000000000000000000}]`),
			"client_id=cid&client_secret=csec&grant_type=client_credentials&max_age=60&n=1000000000000000000000")
	})
	row(t, "I-10 a boolean is a parameter, and repeats keep their order", func(r *Row) {
		r.tokenForm(given(r, `[{"Name":"x","Value":"2"},{"Name":"b","Value":true},{"Name":"x","Value":"1"}]`),
			"b=true&client_id=cid&client_secret=csec&grant_type=client_credentials&x=2&x=1")
	})
	row(t, "I-10 what is no list of names and values is refused", func(r *Row) {
		for _, text := range []string{
			`{"Name":"x"}`, `[{"Name":"x"}]`, `[{"name":"x","Value":"y"}]`, `[{"Name":"x","Value":"y","More":1}]`,
			`[{"Name":"x","Value":{}}]`, `[{"Name":"x","Name":"y","Value":1}]`, `[]x`, ``,
		} {
			_, err := oauth2flow.ParseParams([]byte(text))
			r.Equal("refused "+text, err != nil, true)
		}
	})
	row(t, "I-11 a parameter of the protocol is refused", func(r *Row) {
		for _, name := range []string{"grant_type", "client_id", "client_secret", "scope"} {
			params, err := oauth2flow.ParseParams([]byte(`[{"Name":"` + name + `","Value":"x"}]`))
			r.NoError(err)
			r.rejectsClient(grant, func(c *oauth2flow.Client) { c.Params = params })
		}
	})
	row(t, "I-11 a parameter of the protocol is replaced if that is set", func(r *Row) {
		r.tokenForm(given(r, `[{"Name":"grant_type","Value":"x"}]`, func(c *oauth2flow.Client) {
			c.OverrideProtocol = true
		}), "client_id=cid&client_secret=csec&grant_type=x")
	})
	row(t, "I-12 the header has id and secret encoded like a form, or as they are", func(r *Row) {
		for want, method := range map[string]oauth2flow.ClientAuth{
			"YytpZDpzJTNBZSUyRmM=": oauth2flow.InHeader(), "YyBpZDpzOmUvYw==": oauth2flow.InHeaderRaw(),
		} {
			call := r.tokenCall(grant, func(c *oauth2flow.Client) {
				c.ID, c.Secret, c.Auth = "c id", secrets.Static("s:e/c"), method
			})
			r.Line(call, "Authorization: Basic "+want)
			r.tokenForm(call, "grant_type=client_credentials")
		}
	})
	row(t, "I-13 the default is the body, and never both", func(r *Row) {
		call := r.tokenCall(grant)
		r.Lines(call, "Authorization")
		r.tokenForm(call, "client_id=cid&client_secret=csec&grant_type=client_credentials")
		r.tokenKeys(r.tokenCall(grant, func(c *oauth2flow.Client) { c.Auth = oauth2flow.InHeader() }),
			"client_id", "client_secret")
	})
	row(t, "I-13 a refusal is not answered by trying another way", func(r *Row) {
		api := r.serve()
		idp := r.issue(api, connectiontest.JSON(401, map[string]any{"error": "invalid_client"}))
		conn := r.open(api, withGrant(grant(oauthClient())))
		_ = as[*oauth2flow.Error](r, request.Get(conn, "/x").Exec(r.ctx()))
		r.Sent(idp, 1)
		r.NothingSent(api)
	})
	row(t, "I-16 a role is a parameter", func(r *Row) {
		r.tokenForm(given(r, `[{"Name":"role","Value":"analyst"}]`),
			"client_id=cid&client_secret=csec&grant_type=client_credentials&role=analyst")
	})
}
