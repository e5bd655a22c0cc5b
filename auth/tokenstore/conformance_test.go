package tokenstore_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/authtest"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

var (
	keyOne = secrets.Static("11111111111111111111111111111111")
	keyTwo = secrets.Static("22222222222222222222222222222222")
)

func TestConformance(t *testing.T) {
	t.Parallel()
	lease := tokenstore.Lease(shortLease)
	down := newFaulty()
	down.fault = func(context.Context, int, string) outcome { return outcome{before: errFault} }
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		s := tokenstore.NewMemory(lease)
		authtest.RunStore(t, authtest.StoreConfig{New: func() (auth.TokenStore, error) { return s, nil }, Rotations: 100})
	})
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "a", "b")
		authtest.RunStore(t, authtest.StoreConfig{
			New: func() (auth.TokenStore, error) { return tokenstore.NewFile(dir, lease), nil },
			Failing: []func() (auth.TokenStore, error){
				func() (auth.TokenStore, error) { return tokenstore.NewFile(""), nil },
			},
		})
	})
	t.Run("file with one handle", func(t *testing.T) {
		t.Parallel()
		s, _ := newFile(t, lease)
		authtest.RunStore(t, authtest.StoreConfig{New: func() (auth.TokenStore, error) { return s, nil }})
	})
	t.Run("sealed", func(t *testing.T) {
		t.Parallel()
		s := tokenstore.NewMemory(lease)
		authtest.RunStore(t, authtest.StoreConfig{
			New: func() (auth.TokenStore, error) { return tokenstore.Sealed(s, keyOne, keyTwo), nil },
			Failing: []func() (auth.TokenStore, error){
				func() (auth.TokenStore, error) { return tokenstore.Sealed(s), nil },
				func() (auth.TokenStore, error) { return tokenstore.Sealed(nil, keyOne), nil },
				func() (auth.TokenStore, error) { return tokenstore.Leased(nil), nil },
				func() (auth.TokenStore, error) { return tokenstore.Sealed(tokenstore.Leased(down), keyOne), nil },
			},
		})
	})
}
