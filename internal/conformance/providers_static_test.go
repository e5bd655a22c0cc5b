package conformance_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestProvidersStatic(t *testing.T) {
	t.Parallel()
	runProviders(t, staticProviders())
}

// staticProviders are the rows about credentials that somebody has issued by hand.
func staticProviders() []provider {
	return slices.Concat(basicProviders(), prefixProviders(), headerProviders(), tokenHeaderProviders(),
		queryProviders(), bodyProviders())
}

func basicProviders() []provider {
	return []provider{
		{
			id: "Q-001", what: "Freshdesk: key as user, X as password",
			open: using(auth.BasicFrom(theKey, secrets.Static("X"))),
			want: []message{sends("GET /x", "Authorization: Basic "+b64(keyText+":X"))},
		},
		{
			id: "Q-003", what: "BambooHR: key as user, x as password",
			open: using(auth.BasicFrom(theKey, secrets.Static("x"))),
			want: []message{sends("GET /x", "Authorization: Basic "+b64(keyText+":x"))},
		},
		{
			id: "Q-004", what: "Ashby, Lob, Greenhouse, Chargebee: key as user, empty password, and the colon stays",
			open: using(auth.BasicFrom(theKey, secrets.Static(""))),
			want: []message{sends("GET /x", "Authorization: Basic "+b64(keyText+":"))},
		},
		{
			id: "Q-005", what: "Stripe: key as user, empty password, and the account in a header",
			open: using(auth.BasicFrom(theKey, secrets.Static("")), connection.WithHeader("Stripe-Context", "acct_7")),
			want: []message{sends("GET /x", "Authorization: Basic "+b64(keyText+":"), "Stripe-Context: acct_7")},
		},
		{
			id: "Q-005", what: "Stripe: key as user, and the account of one request",
			open:  using(auth.BasicFrom(theKey, secrets.Static(""))),
			build: get("/x", func(b request.Builder) request.Builder { return b.Header("Stripe-Context", "acct_8") }),
			want:  []message{sends("GET /x", "Authorization: Basic "+b64(keyText+":"), "Stripe-Context: acct_8")},
		},
		{
			id: "Q-006", what: "Affinity: empty user, key as password",
			open: using(auth.Basic("", theKey, auth.AllowEmptyUser())),
			want: []message{sends("GET /x", "Authorization: Basic "+b64(":"+keyText))},
		},
		{
			id: "Q-007", what: "Azure DevOps: empty user, personal token as password, version in the query",
			base: apiOrigin + "/org?api-version=7.1",
			open: using(auth.Basic("", theKey, auth.AllowEmptyUser())),
			want: []message{sends("GET /org/x?api-version=7.1", "Authorization: Basic "+b64(":"+keyText))},
		},
		{
			id: "Q-009", what: "Zendesk: suffix to the user",
			open: using(auth.Basic("ann@example.test/token", theKey)),
			want: []message{sends("GET /x", "Authorization: Basic "+b64("ann@example.test/token:"+keyText))},
		},
		{
			id: "Q-010", what: "Mailgun: constant user",
			open: using(auth.Basic("api", theKey)),
			want: []message{sends("GET /x", "Authorization: Basic "+b64("api:"+keyText))},
		},
		{
			id: "Q-011", what: "ConnectSecure: base64 of three parts in a header of its own, without a scheme",
			open: using(auth.APIKey(
				derived(func(v ...string) string { return b64("acme+" + v[0] + ":" + v[1]) }, theSecond, theKey),
				auth.InHeader("Client-Auth-Token"))),
			want:    []message{sends("GET /x", "Client-Auth-Token: "+b64("acme+"+secondText+":"+keyText))},
			secrets: []string{b64("acme+" + secondText + ":" + keyText)},
		},
		{
			id: "Q-012", what: "Back Market: scheme Basic with the key verbatim, language and user agent",
			open: using(auth.APIKey(theKey, auth.Prefix("Basic")),
				connection.WithHeader("Accept-Language", "en-us"), connection.WithUserAgent("BM-Acme-7")),
			want: []message{sends("GET /x",
				"Authorization: Basic "+keyText, "Accept-Language: en-us", "User-Agent: BM-Acme-7")},
		},
		{
			id: "Q-013", what: "Konnektive: user and password in the query, after the caller's own",
			open: using(auth.All(
				auth.APIKey(theSecond, auth.InQuery("loginId")), auth.APIKey(theKey, auth.InQuery("password")))),
			build: get("/x?page=2", nil),
			want: []message{sends("GET /x?page=2&loginId=s3c%2F0nd%2Bcanary2%3D%3D" +
				"&password=k3y%2B5A%2Fcanary1%3D%3D")},
		},
	}
}

func prefixProviders() []provider {
	all := []provider{
		{
			id: "Q-015", what: "CallRail, Freshsales, Code Climate: the key is the value of a parameter of the scheme",
			open: using(auth.APIKey(
				derived(func(v ...string) string { return "token=" + v[0] }, theKey), auth.Prefix("Token"))),
			want: []message{sends("GET /x", "Authorization: Token token="+keyText)},
		},
		{
			id: "Q-019", what: "Odoo: lower-case bearer, and the database in a header",
			open: using(auth.APIKey(theKey, auth.Prefix("bearer")), connection.WithHeader("X-Odoo-Database", "acme")),
			want: []message{sends("GET /x", "Authorization: bearer "+keyText, "X-Odoo-Database: acme")},
		},
		{
			id: "Q-020", what: "Klaviyo: prefix of its own, and a dated revision",
			open: using(auth.APIKey(theKey, auth.Prefix("Klaviyo-API-Key")), connection.WithHeader("Revision", "2024-07-15")),
			want: []message{sends("GET /x", "Authorization: Klaviyo-API-Key "+keyText, "Revision: 2024-07-15")},
		},
		{
			id: "Q-026", what: "Zorus: prefix of its own, and a version",
			open: using(auth.APIKey(theKey, auth.Prefix("Impersonation")), connection.WithHeader("Zorus-Api-Version", "1.0")),
			want: []message{sends("GET /x", "Authorization: Impersonation "+keyText, "Zorus-Api-Version: 1.0")},
		},
		{
			id: "Q-027", what: "Clay, Dixa, Fairing: no scheme at all",
			open: using(auth.APIKey(theKey, auth.NoPrefix())),
			want: []message{sends("GET /x", "Authorization: "+keyText)},
		},
		{
			id: "Q-028", what: "Typefully: Bearer inside another header",
			open: using(auth.APIKey(theKey, auth.InHeader("X-Api-Key"), auth.Prefix("Bearer"))),
			want: []message{sends("GET /x", "X-Api-Key: Bearer "+keyText)},
		},
		{
			id: "Q-029", what: "Zoho: a token with a prefix of its own",
			open: using(auth.Bearer(theToken, auth.Prefix("Zoho-oauthtoken"))),
			want: []message{sends("GET /x", "Authorization: Zoho-oauthtoken "+tokenText)},
		},
	}
	for _, p := range []struct{ id, who, prefix string }{
		{"Q-017", "Make, Baserow, Basin", "Token"},
		{"Q-018", "Phrase", "token"},
		{"Q-022", "Shippo", "ShippoToken"},
		{"Q-023", "Bird", "AccessKey"},
		{"Q-024", "Dynatrace", "Api-Token"},
		{"Q-024", "SentinelOne", "ApiToken"},
		{"Q-025", "fal.ai", "Key"},
		{"Q-025", "Firstbase", "ApiKey"},
		{"Q-025", "PandaDoc", "API-Key"},
		{"Q-025", "Skio", "API"},
	} {
		all = append(all, provider{
			id: p.id, what: p.who + ": prefix " + p.prefix,
			open: using(auth.APIKey(theKey, auth.Prefix(p.prefix))),
			want: []message{sends("GET /x", "Authorization: "+p.prefix+" "+keyText)},
		})
	}
	return all
}

// keys puts theKey and, if there is a second name, theSecond into headers of these names.
func keys(names ...string) auth.Authenticator {
	all := []auth.Authenticator{auth.APIKey(theKey, auth.InHeader(names[0]))}
	if len(names) > 1 {
		all = append(all, auth.APIKey(theSecond, auth.InHeader(names[1])))
	}
	return auth.All(all...)
}

func headerProviders() []provider {
	all := []provider{
		{
			id: "Q-034", what: "Supabase: the same key in two headers",
			open: using(auth.All(
				auth.APIKey(theKey, auth.InHeader("apikey")), auth.APIKey(theKey, auth.Prefix("Bearer")))),
			want: []message{sends("GET /x", "Apikey: "+keyText, "Authorization: Bearer "+keyText)},
		},
		{
			id: "Q-038", what: "Autotask: integration code, user and secret",
			open: using(auth.All(
				auth.APIKey(theSecond, auth.InHeader("ApiIntegrationCode")),
				auth.APIKey(theKey, auth.InHeader("Secret"))), connection.WithHeader("UserName", "ann@example.test")),
			want: []message{sends("GET /x",
				"Apiintegrationcode: "+secondText, "Secret: "+keyText, "Username: ann@example.test")},
		},
		{
			id: "Q-039", what: "Copper: key, constant application, user",
			open: using(auth.APIKey(theKey, auth.InHeader("X-PW-AccessToken")),
				connection.WithHeader("X-PW-Application", "developer_api"),
				connection.WithHeader("X-PW-UserEmail", "ann@example.test")),
			want: []message{sends("GET /x", "X-Pw-Accesstoken: "+keyText,
				"X-Pw-Application: developer_api", "X-Pw-Useremail: ann@example.test")},
		},
		{
			id: "Q-040", what: "Elevio: key and JWT, each a secret",
			open: using(auth.All(auth.APIKey(theKey, auth.InHeader("X-Api-Key")), auth.Bearer(theToken))),
			want: []message{sends("GET /x", "X-Api-Key: "+keyText, "Authorization: Bearer "+tokenText)},
		},
		{
			id: "Q-041", what: "RapidAPI: the second header repeats the host",
			base: "https://weather.p.rapidapi.com",
			open: using(auth.All(auth.APIKey(theKey, auth.InHeader("X-RapidAPI-Key")),
				auth.Func(func(req *http.Request) error {
					req.Header.Set("X-Rapidapi-Host", req.URL.Host)
					return nil
				}))),
			want: []message{sends("GET /x",
				"X-Rapidapi-Key: "+keyText, "X-Rapidapi-Host: weather.p.rapidapi.com")},
		},
		{
			id: "Q-042", what: "Anthropic: key, and the version that it has to name",
			open: using(auth.APIKey(theKey, auth.InHeader("X-Api-Key")),
				connection.WithHeader("Anthropic-Version", "2023-06-01")),
			want: []message{sends("GET /x", "X-Api-Key: "+keyText, "Anthropic-Version: 2023-06-01")},
		},
	}
	for _, p := range []struct{ id, who, name, sent string }{
		{"Q-030", "Tanium", "session", "Session"},
		{"Q-030", "GitLab", "PRIVATE-TOKEN", "Private-Token"},
		{"Q-030", "ElevenLabs", "xi-api-key", "Xi-Api-Key"},
		{"Q-031", "Missive, Document360", "api_token", "Api_token"},
		{"Q-031", "Fern", "fern_api_key", "Fern_api_key"},
		{"Q-032", "Oomnitza", "Authorization2", "Authorization2"},
		{"Q-033", "QRadar", "SEC", "Sec"},
	} {
		all = append(all, provider{
			id: p.id, what: p.who + ": key in " + p.name,
			open: using(keys(p.name)),
			want: []message{sends("GET /x", p.sent+": "+keyText)},
		})
	}
	for _, p := range []struct{ id, who, first, second, sentFirst, sentSecond string }{
		{
			"Q-035", "Datadog", "DD-API-KEY", "DD-APPLICATION-KEY",
			"Dd-Api-Key", "Dd-Application-Key",
		},
		{
			"Q-037", "Algolia", "X-Algolia-API-Key", "X-Algolia-Application-Id",
			"X-Algolia-Api-Key", "X-Algolia-Application-Id",
		},
		{
			"Q-037", "Buildium", "x-buildium-client-secret", "x-buildium-client-id",
			"X-Buildium-Client-Secret", "X-Buildium-Client-Id",
		},
		{
			"Q-037", "Cin7", "api-auth-applicationkey", "api-auth-accountid",
			"Api-Auth-Applicationkey", "Api-Auth-Accountid",
		},
		{"Q-037", "Jobvite", "x-jvi-sc", "x-jvi-api", "X-Jvi-Sc", "X-Jvi-Api"},
		{"Q-037", "Gem", "x-api-key", "x-application-secret", "X-Api-Key", "X-Application-Secret"},
	} {
		all = append(all, provider{
			id: p.id, what: p.who + ": " + p.first + " and " + p.second,
			open: using(keys(p.first, p.second)),
			want: []message{sends("GET /x", p.sentFirst+": "+keyText, p.sentSecond+": "+secondText)},
		})
	}
	return all
}

// tokenHeaderProviders want something beside the token of an OAuth flow, which is a static one here.
func tokenHeaderProviders() []provider {
	return []provider{
		{
			id: "Q-043", what: "Etsy: client id and secret, joined in a header, beside the token",
			open: using(auth.All(auth.Bearer(theToken), auth.APIKey(
				derived(func(v ...string) string { return "client-7:" + v[0] }, theKey), auth.InHeader("X-Api-Key")))),
			want: []message{sends("GET /x", "Authorization: Bearer "+tokenText, "X-Api-Key: client-7:"+keyText)},
		},
		{
			id: "Q-044", what: "MYOB: client id beside the token",
			open: using(auth.Bearer(theToken), connection.WithHeader("X-MyOBApi-Key", "client-7")),
			want: []message{sends("GET /x", "Authorization: Bearer "+tokenText, "X-Myobapi-Key: client-7")},
		},
		{
			id: "Q-044", what: "Getty Images: client id beside the token",
			open: using(auth.Bearer(theToken), connection.WithHeader("Api-Key", "client-7")),
			want: []message{sends("GET /x", "Authorization: Bearer "+tokenText, "Api-Key: client-7")},
		},
		{
			id: "Q-045", what: "Google Ads: developer token, which is a secret, and customer beside the token",
			open: using(auth.All(auth.Bearer(theToken), auth.APIKey(theKey, auth.InHeader("Developer-Token"))),
				connection.WithHeader("Login-Customer-Id", "1234567890")),
			want: []message{sends("GET /x", "Authorization: Bearer "+tokenText,
				"Developer-Token: "+keyText, "Login-Customer-Id: 1234567890")},
		},
	}
}

const (
	keyInURL    = "k3y%2B5A%2Fcanary1%3D%3D"
	secondInURL = "s3c%2F0nd%2Bcanary2%3D%3D"
)

func queryProviders() []provider {
	pair := func(first, second string) func(*scene) []connection.Option {
		return using(auth.All(auth.APIKey(theKey, auth.InQuery(first)), auth.APIKey(theSecond, auth.InQuery(second))))
	}
	all := []provider{
		{
			id: "Q-048", what: "Pipeline CRM: two keys, in their order",
			open: pair("api_key", "app_key"),
			want: []message{sends("GET /x?api_key=" + keyInURL + "&app_key=" + secondInURL)},
		},
		{
			id: "Q-049", what: "Trello: key and token, after the caller's own parameters",
			open:  pair("key", "token"),
			build: get("/x", func(b request.Builder) request.Builder { return b.Query("fields", "id name") }),
			want:  []message{sends("GET /x?fields=id+name&key=" + keyInURL + "&token=" + secondInURL)},
		},
		{
			id: "Q-050", what: "FortiGate: a token in the query",
			open: using(auth.Bearer(theToken, auth.InQuery("access_token"))),
			want: []message{sends("GET /x?access_token=" + tokenText)},
		},
		{
			id: "Q-051", what: "Ghost: key in the query, version in a header",
			open: using(auth.APIKey(theKey, auth.InQuery("key")), connection.WithHeader("Accept-Version", "v5.0")),
			want: []message{sends("GET /x?key="+keyInURL, "Accept-Version: v5.0")},
		},
		{
			id: "Q-052", what: "Judge.me: key in a header, tenant in the query of every request",
			base:  apiOrigin + "/api/v1?shop_domain=acme.example",
			open:  using(auth.APIKey(theKey, auth.InHeader("X-Api-Token"))),
			build: get("/reviews?page=2", nil),
			want:  []message{sends("GET /api/v1/reviews?shop_domain=acme.example&page=2", "X-Api-Token: "+keyText)},
		},
		{
			id: "Q-053", what: "Telegram: key in the path",
			build: get("/bot{token}/getMe", func(b request.Builder) request.Builder {
				return b.PathSecret("token", secrets.Static("110201543:AAHdqTcvCH1vGWJxfSeo"))
			}),
			want:    []message{sends("GET /bot110201543%3AAAHdqTcvCH1vGWJxfSeo/getMe")},
			secrets: []string{"110201543:AAHdqTcvCH1vGWJxfSeo", "AAHdqTcvCH1vGWJxfSeo"},
		},
	}
	for _, p := range []struct{ id, who, name string }{
		{"Q-046", "Google Maps", "key"},
		{"Q-047", "BuiltWith", "KEY"},
		{"Q-047", "MillionVerifier", "api"},
		{"Q-047", "PRTG", "apitoken"},
	} {
		all = append(all, provider{
			id: p.id, what: p.who + ": key in the query parameter " + p.name,
			open: using(auth.APIKey(theKey, auth.InQuery(p.name))),
			want: []message{sends("GET /x?" + p.name + "=" + keyInURL)},
		})
	}
	return all
}

func bodyProviders() []provider {
	return []provider{
		{
			id: "Q-014", what: "Expensify: credentials in a JSON text in a form field",
			build: func(conn *connection.Connection) request.Builder {
				return request.Post(conn, "/x").Body(job{
					Type: "get", Credentials: partner{ID: "aa_ann", Secret: revealed{theKey}},
				})
			},
			want: []message{sends("POST /x", "Content-Type: application/x-www-form-urlencoded").with(
				"requestJobDescription=%7B%22type%22%3A%22get%22%2C%22credentials%22%3A%7B" +
					"%22partnerUserID%22%3A%22aa_ann%22%2C%22partnerUserSecret%22%3A%22" + keyInURL + "%22%7D%7D")},
			// The names of the credentials stand inside the value of a field, where the log does not look for them.
		},
		{
			id: "Q-054", what: "Mandrill: key in every JSON body",
			open: func(*scene) []connection.Option {
				return []connection.Option{connection.WithCodec(merging("key", revealed{theKey}))}
			},
			build: post("/x", map[string]any{"message": map[string]string{"subject": "a&b"}}),
			want: []message{sends("POST /x", "Content-Type: application/json").with(
				`{"key":"` + keyText + `","message":{"subject":"a\u0026b"}}`)},
		},
		{
			id: "Q-055", what: "SAGE: object of credentials in every JSON body",
			open: func(*scene) []connection.Option {
				return []connection.Option{connection.WithCodec(merging("auth", member{
					Account: 7, Login: "ann", Key: revealed{theKey},
				}))}
			},
			build: post("/x", map[string]any{"svcId": 101}),
			want: []message{sends("POST /x", "Content-Type: application/json").with(
				`{"auth":{"acctId":7,"loginId":"ann","key":"` + keyText + `"},"svcId":101}`)},
		},
	}
}

// get is a GET request, changed by f unless that is nil.
func get(path string, f func(b request.Builder) request.Builder) func(*connection.Connection) request.Builder {
	return func(conn *connection.Connection) request.Builder {
		if f == nil {
			return request.Get(conn, path)
		}
		return f(request.Get(conn, path))
	}
}

// post is a POST request with v as JSON.
func post(path string, v any) func(*connection.Connection) request.Builder {
	return func(conn *connection.Connection) request.Builder { return request.Post(conn, path).JSON(v) }
}

// derived is a secret that is made of others each time that it is asked for.
func derived(join func(texts ...string) string, from ...secrets.Provider) secrets.Provider {
	return secrets.Func(func(ctx context.Context) (secrets.Value, error) {
		texts := make([]string, len(from))
		for i, p := range from {
			v, err := p.Secret(ctx)
			if err != nil {
				return secrets.Value{}, err
			}
			texts[i] = v.Reveal()
		}
		return secrets.Static(join(texts...)), nil
	})
}

// revealed is a secret in a JSON value: it is asked for when the value is written, and only then.
type revealed struct{ from secrets.Provider }

func (r revealed) MarshalJSON() ([]byte, error) {
	v, err := r.from.Secret(context.Background())
	if err != nil {
		return nil, err
	}
	return json.Marshal(v.Reveal())
}

// job is a body: a form that has itself, as JSON, in one field.
type job struct {
	Type        string  `json:"type"`
	Credentials partner `json:"credentials"`
}

type partner struct {
	ID     string   `json:"partnerUserID"`
	Secret revealed `json:"partnerUserSecret"`
}

func (j job) Payload() (request.Payload, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return request.Payload{}, err
	}
	return request.Form(url.Values{"requestJobDescription": {string(text)}}).Payload()
}

// member is the object of credentials of SAGE.
type member struct {
	Account int      `json:"acctId"`
	Login   string   `json:"loginId"`
	Key     revealed `json:"key"`
}

// merging is JSON that has one member more in every object that is sent.
func merging(name string, value any) connection.Codec {
	return connection.Codec{
		Marshal: func(v any) ([]byte, error) {
			text, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			var object map[string]any
			if err := json.Unmarshal(text, &object); err != nil {
				return nil, err
			}
			object[name] = value
			return json.Marshal(object)
		},
		Unmarshal: json.Unmarshal,
	}
}
