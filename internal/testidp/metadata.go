package testidp

import (
	"maps"
	"net/http"
	"slices"
)

// metadata describes the server (RFC 8414, section 3; OpenID Connect Discovery 1.0, section 4).
func (s *Server) metadata(*http.Request) *reply {
	clientAuth := []string{"client_secret_basic", "client_secret_post", "none"}
	return answer(http.StatusOK, object{
		"issuer":                                         s.config.Issuer,
		"authorization_endpoint":                         s.url("/authorize"),
		"token_endpoint":                                 s.url("/token"),
		"device_authorization_endpoint":                  s.url("/device_authorization"),
		"userinfo_endpoint":                              s.url("/userinfo"),
		"jwks_uri":                                       s.url("/jwks"),
		"revocation_endpoint":                            s.url("/revoke"),
		"introspection_endpoint":                         s.url("/introspect"),
		"scopes_supported":                               s.scopes(),
		"response_types_supported":                       []string{typeCode, typeIDToken, typeCodeIDToken},
		"response_modes_supported":                       []string{modeQuery, modeFragment, modeFormPost},
		"grant_types_supported":                          []string{grantCode, grantRefresh, grantDevice, "implicit"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{algRS256, algES256},
		"acr_values_supported":                           []string{ACRPassword, ACRSecondFactor},
		"prompt_values_supported":                        []string{promptNone, promptLogin, promptConsent, promptAccount},
		"code_challenge_methods_supported":               []string{"S256"},
		"token_endpoint_auth_methods_supported":          clientAuth,
		"revocation_endpoint_auth_methods_supported":     clientAuth,
		"introspection_endpoint_auth_methods_supported":  clientAuth[:2],
		"authorization_response_iss_parameter_supported": true,
		"request_parameter_supported":                    false,
		"request_uri_parameter_supported":                false,
		"claims_parameter_supported":                     false,
	})
}

// scopes returns those of all clients.
func (s *Server) scopes() []string {
	all := make(map[string]bool)
	for _, client := range s.config.Clients {
		for _, scope := range client.Scopes {
			all[scope] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}
