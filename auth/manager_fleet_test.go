package auth_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

// countingStore counts how often it is read.
type countingStore struct {
	auth.TokenStore

	loads atomic.Int64
}

func (s *countingStore) Load(ctx context.Context, key auth.Key) (auth.Record, error) {
	s.loads.Add(1)
	return s.TokenStore.Load(ctx, key)
}

func TestManagerFleet(t *testing.T) {
	t.Parallel()
	bubble(t, "E11 a renewal that somebody else made meanwhile is one", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour, latency: latency}, tokenstore.NewMemory()
		var all sync.WaitGroup
		for range 16 {
			m := manage(t, s, auth.KeepIn(store, "x"), first())
			all.Go(func() {
				for range 5 {
					if _, err := m.Renew(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		s.well(t, s.grants)
	})
	bubble(t, "E12 a login elsewhere heals within seconds, and the grant is not asked meanwhile", func(t *testing.T) {
		s, store := &strict{lifetime: time.Hour, latency: latency}, tokenstore.NewMemory()
		m := manage(t, s, auth.KeepIn(store, "x"), auth.Seed(auth.Token{Refresh: secrets.Static("r9")}))
		refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		asked := s.refusals
		for range 10 {
			time.Sleep(6 * time.Second)
			refuse(t, m, auth.Want{}, auth.ErrLoginRequired)
		}
		if s.refusals != asked {
			t.Errorf("the dead grant was tried %d times more", s.refusals-asked)
		}
		other := manage(t, s, auth.KeepIn(store, "x"))
		login := &auth.Token{Value: secrets.Static("new"), Expiry: time.Now().Add(time.Hour)}
		if err := other.Set(t.Context(), login); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		expect(t, m, "new")
	})
	bubble(t, "E2 the store is not read again before the time that another process has set", func(t *testing.T) {
		down := &counter{fail: func(int64) error { return errors.New("down") }}
		store := &countingStore{TokenStore: tokenstore.NewMemory()}
		refuse(t, manage(t, down, auth.KeepIn(store, "x")), auth.Want{}, nil)
		m := manage(t, down, auth.KeepIn(store, "x"))
		before := store.loads.Load()
		for range 100 {
			refuse(t, m, auth.Want{}, nil)
		}
		if n := store.loads.Load() - before; n != 1 {
			t.Errorf("it was read %d times", n)
		}
	})
}
