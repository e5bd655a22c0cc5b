package interop_test

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/secrets"
)

const grantImplicit = "implicit"

// trusting is how the provider is called.
func trusting(t *testing.T) auth.Endpoint {
	t.Helper()
	return auth.Endpoint{TrustedCA: certificates(t).CA.PEM}
}

// discovered returns what the metadata of the provider say.
func discovered(t *testing.T, s *servers.Server) oidc.Provider {
	t.Helper()
	p, err := oidc.Discover(within(t, time.Minute), s.URL, oidc.Via(trusting(t)))
	if err != nil {
		t.Fatal("Discover:", err)
	}
	return p
}

// enrolled registers a client of which nothing is known but what it was issued with: the rest is discovered.
func enrolled(t *testing.T, s *servers.Server, m metadata, scopes ...string) oauth2flow.Client {
	t.Helper()
	all := maps.Clone(m)
	all["scope"] = "openid offline_access email profile"
	c := registered(t, s, all)
	return oauth2flow.Client{ID: c.ID, Secret: c.Secret, Scopes: scopes}
}

// with returns metadata with others in place of some.
func with(m, others metadata) metadata {
	all := maps.Clone(m)
	maps.Copy(all, others)
	return all
}

// fronted is a web application for which the browser brings an ID token.
func fronted(responseType, redirectURI string) metadata {
	return with(webApp(redirectURI), metadata{
		"response_types": []string{responseType}, "grant_types": []string{grantCode, grantRefresh, grantImplicit},
	})
}

// consenting asks for a consent, without which the provider issues no refresh token.
func consenting(redirectURI string) oauth2flow.Authorization {
	return oauth2flow.Authorization{
		RedirectURI: redirectURI, Params: oauth2flow.NewParams("prompt", "consent"),
	}
}

// come is a login as it comes back: what the browser brings, and what it has kept.
type come struct {
	values  url.Values
	browser secrets.Value
}

// returned has a user log in, and returns what comes back before anybody has looked at it.
func returned(
	t *testing.T, code *oauth2flow.AuthorizationCode, b *forms, user string, opts ...oauth2flow.LoginOption,
) come {
	t.Helper()
	ctx := within(t, time.Minute)
	begun, err := code.Begin(ctx, opts...)
	if err != nil {
		t.Fatal("Begin:", err)
	}
	back, err := b.login(ctx, begun.URL, user)
	if err != nil {
		t.Fatal("the browser:", err)
	}
	if begun.Posted {
		if back.RawQuery != "" || back.Fragment != "" || b.posted == nil {
			t.Fatal("S15 the answer is not posted")
		}
		return come{b.posted, begun.Browser}
	}
	return come{back.Query(), begun.Browser}
}

// completed ends a login that comes back.
func completed(t *testing.T, code *oauth2flow.AuthorizationCode, c come) *auth.Token {
	t.Helper()
	token, err := code.Complete(within(t, time.Minute), c.values, c.browser)
	if err != nil {
		t.Fatal("Complete:", err)
	}
	return token
}

// wantIdentity wants an ID token of a user, which is signed in this way.
func wantIdentity(t *testing.T, token *auth.Token, user, algorithm string) {
	t.Helper()
	got, err := oidc.IDClaims(token)
	if err != nil || got.Subject() != user {
		t.Errorf("the ID token is of %q, want %s: %v", got.Subject(), user, err)
	}
	raw := token.Extra[oauth2flow.ExtraIDToken].Reveal()
	if _, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)}); err != nil {
		t.Errorf("the ID token is not signed with %s: %v", algorithm, err)
	}
}

// wantIDTokenError wants an ID token refused for this reason.
func wantIDTokenError(t *testing.T, err, reason error) {
	t.Helper()
	wants[*oidc.IDTokenError](t, err)
	if !errors.Is(err, reason) {
		t.Errorf("got %v, want %v", err, reason)
	}
}

func TestSignInDiscover(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	t.Run("what the provider says", func(t *testing.T) {
		t.Parallel()
		p := discovered(t, s)
		if p.Issuer != s.URL || !p.AnnouncesIssuer || !slices.Equal(p.PKCEMethods, []string{"S256"}) {
			t.Errorf("%+v", p)
		}
		for name, got := range map[string]string{
			"/auth": p.AuthorizationURL, "/token": p.TokenURL, "/jwks": p.JWKSURL, "/me": p.UserInfoURL,
			"/token/revocation": p.RevocationURL, "/token/introspection": p.IntrospectionURL,
			"/device/auth": p.DeviceURL, "/session/end": p.EndSessionURL,
		} {
			if got != s.URL+name {
				t.Errorf("%q, want %s", got, s.URL+name)
			}
		}
		for _, name := range []string{"RS256", "ES256"} {
			if !slices.Contains(p.Algorithms, name) {
				t.Errorf("no %s among %q", name, p.Algorithms)
			}
		}
	})
	t.Run("as a server of OAuth 2.0", func(t *testing.T) {
		t.Parallel()
		p, err := oidc.DiscoverOAuth(within(t, time.Minute), s.URL, oidc.Via(trusting(t)))
		if err != nil || p.Issuer != s.URL || p.TokenURL != s.URL+"/token" {
			t.Errorf("%v, %v", p, err)
		}
	})
	local := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	for name, c := range map[string]struct {
		issuer string
		want   error
	}{
		"S21 the issuer has another name":       {local, oidc.ErrIssuer},
		"S21 the issuer has a slash at its end": {s.URL + "/", oidc.ErrIssuer},
		"there are no metadata at that path":    {s.URL + "/other", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := oidc.Discover(within(t, time.Minute), c.issuer, oidc.Via(trusting(t)))
			wants[*oidc.DiscoveryError](t, err)
			if c.want != nil && !errors.Is(err, c.want) || p.Issuer != "" {
				t.Errorf("%v, %v", p, err)
			}
		})
	}
	t.Run("S19 a certificate that is not trusted", func(t *testing.T) {
		t.Parallel()
		if _, err := oidc.Discover(within(t, time.Minute), s.URL); err == nil {
			t.Error("the metadata are taken from whoever answers")
		}
	})
}

func TestSignInOpenID(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	for _, algorithm := range []string{"RS256", "ES256"} {
		t.Run("N-23 S43 "+algorithm, func(t *testing.T) {
			t.Parallel()
			p := discovered(t, s)
			client := enrolled(t, s, with(webApp(webRedirect), metadata{"id_token_signed_response_alg": algorithm}),
				"openid", "offline_access", "email", "profile")
			code := oidc.New(p, client, consenting(webRedirect), oidc.Algorithms(algorithm))
			token := completed(t, code, returned(t, code, newForms(t, s), "alice"))
			wantIdentity(t, token, "alice", algorithm)
			wantUserInfo(t, p, token)

			tokens := managed(t, code)
			if err := tokens.Set(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			after := turned(t, tokens, token)
			wantIdentity(t, after, "alice", algorithm)
			// Within one second, RS256 makes the same token again.
			if algorithm == "ES256" &&
				after.Extra[oauth2flow.ExtraIDToken].Reveal() == token.Extra[oauth2flow.ExtraIDToken].Reveal() {
				t.Error("the refresh has brought no new ID token")
			}
			if _, err := p.UserInfo(within(t, time.Minute), after); err != nil {
				t.Error("after the refresh:", err)
			}
			if err := tokens.Forget(within(t, time.Minute)); err != nil {
				t.Fatal("S53", err)
			}
			_, err := p.UserInfo(within(t, time.Minute), after)
			if got := as[*oidc.UserInfoError](t, err); got.Code != "invalid_token" || got.Status != http.StatusUnauthorized {
				t.Errorf("S53 userinfo of a token that was revoked: %v", err)
			}
		})
	}
	t.Run("S33 an algorithm that is not allowed", func(t *testing.T) {
		t.Parallel()
		client := enrolled(t, s, with(webApp(webRedirect), metadata{"id_token_signed_response_alg": "ES256"}), "openid")
		code := oidc.New(discovered(t, s), client, consenting(webRedirect))
		back := returned(t, code, newForms(t, s), "alice")
		_, err := code.Complete(t.Context(), back.values, back.browser)
		wantIDTokenError(t, err, oidc.ErrSignature)
	})
	t.Run("S8 another issuer", func(t *testing.T) {
		t.Parallel()
		p := discovered(t, s)
		p.Issuer = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
		code := oidc.New(p, enrolled(t, s, webApp(webRedirect), "openid"), consenting(webRedirect))
		back := returned(t, code, newForms(t, s), "alice")
		if _, err := code.Complete(t.Context(), back.values, back.browser); !errors.Is(err, oauth2flow.ErrIssuer) {
			t.Error(err)
		}
	})
}

// wantUserInfo wants what the provider knows of alice, and that nobody else's is taken for it.
func wantUserInfo(t *testing.T, p oidc.Provider, token *auth.Token) {
	t.Helper()
	ctx := within(t, time.Minute)
	got, err := p.UserInfo(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	if address, verified := got.Email(); address != "alice@example.test" || !verified || got.Text("name") != "alice" {
		t.Errorf("userinfo: %q, %v, %q", address, verified, got.Text("name"))
	}
	foreign := *token
	foreign.Extra = maps.Clone(token.Extra)
	foreign.Extra[oauth2flow.ExtraSubject] = secrets.Static("bob")
	if _, err := p.UserInfo(ctx, &foreign); !errors.Is(err, oidc.ErrSubject) {
		t.Errorf("S42 userinfo of another user: %v", err)
	}
}

func TestSignInAsToken(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	p := discovered(t, s)
	// Signatures of ES256 differ: a token that is renewed within a second is another one.
	client := enrolled(t, s, with(webApp(webRedirect), metadata{"id_token_signed_response_alg": "ES256"}),
		"openid", "offline_access", "email", "profile")
	code := oidc.New(p, client, consenting(webRedirect), oidc.AsToken(), oidc.Algorithms("ES256"))
	token := completed(t, code, returned(t, code, newForms(t, s), "alice"))
	tokens := managed(t, code)
	if err := tokens.Set(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	for _, each := range []*auth.Token{token, turned(t, tokens, token)} {
		wantIdentity(t, each, "alice", "ES256")
		if each.Value.Reveal() != each.Extra[oauth2flow.ExtraIDToken].Reveal() {
			t.Error("what is sent is not the ID token")
		}
		if left := time.Until(each.Expiry); left < 50*time.Minute || left > time.Hour {
			t.Errorf("it lasts for %v, want that of the ID token", left)
		}
		wantUserInfo(t, p, each)
	}
}

// TestSignInFront is about answers with an ID token in them, which come as a form.
func TestSignInFront(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	both := fronted("code id_token", webRedirect)
	t.Run("N-23 S39 an ID token", func(t *testing.T) {
		t.Parallel()
		p := discovered(t, s)
		p.TokenURL = ""
		client := enrolled(t, s, with(fronted("id_token", webRedirect),
			metadata{"grant_types": []string{grantImplicit}, "token_endpoint_auth_method": "none"}), "openid")
		code := oidc.New(p, client, oauth2flow.Authorization{RedirectURI: webRedirect})
		first := returned(t, code, newForms(t, s), "alice")
		second := returned(t, code, newForms(t, s), "alice")
		second.values.Set("id_token", first.values.Get("id_token"))
		_, err := code.Complete(t.Context(), second.values, second.browser)
		wantIDTokenError(t, err, oidc.ErrNonce)

		token := completed(t, code, first)
		wantIdentity(t, token, "alice", "RS256")
		if token.Value.Reveal() != token.Extra[oauth2flow.ExtraIDToken].Reveal() {
			t.Error("what is sent is not the ID token")
		}
		if got := calls(t, s, client.ID); len(got) > 0 {
			t.Errorf("there were calls: %v", got)
		}
	})
	t.Run("N-23 S40 a code and an ID token", func(t *testing.T) {
		t.Parallel()
		p := discovered(t, s)
		client := enrolled(t, s, both, "openid", "email", "profile")
		code := hybrid(p, client)
		token := completed(t, code, returned(t, code, newForms(t, s), "alice"))
		wantIdentity(t, token, "alice", "RS256")
		wantUserInfo(t, p, token)
		wantEqual(t, calls(t, s, client.ID), []call{{"token", "", grantCode, "", 200}})
	})
	t.Run("S40 the code of another login", func(t *testing.T) {
		t.Parallel()
		client := enrolled(t, s, both, "openid")
		code := hybrid(discovered(t, s), client)
		stolen := returned(t, code, newForms(t, s), "bob")
		back := returned(t, code, newForms(t, s), "alice")
		back.values.Set("code", stolen.values.Get("code"))
		_, err := code.Complete(t.Context(), back.values, back.browser)
		wants[*oidc.IDTokenError](t, err)
		if !strings.Contains(err.Error(), "c_hash") || len(calls(t, s, client.ID)) > 0 {
			t.Errorf("%v, calls: %v", err, calls(t, s, client.ID))
		}
	})
	t.Run("S37 the ID token of another client", func(t *testing.T) {
		t.Parallel()
		p := discovered(t, s)
		client, other := enrolled(t, s, both, "openid"), enrolled(t, s, both, "openid")
		code, theirs := hybrid(p, client), hybrid(p, other)
		stolen := returned(t, theirs, newForms(t, s), "alice")
		back := returned(t, code, newForms(t, s), "bob")
		back.values.Set("id_token", stolen.values.Get("id_token"))
		_, err := code.Complete(t.Context(), back.values, back.browser)
		wantIDTokenError(t, err, oidc.ErrAudience)
		if got := calls(t, s, client.ID); len(got) > 0 {
			t.Errorf("there were calls: %v", got)
		}
	})
}

// hybrid asks for a code and an ID token.
func hybrid(p oidc.Provider, client oauth2flow.Client) *oauth2flow.AuthorizationCode {
	return oidc.New(p, client, oauth2flow.Authorization{
		RedirectURI: webRedirect, ResponseType: oauth2flow.ResponseCodeIDToken,
	})
}

// TestSignInFresh is about when, and how, the user has authenticated.
func TestSignInFresh(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	p := discovered(t, s)
	plain := oauth2flow.Authorization{RedirectURI: webRedirect}
	code := oidc.New(p, enrolled(t, s, webApp(webRedirect), "openid"), plain)
	fresh := oauth2flow.LoginParams(oauth2flow.NewParams("prompt", "login"))
	b := newForms(t, s)
	asked := func(opts ...oauth2flow.LoginOption) (int, come) {
		before := b.logins
		back := returned(t, code, b, "alice", opts...)
		return b.logins - before, back
	}
	for _, c := range []struct {
		name string
		opts []oauth2flow.LoginOption
		want int // how often the user is asked for a password
	}{
		{"the first login", nil, 1},
		{"the provider knows the user", nil, 0},
		{"S41 prompt=login", []oauth2flow.LoginOption{fresh}, 1},
		{"S41 a max_age that is not over", []oauth2flow.LoginOption{stepUp(time.Hour)}, 0},
	} {
		times, back := asked(c.opts...)
		token := completed(t, code, back)
		claims, err := oidc.IDClaims(token)
		var got struct {
			At int64 `json:"auth_time"`
		}
		if err = errors.Join(err, claims.Decode(&got)); err != nil {
			t.Fatal(err)
		}
		if times != c.want || len(c.opts) > 0 && time.Since(time.Unix(got.At, 0)) > 2*time.Minute {
			t.Errorf("%s: asked %d times, want %d; auth_time is %d", c.name, times, c.want, got.At)
		}
	}
	t.Run("S41 the user takes max_age out of the URL", func(t *testing.T) {
		t.Parallel()
		code, b, ctx := oidc.New(p, enrolled(t, s, webApp(webRedirect), "openid"), plain), newForms(t, s), t.Context()
		returned(t, code, b, "alice") // or the provider tells by itself when it was
		begun, err := code.Begin(ctx, stepUp(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		back, err := b.login(ctx, strings.Replace(begun.URL, "max_age=", "none=", 1), "alice")
		if err != nil {
			t.Fatal(err)
		}
		_, err = code.Complete(ctx, back.Query(), begun.Browser)
		wantIDTokenError(t, err, oidc.ErrAuthentication)
	})
	t.Run("S41 an acr that the provider does not know", func(t *testing.T) {
		t.Parallel()
		code := oidc.New(p, enrolled(t, s, webApp(webRedirect), "openid"), plain)
		gold := oauth2flow.LoginStepUp(&auth.StepUpError{ACRValues: []string{"gold"}}, nil)
		back := returned(t, code, newForms(t, s), "alice", gold)
		_, err := code.Complete(t.Context(), back.values, back.browser)
		wantIDTokenError(t, err, oidc.ErrAuthentication)
	})
}

// stepUp asks for a login that is not older.
func stepUp(age time.Duration) oauth2flow.LoginOption {
	return oauth2flow.LoginStepUp(&auth.StepUpError{HasMaxAge: true, MaxAge: age}, nil)
}
