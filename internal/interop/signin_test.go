package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/secrets"
)

// metadata is what a client is registered with (RFC 7591, section 2).
type metadata map[string]any

const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantClient  = "client_credentials"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// nativeRedirect is that of programs on the user's machine, whose port is another one each time.
const nativeRedirect = "http://127.0.0.1/callback"

// native is a program on the user's machine, which has no secret.
func native() metadata {
	return metadata{
		"application_type": "native", "token_endpoint_auth_method": "none", "response_types": []string{"code"},
		"grant_types": []string{grantCode, grantRefresh, grantDevice}, "redirect_uris": []string{nativeRedirect},
	}
}

// webApp is a web application with a secret.
func webApp(redirectURI string) metadata {
	return metadata{
		"response_types": []string{"code"}, "grant_types": []string{grantCode, grantRefresh},
		"redirect_uris": []string{redirectURI}, "token_endpoint_auth_method": "client_secret_basic",
	}
}

// registered registers a client at the provider (RFC 7591). How it authenticates is left to the caller.
func registered(t *testing.T, s *servers.Server, m metadata) oauth2flow.Client {
	t.Helper()
	all := maps.Clone(m)
	if _, ok := all["scope"]; !ok {
		all["scope"] = "openid offline_access api:read api:write"
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/reg", strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	got, err := send(plainClient(t), req)
	if err != nil || got.StatusCode != http.StatusCreated {
		t.Fatalf("the client is not registered: %v, %s", err, got.body)
	}
	var issued struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(got.body), &issued); err != nil {
		t.Fatal(err)
	}
	c := oauth2flow.Client{
		ID: issued.ID, TokenURL: s.URL + "/token", RevocationURL: s.URL + "/token/revocation",
		IntrospectionURL: s.URL + "/token/introspection",
		Endpoint:         auth.Endpoint{TrustedCA: certificates(t).CA.PEM},
	}
	if issued.Secret != "" {
		c.Secret = secrets.Static(issued.Secret)
	}
	return c
}

// authorization is how the provider asks a user. It issues refresh tokens to those who consent to them only.
func authorization(s *servers.Server, redirectURI string) oauth2flow.Authorization {
	return oauth2flow.Authorization{
		URL: s.URL + "/auth", RedirectURI: redirectURI, Issuer: s.URL, RequireIssuer: true,
		Params: oauth2flow.NewParams("prompt", "consent"),
	}
}

// offline are the scopes of a login that lasts.
func offline() []string { return []string{"openid", "offline_access"} }

// call is one that the provider has answered.
type call struct {
	Route, Client, Grant, Error string
	Status                      int
}

// calls returns those of a client, in their order.
func calls(t *testing.T, s *servers.Server, client string) []call {
	t.Helper()
	text, err := s.Log("seen.log")
	if err != nil {
		t.Fatal(err)
	}
	var all []call
	for line := range strings.Lines(text) {
		var c call
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		if c.Client == client {
			c.Client = ""
			all = append(all, c)
		}
	}
	return all
}

// managed returns a manager that is closed after the test.
func managed(t *testing.T, g auth.Grant, opts ...auth.ManageOption) *auth.Manager {
	t.Helper()
	m := auth.Manage(g, opts...)
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// loggedIn logs a user in, from Begin to Complete.
func loggedIn(t *testing.T, code *oauth2flow.AuthorizationCode, b browser, user string) *auth.Token {
	t.Helper()
	ctx := within(t, time.Minute)
	begun, err := code.Begin(ctx)
	if err != nil {
		t.Fatal("Begin:", err)
	}
	back, err := b.login(ctx, begun.URL, user)
	if err != nil {
		t.Fatal("the browser:", err)
	}
	token, err := code.Complete(ctx, back.Query(), begun.Browser)
	if err != nil {
		t.Fatalf("Complete: %v", err)
	}
	return token
}

// webRedirect is where nobody listens: the browser of forms does not open it.
const webRedirect = "https://127.0.0.1:9/callback"

func TestSignInCode(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	for name, m := range map[string]metadata{"a public client": native(), "a web application": webApp(webRedirect)} {
		t.Run("N-23 "+name, func(t *testing.T) {
			t.Parallel()
			client, redirect := registered(t, s, m), webRedirect
			client.Scopes, client.Auth = offline(), oauth2flow.InHeader()
			if client.Secret == nil {
				client.Auth, redirect = oauth2flow.PublicClient(), "http://127.0.0.1:9/callback"
			}
			code := oauth2flow.NewAuthorizationCode(client, authorization(s, redirect))
			first := loggedIn(t, code, newForms(t, s), "alice")
			tokens := managed(t, code)
			if err := tokens.Set(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			second := turned(t, tokens, first)
			wantActive(t, client, first.Value, "alice")
			replayed(t, tokens, client, first, second)
			want := []call{
				{"token", "", grantCode, "", 200}, {"token", "", grantRefresh, "", 200},
				{"introspection", "", "", "", 200}, {"token", "", grantRefresh, "invalid_grant", 400},
				{"introspection", "", "", "", 200}, {"token", "", grantRefresh, "invalid_grant", 400},
			}
			wantEqual(t, calls(t, s, client.ID), want)
		})
	}
}

// turned renews a token, and wants another refresh token.
func turned(t *testing.T, tokens *auth.Manager, before *auth.Token) *auth.Token {
	t.Helper()
	after, err := tokens.Token(within(t, time.Minute), auth.Want{Not: before.Value})
	if err != nil {
		t.Fatal("the renewal:", err)
	}
	if before.Refresh.Reveal() == "" || after.Refresh.Reveal() == "" || after.Refresh.Reveal() == before.Refresh.Reveal() {
		t.Fatal("the refresh token was not rotated")
	}
	return after
}

// wantActive wants that the provider knows a token as that of a user.
func wantActive(t *testing.T, c oauth2flow.Client, token secrets.Value, user string) {
	t.Helper()
	in, err := oauth2flow.Introspect(within(t, time.Minute), c, token, "access_token")
	if err != nil {
		t.Fatal(err)
	}
	if !in.Active || in.Subject != user || in.ClientID != c.ID {
		t.Errorf("%+v, want a token of %s", in, user)
	}
}

// replayed has somebody else use the first refresh token once more. The provider takes that for a theft, and ends all
// that came of the login; the manager wants a new one.
func replayed(t *testing.T, tokens *auth.Manager, c oauth2flow.Client, first, second *auth.Token) {
	t.Helper()
	ctx := within(t, time.Minute)
	thief := managed(t, oauth2flow.Refresh(c, first.Refresh))
	if _, err := thief.Token(ctx, auth.Want{}); !errors.Is(err, auth.ErrInvalidGrant) {
		t.Errorf("S50 the first refresh token again: %v", err)
	}
	if in, err := oauth2flow.Introspect(ctx, c, second.Value, ""); err != nil || in.Active {
		t.Errorf("S50 the second token after that: %+v, %v", in, err)
	}
	_, err := tokens.Renew(ctx)
	lost := as[*auth.LoginRequiredError](t, err)
	if _, ok := lost.Grant.(*oauth2flow.AuthorizationCode); !ok || !errors.Is(err, auth.ErrLoginRequired) {
		t.Errorf("S51 the grant of the error is a %T: %v", lost.Grant, err)
	}
}

// TestSignInRefused is about what a real provider sends back that is no code of this login.
func TestSignInRefused(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	client := registered(t, s, native())
	client.Scopes = offline()
	answers := func(t *testing.T, b *forms, change func(*oauth2flow.Authorization)) error {
		t.Helper()
		a := authorization(s, "http://127.0.0.1:9/callback")
		change(&a)
		code := oauth2flow.NewAuthorizationCode(client, a)
		begun, err := code.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		back, err := b.login(within(t, time.Minute), begun.URL, "alice")
		if err != nil {
			t.Fatal(err)
		}
		_, err = code.Complete(t.Context(), back.Query(), begun.Browser)
		return err
	}
	t.Run("F6 S8 the issuer is another one", func(t *testing.T) {
		t.Parallel()
		err := answers(t, newForms(t, s), func(a *oauth2flow.Authorization) { a.Issuer = "https://127.0.0.1" })
		if !errors.Is(err, oauth2flow.ErrIssuer) {
			t.Error(err)
		}
	})
	t.Run("the user says no", func(t *testing.T) {
		t.Parallel()
		b := newForms(t, s)
		b.refuses = true
		err := answers(t, b, func(*oauth2flow.Authorization) {})
		if got := as[*oauth2flow.CallbackError](t, err); got.Code != "access_denied" {
			t.Error(err)
		}
	})
	t.Run("S1 the provider refuses the method plain", func(t *testing.T) {
		t.Parallel()
		err := answers(t, newForms(t, s), func(a *oauth2flow.Authorization) {
			a.Rewrite = func(u *url.URL) {
				q := u.Query()
				q.Set("code_challenge_method", "plain")
				u.RawQuery = q.Encode()
			}
		})
		if got := as[*oauth2flow.CallbackError](t, err); got.Code != "invalid_request" {
			t.Error(err)
		}
	})
	if got := calls(t, s, client.ID); len(got) > 0 {
		t.Errorf("codes were exchanged: %v", got)
	}
}

// TestSignInLoopback logs in with a real browser, which comes back to a port of ours.
func TestSignInLoopback(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	client := registered(t, s, native())
	client.Scopes = offline()
	code := oauth2flow.NewAuthorizationCode(client, authorization(s, ""))
	window := newChromium(t, s)
	ctx := within(t, time.Minute)

	const page = "That was all: go back to the program."
	opened := make(chan string, 1)
	type result struct {
		token *auth.Token
		err   error
	}
	ended := make(chan result, 1)
	go func() {
		token, err := code.Loopback(ctx, oauth2flow.Loopback{
			Path: "/callback", Page: page,
			Open: func(_ context.Context, login *oauth2flow.Login) error {
				opened <- login.URL
				return nil
			},
		})
		ended <- result{token, err}
	}()
	var target string
	select {
	case target = <-opened:
	case r := <-ended:
		t.Fatal("Loopback:", r.err)
	}
	back, err := window.login(ctx, target, "alice")
	if err != nil {
		t.Fatal("Chromium:", err)
	}
	r := <-ended
	if r.err != nil {
		t.Fatal("Loopback:", r.err)
	}
	wantActive(t, client, r.token.Value, "alice")
	if back.RawQuery != "" || back.Fragment != "" {
		t.Error("S15 the browser shows the answer in its address")
	}
	text, err := window.script(ctx, "document.body.innerText")
	if err != nil || !strings.Contains(text, page) {
		t.Errorf("the page says %q: %v", text, err)
	}
	if conn, err := new(net.Dialer).DialContext(ctx, "tcp", back.Host); !errors.Is(err, syscall.ECONNREFUSED) {
		if err == nil {
			_ = conn.Close()
		}
		t.Errorf("S14 somebody listens at the redirect URI after the login: %v", err)
	}
}

func TestSignInDevice(t *testing.T) {
	t.Parallel()
	s := server(t, servers.OIDC)
	begin := func(t *testing.T) (oauth2flow.Client, *oauth2flow.DeviceCode, *oauth2flow.DeviceLogin) {
		t.Helper()
		client := registered(t, s, native())
		client.Scopes = offline()
		device := oauth2flow.NewDeviceCode(client, s.URL+"/device/auth")
		login, err := device.Begin(within(t, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return client, device, login
	}
	t.Run("N-23 a user types the code", func(t *testing.T) {
		t.Parallel()
		client, device, login := begin(t)
		got := make(chan *auth.Token, 1)
		fault := make(chan error, 1)
		go func() {
			token, err := device.Wait(within(t, time.Minute), login)
			got <- token
			fault <- err
		}()
		eventually(t, "the device asks before the user is there", func() bool { return len(calls(t, s, client.ID)) > 1 })
		b := newForms(t, s)
		b.fields["user_code"] = login.UserCode
		if _, err := b.login(within(t, time.Minute), login.VerificationURI, "carol"); err != nil ||
			!strings.Contains(b.text, "Sign-in Success") {
			t.Fatalf("%v: %s", err, b.text)
		}
		token := <-got
		if err := <-fault; err != nil {
			t.Fatal("Wait:", err)
		}
		wantActive(t, client, token.Value, "carol")
		tokens := managed(t, device)
		if err := tokens.Set(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		turned(t, tokens, token)
		all := calls(t, s, client.ID)
		if all[1] != (call{"token", "", grantDevice, "authorization_pending", 400}) {
			t.Errorf("the first question: %+v", all)
		}
	})
	t.Run("a user refuses", func(t *testing.T) {
		t.Parallel()
		_, device, login := begin(t)
		b := newForms(t, s)
		b.refuses = true
		if _, err := b.login(within(t, time.Minute), login.VerificationURIComplete, "carol"); err != nil ||
			!strings.Contains(b.text, "interrupted") {
			t.Fatalf("%v: %s", err, b.text)
		}
		_, err := device.Wait(within(t, time.Minute), login)
		if got := as[*oauth2flow.Error](t, err); got.Code != "access_denied" {
			t.Error(err)
		}
	})
}
