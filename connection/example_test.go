package connection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/secrets"
)

// New reports all faults at once, each as an *OptionError.
func ExampleNew_faults() {
	_, err := connection.New("https://user:hunter2@api.example.com",
		connection.WithAuth(nil),
		connection.WithRetry(connection.Retry{Max: -1}),
	)
	fmt.Println(err)
	// Output:
	// connection: base URL: there is a user name or a password in the URL: use auth.Basic
	// connection: WithAuth: the authenticator is nil: anonymity is auth.None()
	// connection: WithRetry: Max is negative
}

func ExampleConnection_Describe() {
	conn, err := connection.New("https://api.example.com/v1",
		connection.WithAuth(auth.Basic("svc", secrets.Env("API_PASS"))),
		connection.WithRetry(connection.Retry{Max: 3, Wait: connection.Exponential()}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	d := conn.Describe()
	fmt.Println(d.BaseURL, d.Auth, d.Retries, d.RetryWait, d.Timeouts.Attempt)
	// Output: https://api.example.com/v1 Basic 3 exponential 200ms to 30s 1m0s
}

func ExampleConnection_With() {
	conn, err := connection.New("https://api.example.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	patient, err := conn.With(connection.WithTimeouts(connection.Timeouts{Attempt: time.Hour}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = patient.Close() }()
	fmt.Println(conn.Describe().Timeouts.Attempt, patient.Describe().Timeouts.Attempt)
	// Output: 1m0s 1h0m0s
}

// HTTPClient lends the connection to code that wants an *http.Client.
func ExampleConnection_HTTPClient() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.WriteString(w, req.Header.Get("Authorization"))
	}))
	defer server.Close()
	conn, err := connection.New(server.URL,
		connection.WithAuth(auth.Bearer(auth.Static(secrets.Static("tok-1")))))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()

	resp, err := conn.HTTPClient().Get(server.URL + "/whoami")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(string(body))

	_, err = conn.HTTPClient().Get("https://elsewhere.example.net/")
	_, foreign := errors.AsType[*connection.OriginError](err)
	fmt.Println(foreign)
	// Output:
	// Bearer tok-1
	// true
}

// Attempt middleware runs once per attempt and redirect hop, before authentication.
func ExampleWithAttemptMiddleware() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fmt.Println("received", req.Header.Get("X-Attempt"))
		if req.Header.Get("X-Attempt") == "1" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	count := func(next http.RoundTripper) http.RoundTripper {
		n := 0
		return transport(func(req *http.Request) (*http.Response, error) {
			n++
			req = req.Clone(req.Context())
			req.Header.Set("X-Attempt", strconv.Itoa(n))
			return next.RoundTrip(req)
		})
	}
	conn, err := connection.New(server.URL,
		connection.WithRetry(connection.Retry{Max: 1}), connection.WithAttemptMiddleware(count))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
	resp, err := conn.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.StatusCode)
	// Output:
	// received 1
	// received 2
	// 200
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
