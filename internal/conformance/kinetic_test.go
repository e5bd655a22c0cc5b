package conformance_test

import (
	"context"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestKineticBaseURL(t *testing.T) {
	t.Parallel()
	row(t, "K-07 there is no connection without a base URL", func(r *Row) {
		err := r.rejection("base URL", "")
		r.Equal("error", err.Error(), "connection: base URL: it is empty")
	})
	row(t, "K-07 a missing base URL does not hide what else is wrong", func(r *Row) {
		options := []connection.Option{connection.WithMaxRedirects(-1), connection.WithAuth(auth.Basic("", nil))}
		r.rejects("base URL", "", options...)
		r.rejects("WithMaxRedirects", "", options...)
		r.rejects("WithAuth", "", options...)
	})
	row(t, "K-07 the base URL alone is enough", func(r *Row) {
		r.Line(r.get(), "GET /v1/x HTTP/1.1")
	})
}

func TestKineticTestPath(t *testing.T) {
	t.Parallel()
	row(t, "K-08 Test asks the test path with the credential of the connection", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithTestPath("/health"), connection.WithAuth(auth.Basic("alice", secrets.Static("pw"))))
		result, err := conn.Test(r.ctx())
		r.NoError(err)
		r.Equal("healthy", result.Healthy, true)
		sent := r.Sent(s, 1)[0]
		r.Line(sent, "GET /v1/health HTTP/1.1")
		r.Line(sent, "Authorization: Basic YWxpY2U6cHc=")
		r.Equal("body", string(sent.Body), "")
	})
	row(t, "K-08 healthy is what answers 2xx, and no answer is an error", func(r *Row) {
		for status, healthy := range map[int]bool{
			200: true, 204: true, 299: true, 304: false, 401: false, 404: false, 500: false, 503: false,
		} {
			s := r.serve(connectiontest.Status(status))
			result, err := r.open(s, connection.WithTestPath("/health")).Test(r.ctx())
			r.NoError(err)
			result.Duration = 0
			r.Equal("result", result, connection.TestResult{Healthy: healthy, Status: status})
			r.Sent(s, 1)
		}
	})
	row(t, "K-08 a service that cannot be reached is an error", func(r *Row) {
		s := r.serve()
		s.Refuse()
		result, err := r.open(s, connection.WithTestPath("/health")).Test(r.ctx())
		r.Is(err, syscall.ECONNREFUSED)
		r.Equal("result", result, connection.TestResult{})
	})
	row(t, "K-08 a credential that is missing is an error, and nothing is sent", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithTestPath("/health"),
			connection.WithAuth(auth.Bearer(auth.Static(secrets.Static("")))))
		_, err := conn.Test(r.ctx())
		r.Is(err, auth.ErrNoToken)
		r.NothingSent(s)
	})
	timed(t, "K-08 the result tells how long the service took", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusNoContent).Delay(250 * time.Millisecond))
		result, err := r.open(s, connection.WithTestPath("/health")).Test(r.ctx())
		r.NoError(err)
		want := connection.TestResult{Healthy: true, Status: http.StatusNoContent, Duration: 250 * time.Millisecond}
		r.Equal("result", result, want)
	})
	timed(t, "K-08 a service that hangs is an error in time", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusNoContent).Delay(time.Hour))
		conn := r.open(s, connection.WithTestPath("/health"),
			connection.WithTimeouts(connection.Timeouts{Attempt: time.Second}))
		began := time.Now()
		_, err := conn.Test(r.ctx())
		r.Equal("phase", as[*connection.TimeoutError](r, err).Phase, connection.PhaseAttempt)
		r.Equal("time that passed", time.Since(began), time.Second)
	})

	row(t, "K-09 the test path is joined to the base URL like any other", func(r *Row) {
		for _, c := range []struct{ base, path, want string }{
			{"/base", "/health", "/base/health"},
			{"/base/", "health", "/base/health"},
			{"", "/api/v1/version", "/api/v1/version"},
			{"/base", "/api/v1/version?deep=1", "/base/api/v1/version?deep=1"},
		} {
			r.Case(c.base+" and "+c.path, func(r *Row) {
				s := r.serve()
				conn, err := connection.New(s.URL+c.base, s.Network().Option(), connection.WithTestPath(c.path))
				r.NoError(err)
				_, err = conn.Test(r.ctx())
				r.NoError(err)
				r.Line(r.Sent(s, 1)[0], "GET "+c.want+" HTTP/1.1")
			})
		}
	})
	row(t, "K-09 without a test path Test is an error, and nothing is sent", func(r *Row) {
		s := r.serve()
		_, err := r.open(s).Test(r.ctx())
		r.Is(err, connection.ErrNoTestPath)
		r.NothingSent(s)
	})
	row(t, "K-09 a test path that leads elsewhere is refused", func(r *Row) {
		for _, path := range []string{"", "../health", "//evil.example.test/health", "/a\\b", "/a%zz"} {
			r.rejects("WithTestPath", home, connection.WithTestPath(path))
		}
	})
}

func TestKineticNone(t *testing.T) {
	t.Parallel()
	row(t, "K-13 no authentication needs no input, and sends no credential", func(r *Row) {
		r.anonymous(r.get())
		r.anonymous(r.get(connection.WithAuth(auth.None())))
	})
	row(t, "K-13 a user and a password in the base URL are no way to authenticate", func(r *Row) {
		r.rejects("base URL", "https://u:p@api.example.test/v1")
	})
}

func TestKineticBasic(t *testing.T) {
	t.Parallel()
	row(t, "K-14 the user name must not be empty", func(r *Row) {
		err := r.rejection("WithAuth", home, connection.WithAuth(auth.Basic("", secrets.Static("key-123"))))
		r.Is(err, auth.ErrNoCredential)
		r.Hides("error", err.Error(), "key-123")
	})
	row(t, "K-14 an empty user name is sent when that is asked for", func(r *Row) {
		sent := r.get(connection.WithAuth(auth.Basic("", secrets.Static("key-123"), auth.AllowEmptyUser())))
		r.Line(sent, "Authorization: Basic OmtleS0xMjM=")
	})
	row(t, "K-15 an empty password leaves the colon where it is", func(r *Row) {
		sent := r.get(connection.WithAuth(auth.Basic("alice", secrets.Static(""))))
		r.Line(sent, "Authorization: Basic YWxpY2U6")
	})
	row(t, "K-15 an empty password is spelled, and nil is not one", func(r *Row) {
		err := r.rejection("WithAuth", home, connection.WithAuth(auth.Basic("alice", nil)))
		r.Is(err, auth.ErrNoCredential)
	})
}

// rawBearer is a connection's token that was made by hand.
func rawBearer(token secrets.Provider, options ...auth.BearerOption) connection.Option {
	return connection.WithAuth(auth.Bearer(auth.Static(token), options...))
}

// inTurns is a server that sends the second part of its answer only when it is told that the first has arrived, a
// minute before.
func inTurns(contentType, first, second string, arrived chan bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, first)
		_ = http.NewResponseController(w).Flush()
		<-arrived
		time.Sleep(time.Minute)
		_, _ = io.WriteString(w, second)
	})
}

func TestKineticStream(t *testing.T) {
	t.Parallel()
	limits := connection.WithTimeouts(connection.Timeouts{Attempt: time.Second, Total: time.Second, Idle: time.Hour})
	timed(t, "K-36 an event is there before the server writes the next one", func(r *Row) {
		arrived := make(chan bool, 2)
		s := r.serve(inTurns("text/event-stream", "data: a\n\n", "data: b\n\n", arrived))
		began := time.Now()
		var got []string
		for e, err := range request.Events(r.ctx(), request.Get(r.open(s, limits), "/changes"), request.Reconnects(0)) {
			r.NoError(err)
			got = append(got, e.Data+" after "+time.Since(began).String())
			arrived <- true
		}
		r.Equal("events", got, []string{"a after 0s", "b after 1m0s"})
		sent := r.Sent(s, 1)[0]
		r.Line(sent, "GET /v1/changes HTTP/1.1")
		r.Line(sent, "Accept: text/event-stream")
	})
	timed(t, "K-36 a line is there before the server writes the next one", func(r *Row) {
		arrived := make(chan bool, 2)
		s := r.serve(inTurns("application/x-ndjson", "\"a\"\n", "\"b\"\n", arrived))
		began := time.Now()
		var got []string
		for v, err := range request.JSONLines[string](r.ctx(), request.Get(r.open(s, limits), "/changes")) {
			r.NoError(err)
			got = append(got, v+" after "+time.Since(began).String())
			arrived <- true
		}
		r.Equal("lines", got, []string{"a after 0s", "b after 1m0s"})
		r.Sent(s, 1)
	})
	timed(t, "K-36 a stream of bytes is there before the server writes the next ones", func(r *Row) {
		arrived := make(chan bool, 2)
		s := r.serve(inTurns("application/octet-stream", "a", "b", arrived))
		began := time.Now()
		resp, err := request.Get(r.open(s, limits), "/changes").Stream(r.ctx())
		r.NoError(err)
		defer resp.Body.Close()
		first := make([]byte, 10)
		n, err := resp.Body.Read(first)
		r.NoError(err)
		r.Equal("first", string(first[:n])+" after "+time.Since(began).String(), "a after 0s")
		arrived <- true
		rest, err := io.ReadAll(resp.Body)
		r.NoError(err)
		r.Equal("rest", string(rest)+" after "+time.Since(began).String(), "b after 1m0s")
	})
}

func TestKineticRawBearer(t *testing.T) {
	t.Parallel()
	row(t, "K-39 the token that was given is sent as it is", func(r *Row) {
		r.Line(r.get(rawBearer(secrets.Static("tok-1"))), "Authorization: Bearer tok-1")
	})
	row(t, "K-39 a 401 comes back, and nothing is refreshed or sent again", func(r *Row) {
		s := r.serve(connectiontest.Text(http.StatusUnauthorized, "expired").Header("WWW-Authenticate", "Bearer"))
		conn := r.open(s, rawBearer(secrets.Static("tok-1")), connection.WithRetry(connection.Retry{Max: 3}))
		err := request.Get(conn, "/x").Exec(r.ctx())
		e := as[*request.ResponseError](r, err)
		r.Equal("status", e.Status, http.StatusUnauthorized)
		r.Equal("body", string(e.Body), "expired")
		r.Equal("attempts", len(e.History), 1)
		r.Line(r.Sent(s, 1)[0], "Authorization: Bearer tok-1")
	})
	row(t, "K-40 the token goes into the Authorization header unless another is named", func(r *Row) {
		r.Line(r.get(rawBearer(secrets.Static("t1"))), "Authorization: Bearer t1")
		sent := r.get(rawBearer(secrets.Static("t1"), auth.InHeader("X-Session")))
		r.Line(sent, "X-Session: Bearer t1")
		r.Without(sent, "Authorization")
	})
	row(t, "K-40 the header must not be empty", func(r *Row) {
		r.rejects("WithAuth", home, rawBearer(secrets.Static("t1"), auth.InHeader("")))
	})
	row(t, "K-41 the prefix is Bearer unless another is named", func(r *Row) {
		r.Line(r.get(rawBearer(secrets.Static("t1"))), "Authorization: Bearer t1")
		r.Line(r.get(rawBearer(secrets.Static("t1"), auth.Prefix("Token"))), "Authorization: Token t1")
	})
	row(t, "K-41 without a prefix there is no space before the token either", func(r *Row) {
		r.Line(r.get(rawBearer(secrets.Static("t1"), auth.NoPrefix())), "Authorization: t1")
		r.Line(r.get(rawBearer(secrets.Static("t1"), auth.InHeader("X-Session"), auth.NoPrefix())), "X-Session: t1")
	})
	row(t, "K-41 the prefix must not be empty", func(r *Row) {
		r.rejects("WithAuth", home, rawBearer(secrets.Static("t1"), auth.Prefix("")))
	})
	row(t, "K-42 a connection without a token opens, and its requests fail before a byte is sent", func(r *Row) {
		err := r.refuses(rawBearer(secrets.Static("")), connection.WithRetry(connection.Retry{Max: 3}))
		r.Is(err, auth.ErrNoToken)
		r.Equal("scheme", as[*auth.Error](r, err).Scheme, "bearer")
		r.Is(err, request.StageAuth)
		r.Equal("attempts", as[*request.Error](r, err).Attempts, 1)
	})
	row(t, "K-42 a prefix is never sent alone, whatever the place of the token", func(r *Row) {
		for _, place := range []auth.PlaceOption{
			auth.InHeader("X-Session"), auth.InQuery("access_token"), auth.InCookie("session"), auth.NoPrefix(),
		} {
			r.Is(r.refuses(rawBearer(secrets.Static(""), place)), auth.ErrNoToken)
		}
	})
	row(t, "K-42 a token that does not exist yet is an error, and the next request uses it once it does", func(r *Row) {
		token, fault := secrets.Value{}, secrets.ErrNotFound
		later := secrets.Func(func(context.Context) (secrets.Value, error) { return token, fault })
		s := r.serve()
		conn := r.open(s, rawBearer(later))
		r.Is(request.Get(conn, "/x").Exec(r.ctx()), secrets.ErrNotFound)
		fault = nil
		r.Is(request.Get(conn, "/x").Exec(r.ctx()), auth.ErrNoToken)
		r.NothingSent(s)
		token = secrets.Static("t1")
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "Authorization: Bearer t1")
	})
	row(t, "K-42 a source that answers with no token at all is the same error", func(r *Row) {
		err := r.refuses(connection.WithAuth(auth.Bearer(noTokens{})))
		r.Is(err, auth.ErrNoToken)
	})
}

// noTokens is a source that breaks its contract: no token and no error.
type noTokens struct{}

func (noTokens) Token(context.Context, auth.Want) (*auth.Token, error) { return nil, nil } //nolint:nilnil // on purpose
