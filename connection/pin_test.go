package connection_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// pinOf returns the pin of a server's own certificate.
func pinOf(cert tls.Certificate) string { return connection.PinOf(cert.Leaf) }

// issue answers token calls.
func issue(token string) http.Handler {
	return connectiontest.JSON(200, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
}

func TestPinMismatch(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{"http/1.1", "h2"} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			name := ", " + protocol + " " + tls.VersionName(version)
			bubble(t, "B5 S14 a key that is not pinned is refused, insecure or not"+name, func(t *testing.T) {
				n := connectiontest.NewNetwork(t)
				shown, spare := n.Certificate("api.example.test"), n.Certificate("api.example.test")
				showed := make(chan int, 10)
				cfg := asks(shows(shown, protocol))
				cfg.MaxVersion = version
				cfg.VerifyConnection = func(state tls.ConnectionState) error {
					showed <- len(state.PeerCertificates)
					return nil
				}
				srv := n.ServeTLS(apiOrigin, status(204), cfg)
				conn := connectTo(t, srv, insistent(), connection.WithPinnedKeys(pinOf(spare)),
					connection.WithClientCertificate(connection.StaticCertificate(newIssuer(t, "clients").subject("svc"))),
					connection.WithAuth(auth.Bearer(auth.Static(secrets.Static(canary)))))
				derived, err := conn.With(connection.WithInsecureSkipVerify())
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = derived.Close() }()
				for i, b := range []request.Builder{
					request.Post(conn, "/x").Text("x"), request.Post(conn, "/x").Text("x").InsecureSkipVerify(),
					request.Get(derived, "/x"), request.Get(conn, "/x").Auth(auth.None()).InsecureSkipVerify(),
				} {
					err := b.Exec(t.Context())
					if e := wantError[*connection.PinError](t, err); e.Shown != pinOf(shown) {
						t.Errorf("Shown is %q, want %q", e.Shown, pinOf(shown))
					}
					if te := wantError[*connection.TransportError](t, err); !te.Unsent {
						t.Error("Unsent is false")
					}
					conns(t, srv, i+1)
				}
				wantNone(t, srv)
				srv.Close()
				close(showed)
				for count := range showed {
					t.Errorf("the server has got %d certificates of the client", count)
				}
			})
		}
	}
}

func TestPinMatch(t *testing.T) {
	t.Parallel()
	type pinCase struct {
		name     string
		insecure bool
		serve    func(ours, theirs *issuer) tls.Certificate
		pin      func(ours *issuer, served tls.Certificate) []string
		refused  bool
	}
	leaf := func(ours, _ *issuer) tls.Certificate { return ours.mint("api.example.test") }
	ofLeaf := func(_ *issuer, served tls.Certificate) []string { return []string{pinOf(served)} }
	ofCA := func(ours *issuer, _ tls.Certificate) []string { return []string{connection.PinOf(ours.cert)} }
	// What somebody on the way can show: a key of their own, and copies of what the real server shows.
	copied := func(ours, theirs *issuer) tls.Certificate {
		cert := theirs.mint("api.example.test")
		cert.Certificate = append(cert.Certificate, ours.cert.Raw)
		return cert
	}
	for _, c := range []pinCase{
		{"B5 the pin of the server's own key", false, leaf, ofLeaf, false},
		{"B5 the same where nothing is verified", true, leaf, ofLeaf, false},
		{"B5 the pin of the authority, in the chain that was verified", false, leaf, ofCA, false},
		{"B5 the pin of the authority proves nothing where nothing is verified", true, leaf, ofCA, true},
		{"B5 S15 a copy of the pinned authority behind a foreign leaf", true, copied, ofCA, true},
		{
			"B5 a spare pin", false, leaf,
			func(ours *issuer, served tls.Certificate) []string {
				return []string{pinOf(ours.mint("api.example.test")), pinOf(served)}
			},
			false,
		},
		{
			"B5 the pin of an authority that is trusted, and that has not signed", false, leaf,
			func(ours *issuer, _ tls.Certificate) []string {
				return []string{connection.PinOf(newIssuer(ours.t, "z").cert)}
			},
			true,
		},
	} {
		for _, protocol := range []string{"http/1.1", "h2"} {
			bubble(t, c.name+", "+protocol, func(t *testing.T) {
				ours, theirs := newIssuer(t, "ours"), newIssuer(t, "theirs")
				n := connectiontest.NewNetwork(t)
				served := c.serve(ours, theirs)
				srv := n.ServeTLS(apiOrigin, status(204), shows(served, protocol))
				opts := []connection.Option{wired(n), connection.WithTrustedCAOnly(ours.pem())}
				for _, pin := range c.pin(ours, served) {
					opts = append(opts, connection.WithPinnedKeys(pin))
				}
				b := request.Get(connect(t, apiOrigin, opts...), "/x")
				if c.insecure {
					b = b.InsecureSkipVerify()
				}
				err := b.Exec(t.Context())
				if c.refused {
					_ = wantError[*connection.PinError](t, err)
					wantNone(t, srv)
					return
				}
				if err != nil {
					t.Error(err)
				}
				sent(t, srv, 1)
			})
		}
	}
	bubble(t, "B5 a copy of the pinned certificate of the server itself, behind a foreign leaf", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		genuine, fake := n.Certificate("api.example.test"), n.Certificate("api.example.test")
		fake.Certificate = append(fake.Certificate, genuine.Certificate[0])
		srv := n.ServeTLS(apiOrigin, status(204), shows(fake))
		conn := connectTo(t, srv, connection.WithPinnedKeys(pinOf(genuine)))
		_ = wantError[*connection.PinError](t, request.Get(conn, "/x").Exec(t.Context()))
		_ = wantError[*connection.PinError](t, request.Get(conn, "/x").InsecureSkipVerify().Exec(t.Context()))
		wantNone(t, srv)
	})
}

// changing shows the certificates one after the other, and the last one from then on.
func changing(certs ...tls.Certificate) *tls.Config {
	var shown atomic.Int32
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		i := min(int(shown.Add(1)), len(certs)) - 1
		return &certs[i], nil
	}}
}

func TestPinScope(t *testing.T) {
	t.Parallel()
	bubble(t, "B5 pins hold on a redirect that leads back home, and not where it led to", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		right, wrong := n.Certificate("api.example.test"), n.Certificate("api.example.test")
		srv := n.ServeTLS(apiOrigin, status(302).Header("Location", foreignOrigin), changing(right, wrong))
		foreign := n.Serve(foreignOrigin, status(302).Header("Location", apiOrigin+"/landed"))
		conn := connectTo(t, srv, connection.WithPinnedKeys(pinOf(right)))
		for _, b := range []request.Builder{
			request.Get(conn, "/start"), request.Get(conn, foreignOrigin+"/bare").Auth(auth.None()),
		} {
			_ = wantError[*connection.PinError](t, b.Exec(t.Context()))
		}
		sent(t, srv, 1)
		sent(t, foreign, 2)
	})
	bubble(t, "B5 pins hold for every origin of the connection", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		right := n.Certificate("api.example.test")
		srv := n.ServeTLS(apiOrigin, status(302).Header("Location", "https://files.example.test"), shows(right))
		files := n.Serve("https://files.example.test", status(204))
		conn := connectTo(t, srv, connection.WithPinnedKeys(pinOf(right)),
			connection.WithTrustedOrigins("https://files.example.test"))
		_ = wantError[*connection.PinError](t, request.Get(conn, "/x").Exec(t.Context()))
		_ = wantError[*connection.PinError](t, request.Get(conn, "https://files.example.test/y").Exec(t.Context()))
		wantNone(t, files)
	})
	for _, insecure := range []bool{false, true} {
		name := map[bool]string{true: ", insecure", false: ""}[insecure]
		opts := func(opts ...connection.Option) []connection.Option {
			if insecure {
				opts = append(opts, connection.WithInsecureSkipVerify())
			}
			return opts
		}
		tokens := func(origin string) auth.Authenticator {
			return auth.Bearer(auth.Manage(oauth2flow.ClientCredentials(oauth2flow.Client{
				ID: "cid", Secret: secrets.Static(canary), TokenURL: origin + "/token",
			})))
		}
		bubble(t, "B5 pins hold for a token call to the home origin"+name, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			srv := n.Serve(apiOrigin, issue("t-1"))
			conn := connectTo(t, srv, opts(connection.WithPinnedKeys(pinOf(n.Certificate("api.example.test"))),
				connection.WithAuth(tokens(apiOrigin)))...)
			_ = wantError[*connection.PinError](t, request.Get(conn, "/x").Exec(t.Context()))
			conns(t, srv, 1)
			wantNone(t, srv)
		})
		bubble(t, "B5 and not for one to another origin"+name, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			cert := n.Certificate("api.example.test")
			srv := n.ServeTLS(apiOrigin, status(204), shows(cert))
			n.Serve("https://auth.example.test", issue("t-1"))
			conn := connectTo(t, srv, opts(connection.WithPinnedKeys(pinOf(cert)),
				connection.WithAuth(tokens("https://auth.example.test")))...)
			if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := only(t, srv).Header.Get("Authorization"); got != "Bearer t-1" {
				t.Errorf("Authorization %q", got)
			}
		})
	}
	bubble(t, "B5 a pin still holds for a token call that has a trust of its own", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.Serve(apiOrigin, issue("t-1"))
		conn := connectTo(t, srv, connection.WithPinnedKeys(pinOf(n.Certificate("api.example.test"))),
			connection.WithAuth(auth.Bearer(auth.Manage(oauth2flow.ClientCredentials(oauth2flow.Client{
				ID: "cid", Secret: secrets.Static(canary), TokenURL: apiOrigin + "/token",
				Endpoint: auth.Endpoint{TrustedCA: n.Authority(), TrustedCAOnly: true},
			})))))
		_ = wantError[*connection.PinError](t, request.Get(conn, "/x").Exec(t.Context()))
		wantNone(t, srv)
	})
}

func TestPinOption(t *testing.T) {
	t.Parallel()
	cert := newIssuer(t, "x").cert
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	want := "sha256/" + base64.StdEncoding.EncodeToString(sum[:])
	if got := connection.PinOf(cert); got != want {
		t.Errorf("the pin is %q, want %q", got, want)
	}
	for _, pins := range [][]string{
		nil, {""}, {want, ""}, {strings.TrimPrefix(want, "sha256/")}, {"sha1/" + want[7:]}, {want[:len(want)-4]},
		{want + "\n" + want}, {"sha256/" + strings.Repeat("=", 44)}, {"sha256//" + want[7:]},
	} {
		_, err := connection.New(apiOrigin, connection.WithPinnedKeys(pins...))
		wantOption(t, err, "WithPinnedKeys")
	}
	conn, err := connection.New(apiOrigin, connection.WithPinnedKeys(want), connection.WithPinnedKeys(want))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	d := conn.Describe()
	if !slices.Equal(d.Pool.PinnedKeys, []string{want, want}) || !strings.Contains(d.String(), want) {
		t.Errorf("the description is\n%s", d)
	}
	_, err = conn.With(connection.WithPinnedKeys(want))
	wantOption(t, err, "WithPinnedKeys")
}
