package main

import (
	"net/http"
	"net/http/httptest"

	"github.com/restconn/restconn/examples/internal/wire"
	"github.com/restconn/restconn/internal/testidp"
)

const (
	clientID     = "webapp"
	clientSecret = "not/much of+a secret" // such that its encoding matters
	callbackPath = "/connected"
	scope        = "notes:read"
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
		Clients: []testidp.Client{{
			ID: clientID, Secret: clientSecret, Scopes: []string{scope},
			RedirectURIs: []string{"http://127.0.0.1" + callbackPath}, // on any port
		}},
		Users: []testidp.User{
			{Name: "ann", Password: "ann", FullName: "Ann Example"},
			{Name: "bob", Password: "bob", FullName: "Bob Example"},
		},
	})
	s.api = httptest.NewServer(http.HandlerFunc(s.notes))
	return s
}

func (s *service) close() {
	s.api.Close()
	s.server.Close()
}

func (s *service) issuer() string { return s.server.URL }

// notes is the API: everybody gets their own notes.
func (s *service) notes(w http.ResponseWriter, req *http.Request) {
	access, ok := s.idp.Check(w, req, testidp.Need{Scopes: []string{scope}})
	if !ok {
		return
	}
	notes := map[string][]string{"ann": {"call Bob", "water the plants"}, "bob": {"buy tea"}}
	wire.Answer(w, http.StatusOK, map[string]any{
		"owner": access.User.FullName, "notes": notes[access.User.Name],
	})
}
