package main

import (
	"crypto/rand"
	"errors"
	"html/template"
	"net/http"
	"sync"

	"github.com/restconn/restconn/auth"
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
	sessions sync.Map // users, by the value of the cookie
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
	a.sessions.Store(id, name)
	// An application with https adds Secure, and __Host- to the name.
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, req, "/", http.StatusSeeOther)
}

// user returns who is signed in to the application: whose token is used.
func (a *app) user(req *http.Request) string {
	cookie, err := req.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	value, _ := a.sessions.Load(cookie.Value)
	name, _ := value.(string)
	return name
}

// view is what a page shows.
type view struct {
	User      string
	Connected bool
	Notes     Notes
}

// home shows the user's notes, if the account is connected.
func (a *app) home(w http.ResponseWriter, req *http.Request) {
	v := view{User: a.user(req)}
	if v.User != "" {
		ctx := auth.WithSubject(req.Context(), v.User)
		notes, err := request.Do[Notes](ctx, request.Get(a.conn, "/notes"))
		switch {
		case err == nil:
			v.Connected, v.Notes = true, notes
		case !errors.Is(err, auth.ErrLoginRequired):
			http.Error(w, "the notes cannot be had now", http.StatusBadGateway)
			return
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = page.Execute(w, v) // it fails if the browser is gone
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html><title>webapp</title>
{{if not .User}}<p>who are you?</p>
<form method="post" action="/session"><button name="user" value="ann">ann</button>
<button name="user" value="bob">bob</button></form>
{{else if not .Connected}}<p>{{.User}} is not connected</p>
<a href="/connect?return=/">connect</a>
{{else}}<p>{{.User}} sees the notes of {{.Notes.Owner}}: {{range .Notes.Notes}}{{.}}. {{end}}</p>
<form method="post" action="/disconnect"><button>disconnect</button></form>
{{end}}`))
