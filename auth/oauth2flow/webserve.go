package oauth2flow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/tokencall"
	"github.com/restconn/restconn/secrets"
)

// subject returns the context of what is done on behalf of a request.
func (l *WebLogin) subject(req *http.Request) (context.Context, error) {
	ctx := req.Context()
	if l.web.Subject != nil {
		ctx = auth.WithSubject(ctx, l.web.Subject(req))
	}
	isNeeded := l.web.Subject != nil || l.web.Tokens != nil && l.web.Tokens.IsPerSubject()
	if isNeeded && auth.Subject(ctx) == "" {
		return ctx, fmt.Errorf("oauth2flow: Web.Subject: %w", auth.ErrNoSubject)
	}
	return ctx, nil
}

// begin begins a login, and sends the browser to the authorization server.
func (l *WebLogin) begin(w http.ResponseWriter, req *http.Request) {
	if dest := req.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		l.fail(req.Context(), w, req, http.StatusForbidden, fmt.Errorf("oauth2flow: %w", ErrNotOpened))
		return
	}
	ctx, err := l.subject(req)
	if err != nil {
		l.fail(ctx, w, req, http.StatusForbidden, err)
		return
	}
	opts, err := l.options(req)
	if err != nil {
		l.fail(ctx, w, req, http.StatusBadRequest, err)
		return
	}
	login, err := l.code.Begin(ctx, opts...)
	if err != nil {
		l.fail(ctx, w, req, http.StatusInternalServerError, err)
		return
	}
	l.makeRoom(w, req)
	http.SetCookie(w, l.cookie(login.state.Reveal(), login.Browser.Reveal(), time.Until(login.Expires)))
	seeOther(w, login.URL)
}

// options returns what one login is to be for.
func (l *WebLogin) options(req *http.Request) ([]LoginOption, error) {
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, errors.New("oauth2flow: the query cannot be read")
	}
	var opts []LoginOption
	if query.Has("return") {
		own := LoginReturn(query.Get("return"))
		if _, err := newAsked([]LoginOption{own}); err != nil {
			return nil, err
		}
		opts = append(opts, own)
	}
	if l.web.Options != nil {
		opts = append(opts, l.web.Options(req)...)
	}
	return opts, nil
}

const cookieName = "login-" // and a hash

// cookie returns what ties the login of that state to a browser. Its name tells neither the state nor anything else,
// and is another one for another redirect URI: an answer that is brought to the wrong one finds no login (RFC 9700,
// section 4.4).
func (l *WebLogin) cookie(state, value string, lasts time.Duration) *http.Cookie {
	posted := l.code.config.hasFrontToken()
	c := &http.Cookie{ //nolint:gosec // Secure is missing for http to this machine only
		Name: cookieName + hashOf(fmt.Sprintf("%q", []string{state, l.code.config.RedirectURI})), Value: value,
		Path: "/", MaxAge: int(lasts / time.Second), HttpOnly: true,
		Secure: l.secure || posted, SameSite: http.SameSiteLaxMode,
	}
	if posted { // which comes from another site
		c.SameSite = http.SameSiteNoneMode
	}
	if c.Secure {
		c.Name = "__Host-" + c.Name
	}
	if c.MaxAge == 0 {
		c.MaxAge = -1
	}
	return c
}

// mostLogins is how many logins are under way in one browser: other sites can begin some, and too many cookies would
// keep the browser from this one.
const mostLogins = 32

// makeRoom ends the cookies of the logins that have begun first, if there are too many for another one. A browser
// sends them in that order (RFC 6265, section 5.4).
func (l *WebLogin) makeRoom(w http.ResponseWriter, req *http.Request) {
	end := l.cookie("", "", 0) //nolint:gosec // as that of a login
	kind, _, _ := strings.Cut(end.Name, cookieName)
	var kept []string
	for _, c := range req.Cookies() {
		if strings.HasPrefix(c.Name, kind+cookieName) && len(c.Name) == len(end.Name) {
			kept = append(kept, c.Name)
		}
	}
	for _, name := range kept[:max(0, len(kept)-mostLogins+1)] {
		end.Name = name
		http.SetCookie(w, end)
	}
}

// complete ends the login that the answer belongs to. One that belongs to none ends nothing.
func (l *WebLogin) complete(w http.ResponseWriter, req *http.Request) {
	answer, err := browserAnswer(w, req, l.code.config.hasFrontToken())
	if err != nil {
		l.fail(req.Context(), w, req, answerStatus(err), fmt.Errorf("oauth2flow: %w", err))
		return
	}
	states := l.code.standard(answer)["state"]
	if len(states) != 1 {
		l.fail(req.Context(), w, req, http.StatusBadRequest, fmt.Errorf("oauth2flow: %w", ErrState))
		return
	}
	end := l.cookie(states[0], "", 0)
	kept, err := req.Cookie(end.Name)
	if err != nil {
		l.fail(req.Context(), w, req, http.StatusBadRequest, fmt.Errorf("oauth2flow: %w", ErrState))
		return
	}
	ctx, err := l.subject(req)
	if err != nil {
		l.fail(ctx, w, req, http.StatusForbidden, err)
		return
	}
	http.SetCookie(w, end)
	token, p, err := l.exchange(ctx, answer, secrets.Static(kept.Value))
	if err != nil {
		l.fail(ctx, w, req, loginStatus(err, p != nil), err)
		return
	}
	if err := l.keep(ctx, token); err != nil {
		l.fail(ctx, w, req, keepStatus(err), err)
		return
	}
	l.done(w, req, Completed{Token: token, Return: cmp.Or(p.Return, "/")})
}

// exchange makes a token of the answer, and returns the login as well, if the answer belongs to one. The code is used
// up by that: it does not end with the browser.
func (l *WebLogin) exchange(
	ctx context.Context, answer url.Values, browser secrets.Value,
) (*auth.Token, *pending, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokencall.Timeout)
	defer cancel()
	return l.code.complete(ctx, answer, browser)
}

// keep hands a token on.
func (l *WebLogin) keep(ctx context.Context, token *auth.Token) error {
	if l.web.Tokens == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokencall.Timeout)
	defer cancel()
	return l.web.Tokens.Set(ctx, token)
}

// done answers after a login.
func (l *WebLogin) done(w http.ResponseWriter, req *http.Request, done Completed) {
	if l.web.Done != nil {
		l.web.Done(w, req, done)
		return
	}
	seeOther(w, done.Return)
}

// signOut forgets a token.
func (l *WebLogin) signOut(w http.ResponseWriter, req *http.Request) {
	if l.cross.Check(req) != nil {
		l.fail(req.Context(), w, req, http.StatusForbidden, fmt.Errorf("oauth2flow: %w", ErrOtherSite))
		return
	}
	ctx, err := l.subject(req)
	if err != nil {
		l.fail(ctx, w, req, http.StatusForbidden, err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokencall.Timeout)
	defer cancel()
	switch err := l.web.Tokens.Forget(ctx); {
	case err != nil:
		l.fail(ctx, w, req, serverStatus(err), err)
	case l.web.SignedOut != nil:
		l.web.SignedOut(w, req)
	default:
		seeOther(w, "/")
	}
}
