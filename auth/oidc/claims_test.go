package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/secrets"
)

// tokenOf is a token of a login of ann, with an ID token of that payload.
func tokenOf(payload string) *auth.Token {
	id := "h." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".s"
	return &auth.Token{Value: secrets.Static("t1"), Extra: map[string]secrets.Value{
		oauth2flow.ExtraIDToken: secrets.Static(id), oauth2flow.ExtraIssuer: secrets.Static(issuer),
		oauth2flow.ExtraSubject: secrets.Static("ann"),
	}}
}

const ofAnn = `"iss":"` + issuer + `","sub":"ann"`

func TestIDClaims(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	token := p.signedIn(t, oidc.New(p.discovered(t), usual(), here()), object{
		"email_verified": true, "name": "Ann", "address": object{"country": "SE"},
	})
	calls := len(p.Requests())
	c, err := oidc.IDClaims(token)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "subject", c.Subject(), "ann")
	equal(t, "name", c.Text("name"), "Ann")
	equal(t, "nothing", c.Text("nickname")+c.Text("address")+c.Text("Name"), "")
	address, verified := c.Email()
	equal(t, "email", []any{address, verified}, []any{"ann@example.test", true})
	var v struct {
		Address struct{ Country string }
		Exp     int64
	}
	if err := c.Decode(&v); err != nil || v.Address.Country != "SE" || v.Exp == 0 {
		t.Errorf("error is %v, and the value %+v", err, v)
	}
	var raw json.RawMessage
	if err := c.Decode(&raw); err != nil || !strings.HasPrefix(string(raw), "{") {
		t.Errorf("error is %v, and the text %s", err, raw)
	}
	equal(t, "calls", len(p.Requests()), calls)
	hides(t, c, "Ann", "SE", "ann@")
	hides(t, struct{ c oidc.Claims }{c}, "Ann", "SE", "ann@")
	hides(t, c.LogValue(), "Ann", "SE", "ann@")
	equal(t, "shown", c.String(),
		`claims ["address" "aud" "email" "email_verified" "exp" "iat" "iss" "name" "nonce" "sub"]`)
	equal(t, "logged", c.LogValue().Equal(slog.StringValue(c.String())), true)
}

// unverified is what a token says whose user nobody has named.
const unverified = "this token came without a verified ID token: make the grant with oidc.New"

func TestIDClaimsRefuses(t *testing.T) {
	t.Parallel()
	bare := func(name string) *auth.Token {
		token := tokenOf("{" + ofAnn + "}")
		delete(token.Extra, name)
		return token
	}
	jwt := bare("")
	jwt.Value, jwt.Extra = jwt.Extra[oauth2flow.ExtraIDToken], nil
	encrypted := bare("")
	encrypted.Extra[oauth2flow.ExtraIDToken] = secrets.Static("a.b.c.d.e")
	malformed := bare("")
	malformed.Extra[oauth2flow.ExtraIDToken] = secrets.Static("a.=.c")
	for name, tt := range map[string]struct {
		token *auth.Token
		want  error
		says  string
	}{
		"S45 an access token that is a JWT":          {jwt, oidc.ErrUnverified, unverified},
		"no token":                                   {nil, auth.ErrNoToken, "no token"},
		"no ID token":                                {bare(oauth2flow.ExtraIDToken), oidc.ErrUnverified, unverified},
		"S45 nobody has verified it":                 {bare(oauth2flow.ExtraSubject), oidc.ErrUnverified, unverified},
		"S45 nobody knows its issuer":                {bare(oauth2flow.ExtraIssuer), oidc.ErrUnverified, unverified},
		"another subject":                            {tokenOf(`{"iss":"` + issuer + `","sub":"leak"}`), oidc.ErrSubject, ""},
		"another issuer":                             {tokenOf(`{"iss":"leak","sub":"ann"}`), oidc.ErrIssuer, ""},
		"S24 the subject twice":                      {tokenOf("{" + ofAnn + `,"sub":"leak"}`), nil, "JSON"},
		"S24 names that encoding/json takes for one": {tokenOf("{" + ofAnn + `,"Sub":"leak"}`), nil, "JSON"},
		"S24 names that fold to one, not by case":    {tokenOf("{" + ofAnn + `,"ſub":"leak"}`), nil, "JSON"},
		"S24 no UTF-8":                               {tokenOf("{" + ofAnn + ",\"a\":\"leak\xff\"}"), nil, "UTF-8"},
		"no object":                                  {tokenOf(`["leak"]`), nil, "JSON"},
		"it is encrypted":                            {encrypted, nil, "not signed"},
		"it is malformed":                            {malformed, nil, "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := oidc.IDClaims(tt.token)
			if err == nil || c.Subject() != "" {
				t.Fatalf("error is %v", err)
			}
			if tt.want != nil {
				is(t, err, tt.want)
			}
			says(t, err, "oidc: ", tt.says)
			hides(t, err, "leak")
		})
	}
}

func TestIDClaimsOfGoogle(t *testing.T) {
	t.Parallel()
	const google = "https://accounts.google.com"
	for _, tt := range []struct {
		iss, verified string
		want          error
	}{
		{"accounts.google.com", google, nil},
		{google, google, nil},
		{google, "accounts.google.com", oidc.ErrIssuer},
		{"idp.example.test", issuer, oidc.ErrIssuer},
	} {
		token := tokenOf(`{"iss":"` + tt.iss + `","sub":"ann"}`)
		token.Extra[oauth2flow.ExtraIssuer] = secrets.Static(tt.verified)
		if _, err := oidc.IDClaims(token); !errors.Is(err, tt.want) {
			t.Errorf("S36 iss %q of %q: %v", tt.iss, tt.verified, err)
		}
	}
}

func TestClaimsWithMark(t *testing.T) {
	t.Parallel()
	c, err := oidc.IDClaims(tokenOf("\xef\xbb\xbf{" + ofAnn + "}"))
	var got struct{ Sub string }
	if err = errors.Join(err, c.Decode(&got)); err != nil || got.Sub != "ann" {
		t.Errorf("behind a byte order mark there is %q: %v", got.Sub, err)
	}
}

func TestIDClaimsOfAnotherGrant(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	c := usual()
	c.TokenURL, c.Endpoint = issuer+"/token", via(p.Server)
	p.answer(object{
		"access_token": "t1", "id_token": signed("ES256", claimsFor("")),
		oauth2flow.ExtraIssuer: issuer, oauth2flow.ExtraSubject: "ann",
	})
	token, err := oauth2flow.ClientCredentials(c).Obtain(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = oidc.IDClaims(token); !errors.Is(err, oidc.ErrUnverified) || errors.Is(err, oidc.ErrSubject) {
		t.Errorf("S45 an answer has named its user by itself: %v", err)
	}
}

func TestEmail(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`true`: true, `"true"`: true, `false`: false, `"false"`: false, `1`: false, `null`: false, `"yes"`: false,
	} {
		c, err := oidc.IDClaims(tokenOf("{" + ofAnn + `,"email":"a@b.test","email_verified":` + text + "}"))
		if err != nil {
			t.Fatal(err)
		}
		address, verified := c.Email()
		equal(t, text, []any{address, verified}, []any{"a@b.test", want})
	}
	var none oidc.Claims
	address, verified := none.Email()
	equal(t, "none", []any{address, verified, none.Subject(), none.String()}, []any{"", false, "", "claims []"})
	var v map[string]any
	if err := none.Decode(&v); err != nil || len(v) != 0 {
		t.Error(err)
	}
	c, err := oidc.IDClaims(tokenOf("{" + ofAnn + `,"name":"leak"}`))
	if err != nil {
		t.Fatal(err)
	}
	err = c.Decode(&struct{ Name int }{})
	says(t, err, "do not fit")
	hides(t, err, "leak")
}

// A renewal need not bring an ID token. Who it is that has signed in is known all the same.
func TestIDClaimsAfterRenewals(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		brought []any // the ID tokens of the renewals; nil for none
		want    string
	}{
		"F18 without ID tokens":                  {[]any{nil, nil}, "Ann"},
		"F18 S43 with another":                   {[]any{object{"name": "Ann Lind"}}, "Ann Lind"},
		"F18 S43 with another, and then without": {[]any{object{"name": "Ann Lind"}, nil}, "Ann Lind"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := newIDP(t)
				code := oidc.New(p.discovered(t), usual(), here())
				token := p.signedIn(t, code, object{"name": "Ann"})
				for _, claims := range tt.brought {
					time.Sleep(24 * time.Hour) // all ID tokens have expired
					answer := object{"access_token": "t2"}
					if claims, ok := claims.(object); ok {
						answer["id_token"] = signed("RS256", claimsFor("", claims))
					}
					p.answer(answer)
					next, err := code.Obtain(t.Context(), token)
					if err != nil {
						t.Fatal(err)
					}
					token = next
				}
				c, err := oidc.IDClaims(token)
				if err != nil {
					t.Fatal(err)
				}
				equal(t, "claims", []string{c.Subject(), c.Text("name")}, []string{"ann", tt.want})
			})
		})
	}
	t.Run("F18 S43 not one that nobody has verified", func(t *testing.T) {
		t.Parallel()
		p := newIDP(t)
		code := oidc.New(p.discovered(t), usual(), here())
		token := p.signedIn(t, code) // as one that nobody has verified:
		delete(token.Extra, oauth2flow.ExtraIssuer)
		delete(token.Extra, oauth2flow.ExtraSubject)
		p.answer(object{"access_token": "t2"})
		next, err := code.Obtain(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		_, err = oidc.IDClaims(next)
		is(t, err, oidc.ErrUnverified)
		equal(t, "ID token", next.Extra[oauth2flow.ExtraIDToken].Reveal(), "")
	})
	t.Run("S45 with AsToken each renewal brings one", func(t *testing.T) {
		t.Parallel()
		p := newIDP(t)
		code := oidc.New(p.discovered(t), usual(), here(), oidc.AsToken())
		token := p.signedIn(t, code)
		p.answer(object{"access_token": "t2"})
		if next, err := code.Obtain(t.Context(), token); err == nil || next.Value.Reveal() != "" {
			t.Errorf("the ID token of before is used again: %v", err)
		}
	})
}

// The token of a device, and of a login that is none of OpenID Connect, names nobody.
func TestUnverified(t *testing.T) {
	t.Parallel()
	p := newIDP(t)
	provider := p.discovered(t)
	c, err := provider.Client(usual())
	if err != nil {
		t.Fatal(err)
	}
	c.Scopes = []string{"openid"}
	a, err := provider.Authorization(here())
	if err != nil {
		t.Fatal(err)
	}
	token := p.signedIn(t, oauth2flow.NewAuthorizationCode(c, a))
	if token.Extra[oauth2flow.ExtraIDToken].Reveal() == "" {
		t.Fatal("there is no ID token that could be taken for a verified one")
	}
	_, err = oidc.IDClaims(token)
	is(t, err, oidc.ErrUnverified)
	says(t, err, "oidc: "+unverified)
	_, err = provider.UserInfo(t.Context(), token)
	is(t, err, oidc.ErrUnverified)
	says(t, err, "oidc: "+unverified)
	equal(t, "calls of userinfo", len(p.to("/userinfo")), 0)
}
