package connectiontest_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/connection/connectiontest"
)

// t stands in for the *testing.T, which an example does not have.
var t exampleT

type exampleT struct{ testing.TB }

func (exampleT) Helper()                        {}
func (exampleT) Cleanup(func())                 {}
func (exampleT) Logf(string, ...any)            {}
func (exampleT) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...) }

func Example() {
	srv := connectiontest.NewServer(t, connectiontest.JSON(200, map[string]string{"name": "Ada"}))
	defer srv.Network().Close() // the end of a test does this by itself

	client := &http.Client{Transport: srv.Network().Transport()}
	resp, err := client.Get(srv.URL + "/v1/users/42")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, string(body))

	got := srv.Requests()[0]
	fmt.Println(got.Method, got.Target, "to", got.Host)
	// Output:
	// 200 OK {"name":"Ada"}
	// GET /v1/users/42 to api.example.test
}

// A server that recovers at the third attempt.
func ExampleSequence() {
	srv := connectiontest.NewServer(t, connectiontest.Sequence(
		connectiontest.Status(503).Header("Retry-After", "1"),
		connectiontest.Cut(),
		connectiontest.Text(200, "well again"),
	))
	defer srv.Network().Close()

	client := &http.Client{Transport: srv.Network().Transport()}
	for range 3 {
		resp, err := client.Post(srv.URL, "text/plain", nil)
		if err != nil {
			fmt.Println(err)
			continue
		}
		resp.Body.Close()
		fmt.Println(resp.Status)
	}
	// Output:
	// 503 Service Unavailable
	// Post "https://api.example.test": EOF
	// 200 OK
}

func ExampleScript() {
	srv := connectiontest.NewServer(t, connectiontest.Script(t,
		connectiontest.Exchange{
			Want:  "POST /v1/users",
			Body:  connectiontest.BodyJSON(`{"name": "Ada"}`),
			Reply: connectiontest.Status(201).Header("Location", "/v1/users/42"),
		},
		connectiontest.Exchange{
			Want:  "GET /v1/users/42",
			Reply: connectiontest.JSON(200, map[string]any{"id": 42, "name": "Ada"}),
		},
	))
	defer srv.Network().Close()

	client := &http.Client{Transport: srv.Network().Transport()}
	resp, err := client.Post(srv.URL+"/v1/users", "application/json", strings.NewReader(`{"name":"Ada"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status, resp.Header.Get("Location"))

	resp, err = client.Get(srv.URL + "/v1/users/43")
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output:
	// 201 Created /v1/users/42
	// connectiontest: exchange 2 of 2: got GET /v1/users/43, want GET /v1/users/42
	// 400 Bad Request
}

// Several servers, of which one cannot be reached.
func ExampleNetwork() {
	n := connectiontest.NewNetwork(t)
	defer n.Close()
	api := n.Serve("https://api.example.test", connectiontest.Text(200, "api"))
	login := n.ServeH2("https://login.example.test:8443", connectiontest.Text(200, "login"))
	api.Down()

	client := &http.Client{Transport: n.Transport()}
	for _, srv := range []*connectiontest.Server{api, login} {
		resp, err := client.Get(srv.URL)
		if err != nil {
			fmt.Println(err)
			continue
		}
		resp.Body.Close()
		fmt.Println(resp.Proto, resp.Status)
	}
	// Output:
	// Get "https://api.example.test": dial tcp api.example.test:443: connect: connection refused
	// HTTP/2.0 200 OK
}

// An answer that breaks off.
func ExampleNetwork_ServeRaw() {
	n := connectiontest.NewNetwork(t)
	defer n.Close()
	srv := n.ServeRaw("https://api.example.test", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"name\":")
	})

	client := &http.Client{Transport: n.Transport()}
	resp, err := client.Get(srv.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	fmt.Printf("%s %q, %v\n", resp.Status, body, err)
	// Output:
	// 200 OK "{\"name\":", unexpected EOF
}
