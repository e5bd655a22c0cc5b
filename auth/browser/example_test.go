package browser_test

import (
	"context"
	"fmt"
	"os"

	"github.com/restconn/restconn/auth/browser"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// A private session cannot be had from the system, so that the user opens the page by hand.
func ExampleOpenOrPrint() {
	open := browser.OpenOrPrint(os.Stdout)
	err := open(context.Background(), &oauth2flow.Login{
		URL: "https://login.example.com/authorize?client_id=cli", DisplayName: "Example", PrivateSession: true,
	})
	fmt.Println(err)
	// Output:
	// Open this page in a private window of a browser to log in to Example:
	// https://login.example.com/authorize?client_id=cli
	// <nil>
}

// The browser comes back to a port of this machine, where Loopback waits for it.
func ExampleOpen() {
	code := oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{ID: "cli", TokenURL: "https://login.example.com/token"},
		oauth2flow.Authorization{URL: "https://login.example.com/authorize"},
	)
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // for the example, nobody logs in
	_, err := code.Loopback(ctx, oauth2flow.Loopback{Open: browser.Open})
	fmt.Println(err != nil)
	// Output: true
}
