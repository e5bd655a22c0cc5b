package main

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/examples/internal/wire"
	"github.com/restconn/restconn/internal/testidp"
)

const (
	clientID     = "invoices"
	callbackPath = "/signed-in"
	scope        = "accounting"
	realm        = "realmId"
)

// service is an authorization server, and an API with several hosts.
type service struct {
	idp    *testidp.Server
	server *httptest.Server
	api    *httptest.Server
	out    io.Writer
}

func start(out io.Writer) *service {
	s := &service{out: out}
	s.idp, s.server = testidp.Start(testidp.Config{
		Clients: []testidp.Client{{
			ID: clientID, Trusted: true, Scopes: []string{scope},
			RedirectURIs: []string{"http://127.0.0.1" + callbackPath, "http://[::1]" + callbackPath}, // on any port
		}},
		Users: []testidp.User{
			newUser("ann", "https://north.example.com", "7001"),
			newUser("bob", "https://south.example.com", "7002"),
			newUser("eve", "https://example.net", "7003"), // as if somebody had got the server to say so
		},
	})
	s.api = httptest.NewTLSServer(http.HandlerFunc(s.invoices))
	return s
}

// newUser returns a user whose logins tell a host and a company.
func newUser(name, host, company string) testidp.User {
	return testidp.User{
		Name: name, Password: name,
		TokenMembers:   map[string]string{"instance_url": host},
		CallbackParams: map[string]string{realm: company},
	}
}

func (s *service) close() {
	s.api.Close()
	s.server.Close()
}

func (s *service) issuer() string { return s.server.URL }

// invoices is the API. It shows where it was asked, and looks whether the user is of the company that is in the path.
func (s *service) invoices(w http.ResponseWriter, req *http.Request) {
	fmt.Fprintln(s.out, "  >", req.Method, "https://"+req.Host+req.URL.Path)
	access, ok := s.idp.Check(w, req, testidp.Need{Scopes: []string{scope}})
	if !ok {
		return
	}
	company := access.User.CallbackParams[realm]
	if "https://"+req.Host != access.User.TokenMembers["instance_url"] ||
		req.URL.Path != "/v1/companies/"+company+"/invoices" {
		http.Error(w, "that is another company", http.StatusForbidden)
		return
	}
	names := map[string]string{"7001": "Northwind", "7002": "Southridge"}
	wire.Answer(w, http.StatusOK, map[string]any{"company": names[company], "open": len(names[company])})
}

// network returns the option that leads all names to the API.
func (s *service) network() connection.Option {
	return connection.WithDialContext(func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasSuffix(address, ":443") {
			address = s.api.Listener.Addr().String()
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	})
}

// trust returns the option that trusts the certificate of the API, which is for *.example.com.
func (s *service) trust() connection.Option {
	return connection.WithTrustedCA(pem.EncodeToMemory(&pem.Block{
		Type: "CERTIFICATE", Bytes: s.api.Certificate().Raw,
	}))
}

// robot is a user who fills in whatever the authorization server asks, in place of a browser.
func robot(name string) func(ctx context.Context, login *oauth2flow.Login) error {
	b := testidp.NewBrowser(nil)
	return func(ctx context.Context, login *oauth2flow.Login) error {
		_, err := b.Visit(ctx, login.URL, name, name)
		return err
	}
}
