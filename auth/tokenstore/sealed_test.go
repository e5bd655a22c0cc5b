package tokenstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

func failingKey(err error) secrets.Provider {
	return secrets.Func(func(context.Context) (secrets.Value, error) { return secrets.Value{}, err })
}

// raw saves bytes as they are.
func raw(t *testing.T, s auth.TokenStore, key auth.Key, data []byte) {
	t.Helper()
	put(t, s, key, string(data))
}

func TestSealedM9(t *testing.T) {
	t.Parallel()
	short := secrets.Static(strings.Repeat("k", 31))
	for name, c := range map[string]struct {
		keys []secrets.Provider
		want error
	}{
		"M9 the same key":                    {[]secrets.Provider{keyOne}, nil},
		"M9 a new key before the old":        {[]secrets.Provider{keyTwo, keyOne}, nil},
		"M9 another key":                     {[]secrets.Provider{keyTwo}, tokenstore.ErrSealed},
		"M9 a short key":                     {[]secrets.Provider{short}, tokenstore.ErrShortKey},
		"M9 a key that is not to be had":     {[]secrets.Provider{failingKey(errFault)}, errFault},
		"M9 the fitting one is to be had":    {[]secrets.Provider{failingKey(errFault), keyOne}, nil},
		"M9 no fitting one among those here": {[]secrets.Provider{keyTwo, failingKey(errFault)}, errFault},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inner := tokenstore.NewMemory()
			put(t, tokenstore.Sealed(inner, keyOne), theKey, secretText)
			before, _ := inner.Load(t.Context(), theKey)
			s := tokenstore.Sealed(inner, c.keys...)
			rec, err := s.Load(t.Context(), theKey)
			if c.want == nil {
				if err != nil || string(rec.Data) != secretText {
					t.Errorf("Load returned %q, %v", rec.Data, err)
				}
				return
			}
			wantStoreError(t, err, c.want)
			if errors.Is(err, tokenstore.ErrSealed) != errors.Is(c.want, tokenstore.ErrSealed) || len(rec.Data) > 0 {
				t.Errorf("Load returned %q, %v", rec.Data, err)
			}
			_, err = s.Update(t.Context(), theKey, before.Version, func(context.Context, auth.Record) (auth.Record, error) {
				t.Error("the exchange was made")
				return auth.Record{}, nil
			})
			wantStoreError(t, err, c.want)
			_, err = s.Update(t.Context(), theKey, before.Version+1, give("x"))
			wantStoreError(t, err, c.want)
			after, err := inner.Load(t.Context(), theKey)
			if err != nil || after.InFlight || after.Version != before.Version || !bytes.Equal(after.Data, before.Data) {
				t.Errorf("the record was changed: %v", err)
			}
		})
	}
}

func TestSealedM9Rotation(t *testing.T) {
	t.Parallel()
	inner := tokenstore.NewMemory()
	put(t, tokenstore.Sealed(inner, keyOne), theKey, "one")
	both := tokenstore.Sealed(inner, keyTwo, keyOne)
	put(t, both, theKey, "two")
	if got := text(t, tokenstore.Sealed(inner, keyTwo), theKey); got != "two" {
		t.Errorf("the new key alone opens %q", got)
	}
	_, err := tokenstore.Sealed(inner, keyOne).Load(t.Context(), theKey)
	wantStoreError(t, err, tokenstore.ErrSealed)
}

func TestSealedM9Tampered(t *testing.T) {
	t.Parallel()
	inner := tokenstore.NewMemory()
	s := tokenstore.Sealed(inner, keyOne)
	put(t, s, theKey, secretText)
	rec, _ := inner.Load(t.Context(), theKey)
	sealed := rec.Data
	if bytes.Contains(sealed, []byte(secretText)) || len(sealed) != 5+12+len(secretText)+16 {
		t.Errorf("%d bytes are stored: %q", len(sealed), sealed)
	}
	refused := func(what string, data []byte) {
		raw(t, inner, theKey, data)
		got, err := s.Load(t.Context(), theKey)
		if !errors.Is(err, tokenstore.ErrSealed) || len(got.Data) > 0 {
			t.Errorf("%s: Load returned %q, %v", what, got.Data, err)
		}
		wantStoreError(t, err, tokenstore.ErrSealed)
		if strings.Contains(fmt.Sprint(err), secretText) {
			t.Errorf("%s: the error holds the token: %v", what, err)
		}
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		refused(fmt.Sprintf("byte %d changed", i), changed)
		refused(fmt.Sprintf("cut at %d", i), sealed[:i])
	}
	refused("longer", append(bytes.Clone(sealed), 0))
	refused("plain text", []byte(secretText))
	refused("a token in JSON", []byte(`{"refresh":"`+secretText+`"}`))
	refused("the magic alone", sealed[:5])
	raw(t, inner, theKey, sealed)
	if got := text(t, s, theKey); got != secretText {
		t.Errorf("stored is %q", got)
	}
}

// TestSealedS46 copies a record to other keys: it opens under its own only.
func TestSealedS46(t *testing.T) {
	t.Parallel()
	inner := tokenstore.NewMemory()
	s := tokenstore.Sealed(inner, keyOne)
	put(t, s, theKey, secretText)
	rec, _ := inner.Load(t.Context(), theKey)
	for _, other := range []auth.Key{
		{Connection: "billing", Config: "c1", Subject: "eve"},
		{Connection: "billing", Config: "c1"},
		{Connection: "billing", Config: "c1a", Subject: "da"},
		{Connection: "billingc1", Config: "", Subject: "ada"},
		{Connection: "ada", Config: "c1", Subject: "billing"},
	} {
		raw(t, inner, other, rec.Data)
		_, err := s.Load(t.Context(), other)
		wantStoreError(t, err, tokenstore.ErrSealed)
	}
}

func TestSealedNonce(t *testing.T) {
	t.Parallel()
	inner := tokenstore.NewMemory()
	s := tokenstore.Sealed(inner, keyOne)
	used := make(map[string]bool)
	for range 100 {
		put(t, s, theKey, secretText)
		rec, _ := inner.Load(t.Context(), theKey)
		nonce := string(rec.Data[5:17])
		if used[nonce] {
			t.Fatal("a nonce was used twice")
		}
		used[nonce] = true
	}
}

// TestSealedKeepsTheToken fails to save: the answer is the new token in the clear, as from any store.
func TestSealedKeepsTheToken(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T) {
		f := newFaulty()
		s := tokenstore.Sealed(tokenstore.Leased(f), keyOne)
		f.fault = func(_ context.Context, n int, op string) outcome {
			if n > 2 && op == "save" {
				return outcome{before: errFault}
			}
			return outcome{}
		}
		rec, err := s.Update(t.Context(), theKey, 0, give(secretText))
		wantStoreError(t, err, errFault)
		if string(rec.Data) != secretText || rec.Version == 0 {
			t.Errorf("the answer is %q", rec.Data)
		}
	})
}

// plainStore is a TokenStore that says nothing of its leases.
type plainStore struct{ auth.TokenStore }

func TestSealedLease(t *testing.T) {
	t.Parallel()
	s := tokenstore.Sealed(tokenstore.NewMemory(tokenstore.Lease(shortLease)), keyOne)
	if l, ok := s.(auth.Leaser); !ok || l.Lease() != shortLease {
		t.Error("the lease is not passed on")
	}
	if _, ok := tokenstore.Sealed(plainStore{tokenstore.NewMemory()}, keyOne).(auth.Leaser); ok {
		t.Error("a lease was invented")
	}
}

func TestPrints(t *testing.T) {
	t.Parallel()
	memory := tokenstore.NewMemory()
	put(t, memory, theKey, secretText)
	file, dir := newFile(t)
	for _, s := range []auth.TokenStore{memory, tokenstore.Sealed(memory, keyOne), file} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			got := fmt.Sprintf(verb, s)
			if !strings.HasSuffix(got, "TokenStore") || strings.Contains(got, dir) {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
}

// lastNext is a store that remembers what the last function of an Update returned.
type lastNext struct {
	auth.TokenStore

	next auth.Record
}

func (s *lastNext) Update(
	ctx context.Context, key auth.Key, seen uint64, fn func(context.Context, auth.Record) (auth.Record, error),
) (auth.Record, error) {
	return s.TokenStore.Update(ctx, key, seen, func(ctx context.Context, cur auth.Record) (auth.Record, error) {
		next, err := fn(ctx, cur)
		s.next = next
		return next, err
	})
}

func TestSealedFailure(t *testing.T) {
	t.Parallel()
	inner := &lastNext{TokenStore: tokenstore.NewMemory()}
	s := tokenstore.Sealed(inner, keyOne)
	put(t, s, theKey, secretText)
	rec, err := s.Load(t.Context(), theKey)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Update(t.Context(), theKey, rec.Version, func(_ context.Context, cur auth.Record) (auth.Record, error) {
		return cur, errFault
	})
	if !errors.Is(err, errFault) || len(inner.next.Data) != 0 {
		t.Errorf("M9 S46 after a failure the store below is handed %q, %v", inner.next.Data, err)
	}
}
