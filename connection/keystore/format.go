package keystore

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/restconn/restconn/internal/redact"
)

// pemBegin begins every block of a PEM file (RFC 7468, section 2).
const pemBegin = "-----BEGIN "

// recognise tells the format by the first bytes. A PEM file may have text before its first block.
func recognise(data []byte) Format {
	const derSequence, longLength = 0x30, 0x80
	switch {
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return JKS
	case bytes.HasPrefix(data, []byte{0xce, 0xce, 0xce, 0xce}):
		return JCEKS
	case len(data) > 1 && data[0] == derSequence && data[1] >= longLength: // a text goes on with a byte below 0x80
		return PKCS12
	case bytes.Contains(data, []byte(pemBegin)):
		return PEM
	case len(data) > 8 && bytes.Equal(data[:3], []byte{0, 0, 0}) && (data[3] == 1 || data[3] == 2) &&
		bytes.Equal(data[4:8], []byte{0, 0, 0, 20}): // version and length of the salt, which is 20
		return BKS
	}
	return Unknown
}

// unreadable says how to convert a format that cannot be read.
func (s source) unreadable() error {
	switch s.format {
	case JCEKS:
		return because(ErrUnsupported, "convert it: %s", s.importKeystore("JCEKS", ""))
	case BKS:
		return because(ErrUnsupported, "convert it: %s", s.importKeystore("BKS",
			" -provider org.bouncycastle.jce.provider.BouncyCastleProvider -providerpath bcprov.jar"))
	case PEM, PKCS12, JKS, Unknown:
	}
	return because(ErrUnsupported, "its first bytes are not those of PEM (-----BEGIN), PKCS#12 (30 8x) or JKS (FEEDFEED)")
}

// importKeystore is the command that writes any store of Java as a PKCS#12 that can be read.
func (s source) importKeystore(kind, more string) string {
	return "keytool -importkeystore -srckeystore " + quote(s.path, "") + " -srcstoretype " + kind + more +
		" -destkeystore " + quote(s.path, ".new.p12") + " -deststoretype PKCS12"
}

// rewrite is because(ErrUnsupported) with the command that writes a PKCS#12 anew.
func (s source) rewrite(why string) error {
	return because(ErrUnsupported, "%s: write it anew: %s", why, s.importKeystore("PKCS12", ""))
}

// anew adds the command that writes a PKCS#12 anew to an error about an algorithm.
func (s source) anew(err error) error {
	if !errors.Is(err, ErrUnsupported) || errors.Is(err, errBER) {
		return err
	}
	return fmt.Errorf("%w: write it anew: %s", err, s.importKeystore("PKCS12", ""))
}

// quote returns the path, with more at its end, for a shell. A path that is unknown or does not print is FILE.
func quote(path, more string) string {
	if path == "" || redact.Printable(path) != path {
		path = "FILE"
	}
	return "'" + strings.ReplaceAll(path+more, "'", `'\''`) + "'"
}
