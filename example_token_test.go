package restconn_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// tokenService has a token endpoint, a login and a resource, and says which of them was asked.
func tokenService() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch req.URL.Path {
		case "/token":
			fmt.Println("token call:", req.FormValue("grant_type"), req.FormValue("scope"))
			fmt.Fprint(w, `{"access_token":"a1","refresh_token":"r2","token_type":"Bearer","expires_in":3600}`)
		case "/login":
			fmt.Println("login")
			fmt.Fprint(w, `{"session":{"id":"s1","ttl":600}}`)
		default:
			fmt.Fprint(w, `{"name":"Ann"}`)
		}
	}))
}

// Example_tokens has tokens fetched, kept, and put on requests.
func Example_tokens() {
	server := tokenService()
	defer server.Close()
	dir, err := os.MkdirTemp("", "tokens")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	_ = os.Setenv("CLIENT_SECRET", "a client secret")
	_ = os.Setenv("REFRESH_TOKEN", "r1")
	_ = os.Setenv("LOGIN_PASSWORD", "a password")
	base, api := server.URL, server.URL+"/v1"

	client := oauth2flow.Client{
		ID: "crm", Secret: secrets.Env("CLIENT_SECRET"), TokenURL: base + "/token", Scopes: []string{"read"},
	}
	tokens := auth.Manage(oauth2flow.ClientCredentials(client))
	conn, err := connection.New(api, connection.WithAuth(auth.Bearer(tokens)))
	use(conn, err)

	store := tokenstore.NewFile(dir)
	tokens = auth.Manage(oauth2flow.Refresh(client, secrets.Env("REFRESH_TOKEN")), auth.KeepIn(store, "crm"))
	conn, err = connection.New(api, connection.WithAuth(auth.Bearer(tokens)))
	use(conn, err)

	session := login.New(login.Config{
		BaseURL: base,
		Secrets: map[string]secrets.Provider{"password": secrets.Env("LOGIN_PASSWORD")},
		Steps:   []login.Step{{Path: "/login", JSON: map[string]any{"user": "svc", "password": "{{password}}"}}},
		Token:   "body.session.id",
		Expiry:  "body.session.ttl",
	})
	conn, err = connection.New(api,
		connection.WithAuth(auth.Bearer(auth.Manage(session), auth.InHeader("X-Session"), auth.NoPrefix())))
	use(conn, err)
	// Output:
	// token call: client_credentials read
	// Ann
	// Ann
	// token call: refresh_token read
	// Ann
	// Ann
	// login
	// Ann
	// Ann
}

// use sends two requests, for which one token is enough.
func use(conn *connection.Connection, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	for range 2 {
		user, err := request.Do[User](context.Background(), request.Get(conn, "/me"))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(user.Name)
	}
}
