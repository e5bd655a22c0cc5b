package oidc

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const mostToken = 64 << 10

// tokenHeader is what is used of the header of a token.
type tokenHeader struct {
	algorithm string
	keyID     string // whatever it is, it is only compared; empty if there is none
}

// parseHeader reads the header of a token in compact form, and refuses what is not to be looked at any further.
func parseHeader(text string, algorithms []string) (tokenHeader, error) {
	if len(text) > mostToken {
		return tokenHeader{}, errSize
	}
	first, err := headerPart(text)
	if err != nil {
		return tokenHeader{}, err
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(first)
	if err != nil {
		return tokenHeader{}, errForm
	}
	m, err := parseMembers(raw)
	if err != nil {
		return tokenHeader{}, fmt.Errorf("its header: %w", err)
	}
	return m.header(algorithms)
}

// headerPart returns the first of exactly three parts. Of a text with many dots, it looks at three.
func headerPart(text string) (string, error) {
	first, rest, _ := strings.Cut(text, ".")
	second, third, _ := strings.Cut(rest, ".")
	if first == "" || second == "" || third == "" || strings.Contains(third, ".") {
		return "", errForm
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r != '.' && !isBase64URL(r) }) {
		return "", errForm
	}
	return first, nil
}

func isBase64URL(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// header returns what is used of a header. jku, jwk, x5u and x5c are not.
func (m members) header(algorithms []string) (h tokenHeader, err error) {
	if h.algorithm, err = m.text("alg"); err != nil {
		return h, fmt.Errorf("its header: %w", err)
	}
	if h.keyID, err = m.text("kid"); err != nil {
		return h, fmt.Errorf("its header: %w", err)
	}
	typ, err := m.text("typ")
	_, critical := m["crit"]
	_, unencoded := m["b64"]
	switch {
	case err != nil:
		return h, fmt.Errorf("its header: %w", err)
	case !slices.Contains(algorithms, h.algorithm):
		return h, fmt.Errorf("%w: its algorithm is not among the allowed: %s", ErrSignature, strings.Join(algorithms, ", "))
	case critical || unencoded:
		return h, fmt.Errorf("%w: its header has extensions (crit or b64), which are not supported", ErrSignature)
	case strings.HasSuffix(strings.ToLower(typ), "+jwt"): // RFC 8725, section 3.11
		return h, errors.New("it is a token of another kind: its typ is none of ID tokens")
	}
	return h, nil
}
