package oauth2flow_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/secrets"
)

// offline stands for an authorization server: it prints what it is asked, and answers with status and answer.
func offline(status int, answer string) auth.Endpoint {
	transport := roundTrip(func(req *http.Request) (*http.Response, error) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		fmt.Println(req.Method, req.URL)
		fmt.Println(strings.ReplaceAll(string(body), "&", "\n"))
		if id, secret, ok := req.BasicAuth(); ok {
			fmt.Println("Basic", id, secret)
		}
		return &http.Response{
			StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: req,
		}, nil
	})
	return auth.Endpoint{Client: &http.Client{Transport: transport}}
}

// show makes one exchange, and prints the token.
func show(g auth.Grant, prev *auth.Token) {
	token, err := g.Obtain(context.Background(), prev)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("token", token.Value.Reveal(), "refresh", token.Refresh.Reveal(), "scopes", token.Scopes)
}

func ExampleClientCredentials() {
	show(oauth2flow.ClientCredentials(oauth2flow.Client{
		ID:       "cid",
		Secret:   secrets.Static("csec"), // or secrets.Env("API_SECRET")
		Auth:     oauth2flow.InHeader(),
		TokenURL: "https://auth.example.com/token",
		Scopes:   []string{"read", "write"},
		Endpoint: offline(200, `{"access_token":"t1","token_type":"Bearer","expires_in":3600,"scope":"read"}`),
	}), nil)
	// Output:
	// POST https://auth.example.com/token
	// grant_type=client_credentials
	// scope=read+write
	// Basic cid csec
	// token t1 refresh  scopes [read]
}

func ExamplePassword() {
	client := oauth2flow.Client{
		ID:       "cid",
		TokenURL: "https://auth.example.com/token",
		Endpoint: offline(200, `{"access_token":"t1","refresh_token":"r1"}`),
	}
	show(oauth2flow.Password(client, oauth2flow.ResourceOwner{
		Username:   "bob",
		Password:   secrets.Static("hunter2"),
		AcceptRisk: true,
	}), nil)
	// Output:
	// POST https://auth.example.com/token
	// client_id=cid
	// grant_type=password
	// password=hunter2
	// username=bob
	// token t1 refresh r1 scopes []
}

func ExampleRefresh() {
	client := oauth2flow.Client{
		ID:       "cid",
		TokenURL: "https://auth.example.com/token",
		Endpoint: offline(400, `{"error":"invalid_grant","error_description":"token expired"}`),
	}
	_, err := oauth2flow.Refresh(client, secrets.Static("r1")).Obtain(context.Background(), nil)
	fmt.Println(err)
	fmt.Println(errors.Is(err, auth.ErrInvalidGrant))
	// Output:
	// POST https://auth.example.com/token
	// client_id=cid
	// grant_type=refresh_token
	// refresh_token=r1
	// oauth2flow: https://auth.example.com/token answered 400: invalid_grant: token expired
	// true
}

func ExampleAssertion() {
	client := oauth2flow.Client{
		TokenURL: "https://auth.example.com/token",
		Endpoint: offline(200, `{"access_token":"t1"}`),
	}
	show(oauth2flow.Assertion(client, "urn:example:grant", secrets.Static("assertion")), nil)
	// Output:
	// POST https://auth.example.com/token
	// assertion=assertion
	// grant_type=urn%3Aexample%3Agrant
	// token t1 refresh  scopes []
}

func ExampleTokenExchange() {
	client := oauth2flow.Client{
		ID:       "cid",
		TokenURL: "https://auth.example.com/token",
		Endpoint: offline(200, `{"access_token":"t1","issued_token_type":"`+oauth2flow.TypeAccessToken+`"}`),
	}
	token, err := oauth2flow.TokenExchange(client, oauth2flow.Exchange{
		Subject:   secrets.Static("user-token"),
		Audiences: []string{"backend"},
	}).Obtain(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Value.Reveal(), token.Extra["issued_token_type"].Reveal())
	// Output:
	// POST https://auth.example.com/token
	// audience=backend
	// client_id=cid
	// grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange
	// subject_token=user-token
	// subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token
	// t1 urn:ietf:params:oauth:token-type:access_token
}

func ExampleCustomGrant() {
	client := oauth2flow.Client{
		ID:       "cid",
		Encoding: oauth2flow.JSON,
		TokenURL: "https://auth.example.com/token",
		Params:   oauth2flow.NewParams("realm", "staff"),
		Endpoint: offline(200, `{"access_token":"t1"}`),
	}
	show(oauth2flow.CustomGrant(client, oauth2flow.Custom{
		GrantType: "urn:example:realm",
		Secrets:   map[string]secrets.Provider{"username": secrets.Static("bob"), "password": secrets.Static("pw")},
	}), nil)
	// Output:
	// POST https://auth.example.com/token
	// {"client_id":"cid","grant_type":"urn:example:realm","password":"pw","realm":"staff","username":"bob"}
	// token t1 refresh  scopes []
}

func ExampleParseParams() {
	params, err := oauth2flow.ParseParams([]byte(`[{"Name":"max_age","Value":60},{"Name":"role","Value":"analyst"}]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range params {
		fmt.Println(p.Name, p.Value)
	}
	// Output:
	// max_age 60
	// role analyst
}

func ExampleIntrospect() {
	about, err := oauth2flow.Introspect(context.Background(), oauth2flow.Client{
		ID:               "cid",
		Secret:           secrets.Static("csec"),
		IntrospectionURL: "https://auth.example.com/introspect",
		Endpoint:         offline(200, `{"active":true,"scope":"read","sub":"bob"}`),
	}, secrets.Static("t1"), "access_token")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(about.Active, about.Scope, about.Subject)
	// Output:
	// POST https://auth.example.com/introspect
	// client_id=cid
	// client_secret=csec
	// token=t1
	// token_type_hint=access_token
	// true read bob
}

func ExampleRevoke() {
	err := oauth2flow.Revoke(context.Background(), oauth2flow.Client{
		ID:            "cid",
		RevocationURL: "https://auth.example.com/revoke",
		Endpoint:      offline(200, ""),
	}, secrets.Static("r1"), "refresh_token")
	fmt.Println(err)
	// Output:
	// POST https://auth.example.com/revoke
	// client_id=cid
	// token=r1
	// token_type_hint=refresh_token
	// <nil>
}
