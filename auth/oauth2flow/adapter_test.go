package oauth2flow_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// foreign is an oauth2 source of a function.
type foreign func() (*oauth2.Token, error)

func (f foreign) Token() (*oauth2.Token, error) { return f() }

// native is a token source of a function.
type native func(context.Context, auth.Want) (*auth.Token, error)

func (f native) Token(ctx context.Context, want auth.Want) (*auth.Token, error) { return f(ctx, want) }

func constant(t *oauth2.Token) foreign { return func() (*oauth2.Token, error) { return t, nil } }

func always(t *auth.Token) native {
	return func(context.Context, auth.Want) (*auth.Token, error) { return t, nil }
}

func TestFromOAuth2(t *testing.T) {
	t.Parallel()
	hour := time.Now().Add(time.Hour)
	typed := func(kind string) foreign { return constant(&oauth2.Token{AccessToken: "sentinel", TokenType: kind}) }
	old := constant(&oauth2.Token{AccessToken: "a", Expiry: hour.Add(-2 * time.Hour)})
	tests := map[string]struct {
		source oauth2.TokenSource
		not    string
		want   string
		err    error
		text   string
	}{
		"token":             {constant(&oauth2.Token{AccessToken: "a", Expiry: hour}), "", "a", nil, ""},
		"type in any case":  {constant(&oauth2.Token{AccessToken: "a", TokenType: "bEARER"}), "", "a", nil, ""},
		"another was bad":   {constant(&oauth2.Token{AccessToken: "a"}), "b", "a", nil, ""},
		"E1 it was bad":     {constant(&oauth2.Token{AccessToken: "a"}), "a", "", auth.ErrNotRenewable, ""},
		"empty":             {constant(&oauth2.Token{}), "", "", auth.ErrNoToken, ""},
		"none":              {constant(nil), "", "", auth.ErrNoToken, ""},
		"expired":           {old, "", "", auth.ErrNoToken, ""},
		"F5 mac":            {typed("mac"), "", "", auth.ErrClientRejected, "not of the type Bearer"},
		"F5 DPoP":           {typed("DPoP"), "", "", nil, "not of the type Bearer"},
		"no source":         {nil, "", "", auth.ErrNoCredential, "nil"},
		"G6 it panics":      {foreign(func() (*oauth2.Token, error) { panic("sentinel") }), "", "", nil, ""},
		"it fails, plainly": {foreign(func() (*oauth2.Token, error) { return nil, errors.New("boom") }), "", "", nil, "boom"},
	}
	for name, tt := range tests {
		got, err := oauth2flow.FromOAuth2(tt.source).Token(t.Context(), auth.Want{Not: secrets.Static(tt.not)})
		switch {
		case tt.want != "":
			if err != nil || got.Value.Reveal() != tt.want {
				t.Errorf("%s: got %v, %v", name, got, err)
			}
		case err == nil || tt.err != nil && !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.text) ||
			strings.Contains(err.Error(), "sentinel"):
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := oauth2flow.FromOAuth2(nil).(auth.Validator).Validate(); !errors.Is(err, auth.ErrNoCredential) {
		t.Errorf("Validate: %v", err)
	}
}

// TestFromOAuth2Waits asks a source that is slower than its callers.
func TestFromOAuth2Waits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int64
		source := oauth2flow.FromOAuth2(foreign(func() (*oauth2.Token, error) {
			calls.Add(1)
			time.Sleep(45 * time.Second)
			return &oauth2.Token{AccessToken: "slow"}, nil
		}))
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				defer cancel()
				if _, err := source.Token(ctx, auth.Want{}); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("caller %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); d != 200*time.Millisecond || calls.Load() != 1 {
			t.Errorf("left after %v, with %d calls", d, calls.Load())
		}
		_, err := source.Token(t.Context(), auth.Want{}) // no deadline of its own
		if d := time.Since(start); d != 30200*time.Millisecond || err == nil || calls.Load() != 1 ||
			!strings.Contains(err.Error(), "no answer of the oauth2 source within 30s") {
			t.Errorf("after %v and %d calls: %v", d, calls.Load(), err)
		}
		got, err := source.Token(t.Context(), auth.Want{}) // the call goes on, and is waited for again
		if err != nil || got.Value.Reveal() != "slow" || calls.Load() != 1 {
			t.Errorf("after %v and %d calls: %v", time.Since(start), calls.Load(), err)
		}
	})
}

// exchanging returns the exchange of a real x/oauth2 client with a server that answers so.
func exchanging(t *testing.T, reply http.Handler) func(context.Context) (*oauth2.Token, error) {
	t.Helper()
	srv := connectiontest.NewServer(t, reply)
	client := &http.Client{Transport: srv.Network().Transport()}
	cfg := &clientcredentials.Config{
		ClientID: "id", ClientSecret: "sentinel-secret", TokenURL: srv.URL + "/token?key=sentinel-query",
		AuthStyle: oauth2.AuthStyleInParams,
	}
	return func(ctx context.Context) (*oauth2.Token, error) {
		return cfg.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
	}
}

func TestSourceError(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		reply http.Handler
		is    error
		want  string
	}{
		"F3 the body is not shown": {
			connectiontest.Text(500, "sentinel: client_secret=sentinel-secret"), nil, "status 500",
		},
		"F3 nor is the description": {
			connectiontest.JSON(400, map[string]string{"error": "invalid_grant", "error_description": "sentinel"}),
			auth.ErrInvalidGrant, "status 400: invalid_grant",
		},
		"client": {
			connectiontest.JSON(401, map[string]string{"error": "invalid_client"}), auth.ErrClientRejected,
			"status 401: invalid_client",
		},
		"unauthorized": {
			connectiontest.JSON(400, map[string]string{"error": "unauthorized_client"}), auth.ErrClientRejected,
			"status 400: unauthorized_client",
		},
		"scope": {
			connectiontest.JSON(400, map[string]string{"error": "invalid_scope"}), auth.ErrClientRejected,
			"status 400: invalid_scope",
		},
		"F3 a code that is a text": {
			connectiontest.JSON(400, map[string]string{"error": "sentinel\r\n\x1b[31m " + strings.Repeat("x", 5000)}),
			nil, "status 400",
		},
		"G1 the URL is not shown": {connectiontest.Cut(), nil, "EOF"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			exchange := exchanging(t, tt.reply)
			source := oauth2flow.FromOAuth2(foreign(func() (*oauth2.Token, error) {
				token, err := exchange(context.Background())
				if err != nil {
					err = fmt.Errorf("wrapped: %w", err)
				}
				return token, err
			}))
			_, errSource := source.Token(t.Context(), auth.Want{})
			_, errGrant := oauth2flow.OAuth2Grant(exchange).Obtain(t.Context(), nil)
			for _, err := range []error{errSource, errGrant} {
				if _, ok := errors.AsType[*oauth2flow.SourceError](err); !ok {
					t.Fatalf("got %v", err)
				}
				text := err.Error()
				if !strings.HasSuffix(text, tt.want) || strings.Contains(text, "sentinel") || len(text) > 200 {
					t.Errorf("text %q, want %q at its end", text, tt.want)
				}
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("%v is not %v", err, tt.is)
				}
				if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok != strings.HasPrefix(tt.want, "status") {
					t.Errorf("RetrieveError is there: %v, %v", ok, r)
				}
			}
		})
	}
}

func TestOAuth2Grant(t *testing.T) {
	t.Parallel()
	g := oauth2flow.OAuth2Grant(exchanging(t, connectiontest.JSON(200, map[string]any{
		"access_token": "a", "token_type": "bearer", "expires_in": 3600, "refresh_token": "r", "scope": "x y",
	})))
	got, err := g.Obtain(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	left := time.Until(got.Expiry)
	if got.Value.Reveal() != "a" || got.Refresh.Reveal() != "" || left < 59*time.Minute || left > time.Hour ||
		!cmp.Equal(got.Scopes, []string{"x", "y"}) {
		t.Errorf("token with refresh %q, scopes %v, ends in %v", got.Refresh.Reveal(), got.Scopes, left)
	}
	none := oauth2flow.OAuth2Grant(nil)
	_, err = none.Obtain(t.Context(), nil)
	if !errors.Is(err, auth.ErrNoCredential) || !errors.Is(none.(auth.Validator).Validate(), auth.ErrNoCredential) {
		t.Errorf("nil: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Obtain(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestToOAuth2(t *testing.T) {
	t.Parallel()
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "v")
	ends := time.Now().Add(time.Minute)
	boom := errors.New("boom")
	tests := map[string]struct {
		source auth.TokenSource
		err    error
	}{
		"token": {native(func(got context.Context, want auth.Want) (*auth.Token, error) {
			if got.Value(key{}) != "v" || want.Not.Reveal() != "" || want.MinTTL != 0 {
				t.Error("the source got another context, or a wish")
			}
			return &auth.Token{Value: secrets.Static("a"), Expiry: ends}, nil
		}), nil},
		"fails": {native(func(context.Context, auth.Want) (*auth.Token, error) { return nil, boom }), boom},
		"none":  {always(nil), auth.ErrNoToken},
		"empty": {always(&auth.Token{}), auth.ErrNoToken},
		"nil":   {nil, auth.ErrNoCredential},
	}
	for name, tt := range tests {
		got, err := oauth2flow.ToOAuth2(ctx, tt.source).Token()
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v", name, err)
		}
		if tt.err != nil {
			continue
		}
		if got.AccessToken != "a" || got.TokenType != "Bearer" || !got.Expiry.Equal(ends) {
			t.Errorf("%s: type %s, expiry %v", name, got.TokenType, got.Expiry)
		}
	}
}

func TestTokenThereAndBack(t *testing.T) {
	t.Parallel()
	token := &auth.Token{
		Value: secrets.Static("a"), Refresh: secrets.Static("r"), Expiry: time.Now().Add(time.Hour),
		Scopes: []string{"x", "y"}, Extra: map[string]secrets.Value{"id_token": secrets.Static("i")},
	}
	foreign := oauth2flow.TokenToOAuth2(token)
	if foreign.RefreshToken != "r" || foreign.Extra("scope") != "x y" || foreign.Extra("id_token") != "i" {
		t.Error("the refresh token, the scope or the id_token is lost")
	}
	if diff := cmp.Diff(token, oauth2flow.TokenFromOAuth2(foreign)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	bare := &auth.Token{Value: secrets.Static("a")}
	if diff := cmp.Diff(bare, oauth2flow.TokenFromOAuth2(oauth2flow.TokenToOAuth2(bare))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if oauth2flow.TokenFromOAuth2(nil) != nil || oauth2flow.TokenToOAuth2(nil) != nil {
		t.Error("nil became a token")
	}
}

func TestAdaptersShowNothing(t *testing.T) {
	t.Parallel()
	source := oauth2flow.FromOAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "sentinel"}))
	back := oauth2flow.ToOAuth2(t.Context(), auth.Static(secrets.Static("sentinel")))
	shown := fmt.Sprintf("%v %+v %#v %v %+v %#v", source, source, source, back, back, back)
	if strings.Contains(shown, "sentinel") {
		t.Error(shown)
	}
}
