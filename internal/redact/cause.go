package redact

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
)

// Cause returns what of err is known to quote nothing that was sent or stored: one of known, the end of a context or of
// a connection, or a fault of the network or of TLS. It is nil if there is nothing of the kind: drivers of databases
// quote what they were given.
func Cause(err error, known ...error) error {
	always := []error{context.DeadlineExceeded, context.Canceled, io.ErrUnexpectedEOF, io.EOF}
	for _, k := range append(always, known...) {
		if errors.Is(err, k) {
			return k
		}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns
	}
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return cert
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return nil
}
