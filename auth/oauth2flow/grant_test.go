package oauth2flow_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestRefreshTokens(t *testing.T) {
	t.Parallel()
	ask := func(s *connectiontest.Server) string {
		all := s.Requests()
		values, _ := url.ParseQuery(string(all[len(all)-1].Body))
		return values.Get("grant_type") + " " + values.Get("refresh_token")
	}
	without := connectiontest.JSON(200, object{"access_token": "t1", "scope": ""})
	for name, reply := range map[string]http.Handler{
		"none":     without,
		"an empty": connectiontest.JSON(200, object{"access_token": "t1", "refresh_token": ""}),
		"a null":   connectiontest.JSON(200, object{"access_token": "t1", "refresh_token": nil}),
	} {
		t.Run("E13 an answer with "+name+" refresh token keeps the old one", func(t *testing.T) {
			t.Parallel()
			s := serve(t, reply)
			token := obtain(t, oauth2flow.Refresh(clientOf(s), nil), prev("r1"))
			equal(t, "refresh token", token.Refresh.Reveal(), "r1")
			equal(t, "token", token.Value.Reveal(), "t1")
		})
	}
	t.Run("a new refresh token takes the place of the old one", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(200, object{"access_token": "t1", "refresh_token": "r2"}))
		g := oauth2flow.Refresh(clientOf(s), secrets.Static("r1"))
		token := obtain(t, g, nil)
		equal(t, "asked", ask(s), "refresh_token r1")
		equal(t, "refresh token", token.Refresh.Reveal(), "r2")
		obtain(t, g, token)
		equal(t, "asked", ask(s), "refresh_token r2")
	})
	t.Run("what a refresh does not tell again stays", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(200, object{"access_token": "t1", "a": "new"}))
		before := prev("r1")
		before.Scopes = []string{"read"}
		before.Extra = map[string]secrets.Value{
			"a": secrets.Static("old"), "b": secrets.Static("old"), "id_token": secrets.Static("old"),
		}
		token := obtain(t, oauth2flow.Refresh(clientOf(s), nil), before)
		equal(t, "scopes", token.Scopes, []string{"read"})
		equal(t, "extra", fmt.Sprint(len(token.Extra), token.Extra["a"].Reveal(), token.Extra["b"].Reveal()), "2newold")
		equal(t, "the token before", before.Extra["a"].Reveal(), "old")
	})
	t.Run("without a refresh token a login is required", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		for _, initial := range []secrets.Provider{nil, secrets.Static("")} {
			is(t, refused(t, oauth2flow.Refresh(clientOf(s), initial), nil), auth.ErrLoginRequired)
			is(t, refused(t, oauth2flow.Refresh(clientOf(s), initial), prev("")), auth.ErrLoginRequired)
		}
		equal(t, "connections", s.Conns(), 0)
	})
	t.Run("a refresh token that is refused ends a grant that has nothing else", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(400, object{"error": "invalid_grant"}))
		is(t, refused(t, oauth2flow.Refresh(clientOf(s), nil), prev("r1")), auth.ErrInvalidGrant)
		sent(t, s, 1)
	})
	t.Run("N-21 the password is used where the refresh token is refused", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(400, object{"error": "invalid_grant"}), issued)
		token := obtain(t, oauth2flow.Password(clientOf(s), bob), prev("r1"))
		sent(t, s, 2)
		equal(t, "asked", ask(s), "password ")
		equal(t, "refresh token", token.Refresh.Reveal(), "")
	})
	t.Run("N-21 the password is not used where the server has a fault", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.Status(503))
		err := refused(t, oauth2flow.Password(clientOf(s), bob), prev("r1"))
		equal(t, "status", as[*oauth2flow.Error](t, err).Status, 503)
		sent(t, s, 1)
	})
	t.Run("client credentials and assertions have no use for a refresh token", func(t *testing.T) {
		t.Parallel()
		for _, grantOf := range []func(c client) auth.Grant{
			oauth2flow.ClientCredentials,
			func(c client) auth.Grant { return oauth2flow.Assertion(c, "urn:x", secrets.Static("a")) },
		} {
			s := serve(t, connectiontest.JSON(200, object{"access_token": "t1", "refresh_token": "r2"}))
			token := obtain(t, grantOf(clientOf(s)), prev("r1"))
			equal(t, "refresh token", token.Refresh.Reveal(), "")
			if strings.Contains(body(t, s), "refresh") {
				t.Errorf("it asks %s", body(t, s))
			}
		}
	})
	t.Run("P-18 E-45 a refresh goes to its own URL, and nothing else does", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(400, object{"error": "invalid_grant"}), issued)
		c := clientOf(s, func(c *client) { c.RefreshURL = s.URL + "/refresh" })
		obtain(t, oauth2flow.Password(c, bob), prev("r1"))
		got := sent(t, s, 2)
		equal(t, "targets", got[0].Target+" "+got[1].Target, "/refresh /token")
	})
	t.Run("a secret is asked for again for each exchange", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		n := 0
		password := secrets.Func(func(context.Context) (secrets.Value, error) {
			n++
			return secrets.Static(fmt.Sprint("pw", n)), nil
		})
		g := oauth2flow.Password(clientOf(s), oauth2flow.ResourceOwner{Username: "b", Password: password, AcceptRisk: true})
		obtain(t, g, nil)
		obtain(t, g, nil)
		if got := string(sent(t, s, 2)[1].Body); !strings.Contains(got, "password=pw2") {
			t.Errorf("it sends %s", got)
		}
	})
	t.Run("an empty password is not sent", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		owner := oauth2flow.ResourceOwner{Username: "b", Password: secrets.Static(""), AcceptRisk: true}
		is(t, refused(t, oauth2flow.Password(clientOf(s), owner), nil), auth.ErrNoCredential)
		equal(t, "connections", s.Conns(), 0)
	})
}

func TestS26Scopes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, answer  string
		asked, before []string
		separator     string
		require       bool
		fails         bool
		want          []string
	}{
		{name: "S26 fewer than required", answer: `"read"`, asked: []string{"read write"}, require: true, fails: true},
		{
			name: "S26 fewer, where they are not required", answer: `"read"`, asked: []string{"read", "write"},
			want: []string{"read"},
		},
		{
			name: "S26 as many as required", answer: `"write read"`, asked: []string{"read write"}, require: true,
			want: []string{"write", "read"},
		},
		{
			name: "S26 more than required", answer: `"a read"`, asked: []string{"read"}, require: true,
			want: []string{"a", "read"},
		},
		{name: "none are what was asked for", answer: `null`, asked: []string{"read"}, require: true},
		{name: "an array", answer: `["read","write"]`, asked: []string{"read"}, want: []string{"read", "write"}},
		{
			name: "another separator", answer: `"read,write"`, asked: []string{"read"}, separator: ",",
			want: []string{"read", "write"},
		},
		{name: "S26 a refresh grants more than before", answer: `"read admin"`, before: []string{"read"}, fails: true},
		{
			name: "S26 a refresh grants less than before", answer: `"read"`, before: []string{"read", "write"},
			want: []string{"read"},
		},
		{name: "a refresh after an answer without scopes", answer: `"read"`, before: []string{}, want: []string{"read"}},
		{
			name: "S26 a refresh grants more than was asked for, and the answer before did not tell", answer: `"read admin"`,
			asked: []string{"read"}, before: []string{}, fails: true,
		},
		{
			name: "S26 a refresh grants what was asked for", answer: `"b a"`, asked: []string{"a b"}, before: []string{},
			want: []string{"b", "a"},
		},
		{name: "S26 none, where some are required", answer: `""`, asked: []string{"read"}, require: true, fails: true},
		{name: "S26 a space", answer: `" "`, asked: []string{"read"}, require: true, fails: true},
		{name: "S26 an empty array", answer: `[]`, asked: []string{"read"}, require: true, fails: true},
		{name: "S26 an array of nothing", answer: `[""]`, asked: []string{"read"}, require: true, fails: true},
		{
			name: "S26 separators alone", answer: `",,"`, asked: []string{"read"}, separator: ",", require: true, fails: true,
		},
		{name: "none, where none are required", answer: `""`, asked: []string{"read"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, text(`{"access_token":"t1","scope":`+test.answer+`}`))
			c := clientOf(s, func(c *client) {
				c.Scopes, c.ScopeSeparator, c.RequireScopes = test.asked, test.separator, test.require
			})
			g, before := oauth2flow.ClientCredentials(c), (*auth.Token)(nil)
			if test.before != nil {
				g, before = oauth2flow.Refresh(c, nil), prev("r1")
				before.Scopes = test.before
			}
			if test.fails {
				err := refused(t, g, before)
				is(t, err, oauth2flow.ErrScopes)
				is(t, err, auth.ErrClientRejected)
				hides(t, err, "admin", "t1")
				return
			}
			equal(t, "scopes", obtain(t, g, before).Scopes, test.want)
		})
	}
}

// A list that is longer than anybody's is refused before anything is compared with it.
func TestS26ManyScopes(t *testing.T) {
	t.Parallel()
	for many, ok := range map[int]bool{1000: true, 1001: false, 200_000: false} {
		all := strings.Repeat("abc ", many)
		s := serve(t, connectiontest.JSON(200, object{"access_token": "t1", "scope": all}))
		before := prev("r1")
		before.Scopes = strings.Fields(all)
		token, err := oauth2flow.Refresh(clientOf(s), nil).Obtain(t.Context(), before)
		if ok {
			equal(t, "scopes", len(token.Scopes), many)
			continue
		}
		_ = as[*oauth2flow.AnswerError](t, err)
	}
}

// A refresh token that took the place of the one before outlives the answer that it came in.
func TestRefreshTokenIsLeft(t *testing.T) {
	t.Parallel()
	const mac, admin = `"token_type":"mac"`, `"scope":"read admin"`
	owner := oauth2flow.ResourceOwner{Username: "b", Password: secrets.Static("p"), AcceptRisk: true}
	password := func(c client) auth.Grant { return oauth2flow.Password(c, owner) }
	custom := func(c client) auth.Grant { return oauth2flow.CustomGrant(c, oauth2flow.Custom{}) }
	refresh := func(c client) auth.Grant { return oauth2flow.Refresh(c, secrets.Static("r1")) }
	for name, c := range map[string]struct {
		grant  func(c client) auth.Grant
		prev   *auth.Token
		answer string
		want   string // the refresh token beside the error; empty for no token
	}{
		"a refresh, another type":          {refresh, prev("r1"), mac + `,"refresh_token":"r2"`, "r2"},
		"a refresh, more scopes":           {refresh, prev("r1"), admin + `,"refresh_token":"r2"`, "r2"},
		"a refresh, an expiry of its own":  {refresh, prev("r1"), `"end":"x","refresh_token":"r2"`, "r2"},
		"the first refresh":                {refresh, nil, mac + `,"refresh_token":"r2"`, "r2"},
		"a refresh, no new one":            {refresh, prev("r1"), mac, ""},
		"a refresh, one that is malformed": {refresh, prev("r1"), mac + `,"refresh_token":"r 2"`, ""},
		"password, refreshed":              {password, prev("r1"), mac + `,"refresh_token":"r2"`, "r2"},
		"password":                         {password, nil, mac + `,"refresh_token":"r2"`, "r2"},
		"custom":                           {custom, nil, mac + `,"refresh_token":"r2"`, "r2"},
		"client credentials keep none":     {oauth2flow.ClientCredentials, nil, mac + `,"refresh_token":"r2"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, text(`{"access_token":"LEAK",`+c.answer+`}`))
			if c.prev != nil {
				c.prev.Scopes = []string{"read"}
			}
			got, err := c.grant(clientOf(s, func(c *client) { c.ExpiryField = "end" })).Obtain(t.Context(), c.prev)
			_ = as[*oauth2flow.AnswerError](t, err)
			hides(t, err, "LEAK", "r2")
			if c.want == "" {
				equal(t, "there is a token", got != nil, false)
				return
			}
			if got == nil {
				t.Fatal("there is no token")
			}
			equal(t, "texts", []string{got.Value.Reveal(), got.Refresh.Reveal()}, []string{"", c.want})
			if c.prev != nil {
				equal(t, "scopes", got.Scopes, c.prev.Scopes)
			}
		})
	}
	t.Run("what it goes back to", func(t *testing.T) {
		t.Parallel()
		s := serve(t, text(`{"access_token":"t1","token_type":"mac","refresh_token":"r2"}`))
		got, err := refresh(clientOf(s)).Obtain(t.Context(), nil)
		is(t, err, oauth2flow.ErrTokenType)
		equal(t, "there is a note", got.Extra[oauth2flow.ExtraInitial].Reveal() != "", true)
	})
}

func TestIssuedType(t *testing.T) {
	t.Parallel()
	const access, id, refresh = oauth2flow.TypeAccessToken, oauth2flow.TypeIDToken, oauth2flow.TypeRefreshToken
	for name, c := range map[string]struct {
		asked, issued string
		ok            bool
	}{
		"what was asked for":              {access, access, true},
		"another one":                     {access, oauth2flow.TypeJWT, false},
		"S45 an ID token":                 {access, id, false},
		"a refresh token":                 {access, refresh, false},
		"S45 an ID token, unasked for":    {"", id, false},
		"a refresh token, unasked":        {"", refresh, false},
		"an ID token that was asked for":  {id, id, true},
		"any other type, if none is said": {"", "urn:x", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, connectiontest.JSON(200, object{"access_token": "t1", "issued_token_type": c.issued}))
			x := oauth2flow.Exchange{Subject: secrets.Static("s"), RequestedType: c.asked}
			g := oauth2flow.TokenExchange(clientOf(s), x)
			if c.ok {
				obtain(t, g, nil)
				return
			}
			is(t, refused(t, g, nil), auth.ErrClientRejected)
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := client{ID: "cid", Secret: secrets.Static("csec"), TokenURL: "https://auth.example.test/token"}
	cc := oauth2flow.ClientCredentials
	tests := []struct {
		name  string
		grant func(c client) auth.Grant
		with  func(c *client)
		want  string // a part of the error; empty if there is none
	}{
		{"a good one", cc, func(*client) {}, ""},
		{"S17 this machine", cc, func(c *client) { c.TokenURL = "http://127.0.0.1:8080/token" }, ""},
		{"S17 plain http, accepted", cc, func(c *client) {
			c.TokenURL, c.Endpoint.AllowHTTP = "http://auth.example.test/token", true
		}, ""},
		{"K-43 no token URL", cc, func(c *client) { c.TokenURL = "" }, "TokenURL: it is empty"},
		{"S17 plain http", cc, func(c *client) { c.TokenURL = "http://auth.example.test/token" }, "TokenURL: plain http"},
		{"a relative token URL", cc, func(c *client) { c.TokenURL = "/token" }, "TokenURL: it does not begin with"},
		{"a malformed token URL", cc, func(c *client) { c.TokenURL = "https://h/%zz?SECRET" }, "TokenURL: it is not a URL"},
		{
			"a password in the URL", cc, func(c *client) { c.TokenURL = "https://u:SECRET@h/" },
			"TokenURL: there is a user name",
		},
		{"a fragment", cc, func(c *client) { c.TokenURL += "#x" }, "TokenURL: there is a fragment"},
		{"S17 plain http for refresh", cc, func(c *client) { c.RefreshURL = "http://h/" }, "RefreshURL: plain http"},
		{"S17 plain http for revocation", cc, func(c *client) { c.RevocationURL = "http://h/" }, "RevocationURL: plain http"},
		{
			"S17 plain http for introspection", cc, func(c *client) { c.IntrospectionURL = "http://h/" },
			"IntrospectionURL: plain http",
		},
		{"K-44 no id", cc, func(c *client) { c.ID = "" }, "ID: it is empty"},
		{"no id of an assertion that has a secret", func(c client) auth.Grant {
			return oauth2flow.Assertion(c, oauth2flow.JWTBearer, secrets.Static("a"))
		}, func(c *client) { c.ID = "" }, "ID: it is empty"},
		{"no secret in the body", cc, func(c *client) {
			c.Secret, c.Auth = nil, oauth2flow.InBody()
		}, "Secret: it is nil, and InBody() needs it"},
		{"no secret in the header", cc, func(c *client) {
			c.Secret, c.Auth = nil, oauth2flow.InHeader()
		}, "Secret: it is nil, and InHeader() needs it"},
		{"a secret of no name", cc, func(c *client) { c.Secret = secrets.Env("") }, "Secret: "},
		{"I-12 a colon in an id that is not encoded", cc, func(c *client) {
			c.ID, c.Auth = "c:d", oauth2flow.InHeaderRaw()
		}, "ID: it holds a colon"},
		{"an empty scope", cc, func(c *client) { c.Scopes = []string{"a", ""} }, "Scopes: number 2"},
		{"a scope with a quote", cc, func(c *client) { c.Scopes = []string{`"`} }, "Scopes: number 1"},
		{"required scopes that are none", cc, func(c *client) { c.RequireScopes = true }, "RequireScopes"},
		{"a separator with a line end", cc, func(c *client) { c.ScopeSeparator = "\n" }, "ScopeSeparator"},
		{"S30 a relative resource", cc, func(c *client) { c.Resources = []string{"/x"} }, "Resources: number 1"},
		{
			"S30 a resource with a fragment", cc, func(c *client) { c.Resources = []string{"https://h/#"} },
			"Resources: number 1",
		},
		{"I-11 a parameter of the protocol", cc, func(c *client) {
			c.Params = oauth2flow.Params{{"grant_type", "x"}}
		}, `Params: "grant_type" belongs to the protocol`},
		{"I-11 a secret among the parameters", cc, func(c *client) {
			c.Params = oauth2flow.Params{{"client_secret", "x"}}
		}, `Params: "client_secret" belongs to the protocol`},
		{"I-11 resource beside Resources", cc, func(c *client) {
			c.Params, c.Resources = oauth2flow.Params{{"resource", "x"}}, []string{"urn:x"}
		}, `Params: "resource" belongs`},
		{"resource alone", cc, func(c *client) { c.Params = oauth2flow.Params{{"resource", "x"}} }, ""},
		{"a parameter without a value", cc, func(c *client) { c.Params = oauth2flow.NewParams("a", "1", "b") },
			"Params: number 2 has no name, or no value"},
		{"parameters in pairs", cc, func(c *client) { c.Params = oauth2flow.NewParams("a", "1", "a", "2") }, ""},
		{"a parameter without a name", cc, func(c *client) { c.Params = oauth2flow.Params{{"", "x"}} }, "Params: number 1"},
		{"an unknown encoding", cc, func(c *client) { c.Encoding = 9 }, "Encoding: it is unknown"},
		{"an empty token type", cc, func(c *client) { c.AcceptTokenTypes = []string{""} }, "AcceptTokenTypes"},
		{"P-26 another content type", cc, func(c *client) {
			c.Header = http.Header{"content-type": {"application/json"}}
		}, "Header: Content-Type is not"},
		{
			"P-26 Authorization", cc, func(c *client) { c.Header = http.Header{"authorization": {"SECRET"}} },
			"Header: Authorization cannot be set",
		},
		{"P-26 Host", cc, func(c *client) { c.Header = http.Header{"Host": {"h"}} }, "Header: Host cannot be set"},
		{
			"P-26 Content-Length", cc, func(c *client) { c.Header = http.Header{"content-length": {"1"}} },
			"Header: Content-Length",
		},
		{
			"a header that is none", cc, func(c *client) { c.Header = http.Header{"a b": {"1"}} },
			"Header: a name is not a token",
		},
		{"a header of two lines", cc, func(c *client) { c.Header = http.Header{"A": {"1\r\nSECRET"}} }, "Header: A holds"},
		{"no certificates", cc, func(c *client) { c.Endpoint.TrustedCA = []byte("x") }, "Endpoint: there is no certificate"},
		{"S54 a risk that is not accepted", func(c client) auth.Grant {
			return oauth2flow.Password(c, oauth2flow.ResourceOwner{Username: "bob", Password: secrets.Static("p")})
		}, func(*client) {}, "AcceptRisk is not set"},
		{"N-21 no user", func(c client) auth.Grant {
			return oauth2flow.Password(c, oauth2flow.ResourceOwner{Password: secrets.Static("p"), AcceptRisk: true})
		}, func(*client) {}, "Username: it is empty"},
		{"N-21 no password", func(c client) auth.Grant {
			return oauth2flow.Password(c, oauth2flow.ResourceOwner{Username: "bob", AcceptRisk: true})
		}, func(*client) {}, "Password: "},
		{"no assertion", func(c client) auth.Grant {
			return oauth2flow.Assertion(c, "", nil)
		}, func(*client) {}, "grant type: it is empty\noauth2flow: assertion: "},
		{"no subject", func(c client) auth.Grant {
			return oauth2flow.TokenExchange(c, oauth2flow.Exchange{ActorType: "x", Audiences: []string{""}})
		}, func(*client) {}, "Subject: "},
		{"an audience beside Audiences", func(c client) auth.Grant {
			return oauth2flow.TokenExchange(c, oauth2flow.Exchange{Subject: secrets.Static("s")})
		}, func(c *client) { c.Params = oauth2flow.Params{{"audience", "x"}} }, `Params: "audience" belongs`},
		{"a first refresh token that is none", func(c client) auth.Grant {
			return oauth2flow.Refresh(c, secrets.Env(""))
		}, func(*client) {}, "initial refresh token: "},
		{"a custom secret that has a place", func(c client) auth.Grant {
			return oauth2flow.CustomGrant(c, oauth2flow.Custom{
				Secrets: map[string]secrets.Provider{"client_secret": secrets.Static("s"), "k": nil},
			})
		}, func(*client) {}, `Secrets: "client_secret" has a place of its own` + "\n" + `oauth2flow: Secrets: "k": `},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := good
			test.with(&c)
			g := test.grant(c)
			err := g.(auth.Validator).Validate()
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "oauth2flow: ") || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error is %v, want one with %q", err, test.want)
			}
			hides(t, err, "SECRET", "csec")
			equal(t, "error of Obtain", refused(t, g, nil).Error(), err.Error())
		})
	}
	t.Run("all faults at once", func(t *testing.T) {
		t.Parallel()
		g := oauth2flow.ClientCredentials(client{RefreshURL: "x", Scopes: []string{""}, Encoding: 7})
		err := g.(auth.Validator).Validate()
		equal(t, "faults", strings.Count(err.Error(), "oauth2flow: "), 5)
	})
}

func TestBinding(t *testing.T) {
	t.Parallel()
	t.Run("a bound grant uses the client of the host", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		c := clientOf(s, func(c *client) { c.Endpoint = auth.Endpoint{} })
		g := oauth2flow.ClientCredentials(c).(auth.GrantBinder)
		bound, err := g.BindGrant(auth.Host{Client: via(s).Client})
		if err != nil {
			t.Fatal(err)
		}
		obtain(t, bound, nil)
		sent(t, s, 1)
		equal(t, "traits", bound.Traits(), g.Traits())
	})
	t.Run("a client of its own comes first", func(t *testing.T) {
		t.Parallel()
		s, other := serve(t), serve(t)
		g := oauth2flow.ClientCredentials(clientOf(s)).(auth.GrantBinder)
		bound, err := g.BindGrant(auth.Host{Client: via(other).Client})
		if err != nil {
			t.Fatal(err)
		}
		obtain(t, bound, nil)
		sent(t, s, 1)
		sent(t, other, 0)
	})
	t.Run("what cannot be bound is an error", func(t *testing.T) {
		t.Parallel()
		c := client{ID: "cid", TokenURL: "https://h/", Endpoint: auth.Endpoint{Proxy: http.ProxyURL(nil)}}
		host := auth.Host{Client: &http.Client{Transport: roundTrip(nil)}}
		if _, err := oauth2flow.ClientCredentials(c).(auth.GrantBinder).BindGrant(host); err == nil {
			t.Error("it was bound")
		}
	})
	for _, bind := range []bool{true, false} {
		t.Run(fmt.Sprintf("S19 K-48 trust and connections of its own, bound %v", bind), func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			s, certificate := serveOwn(t, n)
			untrusting := n.Transport()
			untrusting.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
			c := clientOf(s, func(c *client) { c.Endpoint = auth.Endpoint{Client: &http.Client{Transport: untrusting}} })
			fails(t, oauth2flow.ClientCredentials(c), nil)

			c.Endpoint.TrustedCA = certificate
			g := oauth2flow.ClientCredentials(c)
			if bind {
				var err error
				if g, err = g.(auth.GrantBinder).BindGrant(auth.Host{}); err != nil {
					t.Fatal(err)
				}
			}
			obtain(t, g, nil)
			obtain(t, g, nil)
			sent(t, s, 2)
			if bind {
				if err := g.(io.Closer).Close(); err != nil {
					t.Error(err)
				}
			}
			untrusting.CloseIdleConnections()
		})
	}
}

// serveOwn returns a server whose certificate nobody trusts who was not given it, and that certificate in PEM.
func serveOwn(t *testing.T, n *connectiontest.Network) (s *connectiontest.Server, pemText []byte) {
	t.Helper()
	cert := n.Certificate("auth.example.test")
	s = n.ServeTLS("https://auth.example.test", issued, &tls.Config{Certificates: []tls.Certificate{cert}})
	return s, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
}

func TestTraits(t *testing.T) {
	t.Parallel()
	base := client{ID: "cid", Secret: secrets.Static("csec"), TokenURL: "https://h/token", Scopes: []string{"a", "b"}}
	with := func(change func(c *client)) client {
		c := base
		change(&c)
		return c
	}
	owner := func(name string) oauth2flow.ResourceOwner {
		return oauth2flow.ResourceOwner{Username: name, Password: secrets.Static("p"), AcceptRisk: true}
	}
	exchange := func(audience string) oauth2flow.Exchange {
		return oauth2flow.Exchange{Subject: secrets.Static("s"), Audiences: []string{audience}}
	}
	says := func(subject string) oauth2flow.JWT {
		return oauth2flow.JWT{Key: oauth2flow.SharedSecret(secrets.Static(strings.Repeat("k", 32))), Subject: subject}
	}
	claiming := func(opt oauth2flow.AssertionOption) auth.Grant {
		return oauth2flow.Refresh(with(func(c *client) {
			c.Auth = oauth2flow.PrivateKeyJWT(oauth2flow.PrivateKey(secrets.Env("K")), opt)
		}), nil)
	}
	acting := func(actor secrets.Provider) auth.Grant {
		return oauth2flow.TokenExchange(base, oauth2flow.Exchange{Subject: secrets.Static("s"), Actor: actor})
	}
	ownSecret := func(p secrets.Provider) oauth2flow.Custom {
		return oauth2flow.Custom{Secrets: map[string]secrets.Provider{"user": p}}
	}
	t.Run("E17 tokens of two subjects do not meet in a store", func(t *testing.T) {
		t.Parallel()
		store := tokenstore.NewMemory()
		s := serve(t, text(`{"access_token":"of-alice"}`), text(`{"access_token":"of-bob"}`))
		for _, subject := range []string{"alice", "bob"} {
			m := auth.Manage(oauth2flow.Assertion(clientOf(s), oauth2flow.JWTBearer, says(subject)), auth.KeepIn(store, "x"))
			token, err := m.Token(t.Context(), auth.Want{})
			if err != nil || token.Value.Reveal() != "of-"+subject {
				t.Errorf("%s has the token %v, %v", subject, token, err)
			}
			_ = m.Close()
		}
	})
	t.Run("E17 a constant cannot be guessed from the hash", func(t *testing.T) {
		t.Parallel()
		one := oauth2flow.CustomGrant(base, ownSecret(secrets.Static("1234"))).Traits().Config
		equal(t, "hash", oauth2flow.CustomGrant(base, ownSecret(secrets.Static("5678"))).Traits().Config, one)
		key := claiming(oauth2flow.AssertionKeyID("1")).Traits().Config // a key that is replaced is the same client's
		equal(t, "hash", claiming(oauth2flow.AssertionKeyID("2")).Traits().Config, key)
	})
	t.Run("E17 what tells tokens apart", func(t *testing.T) {
		t.Parallel()
		seen := make(map[string]string)
		tenant := func(value string) oauth2flow.Params { return oauth2flow.Params{{"tenant", value}} }
		header := http.Header{"X-Tenant": {"1"}}
		for name, g := range map[string]auth.Grant{
			"client credentials": oauth2flow.ClientCredentials(base),
			"id":                 oauth2flow.ClientCredentials(with(func(c *client) { c.ID = "other" })),
			"url":                oauth2flow.ClientCredentials(with(func(c *client) { c.TokenURL = "https://i/token" })),
			"scopes":             oauth2flow.ClientCredentials(with(func(c *client) { c.Scopes = []string{"a"} })),
			"resource":           oauth2flow.ClientCredentials(with(func(c *client) { c.Resources = []string{"urn:x"} })),
			"parameter":          oauth2flow.ClientCredentials(with(func(c *client) { c.Params = tenant("1") })),
			"parameter's value":  oauth2flow.ClientCredentials(with(func(c *client) { c.Params = tenant("2") })),
			"header":             oauth2flow.ClientCredentials(with(func(c *client) { c.Header = header })),
			"method":             oauth2flow.ClientCredentials(with(func(c *client) { c.Auth = oauth2flow.InHeader() })),
			"password":           oauth2flow.Password(base, owner("bob")),
			"another user":       oauth2flow.Password(base, owner("eve")),
			"refresh":            oauth2flow.Refresh(base, nil),
			"assertion":          oauth2flow.Assertion(base, oauth2flow.JWTBearer, secrets.Static("a")),
			"another assertion":  oauth2flow.Assertion(base, oauth2flow.SAMLBearer, secrets.Static("a")),
			"exchange":           oauth2flow.TokenExchange(base, exchange("a")),
			"another audience":   oauth2flow.TokenExchange(base, exchange("b")),
			"custom":             oauth2flow.CustomGrant(base, oauth2flow.Custom{GrantType: "x"}),

			"refresh URL":        oauth2flow.Refresh(with(func(c *client) { c.RefreshURL = "https://i/r" }), nil),
			"client's audience":  claiming(oauth2flow.AssertionAudience("https://i")),
			"client's claim":     claiming(oauth2flow.AssertionClaim("tenant", "1")),
			"another claim":      claiming(oauth2flow.AssertionClaim("tenant", "2")),
			"JWT":                oauth2flow.Assertion(base, oauth2flow.JWTBearer, says("alice")),
			"another subject":    oauth2flow.Assertion(base, oauth2flow.JWTBearer, says("bob")),
			"JWT of a pointer":   oauth2flow.Assertion(base, oauth2flow.JWTBearer, new(says("eve"))),
			"assertion of A":     oauth2flow.Assertion(base, oauth2flow.JWTBearer, secrets.Env("A")),
			"assertion of B":     oauth2flow.Assertion(base, oauth2flow.JWTBearer, secrets.Env("B")),
			"exchange of A":      oauth2flow.TokenExchange(base, oauth2flow.Exchange{Subject: secrets.Env("A")}),
			"exchange of B":      oauth2flow.TokenExchange(base, oauth2flow.Exchange{Subject: secrets.Env("B")}),
			"exchange for A":     acting(secrets.Env("A")),
			"exchange for alice": acting(says("alice")),
			"exchange for bob":   acting(says("bob")),
			"custom of A":        oauth2flow.CustomGrant(base, ownSecret(secrets.Env("A"))),
			"custom of B":        oauth2flow.CustomGrant(base, ownSecret(secrets.Env("B"))),
			"custom of alice":    oauth2flow.CustomGrant(base, ownSecret(says("alice"))),
		} {
			config := g.Traits().Config
			if len(config) != 32 || seen[config] != "" {
				t.Errorf("%s has the hash %q of %s", name, config, seen[config])
			}
			seen[config] = name
		}
	})
	t.Run("E17 what does not", func(t *testing.T) {
		t.Parallel()
		want := oauth2flow.ClientCredentials(base).Traits().Config
		for _, change := range []func(c *client){
			func(*client) {},
			func(c *client) { c.Secret = secrets.Static("rotated") },
			func(c *client) { c.Scopes = []string{"a b"} },
			func(c *client) { c.Auth = oauth2flow.InBody() },
		} {
			equal(t, "hash", oauth2flow.ClientCredentials(with(change)).Traits().Config, want)
		}
	})
	for name, c := range map[string]struct {
		grant auth.Grant
		want  auth.Traits
	}{
		"client credentials": {oauth2flow.ClientCredentials(base), auth.Traits{Retryable: true}},
		"password":           {oauth2flow.Password(base, owner("bob")), auth.Traits{Retryable: true}},
		"assertion":          {oauth2flow.Assertion(base, "urn:x", secrets.Static("a")), auth.Traits{Retryable: true}},
		"exchange":           {oauth2flow.TokenExchange(base, exchange("a")), auth.Traits{Retryable: true}},
		"custom":             {oauth2flow.CustomGrant(base, oauth2flow.Custom{}), auth.Traits{}},
		"refresh":            {oauth2flow.Refresh(base, secrets.Static("r")), auth.Traits{OneTime: true}},
		"refresh later":      {oauth2flow.Refresh(base, nil), auth.Traits{OneTime: true, Interactive: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.grant.Traits()
			got.Config = ""
			equal(t, "traits", got, c.want)
		})
	}
	t.Run("what is changed later has no effect", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		c := clientOf(s, func(c *client) {
			c.Scopes, c.Params, c.Header = []string{"a"}, oauth2flow.Params{{"x", "1"}}, http.Header{"X-A": {"1"}}
		})
		g := oauth2flow.ClientCredentials(c)
		c.Scopes[0], c.Params[0], c.Header["X-A"][0] = "b", oauth2flow.Param{Name: "y", Value: "2"}, "2"
		obtain(t, g, nil)
		got := sent(t, s, 1)[0]
		equal(t, "body", string(got.Body), "client_id=cid&client_secret=csec&grant_type=client_credentials&scope=a&x=1")
		equal(t, "header", got.Header.Get("X-A"), "1")
	})
	t.Run("a grant shows what it is", func(t *testing.T) {
		t.Parallel()
		g := oauth2flow.ClientCredentials(with(func(c *client) { c.TokenURL += "?tenant=SECRET" }))
		equal(t, "text", fmt.Sprintf("%+v", g), `client credentials "cid" at https://h/token`)
		equal(t, "client", fmt.Sprintf("%#v", base), `Client "cid" at https://h/token`)
		hides(t, g, "csec", "SECRET")
	})
}
