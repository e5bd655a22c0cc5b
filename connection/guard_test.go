package connection_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// nameService answers the lookups of a test in the place of the system's.
type nameService struct {
	mu      sync.Mutex
	answers map[string][]string // addresses by name, one for each lookup; the last one stays
	asked   map[string]int      // lookups of IPv4 addresses
	wg      sync.WaitGroup
}

// serveNames puts a name service in the place of the system's, until the test ends. The test cannot be parallel.
func serveNames(t *testing.T, answers map[string][]string) *nameService {
	t.Helper()
	s := &nameService{answers: answers, asked: map[string]int{}}
	before := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		s.wg.Go(func() { s.serve(server) })
		return client, nil
	}}
	t.Cleanup(func() {
		net.DefaultResolver = before
		s.wg.Wait()
	})
	return s
}

// serve answers the questions on one connection, as over TCP (RFC 1035, section 4.2.2).
func (s *nameService) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		var size [2]byte
		if _, err := io.ReadFull(conn, size[:]); err != nil {
			return
		}
		question := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(conn, question); err != nil {
			return
		}
		answer, err := s.answer(question)
		if err != nil {
			return
		}
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(answer)))
		if _, err := conn.Write(append(framed, answer...)); err != nil {
			return
		}
	}
}

func (s *nameService) answer(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q := m.Questions[0]
	addr, err := netip.ParseAddr(s.next(strings.TrimSuffix(q.Name.String(), "."), q.Type))
	if err == nil {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
		r := dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: addr.Unmap().As4()}}
		m.Answers = append(m.Answers, r)
	}
	return m.Pack()
}

// lookups returns how often the name was looked up.
func (s *nameService) lookups(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[name]
}

// next returns the answer to a lookup; "" if there is none.
func (s *nameService) next(name string, kind dnsmessage.Type) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.answers[name]
	if kind != dnsmessage.TypeA || len(list) == 0 {
		return ""
	}
	n := min(s.asked[name], len(list)-1)
	s.asked[name]++
	return list[n]
}

// trap is a server on this machine that nothing is to reach.
func trap(t *testing.T) (port string, conns *atomic.Int32) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns = new(atomic.Int32)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port, conns
}

// refusedAddress checks that err is about that address, that nothing was sent and that nothing was tried again.
func refusedAddress(t *testing.T, err error, addr string) {
	t.Helper()
	e, ok := errors.AsType[*connection.AddressError](err)
	if !ok || addr != "" && e.Addr != netip.MustParseAddr(addr) || addr == "" && e.Addr.IsValid() {
		t.Fatalf("error %v, want an *AddressError of %s", err, addr)
	}
	if _, ok := errors.AsType[*connection.RetryError](err); ok {
		t.Errorf("it was tried again: %v", err)
	}
	if te, ok := errors.AsType[*connection.TransportError](err); ok && !te.Unsent {
		t.Errorf("error %v is not one of a request that was not sent", err)
	}
}

var directly = connection.Options(
	connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}),
	connection.WithTokenProxy(connection.Proxy{Mode: connection.ProxyNone}),
)

//nolint:paralleltest // it takes the place of the name service
func TestPublicAddressesOnly(t *testing.T) {
	port, reached := trap(t)
	names := serveNames(t, map[string][]string{
		"rebind.example.test": {"93.184.215.14", "127.0.0.1", "93.184.215.14", "127.0.0.1"},
		"inside.example.test": {"127.0.0.1"},
	})
	guarded := func(t *testing.T, base string, options ...connection.Option) *connection.Connection {
		t.Helper()
		return connect(t, base, append([]connection.Option{
			directly, connection.WithPublicAddressesOnly(), connection.WithRetry(connection.Retry{Max: 3}),
		}, options...)...)
	}
	for _, scheme := range []string{"http", "https"} {
		t.Run("A20 a name that the second lookup tells otherwise than the first, "+scheme, func(t *testing.T) {
			before := names.lookups("rebind.example.test")
			first, err := net.DefaultResolver.LookupHost(t.Context(), "rebind.example.test")
			if err != nil || !slices.Equal(first, []string{"93.184.215.14"}) {
				t.Fatalf("the first lookup tells %q, %v", first, err)
			}
			conn := guarded(t, scheme+"://rebind.example.test:"+port)
			refusedAddress(t, request.Get(conn, "/x").Exec(t.Context()), "127.0.0.1")
			if n := names.lookups("rebind.example.test") - before; n != 2 {
				t.Errorf("%d lookups, want one by the connection", n-1)
			}
		})
		t.Run("A20 addresses of this machine, in all forms, "+scheme, func(t *testing.T) {
			for _, host := range []string{
				"127.0.0.1", "localhost", "inside.example.test", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
				"[::ffff:7f00:1]",
			} {
				conn := guarded(t, scheme+"://"+host+":"+port)
				err := request.Post(conn, "/x").JSON(1).Exec(t.Context())
				e, ok := errors.AsType[*connection.AddressError](err)
				if !ok || !e.Addr.Unmap().IsLoopback() && !e.Addr.IsUnspecified() {
					t.Errorf("%s: error %v, want an *AddressError", host, err)
				}
			}
		})
	}
	t.Run("A20 the place of the base URL's host and port", func(t *testing.T) {
		conn := guarded(t, "https://api.example.test", connection.WithConnectTo("10.1.2.3", 443))
		refusedAddress(t, request.Get(conn, "/x").Exec(t.Context()), "10.1.2.3")
	})
	t.Run("A20 token calls", func(t *testing.T) {
		conn := guarded(t, "https://inside.example.test:"+port,
			connection.WithAuth(grant(t, "https://inside.example.test:"+port, auth.Endpoint{})))
		refusedAddress(t, request.Get(conn, "/x").Exec(t.Context()), "127.0.0.1")
	})
	if n := reached.Load(); n != 0 {
		t.Errorf("%d connections reached this machine", n)
	}
	t.Run("A20 without the option it is reached", func(t *testing.T) {
		conn := connect(t, "http://inside.example.test:"+port, directly)
		if err := request.Get(conn, "/x").Exec(t.Context()); err == nil || reached.Load() == 0 {
			t.Errorf("error %v, %d connections", err, reached.Load())
		}
	})
}

func TestPublicAddressesOnlyOnTheWay(t *testing.T) {
	t.Parallel()
	const public = "http://8.8.8.8"
	guarded := func(t *testing.T, n *connectiontest.Network, options ...connection.Option) *connection.Connection {
		t.Helper()
		return connect(t, public, append([]connection.Option{
			n.Option(), connection.WithPublicAddressesOnly(), connection.WithRetry(connection.Retry{Max: 3}),
		}, options...)...)
	}
	for _, origin := range []string{
		"http://169.254.169.254", "http://10.0.0.8", "http://127.0.0.1:8080", "http://[fd00::1]", "https://192.168.1.1",
		"http://[::ffff:169.254.169.254]", "http://[64:ff9b::a9fe:a9fe]",
	} {
		u, _ := url.Parse(origin)
		t.Run("A20 a redirect to "+origin, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			home := n.Serve(public, redirectTo(302, origin+"/latest/meta-data"))
			inside := n.Serve(origin, status(200))
			err := request.Get(guarded(t, n), "/x").Exec(t.Context())
			e, ok := errors.AsType[*connection.AddressError](err)
			if !ok || e.Addr.Unmap() != netip.MustParseAddr(u.Hostname()).Unmap() {
				t.Errorf("error %v, want an *AddressError", err)
			}
			wantNone(t, inside)
			if inside.Conns() > 1 {
				t.Errorf("%d connections, want one at most", inside.Conns())
			}
			sent(t, home, 1)
		})
	}
	t.Run("A20 the link to the next page", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.Serve(public, connectiontest.JSON(200, []int{1}).Header("Link", `<https://10.0.0.8/2>; rel="next"`))
		inside := n.Serve("https://10.0.0.8", connectiontest.JSON(200, []int{2}))
		conn := guarded(t, n, connection.WithTrustedOrigins("https://10.0.0.8"))
		var pages int
		var last error
		for page, err := range request.Pages(t.Context(), request.Get(conn, "/1"), request.LinkHeader[[]int]()) {
			if last = err; err == nil && page != nil {
				pages++
			}
		}
		refusedAddress(t, last, "10.0.0.8")
		if pages != 1 || inside.Conns() != 1 {
			t.Errorf("%d pages, %d connections", pages, inside.Conns())
		}
		wantNone(t, inside)
	})
	t.Run("A20 a dialer that leads inside", func(t *testing.T) {
		t.Parallel()
		for where, addr := range map[string]net.Addr{
			"10.0.0.1":      &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80},
			"fe80::1%eth0":  &net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 80, Zone: "eth0"},
			"198.51.100.7":  &net.TCPAddr{IP: net.IPv4(198, 51, 100, 7).To4(), Port: 80},
			"/var/run/sock": &net.UnixAddr{Net: "unix", Name: "/var/run/sock"},
			"nowhere":       nil,
		} {
			for _, origin := range []string{public, "https://8.8.8.8"} {
				n := connectiontest.NewNetwork(t)
				s := n.Serve(origin, status(204))
				dials := 0
				conn := connect(t, origin, n.Option(), connection.WithPublicAddressesOnly(),
					connection.WithRetry(connection.Retry{Max: 3}),
					connection.WithDialContext(func(ctx context.Context, network, to string) (net.Conn, error) {
						dials++
						conn, err := n.Dial(ctx, network, to)
						return elsewhere{conn, addr}, err
					}))
				err := request.Get(conn, "/x").Exec(t.Context())
				want := where
				if addr == nil || addr.Network() == "unix" {
					want = ""
				}
				refusedAddress(t, err, want)
				wantNone(t, s)
				if dials != 1 || s.OpenConns() != 0 {
					t.Errorf("%s: dialed %d times, %d connections are open", where, dials, s.OpenConns())
				}
			}
		}
	})
	t.Run("A20 a public address is reached", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		s := n.Serve(public, status(204))
		conn := guarded(t, n)
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil || !conn.Describe().Pool.PublicAddressesOnly {
			t.Error(err)
		}
		sent(t, s, 1)
	})
	t.Run("A20 beside a proxy, or a transport of the caller's, it is an error", func(t *testing.T) {
		t.Parallel()
		guard := connection.WithPublicAddressesOnly()
		none := connection.Proxy{Mode: connection.ProxyNone}
		for name, options := range map[string][]connection.Option{
			"WithProxy":      {connection.WithProxy(viaProxy()), connection.WithTokenProxy(none)},
			"WithTokenProxy": {connection.WithProxy(none), connection.WithTokenProxy(viaProxy())},
			"socks5":         {connection.WithProxy(viaProxy(withScheme("socks5"))), connection.WithTokenProxy(none)},
			"WithRuntime":    {connection.WithRuntime("zone", connection.Runtimes{"zone": {Proxy: viaProxy()}})},
			"WithTransport":  {connection.WithTransport(tripFunc(nil))},
		} {
			for _, base := range []string{public, "https://8.8.8.8"} {
				_, err := connection.New(base, append(options, guard)...)
				if got := optionFaults(err); !slices.Equal(got, []string{"WithPublicAddressesOnly"}) {
					t.Errorf("%s: error %v", name, err)
				}
			}
		}
	})
	t.Run("A20 the proxy that a token flow has chosen itself", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		s, issuer := n.Serve("https://8.8.8.8", status(204)), n.Serve("https://8.8.4.4", tokens(nil))
		p := serveProxyAt(t, n, "http://1.1.1.1:3128", &fakeProxy{})
		conn := behind(t, s, connection.WithPublicAddressesOnly(), connection.WithAuth(grant(t, issuer.URL, auth.Endpoint{
			Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: "1.1.1.1:3128"}),
		})))
		err := request.Get(conn, "/x").Exec(t.Context())
		if oe, ok := errors.AsType[*connection.OptionError](err); !ok || oe.Option != "WithPublicAddressesOnly" {
			t.Errorf("error %v, want an *OptionError", err)
		}
		if s.Conns()+issuer.Conns()+p.Conns() != 0 {
			t.Error("something was sent")
		}
	})
}

//nolint:paralleltest // it sets the environment
func TestPublicAddressesOnlyEnvironment(t *testing.T) {
	for name, c := range map[string]struct {
		env []string
		ok  bool
	}{
		"A20 without a proxy in the environment": {nil, true},
		"A20 with one":                           {[]string{"HTTPS_PROXY", "http://" + proxyAddr}, false},
		"A20 with one that NO_PROXY disables":    {[]string{"HTTPS_PROXY", "http://a.test:1", "NO_PROXY", "x.test"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			setProxies(t, c.env...)
			_, err := connection.New("https://x.test", connection.WithPublicAddressesOnly())
			if (err == nil) != c.ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

// elsewhere is a connection that says it leads to another place.
type elsewhere struct {
	net.Conn

	addr net.Addr
}

func (e elsewhere) RemoteAddr() net.Addr { return e.addr }
