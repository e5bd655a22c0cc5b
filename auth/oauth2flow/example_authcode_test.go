package oauth2flow_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// A web application sends the browser to Login.URL, keeps Login.Browser in a cookie, and ends the login where the
// browser comes back.
func ExampleNewAuthorizationCode() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Println("token call:", req.FormValue("grant_type"), req.FormValue("code"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"access_token":"t1","token_type":"Bearer","expires_in":3600}`)
	}))
	defer server.Close()
	code := oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{ID: "crm", TokenURL: server.URL + "/token", Scopes: []string{"read"}},
		oauth2flow.Authorization{URL: server.URL + "/authorize", RedirectURI: "https://app.example.com/callback"},
	)
	tokens := auth.Manage(code, auth.PerSubject())
	defer func() { _ = tokens.Close() }()

	ctx := auth.WithSubject(context.Background(), "ann") // whoever is signed in to the application
	login, err := code.Begin(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	asked, err := url.Parse(login.URL) // where Ann's browser goes now; it comes back with code and state
	if err != nil {
		fmt.Println(err)
		return
	}
	callback := url.Values{"code": {"c0de"}, "state": asked.Query()["state"]}

	token, err := code.Complete(ctx, callback, login.Browser)
	if err == nil {
		err = tokens.Set(ctx, token)
	}
	fmt.Println(err)
	// Output:
	// token call: authorization_code c0de
	// <nil>
}
