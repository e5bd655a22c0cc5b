package interop_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/interop"
	"github.com/restconn/restconn/internal/interop/pki"
	"github.com/restconn/restconn/internal/interop/rotation"
	"github.com/restconn/restconn/internal/interop/servers"
)

const (
	workerEnv = "RESTCONN_INTEROP_WORKER" // makes the test binary a worker
	startEnv  = "RESTCONN_INTEROP"        // starts servers, and makes a missing one a failure
)

var park = interop.NewPark(os.Getenv(startEnv) != "")

func TestMain(m *testing.M) {
	interop.Silence()
	if os.Getenv(workerEnv) != "" {
		if rotation.WorkFromInput(context.Background(), os.Stdin, os.Stdout) != nil {
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	faults := park.Close()
	if code == 0 {
		faults = errors.Join(faults, goleak.Find())
	}
	if faults != nil {
		fmt.Fprintln(os.Stderr, faults)
		code = 1
	}
	os.Exit(code)
}

// self makes the command of a worker.
func self(t *testing.T) func(context.Context) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, path)
		cmd.Env = append(os.Environ(), workerEnv+"=1")
		cmd.Stderr = os.Stderr
		return cmd
	}
}

func kinds() []string { return append(interop.LocalKinds(), servers.Kinds()...) }

// each runs a test for each of the kinds, in a place of its own, or skips it where there is no server.
func each(t *testing.T, kinds []string, test func(t *testing.T, place interop.Place)) {
	t.Helper()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) { test(t, newPlace(t, kind)) })
	}
}

// newPlace returns a place that is cleared after the test.
func newPlace(t *testing.T, kind string) interop.Place {
	t.Helper()
	place, err := park.Place(t.Context(), kind, filepath.Join(t.TempDir(), "store"))
	had(t, err)
	t.Cleanup(func() {
		if err := interop.Clear(context.Background(), place); err != nil {
			t.Error(err)
		}
	})
	return place
}

// server returns a server that is no store.
func server(t *testing.T, kind string) *servers.Server {
	t.Helper()
	begin := time.Now()
	s, err := park.Server(t.Context(), kind)
	had(t, err)
	t.Logf("%s after %v", kind, time.Since(begin).Round(time.Millisecond))
	return s
}

// had skips a test for which there is no server, and fails one for which there should be.
func had(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, interop.ErrNoServer) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// certificates returns those of all servers and their clients.
func certificates(t *testing.T) *pki.Set {
	t.Helper()
	set, err := park.Certificates()
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// open opens a handle that is closed after the test.
func open(t *testing.T, place interop.Place) *interop.Handle {
	t.Helper()
	h, err := interop.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// within returns a context that ends after d at the latest.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

var alice = auth.Key{Connection: "payments", Config: "c1", Subject: "alice"}

// put saves data under the version after seen, and returns the record.
func put(t *testing.T, store auth.TokenStore, key auth.Key, seen uint64, data string) auth.Record {
	t.Helper()
	rec, err := store.Update(within(t, time.Minute), key, seen, returns(auth.Record{Data: []byte(data)}, nil))
	if err != nil || string(rec.Data) != data {
		t.Fatalf("Update: %q, %v", rec.Data, err)
	}
	return rec
}

func load(t *testing.T, store auth.TokenStore, key auth.Key) auth.Record {
	t.Helper()
	rec, err := store.Load(within(t, time.Minute), key)
	if err != nil {
		t.Fatal("Load:", err)
	}
	return rec
}

// exchange is what Update is given.
type exchange func(context.Context, auth.Record) (auth.Record, error)

func returns(rec auth.Record, err error) exchange {
	return func(context.Context, auth.Record) (auth.Record, error) { return rec, err }
}

// wantStoreError checks the type of an error.
func wantStoreError(t *testing.T, err error, op string) {
	t.Helper()
	failed, ok := errors.AsType[*auth.StoreError](err)
	if !ok || failed.Op != op {
		t.Fatalf("got %v, want a StoreError of %q", err, op)
	}
}
