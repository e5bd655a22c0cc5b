package main

import (
	"html/template"
	"net/http"
)

// view is what a page shows.
type view struct {
	User      string
	Connected bool
	Lack      []string // the scopes that are missing
	Notes     Notes
}

func show(w http.ResponseWriter, status int, v view) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = page.Execute(w, v) // it fails if the browser is gone
}

var page = template.Must(template.New("page").Parse(`<!DOCTYPE html><title>webapp</title>
{{if not .User}}<p>who are you?</p>
<form method="post" action="/session"><button name="user" value="ann">ann</button>
<button name="user" value="bob">bob</button></form>
{{else if not .Connected}}<p>{{.User}} is not connected</p>
<a href="/connect?return=/">connect</a>
{{else if .Lack}}<p>{{.User}} has to allow more:{{range .Lack}} {{.}}{{end}}</p>
<a href="/connect?return=/">allow it</a>
{{else}}<p>{{.User}} sees the notes of {{.Notes.Owner}}: {{range .Notes.Notes}}{{.}}. {{end}}</p>
<form method="post" action="/notes"><input name="note" value=""><button>add</button></form>
<form method="post" action="/disconnect"><button>disconnect</button></form>
{{end}}`))
