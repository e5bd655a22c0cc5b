package testidp

import (
	"crypto/rand"
	"net/http"
	"strings"
	"time"
)

const (
	sessionName = "idp_session"
	sessionLife = 8 * time.Hour
	visitLife   = 10 * time.Minute
	mostTries   = 5 // passwords in one visit
)

// session is what is known of a browser.
type session struct {
	user          *User // nil before the first login
	authenticated time.Time
	acr           string
}

// visit is one authorization, or one device, that somebody is being asked about. It belongs to one browser.
type visit struct {
	session *session
	demand  *demand // nil for that of a device
	device  *device
	client  *Client
	scopes  []string
	hint    string
	tries   int

	user          *User // nil before the login
	authenticated time.Time
	acr           string
}

// isCalled reports whether a hint means that user.
func (u *User) isCalled(hint string) bool { return u != nil && (hint == u.Name || hint == u.Email) }

// session returns that of the browser, and the cookie that keeps it there. A new one is for a browser that has none.
func (s *Server) session(req *http.Request) (*session, *http.Cookie) {
	if c, err := req.Cookie(sessionName); err == nil {
		if own, ok := s.sessions.get(c.Value); ok {
			return own, s.sessionCookie(c.Value)
		}
	}
	own := new(session)
	return own, s.keep(own)
}

// keep gives a session a new name.
func (s *Server) keep(own *session) *http.Cookie {
	id := rand.Text()
	s.sessions.put(id, own, time.Now().Add(sessionLife))
	return s.sessionCookie(id)
}

func (s *Server) sessionCookie(id string) *http.Cookie {
	return &http.Cookie{
		Name: sessionName, Value: id, Path: s.base + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(s.config.Issuer, "https:"),
	}
}

// visit keeps a visit, and returns its ticket, which forms carry.
func (s *Server) visit(v *visit) string {
	ticket := rand.Text()
	s.visits.put(ticket, v, time.Now().Add(visitLife))
	return ticket
}

// visited returns the visit of a form; nil if there is none, or another browser's.
func (s *Server) visited(req *http.Request) *visit {
	v, ok := s.visits.get(req.PostForm.Get("ticket"))
	c, err := req.Cookie(sessionName)
	if !ok || err != nil {
		return nil
	}
	if own, ok := s.sessions.get(c.Value); !ok || own != v.session {
		return nil
	}
	return v
}
