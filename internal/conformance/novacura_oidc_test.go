package conformance_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// providerKey signs all ID tokens here.
var providerKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// identity is a sign-in at an OpenID provider in memory.
type identity struct {
	*Row

	provider *connectiontest.Server
	code     *oauth2flow.AuthorizationCode
	asked    url.Values // the parameters of the authorization URL
	url      string
	begun    *oauth2flow.Login
}

// identifies begins a sign-in at a provider that has an authorization endpoint and keys, and nothing else.
func (r *Row) identifies(changes ...func(c *oauth2flow.Client, a *oauth2flow.Authorization)) *identity {
	r.Helper()
	key, err := providerKey()
	r.NoError(err)
	keys := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}}
	server := connectiontest.NewNetwork(r).Serve("https://idp.example.test", connectiontest.JSON(200, keys))
	p := oidc.Provider{
		Issuer: server.URL, AuthorizationURL: server.URL + "/authorize", JWKSURL: server.URL + "/keys",
		Endpoint: auth.Endpoint{Client: &http.Client{Transport: server.Network().Transport()}},
	}
	c, a := oauth2flow.Client{ID: "cid"}, oauth2flow.Authorization{RedirectURI: callbackURI}
	for _, change := range changes {
		change(&c, &a)
	}
	i := &identity{Row: r, provider: server, code: oidc.New(p, c, a)}
	i.begin(r.ctx())
	return i
}

func (i *identity) begin(ctx context.Context) {
	i.Helper()
	begun, err := i.code.Begin(ctx)
	i.NoError(err)
	u, err := url.Parse(begun.URL)
	i.NoError(err)
	i.begun, i.url, i.asked = begun, begun.URL, u.Query()
}

// idToken returns a good ID token for this sign-in, but for one claim.
func (i *identity) idToken(name string, value any) string {
	i.Helper()
	now := time.Now().Unix()
	claims := map[string]any{
		"iss": i.provider.URL, "sub": "ann", "aud": "cid", "iat": now, "exp": now + 3600, "nonce": i.asked.Get("nonce"),
	}
	if name != "" {
		claims[name] = value
	}
	key, err := providerKey()
	i.NoError(err)
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"},
	}, nil)
	i.NoError(err)
	text, err := json.Marshal(claims)
	i.NoError(err)
	signed, err := signer.Sign(text)
	i.NoError(err)
	compact, err := signed.CompactSerialize()
	i.NoError(err)
	return compact
}

// posts ends the sign-in with the form that the browser posts.
func (i *identity) posts(idToken string) (*auth.Token, error) {
	i.Helper()
	return i.code.Complete(i.ctx(), url.Values{"id_token": {idToken}, "state": i.asked["state"]}, i.begun.Browser)
}

func TestNovacuraOpenIDConnect(t *testing.T) {
	t.Parallel()
	row(t, "N-34 the ID token of the callback is the bearer token", func(r *Row) {
		i := r.identifies()
		id := i.idToken("", nil)
		token, err := i.posts(id)
		r.NoError(err)
		tokens := auth.Manage(i.code)
		r.Cleanup(func() { _ = tokens.Close() })
		s := r.serve()
		conn := r.open(s, connection.WithAuth(auth.Bearer(tokens)))
		r.NoError(tokens.Set(r.ctx(), token))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "Authorization: Bearer "+id)
	})
	row(t, "N-34 a bad nonce is an error of its own", func(r *Row) {
		i := r.identifies()
		token, err := i.posts(i.idToken("nonce", "of-another-login"))
		r.Is(err, oidc.ErrNonce)
		r.Equal("there is no token", token == nil, true)
	})
	row(t, "N-35 the display name is for who shows the prompt, and never sent", func(r *Row) {
		i := r.identifies(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.DisplayName = "Contoso" })
		r.Equal("display name", i.begun.DisplayName, "Contoso")
		r.Equal("in the URL", strings.Contains(i.url, "Contoso"), false)
	})
	row(t, "N-36 without token endpoint and secret the browser brings the ID token", func(r *Row) {
		i := r.identifies()
		masked := i.asked
		r.Equal("nonce", len(masked.Get("nonce")) >= 22, true)
		state := masked.Get("state")
		masked.Set("nonce", "n-1")
		masked.Set("state", "st-1")
		r.Equal("parameters", masked.Encode(), "client_id=cid&nonce=n-1&"+
			"redirect_uri=https%3A%2F%2Fapp.example.test%2Fcb&response_mode=form_post&response_type=id_token&"+
			"scope=openid&state=st-1")
		masked.Set("state", state)
		i.begin(r.ctx())
		_, err := i.posts(i.idToken("", nil))
		r.NoError(err)
		for _, sent := range i.provider.Requests() {
			r.Line(sent, "GET /keys HTTP/1.1")
		}
	})
	row(t, "N-36 with a token endpoint it is a code and PKCE", func(r *Row) {
		i := r.identifies(func(c *oauth2flow.Client, _ *oauth2flow.Authorization) {
			c.TokenURL = "https://idp.example.test/token"
		})
		r.Equal("response_type", i.asked["response_type"], []string{"code"})
		r.Equal("method", i.asked["code_challenge_method"], []string{"S256"})
		r.Equal("nonce", i.asked.Has("nonce"), true)
	})
	row(t, "N-37 the client id is required, and is the audience", func(r *Row) {
		i := r.identifies()
		r.Equal("client_id", i.asked["client_id"], []string{"cid"})
		_, err := i.posts(i.idToken("aud", "of-another-client"))
		r.Equal("another audience is refused", err != nil, true)
		p := oidc.Provider{Issuer: i.provider.URL, AuthorizationURL: i.provider.URL, JWKSURL: i.provider.URL}
		code := oidc.New(p, oauth2flow.Client{}, oauth2flow.Authorization{RedirectURI: callbackURI})
		r.Equal("no id is refused", code.Validate() != nil, true)
	})
	row(t, "N-38 scopes are openid by default, and have it always", func(r *Row) {
		for want, scopes := range map[string][]string{
			"openid": nil, "openid email": {"email"}, "email openid": {"email openid"}, "openid profile": {"openid", "profile"},
		} {
			i := r.identifies(func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.Scopes = scopes })
			r.Equal("scope", i.asked["scope"], []string{want})
		}
	})
	row(t, "N-39 extra parameters are in the URL", func(r *Row) {
		i := r.identifies(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			a.Params = oauth2flow.NewParams("prompt", "login", "audience", "x", "audience", "y")
		})
		r.Equal("prompt", i.asked["prompt"], []string{"login"})
		r.Equal("audience", i.asked["audience"], []string{"x", "y"})
	})
	row(t, "N-40 the acting user prefills the prompt, where that is wanted", func(r *Row) {
		i := r.identifies(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.LoginHint = auth.Subject })
		r.Equal("nobody", i.asked.Has("login_hint"), false)
		i.begin(auth.WithSubject(r.ctx(), "ann@example.test"))
		r.Equal("escaped", strings.Contains(i.url, "login_hint=ann%40example.test"), true)
	})
	row(t, "N-41 a private session is for who opens the browser, and never sent", func(r *Row) {
		i := r.identifies(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.PrivateSession = true })
		r.Equal("private session", i.begun.PrivateSession, true)
		names := func(v url.Values) int { return len(v) }
		r.Equal("parameters", names(i.asked), names(r.identifies().asked))
	})
}
