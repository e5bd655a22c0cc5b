package redact_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/restconn/restconn/internal/redact"
)

// TestCause wraps each cause in an error that quotes a secret.
func TestCause(t *testing.T) {
	t.Parallel()
	known := errors.New("known")
	for _, cause := range []error{
		known, context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, syscall.ECONNREFUSED,
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, &net.DNSError{Err: "no such host", Name: "db"},
		&tls.CertificateVerificationError{Err: errors.New("expired")},
	} {
		if got := redact.Cause(fmt.Errorf("insert 'sentinel': %w", cause), known); !same(got, cause) {
			t.Errorf("got %v, want %v", got, cause)
		}
	}
	for _, err := range []error{nil, errors.New("sentinel"), known} {
		if got := redact.Cause(err); got != nil {
			t.Errorf("got %v", got)
		}
	}
}

// same reports whether got is want itself, without anything around it.
func same(got, want error) bool { return got == want } //nolint:errorlint // that is the question
