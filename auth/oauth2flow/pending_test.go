package oauth2flow_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth/oauth2flow"
)

// countingStore counts the logins that are in a store, and can be down.
type countingStore struct {
	oauth2flow.PendingStore

	puts, takes atomic.Int32
	down        atomic.Bool
}

var errDown = errors.New("the store is down")

func (s *countingStore) Put(ctx context.Context, key string, record []byte, expires time.Time) error {
	if s.down.Load() {
		return errDown
	}
	s.puts.Add(1)
	return s.PendingStore.Put(ctx, key, record, expires)
}

func (s *countingStore) Take(ctx context.Context, key string) ([]byte, error) {
	if s.down.Load() {
		return nil, errDown
	}
	record, err := s.PendingStore.Take(ctx, key)
	if record != nil {
		s.takes.Add(1)
	}
	return record, err
}

// left is how many logins are in the store.
func (s *countingStore) left() int32 { return s.puts.Load() - s.takes.Load() }

func TestPendingMemory(t *testing.T) {
	t.Parallel()
	const most = 10_000
	put := func(t *testing.T, s oauth2flow.PendingStore, key string, expires time.Time) {
		t.Helper()
		if err := s.Put(t.Context(), key, []byte("of "+key), expires); err != nil {
			t.Fatal(err)
		}
	}
	take := func(t *testing.T, s oauth2flow.PendingStore, key string) string {
		t.Helper()
		record, err := s.Take(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		return string(record)
	}
	t.Run("S4 a record is taken once", func(t *testing.T) {
		t.Parallel()
		s := oauth2flow.NewPendingMemory()
		put(t, s, "a", time.Now().Add(time.Minute))
		equal(t, "records", []string{take(t, s, "a"), take(t, s, "a"), take(t, s, "b")}, []string{"of a", "", ""})
	})
	t.Run("S4 it expires", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := oauth2flow.NewPendingMemory()
			put(t, s, "a", time.Now().Add(time.Minute))
			put(t, s, "b", time.Now().Add(2*time.Minute))
			time.Sleep(time.Minute)
			put(t, s, "c", time.Now().Add(time.Minute))
			equal(t, "records", []string{take(t, s, "a"), take(t, s, "b"), take(t, s, "c")}, []string{"", "of b", "of c"})
		})
	})
	t.Run("of more than 10,000 the oldest are forgotten", func(t *testing.T) {
		t.Parallel()
		s := oauth2flow.NewPendingMemory()
		until := time.Now().Add(time.Minute)
		for i := range 3 * most {
			put(t, s, strconv.Itoa(i), until)
		}
		put(t, s, strconv.Itoa(3*most-1), until) // in its own place
		var kept int
		for i := range 3 * most {
			if got := take(t, s, strconv.Itoa(i)); (got != "") != (i >= 2*most) {
				t.Fatalf("record %d: %q", i, got)
			} else if got != "" {
				kept++
			}
		}
		equal(t, "records", kept, most)
	})
	t.Run("a record is the store's own", func(t *testing.T) {
		t.Parallel()
		s := oauth2flow.NewPendingMemory()
		record := []byte("mine")
		if err := s.Put(t.Context(), "a", record, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		record[0] = 'M'
		equal(t, "record", take(t, s, "a"), "mine")
		if s.Put(t.Context(), "", record, time.Now().Add(time.Minute)) == nil {
			t.Error("a key that is empty is no error")
		}
	})
	t.Run("S47 it shows no record", func(t *testing.T) {
		t.Parallel()
		s := oauth2flow.NewPendingMemory()
		put(t, s, "a", time.Now().Add(time.Minute))
		hides(t, s, "of a", "111 102 32 97")
	})
}

// BenchmarkPendingMemory puts into a store that is full.
func BenchmarkPendingMemory(b *testing.B) {
	s := oauth2flow.NewPendingMemory()
	until := time.Now().Add(time.Hour)
	var i int
	for b.Loop() {
		i++
		if err := s.Put(b.Context(), strconv.Itoa(i), nil, until); err != nil {
			b.Fatal(err)
		}
	}
}
