package tokenstore_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

// TestBackendM8 calls the backends as Leased does not: each guard of Save holds without the others.
func TestBackendM8(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) tokenstore.Backend{
		"memory": func(*testing.T) tokenstore.Backend { return tokenstore.NewMemoryBackend() },
		"file": func(t *testing.T) tokenstore.Backend {
			return tokenstore.NewFileBackend(filepath.Join(t.TempDir(), "tokens"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T) { saveGuards(t, open(t)) })
		})
	}
}

func saveGuards(t *testing.T, b tokenstore.Backend) {
	t.Helper()
	ctx := t.Context()
	acquire := func(owner string, want bool) {
		t.Helper()
		if _, held, err := b.Acquire(ctx, theKey, owner, time.Minute); err != nil || held != want {
			t.Errorf("Acquire by %s: %v, %v, want %v", owner, held, err, want)
		}
	}
	save := func(what, owner string, seen, version uint64, want error) {
		t.Helper()
		rec := auth.Record{Version: version, Data: []byte(what)}
		if err := b.Save(ctx, theKey, owner, seen, rec); !errors.Is(err, want) {
			t.Errorf("%s: Save by %s: %v, want %v", what, owner, err, want)
		}
	}
	lost := tokenstore.ErrLeaseLost

	save("no lease", "one", 0, 5, lost)
	acquire("one", true)
	acquire("one", true)
	acquire("two", false)
	save("another owner", "two", 0, 5, lost)
	save("first", "one", 0, 5, nil)
	save("another version", "one", 0, 6, lost)
	save("another version", "one", 6, 7, lost)
	save("second", "one", 5, 6, nil)

	// The lease is over, though nobody else took it.
	time.Sleep(time.Minute + time.Second)
	save("too late", "one", 6, 7, lost)
	acquire("two", true)
	save("taken over", "one", 6, 7, lost)
	if err := b.Release(ctx, theKey, "one"); err != nil {
		t.Errorf("Release: %v", err)
	}
	acquire("three", false)

	// Delete ends the lease before anything is saved under it.
	if err := errors.Join(b.Delete(ctx, theKey), b.Delete(ctx, theKey)); err != nil {
		t.Errorf("Delete: %v", err)
	}
	save("deleted", "two", 6, 7, lost)
	save("deleted", "two", 0, 7, lost)
	acquire("three", true)
	save("deleted, and taken by another", "two", 0, 7, lost)
	save("anew", "three", 0, 8, nil)
	if rec, err := b.Load(ctx, theKey); err != nil || rec.Version != 8 || string(rec.Data) != "anew" {
		t.Errorf("stored is %d %q, %v", rec.Version, rec.Data, err)
	}
	if err := errors.Join(b.Release(ctx, theKey, "three"), b.Release(ctx, theKey, "two")); err != nil {
		t.Errorf("Release: %v", err)
	}
}
