package oauth2flow_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/secrets"
)

// A service whose short-lived token is exchanged at once for a long-lived one, which then renews itself: what the API
// gets, and what is kept, is the long-lived one.
func ExampleAuthorization_then() {
	via := offline(200, `{"access_token":"long1","expires_in":5184000}`)
	swap := func(path, kind string) auth.Grant {
		return login.New(login.Config{
			BaseURL: "https://graph.example.com", Endpoint: via,
			Renew: []login.Step{{Method: http.MethodGet, Path: path, Query: login.Fields(
				"grant_type", kind, "access_token", "{{token}}")}},
			Token: "body.access_token", Expiry: "body.expires_in", MinAge: 24 * time.Hour,
		})
	}
	code := oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{
			ID: "cid", Secret: secrets.Static("csec"), TokenURL: "https://api.example.com/token",
			Endpoint: offline(200, `{"access_token":"short1"}`),
		},
		oauth2flow.Authorization{
			URL: "https://www.example.com/authorize", RedirectURI: "https://app.example.com/cb", PKCE: oauth2flow.PKCENone,
			Then:  swap("/access_token", "exchange"),
			Renew: swap("/refresh_access_token", "refresh"),
		},
	)
	begun, err := code.Begin(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	asked, err := url.Parse(begun.URL) // where the browser goes
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := url.Values{"code": {"c0de"}, "state": asked.Query()["state"]}
	token, err := code.Complete(context.Background(), answer, begun.Browser)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("token", token.Value.Reveal())
	show(code, token) // as the manager does in time
	// Output:
	// POST https://api.example.com/token
	// client_id=cid
	// client_secret=csec
	// code=c0de
	// grant_type=authorization_code
	// redirect_uri=https%3A%2F%2Fapp.example.com%2Fcb
	// GET https://graph.example.com/access_token?grant_type=exchange&access_token=short1
	//
	// token long1
	// GET https://graph.example.com/refresh_access_token?grant_type=refresh&access_token=long1
	//
	// token long1 refresh  scopes []
}

// A service says what its token lacks, and the next login asks for that as well.
func ExampleLoginStepUp() {
	code := oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{ID: "cid", TokenURL: "https://auth.example.com/token", Scopes: []string{"read"}},
		oauth2flow.Authorization{URL: "https://auth.example.com/authorize", RedirectURI: "https://app.example.com/cb"},
	)
	// In the error of a request it is found with errors.AsType[*auth.StepUpError](err).
	lack := auth.StepUp(http.StatusForbidden, http.Header{
		"Www-Authenticate": {`Bearer error="insufficient_scope", scope="write"`},
	})
	begun, err := code.Begin(context.Background(), oauth2flow.LoginStepUp(lack, nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	u, err := url.Parse(begun.URL)
	fmt.Println(u.Query().Get("scope"), err)
	// Output:
	// read write <nil>
}
