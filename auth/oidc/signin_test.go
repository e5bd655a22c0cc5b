package oidc_test

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// byHand is a provider that was not discovered.
func byHand(changes ...func(p *oidc.Provider)) oidc.Provider {
	p := oidc.Provider{
		Issuer: issuer, AuthorizationURL: issuer + "/authorize", TokenURL: issuer + "/token", JWKSURL: issuer + "/jwks",
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func here() authorization { return authorization{RedirectURI: redirectURI} }

func TestNew(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	code := oidc.New(p.discovered(t), usual(), here())
	s := begin(t, code)
	verifier := s.asked.Get("code_challenge")
	equal(t, "asked", s.asked, url.Values{
		"response_type": {"code"}, "client_id": {"cid"}, "redirect_uri": {redirectURI}, "scope": {"openid"},
		"state": s.asked["state"], "nonce": s.asked["nonce"], "code_challenge": {verifier}, "code_challenge_method": {"S256"},
	})
	equal(t, "where", strings.HasPrefix(s.login.URL, issuer+"/authorize?"), true)
	token := p.signedIn(t, code)
	equal(t, "S45 the credential", token.Value.Reveal(), "t1")
	equal(t, "issuer", token.Extra[oauth2flow.ExtraIssuer].Reveal(), issuer)
	equal(t, "subject", token.Extra[oauth2flow.ExtraSubject].Reveal(), "ann")
	calls := p.to("/token")
	if len(calls) != 1 {
		t.Fatalf("there were %d token calls", len(calls))
	}
	equal(t, "client_secret_basic", calls[0].Header["Authorization"],
		[]string{"Basic " + base64.StdEncoding.EncodeToString([]byte("cid:csec"))})
	if body := string(calls[0].Body); strings.Contains(body, "csec") || !strings.Contains(body, "code_verifier=") {
		t.Errorf("S22 the body is %s", body)
	}
}

func TestNewSends(t *testing.T) {
	t.Parallel()
	api := connectiontest.NewServer(t, connectiontest.Status(200))
	sends := func(t *testing.T, code *oauth2flow.AuthorizationCode, token *auth.Token) string {
		t.Helper()
		tokens := auth.Manage(code)
		t.Cleanup(func() { _ = tokens.Close() })
		conn, err := connection.New(api.URL, api.Network().Option(), connection.WithAuth(auth.Bearer(tokens)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if err := tokens.Set(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if err := request.Get(conn, "/"+url.PathEscape(t.Name())).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := api.Requests()
		i := slices.IndexFunc(all, func(r connectiontest.Request) bool { return r.Target == "/"+url.PathEscape(t.Name()) })
		return all[i].Header.Get("Authorization")
	}
	t.Run("S45 the access token, and not the ID token", func(t *testing.T) {
		t.Parallel()
		p := newIDP(t)
		code := oidc.New(p.discovered(t), usual(), here())
		equal(t, "sent", sends(t, code, p.signedIn(t, code)), "Bearer t1")
	})
	t.Run("S45 the ID token where it is asked for", func(t *testing.T) {
		t.Parallel()
		p := newIDP(t)
		code := oidc.New(p.discovered(t), usual(), here(), oidc.AsToken())
		token := p.signedIn(t, code)
		equal(t, "sent", sends(t, code, token), "Bearer "+token.Extra[oauth2flow.ExtraIDToken].Reveal())
	})
	t.Run("N-36 the ID token where there is nothing else", func(t *testing.T) {
		t.Parallel()
		p := newIDP(t, object{"token_endpoint": nil})
		code := oidc.New(p.discovered(t), client{ID: "cid"}, here())
		s := begin(t, code)
		equal(t, "response", [2]string{s.asked.Get("response_type"), s.asked.Get("response_mode")},
			[2]string{"id_token", "form_post"})
		id := signed("RS256", claimsFor(s.asked.Get("nonce")))
		token, err := s.complete(t, "id_token", id)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "sent", sends(t, code, token), "Bearer "+id)
		equal(t, "token calls", len(p.to("/token")), 0)
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		claims object
		answer object
		want   error
	}{
		"S39 another nonce":              {object{"nonce": "of-another"}, nil, oidc.ErrNonce},
		"S37 another audience":           {object{"aud": "of-another"}, nil, nil},
		"S36 another issuer":             {object{"iss": "https://of-another.test"}, nil, nil},
		"S45 an access token that is ID": {nil, object{"id_token": nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newIDP(t)
			s := begin(t, oidc.New(p.discovered(t), usual(), here()))
			id := signed("RS256", claimsFor(s.asked.Get("nonce"), tt.claims))
			answer := object{"access_token": id, "id_token": id}
			maps.Copy(answer, tt.answer)
			p.answer(answer)
			token, err := s.complete(t, "code", "c0de")
			if err == nil || token != nil {
				t.Fatalf("error is %v", err)
			}
			if tt.want != nil {
				is(t, err, tt.want)
			}
			hides(t, err, id)
		})
	}
	t.Run("S8 an answer without an issuer, where the provider announces one", func(t *testing.T) {
		t.Parallel()
		p := newIDP(t, object{"authorization_response_iss_parameter_supported": true})
		code := oidc.New(p.discovered(t), usual(), here())
		_, err := begin(t, code).complete(t, "code", "c0de")
		is(t, err, oauth2flow.ErrIssuer)
		_, err = begin(t, code).complete(t, "code", "c0de", "iss", "https://of-another.test")
		is(t, err, oauth2flow.ErrIssuer)
		if n := len(p.to("/token")); n != 0 {
			t.Errorf("there were %d token calls", n)
		}
	})
}

func TestNewValidate(t *testing.T) {
	t.Parallel()
	methods := func(names ...string) func(p *oidc.Provider) {
		return func(p *oidc.Provider) { p.ClientAuthMethods = names }
	}
	pkce := func(names ...string) func(p *oidc.Provider) { return func(p *oidc.Provider) { p.PKCEMethods = names } }
	algorithms := func(names ...string) func(p *oidc.Provider) { return func(p *oidc.Provider) { p.Algorithms = names } }
	front := func(p *oidc.Provider) { p.TokenURL = "" }
	posts := client{ID: "cid", Secret: secrets.Static("s"), Auth: oauth2flow.InBody()}
	of := func(issuer string) func(a *authorization) { return func(a *authorization) { a.Issuer = issuer } }
	plainHTTP := func(p *oidc.Provider) { p.TokenURL = "http://idp.example.test/token" }
	nowhere := func(p *oidc.Provider) { p.AuthorizationURL = "" }
	keyless := func(p *oidc.Provider) { p.JWKSURL = "" }
	noNames := []oidc.Option{oidc.Algorithms()}
	for name, tt := range map[string]struct {
		p    oidc.Provider
		c    client
		a    func(a *authorization)
		opts []oidc.Option
		says []string
	}{
		"fine":                     {p: byHand()},
		"S3 S256 among others":     {p: byHand(pkce("plain", "S256"))},
		"S3 without S256":          {p: byHand(pkce("plain")), says: []string{"oidc: Authorization.PKCE: the provider"}},
		"S3 an empty list":         {p: byHand(pkce([]string{}...)), says: []string{"PKCE"}},
		"S3 plain is set":          {p: byHand(pkce("plain")), a: func(a *authorization) { a.PKCE = oauth2flow.PKCEPlain }},
		"S3 none is set":           {p: byHand(pkce("plain")), a: func(a *authorization) { a.PKCE = oauth2flow.PKCENone }},
		"S3 without a code":        {p: byHand(pkce("plain"), front)},
		"S22 no method for it":     {p: byHand(methods("private_key_jwt")), says: []string{"oidc: Client.Auth: it is"}},
		"S22 a public client":      {p: byHand(methods("none")), c: client{ID: "cid"}},
		"S22 a method that is set": {p: byHand(methods("none")), c: posts},
		"S22 no token call":        {p: byHand(methods("private_key_jwt"), front)},
		"another issuer":           {p: byHand(), a: of("https://other.test"), says: []string{"oidc: Authorization.Issuer"}},
		"the same issuer":          {p: byHand(), a: of(issuer)},
		"no keys":                  {p: byHand(keyless), says: []string{"JWKSURL"}},
		"no authorization":         {p: byHand(nowhere), says: []string{"Authorization.URL"}},
		"S33 no algorithm":         {p: byHand(algorithms("none", "HS256")), says: []string{"Algorithms: the provider"}},
		"S33 an empty list":        {p: byHand(), opts: noNames, says: []string{"oidc: Algorithms: there"}},
		"a nil option":             {p: byHand(), opts: []oidc.Option{nil}, says: []string{"oidc: an option is nil"}},
		"S17 a provider over http": {p: byHand(plainHTTP), says: []string{"TokenURL"}},
		"all at once": {
			p: byHand(pkce("plain"), methods("private_key_jwt"), algorithms("none")), opts: []oidc.Option{nil},
			says: []string{"oidc: Authorization.PKCE", "oidc: Client.Auth", "oidc: Algorithms", "oidc: an option is nil"},
		},
		"nothing": {p: oidc.Provider{}, says: []string{"JWKSURL", "Authorization.URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, a := tt.c, here()
			if c.ID == "" {
				c = usual()
			}
			if tt.a != nil {
				tt.a(&a)
			}
			says(t, oidc.New(tt.p, c, a, tt.opts...).Validate(), tt.says...)
		})
	}
}

func TestProviderClient(t *testing.T) {
	t.Parallel()
	p := byHand(func(p *oidc.Provider) {
		p.RevocationURL, p.IntrospectionURL = issuer+"/revoke", issuer+"/introspect"
		p.MTLS = oidc.MTLSEndpoints{TokenURL: "https://mtls.test/token"}
	})
	ask := func(t *testing.T, p oidc.Provider, c client) client {
		t.Helper()
		c, err := p.Client(c)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("what is empty is filled", func(t *testing.T) {
		t.Parallel()
		got := ask(t, p, client{ID: "cid", RevocationURL: "https://own.test/revoke"})
		equal(t, "URLs", []string{got.TokenURL, got.RevocationURL, got.IntrospectionURL},
			[]string{issuer + "/token", "https://own.test/revoke", issuer + "/introspect"})
		equal(t, "method", got.Auth.IsZero(), true)
	})
	t.Run("S29 certificates have endpoints of their own", func(t *testing.T) {
		t.Parallel()
		got := ask(t, p, client{ID: "cid", Auth: oauth2flow.TLSClientAuth()})
		equal(t, "URLs", []string{got.TokenURL, got.RevocationURL}, []string{"https://mtls.test/token", issuer + "/revoke"})
	})
	for name, tt := range map[string]struct {
		announced []string
		want      oauth2flow.ClientAuth
	}{
		"S23 nothing is announced": {nil, oauth2flow.InHeader()},
		"S23 both are announced":   {[]string{"client_secret_post", "client_secret_basic"}, oauth2flow.InHeader()},
		"S23 one is announced":     {[]string{"private_key_jwt", "client_secret_post"}, oauth2flow.InBody()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := byHand(func(p *oidc.Provider) { p.ClientAuthMethods = tt.announced })
			equal(t, "method", ask(t, p, usual()).Auth.String(), tt.want.String())
		})
	}
	t.Run("S23 none that fits", func(t *testing.T) {
		t.Parallel()
		p := byHand(func(p *oidc.Provider) { p.ClientAuthMethods = []string{"tls_client_auth"} })
		_, err := p.Client(usual())
		says(t, err, "oidc: Client.Auth")
	})
	t.Run("the endpoint of the client wins", func(t *testing.T) {
		t.Parallel()
		own, other := new(http.Client), new(http.Client)
		p := byHand(func(p *oidc.Provider) { p.Endpoint.Client = other })
		equal(t, "own", ask(t, p, client{Endpoint: auth.Endpoint{Client: own}}).Endpoint.Client == own, true)
		equal(t, "other", ask(t, p, client{}).Endpoint.Client == other, true)
	})
	t.Run("S3 S8 an authorization of OAuth alone", func(t *testing.T) {
		t.Parallel()
		p := byHand(func(p *oidc.Provider) { p.PKCEMethods, p.AnnouncesIssuer = []string{"plain"}, true })
		got, err := p.Authorization(here())
		says(t, err, "oidc: Authorization.PKCE")
		equal(t, "filled", []any{got.URL, got.Issuer, got.RequireIssuer}, []any{issuer + "/authorize", issuer, true})
		equal(t, "no OpenID", got.OpenID == nil, true)
	})
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	both := []oidc.Option{oidc.Algorithms("ES256"), oidc.Algorithms("RS256")}
	for name, tt := range map[string]struct {
		announced any
		opts      []oidc.Option
		signed    string
		passes    bool
	}{
		"S33 RS256 by default":              {[]string{"RS256", "ES256"}, nil, "RS256", true},
		"S33 another by default":            {[]string{"RS256", "ES256"}, nil, "ES256", false},
		"S33 nothing is announced":          {nil, nil, "ES256", false},
		"S33 RS256 is not announced":        {[]string{"ES256", "HS256"}, nil, "ES256", true},
		"S33 what is allowed":               {[]string{"RS256"}, []oidc.Option{oidc.Algorithms("ES256")}, "ES256", true},
		"S33 several options add up":        {nil, both, "ES256", true},
		"S33 what is allowed, and no other": {[]string{"RS256"}, []oidc.Option{oidc.Algorithms("ES256")}, "RS256", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newIDP(t, object{"id_token_signing_alg_values_supported": tt.announced})
			s := begin(t, oidc.New(p.discovered(t), usual(), here(), tt.opts...))
			p.answer(object{"access_token": "t1", "id_token": signed(tt.signed, claimsFor(s.asked.Get("nonce")))})
			if _, err := s.complete(t, "code", "c0de"); (err == nil) != tt.passes {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestRenewal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		claims object
		fails  bool
	}{
		"F18 the same user":                {object{}, false},
		"F18 S43 another subject":          {object{"sub": "mallory"}, true},
		"F18 S43 another issuer":           {object{"iss": "https://mallory.test"}, true},
		"F18 S43 no ID token":              {nil, false},
		"F18 another subject in clear":     {nil, false},
		"F18 as many members as there are": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newIDP(t)
			code := oidc.New(p.discovered(t), usual(), here())
			token := p.signedIn(t, code)
			answer := object{"access_token": "t2", "refresh_token": "r2"}
			switch {
			case tt.claims != nil:
				answer["id_token"] = signed("RS256", claimsFor("", tt.claims))
			case strings.Contains(name, "clear"):
				answer[oauth2flow.ExtraSubject], answer[oauth2flow.ExtraIssuer] = "mallory", "https://mallory.test"
			case strings.Contains(name, "members"):
				for i := range 40 {
					answer["a"+string(rune('A'+i))] = "x"
				}
			}
			p.answer(answer)
			next, err := code.Obtain(t.Context(), token)
			if (err != nil) != tt.fails {
				t.Fatalf("error is %v", err)
			}
			equal(t, "the refresh token is kept", next.Refresh.Reveal(), "r2")
			if tt.fails {
				equal(t, "no token is there", next.Value.Reveal(), "")
				equal(t, "the user is who it was", next.Extra[oauth2flow.ExtraSubject].Reveal(), "ann")
				return
			}
			equal(t, "subject", next.Extra[oauth2flow.ExtraSubject].Reveal(), "ann")
			equal(t, "issuer", next.Extra[oauth2flow.ExtraIssuer].Reveal(), issuer)
		})
	}
	t.Run("F18 a manager keeps the refresh token of a refused renewal", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := newIDP(t)
			code := oidc.New(p.discovered(t), usual(), here())
			tokens := auth.Manage(code)
			defer func() { _ = tokens.Close() }()
			token := p.signedIn(t, code)
			if err := tokens.Set(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			p.answer(object{
				"access_token": "t2", "refresh_token": "r2", "id_token": signed("RS256", claimsFor("", object{"sub": "mallory"})),
			})
			p.answer(object{"access_token": "t3", "id_token": signed("RS256", claimsFor(""))})
			if got, err := tokens.Token(t.Context(), auth.Want{Not: token.Value}); err == nil || got != nil {
				t.Fatalf("error is %v", err)
			}
			time.Sleep(time.Hour)
			got, err := tokens.Token(t.Context(), auth.Want{Not: token.Value})
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "token", got.Value.Reveal(), "t3")
			calls := p.to("/token")
			equal(t, "the last call", string(calls[len(calls)-1].Body), "grant_type=refresh_token&refresh_token=r2")
		})
	})
}

func TestOwnVerifier(t *testing.T) {
	t.Parallel()
	broken := &fixed{fault: errors.New("it is broken")}
	a := here()
	a.OpenID = &oauth2flow.OpenID{Verifier: broken}
	says(t, oidc.New(byHand(), usual(), a).Validate(), "Authorization.OpenID: it is broken")
	if a.OpenID.Verifier != broken {
		t.Error("the caller's OpenID was changed")
	}
}

// fixed is a verifier that knows nobody.
type fixed struct{ fault error }

func (f *fixed) Validate() error { return f.fault }

func (*fixed) VerifyIDToken(
	context.Context, secrets.Value, oauth2flow.IDTokenWant,
) (*oauth2flow.IDToken, error) {
	return nil, errors.New("nobody")
}

// What is said about ID tokens has an effect, or is a fault.
func TestOwnVerifierAndOptions(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	with := func(opts ...oidc.Option) *oauth2flow.AuthorizationCode {
		a := here()
		a.OpenID = &oauth2flow.OpenID{Verifier: oidc.NewVerifier(p.discovered(t), oidc.Algorithms("RS256"))}
		return oidc.New(p.discovered(t), usual(), a, opts...)
	}
	says(t, with().Validate())
	says(t, with(oidc.Algorithms("ES256"), oidc.TrustAudiences("b")).Validate(),
		"oidc: Algorithms: Authorization.OpenID has a Verifier", "oidc: TrustAudiences: Authorization.OpenID has a Verifier")
	token := p.signedIn(t, with(oidc.AsToken()))
	equal(t, "S45 AsToken is no option of a verifier", token.Value.Reveal(), token.Extra[oauth2flow.ExtraIDToken].Reveal())
}

func TestTrustAudiences(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]oidc.Option{
		"S37 a further audience is refused": nil,
		"S37 one that is trusted is not":    {oidc.TrustAudiences("project-7"), oidc.TrustAudiences("a")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newIDP(t)
			s := begin(t, oidc.New(p.discovered(t), usual(), here(), opts...))
			p.answer(object{"access_token": "t1", "id_token": signed("RS256", claimsFor(s.asked.Get("nonce"), object{
				"aud": []string{"cid", "project-7"}, "azp": "cid",
			}))})
			if _, err := s.complete(t, "code", "c0de"); errors.Is(err, oidc.ErrAudience) != (opts == nil) {
				t.Errorf("error is %v", err)
			}
		})
	}
}
