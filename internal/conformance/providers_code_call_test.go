package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// codeID is the ID token of the rows, which codeVerifier takes.
const codeID = "eyJ0.canary8.p_q"

// codeVerifier takes codeID for the ID token of ann, if it came with the code, or with the token.
type codeVerifier struct{}

func (codeVerifier) VerifyIDToken(
	_ context.Context, token secrets.Value, want oauth2flow.IDTokenWant,
) (*oauth2flow.IDToken, error) {
	front := want.Code.Reveal() == codeText && want.AccessToken.Reveal() == ""
	back := want.Code.Reveal() == "" && want.AccessToken.Reveal() == tokenText && want.Subject == "ann"
	if token.Reveal() != codeID || want.ClientID != "client-7" || want.Nonce == "" || !front && !back {
		return nil, errors.New("the ID token is another one, or is compared with something else")
	}
	return &oauth2flow.IDToken{Issuer: "https://login.datev.test", Subject: "ann"}, nil
}

// codeCalls make the call with the code in a form of their own.
func codeCalls() []codeLogin {
	withBasic := func(who string) codeLogin {
		return codeLogin{
			id: "Q-078", what: who + ": Basic on both calls", later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.Auth = oauth2flow.InHeader() },
			calls: []message{
				tokenCall("POST /token", codeForm(inBasic()...), basicLine()),
				tokenCall("POST /token", refreshForm(inBasic()...), basicLine()),
			},
		}
	}
	raw := func(who string) codeLogin {
		l := withBasic(who)
		l.id, l.what, l.refresh = "Q-079", who+": Basic as it is, and each refresh token once", renewedText
		l.setup = func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.Auth = oauth2flow.InHeaderRaw() }
		line := "Authorization: Basic " + b64("client-7:"+keyText)
		l.calls = []message{
			tokenCall("POST /token", codeForm(inBasic()...), line), tokenCall("POST /token", refreshForm(inBasic()...), line),
		}
		return l
	}
	inJSON := func(who string) codeLogin {
		return codeLogin{
			id: "Q-081", what: who + ": JSON with id and secret", later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.Encoding = oauth2flow.JSON },
			calls: []message{
				sends("POST /token", typeJSON, asks).with(`{"client_id":"client-7","client_secret":"` + keyText +
					`","code":"` + codeText + `","code_verifier":"` + verifierMark +
					`","grant_type":"authorization_code","redirect_uri":"` + callbackURI + `"}`),
				sends("POST /token", typeJSON, asks).with(`{"client_id":"client-7","client_secret":"` + keyText +
					`","grant_type":"refresh_token","refresh_token":"` + refreshText + `"}`),
			},
		}
	}
	all := []codeLogin{datev(), sentry()}
	for _, who := range []string{"eBay", "PayPal", "Docusign", "X", "Pinterest"} {
		all = append(all, withBasic(who))
	}
	for _, who := range []string{"Airtable", "Fitbit", "RingCentral"} {
		all = append(all, raw(who))
	}
	for _, who := range []string{"Spendesk", "Lokalise", "Cal.com"} {
		all = append(all, inJSON(who))
	}
	return all
}

// datev brings an ID token with the code, in a POST.
func datev() codeLogin {
	return codeLogin{
		id: "Q-073", what: "DATEV: a code and an ID token, with a nonce, and Basic",
		setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
			c.Auth = oauth2flow.InHeader()
			a.ResponseType, a.OpenID = oauth2flow.ResponseCodeIDToken, &oauth2flow.OpenID{Verifier: codeVerifier{}}
		},
		asked:  []string{"response_type=code id_token", "response_mode=form_post", "nonce=NONCE", "scope=openid"},
		answer: []string{"id_token=" + codeID},
		forged: [][]string{{"-id_token"}, {"access_token=evil"}},
		replies: turns(says(`{"access_token":"` + tokenText + `","token_type":"Bearer","expires_in":3600,` +
			`"id_token":"` + codeID + `"}`)),
		calls: []message{tokenCall("POST /token", codeForm(inBasic()...), basicLine())},
		extra: map[string]string{
			oauth2flow.ExtraIDToken: codeID, oauth2flow.ExtraSubject: "ann", oauth2flow.ExtraIssuer: "https://login.datev.test",
		},
		secrets: []string{codeID},
	}
}

// sentry answers with a 201 and names of its own.
func sentry() codeLogin {
	answer := func(token, refresh, end string) http.Handler {
		return connectiontest.JSON(http.StatusCreated, map[string]string{
			"token": token, "refreshToken": refresh, "expiresAt": end,
		})
	}
	body := func(grant string) message {
		return sends("POST /authorizations/", typeJSON, asks).with(`{"client_id":"client-7","client_secret":"` + keyText +
			`",` + grant + `}`)
	}
	return codeLogin{
		id: "Q-088", what: "Sentry: a 201 with names in camel case and a date, JSON", later: 9 * time.Hour,
		setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
			c.TokenURL, c.Encoding = authOrigin+"/authorizations/", oauth2flow.JSON
			c.AnswerNames = map[string]string{"access_token": "token", "refresh_token": "refreshToken"}
			c.ExpiryField = "expiresAt"
			c.Names = map[string]string{"redirect_uri": ""}
			a.PKCE = oauth2flow.PKCENone
		},
		asked: []string{"-code_challenge", "-code_challenge_method"},
		replies: turns(answer(tokenText, refreshText, "2000-01-01T08:00:00.000000Z"),
			answer(newerText, renewedText, "2000-01-01T17:00:00.000000Z")),
		calls: []message{
			body(`"code":"` + codeText + `","grant_type":"authorization_code"`),
			body(`"grant_type":"refresh_token","refresh_token":"` + refreshText + `"`),
		},
		refresh: renewedText, lives: 8 * time.Hour,
	}
}

// codeRefreshes go on with their refresh token in a form of their own.
func codeRefreshes() []codeLogin {
	basicCalls := func(path string, changes ...string) []message {
		return []message{
			tokenCall("POST /token", codeForm(inBasic(changes...)...), basicLine()),
			tokenCall("POST "+path, refreshForm(inBasic()...), basicLine()),
		}
	}
	keeps := turns(codeReplies()[0], says(`{"access_token":"`+newerText+`","expires_in":3600}`)) // no new refresh token
	refreshesAt := func(id, what, path string) codeLogin {
		return codeLogin{
			id: id, what: what, later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.RefreshURL = authOrigin + path },
			calls: []message{tokenCall("POST /token", codeForm()), tokenCall("POST "+path, refreshForm())},
		}
	}
	public := func(who, path string) codeLogin {
		return codeLogin{
			id: "Q-094", what: who + ": a public client, which the verifier makes up for", later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, _ *oauth2flow.Authorization) {
				c.Secret, c.RefreshURL = nil, authOrigin+path
			},
			calls: []message{
				tokenCall("POST /token", codeForm("-client_secret")), tokenCall("POST "+path, refreshForm("-client_secret")),
			},
		}
	}
	return []codeLogin{
		{
			id: "Q-091", what: "Figma: a refresh URL, whose answers bring no refresh token, and scopes with commas",
			later: 2 * time.Hour,
			setup: func(c *oauth2flow.Client, a *oauth2flow.Authorization) {
				c.RefreshURL, c.Auth = authOrigin+"/v1/oauth/refresh", oauth2flow.InHeader()
				c.Scopes, c.ScopeSeparator = []string{"files:read", "webhooks:write"}, ","
				a.PKCE = oauth2flow.PKCENone
			},
			asked:   []string{"scope=files:read,webhooks:write", "-code_challenge", "-code_challenge_method"},
			replies: keeps, calls: basicCalls("/v1/oauth/refresh", "-code_verifier"), refresh: refreshText,
		},
		refreshesAt("Q-092", "Dropbox Sign: a refresh URL with a parameter that has no value", "/oauth/token?refresh"),
		refreshesAt("Q-093", "Bing Webmasters: a refresh URL", "/webmasters/refresh"),
		refreshesAt("Q-093", "Trustpilot: a refresh URL", "/v1/oauth/refresh"),
		public("HeyGen", "/v1/oauth/refresh_token"),
		public("PostHog", "/token"),
		{
			id: "Q-101", what: "Workday: Basic, no lifetime in the answers, and the refresh token stays",
			later:  61 * time.Minute,
			setup:  func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.Auth = oauth2flow.InHeader() },
			manage: []auth.ManageOption{auth.DefaultLifetime(time.Hour)},
			replies: turns(says(`{"access_token":"`+tokenText+`","refresh_token":"`+refreshText+`"}`),
				says(`{"access_token":"`+newerText+`"}`)),
			calls: basicCalls("/token"), refresh: refreshText, lives: time.Hour,
		},
		{
			id: "Q-102", what: "Zendesk: the lifetime that is wanted is a parameter of both calls", later: time.Hour,
			setup: func(c *oauth2flow.Client, _ *oauth2flow.Authorization) {
				c.Params = oauth2flow.NewParams("expires_in", "1800")
			},
			replies: turns(
				says(`{"access_token":"`+tokenText+`","expires_in":1800,"refresh_token":"`+refreshText+`"}`),
				says(`{"access_token":"`+newerText+`","expires_in":1800}`)),
			calls: []message{
				tokenCall("POST /token", codeForm("expires_in=1800")), tokenCall("POST /token", refreshForm("expires_in=1800")),
			},
			lives: 30 * time.Minute,
		},
		{
			id: "Q-104", what: "Exact Online: Basic, and a token that is not renewed sooner than 30 s before its end",
			later:  560 * time.Second,
			setup:  func(c *oauth2flow.Client, _ *oauth2flow.Authorization) { c.Auth = oauth2flow.InHeader() },
			manage: []auth.ManageOption{auth.RenewBefore(30 * time.Second)},
			replies: turns(says(`{"access_token":"` + tokenText + `","expires_in":"600",` +
				`"refresh_token":"` + refreshText + `"}`)),
			calls: basicCalls("/token")[:1], want: slices.Repeat([]message{sends("GET /x", bearerLine)}, 2),
			lives: 40 * time.Second, refresh: refreshText,
		},
	}
}
