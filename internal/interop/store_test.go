package interop_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/internal/interop"
)

func TestRecords(t *testing.T) {
	each(t, kinds(), func(t *testing.T, place interop.Place) {
		h := open(t, place)
		if got := load(t, h, alice); got.Version != 0 || got.Data != nil || got.InFlight || !got.RetryAt.IsZero() {
			t.Errorf("no record is %+v", got)
		}
		var data []byte
		for i := range 100_000 {
			data = append(data, byte(i), byte(i>>8))
		}
		first := put(t, h, alice, 0, string(data))
		if got := load(t, open(t, place), alice); !cmp.Equal(got, first) {
			t.Errorf("another handle has another record: version %d, %d bytes", got.Version, len(got.Data))
		}
		second := put(t, h, alice, first.Version, "short")
		if second.Version <= first.Version {
			t.Errorf("version %d came after %d", second.Version, first.Version)
		}

		retryAt := time.Now().Add(time.Hour)
		reason := errors.New("no")
		failed := auth.Record{RetryAt: retryAt, InFlight: true}
		kept, err := h.Update(t.Context(), alice, second.Version, returns(failed, reason))
		if !errors.Is(err, reason) || string(kept.Data) != "short" {
			t.Errorf("a failed exchange: %q, %v", kept.Data, err)
		}
		got := load(t, h, alice)
		if !got.RetryAt.Equal(retryAt) || !got.InFlight || got.Version != second.Version || string(got.Data) != "short" {
			t.Errorf("after a failed exchange: %+v", got)
		}

		if err := h.Delete(t.Context(), alice); err != nil {
			t.Error("Delete:", err)
		}
		if err := h.Delete(t.Context(), alice); err != nil {
			t.Error("Delete of nothing:", err)
		}
		if got := load(t, h, alice); got.Version != 0 {
			t.Errorf("after Delete: %+v", got)
		}
	})
}

// TestFirstFailure is about a record that has no token yet.
func TestFirstFailure(t *testing.T) {
	each(t, kinds(), func(t *testing.T, place interop.Place) {
		h := open(t, place)
		retryAt, reason := time.Now().Add(time.Hour), errors.New("no")
		_, err := h.Update(t.Context(), alice, 0, returns(auth.Record{RetryAt: retryAt}, reason))
		if !errors.Is(err, reason) {
			t.Error(err)
		}
		if got := load(t, h, alice); got.Version != 0 || !got.RetryAt.Equal(retryAt) {
			t.Errorf("got %+v", got)
		}
		_, err = h.Update(t.Context(), alice, 0, func(_ context.Context, cur auth.Record) (auth.Record, error) {
			if cur.InFlight || !cur.RetryAt.Equal(retryAt) {
				t.Errorf("fn got %+v", cur)
			}
			return auth.Record{}, reason
		})
		if !errors.Is(err, reason) {
			t.Error(err)
		}
		if got := load(t, h, alice); !got.RetryAt.IsZero() || got.InFlight {
			t.Errorf("got %+v", got)
		}
	})
}

func TestKeys(t *testing.T) {
	keys := []auth.Key{
		{}, {Connection: "ab"}, {Connection: "a", Config: "b"}, {Config: "ab"}, {Subject: "ab"}, {Config: "a", Subject: "b"},
		{Connection: "a:b"}, {Connection: "a", Subject: ":b"}, {Connection: "{x}"}, {Connection: "}{"}, {Subject: "a\x00b"},
		{Subject: "\xff\xfe"}, {Subject: "É"}, {Subject: "é"}, {Subject: "e\u0301"}, {Subject: " "}, {Subject: "'; --"},
		{Subject: strings.Repeat("x", 300_000)}, {Subject: strings.Repeat("x", 300_001)},
	}
	each(t, kinds(), func(t *testing.T, place interop.Place) {
		h := open(t, place)
		var text []string
		for i, key := range keys {
			text = append(text, strings.Repeat("k", i+1))
			put(t, h, key, 0, text[i])
		}
		for i, key := range keys {
			if got := load(t, h, key); string(got.Data) != text[i] {
				t.Errorf("key %d has the token of key %d", i, len(got.Data)-1)
			}
		}
	})
}

// TestLeaseLost lets somebody else in while an exchange goes on.
func TestLeaseLost(t *testing.T) {
	each(t, kinds(), func(t *testing.T, place interop.Place) {
		place.Lease = time.Second
		h, other := open(t, place), open(t, place)
		tests := []struct {
			name      string
			meanwhile func(t *testing.T, seen uint64)
			want      string
		}{
			{
				name: "M7 M8 the lease ended", want: "theirs",
				meanwhile: func(t *testing.T, seen uint64) { put(t, other, alice, seen, "theirs") },
			},
			{
				name: "deleted", want: "",
				meanwhile: func(t *testing.T, _ uint64) {
					if err := other.Delete(t.Context(), alice); err != nil {
						t.Error(err)
					}
				},
			},
			{
				name: "deleted and made anew", want: "new",
				meanwhile: func(t *testing.T, _ uint64) {
					if err := other.Delete(t.Context(), alice); err != nil {
						t.Error(err)
					}
					put(t, other, alice, 0, "new")
				},
			},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				seen := put(t, h, alice, load(t, h, alice).Version, "old").Version
				_, err := h.Update(t.Context(), alice, seen, func(context.Context, auth.Record) (auth.Record, error) {
					tt.meanwhile(t, seen)
					return auth.Record{Data: []byte("ours")}, nil
				})
				wantStoreError(t, err, "save")
				// A lease that has ended on our clock ends the attempt before the database can refuse it.
				if !errors.Is(err, tokenstore.ErrLeaseLost) && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				if got := load(t, h, alice); string(got.Data) != tt.want {
					t.Errorf("the record is %q, want %q", got.Data, tt.want)
				}
			})
		}
	})
}

// TestWaiting holds a lease, and lets others wait for it.
func TestWaiting(t *testing.T) {
	each(t, kinds(), func(t *testing.T, place interop.Place) {
		h, other := open(t, place), open(t, place)
		seen := put(t, h, alice, 0, "old").Version
		_, err := h.Update(t.Context(), alice, seen, func(context.Context, auth.Record) (auth.Record, error) {
			if h.DB != nil {
				h.DB.SetMaxOpenConns(1) // a connection that is held would leave none for these
			}
			if got := load(t, h, alice); !got.InFlight || got.Version != seen {
				t.Errorf("during the exchange: %+v", got)
			}
			_, err := other.Update(within(t, 100*time.Millisecond), alice, seen, returns(auth.Record{}, nil))
			wantStoreError(t, err, "lease")
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			theirs, err := other.Update(within(t, time.Minute), alice, seen+1, nil)
			if err != nil || theirs.Version != seen {
				t.Errorf("a version that is not seen: %+v, %v", theirs, err)
			}
			put(t, h, auth.Key{Subject: "bob"}, 0, "another key")
			return auth.Record{Data: []byte("new")}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := load(t, other, alice); string(got.Data) != "new" || got.InFlight {
			t.Errorf("after the exchange: %+v", got)
		}
		put(t, other, alice, seen+1, "newer") // the lease was given back
	})
}

// TestCompared changes one column while an exchange goes on: each alone keeps the token from being saved.
func TestCompared(t *testing.T) {
	each(t, sqlKinds(), func(t *testing.T, place interop.Place) {
		h := open(t, place)
		for name, change := range map[string]string{
			"M7 the owner":            `lease_owner = 'another'`,
			"M7 the end of the lease": `lease_until = 1`,
			"M8 the version":          `version = version + 7`,
		} {
			t.Run(name, func(t *testing.T) {
				if err := h.Delete(t.Context(), alice); err != nil {
					t.Fatal(err)
				}
				seen := put(t, h, alice, 0, "old").Version
				_, err := h.Update(t.Context(), alice, seen, func(context.Context, auth.Record) (auth.Record, error) {
					_, err := h.DB.Exec(`UPDATE "` + place.Space + `" SET ` + change)
					return auth.Record{Data: []byte("ours")}, err
				})
				wantStoreError(t, err, "save")
				if got := load(t, h, alice); !errors.Is(err, tokenstore.ErrLeaseLost) || string(got.Data) != "old" {
					t.Errorf("the record is %q, %v", got.Data, err)
				}
			})
		}
	})
}
