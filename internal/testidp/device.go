package testidp

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	deviceLife   = 10 * time.Minute
	slowDown     = 5 * time.Second
	userLetters  = "BCDFGHJKLMNPQRST" // 16: a letter is four bits, and makes no words
	userCodeSize = 8
)

// device is one that waits for a user (RFC 8628).
type device struct {
	client   *Client
	scopes   []string
	interval time.Duration
	asked    time.Time
	grant    *grant // nil before the user has allowed it
	denied   bool
	expires  time.Time
}

// isDecided reports whether a user has allowed or denied it.
func (d *device) isDecided() bool { return d.grant != nil || d.denied }

// deviceAuthorization begins (section 3.1).
func (s *Server) deviceAuthorization(req *http.Request) *reply {
	return s.forClient(req, func(client *Client, form url.Values) (*reply, *protocolError) {
		scopes := strings.Fields(form.Get("scope"))
		for _, scope := range scopes {
			if !slices.Contains(client.Scopes, scope) {
				return nil, refused("invalid_scope", "the client may not ask for one of the scopes")
			}
		}
		now := time.Now()
		d := &device{client: client, scopes: scopes, interval: s.config.DeviceInterval, expires: now.Add(deviceLife)}
		secret, shown := rand.Text(), userCode()
		s.devices.put(secret, d, now.Add(sessionLife)) // longer, so that its end can be told
		s.typed.put(plainCode(shown), d, d.expires)
		return answer(http.StatusOK, object{
			"device_code": secret, "user_code": shown, "verification_uri": s.url("/device"),
			"verification_uri_complete": s.url("/device") + "?user_code=" + url.QueryEscape(shown),
			"expires_in":                int(deviceLife / time.Second),
			"interval":                  int(s.config.DeviceInterval / time.Second),
		}), nil
	})
}

// userCode returns a code that people can type (section 6.1).
func userCode() string {
	random := make([]byte, userCodeSize)
	_, _ = rand.Read(random) // never fails
	for i, b := range random {
		random[i] = userLetters[int(b)%len(userLetters)]
	}
	return string(random[:userCodeSize/2]) + "-" + string(random[userCodeSize/2:])
}

// plainCode returns a code without what people add to it, or leave out.
func plainCode(typed string) string {
	return strings.NewReplacer("-", "", " ", "").Replace(strings.ToUpper(typed))
}

// devicePage asks for the code.
func (s *Server) devicePage(req *http.Request) *reply {
	return s.deviceForm(http.StatusOK, req.Form.Get("user_code"), "")
}

// deviceCode takes the code. The user has to log in each time, so that nobody allows a device by accident.
func (s *Server) deviceCode(req *http.Request) *reply {
	typed := req.PostForm.Get("user_code")
	d, ok := s.typed.get(plainCode(typed))
	if !ok || d.isDecided() {
		return s.deviceForm(http.StatusBadRequest, "", "That is no code.")
	}
	own, cookie := s.session(req)
	v := &visit{session: own, device: d, client: d.client, scopes: d.scopes}
	return s.loginPage(s.visit(v), v, "").cookie(cookie)
}

// ofDevice answers a device that asks (section 3.5).
func (s *Server) ofDevice(client *Client, form url.Values) (*reply, *protocolError) {
	secret := form.Get("device_code")
	d, ok := s.devices.get(secret)
	now := time.Now()
	switch {
	case !ok || d.client != client:
		return nil, invalidGrant("the device code is unknown")
	case !now.Before(d.expires):
		return nil, refused("expired_token", "the device code has expired")
	case now.Sub(d.asked) < d.interval:
		d.asked = now
		d.interval += slowDown
		return nil, refused("slow_down", "the device asks too often")
	}
	d.asked = now
	switch {
	case d.denied:
		s.devices.drop(secret)
		return nil, refused("access_denied", "the user has said no")
	case d.grant == nil:
		return nil, refused("authorization_pending", "the user has not decided yet")
	}
	s.devices.drop(secret)
	return s.issue(d.grant, d.grant.scopes, "")
}
