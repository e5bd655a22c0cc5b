package interop_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// proxyAt is the proxy at a URL, with the user and the password in it.
func proxyAt(t *testing.T, target string) connection.Proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal("the URL of the proxy is malformed")
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal("the URL of the proxy has no port")
	}
	p := connection.Proxy{Mode: connection.ProxyCustom, Scheme: u.Scheme, Host: u.Hostname(), Port: port}
	if password, ok := u.User.Password(); ok {
		p.User, p.Password = u.User.Username(), secrets.Static(password)
	}
	return p
}

// refused is a proxy that does not know the user.
func refused(t *testing.T, target string) connection.Proxy {
	t.Helper()
	p := proxyAt(t, target)
	p.Password = secrets.Static("wrong-password-3")
	return p
}

// proxies are the URLs of all proxies that we can talk to.
func proxies(t *testing.T) map[string]string {
	t.Helper()
	squid := server(t, servers.Squid)
	return map[string]string{
		"Squid": squid.URL, "Squid over TLS": squid.At[servers.TLS], "Tinyproxy": server(t, servers.Tinyproxy).URL,
		"microsocks": server(t, servers.Microsocks).URL,
	}
}

func TestThroughProxies(t *testing.T) {
	t.Parallel()
	web := server(t, servers.Nginx)
	identity := connection.WithClientCertificate(connection.StaticCertificate(pair(t, certificates(t).Client)))
	key := connection.WithAuth(auth.Basic("user", secrets.Static("password")))
	for name, target := range proxies(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := connection.WithProxy(proxyAt(t, target))
			for role, want := range map[string]string{
				servers.TLS: "HTTP/2.0", servers.TLS11: "HTTP/1.1", servers.MTLS: "HTTP/2.0", servers.Plain: "HTTP/1.1",
			} {
				conn := dialing(t, web.At[role], proxy, identity, key)
				got := seen(t, request.Get(conn, "/echo"))
				if got.Authorization == "" || got.ProxyAuthorization != "" || role != servers.Plain && got.Protocol != want {
					t.Errorf("%s: %+v", role, got)
				}
				if (got.Subject == "CN=client") != (role == servers.MTLS) {
					t.Errorf("%s: the client is %q", role, got.Subject)
				}
				// Tinyproxy closes a connection after an answer without a word before, and that could be under a
				// POST.
				conn = dialing(t, web.At[role], proxy, identity, key)
				b, id := marked(request.Post(conn, "/upload").Text(strings.Repeat("u", 50_000)))
				if err := b.Exec(within(t, time.Minute)); err != nil {
					t.Errorf("%s: %v", role, err)
				}
				if all := wantRequests(t, web, id, 2); len(all) == 2 && all[0].Path == all[1].Path {
					t.Errorf("%s: %+v", role, all) // one is that of nginx to itself
				}
			}
		})
	}
}

// TestUnknownToProxies wants that nothing reaches the service, and that the proxy is asked once.
func TestUnknownToProxies(t *testing.T) {
	t.Parallel()
	web := server(t, servers.Nginx)
	for name, target := range proxies(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, ok := map[string]int{"microsocks": 0, "Tinyproxy": 401}[name]
			if !ok {
				status = http.StatusProxyAuthRequired
			}
			for _, role := range []string{servers.TLS, servers.Plain} {
				l, base := link(t, web.At[role])
				conn := dialing(t, base, threeTimes(), connection.WithProxy(refused(t, target)))
				b, id := marked(request.Post(conn, "/echo").JSON(1))
				err := fails(t, b)
				if status == http.StatusUnauthorized && role == servers.Plain {
					wantResponse(t, err, status) // Tinyproxy says 407 only to who says nothing, and this looks like the service
				} else if got := as[*connection.ProxyError](t, err); got.Status != status || got.Proxy != host(t, target) {
					t.Errorf("%s: %+v", role, got)
				}
				if strings.Contains(err.Error(), "wrong-password-3") {
					t.Errorf("%s: the password is told: %v", role, err)
				}
				if l.Accepted() != 0 {
					t.Errorf("%s: %d connections to the service", role, l.Accepted())
				}
				wantRequests(t, web, id, 0)
			}
		})
	}
	t.Run("Squid, which wants Digest", func(t *testing.T) {
		t.Parallel()
		squid := server(t, servers.SquidDigest)
		for _, role := range []string{servers.TLS, servers.Plain} {
			l, base := link(t, web.At[role])
			conn := dialing(t, base, threeTimes(), connection.WithProxy(proxyAt(t, squid.URL)))
			got := as[*connection.ProxyError](t, fails(t, request.Post(conn, "/echo").JSON(1)))
			if got.Status != 407 || !strings.Contains(got.Error(), "Digest") {
				t.Errorf("%s: %v", role, got)
			}
			if l.Accepted() != 0 {
				t.Errorf("%s: %d connections to the service", role, l.Accepted())
			}
		}
	})
}

// TestProxyTLS is about who the proxy is.
func TestProxyTLS(t *testing.T) {
	t.Parallel()
	web, squid := server(t, servers.Nginx), server(t, servers.Squid)
	for _, role := range []string{servers.TLS, servers.Plain} {
		conn := opened(t, web.At[role], connection.WithProxy(proxyAt(t, squid.At[servers.TLS])), threeTimes())
		err := fails(t, request.Get(conn, "/echo"))
		wants[*connection.ProxyError](t, err)
		wants[x509.UnknownAuthorityError](t, err)
	}
	// What is not checked at the service is checked at the proxy.
	secure := connection.WithProxy(proxyAt(t, squid.At[servers.TLS]))
	conn := opened(t, web.URL, secure, connection.WithInsecureSkipVerify())
	wants[x509.UnknownAuthorityError](t, fails(t, request.Get(conn, "/echo")))
	pin := connection.WithPinnedKeys(connection.PinOf(certificates(t).Untrusted.Certificate))
	conn = dialing(t, web.At[servers.Untrusted], secure, connection.WithInsecureSkipVerify(), pin)
	seen(t, request.Get(conn, "/echo"))
}

func TestProxyDown(t *testing.T) {
	t.Parallel()
	web := server(t, servers.Nginx)
	for name, target := range proxies(t) {
		t.Run("C10 "+name, func(t *testing.T) {
			t.Parallel()
			l, linked := link(t, target)
			l.Down()
			for _, role := range []string{servers.TLS, servers.Plain} {
				conn := dialing(t, web.At[role], connection.WithProxy(proxyAt(t, linked)), threeTimes())
				b, id := marked(request.Post(conn, "/echo").JSON(1))
				err := fails(t, b)
				if !errors.Is(err, syscall.ECONNREFUSED) || !as[*connection.TransportError](t, err).Unsent {
					t.Errorf("%s: %v", role, err)
				}
				wants[*connection.ProxyError](t, err)
				// Nothing was sent, so the POST may be repeated.
				if n := len(as[*connection.RetryError](t, err).History); n != 4 {
					t.Errorf("%s: %d attempts", role, n)
				}
				wantRequests(t, web, id, 0)
			}
			if err := l.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			seen(t, request.Post(dialing(t, web.URL, connection.WithProxy(proxyAt(t, linked))), "/echo").JSON(1))
		})
		t.Run("C10 a black hole before "+name, func(t *testing.T) {
			t.Parallel()
			l, linked := link(t, target)
			l.Set(servers.Weather{Mute: true})
			limits := connection.WithTimeouts(connection.Timeouts{
				Dial: 200 * time.Millisecond, TLSHandshake: 200 * time.Millisecond,
			})
			conn := dialing(t, web.URL, connection.WithProxy(proxyAt(t, linked)), limits, threeTimes())
			b, id := marked(request.Post(conn, "/echo").JSON(1))
			err := fails(t, b)
			wants[*connection.ProxyError](t, err)
			if !as[*connection.TransportError](t, err).Unsent {
				t.Errorf("%v", err)
			}
			phases := []connection.Phase{connection.PhaseDial, connection.PhaseTLS}
			if !slices.Contains(phases, as[*connection.TimeoutError](t, err).Phase) {
				t.Errorf("%v", err)
			}
			wantRequests(t, web, id, 0)
		})
	}
}

// TestServiceBehindProxy is about what a proxy says of the service.
func TestServiceBehindProxy(t *testing.T) {
	t.Parallel()
	web := server(t, servers.Nginx)
	for name, target := range proxies(t) {
		t.Run("a service that is down, behind "+name, func(t *testing.T) {
			t.Parallel()
			l, base := link(t, web.URL)
			l.Down()
			err := fails(t, request.Get(dialing(t, base, connection.WithProxy(proxyAt(t, target))), "/echo"))
			got := as[*connection.ProxyError](t, err)
			if socks := strings.HasPrefix(target, "socks5"); (got.Status == 0) != socks || got.Status/100 == 2 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestProxyEnvironment sets the environment, so it does not run beside others. A host that is this machine itself is
// never asked through the proxy of the environment; the name here is one that the proxy alone knows.
func TestProxyEnvironment(t *testing.T) {
	web, squid := server(t, servers.Nginx), server(t, servers.Squid)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"} {
		t.Setenv(name, "")
	}
	named := func(role string) string {
		return strings.Replace(web.At[role], "127.0.0.1", servers.ProxyHost, 1)
	}
	trust := connection.WithTrustedCA(certificates(t).CA.PEM)
	identity := connection.WithClientCertificate(connection.StaticCertificate(pair(t, certificates(t).Client)))
	for role, variable := range map[string]string{servers.MTLS: "HTTPS_PROXY", servers.Plain: "HTTP_PROXY"} {
		for _, proxy := range []string{squid.URL, squid.At[servers.TLS]} {
			t.Run(variable+" is "+proxy[:5], func(t *testing.T) {
				_, err := request.Do[servers.Echo](within(t, time.Minute), request.Get(opened(t, named(role), trust), "/echo"))
				if dns, ok := errors.AsType[*net.DNSError](err); !ok {
					t.Fatalf("without the variable: %v, %v", err, dns)
				}
				t.Setenv(variable, proxy)
				got := seen(t, request.Get(opened(t, named(role), trust, identity), "/echo"))
				if got.ProxyAuthorization != "" || role == servers.MTLS && (got.Protocol != "HTTP/2.0" || got.Subject == "") {
					t.Errorf("%+v", got)
				}
				seen(t, request.Get(opened(t, web.URL, trust), "/echo")) // itself

				t.Setenv(variable, stranger(t, proxy, url.UserPassword(squid.User, "no")))
				err = fails(t, request.Get(opened(t, named(role), trust), "/echo"))
				if as[*connection.ProxyError](t, err).Status != http.StatusProxyAuthRequired {
					t.Errorf("%v", err)
				}
				t.Setenv("NO_PROXY", servers.ProxyHost)
				wants[*net.DNSError](t, fails(t, request.Get(opened(t, named(role), trust), "/echo")))
				t.Setenv("NO_PROXY", "")
				// ProxyNone is past the proxy, whatever the environment says.
				direct := dialing(t, named(role))
				wants[*net.DNSError](t, fails(t, request.Get(direct, "/echo")))
			})
		}
	}
}

// TestTokensPastProxy looks at where the calls go: those for tokens do not go through the proxy of the connection.
func TestTokensPastProxy(t *testing.T) {
	t.Parallel()
	web, squid := server(t, servers.Nginx), server(t, servers.Squid)
	identity := connection.WithClientCertificate(connection.StaticCertificate(pair(t, certificates(t).Client)))
	for _, tt := range []struct {
		name    string
		token   connection.Proxy
		proxied bool
	}{
		{"I-17 the proxy of the connection alone", connection.Proxy{}, false},
		{"I-17 WithTokenProxy", proxyAt(t, squid.URL), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api, base := link(t, web.URL)
			tokens, issuer := link(t, web.At[servers.MTLS])
			var dialed dialLog
			conn := dialing(t, base, identity, connection.WithProxy(proxyAt(t, squid.URL)), connection.WithTokenProxy(tt.token),
				connection.WithDialContext(dialed.dial),
				connection.WithAuth(auth.Bearer(auth.Manage(oauth2flow.ClientCredentials(oauth2flow.Client{
					ID: "client", Auth: oauth2flow.TLSClientAuth(), TokenURL: issuer + "/token",
				})))))
			if got := seen(t, request.Get(conn, "/echo")); got.Authorization != "Bearer CN=client" {
				t.Errorf("%+v", got)
			}
			if api.Accepted() == 0 || tokens.Accepted() == 0 {
				t.Fatal("the links were not used")
			}
			if !dialed.has(host(t, squid.URL)) || dialed.has(api.Address()) || dialed.has(tokens.Address()) == tt.proxied {
				t.Errorf("connections were made to %v", dialed.addresses)
			}
			tunnelled := func(address string) bool {
				log, err := squid.Log("access.log")
				if err != nil {
					t.Fatal(err)
				}
				return strings.Contains(log, "CONNECT "+address+" ")
			}
			if err := conn.Close(); err != nil { // Squid writes down a tunnel when it ends
				t.Fatal(err)
			}
			eventually(t, "Squid writes down its tunnels", func() bool { return tunnelled(api.Address()) })
			if tt.proxied {
				eventually(t, "Squid writes down its tunnels", func() bool { return tunnelled(tokens.Address()) })
			} else if tunnelled(tokens.Address()) {
				t.Error("the token call went through the proxy")
			}
		})
	}
}

// dialLog remembers where connections were made to.
type dialLog struct {
	mu        sync.Mutex
	addresses []string
}

func (d *dialLog) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	d.addresses = append(d.addresses, address)
	d.mu.Unlock()
	return new(net.Dialer).DialContext(ctx, network, address)
}

func (d *dialLog) has(address string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.addresses, address)
}
