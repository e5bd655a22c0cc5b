package testidp

import (
	"bytes"
	"html/template"
	"net/http"
)

// The pages. The ids of their forms are how [Browser] knows them.
const (
	loginForm = `<h1>Log in</h1><p>{{.Client}} asks who you are.</p><p>{{.Fault}}</p>
<form id="login" method="post" action="{{.Base}}/login">
<input type="hidden" name="ticket" value="{{.Ticket}}">
<p><label>User <input name="username" value="{{.Hint}}" autocomplete="username"></label></p>
<p><label>Password <input name="password" type="password" value="" autocomplete="current-password"></label></p>
{{if .OTP}}<p><label>One-time code <input name="otp" value="" autocomplete="one-time-code"></label></p>{{end}}
<p><button name="go" value="login">Log in</button></p></form>`

	consentForm = `<h1>Allow?</h1><p>{{.User}}, {{.Client}} asks for:</p>
<ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
<form id="consent" method="post" action="{{.Base}}/consent">
<input type="hidden" name="ticket" value="{{.Ticket}}">
<p><button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></p></form>`

	devicePage = `<h1>Connect a device</h1><p>{{.Fault}}</p>
<form id="device" method="post" action="{{.Base}}/device">
<p><label>The code that it shows <input name="user_code" value="{{.Code}}"></label></p>
<p><button name="go" value="device">Go on</button></p></form>`

	postPage = `<form id="post" method="post" action="{{.Action}}">
{{range $name, $values := .Params}}{{range $values}}<input type="hidden" name="{{$name}}" value="{{.}}">
{{end}}{{end}}<p><button>Go on</button></p></form>
<script nonce="{{.Nonce}}">document.forms[0].submit()</script>`

	messagePage = `<p>{{.}}</p>`
)

const (
	pageHead = `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>testidp</title></head><body>`
	pageEnd  = `</body></html>`
)

// page is an answer in HTML.
func page(status int, body string, data any) *reply {
	var out bytes.Buffer
	t, err := template.New("").Parse(pageHead + body + pageEnd)
	if err == nil {
		err = t.Execute(&out, data)
	}
	if err != nil {
		return newReply(http.StatusInternalServerError, "text/plain", []byte(err.Error()))
	}
	r := newReply(status, "text/html; charset=utf-8", out.Bytes())
	r.header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	return r
}

// message is a page with one sentence.
func message(status int, text string) *reply { return page(status, messagePage, text) }

func (s *Server) loginPage(ticket string, v *visit, fault string) *reply {
	status := http.StatusOK
	if fault != "" {
		status = http.StatusUnauthorized
	}
	return page(status, loginForm, object{
		"Base": s.base, "Ticket": ticket, "Client": v.client.ID, "Hint": v.hint, "Fault": fault,
		"OTP": v.acr == ACRSecondFactor,
	})
}

func (s *Server) consentPage(ticket string, v *visit) *reply {
	return page(http.StatusOK, consentForm, object{
		"Base": s.base, "Ticket": ticket, "Client": v.client.ID, "User": v.user.Name, "Scopes": v.scopes,
	})
}

// deviceForm asks for the code of a device.
func (s *Server) deviceForm(status int, code, fault string) *reply {
	return page(status, devicePage, object{"Base": s.base, "Code": code, "Fault": fault})
}
