package tokenstore_test

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/authtest"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

var (
	keyOne = secrets.Static("11111111111111111111111111111111")
	keyTwo = secrets.Static("22222222222222222222222222222222")
)

// TestConformance has one store in real time, on a real disk. What the others wait for passes in no time.
func TestConformance(t *testing.T) {
	t.Parallel()
	lease := tokenstore.Lease(shortLease)
	dir := filepath.Join(t.TempDir(), "a", "b")
	authtest.RunStore(t, authtest.StoreConfig{
		New: func() (auth.TokenStore, error) { return tokenstore.NewFile(dir, lease), nil },
		Failing: []func() (auth.TokenStore, error){
			func() (auth.TokenStore, error) { return tokenstore.NewFile(""), nil },
		},
	})
}

func TestConformanceInABubble(t *testing.T) {
	t.Parallel()
	lease := tokenstore.Lease(shortLease)
	down := newFaulty()
	down.fault = func(context.Context, int, string) outcome { return outcome{before: errFault} }
	// same returns the handle of all.
	same := func(s auth.TokenStore) func() (auth.TokenStore, error) {
		return func() (auth.TokenStore, error) { return s, nil }
	}
	conforms(t, "memory", func(*testing.T) authtest.StoreConfig {
		return authtest.StoreConfig{New: same(tokenstore.NewMemory(lease)), Rotations: 100}
	})
	conforms(t, "file with one handle", func(t *testing.T) authtest.StoreConfig {
		t.Helper()
		s, _ := newFile(t, lease)
		return authtest.StoreConfig{New: same(s)}
	})
	conforms(t, "sealed", func(*testing.T) authtest.StoreConfig {
		return authtest.StoreConfig{
			New: same(tokenstore.Sealed(tokenstore.NewMemory(lease), keyOne, keyTwo)),
			Failing: []func() (auth.TokenStore, error){
				same(tokenstore.Sealed(tokenstore.NewMemory(lease))),
				same(tokenstore.Sealed(nil, keyOne)),
				same(tokenstore.Leased(nil)),
				same(tokenstore.Sealed(tokenstore.Leased(down), keyOne)),
			},
		}
	})
}

// conforms runs the suite in a bubble, in which there are no subtests.
func conforms(t *testing.T, name string, config func(t *testing.T) authtest.StoreConfig) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			if err := authtest.CheckStore(t.Context(), config(t)); err != nil {
				t.Error(err)
			}
		})
	})
}
