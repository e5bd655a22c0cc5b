package conformance_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const (
	plainAPI  = "http://api.example.test"
	proxyURL  = "http://proxy.example.test:3128"
	proxyUser = "pxuser"
	proxyPass = "pxpass"
	proxyAuth = "Proxy-Authorization: Basic cHh1c2VyOnB4cGFzcw=="
)

// proxy adds a proxy to a network, which hands on whatever comes to the servers there.
func (r *Row) proxy(n *connectiontest.Network, origin string) *connectiontest.Server {
	r.Helper()
	onward := n.Transport()
	return n.Serve(origin, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodConnect {
			tunnel(n, w, req)
			return
		}
		next := req.Clone(req.Context())
		next.RequestURI = ""
		next.Header.Del("Proxy-Authorization")
		resp, err := onward.RoundTrip(next)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
}

// tunnel answers a CONNECT, and hands bytes on until one side closes.
func tunnel(n *connectiontest.Network, w http.ResponseWriter, req *http.Request) {
	server, err := n.Dial(req.Context(), "tcp", req.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	client, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = server.Close()
		return
	}
	defer func() { _ = client.Close() }()
	_, _ = io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(server, rw)
		_ = server.Close()
	})
	_, _ = io.Copy(client, server)
	_ = client.Close()
	wg.Wait()
}

// custom is a proxy as it is told in the form of a connection, with those changes.
func custom(changes ...func(p *connection.Proxy)) connection.Proxy {
	p := connection.Proxy{
		Mode: connection.ProxyCustom, Host: "proxy.example.test", Port: 3128,
		User: proxyUser, Password: secrets.Static(proxyPass),
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

// environment sets the proxy variables of the environment; those that are not given are empty.
func (r *Row) environment(pairs ...string) {
	r.Helper()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUEST_METHOD"} {
		r.Setenv(name, "")
		r.Setenv(strings.ToLower(name), "")
	}
	for i := 0; i < len(pairs); i += 2 {
		r.Setenv(pairs[i], pairs[i+1])
	}
}

// over is the network of a row without a word about proxies.
func over(n *connectiontest.Network) connection.Option {
	return connection.Options(connection.WithDialContext(n.Dial), connection.WithTrustedCAOnly(n.Authority()))
}

// ask sends GET /v1/x to the server at api, with those options.
func (r *Row) ask(api *connectiontest.Server, options ...connection.Option) {
	r.Helper()
	conn, err := connection.New(api.URL+"/v1", append([]connection.Option{over(api.Network())}, options...)...)
	r.NoError(err)
	r.Cleanup(func() { _ = conn.Close() })
	r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
	r.Line(r.Sent(api, 1)[0], "GET /v1/x HTTP/1.1")
}

// both runs f for an API over http and over https, each with a proxy that is asked through.
func (r *Row) both(f func(r *Row, api, proxy *connectiontest.Server)) {
	r.Helper()
	for _, origin := range []string{plainAPI, "https://api.example.test"} {
		r.Case(origin, func(r *Row) {
			n := connectiontest.NewNetwork(r)
			f(r, n.Serve(origin, connectiontest.Status(http.StatusOK)), r.proxy(n, proxyURL))
		})
	}
}

// passed asserts that the proxy has read the one request, with the credentials if there are any.
func (r *Row) passed(api, proxy *connectiontest.Server, credentials ...string) {
	r.Helper()
	want := "CONNECT api.example.test:443 HTTP/1.1"
	if api.URL == plainAPI {
		want = "GET http://api.example.test/v1/x HTTP/1.1"
	}
	req := r.Sent(proxy, 1)[0]
	r.Line(req, want)
	r.Lines(req, "Proxy-Authorization", credentials...)
	r.Without(r.Sent(api, 1)[0], "Proxy-")
}

//nolint:paralleltest // it sets the environment
func TestInformaticaProxyType(t *testing.T) {
	row(t, "I-25 proxy type None goes past the proxies of the environment", func(r *Row) {
		r.environment("HTTP_PROXY", proxyURL, "HTTPS_PROXY", proxyURL)
		r.both(func(r *Row, api, proxy *connectiontest.Server) {
			r.ask(api, connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}))
			r.NothingSent(proxy)
		})
	})
	row(t, "I-26 proxy type Custom goes through the proxy of the connection", func(r *Row) {
		r.environment()
		r.both(func(r *Row, api, proxy *connectiontest.Server) {
			r.ask(api, connection.WithProxy(custom()))
			r.passed(api, proxy, proxyAuth)
		})
	})
	row(t, "I-26 whatever the environment says", func(r *Row) {
		const env = "http://env.example.test:8080"
		r.environment("HTTP_PROXY", env, "HTTPS_PROXY", env, "NO_PROXY", "*")
		r.both(func(r *Row, api, proxy *connectiontest.Server) {
			r.ask(api, connection.WithProxy(custom()))
			r.passed(api, proxy, proxyAuth)
		})
	})
	for _, mode := range []connection.ProxyMode{connection.ProxyPlatform, ""} {
		name := map[connection.ProxyMode]string{
			connection.ProxyPlatform: "I-27 proxy type Platform goes through the proxy of the environment",
			"":                       "I-28 without a proxy type it is that of the platform",
		}[mode]
		row(t, name, func(r *Row) {
			const env = "http://" + proxyUser + ":" + proxyPass + "@proxy.example.test:3128"
			r.environment("HTTP_PROXY", env, "HTTPS_PROXY", env)
			r.both(func(r *Row, api, proxy *connectiontest.Server) {
				if mode == "" {
					r.ask(api)
				} else {
					r.ask(api, connection.WithProxy(connection.Proxy{Mode: mode}))
				}
				r.passed(api, proxy, proxyAuth)
			})
		})
		row(t, name[:5]+"and NO_PROXY is honoured", func(r *Row) {
			r.environment("HTTP_PROXY", proxyURL, "HTTPS_PROXY", proxyURL, "NO_PROXY", "other.test,.example.test")
			r.both(func(r *Row, api, proxy *connectiontest.Server) {
				r.ask(api, connection.WithProxy(connection.Proxy{Mode: mode}))
				r.NothingSent(proxy)
			})
		})
	}
	row(t, "I-27 a proxy that cannot be read is an error, and no way past it", func(r *Row) {
		for _, value := range []string{"foo://" + proxyPass, "http://proxy.example.test:port", " "} {
			r.environment("HTTPS_PROXY", value)
			r.Hides("error", r.rejection("WithProxy", home).Error(), proxyPass, "foo://")
		}
	})
	row(t, "I-27 the platform is that of the runtime, where it has one", func(r *Row) {
		r.environment("HTTP_PROXY", "http://env.example.test:8080", "HTTPS_PROXY", "http://env.example.test:8080")
		r.both(func(r *Row, api, proxy *connectiontest.Server) {
			r.ask(api, connection.WithRuntime("agent", connection.Runtimes{"agent": {Proxy: custom()}}))
			r.passed(api, proxy, proxyAuth)
		})
	})
}

//nolint:paralleltest // it sets the environment
func TestInformaticaRuntimeEnvironment(t *testing.T) {
	row(t, "I-01 the runtime selects the way, and the request is the same", func(r *Row) {
		r.environment()
		r.both(func(r *Row, api, proxy *connectiontest.Server) {
			all := connection.Runtimes{
				"secure-agent": {Proxy: custom(func(p *connection.Proxy) { p.User, p.Password = "", nil })},
				"serverless":   {NoProxy: true},
			}
			for _, name := range []string{"serverless", "secure-agent"} {
				conn, err := connection.New(api.URL+"/v1", over(api.Network()), connection.WithRuntime(name, all))
				r.NoError(err)
				r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
				r.NoError(conn.Close())
				r.Sent(proxy, map[string]int{"serverless": 0, "secure-agent": 1}[name])
			}
			sent := r.Sent(api, 2)
			r.Equal("the request line and the Host", firstLines(sent[1].Raw), firstLines(sent[0].Raw))
			r.Line(sent[0], "Host: api.example.test")
		})
	})
	row(t, "I-29 in a runtime without proxies a custom one is an error that names both", func(r *Row) {
		r.environment("HTTPS_PROXY", proxyURL)
		runtime := connection.WithRuntime("serverless", connection.Runtimes{"serverless": {NoProxy: true}})
		text := r.rejection("WithProxy", home, runtime, connection.WithProxy(custom())).Error()
		r.Equal("it names the runtime", strings.Contains(text, `"serverless"`), true)
		r.Equal("it names the option", strings.Contains(text, "WithProxy"), true)
		r.Hides("error", text, proxyPass)
		n := connectiontest.NewNetwork(r)
		api, proxy := n.Serve("https://api.example.test", connectiontest.Status(http.StatusOK)), r.proxy(n, proxyURL)
		r.ask(api, runtime)
		r.NothingSent(proxy)
	})
}

func firstLines(raw string) string {
	lines := strings.SplitN(raw, "\r\n", 3)
	return lines[0] + "\n" + lines[1]
}

func TestInformaticaProxyFields(t *testing.T) {
	t.Parallel()
	rejected := func(r *Row, changes ...func(p *connection.Proxy)) {
		r.Helper()
		r.Hides("error", r.rejection("WithProxy", home, connection.WithProxy(custom(changes...))).Error(), proxyPass)
	}
	row(t, "I-30 the proxy host is a name or an address, and required for Custom only", func(r *Row) {
		for _, host := range []string{"", " ", "a.test:80", "http://a.test", "a/b"} {
			rejected(r, func(p *connection.Proxy) { p.Host = host })
		}
		for _, mode := range []connection.ProxyMode{connection.ProxyNone, connection.ProxyPlatform, ""} {
			rejected(r, func(p *connection.Proxy) { p.Mode = mode })
		}
	})
	row(t, "I-30 an IPv6 address is written in brackets", func(r *Row) {
		n := connectiontest.NewNetwork(r)
		api := n.Serve(plainAPI, connectiontest.Status(http.StatusOK))
		proxy := r.proxy(n, "http://[2001:db8::7]:3128")
		via := connection.WithProxy(custom(func(p *connection.Proxy) { p.Host = "2001:db8::7" }))
		r.ask(api, via, connection.WithTokenProxy(connection.Proxy{Mode: connection.ProxyNone}))
		r.passed(api, proxy, proxyAuth)
	})
	row(t, "I-31 the proxy port is from 1 to 65535, and required for Custom only", func(r *Row) {
		for _, port := range []int{0, -1, 65536} {
			rejected(r, func(p *connection.Proxy) { p.Port = port })
		}
		for _, mode := range []connection.ProxyMode{connection.ProxyNone, connection.ProxyPlatform, ""} {
			r.rejects("WithProxy", home, connection.WithProxy(connection.Proxy{Mode: mode, Port: 3128}))
		}
	})
	row(t, "I-32 without a proxy user there is no Proxy-Authorization", func(r *Row) {
		r.both(func(r *Row, api, proxy *connectiontest.Server) {
			r.ask(api, connection.WithTokenProxy(connection.Proxy{Mode: connection.ProxyNone}),
				connection.WithProxy(custom(func(p *connection.Proxy) { p.User, p.Password = "", nil })))
			r.passed(api, proxy)
		})
	})
	row(t, "I-33 the proxy password is in no error of a proxy that fails", func(r *Row) {
		for _, status := range []int{http.StatusProxyAuthRequired, http.StatusBadGateway, 0} {
			s := r.serve()
			proxy := s.Network().Serve(proxyURL, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Proxy-Authenticate", req.Header.Get("Proxy-Authorization"))
				w.WriteHeader(status)
			}))
			if status == 0 {
				proxy.Refuse()
			}
			conn := r.open(s, connection.WithProxy(custom()))
			err := request.Get(conn, "/x").Exec(r.ctx())
			r.Equal("status", as[*connection.ProxyError](r, err).Status, status)
			for ; err != nil; err = errors.Unwrap(err) {
				r.Hides("error", err.Error(), proxyPass, "cHh1c2VyOnB4cGFzcw", proxyUser)
			}
			r.Hides("description", conn.Describe().String(), proxyPass, proxyUser)
			r.NothingSent(s)
		}
	})
	row(t, "I-33 a proxy password needs a user", func(r *Row) {
		rejected(r, func(p *connection.Proxy) { p.User = "" })
	})
}

//nolint:paralleltest // it sets the environment
func TestInformaticaTokenProxy(t *testing.T) {
	build := func(r *Row) (api, idp, proxy *connectiontest.Server) {
		r.Helper()
		n := connectiontest.NewNetwork(r)
		api = n.Serve(plainAPI, connectiontest.Status(http.StatusOK))
		return api, r.issue(api), r.proxy(n, proxyURL)
	}
	tokens := func() connection.Option {
		return connection.Options(withGrant(oauth2flow.ClientCredentials(oauthClient())), connection.WithInsecureHTTP())
	}
	row(t, "I-17 the proxy of the connection is not for the token call", func(r *Row) {
		r.environment()
		api, idp, proxy := build(r)
		r.ask(api, tokens(), connection.WithProxy(custom()))
		r.Line(r.Sent(proxy, 1)[0], "GET http://api.example.test/v1/x HTTP/1.1")
		r.Line(r.Sent(idp, 1)[0], "POST /token HTTP/1.1")
	})
	row(t, "I-17 that of the platform is", func(r *Row) {
		r.environment("HTTPS_PROXY", proxyURL)
		api, idp, proxy := build(r)
		r.ask(api, tokens(), connection.WithProxy(connection.Proxy{Mode: connection.ProxyNone}))
		r.Line(r.Sent(proxy, 1)[0], "CONNECT auth.example.test:443 HTTP/1.1")
		r.Line(r.Sent(idp, 1)[0], "POST /token HTTP/1.1")
	})
	row(t, "I-17 and so is WithTokenProxy", func(r *Row) {
		r.environment()
		api, idp, proxy := build(r)
		r.ask(api, tokens(), connection.WithTokenProxy(custom()))
		call := r.Sent(proxy, 1)[0]
		r.Line(call, "CONNECT auth.example.test:443 HTTP/1.1")
		r.Line(call, proxyAuth)
		r.Without(r.Sent(idp, 1)[0], "Proxy-")
	})
}
