package oidc_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

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
		"S45 an access token that is a JWT":          {jwt, auth.ErrNoToken, "no ID token"},
		"no token":                                   {nil, auth.ErrNoToken, "no ID token"},
		"no ID token":                                {bare(oauth2flow.ExtraIDToken), auth.ErrNoToken, "no ID token"},
		"S45 nobody has verified it":                 {bare(oauth2flow.ExtraSubject), oidc.ErrSubject, ""},
		"S45 nobody knows its issuer":                {bare(oauth2flow.ExtraIssuer), oidc.ErrIssuer, ""},
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
	if _, err = oidc.IDClaims(token); !errors.Is(err, oidc.ErrSubject) {
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
