package restconn_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/internal/testidp"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// me answers with who has logged in.
func me(idp *testidp.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if access, ok := idp.Check(w, req, testidp.Need{}); ok {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, "{%q: %q}", "name", access.User.Name)
		}
	})
}

// Example_signIn lets a user log in, in a web application and in a program on the user's machine.
func Example_signIn() {
	mux := http.NewServeMux()
	application := httptest.NewServer(mux)
	defer application.Close()
	idp, server := testidp.Start(testidp.Config{
		Clients: []testidp.Client{
			{ID: "crm", Secret: "csec", RedirectURIs: []string{application.URL + "/callback"}},
			{ID: "cli", RedirectURIs: []string{"http://127.0.0.1/callback"}},
		},
		Users: []testidp.User{{Name: "ann", Password: "pw"}},
	})
	defer server.Close()
	service := httptest.NewServer(me(idp))
	defer service.Close()
	ctx, issuer, app, api := context.Background(), server.URL, application.URL, service.URL
	store := tokenstore.NewMemory()
	currentUser := func(*http.Request) string { return "ann" } // by the application's own session
	robot := testidp.NewBrowser(http.DefaultTransport)         // in place of a user
	openBrowser := func(ctx context.Context, l *oauth2flow.Login) error {
		_, err := robot.Visit(ctx, l.URL, "ann", "pw")
		return err
	}

	client := oauth2flow.Client{ID: "crm", Secret: secrets.Static("csec")}
	provider, err := oidc.Discover(ctx, issuer)
	if err != nil {
		fmt.Println(err)
		return
	}
	code := oidc.New(provider, client, oauth2flow.Authorization{RedirectURI: app + "/callback"})
	users := auth.Manage(code, auth.KeepIn(store, "crm"), auth.PerSubject())
	conn, err := connection.New(api, connection.WithAuth(auth.Bearer(users)))
	if err != nil {
		fmt.Println(err)
		return
	}
	ann := auth.WithSubject(ctx, "ann")

	err = request.Get(conn, "/me").Exec(ann)
	if missing, ok := errors.AsType[*auth.LoginRequiredError](err); ok {
		fmt.Println(missing.Key.Subject, "has to log in")
	}

	mux.Handle("/", oauth2flow.NewWebLogin(code, oauth2flow.Web{Tokens: users, Subject: currentUser}))
	if _, err := robot.Visit(ctx, app+"/login", "ann", "pw"); err != nil {
		fmt.Println(err)
		return
	}
	user, err := request.Do[User](ann, request.Get(conn, "/me"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(user.Name, "is connected")

	code = oidc.New(provider, oauth2flow.Client{ID: "cli"}, oauth2flow.Authorization{})
	token, err := code.Loopback(ctx, oauth2flow.Loopback{Open: openBrowser, Path: "/callback"})
	if err != nil {
		fmt.Println(err)
		return
	}
	claims, err := oidc.IDClaims(token)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(claims.Subject(), "is at the terminal")
	// Output:
	// ann has to log in
	// ann is connected
	// ann is at the terminal
}
