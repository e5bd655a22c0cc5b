package connection

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/restconn/restconn/internal/publicaddr"
	"github.com/restconn/restconn/internal/redact"
)

// DialFunc makes a connection, as net.Dialer.DialContext does. It is called by several goroutines at once. Its
// context is not that of a request: it lives a second longer, since another request may use the connection.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// WithDialContext makes the TCP connections, also those to proxies, with dial, in the place of a net.Dialer.
func WithDialContext(dial DialFunc) Option {
	return option{"WithDialContext", func(cfg *config) error {
		if dial == nil {
			return errors.New("the function is nil")
		}
		cfg.pool.dial = dial
		return cfg.ofPool("WithDialContext")
	}}
}

// WithConnectTo connects to host and port where the base URL's own were meant. What is sent stays the same: the Host
// field, and the name in the TLS handshake that the certificate is checked for. Beside a proxy, which looks up names
// by itself, it is an error.
func WithConnectTo(host string, port int) Option {
	return option{"WithConnectTo", func(cfg *config) error {
		addr, err := dialAddress(host, port)
		if err != nil {
			return err
		}
		cfg.pool.dialTo = addr
		return cfg.ofPool("WithConnectTo")
	}}
}

func dialAddress(host string, port int) (string, error) {
	switch {
	case host == "" || !isHost(host):
		return "", errors.New("the host is neither a host name nor an IP address, or has a port in it")
	case port < 1 || port > 65535:
		return "", errors.New("the port is not from 1 to 65535")
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port)), nil
}

// WithPublicAddressesOnly refuses to connect to addresses that are not public: loopback, private and link-local ones,
// and those that embed one, wherever the URL comes from: redirects and links of next pages among them. What counts is
// the address that the name was resolved to, so that a name that resolves differently the next time is of no use to
// an attacker (server-side request forgery by DNS rebinding). It holds for token calls as well.
//
// Behind a proxy, which looks up names by itself, it cannot hold, and is an error; a proxy in the environment counts:
// set ProxyNone in [WithProxy] and [WithTokenProxy]. Beside [WithDialContext] the connection is made first, and
// closed before anything is sent. Beside [WithTransport] it is an error.
func WithPublicAddressesOnly() Option {
	return option{"WithPublicAddressesOnly", func(cfg *config) error {
		cfg.pool.publicOnly = true
		return cfg.ofPool("WithPublicAddressesOnly")
	}}
}

// AddressError means that a name leads to an address that [WithPublicAddressesOnly] refuses. Nothing was sent.
type AddressError struct {
	// Addr is the address, or the zero Addr if it could not be told.
	Addr netip.Addr
	Err  error
}

func (e *AddressError) Error() string {
	if !e.Addr.IsValid() {
		return "the address is refused: " + e.Err.Error()
	}
	return "WithPublicAddressesOnly refuses: " + redact.Printable(e.Err.Error())
}

// Unwrap returns what is wrong with the address.
func (e *AddressError) Unwrap() error { return e.Err }

// WithMaxConnLifetime sends no request on a connection of more than that age, so that a change in the name service or
// behind a load balancer is noticed. What is under way on it goes on. By default a connection is used for as long as
// it works. All connections of a pool are replaced together, up to a tenth of the time earlier, at random.
func WithMaxConnLifetime(d time.Duration) Option {
	return option{"WithMaxConnLifetime", func(cfg *config) error {
		if d <= 0 {
			return errors.New("the time is not positive")
		}
		cfg.pool.lifetime = d
		return cfg.ofPool("WithMaxConnLifetime")
	}}
}

// dial makes a TCP connection.
func (p *pool) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if p.config.dialTo != "" && strings.EqualFold(addr, hostPort(p.base)) {
		addr = p.config.dialTo
	}
	if p.config.dial != nil {
		conn, err := p.config.dial(ctx, network, addr)
		if err == nil && conn == nil {
			return nil, errors.New("WithDialContext: the function returned neither a connection nor an error")
		}
		if err == nil && p.config.publicOnly {
			if err = checkRemote(conn.RemoteAddr()); err != nil {
				_ = conn.Close()
				return nil, err
			}
		}
		return conn, err
	}
	dialer := net.Dialer{KeepAlive: keepAlive}
	if p.config.publicOnly {
		dialer.ControlContext = func(_ context.Context, _, addr string, _ syscall.RawConn) error {
			return checkAddress(addr)
		}
	}
	return dialer.DialContext(ctx, network, addr)
}

// hostPort returns the host and port of a URL, as net/http dials them.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// checkAddress refuses an address that is not public.
func checkAddress(addr string) error {
	parsed, err := netip.ParseAddrPort(addr)
	if err != nil {
		return &AddressError{Err: errors.New("it is not an IP address")}
	}
	if err := publicaddr.Check(parsed.Addr()); err != nil {
		return &AddressError{Addr: parsed.Addr(), Err: err}
	}
	return nil
}

func checkRemote(addr net.Addr) error {
	if addr == nil {
		return &AddressError{Err: errors.New("the connection does not tell where it leads")}
	}
	return checkAddress(addr.String())
}

// patience is for how long a connection is still being made when the request that it was meant for has gone.
const patience = time.Second

// whileWanted returns the context of a dial. net/http lets a dial go on without its request until the limits of the
// phases pass, for the next request to use. A server that answers nothing would so cost a goroutine and a socket for
// each request, for longer than anybody waits; one that is slow is reached within the time of patience. The dial of a
// token call belongs to no request: see [flight.Group].
func (l *lane) whileWanted(ctx context.Context) (context.Context, context.CancelFunc) {
	x, ok := ctx.Value(exchangeKey{}).(*Exchange)
	if !ok || l.token {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(x.live.Load().ctx, func() { time.AfterFunc(patience, cancel) })
	return ctx, func() {
		stop()
		cancel()
	}
}
