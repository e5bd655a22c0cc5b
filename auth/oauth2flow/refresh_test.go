package oauth2flow_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// families is a token endpoint that replaces the refresh token each time: "a" by "a+", that by "a++". It takes each
// once, until the family is revoked.
type families struct {
	mu      sync.Mutex
	good    map[string]bool // by refresh token
	status  int             // instead of an answer; 0 for none
	extra   object
	refused []string
}

func (f *families) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	token := req.PostFormValue("refresh_token")
	switch {
	case f.status != 0:
		connectiontest.Status(f.status).ServeHTTP(w, req)
	case !f.good[token]:
		f.refused = append(f.refused, token)
		connectiontest.JSON(400, object{"error": "invalid_grant"}).ServeHTTP(w, req)
	default:
		delete(f.good, token)
		f.good[token+"+"] = true
		answer := object{"access_token": "t-" + token, "refresh_token": token + "+", "expires_in": 60}
		maps.Copy(answer, f.extra)
		connectiontest.JSON(200, answer).ServeHTTP(w, req)
	}
}

// now sets which refresh tokens are good, and forgets what was refused.
func (f *families) now(good ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.good, f.refused = make(map[string]bool), nil
	for _, token := range good {
		f.good[token] = true
	}
}

func (f *families) wasRefused() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.refused...)
}

// asked returns the refresh tokens that s was sent.
func asked(s *connectiontest.Server) []string {
	all := []string{}
	for _, req := range s.Requests() {
		values, _ := url.ParseQuery(string(req.Body))
		all = append(all, values.Get("refresh_token"))
	}
	return all
}

// process does what a process does that starts with an initial refresh token, and returns the token or the error.
func process(t *testing.T, s *connectiontest.Server, store auth.TokenStore, initial secrets.Provider) (string, error) {
	t.Helper()
	m := auth.Manage(oauth2flow.Refresh(clientOf(s), initial), auth.KeepIn(store, "api"))
	defer func() { _ = m.Close() }()
	token, err := m.Token(t.Context(), auth.Want{MinTTL: time.Second})
	if err != nil {
		return "", err
	}
	return token.Value.Reveal(), nil
}

func TestANewInitialRefreshToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &families{}
		s := serve(t, f)
		store := tokenstore.NewMemory()
		// start is a restart, long after the last token has ended.
		start := func(initial, want string, wantErr error, wantRefused ...string) {
			t.Helper()
			time.Sleep(time.Hour)
			got, err := process(t, s, store, secrets.Static(initial))
			if got != want || !errors.Is(err, wantErr) {
				t.Errorf("starting with %q: %q, %v; want %q, %v", initial, got, err, want, wantErr)
			}
			equal(t, "refused", f.wasRefused(), append([]string{}, wantRefused...))
		}
		f.now("a")
		start("a", "t-a", nil)
		start("a", "t-a+", nil) // the initial one is used up
		f.now("b")              // the family of a is lost
		start("a", "", auth.ErrLoginRequired, "a++")
		f.now("b")
		start("b", "t-b", nil, "a++")
		f.now("b+")
		start("b", "t-b+", nil)
		f.now("b") // one that was used is not tried, even if it were good
		start("b", "", auth.ErrLoginRequired, "b++")
		f.now()
		start("c", "", auth.ErrLoginRequired, "b++", "c")
	})
}

func TestInitialIsTriedOnce(t *testing.T) {
	t.Parallel()
	broken := errors.New("the vault is sealed")
	fails := secrets.Func(func(context.Context) (secrets.Value, error) { return secrets.Value{}, broken })
	for name, c := range map[string]struct {
		initial secrets.Provider
		refresh string
		asked   []string
		want    error
	}{
		"one that is refused as well": {secrets.Static("new"), "dead", []string{"dead", "new"}, auth.ErrInvalidGrant},
		"the very one that was refused": {
			secrets.Static("dead"), "dead", []string{"dead"}, auth.ErrInvalidGrant,
		},
		"an empty one": {secrets.Static(""), "dead", []string{"dead"}, auth.ErrInvalidGrant},
		"none":         {nil, "dead", []string{"dead"}, auth.ErrInvalidGrant},
		"one that was thrown away": {
			secrets.Env("RESTCONN_NO_SUCH_TOKEN"), "dead", []string{"dead"}, auth.ErrInvalidGrant,
		},
		"one that was emptied": {
			secrets.Func(func(context.Context) (secrets.Value, error) { return secrets.Value{}, secrets.ErrEmpty }), "dead",
			[]string{"dead"}, auth.ErrInvalidGrant,
		},
		"one that cannot be had now":   {fails, "dead", []string{"dead"}, broken},
		"not where there is no record": {secrets.Static("new"), "", []string{"new"}, auth.ErrInvalidGrant},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &families{}
			s := serve(t, f)
			err := refused(t, oauth2flow.Refresh(clientOf(s), c.initial), prev(c.refresh))
			is(t, err, c.want)
			equal(t, "invalid grant", errors.Is(err, auth.ErrInvalidGrant), errors.Is(c.want, auth.ErrInvalidGrant))
			equal(t, "asked", asked(s), c.asked)
		})
	}
	t.Run("S51 not for a passing fault", func(t *testing.T) {
		t.Parallel()
		s := serve(t, &families{status: 503})
		fails := refused(t, oauth2flow.Refresh(clientOf(s), secrets.Static("new")), prev("r1"))
		equal(t, "status", as[*oauth2flow.Error](t, fails).Status, 503)
		sent(t, s, 1)
	})
}

func TestExtraInitial(t *testing.T) {
	t.Parallel()
	const hash = "ca978112ca1bbdca" // sha256("a")
	f := &families{good: map[string]bool{"a": true, "r": true}, extra: object{oauth2flow.ExtraInitial: "of the server"}}
	s := serve(t, f)
	first := obtain(t, oauth2flow.Refresh(clientOf(s), secrets.Static("a")), nil)
	equal(t, "after the initial one", first.Extra[oauth2flow.ExtraInitial].Reveal(), hash)
	second := obtain(t, oauth2flow.Refresh(clientOf(s), secrets.Static("b")), first)
	equal(t, "after the next", second.Extra[oauth2flow.ExtraInitial].Reveal(), hash)
	other := obtain(t, oauth2flow.Refresh(clientOf(s), nil), prev("r"))
	equal(t, "of a token that came from elsewhere", len(other.Extra), 0)

	before := prev("dead")
	before.Scopes = []string{"read"}
	before.Extra = map[string]secrets.Value{"user": secrets.Static("of the lost one")}
	f.now("new")
	anew := obtain(t, oauth2flow.Refresh(clientOf(s), secrets.Static("new")), before)
	equal(t, "what is left of the lost one", len(anew.Extra)+len(anew.Scopes), 1)
}
