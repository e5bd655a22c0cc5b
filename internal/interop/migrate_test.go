package interop_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/restconn/restconn/auth/tokenstore/sqlstore"
	"github.com/restconn/restconn/internal/interop"
)

func sqlKinds() []string { return []string{"sqlite", "postgres", "pgbouncer"} }

func TestMigrate(t *testing.T) {
	each(t, sqlKinds(), func(t *testing.T, place interop.Place) {
		t.Run("8 at once", func(t *testing.T) {
			place := newPlace(t, place.Kind)
			var all sync.WaitGroup
			handles := make([]*interop.Handle, 8)
			for i := range handles {
				all.Go(func() {
					h, err := interop.Open(t.Context(), place)
					if err != nil {
						t.Error(err)
						return
					}
					handles[i] = h
				})
			}
			all.Wait()
			for _, h := range handles {
				if h != nil {
					t.Cleanup(func() { _ = h.Close() })
				}
			}
			if !t.Failed() {
				put(t, handles[0], alice, 0, "it works")
			}
		})
		t.Run("again", func(t *testing.T) {
			h := open(t, place)
			put(t, h, alice, 0, "kept")
			if err := sqlstore.Migrate(t.Context(), h.DB, h.Dialect, place.Space); err != nil {
				t.Error(err)
			}
			if got := load(t, h, alice); string(got.Data) != "kept" {
				t.Errorf("got %+v", got)
			}
		})
		t.Run("newer", func(t *testing.T) {
			place := newPlace(t, place.Kind)
			h := open(t, place)
			set := func(version string) {
				if _, err := h.DB.Exec(`UPDATE "` + place.Space + `_schema" SET version = ` + version); err != nil {
					t.Fatal(err)
				}
			}
			set("1000")
			if _, err := interop.Open(t.Context(), place); !errors.Is(err, sqlstore.ErrNewerSchema) {
				t.Error(err)
			}
			put(t, h, alice, 0, "the old program goes on")
			set("1")
		})
		t.Run("by hand", func(t *testing.T) {
			hand := newPlace(t, place.Kind)
			h := open(t, place)
			if _, err := h.DB.Exec(sqlstore.Schema(h.Dialect, hand.Space)); err != nil {
				t.Fatal(err)
			}
			put(t, open(t, hand), alice, 0, "it works")
		})
	})
}
