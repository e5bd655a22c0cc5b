package keystore_test

import (
	"testing"

	"github.com/restconn/restconn/connection/keystore"
)

func TestIdentity(t *testing.T) {
	t.Parallel()
	const (
		rsa = "*rsa.PrivateKey client-rsa < Test Issuing < Test Root"
		ec  = "*ecdsa.PrivateKey client-ec < Test Issuing < Test Root"
		ed  = "ed25519.PrivateKey client-ed < Test Issuing < Test Root"
	)
	store, key, alias := password(storePass), keyPassword(keyPass), keystore.Alias
	tests := []struct {
		name, file string
		opts       []keystore.Option
		want       string
	}{
		{"B6 PEM in another order", "ec-unordered.pem", nil, ec},
		{"PEM with two keys, of which one is that of the leaf", "ec-two-keys.pem", nil, ec},
		{"PEM Ed25519", "ed.pem", nil, ed},
		{"I-22 JKS", "rsa.jks", []keystore.Option{store}, rsa},
		{"I-24 JKS whose key has another password", "rsa-other.jks", []keystore.Option{store, key}, rsa},
		{"I-21 JKS without a look at its digest", "rsa-other.jks", []keystore.Option{key}, rsa},
		{"I-22 JKS, first alias", "two.jks", []keystore.Option{store, keyPassword("keypass-ec")}, ec},
		{
			"I-22 JKS, alias in upper case", "two.jks",
			[]keystore.Option{store, keyPassword("keypass-ed"), alias("ED")}, ed,
		},
		{"JKS with key and trusted certificate", "mixed.jks", []keystore.Option{store}, ec},
		{
			"JKS with passwords that are not ASCII", "ec-unicode.jks",
			[]keystore.Option{password("päss€"), keyPassword("päss")}, ec,
		},
		{"PKCS#12", "rsa.p12", []keystore.Option{store}, rsa},
		{"PKCS#12 with RC2 and 3DES", "rsa-legacy.p12", []keystore.Option{store}, rsa},
		{"PKCS#12 with RC2 and 3DES, Ed25519", "ed-legacy.p12", []keystore.Option{store}, ed},
		{"PKCS#12 with 3DES", "ec-3des.p12", []keystore.Option{store}, ec},
		{"PKCS#12 with a SHA-512 MAC", "ec-sha512.p12", []keystore.Option{store}, ec},
		{"PKCS#12 Ed25519", "ed.p12", []keystore.Option{store}, ed},
		{"PKCS#12 with the empty password", "ec-empty.p12", nil, ec},
		{"PKCS#12 with the empty password and RC2", "ec-legacy-empty.p12", nil, ec},
		{"PKCS#12 with a password that is not ASCII", "ec-unicode.p12", []keystore.Option{password("pässwörd€")}, ec},
		{"PKCS#12 without encryption", "ec-plain.p12", []keystore.Option{store}, ec},
		{"PKCS#12 without MAC", "ec-nomac.p12", []keystore.Option{store}, ec},
		{"PKCS#12 with two keys, first alias", "two.p12", []keystore.Option{store}, ec},
		{"PKCS#12 with two keys, alias", "two.p12", []keystore.Option{store, alias("Ed")}, ed},
		{"PKCS#12 with two keys and RC2", "two-legacy.p12", []keystore.Option{store, alias("rsa")}, rsa},
		{"PKCS#12 with two keys and RC2, first alias", "two-legacy.p12", []keystore.Option{store}, ec},
		{"I-24 PKCS#12 whose key has another password", "ec-other.p12", []keystore.Option{store, key}, ec},
		{"PKCS#12 with key and trusted certificate", "mixed.p12", []keystore.Option{store}, ec},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := keystore.File(path(t, tt.file), tt.opts...)
			identity, err := s.Identity(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(t, identity); got != tt.want {
				t.Errorf("identity:\ngot  %s\nwant %s", got, tt.want)
			}
			again, err := keystore.Bytes(read(t, tt.file), tt.opts...).Identity(t.Context())
			if err != nil || describe(t, again) != tt.want {
				t.Errorf("Bytes: %v", err)
			}
		})
	}
}

func TestIdentityOfFiles(t *testing.T) {
	t.Parallel()
	pass := password(keyPass)
	tests := []struct {
		name, certificates, key string
		opts                    []keystore.Option
	}{
		{"PKCS#8", "rsa.pem", "rsa.key", nil},
		{"PKCS#1", "rsa.pem", "rsa-pkcs1.key", nil},
		{"SEC1", "ec-leaf.pem", "ec-sec1.key", nil},
		{"encrypted, AES-256", "rsa.pem", "rsa-pbes2.key", []keystore.Option{pass}},
		{"encrypted, 3DES and SHA-512", "rsa.pem", "rsa-des3.key", []keystore.Option{pass}},
		{"encrypted, scrypt", "rsa.pem", "rsa-scrypt.key", []keystore.Option{pass}},
		{"encrypted, KeyPassword", "rsa.pem", "rsa-pbes2.key", []keystore.Option{keyPassword(keyPass)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := keystore.Files(path(t, tt.certificates), path(t, tt.key), tt.opts...)
			identity, err := s.Identity(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			describe(t, identity)
		})
	}
}

func TestFormatIsNotTheName(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, as string }{
		{"I-19 B8 PKCS#12 named .jks", "rsa.p12", "client.jks"},
		{"I-23 JKS named .p12", "rsa.jks", "client.p12"},
		{"I-19 PEM named .p12", "ec-unordered.pem", "client.p12"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := renamed(t, tt.file, tt.as, password(storePass)).Identity(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestIdentityErrors(t *testing.T) {
	t.Parallel()
	store, wrong := password(storePass), password("not-the-password")
	tests := []struct {
		name, file string
		opts       []keystore.Option
		want       error
		format     keystore.Format
		text       string
	}{
		{"B8 JKS, wrong store password", "two.jks", []keystore.Option{wrong}, keystore.ErrPassword, keystore.JKS, "digest"},
		{
			"B8 JKS, wrong key password", "rsa.jks", []keystore.Option{store, keyPassword("not-the-password")},
			keystore.ErrPassword, keystore.JKS, "KeyPassword",
		},
		{
			"B8 JKS, key has another password", "rsa-other.jks", []keystore.Option{store},
			keystore.ErrPassword, keystore.JKS, "KeyPassword",
		},
		{"JKS, no password", "rsa.jks", nil, keystore.ErrPassword, keystore.JKS, "set Password"},
		{
			"JKS, a key password that the library cannot encode", "rsa.jks",
			[]keystore.Option{store, keyPassword("€")}, keystore.ErrUnsupported, keystore.JKS, "-srcstoretype JKS",
		},
		{"B8 JKS, trusted certificates only", "trust.jks", []keystore.Option{store}, keystore.ErrNoKey, keystore.JKS, ""},
		{
			"I-22 JKS, no such alias", "two.jks", []keystore.Option{store, keystore.Alias("nobody")},
			keystore.ErrNoAlias, keystore.JKS, `"nobody": there are "ec", "ed"`,
		},
		{
			"B8 JCEKS", "rsa.jceks", []keystore.Option{store}, keystore.ErrUnsupported, keystore.JCEKS,
			"rsa.jceks' -srcstoretype JCEKS -destkeystore",
		},
		{"PKCS#12, wrong password", "rsa.p12", []keystore.Option{wrong}, keystore.ErrPassword, keystore.PKCS12, "MAC"},
		{"PKCS#12, no password", "rsa.p12", nil, keystore.ErrPassword, keystore.PKCS12, "set Password"},
		{
			"PKCS#12 without MAC, wrong password", "ec-nomac.p12", []keystore.Option{wrong},
			keystore.ErrPassword, keystore.PKCS12, "",
		},
		{
			"PKCS#12, key has another password", "ec-other.p12", []keystore.Option{store},
			keystore.ErrPassword, keystore.PKCS12, "KeyPassword",
		},
		{
			"PKCS#12 with RC2, wrong key password", "rsa-legacy.p12",
			[]keystore.Option{store, keyPassword("not-the-password")}, keystore.ErrPassword, keystore.PKCS12, "KeyPassword",
		},
		{
			"PKCS#12 with a SHA-384 MAC", "ec-sha384.p12", []keystore.Option{store},
			keystore.ErrUnsupported, keystore.PKCS12, "keytool -importkeystore",
		},
		{
			"PKCS#12 with a mixture and RC2", "mixed-legacy.p12", []keystore.Option{store},
			keystore.ErrUnsupported, keystore.PKCS12, "keytool -importkeystore",
		},
		{"PKCS#12, trusted only", "trust.p12", []keystore.Option{store}, keystore.ErrNoKey, keystore.PKCS12, ""},
		{"PKCS#12, secret key only", "secret.p12", []keystore.Option{store}, keystore.ErrNoKey, keystore.PKCS12, ""},
		{"PKCS#12, key only", "key-only.p12", []keystore.Option{store}, keystore.ErrNoCertificate, keystore.PKCS12, ""},
		{
			"PKCS#12, no such alias", "two.p12", []keystore.Option{store, keystore.Alias("nobody")},
			keystore.ErrNoAlias, keystore.PKCS12, `"ec", "ed"`,
		},
		{"DER", "root.der", nil, keystore.ErrUnsupported, keystore.PKCS12, "openssl x509 -inform DER -in '"},
		{"PEM without key", "roots.pem", nil, keystore.ErrNoKey, keystore.PEM, ""},
		{"PEM without certificate", "rsa.key", nil, keystore.ErrNoCertificate, keystore.PEM, ""},
		{"B6 PEM, no password", "rsa-pbes2.key", nil, keystore.ErrPassword, keystore.PEM, "set Password"},
		{"B6 PEM, wrong password", "rsa-pbes2.key", []keystore.Option{wrong}, keystore.ErrPassword, keystore.PEM, ""},
		{"PEM scrypt, wrong password", "rsa-scrypt.key", []keystore.Option{wrong}, keystore.ErrPassword, keystore.PEM, ""},
		{
			"PEM PBES1", "rsa-pbes1.key", []keystore.Option{password(keyPass)}, keystore.ErrUnsupported, keystore.PEM,
			"rsa-pbes1.key' | openssl pkcs8 -topk8",
		},
		{
			"PEM with the old encryption", "rsa-legacy.key", []keystore.Option{password(keyPass)},
			keystore.ErrUnsupported, keystore.PEM, "openssl pkcs8 -topk8 -in '",
		},
		{"PEM with an alias", "ed.pem", []keystore.Option{keystore.Alias("a")}, keystore.ErrNoAlias, keystore.PEM, ""},
		{"of no format", "make.sh", nil, keystore.ErrUnsupported, keystore.Unknown, "FEEDFEED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			identity, err := keystore.File(path(t, tt.file), tt.opts...).Identity(t.Context())
			if identity != nil {
				t.Error("an identity came with the error")
			}
			wantError(t, err, tt.want, tt.format, path(t, tt.file), tt.text)
		})
	}
}

func TestFilesErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, certificates, key string
		want                    error
		where                   string
	}{
		{"B6 key of another certificate", "rsa.pem", "ec-sec1.key", keystore.ErrMismatch, "rsa.pem"},
		{"key in a PKCS#12", "rsa.pem", "rsa.p12", keystore.ErrUnsupported, "rsa.p12"},
		{"no key", "rsa.pem", "roots.pem", keystore.ErrNoKey, "roots.pem"},
		{"B6 encrypted key without password", "rsa.pem", "rsa-pbes2.key", keystore.ErrPassword, "rsa-pbes2.key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := keystore.Files(path(t, tt.certificates), path(t, tt.key)).Identity(t.Context())
			format := keystore.PEM
			if tt.where == "rsa.p12" {
				format = keystore.PKCS12
			}
			wantError(t, err, tt.want, format, path(t, tt.where))
		})
	}
}
