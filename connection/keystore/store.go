package keystore

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/secrets"
)

// Store is where a TLS identity or trusted roots come from. It is immutable and safe for concurrent use. Nothing is
// opened, and no password is asked for, before [Store.Identity] or [Store.Roots]. Stores are made by [File], [Files]
// and [Bytes]; the zero Store is invalid.
type Store struct { //nolint:recvcheck // it prints as a value, too, and that is all that a copy is good for
	place place

	path    string // the store, or the certificates
	keyPath string // the key of a pair of files
	data    []byte // what Bytes was given

	password    secrets.Provider // nil where there is none
	keyPassword secrets.Provider // nil means the password
	alias       string           // "" means any

	faults     []error // what the options were given wrong
	iterations int64

	identity kept[tls.Certificate]
	roots    kept[x509.CertPool]
}

// place is the kind of a Store.
type place int

const (
	nowhere place = iota
	inFile
	inFiles
	inMemory
)

// File is the Store of one file: a PEM bundle, a PKCS#12 or a JKS. The path has to be absolute.
func File(path string, opts ...Option) *Store {
	return newStore(&Store{place: inFile, path: path}, opts)
}

// Files is the Store of a PEM file with certificates and a PEM file with the private key. Both paths have to be
// absolute. [Store.Roots] reads the certificates only.
//
// While both files are being replaced, a new one can meet an old one: that is [ErrMismatch], and the next call reads
// both again. [File] with one bundle, replaced by renaming, has no such moment.
func Files(certificates, key string, opts ...Option) *Store {
	return newStore(&Store{place: inFiles, path: certificates, keyPath: key}, opts)
}

// Bytes is the Store of what a file would hold. The data is copied.
func Bytes(data []byte, opts ...Option) *Store {
	return newStore(&Store{place: inMemory, data: bytes.Clone(data)}, opts)
}

func newStore(s *Store, opts []Option) *Store {
	s.iterations = maxIterations
	s.identity.turn = make(chan struct{}, 1)
	s.roots.turn = make(chan struct{}, 1)
	for _, opt := range opts {
		if opt == nil {
			s.faults = append(s.faults, because(ErrInvalid, "an option is nil"))
			continue
		}
		opt.apply(s)
	}
	return s
}

// Option is an option of [File], [Files] and [Bytes]. Of two that set the same thing the last one counts.
type Option interface {
	apply(s *Store)
}

type optionFunc func(*Store)

func (f optionFunc) apply(s *Store) { f(s) }

// Password sets the password of the store; of a PEM file, that of an encrypted key. The default is no password, which
// is the same as an empty one: a JKS is then read without a look at its digest, as Java does, and a PKCS#12 is opened
// with the empty password.
func Password(p secrets.Provider) Option {
	return optionFunc(func(s *Store) { s.password = s.provider("Password", p) })
}

// KeyPassword sets the password of the private key, where it is another than that of the store. The default is the
// [Password]. It has to be left out for a PKCS#12 of keytool, which ignores its -keypass.
func KeyPassword(p secrets.Provider) Option {
	return optionFunc(func(s *Store) { s.keyPassword = s.provider("KeyPassword", p) })
}

// Alias chooses an entry of a JKS or PKCS#12 by its alias (PKCS#12: friendlyName), in upper or lower case: the
// private key of [Store.Identity], or the one certificate of [Store.Roots].
//
// The default is all trusted certificates, and the private key whose alias comes first when they are sorted in lower
// case; those without an alias come before all others, and those of equal alias in the order of the file. The order
// in the file alone would not do: keytool changes it when it writes an entry.
func Alias(name string) Option {
	return optionFunc(func(s *Store) {
		if s.alias = name; name == "" {
			s.faults = append(s.faults, because(ErrInvalid, "Alias is empty: leave it out to choose any entry"))
		}
	})
}

// provider notes what can be told to be wrong with p.
func (s *Store) provider(option string, p secrets.Provider) secrets.Provider {
	if err := secrets.Validate(p); err != nil {
		s.faults = append(s.faults, fmt.Errorf("%w: %s: %w", ErrInvalid, option, err))
	}
	return p
}

// Validate reports what is wrong with the Store whatever the environment, all faults at once: a path that is not
// absolute, a nil provider, an empty alias. It opens nothing. The faults are [ErrInvalid].
func (s *Store) Validate() error {
	faults := append([]error(nil), s.faults...)
	switch s.place {
	case inFile:
		faults = append(faults, checkPath("the path", s.path))
	case inFiles:
		faults = append(faults, checkPath("the path of the certificates", s.path),
			checkPath("the path of the key", s.keyPath))
		if s.alias != "" {
			faults = append(faults, because(ErrInvalid, "Alias does not go with Files: PEM has no aliases"))
		}
	case inMemory:
		if len(s.data) == 0 {
			faults = append(faults, because(ErrInvalid, "there are no bytes"))
		}
	case nowhere:
		faults = append(faults, because(ErrInvalid, "the Store is empty: use File, Files or Bytes"))
	}
	return wrap(s.path, "", errors.Join(faults...))
}

func checkPath(name, path string) error {
	switch {
	case path == "":
		return because(ErrInvalid, "%s is empty", name)
	case strings.Contains(path, "\x00"):
		return because(ErrInvalid, "there is a NUL in %s", name)
	case !filepath.IsAbs(path):
		return because(ErrInvalid, "%s, %s, is not absolute: it would depend on the working directory",
			name, strconv.Quote(redact.Line(path)))
	}
	return nil
}

// String shows the paths, and never a password.
func (s Store) String() string {
	switch s.place {
	case inFile:
		return "keystore.File(" + redact.Printable(s.path) + ")"
	case inFiles:
		return "keystore.Files(" + redact.Printable(s.path) + ", " + redact.Printable(s.keyPath) + ")"
	case inMemory:
		return fmt.Sprintf("keystore.Bytes(%d bytes)", len(s.data))
	case nowhere:
	}
	return "keystore.Store"
}

// Format implements [fmt.Formatter], so that no verb reaches the fields.
func (s Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }
