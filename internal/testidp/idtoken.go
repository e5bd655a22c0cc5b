package testidp

import (
	"crypto/sha256"
	"slices"
	"time"
)

// idToken returns an ID token (OpenID Connect Core 1.0, section 2). access and code are what it vouches for; empty for
// nothing.
func (s *Server) idToken(g *grant, nonce, access, code string) (string, error) {
	now := time.Now()
	claims := object{
		"iss": s.config.Issuer, "sub": g.user.Name, "aud": g.client.ID,
		"iat": now.Unix(), "exp": now.Add(s.config.TokenLife).Unix(),
		"auth_time": g.authenticated.Unix(), "acr": g.acr,
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if access != "" {
		claims["at_hash"] = halfHash(access)
	}
	if code != "" {
		claims["c_hash"] = halfHash(code)
	}
	if access == "" && code == "" || g.client.FullIDTokens { // without a token, nobody can ask userinfo (section 5.4)
		g.user.claims(claims, g.scopes)
	}
	return s.keys.sign(g.client.Algorithm, claims)
}

// halfHash is that of section 3.1.3.6, for algorithms with SHA-256.
func halfHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return b64(sum[:len(sum)/2])
}

// claims adds what the scopes let be known (section 5.4).
func (u *User) claims(claims object, scopes []string) {
	if slices.Contains(scopes, "profile") {
		claims["name"], claims["preferred_username"] = u.FullName, u.Name
	}
	if slices.Contains(scopes, "email") && u.Email != "" {
		claims["email"], claims["email_verified"] = u.Email, true
	}
}
