package auth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const (
	lacksScope = `Bearer error="insufficient_scope", scope="write"`
	lacksLogin = `Bearer error="insufficient_user_authentication", max_age=60`
)

// allows answers whoever has not one of those tokens with a step-up challenge.
func allows(status int, challenge string, tokens ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		for _, text := range tokens {
			if strings.HasSuffix(req.Header.Get("Authorization"), " "+text) {
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(status)
	})
}

// replicas are two processes of one service, which share a store and serve users of one server.
type replicas struct {
	one, two *auth.Manager
	store    *countingStore
	events   journal // of one
	idp, api *connectiontest.Server
	conn     *connection.Connection // of one
}

func newReplicas(
	t *testing.T, api http.Handler, scheme func(auth.TokenSource) auth.Authenticator, opts ...auth.ManageOption,
) *replicas {
	t.Helper()
	n := connectiontest.NewNetwork(t)
	r := &replicas{store: &countingStore{TokenStore: tokenstore.NewMemory()}}
	r.api = n.Serve("https://api.example.test", api)
	r.idp = n.Serve("https://auth.example.test", connectiontest.JSON(200, map[string]any{"access_token": "renewed"}))
	grant := oauth2flow.NewDeviceCode(oauth2flow.Client{
		ID: "cid", TokenURL: r.idp.URL, Endpoint: auth.Endpoint{Client: &http.Client{Transport: n.Transport()}},
	}, r.idp.URL)
	opts = append(opts, auth.KeepIn(r.store, "x"))
	r.two = manage(t, grant, opts...)
	r.one = manage(t, grant, append(opts, r.events.watch())...)
	r.conn = connect(t, r.api, connection.WithAuth(scheme(r.one)))
	return r
}

// login has a user log in with one of the two.
func login(ctx context.Context, t *testing.T, m *auth.Manager, text string) {
	t.Helper()
	if err := m.Set(ctx, &auth.Token{
		Value: secrets.Static(text), Refresh: secrets.Static("of-" + text), Expiry: time.Now().Add(time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
}

// sent checks the tokens that the service got, and that the server got no call.
func (r *replicas) sent(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, req := range r.api.Requests() {
		_, text, _ := strings.Cut(req.Header.Get("Authorization"), " ")
		got = append(got, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tokens that were sent (-want +got):\n%s", diff)
	}
	if n := len(r.idp.Requests()); n != 0 {
		t.Errorf("%d token calls, want 0", n)
	}
}

// answers sends a GET and checks the status of the answer.
func (r *replicas) answers(ctx context.Context, t *testing.T, want int) {
	t.Helper()
	if got, err := status(ctx, r.conn); got != want {
		t.Errorf("status %d, want %d: %v", got, want, err)
	}
}

func asBearer(src auth.TokenSource) auth.Authenticator { return auth.Bearer(src) }

func asRejecting(src auth.TokenSource) auth.Authenticator {
	return auth.Bearer(src, auth.RejectedBy(401, 403))
}

func asFunc(src auth.TokenSource) auth.Authenticator {
	return auth.TokenFunc(src, func(req *http.Request, t *auth.Token) error {
		req.Header.Set("Authorization", "Session "+t.Value.Reveal())
		return nil
	})
}

// A user who was told to allow more has done so, but with another process.
func TestStepUpElsewhere(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status    int
		challenge string
		scheme    func(auth.TokenSource) auth.Authenticator
	}{
		"a scope":                                {403, lacksScope, asBearer},
		"a scope, where a 403 rejects tokens":    {403, lacksScope, asRejecting},
		"another login":                          {401, lacksLogin, asBearer},
		"a scope, with a token of a function":    {403, lacksScope, asFunc},
		"another login, a token of a function's": {401, lacksLogin, asFunc},
	} {
		bubble(t, "S52 "+name, func(t *testing.T) {
			r := newReplicas(t, allows(c.status, c.challenge, "new"), c.scheme)
			login(t.Context(), t, r.one, "old")
			r.answers(t.Context(), t, c.status)
			r.sent(t, "old")
			login(t.Context(), t, r.two, "new")
			time.Sleep(time.Second)
			r.answers(t.Context(), t, 204)
			r.answers(t.Context(), t, 204)
			r.sent(t, "old", "old", "new", "new")
			r.events.happened(t, auth.EventAdopted)
		})
	}
	bubble(t, "S52 a POST with its body", func(t *testing.T) {
		r := newReplicas(t, allows(403, lacksScope, "new"), asBearer)
		login(t.Context(), t, r.one, "old")
		login(t.Context(), t, r.two, "new")
		if err := request.Post(r.conn, "/x").JSON(7).Exec(t.Context()); err != nil {
			t.Error(err)
		}
		r.sent(t, "old", "new")
		for _, req := range r.api.Requests() {
			if string(req.Body) != "7" {
				t.Errorf("body %q", req.Body)
			}
		}
	})
	bubble(t, "S52 the other token lacks it as well", func(t *testing.T) {
		r := newReplicas(t, allows(403, lacksScope), asBearer)
		login(t.Context(), t, r.one, "old")
		login(t.Context(), t, r.two, "new")
		_, err := status(t.Context(), r.conn)
		if _, ok := errors.AsType[*auth.StepUpError](err); !ok {
			t.Errorf("error is %v, want a StepUpError", err)
		}
		r.sent(t, "old", "new")
		time.Sleep(time.Second)
		r.answers(t.Context(), t, 403)
		r.sent(t, "old", "new", "new")
	})
	bubble(t, "S46 of another user", func(t *testing.T) {
		r := newReplicas(t, allows(403, lacksScope, "new"), asBearer, auth.PerSubject())
		ann, bob := auth.WithSubject(t.Context(), "ann"), auth.WithSubject(t.Context(), "bob")
		login(ann, t, r.one, "old")
		login(bob, t, r.one, "old")
		login(ann, t, r.two, "new")
		r.answers(bob, t, 403)
		r.answers(ann, t, 204)
		r.sent(t, "old", "old", "new")
	})
	bubble(t, "a token that has ended meanwhile is none", func(t *testing.T) {
		r := newReplicas(t, allows(403, lacksScope, "new"), asBearer)
		login(t.Context(), t, r.one, "old")
		if err := r.two.Set(t.Context(), &auth.Token{
			Value: secrets.Static("new"), Refresh: secrets.Static("of-new"), Expiry: time.Now().Add(-time.Second),
		}); err != nil {
			t.Fatal(err)
		}
		r.answers(t.Context(), t, 403)
		r.answers(t.Context(), t, 403) // what there is stays in use
		r.sent(t, "old", "old")
	})
	bubble(t, "another 403 is no challenge", func(t *testing.T) {
		r := newReplicas(t, allows(403, `Bearer error="invalid_token"`, "new"), asBearer)
		login(t.Context(), t, r.one, "old")
		login(t.Context(), t, r.two, "new")
		before := r.store.loads.Load()
		r.answers(t.Context(), t, 403)
		r.sent(t, "old")
		if n := r.store.loads.Load() - before; n != 0 {
			t.Errorf("%d loads, want 0", n)
		}
	})
}

// slowStore takes its time to read.
type slowStore struct{ auth.TokenStore }

func (s slowStore) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	time.Sleep(latency)
	return s.TokenStore.Load(ctx, key)
}

func TestStepUpStorm(t *testing.T) {
	t.Parallel()
	storm := func(ctx context.Context, t *testing.T, r *replicas, want int) {
		t.Helper()
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { r.answers(ctx, t, want) })
		}
		all.Wait()
	}
	bubble(t, "S52 1,000 challenges at once, and nobody has logged in again", func(t *testing.T) {
		r := newReplicas(t, allows(403, lacksScope), asBearer)
		login(t.Context(), t, r.one, "old")
		before := r.store.loads.Load()
		r.store.TokenStore = slowStore{r.store.TokenStore}
		storm(t.Context(), t, r, 403)
		if n := r.store.loads.Load() - before; n != 1 {
			t.Errorf("%d loads, want 1", n)
		}
		if n := len(r.api.Requests()); n != 1000 {
			t.Errorf("%d requests, want 1,000", n)
		}
		for range 10 {
			time.Sleep(time.Second / 2)
			r.answers(t.Context(), t, 403)
		}
		if n := r.store.loads.Load() - before; n < 2 || n > 6 {
			t.Errorf("%d loads after 5 s, want no more than 6", n)
		}
		r.events.happened(t)
	})
	bubble(t, "S52 1,000 challenges at once after a login elsewhere", func(t *testing.T) {
		r := newReplicas(t, allows(403, lacksScope, "new"), asBearer)
		login(t.Context(), t, r.one, "old")
		login(t.Context(), t, r.two, "new")
		before := r.store.loads.Load()
		r.store.TokenStore = slowStore{r.store.TokenStore}
		storm(t.Context(), t, r, 204)
		if n := r.store.loads.Load() - before; n != 1 {
			t.Errorf("%d loads, want 1", n)
		}
		if n := len(r.idp.Requests()); n != 0 {
			t.Errorf("%d token calls, want 0", n)
		}
		r.events.happened(t, auth.EventAdopted)
	})
	bubble(t, "S52 without a store there is nothing to look at", func(t *testing.T) {
		service := allows(403, lacksScope, "new")
		m := manage(t, new(signedIn))
		// The answer comes when there is another token: it was set here, and whoever set it knows.
		srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			login(context.WithoutCancel(req.Context()), t, m, "new")
			service.ServeHTTP(w, req)
		}))
		conn := connect(t, srv, bearer(m))
		login(t.Context(), t, m, "old")
		if got, _ := status(t.Context(), conn); got != 403 || len(srv.Requests()) != 1 {
			t.Errorf("status %d after %d requests", got, len(srv.Requests()))
		}
	})
}

// gated is a store whose answers can be held back.
type gated struct {
	auth.TokenStore

	shut atomic.Bool
	gate chan struct{}
	err  error
}

func (s *gated) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	rec, err := s.TokenStore.Load(ctx, key)
	if !s.shut.Load() {
		return rec, err
	}
	select {
	case <-s.gate:
		return rec, errors.Join(err, s.err)
	case <-ctx.Done():
		return auth.Record{}, ctx.Err()
	}
}

// While the store is looked at, anything can happen to it, to the token and to the manager.
func TestStepUpLook(t *testing.T) {
	t.Parallel()
	// start sends a request whose challenge has the store looked at, and waits for that.
	start := func(t *testing.T, err error) (r *replicas, store *gated, got chan int) {
		t.Helper()
		r = newReplicas(t, allows(403, lacksScope, "new"), asBearer)
		store = &gated{TokenStore: r.store.TokenStore, gate: make(chan struct{}), err: err}
		r.store.TokenStore = store
		login(t.Context(), t, r.one, "old")
		login(t.Context(), t, r.two, "new")
		store.shut.Store(true)
		got = make(chan int, 1)
		go func() {
			code, _ := status(t.Context(), r.conn)
			got <- code
		}()
		synctest.Wait()
		return r, store, got
	}
	is := func(t *testing.T, got chan int, want int) {
		t.Helper()
		if code := <-got; code != want {
			t.Errorf("status %d, want %d", code, want)
		}
	}
	bubble(t, "what was found is not used once the token is forgotten", func(t *testing.T) {
		r, store, got := start(t, nil)
		store.shut.Store(false)
		if err := r.one.Forget(t.Context()); err != nil {
			t.Error(err)
		}
		close(store.gate)
		is(t, got, 403)
		refuse(t, r.one, auth.Want{}, auth.ErrLoginRequired)
	})
	bubble(t, "nor is it in place of a login that came meanwhile", func(t *testing.T) {
		r, store, got := start(t, nil)
		store.shut.Store(false)
		login(t.Context(), t, r.one, "newest")
		close(store.gate)
		is(t, got, 403) // newest was sent, and lacks it as well
		r.sent(t, "old", "newest")
		expect(t, r.one, "newest")
	})
	bubble(t, "a store that fails leaves the answer as it is", func(t *testing.T) {
		r, store, got := start(t, errors.New("down"))
		close(store.gate)
		is(t, got, 403)
		r.sent(t, "old")
		r.events.happened(t, auth.EventStoreFailed)
	})
	bubble(t, "a store that does not answer is not waited for", func(t *testing.T) {
		began := time.Now()
		r, _, got := start(t, nil)
		is(t, got, 403)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("it took %v", took)
		}
		r.sent(t, "old")
	})
	bubble(t, "the end of the manager ends it", func(t *testing.T) {
		began := time.Now()
		r, _, got := start(t, nil)
		if err := r.one.Close(); err != nil {
			t.Error(err)
		}
		is(t, got, 403)
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		r.events.happened(t)
	})
}
