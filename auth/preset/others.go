package preset

import (
	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// subdomain is the parameter of a service that gives each customer a host of its own.
func subdomain(name, suffix string) []parameter {
	return []parameter{{name: name, check: checkLabel, suffix: suffix}}
}

// idAs is another name of the client id.
func idAs(name string) map[string]string { return map[string]string{"client_id": name} }

// others are services that x/oauth2 does not have. All that has no other source is of the entry of NG that has the same
// name, or the one that is given.
var others = []service{ //nolint:gochecknoglobals // never changed
	{
		name: "accelo", at: at("https://{subdomain}/oauth2/v0/authorize", "https://{subdomain}/oauth2/v0/token"),
		parameters: subdomain("subdomain", ".api.accelo.com"),
		client:     oauth2flow.Client{ScopeSeparator: ","},
	},
	{
		name: "airtable",
		at:   inHeader(at("https://airtable.com/oauth2/v1/authorize", "https://airtable.com/oauth2/v1/token")),
	},
	{
		name: "atlassian", // NG jira
		at:   at("https://auth.atlassian.com/authorize", "https://auth.atlassian.com/oauth/token"),
		authorization: oauth2flow.Authorization{
			Params: oauth2flow.NewParams("audience", "api.atlassian.com", "prompt", "consent"),
		},
	},
	{
		name: "docusign",
		at:   inHeader(at("https://account.docusign.com/oauth/auth", "https://account.docusign.com/oauth/token")),
	},
	{
		name: "docusign-demo", // NG docusign-sandbox
		at:   inHeader(at("https://account-d.docusign.com/oauth/auth", "https://account-d.docusign.com/oauth/token")),
	},
	{
		name: "dropbox-sign", at: at("https://app.hellosign.com/oauth/authorize", "https://app.hellosign.com/oauth/token"),
		client: oauth2flow.Client{RefreshURL: "https://app.hellosign.com/oauth/token?refresh"},
	},
	{
		name: "figma", at: inHeader(at("https://www.figma.com/oauth", "https://api.figma.com/v1/oauth/token")),
		client: oauth2flow.Client{
			RefreshURL: "https://api.figma.com/v1/oauth/refresh", ScopeSeparator: ",",
		},
		authorization: oauth2flow.Authorization{PKCE: oauth2flow.PKCENone},
	},
	{
		name: "gorgias", at: inHeader(at("https://{subdomain}/oauth/authorize", "https://{subdomain}/oauth/token")),
		parameters: subdomain("subdomain", ".gorgias.com"),
	},
	{
		name: "heygen", at: at("https://app.heygen.com/oauth/authorize", "https://api2.heygen.com/v1/oauth/token"),
		client: oauth2flow.Client{RefreshURL: "https://api2.heygen.com/v1/oauth/refresh_token"},
	},
	{
		name: "linear", at: at("https://linear.app/oauth/authorize", "https://api.linear.app/oauth/token"),
		// Revocation: plugins/linear of github.com/outline/outline.
		client:        oauth2flow.Client{ScopeSeparator: ",", RevocationURL: "https://api.linear.app/oauth/revoke"},
		authorization: oauth2flow.Authorization{PKCE: oauth2flow.PKCENone},
	},
	{
		name: "lokalise", at: at("https://app.lokalise.com/oauth2/auth", "https://app.lokalise.com/oauth2/token"),
		client:        oauth2flow.Client{Encoding: oauth2flow.JSON},
		authorization: oauth2flow.Authorization{PKCE: oauth2flow.PKCENone},
	},
	{name: "miro", at: at("https://miro.com/oauth/authorize", "https://api.miro.com/v1/oauth/token")},
	{
		name: "mollie", at: at("https://my.mollie.com/oauth2/authorize", "https://api.mollie.com/oauth2/tokens"),
		authorization: oauth2flow.Authorization{PKCE: oauth2flow.PKCENone},
	},
	{
		name: "monday", at: at("https://auth.monday.com/oauth2/authorize", "https://auth.monday.com/oauth2/token"),
		authorization: oauth2flow.Authorization{
			PKCE: oauth2flow.PKCENone, Names: map[string]string{"response_type": ""},
		},
	},
	{
		name: "netsuite", at: at(
			"https://{account}.app.netsuite.com/app/login/oauth2/authorize.nl",
			"https://{account}.suitetalk.api.netsuite.com/services/rest/auth/oauth2/v1/token"),
		parameters: []parameter{{name: "account", check: checkLabel}},
	},
	{
		name:          "notion",
		at:            inHeader(at("https://api.notion.com/v1/oauth/authorize", "https://api.notion.com/v1/oauth/token")),
		client:        oauth2flow.Client{Encoding: oauth2flow.JSON},
		authorization: oauth2flow.Authorization{Params: oauth2flow.NewParams("owner", "user")},
	},
	{
		name: "okta", at: at("https://{subdomain}/oauth2/v1/authorize", "https://{subdomain}/oauth2/v1/token"),
		parameters: subdomain("subdomain", ".okta.com"),
	},
	{
		name: "quickbooks", at: at("https://appcenter.intuit.com/connect/oauth2", // NG intuit
			"https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer"),
		// The id of the company is in the answer of the browser only: NG quickbooks.
		authorization: oauth2flow.Authorization{Keep: []string{"realmId"}},
	},
	{
		name: "reddit",
		at:   inHeader(at("https://www.reddit.com/api/v1/authorize", "https://www.reddit.com/api/v1/access_token")),
		// Without it there is no refresh token.
		authorization: oauth2flow.Authorization{Params: oauth2flow.NewParams("duration", "permanent")},
	},
	{
		name: "salesforce", at: at("https://{domain}/services/oauth2/authorize", "https://{domain}/services/oauth2/token"),
		parameters: []parameter{{
			name: "domain", check: checkHost, suffix: ".my.salesforce.com", fallback: "login.salesforce.com",
		}},
		// developer.salesforce.com/docs/platform/mobile-sdk/guide/oauth-revoking-tokens.html
		client: oauth2flow.Client{RevocationURL: "https://{domain}/services/oauth2/revoke"},
	},
	{
		name: "servicenow", at: at("https://{instance}/oauth_auth.do", "https://{instance}/oauth_token.do"),
		parameters: subdomain("instance", ".service-now.com"),
	},
	{
		name: "snapchat", at: at("https://accounts.snapchat.com/login/oauth2/authorize",
			"https://accounts.snapchat.com/login/oauth2/access_token"),
		authorization: oauth2flow.Authorization{PKCE: oauth2flow.PKCENone},
	},
	{
		name: "spendesk", at: at("https://public-api.spendesk.com/v1/oauth2/authorize",
			"https://public-api.spendesk.com/v1/oauth2/token/create"),
		client: oauth2flow.Client{Encoding: oauth2flow.JSON},
	},
	{name: "stripe", at: at("https://connect.stripe.com/oauth/authorize", "https://connect.stripe.com/oauth/token")},
	{
		name: "tiktok", // NG tiktok-personal, and packages/shared/lib/clients/provider.client.ts for the token call
		at:   at("https://www.tiktok.com/v2/auth/authorize/", "https://open.tiktokapis.com/v2/oauth/token/"),
		client: oauth2flow.Client{
			ScopeSeparator: ",", Names: idAs("client_key"),
		},
		authorization: oauth2flow.Authorization{Names: idAs("client_key")},
	},
	{
		name: "tiktok-ads", // as above
		at: at("https://business-api.tiktok.com/portal/auth",
			"https://business-api.tiktok.com/open_api/v1.3/oauth2/access_token/"),
		client: oauth2flow.Client{
			Encoding: oauth2flow.JSON,
			Names: map[string]string{
				"client_id": "app_id", "client_secret": "secret", "code": "auth_code", "grant_type": "", "redirect_uri": "",
			},
			AnswerNames: map[string]string{"access_token": "data.access_token"},
		},
		authorization: oauth2flow.Authorization{
			PKCE: oauth2flow.PKCENone, Names: idAs("app_id"),
		},
		send: []auth.BearerOption{auth.InHeader("Access-Token"), auth.NoPrefix()},
	},
	{
		name: "todoist", at: at("https://todoist.com/oauth/authorize", "https://todoist.com/oauth/access_token"),
		client: oauth2flow.Client{ScopeSeparator: ","},
	},
	{
		name: "trustpilot", at: inHeader(at("https://authenticate.trustpilot.com",
			"https://api.trustpilot.com/v1/oauth/oauth-business-users-for-applications/accesstoken")),
		client: oauth2flow.Client{
			RefreshURL: "https://api.trustpilot.com/v1/oauth/oauth-business-users-for-applications/refresh",
		},
		authorization: oauth2flow.Authorization{PKCE: oauth2flow.PKCENone},
	},
	{
		name: "typeform", at: at("https://api.typeform.com/oauth/authorize", "https://api.typeform.com/oauth/token"),
		authorization: oauth2flow.Authorization{PKCE: oauth2flow.PKCENone},
	},
	{
		name:   "workable", // NG workable-oauth
		at:     at("https://www.workable.com/oauth/authorize", "https://www.workable.com/oauth/token"),
		client: oauth2flow.Client{ScopeSeparator: "+"},
	},
	{
		name: "zendesk", at: at("https://{subdomain}/oauth/authorizations/new", "https://{subdomain}/oauth/tokens"),
		parameters: subdomain("subdomain", ".zendesk.com"),
	},
	{
		name: "zoho", at: at("https://accounts.zoho.com/oauth/v2/auth", "https://accounts.zoho.com/oauth/v2/token"),
		authorization: oauth2flow.Authorization{
			Params: oauth2flow.NewParams("access_type", "offline", "prompt", "consent"),
			// The answer of the browser tells the region, which issues the token:
			// zoho.com/accounts/protocol/oauth/multi-dc.html; bigin.com/developer/docs/apis/multi-dc.html for China.
			ServerParam: "accounts-server", Servers: []string{
				"https://accounts.zoho.com", "https://accounts.zoho.eu", "https://accounts.zoho.in",
				"https://accounts.zoho.com.au", "https://accounts.zoho.com.cn", "https://accounts.zoho.jp",
				"https://accounts.zohocloud.ca", "https://accounts.zoho.sa", "https://accounts.zoho.uk",
			},
		},
	},
}
