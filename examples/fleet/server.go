package main

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/restconn/restconn/examples/internal/wire"
)

// server is an API and its authorization server, which changes the refresh token with each use. One that is used a
// second time was stolen, for all it knows: then it ends the whole family, and nobody has a token any more (RFC 9700,
// section 4.14.2).
type server struct {
	*httptest.Server

	clientSecret, firstRefresh string

	mu      sync.Mutex
	refresh string          // the refresh token that is good
	used    map[string]bool // those that were
	access  map[string]int  // the generations of the access tokens
	grants  int
	replays int
}

// start starts the server on a loopback address. Calls of the token endpoint are shown.
func start(log *wire.Log) *server {
	s := &server{
		clientSecret: rand.Text(), firstRefresh: rand.Text(),
		used: make(map[string]bool), access: make(map[string]int),
	}
	s.refresh = s.firstRefresh
	mux := http.NewServeMux()
	mux.Handle("POST /token", log.Around(http.HandlerFunc(s.token)))
	mux.HandleFunc("GET /job", s.job)
	s.Server = httptest.NewServer(mux)
	return s
}

// token is the token endpoint (RFC 6749, section 6).
func (s *server) token(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, secret, _ := req.BasicAuth(); id != clientID || secret != s.clientSecret {
		wire.Answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	if req.PostFormValue("grant_type") != "refresh_token" {
		wire.Answer(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
		return
	}
	old := req.PostFormValue("refresh_token")
	if s.used[old] {
		s.replays++
		s.refresh = "" // the end of the family
		clear(s.access)
	}
	if old == "" || old != s.refresh {
		wire.Answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	s.grants++
	lifetime := 1
	if s.grants >= generations {
		lifetime = 3600 // so that the count does not depend on how slow the last worker is
	}
	access := rand.Text()
	s.used[old], s.refresh, s.access[access] = true, rand.Text(), s.grants
	wire.Answer(w, http.StatusOK, map[string]any{
		"access_token": access, "token_type": "Bearer", "expires_in": lifetime, "refresh_token": s.refresh,
	})
}

// job is the API. It tells which generation the token is of.
func (s *server) job(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, generation := range s.access {
		if req.Header.Get("Authorization") == "Bearer "+token {
			wire.Answer(w, http.StatusOK, map[string]any{"generation": generation})
			return
		}
	}
	wire.Answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
}

// counts returns how many refresh tokens were exchanged, and how many of them a second time.
func (s *server) counts() (grants, replays int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grants, s.replays
}
