package oauth2flow

// fields of the protocol (RFC 6749, appendix A, and the grants that extend it).
const (
	fieldGrantType           = "grant_type"
	fieldClientID            = "client_id"
	fieldClientSecret        = "client_secret"
	fieldClientAssertion     = "client_assertion"
	fieldClientAssertionType = "client_assertion_type"
	fieldScope               = "scope"
	fieldRefreshToken        = "refresh_token"
	fieldAssertion           = "assertion"
	fieldUsername            = "username"
	fieldPassword            = "password"
	fieldResource            = "resource"
	fieldAudience            = "audience"
	fieldSubject             = "subject_token"
	fieldSubjectType         = "subject_token_type"
	fieldActor               = "actor_token"
	fieldActorType           = "actor_token_type"
	fieldToken               = "token"
	fieldTokenHint           = "token_type_hint"
	fieldRequested           = "requested_token_type"
)

// isProtocol reports whether a parameter belongs to the protocol, whatever the grant.
func isProtocol(name string) bool {
	switch name {
	case fieldGrantType, fieldClientID, fieldClientSecret, fieldScope, fieldRefreshToken, fieldAssertion,
		fieldUsername, fieldPassword, fieldSubject, fieldSubjectType, fieldActor, fieldActorType, fieldRequested,
		fieldClientAssertion, fieldClientAssertionType, "code", "code_verifier", "device_code", "redirect_uri":
		return true
	}
	return false
}

// isPlain reports whether the value of a parameter may be seen. All others are masked in what is shown.
func isPlain(name string) bool {
	switch name {
	case fieldGrantType, fieldScope, fieldResource, fieldAudience, fieldSubjectType, fieldActorType, fieldRequested,
		fieldTokenHint, fieldClientAssertionType:
		return true
	}
	return false
}

// isSecret reports whether a parameter of the protocol may not stand in a URL.
func isSecret(name string) bool {
	switch name {
	case fieldClientSecret, fieldRefreshToken, fieldAssertion, fieldPassword, fieldSubject, fieldActor,
		fieldClientAssertion, "code", "code_verifier", "device_code":
		return true
	}
	return false
}
