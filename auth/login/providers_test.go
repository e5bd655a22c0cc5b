package login_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// call is a request that is expected: its request line, some lines of its head, and its body. A line that ends with a
// colon stands for a field that is not there.
type call struct {
	line string
	head []string
	body string
}

// provider is a service as it is documented.
type provider struct {
	name    string
	config  login.Config
	replies []http.Handler
	calls   []call
	prev    *auth.Token // what is renewed
	token   string
	refresh string
	expiry  time.Duration // from now; 0 if nobody knows
	send    func(src auth.TokenSource) auth.Authenticator
	sent    call // a GET of /x
}

func reply(text string) http.Handler {
	return connectiontest.Text(200, text).Header("Content-Type", "application/json")
}

func bearer(opts ...auth.BearerOption) func(auth.TokenSource) auth.Authenticator {
	return func(src auth.TokenSource) auth.Authenticator { return auth.Bearer(src, opts...) }
}

const (
	typeJSON = "Content-Type: application/json"
	typeForm = "Content-Type: application/x-www-form-urlencoded"
	basicIDs = "Authorization: Basic aWQ6c2Vj" // id:sec
)

// in is a Config with the secrets that the providers here use.
func in(cfg login.Config, steps ...login.Step) login.Config {
	cfg.BaseURL = home
	cfg.Steps = steps
	cfg.Params = map[string]string{"id": "id", "user": "u@x", "company": "0"}
	cfg.Secrets = static("secret", "sec", "password", "p&w", "key", "abcdefghijkl", "assertion", "h.p.s")
	return cfg
}

// endless is a login whose tokens have no end that anybody knows.
func endless(token string) login.Config { return login.Config{Token: token, NeverExpires: true} }

func at(token, expiry string) login.Config { return login.Config{Token: token, Expiry: expiry} }

func TestProviders(t *testing.T) {
	t.Parallel()
	for _, p := range providers() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.run(t)
		})
	}
}

func (p provider) run(t *testing.T) {
	t.Helper()
	s := connectiontest.NewServer(t, connectiontest.Sequence(p.replies...))
	began := time.Now()
	token, err := bind(t, s.Network(), p.config).Obtain(t.Context(), p.prev)
	if err != nil {
		t.Fatal(err)
	}
	requests := s.Requests()
	if len(requests) != len(p.calls) {
		t.Fatalf("%d requests, want %d", len(requests), len(p.calls))
	}
	for i, c := range p.calls {
		c.check(t, requests[i])
	}
	if got := token.Value.Reveal(); got != p.token {
		t.Errorf("token is %q, want %q", got, p.token)
	}
	if got := token.Refresh.Reveal(); got != p.refresh {
		t.Errorf("refresh token is %q, want %q", got, p.refresh)
	}
	p.checkExpiry(t, token.Expiry, began)
	if p.send == nil {
		return
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", home+"/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.send(source{token}).Authenticate(req); err != nil {
		t.Fatal(err)
	}
	resp, err := s.Network().Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	p.sent.check(t, s.Requests()[len(requests)])
}

// checkExpiry allows for the time that the test takes: how expiries are read is tested elsewhere.
func (p provider) checkExpiry(t *testing.T, expiry, began time.Time) {
	t.Helper()
	if p.expiry == 0 {
		if !expiry.IsZero() {
			t.Errorf("expiry is %v, want none", expiry)
		}
		return
	}
	if d := expiry.Sub(began) - p.expiry; d < -time.Hour || d > time.Hour {
		t.Errorf("expiry is in %v, want %v", expiry.Sub(began), p.expiry)
	}
}

func (c call) check(t *testing.T, req connectiontest.Request) {
	t.Helper()
	wantLine(t, req, c.line+" HTTP/1.1")
	for _, line := range c.head {
		if name, ok := strings.CutSuffix(line, ":"); ok {
			without(t, req, name)
			continue
		}
		wantLine(t, req, line)
	}
	wantBody(t, req, c.body)
}

func providers() []provider {
	all := clientCredentials()
	all = append(all, logins()...)
	all = append(all, queries()...)
	all = append(all, severalSteps()...)
	return append(all, renewals()...)
}

func clientCredentials() []provider {
	return []provider{
		{
			name: "Q-112 Personio: JSON without grant_type, token in data.token",
			config: in(endless("body.data.token"), login.Step{
				Path: "/v1/auth", JSON: map[string]string{"client_id": "{{id}}", "client_secret": "{{secret}}"},
			}),
			replies: []http.Handler{reply(`{"success":true,"data":{"token":"t1"}}`)},
			calls:   []call{{"POST /v1/auth", []string{typeJSON}, `{"client_id":"id","client_secret":"sec"}`}},
			token:   "t1",
		},
		{
			name: "Q-113 ZoomInfo: keys renamed to username and password, token field jwt",
			config: in(login.Config{Token: "body.jwt", Lifetime: time.Hour}, login.Step{
				Path: "/authenticate", JSON: map[string]string{"username": "{{user}}", "password": "{{password}}"},
			}),
			replies: []http.Handler{reply(`{"jwt":"t1"}`)},
			calls:   []call{{"POST /authenticate", []string{typeJSON}, `{"password":"p&w","username":"u@x"}`}},
			token:   "t1", expiry: time.Hour,
		},
		{
			name: "Q-114 Greenhouse: grant_type in the URL, sub in JSON, Basic",
			config: in(at("body.access_token", "body.expires_at"), login.Step{
				Path: "/token?grant_type=client_credentials", JSON: map[string]int{"sub": 7},
				Basic: &login.Basic{User: "{{id}}", Password: "{{secret}}"},
			}),
			replies: []http.Handler{reply(`{"access_token":"t1","expires_at":"` + in24h() + `"}`)},
			calls:   []call{{"POST /token?grant_type=client_credentials", []string{typeJSON, basicIDs}, `{"sub":7}`}},
			token:   "t1", expiry: 24 * time.Hour,
		},
		{
			name: "Q-123 CrowdStrike: id and secret in the query",
			config: in(at("body.access_token", "body.expires_in"), login.Step{
				Path: "/oauth2/token", Query: login.Fields("client_id", "{{id}}", "client_secret", "{{secret}}"),
			}),
			replies: []http.Handler{reply(`{"access_token":"t1","expires_in":1799}`)},
			calls: []call{{
				"POST /oauth2/token?client_id=id&client_secret=sec", []string{"Content-Type:", "Content-Length: 0"}, "",
			}},
			token: "t1", expiry: 30 * time.Minute,
		},
		{
			name: "Q-123 CrowdStrike: id and secret in the form",
			config: in(at("body.access_token", "body.expires_in"), login.Step{
				Path: "/oauth2/token", Form: login.Fields("client_id", "{{id}}", "client_secret", "{{secret}}"),
			}),
			replies: []http.Handler{connectiontest.Text(201, `{"access_token":"t1","expires_in":1799}`)},
			calls:   []call{{"POST /oauth2/token", []string{typeForm}, "client_id=id&client_secret=sec"}},
			token:   "t1", expiry: 30 * time.Minute,
		},
		{
			name: "Q-125 pVerify: capitalised names, and a header on both calls",
			config: in(at("body.access_token", "body.expires_in"), login.Step{
				Path: "/Token", Header: login.Fields("Client-API-Id", "{{id}}"),
				Form: login.Fields("Client_Id", "{{id}}", "Client_Secret", "{{secret}}", "grant_type", "client_credentials"),
			}),
			replies: []http.Handler{reply(`{"access_token":"t1","expires_in":28799}`)},
			calls: []call{{
				"POST /Token", []string{typeForm, "Client-Api-Id: id"},
				"Client_Id=id&Client_Secret=sec&grant_type=client_credentials",
			}},
			token: "t1", expiry: 8 * time.Hour,
		},
		{
			name: "Q-127 UKG Pro: realm grant in JSON",
			config: in(at("body.access_token", "body.expires_in"), login.Step{
				Path: "/oauth/token", JSON: map[string]string{
					"grant_type": "http://auth0.com/oauth/grant-type/password-realm", "realm": "r&1", "audience": "https://a",
					"username": "{{user}}", "password": "{{password}}",
				},
			}),
			replies: []http.Handler{reply(`{"access_token":"t1","expires_in":3600}`)},
			calls: []call{{
				"POST /oauth/token", []string{typeJSON},
				`{"audience":"https://a","grant_type":"http://auth0.com/oauth/grant-type/password-realm",` +
					`"password":"p&w","realm":"r&1","username":"u@x"}`,
			}},
			token: "t1", expiry: time.Hour,
		},
		{
			name: "Q-149 Akeneo: Basic client, JSON password grant, an hour fixed",
			config: in(login.Config{Token: "body.access_token", Lifetime: time.Hour}, login.Step{
				Path: "/api/oauth/v1/token", Basic: &login.Basic{User: "{{id}}", Password: "{{secret}}"},
				Raw:         `{"grant_type":"password","username":"{{user}}","password":"{{password}}"}`,
				ContentType: "application/json",
			}),
			replies: []http.Handler{reply(`{"access_token":"t1"}`)},
			calls: []call{{
				"POST /api/oauth/v1/token", []string{typeJSON, basicIDs},
				`{"grant_type":"password","username":"u@x","password":"p&w"}`,
			}},
			token: "t1", expiry: time.Hour,
		},
		{
			name: "Q-150 Altrata: grant in the URL, Basic of a user, a key in a header",
			config: in(at("body.access_token", "body.expires_in"), login.Step{
				Path: "/token", Query: login.Fields("grant_type", "client_credentials"),
				Basic: &login.Basic{User: "{{id}}", Password: "{{secret}}"}, Header: login.Fields("X-Api-Key", "{{key}}"),
			}),
			replies: []http.Handler{reply(`{"access_token":"t1","expires_in":3600}`)},
			calls: []call{{
				"POST /token?grant_type=client_credentials", []string{basicIDs, "X-Api-Key: abcdefghijkl"}, "",
			}},
			token: "t1", expiry: time.Hour,
		},
	}
}

// in24h is a time as a service writes it.
func in24h() string { return time.Now().Add(24 * time.Hour).UTC().Format("2006-01-02T15:04:05.000Z") }

func logins() []provider {
	return []provider{
		{
			name: "Q-130 Metabase: token field id, own header",
			config: in(login.Config{Token: "body.id", Lifetime: 14 * 24 * time.Hour}, login.Step{
				Path: "/api/session", JSON: map[string]string{"username": "{{user}}", "password": "{{password}}"},
			}),
			replies: []http.Handler{reply(`{"id":"38f4939c-ad7f"}`)},
			calls:   []call{{"POST /api/session", []string{typeJSON}, `{"password":"p&w","username":"u@x"}`}},
			token:   "38f4939c-ad7f", expiry: 14 * 24 * time.Hour,
			send: bearer(auth.InHeader("X-Metabase-Session"), auth.NoPrefix()),
			sent: call{"GET /x", []string{"X-Metabase-Session: 38f4939c-ad7f", "Authorization:"}, ""},
		},
		{
			name: "Q-132 Jamf: POST with Basic and nothing else, an absolute date",
			config: in(at("body.token", "body.expires"), login.Step{
				Path: "/api/v1/auth/token", Basic: &login.Basic{User: "{{id}}", Password: "{{secret}}"},
			}),
			replies: []http.Handler{reply(`{"token":"t1","expires":"` + in24h() + `"}`)},
			calls:   []call{{"POST /api/v1/auth/token", []string{basicIDs, "Content-Length: 0", "Content-Type:"}, ""}},
			token:   "t1", expiry: 24 * time.Hour,
			send: bearer(), sent: call{"GET /x", []string{"Authorization: Bearer t1"}, ""},
		},
		{
			name: "Q-133 Perimeter 81: grantType api_key, absolute data.accessTokenExpire",
			config: in(at("body.data.accessToken", "body.data.accessTokenExpire"), login.Step{
				Path: "/api/v1/auth/authorize", JSON: map[string]string{"grantType": "api_key", "apiKey": "{{key}}"},
			}),
			replies: []http.Handler{reply(`{"data":{"accessToken":"t1","accessTokenExpire":` + epoch(24*time.Hour) + `}}`)},
			calls: []call{{
				"POST /api/v1/auth/authorize", []string{typeJSON}, `{"apiKey":"abcdefghijkl","grantType":"api_key"}`,
			}},
			token: "t1", expiry: 24 * time.Hour,
		},
		{
			name: "Q-134 Toast: a constant in the login, nested token and expiry",
			config: in(at("body.token.accessToken", "body.token.expiresIn"), login.Step{
				Path: "/authentication/v1/authentication/login", JSON: map[string]string{
					"clientId": "{{id}}", "clientSecret": "{{secret}}", "userAccessType": "TOAST_MACHINE_CLIENT",
				},
			}),
			replies: []http.Handler{reply(`{"token":{"expiresIn":86400,"accessToken":"t1"},"status":"SUCCESS"}`)},
			calls: []call{{
				"POST /authentication/v1/authentication/login", []string{typeJSON},
				`{"clientId":"id","clientSecret":"sec","userAccessType":"TOAST_MACHINE_CLIENT"}`,
			}},
			token: "t1", expiry: 24 * time.Hour,
		},
		{
			name: "Q-135 N-able: a long-lived token as Bearer on the token call",
			config: in(at("body.tokens.access.token", "body.tokens.access.expirySeconds"), login.Step{
				Path: "/api/auth/authenticate", Header: login.Fields("Authorization", "Bearer {{key}}"),
			}),
			replies: []http.Handler{reply(`{"tokens":{"access":{"token":"t1","expirySeconds":3600},"refresh":{"token":"r1"}}}`)},
			calls:   []call{{"POST /api/auth/authenticate", []string{"Authorization: Bearer abcdefghijkl"}, ""}},
			token:   "t1", expiry: time.Hour,
		},
		{
			name: "Q-143 Veeva: form login, raw session id",
			config: in(login.Config{Token: "body.sessionId", Lifetime: 20 * time.Minute}, login.Step{
				Path: "/api/v25.1/auth", Form: login.Fields("username", "{{user}}", "password", "{{password}}"),
				Ok: "body.responseStatus == 'SUCCESS'",
			}),
			replies: []http.Handler{reply(`{"responseStatus":"SUCCESS","sessionId":"s1"}`)},
			calls:   []call{{"POST /api/v25.1/auth", []string{typeForm}, "username=u%40x&password=p%26w"}},
			token:   "s1", expiry: 20 * time.Minute,
			send: bearer(auth.NoPrefix()), sent: call{"GET /x", []string{"Authorization: s1"}, ""},
		},
		{
			name: "Q-153 Semble: a GraphQL mutation, own header",
			config: in(endless("body.data.signIn.token"), login.Step{Path: "/graphql", JSON: map[string]any{
				"query":     "mutation($e:String!,$p:String!){signIn(email:$e,password:$p){token}}",
				"variables": map[string]string{"e": "{{user}}", "p": "{{password}}"},
			}}),
			replies: []http.Handler{reply(`{"data":{"signIn":{"token":"t1"}}}`)},
			calls: []call{{
				"POST /graphql", []string{typeJSON},
				`{"query":"mutation($e:String!,$p:String!){signIn(email:$e,password:$p){token}}",` +
					`"variables":{"e":"u@x","p":"p&w"}}`,
			}},
			token: "t1",
			send:  bearer(auth.InHeader("X-Token"), auth.NoPrefix()), sent: call{"GET /x", []string{"X-Token: t1"}, ""},
		},
		{
			name: "Q-154 shopVOX: session token in the query, and an id of the answer",
			config: in(login.Config{
				Token: "body.token", NeverExpires: true, Extra: map[string]string{"account": "body.account_id"},
			}, login.Step{Path: "/v1/sessions", JSON: map[string]string{"email": "{{user}}", "password": "{{password}}"}}),
			replies: []http.Handler{reply(`{"token":"t1","account_id":9007199254740993}`)},
			calls:   []call{{"POST /v1/sessions", []string{typeJSON}, `{"email":"u@x","password":"p&w"}`}},
			token:   "t1",
			send: func(src auth.TokenSource) auth.Authenticator {
				return auth.TokenFunc(src, func(req *http.Request, t *auth.Token) error {
					req.URL.RawQuery = "authToken=" + t.Value.Reveal() + "&account_id=" + t.Extra["account"].Reveal()
					return nil
				})
			},
			sent: call{"GET /x?authToken=t1&account_id=9007199254740993", []string{"Authorization:"}, ""},
		},
		{
			name: "Q-155 Yotpo: token in an own header",
			config: in(endless("body.access_token"), login.Step{
				Path: "/core/v3/token", JSON: map[string]string{"secret": "{{secret}}"},
			}),
			replies: []http.Handler{reply(`{"access_token":"t1"}`)},
			calls:   []call{{"POST /core/v3/token", []string{typeJSON}, `{"secret":"sec"}`}},
			token:   "t1",
			send:    bearer(auth.InHeader("X-Yotpo-Token"), auth.NoPrefix()),
			sent:    call{"GET /x", []string{"X-Yotpo-Token: t1", "Authorization:"}, ""},
		},
		{
			name: "Q-156 Breezy: token raw in Authorization",
			config: in(endless("body.access_token"), login.Step{
				Path: "/v3/signin", JSON: map[string]string{"email": "{{user}}", "password": "{{password}}"},
			}),
			replies: []http.Handler{reply(`{"access_token":"t1"}`)},
			calls:   []call{{"POST /v3/signin", []string{typeJSON}, `{"email":"u@x","password":"p&w"}`}},
			token:   "t1",
			send:    bearer(auth.NoPrefix()), sent: call{"GET /x", []string{"Authorization: t1"}, ""},
		},
		{
			name: "Q-157 Sage Intacct: XML in both directions, an absolute time-out",
			config: in(at("body.response.operation.result.data.api.sessionid",
				"body.response.operation.authentication.sessiontimeout"), login.Step{
				Path: "/ia/xml/xmlgw.phtml", XML: `<request><login><userid>{{user}}</userid>` +
					`<password>{{password}}</password></login></request>`,
				Ok: "body.response.operation.result.status == 'success'",
			}),
			replies: []http.Handler{connectiontest.Text(200, `<?xml version="1.0" encoding="UTF-8"?><response><operation>`+
				`<authentication><sessiontimeout>`+in24h()+`</sessiontimeout></authentication><result><status>success</status>`+
				`<data><api><sessionid>s1</sessionid></api></data></result></operation></response>`).
				Header("Content-Type", "text/xml; encoding=\"UTF-8\"")},
			calls: []call{{
				"POST /ia/xml/xmlgw.phtml", []string{"Content-Type: application/xml"},
				`<request><login><userid>u@x</userid><password>p&amp;w</password></login></request>`,
			}},
			token: "s1", expiry: 24 * time.Hour,
		},
		{
			name: "Q-158 BILL: JSON login with devKey, 35 minutes assumed",
			config: in(login.Config{Token: "body.sessionId", Lifetime: 35 * time.Minute}, login.Step{
				Path: "/connect/v3/login",
				JSON: map[string]string{"username": "{{user}}", "password": "{{password}}", "devKey": "{{key}}"},
			}),
			replies: []http.Handler{reply(`{"sessionId":"s1"}`)},
			calls: []call{{
				"POST /connect/v3/login", []string{typeJSON},
				`{"devKey":"abcdefghijkl","password":"p&w","username":"u@x"}`,
			}},
			token: "s1", expiry: 35 * time.Minute,
			send: bearer(auth.InHeader("sessionId"), auth.NoPrefix()), sent: call{"GET /x", []string{"Sessionid: s1"}, ""},
		},
	}
}

// epoch is a time in seconds since 1970.
func epoch(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).Unix(), 10) }

// untilDate is how long it is until a day begins.
func untilDate(day string) time.Duration {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return -1
	}
	return time.Until(at)
}

func queries() []provider {
	return []provider{
		{
			name: "Q-136 Setmore: GET with the refresh token in the query, nested answer",
			config: in(at("body.data.token.access_token", "body.data.token.expires_in"), login.Step{
				Method: "GET", Path: "/api/v1/o/oauth2/token", Query: login.Fields("refreshToken", "{{key}}"),
			}),
			replies: []http.Handler{reply(`{"response":true,"data":{"token":{"access_token":"t1","expires_in":604800}}}`)},
			calls: []call{{
				"GET /api/v1/o/oauth2/token?refreshToken=abcdefghijkl", []string{"Content-Type:", "Content-Length:"}, "",
			}},
			token: "t1", expiry: 7 * 24 * time.Hour,
		},
		{
			name: "Q-137 Leapsome: GET with the secret in the query",
			config: in(at("body.token", "body.expires_in"), login.Step{
				Method: "GET", Path: "/v1/token", Query: login.Fields("secret", "{{password}}"),
			}),
			replies: []http.Handler{reply(`{"token":"t1","expires_in":"3600"}`)},
			calls:   []call{{"GET /v1/token?secret=p%26w", []string{"Content-Type:"}, ""}},
			token:   "t1", expiry: time.Hour,
		},
		{
			name: "Q-138 JobDiva: the whole body is the token",
			config: in(login.Config{Token: "body", Lifetime: 24 * time.Hour}, login.Step{
				Method: "GET", Path: "/apiv2/authenticate",
				Query: login.Fields("clientid", "{{id}}", "username", "{{user}}", "password", "{{password}}"),
			}),
			replies: []http.Handler{connectiontest.Text(200, "t1.t2-t3\n")},
			calls:   []call{{"GET /apiv2/authenticate?clientid=id&username=u%40x&password=p%26w", nil, ""}},
			token:   "t1.t2-t3", expiry: 24 * time.Hour,
			send: bearer(), sent: call{"GET /x", []string{"Authorization: Bearer t1.t2-t3"}, ""},
		},
		{
			name: "Q-140 Tripletex: the date is a parameter, the session a Basic password",
			config: func() login.Config {
				cfg := in(at("body.value.token", "body.value.expirationDate"), login.Step{
					Method: "PUT", Path: "/v2/token/session/:create", Query: login.Fields(
						"consumerToken", "{{secret}}", "employeeToken", "{{key}}", "expirationDate", "{{until}}"),
				})
				cfg.Compute = func(context.Context, map[string]string) (map[string]string, error) {
					return map[string]string{"until": "2026-08-30"}, nil
				}
				return cfg
			}(),
			replies: []http.Handler{reply(`{"value":{"token":"s1","expirationDate":"` + in24h()[:10] + `"}}`)},
			calls: []call{{
				"PUT /v2/token/session/:create?consumerToken=sec&employeeToken=abcdefghijkl&expirationDate=2026-08-30",
				[]string{"Content-Length: 0"}, "",
			}},
			token: "s1", expiry: untilDate(in24h()[:10]),
			send: func(src auth.TokenSource) auth.Authenticator {
				return auth.TokenFunc(src, func(req *http.Request, t *auth.Token) error {
					req.SetBasicAuth("0", t.Value.Reveal())
					return nil
				})
			},
			sent: call{"GET /x", []string{"Authorization: Basic MDpzMQ=="}, ""},
		},
		{
			name: "Q-142 Zscaler: key mixed with a timestamp, cookie session",
			config: func() login.Config {
				cfg := in(login.Config{Cookies: []string{"JSESSIONID"}, Lifetime: 30 * time.Minute}, login.Step{
					Path: "/api/v1/authenticatedSession", Raw: `{"apiKey":"{{mixed}}","username":"{{user}}",` +
						`"password":"{{password}}","timestamp":{{now}}}`, ContentType: "application/json",
				})
				cfg.Compute = zscaler
				return cfg
			}(),
			replies: []http.Handler{connectiontest.JSON(200, map[string]string{"authType": "ADMIN_LOGIN"}).
				Header("Set-Cookie", "JSESSIONID=A1B2; Path=/; Secure; HttpOnly")},
			calls: []call{{
				"POST /api/v1/authenticatedSession", []string{typeJSON},
				`{"apiKey":"aefbcdceehid","username":"u@x","password":"p&w","timestamp":1767323045123}`,
			}},
			token: "JSESSIONID=A1B2", expiry: 30 * time.Minute,
			send: login.SendCookies, sent: call{"GET /x", []string{"Cookie: JSESSIONID=A1B2", "Authorization:"}, ""},
		},
	}
}

// zscaler mixes the key with the time, as the service asks for.
func zscaler(_ context.Context, values map[string]string) (map[string]string, error) {
	const now = "1767323045123"
	key, high := values["key"], now[len(now)-6:]
	n := 0
	for _, c := range high {
		n = n*10 + int(c-'0')
	}
	low := strconv.Itoa(n >> 1)
	low = strings.Repeat("0", 6-len(low)) + low
	var mixed strings.Builder
	for _, c := range high {
		mixed.WriteByte(key[c-'0'])
	}
	for _, c := range low {
		mixed.WriteByte(key[c-'0'+2])
	}
	return map[string]string{"now": now, "mixed": mixed.String()}, nil
}

func severalSteps() []provider {
	fromJWT := login.Step{
		Path: "/services/oauth2/token",
		Form: login.Fields("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", "{{assertion}}"),
		Save: map[string]string{"first": "body.access_token", "instance": "body.instance_url"},
	}
	jwtForm := "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=h.p.s"
	return []provider{
		{
			name: "Q-145 DocuWare: two discoveries, then a password grant at the endpoint of the second",
			config: in(at("body.access_token", "body.expires_in"),
				login.Step{
					Method: "GET", Path: "/DocuWare/Platform/Home/IdentityServiceInfo",
					Save: map[string]string{"identity": "body.IdentityServiceUrl"},
				},
				login.Step{
					Method: "GET", URL: "{{identity}}/.well-known/openid-configuration",
					Save: map[string]string{"endpoint": "body.token_endpoint"},
				},
				login.Step{
					URL: "{{endpoint}}", Form: login.Fields("grant_type", "password", "username", "{{user}}",
						"password", "{{password}}", "client_id", "docuware.platform.net.client"),
				}),
			replies: []http.Handler{
				reply(`{"IdentityServiceUrl":"` + home + `/identity/"}`),
				reply(`{"token_endpoint":"` + home + `/identity/connect/token?v=2"}`),
				reply(`{"access_token":"t1","expires_in":3600}`),
			},
			calls: []call{
				{"GET /DocuWare/Platform/Home/IdentityServiceInfo", nil, ""},
				{"GET /identity/.well-known/openid-configuration", nil, ""},
				{
					"POST /identity/connect/token?v=2", []string{typeForm},
					"grant_type=password&username=u%40x&password=p%26w&client_id=docuware.platform.net.client",
				},
			},
			token: "t1", expiry: time.Hour,
		},
		{
			name: "Q-146 Salesforce Data Cloud: an assertion, then an exchange at the instance",
			config: in(login.Config{
				Token: "body.access_token", Expiry: "body.expires_in", Extra: map[string]string{"host": "body.instance_url"},
			}, fromJWT, login.Step{
				URL: "{{instance}}/services/a360/token", Form: login.Fields(
					"grant_type", "urn:salesforce:grant-type:external:cdp", "subject_token", "{{first}}",
					"subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
			}),
			replies: []http.Handler{
				reply(`{"access_token":"short1","instance_url":"` + home + `"}`),
				reply(`{"access_token":"t1","instance_url":"cdp.example.test","expires_in":7193}`),
			},
			calls: []call{
				{"POST /services/oauth2/token", []string{typeForm}, jwtForm},
				{
					"POST /services/a360/token", []string{typeForm},
					"grant_type=urn%3Asalesforce%3Agrant-type%3Aexternal%3Acdp&subject_token=short1" +
						"&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
				},
			},
			token: "t1", expiry: 2 * time.Hour,
		},
		{
			name: "Q-147 Sellercloud: a GET finds the host, then JSON login there",
			config: in(at("body.access_token", "body.expires_in"),
				login.Step{
					Method: "GET", Path: "/api/company", Query: login.Fields("name", "{{company}}"),
					Save: map[string]string{"api": "body.restApiEndpoint"},
				},
				login.Step{
					URL: "{{api}}/api/token", JSON: map[string]string{"Username": "{{user}}", "Password": "{{password}}"},
				}),
			replies: []http.Handler{
				reply(`{"restApiEndpoint":"` + home + `/rest"}`), reply(`{"access_token":"t1","expires_in":3599}`),
			},
			calls: []call{
				{"GET /api/company?name=0", nil, ""},
				{"POST /rest/api/token", []string{typeJSON}, `{"Password":"p&w","Username":"u@x"}`},
			},
			token: "t1", expiry: time.Hour,
		},
		{
			name: "Q-148 Adaptive Planning: an assertion, then GET another token",
			config: in(login.Config{Token: "body.adaptiveAPIAccessToken", Lifetime: time.Hour},
				login.Step{Path: fromJWT.Path, Form: fromJWT.Form, Save: map[string]string{"first": "body.access_token"}},
				login.Step{Method: "GET", Path: "/adaptive/token", Header: login.Fields("Authorization", "Bearer {{first}}")},
			),
			replies: []http.Handler{reply(`{"access_token":"a1"}`), reply(`{"adaptiveAPIAccessToken":"t1"}`)},
			calls: []call{
				{"POST /services/oauth2/token", []string{typeForm}, jwtForm},
				{"GET /adaptive/token", []string{"Authorization: Bearer a1"}, ""},
			},
			token: "t1", expiry: time.Hour,
		},
		{
			name: "Q-169 GitHub App: a JWT as Bearer on the token call, expires_at",
			config: in(at("body.token", "body.expires_at"), login.Step{
				Path:   "/app/installations/{{company}}/access_tokens",
				Header: login.Fields("Authorization", "Bearer {{assertion}}", "Accept", "application/vnd.github+json"),
			}),
			replies: []http.Handler{connectiontest.Text(201, `{"token":"ghs_1","expires_at":"`+in24h()+`"}`).
				Header("Content-Type", "application/json; charset=utf-8")},
			calls: []call{{
				"POST /app/installations/0/access_tokens",
				[]string{"Authorization: Bearer h.p.s", "Accept: application/vnd.github+json"}, "",
			}},
			token: "ghs_1", expiry: 24 * time.Hour,
			send: bearer(), sent: call{"GET /x", []string{"Authorization: Bearer ghs_1"}, ""},
		},
	}
}

func renewals() []provider {
	long := &auth.Token{Value: secrets.Static("long1"), Refresh: secrets.Static("r1")}
	return []provider{
		{
			name: "Q-151 Salesmsg: the access token is the refresh token, and there is no login",
			config: login.Config{
				BaseURL: home, Renew: []login.Step{{
					Path: "/pub/v2.1/refresh", Header: login.Fields("Authorization", "Bearer {{token}}"),
				}}, Token: "body.access_token", Expiry: "body.expires_in",
			},
			prev:    long,
			replies: []http.Handler{reply(`{"access_token":"long2","expires_in":3600}`)},
			calls:   []call{{"POST /pub/v2.1/refresh", []string{"Authorization: Bearer long1"}, ""}},
			token:   "long2", refresh: "r1", expiry: time.Hour,
		},
		{
			name:    "Q-152 Timify: refreshtoken, at another URL",
			config:  withRenewal("/auth/refresh", "refreshtoken"),
			prev:    long,
			replies: []http.Handler{reply(`{"accessToken":"t2","refreshToken":"r2"}`)},
			calls:   []call{{"POST /auth/refresh", []string{typeJSON}, `{"refreshtoken":"r1"}`}},
			token:   "t2", refresh: "r2", expiry: time.Hour,
		},
		{
			name:    "Q-152 Aspire: RefreshToken, and the answer brings no new one",
			config:  withRenewal("/Authorization/RefreshToken", "RefreshToken"),
			prev:    long,
			replies: []http.Handler{reply(`{"accessToken":"t2"}`)},
			calls:   []call{{"POST /Authorization/RefreshToken", []string{typeJSON}, `{"RefreshToken":"r1"}`}},
			token:   "t2", refresh: "r1", expiry: time.Hour,
		},
	}
}

// withRenewal is a login whose answers are renewed at another path.
func withRenewal(path, field string) login.Config {
	cfg := in(login.Config{Token: "body.accessToken", Refresh: "body.refreshToken", Lifetime: time.Hour}, login.Step{
		Path: "/auth/login", JSON: map[string]string{"user": "{{user}}", "password": "{{password}}"},
	})
	cfg.Renew = []login.Step{{Path: path, JSON: map[string]string{field: "{{refresh}}"}}}
	return cfg
}
