package keystore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/restconn/restconn/connection/keystore"
	"github.com/restconn/restconn/secrets"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	const abs, other = "/etc/pki/client.jks", "/etc/pki/client.key"
	tests := []struct {
		name  string
		store *keystore.Store
		want  []string // nil means that the store is in order
	}{
		{"I-20 a file that is missing", keystore.File(abs, password("x"), keystore.Alias("a")), nil},
		{"files", keystore.Files(abs, other, keyPassword("x")), nil},
		{"bytes", keystore.Bytes([]byte("x")), nil},
		{"I-18 relative path", keystore.File("client.jks"), []string{`the path, "client.jks", is not absolute`}},
		{"relative paths", keystore.Files("a", "b"), []string{`certificates, "a", is`, `key, "b", is`}},
		{"no path", keystore.File(""), []string{"the path is empty"}},
		{"NUL", keystore.File("/a\x00b"), []string{"NUL"}},
		{"no bytes", keystore.Bytes(nil), []string{"there are no bytes"}},
		{"zero", new(keystore.Store), []string{"the Store is empty"}},
		{
			"all faults",
			keystore.File(abs, nil, keystore.Password(nil), keystore.KeyPassword(secrets.Env("")), keystore.Alias("")),
			[]string{
				"an option is nil", "Password: secrets: invalid provider: the provider is nil",
				"KeyPassword: secrets: env", "Alias is empty",
			},
		},
		{"alias of PEM", keystore.Files(abs, other, keystore.Alias("a")), []string{"PEM has no aliases"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.store.Validate()
			if tt.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, keystore.ErrInvalid, "", tt.want...)
			if _, err := tt.store.Identity(t.Context()); !errors.Is(err, keystore.ErrInvalid) {
				t.Errorf("Identity: %v", err)
			}
			if _, err := tt.store.Roots(t.Context()); !errors.Is(err, keystore.ErrInvalid) {
				t.Errorf("Roots: %v", err)
			}
		})
	}
}

func TestStoreShowsNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "canary-7f3a91"
	stores := map[string]*keystore.Store{
		"keystore.File(/etc/pki/client.jks)": keystore.File("/etc/pki/client.jks", password(secret), keyPassword(secret)),
		`keystore.File(/a\nb)`:               keystore.File("/a\nb"),
		"keystore.Files(/a, /b)":             keystore.Files("/a", "/b", password(secret)),
		"keystore.Bytes(13 bytes)":           keystore.Bytes([]byte(secret)),
		"keystore.Store":                     new(keystore.Store),
	}
	for want, s := range stores {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, s); got != want {
				t.Errorf("%s: got %s, want %s", verb, got, want)
			}
		}
		if s.String() != want {
			t.Errorf("String: %s", s)
		}
		var options strings.Builder
		_, _ = fmt.Fprintf(&options, "%v %+v %#v", password(secret), password(secret), password(secret))
		if strings.Contains(options.String(), secret) {
			t.Error("an option shows the password")
		}
	}
}

func TestIrregularFiles(t *testing.T) {
	t.Parallel()
	_, err := keystore.File(t.TempDir()).Identity(t.Context())
	wantError(t, err, keystore.ErrNotRegular, "")
	large := filepath.Join(t.TempDir(), "large")
	write(t, large, make([]byte, keystore.MaxFile+1))
	_, err = keystore.File(large).Roots(t.Context())
	wantError(t, err, keystore.ErrTooLarge, "", "4 MiB")
}

func TestCommandsAreQuoted(t *testing.T) {
	t.Parallel()
	_, err := renamed(t, "rsa.jceks", "it's mine.jceks").Identity(t.Context())
	wantError(t, err, keystore.ErrUnsupported, keystore.JCEKS, `it'\''s mine.jceks' -srcstoretype`)
	_, err = renamed(t, "rsa.jceks", "a\nb.jceks").Identity(t.Context())
	wantError(t, err, keystore.ErrUnsupported, keystore.JCEKS, `a\nb.jceks (JCEKS)`, "-srckeystore 'FILE' ")
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q has two lines", err)
	}
	_, err = keystore.Bytes([]byte("\x00\x00\x00\x02\x00\x00\x00\x14xxx")).Identity(t.Context())
	wantError(t, err, keystore.ErrUnsupported, keystore.BKS, "-srcstoretype BKS")
}

func TestStoreDoesNotPrint(t *testing.T) {
	t.Parallel()
	store := keystore.Bytes(append(read(t, "rsa.pem"), read(t, "rsa.key")...))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{store, *store} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "PRIVATE") || strings.Contains(text, "4956415445") {
				t.Errorf("%s of a %T shows the key", verb, v)
			}
		}
	}
}
