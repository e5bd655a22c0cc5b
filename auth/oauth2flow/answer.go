package oauth2flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/internal/tokencall"
	"github.com/restconn/restconn/secrets"
)

const (
	mostToken  = 64 << 10 // bytes of a token
	mostScopes = 1000     // of an answer
	mostExtra  = 32       // further members that are kept
	mostValue  = 4 << 10  // bytes of each
)

// readObject returns the object that an answer is, or the error that it tells of.
func (c *Client) readObject(a *tokencall.Answer, req *tokenRequest) (*object, error) {
	o, err := c.parse(a)
	if a.Status/100 != 2 {
		return nil, refusal(a, o, req)
	}
	if err != nil {
		return nil, unusable(a, req, err)
	}
	if !isNoError(o.values["error"]) {
		return nil, refusal(a, o, req)
	}
	return o, nil
}

// parse reads the body of an answer.
func (c *Client) parse(a *tokencall.Answer) (*object, error) {
	o, err := c.parseBody(a)
	if err != nil || len(c.AnswerNames) == 0 {
		return o, err
	}
	err = o.lift(c.AnswerNames)
	return o, err
}

func (c *Client) parseBody(a *tokencall.Answer) (*object, error) {
	media, _, _ := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if c.AcceptForm && media == Form.media() {
		return parseForm(a.Body)
	}
	o, err := parseObject(a.Body)
	switch {
	case errors.Is(err, ErrNotJSON) && media == "text/html":
		return nil, fmt.Errorf("%w but HTML: is this the URL of the endpoint?", ErrNotJSON)
	case errors.Is(err, ErrNotJSON) && media == Form.media():
		return nil, fmt.Errorf("%w but a form, which AcceptForm accepts", ErrNotJSON)
	}
	return o, err
}

// token returns the token that an answer brings. It keeps nothing of the one before.
func (c *Client) token(a *tokencall.Answer, o *object) (*auth.Token, error) {
	access, err := tokenText(o, "access_token")
	if err != nil {
		return nil, err
	}
	if err := c.checkType(o); err != nil {
		return nil, err
	}
	t := &auth.Token{Value: secrets.Static(access), Obtained: a.Received, Extra: c.extra(o)}
	if !o.absent(fieldRefreshToken) {
		refresh, err := tokenText(o, fieldRefreshToken)
		if err != nil {
			return nil, err
		}
		t.Refresh = secrets.Static(refresh)
	}
	if t.Scopes, err = c.granted(o); err != nil {
		return nil, err
	}
	t.Expiry, err = c.expiry(a, o, access)
	return t, err
}

// tokenText returns a token, which is of visible ASCII characters.
func tokenText(o *object, name string) (string, error) {
	text, ok := o.text(name)
	switch {
	case !ok || text == "":
		return "", fmt.Errorf("%s is missing, empty or not a text", name)
	case len(text) > mostToken:
		return "", fmt.Errorf("%s has more than 64 KiB", name)
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return "", fmt.Errorf("%s holds a space, a control character or a non-ASCII one", name)
	}
	return text, nil
}

// checkType refuses a token that is not to be sent as a bearer token.
func (c *Client) checkType(o *object) error {
	if o.absent("token_type") {
		return nil
	}
	kind, ok := o.text("token_type")
	same := func(accepted string) bool { return strings.EqualFold(kind, accepted) }
	if !ok || !same("Bearer") && !slices.ContainsFunc(c.AcceptTokenTypes, same) {
		return ErrTokenType
	}
	return nil
}

// granted returns the scopes that an answer tells: a text, or an array of texts as some servers send it. One that is
// there and empty grants nothing, which is not the same as one that is missing.
func (c *Client) granted(o *object) ([]string, error) {
	if raw := string(o.values[fieldScope]); raw == "" || raw == "null" {
		return nil, nil
	}
	var list []string
	if text, ok := o.text(fieldScope); ok {
		list = []string{text}
	} else if json.Unmarshal(o.values[fieldScope], &list) != nil {
		return nil, errors.New("scope is not a text")
	}
	scopes := c.split(list)
	switch {
	case len(scopes) > mostScopes:
		return nil, fmt.Errorf("scope has more than %d scopes", mostScopes)
	case len(scopes) == 0 && c.RequireScopes:
		return nil, fmt.Errorf("%w: there are none", ErrScopes)
	case len(scopes) == 0:
		return nil, nil
	}
	return scopes, nil
}

// split returns the single scopes of texts that may hold several.
func (c *Client) split(texts []string) []string {
	isBetween := func(r rune) bool { return r == ' ' || strings.ContainsRune(c.separator(), r) }
	return strings.FieldsFunc(strings.Join(texts, c.separator()), isBetween)
}

// checkScopes compares the scopes of an answer with those that were asked for, and with those before a refresh. If
// the server had not told these, they were what was asked for (RFC 6749, section 5.1).
func (c *Client) checkScopes(granted []string, before *auth.Token) error {
	if len(granted) == 0 {
		return nil // they are what was asked for (RFC 6749, section 5.1)
	}
	asked := c.split(c.Scopes)
	if c.RequireScopes {
		if scope, ok := beyond(granted, asked); ok {
			return fmt.Errorf("%w: %q is missing", ErrScopes, scope)
		}
	}
	if before == nil {
		return nil
	}
	allowed := before.Scopes
	if len(allowed) == 0 {
		allowed = asked
	}
	if _, ok := beyond(allowed, granted); ok && len(allowed) > 0 {
		return fmt.Errorf("%w: there are more than before the refresh (RFC 6749, section 6)", ErrScopes)
	}
	return nil
}

// beyond returns the first of those scopes that is not among the known ones.
func beyond(known, scopes []string) (string, bool) {
	set := make(map[string]bool, len(known))
	for _, scope := range known {
		set[scope] = true
	}
	for _, scope := range scopes {
		if !set[scope] {
			return scope, true
		}
	}
	return "", false
}

// extra returns the texts and numbers of an answer that nobody else reads, the ID token before all others.
func (c *Client) extra(o *object) map[string]secrets.Value {
	var all map[string]secrets.Value
	for _, name := range slices.Concat([]string{ExtraIDToken}, o.names) {
		text, ok := o.scalar(name)
		limit := mostValue
		if name == ExtraIDToken {
			limit = mostToken
		}
		if !ok || c.isRead(name) || len(text) > limit || len(name) > mostValue || field.HasControl(name) {
			continue
		}
		if all == nil {
			all = make(map[string]secrets.Value)
		}
		if all[name] = secrets.Static(text); len(all) == mostExtra {
			break
		}
	}
	return all
}

// isRead reports whether a member has a place of its own in a token, or none.
func (c *Client) isRead(name string) bool {
	return name == c.ExpiryField || name != ExtraIDToken && isStandard(name)
}

// isStandard reports whether a member of an answer has a meaning of its own.
func isStandard(name string) bool {
	switch name {
	case ExtraAccessToken, fieldRefreshToken, ExtraIDToken, "token_type", fieldScope, "expires_in", "expires_on",
		"expires_at", ExtraInitial, ExtraIssuer, ExtraSubject:
		return true
	}
	return false
}
