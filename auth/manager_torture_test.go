package auth_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

// shelf is a tokenstore.Backend in memory.
type shelf struct {
	mu    sync.Mutex
	rec   auth.Record
	owner string
	ends  time.Time
}

func (s *shelf) Load(context.Context, auth.Key) (auth.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rec, nil
}

func (s *shelf) Acquire(
	_ context.Context, _ auth.Key, owner string, ttl time.Duration,
) (rec auth.Record, held bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != "" && s.owner != owner && time.Now().Before(s.ends) {
		return s.rec, false, nil
	}
	s.owner, s.ends = owner, time.Now().Add(ttl)
	return s.rec, true, nil
}

func (s *shelf) Save(_ context.Context, _ auth.Key, owner string, seen uint64, rec auth.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner != owner || !time.Now().Before(s.ends) || s.rec.Version != seen {
		return tokenstore.ErrLeaseLost
	}
	s.rec = rec
	return nil
}

func (s *shelf) Release(_ context.Context, _ auth.Key, owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owner == owner {
		s.owner = ""
	}
	return nil
}

func (s *shelf) Delete(context.Context, auth.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rec, s.owner = auth.Record{}, ""
	return nil
}

// fault is what becomes of a call.
type fault int

const (
	refused    fault = iota // it fails, and nothing is done
	lost                    // it is done, and the answer is lost
	panics                  // nothing is done
	panicsLate              // it is done
	hangs                   // until its context ends; nothing is done
	hangsLate               // it is done
	outage                  // it fails, and so do all others for a while
	longOutage
	faults
)

func (f fault) String() string {
	return [...]string{
		"is refused", "loses its answer", "panics before", "panics after", "hangs before", "hangs after",
		"begins an outage of 20 s", "begins an outage of 10 min",
	}[f]
}

// late reports whether the call is done all the same.
func (f fault) late() bool { return f == lost || f == panicsLate || f == hangsLate }

var errInjected = errors.New("injected fault")

// saboteur lets one call of many fail, or two.
type saboteur struct {
	at    int // the number of the call; 0 for none
	also  int // another one
	fault fault

	mu    sync.Mutex
	n     int
	what  string    // was hit
	until time.Time // of the outage
}

// call counts a call, and makes it or has it fail.
func (s *saboteur) call(ctx context.Context, name string, do func() error) error {
	switch hit, out := s.count(name); {
	case out:
		return errInjected
	case !hit:
		return do()
	}
	if s.fault.late() {
		_ = do()
	}
	switch s.fault {
	case panics, panicsLate:
		panic(errInjected)
	case hangs, hangsLate:
		<-ctx.Done()
		return ctx.Err()
	default:
		return errInjected
	}
}

func (s *saboteur) count(name string) (hit, out bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if s.n == s.at || s.n == s.also {
		s.what += name + " "
		switch s.fault {
		case outage:
			s.until = time.Now().Add(20 * time.Second)
		case longOutage:
			s.until = time.Now().Add(10 * time.Minute)
		default:
			return true, false
		}
	}
	return false, time.Now().Before(s.until)
}

// hit returns what was hit so far; empty if nothing.
func (s *saboteur) hit() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.what
}

// brittleBackend is a tokenstore.Backend with a saboteur.
type brittleBackend struct {
	tokenstore.Backend

	by *saboteur
}

func (b brittleBackend) Load(ctx context.Context, key auth.Key) (rec auth.Record, err error) {
	err = b.by.call(ctx, "backend.Load", func() (err error) { rec, err = b.Backend.Load(ctx, key); return err })
	if err != nil {
		rec = auth.Record{}
	}
	return rec, err
}

func (b brittleBackend) Acquire(
	ctx context.Context, key auth.Key, owner string, ttl time.Duration,
) (rec auth.Record, held bool, err error) {
	err = b.by.call(ctx, "backend.Acquire", func() (err error) {
		rec, held, err = b.Backend.Acquire(ctx, key, owner, ttl)
		return err
	})
	if err != nil {
		return auth.Record{}, false, err
	}
	return rec, held, err
}

func (b brittleBackend) Save(ctx context.Context, key auth.Key, owner string, seen uint64, rec auth.Record) error {
	return b.by.call(ctx, "backend.Save", func() error { return b.Backend.Save(ctx, key, owner, seen, rec) })
}

func (b brittleBackend) Release(ctx context.Context, key auth.Key, owner string) error {
	return b.by.call(ctx, "backend.Release", func() error { return b.Backend.Release(ctx, key, owner) })
}

// brittleStore is a TokenStore with a saboteur.
type brittleStore struct {
	auth.TokenStore

	by *saboteur
}

func (b brittleStore) Lease() time.Duration { return tokenstore.DefaultLease }

func (b brittleStore) Load(ctx context.Context, key auth.Key) (rec auth.Record, err error) {
	err = b.by.call(ctx, "store.Load", func() (err error) { rec, err = b.TokenStore.Load(ctx, key); return err })
	if err != nil {
		rec = auth.Record{}
	}
	return rec, err
}

func (b brittleStore) Update(
	ctx context.Context, key auth.Key, seen uint64, fn func(context.Context, auth.Record) (auth.Record, error),
) (rec auth.Record, err error) {
	var fromFn error // what fn says is passed on, whatever the store does
	err = b.by.call(ctx, "store.Update", func() (err error) {
		rec, err = b.TokenStore.Update(ctx, key, seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
			next, err := fn(ctx, cur)
			fromFn = err
			return next, err
		})
		return err
	})
	if err != nil && fromFn != nil {
		err = fromFn
	}
	return rec, err
}

// brittleGrant is a Grant with a saboteur.
type brittleGrant struct {
	auth.Grant

	by *saboteur
}

func (b brittleGrant) Obtain(ctx context.Context, prev *auth.Token) (tok *auth.Token, err error) {
	err = b.by.call(ctx, "grant.Obtain", func() (err error) { tok, err = b.Grant.Obtain(ctx, prev); return err })
	if err != nil {
		tok = nil
	}
	return tok, err
}

// torture is a server, a store and their users, one call of which fails.
type torture struct {
	*testing.T

	by     *saboteur
	server *strict
	shelf  *shelf
	store  auth.TokenStore

	mu     sync.Mutex
	logins int // since the grant was lost
	last   time.Time
	told   bool // Close has told that a token is lost
	fleet  bool // there are two processes
}

func newTorture(t *testing.T, by *saboteur) *torture {
	t.Helper()
	x := &torture{T: t, by: by, server: &strict{lifetime: time.Hour, latency: latency}, shelf: &shelf{}}
	x.store = brittleStore{tokenstore.Leased(brittleBackend{x.shelf, by}), by}
	return x
}

func (x *torture) Errorf(format string, args ...any) {
	x.Helper()
	x.T.Errorf("calls %d and %d, %s%s: %s", x.by.at, x.by.also, x.by.hit(), x.by.fault, fmt.Sprintf(format, args...))
}

func (x *torture) manage(opts ...auth.ManageOption) *auth.Manager {
	return auth.Manage(brittleGrant{x.server, x.by}, append(opts, auth.KeepIn(x.store, "x"))...)
}

// insist asks until there is a token, as a program does whose users try again.
func (x *torture) insist(m *auth.Manager, want auth.Want) string {
	x.Helper()
	var err error
	for began := time.Now(); time.Since(began) < time.Hour; time.Sleep(10 * time.Second) {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		var tok *auth.Token
		asked := time.Now()
		tok, err = m.Token(ctx, want)
		cancel()
		switch {
		case err == nil:
			return tok.Value.Reveal()
		case ctx.Err() != nil && time.Since(asked) >= 3*time.Minute:
			x.Errorf("a caller was kept for 3 minutes")
		case errors.Is(err, auth.ErrLoginRequired):
			x.relogin(m, err)
		}
	}
	x.Errorf("there is no token after an hour: %v", err)
	return ""
}

// relogin is what a user does if the grant is lost, which it may only be if the server's answer was.
func (x *torture) relogin(m *auth.Manager, err error) {
	x.Helper()
	if !x.answerLost() && !x.told && !x.split() {
		x.Errorf("the grant is lost: %v", err)
	}
	x.mu.Lock()
	others := time.Since(x.last) < 5*time.Minute
	if !others {
		x.logins++
		x.last = time.Now()
	}
	x.mu.Unlock()
	if others {
		return
	}
	if x.logins > strings.Count(x.by.hit(), "grant.Obtain") && !x.told && !x.split() {
		x.Errorf("the grant is lost %d times: %v", x.logins, err)
	}
	if _, version := stored(x.T, tokenstore.Leased(x.shelf), auth.Key{}); version == 0 && x.server.refresh() != "r1" {
		x.Errorf("S51 the record was deleted")
	}
	login := x.server.login()
	for range 10 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		err = m.Set(ctx, login)
		cancel()
		if err == nil {
			return
		}
		time.Sleep(10 * time.Second)
	}
	x.Errorf("Set: %v", err)
}

// close closes a manager. What it held is in the store then.
func (x *torture) close(m *auth.Manager) {
	x.Helper()
	began := time.Now()
	err := m.Close()
	if took := time.Since(began); took > 2*time.Minute {
		x.Errorf("Close took %v", took)
	}
	tok, _ := stored(x.T, tokenstore.Leased(x.shelf), auth.Key{})
	switch {
	case err != nil && x.by.fault != longOutage:
		x.Errorf("Close: %v", err)
	case err != nil:
		x.told = true
	case tok.Refresh != x.server.refresh() && !x.answerLost():
		x.Errorf("Close did not tell, and the store has %s, the server %s", tok.Refresh, x.server.refresh())
	}
}

// answerLost reports whether the server has answered and nobody got it.
func (x *torture) answerLost() bool {
	return strings.Contains(x.by.hit(), "grant.Obtain") && x.by.fault.late()
}

// split reports whether one of two processes has a token that it could not save for longer than its lease lasted: the
// other cannot know.
func (x *torture) split() bool { return x.by.fault == longOutage && x.fleet }

// story is a life of a token: the first, a renewal in the background, a rejection, an expiry, a restart, and two
// processes.
func (x *torture) story() {
	a := x.manage(first())
	x.insist(a, auth.Want{})
	time.Sleep(50 * time.Minute)
	for range 5 {
		x.insist(a, auth.Want{})
		time.Sleep(time.Minute)
	}
	x.insist(a, not(x.insist(a, auth.Want{})))
	time.Sleep(2 * time.Hour)
	x.insist(a, auth.Want{})
	_, _ = a.Renew(x.Context())
	x.close(a)
	time.Sleep(time.Minute)

	b, c := x.manage(), x.manage()
	x.fleet = true
	for range 3 {
		var all sync.WaitGroup
		for _, m := range []*auth.Manager{b, c, b, c} {
			all.Go(func() { x.insist(m, auth.Want{}) })
		}
		all.Wait()
		time.Sleep(2 * time.Hour)
	}
	x.close(b)
	x.insist(c, auth.Want{})
	time.Sleep(2 * time.Minute)
	x.insist(c, auth.Want{})
	x.close(c)
}

// verdict checks what has become of the grant in the end.
func (x *torture) verdict() {
	if x.answerLost() || x.told || x.logins > 0 && x.split() {
		return // and the user has signed in again, or nobody has needed to
	}
	if x.server.replays != 0 || x.server.revoked || x.logins > 0 {
		x.Errorf("%d replays, revoked %t, %d logins", x.server.replays, x.server.revoked, x.logins)
	}
}

// tortures is how many pairs of calls are tried for each fault.
const tortures = 100

// Each call of the store, its backend and the grant fails once, in every way.
func TestManagerTorture(t *testing.T) {
	t.Parallel()
	calm := &saboteur{}
	synctest.Test(t, func(t *testing.T) {
		x := newTorture(t, calm)
		x.story()
		x.verdict()
		if x.server.grants < 7 {
			t.Errorf("%d grants", x.server.grants)
		}
	})
	if calm.n < 50 {
		t.Fatalf("the story has %d calls", calm.n)
	}
	for f := range faults {
		t.Run("T16 two calls, and each "+f.String(), func(t *testing.T) {
			t.Parallel()
			for range tortures {
				synctest.Test(t, func(t *testing.T) {
					x := newTorture(t, &saboteur{at: 1 + rand.N(calm.n), also: 1 + rand.N(calm.n), fault: f})
					x.story()
					x.verdict()
				})
			}
		})
		t.Run("T16 a call that "+f.String(), func(t *testing.T) {
			t.Parallel()
			for at := 1; at <= calm.n; at++ {
				synctest.Test(t, func(t *testing.T) {
					x := newTorture(t, &saboteur{at: at, fault: f})
					x.story()
					x.verdict()
				})
			}
		})
	}
}
