package conformance_test

import (
	"context"
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestProvidersLogin(t *testing.T) {
	t.Parallel()
	runProviders(t, loginProviders())
}

// loginProviders are the rows about services with a login of their own.
func loginProviders() []provider {
	return slices.Concat(jsonLogins(), ownLogins(), queryLogins(), severalSteps(), renewedLogins())
}

// with is a Config at authOrigin, with the names that the rows use.
func with(cfg login.Config) login.Config {
	cfg.BaseURL = authOrigin
	cfg.Params = map[string]string{"id": "client-7", "user": "ann@acme", "company": "acme"}
	cfg.Secrets = map[string]secrets.Provider{"key": theKey, "password": theSecond}
	return cfg
}

// signIn is a login of those steps.
func signIn(cfg login.Config, steps ...login.Step) auth.Grant {
	cfg = with(cfg)
	cfg.Steps = steps
	return login.New(cfg)
}

// renewal is a login that there is no first time of.
func renewal(cfg login.Config, steps ...login.Step) login.Config {
	cfg = with(cfg)
	cfg.Renew = steps
	return cfg
}

func renewing(cfg login.Config, steps ...login.Step) auth.Grant {
	return login.New(renewal(cfg, steps...))
}

// computing is a login with values of the function, for those steps if there are any.
func computing(
	cfg login.Config, f func(values map[string]string) map[string]string, steps ...login.Step,
) auth.Grant {
	cfg.Compute = func(_ context.Context, values map[string]string) (map[string]string, error) { return f(values), nil }
	if len(steps) > 0 {
		return signIn(cfg, steps...)
	}
	return login.New(cfg)
}

// endless says where the token is, of which nobody knows when it ends, until where both are, and keeping where the
// refresh token is.
func endless(token string) login.Config { return login.Config{Token: token, NeverExpires: true} }

func until(token, expiry string) login.Config { return login.Config{Token: token, Expiry: expiry} }

func keeping(cfg login.Config, refresh string) login.Config {
	cfg.Refresh = refresh
	return cfg
}

func idAndKey() *login.Basic { return &login.Basic{User: "{{id}}", Password: "{{key}}"} }

func jsonLogins() []provider {
	get := []message{sends("GET /x", bearerLine)}
	userAndPassword := map[string]string{"username": "{{user}}", "password": "{{password}}"}
	const sent = `{"password":"` + secondText + `","username":"ann@acme"}`
	return []provider{
		{
			// A session of 14 days, in a header of its own, that the service may end before.
			id: "Q-130", what: "Metabase: a session that is rejected, and another", lives: 14 * aDay,
			open: managed(signIn(login.Config{Token: "body.id", Lifetime: 14 * aDay}, login.Step{
				Path: "/api/session", JSON: userAndPassword,
			}), bearer(auth.InHeader("X-Metabase-Session"), auth.NoPrefix())),
			replies: []http.Handler{connectiontest.Status(401), connectiontest.JSON(200, map[string]int{"id": 1})},
			want: []message{
				sends("GET /x", "X-Metabase-Session: "+tokenText), sends("GET /x", "X-Metabase-Session: "+newerText),
			},
			peers: issuer(turns(says(`{"id":"`+tokenText+`"}`), says(`{"id":"`+newerText+`"}`)),
				slices.Repeat([]message{sends("POST /api/session", typeJSON).with(sent)}, 2)...),
		},
		{
			id: "Q-133", what: "Perimeter 81: grantType, token and its absolute end in data", lives: aDay,
			open: bearing(signIn(login.Config{
				Token: "body.data.accessToken", Expiry: "body.data.accessTokenExpire", ExpiryForm: login.ExpiryEpochSeconds,
			}, login.Step{
				Path: "/api/v1/auth/authorize", JSON: map[string]string{"grantType": "api_key", "apiKey": "{{key}}"},
			})),
			want: get,
			peers: idp(says(`{"data":{"accessToken":"`+tokenText+`","accessTokenExpire":`+
				strconv.FormatInt(epoch().Add(aDay).Unix(), 10)+`}}`),
				sends("POST /api/v1/auth/authorize", typeJSON).with(`{"apiKey":"`+keyText+`","grantType":"api_key"}`)),
		},
		{
			// The default would renew before the third call.
			id: "Q-134", what: "Toast: a constant, nested token and lifetime, a buffer of 60 s, the tenant in a header",
			lives: time.Hour,
			open: bearing(signIn(until("body.token.accessToken", "body.token.expiresIn"), login.Step{
				Path: "/authentication/login", JSON: map[string]string{
					"clientId": "{{id}}", "clientSecret": "{{key}}", "userAccessType": "TOAST_MACHINE_CLIENT",
				},
			}), auth.RenewBefore(time.Minute)).and(connection.WithHeader("Toast-Restaurant-External-ID", "r-7")),
			calls: 3, pause: 11*time.Hour + 30*time.Minute,
			want: slices.Repeat([]message{sends("GET /x", bearerLine, "Toast-Restaurant-External-Id: r-7")}, 3),
			peers: idp(says(`{"token":{"expiresIn":86400,"accessToken":"`+tokenText+`"},"status":"SUCCESS"}`),
				sends("POST /authentication/login", typeJSON).with(`{"clientId":"client-7","clientSecret":"`+keyText+
					`","userAccessType":"TOAST_MACHINE_CLIENT"}`)),
		},
		{
			id: "Q-143", what: "Veeva: a form, status in the body, the bare session in Authorization",
			lives: 20 * time.Minute,
			open: managed(signIn(login.Config{Token: "body.sessionId", Lifetime: 20 * time.Minute}, login.Step{
				Path: "/api/v25.1/auth", Form: login.Fields("username", "{{user}}", "password", "{{password}}"),
				Ok: "body.responseStatus == 'SUCCESS'",
			}), bearer(auth.NoPrefix())),
			want: []message{sends("GET /x", "Authorization: "+tokenText)},
			peers: idp(says(`{"responseStatus":"SUCCESS","sessionId":"`+tokenText+`"}`), sends("POST /api/v25.1/auth",
				typeForm).with("username=ann%40acme&password="+secondInURL)),
		},
		{
			id: "Q-149", what: "Akeneo: Basic of the client, a password grant in JSON, an hour", lives: time.Hour,
			open: bearing(signIn(login.Config{Token: "body.access_token", Lifetime: time.Hour}, login.Step{
				Path: "/api/oauth/v1/token", Basic: idAndKey(),
				Raw:         `{"grant_type":"password","username":"{{user}}","password":"{{password}}"}`,
				ContentType: "application/json",
			})),
			want: get,
			peers: idp(says(`{"access_token":"`+tokenText+`"}`), sends("POST /api/oauth/v1/token", typeJSON,
				"Authorization: Basic "+b64("client-7:"+keyText)).
				with(`{"grant_type":"password","username":"ann@acme","password":"`+secondText+`"}`)),
		},
		{
			id: "Q-149", what: "Akeneo: the same of oauth2flow, with a lifetime of the manager", lives: time.Hour,
			open: bearing(oauth2flow.Password(app(func(c *oauth2flow.Client) {
				c.Auth, c.Encoding = oauth2flow.InHeaderRaw(), oauth2flow.JSON
			}), oauth2flow.ResourceOwner{Username: "ann@acme", Password: theSecond, AcceptRisk: true}),
				auth.DefaultLifetime(time.Hour)),
			want: get,
			peers: idp(says(`{"access_token":"`+tokenText+`"}`), sends("POST /token", typeJSON, asks,
				"Authorization: Basic "+b64("client-7:"+keyText)).
				with(`{"grant_type":"password","password":"`+secondText+`","username":"ann@acme"}`)),
		},
		{
			id: "Q-153", what: "Semble: a mutation of GraphQL, and a header of its own",
			open: managed(signIn(endless("body.data.signIn.token"), login.Step{Path: "/graphql", JSON: map[string]any{
				"query":     "mutation($e:String!,$p:String!){signIn(email:$e,password:$p){token}}",
				"variables": map[string]string{"e": "{{user}}", "p": "{{password}}"},
			}}), bearer(auth.InHeader("X-Token"), auth.NoPrefix())),
			want: []message{sends("GET /x", "X-Token: "+tokenText)},
			peers: idp(says(`{"data":{"signIn":{"token":"`+tokenText+`"}}}`), sends("POST /graphql", typeJSON).with(
				`{"query":"mutation($e:String!,$p:String!){signIn(email:$e,password:$p){token}}",`+
					`"variables":{"e":"ann@acme","p":"`+secondText+`"}}`)),
		},
		{
			id: "Q-158", what: "BILL: a developer key in the login and on all calls, 35 minutes assumed",
			lives: 35 * time.Minute,
			open: managed(signIn(login.Config{Token: "body.sessionId", Lifetime: 35 * time.Minute}, login.Step{
				Path: "/connect/v3/login",
				JSON: map[string]string{"username": "{{user}}", "password": "{{password}}", "devKey": "{{key}}"},
			}), func(src auth.TokenSource) auth.Authenticator {
				return auth.All(auth.Bearer(src, auth.InHeader("sessionId"), auth.NoPrefix()),
					auth.APIKey(theKey, auth.InHeader("devKey")))
			}),
			want: []message{sends("GET /x", "Sessionid: "+tokenText, "Devkey: "+keyText)},
			peers: idp(says(`{"sessionId":"`+tokenText+`"}`), sends("POST /connect/v3/login", typeJSON).with(
				`{"devKey":"`+keyText+`","password":"`+secondText+`","username":"ann@acme"}`)),
		},
	}
}

// ownLogins are neither JSON nor form, or send the token in a way of their own.
func ownLogins() []provider {
	const sent = `{"email":"ann@acme","password":"` + secondText + `"}`
	emailAndPassword := map[string]string{"email": "{{user}}", "password": "{{password}}"}
	basic := "Authorization: Basic " + b64("client-7:"+keyText)
	get := []message{sends("GET /x", bearerLine)}
	all := []provider{
		{
			id: "Q-132", what: "Jamf: a POST with Basic and nothing else, an absolute date", lives: aDay,
			open: bearing(signIn(until("body.token", "body.expires"), login.Step{
				Path: "/api/v1/auth/token", Basic: idAndKey(),
			})),
			want: get,
			peers: idp(says(`{"token":"`+tokenText+`","expires":"2000-01-02T00:00:00.000Z"}`),
				sends("POST /api/v1/auth/token", basic)),
		},
		{
			id: "Q-135", what: "N-able: a long-lived token as Bearer on the token call, answer nested thrice",
			lives: time.Hour,
			open: bearing(signIn(until("body.tokens.access.token", "body.tokens.access.expirySeconds"), login.Step{
				Path: "/api/auth/authenticate", Header: login.Fields("Authorization", "Bearer {{key}}"),
			})),
			want: get,
			peers: idp(says(`{"tokens":{"access":{"token":"`+tokenText+`","expirySeconds":3600},"refresh":{"token":"r"}}}`),
				sends("POST /api/auth/authenticate", "Authorization: Bearer "+keyText)),
		},
		{
			id: "Q-150", what: "Altrata: grant in the URL, Basic of a user, a key in a header of all calls", lives: time.Hour,
			open: managed(signIn(until("body.access_token", "body.expires_in"), login.Step{
				Path: "/token", Query: login.Fields("grant_type", "client_credentials"), Basic: idAndKey(),
				Header: login.Fields("X-Api-Key", "{{password}}"),
			}), func(src auth.TokenSource) auth.Authenticator {
				return auth.All(auth.Bearer(src), auth.APIKey(theSecond, auth.InHeader("X-Api-Key")))
			}),
			want: []message{sends("GET /x", bearerLine, "X-Api-Key: "+secondText)},
			peers: idp(oneHour(), sends("POST /token?grant_type=client_credentials", basic,
				"X-Api-Key: "+secondText)),
		},
		{
			id: "Q-154", what: "shopVOX: the session in the query, and an account of the answer",
			open: managed(signIn(login.Config{
				Token: "body.token", NeverExpires: true, Extra: map[string]string{"account": "body.account_id"},
			}, login.Step{Path: "/v1/sessions", JSON: emailAndPassword}),
				func(src auth.TokenSource) auth.Authenticator {
					return auth.TokenFunc(src, func(req *http.Request, t *auth.Token) error {
						req.URL.RawQuery = "authToken=" + t.Value.Reveal() + "&account_id=" + t.Extra["account"].Reveal()
						return nil
					})
				}),
			want: []message{sends("GET /x?authToken=" + tokenText + "&account_id=9007199254740993")},
			peers: idp(says(`{"token":"`+tokenText+`","account_id":9007199254740993}`),
				sends("POST /v1/sessions", typeJSON).with(sent)),
		},
		{
			id: "Q-157", what: "Sage Intacct: XML in both directions, an absolute time-out", lives: aDay,
			open: bearing(signIn(until("body.response.operation.result.data.api.sessionid",
				"body.response.operation.authentication.sessiontimeout"), login.Step{
				Path: "/ia/xml/xmlgw.phtml", XML: `<request><login><userid>{{user}}</userid>` +
					`<password>{{password}}</password></login></request>`,
				Ok: "body.response.operation.result.status == 'success'",
			})),
			want: get,
			peers: idp(connectiontest.Text(200, `<?xml version="1.0" encoding="UTF-8"?><response><operation>`+
				`<authentication><sessiontimeout>2000-01-02T00:00:00+00:00</sessiontimeout></authentication><result>`+
				`<status>success</status><data><api><sessionid>`+tokenText+`</sessionid></api></data></result></operation>`+
				`</response>`).Header("Content-Type", `text/xml; encoding="UTF-8"`),
				sends("POST /ia/xml/xmlgw.phtml", "Content-Type: application/xml").with(
					`<request><login><userid>ann@acme</userid><password>`+inXML(secondText)+`</password></login></request>`)),
		},
	}
	for _, p := range []struct{ id, who, header, sent string }{
		{"Q-155", "MIP", "Authorization-Token", "Authorization-Token"},
		{"Q-155", "Yotpo", "X-Yotpo-Token", "X-Yotpo-Token"},
		{"Q-155", "Passportal", "X-Access-Token", "X-Access-Token"},
		{"Q-156", "Breezy, Shopworks", "Authorization", "Authorization"},
	} {
		all = append(all, provider{
			id: p.id, what: p.who + ": the bare token in " + p.header,
			open: managed(signIn(endless("body.access_token"), login.Step{Path: "/signin", JSON: emailAndPassword}),
				bearer(auth.InHeader(p.header), auth.NoPrefix())),
			want:  []message{sends("GET /x", p.sent+": "+tokenText)},
			peers: idp(says(`{"access_token":"`+tokenText+`"}`), sends("POST /signin", typeJSON).with(sent)),
		})
	}
	return all
}

// inXML is text as it stands in an element.
func inXML(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text))
	return b.String()
}

func queryLogins() []provider {
	get := []message{sends("GET /x", bearerLine)}
	return []provider{
		{
			id: "Q-136", what: "Setmore: a GET with the refresh token in the query, a nested answer", lives: 7 * aDay,
			open: bearing(signIn(until("body.data.token.access_token", "body.data.token.expires_in"), login.Step{
				Method: "GET", Path: "/api/v1/o/oauth2/token", Query: login.Fields("refreshToken", "{{key}}"),
			})),
			want: get,
			peers: idp(says(`{"response":true,"data":{"token":{"access_token":"`+tokenText+`","expires_in":604800}}}`),
				sends("GET /api/v1/o/oauth2/token?refreshToken="+keyInURL)),
		},
		{
			id: "Q-137", what: "Leapsome: a GET with the secret in the query, the lifetime as a text", lives: time.Hour,
			open: bearing(signIn(until("body.token", "body.expires_in"), login.Step{
				Method: "GET", Path: "/v1/token", Query: login.Fields("secret", "{{key}}"),
			})),
			want:  get,
			peers: idp(says(`{"token":"`+tokenText+`","expires_in":"3600"}`), sends("GET /v1/token?secret="+keyInURL)),
		},
		{
			id: "Q-138", what: "JobDiva: a GET with user and password, and the whole body is the token", lives: aDay,
			open: bearing(signIn(login.Config{Token: "body", Lifetime: aDay}, login.Step{
				Method: "GET", Path: "/apiv2/authenticate",
				Query: login.Fields("clientid", "{{id}}", "username", "{{user}}", "password", "{{password}}"),
			})),
			want: get,
			peers: idp(connectiontest.Text(200, tokenText+"\n"),
				sends("GET /apiv2/authenticate?clientid=client-7&username=ann%40acme&password="+secondInURL)),
		},
		{
			id: "Q-140", what: "Tripletex: the end is a parameter, the session a password of Basic", lives: 7 * aDay,
			open: managed(computing(until("body.value.token", "body.value.expirationDate"),
				func(map[string]string) map[string]string {
					return map[string]string{"until": time.Now().Add(7 * aDay).Format(time.DateOnly)}
				}, login.Step{
					Method: "PUT", Path: "/v2/token/session/:create", Query: login.Fields(
						"consumerToken", "{{key}}", "employeeToken", "{{password}}", "expirationDate", "{{until}}"),
				}), func(src auth.TokenSource) auth.Authenticator {
				return auth.TokenFunc(src, func(req *http.Request, t *auth.Token) error {
					req.SetBasicAuth("0", t.Value.Reveal())
					return nil
				})
			}),
			want: []message{sends("GET /x", "Authorization: Basic "+b64("0:"+tokenText))},
			peers: idp(says(`{"value":{"token":"`+tokenText+`","expirationDate":"2000-01-08"}}`),
				sends("PUT /v2/token/session/:create?consumerToken="+keyInURL+"&employeeToken="+secondInURL+
					"&expirationDate=2000-01-08")),
		},
		zscaler(),
	}
}

// zscaler mixes the key with the time.
func zscaler() provider {
	const mixed, session = "aefbcdceehid", "A1B2-s3ssion"
	grant := with(login.Config{Cookies: []string{"JSESSIONID"}, Lifetime: 30 * time.Minute})
	grant.Secrets["mobile"] = secrets.Static("abcdefghijkl")
	grant.Steps = []login.Step{{
		Path: "/api/v1/authenticatedSession", ContentType: "application/json",
		Raw: `{"apiKey":"{{mixed}}","username":"{{user}}","password":"{{password}}","timestamp":{{now}}}`,
	}}
	return provider{
		id: "Q-142", what: "Zscaler: the key mixed with the time, and a session in a cookie", lives: 30 * time.Minute,
		open: managed(computing(grant, func(v map[string]string) map[string]string {
			const now = "1767323045123" // the time of the example in the documentation
			high := now[len(now)-6:]
			n, _ := strconv.Atoi(high)
			low := strconv.Itoa(n >> 1)
			low = strings.Repeat("0", 6-len(low)) + low
			var b strings.Builder
			for _, c := range high {
				b.WriteByte(v["mobile"][c-'0'])
			}
			for _, c := range low {
				b.WriteByte(v["mobile"][c-'0'+2])
			}
			return map[string]string{"mixed": b.String(), "now": now}
		}), func(src auth.TokenSource) auth.Authenticator { return login.SendCookies(src) }),
		want:    []message{sends("GET /x", "Cookie: JSESSIONID="+session)},
		secrets: []string{mixed, session},
		peers: idp(connectiontest.JSON(200, map[string]string{"authType": "ADMIN_LOGIN"}).
			Header("Set-Cookie", "JSESSIONID="+session+"; Path=/; Secure; HttpOnly"),
			sends("POST /api/v1/authenticatedSession", typeJSON).with(`{"apiKey":"`+mixed+
				`","username":"ann@acme","password":"`+secondText+`","timestamp":1767323045123}`)),
	}
}

func severalSteps() []provider {
	const tenantOrigin = "https://tenant7.example.test"
	get := []message{sends("GET /x", bearerLine)}
	at := until("body.access_token", "body.expires_in")
	answer := func(text string) []http.Handler { return []http.Handler{says(text)} }
	return []provider{
		{
			id: "Q-145", what: "DocuWare: two discoveries, then a password grant at the endpoint of the second",
			lives: time.Hour,
			open: bearing(signIn(at,
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
				})),
			want: get,
			peers: []peer{
				{
					origin: authOrigin, replies: answer(`{"IdentityServiceUrl":"` + tenantOrigin + `/identity/"}`),
					want: []message{sends("GET /DocuWare/Platform/Home/IdentityServiceInfo")}, common: tokenFields(),
				},
				{
					origin: tenantOrigin, common: tokenFields(),
					replies: []http.Handler{
						says(`{"token_endpoint":"` + tenantOrigin + `/identity/connect/token?v=2"}`), oneHour(),
					},
					want: []message{
						sends("GET /identity/.well-known/openid-configuration"),
						sends("POST /identity/connect/token?v=2", typeForm).with("grant_type=password&username=ann%40acme" +
							"&password=" + secondInURL + "&client_id=docuware.platform.net.client"),
					},
				},
			},
		},
		dataCloud(),
		{
			id: "Q-147", what: "Sellercloud: a GET finds the host of the tenant, and the login is there", lives: time.Hour,
			open: bearing(signIn(at,
				login.Step{
					Method: "GET", Path: "/api/company", Query: login.Fields("name", "{{company}}"),
					Save: map[string]string{"api": "body.restApiEndpoint"},
				},
				login.Step{
					URL: "{{api}}/api/token", JSON: map[string]string{"Username": "{{user}}", "Password": "{{password}}"},
				})),
			want: get,
			peers: []peer{
				{
					origin: authOrigin, replies: answer(`{"restApiEndpoint":"` + tenantOrigin + `/rest"}`),
					want: []message{sends("GET /api/company?name=acme")}, common: tokenFields(),
				},
				{
					origin: tenantOrigin, replies: []http.Handler{oneHour()}, common: tokenFields(),
					want: []message{sends("POST /rest/api/token", typeJSON).with(
						`{"Password":"` + secondText + `","Username":"ann@acme"}`)},
				},
			},
		},
	}
}

// dataCloud exchanges the token of an OAuth grant where the answer to that says.
func dataCloud() provider {
	const tenantOrigin = "https://tenant7.example.test"
	return provider{
		id: "Q-146", what: "Salesforce Data Cloud: a grant of OAuth, then an exchange at the instance of its answer",
		lives: 2 * time.Hour,
		open: bearing(login.New(login.Config{
			Start: oauth2flow.Assertion(app(), oauth2flow.JWTBearer, oauth2flow.JWT{
				Key: private(rsaKey()), Issuer: "client-7", Subject: "ann@acme", Audience: []string{authOrigin}, NoID: true,
			}),
			Steps: []login.Step{{
				URL: "{{instance_url}}/services/a360/token", Form: login.Fields(
					"grant_type", "urn:salesforce:grant-type:external:cdp", "subject_token", "{{token}}",
					"subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
			}},
			Token: "body.access_token", Expiry: "body.expires_in",
		})),
		want: []message{sends("GET /x", bearerLine)}, jwt: signedBy(jose.RS256, rsaKey().Public()),
		peers: []peer{
			{
				origin: authOrigin, common: tokenFields(),
				replies: []http.Handler{says(`{"access_token":"` + newerText + `","instance_url":"` + tenantOrigin + `"}`)},
				want: []message{tokenCall("POST /token", `assertion={"alg":"RS256","typ":"JWT"}.{"aud":"`+authOrigin+
					`","exp":946684860,"iat":946684800,"iss":"client-7","sub":"ann@acme"}&`+inBody+"&"+jwtBearer)},
			},
			{
				origin: tenantOrigin, common: tokenFields(),
				replies: []http.Handler{says(`{"access_token":"` + tokenText + `","expires_in":7200}`)},
				want: []message{sends("POST /services/a360/token", typeForm).with(
					"grant_type=urn%3Asalesforce%3Agrant-type%3Aexternal%3Acdp&subject_token=" + newerText +
						"&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token")},
			},
		},
	}
}

// renewedLogins renew in a form of their own what the login has brought.
func renewedLogins() []provider {
	renewed := func(path, field string) auth.Grant {
		cfg := with(login.Config{Token: "body.accessToken", Refresh: "body.refreshToken", Lifetime: time.Hour})
		cfg.Steps = []login.Step{{
			Path: "/auth/login", JSON: map[string]string{"user": "{{user}}", "password": "{{password}}"},
		}}
		cfg.Renew = []login.Step{{Path: path, JSON: map[string]string{field: "{{refresh}}"}}}
		return login.New(cfg)
	}
	first := says(`{"accessToken":"` + tokenText + `","refreshToken":"` + refreshText + `"}`)
	sent := sends("POST /auth/login", typeJSON).with(`{"password":"` + secondText + `","user":"ann@acme"}`)
	both := []message{sends("GET /x", bearerLine), sends("GET /x", "Authorization: Bearer "+newerText)}
	return []provider{
		{
			id: "Q-090", what: "COROS: the answer to a refresh has no token, and the one that there is lives on",
			lives: 30 * aDay, refresh: refreshText,
			open: bearing(renewing(login.Config{Token: "token", Lifetime: 30 * aDay}, login.Step{
				Path: "/oauth2/refresh-token", Ok: "body.result == '0000'",
				Form: login.Fields("client_id", "{{id}}", "client_secret", "{{key}}",
					"grant_type", "refresh_token", "refresh_token", "{{refresh}}"),
			}), auth.Seed(auth.Token{
				Value: secrets.Static(tokenText), Refresh: secrets.Static(refreshText), Expiry: epoch().Add(time.Hour),
			})),
			calls: 2, pause: 2 * time.Hour, want: []message{both[0], both[0]},
			peers: idp(says(`{"result":"0000","message":"OK"}`), sends("POST /oauth2/refresh-token", typeForm).
				with(inBody+"&grant_type=refresh_token&refresh_token="+refreshText)),
		},
		{
			id: "Q-151", what: "Salesmsg: the access token is the refresh token, and there is no login", lives: time.Hour,
			open: bearing(renewing(until("body.access_token", "body.expires_in"), login.Step{
				Path: "/pub/v2.1/refresh", Header: login.Fields("Authorization", "Bearer {{token}}"),
			}), auth.Seed(auth.Token{Value: secrets.Static(tokenText), Expiry: epoch().Add(time.Hour)})),
			calls: 2, pause: 2 * time.Hour, want: both,
			peers: idp(says(`{"access_token":"`+newerText+`","expires_in":3600}`),
				sends("POST /pub/v2.1/refresh", bearerLine)),
		},
		{
			id: "Q-152", what: "Timify: refreshtoken, at another URL", lives: time.Hour, refresh: renewedText,
			open:  bearing(renewed("/auth/refresh", "refreshtoken")),
			calls: 2, pause: 2 * time.Hour, want: both,
			peers: issuer(turns(first,
				says(`{"accessToken":"`+newerText+`","refreshToken":"`+renewedText+`"}`)),
				sent, sends("POST /auth/refresh", typeJSON).with(`{"refreshtoken":"`+refreshText+`"}`)),
		},
		{
			id: "Q-152", what: "Aspire: RefreshToken, and the answer brings no new one", lives: time.Hour,
			refresh: refreshText,
			open:    bearing(renewed("/Authorization/RefreshToken", "RefreshToken")),
			calls:   2, pause: 2 * time.Hour, want: both,
			peers: issuer(turns(first, says(`{"accessToken":"`+newerText+`"}`)),
				sent, sends("POST /Authorization/RefreshToken", typeJSON).with(`{"RefreshToken":"`+refreshText+`"}`)),
		},
	}
}
