package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/examples/internal/wire"
	"github.com/restconn/restconn/internal/testidp"
)

const (
	clientID = "television"
	scope    = "films"

	user, password = "ann", "ann"
)

// service is an authorization server, and an API that accepts its tokens.
type service struct {
	idp    *testidp.Server
	server *httptest.Server
	api    *httptest.Server
}

func start() *service {
	s := new(service)
	s.idp, s.server = testidp.Start(testidp.Config{
		Clients:        []testidp.Client{{ID: clientID, Scopes: []string{scope}}},
		Users:          []testidp.User{{Name: user, Password: password, FullName: "Ann Example"}},
		DeviceInterval: time.Second, // servers in the field want to be asked every 5 s
	})
	s.api = httptest.NewServer(http.HandlerFunc(s.film))
	return s
}

func (s *service) close() {
	s.api.Close()
	s.server.Close()
}

func (s *service) issuer() string { return s.server.URL }

func (s *service) film(w http.ResponseWriter, req *http.Request) {
	if access, ok := s.idp.Check(w, req, testidp.Need{Scopes: []string{scope}}); ok {
		wire.Answer(w, http.StatusOK, map[string]any{"title": "The General", "for": access.User.FullName})
	}
}

// robot is a user who opens the URL with the code in it, as of a QR code, and fills in whatever is asked.
func robot(out io.Writer) userFunc {
	b := testidp.NewBrowser(nil)
	b.Watch = func(form string) { fmt.Fprintln(out, "  the robot fills in the form:", form) }
	return func(ctx context.Context, login *oauth2flow.DeviceLogin) error {
		_, err := b.Visit(ctx, login.VerificationURIComplete, user, password)
		return err
	}
}
