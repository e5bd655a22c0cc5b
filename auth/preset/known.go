package preset

import (
	"slices"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/endpoints"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// services are all services.
//
// Sources: NG is packages/providers/providers.yaml of github.com/NangoHQ/nango, by the name of the entry there.
var services = slices.Concat(known, others) //nolint:gochecknoglobals // never changed

// inHeader returns an endpoint whose clients authenticate in the header.
func inHeader(e oauth2.Endpoint) oauth2.Endpoint {
	e.AuthStyle = oauth2.AuthStyleInHeader
	return e
}

// at returns an endpoint.
func at(authorize, token string) oauth2.Endpoint {
	return oauth2.Endpoint{AuthURL: authorize, TokenURL: token}
}

// entra returns the endpoints of Microsoft below a URL.
func entra(base string) oauth2.Endpoint {
	e := at(base+"/oauth2/v2.0/authorize", base+"/oauth2/v2.0/token")
	e.DeviceAuthURL = base + "/oauth2/v2.0/devicecode"
	return e
}

// known are those whose endpoints x/oauth2 has. Nokia Health, which is Withings now, and HipChat have ended.
var known = []service{ //nolint:gochecknoglobals // never changed
	{name: "amazon", at: endpoints.Amazon},
	{
		name: "amazon-cognito", at: at( // endpoints.AWSCognito
			"https://{domain}.auth.{region}.amazoncognito.com/oauth2/authorize",
			"https://{domain}.auth.{region}.amazoncognito.com/oauth2/token"),
		parameters: []parameter{{name: "domain", check: checkLabel}, {name: "region", check: checkLabel}},
	},
	{name: "apple", at: endpoints.Apple},
	{name: "asana", at: endpoints.Asana},
	{
		name: "asgardeo", at: at( // endpoints.AsgardeoEndpoint
			"https://api.asgardeo.io/t/{tenant}/oauth2/authorize", "https://api.asgardeo.io/t/{tenant}/oauth2/token"),
		parameters: []parameter{{name: "tenant", check: checkLabel}},
	},
	{name: "badgr", at: endpoints.Badgr},
	{name: "battlenet", at: endpoints.Battlenet},
	{name: "bitbucket", at: endpoints.Bitbucket},
	{name: "cern", at: endpoints.Cern},
	{name: "coinbase", at: endpoints.Coinbase},
	{
		name: "discord", at: endpoints.Discord,
		// discord.com/developers/docs/topics/oauth2
		client: oauth2flow.Client{RevocationURL: "https://discord.com/api/oauth2/token/revoke"},
	},
	{
		name: "dropbox", at: endpoints.Dropbox,
		// Without it there is no refresh token: NG dropbox.
		authorization: oauth2flow.Authorization{Params: oauth2flow.NewParams("token_access_type", "offline")},
	},
	// developer.ebay.com/api-docs/static/oauth-auth-code-grant-request.html; NG ebay
	{name: "ebay", at: inHeader(endpoints.Endpoint)}, // which is that of eBay
	{name: "facebook", at: endpoints.Facebook},
	{
		name: "fitbit", at: inHeader(endpoints.Fitbit), // NG fitbit
		// dev.fitbit.com/build/reference/web-api/authorization/revoke-token
		client: oauth2flow.Client{RevocationURL: "https://api.fitbit.com/oauth2/revoke"},
	},
	{name: "foursquare", at: endpoints.Foursquare},
	// It answers with a form unless the call accepts JSON, which all calls do that do not say otherwise:
	// content/v3/oauth.md of github.com/github/developer.github.com.
	{name: "github", at: endpoints.GitHub, client: oauth2flow.Client{AcceptForm: true}},
	{name: "gitlab", at: endpoints.GitLab},
	{
		name: "google", at: endpoints.Google,
		// It takes both for a refresh token in every login: NG google-play.
		authorization: oauth2flow.Authorization{
			Params: oauth2flow.NewParams("access_type", "offline", "prompt", "consent"),
		},
		// pub.dev/documentation/multi_account_authentication: GoogleAuthCredentials.revoke
		client: oauth2flow.Client{RevocationURL: "https://oauth2.googleapis.com/revoke"},
	},
	{name: "heroku", at: endpoints.Heroku},
	{name: "instagram", at: endpoints.Instagram},
	{name: "kakao", at: endpoints.KaKao},
	{name: "line", at: endpoints.Line},
	{
		name: "linkedin", at: endpoints.LinkedIn,
		// It knows PKCE for applications only that it was switched on for: NG linkedin;
		// learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow-native
		authorization: oauth2flow.Authorization{PKCE: oauth2flow.PKCENone},
	},
	{name: "mailchimp", at: endpoints.Mailchimp},
	{name: "mailru", at: endpoints.Mailru},
	{name: "mediamath", at: endpoints.MediaMath},
	{name: "mediamath-sandbox", at: endpoints.MediaMathSandbox},
	{
		name: "microsoft", at: entra("https://login.microsoftonline.com/{tenant}"), // endpoints.AzureAD
		parameters: []parameter{{name: "tenant", check: checkHost, fallback: "common"}},
	},
	{
		name: "microsoft-b2c", at: at( // endpoints.AzureADB2CEndpoint
			"https://{tenant}.b2clogin.com/{tenant}.onmicrosoft.com/{policy}/oauth2/v2.0/authorize",
			"https://{tenant}.b2clogin.com/{tenant}.onmicrosoft.com/{policy}/oauth2/v2.0/token"),
		parameters: []parameter{{name: "tenant", check: checkLabel}, {name: "policy", check: checkSegment}},
	},
	{name: "microsoft-live", at: endpoints.Microsoft},
	{name: "naver", at: endpoints.Naver},
	{name: "odnoklassniki", at: endpoints.Odnoklassniki},
	{name: "openstreetmap", at: endpoints.OpenStreetMap},
	{name: "patreon", at: endpoints.Patreon},
	{name: "paypal", at: inHeader(endpoints.PayPal)},                // NG paypal
	{name: "paypal-sandbox", at: inHeader(endpoints.PayPalSandbox)}, // the same
	{name: "pinterest", at: inHeader(endpoints.Pinterest)},          // NG pinterest
	{
		name: "pipedrive", at: inHeader(endpoints.Pipedrive), // NG pipedrive, also for PKCE
		authorization: oauth2flow.Authorization{PKCE: oauth2flow.PKCENone},
	},
	{
		// It answers with a form otherwise: the parameter fmt of wiki.connect.qq.com.
		name: "qq", at: at(endpoints.QQ.AuthURL, endpoints.QQ.TokenURL+"?fmt=json"),
	},
	{name: "rakuten", at: endpoints.Rakuten},
	{
		name:       "shopify", // endpoints.Shopify
		at:         at("https://{shop}/admin/oauth/authorize", "https://{shop}/admin/oauth/access_token"),
		parameters: []parameter{{name: "shop", check: checkLabel, suffix: ".myshopify.com"}},
		// A token that ends, and a refresh token: NG shopify, also for the header.
		client: oauth2flow.Client{Params: oauth2flow.NewParams("expiring", "1")},
		send:   []auth.BearerOption{auth.InHeader("X-Shopify-Access-Token"), auth.NoPrefix()},
	},
	{
		// Client authentication and types of tokens: docs.slack.dev/reference/methods/oauth.v2.access. Scopes: NG slack.
		name: "slack", at: inHeader(endpoints.Slack),
		client: oauth2flow.Client{ScopeSeparator: ",", AcceptTokenTypes: []string{"bot", "user"}},
		// PKCE is for applications that were made public clients: docs.slack.dev/authentication/using-pkce.
		authorization: oauth2flow.Authorization{PKCE: oauth2flow.PKCENone},
	},
	{name: "splitwise", at: endpoints.Splitwise},
	{name: "spotify", at: inHeader(endpoints.Spotify)}, // NG spotify-oauth2-cc
	{
		// It answers with a form otherwise: api.stackexchange.com/docs/authentication, also for the member.
		name: "stackoverflow", at: at(endpoints.StackOverflow.AuthURL, endpoints.StackOverflow.TokenURL+"/json"),
		client: oauth2flow.Client{ExpiryField: "expires"},
	},
	{
		name: "strava", at: endpoints.Strava, // NG strava
		client:        oauth2flow.Client{ScopeSeparator: ","},
		authorization: oauth2flow.Authorization{Params: oauth2flow.NewParams("approval_prompt", "auto")},
	},
	{
		name: "twitch", at: endpoints.Twitch,
		// dev.twitch.tv/docs/authentication/revoke-tokens
		client: oauth2flow.Client{RevocationURL: "https://id.twitch.tv/oauth2/revoke"},
	},
	{name: "uber", at: endpoints.Uber},
	{name: "vk", at: endpoints.Vk},
	{
		// The token endpoint of x/oauth2 was shut down in 2022: support.withings.com, article 360016745358, also for the
		// parameter and the answer.
		name: "withings", at: at(endpoints.Withings.AuthURL, "https://wbsapi.withings.net/v2/oauth2"),
		client: oauth2flow.Client{
			ScopeSeparator: ",", Params: oauth2flow.NewParams("action", "requesttoken"),
			AnswerNames: map[string]string{
				"access_token": "body.access_token", "refresh_token": "body.refresh_token", "token_type": "body.token_type",
				"expires_in": "body.expires_in", "scope": "body.scope", "userid": "body.userid",
			},
		},
	},
	{name: "x", at: inHeader(endpoints.X)}, // NG twitter-v2
	{name: "yahoo", at: endpoints.Yahoo},
	{name: "yandex", at: endpoints.Yandex},
	{
		// Scopes: NG zoom. Client authentication and revocation: developers.qodex.ai/zoom-public, "Revoke an access token".
		name: "zoom", at: inHeader(endpoints.Zoom),
		client: oauth2flow.Client{ScopeSeparator: ",", RevocationURL: "https://zoom.us/oauth/revoke"},
	},
}
