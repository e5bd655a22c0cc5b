package oauth2flow

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/restconn/restconn/auth"
)

// Web says how a web application logs its users in.
type Web struct {
	// Tokens keeps the token of a login, before Done is called. With Subject, it is one of [auth.PerSubject]. Nil
	// leaves that to Done.
	Tokens *auth.Manager
	// Subject tells on whose behalf a request comes: the user of the application whose token it will be. "" refuses
	// the request, with [auth.ErrNoSubject]. What it goes by, such as the cookie of a session, has to come along
	// when the authorization server sends the browser back: SameSite=Lax does, and None for [Login].Posted.
	//
	// Nil is for logins of users who are not known before. They are then on behalf of the [auth.Subject] of the
	// request's context, if there is one; Tokens of [auth.PerSubject] need it.
	Subject func(req *http.Request) string
	// Options returns what one login is to be for, such as [LoginStepUp] and [LoginHint]; nil for nothing. A
	// [LoginReturn] of it wins over that of the request.
	Options func(req *http.Request) []LoginOption
	// BeginPath is where a login begins, "/login" unless it is set.
	BeginPath string
	// SignOutPath is where a POST has Tokens forget the token. By default there is no such path.
	SignOutPath string
	// Done answers the browser after a login. It should redirect, as the URL of the request has the answer of the
	// authorization server in its query. The default redirects to [Completed].Return.
	Done func(w http.ResponseWriter, req *http.Request, done Completed)
	// SignedOut answers the browser after the token was forgotten. The default redirects to "/".
	SignedOut func(w http.ResponseWriter, req *http.Request)
	// Failed answers in place of a login, or of a sign-out, that failed; err is one of Complete, Begin, Set or Forget,
	// [ErrNotOpened], [ErrOtherSite], [auth.ErrNoSubject], or what Validate tells. status is 400 (or 413, 415) where
	// the browser has brought no good answer, 403 where the request is refused, 502 or 504 where a server failed or was
	// too slow, and else 500. The default answers with it and a plain text that shows no more of err than a
	// [CallbackError].
	Failed func(w http.ResponseWriter, req *http.Request, status int, err error)
	// Logger gets a record of each login, or sign-out, that failed: of level WARN, with status, error and subject, and
	// nothing of the request. Nil is [slog.Default].
	Logger *slog.Logger
}

// Completed is a login that has come to its end.
type Completed struct {
	// Token is what it has brought.
	Token *auth.Token
	// Return is where the browser is to go: the path of [LoginReturn], or of "?return=" where the login began, and
	// else "/".
	Return string
}

var (
	// ErrNotOpened says that a browser has asked for a login as for a part of a page, such as an image or a frame
	// (Fetch Metadata, section 2.1).
	ErrNotOpened = errors.New("open the login in a window of its own: it was asked for as part of another page")
	// ErrOtherSite says that a browser has asked for a sign-out from the page of another site.
	ErrOtherSite = errors.New("the sign-out was asked for by the page of another site")
)

const defaultBeginPath = "/login"

// WebLogin is the [http.Handler] of a [Web]. It serves the BeginPath, the path of [Authorization].RedirectURI and the
// SignOutPath, and knows no other path. It belongs behind a server with time limits, at the origin that is in the
// RedirectURI, and not behind [http.StripPrefix]. An exchange, keeping its token, and a sign-out take half a minute at
// most each, and go on if the browser leaves. Where strangers can begin logins, the caller limits how many.
//
// "GET /login?return=/orders/7" begins a login. Each has a cookie of its own, so that several can be under way in one
// browser: 32, of more the first ones are forgotten. Answers have Cache-Control, Referrer-Policy,
// Content-Security-Policy and X-Content-Type-Options set, so that neither caches nor other sites learn of a login;
// Done, SignedOut and Failed can set others. It is safe for concurrent use, and in several processes if
// [Authorization].Pending is shared by them.
type WebLogin struct {
	code     *AuthorizationCode
	web      Web
	callback string // its path
	secure   bool   // the callback is https
	fault    error
	cross    *http.CrossOriginProtection
}

// NewWebLogin returns the handler of logins by code. What is wrong with it, Validate tells; one that is not valid
// answers every request with status 500, through Failed.
func NewWebLogin(code *AuthorizationCode, w Web) *WebLogin {
	if w.BeginPath == "" {
		w.BeginPath = defaultBeginPath
	}
	l := &WebLogin{code: code, web: w, cross: http.NewCrossOriginProtection()}
	l.fault = errors.Join(l.validateParts(), joinFaults(append(l.validateRedirect(), l.validatePaths()...)...))
	return l
}

// Validate tells all that is wrong: with w, and with the grant and the manager in it.
func (l *WebLogin) Validate() error {
	if l.cross == nil {
		return errors.New("oauth2flow: the WebLogin is the zero value: NewWebLogin makes one")
	}
	return l.fault
}

// validateParts returns the faults of the grant and of the manager, which may have those of the grant as well.
func (l *WebLogin) validateParts() error {
	if l.code == nil {
		return errors.New("oauth2flow: the AuthorizationCode is nil")
	}
	fault := l.code.Validate()
	if l.web.Tokens == nil {
		return fault
	}
	all := l.web.Tokens.Validate()
	if fault == nil || errors.Is(all, fault) {
		return all
	}
	return errors.Join(fault, all)
}

// validateRedirect looks at where the browser comes back to.
func (l *WebLogin) validateRedirect() []error {
	if l.code == nil || l.code.config == nil {
		return nil
	}
	u, err := url.Parse(l.code.config.RedirectURI)
	if err != nil || checkWebRedirect(u) != nil {
		return []error{errors.New("Authorization.RedirectURI: it is neither https nor http to a literal loopback " +
			"address, such as 127.0.0.1, which a web application needs")}
	}
	l.secure = u.Scheme == "https"
	if l.callback = u.Path; l.callback == "" {
		l.callback = "/"
	}
	return nil
}

// validatePaths looks at the paths of our own, and at what needs each other.
func (l *WebLogin) validatePaths() []error {
	var faults []error
	fault := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, errors.New("Web."+text))
		}
	}
	begin, signOut := l.web.BeginPath, l.web.SignOutPath
	fault(!isPlainPath(begin), "BeginPath: it is not a plain path that begins with a slash")
	fault(begin == l.callback, "BeginPath: it is the path of the RedirectURI")
	fault(signOut != "" && !isPlainPath(signOut), "SignOutPath: it is not a plain path that begins with a slash")
	fault(signOut != "" && (signOut == l.callback || signOut == begin), "SignOutPath: it is one of the other paths")
	fault(signOut != "" && l.web.Tokens == nil, "Tokens: it is nil, and SignOutPath needs it")
	fault(l.web.Tokens == nil && l.web.Done == nil, "Done: it is nil, as is Tokens, so that nobody keeps the token")
	fault(l.web.Tokens != nil && l.web.Subject != nil && !l.web.Tokens.IsPerSubject(),
		"Tokens: all users would share one token: make Tokens with auth.PerSubject")
	return faults
}

// isPlainPath reports whether a path is written as it is compared.
func isPlainPath(path string) bool {
	return strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "?#% \\")
}

// ServeHTTP implements [http.Handler].
func (l *WebLogin) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	hardenPage(w)
	if err := l.Validate(); err != nil {
		l.fail(req.Context(), w, req, http.StatusInternalServerError, err)
		return
	}
	serve, methods := l.route(req.URL.Path)
	switch {
	case serve == nil:
		http.NotFound(w, req)
	case !slices.Contains(methods, req.Method):
		w.Header().Set("Allow", strings.Join(methods, ", "))
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
	default:
		serve(w, req)
	}
}

// route returns what serves a path, and for which methods; nil if nothing does.
func (l *WebLogin) route(path string) (serve http.HandlerFunc, methods []string) {
	switch {
	case path == l.web.BeginPath:
		return l.begin, []string{http.MethodGet}
	case path == l.callback && l.code.config.hasFrontToken():
		return l.complete, []string{http.MethodGet, http.MethodPost}
	case path == l.callback:
		return l.complete, []string{http.MethodGet}
	case path == l.web.SignOutPath && path != "":
		return l.signOut, []string{http.MethodPost}
	}
	return nil, nil
}
