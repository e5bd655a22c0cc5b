package oidc

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/secrets"
)

const (
	tolerance = time.Minute     // for exp, nbf and auth_time
	mostAhead = 5 * time.Minute // of iat and auth_time
	// mostSubject is the most bytes of a subject (OpenID Connect Core 1.0, section 2).
	mostSubject = 255
)

// check looks at every claim that says something about whether the token is good, and returns whose it is.
func (v *Verifier) check(payload []byte, algorithm string, want oauth2flow.IDTokenWant) (*oauth2flow.IDToken, error) {
	m, err := parseMembers(payload)
	if err != nil {
		return nil, fmt.Errorf("its claims: %w", err)
	}
	id := &oauth2flow.IDToken{Issuer: v.issuer}
	now := time.Now()
	for _, check := range []func() error{
		func() error { return v.checkIssuer(m, want.Issuer) },
		func() error { return v.checkAudience(m, want.ClientID) },
		func() (err error) { id.Expiry, err = m.checkTimes(now); return err },
		func() (err error) { id.Subject, err = m.checkSubject(want.Subject); return err },
		func() error { return m.checkNonce(want.Nonce) },
		func() error { return m.checkHashes(algorithm, want) },
		func() error { return m.checkAuthentication(now, want) },
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return id, nil
}

// checkIssuer compares the issuer with the provider's, and with that of the token before a renewal.
func (v *Verifier) checkIssuer(m members, before string) error {
	issuer, err := m.text("iss")
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrIssuer, err)
	case issuer == "":
		return fmt.Errorf("%w: iss is missing", ErrIssuer)
	case !isIssuer(issuer, v.issuer):
		return ErrIssuer
	case before != "" && before != v.issuer:
		return fmt.Errorf("%w than before", ErrIssuer)
	}
	return nil
}

// isIssuer reports whether a token that says iss is of that issuer. Google may leave out https://.
func isIssuer(iss, issuer string) bool {
	const google = "https://accounts.google.com"
	return iss == issuer || issuer == google && "https://"+iss == google
}

// checkAudience makes sure that the token is for the client, and for nobody who is not trusted.
func (v *Verifier) checkAudience(m members, clientID string) error {
	audiences, errAudience := m.texts("aud")
	party, errParty := m.text("azp")
	if err := errors.Join(errAudience, errParty); err != nil {
		return fmt.Errorf("%w: %w", ErrAudience, err)
	}
	foreign := func(a string) bool { return a != clientID && !slices.Contains(v.audiences, a) }
	switch {
	case !slices.Contains(audiences, clientID):
		return fmt.Errorf("%w: aud does not have its id", ErrAudience)
	case slices.ContainsFunc(audiences, foreign):
		return fmt.Errorf("%w: aud has others, which TrustAudiences does not name", ErrAudience)
	case len(audiences) > 1 && !m.has("azp"):
		return fmt.Errorf("%w: aud has several, and azp is missing", ErrAudience)
	case m.has("azp") && party != clientID:
		return fmt.Errorf("%w: azp is not its id", ErrAudience)
	}
	return nil
}

// checkTimes returns when the token ends.
func (m members) checkTimes(now time.Time) (time.Time, error) {
	expires, err := m.time("exp")
	if err != nil {
		return time.Time{}, err
	}
	issued, err := m.time("iat")
	if err != nil {
		return time.Time{}, err
	}
	var from time.Time
	if m.has("nbf") {
		if from, err = m.time("nbf"); err != nil {
			return time.Time{}, err
		}
	}
	switch {
	case !now.Before(expires.Add(tolerance)):
		return time.Time{}, ErrExpired
	case issued.After(now.Add(mostAhead)):
		return time.Time{}, errors.New("iat is in the future")
	case from.After(now.Add(tolerance)):
		return time.Time{}, errors.New("nbf is in the future")
	}
	return expires, nil
}

// checkSubject returns the subject, which is that of the token before a renewal.
func (m members) checkSubject(before string) (string, error) {
	subject, err := m.text("sub")
	switch {
	case err != nil:
		return "", err
	case subject == "":
		return "", errors.New("sub is missing")
	case len(subject) > mostSubject || strings.ContainsFunc(subject, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", errors.New("sub has more than 255 characters, or others than printable ASCII")
	case before != "" && subject != before:
		return "", ErrSubject
	}
	return subject, nil
}

// checkNonce compares the nonce with the one that was sent.
func (m members) checkNonce(sent string) error {
	nonce, err := m.text("nonce")
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNonce, err)
	case sent != "" && nonce == "":
		return fmt.Errorf("%w: nonce is missing", ErrNonce)
	case sent != "" && !same(nonce, sent):
		return ErrNonce
	}
	return nil
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// checkHashes compares the hashes of what came with the token (OpenID Connect Core 1.0, sections 3.1.3.8, 3.3.2.10).
func (m members) checkHashes(algorithm string, want oauth2flow.IDTokenWant) error {
	for name, value := range map[string]secrets.Value{"at_hash": want.AccessToken, "c_hash": want.Code} {
		text := value.Reveal()
		if text == "" || name == "at_hash" && !m.has(name) {
			continue
		}
		hash, err := m.text(name)
		switch {
		case err != nil:
			return err
		case hash == "":
			return fmt.Errorf("%s is missing", name)
		case !same(hash, halfHash(algorithm, text)):
			return fmt.Errorf("%s is not the hash of what came with it", name)
		}
	}
	return nil
}

// checkAuthentication looks at when and how the user has authenticated.
func (m members) checkAuthentication(now time.Time, want oauth2flow.IDTokenWant) error {
	if want.HasMaxAge || want.MaxAge > 0 {
		at, err := m.time("auth_time")
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrAuthentication, err)
		case now.Sub(at) > max(want.MaxAge, 0)+tolerance:
			return fmt.Errorf("%w: auth_time is too long ago", ErrAuthentication)
		case at.After(now.Add(mostAhead)):
			return fmt.Errorf("%w: auth_time is in the future", ErrAuthentication)
		}
	}
	if len(want.ACR) == 0 {
		return nil
	}
	class, err := m.text("acr")
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrAuthentication, err)
	case class == "" || !slices.Contains(want.ACR, class):
		return fmt.Errorf("%w: acr is missing, or none that was asked for", ErrAuthentication)
	}
	return nil
}
