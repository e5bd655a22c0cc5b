package connection_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// slowSecret is a provider that takes its time.
type slowSecret time.Duration

func (s slowSecret) Secret(ctx context.Context) (secrets.Value, error) {
	select {
	case <-time.After(time.Duration(s)):
		return secrets.Static("csec").Secret(ctx)
	case <-ctx.Done():
		return secrets.Value{}, ctx.Err()
	}
}

// What token flows of single calls have of their own goes away with them, however late they come to use it.
func TestVariantsGo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ secret, server, caller time.Duration }{
		"all is well":                       {0, 0, time.Hour},
		"the server is slow, callers leave": {0, 2 * time.Second, time.Second},
		"the secret is slow, callers leave": {2 * time.Second, 0, time.Second},
	} {
		for _, protocol := range protocols {
			bubble(t, "J5 transports of token flows for one call: "+name+", "+protocol, func(t *testing.T) {
				n := connectiontest.NewNetwork(t)
				srv := n.Serve(apiOrigin, status(204))
				answer := connectiontest.JSON(200, map[string]any{"access_token": "t-1", "token_type": "Bearer"}).Delay(c.server)
				issuer := n.ServeTLS(tokenOrigin, answer, shows(n.Certificate("auth.example.test"), protocol))
				conn := connectTo(t, srv)
				for i := range 20 {
					ctx, cancel := context.WithTimeout(t.Context(), c.caller)
					flow := oauth2flow.ClientCredentials(oauth2flow.Client{
						ID: fmt.Sprint("cid", i), Secret: slowSecret(c.secret), TokenURL: tokenOrigin + "/token",
						Endpoint: auth.Endpoint{TrustedCA: n.Authority(), TrustedCAOnly: true},
					})
					_ = request.Get(conn, "/x").Auth(auth.Bearer(auth.Manage(flow))).Exec(ctx)
					cancel()
				}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if lanes, open := connection.DerivedLanes(conn), issuer.OpenConns(); lanes > 0 || open > 0 {
					t.Errorf("%d transports and %d connections are left", lanes, open)
				}
			})
		}
	}
}

// hardware is a key that can sign as long as its session is open.
type hardware struct {
	crypto.Signer

	closed *atomic.Bool
}

func (h hardware) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if h.closed.Load() {
		return nil, errors.New("the session is over")
	}
	return h.Signer.Sign(rand, digest, opts)
}

func TestReloadTakesAnotherSigner(t *testing.T) {
	t.Parallel()
	bubble(t, "B3 another signer for the same certificate is taken", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		before := newIssuer(t, "clients").subject("one")
		signer, _ := before.PrivateKey.(crypto.Signer)
		after := before
		var first, second atomic.Bool
		before.PrivateKey, after.PrivateKey = hardware{signer, &first}, hardware{signer, &second}
		srv := n.ServeTLS(apiOrigin, status(204), asks(shows(n.Certificate("api.example.test"))))
		src := &materialSource{cert: &before}
		conn := connectTo(t, srv, connection.WithClientCertificate(src))
		if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.Store(true)
		src.set(func(s *materialSource) { s.cert = &after })
		time.Sleep(5 * time.Minute)
		if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
