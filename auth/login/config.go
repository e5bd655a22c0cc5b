package login

import (
	"context"
	"net/http"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// Config describes a login. It is not changed once it was given to [New].
type Config struct {
	// BaseURL is what the Path of each step is joined to, such as "https://auth.example.com/v1". It may have names in
	// it. It is required unless each step has a URL.
	BaseURL string
	// Endpoint is how the calls are sent: client, trusted certificates, proxy. Its AllowHTTP is also needed, on this
	// machine too, where an answer tells the host of a URL of plain http.
	Endpoint auth.Endpoint
	// FollowRedirects follows redirects within the origin of a step. By default, and to elsewhere, a redirect is an
	// error. Cookies of the redirecting answer are not kept.
	FollowRedirects bool

	// Params are values for the templates, by their name. The package says which value wins where a name has several.
	Params map[string]string
	// Secrets are values for the templates that are asked for at each login, and only if a template has their name.
	// An empty one is an error. They are masked in errors, and win over all others.
	Secrets map[string]secrets.Provider
	// Compute returns further values for the templates, such as timestamps. It is called once per login or renewal with
	// the values of Params and Secrets, all of them, in the clear. What it returns is taken for secret, too.
	Compute func(ctx context.Context, values map[string]string) (map[string]string, error)

	// Steps are the requests of a login, sent one after the other. Cookies that an answer sets go with later steps to
	// the same origin. Without Steps there has to be Renew, and the first token comes from elsewhere.
	Steps []Step
	// Renew are the requests that get a new token with the one before, as {{token}}, or with its refresh token, as
	// {{refresh}}. What Extra has kept has a name, too: {{api}}. If the server refuses, or there is nothing to renew
	// with, Steps are sent. Without Renew they always are.
	Renew []Step
	// RenewRefused are the statuses by which a server refuses a renewal. The default is 400, 401 and 403.
	RenewRefused []int
	// Start gets a token that Steps exchange for another: they see it as {{token}}, and its Extra by their names, such
	// as {{instance_url}}. It is neither kept nor sent elsewhere, and Start is never asked to renew it.
	Start auth.Grant
	// MinAge is how old a token has to be before the server renews it: see [auth.Token].RenewableFrom.
	MinAge time.Duration

	// Token is the expression of the token: a text that is not empty, or a number. It is required unless there is
	// Cookies, AllCookies or OnTokenResponse. "token" keeps the one before, for a renewal that only extends it.
	Token string
	// Expiry is the expression of when the token ends: a number or a text of one, see ExpiryForm, a date, or a
	// duration. It is required unless there is Lifetime, NeverExpires or OnTokenResponse. A number that is not
	// positive stands for an end that nobody knows. A date without a zone is read as UTC.
	Expiry string
	// ExpiryForm says what a number is. The default is [ExpiryAuto].
	ExpiryForm ExpiryForm
	// Lifetime is how long a token lives if the answer does not say, or if there is no Expiry.
	Lifetime time.Duration
	// NeverExpires says that tokens last until the server rejects them.
	NeverExpires bool
	// Refresh is the expression of the login's own refresh token, for Renew. An answer without one is no error: a
	// renewal keeps the old one.
	Refresh string
	// Extra are expressions of further values, which are kept in [auth.Token].Extra by their name. An answer without
	// one is no error. A renewal has them as names of its templates, and keeps those that its answer does not have.
	Extra map[string]string

	// Cookies are the names of the cookies that the login sets, and that take the place of a token: its text is
	// "a=1; b=2", for [SendCookies]. Each has to be there. If several origins set one, that of the last step counts.
	Cookies []string
	// AllCookies takes all cookies that the origin of the last step has set.
	AllCookies bool

	// OnTokenResponse takes the place of Token, Expiry, Refresh, Extra and cookies: it makes the token of the answers
	// to all steps. It is called by several goroutines at once. Its errors are masked like all others, and show nothing
	// of the answers either: no text of a body, no cookie and no header but the harmless ones.
	OnTokenResponse func(ctx context.Context, answers []Answer) (*auth.Token, error)
}

// Step is one request. Of Form, JSON, XML, Raw and Multipart there is at most one, and none in a GET or a HEAD.
type Step struct {
	// Method is GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS. The default is POST.
	Method string
	// Path is joined to BaseURL: "/auth/login". It may have a query.
	Path string
	// URL takes the place of BaseURL and Path: "https://{{tenant}}.example.com/login", or "{{api}}/login" with a value
	// from an earlier answer.
	URL string
	// Query is added to the query, in this order.
	Query []Field
	// Header are header fields, in this order. A Content-Type takes the place of that of the body.
	Header []Field
	// Basic sends HTTP Basic credentials (RFC 7617).
	Basic *Basic

	// Form is an application/x-www-form-urlencoded body, in this order.
	Form []Field
	// JSON is encoded as JSON, once, by [New]. Its strings are templates.
	JSON any
	// XML is an application/xml document.
	XML string
	// Raw is a body of the type ContentType, which says how values are escaped. What is JSON has to be well-formed; its
	// relatives, such as application/x-ndjson, take no names.
	Raw string
	// ContentType is that of Raw. The default is the Content-Type among Header.
	ContentType string
	// Multipart is a multipart/form-data body (RFC 7578).
	Multipart []Part

	// Success are the statuses that stand for success. The default is all from 200 to 299. A redirect that is listed
	// is not read any further than its header.
	Success []int
	// Ok is an expression that is true if the step has succeeded, for services that answer 200 in any case.
	Ok string
	// Save are expressions by the name that their values have in the templates of later steps. A value that is
	// missing is [ErrValueNotFound].
	Save map[string]string
}

// Field is a name and a value, which is a template.
type Field struct{ Name, Value string }

// Fields makes fields of names and values in turn. A last name without a value is reported by Validate.
//
//	Query: login.Fields("grant_type", "ig_refresh_token", "access_token", "{{token}}")
func Fields(namesAndValues ...string) []Field {
	fields := make([]Field, 0, len(namesAndValues)/2+1)
	for len(namesAndValues) > 1 {
		fields = append(fields, Field{Name: namesAndValues[0], Value: namesAndValues[1]})
		namesAndValues = namesAndValues[2:]
	}
	if len(namesAndValues) > 0 {
		fields = append(fields, Field{Value: namesAndValues[0]})
	}
	return fields
}

// Basic are the credentials of a step. Both are templates. The user may hold no colon.
type Basic struct{ User, Password string }

// Part is a part of a multipart/form-data body. Its value is a template.
type Part struct{ Name, Value, FileName, ContentType string }

// Answer is the answer to one step.
type Answer struct {
	Status  int
	Header  http.Header
	Body    []byte
	Cookies []*http.Cookie // that the answer sets
}

// ExpiryForm says how a number is to be read that tells when a token ends.
type ExpiryForm uint8

const (
	// ExpiryAuto reads a number below 1e9 as seconds from now, one from 1e11 as milliseconds since 1970, and those
	// between as seconds since 1970.
	ExpiryAuto ExpiryForm = iota
	// ExpirySeconds is in seconds from now.
	ExpirySeconds
	// ExpiryMilliseconds is in milliseconds from now.
	ExpiryMilliseconds
	// ExpiryMinutes is in minutes from now.
	ExpiryMinutes
	// ExpiryEpochSeconds is in seconds since 1970.
	ExpiryEpochSeconds
	// ExpiryEpochMilliseconds is in milliseconds since 1970.
	ExpiryEpochMilliseconds
)
