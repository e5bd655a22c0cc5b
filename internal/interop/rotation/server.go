package rotation

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Server is a token server that rotates refresh tokens and is as strict as RFC 9700, section 4.14.2, wants it: each
// refresh token works once, and a second use revokes all that came from the same login.
type Server struct {
	// URL is that of the token endpoint.
	URL string

	granted func(worker int) // called with each grant, before it is answered
	http    *http.Server
	done    chan struct{}

	mu      sync.Mutex
	current string // the refresh token that works; empty after a revocation
	counts  Counts
	workers map[int]bool // those that were issued a token
}

// Counts are what a server has seen.
type Counts struct {
	// Logins and Rotations are tokens that were issued, for a password and for a refresh token.
	Logins, Rotations int
	// Replays are refresh tokens that were used a second time.
	Replays int
	// Busy is how many workers were issued a token.
	Busy int
}

// Serve starts a server on loopback. It tells granted of each token that it issues.
func Serve(ctx context.Context, granted func(worker int)) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{
		URL: "http://" + listener.Addr().String() + "/token", granted: granted, done: make(chan struct{}),
		workers: make(map[int]bool),
	}
	s.http = &http.Server{Handler: http.HandlerFunc(s.token), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(listener)
	}()
	return s, nil
}

// Close stops the server.
func (s *Server) Close() {
	_ = s.http.Close()
	<-s.done
}

// Counts returns what the server has seen so far.
func (s *Server) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Works reports whether a refresh token would still be accepted.
func (s *Server) Works(refresh string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return refresh != "" && refresh == s.current
}

// answer is the body of an answer, see RFC 6749, sections 5.1 and 5.2.
type answer struct {
	Access  string `json:"access_token,omitempty"`
	Refresh string `json:"refresh_token,omitempty"`
	Type    string `json:"token_type,omitempty"`
	Error   string `json:"error,omitempty"`
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	worker, _ := strconv.Atoi(r.Header.Get("Worker"))
	reply := s.exchange(worker, r.PostFormValue("grant_type"), r.PostFormValue("refresh_token"))
	w.Header().Set("Content-Type", "application/json")
	if reply.Error != "" {
		w.WriteHeader(http.StatusBadRequest)
	} else {
		s.granted(worker)
	}
	_ = json.NewEncoder(w).Encode(reply)
}

// exchange issues a token, or says why not. The number of a token is in its text.
func (s *Server) exchange(worker int, grant, refresh string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case grant == "password":
		s.counts.Logins++
	case refresh != "" && refresh == s.current:
		s.counts.Rotations++
	default:
		s.counts.Replays++
		s.current = ""
		return answer{Error: "invalid_grant"}
	}
	s.workers[worker] = true
	s.counts.Busy = len(s.workers)
	n := s.counts.Logins + s.counts.Rotations
	s.current = fmt.Sprintf("refresh-%d-%d", s.counts.Logins, n)
	return answer{Access: "access-" + strconv.Itoa(n), Refresh: s.current, Type: "Bearer"}
}
