package keystore_test

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/restconn/restconn/connection/keystore"
)

// poolOf returns the pool of the certificates of a test file, in the order of the file, that are named by their index.
func poolOf(t *testing.T, which ...int) *x509.CertPool {
	t.Helper()
	var all []*x509.Certificate
	for block, rest := pem.Decode(read(t, "roots.pem")); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, certificate)
	}
	pool := x509.NewCertPool()
	for _, i := range which {
		pool.AddCert(all[i])
	}
	return pool
}

func TestRoots(t *testing.T) {
	t.Parallel()
	store, alias := password(storePass), keystore.Alias
	const root, other = 0, 1
	tests := []struct {
		name, file string
		opts       []keystore.Option
		want       []int
	}{
		{"K-10 PEM", "roots.pem", nil, []int{root, other}},
		{"I-18 JKS", "trust.jks", []keystore.Option{store}, []int{root, other}},
		{"I-21 JKS without password", "trust.jks", nil, []int{root, other}},
		{"JKS, alias", "trust.jks", []keystore.Option{store, alias("Other")}, []int{other}},
		{"JKS with a key and its chain, which is not trusted", "mixed.jks", []keystore.Option{store}, []int{root}},
		{"PKCS#12 of Java", "trust.p12", []keystore.Option{store}, []int{root, other}},
		{"PKCS#12 of Java, alias", "trust.p12", []keystore.Option{store, alias("root")}, []int{root}},
		{"PKCS#12 of Java with RC2", "trust-legacy.p12", []keystore.Option{store}, []int{root, other}},
		{"PKCS#12 of Java without MAC, password", "trust-nomac.p12", []keystore.Option{store}, []int{root}},
		{"PKCS#12 of Java without MAC, no password", "trust-nomac.p12", nil, []int{root}},
		{"PKCS#12 with a key and its chain, which is not trusted", "mixed.p12", []keystore.Option{store}, []int{root}},
		{"PKCS#12 of OpenSSL", "trust-openssl.p12", []keystore.Option{store}, []int{root, other}},
		{"PKCS#12 of OpenSSL with RC2", "trust-openssl-legacy.p12", []keystore.Option{store}, []int{root, other}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := keystore.File(path(t, tt.file), tt.opts...).Roots(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(poolOf(t, tt.want...)) {
				t.Error("the pool has other certificates")
			}
		})
	}
	t.Run("of Files, without the key", func(t *testing.T) {
		t.Parallel()
		s := keystore.Files(path(t, "roots.pem"), path(t, "rsa-pbes2.key"))
		got, err := s.Roots(t.Context())
		if err != nil || !got.Equal(poolOf(t, 0, 1)) {
			t.Errorf("roots of a pair: %v", err)
		}
	})
}

func TestRootsErrors(t *testing.T) {
	t.Parallel()
	store := password(storePass)
	tests := []struct {
		name, file string
		opts       []keystore.Option
		want       error
		format     keystore.Format
		text       string
	}{
		{
			"I-21 JKS, wrong password", "trust.jks", []keystore.Option{password("not-the-password")},
			keystore.ErrPassword, keystore.JKS, "digest",
		},
		{"JKS, keys only", "rsa.jks", []keystore.Option{store}, keystore.ErrNoCertificate, keystore.JKS, "-importcert"},
		{
			"JKS, alias of a key", "mixed.jks", []keystore.Option{store, keystore.Alias("ec")},
			keystore.ErrNoAlias, keystore.JKS, `there are "root"`,
		},
		{
			"PKCS#12, a chain is no list of roots", "rsa.p12", []keystore.Option{store},
			keystore.ErrNoCertificate, keystore.PKCS12, "openssl pkcs12 -in '",
		},
		{
			"PKCS#12 of Java with RC2, alias", "trust-legacy.p12", []keystore.Option{store, keystore.Alias("root")},
			keystore.ErrUnsupported, keystore.PKCS12, "keytool",
		},
		{
			"PKCS#12 without aliases", "trust-openssl.p12", []keystore.Option{store, keystore.Alias("root")},
			keystore.ErrNoAlias, keystore.PKCS12, "no entry has an alias",
		},
		{"JCEKS", "rsa.jceks", []keystore.Option{store}, keystore.ErrUnsupported, keystore.JCEKS, "keytool"},
		{"PEM with keys only", "rsa.key", nil, keystore.ErrNoCertificate, keystore.PEM, ""},
		{"I-20 missing file", "missing.jks", nil, nil, "", "missing.jks: no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pool, err := keystore.File(path(t, tt.file), tt.opts...).Roots(t.Context())
			if pool != nil {
				t.Error("a pool came with the error")
			}
			if tt.want == nil {
				tt.want = err
			}
			wantError(t, err, tt.want, tt.format, tt.text)
		})
	}
}
