package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/examples/internal/wire"
	"github.com/restconn/restconn/internal/testidp"
)

const (
	clientID     = "notes-cli"
	callbackPath = "/signed-in"
	scopeRead    = "notes:read"
	scopeWrite   = "notes:write"

	user, password = "ann", "ann"
)

// service is an OpenID provider, and an API that accepts its tokens.
type service struct {
	idp    *testidp.Server
	server *httptest.Server
	api    *httptest.Server

	mu    sync.Mutex
	notes []string
}

func start() *service {
	s := &service{notes: []string{"call Bob", "water the plants"}}
	s.idp, s.server = testidp.Start(testidp.Config{
		Clients: []testidp.Client{{
			ID:           clientID,
			RedirectURIs: []string{"http://127.0.0.1" + callbackPath, "http://[::1]" + callbackPath}, // on any port
			Scopes:       []string{"openid", "profile", scopeRead, scopeWrite},
			FullIDTokens: true, // with the name of the user
		}},
		Users:     []testidp.User{{Name: user, Password: password, FullName: "Ann Example"}},
		RevokeAll: true,
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

func (s *service) list(w http.ResponseWriter, req *http.Request) {
	if _, ok := s.idp.Check(w, req, testidp.Need{Scopes: []string{scopeRead}}); ok {
		s.answer(w)
	}
}

func (s *service) add(w http.ResponseWriter, req *http.Request) {
	if _, ok := s.idp.Check(w, req, testidp.Need{Scopes: []string{scopeWrite}}); !ok {
		return
	}
	var note string
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, 1<<10)).Decode(&note); err != nil {
		http.Error(w, "that is no note", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.notes = append(s.notes, note)
	s.mu.Unlock()
	s.answer(w)
}

func (s *service) answer(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wire.Answer(w, http.StatusOK, map[string]any{"notes": s.notes})
}

// robot is a user who fills in whatever the authorization server asks, in place of a browser.
func robot(out io.Writer) openFunc {
	b := testidp.NewBrowser(nil)
	b.Watch = func(form string) { fmt.Fprintln(out, "  the robot fills in the form:", form) }
	return func(ctx context.Context, login *oauth2flow.Login) error {
		_, err := b.Visit(ctx, login.URL, user, password)
		return err
	}
}
