package preset_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/preset"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const basic = "Basic Y2lkOmNzZWM=" // cid:csec

func jsonAnswer(text string) http.Handler {
	return connectiontest.Text(http.StatusOK, text).Header("Content-Type", "application/json")
}

// The services are on a network in memory, under the addresses that they have.
func TestLoginsOnTheWire(t *testing.T) {
	t.Parallel()
	issued := jsonAnswer(`{"access_token":"t1","token_type":"Bearer","expires_in":3600}`)
	form := connectiontest.Text(200, "access_token=t1&token_type=bearer&scope=repo").
		Header("Content-Type", "application/x-www-form-urlencoded")
	for _, tt := range []struct {
		name     string
		values   []string
		scopes   []string
		callback []string
		// server is where the token call goes, and answer what it says.
		server string
		answer http.Handler
		// asked and without are what the authorization URL has, and has not.
		asked   []string
		without string
		// target, authorization and body are those of the token call, and header what the API gets.
		target, authorization, body, header string
	}{
		{
			name: "google", scopes: []string{"openid", "email"}, server: "https://oauth2.googleapis.com", answer: issued,
			asked:  []string{"access_type=offline", "prompt=consent", "scope=openid+email", "code_challenge_method=S256"},
			target: "/token", body: "client_id=cid&client_secret=csec&code=c0de&code_verifier=V&grant_type=authorization_code",
			header: "Authorization: Bearer t1",
		},
		{
			name: "github", server: "https://github.com", answer: form, asked: []string{"code_challenge_method=S256"},
			target: "/login/oauth/access_token",
			body:   "client_id=cid&client_secret=csec&code=c0de&code_verifier=V&grant_type=authorization_code",
			header: "Authorization: Bearer t1",
		},
		{
			name: "slack", scopes: []string{"chat:write", "users:read"}, server: "https://slack.com",
			answer: jsonAnswer(`{"ok":true,"access_token":"t1","token_type":"bot","scope":"chat:write,users:read"}`),
			asked:  []string{"scope=chat%3Awrite%2Cusers%3Aread"}, without: "code_challenge",
			target: "/api/oauth.v2.access", authorization: basic, body: "code=c0de&grant_type=authorization_code",
			header: "Authorization: Bearer t1",
		},
		{
			name: "shopify", values: []string{"shop", "acme"}, server: "https://acme.myshopify.com", answer: issued,
			asked:  []string{"code_challenge_method=S256"},
			target: "/admin/oauth/access_token",
			body: "client_id=cid&client_secret=csec&code=c0de&code_verifier=V&expiring=1&" +
				"grant_type=authorization_code",
			header: "X-Shopify-Access-Token: t1",
		},
		{
			name: "zoho", server: "https://accounts.zoho.eu", answer: issued,
			callback: []string{"accounts-server", "https://accounts.zoho.eu"},
			asked:    []string{"access_type=offline"}, target: "/oauth/v2/token",
			body:   "client_id=cid&client_secret=csec&code=c0de&code_verifier=V&grant_type=authorization_code",
			header: "Authorization: Bearer t1",
		},
		{
			name: "zoho", server: "https://accounts.zohocloud.ca", answer: issued,
			callback: []string{"accounts-server", "https://accounts.zohocloud.ca"},
			asked:    []string{"access_type=offline"}, target: "/oauth/v2/token",
			body:   "client_id=cid&client_secret=csec&code=c0de&code_verifier=V&grant_type=authorization_code",
			header: "Authorization: Bearer t1",
		},
		{
			name: "withings", scopes: []string{"user.info", "user.metrics"}, server: "https://wbsapi.withings.net",
			answer: jsonAnswer(`{"status":0,"body":{"userid":"7","access_token":"t1","refresh_token":"r1","expires_in":10800,` +
				`"scope":"user.info,user.metrics","token_type":"Bearer"}}`),
			asked: []string{"scope=user.info%2Cuser.metrics"}, target: "/v2/oauth2",
			body: "action=requesttoken&client_id=cid&client_secret=csec&code=c0de&code_verifier=V&" +
				"grant_type=authorization_code",
			header: "Authorization: Bearer t1",
		},
		{
			name: "stackoverflow", server: "https://stackoverflow.com",
			answer: jsonAnswer(`{"access_token":"t1","expires":3600}`), asked: []string{"client_id=cid"},
			target: "/oauth/access_token/json",
			body:   "client_id=cid&client_secret=csec&code=c0de&code_verifier=V&grant_type=authorization_code",
			header: "Authorization: Bearer t1",
		},
		{
			name: "qq", server: "https://graph.qq.com", answer: issued, asked: []string{"client_id=cid"},
			target: "/oauth2.0/token?fmt=json",
			body:   "client_id=cid&client_secret=csec&code=c0de&code_verifier=V&grant_type=authorization_code",
			header: "Authorization: Bearer t1",
		},
		{
			name: "notion", server: "https://api.notion.com", answer: issued, asked: []string{"owner=user"},
			target: "/v1/oauth/token", authorization: basic,
			body:   `{"code":"c0de","code_verifier":"V","grant_type":"authorization_code"`,
			header: "Authorization: Bearer t1",
		},
		{
			name: "tiktok", scopes: []string{"a", "b"}, server: "https://open.tiktokapis.com", answer: issued,
			asked: []string{"client_key=cid", "scope=a%2Cb"}, without: "client_id", target: "/v2/oauth/token/",
			body:   "client_key=cid&client_secret=csec&code=c0de&code_verifier=V&grant_type=authorization_code",
			header: "Authorization: Bearer t1",
		},
		{
			name: "tiktok-ads", server: "https://business-api.tiktok.com",
			answer: jsonAnswer(`{"code":0,"message":"OK","data":{"access_token":"t1"}}`),
			asked:  []string{"app_id=cid"}, without: "code_challenge", target: "/open_api/v1.3/oauth2/access_token/",
			body: `{"app_id":"cid","auth_code":"c0de","secret":"csec"`, header: "Access-Token: t1",
		},
		{
			name: "monday", server: "https://auth.monday.com", answer: issued, asked: []string{"client_id=cid"},
			without: "response_type", target: "/oauth2/token",
			body: "client_id=cid&client_secret=csec&code=c0de&grant_type=authorization_code", header: "Authorization: Bearer t1",
		},
	} {
		t.Run("S23 "+tt.name, func(t *testing.T) {
			t.Parallel()
			net := connectiontest.NewNetwork(t)
			issuer := net.Serve(tt.server, tt.answer)
			p := lookup(t, tt.name, tt.values...)
			c := client(net)
			c.Scopes = tt.scopes
			code := p.NewAuthorizationCode(c, oauth2flow.Authorization{RedirectURI: redirectURI})
			token, asked := signIn(t, code, tt.callback...)
			for _, want := range tt.asked {
				if !strings.Contains(asked, want) {
					t.Errorf("%q is not in the authorization URL %q", want, asked)
				}
			}
			if tt.without != "" && strings.Contains(asked, tt.without+"=") {
				t.Errorf("%s is in the authorization URL", tt.without)
			}
			got := issuer.Requests()
			if len(got) != 1 {
				t.Fatalf("there were %d token calls", len(got))
			}
			equal(t, "target", got[0].Target, tt.target)
			equal(t, "Authorization", got[0].Header.Get("Authorization"), tt.authorization)
			redirect := "&redirect_uri=" + url.QueryEscape(redirectURI)
			if strings.HasPrefix(tt.body, "{") {
				redirect = `,"redirect_uri":"` + redirectURI + `"}`
				if tt.name == "tiktok-ads" {
					redirect = "}"
				}
			}
			equal(t, "body", withoutVerifier(string(got[0].Body)), tt.body+redirect)
			equal(t, "API", apiHeader(t, net, p, token, tt.header), tt.header)
		})
	}
}

// signIn logs a user in, and returns the token and the query of the authorization URL.
func signIn(t *testing.T, code *oauth2flow.AuthorizationCode, callback ...string) (*auth.Token, string) {
	t.Helper()
	login, err := code.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(login.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer := url.Values{"code": {"c0de"}, "state": u.Query()["state"]}
	for i := 0; i < len(callback); i += 2 {
		answer.Set(callback[i], callback[i+1])
	}
	token, err := code.Complete(t.Context(), answer, login.Browser)
	if err != nil {
		t.Fatal(err)
	}
	return token, u.RawQuery
}

// withoutVerifier puts a letter in the place of the verifier.
func withoutVerifier(body string) string {
	for _, mark := range []string{"code_verifier=", `"code_verifier":"`} {
		before, rest, ok := strings.Cut(body, mark)
		if !ok {
			continue
		}
		return before + mark + "V" + rest[strings.IndexAny(rest, `&"`):]
	}
	return body
}

// apiHeader returns the line of the field that want is of, in a call with the token.
func apiHeader(t *testing.T, net *connectiontest.Network, p preset.Preset, token *auth.Token, want string) string {
	t.Helper()
	api := net.Serve("https://api.example.test", connectiontest.Status(200))
	conn, err := connection.New(api.URL, net.Option(),
		connection.WithAuth(auth.Bearer(auth.Static(token.Value), p.BearerOptions()...)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := request.Get(conn, "/").Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	field, _, _ := strings.Cut(want, ":")
	header := api.Requests()[0].Header
	if field != "Authorization" && header.Get("Authorization") != "" {
		t.Error("the token is in two places")
	}
	return field + ": " + header.Get(field)
}

// A refresh token of Figma goes to another URL, and a token of Google is revoked.
func TestRefreshAndRevocation(t *testing.T) {
	t.Parallel()
	net := connectiontest.NewNetwork(t)
	figma := net.Serve("https://api.figma.com", jsonAnswer(`{"access_token":"t1","refresh_token":"r1","expires_in":60}`))
	code := lookup(t, "figma").NewAuthorizationCode(client(net), oauth2flow.Authorization{RedirectURI: redirectURI})
	token, _ := signIn(t, code)
	if _, err := code.Obtain(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	got := figma.Requests()[1]
	equal(t, "refresh", got.Target+" "+got.Header.Get("Authorization")+" "+string(got.Body),
		"/v1/oauth/refresh "+basic+" grant_type=refresh_token&refresh_token=r1")

	google := net.Serve("https://oauth2.googleapis.com", connectiontest.Status(200))
	code = lookup(t, "google").NewAuthorizationCode(client(net), oauth2flow.Authorization{RedirectURI: redirectURI})
	if err := code.Revoke(t.Context(), &auth.Token{Refresh: secrets.Static("r1")}); err != nil {
		t.Fatal(err)
	}
	equal(t, "revocation", google.Requests()[0].Target+" "+string(google.Requests()[0].Body),
		"/revoke client_id=cid&client_secret=csec&token=r1&token_type_hint=refresh_token")
}

func TestDeviceOnTheWire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		net := connectiontest.NewNetwork(t)
		issuer := net.Serve("https://login.microsoftonline.com", connectiontest.Sequence(
			jsonAnswer(`{"device_code":"d1","user_code":"AB-CD","verification_uri":"https://microsoft.com/devicelogin",`+
				`"expires_in":900,"interval":5}`),
			jsonAnswer(`{"access_token":"t1","token_type":"Bearer","expires_in":3600}`)))
		c := client(net)
		c.Secret = nil
		device := lookup(t, "microsoft", "tenant", "contoso").NewDeviceCode(c)
		login, err := device.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		token, err := device.Wait(t.Context(), login)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "token", token.Value.Reveal(), "t1")
		equal(t, "wait", time.Since(began), 5*time.Second)
		var targets []string
		for _, req := range issuer.Requests() {
			targets = append(targets, req.Target)
		}
		equal(t, "calls", targets, []string{"/contoso/oauth2/v2.0/devicecode", "/contoso/oauth2/v2.0/token"})
	})
}
