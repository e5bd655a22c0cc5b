package oauth2flow_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

var bob = oauth2flow.ResourceOwner{
	Username: "bob@example.test", Password: secrets.Static("p@ss w&rd"), AcceptRisk: true,
}

func TestTheWholeRequest(t *testing.T) {
	t.Parallel()
	s := serve(t)
	token := obtain(t, oauth2flow.ClientCredentials(clientOf(s)), nil)
	equal(t, "token", token.Value.Reveal(), "t1")
	want := "POST /token HTTP/1.1\r\nHost: auth.example.test\r\nUser-Agent: Go-http-client/1.1\r\n" +
		"Content-Length: 62\r\nAccept: application/json\r\nContent-Type: application/x-www-form-urlencoded\r\n" +
		"Accept-Encoding: gzip\r\n\r\nclient_id=cid&client_secret=csec&grant_type=client_credentials"
	equal(t, "request", sent(t, s, 1)[0].Raw, want)
}

func TestWhatEachGrantSends(t *testing.T) {
	t.Parallel()
	exchange := oauth2flow.Exchange{
		Subject: secrets.Static("subj"), Actor: secrets.Static("act"), ActorType: oauth2flow.TypeJWT,
		Audiences: []string{"b", "a"}, RequestedType: oauth2flow.TypeJWT,
	}
	anonymous := func(c *client) { c.ID, c.Secret = "", nil }
	const id = "client_id=cid&client_secret=csec&"
	tests := []struct {
		name  string
		grant func(c client) auth.Grant
		with  func(c *client)
		prev  *auth.Token
		want  string
	}{
		{
			name:  "N-18 scopes are joined",
			grant: oauth2flow.ClientCredentials,
			with:  func(c *client) { c.Scopes = []string{"read", "write"} },
			want:  id + "grant_type=client_credentials&scope=read+write",
		},
		{
			name:  "Q-107 scopes with another separator",
			grant: oauth2flow.ClientCredentials,
			with:  func(c *client) { c.Scopes, c.ScopeSeparator = []string{"read", "write"}, "," },
			want:  id + "grant_type=client_credentials&scope=read%2Cwrite",
		},
		{
			name:  "S30 resources are parameters of their own, in their order",
			grant: oauth2flow.ClientCredentials,
			with:  func(c *client) { c.Resources = []string{"https://b.test/x", "urn:a"} },
			want:  id + "grant_type=client_credentials&resource=https%3A%2F%2Fb.test%2Fx&resource=urn%3Aa",
		},
		{
			name:  "parameters repeat in their order",
			grant: oauth2flow.ClientCredentials,
			with:  func(c *client) { c.Params = oauth2flow.Params{{"x", "2"}, {"a", "&"}, {"x", "1"}} },
			want:  "a=%26&" + id + "grant_type=client_credentials&x=2&x=1",
		},
		{
			name:  "I-11 parameters take the place of the protocol's if that is said",
			grant: oauth2flow.ClientCredentials,
			with: func(c *client) {
				c.Params, c.OverrideProtocol = oauth2flow.Params{{"grant_type", "x"}}, true
			},
			want: id + "grant_type=x",
		},
		{
			name:  "N-19 password",
			grant: func(c client) auth.Grant { return oauth2flow.Password(c, bob) },
			want:  id + "grant_type=password&password=p%40ss+w%26rd&username=bob%40example.test",
		},
		{
			name:  "N-21 password with a refresh token",
			grant: func(c client) auth.Grant { return oauth2flow.Password(c, bob) },
			with:  func(c *client) { c.Scopes = []string{"read"} },
			prev:  prev("r1"),
			want:  id + "grant_type=refresh_token&refresh_token=r1",
		},
		{
			name:  "refresh with the token before",
			grant: func(c client) auth.Grant { return oauth2flow.Refresh(c, secrets.Static("r0")) },
			with:  func(c *client) { c.Scopes = []string{"read"} },
			prev:  prev("r1"),
			want:  id + "grant_type=refresh_token&refresh_token=r1&scope=read",
		},
		{
			name:  "refresh with the first token",
			grant: func(c client) auth.Grant { return oauth2flow.Refresh(c, secrets.Static("r0")) },
			prev:  prev(""),
			want:  id + "grant_type=refresh_token&refresh_token=r0",
		},
		{
			name: "Q-164 an assertion of a known client",
			grant: func(c client) auth.Grant {
				return oauth2flow.Assertion(c, oauth2flow.JWTBearer, secrets.Static("a.b.c"))
			},
			want: "assertion=a.b.c&" + id + "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer",
		},
		{
			name: "Q-163 an assertion alone",
			grant: func(c client) auth.Grant {
				return oauth2flow.Assertion(c, oauth2flow.SAMLBearer, secrets.Static("PHNhbWw"))
			},
			with: anonymous,
			prev: prev("r1"),
			want: "assertion=PHNhbWw&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer",
		},
		{
			name:  "token exchange",
			grant: func(c client) auth.Grant { return oauth2flow.TokenExchange(c, exchange) },
			with:  anonymous,
			want: "actor_token=act&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&audience=b&audience=a&" +
				"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&" +
				"requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&subject_token=subj&" +
				"subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
		},
		{
			name: "Q-110 a grant type of the server's own",
			grant: func(c client) auth.Grant {
				return oauth2flow.CustomGrant(c, oauth2flow.Custom{GrantType: "openapi_2lo"})
			},
			want: id + "grant_type=openapi_2lo",
		},
		{
			name: "Q-112 no grant type, in JSON",
			grant: func(c client) auth.Grant {
				return oauth2flow.CustomGrant(c, oauth2flow.Custom{})
			},
			with: func(c *client) { c.Encoding = oauth2flow.JSON },
			want: `{"client_id":"cid","client_secret":"csec"}`,
		},
		{
			name: "Q-127 a realm, in JSON",
			grant: func(c client) auth.Grant {
				return oauth2flow.CustomGrant(c, oauth2flow.Custom{
					GrantType: "http://auth0.com/oauth/grant-type/password-realm",
					Secrets: map[string]secrets.Provider{
						"username": secrets.Static("bob"), "password": secrets.Static("<&>"),
					},
				})
			},
			with: func(c *client) {
				c.Encoding, c.Params = oauth2flow.JSON, oauth2flow.Params{{"realm", "r"}, {"audience", "a"}, {"audience", "b"}}
			},
			want: `{"audience":["a","b"],"client_id":"cid","client_secret":"csec",` +
				`"grant_type":"http://auth0.com/oauth/grant-type/password-realm","password":"<&>","realm":"r","username":"bob"}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, connectiontest.JSON(200, object{"access_token": "t1", "issued_token_type": oauth2flow.TypeJWT}))
			c := clientOf(s)
			if test.with != nil {
				test.with(&c)
			}
			obtain(t, test.grant(c), test.prev)
			equal(t, "body", body(t, s), test.want)
		})
	}
}

func TestWhereParametersGo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, line, media, body string
		with                    func(c *client)
	}{
		{
			name: "Q-115 Q-126 all of them in the query, and an empty body",
			with: func(c *client) {
				c.Encoding, c.Auth = oauth2flow.Query, oauth2flow.InHeader()
				c.Params = oauth2flow.Params{{"response_type", "token"}}
			},
			line: "POST /token?grant_type=client_credentials&response_type=token HTTP/1.1",
		},
		{
			name: "I-09 the further ones in the query",
			with: func(c *client) {
				c.TokenURL += "?tenant=7"
				c.Params, c.ParamsInQuery = oauth2flow.Params{{"b", "2"}, {"a", "1"}, {"b", "1"}}, true
			},
			line:  "POST /token?tenant=7&a=1&b=2&b=1 HTTP/1.1",
			media: "application/x-www-form-urlencoded",
			body:  "client_id=cid&client_secret=csec&grant_type=client_credentials",
		},
		{
			name:  "Q-108 JSON",
			with:  func(c *client) { c.Encoding = oauth2flow.JSON },
			line:  "POST /token HTTP/1.1",
			media: "application/json",
			body:  `{"client_id":"cid","client_secret":"csec","grant_type":"client_credentials"}`,
		},
		{
			name: "P-26 a charset beside the content type",
			with: func(c *client) {
				c.Header = http.Header{"content-type": {"application/x-www-form-urlencoded; charset=UTF-8"}}
			},
			line:  "POST /token HTTP/1.1",
			media: "application/x-www-form-urlencoded; charset=UTF-8",
			body:  "client_id=cid&client_secret=csec&grant_type=client_credentials",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			obtain(t, oauth2flow.ClientCredentials(clientOf(s, test.with)), nil)
			got := sent(t, s, 1)[0]
			line, _, _ := strings.Cut(got.Raw, "\r\n")
			equal(t, "request line", line, test.line)
			equal(t, "content type", got.Header.Get("Content-Type"), test.media)
			equal(t, "body", string(got.Body), test.body)
		})
	}
}

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		method     oauth2flow.ClientAuth
		id, secret string
		header     string
		body       string
	}{
		{name: "I-13 the default is the body", id: "cid", secret: "csec", body: "client_id=cid&client_secret=csec&"},
		{
			name: "K-46 in the body", method: oauth2flow.InBody(), id: "cid", secret: "csec",
			body: "client_id=cid&client_secret=csec&",
		},
		{name: "K-45 an empty secret is left out of the body", id: "cid", body: "client_id=cid&"},
		{
			name: "K-45 an empty secret in the header", method: oauth2flow.InHeader(), id: "cid",
			header: "Basic Y2lkOg==",
		},
		{
			name: "K-46 in the header", method: oauth2flow.InHeader(), id: "cid", secret: "csec",
			header: "Basic Y2lkOmNzZWM=",
		},
		{
			name: "I-12 id and secret are encoded first", method: oauth2flow.InHeader(), id: "c id", secret: "s:e/c",
			header: "Basic YytpZDpzJTNBZSUyRmM=",
		},
		{
			name: "I-12 id and secret as they are", method: oauth2flow.InHeaderRaw(), id: "c id", secret: "s:e/c",
			header: "Basic YyBpZDpzOmUvYw==",
		},
		{name: "a public client has no secret", method: oauth2flow.PublicClient(), id: "cid", body: "client_id=cid&"},
		{
			name: "a certificate proves the rest", method: oauth2flow.TLSClientAuth(), id: "cid", secret: "csec",
			body: "client_id=cid&",
		},
	}
	for _, test := range tests {
		t.Run("S22 S23 "+test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, connectiontest.JSON(401, object{"error": "invalid_client"}))
			g := oauth2flow.ClientCredentials(clientOf(s, func(c *client) {
				c.ID, c.Secret, c.Auth = test.id, secrets.Static(test.secret), test.method
			}))
			is(t, refused(t, g, nil), auth.ErrClientRejected)
			got := sent(t, s, 1)[0] // one request: nothing is tried out
			equal(t, "Authorization", got.Header.Get("Authorization"), test.header)
			equal(t, "body", string(got.Body), test.body+"grant_type=client_credentials")
		})
	}
	t.Run("without a secret the id is sent alone", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		obtain(t, oauth2flow.ClientCredentials(clientOf(s, func(c *client) { c.Secret = nil })), nil)
		equal(t, "body", body(t, s), "client_id=cid&grant_type=client_credentials")
	})
	t.Run("S22 two methods at once are refused before a byte is sent", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		fails(t, oauth2flow.ClientCredentials(clientOf(s, func(c *client) {
			c.Auth, c.OverrideProtocol = oauth2flow.InHeader(), true
			c.Params = oauth2flow.Params{{"client_secret", "csec"}}
		})), nil)
		equal(t, "connections", s.Conns(), 0)
	})
	t.Run("S22 a secret is never put into a URL", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		c := clientOf(s, func(c *client) { c.Encoding, c.Auth = oauth2flow.Query, oauth2flow.InHeader() })
		inBody := c
		inBody.Auth = oauth2flow.InBody()
		override := c
		override.Params, override.OverrideProtocol = oauth2flow.Params{{"refresh_token", "r1"}}, true
		for _, g := range []auth.Grant{
			oauth2flow.ClientCredentials(inBody),
			oauth2flow.ClientCredentials(override),
			oauth2flow.Password(c, bob),
			oauth2flow.Refresh(c, secrets.Static("r1")),
			oauth2flow.Assertion(c, oauth2flow.JWTBearer, secrets.Static("a")),
			oauth2flow.TokenExchange(c, oauth2flow.Exchange{Subject: secrets.Static("s")}),
			oauth2flow.CustomGrant(c, oauth2flow.Custom{Secrets: map[string]secrets.Provider{"key": secrets.Static("s")}}),
		} {
			fails(t, g, prev("r1"))
		}
		_, err := oauth2flow.CustomGrant(c, oauth2flow.Custom{}).Obtain(t.Context(), prev("r1"))
		if err == nil {
			t.Error("a refresh token was put into a URL")
		}
		equal(t, "connections", s.Conns(), 0)
	})
}
