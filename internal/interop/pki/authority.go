// Package pki mints certificates for tests against real servers, and has openssl and keytool put them into the files
// that people have.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"time"
)

// lifetime is how long a certificate is valid.
const lifetime = 24 * time.Hour

// Authority issues certificates.
type Authority struct {
	// Certificate is its own certificate.
	Certificate *x509.Certificate
	// PEM is that certificate and, for one that is not a root, those above it but for the root.
	PEM []byte

	key  crypto.Signer
	root bool
}

// NewAuthority returns a root.
func NewAuthority(name string) (*Authority, error) {
	return newAuthority(name, nil)
}

// Below returns an authority whose certificate is issued by a.
func (a *Authority) Below(name string) (*Authority, error) { return newAuthority(name, a) }

func newAuthority(name string, issuer *Authority) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := template(name)
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	a := &Authority{Certificate: template, key: key, root: issuer == nil}
	if issuer == nil {
		issuer = a
	}
	a.Certificate, a.PEM, err = issuer.sign(template, key.Public())
	return a, err
}

// template returns what all certificates have.
func template(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime),
	}
}

// sign returns a certificate, and it and those above it as PEM.
func (a *Authority) sign(template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, []byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, a.Certificate, public, a.key)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(der)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if !a.root {
		text = append(text, a.PEM...)
	}
	return cert, text, err
}

// Subject is who a certificate is for.
type Subject struct {
	// Name is the common name.
	Name string
	// Hosts are DNS names and addresses. A certificate with hosts is for a server, one without is for a client.
	Hosts []string
	// RSA says that the key is an RSA key of 2048 bits. Otherwise it is on P-256.
	RSA bool
	// Expired says that the certificate was valid yesterday.
	Expired bool
}

// Pair is a certificate and its key.
type Pair struct {
	// Certificate is the certificate of the key.
	Certificate *x509.Certificate
	// CertPEM is the certificate and those above it but for the root, KeyPEM the key as PKCS#8 in clear text.
	CertPEM, KeyPEM []byte
}

// TLS returns what crypto/tls takes.
func (p *Pair) TLS() (tls.Certificate, error) { return tls.X509KeyPair(p.CertPEM, p.KeyPEM) }

// Issue returns a certificate with a new key.
func (a *Authority) Issue(s Subject) (*Pair, error) {
	key, err := newKey(s.RSA)
	if err != nil {
		return nil, err
	}
	template := template(s.Name)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	if len(s.Hosts) == 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		template.URIs = []*url.URL{{Scheme: "urn", Opaque: "restconn:client"}}
	}
	if s.Expired {
		template.NotBefore, template.NotAfter = time.Now().Add(-2*lifetime), time.Now().Add(-lifetime)
	}
	for _, host := range s.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	cert, text, err := a.sign(template, key.Public())
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &Pair{
		Certificate: cert, CertPEM: text, KeyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}, nil
}

func newKey(rsaKey bool) (crypto.Signer, error) {
	if rsaKey {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// Pool returns a pool with authorities.
func Pool(authorities ...*Authority) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, a := range authorities {
		pool.AddCert(a.Certificate)
	}
	return pool
}

// Name is a name that nobody can look up but those who are told: see RFC 6761 for what ends like that.
const Name = "api.test"

// Set is what servers and their clients have.
type Set struct {
	// CA is what servers and clients trust.
	CA *Authority
	// OtherCA is trusted by nobody.
	OtherCA *Authority

	// Server is for localhost, 127.0.0.1, ::1 and [Name].
	Server *Pair
	// WrongHost is for wrong.example.
	WrongHost *Pair
	// Expired and Untrusted are for the hosts of Server: one is over, and one was issued by OtherCA.
	Expired, Untrusted *Pair

	// Client is issued by CA and has an RSA key.
	Client *Pair
	// ChainClient is issued by an authority below CA, which the server does not know.
	ChainClient *Pair
	// OtherClient is issued by OtherCA.
	OtherClient *Pair
	// ExpiredClient is over.
	ExpiredClient *Pair
}

// NewSet returns a new set.
func NewSet() (*Set, error) {
	ca, err := NewAuthority("restconn test root")
	if err != nil {
		return nil, err
	}
	below, err := ca.Below("restconn test intermediate")
	if err != nil {
		return nil, err
	}
	other, err := NewAuthority("another root")
	if err != nil {
		return nil, err
	}
	set := &Set{CA: ca, OtherCA: other}
	const localhost = "localhost"
	hosts := []string{localhost, "127.0.0.1", "::1", Name}
	var faults []error
	for _, cert := range []struct {
		pair   **Pair
		issuer *Authority
		Subject
	}{
		{&set.Server, ca, Subject{Name: localhost, Hosts: hosts}},
		{&set.WrongHost, ca, Subject{Name: "wrong.example", Hosts: []string{"wrong.example"}}},
		{&set.Expired, ca, Subject{Name: localhost, Hosts: hosts, Expired: true}},
		{&set.Untrusted, other, Subject{Name: localhost, Hosts: hosts}},
		{&set.Client, ca, Subject{Name: "client", RSA: true}},
		{&set.ChainClient, below, Subject{Name: "chain client"}},
		{&set.OtherClient, other, Subject{Name: "other client"}},
		{&set.ExpiredClient, ca, Subject{Name: "expired client", Expired: true}},
	} {
		var err error
		*cert.pair, err = cert.issuer.Issue(cert.Subject)
		faults = append(faults, err)
	}
	return set, errors.Join(faults...)
}
