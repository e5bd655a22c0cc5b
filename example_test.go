package restconn_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

type User struct {
	Name string `json:"name"`
}

type Order struct {
	Item string `json:"item"`
}

// mac signs method and path with a key.
func mac(req *http.Request) string {
	h := hmac.New(sha256.New, []byte("key"))
	fmt.Fprintf(h, "%s\n%s", req.Method, req.URL.EscapedPath())
	return hex.EncodeToString(h.Sum(nil))
}

// service echoes a user, whatever it is asked.
func service() *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/motd" {
			fmt.Fprint(w, "be kind")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"name":"Ann"}`)
	}))
}

// Example_authenticators makes one connection for each of several ways to authenticate.
func Example_authenticators() {
	server := service()
	defer server.Close()
	_ = os.Setenv("API_PASSWORD", "secret")
	for _, a := range []auth.Authenticator{
		auth.Basic("svc", secrets.Env("API_PASSWORD")),
		auth.APIKey(secrets.File("/run/secrets/key"), auth.InHeader("X-Api-Key")),
		auth.APIKey(secrets.Env("KEY"), auth.InQuery("api_key")),
		auth.Bearer(auth.Static(secrets.Env("TOKEN")), auth.Prefix("Token")),
		auth.Func(func(req *http.Request) error { req.Header.Set("X-Signature", mac(req)); return nil }),
	} {
		conn, err := connection.New(server.URL, connection.WithAuth(a))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(conn.Describe().Auth)
		_ = conn.Close()
	}
	// Output:
	// Basic
	// API key in header X-Api-Key
	// API key in query parameter api_key
	// Bearer in header Authorization
	// Func
}

// Example_requests sends requests and chooses what comes back.
func Example_requests() {
	server := service()
	defer server.Close()
	ctx, id, in := context.Background(), "42", User{Name: "Ann"}
	conn, err := connection.New(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()

	user, err := request.Do[User](ctx, request.Get(conn, "/users/{id}").Path("id", id).Query("expand", "team"))
	fmt.Println(user.Name, err)
	full, err := request.Full[User](ctx, request.Post(conn, "/users").JSON(in))
	fmt.Println(full.Status, full.Header.Get("Content-Type"), full.Attempts, full.Value.Name, err)
	text, err := request.Do[string](ctx, request.Get(conn, "/motd"))
	fmt.Println(text, err)
	err = request.Delete(conn, "/users/{id}").Path("id", id).Exec(ctx)
	fmt.Println(err)
	// Output:
	// Ann <nil>
	// 200 application/json 1 Ann <nil>
	// be kind <nil>
	// <nil>
}

// library answers as a service with files, pages, events and feeds does.
func library() *httptest.Server {
	answer := func(contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, req *http.Request) {
			_, _ = io.Copy(io.Discard, req.Body)
			w.Header().Set("Content-Type", contentType)
			fmt.Fprint(w, body)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("POST /reports", answer("text/plain", "thank you"))
	mux.Handle("GET /export", answer("application/zip", "PK"))
	mux.Handle("GET /events", answer("text/event-stream", "id: 7\ndata: hello\n\n"))
	mux.Handle("GET /rows", answer("application/x-ndjson", "{\"id\":1}\n{\"id\":2}\n"))
	mux.Handle("GET /feed", answer("application/xml", "<feed><title>News</title></feed>"))
	mux.HandleFunc("GET /users", func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Query().Get("page") == "" {
			w.Header().Set("Link", `</users?per_page=100&page=2>; rel="next"`)
			answer("application/json", `[{"name":"Ann"}]`)(w, req)
			return
		}
		answer("application/json", `[{"name":"Bob"}]`)(w, req)
	})
	mux.HandleFunc("GET /fault", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		fmt.Fprint(w, `{"code":"taken"}`)
	})
	return httptest.NewServer(mux)
}

// Example_files sends a form with a file, and saves a file.
func Example_files() {
	server := library()
	defer server.Close()
	ctx := context.Background()
	conn, err := connection.New(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	back, err := os.Getwd()
	if err != nil || os.Chdir(dir) != nil || os.WriteFile("report.csv", []byte("a,b\n"), 0o600) != nil {
		fmt.Println("no directory to work in")
		return
	}
	defer func() { _ = os.Chdir(back) }()

	form := request.Multipart().Field("note", "daily").File("report", "report.csv")
	err = request.Post(conn, "/reports").Body(form).Exec(ctx)
	fmt.Println(err)
	n, err := request.Download(ctx, request.Get(conn, "/export"), "export.zip")
	fmt.Println(n, err)
	// Output:
	// <nil>
	// 2 <nil>
}

type Row struct {
	ID int `json:"id"`
}

type Feed struct {
	Title string `xml:"title"`
}

type Fault struct {
	Code string `json:"code"`
}

// Example_sequences goes through what comes bit by bit, and reads what is not JSON or went wrong.
func Example_sequences() {
	server := library()
	defer server.Close()
	ctx := context.Background()
	conn, err := connection.New(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()

	first := request.Get(conn, "/users").Query("per_page", "100")
	for user, err := range request.Items(request.Pages(ctx, first, request.LinkHeader[[]User]())) {
		fmt.Println(user.Name, err)
	}
	for event, err := range request.Events(ctx, request.Get(conn, "/events")) {
		fmt.Println(event.ID, event.Data, err)
		break
	}
	for row, err := range request.JSONLines[Row](ctx, request.Get(conn, "/rows")) {
		fmt.Println(row.ID, err)
	}
	feed, err := request.Do[Feed](ctx, request.Get(conn, "/feed").Codec(request.XMLCodec()))
	fmt.Println(feed.Title, err)
	err = request.Get(conn, "/fault").Exec(ctx)
	fault, ok := request.ErrorBody[Fault](err)
	fmt.Println(fault.Code, ok)
	// Output:
	// Ann <nil>
	// Bob <nil>
	// 7 hello <nil>
	// 1 <nil>
	// 2 <nil>
	// News <nil>
	// taken true
}

// Example_policy changes the policy of a connection, and that of one request.
func Example_policy() {
	server := service()
	defer server.Close()
	ctx, order := context.Background(), Order{Item: "tea"}
	conn, err := connection.New(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close() }()

	patient, err := conn.With(connection.WithTimeouts(connection.Timeouts{Attempt: 10 * time.Minute}))
	fmt.Println(patient.Describe().Timeouts.Attempt, err)
	err = request.Post(conn, "/orders").JSON(order).Idempotent().Exec(ctx)
	fmt.Println(err)
	err = request.Get(conn, "/slow").Timeout(2 * time.Second).Retry(connection.NoRetry()).Exec(ctx)
	fmt.Println(err)

	var client *http.Client = conn.HTTPClient()
	resp, err := client.Get(server.URL + "/motd")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	fmt.Println(resp.Status)
	// Output:
	// 10m0s <nil>
	// <nil>
	// <nil>
	// 200 OK
}
