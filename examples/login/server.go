package main

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/restconn/restconn/examples/internal/wire"
)

const (
	tenant   = "acme"
	user     = "reports"
	password = `s3cret "quoted"` // such that its place in JSON matters
)

// service is an API with two logins of its own. The first takes two steps: where the tenant lives and a challenge, and
// then the session. The second is that of a web page.
type service struct {
	mu                 sync.Mutex
	challenge, renewal string
	session, cookie    string
}

// start starts the service on a loopback address.
func start(log *wire.Log) (*service, *httptest.Server) {
	s := &service{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /tenants/{tenant}", s.locate)
	mux.HandleFunc("POST /eu-7/sessions", s.login)
	mux.HandleFunc("POST /renewal", s.renew)
	mux.HandleFunc("POST /login", s.form)
	mux.HandleFunc("GET /reports", s.reports)
	return s, httptest.NewServer(log.Around(mux))
}

func (s *service) locate(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.PathValue("tenant") != tenant {
		wire.Answer(w, http.StatusNotFound, map[string]any{"error": "no such tenant"})
		return
	}
	s.challenge = rand.Text()
	wire.Answer(w, http.StatusOK, map[string]any{"region": "eu-7", "challenge": s.challenge})
}

func (s *service) login(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in struct {
		Challenge   string            `json:"challenge"`
		Credentials map[string]string `json:"credentials"`
	}
	err := json.NewDecoder(req.Body).Decode(&in)
	if err != nil || s.challenge == "" || in.Challenge != s.challenge ||
		in.Credentials["user"] != user || in.Credentials["password"] != password {
		wire.Answer(w, http.StatusForbidden, map[string]any{"error": "login failed"})
		return
	}
	s.challenge = "" // it is good once
	s.open(w)
}

func (s *service) renew(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in struct {
		Renewal string `json:"renewal"`
	}
	if err := json.NewDecoder(req.Body).Decode(&in); err != nil || s.renewal == "" || in.Renewal != s.renewal {
		wire.Answer(w, http.StatusForbidden, map[string]any{"error": "renewal failed"})
		return
	}
	s.open(w)
}

// open opens a session in place of the one before.
func (s *service) open(w http.ResponseWriter) {
	s.session, s.renewal = rand.Text(), rand.Text()
	wire.Answer(w, http.StatusCreated, map[string]any{"result": map[string]any{
		"session": map[string]any{"id": s.session, "ttl_ms": 1_800_000},
		"renewal": s.renewal,
	}})
}

func (s *service) form(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.FormValue("user") != user || req.FormValue("password") != password {
		wire.Answer(w, http.StatusForbidden, map[string]any{"error": "login failed"})
		return
	}
	s.cookie = rand.Text()
	http.SetCookie(w, &http.Cookie{Name: "SID", Value: s.cookie, Path: "/", HttpOnly: true})
	http.SetCookie(w, &http.Cookie{Name: "tracking", Value: "yes", Path: "/"})
	wire.Answer(w, http.StatusOK, map[string]any{"ok": true})
}

// reports is the API, for both.
func (s *service) reports(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cookie, err := req.Cookie("SID")
	switch {
	case s.session != "" && req.Header.Get("X-Session") == s.session:
	case s.cookie != "" && err == nil && cookie.Value == s.cookie:
	default:
		wire.Answer(w, http.StatusUnauthorized, map[string]any{"error": "no session"})
		return
	}
	wire.Answer(w, http.StatusOK, map[string]any{"reports": 7})
}

// endSessions ends the sessions. What renews them stays good.
func (s *service) endSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session, s.cookie = "", ""
}

// forget ends the sessions for good, as a restart of a service does that keeps them in memory.
func (s *service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session, s.cookie, s.renewal = "", "", ""
}
