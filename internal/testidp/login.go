package testidp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"time"
)

// consent is who has allowed something to whom.
type consent struct{ user, client string }

// isAllowed reports whether the user need not be asked.
func (s *Server) isAllowed(v *visit) bool {
	if v.device != nil {
		return false // the user has to see that a device asks
	}
	known := s.allowed[consent{v.user.Name, v.client.ID}]
	for _, scope := range v.scopes {
		if !known[scope] && !v.client.Trusted {
			return false
		}
	}
	return known != nil || v.client.Trusted
}

const gone = "This page is too old, or belongs to another browser. Please begin again."

// login takes the form with the password.
func (s *Server) login(req *http.Request) *reply {
	v, form := s.visited(req), req.PostForm
	if v == nil || v.user != nil {
		return message(http.StatusBadRequest, gone)
	}
	ticket := form.Get("ticket")
	user := s.config.user(form.Get("username"))
	if !user.hasPassword(form.Get("password")) || v.acr == ACRSecondFactor && !user.hasOTP(form.Get("otp")) {
		v.tries++
		if v.tries >= mostTries {
			s.visits.drop(ticket)
			return message(http.StatusForbidden, "That was wrong too often.")
		}
		v.hint = form.Get("username")
		return s.loginPage(ticket, v, "That is wrong.")
	}
	v.user, v.authenticated = user, time.Now()
	if v.acr == "" {
		v.acr = ACRPassword
	}
	v.session.user, v.session.authenticated, v.session.acr = v.user, v.authenticated, v.acr
	if c, err := req.Cookie(sessionName); err == nil {
		s.sessions.drop(c.Value) // whoever knew it before the login is out
	}
	cookie := s.keep(v.session)
	if !s.isAllowed(v) || v.demand != nil && v.demand.asks(promptConsent) {
		return s.consentPage(ticket, v).cookie(cookie)
	}
	s.visits.drop(ticket)
	return s.finish(v).cookie(cookie)
}

// hasPassword compares in the same time whether there is such a user or not.
func (u *User) hasPassword(password string) bool {
	if u == nil {
		same(rand.Text(), password)
		return false
	}
	return same(u.Password, password)
}

func (u *User) hasOTP(otp string) bool { return u.OTP != "" && same(u.OTP, otp) }

// same compares secrets. Neither content nor length shows in its time.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// consent takes the form with the user's decision.
func (s *Server) consent(req *http.Request) *reply {
	v := s.visited(req)
	if v == nil || v.user == nil || v.device != nil && v.device.isDecided() {
		return message(http.StatusBadRequest, gone)
	}
	s.visits.drop(req.PostForm.Get("ticket"))
	if req.PostForm.Get("decision") != "allow" {
		if v.device != nil {
			v.device.denied = true
			return message(http.StatusOK, "The device gets nothing.")
		}
		return s.refuse(v.demand, refused("access_denied", "the user has said no"))
	}
	key := consent{v.user.Name, v.client.ID}
	if s.allowed[key] == nil {
		s.allowed[key] = make(map[string]bool)
	}
	for _, scope := range v.scopes {
		s.allowed[key][scope] = true
	}
	return s.finish(v)
}

// finish answers the client, or lets the device have its token.
func (s *Server) finish(v *visit) *reply {
	g := &grant{
		client: v.client, user: v.user, scopes: v.scopes, authenticated: v.authenticated, acr: v.acr,
	}
	if v.device != nil {
		v.device.grant = g
		return message(http.StatusOK, "That was all. The device goes on now.")
	}
	d, params := v.demand, url.Values{}
	for name, value := range v.user.CallbackParams {
		params.Set(name, value)
	}
	g.nonce = d.nonce
	var text string
	if d.hasCode() {
		text = rand.Text()
		// It is known for longer than it is good, so that a second use is noticed.
		s.codes.put(text, &code{
			grant: g, redirectURI: d.redirectURI, challenge: d.challenge, expires: time.Now().Add(s.config.CodeLife),
		}, time.Now().Add(sessionLife))
		params.Set("code", text)
	}
	if d.hasIDToken() {
		token, err := s.idToken(g, d.nonce, "", text)
		if err != nil {
			return s.refuse(d, refused("server_error", "the ID token cannot be signed"))
		}
		params.Set("id_token", token)
	}
	return s.respond(d, params)
}
