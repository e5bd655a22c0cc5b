package auth

import (
	"context"
	"fmt"

	"github.com/restconn/restconn/secrets"
)

// maxCredential is the most bytes of a credential that are written: more than any server accepts in a header, and
// little enough that a wrong file is noticed.
const maxCredential = 64 << 10

// resolve asks p for its text.
func resolve(ctx context.Context, p secrets.Provider) (string, error) {
	if p == nil {
		return "", fmt.Errorf("%w: the provider is nil", ErrNoCredential)
	}
	v, err := p.Secret(ctx)
	if err != nil {
		return "", err
	}
	return v.Reveal(), nil
}

// validateSource tells what is wrong with a provider or a token source; name says which of them it is.
func validateSource(name string, source any) error {
	if source == nil {
		return fmt.Errorf("%w: the %s is nil; auth.None() stands for no credential", ErrNoCredential, name)
	}
	if v, ok := source.(Validator); ok {
		return v.Validate()
	}
	return nil
}

// isControl reports whether r is a CTL (RFC 5234, appendix B.1).
func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// isOpaque reports whether r is not a VCHAR (RFC 5234, appendix B.1), which is what tokens and prefixes are made of.
func isOpaque(r rune) bool { return r <= ' ' || r >= 0x7f }
