package login_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/secrets"
)

// answering is a service that gives one answer to every request, so that the examples need no network.
type answering string

func (a answering) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: req,
		Body: io.NopCloser(strings.NewReader(string(a))),
	}, nil
}

func ExampleNew() {
	service := answering(`{"data":{"token":"t1","expires_in":"3600"}}`)
	grant := login.New(login.Config{
		BaseURL:  "https://api.example.com/v1",
		Endpoint: auth.Endpoint{Client: &http.Client{Transport: service}},
		Secrets:  map[string]secrets.Provider{"password": secrets.Static("opensesame")},
		Steps: []login.Step{{
			Path: "/auth/login",
			JSON: map[string]string{"user": "aladdin", "password": "{{password}}"},
		}},
		Token:  "body.data.token",
		Expiry: "body.data.expires_in",
	})
	token, err := grant.Obtain(context.Background(), nil) // which auth.Manage does when a token is needed
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Value.Reveal(), token.Expiry.Sub(token.Obtained))
	// Output: t1 1h0m0s
}

func ExampleNew_severalSteps() {
	service := answering(`{"api":"https://eu.example.com/rest","access_token":"t1"}`)
	grant := login.New(login.Config{
		BaseURL:  "https://api.example.com",
		Endpoint: auth.Endpoint{Client: &http.Client{Transport: service}},
		Params:   map[string]string{"tenant": "acme"},
		Secrets:  map[string]secrets.Provider{"key": secrets.Static("key-123")},
		Steps: []login.Step{
			{Method: http.MethodGet, Path: "/tenants/{{tenant}}", Save: map[string]string{"api": "body.api"}},
			{URL: "{{api}}/token", Header: login.Fields("X-Api-Key", "{{key}}")},
		},
		Token:    "body.access_token",
		Lifetime: 35 * time.Minute,
	})
	token, err := grant.Obtain(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Value.Reveal())
	// Output: t1
}

// A grant of OAuth comes first; its answer says where the second token is, and later where that is renewed.
func ExampleConfig_start() {
	first := auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) { // or one of package oauth2flow
		return &auth.Token{Value: secrets.Static("first"), Extra: map[string]secrets.Value{
			"instance_url": secrets.Static("https://eu7.example.com"),
		}}, nil
	})
	service := answering(`{"token":"t1","renew_at":"https://eu7.example.com/renew"}`)
	grant := login.New(login.Config{
		Endpoint: auth.Endpoint{Client: &http.Client{Transport: service}},
		Start:    first,
		Steps:    []login.Step{{URL: "{{instance_url}}/exchange", Form: login.Fields("subject_token", "{{token}}")}},
		Renew:    []login.Step{{URL: "{{renew_at}}", Form: login.Fields("token", "{{token}}")}},
		Token:    "body.token",
		Extra:    map[string]string{"renew_at": "body.renew_at"},
		Lifetime: time.Hour,
	})
	token, err := grant.Obtain(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Value.Reveal(), token.Extra["renew_at"].Reveal())
	// Output: t1 https://eu7.example.com/renew
}

func ExampleFields() {
	for _, f := range login.Fields("grant_type", "password", "username", "{{user}}") {
		fmt.Println(f.Name, "=", f.Value)
	}
	// Output:
	// grant_type = password
	// username = {{user}}
}

func ExampleSendCookies() {
	session := auth.Static(secrets.Static("JSESSIONID=A1B2; lang=en")) // or auth.Manage of a login with Cookies
	req, err := http.NewRequest(http.MethodGet, "https://api.example.com/users", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := login.SendCookies(session).Authenticate(req); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(req.Header)
	// Output: map[Cookie:[JSESSIONID=A1B2; lang=en]]
}
