package auth_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

func TestManagerSeed(t *testing.T) {
	t.Parallel()
	forEachStore(t, "N a seed is used until it ends", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{lifetime: time.Hour}
		seed := auth.Token{Value: secrets.Static("seed"), Expiry: time.Now().Add(time.Hour)}
		m := manage(t, g, append(opts, auth.Seed(seed))...)
		expect(t, m, "seed")
		g.called(t, 0)
		time.Sleep(50 * time.Minute)
		expect(t, m, "seed") // and is renewed in the background
		synctest.Wait()
		expect(t, m, "t1")
	})
	forEachStore(t, "N a seed without an expiry is used until it is rejected",
		func(t *testing.T, opts ...auth.ManageOption) {
			g := &counter{}
			seed := auth.Seed(auth.Token{Value: secrets.Static("seed")})
			m := manage(t, g, append(opts, seed, auth.DefaultLifetime(time.Hour))...)
			expect(t, m, "seed")
			time.Sleep(24 * 365 * time.Hour)
			expect(t, m, "seed")
			g.called(t, 0)
			if got := ask(t, m, not("seed")); got != "t1" {
				t.Errorf("token %s", got)
			}
		})
	forEachStore(t, "N a seed that is rejected at once", func(t *testing.T, opts ...auth.ManageOption) {
		m := manage(t, &counter{}, append(opts, auth.Seed(*token("seed")))...)
		if got := ask(t, m, not("seed")); got != "t1" {
			t.Errorf("token %s", got)
		}
	})
	forEachStore(t, "N a seed that has ended is exchanged", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour}
		m := manage(t, s, append(opts, auth.Seed(auth.Token{
			Value: secrets.Static("a0"), Refresh: secrets.Static("r0"), Expiry: time.Now().Add(-time.Hour),
		}))...)
		expect(t, m, "a1")
		s.well(t, 1)
	})
	forEachStore(t, "N a seed of a refresh token only", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour}
		m := manage(t, s, append(opts, first())...)
		for _, a := range crowd(t.Context(), m, 100, auth.Want{}) {
			if a.text != "a1" {
				t.Errorf("%s, %v", a.text, a.err)
			}
		}
		s.well(t, 1)
	})
	bubble(t, "N the store wins over the seed", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour}, tokenstore.NewMemory()
		expect(t, manage(t, s, auth.KeepIn(store, "x"), first()), "a1")
		m := manage(t, s, auth.KeepIn(store, "x"), first())
		expect(t, m, "a1")
		time.Sleep(2 * time.Hour)
		expect(t, m, "a2")
		s.well(t, 2)
	})
}

func TestManagerRenew(t *testing.T) {
	t.Parallel()
	renew := func(t *testing.T, m *auth.Manager) string {
		t.Helper()
		got, err := m.Renew(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got.Value.Reveal()
	}
	forEachStore(t, "N Renew replaces a good token", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour}
		m := manage(t, s, append(opts, first())...)
		expect(t, m, "a1")
		for i := range 5 {
			want := fmt.Sprintf("a%d", i+2)
			if got := renew(t, m); got != want {
				t.Errorf("token %s, want %s", got, want)
			}
			expect(t, m, want)
		}
		s.well(t, 6)
	})
	forEachStore(t, "N Renew is the first call", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{}
		m := manage(t, g, append(opts, auth.Seed(*token("seed")))...)
		if got := renew(t, m); got != "t1" {
			t.Errorf("token %s", got)
		}
	})
	forEachStore(t, "N of many Renew at once there is one exchange", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour, latency: latency}
		m := manage(t, s, append(opts, first())...)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if got, err := m.Renew(t.Context()); err != nil || got.Value.Reveal() != "a1" {
					t.Error(err)
				}
			})
		}
		all.Wait()
		s.well(t, 1)
	})
	forEachStore(t, "N Renew works while others wait for the next try", func(t *testing.T, opts ...auth.ManageOption) {
		down := true
		g := &counter{fail: func(int64) error {
			if down {
				return errors.New("no")
			}
			return nil
		}}
		m := manage(t, g, opts...)
		refuse(t, m, auth.Want{}, nil)
		if _, err := m.Renew(t.Context()); err == nil {
			t.Error("there was no error")
		}
		g.called(t, 2)
		down = false
		refuse(t, m, auth.Want{}, nil)
		if got := renew(t, m); got != "t3" {
			t.Errorf("token %s", got)
		}
		expect(t, m, "t3")
	})
	bubble(t, "N Renew under a storm of callers who wait for the next try", func(t *testing.T) {
		g := &counter{fail: func(n int64) error {
			if n == 1 {
				return busyError(time.Minute)
			}
			return nil
		}}
		m := manage(t, g)
		refuse(t, m, auth.Want{}, nil)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 200 {
					_, _ = m.Token(t.Context(), auth.Want{})
					runtime.Gosched()
				}
			})
		}
		if got, err := m.Renew(t.Context()); err != nil {
			t.Error(got, err)
		}
		all.Wait()
	})
	forEachStore(t, "E12 Renew tries a grant that is lost", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour}
		m := manage(t, s, append(opts, first())...)
		s.revoke()
		refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		if _, err := m.Renew(t.Context()); !errors.Is(err, auth.ErrLoginRequired) {
			t.Error(err)
		}
		s.mu.Lock()
		s.revoked = false
		s.mu.Unlock()
		if got := renew(t, m); got != "a1" {
			t.Errorf("token %s", got)
		}
	})
}

func TestManagerSet(t *testing.T) {
	t.Parallel()
	forEachStore(t, "N Set replaces the token", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{}
		m := manage(t, g, append(opts, auth.Seed(*token("seed")))...)
		expect(t, m, "seed")
		if err := m.Set(t.Context(), token("mine")); err != nil {
			t.Fatal(err)
		}
		expect(t, m, "mine")
		g.called(t, 0)
	})
	forEachStore(t, "N Set with a refresh token only", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour}
		m := manage(t, s, opts...)
		refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		if err := m.Set(t.Context(), &auth.Token{Refresh: secrets.Static("r0")}); err != nil {
			t.Fatal(err)
		}
		expect(t, m, "a1")
		s.well(t, 1)
	})
	forEachStore(t, "E12 Set heals a lost grant at once", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour}
		m := manage(t, s, append(opts, first())...)
		expect(t, m, "a1")
		s.revoke()
		time.Sleep(2 * time.Hour)
		refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		if err := m.Set(t.Context(), s.login()); err != nil {
			t.Fatal(err)
		}
		expect(t, m, "a1001")
		time.Sleep(2 * time.Hour)
		expect(t, m, "a1002")
	})
	forEachStore(t, "N Set while an exchange is under way", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{latency: time.Second}
		m := manage(t, g, opts...)
		waiting := make(chan []answer)
		go func() { waiting <- crowd(t.Context(), m, 10, auth.Want{}) }()
		synctest.Wait()
		if err := m.Set(t.Context(), token("mine")); err != nil {
			t.Fatal(err)
		}
		for _, a := range <-waiting {
			if a.err != nil {
				t.Error(a.err)
			}
		}
		expect(t, m, "mine")
		time.Sleep(time.Minute)
		expect(t, m, "mine")
	})
	bubble(t, "N an exchange that fails after Set is not held against the new token", func(t *testing.T) {
		g := &counter{latency: time.Second, fail: func(n int64) error {
			if n == 1 {
				return auth.ErrInvalidGrant
			}
			return nil
		}}
		m := manage(t, g)
		waiting := make(chan []answer)
		go func() { waiting <- crowd(t.Context(), m, 10, auth.Want{}) }()
		synctest.Wait()
		if err := m.Set(t.Context(), token("mine")); err != nil {
			t.Fatal(err)
		}
		for _, a := range <-waiting {
			if a.text != "mine" {
				t.Errorf("%s, %v", a.text, a.err)
			}
		}
		if got := ask(t, m, not("mine")); got != "t2" {
			t.Errorf("token %s", got)
		}
	})
	for name, tok := range map[string]*auth.Token{"nil": nil, "an empty token": {Extra: map[string]secrets.Value{}}} {
		bubble(t, "N Set of "+name, func(t *testing.T) {
			m := manage(t, &counter{})
			if err := m.Set(t.Context(), tok); !errors.Is(err, auth.ErrNoToken) {
				t.Error(err)
			}
		})
	}
}

// revoker is a server that is told when a token is no longer needed.
type revoker struct {
	auth.Grant

	err       error
	misbehave func()
	mu        sync.Mutex
	revoked   []string // refresh tokens, or else access tokens
}

func (r *revoker) Revoke(_ context.Context, t *auth.Token) error {
	if r.misbehave != nil {
		r.misbehave()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	text := t.Refresh.Reveal()
	if text == "" {
		text = t.Value.Reveal()
	}
	r.revoked = append(r.revoked, text)
	return r.err
}

func (r *revoker) saw(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.revoked, want) {
		t.Errorf("revoked %v, want %v", r.revoked, want)
	}
}

func TestManagerForget(t *testing.T) {
	t.Parallel()
	failing := errors.New("no")
	for name, c := range map[string]struct {
		err       error
		misbehave func()
	}{
		"that is revoked": {}, "whose revocation fails": {err: failing},
		"whose revocation panics": {misbehave: func() { panic("no") }},
	} {
		forEachStore(t, "N Forget a token "+name, func(t *testing.T, opts ...auth.ManageOption) {
			s := &strict{lifetime: time.Hour}
			g := &revoker{Grant: s, err: c.err, misbehave: c.misbehave}
			m := manage(t, g, append(opts, first())...)
			expect(t, m, "a1")
			err := m.Forget(t.Context())
			switch {
			case c.misbehave != nil:
				if err == nil {
					t.Error("there was no error")
				}
			case !errors.Is(err, c.err):
				t.Errorf("error %v, want %v", err, c.err)
			default:
				g.saw(t, "r1")
			}
			refuse(t, m, auth.Want{}, auth.ErrLoginRequired) // the seed is not used again
			if s.grants != 1 || s.replays != 0 {
				t.Errorf("%d grants, %d replays", s.grants, s.replays)
			}
			if err := m.Set(t.Context(), s.login()); err != nil {
				t.Fatal(err)
			}
			expect(t, m, "a1001")
		})
	}
	forEachStore(t, "N Forget what was never used", func(t *testing.T, opts ...auth.ManageOption) {
		g := &revoker{Grant: &strict{lifetime: time.Hour}}
		m := manage(t, g, append(opts, first())...)
		if err := m.Forget(t.Context()); err != nil {
			t.Error(err)
		}
		g.saw(t, "r0")
		refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		if err := m.Forget(t.Context()); err != nil {
			t.Error(err)
		}
		g.saw(t, "r0")
	})
	bubble(t, "N Forget what another process has stored", func(t *testing.T) {
		store := tokenstore.NewMemory()
		s := &strict{lifetime: time.Hour}
		g := &revoker{Grant: s}
		expect(t, manage(t, g, auth.KeepIn(store, "x"), first()), "a1")
		m := manage(t, g, auth.KeepIn(store, "x"))
		if err := m.Forget(t.Context()); err != nil {
			t.Error(err)
		}
		g.saw(t, "r1")
		if _, version := stored(t, store, auth.Key{Connection: "x"}); version != 0 {
			t.Error("the record is still there")
		}
	})
	forEachStore(t, "N Forget while the first exchange is under way", func(t *testing.T, opts ...auth.ManageOption) {
		s := &strict{lifetime: time.Hour, latency: time.Second}
		g := &revoker{Grant: s}
		m := manage(t, g, append(opts, first())...)
		waiting := make(chan []answer)
		go func() { waiting <- crowd(t.Context(), m, 10, auth.Want{}) }()
		synctest.Wait()
		if err := m.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, a := range <-waiting {
			if !errors.Is(a.err, auth.ErrLoginRequired) {
				t.Errorf("%s, %v", a.text, a.err)
			}
		}
		time.Sleep(5 * time.Minute) // nobody saves it later, either
		refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		g.saw(t, "r0", "r1") // what came of it is of no use to anybody
	})
	forEachStore(t, "N Set while an exchange is under way revokes nothing", func(t *testing.T, opts ...auth.ManageOption) {
		c := &counter{latency: time.Second}
		g := &revoker{Grant: c}
		m := manage(t, g, opts...)
		waiting := make(chan []answer)
		go func() { waiting <- crowd(t.Context(), m, 10, auth.Want{}) }()
		synctest.Wait()
		if err := m.Set(t.Context(), token("set")); err != nil {
			t.Fatal(err)
		}
		for _, a := range <-waiting {
			if a.err != nil {
				t.Error(a.err)
			}
		}
		time.Sleep(5 * time.Minute)
		expect(t, m, "set")
		c.called(t, 1)
		g.saw(t) // a server may take both logins for one, and end the new one, too
	})
	bubble(t, "N Forget while another exchange is under way, in a store", func(t *testing.T) {
		store := tokenstore.NewMemory()
		s := &strict{lifetime: time.Hour, latency: time.Second}
		g := &revoker{Grant: s}
		m := manage(t, g, auth.KeepIn(store, "x"), first())
		expect(t, m, "a1")
		time.Sleep(2 * time.Hour)
		waiting := make(chan []answer)
		go func() { waiting <- crowd(t.Context(), m, 10, auth.Want{}) }()
		synctest.Wait()
		if err := m.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, a := range <-waiting {
			if !errors.Is(a.err, auth.ErrLoginRequired) {
				t.Errorf("%s, %v", a.text, a.err)
			}
		}
		time.Sleep(5 * time.Minute)
		if _, version := stored(t, store, auth.Key{Connection: "x"}); version != 0 {
			t.Error("the record is there again")
		}
		g.saw(t, "r1", "r2")
	})
	forEachStore(t, "N Forget and a grant that needs no user", func(t *testing.T, opts ...auth.ManageOption) {
		g := &counter{}
		m := manage(t, g, opts...)
		expect(t, m, "t1")
		if err := m.Forget(t.Context()); err != nil {
			t.Error(err)
		}
		expect(t, m, "t2")
	})
	bubble(t, "E18 Forget, Set and Renew after Close", func(t *testing.T) {
		store := tokenstore.NewMemory()
		g := &revoker{Grant: &strict{lifetime: time.Hour}}
		m := manage(t, g, auth.KeepIn(store, "x"), first())
		expect(t, m, "a1")
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		_, renewed := m.Renew(t.Context())
		for _, err := range []error{m.Forget(t.Context()), m.Set(t.Context(), token("x")), renewed} {
			if !errors.Is(err, auth.ErrClosed) {
				t.Errorf("error %v", err)
			}
		}
		refuse(t, m, auth.Want{}, auth.ErrClosed)
		g.saw(t)
		if tok, _ := stored(t, store, auth.Key{Connection: "x"}); tok.Refresh != "r1" {
			t.Errorf("the store has %v", tok)
		}
	})
}

func TestManagerWatch(t *testing.T) {
	t.Parallel()
	bubble(t, "N the events of a life", func(t *testing.T) {
		var events journal
		s, store := &strict{lifetime: time.Hour}, tokenstore.NewMemory()
		a := manage(t, s, auth.KeepIn(store, "x"), first(), events.watch())
		b := manage(t, s, auth.KeepIn(store, "x"), events.watch())
		expect(t, a, "a1")
		events.happened(t, auth.EventRenewed)
		expect(t, b, "a1")
		events.happened(t, auth.EventAdopted)
		time.Sleep(2 * time.Hour)
		s.revoke()
		for range 5 {
			refuse(t, a, auth.Want{}, auth.ErrLoginRequired)
			time.Sleep(2 * time.Minute)
		}
		events.happened(t, auth.EventLost) // once
		if err := a.Set(t.Context(), s.login()); err != nil {
			t.Fatal(err)
		}
		expect(t, b, "a1001")
		events.happened(t, auth.EventAdopted)
	})
	bubble(t, "N what an event tells", func(t *testing.T) {
		var events journal
		failing := errors.New("no")
		g := &counter{lifetime: time.Hour, traits: auth.Traits{Config: "c"}, fail: func(n int64) error {
			if n == 2 {
				return failing
			}
			return nil
		}}
		m := manage(t, g, auth.KeepIn(tokenstore.NewMemory(), "x"), auth.PerSubject(), events.watch())
		ctx := auth.WithSubject(t.Context(), "ann")
		for range 2 {
			_, _ = m.Token(ctx, auth.Want{})
			time.Sleep(2 * time.Hour)
		}
		key := auth.Key{Connection: "x", Config: "c", Subject: "ann"}
		if len(events.events) != 2 || events.events[0].Key != key || events.events[1].Key != key {
			t.Fatalf("events %v", events.events)
		}
		if e := events.events[0]; e.Kind != auth.EventRenewed || e.Expiry.IsZero() {
			t.Errorf("event %v", e)
		}
		if e := events.events[1]; e.Kind != auth.EventFailed || !errors.Is(e.Err, failing) || e.RetryAt.IsZero() {
			t.Errorf("event %v", e)
		}
	})
	bubble(t, "N a watcher that panics", func(t *testing.T) {
		var events journal
		m := manage(t, &counter{}, auth.Watch(func(auth.Event) { panic("no") }), events.watch())
		expect(t, m, "t1")
		events.happened(t, auth.EventRenewed)
	})
}

func TestManagerFaults(t *testing.T) {
	t.Parallel()
	nobody := func(auth.Event) {}
	type options = []auth.ManageOption
	memory := tokenstore.NewMemory()
	for name, c := range map[string]struct {
		g    auth.Grant
		opts options
		want []string
	}{
		"well":                 {&counter{}, options{auth.Watch(nobody), auth.Retries(0)}, nil},
		"a nil grant":          {nil, nil, []string{"the grant is nil"}},
		"a nil function":       {auth.GrantFunc(nil), nil, []string{"the grant is nil"}},
		"a nil option":         {&counter{}, options{nil}, []string{"an option is nil"}},
		"a nil store":          {&counter{}, options{auth.KeepIn(nil, "x")}, []string{"KeepIn: the store is nil"}},
		"a store without name": {&counter{}, options{auth.KeepIn(memory, "")}, []string{"KeepIn: the name is empty"}},
		"an empty seed":        {&counter{}, options{auth.Seed(auth.Token{})}, []string{"Seed: there is neither"}},
		"a nil watcher":        {&counter{}, options{auth.Watch(nil)}, []string{"Watch: the function is nil"}},
		"durations": {
			&counter{}, options{auth.RenewBefore(0), auth.DefaultLifetime(-1), auth.RenewalLimit(0), auth.Retries(-1)},
			[]string{"RenewBefore: ", "DefaultLifetime: ", "RenewalLimit: ", "Retries: "},
		},
		"a store of its own fault": {
			&counter{}, options{auth.KeepIn(tokenstore.Leased(nil), "x")}, []string{"backend is nil"},
		},
		"a short lease": {
			&counter{}, options{auth.KeepIn(tokenstore.NewMemory(tokenstore.Lease(44*time.Second)), "x")},
			[]string{"the lease of the store, 44s, has to be 15s longer than the limit of a renewal, 30s"},
		},
		"a seed for many": {&counter{}, options{first(), auth.PerSubject()}, []string{"Seed cannot be combined"}},
	} {
		t.Run("N "+name, func(t *testing.T) {
			t.Parallel()
			m := auth.Manage(c.g, c.opts...)
			err := m.Validate()
			_, bound := m.BindSource(auth.Host{})
			if (err == nil) != (c.want == nil) || (bound == nil) != (err == nil) {
				t.Fatalf("error %v, %v", err, bound)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q", err, want)
				}
			}
			if name == "durations" || name == "a nil grant" {
				if _, err := m.Token(t.Context(), auth.Want{}); err == nil {
					t.Error("it works all the same")
				}
			}
		})
	}
}
