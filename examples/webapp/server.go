package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/restconn/restconn/examples/internal/wire"
	"github.com/restconn/restconn/internal/testidp"
)

const (
	clientID     = "webapp"
	clientSecret = "not/much of+a secret" // such that its encoding matters
	callbackPath = "/connected"
	scopeRead    = "notes:read"
	scopeWrite   = "notes:write"
)

// service is an authorization server, and an API that accepts its tokens.
type service struct {
	idp    *testidp.Server
	server *httptest.Server
	api    *httptest.Server

	mu    sync.Mutex
	notes map[string][]string // by user
}

func start() *service {
	s := &service{notes: map[string][]string{"ann": {"call Bob", "water the plants"}, "bob": {"buy tea"}}}
	s.idp, s.server = testidp.Start(testidp.Config{
		Clients: []testidp.Client{{
			ID: clientID, Secret: clientSecret, Scopes: []string{scopeRead, scopeWrite},
			RedirectURIs: []string{"http://127.0.0.1" + callbackPath}, // on any port
		}},
		Users: []testidp.User{
			{Name: "ann", Password: "ann", FullName: "Ann Example"},
			{Name: "bob", Password: "bob", FullName: "Bob Example"},
		},
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /notes", s.list)
	mux.HandleFunc("POST /notes", s.add)
	s.api = httptest.NewServer(mux)
	return s
}

func (s *service) close() {
	s.api.Close()
	s.server.Close()
}

func (s *service) issuer() string { return s.server.URL }

// list is for everybody whose notes may be read. Nobody gets those of another user.
func (s *service) list(w http.ResponseWriter, req *http.Request) {
	if access, ok := s.idp.Check(w, req, testidp.Need{Scopes: []string{scopeRead}}); ok {
		s.answer(w, access)
	}
}

// add wants more than list.
func (s *service) add(w http.ResponseWriter, req *http.Request) {
	access, ok := s.idp.Check(w, req, testidp.Need{Scopes: []string{scopeWrite}})
	if !ok {
		return
	}
	var note string
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, 1<<10)).Decode(&note); err != nil {
		http.Error(w, "that is no note", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.notes[access.User.Name] = append(s.notes[access.User.Name], note)
	s.mu.Unlock()
	s.answer(w, access)
}

func (s *service) answer(w http.ResponseWriter, access testidp.Access) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wire.Answer(w, http.StatusOK, map[string]any{
		"owner": access.User.FullName, "notes": s.notes[access.User.Name],
	})
}
