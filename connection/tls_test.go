package connection_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const day = 24 * time.Hour

// What is wrong with the server's certificate stays wrong.
func TestTLSRefusedCertificate(t *testing.T) {
	t.Parallel()
	typed := func(err error) bool { _, ok := errors.AsType[x509.UnknownAuthorityError](err); return ok }
	named := func(err error) bool { _, ok := errors.AsType[x509.HostnameError](err); return ok }
	late := func(err error) bool {
		e, ok := errors.AsType[x509.CertificateInvalidError](err)
		return ok && e.Reason == x509.Expired
	}
	for _, c := range []struct {
		name, origin string
		cert         func(ours, theirs *issuer) tls.Certificate
		is           func(error) bool
	}{
		{"B1 an authority that nobody knows", apiOrigin,
			func(_, theirs *issuer) tls.Certificate { return theirs.mint("api.example.test") }, typed},
		{"B1 a certificate that signed itself", apiOrigin, func(ours, _ *issuer) tls.Certificate {
			return (&issuer{t: ours.t}).mint("api.example.test")
		}, typed},
		{"B1 another host", apiOrigin,
			func(ours, _ *issuer) tls.Certificate { return ours.mint("other.example.test") }, named},
		{"B1 another address", "https://192.0.2.7",
			func(ours, _ *issuer) tls.Certificate { return ours.mint("192.0.2.8", "api.example.test") }, named},
		{"B1 an address as a name", "https://192.0.2.7", func(ours, _ *issuer) tls.Certificate {
			return ours.sign(&x509.Certificate{DNSNames: []string{"192.0.2.7"}}, nil)
		}, named},
		{"B1 a certificate that has expired", apiOrigin, func(ours, _ *issuer) tls.Certificate {
			return ours.between(time.Now().Add(-2*day), time.Now().Add(-day), "api.example.test")
		}, late},
		{"B1 a certificate of tomorrow", apiOrigin, func(ours, _ *issuer) tls.Certificate {
			return ours.between(time.Now().Add(day), time.Now().Add(2*day), "api.example.test")
		}, late},
	} {
		for _, protocols := range [][]string{{"http/1.1"}, {"h2"}} {
			bubble(t, c.name+", "+protocols[0], func(t *testing.T) {
				ours, theirs := newIssuer(t, "ours"), newIssuer(t, "theirs")
				n := connectiontest.NewNetwork(t)
				srv := n.ServeTLS(c.origin, status(204), shows(c.cert(ours, theirs), protocols...))
				log := new(collector)
				conn := connect(t, c.origin, wired(n), connection.WithTrustedCAOnly(ours.pem()), insistent(),
					connection.WithLogger(slog.New(log)), connection.WithAuth(auth.APIKey(secrets.Static(canary), auth.InQuery("k"))))
				err := request.Post(conn, "/users").Query("q", "needle").Text("x").Exec(t.Context())
				_ = wantError[*tls.CertificateVerificationError](t, err)
				if !c.is(err) {
					t.Errorf("error is %v (%#v)", err, errors.Unwrap(err))
				}
				if te := wantError[*connection.TransportError](t, err); !te.Unsent {
					t.Error("Unsent is false")
				}
				conns(t, srv, 1)
				wantNone(t, srv)
				shown := err.Error() + fmt.Sprint(log.texts())
				if holdsCanary(shown) || strings.Contains(shown, "needle") || strings.Contains(shown, "?") {
					t.Errorf("the query is shown: %s", shown)
				}
			})
		}
	}
}

func TestTLSInsecureIsKeptApart(t *testing.T) {
	t.Parallel()
	plain := func(conn *connection.Connection) request.Builder { return request.Get(conn, "/x") }
	loose := func(conn *connection.Connection) request.Builder { return plain(conn).InsecureSkipVerify() }
	for _, protocol := range []string{"http/1.1", "h2"} {
		bubble(t, "B2 a request that verifies never uses what an insecure one has opened, "+protocol, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			srv := n.ServeTLS(apiOrigin, status(204), shows(newIssuer(t, "x").mint("api.example.test"), protocol))
			conn := connectTo(t, srv, insistent())
			for range 2 {
				if err := loose(conn).Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			conns(t, srv, 1)
			_ = wantError[x509.UnknownAuthorityError](t, plain(conn).Exec(t.Context()))
			conns(t, srv, 2)
			sent(t, srv, 2)
			if err := loose(conn).Exec(t.Context()); err != nil {
				t.Error(err)
			}
			conns(t, srv, 2)
		})
		bubble(t, "B2 nor does a derived connection, in either direction, "+protocol, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			srv := n.ServeTLS(apiOrigin, status(204), shows(newIssuer(t, "x").mint("api.example.test"), protocol))
			conn := connectTo(t, srv)
			derived, err := conn.With(connection.WithInsecureSkipVerify())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = derived.Close() }()
			_ = wantError[x509.UnknownAuthorityError](t, plain(conn).Exec(t.Context()))
			if err := plain(derived).Exec(t.Context()); err != nil {
				t.Error(err)
			}
			_ = wantError[x509.UnknownAuthorityError](t, plain(conn).Exec(t.Context()))
			sent(t, srv, 1)
			conns(t, srv, 3)
		})
		bubble(t, "B2 an insecure request opens its own connection beside a verified one, "+protocol, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			srv := n.ServeTLS(apiOrigin, status(204), shows(n.Certificate("api.example.test"), protocol))
			conn := connectTo(t, srv)
			for range 2 {
				for _, b := range []request.Builder{plain(conn), loose(conn)} {
					if err := b.Exec(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
			conns(t, srv, 2)
			sent(t, srv, 4)
		})
	}
	bubble(t, "B2 insecure is for the origins of the connection, and not for where a redirect leads", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		home := n.ServeTLS(apiOrigin, status(302).Header("Location", foreignOrigin+"/y"),
			shows(newIssuer(t, "x").mint("api.example.test")))
		foreign := n.ServeTLS(foreignOrigin, status(204), shows(newIssuer(t, "y").mint("other.example.test")))
		err := plain(connectTo(t, home, connection.WithInsecureSkipVerify())).InsecureSkipVerify().Exec(t.Context())
		_ = wantError[x509.UnknownAuthorityError](t, err)
		sent(t, home, 1)
		wantNone(t, foreign)
		err = request.Get(connectTo(t, home), foreignOrigin+"/x").Auth(auth.None()).InsecureSkipVerify().Exec(t.Context())
		_ = wantError[x509.UnknownAuthorityError](t, err)
	})
}

func TestTLSInsecureIsTold(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T, opts ...connection.Option) (*connection.Connection, *connectiontest.Server) {
		t.Helper()
		n := connectiontest.NewNetwork(t)
		srv := n.ServeTLS(apiOrigin, status(204), shows(newIssuer(t, "x").mint("api.example.test")))
		return connectTo(t, srv, opts...), srv
	}
	run := func(t *testing.T, b request.Builder) {
		t.Helper()
		if err := b.Exec(t.Context()); err != nil {
			t.Error(err)
		}
	}
	bubble(t, "B14 P-47 one warning for many requests, and a line in the description", func(t *testing.T) {
		log := new(collector)
		conn, _ := open(t, connection.WithInsecureSkipVerify(), connection.WithLogger(slog.New(log)))
		for range 5 {
			run(t, request.Get(conn, "/x"))
		}
		wantWarnings(t, log, 1)
		d := conn.Describe()
		if !d.InsecureSkipVerify || !strings.Contains(d.String(), "INSECURE: certificates are not checked") {
			t.Errorf("the description does not tell:\n%s", d)
		}
	})
	bubble(t, "B14 a secure connection neither warns nor tells, until a request is insecure", func(t *testing.T) {
		log := new(collector)
		conn, _ := open(t, connection.WithLogger(slog.New(log)))
		_ = request.Get(conn, "/x").Exec(t.Context())
		wantWarnings(t, log, 0)
		for range 2 {
			run(t, request.Get(conn, "/x").InsecureSkipVerify())
		}
		wantWarnings(t, log, 1)
		if d := conn.Describe(); d.InsecureSkipVerify || strings.Contains(d.String(), "INSECURE") {
			t.Errorf("the policy of the connection is said to be insecure:\n%s", d)
		}
	})
	bubble(t, "B14 a connection without a logger does not use the warning up", func(t *testing.T) {
		conn, _ := open(t)
		run(t, request.Get(conn, "/x").InsecureSkipVerify())
		log := new(collector)
		derived, err := conn.With(connection.WithInsecureSkipVerify(), connection.WithLogger(slog.New(log)))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = derived.Close() }()
		run(t, request.Get(derived, "/x"))
		run(t, request.Get(derived, "/x"))
		wantWarnings(t, log, 1)
	})
	t.Run("B14 beside a transport of the caller's it is an error", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		_, err := connection.New(apiOrigin, connection.WithTransport(n.Transport()), connection.WithInsecureSkipVerify())
		wantOption(t, err, "WithInsecureSkipVerify")
		conn := connect(t, apiOrigin, connection.WithTransport(n.Transport()))
		wantOption(t, request.Get(conn, "/x").InsecureSkipVerify().Exec(t.Context()), "InsecureSkipVerify")
	})
}

// wantOption checks that err has an *OptionError of that option.
func wantOption(t *testing.T, err error, name string) {
	t.Helper()
	for _, e := range errorsIn(err) {
		if oe, ok := e.(*connection.OptionError); ok && oe.Option == name { //nolint:errorlint // all are walked over
			return
		}
	}
	t.Errorf("error is %v, want an *OptionError of %s", err, name)
}

// errorsIn returns err and all that it wraps.
func errorsIn(err error) []error {
	if err == nil {
		return nil
	}
	list := []error{err}
	switch w := err.(type) { //nolint:errorlint // one step of a walk
	case interface{ Unwrap() error }:
		list = append(list, errorsIn(w.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, e := range w.Unwrap() {
			list = append(list, errorsIn(e)...)
		}
	}
	return list
}

func TestTLSOldVersions(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		bubble(t, "B10 a server of "+tls.VersionName(version)+" only is refused", func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			cfg := shows(n.Certificate("api.example.test"))
			cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, version
			srv := n.ServeTLS(apiOrigin, status(204), cfg)
			conn := connectTo(t, srv, connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(canary)))))
			for _, b := range []request.Builder{request.Get(conn, "/x"), request.Get(conn, "/x").InsecureSkipVerify()} {
				err := b.Exec(t.Context())
				if err == nil || !strings.Contains(err.Error(), "version") {
					t.Errorf("error %v", err)
				}
				if te := wantError[*connection.TransportError](t, err); !te.Unsent {
					t.Error("Unsent is false")
				}
			}
			wantNone(t, srv)
		})
	}
	bubble(t, "B10 TLS 1.2 is spoken", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		cfg := shows(n.Certificate("api.example.test"))
		cfg.MaxVersion = tls.VersionTLS12
		srv := n.ServeTLS(apiOrigin, status(204), cfg)
		if err := request.Get(connectTo(t, srv), "/x").Exec(t.Context()); err != nil {
			t.Error(err)
		}
		sent(t, srv, 1)
	})
}

func TestTLSHandshakeFails(t *testing.T) {
	t.Parallel()
	bubble(t, "B11 a handshake that stalls ends by its limit, and a POST is sent again", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.ServeRaw("http://api.example.test:443", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
		conn := connect(t, apiOrigin, n.Option(), connection.WithRetry(connection.Retry{Max: 2}),
			limits(connection.Timeouts{TLSHandshake: 3 * time.Second}))
		began := time.Now()
		err := request.Post(conn, "/x").Text("x").Exec(t.Context())
		timedOut(t, err, connection.PhaseTLS, 3*time.Second)
		passed(t, began, 9*time.Second)
		if te := wantError[*connection.TransportError](t, err); !te.Unsent {
			t.Error("Unsent is false")
		}
		conns(t, srv, 3)
	})
	bubble(t, "B11 the default limit is 10 s", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		n.ServeRaw("http://api.example.test:443", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
		began := time.Now()
		err := request.Get(connect(t, apiOrigin, n.Option()), "/x").Exec(t.Context())
		timedOut(t, err, connection.PhaseTLS, 10*time.Second)
		passed(t, began, 10*time.Second)
	})
	bubble(t, "B11 the deadline of the caller ends it as well", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		n.ServeRaw("http://api.example.test:443", func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
		conn := connect(t, apiOrigin, n.Option(), insistent())
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		err := request.Get(conn, "/x").Exec(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		passed(t, began, 2*time.Second)
		time.Sleep(time.Minute) // net/http leaves the dial to its own limit
	})
	bubble(t, "B11 an end in the handshake is told, and a POST is sent again", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.ServeRaw("http://api.example.test:443", func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 1024))
		})
		conn := connect(t, apiOrigin, n.Option(), connection.WithRetry(connection.Retry{Max: 1}))
		err := request.Post(conn, "/x").Text("x").Exec(t.Context())
		if !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "closed the connection in the TLS handshake") {
			t.Errorf("error %v", err)
		}
		if te := wantError[*connection.TransportError](t, err); !te.Unsent {
			t.Error("Unsent is false")
		}
		conns(t, srv, 2)
	})
	bubble(t, "B11 a server that recovers gets the POST once", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		n.ServeRaw("http://api.example.test:443", func(net.Conn) {}).Close()
		srv := n.Serve(apiOrigin, status(204))
		first := true
		dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := n.Dial(ctx, network, addr)
			if err == nil && first {
				first = false
				_ = conn.Close()
			}
			return conn, err
		}
		conn := connect(t, apiOrigin, n.Option(), connection.WithDialContext(dial),
			connection.WithRetry(connection.Retry{Max: 1}))
		if err := request.Post(conn, "/x").Text("x").Exec(t.Context()); err != nil {
			t.Error(err)
		}
		sent(t, srv, 1)
	})
}

func TestTLSPlainServer(t *testing.T) {
	t.Parallel()
	bubble(t, "B12 a server that speaks plain http learns nothing, and is named for what it is", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.Serve("http://api.example.test:443", status(204))
		conn := connect(t, apiOrigin, n.Option(), insistent(),
			connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(canary)))))
		err := request.Get(conn, "/x").InsecureSkipVerify().Exec(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the server speaks plain http where https was expected") {
			t.Errorf("error %v", err)
		}
		if te := wantError[*connection.TransportError](t, err); !te.Unsent {
			t.Error("Unsent is false")
		}
		conns(t, srv, 1)
		for _, req := range srv.Requests() { // what a handshake looks like to it
			if holdsCanary(req.Raw) || strings.Contains(req.Raw, "GET /x") {
				t.Errorf("the server has read the request:\n%q", req.Raw)
			}
		}
	})
	bubble(t, "B12 nothing of the request is in what such a server reads", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		read := new(bytes.Buffer)
		srv := n.ServeRaw("http://api.example.test:443", func(conn net.Conn) {
			buf := make([]byte, 16<<10)
			k, _ := conn.Read(buf)
			read.Write(buf[:k])
			_, _ = io.WriteString(conn, "220 mail.example.test ESMTP \x1b[31m ready\r\n")
			_, _ = io.Copy(read, conn)
		})
		conn := connect(t, apiOrigin, n.Option(), connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(canary)))))
		err := request.Get(conn, "/things/secret-path").Exec(t.Context())
		if err == nil || strings.Contains(err.Error(), "\x1b") || strings.Contains(err.Error(), "mail") {
			t.Errorf("error %v", err)
		}
		srv.Close()
		if read.Len() == 0 || holdsCanary(read.String()) || strings.Contains(read.String(), "secret-path") {
			t.Errorf("the server has read %q", read)
		}
	})
}

func TestTLSTextOfTheServer(t *testing.T) {
	t.Parallel()
	const ansi = "\x1b[31mroot\x1b[0m\nlevel=INFO"
	printable := func(s string) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
	}
	for name, who := range map[string]func() auth.Authenticator{
		"a request": auth.None,
		"a token call": func() auth.Authenticator {
			return auth.Bearer(auth.Manage(oauth2flow.ClientCredentials(oauth2flow.Client{
				ID: "cid", Secret: secrets.Static("s"), TokenURL: apiOrigin + "/token",
			})))
		},
	} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			bubble(t, "B13 names in a certificate are escaped in errors and logs of "+name+", "+protocol, func(t *testing.T) {
				n := connectiontest.NewNetwork(t)
				ours := newIssuer(t, ansi)
				n.ServeTLS(apiOrigin, status(204), shows(ours.mint(ansi), protocol))
				log := new(collector)
				conn := connect(t, apiOrigin, wired(n), connection.WithTrustedCAOnly(ours.pem()),
					connection.WithLogger(slog.New(log)), connection.WithAuth(who()))
				err := request.Get(conn, "/x").Exec(t.Context())
				if err == nil || !printable(err.Error()) {
					t.Errorf("error %q", err)
				}
				if len(log.texts()) == 0 {
					t.Error("nothing was logged")
				}
				for _, record := range log.texts() {
					if !printable(record["error"]) || record["error"] == "" {
						t.Errorf("record %q", record["error"])
					}
				}
			})
		}
	}
	bubble(t, "B13 so is the name of the authority, and the subject of the client", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		theirs := newIssuer(t, ansi)
		srv := n.ServeTLS(apiOrigin, status(204), shows(theirs.mint("api.example.test")))
		conn := connectTo(t, srv, connection.WithClientCertificate(connection.StaticCertificate(theirs.subject(ansi))))
		if err := request.Get(conn, "/x").Exec(t.Context()); err == nil || !printable(err.Error()) {
			t.Errorf("error %q", err)
		}
		if d := conn.Describe(); d.Pool.Certificate == "" || !printable(d.Pool.Certificate) {
			t.Errorf("identity %q", d.Pool.Certificate)
		}
	})
	bubble(t, "B13 a protocol that was never offered is refused, and not quoted", func(t *testing.T) {
		for _, protocol := range []string{"\x1b[31m", "http/1.1"} {
			n := connectiontest.NewNetwork(t)
			cfg := shows(n.Certificate("api.example.test"), protocol)
			srv := n.ServeTLS(apiOrigin, status(204), cfg)
			version := connection.HTTP11
			if protocol == "http/1.1" {
				version = connection.HTTP2Required
			}
			err := request.Get(connectTo(t, srv, connection.WithHTTPVersion(version)), "/x").Exec(t.Context())
			if err == nil || !printable(err.Error()) {
				t.Errorf("%q: error %q", protocol, err)
			}
			wantNone(t, srv)
		}
	})
}

func TestTLSIdentityStaysHome(t *testing.T) {
	t.Parallel()
	const mine = "client \"one\""
	for _, protocol := range []string{"http/1.1", "h2"} {
		bubble(t, "B3 the client certificate is for the origins of the connection, "+protocol, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			home, trusted, foreign := new(peers), new(peers), new(peers)
			other := n.ServeTLS(foreignOrigin, foreign, asks(shows(n.Certificate("other.example.test"), protocol)))
			n.ServeTLS("https://files.example.test", trusted, asks(shows(n.Certificate("files.example.test"), protocol)))
			srv := n.ServeTLS(apiOrigin, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if to := req.URL.Query().Get("to"); to != "" {
					http.Redirect(w, req, to, http.StatusFound)
					return
				}
				home.ServeHTTP(w, req)
			}), asks(shows(n.Certificate("api.example.test"), protocol)))
			conn := connectTo(t, srv, connection.WithTrustedOrigins("https://files.example.test"),
				connection.WithClientCertificate(connection.StaticCertificate(newIssuer(t, "clients").subject(mine))))
			for _, b := range []request.Builder{
				request.Get(conn, "/x"),
				request.Get(conn, "/x").Auth(auth.None()),
				request.Get(conn, "https://files.example.test/y"),
				request.Get(conn, "/x").Query("to", "https://files.example.test/z"),
				request.Get(conn, "/x").Query("to", foreignOrigin+"/z"),
				request.Get(conn, foreignOrigin+"/bare").Auth(auth.None()),
				request.Get(conn, foreignOrigin+"/bare").Auth(auth.None()).InsecureSkipVerify(),
			} {
				if err := b.Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			same(t, "home", home.seen(), mine, mine)
			same(t, "trusted", trusted.seen(), mine, mine)
			same(t, "foreign", foreign.seen(), "", "", "")
			sent(t, other, 3)
			if d := conn.Describe(); !strings.HasPrefix(d.Pool.Certificate, `CN=client`) ||
				!strings.Contains(d.Pool.Certificate, "valid to 2001") {
				t.Errorf("identity %q", d.Pool.Certificate)
			}
		})
		bubble(t, "B3 where a foreign redirect leads back home, it is not shown, "+protocol, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			home := new(peers)
			n.ServeTLS(foreignOrigin, status(302).Header("Location", apiOrigin+"/landed"),
				shows(n.Certificate("other.example.test"), protocol))
			srv := n.ServeTLS(apiOrigin, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Path == "/start" {
					w.Header().Set("Location", foreignOrigin)
					w.WriteHeader(http.StatusFound)
					return
				}
				home.ServeHTTP(w, req)
			}), asks(shows(n.Certificate("api.example.test"), protocol)))
			conn := connectTo(t, srv,
				connection.WithClientCertificate(connection.StaticCertificate(newIssuer(t, "clients").subject(mine))))
			for _, b := range []request.Builder{
				request.Get(conn, "/x"), request.Get(conn, "/start"),
				request.Get(conn, foreignOrigin+"/x").Auth(auth.None()), request.Get(conn, "/x"),
			} {
				if err := b.Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			same(t, "home", home.seen(), mine, "", "", mine)
		})
	}
	bubble(t, "B3 a server that demands a certificate answers once it gets one", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		clients := newIssuer(t, "clients")
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, protocol := range []string{"http/1.1", "h2"} {
				cfg := shows(n.Certificate("api.example.test"), protocol)
				cfg.ClientAuth, cfg.ClientCAs, cfg.MaxVersion = tls.RequireAndVerifyClientCert, clients.pool(), version
				srv := n.ServeTLS(apiOrigin, status(204), cfg)
				conn := connectTo(t, srv, connection.WithClientCertificate(connection.StaticCertificate(clients.subject("svc"))))
				if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
					t.Errorf("%s %s: %v", tls.VersionName(version), protocol, err)
				}
				for name, opts := range map[string][]connection.Option{
					"none":         nil,
					"a stranger's": {connection.WithClientCertificate(connection.StaticCertificate(newIssuer(t, "x").subject("svc")))},
				} {
					before := srv.Conns()
					err := request.Get(connectTo(t, srv, append(opts, insistent())...), "/x").Exec(t.Context())
					if err == nil {
						t.Errorf("%s, %s %s: it succeeded", name, tls.VersionName(version), protocol)
					}
					// In TLS 1.3 the client may write before the alert is there, and learn no more than that it
					// cannot. In TLS 1.2 a server that gets no certificate says no more than "handshake failure".
					told := err != nil && strings.HasSuffix(err.Error(), "tls: unknown certificate authority")
					if version == tls.VersionTLS12 && opts != nil && (!told || srv.Conns() != before+1) {
						t.Errorf("%s, %s: error %v, %d connections", name, protocol, err, srv.Conns()-before)
					}
				}
				sent(t, srv, 1)
				srv.Close()
			}
		}
	})
}

// same checks a list of texts.
func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s has seen %q, want %q", what, got, want)
	}
}

func TestTLSIdentityAndAuth(t *testing.T) {
	t.Parallel()
	bubble(t, "B3 a client certificate goes with Basic", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		home := new(peers)
		srv := n.ServeTLS(apiOrigin, home, asks(shows(n.Certificate("api.example.test"))))
		conn := connectTo(t, srv, connection.WithAuth(auth.Basic("svc", secrets.Static("pw"))),
			connection.WithClientCertificate(connection.StaticCertificate(newIssuer(t, "clients").subject("svc"))))
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		same(t, "home", home.seen(), "svc")
		if got := only(t, srv).Header.Get("Authorization"); got != "Basic c3ZjOnB3" {
			t.Errorf("Authorization %q", got)
		}
	})
	bubble(t, "B3 and with client credentials, at the token server too", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		home, issuer := new(peers), new(peers)
		srv := n.ServeTLS(apiOrigin, home, asks(shows(n.Certificate("api.example.test"))))
		n.ServeTLS("https://auth.example.test", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			issuer.mu.Lock()
			issuer.names = append(issuer.names, req.TLS.PeerCertificates[0].Subject.CommonName)
			issuer.mu.Unlock()
			_, _ = io.WriteString(w, `{"access_token":"t-1","token_type":"Bearer","expires_in":3600}`)
		}), asks(shows(n.Certificate("auth.example.test"))))
		tokens := auth.Manage(oauth2flow.ClientCredentials(oauth2flow.Client{
			ID: "cid", Secret: secrets.Static("s"), TokenURL: "https://auth.example.test/token",
		}))
		conn := connectTo(t, srv, connection.WithAuth(auth.Bearer(tokens)),
			connection.WithClientCertificate(connection.StaticCertificate(newIssuer(t, "clients").subject("svc"))))
		if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		same(t, "home", home.seen(), "svc")
		same(t, "the token server", issuer.seen(), "svc")
		if got := only(t, srv).Header.Get("Authorization"); got != "Bearer t-1" {
			t.Errorf("Authorization %q", got)
		}
	})
}

func TestTLSIdentityIsChecked(t *testing.T) {
	t.Parallel()
	clients := newIssuer(t, "clients")
	one, two := clients.subject("one"), clients.subject("two")
	swapped := tls.Certificate{Certificate: one.Certificate, PrivateKey: two.PrivateKey}
	for name, cert := range map[string]tls.Certificate{
		"no certificate":                {PrivateKey: one.PrivateKey},
		"no key":                        {Certificate: one.Certificate},
		"the key of another":            swapped,
		"something that is not a key":   {Certificate: one.Certificate, PrivateKey: canary},
		"something that is not a cert.": {Certificate: [][]byte{[]byte(canary)}, PrivateKey: one.PrivateKey},
	} {
		_, err := connection.New(apiOrigin, connection.WithClientCertificate(connection.StaticCertificate(cert)))
		wantOption(t, err, "WithClientCertificate")
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	_, err := connection.New(apiOrigin, connection.WithClientCertificate(nil), connection.WithRootCAs(nil))
	wantOption(t, err, "WithClientCertificate")
	wantOption(t, err, "WithRootCAs")
	_, err = connection.New(apiOrigin, connection.WithClientCertificate(&materialSource{}),
		connection.WithRootCAs(&materialSource{}))
	wantOption(t, err, "WithClientCertificate")
	wantOption(t, err, "WithRootCAs")
	panics := &materialSource{fail: func(context.Context) error { panic(canary) }}
	_, err = connection.New(apiOrigin, connection.WithClientCertificate(panics), connection.WithRootCAs(panics))
	wantOption(t, err, "WithClientCertificate")
	wantOption(t, err, "WithRootCAs")
	if strings.Contains(err.Error(), canary) {
		t.Errorf("the value of the panic is shown: %v", err)
	}
	bad := connection.Proxy{
		Mode: connection.ProxyCustom, Host: "proxy.example.test", Port: 3128, User: "u",
		Password: secrets.Func(func(context.Context) (secrets.Value, error) { panic(canary) }),
	}
	if _, err = connection.New(apiOrigin, connection.WithProxy(bad)); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("error %v", err)
	}
}

func TestTLSTrustedText(t *testing.T) {
	t.Parallel()
	ours := newIssuer(t, "ours")
	der, err := x509.MarshalECPrivateKey(ours.mint("x").PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	spoiled := bytes.Replace(ours.pem(), []byte("M"), []byte("\x00"), 1)
	cut := ours.pem()[:len(ours.pem())/2]
	for name, texts := range map[string][][]byte{
		"no text":                        nil,
		"an empty text":                  {nil},
		"junk":                           {[]byte("-----BEGIN JUNK")},
		"no PEM":                         {[]byte("hello")},
		"a key":                          {key},
		"a key after a certificate":      {append(ours.pem(), key...)},
		"a good text and a bad one":      {ours.pem(), []byte("hello")},
		"a block that is no certificate": {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})},
		"a spoiled block after another":  {append(ours.pem(), spoiled...)},
		"a block without an end":         {append(ours.pem(), cut...)},
		"a spoiled block before another": {append(slices.Clone(spoiled), ours.pem()...)},
	} {
		for _, base := range []string{apiOrigin, "http://127.0.0.1"} {
			t.Run("K-11 "+name, func(t *testing.T) {
				t.Parallel()
				_, err := connection.New(base, connection.WithTrustedCA(texts...))
				wantOption(t, err, "WithTrustedCA")
				_, err = connection.New(base, connection.WithTrustedCAOnly(texts...))
				wantOption(t, err, "WithTrustedCAOnly")
			})
		}
	}
	t.Run("K-11 notes around certificates are fine", func(t *testing.T) {
		t.Parallel()
		bundle := slices.Concat([]byte("# ours\nsubject=CN = ours\n"), ours.pem(), []byte("\n# theirs\r\n"),
			bytes.ReplaceAll(newIssuer(t, "theirs").pem(), []byte("\n"), []byte("\r\n")), []byte("the end"))
		conn, err := connection.New(apiOrigin, connection.WithTrustedCA(bundle))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if got := conn.Describe().Pool.Trust; got != "system and 2 given" {
			t.Errorf("trust is %q", got)
		}
	})
	t.Run("K-11 beside a transport of the caller's each is named", func(t *testing.T) {
		t.Parallel()
		_, err := connection.New(apiOrigin, connection.WithTransport(new(http.Transport)),
			connection.WithTrustedCAOnly(ours.pem()), connection.WithPinnedKeys(connection.PinOf(ours.cert)))
		wantOption(t, err, "WithTrustedCAOnly")
		wantOption(t, err, "WithPinnedKeys")
	})
}
