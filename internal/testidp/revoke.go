package testidp

import (
	"net/http"
	"net/url"
	"strings"
)

// revoke ends a token; a refresh token with all that came of the same login (RFC 7009, section 2.1).
func (s *Server) revoke(req *http.Request) *reply {
	return s.forClient(req, func(client *Client, form url.Values) (*reply, *protocolError) {
		text := form.Get("token")
		if text == "" {
			return nil, invalidRequest("there is no token")
		}
		refresh, isRefresh := s.refresh.get(text)
		access, isAccess := s.access.get(text)
		switch {
		case isRefresh && refresh.grant.client != client, isAccess && access.grant.client != client:
			return nil, invalidGrant("the token is another client's")
		case s.config.RevokeAll && isRefresh:
			s.endAll(refresh.grant)
		case s.config.RevokeAll && isAccess:
			s.endAll(access.grant)
		case isRefresh:
			refresh.grant.ended = true
		case isAccess:
			s.access.drop(text)
		}
		return answer(http.StatusOK, object{}), nil
	})
}

// endAll ends the tokens that the client of a grant has of its user, those of other logins as well, and the consent.
func (s *Server) endAll(g *grant) {
	delete(s.allowed, consent{g.user.Name, g.client.ID})
	for _, tokens := range []table[*token]{s.access, s.refresh} {
		for _, r := range tokens.rows {
			if own := r.value.grant; own.user == g.user && own.client == g.client {
				own.ended = true
			}
		}
	}
}

// introspect tells a confidential client about a token (RFC 7662, section 2).
func (s *Server) introspect(req *http.Request) *reply {
	return s.forClient(req, func(client *Client, form url.Values) (*reply, *protocolError) {
		if client.Secret == "" {
			return nil, invalidClient()
		}
		text, kind := form.Get("token"), "Bearer"
		t := s.accessToken(text)
		if t == nil {
			t, kind = s.refreshToken(text), "refresh_token"
		}
		if t == nil {
			return answer(http.StatusOK, object{"active": false}), nil
		}
		return answer(http.StatusOK, object{
			"active": true, "iss": s.config.Issuer, "sub": t.grant.user.Name, "username": t.grant.user.Name,
			"client_id": t.grant.client.ID, "scope": strings.Join(t.scopes, " "), "token_type": kind,
			"iat": t.issued.Unix(), "exp": t.expires.Unix(),
			"auth_time": t.grant.authenticated.Unix(), "acr": t.grant.acr,
		}), nil
	})
}
