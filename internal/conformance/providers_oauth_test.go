package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestProvidersOAuth(t *testing.T) {
	t.Parallel()
	runProviders(t, oauthProviders())
}

// oauthProviders are the rows about OAuth 2.0 without a user, or after the user has gone.
func oauthProviders() []provider {
	return slices.Concat(clientCredentials(), passwords(), ownNames(), refreshes(), ownRefreshes(), addresses())
}

// app is the client client-7 with the secret keyText, at authOrigin.
func app(changes ...func(c *oauth2flow.Client)) oauth2flow.Client {
	c := oauth2flow.Client{ID: "client-7", Secret: theKey, TokenURL: authOrigin + "/token"}
	for _, change := range changes {
		change(&c)
	}
	return c
}

// inHeader makes the client authenticate with Basic, and basicLine is what that sends.
func inHeader(c *oauth2flow.Client) { c.Auth = oauth2flow.InHeader() }

func basicLine() string { return "Authorization: Basic " + b64("client-7:"+keyInURL) }

// inBody is how a form begins in which the client authenticates.
const inBody = "client_id=client-7&client_secret=" + keyInURL

// tokenCall is a POST at the token endpoint with a form.
func tokenCall(line, form string, fields ...string) message {
	return sends(line, append(fields, typeForm, asks)...).with(form)
}

func clientCredentials() []provider {
	grant := func(changes ...func(c *oauth2flow.Client)) opener {
		return bearing(oauth2flow.ClientCredentials(app(changes...)))
	}
	const plain = inBody + "&grant_type=client_credentials"
	get := []message{sends("GET /x", bearerLine)}
	return []provider{
		{
			id: "Q-107", what: "Spotify, Xero: Basic", lives: time.Hour,
			open: grant(inHeader), want: get,
			peers: idp(oneHour(), tokenCall("POST /token", "grant_type=client_credentials", basicLine())),
		},
		{
			id: "Q-107", what: "Domo: Basic, and scopes with commas", lives: time.Hour,
			open: grant(inHeader, func(c *oauth2flow.Client) {
				c.Scopes, c.ScopeSeparator = []string{"data", "user"}, ","
			}),
			want:  get,
			peers: idp(oneHour(), tokenCall("POST /token", "grant_type=client_credentials&scope=data%2Cuser", basicLine())),
		},
		{
			id: "Q-108", what: "Auth0, Pax8, Chartboost: JSON, and an audience", lives: time.Hour,
			open: grant(func(c *oauth2flow.Client) {
				c.Encoding, c.Params = oauth2flow.JSON, oauth2flow.Params{{Name: "audience", Value: "https://a.test/v2/"}}
			}),
			want: get,
			peers: idp(oneHour(), sends("POST /token", typeJSON, asks).with(`{"audience":"https://a.test/v2/",`+
				`"client_id":"client-7","client_secret":"`+keyText+`","grant_type":"client_credentials"}`)),
		},
		{
			id: "Q-110", what: "SAP Ariba: a grant type of its own, and a key beside the token", lives: time.Hour,
			open: managed(oauth2flow.CustomGrant(app(inHeader), oauth2flow.Custom{GrantType: "openapi_2lo"}),
				func(src auth.TokenSource) auth.Authenticator {
					return auth.All(auth.Bearer(src), auth.APIKey(theSecond, auth.InHeader("ApiKey")))
				}),
			want:  []message{sends("GET /x", bearerLine, "Apikey: "+secondText)},
			peers: idp(oneHour(), tokenCall("POST /token", "grant_type=openapi_2lo", basicLine())),
		},
		{
			id: "Q-112", what: "Roller: JSON without a grant type", lives: time.Hour,
			open: bearing(oauth2flow.CustomGrant(app(func(c *oauth2flow.Client) {
				c.Encoding = oauth2flow.JSON
			}), oauth2flow.Custom{})),
			want: get,
			peers: idp(oneHour(), sends("POST /token", typeJSON, asks).with(
				`{"client_id":"client-7","client_secret":"`+keyText+`"}`)),
		},
		{
			id: "Q-115", what: "Kno, Transporeon: all parameters in the query, an empty body, Basic", lives: time.Hour,
			open:  grant(inHeader, func(c *oauth2flow.Client) { c.Encoding = oauth2flow.Query }),
			want:  get,
			peers: idp(oneHour(), sends("POST /token?grant_type=client_credentials", basicLine(), asks)),
		},
		{
			id: "Q-117", what: "ADP: a client certificate on the token call and on all others", lives: time.Hour,
			certified: true,
			open: func(s *scene) []connection.Option {
				return append(grant()(s), certificate(s))
			},
			want:  get,
			peers: idp(oneHour(), tokenCall("POST /token", plain)),
		},
		{
			id: "Q-119", what: "Adobe UMAPI: scopes with commas, and the client id on all calls", lives: time.Hour,
			open: grant(func(c *oauth2flow.Client) {
				c.Scopes, c.ScopeSeparator = []string{"openid", "user_management_sdk"}, ","
			}).and(connection.WithHeader("X-Api-Key", "client-7")),
			want:  []message{sends("GET /x", bearerLine, "X-Api-Key: client-7")},
			peers: idp(oneHour(), tokenCall("POST /token", plain+"&scope=openid%2Cuser_management_sdk")),
		},
		{
			id: "Q-120", what: "Dynatrace: the account as resource, which is a URN", lives: time.Hour,
			open:  grant(func(c *oauth2flow.Client) { c.Resources = []string{"urn:dtaccount:abcd-7"} }),
			want:  get,
			peers: idp(oneHour(), tokenCall("POST /token", plain+"&resource=urn%3Adtaccount%3Aabcd-7")),
		},
		{
			id: "Q-121", what: "Microsoft: the tenant in the path, scope /.default", lives: time.Hour,
			open: grant(func(c *oauth2flow.Client) {
				c.TokenURL = authOrigin + "/acme/oauth2/v2.0/token"
				c.Scopes = []string{"https://org7.crm.dynamics.com/.default"}
			}),
			want: get,
			peers: idp(oneHour(), tokenCall("POST /acme/oauth2/v2.0/token",
				plain+"&scope=https%3A%2F%2Forg7.crm.dynamics.com%2F.default")),
		},
		{
			id: "Q-122", what: "Shopify: the token in a header of its own", lives: time.Hour,
			open: managed(oauth2flow.ClientCredentials(app()),
				bearer(auth.InHeader("X-Shopify-Access-Token"), auth.NoPrefix())),
			want:  []message{sends("GET /x", "X-Shopify-Access-Token: "+tokenText)},
			peers: idp(oneHour(), tokenCall("POST /token", plain)),
		},
		{
			id: "Q-129", what: "Odoo: the lifetime has a name of its own", lives: 2 * time.Hour,
			open: grant(func(c *oauth2flow.Client) { c.ExpiryField = "access_token_validity" }),
			want: get,
			peers: idp(says(`{"access_token":"`+tokenText+`","access_token_validity":7200,"expires_in":5}`),
				tokenCall("POST /token", plain)),
		},
		{
			id: "Q-076", what: "Microsoft: after the consent, client credentials for the tenant that it was given by",
			lives: time.Hour,
			open: grant(func(c *oauth2flow.Client) {
				c.TokenURL, c.Scopes = authOrigin+"/tenant-9/oauth2/v2.0/token", []string{"https://graph.microsoft.com/.default"}
			}),
			want: get,
			peers: idp(oneHour(), tokenCall("POST /tenant-9/oauth2/v2.0/token",
				plain+"&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default")),
		},
	}
}

func passwords() []provider {
	owner := func(name string) oauth2flow.ResourceOwner {
		return oauth2flow.ResourceOwner{Username: name, Password: theSecond, AcceptRisk: true}
	}
	get := []message{sends("GET /x", bearerLine)}
	return []provider{
		{
			id: "Q-116", what: "Acumatica: password grant with id and secret in the body", lives: time.Hour,
			open: bearing(oauth2flow.Password(app(), owner("ann@acme"))), want: get,
			peers: idp(oneHour(), tokenCall("POST /token",
				inBody+"&grant_type=password&password="+secondInURL+"&username=ann%40acme")),
		},
		{
			id: "Q-127", what: "UKG Pro: a grant type that is a URL, realm and audience, JSON", lives: time.Hour,
			open: bearing(oauth2flow.CustomGrant(app(func(c *oauth2flow.Client) {
				c.Encoding = oauth2flow.JSON
				c.Params = oauth2flow.Params{{Name: "realm", Value: "acme&co"}, {Name: "audience", Value: "https://wfm.test"}}
			}), oauth2flow.Custom{
				GrantType: "http://auth0.com/oauth/grant-type/password-realm",
				Secrets:   map[string]secrets.Provider{"username": secrets.Static("ann"), "password": theSecond},
			})),
			want: get,
			peers: idp(oneHour(), sends("POST /token", typeJSON, asks).with(`{"audience":"https://wfm.test",`+
				`"client_id":"client-7","client_secret":"`+keyText+`",`+
				`"grant_type":"http://auth0.com/oauth/grant-type/password-realm","password":"`+secondText+`",`+
				`"realm":"acme&co","username":"ann"}`)),
		},
		{
			id: "Q-128", what: "Datto RMM: Basic of a client that all have, key and secret as user and password",
			lives: time.Hour,
			open: bearing(oauth2flow.Password(app(inHeader, func(c *oauth2flow.Client) {
				c.ID, c.Secret = "public-client", secrets.Static("public")
			}), owner("API7KEY"))),
			want: get,
			peers: idp(oneHour(), tokenCall("POST /token", "grant_type=password&password="+secondInURL+"&username=API7KEY",
				"Authorization: Basic "+b64("public-client:public"))),
		},
	}
}

// ownNames have client credentials in a form that is not that of the standard, and use a login for it.
func ownNames() []provider {
	const answer = `{"access_token":"` + tokenText + `","expires_in":3600}`
	const basicRaw = "client-7:" + keyText
	get := []message{sends("GET /x", bearerLine)}
	return []provider{
		{
			id: "Q-112", what: "Personio: JSON without a grant type, and the token in data.token",
			open: bearing(signIn(endless("body.data.token"), login.Step{
				Path: "/v1/auth", JSON: map[string]string{"client_id": "{{id}}", "client_secret": "{{key}}"},
			})),
			want: get,
			peers: idp(says(`{"success":true,"data":{"token":"`+tokenText+`"}}`),
				sends("POST /v1/auth", typeJSON).with(`{"client_id":"client-7","client_secret":"`+keyText+`"}`)),
		},
		{
			id: "Q-113", what: "ZoomInfo: id and secret called user name and password, the token jwt", lives: time.Hour,
			open: bearing(signIn(login.Config{Token: "body.jwt", Lifetime: time.Hour}, login.Step{
				Path: "/authenticate", JSON: map[string]string{"username": "{{user}}", "password": "{{password}}"},
			})),
			want: get,
			peers: idp(says(`{"jwt":"`+tokenText+`"}`), sends("POST /authenticate", typeJSON).with(
				`{"password":"`+secondText+`","username":"ann@acme"}`)),
		},
		{
			id: "Q-114", what: "Greenhouse: grant_type in the URL, sub in JSON, Basic", lives: aDay,
			open: bearing(signIn(until("body.access_token", "body.expires_at"), login.Step{
				Path: "/token?grant_type=client_credentials", JSON: map[string]int{"sub": 7}, Basic: idAndKey(),
			})),
			want: get,
			peers: idp(says(`{"access_token":"`+tokenText+`","expires_at":"2000-01-02T00:00:00.000Z"}`),
				sends("POST /token?grant_type=client_credentials", typeJSON, "Authorization: Basic "+b64(basicRaw)).
					with(`{"sub":7}`)),
		},
		{
			id: "Q-123", what: "CrowdStrike: id and secret in the query", lives: time.Hour,
			open: bearing(signIn(until("body.access_token", "body.expires_in"), login.Step{
				Path: "/oauth2/token", Query: login.Fields("client_id", "{{id}}", "client_secret", "{{key}}"),
			})),
			want:  get,
			peers: idp(says(answer), sends("POST /oauth2/token?"+inBody)),
		},
		{
			id: "Q-123", what: "CrowdStrike: id and secret in the form, the answer is a 201 of type text", lives: time.Hour,
			open: bearing(signIn(until("body.access_token", "body.expires_in"), login.Step{
				Path: "/oauth2/token", Form: login.Fields("client_id", "{{id}}", "client_secret", "{{key}}"),
			})),
			want:  get,
			peers: idp(connectiontest.Text(201, answer), sends("POST /oauth2/token", typeForm).with(inBody)),
		},
		{
			id: "Q-124", what: "Workday: scheme ID in place of Basic, and the tenant as parameter", lives: time.Hour,
			open: bearing(computing(until("body.access_token", "body.expires_in"),
				func(v map[string]string) map[string]string {
					return map[string]string{"pair": b64(v["id"] + ":" + v["key"])}
				},
				login.Step{
					Path: "/token", Header: login.Fields("Authorization", "ID {{pair}}"),
					Form: login.Fields("grant_type", "client_credentials", "tenant_alias", "acme"),
				})),
			want: get,
			peers: idp(says(answer), sends("POST /token", typeForm, "Authorization: ID "+b64(basicRaw)).with(
				"grant_type=client_credentials&tenant_alias=acme")),
		},
		{
			id: "Q-125", what: "pVerify: capitalised names, and the client id in a header of all calls", lives: time.Hour,
			open: bearing(signIn(until("body.access_token", "body.expires_in"), login.Step{
				Path: "/Token", Header: login.Fields("Client-API-Id", "{{id}}"),
				Form: login.Fields("Client_Id", "{{id}}", "Client_Secret", "{{key}}", "grant_type", "client_credentials"),
			})).and(connection.WithHeader("Client-API-Id", "client-7")),
			want: []message{sends("GET /x", bearerLine, "Client-Api-Id: client-7")},
			peers: idp(says(answer), sends("POST /Token", typeForm, "Client-Api-Id: client-7").with(
				"Client_Id=client-7&Client_Secret="+keyInURL+"&grant_type=client_credentials")),
		},
		{
			id: "Q-126", what: "SAP Fieldglass: grant in the query, an empty body, a key in a header of all calls",
			lives: time.Hour,
			open: managed(signIn(until("body.access_token", "body.expires_in"), login.Step{
				Path: "/token", Query: login.Fields("grant_type", "client_credentials", "response_type", "token"),
				Basic: idAndKey(), Header: login.Fields("X-ApplicationKey", "{{password}}"),
			}), func(src auth.TokenSource) auth.Authenticator {
				return auth.All(auth.Bearer(src), auth.APIKey(theSecond, auth.InHeader("X-ApplicationKey")))
			}),
			want: []message{sends("GET /x", bearerLine, "X-Applicationkey: "+secondText)},
			peers: idp(says(answer), sends("POST /token?grant_type=client_credentials&response_type=token",
				"Authorization: Basic "+b64(basicRaw), "X-Applicationkey: "+secondText)),
		},
	}
}

// refreshed is a token whose refresh token is refreshText, for auth.Seed.
func refreshed() auth.ManageOption {
	return auth.Seed(auth.Token{Refresh: secrets.Static(refreshText)})
}

// refreshes go on with the refresh token that a user's consent has brought.
func refreshes() []provider {
	grant := func(changes ...func(c *oauth2flow.Client)) auth.Grant {
		return oauth2flow.Refresh(app(changes...), secrets.Static(refreshText))
	}
	const call = "grant_type=refresh_token&refresh_token=" + refreshText
	const plain = inBody + "&" + call
	get := []message{sends("GET /x", bearerLine)}
	all := []provider{
		{
			id: "Q-029", what: "Zoho: a prefix of its own, and a token that is refreshed",
			open: managed(grant(), bearer(auth.Prefix("Zoho-oauthtoken"))),
			want: []message{sends("GET /x", "Authorization: Zoho-oauthtoken "+tokenText)}, refresh: refreshText,
			lives: time.Hour,
			peers: idp(oneHour(), tokenCall("POST /token", plain)),
		},
		{
			id: "Q-059", what: "Dynamics 365: resource on the refresh, too", lives: time.Hour, refresh: refreshText,
			open:  bearing(grant(func(c *oauth2flow.Client) { c.Resources = []string{"https://org7.dynamics.com"} })),
			want:  get,
			peers: idp(oneHour(), tokenCall("POST /token", plain+"&resource=https%3A%2F%2Forg7.dynamics.com")),
		},
		{
			id: "Q-075", what: "Amazon SP-API: the token in a header of its own", lives: time.Hour, refresh: refreshText,
			open:  managed(grant(), bearer(auth.InHeader("X-Amz-Access-Token"), auth.NoPrefix())),
			want:  []message{sends("GET /x", "X-Amz-Access-Token: "+tokenText)},
			peers: idp(oneHour(), tokenCall("POST /token", plain)),
		},
		{
			id: "Q-078", what: "eBay, PayPal, Docusign, X, Pinterest: Basic", lives: time.Hour, refresh: refreshText,
			open: bearing(grant(inHeader)), want: get,
			peers: idp(oneHour(), tokenCall("POST /token", call, basicLine())),
		},
		{
			id: "Q-079", what: "Airtable, Fitbit, RingCentral: Basic as it is, and each refresh token once", lives: time.Hour,
			open: bearing(grant(func(c *oauth2flow.Client) { c.Auth = oauth2flow.InHeaderRaw() })), refresh: renewedText,
			want: get,
			peers: idp(says(`{"access_token":"`+tokenText+`","expires_in":3600,"refresh_token":"`+renewedText+`"}`),
				tokenCall("POST /token", call, "Authorization: Basic "+b64("client-7:"+keyText))),
		},
		{
			id: "Q-081", what: "Spendesk, Lokalise, Cal.com: JSON with id and secret", lives: time.Hour, refresh: refreshText,
			open: bearing(grant(func(c *oauth2flow.Client) { c.Encoding = oauth2flow.JSON })), want: get,
			peers: idp(oneHour(), sends("POST /token", typeJSON, asks).with(`{"client_id":"client-7",`+
				`"client_secret":"`+keyText+`","grant_type":"refresh_token","refresh_token":"`+refreshText+`"}`)),
		},
		{
			id: "Q-091", what: "Figma: a refresh URL, whose answers bring no refresh token, and scopes with commas",
			lives: time.Hour, refresh: refreshText,
			open: bearing(grant(func(c *oauth2flow.Client) {
				c.RefreshURL, c.Auth = authOrigin+"/v1/oauth/refresh", oauth2flow.InHeader()
				c.Scopes, c.ScopeSeparator = []string{"files:read", "webhooks:write"}, ","
			})),
			calls: 2, pause: 2 * time.Hour,
			want: slices.Repeat(get, 2),
			peers: idp(oneHour(), slices.Repeat([]message{tokenCall("POST /v1/oauth/refresh",
				call+"&scope=files%3Aread%2Cwebhooks%3Awrite", basicLine())}, 2)...),
		},
		{
			id: "Q-092", what: "Dropbox Sign: a refresh URL with a parameter that has no value",
			lives: time.Hour, refresh: refreshText,
			open: bearing(grant(func(c *oauth2flow.Client) { c.RefreshURL = authOrigin + "/oauth/token?refresh" })), want: get,
			peers: idp(oneHour(), tokenCall("POST /oauth/token?refresh", plain)),
		},
		{
			id: "Q-101", what: "Workday: no lifetime in the answer, and a new refresh token now and then",
			lives: time.Hour, refresh: renewedText,
			open:  bearing(grant(inHeader), auth.DefaultLifetime(time.Hour)),
			calls: 3, pause: 61 * time.Minute,
			want: []message{get[0], sends("GET /x", "Authorization: Bearer "+newerText), get[0]},
			peers: issuer(turns(
				says(`{"access_token":"`+tokenText+`"}`),
				says(`{"access_token":"`+newerText+`","refresh_token":"`+renewedText+`"}`),
				says(`{"access_token":"`+tokenText+`"}`),
			), tokenCall("POST /token", call, basicLine()), tokenCall("POST /token", call, basicLine()),
				tokenCall("POST /token", "grant_type=refresh_token&refresh_token="+renewedText, basicLine())),
		},
		{
			id: "Q-102", what: "Zendesk: the lifetime that is wanted is a parameter", lives: time.Hour, refresh: refreshText,
			open: bearing(grant(func(c *oauth2flow.Client) {
				c.Params = oauth2flow.Params{{Name: "expires_in", Value: "3600"}}
			})),
			want:  get,
			peers: idp(oneHour(), tokenCall("POST /token", inBody+"&expires_in=3600&"+call)),
		},
		{
			id: "Q-103", what: "Shopify: expiring=1, and the token in a header of its own",
			lives: time.Hour, refresh: refreshText,
			open: managed(grant(func(c *oauth2flow.Client) {
				c.Params = oauth2flow.Params{{Name: "expiring", Value: "1"}}
			}), bearer(auth.InHeader("X-Shopify-Access-Token"), auth.NoPrefix())),
			want:  []message{sends("GET /x", "X-Shopify-Access-Token: "+tokenText)},
			peers: idp(oneHour(), tokenCall("POST /token", inBody+"&expiring=1&"+call)),
		},
		{
			// The default would renew in the background before the third call.
			id: "Q-104", what: "Exact Online: a token of ten minutes is renewed no sooner than 30 s before its end",
			lives: 40 * time.Second, refresh: refreshText,
			open:  bearing(grant(inHeader), auth.RenewBefore(30*time.Second)),
			calls: 3, pause: 280 * time.Second, want: slices.Repeat(get, 3),
			peers: idp(says(`{"access_token":"`+tokenText+`","expires_in":"600"}`),
				tokenCall("POST /token", call, basicLine())),
		},
	}
	for _, p := range []struct{ who, token, refresh string }{
		{"Bing Webmasters", "/webmasters/token", "/webmasters/refresh"}, {"Trustpilot", "/v1/accesstoken", "/v1/refresh"},
	} {
		all = append(all, provider{
			id: "Q-093", what: p.who + ": a refresh URL", lives: time.Hour, refresh: refreshText,
			open: bearing(grant(func(c *oauth2flow.Client) {
				c.TokenURL, c.RefreshURL = authOrigin+p.token, authOrigin+p.refresh
			})),
			want: get, peers: idp(oneHour(), tokenCall("POST "+p.refresh, plain)),
		})
	}
	public := func(c *oauth2flow.Client) {
		c.Auth, c.Secret, c.RefreshURL = oauth2flow.PublicClient(), nil, authOrigin+"/refresh"
	}
	return append(all, provider{
		id: "Q-094", what: "HeyGen, PostHog: a public client, and a refresh URL", lives: time.Hour, refresh: refreshText,
		open: bearing(grant(public)), want: get,
		peers: idp(oneHour(), tokenCall("POST /refresh", "client_id=client-7&"+call)),
	})
}

// ownRefreshes renew a token in a form that is not that of the standard.
func ownRefreshes() []provider {
	const answer = `{"access_token":"` + tokenText + `","expires_in":3600}`
	const refresh = "grant_type=refresh_token&refresh_token=" + refreshText
	get := []message{sends("GET /x", bearerLine)}
	at := until("body.access_token", "body.expires_in")
	return []provider{
		{
			id: "Q-061", what: "Basecamp: type in place of grant_type, and a User-Agent that names the application",
			lives: time.Hour, refresh: refreshText,
			open: bearing(renewing(at, login.Step{
				Path: "/authorization/token", Header: login.Fields("User-Agent", "Acme (ann@acme.test)"),
				Form: login.Fields("type", "refresh", "refresh_token", "{{refresh}}",
					"client_id", "{{id}}", "client_secret", "{{key}}"),
			}), refreshed()).and(connection.WithUserAgent("Acme (ann@acme.test)")),
			want: []message{sends("GET /x", bearerLine, "User-Agent: Acme (ann@acme.test)")},
			peers: idp(says(answer), sends("POST /authorization/token", typeForm, "User-Agent: Acme (ann@acme.test)").
				with("type=refresh&refresh_token="+refreshText+"&"+inBody)),
		},
		{
			id: "Q-066", what: "TikTok: the id is client_key", lives: time.Hour, refresh: renewedText,
			open: bearing(renewing(keeping(at, "body.refresh_token"), login.Step{
				Path: "/v2/oauth/token/", Form: login.Fields("client_key", "{{id}}", "client_secret", "{{key}}",
					"grant_type", "refresh_token", "refresh_token", "{{refresh}}"),
			}), refreshed()),
			want: get,
			peers: idp(says(`{"access_token":"`+tokenText+`","expires_in":3600,"refresh_token":"`+renewedText+`"}`),
				sends("POST /v2/oauth/token/", typeForm).with("client_key=client-7&client_secret="+keyInURL+"&"+refresh)),
		},
		walmart(),
		{
			id: "Q-082", what: "Stripe Apps: the secret is the user of Basic, and an hour is assumed",
			lives: time.Hour, refresh: refreshText,
			open: bearing(renewing(login.Config{Token: "body.access_token", Lifetime: time.Hour}, login.Step{
				Path: "/v1/oauth/token", Basic: &login.Basic{User: "{{key}}"},
				Form: login.Fields("grant_type", "refresh_token", "refresh_token", "{{refresh}}"),
			}), refreshed()),
			want: get,
			peers: idp(says(`{"access_token":"`+tokenText+`"}`), sends("POST /v1/oauth/token", typeForm,
				"Authorization: Basic "+b64(keyText+":")).with(refresh)),
		},
		{
			id: "Q-088", what: "Sentry: a 201 with names in camel case and a date, JSON", lives: 8 * time.Hour,
			refresh: renewedText,
			open: bearing(renewing(keeping(until("body.token", "body.expiresAt"), "body.refreshToken"), login.Step{
				Path: "/authorizations/", JSON: map[string]string{
					"grant_type": "refresh_token", "refresh_token": "{{refresh}}", "client_id": "{{id}}", "client_secret": "{{key}}",
				},
			}), refreshed()),
			want: get,
			peers: idp(connectiontest.JSON(201, map[string]string{
				"token": tokenText, "refreshToken": renewedText, "expiresAt": "2000-01-01T08:00:00.000000Z",
			}), sends("POST /authorizations/", typeJSON).with(`{"client_id":"client-7","client_secret":"`+keyText+
				`","grant_type":"refresh_token","refresh_token":"`+refreshText+`"}`)),
		},
		coros(),
		{
			id: "Q-095", what: "Facebook: the access token itself is exchanged, with all in the query", lives: 42 * aDay,
			open: bearing(renewing(at, login.Step{
				Path: "/v25.0/oauth/access_token", Query: login.Fields("grant_type", "fb_exchange_token",
					"fb_exchange_token", "{{token}}", "client_id", "{{id}}", "client_secret", "{{key}}"),
			}), auth.Seed(auth.Token{Value: secrets.Static(tokenText), Expiry: epoch().Add(60 * aDay)})),
			calls: 5, pause: 18 * aDay, // the renewal is begun by the fourth call, and behind it
			want: []message{get[0], get[0], get[0], get[0], sends("GET /x", "Authorization: Bearer "+newerText)},
			peers: idp(says(`{"access_token":"`+newerText+`","expires_in":5184000}`), sends(
				"POST /v25.0/oauth/access_token?grant_type=fb_exchange_token&fb_exchange_token="+tokenText+"&"+inBody)),
		},
		instagram(),
		{
			id: "Q-098", what: "Agiloft: the first 20 characters of the secret", lives: time.Hour, refresh: refreshText,
			open: bearing(computing(renewal(at, login.Step{
				Path: "/oauth2/token", Form: login.Fields("grant_type", "refresh_token", "md5_secret", "{{start}}",
					"refresh_token", "{{refresh}}"),
			}), func(v map[string]string) map[string]string {
				return map[string]string{"start": (v["key"] + v["password"])[:20]}
			}), refreshed()),
			want: get, secrets: []string{(keyText + secondText)[:20]},
			peers: idp(says(answer), sends("POST /oauth2/token", typeForm).with(
				"grant_type=refresh_token&md5_secret="+url.QueryEscape((keyText + secondText)[:20])+
					"&refresh_token="+refreshText)),
		},
		{
			id: "Q-100", what: "Absorb LMS: key and version in headers of the token call, and a nonce",
			lives: time.Hour, refresh: refreshText,
			open: bearing(computing(renewal(at, login.Step{
				Path:   "/oauth/token",
				Header: login.Fields("X-Api-Key", "{{password}}", "X-Api-Version", "1.5"),
				Form: login.Fields("grant_type", "refresh_token", "refresh_token", "{{refresh}}", "client_id", "{{id}}",
					"client_secret", "{{key}}", "nonce", "{{nonce}}"),
			}), func(map[string]string) map[string]string { return map[string]string{"nonce": "n-0123456789"} }), refreshed()),
			want: get,
			peers: idp(says(answer), sends("POST /oauth/token", typeForm, "X-Api-Key: "+secondText, "X-Api-Version: 1.5").
				with(refresh+"&"+inBody+"&nonce=n-0123456789")),
		},
		{
			id: "Q-105", what: "Gong: the refresh token in the query, an empty body, Basic", lives: time.Hour,
			refresh: renewedText,
			open: bearing(renewing(keeping(at, "body.refresh_token"), login.Step{
				Path: "/oauth2/generate-customer-token", Basic: idAndKey(),
				Query: login.Fields("grant_type", "refresh_token", "refresh_token", "{{refresh}}"),
			}), refreshed()),
			want: get,
			peers: idp(says(`{"access_token":"`+tokenText+`","expires_in":3600,"refresh_token":"`+renewedText+`"}`),
				sends("POST /oauth2/generate-customer-token?"+refresh, "Authorization: Basic "+b64("client-7:"+keyText))),
		},
		{
			id: "Q-106", what: "Bullhorn: a refresh in the query, and a login with its token for a session",
			lives: 7 * aDay, refresh: renewedText,
			open: managed(renewing(login.Config{
				Token: "body.BhRestToken", Lifetime: 10080 * time.Minute, Refresh: "steps[0].body.refresh_token",
				Extra: map[string]string{"api": "body.restUrl"},
			}, login.Step{
				Path: "/oauth/token", Query: login.Fields("grant_type", "refresh_token", "refresh_token", "{{refresh}}",
					"client_id", "{{id}}", "client_secret", "{{key}}"),
				Save: map[string]string{"first": "body.access_token"},
			}, login.Step{
				Path: "/rest-services/login", Query: login.Fields("version", "*", "access_token", "{{first}}", "ttl", "10080"),
			}), bearer(auth.InHeader("BhRestToken"), auth.NoPrefix()), refreshed()),
			want: []message{sends("GET /x", "Bhresttoken: "+tokenText)},
			peers: issuer(turns(
				says(`{"access_token":"`+newerText+`","expires_in":600,"refresh_token":"`+renewedText+`"}`),
				says(`{"BhRestToken":"`+tokenText+`","restUrl":"https://rest7.test/rest-services/e999/"}`),
			), sends("POST /oauth/token?"+refresh+"&"+inBody),
				sends("POST /rest-services/login?version=%2A&access_token="+newerText+"&ttl=10080")),
		},
	}
}

// epoch is when the clock of a bubble begins.
func epoch() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

// walmart wants headers of its own on the token call and on all others, one of them new each time.
func walmart() provider {
	count := func(n *int) string {
		*n++
		return "correlation-" + strconv.Itoa(*n)
	}
	return provider{
		id: "Q-069", what: "Walmart: WM headers on all calls, with an id for each", lives: time.Hour, refresh: refreshText,
		open: func(s *scene) []connection.Option {
			var calls, logins int
			grant := computing(renewal(until("body.access_token", "body.expires_in"), login.Step{
				Path: "/v3/token", Basic: idAndKey(),
				Header: login.Fields("WM_SVC.NAME", "Acme", "WM_QOS.CORRELATION_ID", "{{correlation}}"),
				Form:   login.Fields("grant_type", "refresh_token", "refresh_token", "{{refresh}}"),
			}), func(map[string]string) map[string]string { return map[string]string{"correlation": count(&logins)} })
			return managed(grant, func(src auth.TokenSource) auth.Authenticator {
				return auth.All(auth.Bearer(src, auth.InHeader("WM_SEC.ACCESS_TOKEN"), auth.NoPrefix()),
					auth.Func(func(req *http.Request) error {
						req.Header.Set("Wm_qos.correlation_id", count(&calls))
						return nil
					}))
			}, refreshed())(s)
		},
		calls: 2,
		want: []message{
			sends("GET /x", "Wm_sec.access_token: "+tokenText, "Wm_qos.correlation_id: correlation-1"),
			sends("GET /x", "Wm_sec.access_token: "+tokenText, "Wm_qos.correlation_id: correlation-2"),
		},
		peers: idp(says(`{"access_token":"`+tokenText+`","expires_in":3600}`), sends("POST /v3/token", typeForm,
			"Authorization: Basic "+b64("client-7:"+keyText), "Wm_svc.name: Acme", "Wm_qos.correlation_id: correlation-1").
			with("grant_type=refresh_token&refresh_token="+refreshText)),
	}
}

// coros answers a refresh without a token: the one that there is lives on.
func coros() provider {
	return provider{
		id: "Q-090", what: "COROS: a refresh extends the token that there is", lives: 30 * aDay, refresh: refreshText,
		open: func(s *scene) []connection.Option {
			idp, err := connection.New(authOrigin, s.net.Option())
			s.NoError(err)
			s.Cleanup(func() { _ = idp.Close() })
			grant := auth.GrantFunc(func(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
				if prev == nil {
					return nil, auth.ErrLoginRequired
				}
				type answer struct {
					Result string `json:"result"`
				}
				got, err := request.Do[answer](ctx, request.Post(idp, "/oauth2/refresh-token").Body(request.Form(url.Values{
					"client_id": {"client-7"}, "client_secret": {keyText},
					"grant_type": {"refresh_token"}, "refresh_token": {prev.Refresh.Reveal()},
				})))
				switch {
				case err != nil:
					return nil, err
				case got.Result != "0000":
					return nil, errors.New("the token is not extended")
				}
				next := *prev
				next.Obtained, next.Expiry = time.Now(), time.Now().Add(30*aDay)
				return &next, nil
			})
			return bearing(grant, auth.Seed(auth.Token{
				Value: secrets.Static(tokenText), Refresh: secrets.Static(refreshText), Expiry: epoch().Add(time.Hour),
			}))(s)
		},
		calls: 2, pause: 2 * time.Hour, want: slices.Repeat([]message{sends("GET /x", bearerLine)}, 2),
		peers: []peer{{
			origin: authOrigin, replies: []http.Handler{says(`{"result":"0000","message":"OK"}`)},
			want: []message{sends("POST /oauth2/refresh-token", typeForm).with(
				inBody + "&grant_type=refresh_token&refresh_token=" + refreshText)},
		}},
	}
}

// instagram exchanges the token of the consent at once, and renews what it gets while it is good.
func instagram() provider {
	cfg := renewal(until("body.access_token", "body.expires_in"), login.Step{
		Method: "GET", Path: "/refresh_access_token", Query: login.Fields("grant_type", "ig_refresh_token",
			"access_token", "{{token}}"),
	})
	cfg.Start = auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
		return &auth.Token{Value: secrets.Static(refreshText)}, nil
	})
	cfg.Steps = []login.Step{{Method: "GET", Path: "/access_token", Query: login.Fields(
		"grant_type", "ig_exchange_token", "client_secret", "{{key}}", "access_token", "{{token}}")}}
	cfg.MinAge = aDay
	long := func(text string) http.Handler { return says(`{"access_token":"` + text + `","expires_in":5184000}`) }
	get := sends("GET /x", bearerLine)
	return provider{
		id: "Q-096", what: "Instagram: exchanged at once, and renewed with itself before it ends", lives: 42 * aDay,
		open:  bearing(login.New(cfg)),
		calls: 5, pause: 18 * aDay, // the renewal is begun by the fourth call, and behind it
		want: []message{get, get, get, get, sends("GET /x", "Authorization: Bearer "+newerText)},
		peers: issuer(turns(long(tokenText), long(newerText)),
			sends("GET /access_token?grant_type=ig_exchange_token&client_secret="+keyInURL+"&access_token="+refreshText),
			sends("GET /refresh_access_token?grant_type=ig_refresh_token&access_token="+tokenText)),
	}
}

// addresses have the host of the service in the answer to the token call. The connection is opened when that is there.
func addresses() []provider {
	const refresh = inBody + "&grant_type=refresh_token&refresh_token=" + refreshText
	// with is a network with a token endpoint, whose answer has member, and a service at its own address.
	with := func(id, what, member string, send func(auth.TokenSource) auth.Authenticator, line string) provider {
		return provider{id: id, what: what, test: func(r *Row) {
			net := connectiontest.NewNetwork(r)
			issuer := net.Serve(authOrigin, says(`{"access_token":"`+tokenText+`",`+member+`"expires_in":3600}`))
			api := net.Serve("https://eu7.service.test", connectiontest.JSON(200, map[string]int{"id": 1}))
			tokens := auth.Manage(oauth2flow.Refresh(app(func(c *oauth2flow.Client) {
				c.Endpoint = auth.Endpoint{Client: &http.Client{Transport: net.Transport()}}
			}), secrets.Static(refreshText)))
			r.Cleanup(func() { _ = tokens.Close() })
			t, err := tokens.Token(r.ctx(), auth.Want{})
			r.NoError(err)
			name, _, _ := strings.Cut(strings.TrimPrefix(member, `"`), `"`)
			base := t.Extra[name].Reveal()
			if base == "eu7.service.test" { // Wrike tells the host alone
				base = "https://" + base
			}
			conn, err := connection.New(base, net.Option(), connection.WithAuth(send(tokens)))
			r.NoError(err)
			r.Cleanup(func() { _ = conn.Close() })
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
			r.Received(api, commonFields(), sends("GET /x", line))
			r.Received(issuer, tokenFields(), tokenCall("POST /token", refresh))
		}}
	}
	return []provider{
		salesforce(),
		with("Q-085", "Zoho: the API host of the region", `"api_domain":"https://eu7.service.test",`,
			bearer(auth.Prefix("Zoho-oauthtoken")), "Authorization: Zoho-oauthtoken "+tokenText),
		with("Q-086", "Wrike: the host alone", `"host":"eu7.service.test",`, bearer(), bearerLine),
		with("Q-086", "Gong: the base URL of the customer", `"api_base_url_for_customer":"https://eu7.service.test",`,
			bearer(), bearerLine),
	}
}

// salesforce does not tell in the answer when the token ends, but if it is asked for.
func salesforce() provider {
	return provider{
		id: "Q-084", what: "Salesforce: the base URL is in the answer, and introspection tells when the token ends",
		test: func(r *Row) {
			net := connectiontest.NewNetwork(r)
			issuer := net.Serve(authOrigin, says(`{"access_token":"`+tokenText+`","instance_url":"https://acme.my.test"}`))
			api := net.Serve("https://acme.my.test", connectiontest.Sequence(
				says(`{"active":true,"exp":`+strconv.FormatInt(epoch().Add(2*time.Hour).Unix(), 10)+`}`),
				connectiontest.JSON(200, map[string]int{"id": 1})))
			client := app(func(c *oauth2flow.Client) {
				c.Endpoint = auth.Endpoint{Client: &http.Client{Transport: net.Transport()}}
			})
			refresh := oauth2flow.Refresh(client, secrets.Static(refreshText))
			tokens := auth.Manage(auth.GrantFunc(func(ctx context.Context, prev *auth.Token) (*auth.Token, error) {
				t, err := refresh.Obtain(ctx, prev)
				if err != nil {
					return nil, err
				}
				c := client
				c.IntrospectionURL = t.Extra["instance_url"].Reveal() + "/services/oauth2/introspect"
				told, err := oauth2flow.Introspect(ctx, c, t.Value, "access_token")
				if err != nil {
					return t, nil //nolint:nilerr // the token is there, and its end is not worth to lose it
				}
				next := *t
				next.Expiry = told.Expiry
				return &next, nil
			}))
			r.Cleanup(func() { _ = tokens.Close() })
			t, err := tokens.Token(r.ctx(), auth.Want{})
			r.NoError(err)
			r.Equal("lifetime", time.Until(t.Expiry).String(), "2h0m0s")
			conn, err := connection.New(t.Extra["instance_url"].Reveal(), net.Option(), connection.WithAuth(auth.Bearer(tokens)))
			r.NoError(err)
			r.Cleanup(func() { _ = conn.Close() })
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
			r.Received(issuer, tokenFields(), tokenCall("POST /token",
				inBody+"&grant_type=refresh_token&refresh_token="+refreshText))
			r.Received(api, commonFields(),
				sends("POST /services/oauth2/introspect", "User-Agent: Go-http-client/1.1", typeForm, asks).with(
					inBody+"&token="+tokenText+"&token_type_hint=access_token"),
				sends("GET /x", bearerLine))
		},
	}
}

// managed returns options for open: the tokens of a grant, kept by a manager with those options, and sent by what send
// makes of it.
func managed(g auth.Grant, send func(auth.TokenSource) auth.Authenticator, opts ...auth.ManageOption) opener {
	return func(s *scene) []connection.Option {
		s.tokens = auth.Manage(g, opts...)
		s.Cleanup(func() { _ = s.tokens.Close() })
		return []connection.Option{connection.WithAuth(send(s.tokens))}
	}
}

// opener is what the field open of a provider is.
type opener func(s *scene) []connection.Option

// and adds options to those that o returns.
func (o opener) and(others ...connection.Option) opener {
	return func(s *scene) []connection.Option { return append(o(s), others...) }
}

// bearer sends tokens as auth.Bearer does.
func bearer(opts ...auth.BearerOption) func(auth.TokenSource) auth.Authenticator {
	return func(src auth.TokenSource) auth.Authenticator { return auth.Bearer(src, opts...) }
}

// bearing sends the tokens of a grant in Authorization.
func bearing(g auth.Grant, opts ...auth.ManageOption) opener { return managed(g, bearer(), opts...) }

// says is an answer of a token endpoint.
func says(text string) http.Handler {
	return connectiontest.Text(http.StatusOK, text).Header("Content-Type", "application/json")
}

// oneHour answers with tokenText for an hour.
func oneHour() http.Handler {
	return says(`{"access_token":"` + tokenText + `","token_type":"Bearer","expires_in":3600}`)
}

// idp is a server at authOrigin that gives one answer to all requests, which are want.
func idp(reply http.Handler, want ...message) []peer { return issuer(turns(reply), want...) }

// issuer is a server at authOrigin that gives one answer after the other.
func issuer(replies []http.Handler, want ...message) []peer {
	return []peer{{origin: authOrigin, replies: replies, want: want, common: tokenFields()}}
}

// turns are answers in their order. A connectiontest.Sequence would go on where another run of the row has ended.
func turns(replies ...http.Handler) []http.Handler { return replies }

// tokenFields are the fields of each token call, beside Host and Content-Length.
func tokenFields() []string {
	return []string{"User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"}
}

// typeForm and typeJSON say of what type a body is, and asks that an answer in JSON is wanted.
const (
	typeForm = "Content-Type: application/x-www-form-urlencoded"
	typeJSON = "Content-Type: application/json"
	asks     = "Accept: application/json"

	bearerLine = "Authorization: Bearer " + tokenText
)
