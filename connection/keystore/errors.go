package keystore

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/restconn/restconn/internal/redact"
)

// Errors that an [*Error] wraps, for [errors.Is]. Their texts and those around them never hold a password or a key.
var (
	// ErrInvalid says that a [Store] cannot work in any environment. [Store.Validate] finds it without opening a file.
	ErrInvalid = errors.New("the store is described wrongly")
	// ErrNotRegular says that a path leads to a directory, a pipe, a socket or a device.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge says that a file, or a count, a size or a cost of key derivation within it, is beyond the limits of
	// this package. Nothing was derived or set aside for it.
	ErrTooLarge = errors.New("beyond the limits")
	// ErrIntegrity says that the file is damaged: cut off, inconsistent, or changed after it was written.
	ErrIntegrity = errors.New("the file is damaged")
	// ErrUnsupported says that the format, or a shape of it, cannot be read. The text has the command that converts it.
	ErrUnsupported = errors.New("the format cannot be read")
	// ErrPassword says that the password of the store or of the key is missing or wrong. JKS and PKCS#12 cannot always
	// tell a wrong password from a changed file; that case is ErrPassword too.
	ErrPassword = errors.New("wrong or missing password")
	// ErrNoKey says that there is no private key.
	ErrNoKey = errors.New("there is no private key")
	// ErrNoCertificate says that there is no certificate for the key, or none that is trusted.
	ErrNoCertificate = errors.New("there is no certificate")
	// ErrNoAlias says that no entry has the alias. The text lists those that there are.
	ErrNoAlias = errors.New("there is no entry of that alias")
	// ErrMismatch says that key and certificate do not belong together, or that several do and none is chosen.
	ErrMismatch = errors.New("the private key does not match the certificate")
)

// Format is what a file was recognised as by its first bytes.
type Format string

// The formats. Of these, PEM, PKCS#12 and JKS can be read.
const (
	PEM     Format = "PEM"
	PKCS12  Format = "PKCS#12"
	JKS     Format = "JKS"
	JCEKS   Format = "JCEKS"
	BKS     Format = "BKS"
	Unknown Format = "unknown"
)

// Error tells which store could not be read and what to do about it. It holds no password and nothing of a key.
type Error struct {
	// Path is the file; "" for [Bytes].
	Path string
	// Format is what the file was recognised as; "" if it was not read.
	Format Format
	// Err is the cause. It is never nil in an error of this package.
	Err error
}

// Error implements error: "keystore: /etc/pki/client.jks (JKS): wrong or missing password: ...".
func (e *Error) Error() string {
	where := "bytes"
	if e.Path != "" {
		where = redact.Printable(e.Path)
	}
	if e.Format == "" {
		return fmt.Sprintf("keystore: %s: %v", where, e.Err)
	}
	return fmt.Sprintf("keystore: %s (%s): %v", where, e.Format, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// wrap puts the place on err, unless it is nil or has one already.
func wrap(path string, format Format, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Path: path, Format: format, Err: err}
}

func because(sentinel error, format string, args ...any) error {
	return fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))
}

// shownAliases is how many aliases an error lists.
const shownAliases = 10

// noAlias lists the aliases that could have been meant, sorted, a few of them.
func noAlias(alias string, known []string) error {
	if len(known) == 0 {
		return because(ErrNoAlias, "%q: no entry has an alias", redact.Line(alias))
	}
	names := make([]string, 0, shownAliases)
	slices.Sort(known)
	known = slices.Compact(known)
	for _, name := range known[:min(len(known), shownAliases)] {
		names = append(names, `"`+redact.Line(name)+`"`)
	}
	text := strings.Join(names, ", ")
	if more := len(known) - len(names); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return because(ErrNoAlias, "%q: there are %s", redact.Line(alias), text)
}
