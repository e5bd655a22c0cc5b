package keystore_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/connection/keystore"
	"github.com/restconn/restconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The passwords of testdata/make.sh.
const (
	storePass = "storepass"
	keyPass   = "keypass"
)

func password(text string) keystore.Option { return keystore.Password(secrets.Static(text)) }

func keyPassword(text string) keystore.Option { return keystore.KeyPassword(secrets.Static(text)) }

// path returns the absolute path of a test file.
func path(tb testing.TB, name string) string {
	tb.Helper()
	full, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return full
}

func read(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(path(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func write(tb testing.TB, file string, data []byte) {
	tb.Helper()
	if err := os.WriteFile(file+".new", data, 0o600); err != nil {
		tb.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		tb.Fatal(err)
	}
}

// renamed copies a test file to another name and returns its Store.
func renamed(t *testing.T, name, as string, opts ...keystore.Option) *keystore.Store {
	t.Helper()
	file := filepath.Join(t.TempDir(), as)
	write(t, file, read(t, name))
	return keystore.File(file, opts...)
}

// describe returns the names of a chain, its leaf first, after it has checked that the key signs for the leaf.
func describe(t *testing.T, identity *tls.Certificate) string {
	t.Helper()
	var names []string
	for _, der := range identity.Certificate {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, certificate.Subject.CommonName)
	}
	if identity.Leaf == nil || identity.Leaf.Subject.CommonName != names[0] {
		t.Errorf("Leaf is not %s", names[0])
	}
	der, err := x509.MarshalPKCS8PrivateKey(identity.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%T %s", key, strings.Join(names, " < "))
}

// wantError checks the sentinel, the format and the place of an error, and that its text shows no password.
func wantError(t *testing.T, err, sentinel error, format keystore.Format, texts ...string) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Fatalf("error %v\nwant  %v", err, sentinel)
	}
	e, ok := errors.AsType[*keystore.Error](err)
	if !ok || e.Format != format {
		t.Errorf("error %#v, want an *Error about %s", e, format)
	}
	shown := fmt.Sprintf("%v %+v %#v", err, err, err)
	for _, secret := range []string{storePass, keyPass, "not-the-password"} {
		if strings.Contains(shown, secret) {
			t.Errorf("the error shows a password: %s", shown)
		}
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q\nlacks %q", err, text)
		}
	}
}
