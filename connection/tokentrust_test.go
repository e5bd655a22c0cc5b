package connection_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const tokenOrigin = "https://auth.example.test"

// tokenFlows are the flows whose calls go through the transport of the connection.
func tokenFlows() map[string]func(auth.Endpoint) auth.Grant {
	return map[string]func(auth.Endpoint) auth.Grant{
		"oauth2flow": func(e auth.Endpoint) auth.Grant {
			return oauth2flow.ClientCredentials(oauth2flow.Client{
				ID: "cid", Secret: secrets.Static(canary), TokenURL: tokenOrigin + "/token", Endpoint: e,
			})
		},
		"login": func(e auth.Endpoint) auth.Grant {
			return login.New(login.Config{
				BaseURL: tokenOrigin, Endpoint: e, Secrets: map[string]secrets.Provider{"password": secrets.Static(canary)},
				Steps: []login.Step{{Path: "/token", JSON: map[string]string{"password": "{{password}}"}}},
				Token: "body['access_token']", Lifetime: time.Hour,
			})
		},
	}
}

// An API and its token server have certificates of two authorities.
func TestTokenTrust(t *testing.T) {
	t.Parallel()
	type authorities struct{ api, token *issuer }
	for name, flow := range tokenFlows() {
		for _, c := range []struct {
			name     string
			options  func(a authorities) []connection.Option
			endpoint func(a authorities) auth.Endpoint
			signs    func(a authorities) *issuer // the token server's certificate
			refused  bool
		}{
			{"K-10 with the trust of the API alone the token call fails",
				nil, func(authorities) auth.Endpoint { return auth.Endpoint{} },
				func(a authorities) *issuer { return a.token }, true},
			{"K-10 with a trust of its own it works",
				nil, func(a authorities) auth.Endpoint { return auth.Endpoint{TrustedCA: a.token.pem()} },
				func(a authorities) *issuer { return a.token }, false},
			{"K-10 TrustedCAOnly as well",
				nil, func(a authorities) auth.Endpoint { return auth.Endpoint{TrustedCA: a.token.pem(), TrustedCAOnly: true} },
				func(a authorities) *issuer { return a.token }, false},
			{"K-10 TrustedCAOnly does not trust the authority of the API",
				nil, func(a authorities) auth.Endpoint { return auth.Endpoint{TrustedCA: a.token.pem(), TrustedCAOnly: true} },
				func(a authorities) *issuer { return a.api }, true},
			{"K-10 nor does TrustedCA, whatever the connection trusts",
				nil, func(a authorities) auth.Endpoint { return auth.Endpoint{TrustedCA: a.token.pem()} },
				func(a authorities) *issuer { return a.api }, true},
			{"B2 a trust of its own is checked although the connection checks nothing",
				func(authorities) []connection.Option { return []connection.Option{connection.WithInsecureSkipVerify()} },
				func(a authorities) auth.Endpoint { return auth.Endpoint{TrustedCA: a.token.pem()} },
				func(a authorities) *issuer { return a.api }, true},
			{"B2 without one nothing is checked there either",
				func(authorities) []connection.Option { return []connection.Option{connection.WithInsecureSkipVerify()} },
				func(authorities) auth.Endpoint { return auth.Endpoint{} },
				func(a authorities) *issuer { return a.token }, false},
		} {
			bubble(t, c.name+", "+name, func(t *testing.T) {
				a := authorities{newIssuer(t, "api"), newIssuer(t, "token")}
				n := connectiontest.NewNetwork(t)
				srv := n.ServeTLS(apiOrigin, status(204), shows(a.api.mint("api.example.test")))
				tokens := n.ServeTLS(tokenOrigin, issue("t-1"), shows(c.signs(a).mint("auth.example.test")))
				opts := []connection.Option{
					wired(n), connection.WithTrustedCAOnly(a.api.pem()),
					connection.WithAuth(auth.Bearer(auth.Manage(flow(c.endpoint(a))))),
				}
				if c.options != nil {
					opts = append(opts, c.options(a)...)
				}
				err := request.Get(connect(t, apiOrigin, opts...), "/x").Exec(t.Context())
				if c.refused {
					_ = wantError[x509.UnknownAuthorityError](t, err)
					wantNone(t, tokens)
					wantNone(t, srv)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				sent(t, tokens, 1)
				if got := only(t, srv).Header.Get("Authorization"); got != "Bearer t-1" {
					t.Errorf("Authorization %q", got)
				}
			})
		}
		bubble(t, "K-10 a trust of its own shows the client certificate all the same, "+name, func(t *testing.T) {
			a := authorities{newIssuer(t, "api"), newIssuer(t, "token")}
			n := connectiontest.NewNetwork(t)
			seen := new(peers)
			n.ServeTLS(apiOrigin, status(204), shows(a.api.mint("api.example.test")))
			answer := issue("t-1")
			n.ServeTLS(tokenOrigin, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				seen.mu.Lock()
				for _, cert := range req.TLS.PeerCertificates {
					seen.names = append(seen.names, cert.Subject.CommonName)
				}
				seen.mu.Unlock()
				answer.ServeHTTP(w, req)
			}), asks(shows(a.token.mint("auth.example.test"), "h2")))
			conn := connect(t, apiOrigin, wired(n), connection.WithTrustedCAOnly(a.api.pem()),
				connection.WithClientCertificate(connection.StaticCertificate(a.api.subject("svc"))),
				connection.WithAuth(auth.Bearer(auth.Manage(flow(auth.Endpoint{TrustedCA: a.token.pem()})))))
			if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
			same(t, "the token server", seen.seen(), "svc")
		})
		bubble(t, "B3 token calls show the new client certificate after a rotation, "+name, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			clients := newIssuer(t, "clients")
			one, two := clients.subject("one"), clients.subject("two")
			src := &materialSource{cert: &one}
			seen := new(peers)
			answer := connectiontest.Sequence(issue("t-1"), issue("t-2"))
			srv := n.Serve(apiOrigin, connectiontest.Sequence(status(204), status(401), status(204)))
			n.ServeTLS(tokenOrigin, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				seen.mu.Lock()
				seen.names = append(seen.names, req.TLS.PeerCertificates[0].Subject.CommonName)
				seen.mu.Unlock()
				answer.ServeHTTP(w, req)
			}), &tls.Config{ClientAuth: tls.RequireAnyClientCert})
			conn := connectTo(t, srv, connection.WithClientCertificate(src),
				connection.WithAuth(auth.Bearer(auth.Manage(flow(auth.Endpoint{})))))
			for range 2 {
				if err := request.Get(conn, "/x").Exec(t.Context()); err != nil {
					t.Fatal(err)
				}
				src.set(func(s *materialSource) { s.cert = &two })
				time.Sleep(time.Minute)
			}
			same(t, "the token server", seen.seen(), "one", "two")
		})
	}
	bubble(t, "K-11 junk in the place of the certificates of a token call is an error", func(t *testing.T) {
		for _, flow := range tokenFlows() {
			_, err := connection.New(apiOrigin, connection.WithAuth(auth.Bearer(auth.Manage(flow(
				auth.Endpoint{TrustedCA: []byte("-----BEGIN JUNK")})))))
			if _, ok := errors.AsType[*connection.OptionError](err); !ok {
				t.Errorf("error %v", err)
			}
		}
	})
}
