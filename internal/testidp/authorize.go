package testidp

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	typeCode        = "code"
	typeIDToken     = "id_token"
	typeCodeIDToken = "code id_token"

	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"

	promptNone    = "none"
	promptLogin   = "login"
	promptConsent = "consent"
	promptAccount = "select_account"
)

// demand is what a client asks for at the authorization endpoint.
type demand struct {
	client       *Client
	redirectURI  string
	responseType string
	mode         string
	state        string
	scopes       []string
	nonce        string
	challenge    string
	prompts      []string
	maxAge       time.Duration
	hasMaxAge    bool
	acr          string // what is needed; empty for any
	hint         string
}

func (d *demand) hasCode() bool    { return d.responseType != typeIDToken }
func (d *demand) hasIDToken() bool { return d.responseType != typeCode }

// asks reports whether prompt has that value.
func (d *demand) asks(name string) bool { return slices.Contains(d.prompts, name) }

// authorize is the authorization endpoint (RFC 6749, section 3.1).
func (s *Server) authorize(req *http.Request) *reply {
	form := req.Form
	client := s.config.client(form.Get("client_id"))
	uri := form.Get("redirect_uri")
	if client == nil || len(form["client_id"]) != 1 || len(form["redirect_uri"]) != 1 ||
		!slices.ContainsFunc(client.RedirectURIs, func(known string) bool { return isRedirect(known, uri) }) {
		return message(http.StatusBadRequest, "The client, or its redirect_uri, is not registered here.")
	}
	d := &demand{client: client, redirectURI: uri, state: form.Get("state")}
	if fault := d.read(form); fault != nil {
		return s.refuse(d, fault)
	}
	own, cookie := s.session(req)
	v := &visit{session: own, demand: d, client: client, scopes: d.scopes, acr: d.acr, hint: d.hint}
	return s.begin(v, d).cookie(cookie)
}

// begin lets a visitor go as far as possible without being asked.
func (s *Server) begin(v *visit, d *demand) *reply {
	login := v.session.user == nil || d.asks(promptLogin) || d.asks(promptAccount) ||
		d.hasMaxAge && time.Since(v.session.authenticated) >= d.maxAge ||
		d.acr == ACRSecondFactor && v.session.acr != d.acr ||
		d.hint != "" && !v.session.user.isCalled(d.hint)
	if !login {
		v.user, v.authenticated, v.acr = v.session.user, v.session.authenticated, v.session.acr
	}
	ask := d.asks(promptConsent) || !login && !s.isAllowed(v)
	switch {
	case d.asks(promptNone) && login:
		return s.refuse(d, refused("login_required", "nobody is logged in"))
	case d.asks(promptNone) && ask:
		return s.refuse(d, refused("consent_required", "the user has not consented"))
	case login:
		return s.loginPage(s.visit(v), v, "")
	case ask:
		return s.consentPage(s.visit(v), v)
	}
	return s.finish(v)
}

// read reads what is asked. Where the answer goes is known before anything else, so that a refusal gets there.
func (d *demand) read(form url.Values) *protocolError {
	d.responseType, d.mode = form.Get("response_type"), form.Get("response_mode")
	front := strings.Contains(d.responseType, typeIDToken)
	wanted := d.mode
	switch {
	case wanted == modeFormPost || wanted == modeFragment || wanted == modeQuery && !front:
	case front:
		d.mode = modeFragment
	default:
		d.mode = modeQuery
	}
	for name, values := range form {
		if len(values) > 1 && name != "resource" {
			return invalidRequest("a parameter is there twice")
		}
	}
	switch {
	case d.responseType != typeCode && d.responseType != typeIDToken && d.responseType != typeCodeIDToken:
		return refused("unsupported_response_type", "response_type is not known here")
	case wanted != "" && wanted != d.mode:
		return invalidRequest("response_mode is not known here, or not for this response_type")
	case form.Has("request"):
		return refused("request_not_supported", "request is not known here")
	case form.Has("request_uri"):
		return refused("request_uri_not_supported", "request_uri is not known here")
	}
	if fault := d.readScopes(form); fault != nil {
		return fault
	}
	if fault := d.readChallenge(form); fault != nil {
		return fault
	}
	return d.readUser(form)
}

func (d *demand) readScopes(form url.Values) *protocolError {
	d.scopes, d.nonce = strings.Fields(form.Get("scope")), form.Get("nonce")
	slices.Sort(d.scopes)
	d.scopes = slices.Compact(d.scopes)
	for _, scope := range d.scopes {
		if !slices.Contains(d.client.Scopes, scope) {
			return refused("invalid_scope", "the client may not ask for one of the scopes")
		}
	}
	if d.hasIDToken() && (d.nonce == "" || !slices.Contains(d.scopes, scopeOpenID)) {
		return invalidRequest("an id_token needs a nonce and the scope openid")
	}
	return nil
}

// readChallenge reads the PKCE challenge (RFC 7636, section 4.3), which public clients must have.
func (d *demand) readChallenge(form url.Values) *protocolError {
	d.challenge = form.Get("code_challenge")
	sum, err := base64.RawURLEncoding.DecodeString(d.challenge)
	switch {
	case !d.hasCode():
		d.challenge = ""
	case d.challenge == "" && d.client.Secret == "":
		return invalidRequest("a public client needs a code_challenge")
	case d.challenge == "" && form.Has("code_challenge_method"):
		return invalidRequest("there is a code_challenge_method without a code_challenge")
	case d.challenge != "" && (form.Get("code_challenge_method") != "S256" || err != nil || len(sum) != 32):
		return invalidRequest("code_challenge is none of the method S256")
	}
	return nil
}

// readUser reads how the user is to be asked (OpenID Connect Core 1.0, section 3.1.2.1).
func (d *demand) readUser(form url.Values) *protocolError {
	d.hint, d.prompts = form.Get("login_hint"), strings.Fields(form.Get("prompt"))
	for _, name := range d.prompts {
		if !slices.Contains([]string{promptNone, promptLogin, promptConsent, promptAccount}, name) {
			return invalidRequest("prompt is not known here")
		}
	}
	if d.asks(promptNone) && len(d.prompts) > 1 {
		return invalidRequest("prompt is none, and something else")
	}
	if form.Has("max_age") {
		age, err := strconv.ParseUint(form.Get("max_age"), 10, 31)
		if err != nil {
			return invalidRequest("max_age is no number of seconds")
		}
		d.maxAge, d.hasMaxAge = time.Duration(age)*time.Second, true
	}
	for class := range strings.FieldsSeq(form.Get("acr_values")) {
		if class == ACRPassword || class == ACRSecondFactor {
			d.acr = class
			break
		}
	}
	return nil
}
