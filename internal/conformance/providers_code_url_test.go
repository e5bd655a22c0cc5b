package conformance_test

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
)

// codeURLs want parameters of their own, or scopes in a form of their own.
func codeURLs() []codeLogin {
	comma := func(who string) codeLogin {
		return codeLogin{
			id: "Q-064", what: who + ": scopes with commas",
			setup: func(c *oauth2flow.Client, _ *oauth2flow.Authorization) {
				c.Scopes, c.ScopeSeparator = []string{"read", "write"}, ","
			},
			asked: []string{"scope=read,write"},
			calls: []message{tokenCall("POST /token", codeForm())},
		}
	}
	audience := func(who, value string) codeLogin {
		return codeLogin{
			id: "Q-058", what: who + ": an audience",
			setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
				a.Params = oauth2flow.NewParams("audience", value)
			},
			asked: []string{"audience=" + value},
			calls: []message{tokenCall("POST /token", codeForm())},
		}
	}
	return []codeLogin{
		{
			id: "Q-056", what: "Google: offline, and consent each time, for a refresh token", later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
				c.Scopes = []string{"openid", "email"}
				a.Params = oauth2flow.NewParams("access_type", "offline", "prompt", "consent")
			},
			asked:   []string{"scope=openid email", "access_type=offline", "prompt=consent"},
			calls:   []message{tokenCall("POST /token", codeForm()), tokenCall("POST /token", refreshForm())},
			refresh: renewedText, lives: time.Hour,
		},
		{
			id: "Q-057", what: "Dropbox: token_access_type", later: 2 * time.Hour,
			setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
				a.Params = oauth2flow.NewParams("token_access_type", "offline")
			},
			asked: []string{"token_access_type=offline"},
			calls: []message{tokenCall("POST /token", codeForm()), tokenCall("POST /token", refreshForm())},
		},
		{
			id: "Q-057", what: "Reddit: duration, and Basic on both calls", later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
				c.Auth = oauth2flow.InHeader()
				a.Params = oauth2flow.NewParams("duration", "permanent")
			},
			asked: []string{"duration=permanent"},
			calls: []message{
				tokenCall("POST /token", codeForm(inBasic()...), basicLine()),
				tokenCall("POST /token", refreshForm(inBasic()...), basicLine()),
			},
		},
		audience("Atlassian", "api.atlassian.com"),
		audience("Lever", "https://api.lever.co/v1/"),
		audience("Sage 200", "s200ukipd/sage200"),
		{
			id: "Q-059", what: "Dynamics 365: resource on all three calls", later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, _ *oauth2flow.Authorization) {
				c.Resources = []string{"https://org7.dynamics.com"}
			},
			asked: []string{"resource=https://org7.dynamics.com"},
			calls: []message{
				tokenCall("POST /token", codeForm("resource=https://org7.dynamics.com")),
				tokenCall("POST /token", refreshForm("resource=https://org7.dynamics.com")),
			},
		},
		{
			id: "Q-060", what: "BigCommerce: context on both calls, and the token in a header of its own",
			setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
				c.Params = oauth2flow.NewParams("context", "stores/g5cd38")
				a.Params = oauth2flow.NewParams("context", "stores/g5cd38")
			},
			asked: []string{"context=stores/g5cd38"},
			calls: []message{tokenCall("POST /token", codeForm("context=stores/g5cd38"))},
			send:  bearer(auth.InHeader("X-Auth-Token"), auth.NoPrefix()),
			want:  []message{sends("GET /x", "X-Auth-Token: "+tokenText)},
		},
		{
			id: "Q-063", what: "Strava: scopes with commas, and approval_prompt",
			setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
				c.Scopes, c.ScopeSeparator = []string{"read", "activity:read"}, ","
				a.Params = oauth2flow.NewParams("approval_prompt", "auto")
			},
			asked: []string{"scope=read,activity:read", "approval_prompt=auto"},
			calls: []message{tokenCall("POST /token", codeForm())},
		},
		comma("Linear"), comma("Todoist"), comma("Wrike"), comma("Zoom"), comma("Accelo"),
		{
			// A space between scopes is a plus in a query.
			id: "Q-065", what: "Pennylane: a plus between scopes that is not encoded",
			setup: func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.Scopes = []string{"ledger", "invoices"} },
			asked: []string{"scope=ledger invoices"},
			calls: []message{tokenCall("POST /token", codeForm())},
		},
		{
			id: "Q-065", what: "Workable: a plus between scopes that is encoded",
			setup: func(c *oauth2flow.Client, _ *oauth2flow.Authorization) {
				c.Scopes, c.ScopeSeparator = []string{"r_jobs", "w_jobs"}, "+"
			},
			asked: []string{"scope=r_jobs+w_jobs"},
			calls: []message{tokenCall("POST /token", codeForm())},
		},
		{
			id: "Q-074", what: "Apollo: the parameters stand behind a fragment",
			setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
				a.URL = "https://app.idp.example.test/#/oauth/authorize"
			},
			page:  "https://app.idp.example.test/#/oauth/authorize",
			calls: []message{tokenCall("POST /token", codeForm())},
		},
	}
}

// codeNames call parameters by names of their own.
func codeNames() []codeLogin {
	return []codeLogin{
		{
			id: "Q-061", what: "Basecamp: type in place of response_type and grant_type, and a User-Agent",
			later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
				c.Names = map[string]string{"grant_type": ""}
				c.Params = oauth2flow.NewParams("type", "web_server")
				c.RefreshParams = oauth2flow.NewParams("type", "refresh")
				c.Header = http.Header{"User-Agent": {"Acme (ann@acme.test)"}}
				a.Names = map[string]string{"response_type": ""}
				a.Params = oauth2flow.NewParams("type", "web_server")
			},
			asked: []string{"-response_type", "type=web_server"},
			calls: []message{
				tokenCall("POST /token", codeForm("-grant_type", "type=web_server"), "User-Agent: Acme (ann@acme.test)"),
				tokenCall("POST /token", refreshForm("-grant_type", "type=refresh"), "User-Agent: Acme (ann@acme.test)"),
			},
			options: []connection.Option{connection.WithUserAgent("Acme (ann@acme.test)")},
			want: []message{
				sends("GET /x", bearerLine, "User-Agent: Acme (ann@acme.test)"),
				sends("GET /x", newerLine, "User-Agent: Acme (ann@acme.test)"),
			},
		},
		{
			id: "Q-062", what: "BambooHR: a parameter request, which is one of the protocol elsewhere",
			setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
				c.Params = oauth2flow.NewParams("request", "token")
				a.Names = map[string]string{"request": ""}
				a.Params = oauth2flow.NewParams("request", "authorize")
			},
			asked: []string{"request=authorize"},
			calls: []message{tokenCall("POST /token", codeForm("request=token"))},
		},
		{
			id: "Q-066", what: "TikTok: the id is client_key everywhere, and scopes have commas", later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
				c.Scopes, c.ScopeSeparator = []string{"user.info.basic", "video.list"}, ","
				c.Names = map[string]string{"client_id": "client_key"}
				a.Names = map[string]string{"client_id": "client_key"}
			},
			asked: []string{"-client_id", "client_key=client-7", "scope=user.info.basic,video.list"},
			calls: []message{
				tokenCall("POST /token", codeForm("-client_id", "client_key=client-7")),
				tokenCall("POST /token", refreshForm("-client_id", "client_key=client-7")),
			},
		},
		{
			id: "Q-068", what: "TikTok Ads: app_id, JSON of three members, and the token in data",
			setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
				c.Encoding = oauth2flow.JSON
				c.Names = map[string]string{
					"client_id": "app_id", "client_secret": "secret", "code": "auth_code", "grant_type": "", "redirect_uri": "",
				}
				c.AnswerNames = map[string]string{"access_token": "data.access_token"}
				a.Names, a.PKCE = map[string]string{"client_id": "app_id"}, oauth2flow.PKCENone
			},
			asked:   []string{"-client_id", "app_id=client-7", "-code_challenge", "-code_challenge_method"},
			replies: turns(says(`{"code":0,"message":"OK","data":{"access_token":"` + tokenText + `","advertiser_ids":["7"]}}`)),
			calls: []message{sends("POST /token", typeJSON, asks).with(
				`{"app_id":"client-7","auth_code":"` + codeText + `","secret":"` + keyText + `"}`)},
			send: bearer(auth.InHeader("Access-Token"), auth.NoPrefix()),
			want: []message{sends("GET /x", "Access-Token: "+tokenText)},
		},
		{
			id: "Q-071", what: "Printful: redirect_url",
			setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
				a.Names = map[string]string{"redirect_uri": "redirect_url"}
			},
			asked: []string{"-redirect_uri", "redirect_url=" + callbackURI},
			calls: []message{tokenCall("POST /token", codeForm())},
		},
		{
			id: "Q-071", what: "Monday: no response_type, and no PKCE",
			setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
				a.Names, a.PKCE = map[string]string{"response_type": ""}, oauth2flow.PKCENone
			},
			asked: []string{"-response_type", "-code_challenge", "-code_challenge_method"},
			calls: []message{tokenCall("POST /token", codeForm("-code_verifier"))},
		},
		{
			id: "Q-075", what: "Amazon SP-API: an application id, and the code under another name", later: 2 * time.Hour,
			setup: func(_ *oauth2flow.Client, a *oauth2flow.Authorization) {
				a.Names = map[string]string{"client_id": "", "code": "spapi_oauth_code"}
				a.Params = oauth2flow.NewParams("application_id", "amzn1.sp.solution.7")
				a.Keep = []string{"selling_partner_id"}
			},
			asked:  []string{"-client_id", "application_id=amzn1.sp.solution.7"},
			answer: []string{"-code", "spapi_oauth_code=" + codeText, "selling_partner_id=A3F7"},
			calls:  []message{tokenCall("POST /token", codeForm()), tokenCall("POST /token", refreshForm())},
			extra:  map[string]string{"selling_partner_id": "A3F7"},
			send:   bearer(auth.InHeader("X-Amz-Access-Token"), auth.NoPrefix()),
			want: []message{
				sends("GET /x", "X-Amz-Access-Token: "+tokenText), sends("GET /x", "X-Amz-Access-Token: "+newerText),
			},
		},
	}
}

// newNonce puts a nonce into the URL, new each time, as data cannot.
func newNonce(u *url.URL) {
	query := u.Query()
	query.Set("nonce", rand.Text())
	u.RawQuery = query.Encode()
}

// codeAPIs want something beside the token in the calls of their API, or tell where that is.
func codeAPIs() []codeLogin {
	calls := []message{tokenCall("POST /token", codeForm())}
	// addressed is a login whose answer tells where the API is.
	addressed := func(id, what, member, name, base string, names map[string]string) codeLogin {
		return codeLogin{
			id: id, what: what, calls: calls, host: "https://eu7.service.test",
			setup:   func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.AnswerNames = names },
			replies: turns(says(`{"access_token":"` + tokenText + `",` + member + `,"expires_in":3600}`)),
			at:      func(t *auth.Token) string { return base + t.Extra[name].Reveal() },
		}
	}
	return []codeLogin{
		{
			id: "Q-029", what: "Zoho: a prefix of its own", calls: calls, send: bearer(auth.Prefix("Zoho-oauthtoken")),
			want: []message{sends("GET /x", "Authorization: Zoho-oauthtoken "+tokenText)},
		},
		{
			id: "Q-043", what: "Etsy: id and secret in one header beside the token", calls: calls,
			send: keyAs("X-Api-Key", "client-7:"+keyText),
			want: []message{sends("GET /x", bearerLine, "X-Api-Key: client-7:"+keyText)},
		},
		{
			id: "Q-044", what: "MYOB: the client id beside the token", calls: calls,
			options: []connection.Option{connection.WithHeader("X-MyOBApi-Key", "client-7")},
			want:    []message{sends("GET /x", bearerLine, "X-Myobapi-Key: client-7")},
		},
		{
			id: "Q-044", what: "Getty: the client id beside the token", calls: calls,
			options: []connection.Option{connection.WithHeader("Api-Key", "client-7")},
			want:    []message{sends("GET /x", bearerLine, "Api-Key: client-7")},
		},
		{
			id: "Q-045", what: "Google Ads: a developer token and a customer id beside the token", calls: calls,
			send:    keyAs("Developer-Token", secondText),
			options: []connection.Option{connection.WithHeader("Login-Customer-Id", "1234567890")},
			want: []message{
				sends("GET /x", bearerLine, "Developer-Token: "+secondText, "Login-Customer-Id: 1234567890"),
			},
		},
		{
			id: "Q-077", what: "QuickBooks: the browser brings the company, which is in the path of the API", calls: calls,
			setup:  func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.Keep = []string{"realmId"} },
			answer: []string{"realmId=9130357992221046"}, extra: map[string]string{"realmId": "9130357992221046"},
			at:   func(t *auth.Token) string { return apiOrigin + "/v3/company/" + t.Extra["realmId"].Reveal() },
			want: []message{sends("GET /v3/company/9130357992221046/x", bearerLine)},
		},
		{
			id: "Q-085", what: "Zoho: the browser names the server of the region, and the token its API",
			issuer: "https://accounts.zoho.test", host: "https://www.zohoapis.test", later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
				c.TokenURL = authOrigin + "/oauth/v2/token"
				a.Params = oauth2flow.NewParams("access_type", "offline", "prompt", "consent")
				a.ServerParam, a.Servers = "accounts-server", []string{authOrigin, "https://accounts.zoho.test"}
			},
			asked:  []string{"access_type=offline", "prompt=consent"},
			answer: []string{"accounts-server=https://accounts.zoho.test", "location=eu"},
			forged: [][]string{
				{"accounts-server=https://evil.test"}, {"accounts-server=http://accounts.zoho.test"},
				{"accounts-server=https://accounts.zoho.test.evil.test"}, {"accounts-server=https://accounts.zoho.test/"},
			},
			replies: turns(says(`{"access_token":"`+tokenText+`","api_domain":"https://www.zohoapis.test",`+
				`"expires_in":3600,"refresh_token":"`+refreshText+`"}`), codeReplies()[1]),
			calls: []message{
				tokenCall("POST /oauth/v2/token", codeForm()), tokenCall("POST /oauth/v2/token", refreshForm()),
			},
			at: func(t *auth.Token) string { return t.Extra["api_domain"].Reveal() },
		},
		addressed("Q-086", "Wrike: the host of the API alone", `"host":"eu7.service.test"`, "host", "https://", nil),
		addressed("Q-086", "Gong: the base URL of the customer", `"api_base_url_for_customer":"https://eu7.service.test"`,
			"api_base_url_for_customer", "", nil),
		addressed("Q-086", "Teamwork: the URL of the API in an object",
			`"installation":{"apiEndPoint":"https://eu7.service.test"}`, "api", "",
			map[string]string{"api": "installation.apiEndPoint"}),
		{
			id: "Q-103", what: "Shopify: a token that ends, in a header of its own", later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, _ *oauth2flow.Authorization) {
				c.Params = oauth2flow.NewParams("expiring", "1")
			},
			calls: []message{
				tokenCall("POST /token", codeForm("expiring=1")), tokenCall("POST /token", refreshForm("expiring=1")),
			},
			send: bearer(auth.InHeader("X-Shopify-Access-Token"), auth.NoPrefix()),
			want: []message{
				sends("GET /x", "X-Shopify-Access-Token: "+tokenText), sends("GET /x", "X-Shopify-Access-Token: "+newerText),
			},
		},
	}
}
