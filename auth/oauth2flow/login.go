package oauth2flow

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// Login is a login that has begun.
type Login struct {
	// URL is where the user's browser goes.
	URL string
	// Browser ties the login to the browser that began it. The caller keeps it there, in a cookie whose name begins
	// with __Host- and that is Secure, HttpOnly and SameSite=Lax, and hands it to [AuthorizationCode.Complete].
	Browser secrets.Value
	// Posted says that the answer comes as a POST from another site, where a cookie is only sent that is
	// SameSite=None.
	Posted bool
	// Expires is when the login has to be complete, ten minutes from now.
	Expires time.Time
	// DisplayName and PrivateSession are those of the [Authorization].
	DisplayName    string
	PrivateSession bool

	state secrets.Value
}

// String tells until when the login lasts.
func (l Login) String() string { return "a login until " + l.Expires.UTC().Format(time.RFC3339) }

// Format writes String for every verb: the URL has the state in it.
func (l Login) Format(f fmt.State, _ rune) { write(f, l.String()) }

// LogValue implements [slog.LogValuer].
func (l Login) LogValue() slog.Value { return slog.StringValue(l.String()) }

// MarshalJSON writes String.
func (l Login) MarshalJSON() ([]byte, error) { return json.Marshal(l.String()) }

// LoginOption says something about one login.
type LoginOption interface {
	fmt.Stringer
	ask(a *asked)
}

// asked is what one login is to be for, beside what is configured.
type asked struct {
	scopes []string
	params Params // those of a later option have taken the place of earlier ones of the same names
	before *auth.Token
	hint   string
	page   string
	faults []error
}

func newAsked(opts []LoginOption) (*asked, error) {
	a := new(asked)
	for _, opt := range opts {
		if opt == nil {
			a.faults = append(a.faults, errors.New("an option is nil"))
			continue
		}
		opt.ask(a)
	}
	return a, joinFaults(a.faults...)
}

type loginOption struct {
	text  string
	apply func(a *asked)
}

func (o loginOption) String() string { return o.text }
func (o loginOption) ask(a *asked)   { o.apply(a) }

// LoginScopes asks for scopes beside those of the [Client].
func LoginScopes(scopes ...string) LoginOption {
	own := slices.Clone(scopes)
	return loginOption{"LoginScopes" + fmt.Sprint(own), func(a *asked) { a.addScopes("LoginScopes", own) }}
}

// allScopes returns the scopes of a client and those beside them.
func (a *asked) allScopes(c *Client) []string {
	all := slices.Clone(c.Scopes)
	for _, scope := range c.split(a.scopes) {
		if !slices.Contains(c.split(all), scope) {
			all = append(all, scope)
		}
	}
	return all
}

func (a *asked) addScopes(name string, scopes []string) {
	a.faults = append(a.faults, checkScopeTexts(name, scopes)...)
	a.scopes = append(a.scopes, scopes...)
}

// LoginParams adds parameters to the authorization URL, or to the device authorization request, such as prompt=login.
// They take the place of those of [Authorization].Params, and of options before, of the same names. Those of the
// protocol are refused, as is a max_age or acr_values that is there twice.
func LoginParams(params Params) LoginOption {
	own := slices.Clone(params)
	return loginOption{"LoginParams" + fmt.Sprint([]Param(own)), func(a *asked) { a.addParams(own) }}
}

func (a *asked) addParams(params Params) {
	for i, p := range params {
		if p.Name == "" || isOfLogin(p.Name) || isProtocol(p.Name) {
			a.faults = append(a.faults, fmt.Errorf("LoginParams: number %d has no name, or one of the protocol", i+1))
		}
		if isDemand(p.Name) && params[i+1:].has(p.Name) {
			a.faults = append(a.faults, fmt.Errorf("LoginParams: %s is there twice", p.Name))
		}
	}
	a.setParams(params)
}

// setParams puts parameters in the place of earlier ones of the same names.
func (a *asked) setParams(params Params) {
	a.params = append(a.params.without(params), params...)
}

// LoginHint tells the server who is about to log in, such as by an e-mail address (OpenID Connect Core 1.0, section
// 3.1.2.1).
func LoginHint(hint string) LoginOption {
	return loginOption{"LoginHint", func(a *asked) { a.hint = hint }}
}

// LoginReturn is the path, with or without a query, where [Web] sends the browser after the login.
func LoginReturn(path string) LoginOption {
	return loginOption{"LoginReturn", func(a *asked) {
		if !isLocalPath(path) {
			a.faults = append(a.faults, errReturn)
		}
		a.page = path
	}}
}

var errReturn = errors.New("LoginReturn: a path on this site is wanted, such as /orders/7")

// isLocalPath reports whether a browser stays on the site that sends it there.
func isLocalPath(path string) bool {
	const most = 2 << 10
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && len(path) <= most &&
		!strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' })
}

// LoginStepUp asks for what a service has found missing: further scopes (RFC 6750, section 3.1), or a stronger or
// more recent authentication (RFC 9470, section 4).
//
// have is the token that was found lacking, or nil. What it is for is asked for as well, so that the new one is for no
// less. If it has the [ExtraSubject] of a login with [OpenID], the same user has to log in again; for anybody else,
// Complete fails with [ErrOtherUser].
func LoginStepUp(e *auth.StepUpError, have *auth.Token) LoginOption {
	return loginOption{"LoginStepUp", func(a *asked) {
		if e == nil {
			a.faults = append(a.faults, errors.New("LoginStepUp: the error is nil"))
			return
		}
		if have != nil {
			a.addScopes("LoginStepUp: the token", have.Scopes)
			a.before = have
		}
		a.addScopes("LoginStepUp", e.Scopes)
		if len(e.ACRValues) > 0 {
			a.setParams(NewParams(fieldACR, strings.Join(e.ACRValues, " ")))
		}
		if e.HasMaxAge {
			a.setParams(NewParams(fieldMaxAge, strconv.FormatInt(int64(e.MaxAge/time.Second), 10)))
		}
	}}
}

// checkScopeTexts looks at scopes that are asked for.
func checkScopeTexts(name string, scopes []string) []error {
	var faults []error
	for i, scope := range scopes {
		if strings.Trim(scope, " ") == "" || strings.ContainsFunc(scope, isNoScope) {
			faults = append(faults, fmt.Errorf("%s: number %d is empty or holds a character that is not allowed", name, i+1))
		}
	}
	return faults
}
