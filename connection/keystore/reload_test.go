package keystore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/restconn/restconn/connection/keystore"
	"github.com/restconn/restconn/secrets"
)

// counted is a provider that counts how often it is asked.
type counted struct {
	mu    sync.Mutex
	asked int
	text  string
}

func (c *counted) Secret(context.Context) (secrets.Value, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return secrets.Static(c.text), nil
}

func TestReload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "client.p12")
	pass := &counted{text: storePass}
	s := keystore.File(file, keystore.Password(pass))
	if _, err := s.Identity(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("I-20 missing file: %v", err)
	}
	write(t, file, read(t, "rsa.p12"))
	first, err := s.Identity(t.Context())
	if err != nil {
		t.Fatalf("B3 a failure was kept: %v", err)
	}
	asked := pass.asked
	if again, err := s.Identity(t.Context()); err != nil || again != first || pass.asked != asked {
		t.Errorf("B3 unchanged: same pointer %t, asked %d times more, %v", again == first, pass.asked-asked, err)
	}
	write(t, file, read(t, "rsa-legacy.p12"))
	if again, err := s.Identity(t.Context()); err != nil || again != first || pass.asked == asked {
		t.Errorf("B3 same key in other bytes: same pointer %t, %v", again == first, err)
	}
	write(t, file, []byte("half a fi"))
	if _, err := s.Identity(t.Context()); !errors.Is(err, keystore.ErrUnsupported) {
		t.Errorf("B3 unreadable: %v", err)
	}
	write(t, file, read(t, "ed.p12"))
	changed, err := s.Identity(t.Context())
	if err != nil || changed == first {
		t.Fatalf("B3 changed: %v", err)
	}
	if got := describe(t, changed); got != "ed25519.PrivateKey client-ed < Test Issuing < Test Root" {
		t.Errorf("B3 changed: %s", got)
	}
}

func TestReloadRoots(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "trust.jks")
	pass := &counted{text: storePass}
	s := keystore.File(file, keystore.Password(pass))
	write(t, file, read(t, "trust.jks"))
	first, err := s.Roots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.Roots(t.Context()); err != nil || again != first || pass.asked != 1 {
		t.Errorf("unchanged: same pointer %t, asked %d times, %v", again == first, pass.asked, err)
	}
	write(t, file, read(t, "roots.pem"))
	if again, err := s.Roots(t.Context()); err != nil || again != first {
		t.Errorf("same roots as PEM: same pointer %t, %v", again == first, err)
	}
	write(t, file, read(t, "mixed.jks"))
	if changed, err := s.Roots(t.Context()); err != nil || changed == first || !changed.Equal(poolOf(t, 0)) {
		t.Errorf("changed: %v", err)
	}
}

func TestReloadOfFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certificates, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	s := keystore.Files(certificates, key)
	write(t, certificates, read(t, "rsa.pem"))
	write(t, key, read(t, "rsa.key"))
	first, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, key, read(t, "ec-sec1.key"))
	_, err = s.Identity(t.Context())
	wantError(t, err, keystore.ErrMismatch, keystore.PEM)
	write(t, certificates, read(t, "ec-leaf.pem"))
	if changed, err := s.Identity(t.Context()); err != nil || changed == first {
		t.Errorf("both changed: %v", err)
	}
}

func TestConcurrentCallers(t *testing.T) {
	t.Parallel()
	pass := &counted{text: storePass}
	s := keystore.File(path(t, "rsa.jks"), keystore.Password(pass))
	first, err := s.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked := pass.asked
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if again, err := s.Identity(t.Context()); err != nil || again != first {
				t.Errorf("another identity, %v", err)
			}
			if _, err := s.Roots(t.Context()); !errors.Is(err, keystore.ErrNoCertificate) {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if s := pass.asked - asked; s != 16 {
		t.Errorf("asked %d times, want once for each failure", s)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	data, reason := read(t, "rsa.jks"), errors.New("the reason")
	synctest.Test(t, func(t *testing.T) {
		hanging := secrets.Func(func(ctx context.Context) (secrets.Value, error) {
			<-ctx.Done()
			return secrets.Value{}, context.Cause(ctx)
		})
		s := keystore.Bytes(data, keystore.Password(hanging))
		ctx, cancel := context.WithCancelCause(t.Context())
		var group sync.WaitGroup
		group.Go(func() { // it waits for the provider
			if _, err := s.Identity(ctx); !errors.Is(err, reason) {
				t.Error(err)
			}
		})
		synctest.Wait()
		waiting, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		group.Go(func() { // it waits for the other
			_, err := s.Identity(waiting)
			left <- err
		})
		synctest.Wait()
		leave()
		synctest.Wait()
		select {
		case err := <-left:
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		default:
			t.Error("it goes on waiting, although its context has ended")
		}
		cancel(reason)
		group.Wait()
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := keystore.File(path(t, "ed.pem")).Identity(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestProviderFails(t *testing.T) {
	t.Parallel()
	s := keystore.File(path(t, "rsa.jks"), keystore.Password(secrets.File("/does/not/exist")))
	_, err := s.Identity(t.Context())
	wantError(t, err, secrets.ErrNotFound, keystore.JKS)
}
