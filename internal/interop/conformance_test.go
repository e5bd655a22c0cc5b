package interop_test

import (
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/authtest"
	"github.com/restconn/restconn/internal/interop"
)

// TestConformance runs the suite that every store has to pass, also with what is stored sealed.
func TestConformance(t *testing.T) {
	each(t, kinds(), func(t *testing.T, place interop.Place) {
		t.Parallel()
		place.Lease = 9 * time.Second // a third of it is more than SQLite takes when all want to write at once
		for name, sealed := range map[string]bool{"plain": false, "sealed": true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				place := place
				place.Sealed = sealed
				authtest.RunStore(t, authtest.StoreConfig{
					New:     func() (auth.TokenStore, error) { return interop.Open(t.Context(), place) },
					Lease:   place.Lease,
					Failing: []func() (auth.TokenStore, error){func() (auth.TokenStore, error) { return closed(t, place) }},
				})
			})
		}
	})
}

// closed returns a store that has lost its connections, or its directory.
func closed(t *testing.T, place interop.Place) (auth.TokenStore, error) {
	t.Helper()
	if place.Kind == "file" {
		place.Address = ""
	}
	h, err := interop.Open(t.Context(), place)
	if err == nil {
		err = h.Close()
	}
	return h, err
}
