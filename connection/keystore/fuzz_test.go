package keystore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/restconn/restconn/connection/keystore"
)

// iterations is what one derivation may cost while fuzzing: what OpenSSL writes.
const iterations = 2048

// seed adds the test files of some kinds.
func seed(f *testing.F, patterns ...string) {
	f.Helper()
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(files) == 0 {
			f.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

// try reads data in every way and checks that each call stays within its memory, and that an error is of this package.
func try(t *testing.T, data []byte) {
	t.Helper()
	for _, opts := range [][]keystore.Option{
		{password(storePass)},
		{keyPassword(keyPass)},
		{password(storePass), keystore.Alias("ec")},
	} {
		s := keystore.Limit(keystore.Bytes(data, opts...), iterations)
		bounded(t, func() {
			identity, err := s.Identity(t.Context())
			checkOutcome(t, identity != nil, err)
		})
		bounded(t, func() {
			pool, err := s.Roots(t.Context())
			checkOutcome(t, pool != nil, err)
		})
	}
}

func checkOutcome(t *testing.T, some bool, err error) {
	t.Helper()
	if _, ok := errors.AsType[*keystore.Error](err); ok == some {
		t.Errorf("value %t, error %v", some, err)
	}
}

func FuzzJKS(f *testing.F) {
	seed(f, "*.jks", "*.jceks")
	f.Fuzz(func(t *testing.T, data []byte) {
		try(t, data)
		if len(data) > 4 && !bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}) {
			try(t, append([]byte{0xfe, 0xed, 0xfe, 0xed}, data[4:]...))
		}
	})
}

func FuzzPKCS12(f *testing.F) {
	seed(f, "*.p12", "*.der")
	f.Fuzz(try)
}

func FuzzPEM(f *testing.F) {
	seed(f, "*.pem", "*.key")
	f.Fuzz(func(t *testing.T, data []byte) {
		try(t, data)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "key"), data)
		s := keystore.Limit(keystore.Files(path(t, "rsa.pem"), filepath.Join(dir, "key"), password(keyPass)), iterations)
		bounded(t, func() {
			identity, err := s.Identity(t.Context())
			checkOutcome(t, identity != nil, err)
		})
	})
}
