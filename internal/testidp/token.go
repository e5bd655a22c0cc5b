package testidp

import (
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"

	refreshLife = 30 * 24 * time.Hour
)

// grant is what a user has allowed a client. All tokens of it end with it.
type grant struct {
	client        *Client
	user          *User
	scopes        []string
	nonce         string
	authenticated time.Time
	acr           string
	ended         bool
}

// code is an authorization code.
type code struct {
	grant                  *grant
	redirectURI, challenge string
	expires                time.Time
	used                   bool
}

// token is an access token or a refresh token.
type token struct {
	grant   *grant
	scopes  []string
	issued  time.Time
	expires time.Time
	used    bool // a refresh token that another has replaced
}

// token is the token endpoint (RFC 6749, section 3.2).
func (s *Server) token(req *http.Request) *reply {
	return s.forClient(req, func(client *Client, form url.Values) (*reply, *protocolError) {
		switch form.Get("grant_type") {
		case grantCode:
			return s.ofCode(client, form)
		case grantRefresh:
			return s.ofRefresh(client, form)
		case grantDevice:
			return s.ofDevice(client, form)
		case "":
			return nil, invalidRequest("there is no grant_type")
		}
		return nil, refused("unsupported_grant_type", "grant_type is not known here")
	})
}

// ofCode exchanges a code. One that comes twice ends all that it was good for (RFC 6749, section 4.1.2).
func (s *Server) ofCode(client *Client, form url.Values) (*reply, *protocolError) {
	c, ok := s.codes.get(form.Get("code"))
	if !ok || c.grant.client != client {
		return nil, invalidGrant("the code is unknown")
	}
	if c.used {
		c.grant.ended = true
		return nil, invalidGrant("the code was used before")
	}
	c.used = true
	switch verifier := form.Get("code_verifier"); {
	case c.grant.ended || !time.Now().Before(c.expires):
		return nil, invalidGrant("the code has expired")
	case form.Get("redirect_uri") != c.redirectURI:
		return nil, invalidGrant("redirect_uri is another one")
	case c.challenge == "" && verifier != "":
		return nil, invalidGrant("there is a code_verifier, and was no code_challenge")
	case c.challenge != "" && !isVerifier(verifier, c.challenge):
		return nil, invalidGrant("code_verifier is wrong")
	}
	return s.issue(c.grant, c.grant.scopes, c.grant.nonce)
}

// isVerifier reports whether a challenge was made of that verifier (RFC 7636, sections 4.1 and 4.6).
func isVerifier(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	return len(verifier) >= 43 && len(verifier) <= 128 && same(b64(sum[:]), challenge)
}

// ofRefresh exchanges a refresh token, for another one as well. A token that was replaced before has been stolen from
// one of two, and all tokens of its grant end (RFC 9700, section 4.14.2).
func (s *Server) ofRefresh(client *Client, form url.Values) (*reply, *protocolError) {
	t, ok := s.refresh.get(form.Get("refresh_token"))
	if !ok || t.grant.client != client || t.grant.ended {
		return nil, invalidGrant("the refresh token is unknown, or was revoked")
	}
	if t.used {
		t.grant.ended = true
		return nil, invalidGrant("the refresh token was used before")
	}
	scopes := t.scopes
	if asked := strings.Fields(form.Get("scope")); len(asked) > 0 {
		for _, scope := range asked {
			if !slices.Contains(scopes, scope) {
				return nil, refused("invalid_scope", "the user has not allowed one of the scopes")
			}
		}
		scopes = asked
	}
	t.used = true
	return s.issue(t.grant, scopes, "")
}

// issue answers with tokens (RFC 6749, section 5.1). A narrower access token leaves the refresh token as wide.
func (s *Server) issue(g *grant, scopes []string, nonce string) (*reply, *protocolError) {
	now := time.Now()
	access, refresh := rand.Text(), rand.Text()
	s.access.put(access, &token{grant: g, scopes: scopes, issued: now, expires: now.Add(s.config.TokenLife)},
		now.Add(s.config.TokenLife))
	s.refresh.put(refresh, &token{grant: g, scopes: g.scopes, issued: now, expires: now.Add(refreshLife)},
		now.Add(refreshLife))
	out := object{}
	for name, value := range g.user.TokenMembers {
		out[name] = value
	}
	maps.Copy(out, object{
		"access_token": access, "token_type": "Bearer", "expires_in": int(s.config.TokenLife / time.Second),
		"refresh_token": refresh, "scope": strings.Join(scopes, " "),
	})
	if slices.Contains(scopes, scopeOpenID) {
		id, err := s.idToken(g, nonce, access, "")
		if err != nil {
			return nil, &protocolError{http.StatusInternalServerError, "server_error", "the ID token cannot be signed"}
		}
		out["id_token"] = id
	}
	return answer(http.StatusOK, out), nil
}

// accessToken returns an access token that is good; nil if it is not.
func (s *Server) accessToken(text string) *token {
	if t, ok := s.access.get(text); ok && !t.grant.ended {
		return t
	}
	return nil
}

// refreshToken returns a refresh token that is good; nil if it is not.
func (s *Server) refreshToken(text string) *token {
	if t, ok := s.refresh.get(text); ok && !t.grant.ended && !t.used {
		return t
	}
	return nil
}
