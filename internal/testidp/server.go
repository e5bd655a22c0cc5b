package testidp

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Server is the provider. It is safe for concurrent use.
type Server struct {
	config Config
	fault  error
	base   string // the path of the issuer
	mux    *http.ServeMux

	mu       sync.Mutex
	keys     keys
	sessions table[*session]
	visits   table[*visit]
	codes    table[*code]
	access   table[*token]
	refresh  table[*token]
	devices  table[*device] // by device code
	typed    table[*device] // by user code
	allowed  map[consent]map[string]bool
}

// New returns a server. What is wrong with its configuration, Validate tells; it then answers 500.
func New(c Config) *Server {
	s := &Server{
		config: c.withDefaults(), fault: c.Validate(), mux: http.NewServeMux(),
		allowed: make(map[consent]map[string]bool),
	}
	if u, err := url.Parse(c.Issuer); err == nil {
		s.base = strings.TrimSuffix(u.Path, "/")
	}
	const wellKnown = "/.well-known/"
	s.handle("GET "+s.base+wellKnown+"openid-configuration", s.metadata)
	s.handle("GET "+wellKnown+"oauth-authorization-server"+s.base, s.metadata)
	s.handle("GET "+s.base+"/jwks", s.jwks)
	s.handle("GET "+s.base+"/authorize", s.authorize)
	s.handle("POST "+s.base+"/authorize", s.authorize)
	s.handle("POST "+s.base+"/login", s.login)
	s.handle("POST "+s.base+"/consent", s.consent)
	s.handle("POST "+s.base+"/token", s.token)
	s.handle("POST "+s.base+"/revoke", s.revoke)
	s.handle("POST "+s.base+"/introspect", s.introspect)
	s.handle("POST "+s.base+"/device_authorization", s.deviceAuthorization)
	s.handle("GET "+s.base+"/device", s.devicePage)
	s.handle("POST "+s.base+"/device", s.deviceCode)
	s.handle("GET "+s.base+"/userinfo", s.userinfo)
	s.handle("POST "+s.base+"/userinfo", s.userinfo)
	return s
}

// Validate tells what is wrong with the configuration.
func (s *Server) Validate() error { return s.fault }

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if s.fault != nil {
		http.Error(w, s.fault.Error(), http.StatusInternalServerError)
		return
	}
	s.mux.ServeHTTP(w, req)
}

const (
	mostQuery = 16 << 10
	mostBody  = 64 << 10
)

// handle lets endpoint answer. The request is read before and the answer written after it holds the lock, so that a
// slow caller keeps nobody waiting.
func (s *Server) handle(pattern string, endpoint func(req *http.Request) *reply) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		req.Body = http.MaxBytesReader(w, req.Body, mostBody)
		if len(req.URL.RawQuery) > mostQuery || req.ParseForm() != nil {
			failed(invalidRequest("the request is malformed, or too large")).write(w)
			return
		}
		s.mu.Lock()
		answer := endpoint(req)
		s.mu.Unlock()
		answer.write(w)
	})
}

// url returns the URL of an endpoint.
func (s *Server) url(path string) string { return strings.TrimSuffix(s.config.Issuer, "/") + path }

// ActiveTokens returns how many access tokens are good.
func (s *Server) ActiveTokens() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.access.rows {
		if !r.value.grant.ended && time.Now().Before(r.expires) {
			n++
		}
	}
	return n
}
