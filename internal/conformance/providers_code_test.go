package conformance_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestProvidersCode(t *testing.T) {
	t.Parallel()
	runProviders(t, codeProviders())
}

// codeProviders are the rows about services that a user logs in to, each driven from the authorization URL to the call
// of the API.
func codeProviders() []provider {
	var all []provider
	for _, l := range slices.Concat(codeURLs(), codeNames(), codeCalls(), codeRefreshes(), codeAPIs(), codeOwn()) {
		all = append(all, provider{id: l.id, what: "login: " + l.what, test: l.run})
	}
	return append(all, adminConsent())
}

const (
	authorizePage = "https://idp.example.test/authorize"
	codeText      = "c0de-canary7.m_n~o"
	// verifierMark has the place, and the length, of the PKCE verifier, which is another one each time, and stateMark
	// that of the state.
	stateMark    = "SSSSSSSSSSSSSSSSSSSSSSSSSS"
	verifierMark = "VVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVVV"
)

// codeLogin is how a user logs in at one provider, and what then has to be on the wire.
type codeLogin struct {
	id, what string

	// setup changes a client like that of app, and an authorization at authorizePage.
	setup func(c *oauth2flow.Client, a *oauth2flow.Authorization)
	// prepare does the same where that takes servers.
	prepare func(s *scene, a *oauth2flow.Authorization)
	// page is what the authorization URL is without its parameters, authorizePage unless it is set, and asked what
	// its parameters have beside, or in place of, the standard ones, see changed.
	page  string
	asked []string
	// answer changes what the browser brings, and forged are such changes that are refused without a call.
	answer []string
	forged [][]string

	// issuer is where the token calls go, authOrigin unless it is set, replies what it answers, codeReplies unless
	// they are set, and calls what it receives.
	issuer  string
	replies []http.Handler
	calls   []message

	// manage, send and options are how the connection uses the tokens; send is auth.Bearer unless it is set.
	manage  []auth.ManageOption
	send    func(auth.TokenSource) auth.Authenticator
	options []connection.Option
	// at is the base URL of the API where the login tells it, and host its origin then.
	at   func(t *auth.Token) string
	host string
	// later is after what time the API is called again; 0 for no second call. want is what the API receives:
	// apiCalls, unless it is set. apiReplies are its answers.
	later      time.Duration
	want       []message
	apiReplies []http.Handler

	// extra is what is kept of the login, lives how long the token lives on in the end, and refresh its refresh
	// token. They are looked at if they are set.
	extra   map[string]string
	lives   time.Duration
	refresh string

	// secrets are what nobody may see beside those of all rows.
	secrets []string
	// jwt verifies a signed token that the issuer has received, and returns what has its place in calls.
	jwt func(s *scene, text string) string
}

// changed returns values with changes: "name=value" sets one, and "-name" takes one out.
func changed(values url.Values, changes []string) url.Values {
	own := maps.Clone(values)
	for _, change := range changes {
		if name, ok := strings.CutPrefix(change, "-"); ok {
			delete(own, name)
			continue
		}
		name, value, _ := strings.Cut(change, "=")
		own[name] = []string{value}
	}
	return own
}

// codeForm is the form of the call with the code, and refreshForm that of the one with the refresh token, both with
// changes.
func codeForm(changes ...string) string {
	return changed(url.Values{
		"client_id": {"client-7"}, "client_secret": {keyText}, "grant_type": {"authorization_code"}, "code": {codeText},
		"code_verifier": {verifierMark}, "redirect_uri": {callbackURI},
	}, changes).Encode()
}

func refreshForm(changes ...string) string {
	return changed(url.Values{
		"client_id": {"client-7"}, "client_secret": {keyText}, "grant_type": {"refresh_token"},
		"refresh_token": {refreshText},
	}, changes).Encode()
}

// inBasic takes out of a form what stands in the header.
func inBasic(changes ...string) []string {
	return append([]string{"-client_id", "-client_secret"}, changes...)
}

// codeReplies bring a token of an hour, and another one for the refresh token.
func codeReplies() []http.Handler {
	return turns(
		says(`{"access_token":"`+tokenText+`","token_type":"Bearer","expires_in":3600,"refresh_token":"`+refreshText+`"}`),
		says(`{"access_token":"`+newerText+`","token_type":"Bearer","expires_in":3600,"refresh_token":"`+renewedText+`"}`))
}

const newerLine = "Authorization: Bearer " + newerText

// apiCalls are what the API receives: the first token, and later the second.
func (l codeLogin) apiCalls() []message {
	switch {
	case l.want != nil:
		return l.want
	case l.later > 0:
		return []message{sends("GET /x", bearerLine), sends("GET /x", newerLine)}
	default:
		return []message{sends("GET /x", bearerLine)}
	}
}

// run runs in a bubble, each login with servers of its own. That which succeeds is the first, at the hour of the rows.
func (l codeLogin) run(r *Row) {
	l.succeeds(r)
	l.refused(r)
	for _, changes := range l.forged {
		l.forgery(r, changes)
	}
}

// attempt is one login of a row.
type attempt struct {
	*scene

	row         codeLogin
	issuer, api *connectiontest.Server
	code        *oauth2flow.AuthorizationCode
	conn        *connection.Connection
	begun       *oauth2flow.Login
	asked       url.Values
	stateName   string
	verifier    string // once the call was made
}

// begins serves the row, and begins the login.
func (l codeLogin) begins(r *Row, replies ...http.Handler) *attempt {
	r.Helper()
	a := &attempt{scene: &scene{Row: r, net: connectiontest.NewNetwork(r)}, row: l}
	if len(replies) == 0 {
		if replies = l.replies; len(replies) == 0 {
			replies = codeReplies()
		}
	}
	a.issuer = a.net.Serve(cmp.Or(l.issuer, authOrigin), connectiontest.Sequence(replies...))
	apiReplies := l.apiReplies
	if len(apiReplies) == 0 {
		apiReplies = turns(connectiontest.JSON(http.StatusOK, map[string]int{"id": 1}))
	}
	a.api = a.net.Serve(cmp.Or(l.host, apiOrigin), connectiontest.Sequence(apiReplies...))
	a.configure()
	if l.at == nil {
		a.open(apiOrigin)
	}
	begun, err := a.code.Begin(r.ctx())
	r.NoError(err)
	a.begun = begun
	a.checkURL()
	return a
}

// configure makes the grant.
func (a *attempt) configure() {
	a.Helper()
	client := app()
	authorization := oauth2flow.Authorization{URL: authorizePage, RedirectURI: callbackURI}
	if a.row.at != nil { // there is no connection yet
		client.Endpoint = auth.Endpoint{Client: &http.Client{Transport: a.net.Transport()}}
	}
	if a.row.setup != nil {
		a.row.setup(&client, &authorization)
	}
	if a.row.prepare != nil {
		a.row.prepare(a.scene, &authorization)
	}
	a.stateName = cmp.Or(authorization.Names["state"], "state")
	a.code = oauth2flow.NewAuthorizationCode(client, authorization)
	a.NoError(a.code.Validate())
	a.tokens = auth.Manage(a.code, a.row.manage...)
	a.Cleanup(func() { _ = a.tokens.Close() })
}

// open opens the connection to the API.
func (a *attempt) open(base string) {
	a.Helper()
	send := a.row.send
	if send == nil {
		send = bearer()
	}
	l := a.book.logger()
	conn, err := connection.New(base, append([]connection.Option{
		a.net.Option(), connection.WithLogger(l), connection.WithDebug(l), connection.WithAuth(send(a.tokens)),
	}, a.row.options...)...)
	a.NoError(err)
	a.Cleanup(func() { _ = conn.Close() })
	a.conn = conn
}

// checkURL asserts what the authorization URL is, byte for byte.
func (a *attempt) checkURL() {
	a.Helper()
	page, query, ok := strings.Cut(a.begun.URL, "?")
	a.Equal("the URL has parameters", ok, true)
	asked, err := url.ParseQuery(query)
	a.NoError(err)
	a.asked = asked
	for mark, name := range map[string]string{"STATE": a.stateName, "CHALLENGE": "code_challenge", "NONCE": "nonce"} {
		if value := asked.Get(name); value != "" {
			query = strings.Replace(query, name+"="+value, name+"="+mark, 1)
		}
	}
	want := changed(url.Values{
		"client_id": {"client-7"}, "code_challenge": {"CHALLENGE"}, "code_challenge_method": {"S256"},
		"redirect_uri": {callbackURI}, "response_type": {"code"}, "state": {"STATE"},
	}, a.row.asked)
	a.Equal("the authorization URL", page+"?"+query, cmp.Or(a.row.page, authorizePage)+"?"+want.Encode())
}

// callback is what the browser brings, with changes.
func (a *attempt) callback(changes ...string) url.Values {
	values := url.Values{"code": {codeText}, a.stateName: a.asked[a.stateName]}
	return changed(values, append(slices.Clone(a.row.answer), changes...))
}

// succeeds is the login in which all servers answer.
func (l codeLogin) succeeds(r *Row) {
	a := l.begins(r)
	token, err := a.code.Complete(r.ctx(), a.callback(), a.begun.Browser)
	r.NoError(err)
	for name, want := range l.extra {
		r.Equal("what is kept as "+name, token.Extra[name].Reveal(), want)
	}
	for _, name := range []string{"state", "redirect_uri", "code_verifier"} {
		r.Equal("what nobody needs any more: "+name, token.Extra[name].Reveal(), "")
	}
	r.NoError(a.tokens.Set(r.ctx(), token))
	if l.at != nil {
		a.open(l.at(token))
	}
	r.NoError(request.Get(a.conn, "/x").Exec(r.ctx()))
	if l.later > 0 {
		time.Sleep(l.later)
		r.NoError(request.Get(a.conn, "/x").Exec(r.ctx()))
	}
	synctest.Wait() // a renewal may go on behind the last call
	a.checkCalls()
	r.Received(a.api, commonFields(), l.apiCalls()...)
	a.checkKept()
	r.Hides("what is shown", fmt.Sprintf("%v %+v %#v %v %+v %v %v", a.code, a.code, a.code, a.conn, a.conn.Describe(),
		a.begun, a.tokens), a.hidden()...)
	r.NoError(a.conn.Close())
	r.Hides("log", a.book.text.String(), a.hidden()...)
}

var verifierIn = regexp.MustCompile(`(?:code_verifier|codeVerifier)(?:=|":")([\w-]{43})`)

// checkCalls asserts what the issuer has received, byte for byte, with the mark in the place of the verifier, which has
// to be the one of the challenge.
func (a *attempt) checkCalls() {
	a.Helper()
	_, host, _ := strings.Cut(a.issuer.URL, "://")
	var got, want [][]string
	for _, req := range a.issuer.Requests() {
		lines := received(req)
		if found := verifierIn.FindStringSubmatch(req.Raw); found != nil {
			a.verifier = found[1]
			sum := sha256.Sum256([]byte(a.verifier))
			a.Equal("challenge", a.asked.Get("code_challenge"), base64.RawURLEncoding.EncodeToString(sum[:]))
		}
		got = append(got, a.marked(lines))
	}
	for _, m := range a.row.calls {
		want = append(want, a.marked(m.lines(host, tokenFields())))
	}
	a.Equal("what "+host+" has received", got, want)
}

// marked returns lines with marks in the place of what is another one each time.
func (a *attempt) marked(lines []string) []string {
	for i := range lines {
		if a.verifier != "" {
			lines[i] = strings.ReplaceAll(lines[i], a.verifier, verifierMark)
		}
		lines[i] = strings.ReplaceAll(lines[i], a.asked.Get(a.stateName), stateMark)
		if a.row.jwt != nil {
			lines[i] = signedToken.ReplaceAllStringFunc(lines[i], func(text string) string { return a.row.jwt(a.scene, text) })
		}
	}
	if a.row.jwt != nil { // its length is another one
		return slices.DeleteFunc(lines, isLength)
	}
	return lines
}

// checkKept asserts what the manager has in the end.
func (a *attempt) checkKept() {
	a.Helper()
	t, err := a.tokens.Token(a.ctx(), auth.Want{})
	a.NoError(err)
	if a.row.lives != 0 {
		a.Equal("how long the token lives on", time.Until(t.Expiry).String(), a.row.lives.String())
	}
	if a.row.refresh != "" {
		a.Equal("refresh token", t.Refresh.Reveal(), a.row.refresh)
	}
}

// hidden returns all that nobody may see.
func (a *attempt) hidden() []string {
	texts := []string{
		keyText, secondText, tokenText, newerText, refreshText, renewedText, codeText, a.asked.Get(a.stateName),
		a.begun.Browser.Reveal(),
	}
	if a.verifier != "" {
		texts = append(texts, a.verifier)
	}
	texts = append(texts, a.row.secrets...)
	var all []string
	for _, text := range texts {
		all = append(all, text, b64(text), url.QueryEscape(text), url.PathEscape(text))
	}
	return all
}

// refused is the login in which the issuer refuses, and repeats what it was sent.
func (l codeLogin) refused(r *Row) {
	a := l.begins(r, http.HandlerFunc(refuse))
	_, err := a.code.Complete(r.ctx(), a.callback(), a.begun.Browser)
	r.Equal("the login has failed", err != nil, true)
	if found := verifierIn.FindStringSubmatch(a.issuer.Requests()[0].Raw); found != nil {
		a.verifier = found[1]
	}
	for _, err := range flat(err) {
		r.Hides("error", fmt.Sprintf("%v %+v %#v %q", err, err, err, err), a.hidden()...)
	}
	r.NothingSent(a.api)
}

// forgery is the login whose answer somebody has changed.
func (l codeLogin) forgery(r *Row, changes []string) {
	a := l.begins(r)
	_, err := a.code.Complete(r.ctx(), a.callback(changes...), a.begun.Browser)
	r.Is(err, oauth2flow.ErrCallback)
	r.NothingSent(a.issuer)
}

// adminConsent is a login that brings no code: an administrator consents, and client credentials are then of the tenant
// that the browser names.
func adminConsent() provider {
	return provider{id: "Q-076", what: "login: Microsoft: a consent without a code, for a tenant", test: func(r *Row) {
		const tenant = "11112222-bbbb-3333-cccc-4444dddd5555"
		net := connectiontest.NewNetwork(r)
		issuer := net.Serve(authOrigin, oneHour())
		api := net.Serve(apiOrigin, connectiontest.Status(http.StatusOK))
		consent := oauth2flow.NewAuthorizationCode(oauth2flow.Client{ID: "client-7"}, oauth2flow.Authorization{
			URL: "https://idp.example.test/organizations/adminconsent", RedirectURI: callbackURI,
			ResponseType: oauth2flow.ResponseNone, Names: map[string]string{"response_type": ""}, Keep: []string{"tenant"},
		})
		begun, err := consent.Begin(r.ctx())
		r.NoError(err)
		u, err := url.Parse(begun.URL)
		r.NoError(err)
		state := u.Query()["state"]
		r.Equal("authorization URL", strings.Replace(begun.URL, state[0], "STATE", 1),
			"https://idp.example.test/organizations/adminconsent?client_id=client-7&redirect_uri="+
				url.QueryEscape(callbackURI)+"&state=STATE")
		given, err := consent.Complete(r.ctx(), url.Values{
			"admin_consent": {"True"}, "tenant": {tenant}, "state": state,
		}, begun.Browser)
		r.NoError(err)
		r.Equal("token", given.Value.Reveal(), "")
		r.NothingSent(issuer)

		conn, err := connection.New(apiOrigin, net.Option(), connection.WithAuth(auth.Bearer(auth.Manage(
			oauth2flow.ClientCredentials(app(func(c *oauth2flow.Client) {
				c.TokenURL = authOrigin + "/" + given.Extra["tenant"].Reveal() + "/oauth2/v2.0/token"
				c.Scopes = []string{"https://graph.microsoft.com/.default"}
			}))))))
		r.NoError(err)
		r.Cleanup(func() { _ = conn.Close() })
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Received(issuer, tokenFields(), tokenCall("POST /"+tenant+"/oauth2/v2.0/token",
			inBody+"&grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"))
		r.Received(api, commonFields(), sends("GET /x", bearerLine))
	}}
}

// keyAs sends a secret in a header of the API, beside the token.
func keyAs(name, text string) func(auth.TokenSource) auth.Authenticator {
	return func(src auth.TokenSource) auth.Authenticator {
		return auth.All(auth.Bearer(src), auth.APIKey(secrets.Static(text), auth.InHeader(name)))
	}
}
