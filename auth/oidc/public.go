package oidc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/publicaddr"
)

// ErrNotPublic says that a name leads to an address that [PublicOnly] refuses. Nothing was sent.
var ErrNotPublic = errors.New("the address is not a public one")

const (
	publicDial   = 10 * time.Second
	publicHeader = 64 << 10 // bytes of the headers of an answer
)

// publicEndpoint returns an Endpoint for public addresses, which its connections are checked for.
func publicEndpoint() auth.Endpoint {
	dialer := net.Dialer{
		Timeout: publicDial,
		ControlContext: func(_ context.Context, _, addr string, _ syscall.RawConn) error {
			return checkPublic(addr)
		},
	}
	return auth.Endpoint{Client: &http.Client{Transport: &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: publicDial,
		DisableKeepAlives:      true, // nobody would close them
		MaxResponseHeaderBytes: publicHeader,
	}}}
}

func checkPublic(addr string) error {
	parsed, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ErrNotPublic
	}
	if err := publicaddr.Check(parsed.Addr()); err != nil {
		return fmt.Errorf("%w: %w", ErrNotPublic, err)
	}
	return nil
}
