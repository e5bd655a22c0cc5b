package oauth2flow

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/secrets"
)

// validate returns all that is wrong with the configuration of a grant.
func (g *grant) validate() error {
	c := g.client
	faults := slices.Clone(g.faults)
	faults = append(faults,
		c.checkIdentity(g.anonymous),
		c.checkURL("TokenURL", c.TokenURL, !g.tokenless),
		c.checkURL("RefreshURL", c.RefreshURL, false),
		c.checkURL("RevocationURL", c.RevocationURL, false),
		c.checkURL("IntrospectionURL", c.IntrospectionURL, false),
		c.checkEncoding(g.exposed || g.renewal == renewOnly),
		c.checkNames(), c.checkAnswerNames(),
	)
	faults = append(faults, c.checkAsked()...)
	faults = append(faults, c.checkParams(g.kind == kindExchange)...)
	faults = append(faults, c.checkHeader(), c.checkEndpoint())
	return joinFaults(faults...)
}

// joinFaults joins faults, each of which begins with the name of the package.
func joinFaults(faults ...error) error {
	for i, fault := range faults {
		if fault != nil {
			faults[i] = fmt.Errorf("oauth2flow: %w", fault)
		}
	}
	return errors.Join(faults...)
}

// checkIdentity looks at the id and at how it is proved.
func (c *Client) checkIdentity(anonymous bool) error {
	method := c.method()
	var faults []error
	if c.ID == "" && (!anonymous || c.Auth.apply != nil || c.Secret != nil) {
		faults = append(faults, errors.New("ID: it is empty"))
	}
	switch {
	case method.needsSecret && c.Secret == nil:
		faults = append(faults, fmt.Errorf("Secret: it is nil, and %v needs it", method))
	case c.Secret != nil:
		if err := secrets.Validate(c.Secret); err != nil {
			faults = append(faults, fmt.Errorf("Secret: %w", err))
		}
	}
	if method.validate != nil {
		if err := method.validate(); err != nil {
			faults = append(faults, fmt.Errorf("Auth: %w", err))
		}
	}
	if method.name == nameInHeaderRaw && strings.Contains(c.ID, ":") {
		faults = append(faults, errors.New("ID: it holds a colon, which InHeaderRaw cannot send"))
	}
	return errors.Join(faults...)
}

// checkURL looks at the URL of an endpoint.
func (c *Client) checkURL(name, text string, required bool) error {
	if text == "" {
		if required {
			return fmt.Errorf("%s: it is empty", name)
		}
		return nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: it is not a URL", name)
	}
	if err := c.endpoint().CheckURL(u); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// checkEncoding keeps secrets out of URLs.
func (c *Client) checkEncoding(exposed bool) error {
	switch {
	case c.Encoding > Query:
		return errors.New("Encoding: it is unknown")
	case c.Encoding != Query:
		return nil
	case exposed:
		return errors.New("Encoding: this grant has secrets among its parameters, which Query would put into the URL")
	case c.method().name == nameInBody:
		return errors.New("Encoding: Query would put the secret into the URL; Auth can be InHeader()")
	}
	return nil
}

// checkNames looks at what answers are compared with.
func (c *Client) checkNames() error {
	if slices.Contains(c.AcceptTokenTypes, "") {
		return errors.New("AcceptTokenTypes: one is empty")
	}
	used := make(map[string]bool)
	for _, standard := range slices.Sorted(maps.Keys(c.Names)) {
		name := c.Names[standard]
		_, moved := c.Names[name]
		switch {
		case !isProtocol(standard) || field.HasControl(name):
			return fmt.Errorf("Names: %q is no parameter of the protocol, or its name holds a control character", standard)
		case name != "" && used[name], name != standard && isProtocol(name) && !moved:
			return fmt.Errorf("Names: that of %s is also that of another parameter", standard)
		}
		used[name] = true
	}
	if field.HasControl(c.ScopeSeparator) {
		return errors.New("ScopeSeparator: it holds a control character")
	}
	return nil
}

// checkAnswerNames looks at where members of answers are.
func (c *Client) checkAnswerNames() error {
	for _, name := range slices.Sorted(maps.Keys(c.AnswerNames)) {
		switch {
		case name == "" || slices.Contains(strings.Split(c.AnswerNames[name], "."), ""):
			return fmt.Errorf("AnswerNames: that of %q is empty, or has an empty part", name)
		case name == ExtraInitial, name == ExtraIssuer, name == ExtraSubject, name == extraDue:
			return fmt.Errorf("AnswerNames: %s is not the server's to tell", name)
		}
	}
	return nil
}

// checkAsked looks at what the token is for.
func (c *Client) checkAsked() []error {
	var faults []error
	faults = append(faults, checkScopeTexts("Scopes", c.Scopes)...)
	if c.RequireScopes && len(c.Scopes) == 0 {
		faults = append(faults, errors.New("RequireScopes: there are no Scopes"))
	}
	for i, resource := range c.Resources {
		u, err := url.Parse(resource)
		if err != nil || !u.IsAbs() || strings.Contains(resource, "#") {
			faults = append(faults, fmt.Errorf("Resources: number %d is not an absolute URI without fragment", i+1))
		}
	}
	return faults
}

// isNoScope reports whether a character cannot be in a scope (RFC 6749, section 3.3). A space stands between two.
func isNoScope(r rune) bool { return r < ' ' || r >= 0x7f || r == '"' || r == '\\' }

// checkParams looks for parameters that the protocol sends itself.
func (c *Client) checkParams(audience bool) []error {
	var faults []error
	for i, p := range c.Params {
		faults = append(faults, c.checkParam("Params", i+1, p.Name, audience))
	}
	for i, p := range c.RefreshParams {
		faults = append(faults, c.checkParam("RefreshParams", i+1, p.Name, audience))
	}
	return faults
}

// checkParam looks at one of them.
func (c *Client) checkParam(where string, number int, name string, audience bool) error {
	as, named := c.Names[name]
	isTaken := isProtocol(name) || name == fieldResource && len(c.Resources) > 0 || name == fieldAudience && audience
	switch {
	case name == "":
		return fmt.Errorf("%s: number %d has no name, or no value", where, number)
	case slices.Contains(slices.Collect(maps.Values(c.Names)), name):
		return fmt.Errorf("%s: %q is the name of another parameter in Names", where, name)
	case named && as == "", !isTaken, c.OverrideProtocol: // in the place of one that is left out
		return nil
	}
	return fmt.Errorf("%s: %q belongs to the protocol; OverrideProtocol permits it", where, name)
}

// checkHeader refuses what would break the call.
func (c *Client) checkHeader() error {
	var faults []error
	for name, values := range c.Header {
		switch {
		case !field.IsToken(name):
			faults = append(faults, errors.New("Header: a name is not a token (RFC 9110, section 5.6.2)"))
		case isForbidden(name):
			faults = append(faults, fmt.Errorf("Header: %s cannot be set here", name))
		case slices.ContainsFunc(values, func(v string) bool { return !field.IsValue(v) }):
			faults = append(faults, fmt.Errorf("Header: %s holds a control character", name))
		case name == "Content-Type" && (len(values) != 1 || !c.Encoding.fits(values[0])):
			faults = append(faults, fmt.Errorf("Header: Content-Type is not %q, which the body is of", c.Encoding.media()))
		}
	}
	return errors.Join(faults...)
}

// isForbidden reports whether a header has a place of its own, changes what the body or the answer is, or has
// net/http send a call again.
func isForbidden(canonical string) bool {
	switch canonical {
	case "Accept-Encoding", "Authorization", "Content-Encoding", "Cookie", "Idempotency-Key", "X-Idempotency-Key":
		return true
	}
	return field.Reserved(canonical)
}

// checkEndpoint looks at how calls are sent.
func (c *Client) checkEndpoint() error {
	if err := c.endpoint().Validate(); err != nil {
		return fmt.Errorf("Endpoint: %w", err)
	}
	return nil
}
