package rotation

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is a token server that rotates refresh tokens and is as strict as RFC 9700, section 4.14.2, wants it: each
// refresh token works once, and a second use revokes all that came from the same login.
type Server struct {
	// URL is that of the token endpoint.
	URL string

	rules ServerRules
	http  *http.Server
	done  chan struct{}

	mu       sync.Mutex
	families []*family // by login
	counts   Counts
	renewers map[int]bool // the workers whose refresh tokens were accepted
}

// family is what came of one login.
type family struct {
	current string    // the refresh token that works; empty after a revocation
	former  string    // the one before it
	until   time.Time // the end of the grace of the former
}

// ServerRules are how a [Server] behaves, and whom it tells.
type ServerRules struct {
	// Lifetime is that of an access token, as the answer says. The server has nothing that it would open.
	Lifetime time.Duration
	// Grace is how long the last refresh token still works after its first use. A strict server has none.
	Grace time.Duration
	// Granted is called with each token that is issued for a refresh token, before it is sent. number counts tokens.
	Granted func(worker, number int)
	// Refused is called with each refresh token that is refused, before the answer is sent.
	Refused func(worker int)
}

// Counts are what a server has seen.
type Counts struct {
	// Logins and Rotations are tokens that were issued, for a password and for a refresh token.
	Logins, Rotations int
	// Forgiven are those of Rotations whose refresh token was used again in its grace.
	Forgiven int
	// Replays are refresh tokens that were used a second time, and Revoked the logins of which everything was revoked
	// because of that.
	Replays, Revoked int
	// Busy is how many workers renewed.
	Busy int
}

// Serve starts a server on loopback.
func Serve(ctx context.Context, rules ServerRules) (*Server, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{
		URL: "http://" + listener.Addr().String() + "/token", rules: rules, done: make(chan struct{}),
		renewers: make(map[int]bool),
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
	f := s.family(refresh)
	return refresh == f.current || s.forgives(f, refresh)
}

// family returns where a refresh token belongs. The number of the login is in its text.
func (s *Server) family(refresh string) *family {
	var login, number int
	if _, err := fmt.Sscanf(refresh, refreshFormat, &login, &number); err != nil || login < 1 || login > len(s.families) {
		return &family{current: "none"}
	}
	return s.families[login-1]
}

// answer is the body of an answer, see RFC 6749, sections 5.1 and 5.2. The padding makes records of many lengths, and
// the sum finds torn ones.
type answer struct {
	Access  string  `json:"access_token,omitempty"`
	Refresh string  `json:"refresh_token,omitempty"`
	Type    string  `json:"token_type,omitempty"`
	Expires float64 `json:"expires_in,omitempty"`
	Error   string  `json:"error,omitempty"`
	Padding string  `json:"padding,omitempty"`
	Sum     string  `json:"sum,omitempty"`
	Issued  string  `json:"issued,omitempty"` // nanoseconds since 1970

	number int
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	worker, _ := strconv.Atoi(r.Header.Get(workerHeader))
	login := r.PostFormValue("grant_type") == "password"
	reply := s.exchange(worker, login, r.PostFormValue("refresh_token"))
	w.Header().Set("Content-Type", "application/json")
	switch {
	case reply.Error != "":
		s.rules.Refused(worker)
		w.WriteHeader(http.StatusBadRequest)
	case !login:
		s.rules.Granted(worker, reply.number)
	}
	reply.Issued = strconv.FormatInt(time.Now().UnixNano(), 10)
	_ = json.NewEncoder(w).Encode(reply)
}

// exchange issues a token, or says why not.
func (s *Server) exchange(worker int, login bool, refresh string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	if login {
		s.counts.Logins++
		s.families = append(s.families, new(family))
		return s.issue(s.counts.Logins)
	}
	f := s.family(refresh)
	switch {
	case refresh == f.current:
		f.former, f.until = refresh, time.Now().Add(s.rules.Grace)
	case s.forgives(f, refresh):
		s.counts.Forgiven++
	default:
		s.counts.Replays++
		if f.current != "" {
			s.counts.Revoked++
		}
		*f = family{}
		return answer{Error: "invalid_grant"}
	}
	s.counts.Rotations++
	s.renewers[worker] = true
	s.counts.Busy = len(s.renewers)
	return s.issue(slices.Index(s.families, f) + 1)
}

// issue makes the next token of a login. Its number is in its text.
func (s *Server) issue(login int) answer {
	n := s.counts.Logins + s.counts.Rotations
	a := answer{
		Access: fmt.Sprintf(accessFormat, login, n), Refresh: fmt.Sprintf(refreshFormat, login, n), Type: "Bearer",
		Expires: s.rules.Lifetime.Seconds(), Padding: strings.Repeat("=", 1+n*977%4000), number: n,
	}
	a.Sum = sum(a.Access, a.Refresh, a.Padding)
	s.families[login-1].current = a.Refresh
	return a
}

// forgives reports whether a refresh token is the one before the current, and in its grace.
func (s *Server) forgives(f *family, refresh string) bool {
	return s.rules.Grace > 0 && refresh != "" && refresh == f.former && time.Now().Before(f.until)
}
