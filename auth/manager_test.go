package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// bubble runs f as a subtest on virtual time.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// manage returns a manager that is closed at the end of the test, and has to close well.
func manage(t *testing.T, g auth.Grant, opts ...auth.ManageOption) *auth.Manager {
	t.Helper()
	m := auth.Manage(g, opts...)
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

// counter is a grant that numbers its tokens: t1, t2 and so on.
type counter struct {
	lifetime time.Duration // 0 if the server does not tell
	latency  time.Duration
	fail     func(n int64) error // of the n-th call
	traits   auth.Traits
	calls    atomic.Int64
}

func (c *counter) Obtain(ctx context.Context, _ *auth.Token) (*auth.Token, error) {
	n := c.calls.Add(1)
	if c.latency > 0 {
		select {
		case <-time.After(c.latency):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if c.fail != nil {
		if err := c.fail(n); err != nil {
			return nil, err
		}
	}
	t := token(fmt.Sprintf("t%d", n))
	if c.lifetime != 0 {
		t.Expiry = time.Now().Add(c.lifetime)
	}
	return t, nil
}

func (c *counter) Traits() auth.Traits { return c.traits }

// called checks how many exchanges there were.
func (c *counter) called(t *testing.T, want int64) {
	t.Helper()
	if n := c.calls.Load(); n != want {
		t.Errorf("%d exchanges, want %d", n, want)
	}
}

// ask asks for a token, and stops the test if there is none.
func ask(t *testing.T, s auth.TokenSource, want auth.Want) string {
	t.Helper()
	got, err := s.Token(t.Context(), want)
	if err != nil {
		t.Fatalf("no token: %v", err)
	}
	return got.Value.Reveal()
}

// expect asks for any token, and checks which it is.
func expect(t *testing.T, s auth.TokenSource, want string) {
	t.Helper()
	if got := ask(t, s, auth.Want{}); got != want {
		t.Errorf("token %s, want %s", got, want)
	}
}

// refuse asks for a token, and checks the error; nil stands for any.
func refuse(t *testing.T, s auth.TokenSource, want auth.Want, wanted error) {
	t.Helper()
	_ = refusal(t, s, want, wanted)
}

// refusal is refuse, and returns the error.
func refusal(t *testing.T, s auth.TokenSource, want auth.Want, wanted error) error {
	t.Helper()
	got, err := s.Token(t.Context(), want)
	if err == nil || wanted != nil && !errors.Is(err, wanted) || got != nil {
		t.Errorf("token %v, error %v, want %v", got, err, wanted)
	}
	return err
}

// not excludes a token.
func not(text string) auth.Want { return auth.Want{Not: secrets.Static(text)} }

// answer is what one of many callers got, and when.
type answer struct {
	text string
	err  error
	took time.Duration
}

// crowd has n goroutines ask at once, and returns what they got.
func crowd(ctx context.Context, s auth.TokenSource, n int, want auth.Want) []answer {
	answers := make([]answer, n)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			began := time.Now()
			got, err := s.Token(ctx, want)
			answers[i] = answer{err: err, took: time.Since(began)}
			if err == nil {
				answers[i].text = got.Value.Reveal()
			}
		})
	}
	all.Wait()
	return answers
}

// percentile returns the time within which so many of a hundred got their answer.
func percentile(answers []answer, percent int) time.Duration {
	times := make([]time.Duration, len(answers))
	for i, a := range answers {
		times[i] = a.took
	}
	slices.Sort(times)
	return times[len(times)*percent/100]
}

// journal collects events.
type journal struct {
	mu     sync.Mutex
	events []auth.Event
}

func (j *journal) watch() auth.ManageOption {
	return auth.Watch(func(e auth.Event) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.events = append(j.events, e)
	})
}

// count returns how many events of a kind there were.
func (j *journal) count(kind auth.EventKind) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, e := range j.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// kinds returns the kinds of the events, in their order.
func (j *journal) kinds() []auth.EventKind {
	j.mu.Lock()
	defer j.mu.Unlock()
	var kinds []auth.EventKind
	for _, e := range j.events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// happened checks the events since the last call, in their order.
func (j *journal) happened(t *testing.T, want ...auth.EventKind) {
	t.Helper()
	if got := j.kinds(); !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = nil
}

// strict is a server that rotates refresh tokens and, when one is used twice, revokes all that came of it. Each
// access token belongs to one generation: a1 comes with r1. It starts with r0.
type strict struct {
	lifetime time.Duration
	latency  time.Duration
	traits   auth.Traits

	mu       sync.Mutex
	current  int // generation
	born     int // the generation of the last login
	revoked  bool
	grants   int // exchanges that brought a token
	replays  int // exchanges of a refresh token that was used before
	refusals int // exchanges that brought invalid_grant
	inside   int // exchanges that the server is busy with
	most     int // the most of them at a time
}

func (s *strict) Obtain(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
	if prev == nil {
		return nil, fmt.Errorf("there is nothing to renew: %w", auth.ErrLoginRequired)
	}
	s.enter(1)
	defer s.enter(-1)
	select {
	case <-time.After(s.latency):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.exchange(prev.Refresh.Reveal())
}

func (s *strict) enter(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside += n
	s.most = max(s.most, s.inside)
}

func (s *strict) exchange(refresh string) (*auth.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n int
	_, _ = fmt.Sscanf(refresh, "r%d", &n)
	if n != s.current {
		s.replays++
		s.revoked = s.revoked || n >= s.born
	}
	if s.revoked || n != s.current {
		s.refusals++
		return nil, auth.ErrInvalidGrant
	}
	s.current++
	s.grants++
	return &auth.Token{
		Value: secrets.Static(fmt.Sprintf("a%d", s.current)), Refresh: secrets.Static(fmt.Sprintf("r%d", s.current)),
		Expiry: time.Now().Add(s.lifetime),
	}, nil
}

func (s *strict) Traits() auth.Traits { return s.traits }

// login is a new sign-in: what was revoked does not matter any more.
func (s *strict) login() *auth.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current += 1000
	s.born = s.current
	s.revoked = false
	return &auth.Token{
		Value: secrets.Static(fmt.Sprintf("a%d", s.current)), Refresh: secrets.Static(fmt.Sprintf("r%d", s.current)),
		Expiry: time.Now().Add(s.lifetime),
	}
}

// revoke is what an administrator does.
func (s *strict) revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = true
}

// refresh returns the refresh token that is good now.
func (s *strict) refresh() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("r%d", s.current)
}

// well checks that no refresh token was used twice, and how many exchanges there were.
func (s *strict) well(t *testing.T, grants int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grants != grants || s.replays != 0 || s.refusals != 0 || s.revoked || s.most > 1 {
		t.Errorf("%d grants, want %d; %d replays, %d refusals, revoked %t, %d at a time",
			s.grants, grants, s.replays, s.refusals, s.revoked, s.most)
	}
}

// first is the option with the token of the first sign-in.
func first() auth.ManageOption { return auth.Seed(auth.Token{Refresh: secrets.Static("r0")}) }

// storedToken is what the tests read of a record.
type storedToken struct {
	Value   string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// stored returns the token that a store has under a key, and its version.
func stored(t *testing.T, s auth.TokenStore, key auth.Key) (storedToken, uint64) {
	t.Helper()
	rec, err := s.Load(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	var tok storedToken
	if rec.Version != 0 {
		if err := json.Unmarshal(rec.Data, &tok); err != nil {
			t.Fatal(err)
		}
	}
	return tok, rec.Version
}

// write puts data into a store, as another program might.
func write(t *testing.T, s auth.TokenStore, key auth.Key, data string) {
	t.Helper()
	rec, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Update(t.Context(), key, rec.Version, func(context.Context, auth.Record) (auth.Record, error) {
		return auth.Record{Data: []byte(data)}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkManagedBearer(b *testing.B) {
	m := auth.Manage(&counter{lifetime: time.Hour})
	a := auth.Bearer(m)
	req, _ := http.NewRequestWithContext(b.Context(), http.MethodGet, "https://api.test/v1/x", nil)
	_ = a.Authenticate(req)
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			clear(req.Header)
			_ = a.Authenticate(req)
		}
	})
	b.Run("token", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = m.Token(b.Context(), auth.Want{})
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			req := req.Clone(b.Context())
			for p.Next() {
				clear(req.Header)
				_ = a.Authenticate(req)
			}
		})
	})
}
