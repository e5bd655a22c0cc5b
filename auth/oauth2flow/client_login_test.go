package oauth2flow_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestClientRefreshParams(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		with  change
		first url.Values
		next  url.Values
	}{
		{
			name: "Q-102 they are beside Params, and in place of those of the same names",
			with: func(c *client, _ *authorization) {
				c.Params = oauth2flow.NewParams("a", "1", "b", "1", "b", "2")
				c.RefreshParams = oauth2flow.NewParams("b", "3", "c", "4")
			},
			first: url.Values{"a": {"1"}, "b": {"1", "2"}, "c": nil},
			next:  url.Values{"a": {"1"}, "b": {"3"}, "c": {"4"}},
		},
		{
			name: "Q-098 they take the place of the secret",
			with: func(c *client, _ *authorization) {
				c.Auth, c.OverrideProtocol = oauth2flow.PublicClient(), true
				c.RefreshParams = oauth2flow.NewParams("client_id", "other")
			},
			first: url.Values{"client_id": {"cid"}},
			next:  url.Values{"client_id": {"other"}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, connectiontest.JSON(200, object{"access_token": "t1", "refresh_token": "r1"}), issued)
			code := signIn(s, test.with)
			_ = obtain(t, code, completes(t, code))
			for i, want := range []url.Values{test.first, test.next} {
				got := formOf(t, sent(t, s, 2)[i])
				for name, values := range want {
					equal(t, fmt.Sprintf("%s of call %d", name, i), got[name], values)
				}
			}
		})
	}
	t.Run("they are for no call without a refresh token", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		c := clientOf(s, func(c *client) { c.RefreshParams = oauth2flow.NewParams("x", "1") })
		_ = obtain(t, oauth2flow.ClientCredentials(c), nil)
		equal(t, "x", formOf(t, sent(t, s, 1)[0]).Has("x"), false)
	})
	t.Run("S47 a refusal does not show them", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(400, object{"error": "invalid_grant", "error_description": "not p4rameter"}))
		code := signIn(s, func(c *client, _ *authorization) {
			c.RefreshParams = oauth2flow.NewParams("key", "p4rameter")
		})
		hides(t, refused(t, code, prev("r1")), "p4rameter")
	})
}

func TestClientNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		with func(c *client)
		want string
	}{
		{
			name: "other names",
			with: func(c *client) {
				c.Names = map[string]string{"client_id": "client_key", "client_secret": "app_secret"}
			},
			want: "app_secret=csec&client_key=cid&grant_type=client_credentials",
		},
		{
			name: "names that change places",
			with: func(c *client) {
				c.Names = map[string]string{"client_id": "client_secret", "client_secret": "client_id"}
			},
			want: "client_id=csec&client_secret=cid&grant_type=client_credentials",
		},
		{
			name: "one is left out",
			with: func(c *client) { c.Names = map[string]string{"grant_type": ""} },
			want: "client_id=cid&client_secret=csec",
		},
		{
			name: "one is left out, and Params have another in its place",
			with: func(c *client) {
				c.Names = map[string]string{"grant_type": "", "client_secret": ""}
				c.Params = oauth2flow.NewParams("grant_type", "own", "client_secret", "sealed")
			},
			want: "client_id=cid&client_secret=sealed&grant_type=own",
		},
		{
			name: "in JSON",
			with: func(c *client) {
				c.Names, c.Encoding = map[string]string{"client_id": "appId"}, oauth2flow.JSON
			},
			want: `{"appId":"cid","client_secret":"csec","grant_type":"client_credentials"}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			_ = obtain(t, oauth2flow.ClientCredentials(clientOf(s, test.with)), nil)
			equal(t, "body", body(t, s), test.want)
		})
	}
	t.Run("in a revocation too", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		c := clientOf(s, func(c *client) {
			c.RevocationURL, c.Names = s.URL+"/revoke", map[string]string{"client_id": "client_key"}
		})
		if err := oauth2flow.Revoke(t.Context(), c, secrets.Static("t1"), ""); err != nil {
			t.Fatal(err)
		}
		equal(t, "body", body(t, s), "client_key=cid&client_secret=csec&token=t1")
	})
	t.Run("S22 a secret is never put into a URL, whatever it is called", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		c := clientOf(s, func(c *client) {
			c.Encoding, c.Auth = oauth2flow.Query, oauth2flow.InHeader()
			c.Names = map[string]string{"refresh_token": "again"}
		})
		for _, g := range []auth.Grant{
			oauth2flow.CustomGrant(c, oauth2flow.Custom{}), oauth2flow.Password(c, bob),
		} {
			fails(t, g, prev("r1"))
		}
		equal(t, "connections", s.Conns(), 0)
	})
	t.Run("S22 there is one method of client authentication, whatever it is called", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		fails(t, oauth2flow.ClientCredentials(clientOf(s, func(c *client) {
			c.Auth, c.Names = oauth2flow.InHeader(), map[string]string{"client_secret": "app_secret"}
			c.Params, c.OverrideProtocol = oauth2flow.NewParams("client_secret", "csec"), true
		})), nil)
		equal(t, "connections", s.Conns(), 0)
	})
}

func TestClientAnswerNames(t *testing.T) {
	t.Parallel()
	names := func(pairs ...string) map[string]string {
		all := make(map[string]string)
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = pairs[i+1]
		}
		return all
	}
	for name, c := range map[string]struct {
		names, extra map[string]string
		body, want   string
	}{
		"Q-088 camel case": {
			names("access_token", "token", "refresh_token", "refreshToken", "expires_at", "expiresAt"), nil,
			`{"token":"t1","refreshToken":"r1","expiresAt":"2099-01-01T00:00:00Z"}`, "t1 r1 true",
		},
		"Q-086 members of objects": {
			names("access_token", "data.auth.token", "host", "installation.apiEndPoint"), names("host", "https://h/"),
			`{"data":{"auth":{"token":"t1"}},"installation":{"apiEndPoint":"https://h/"}}`, "t1  false",
		},
		"the one of a user beside that of a bot": {
			names("access_token", "user.access_token"), nil, `{"access_token":"bot","user":{"access_token":"t1"}}`, "t1  false",
		},
		"Q-086 what stands beside the access token in an object": {
			names("access_token", "data.token"), nil, `{"expires_in":null,"refresh_token":"bot","data":{"token":"t1",` +
				`"refresh_token":"r1","expires_in":60,"scope":"read","id_token_sub":"eve"}}`, "t1 r1 true",
		},
		"what stands beside it, and is named otherwise": {
			names("access_token", "data.token", "refresh_token", "more.again"), nil,
			`{"data":{"token":"t1","refresh_token":"x"},"more":{"again":"r1","expires_in":60}}`, "t1 r1 false",
		},
		"what is null beside it": {
			names("access_token", "data.token"), nil,
			`{"refresh_token":"r1","data":{"token":"t1","refresh_token":null}}`, "t1 r1 false",
		},
		"two that change places": {
			names("access_token", "refresh_token", "refresh_token", "access_token"), nil,
			`{"access_token":"r1","refresh_token":"t1"}`, "t1 r1 false",
		},
		"no member of an array": {
			names("host", "list.0"), nil, `{"access_token":"t1","list":["https://h/"]}`, "t1  false",
		},
		"one of two names": {
			names("also", "scope"), names("also", "read"), `{"access_token":"t1","scope":"read"}`, "t1  false",
		},
		"a code that says that all is well": {
			names("error", "code", "access_token", "data.token"), nil, `{"code":0,"data":{"token":"t1"}}`, "t1  false",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, text(c.body))
			got := completes(t, signIn(s, func(cl *client, _ *authorization) { cl.AnswerNames = c.names }))
			shown := fmt.Sprintf("%s %s %t", got.Value.Reveal(), got.Refresh.Reveal(), !got.Expiry.IsZero())
			equal(t, "token", shown, c.want)
			if c.extra == nil {
				c.extra = map[string]string{}
			}
			equal(t, "extra", extras(got), c.extra)
		})
	}
	for name, body := range map[string]string{
		"S24 it is not where it should be":       `{"access_token":"LEAK"}`,
		"the object is missing":                  `{"other":{"token":"LEAK"}}`,
		"the object is an array":                 `{"data":[{"token":"LEAK"}]}`,
		"the object is null":                     `{"data":null,"access_token":"LEAK"}`,
		"the object is a text":                   `{"data":"{\"token\":\"LEAK\"}"}`,
		"S24 the name is there twice":            `{"data":{"token":"LEAK","token":"LEAK"}}`,
		"S24 another name in it is there twice":  `{"data":{"token":"LEAK","x":1,"x":2}}`,
		"S24 the object is there twice":          `{"data":{"token":"LEAK"},"data":{"token":"LEAK"}}`,
		"S24 the name is in another case":        `{"data":{"Token":"LEAK"}}`,
		"S24 an error where it belongs":          `{"error":"denied","data":{"token":"LEAK"}}`,
		"S24 an error where it was moved to":     `{"meta":{"err":"denied"},"data":{"token":"LEAK"}}`,
		"S24 an error of a number":               `{"meta":{"err":10017},"data":{"token":"LEAK"}}`,
		"S25 a type where it was moved to":       `{"data":{"token":"LEAK","kind":"mac"}}`,
		"an error where it belongs, and none of": `{"meta":{"err":0},"error":"denied","data":{"token":"LEAK"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := refuses(t, signIn(serve(t, text(body)), func(c *client, _ *authorization) {
				c.AnswerNames = names("access_token", "data.token", "error", "meta.err", "token_type", "data.kind")
			}), func(url.Values) {})
			hides(t, err, "LEAK")
			if strings.Contains(name, "an error") {
				if code := as[*oauth2flow.Error](t, err).Code; code != "denied" && code != "10017" {
					t.Errorf("the code is %q", code)
				}
			}
		})
	}
	t.Run("S25 a type beside the access token", func(t *testing.T) {
		t.Parallel()
		s := serve(t, text(`{"data":{"token":"LEAK","token_type":"mac"}}`))
		code := signIn(s, func(c *client, _ *authorization) { c.AnswerNames = names("access_token", "data.token") })
		is(t, refuses(t, code, func(url.Values) {}), oauth2flow.ErrTokenType)
	})
	t.Run("E-24 a refusal is read there as well", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(400, object{"meta": object{"err": "invalid_grant", "why": "it is r1-s3cret"}}))
		code := signIn(s, func(c *client, _ *authorization) {
			c.AnswerNames = names("error", "meta.err", "error_description", "meta.why")
		})
		err := refused(t, code, prev("r1-s3cret"))
		is(t, err, auth.ErrInvalidGrant)
		hides(t, err, "r1-s3cret")
	})
	t.Run("introspection has no members that are not there", func(t *testing.T) {
		t.Parallel()
		s := serve(t, text(`{"active":true}`))
		c := clientOf(s, func(c *client) {
			c.IntrospectionURL, c.AnswerNames = s.URL+"/introspect", names("host", "data.host")
		})
		got, err := oauth2flow.Introspect(t.Context(), c, secrets.Static("t1"), "")
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "members", len(got.Extra), 0)
	})
}

func TestLoginValidates(t *testing.T) {
	t.Parallel()
	named := func(pairs ...string) change {
		return func(_ *client, a *authorization) {
			a.Names = make(map[string]string)
			for i := 0; i < len(pairs); i += 2 {
				a.Names[pairs[i]] = pairs[i+1]
			}
		}
	}
	clientNamed := func(pairs ...string) change {
		return func(c *client, a *authorization) {
			named(pairs...)(c, a)
			c.Names, a.Names = a.Names, nil
		}
	}
	keep := func(name string) change { return func(_ *client, a *authorization) { a.Keep = []string{"ok", name} } }
	servers := func(param string, all ...string) change {
		return func(_ *client, a *authorization) { a.ServerParam, a.Servers = param, all }
	}
	type row struct {
		change change
		want   string
	}
	tests := map[string]row{
		"two names become one":                 {named("client_id", "x", "scope", "x"), "Names"},
		"a name becomes that of another":       {named("client_id", "nonce"), "Names"},
		"a name of the answer becomes another": {named("code", "state"), "Names"},
		"two names of the answer become one":   {named("code", "x", "iss", "x"), "Names"},
		"N-29 the state is left out":           {named("state", ""), "Names"},
		"S39 the nonce is left out":            {named("nonce", ""), "Names"},
		"S1 the challenge is left out":         {named("code_challenge", ""), "Names"},
		"S8 the issuer is left out":            {named("iss", ""), "Names"},
		"a name that is none":                  {named("password", "x"), "Names"},
		"a name with a control":                {named("client_id", "a\n"), "Names"},
		"S17 a query with the new name": {func(c *client, a *authorization) {
			named("client_id", "tenant")(c, a)
		}, "URL"},
		"a fragment with a state": {func(_ *client, a *authorization) {
			a.URL = "https://idp.test/#/?state=x"
		}, "URL"},
		"a parameter with the new name": {func(c *client, a *authorization) {
			named("scope", "x")(c, a)
			a.Params = oauth2flow.NewParams("x", "1")
		}, "Params"},
		"a parameter with the old name": {func(c *client, a *authorization) {
			named("scope", "x")(c, a)
			a.Params = oauth2flow.NewParams("scope", "1")
		}, "Params"},
		"a parameter without a name": {func(_ *client, a *authorization) {
			a.Params = oauth2flow.NewParams("", "1")
		}, "Params"},
		"what is kept by the new name of a state": {func(c *client, a *authorization) {
			named("state", "relay")(c, a)
			keep("relay")(c, a)
		}, "Keep"},
		"a server by the name of the code":    {servers("code", "https://a.test"), "ServerParam"},
		"a server by the name of the subject": {servers(oauth2flow.ExtraSubject, "https://a.test"), "ServerParam"},
		"no servers":                          {servers("at"), "Servers"},
		"no ServerParam":                      {servers("", "https://a.test"), "Servers"},
		"S17 a server of http":                {servers("at", "http://a.test"), "Servers"},
		"a server with a path":                {servers("at", "https://a.test", "https://b.test/"), "number 2"},
		"a server with a user":                {servers("at", "https://u@a.test"), "Servers"},
		"S12 another ResponseType":            {ofKind("token"), "ResponseType"},
		"S12 an implicit token":               {ofKind("id_token token"), "ResponseType"},
		"an ID token without OpenID":          {ofKind(oauth2flow.ResponseIDToken), "OpenID"},
		"OpenID without a Verifier": {func(_ *client, a *authorization) {
			a.OpenID = &oauth2flow.OpenID{}
		}, "Verifier"},
		"an Exchange without a code": {func(c *client, a *authorization) {
			ofKind(oauth2flow.ResponseNone)(c, a)
			a.Exchange = auth.GrantFunc(nil)
		}, "Exchange"},
		"an Exchange with a fault": {func(_ *client, a *authorization) {
			a.Exchange = auth.GrantFunc(nil)
		}, "Authorization.Exchange"},
		"a Then with a fault": {func(_ *client, a *authorization) {
			a.Then = auth.GrantFunc(nil)
		}, "Authorization.Then"},
		"a Renew with a fault": {func(_ *client, a *authorization) {
			a.Renew = auth.GrantFunc(nil)
		}, "Authorization.Renew"},
		"PKCENone of a public client": {func(c *client, a *authorization) {
			c.Secret, a.PKCE = nil, oauth2flow.PKCENone
		}, "PKCE"},
		"S30 a resource with a fragment": {func(c *client, _ *authorization) {
			c.Resources = []string{"https://a.test/#x"}
		}, "Resources"},
		"S30 a resource that is relative": {func(c *client, _ *authorization) {
			c.Resources = []string{"/x"}
		}, "Resources"},
		"a client name that is none":           {clientNamed("prompt", "x"), "Names"},
		"two client names become one":          {clientNamed("client_id", "x", "scope", "x"), "Names"},
		"S22 a client name becomes the secret": {clientNamed("client_id", "client_secret"), "Names"},
		"a client parameter with the new name": {func(c *client, a *authorization) {
			clientNamed("client_id", "x")(c, a)
			c.Params, c.OverrideProtocol = oauth2flow.NewParams("x", "1"), true
		}, "Params"},
		"a refresh parameter of the protocol": {func(c *client, _ *authorization) {
			c.RefreshParams = oauth2flow.NewParams("refresh_token", "1")
		}, "RefreshParams"},
		"an answer name without a path": {func(c *client, _ *authorization) {
			c.AnswerNames = map[string]string{"scope": "a..b"}
		}, "AnswerNames"},
		"S43 an answer name of the issuer": {func(c *client, _ *authorization) {
			c.AnswerNames = map[string]string{oauth2flow.ExtraIssuer: "a"}
		}, "AnswerNames"},
		"S43 an answer name of what is due": {func(c *client, _ *authorization) {
			c.AnswerNames = map[string]string{"id_token_due": "a"}
		}, "AnswerNames"},
	}
	for _, name := range []string{
		"", "state", "code", "iss", "error", "id_token", "access_token", "refresh_token", "redirect_uri", "code_verifier",
		oauth2flow.ExtraInitial, oauth2flow.ExtraIssuer, oauth2flow.ExtraSubject, "id_token_due",
	} {
		tests["S43 what is kept is "+name] = row{keep(name), "Keep"}
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code := signIn(serve(t), c.change)
			err := code.Validate()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one about %s", err, c.want)
			}
			if _, err := code.Begin(t.Context()); err == nil {
				t.Error("a login begins all the same")
			}
		})
	}
}
