package main

import (
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// Notes is what the API answers.
type Notes struct {
	Owner string   `json:"owner"`
	Notes []string `json:"notes"`
}

// app is the application itself.
type app struct {
	conn     *connection.Connection
	tokens   *auth.Manager
	sessions sync.Map // *session, by the value of the cookie
}

// session is one browser.
type session struct {
	user string
	lack atomic.Pointer[auth.StepUpError] // what the user has to allow; nil for nothing
}

const sessionCookie = "session"

// begin signs a user in to the application. It asks for no password: that is not what this example is about.
func (a *app) begin(w http.ResponseWriter, req *http.Request) {
	name := req.PostFormValue("user")
	if name != "ann" && name != "bob" {
		http.Error(w, "nobody of that name is known here", http.StatusForbidden)
		return
	}
	id := rand.Text()
	a.sessions.Store(id, &session{user: name})
	// An application with https adds Secure, and __Host- to the name.
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, req, "/", http.StatusSeeOther)
}

// session returns that of the browser; one of nobody if it has none.
func (a *app) session(req *http.Request) *session {
	if cookie, err := req.Cookie(sessionCookie); err == nil {
		value, _ := a.sessions.Load(cookie.Value)
		if own, ok := value.(*session); ok {
			return own
		}
	}
	return new(session)
}

// user returns who is signed in to the application: whose token is used.
func (a *app) user(req *http.Request) string { return a.session(req).user }

// missing returns what a login is to ask for beside what every login does.
func (a *app) missing(req *http.Request) []oauth2flow.LoginOption {
	own := a.session(req)
	lack := own.lack.Load()
	if lack == nil {
		return nil
	}
	have, _ := a.tokens.Token(auth.WithSubject(req.Context(), own.user), auth.Want{}) // nil if it has ended meanwhile
	return []oauth2flow.LoginOption{oauth2flow.LoginStepUp(lack, have)}
}

// home shows the user's notes, if the account is connected.
func (a *app) home(w http.ResponseWriter, req *http.Request) {
	own := a.session(req)
	if own.user == "" {
		show(w, http.StatusOK, view{})
		return
	}
	ctx := auth.WithSubject(req.Context(), own.user)
	notes, err := request.Do[Notes](ctx, request.Get(a.conn, "/notes"))
	answer(w, own, notes, err)
}

// add writes a note down.
func (a *app) add(w http.ResponseWriter, req *http.Request) {
	own := a.session(req)
	if own.user == "" {
		http.Error(w, "nobody is signed in", http.StatusForbidden)
		return
	}
	ctx := auth.WithSubject(req.Context(), own.user)
	note := req.PostFormValue("note")
	notes, err := request.Do[Notes](ctx, request.Post(a.conn, "/notes").JSON(note))
	if err == nil {
		own.lack.Store(nil)
	}
	answer(w, own, notes, err)
}

// answer shows the outcome of a call. If the user has to allow more, the session keeps what, and the page links to the
// login that asks for it.
func answer(w http.ResponseWriter, own *session, notes Notes, err error) {
	v := view{User: own.user}
	lack, isLacking := errors.AsType[*auth.StepUpError](err)
	switch {
	case err == nil:
		v.Connected, v.Notes = true, notes
		show(w, http.StatusOK, v)
	case isLacking:
		own.lack.Store(lack)
		v.Connected, v.Lack = true, lack.Scopes
		show(w, http.StatusForbidden, v)
	case errors.Is(err, auth.ErrLoginRequired):
		show(w, http.StatusOK, v)
	default:
		http.Error(w, "the notes cannot be had now", http.StatusBadGateway)
	}
}
