package connection_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// dialed notes what was dialed, and dials on.
type dialed struct {
	next connection.DialFunc

	mu    sync.Mutex
	addrs []string
}

func (d *dialed) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.addrs = append(d.addrs, addr)
	d.mu.Unlock()
	return d.next(ctx, network, addr)
}

func (d *dialed) list() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.addrs)
}

//nolint:paralleltest // it sets the environment
func TestRuntime(t *testing.T) {
	setProxies(t, "HTTPS_PROXY", "http://env.example.test:8080")
	none := connection.Proxy{Mode: connection.ProxyNone}
	t.Run("N-07 a name that is not known", func(t *testing.T) {
		s := connectiontest.NewServer(t, status(204))
		_, err := connection.New(s.URL, platform(s.Network()), connection.WithRuntime("a\nb", connection.Runtimes{"c": {}}))
		if !errors.Is(err, connection.ErrUnknownRuntime) || !slices.Equal(optionFaults(err), []string{"WithRuntime"}) {
			t.Errorf("error %v, want ErrUnknownRuntime", err)
		}
		if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "a\\") || s.Conns() != 0 {
			t.Errorf("error %q", err)
		}
		if _, err := connection.New(s.URL, connection.WithRuntime("x", nil)); !errors.Is(err, connection.ErrUnknownRuntime) {
			t.Errorf("error %v, want ErrUnknownRuntime", err)
		}
	})
	t.Run("N-07 each runtime has its own way, and the bytes are the same", func(t *testing.T) {
		s := connectiontest.NewServer(t, status(204))
		n := s.Network()
		one, two := &dialed{next: n.Dial}, &dialed{next: n.Dial}
		spy := tripFunc(n.Transport().RoundTrip)
		all := connection.Runtimes{
			"one": {DialContext: one.dial, NoProxy: true}, "two": {DialContext: two.dial, NoProxy: true},
			"three": {Transport: spy},
		}
		for _, name := range []string{"one", "two", "three"} {
			options := []connection.Option{connection.WithRuntime(name, all)}
			if name != "three" { // whose transport has its own
				options = append(options, connection.WithTrustedCAOnly(n.Authority()))
			}
			conn := connect(t, s.URL+"/v1", options...)
			if err := request.Get(conn, "/ping").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := conn.Describe().Runtime; got != name && name != "three" {
				t.Errorf("the runtime is %q", got)
			}
		}
		if len(one.list()) != 1 || len(two.list()) != 1 {
			t.Errorf("one dialed %q, two %q", one.list(), two.list())
		}
		for _, req := range s.Requests() {
			const begin = "GET /v1/ping HTTP/1.1\r\nHost: api.example.test\r\n"
			if req.Raw != s.Requests()[0].Raw || !strings.HasPrefix(req.Raw, begin) {
				t.Errorf("the request is %q", req.Raw)
			}
		}
		sent(t, s, 3)
	})
	t.Run("N-07 of two runtimes the last one counts, and nothing of the first", func(t *testing.T) {
		s := connectiontest.NewServer(t, status(204))
		n := s.Network()
		base, wrong := &dialed{next: n.Dial}, &dialed{next: n.Dial}
		wrongTrip := tripFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("the wrong runtime") })
		for name, first := range map[string]connection.Runtime{
			"dial":      {DialContext: wrong.dial},
			"host":      {Host: "10.1.2.3", Port: 9443},
			"proxy":     {Proxy: viaProxy()},
			"no proxy":  {NoProxy: true},
			"transport": {Transport: wrongTrip},
		} {
			host := strings.ReplaceAll(name, " ", "") + ".example.test"
			p := serveProxyAt(t, n, "http://"+host+":8080", &fakeProxy{})
			second := viaProxy(func(c *connection.Proxy) { c.Host, c.Port = host, 8080 })
			all := connection.Runtimes{"first": first, "second": {Proxy: second}, "trip": {Transport: n.Transport()}}
			options := []connection.Option{
				connection.WithDialContext(base.dial), connection.WithTrustedCAOnly(n.Authority()),
				connection.WithRuntime("first", all), connection.WithRuntime("second", all),
			}
			if err := request.Get(connect(t, s.URL, options...), "/x").Exec(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if len(p.requests()) != 1 || len(wrong.list()) != 0 {
				t.Errorf("%s: the proxy read %q, the wrong runtime dialed %q", name, p.requests(), wrong.list())
			}
			options = []connection.Option{connection.WithRuntime("first", all), connection.WithRuntime("trip", all)}
			if err := request.Get(connect(t, s.URL, options...), "/x").Exec(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if len(base.list()) != 5 {
			t.Errorf("dialed %q", base.list())
		}
	})
	t.Run("I-29 a runtime without proxies", func(t *testing.T) {
		s := connectiontest.NewServer(t, status(204))
		n := s.Network()
		env := serveProxyAt(t, n, "http://env.example.test:8080", &fakeProxy{})
		all := connection.Runtimes{"serverless": {NoProxy: true}}
		conn := connect(t, s.URL, platform(n), connection.WithRuntime("serverless", all))
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil || env.Conns() != 0 {
			t.Errorf("error %v, %d connections to the proxy", err, env.Conns())
		}
		for option, set := range map[string]connection.Option{
			"WithProxy": connection.WithProxy(viaProxy()), "WithTokenProxy": connection.WithTokenProxy(viaProxy()),
		} {
			for _, order := range [][]connection.Option{
				{set, connection.WithRuntime("serverless", all)}, {connection.WithRuntime("serverless", all), set},
			} {
				_, err := connection.New(s.URL, append([]connection.Option{platform(n)}, order...)...)
				if got := optionFaults(err); !slices.Equal(got, []string{option}) ||
					!strings.Contains(err.Error(), `"serverless"`) || !strings.Contains(err.Error(), option) {
					t.Errorf("error %v, want one of %s that names the runtime", err, option)
				}
			}
		}
		// None is no contradiction.
		connect(t, s.URL, platform(n), connection.WithRuntime("serverless", all), connection.WithProxy(none))
	})
	t.Run("N-07 a runtime that contradicts itself", func(t *testing.T) {
		dial := (&net.Dialer{}).DialContext
		trip := tripFunc(nil)
		for name, r := range map[string]connection.Runtime{
			"a host and no port":         {Host: "a.test"},
			"a port and no host":         {Port: 80},
			"a host with a port":         {Host: "a.test:1", Port: 80},
			"a port that is too large":   {Host: "a.test", Port: 65536},
			"a proxy and none":           {NoProxy: true, Proxy: viaProxy()},
			"a proxy without a host":     {Proxy: connection.Proxy{Mode: connection.ProxyCustom, Port: 1}},
			"a transport and a dialer":   {Transport: trip, DialContext: dial},
			"a transport and a host":     {Transport: trip, Host: "a.test", Port: 80},
			"a transport and a proxy":    {Transport: trip, Proxy: viaProxy()},
			"a host beside its proxy":    {Host: "a.test", Port: 80, Proxy: viaProxy()},
			"a proxy of an unknown mode": {Proxy: connection.Proxy{Mode: "x"}},
		} {
			_, err := connection.New(apiOrigin, connection.WithProxy(connection.Proxy{}),
				connection.WithRuntime("zone", connection.Runtimes{"zone": r}))
			if err == nil || !slices.ContainsFunc(optionFaults(err), func(o string) bool {
				return o == "WithRuntime" || o == "WithConnectTo"
			}) {
				t.Errorf("%s: error %v", name, err)
			}
		}
	})
	t.Run("N-07 beside the transport of a runtime, options about the pool are errors", func(t *testing.T) {
		all := connection.Runtimes{"zone": {Transport: tripFunc(nil)}}
		for name, option := range poolOptions(t) {
			_, err := connection.New(apiOrigin, connection.WithRuntime("zone", all), option)
			if name == "WithRuntime" {
				continue // the last one counts
			}
			if got := optionFaults(err); !slices.Contains(got, name) || !strings.Contains(err.Error(), "WithRuntime") {
				t.Errorf("%s: error %v", name, err)
			}
		}
	})
}

// poolOptions are all options that concern how connections are made.
func poolOptions(t *testing.T) map[string]connection.Option {
	t.Helper()
	n := connectiontest.NewNetwork(t)
	cert := n.Certificate("client.example.test")
	return map[string]connection.Option{
		"WithDialContext":         connection.WithDialContext(n.Dial),
		"WithConnectTo":           connection.WithConnectTo("10.1.2.3", 9443),
		"WithPublicAddressesOnly": connection.WithPublicAddressesOnly(),
		"WithMaxConnLifetime":     connection.WithMaxConnLifetime(time.Hour),
		"WithProxy":               connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}),
		"WithTokenProxy":          connection.WithTokenProxy(connection.Proxy{Mode: connection.ProxyNone}),
		"WithRuntime":             connection.WithRuntime("zone", connection.Runtimes{"zone": {NoProxy: true}}),
		"WithTrustedCA":           connection.WithTrustedCA(n.Authority()),
		"WithClientCertificate":   connection.WithClientCertificate(connection.StaticCertificate(cert)),
		"WithReloadInterval":      connection.WithReloadInterval(time.Hour),
		"WithPinnedKeys":          connection.WithPinnedKeys(connection.PinOf(cert.Leaf)),
		"WithHTTPVersion":         connection.WithHTTPVersion(connection.HTTP11),
		"WithMaxConnsPerHost":     connection.WithMaxConnsPerHost(3),
		"WithTimeouts":            connection.WithTimeouts(connection.Timeouts{Dial: time.Second}),
	}
}

func TestPoolOptions(t *testing.T) {
	t.Parallel()
	s := connectiontest.NewServer(t, status(204))
	base := behind(t, s)
	for name, option := range poolOptions(t) {
		t.Run("J8 on a derived connection it is an error: "+name, func(t *testing.T) {
			t.Parallel()
			_, err := base.With(connection.WithName("x"), option)
			if got := optionFaults(err); !slices.Equal(got, []string{name}) || !strings.Contains(err.Error(), "derived") {
				t.Errorf("error %v, want an *OptionError of %s", err, name)
			}
		})
		for by, beside := range map[string]connection.Option{
			"WithTransport":  connection.WithTransport(tripFunc(nil)),
			"WithHTTPClient": connection.WithHTTPClient(&http.Client{}),
		} {
			t.Run("J8 beside "+by+" it is an error: "+name, func(t *testing.T) {
				t.Parallel()
				for _, options := range [][]connection.Option{{beside, option}, {option, beside}} {
					_, err := connection.New(apiOrigin, options...)
					if got := optionFaults(err); !slices.Equal(got, []string{name}) || !strings.Contains(err.Error(), by) {
						t.Errorf("error %v, want an *OptionError of %s that names %s", err, name, by)
					}
				}
			})
		}
	}
	t.Run("J8 each limit of the pool is one", func(t *testing.T) {
		t.Parallel()
		for _, l := range []connection.Timeouts{{Dial: 1}, {TLSHandshake: 1}, {ResponseHeader: 1}} {
			for name, build := range map[string]func() error{
				"With": func() error { _, err := base.With(limits(l)); return err },
				"WithTransport": func() error {
					_, err := connection.New(apiOrigin, limits(l), connection.WithTransport(tripFunc(nil)))
					return err
				},
			} {
				if got := optionFaults(build()); !slices.Equal(got, []string{"WithTimeouts"}) {
					t.Errorf("%s of %+v: %v", name, l, got)
				}
			}
		}
		derived, err := base.With(limits(connection.Timeouts{Attempt: time.Second, Total: time.Second, Idle: time.Second}))
		if err != nil {
			t.Fatal(err)
		}
		_ = derived.Close()
	})
	t.Run("J8 deriving at the same time is safe", func(t *testing.T) {
		t.Parallel()
		var wg sync.WaitGroup
		for _, option := range poolOptions(t) {
			wg.Go(func() { _, _ = base.With(option) })
		}
		wg.Wait()
		if err := request.Get(base, "/x").Exec(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestHostPort(t *testing.T) {
	t.Parallel()
	t.Run("P-08 only the base URL's own host and port are dialed elsewhere", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		var name string
		own := n.Certificate("api.example.test")
		onPrem := n.ServeTLS("https://127.0.0.1:9443", routes{
			"/v1/x": status(204), "/v1/away": redirectTo(302, foreignOrigin+"/y"),
			"/v1/port": redirectTo(302, "https://api.example.test:8443/z"), "/token": tokens(nil),
		}, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name = hello.ServerName
			return &own, nil
		}})
		other, port := n.Serve(foreignOrigin, status(204)), n.Serve("https://api.example.test:8443", status(204))
		log := &dialed{next: n.Dial}
		conn := connect(t, apiOrigin+"/v1", n.Option(), connection.WithDialContext(log.dial),
			connection.WithConnectTo("127.0.0.1", 9443), connection.WithAuth(grant(t, apiOrigin, auth.Endpoint{})))
		for _, path := range []string{"/x", "/away", "/port"} {
			if err := request.Get(conn, path).Exec(t.Context()); err != nil {
				t.Error(err)
			}
		}
		want := map[string]int{"127.0.0.1:9443": 2, "other.example.test:443": 1, "api.example.test:8443": 1}
		got := map[string]int{}
		for _, addr := range log.list() {
			got[addr]++
		}
		if len(got) != len(want) || got["127.0.0.1:9443"] == 0 || name != "api.example.test" {
			t.Errorf("dialed %q, with the name %q", log.list(), name)
		}
		for _, req := range onPrem.Requests() {
			wantLine(t, req.Raw, "Host: api.example.test")
		}
		sent(t, onPrem, 4)
		sent(t, other, 1)
		sent(t, port, 1)
		if got := conn.Describe().Pool.ConnectTo; got != "127.0.0.1:9443" {
			t.Errorf("DialTo is %q", got)
		}
	})
	t.Run("P-08 an IPv6 address, and another spelling of the base URL", func(t *testing.T) {
		t.Parallel()
		for _, base := range []string{"http://API.example.test", "http://api.example.test:80", "http://[2001:DB8::1]:80"} {
			for _, host := range []string{"2001:db8::5", "[2001:db8::5]"} {
				n := connectiontest.NewNetwork(t)
				s := n.Serve("http://[2001:db8::5]:81", status(204))
				conn := connect(t, base, n.Option(), connection.WithConnectTo(host, 81))
				if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
					t.Errorf("%s: %v", base, err)
				}
				sent(t, s, 1)
			}
		}
	})
	t.Run("P-08 what is no host or no port, and a proxy", func(t *testing.T) {
		t.Parallel()
		for host, port := range map[string]int{
			"": 80, "a.test": 0, "b.test": -1, "c.test": 65536, "d.test:1": 80, "http://e.test": 80, "f.test/": 80,
			"u:p@g.test": 80, "h test": 80, "[::1": 80, "::1]": 80, "i.test?x": 80, "j.test#x": 80,
		} {
			_, err := connection.New(apiOrigin, directly, connection.WithConnectTo(host, port))
			if got := optionFaults(err); !slices.Equal(got, []string{"WithConnectTo"}) {
				t.Errorf("%q %d: error %v", host, port, err)
			}
		}
		_, err := connection.New(apiOrigin, directly, connection.WithConnectTo("a.test", 80),
			connection.WithProxy(viaProxy()))
		if got := optionFaults(err); !slices.Equal(got, []string{"WithConnectTo"}) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("N-07 a dialer that is nil, and one that returns nothing", func(t *testing.T) {
		t.Parallel()
		_, err := connection.New(apiOrigin, directly, connection.WithDialContext(nil))
		if got := optionFaults(err); !slices.Equal(got, []string{"WithDialContext"}) {
			t.Errorf("error %v", err)
		}
		for _, origin := range []string{apiOrigin, "http://api.example.test"} {
			conn := connect(t, origin, directly,
				connection.WithDialContext(func(context.Context, string, string) (net.Conn, error) {
					return nil, nil //nolint:nilnil // that is the fault
				}))
			err = request.Get(conn, "/x").Exec(t.Context())
			if err == nil || !strings.Contains(err.Error(), "WithDialContext") {
				t.Errorf("error %v", err)
			}
		}
	})
}
