package connection_test

import (
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// spoken returns the versions of the requests that a server has read.
func spoken(srv *connectiontest.Server) []string {
	var list []string
	for _, req := range srv.Requests() {
		list = append(list, req.Proto)
	}
	return list
}

func TestHTTPVersion(t *testing.T) {
	t.Parallel()
	const h1, h2 = "HTTP/1.1", "HTTP/2.0"
	preferred, only11 := connection.HTTP2Preferred, connection.HTTP11
	required, unencrypted := connection.HTTP2Required, connection.HTTP2Unencrypted
	for _, c := range []struct {
		name, origin string
		offers       bool
		version      connection.HTTPVersion
		want         string
	}{
		{"I-44 by default HTTP/2 is spoken where it is offered", apiOrigin, true, "", h2},
		{"I-44 by default HTTP/1.1 is spoken where it is not", apiOrigin, false, "", h1},
		{"I-44 by default HTTP/1.1 is spoken on http", "http://api.example.test", true, "", h1},
		{"I-44 HTTP2Preferred is the default", apiOrigin, true, preferred, h2},
		{"I-43 HTTP11 is spoken although HTTP/2 is offered", apiOrigin, true, only11, h1},
		{"I-43 HTTP2Required where it is offered", apiOrigin, true, required, h2},
		{"I-43 HTTP2Unencrypted on https", apiOrigin, true, unencrypted, h2},
		{"I-43 HTTP2Unencrypted on http", "http://127.0.0.1:8080", true, unencrypted, h2},
	} {
		bubble(t, c.name, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			serve := n.Serve
			if c.offers {
				serve = n.ServeH2
			}
			srv := serve(c.origin, status(204))
			opts := []connection.Option{wired(n), connection.WithTrustedCA(n.Authority())}
			want := preferred
			if c.version != "" {
				want = c.version
				opts = append(opts, connection.WithHTTPVersion(want))
			}
			conn := connect(t, c.origin, opts...)
			for range 2 {
				if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			same(t, "the server", spoken(srv), c.want, c.want)
			conns(t, srv, 1)
			if got := conn.Describe().Pool.HTTPVersion; got != want {
				t.Errorf("the description has %q, want %q", got, want)
			}
		})
	}
	t.Run("I-43 a version that does not exist, and one that cannot be", func(t *testing.T) {
		t.Parallel()
		for _, version := range []connection.HTTPVersion{"", "HTTP/3"} {
			_, err := connection.New(apiOrigin, connection.WithHTTPVersion(version))
			wantOption(t, err, "WithHTTPVersion")
		}
		_, err := connection.New("http://127.0.0.1", connection.WithHTTPVersion(required))
		wantOption(t, err, "WithHTTPVersion")
		conn := connect(t, apiOrigin)
		_, err = conn.With(connection.WithHTTPVersion(only11))
		wantOption(t, err, "WithHTTPVersion")
	})
}

func TestHTTP2Required(t *testing.T) {
	t.Parallel()
	chooses := func(protocols ...string) func(n *connectiontest.Network) *tls.Config {
		return func(n *connectiontest.Network) *tls.Config {
			return shows(n.Certificate("api.example.test"), protocols...)
		}
	}
	silentALPN := func(n *connectiontest.Network) *tls.Config {
		own := &tls.Config{Certificates: []tls.Certificate{n.Certificate("api.example.test")}}
		return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return own, nil }}
	}
	for name, cfg := range map[string]func(n *connectiontest.Network) *tls.Config{
		"refuses the protocol":     chooses(),
		"knows of no negotiation":  silentALPN,
		"has another protocol yet": chooses("h3"),
	} {
		for _, version := range []connection.HTTPVersion{connection.HTTP2Required, connection.HTTP2Unencrypted} {
			bubble(t, "I-43 a server that "+name+" gets nothing: "+string(version), func(t *testing.T) {
				n := connectiontest.NewNetwork(t)
				srv := n.ServeTLS(apiOrigin, status(204), cfg(n))
				conn := connectTo(t, srv, connection.WithHTTPVersion(version), insistent(),
					connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(canary)))))
				for i, b := range []request.Builder{
					request.Get(conn, "/x"), request.Post(conn, "/x").Text("x"), request.Get(conn, "/x").InsecureSkipVerify(),
				} {
					err := b.Exec(t.Context())
					if !errors.Is(err, connection.ErrNoHTTP2) {
						t.Errorf("error %v", err)
					}
					if te := wantError[*connection.TransportError](t, err); !te.Unsent {
						t.Error("Unsent is false")
					}
					conns(t, srv, i+1)
				}
				wantNone(t, srv)
			})
		}
	}
	bubble(t, "I-43 a trusted origin on http gets nothing either", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.ServeH2(apiOrigin, status(204))
		plain := n.ServeH2("http://127.0.0.1:8080", status(204))
		conn := connectTo(t, srv, connection.WithHTTPVersion(connection.HTTP2Required), insistent(),
			connection.WithTrustedOrigins("http://127.0.0.1:8080"))
		err := request.Post(conn, "http://127.0.0.1:8080/x").Text("x").Exec(t.Context())
		if !errors.Is(err, connection.ErrNoHTTP2) {
			t.Errorf("error %v", err)
		}
		conns(t, plain, 0)
	})
	bubble(t, "I-43 where a redirect leads elsewhere, and at a token server, anything goes", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.ServeH2(apiOrigin, status(302).Header("Location", foreignOrigin))
		foreign := n.Serve(foreignOrigin, status(204))
		issuer := n.Serve("https://auth.example.test", issue("t-1"))
		conn := connectTo(t, srv, connection.WithHTTPVersion(connection.HTTP2Required),
			connection.WithAuth(auth.Bearer(auth.Manage(oauth2flow.ClientCredentials(oauth2flow.Client{
				ID: "cid", Secret: secrets.Static("s"), TokenURL: "https://auth.example.test/token",
			})))))
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		same(t, "home", spoken(srv), "HTTP/2.0")
		same(t, "the foreign server", spoken(foreign), "HTTP/1.1")
		same(t, "the token server", spoken(issuer), "HTTP/1.1")
	})
	bubble(t, "I-43 and HTTP11 does not hold there", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.ServeH2(apiOrigin, status(302).Header("Location", foreignOrigin))
		foreign := n.ServeH2(foreignOrigin, status(204))
		conn := connectTo(t, srv, connection.WithHTTPVersion(connection.HTTP11))
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		same(t, "home", spoken(srv), "HTTP/1.1")
		same(t, "the foreign server", spoken(foreign), "HTTP/2.0")
	})
	bubble(t, "I-43 HTTP2Unencrypted with a server that does not speak it is an error, and no hang", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.Serve("http://127.0.0.1:8080", status(505)) // it takes the preface for a request
		began := time.Now()
		err := request.Get(connectTo(t, srv, connection.WithHTTPVersion(connection.HTTP2Unencrypted)), "/x").Exec(t.Context())
		if err == nil || time.Since(began) > 25*time.Second {
			t.Errorf("error %v after %v", err, time.Since(began))
		}
	})
}
