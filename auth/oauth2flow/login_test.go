package oauth2flow_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/secrets"
)

// loggedIn makes a whole login, and returns what the authorization server was asked and the token call.
func loggedIn(
	t *testing.T, changes ...func(c *client, a *oauth2flow.Authorization),
) (asked, call url.Values) {
	t.Helper()
	s := serve(t)
	code := signIn(s, changes...)
	login, asked := begun(t, code)
	if _, err := code.Complete(t.Context(), callback(asked), login.Browser); err != nil {
		t.Fatal(err)
	}
	call, err := url.ParseQuery(body(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return asked, call
}

func TestLoginPKCE(t *testing.T) {
	t.Parallel()
	type change = func(c *client, a *oauth2flow.Authorization)
	for name, changes := range map[string][]change{
		"a client with a secret": nil,
		"a public client":        {func(c *client, _ *oauth2flow.Authorization) { c.Secret = nil }},
		"OpenID Connect": {func(_ *client, a *oauth2flow.Authorization) {
			a.OpenID = &oauth2flow.OpenID{Verifier: idTokens{}}
			a.Exchange = auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
				return &auth.Token{Value: secrets.Static("t"), Extra: map[string]secrets.Value{
					oauth2flow.ExtraIDToken: secrets.Static("a.b.c"),
				}}, nil
			})
		}},
	} {
		t.Run("S1 S256 unless it is asked otherwise: "+name, func(t *testing.T) {
			t.Parallel()
			_, asked := begun(t, signIn(serve(t), changes...))
			if got := asked["code_challenge_method"]; len(got) != 1 || got[0] != "S256" ||
				len(asked.Get("code_challenge")) != 43 {
				t.Errorf("the challenge is %q by %q", asked["code_challenge"], got)
			}
		})
	}
	t.Run("S1 no option of a login changes it", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"code_challenge", "code_challenge_method", "state", "redirect_uri", "response_type"} {
			_, err := signIn(serve(t)).Begin(t.Context(), oauth2flow.LoginParams(oauth2flow.NewParams(name, "plain")))
			if err == nil {
				t.Errorf("%s is replaced", name)
			}
		}
	})
	t.Run("F8 S2 a verifier of 43 characters or more, another each time, its hash the challenge", func(t *testing.T) {
		t.Parallel()
		seen := make(map[string]bool)
		for range 20 {
			asked, call := loggedIn(t)
			verifier := call.Get("code_verifier")
			sum := sha256.Sum256([]byte(verifier))
			if want := base64.RawURLEncoding.EncodeToString(sum[:]); asked.Get("code_challenge") != want {
				t.Errorf("the challenge is %q, want %q", asked.Get("code_challenge"), want)
			}
			if len(verifier) < 43 || len(verifier) > 128 || seen[verifier] {
				t.Errorf("the verifier has %d characters, or was there before: %t", len(verifier), seen[verifier])
			}
			seen[verifier] = true
		}
	})
	t.Run("S2 without PKCE the client has to authenticate, and there is a state", func(t *testing.T) {
		t.Parallel()
		none := func(_ *client, a *oauth2flow.Authorization) { a.PKCE = oauth2flow.PKCENone }
		asked, call := loggedIn(t, none)
		if len(asked.Get("state")) < 26 || asked.Has("code_challenge") || call.Has("code_verifier") {
			t.Errorf("asked for %v", asked)
		}
		public := func(c *client, a *oauth2flow.Authorization) { none(c, a); c.Secret = nil }
		if signIn(serve(t), public).Validate() == nil {
			t.Error("a public client needs none")
		}
	})
}

func TestLoginState(t *testing.T) {
	t.Parallel()
	t.Run("S4 state and mark have 128 bits or more, and others each time", func(t *testing.T) {
		t.Parallel()
		const each = 26 // of base32
		seen, code := make(map[string]bool), signIn(serve(t))
		for range 50 {
			login, asked := begun(t, code)
			for _, text := range []string{asked.Get("state"), login.Browser.Reveal()} {
				if len(text) < each || seen[text] {
					t.Errorf("%q is short, or was there before", text)
				}
				seen[text] = true
			}
		}
	})
	t.Run("S5 S8 the state is looked at before issuer and error", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		code := signIn(s, func(_ *client, a *oauth2flow.Authorization) {
			a.Issuer, a.RequireIssuer = "https://idp.example.test", true
		})
		login, asked := begun(t, code)
		_, err := code.Complete(t.Context(),
			url.Values{"state": {"x"}, "error": {"x"}, "iss": {"https://evil.test"}}, login.Browser)
		is(t, err, oauth2flow.ErrState)
		_, err = code.Complete(t.Context(), callback(asked, "error", "access_denied"), login.Browser)
		is(t, err, oauth2flow.ErrIssuer) // an error that does not say whose it is
		sent(t, s, 0)
	})
	t.Run("S10 endpoint, client and redirect URI of the exchange are those of the beginning", func(t *testing.T) {
		t.Parallel()
		asked, call := loggedIn(t)
		equal(t, "redirect URI", call["redirect_uri"], asked["redirect_uri"])
		equal(t, "client", call["client_id"], asked["client_id"])
	})
	for _, uri := range []string{
		"http://app.example.test/cb", "http://localhost:8080/cb", "http://127.0.0.1.evil.test/", "ftp://app.test/cb",
		"https://app.example.test/cb#x", "https://user@app.example.test/cb", "/cb", "https:///cb",
	} {
		t.Run("S13 no redirect URI: "+uri, func(t *testing.T) {
			t.Parallel()
			code := signIn(serve(t), func(_ *client, a *oauth2flow.Authorization) { a.RedirectURI = uri })
			if err := code.Validate(); err == nil || !strings.Contains(err.Error(), "RedirectURI") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestLoginHint(t *testing.T) {
	t.Parallel()
	const hint = "ann+x&state=evil@example.test"
	s := serve(t)
	code := signIn(s)
	var book bytes.Buffer
	bound, err := code.BindGrant(auth.Host{
		Client: &http.Client{Transport: s.Network().Transport()}, Logger: slog.New(slog.NewJSONHandler(&book, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	opt := oauth2flow.LoginHint(hint)
	login, err := code.Begin(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(login.URL, "login_hint=ann%2Bx%26state%3Devil%40example.test") {
		t.Errorf("S16 the URL is %s", login.URL)
	}
	u, err := url.Parse(login.URL)
	if err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(&book, nil)).Info("login", "login", login, "option", opt)
	if _, err := code.Complete(t.Context(), callback(u.Query()), login.Browser); err != nil {
		t.Fatal(err)
	}
	if err := bound.(interface{ Close() error }).Close(); err != nil {
		t.Error(err)
	}
	sent(t, s, 1)
	if book.Len() == 0 {
		t.Error("S16 nothing was logged")
	}
	hides(t, login, "ann", "evil")
	for _, text := range []string{"ann", "evil", u.Query().Get("state"), "c0de"} {
		if strings.Contains(book.String(), text) || strings.Contains(fmt.Sprintf("%v %s", opt, opt), text) {
			t.Errorf("S16 %q is in the log: %s", text, book.String())
		}
	}
}

// A grant that no constructor has made fails, and does not panic.
func TestZeroSignIn(t *testing.T) {
	t.Parallel()
	code, device := new(oauth2flow.AuthorizationCode), new(oauth2flow.DeviceCode)
	never := func(context.Context, *oauth2flow.Login) error { return errors.New("it was opened") }
	_, begins := code.Begin(t.Context())
	_, completes := code.Complete(t.Context(), nil, secrets.Value{})
	_, loops := code.Loopback(t.Context(), oauth2flow.Loopback{Open: never})
	_, asks := device.Begin(t.Context())
	_, waits := device.Wait(t.Context(), new(oauth2flow.DeviceLogin))
	for name, err := range map[string]error{
		"Begin": begins, "Complete": completes, "Loopback": loops, "device Begin": asks, "device Wait": waits,
	} {
		if err == nil || !strings.Contains(err.Error(), "zero value") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	type signIn interface {
		auth.GrantBinder
		auth.Revoker
		auth.Validator
		Close() error
	}
	for _, g := range []signIn{code, device} {
		_, obtains := g.Obtain(t.Context(), prev("r1"))
		_, binds := g.BindGrant(auth.Host{})
		for name, err := range map[string]error{
			"Obtain": obtains, "BindGrant": binds, "Validate": g.Validate(), "Revoke": g.Revoke(t.Context(), prev("r1")),
			"Manage": auth.Manage(g).Validate(),
		} {
			if err == nil {
				t.Errorf("%s of a %T: there is no error", name, g)
			}
		}
		if err := g.Close(); err != nil || fmt.Sprint(g) != "no grant" || g.Traits() != (auth.Traits{}) {
			t.Errorf("%v: %v", g, err)
		}
	}
}
