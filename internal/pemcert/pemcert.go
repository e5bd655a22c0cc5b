// Package pemcert reads certificates that are to be trusted, strictly: package encoding/pem passes over what it cannot
// read, and whoever meant it to be trusted would not learn of it.
package pemcert

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
)

// ErrNone says that there is no certificate in a text.
var ErrNone = errors.New("there is no certificate in the PEM text (is it the path of a file? that is keystore.File, " +
	"for WithRootCAs)")

var beginLine = regexp.MustCompile(`(?m)^[ \t]*-{5}BEGIN`)

// Parse returns the certificates in text, of which there must be one. Notes around them are fine, other blocks are not.
func Parse(text []byte) ([]*x509.Certificate, error) {
	begun := len(beginLine.FindAllIndex(text, -1))
	var certs []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, errors.New("there is a PEM block that is not a CERTIFICATE")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(certs)+1, err)
		}
		certs, text = append(certs, cert), rest
	}
	switch {
	case begun > len(certs):
		return nil, errors.New("there is a PEM block that cannot be read")
	case len(certs) == 0:
		return nil, ErrNone
	}
	return certs, nil
}
