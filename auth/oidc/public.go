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

// PublicOnly returns an Endpoint that connects to public addresses only, by no proxy and anew for each call: for
// issuers that users choose. What counts is the address that a name was resolved to, so that a name that resolves
// differently the next time is of no use to an attacker. A [Provider] that was discovered with it keeps it for keys,
// userinfo and token calls. Names are looked up, and certificates trusted, as the system does.
func PublicOnly() auth.Endpoint {
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
