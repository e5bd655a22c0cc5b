package oauth2flow

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/restconn/restconn/internal/field"
)

const (
	fieldState     = "state"
	fieldChallenge = "code_challenge"
	fieldNonce     = "nonce"
	fieldCode      = "code"
	fieldVerifier  = "code_verifier"
	fieldRedirect  = "redirect_uri"
)

// namedInURL returns the parameters of the authorization URL that [Authorization].Names knows.
func namedInURL() []string {
	return []string{
		"response_type", "response_mode", fieldClientID, fieldRedirect, fieldScope, fieldState, fieldNonce,
		fieldChallenge, "code_challenge_method", "login_hint",
	}
}

// namedInAnswer returns those of the answer, beside the state.
func namedInAnswer() []string {
	return []string{fieldCode, "iss", "error", "error_description", ExtraIDToken, ExtraAccessToken}
}

// namesOver returns Names, and those of a client that are of the URL as well. What a token call leaves out, the URL may
// need.
func (a *Authorization) namesOver(client map[string]string) map[string]string {
	all := make(map[string]string)
	for _, standard := range namedInURL() {
		if name := client[standard]; name != "" {
			all[standard] = name
		}
	}
	maps.Copy(all, a.Names)
	return all
}

// name returns what the server calls a parameter of the protocol; "" if it is left out.
func (a *Authorization) name(standard string) string {
	if name, ok := a.Names[standard]; ok {
		return name
	}
	return standard
}

// names returns what the server calls those parameters, without those that are left out.
func (a *Authorization) names(standard []string) []string {
	list := make([]string, 0, len(standard))
	for _, one := range standard {
		if name := a.name(one); name != "" {
			list = append(list, name)
		}
	}
	return list
}

// validateNames looks at the names of parameters.
func (a *Authorization) validateNames() []error {
	var faults []error
	inURL, inAnswer := namedInURL(), append(namedInAnswer(), fieldState)
	for _, standard := range slices.Sorted(maps.Keys(a.Names)) {
		name := a.Names[standard]
		switch {
		case name == "" && isOfLogin(standard) && !slices.Contains(inURL, standard): // it is never sent
		case !slices.Contains(inURL, standard) && !slices.Contains(inAnswer, standard):
			faults = append(faults, fmt.Errorf("Authorization.Names: %q is no parameter of the protocol", standard))
		case name == "" && (slices.Contains(inAnswer, standard) || protects(standard)):
			faults = append(faults, fmt.Errorf("Authorization.Names: %s cannot be left out", standard))
		case field.HasControl(name):
			faults = append(faults, fmt.Errorf("Authorization.Names: that of %s holds a control character", standard))
		}
	}
	if isDouble(a.names(inURL)) || isDouble(a.names(inAnswer)) {
		faults = append(faults, errors.New("Authorization.Names: two parameters have the same name"))
	}
	faults = append(faults, a.checkParams("Authorization.Params", a.Params)...)
	return append(faults, a.validateKeep()...)
}

// protects reports whether a login is not safe without a parameter.
func protects(name string) bool {
	return name == fieldState || name == fieldNonce || name == fieldChallenge
}

// isDouble reports whether a name is there twice.
func isDouble(names []string) bool {
	slices.Sort(names)
	return len(slices.Compact(names)) < len(names)
}

// checkParams looks for parameters that the protocol sends itself.
func (a *Authorization) checkParams(where string, params Params) []error {
	var faults []error
	taken := a.names(namedInURL())
	for i, p := range params {
		as, named := a.Names[p.Name]
		isLeftOut := named && as == ""
		if p.Name == "" || slices.Contains(taken, p.Name) || (isOfLogin(p.Name) || isProtocol(p.Name)) && !isLeftOut {
			faults = append(faults, fmt.Errorf("%s: number %d has no name, or one of the protocol", where, i+1))
		}
	}
	return faults
}

// validateKeep refuses to keep what has a meaning of its own in the answer, or in a token.
func (a *Authorization) validateKeep() []error {
	taken := append(a.names(namedInAnswer()), a.name(fieldState))
	taken = append(append(taken, namedInAnswer()...), fieldState, fieldRefreshToken, fieldVerifier, fieldRedirect)
	taken = append(taken, ExtraInitial, ExtraIssuer, ExtraSubject, extraDue)
	var faults []error
	if slices.ContainsFunc(a.Keep, func(name string) bool { return name == "" || slices.Contains(taken, name) }) {
		faults = append(faults, errors.New("Authorization.Keep: a name is empty, or has a meaning of its own"))
	}
	if slices.Contains(taken, a.ServerParam) {
		faults = append(faults, errors.New("Authorization.ServerParam: it has a meaning of its own"))
	}
	return faults
}

// isOfLogin reports whether a parameter of the authorization URL belongs to the protocol.
func isOfLogin(name string) bool {
	return slices.Contains(namedInURL(), name) || name == "request" || name == "request_uri"
}

// hasOwnName reports whether a URL has a parameter that the protocol sends.
func (a *Authorization) hasOwnName(u *url.URL) bool {
	names := a.names(namedInURL())
	for name := range paramsOf(u) {
		if isOfLogin(name) || isProtocol(name) || slices.Contains(names, name) {
			return true
		}
	}
	return false
}

// hasProtocolName reports whether the query of a redirect URI would double a parameter of the answer.
func hasProtocolName(u *url.URL) bool {
	for name := range u.Query() {
		if isOfLogin(name) || isProtocol(name) || name == "iss" || name == "error" {
			return true
		}
	}
	return false
}

// addParams adds parameters to the query of a URL, or to its fragment if it has one.
func addParams(u *url.URL, params Params) error {
	if u.Fragment == "" {
		u.RawQuery = withQuery(u.RawQuery, params)
		return nil
	}
	page, query, _ := strings.Cut(u.EscapedFragment(), "?")
	raw := page + "?" + withQuery(query, params)
	plain, err := url.PathUnescape(raw)
	u.Fragment, u.RawFragment = plain, raw
	return err
}

// paramsOf returns the parameters of a URL, in its query and in its fragment.
func paramsOf(u *url.URL) url.Values {
	all := u.Query()
	_, query, _ := strings.Cut(u.EscapedFragment(), "?")
	inFragment, _ := url.ParseQuery(query) // what cannot be read is none
	for name, values := range inFragment {
		all[name] = append(all[name], values...)
	}
	return all
}
