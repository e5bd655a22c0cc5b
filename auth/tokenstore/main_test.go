package tokenstore_test

import (
	"context"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

// TestMain runs the tests, or what a test wants done by a process of its own.
func TestMain(m *testing.M) {
	if job := os.Getenv(jobVariable); job != "" {
		os.Exit(runJob(job))
	}
	goleak.VerifyTestMain(m)
}

// shortLease is one that is waited for in real time. A third of it is longer than a busy disk takes.
const shortLease = 3 * time.Second

var theKey = auth.Key{Connection: "billing", Config: "c1", Subject: "ada"}

// give returns an exchange that succeeds.
func give(text string) func(context.Context, auth.Record) (auth.Record, error) {
	return func(context.Context, auth.Record) (auth.Record, error) { return auth.Record{Data: []byte(text)}, nil }
}

// put saves a text over what is stored.
func put(t *testing.T, s auth.TokenStore, key auth.Key, text string) auth.Record {
	t.Helper()
	rec, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if rec, err = s.Update(t.Context(), key, rec.Version, give(text)); err != nil {
		t.Fatal(err)
	}
	return rec
}

// text returns what is stored.
func text(t *testing.T, s auth.TokenStore, key auth.Key) string {
	t.Helper()
	rec, err := s.Load(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(rec.Data)
}

// newFile returns a store in a new directory, and the directory.
func newFile(t *testing.T, opts ...tokenstore.Option) (auth.TokenStore, string) {
	t.Helper()
	dir := t.TempDir() + "/tokens"
	return tokenstore.NewFile(dir, opts...), dir
}
