package testidp

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Need is what an API wants of a token. The zero Need is any token that is good.
type Need struct {
	Scopes []string
	// ACR is the authentication context class that the user needs (RFC 9470).
	ACR string
	// MaxAge is how long ago the user may have authenticated; 0 for any time.
	MaxAge time.Duration
}

// Access is what a token stands for.
type Access struct {
	User     User
	ClientID string
	Scopes   []string
}

// Check returns what the token of a request stands for. If the token is not good, or not good enough, it answers with
// the challenge of RFC 6750, section 3, or of RFC 9470, section 3, and returns false.
func (s *Server) Check(w http.ResponseWriter, req *http.Request, need Need) (Access, bool) {
	s.mu.Lock()
	t, refusal := s.check(req, need)
	s.mu.Unlock()
	if refusal != nil {
		refusal.write(w)
		return Access{}, false
	}
	return Access{User: *t.grant.user, ClientID: t.grant.client.ID, Scopes: slices.Clone(t.scopes)}, true
}

// check returns the token of a request, or the answer that refuses it.
func (s *Server) check(req *http.Request, need Need) (*token, *reply) {
	values := req.Header.Values("Authorization")
	if len(values) == 0 {
		return nil, challenge(http.StatusUnauthorized, "", "", "")
	}
	scheme, text, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") {
		return nil, challenge(http.StatusBadRequest, "invalid_request", "", "")
	}
	t := s.accessToken(text)
	if t == nil {
		return nil, challenge(http.StatusUnauthorized, "invalid_token", "", "")
	}
	for _, scope := range need.Scopes {
		if !slices.Contains(t.scopes, scope) {
			return nil, challenge(http.StatusForbidden, "insufficient_scope", "scope", strings.Join(need.Scopes, " "))
		}
	}
	if need.ACR != "" && t.grant.acr != need.ACR && t.grant.acr != ACRSecondFactor {
		return nil, challenge(http.StatusUnauthorized, insufficientUser, "acr_values", need.ACR)
	}
	if need.MaxAge > 0 && time.Since(t.grant.authenticated) > need.MaxAge {
		age := strconv.Itoa(int(need.MaxAge / time.Second))
		return nil, challenge(http.StatusUnauthorized, insufficientUser, "max_age", age)
	}
	return t, nil
}

const insufficientUser = "insufficient_user_authentication"

// challenge is an answer with a WWW-Authenticate header, of an error with one more parameter. The code is empty where
// no token was sent.
func challenge(status int, code, name, value string) *reply {
	r := answer(status, object{"error": code})
	text := "Bearer"
	if code != "" {
		text += ` error="` + code + `"`
	}
	if name != "" {
		text += ", " + name + `="` + value + `"`
	}
	r.header.Set("WWW-Authenticate", text)
	return r
}

// userinfo tells about the user (OpenID Connect Core 1.0, section 5.3).
func (s *Server) userinfo(req *http.Request) *reply {
	t, refusal := s.check(req, Need{Scopes: []string{scopeOpenID}})
	if refusal != nil {
		return refusal
	}
	claims := object{"sub": t.grant.user.Name}
	t.grant.user.claims(claims, t.scopes)
	return answer(http.StatusOK, claims)
}
