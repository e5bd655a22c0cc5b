package request_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// Each misuse is an error of StageBuild that says what to do, and nothing is sent.
func TestMisuse(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Status(http.StatusOK))
	conn := connectTo(t, srv, "/v1", connection.WithRetry(connection.Retry{Max: 1}))
	closed := connectTo(t, srv, "")
	_ = closed.Close()
	exec := func(b request.Builder) error { return b.Exec(t.Context()) }
	get := request.Get(conn, "/users/{id}")
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"missing path parameter":  {exec(get), "https://api.example.test/v1/users/{id}: path parameter \"id\" is missing"},
		"misspelt path parameter": {exec(get.Path("uid", "1")), `"uid" is set, and not in the template`},
		"colon template":          {exec(request.Get(conn, "/users/:id").Path("id", "1")), "where it would be {id}"},
		"body on GET":             {exec(request.Get(conn, "/").JSON(1)), "use AllowBody"},
		"reader as JSON":          {exec(request.Post(conn, "/").JSON(strings.NewReader("{}"))), "send it with Open or Once"},
		"value without JSON":      {exec(request.Post(conn, "/").JSON(make(chan int))), "request body"},
		"once with retries":       {exec(request.Put(conn, "/").Body(request.Once("", strings.NewReader("x")))), "only once"},
		"nil body factory":        {exec(request.Post(conn, "/").Body(request.Open("", 1, nil))), "nothing to open"},
		"target is no pointer":    {request.Post(conn, "/").Into(t.Context(), 1), "not a pointer"},
		"target is nil":           {request.Post(conn, "/").Into(t.Context(), nil), "use Exec"},
		"nil authenticator":       {exec(request.Get(conn, "/").Auth(nil)), "auth.None()"},
		"bad authenticator":       {exec(request.Get(conn, "/").Auth(auth.Basic("a:b", secrets.Static("p")))), "colon"},
		"nil logger":              {exec(request.Get(conn, "/").Debug(nil)), "Debug is nil"},
		"nil check":               {exec(request.Get(conn, "/").Check(nil)), "Check is nil"},
		"negative timeout":        {exec(request.Get(conn, "/").Timeout(-1)), "negative"},
		"negative retries":        {exec(request.Get(conn, "/").Retry(connection.Retry{Max: -1})), "negative"},
		"negative redirects":      {exec(request.Get(conn, "/").MaxRedirects(-1)), "negative"},
		"method in lower case":    {exec(request.New(conn, "get", "/")), "written GET"},
		"two credentials": {
			exec(request.Get(conn, "/").Header("Authorization", "a").Header("authorization", "b")), "several values",
		},
		"unresolvable secret": {
			exec(request.Get(conn, "/{t}").PathSecret("t", secrets.Env("RESTCONN_UNSET"))), "env:RESTCONN_UNSET",
		},
		"nil connection":    {exec(request.Get(nil, "/")), "connection.New"},
		"zero connection":   {exec(request.Get(new(connection.Connection), "/")), "connection.New"},
		"closed connection": {exec(request.Get(closed, "/")), "closed"},
		"nil context":       {request.Get(conn, "/").Exec(context.Context(nil)), "context.Background()"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !errors.Is(c.err, request.StageBuild) || !strings.Contains(c.err.Error(), c.want) {
				t.Errorf("error %v, want one of StageBuild that says %s", c.err, c.want)
			}
		})
	}
	if n := srv.Conns(); n != 0 {
		t.Errorf("the server saw %d connections, want none", n)
	}
}

// A response that is not retried says why, where the policy would have had another attempt.
func TestNotRetried(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply http.Handler
		build func(conn *connection.Connection) request.Builder
		limit time.Duration
		want  string
	}{
		"method": {
			connectiontest.Status(503),
			func(conn *connection.Connection) request.Builder { return request.Post(conn, "/") },
			time.Hour, "Idempotency-Key",
		},
		"Retry-After": {
			connectiontest.Status(503).Header("Retry-After", "120"),
			func(conn *connection.Connection) request.Builder { return request.Get(conn, "/") },
			time.Hour, "Retry-After asks for 2m0s, and MaxRetryAfter is 1m0s",
		},
		"deadline": {
			connectiontest.Status(503),
			func(conn *connection.Connection) request.Builder { return request.Get(conn, "/") },
			time.Second, "outlast the deadline",
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			srv := connectiontest.NewServer(t, c.reply)
			conn := connectTo(t, srv, "",
				connection.WithRetry(connection.Retry{Max: 1, Wait: connection.Constant(10 * time.Second)}))
			ctx, cancel := context.WithTimeout(t.Context(), c.limit)
			defer cancel()
			err := c.build(conn).Exec(ctx)
			if !errors.Is(err, request.Status(503)) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want a 503 that says %s", err, c.want)
			}
			if n := len(srv.Requests()); n != 1 {
				t.Errorf("the server got %d requests, want 1", n)
			}
		})
	}
}

// A body that breaks off is an error even where nobody wants it.
func TestExecTruncated(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Text(http.StatusOK, "1234567").Header("Content-Length", "100"))
	conn := connectTo(t, srv, "")
	err := request.Get(conn, "/").Exec(t.Context())
	if !errors.Is(err, request.StageRead) || !strings.Contains(err.Error(), "broke off after 7 bytes") {
		t.Errorf("error %v, want one of StageRead that says after how many bytes", err)
	}
}

// An error after a redirect names the host that it led to.
func TestRedirectInError(t *testing.T) {
	t.Parallel()
	home := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/x", http.StatusFound))
	defer home.Close()
	conn, err := connection.New(home.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	err = request.Get(conn, "/").Exec(t.Context())
	if err == nil || !strings.Contains(err.Error(), "redirect to 127.0.0.1:1") {
		t.Errorf("error %v does not say where the redirect led", err)
	}
}

// What an *http.Request cannot carry is not dropped.
func TestRequestRefusesPolicy(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, connectiontest.Status(http.StatusOK))
	get := request.Get(connectTo(t, srv, ""), "/")
	for name, b := range map[string]request.Builder{
		"Auth": get.Auth(auth.None()), "Retry": get.Retry(connection.NoRetry()), "Timeout": get.Timeout(time.Second),
		"MaxRedirects": get.MaxRedirects(0), "Check": get.Check(func(*http.Response, []byte) error { return nil }),
	} {
		if _, err := b.Request(t.Context()); !errors.Is(err, request.StageBuild) {
			t.Errorf("%s: error %v, want one of StageBuild", name, err)
		}
	}
	if _, err := get.Idempotent().Request(t.Context()); err != nil {
		t.Errorf("Idempotent: %v", err)
	}
}

// Timeouts add to each other.
func TestTimeoutsMerge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Status(http.StatusOK).Delay(time.Second))
		b := request.Get(connectTo(t, srv, ""), "/").Timeout(50 * time.Millisecond)
		began := time.Now()
		err := b.Timeouts(connection.Timeouts{Total: time.Minute}).Exec(t.Context())
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 50*time.Millisecond {
			t.Errorf("error %v after %v, want a timeout after 50 ms", err, time.Since(began))
		}
	})
}
