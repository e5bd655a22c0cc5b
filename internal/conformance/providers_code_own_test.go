package conformance_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/signing"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// codeOwn have calls that are not those of the standard. They are logins of auth/login in the place of Exchange, Then
// or Renew, but for two: Shopline signs the body, and Salesforce tells the lifetime by introspection, which are
// functions.
func codeOwn() []codeLogin {
	return []codeLogin{
		walmartCode(), shoplineCode(), followUpBoss(), stripeApp(), salesforceCode(), corosCode(), facebookCode(),
		instagramCode(), agiloft(), revolutCode(), absorb(), gongCode(), bullhornCode(),
	}
}

// ownAnswer says where an answer of the standard has what it brings.
func ownAnswer() login.Config {
	return keeping(until("body.access_token", "body.expires_in"), "body.refresh_token")
}

// withoutPKCE is what the authorization URL has without it.
func withoutPKCE(others ...string) []string {
	return append([]string{"-code_challenge", "-code_challenge_method"}, others...)
}

// codeStep and refreshStep are the calls of the standard as steps of a login, with further fields of their form.
func codeStep(path string, fields ...string) login.Step {
	return login.Step{Path: path, Form: login.Fields(append([]string{
		"grant_type", "authorization_code", "code", "{{token}}", "redirect_uri", "{{redirect_uri}}",
	}, fields...)...)}
}

func refreshStep(path string, fields ...string) login.Step {
	return login.Step{Path: path, Form: login.Fields(append([]string{
		"grant_type", "refresh_token", "refresh_token", "{{refresh}}",
	}, fields...)...)}
}

// codeFields and refreshFields are the forms of codeStep and refreshStep.
const refreshFields = "grant_type=refresh_token&refresh_token=" + refreshText

func codeFields() string {
	return "grant_type=authorization_code&code=" + codeText + "&redirect_uri=" + url.QueryEscape(callbackURI)
}

func basicRaw() string { return "Authorization: Basic " + b64("client-7:"+keyText) }

// walmartCode has an id of its own for each call, and a nonce for each login, which takes Rewrite.
func walmartCode() codeLogin {
	line := func(n string) string { return "Wm_qos.correlation_id: correlation-" + n }
	token := func(text string) string { return "Wm_sec.access_token: " + text }
	return codeLogin{
		id: "Q-069", what: "Walmart: names in camel case, a nonce, WM headers on all calls", later: 2 * time.Hour,
		setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			logins := 0
			grant := func(step login.Step) auth.Grant {
				step.Basic = idAndKey()
				step.Header = login.Fields("WM_SVC.NAME", "Acme", "WM_QOS.CORRELATION_ID", "{{correlation}}")
				return computing(renewal(ownAnswer(), step), func(map[string]string) map[string]string {
					logins++
					return map[string]string{"correlation": "correlation-" + strconv.Itoa(logins)}
				})
			}
			a.Exchange, a.Renew = grant(codeStep("/v3/token")), grant(refreshStep("/v3/token"))
			a.Names = map[string]string{
				"response_type": "responseType", "client_id": "clientId", "redirect_uri": "redirectUri",
			}
			a.PKCE, a.Rewrite, a.Keep = oauth2flow.PKCENone, newNonce, []string{"sellerId"}
		},
		asked: withoutPKCE("-response_type", "responseType=code", "-client_id", "clientId=client-7", "-redirect_uri",
			"redirectUri="+callbackURI, "nonce=NONCE"),
		answer: []string{"sellerId=10001234"}, extra: map[string]string{"sellerId": "10001234"},
		calls: []message{
			sends("POST /v3/token", typeForm, basicRaw(), "Wm_svc.name: Acme", line("1")).with(codeFields()),
			sends("POST /v3/token", typeForm, basicRaw(), "Wm_svc.name: Acme", line("2")).with(refreshFields),
		},
		send: func(src auth.TokenSource) auth.Authenticator {
			calls := 0
			return auth.All(auth.Bearer(src, auth.InHeader("WM_SEC.ACCESS_TOKEN"), auth.NoPrefix()),
				auth.Func(func(req *http.Request) error {
					calls++
					req.Header.Set("Wm_qos.correlation_id", "correlation-"+strconv.Itoa(calls))
					return nil
				}))
		},
		want: []message{sends("GET /x", token(tokenText), line("1")), sends("GET /x", token(newerText), line("2"))},
	}
}

// shoplineCode signs body and time, of which no template knows.
func shoplineCode() codeLogin {
	sign := func(body, at string) string {
		mac := hmac.New(sha256.New, []byte(keyText))
		mac.Write([]byte(body + at))
		return hex.EncodeToString(mac.Sum(nil))
	}
	call := func(path, body, at string) message {
		return sends("POST "+path, append(commonFields(), typeJSON, "Appkey: app-7", "Timestamp: "+at,
			"Sign: "+sign(body, at))...).with(body)
	}
	answer := func(token, end string) http.Handler {
		return says(`{"code":200,"data":{"accessToken":"` + token + `","expireTime":"` + end + `"}}`)
	}
	code := `{"code":"` + codeText + `"}`
	return codeLogin{
		id: "Q-070", what: "Shopline: the state under another name, signed calls, no refresh token", later: 25 * time.Hour,
		setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			a.Names = map[string]string{
				"client_id": "appKey", "response_type": "responseType", "redirect_uri": "redirectUri", "state": "customField",
			}
			a.PKCE = oauth2flow.PKCENone
		},
		prepare: func(s *scene, a *oauth2flow.Authorization) {
			a.Exchange = shoplineGrant(s, "/admin/oauth/token/create", func(t *auth.Token) any {
				return map[string]string{"code": t.Value.Reveal()}
			})
			a.Renew = shoplineGrant(s, "/admin/oauth/token/refresh", func(*auth.Token) any { return map[string]string{} })
		},
		asked: withoutPKCE("-client_id", "appKey=client-7", "-response_type", "responseType=code", "-redirect_uri",
			"redirectUri="+callbackURI, "-state", "customField=STATE"),
		replies: turns(answer(tokenText, "2000-01-02T00:00:00+00:00"), answer(newerText, "2000-01-03T01:00:00+00:00")),
		calls: []message{
			call("/admin/oauth/token/create", code, "946684800000"), call("/admin/oauth/token/refresh", `{}`, "946774800000"),
		},
		secrets: []string{sign(code, "946684800000")}, lives: 24 * time.Hour,
	}
}

// shoplineGrant posts what body makes of a token, signed.
func shoplineGrant(s *scene, path string, body func(t *auth.Token) any) auth.Grant {
	s.Helper()
	idp, err := connection.New(authOrigin, s.net.Option(), connection.WithAuth(auth.All(
		auth.APIKey(secrets.Static("app-7"), auth.InHeader("Appkey")),
		signing.New(signing.Config{
			Secret:    theKey,
			Message:   []signing.Part{signing.Body(), signing.Timestamp()},
			Timestamp: signing.TimestampField{Header: "Timestamp", Format: signing.UnixMilliseconds},
			Place:     []auth.PlaceOption{auth.InHeader("Sign")},
		}))))
	s.NoError(err)
	s.Cleanup(func() { _ = idp.Close() })
	type answer struct {
		Data struct {
			Token  string    `json:"accessToken"`
			Expiry time.Time `json:"expireTime"`
		} `json:"data"`
	}
	return auth.GrantFunc(func(ctx context.Context, t *auth.Token) (*auth.Token, error) {
		got, err := request.Do[answer](ctx, request.Post(idp, path).JSON(body(t)))
		if err != nil {
			return nil, err
		}
		return &auth.Token{Value: secrets.Static(got.Data.Token), Expiry: got.Data.Expiry}, nil
	})
}

// followUpBoss wants the state again in the call with the code.
func followUpBoss() codeLogin {
	return codeLogin{
		id: "Q-072", what: "Follow Up Boss: response_type=auth_code, and the state in the call", later: 2 * time.Hour,
		setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
			c.Auth = oauth2flow.InHeader()
			a.Names, a.PKCE = map[string]string{"response_type": ""}, oauth2flow.PKCENone
			a.Params = oauth2flow.NewParams("response_type", "auth_code")
			step := codeStep("/oauth/token", "state", "{{state}}")
			step.Basic = idAndKey()
			a.Exchange = renewing(ownAnswer(), step)
		},
		asked: withoutPKCE("response_type=auth_code"),
		calls: []message{
			sends("POST /oauth/token", typeForm, basicRaw()).with(codeFields() + "&state=" + stateMark),
			tokenCall("POST /token", refreshForm(inBasic()...), basicLine()),
		},
	}
}

func stripeApp() codeLogin {
	cfg := login.Config{Token: "body.access_token", Lifetime: time.Hour, Refresh: "body.refresh_token"}
	secret := "Authorization: Basic " + b64(keyText+":")
	return codeLogin{
		id: "Q-082", what: "Stripe Apps: the secret is the user of Basic, and an hour is assumed", later: 2 * time.Hour,
		setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			code, refresh := codeStep("/v1/oauth/token"), refreshStep("/v1/oauth/token")
			code.Basic, refresh.Basic = &login.Basic{User: "{{key}}"}, &login.Basic{User: "{{key}}"}
			a.Exchange, a.Renew, a.PKCE = renewing(cfg, code), renewing(cfg, refresh), oauth2flow.PKCENone
		},
		asked: withoutPKCE(),
		replies: turns(says(`{"access_token":"`+tokenText+`","refresh_token":"`+refreshText+`"}`),
			says(`{"access_token":"`+newerText+`","refresh_token":"`+renewedText+`"}`)),
		calls: []message{
			sends("POST /v1/oauth/token", typeForm, secret).with(codeFields()),
			sends("POST /v1/oauth/token", typeForm, secret).with(refreshFields),
		},
		refresh: renewedText, lives: time.Hour,
	}
}

// salesforceCode has the lifetime of its token from introspection, at the instance that the token names.
func salesforceCode() codeLogin {
	const instance = "https://acme.my.test"
	active := func(end time.Time) http.Handler {
		return says(`{"active":true,"exp":` + strconv.FormatInt(end.Unix(), 10) + `}`)
	}
	answer := func(token string) string { return `{"access_token":"` + token + `","instance_url":"` + instance + `"` }
	asked := func(token string) message {
		return sends("POST /services/oauth2/introspect", "User-Agent: Go-http-client/1.1", typeForm, asks).with(
			inBody + "&token=" + token + "&token_type_hint=access_token")
	}
	ok := connectiontest.JSON(http.StatusOK, map[string]int{"id": 1})
	return codeLogin{
		id: "Q-084", what: "Salesforce: the API is at the instance, which tells when the token ends", later: 3 * time.Hour,
		prepare: func(s *scene, a *oauth2flow.Authorization) {
			client := app()
			client.Endpoint = auth.Endpoint{Client: &http.Client{Transport: s.net.Transport()}}
			a.Then = auth.GrantFunc(func(ctx context.Context, t *auth.Token) (*auth.Token, error) {
				c := client
				c.IntrospectionURL = t.Extra["instance_url"].Reveal() + "/services/oauth2/introspect"
				told, err := oauth2flow.Introspect(ctx, c, t.Value, "access_token")
				if err != nil {
					return nil, err
				}
				next := *t
				next.Expiry = told.Expiry
				return &next, nil
			})
		},
		replies: turns(says(answer(tokenText)+`,"refresh_token":"`+refreshText+`"}`), says(answer(newerText)+`}`)),
		calls:   []message{tokenCall("POST /token", codeForm()), tokenCall("POST /token", refreshForm())},
		at:      func(t *auth.Token) string { return t.Extra["instance_url"].Reveal() }, host: instance,
		apiReplies: turns(active(epoch().Add(2*time.Hour)), ok, active(epoch().Add(5*time.Hour)), ok),
		want: []message{
			asked(tokenText), sends("GET /x", bearerLine), asked(newerText), sends("GET /x", newerLine),
		},
		refresh: refreshText, lives: 2 * time.Hour,
	}
}

func corosCode() codeLogin {
	return codeLogin{
		id: "Q-090", what: "COROS: a refresh extends the token that there is", later: 2 * time.Hour,
		setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			step := refreshStep("/oauth2/refresh-token", "client_id", "{{id}}", "client_secret", "{{key}}")
			step.Ok = "body.result == '0000'"
			a.Renew = renewing(login.Config{Token: "token", Lifetime: 30 * aDay}, step)
		},
		replies: turns(codeReplies()[0], says(`{"result":"0000","message":"OK"}`)),
		calls: []message{
			tokenCall("POST /token", codeForm()),
			sends("POST /oauth2/refresh-token", typeForm).with(refreshFields + "&" + inBody),
		},
		want:    slices.Repeat([]message{sends("GET /x", bearerLine)}, 2),
		refresh: refreshText, lives: 30 * aDay,
	}
}

// facebookCode renews a token with itself, while it is good.
func facebookCode() codeLogin {
	return codeLogin{
		id: "Q-095", what: "Facebook: the access token itself is exchanged, with all in the query", later: 50 * aDay,
		setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			a.Renew = renewing(until("body.access_token", "body.expires_in"), login.Step{
				Path: "/v25.0/oauth/access_token", Query: login.Fields("grant_type", "fb_exchange_token",
					"fb_exchange_token", "{{token}}", "client_id", "{{id}}", "client_secret", "{{key}}"),
			})
		},
		replies: turns(says(`{"access_token":"`+tokenText+`","token_type":"bearer","expires_in":5184000}`),
			says(`{"access_token":"`+newerText+`","token_type":"bearer","expires_in":5184000}`)),
		calls: []message{
			tokenCall("POST /token", codeForm()),
			sends("POST /v25.0/oauth/access_token?grant_type=fb_exchange_token&fb_exchange_token=" + tokenText + "&" + inBody),
		},
		want:  slices.Repeat([]message{sends("GET /x", bearerLine)}, 2), // the second begins the renewal, behind it
		lives: 60 * aDay,
	}
}

// instagramCode exchanges the token of the login at once, and renews what it gets while it is good.
func instagramCode() codeLogin {
	const short = "sh0rt-canary9.r_s"
	long := func(text string) http.Handler { return says(`{"access_token":"` + text + `","expires_in":5184000}`) }
	cfg := until("body.access_token", "body.expires_in")
	cfg.MinAge = aDay
	return codeLogin{
		id: "Q-096", what: "Instagram: exchanged at once, and renewed with itself before it ends", later: 50 * aDay,
		setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			a.Then = renewing(cfg, login.Step{Method: "GET", Path: "/access_token", Query: login.Fields(
				"grant_type", "ig_exchange_token", "client_secret", "{{key}}", "access_token", "{{token}}")})
			a.Renew = renewing(cfg, login.Step{Method: "GET", Path: "/refresh_access_token", Query: login.Fields(
				"grant_type", "ig_refresh_token", "access_token", "{{token}}")})
		},
		replies: turns(says(`{"access_token":"`+short+`","user_id":17841400}`), long(tokenText), long(newerText)),
		calls: []message{
			tokenCall("POST /token", codeForm()),
			sends("GET /access_token?grant_type=ig_exchange_token&client_secret=" + keyInURL + "&access_token=" + short),
			sends("GET /refresh_access_token?grant_type=ig_refresh_token&access_token=" + tokenText),
		},
		want:  slices.Repeat([]message{sends("GET /x", bearerLine)}, 2),
		extra: map[string]string{"user_id": "17841400"}, secrets: []string{short}, lives: 60 * aDay,
	}
}

func agiloft() codeLogin {
	start := (keyText + secondText)[:20]
	return codeLogin{
		id: "Q-098", what: "Agiloft: Basic, and then the first 20 characters of the secret", later: 2 * time.Hour,
		setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
			c.Auth = oauth2flow.InHeader()
			a.Renew = computing(renewal(until("body.access_token", "body.expires_in"), login.Step{
				Path: "/oauth2/token", Form: login.Fields("grant_type", "refresh_token", "md5_secret", "{{start}}",
					"refresh_token", "{{refresh}}"),
			}), func(v map[string]string) map[string]string {
				return map[string]string{"start": (v["key"] + v["password"])[:20]}
			})
		},
		replies: turns(codeReplies()[0], says(`{"access_token":"`+newerText+`","expires_in":3600}`)),
		calls: []message{
			tokenCall("POST /token", codeForm(inBasic()...), basicLine()),
			sends("POST /oauth2/token", typeForm).with("grant_type=refresh_token&md5_secret=" + url.QueryEscape(start) +
				"&refresh_token=" + refreshText),
		},
		refresh: refreshText, secrets: []string{start},
	}
}

// revolutCode proves who the client is with an assertion of another issuer than the client.
func revolutCode() codeLogin {
	claims := func(from, to string) string {
		return `{"alg":"RS256","typ":"JWT"}.{"aud":"https://revolut.com","exp":` + to + `,"iat":` + from +
			`,"iss":"app.example.test","jti":"*","sub":"client-7"}`
	}
	fields := []string{
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"client_assertion", "{{assertion}}",
	}
	return codeLogin{
		id: "Q-099", what: "Revolut: an assertion on both calls, whose iss is the host of the redirect", later: 2 * time.Hour,
		setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			grant := func(step login.Step) auth.Grant {
				cfg := renewal(ownAnswer(), step)
				cfg.Secrets["assertion"] = oauth2flow.JWT{
					Key: private(rsaKey()), Issuer: "app.example.test", Subject: "client-7",
					Audience: []string{"https://revolut.com"}, Lifetime: 5 * time.Minute,
				}
				return login.New(cfg)
			}
			a.Exchange, a.Renew = grant(codeStep("/token", fields...)), grant(refreshStep("/token", fields...))
			a.PKCE = oauth2flow.PKCENone
		},
		asked: withoutPKCE(),
		calls: []message{
			sends("POST /token", typeForm).with(codeFields() + "&" + proof + "&client_assertion=" +
				claims("946684800", "946685100")),
			sends("POST /token", typeForm).with(refreshFields + "&" + proof + "&client_assertion=" +
				claims("946692000", "946692300")),
		},
		jwt: signedBy(jose.RS256, rsaKey().Public()), refresh: renewedText,
	}
}

func absorb() codeLogin {
	return codeLogin{
		id: "Q-100", what: "Absorb LMS: key and version in headers of the calls, and a nonce for each", later: 2 * time.Hour,
		setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			calls := 0
			grant := func(step login.Step) auth.Grant {
				step.Header = login.Fields("X-Api-Key", "{{password}}", "X-Api-Version", "1.5")
				return computing(renewal(ownAnswer(), step), func(map[string]string) map[string]string {
					calls++
					return map[string]string{"nonce": "n-" + strconv.Itoa(calls)}
				})
			}
			fields := []string{"client_id", "{{id}}", "client_secret", "{{key}}", "nonce", "{{nonce}}"}
			a.Exchange = grant(codeStep("/oauth/token", fields...))
			a.Renew, a.PKCE = grant(refreshStep("/oauth/token", fields...)), oauth2flow.PKCENone
		},
		asked: withoutPKCE(),
		calls: []message{
			sends("POST /oauth/token", typeForm, "X-Api-Key: "+secondText, "X-Api-Version: 1.5").
				with(codeFields() + "&" + inBody + "&nonce=n-1"),
			sends("POST /oauth/token", typeForm, "X-Api-Key: "+secondText, "X-Api-Version: 1.5").
				with(refreshFields + "&" + inBody + "&nonce=n-2"),
		},
		refresh: renewedText,
	}
}

func gongCode() codeLogin {
	return codeLogin{
		id: "Q-105", what: "Gong: Basic, and the refresh token in the query with an empty body", later: 2 * time.Hour,
		setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
			c.Auth = oauth2flow.InHeader()
			a.Renew = renewing(ownAnswer(), login.Step{
				Path: "/oauth2/generate-customer-token", Basic: idAndKey(),
				Query: login.Fields("grant_type", "refresh_token", "refresh_token", "{{refresh}}"),
			})
			a.PKCE = oauth2flow.PKCENone
		},
		asked: withoutPKCE(),
		calls: []message{
			tokenCall("POST /token", codeForm(inBasic("-code_verifier")...), basicLine()),
			sends("POST /oauth2/generate-customer-token?"+refreshFields, basicRaw()),
		},
		refresh: renewedText,
	}
}

// bullhornCode has a session for what the token of the login is exchanged for, each time.
func bullhornCode() codeLogin {
	const first, second = "f1rst-canary9.r_s", "s3cond-canary10.t_u"
	session := func(step login.Step) auth.Grant {
		step.Save = map[string]string{"first": "body.access_token"}
		client := login.Fields("client_id", "{{id}}", "client_secret", "{{key}}")
		step.Query, step.Form = slices.Concat(step.Form, client), nil
		return renewing(login.Config{
			Token: "body.BhRestToken", Lifetime: 10080 * time.Minute, Refresh: "steps[0].body.refresh_token",
			Extra: map[string]string{"api": "body.restUrl"},
		}, step, login.Step{
			Path: "/rest-services/login", Query: login.Fields("version", "*", "access_token", "{{first}}", "ttl", "10080"),
		})
	}
	answer := func(token string) http.Handler {
		return says(`{"BhRestToken":"` + token + `","restUrl":"https://rest7.test/rest-services/e999/"}`)
	}
	return codeLogin{
		id: "Q-106", what: "Bullhorn: all in the query, and a second login for a session of a week", later: 8 * aDay,
		setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
			a.Exchange, a.Renew = session(codeStep("/oauth/token")), session(refreshStep("/oauth/token"))
			a.PKCE = oauth2flow.PKCENone
		},
		asked: withoutPKCE(),
		replies: turns(says(`{"access_token":"`+first+`","expires_in":600,"refresh_token":"`+refreshText+`"}`),
			answer(tokenText), says(`{"access_token":"`+second+`","expires_in":600,"refresh_token":"`+renewedText+`"}`),
			answer(newerText)),
		calls: []message{
			sends("POST /oauth/token?" + codeFields() + "&" + inBody),
			sends("POST /rest-services/login?version=%2A&access_token=" + first + "&ttl=10080"),
			sends("POST /oauth/token?" + refreshFields + "&" + inBody),
			sends("POST /rest-services/login?version=%2A&access_token=" + second + "&ttl=10080"),
		},
		send:    bearer(auth.InHeader("BhRestToken"), auth.NoPrefix()),
		want:    []message{sends("GET /x", "Bhresttoken: "+tokenText), sends("GET /x", "Bhresttoken: "+newerText)},
		extra:   map[string]string{"api": "https://rest7.test/rest-services/e999/"},
		refresh: renewedText, lives: 7 * aDay, secrets: []string{first, second},
	}
}
