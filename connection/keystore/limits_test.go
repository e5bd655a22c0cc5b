package keystore_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/url"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/restconn/restconn/connection/keystore"
)

func TestLargeKey(t *testing.T) {
	t.Parallel()
	data := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: make([]byte, 13<<10)})
	_, err := keystore.Bytes(data).Identity(t.Context())
	wantError(t, err, keystore.ErrTooLarge, keystore.PEM, "12 KiB")
}

func TestManyCertificatesWithOldEncryption(t *testing.T) {
	t.Parallel()
	root, _ := pem.Decode(read(t, "roots.pem"))
	certificate, err := x509.ParseCertificate(root.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]*x509.Certificate, 1200)
	for i := range many {
		many[i] = certificate
	}
	data, err := pkcs12.LegacyDES.EncodeTrustStore(many, storePass)
	if err != nil {
		t.Fatal(err)
	}
	_, err = keystore.Bytes(data, password(storePass)).Roots(t.Context())
	wantError(t, err, keystore.ErrUnsupported, keystore.PKCS12, "too many certificates", "keytool -importkeystore")
}

func TestCertificatesThatGrow(t *testing.T) { //nolint:paralleltest // it measures memory
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const names = 10_000 // of 5 bytes each; parsed, a URL takes more than 100
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	for range names {
		template.URIs = append(template.URIs, &url.URL{Scheme: "u", Opaque: "a"})
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	data := bytes.Repeat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 50)
	bounded(t, func() {
		_, err = keystore.Bytes(data).Roots(t.Context())
	})
	wantError(t, err, keystore.ErrTooLarge, keystore.PEM, "1 MiB in all")
}

// TestIssuerOfOneName is about an authority that has got a new key under its old name.
func TestIssuerOfOneName(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issue := func(serial int64, name, id string, parent *x509.Certificate) *x509.Certificate {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, SubjectKeyId: []byte(id),
			NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
		}
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return certificate
	}
	before, after := issue(1, "authority", "old", nil), issue(2, "authority", "new", nil)
	leaf := issue(3, "client", "leaf", after)
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	data := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	for _, certificate := range []*x509.Certificate{leaf, before, after} {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	identity, err := keystore.Bytes(data).Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(identity.Certificate) != 2 || !bytes.Equal(identity.Certificate[1], after.Raw) {
		t.Errorf("B6 the chain has %d certificates, or the old authority", len(identity.Certificate))
	}
}
