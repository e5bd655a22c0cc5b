package main

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/restconn/restconn/examples/internal/wire"
)

const (
	clientID     = "shop"
	clientSecret = "correct horse/battery+staple" // such that its encoding matters
	scope        = "orders:read"
)

// service is an authorization server and the API that accepts its tokens.
type service struct {
	mu     sync.Mutex
	issued map[string]bool
	calls  int
}

// start starts the service on a loopback address.
func start(log *wire.Log) (*service, *httptest.Server) {
	s := &service{issued: make(map[string]bool)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", s.token)
	mux.HandleFunc("GET /orders/{id}", s.order)
	return s, httptest.NewServer(log.Around(mux))
}

// token is the token endpoint (RFC 6749, sections 4.4 and 5).
func (s *service) token(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	id, secret, _ := req.BasicAuth()
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case id != clientID || secret != "correct+horse%2Fbattery%2Bstaple": // encoded as section 2.3.1 has it
		w.Header().Set("WWW-Authenticate", `Basic realm="tokens"`)
		wire.Answer(w, http.StatusUnauthorized, map[string]any{
			"error": "invalid_client", "error_description": "no such client",
		})
	case req.ParseForm() != nil || len(req.PostForm) != 2 || req.URL.RawQuery != "":
		wire.Answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
	case req.PostForm.Get("grant_type") != "client_credentials":
		wire.Answer(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
	case req.PostForm.Get("scope") != scope:
		wire.Answer(w, http.StatusBadRequest, map[string]any{"error": "invalid_scope"})
	default:
		token := rand.Text()
		s.issued[token] = true
		wire.Answer(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": 3600})
	}
}

// order is the API.
func (s *service) order(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token := range s.issued {
		if req.Header.Get("Authorization") == "Bearer "+token {
			wire.Answer(w, http.StatusOK, map[string]any{"id": req.PathValue("id")})
			return
		}
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	wire.Answer(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
}

// revoke makes an end of all tokens, as an administrator may.
func (s *service) revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.issued)
}

// tokenCalls returns how often the token endpoint was called.
func (s *service) tokenCalls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}
