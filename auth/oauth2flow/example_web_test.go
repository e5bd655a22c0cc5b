package oauth2flow_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// A web application mounts one handler, and its users log in by a link to /login.
func ExampleNewWebLogin() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Println("token call:", req.FormValue("grant_type"), req.FormValue("code"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"access_token":"t1","token_type":"Bearer","expires_in":3600}`)
	}))
	defer server.Close()
	mux := http.NewServeMux()
	app := httptest.NewServer(mux) // https://app.example.com, say
	defer app.Close()

	code := oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{ID: "crm", TokenURL: server.URL + "/token"},
		oauth2flow.Authorization{URL: server.URL + "/authorize", RedirectURI: app.URL + "/callback"},
	)
	tokens := auth.Manage(code, auth.PerSubject())
	defer func() { _ = tokens.Close() }()
	login := oauth2flow.NewWebLogin(code, oauth2flow.Web{
		Tokens:  tokens,
		Subject: func(*http.Request) string { return "ann" }, // whoever is signed in to the application
	})
	if err := login.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	mux.Handle("/login", login)
	mux.Handle("/callback", login)

	jar, err := cookiejar.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	browser := http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	resp, err := browser.Get(app.URL + "/login?return=/orders/7") // Ann clicks
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	asked, err := resp.Location() // where Ann's browser goes now; it comes back with code and state
	if err != nil {
		fmt.Println(err)
		return
	}
	answer := url.Values{"code": {"c0de"}, "state": asked.Query()["state"]}
	resp, err = browser.Get(app.URL + "/callback?" + answer.Encode())
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	fmt.Println(resp.StatusCode, resp.Header.Get("Location"))
	// Output:
	// token call: authorization_code c0de
	// 303 /orders/7
}
