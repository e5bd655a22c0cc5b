package conformance_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const home = "https://api.example.test/v1"

// anonymous asserts that a request is GET /v1/x and carries no credential anywhere.
func (r *Row) anonymous(req connectiontest.Request) {
	r.Helper()
	r.Line(req, "GET /v1/x HTTP/1.1")
	r.Without(req, "Authorization", "Cookie", "key")
}

func TestNovacuraConnector(t *testing.T) {
	t.Parallel()
	row(t, "N-01 fifty goroutines share one connection", func(r *Row) {
		const callers = 50
		s := r.serve()
		conn := r.open(s)
		errs := make([]error, callers)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() { errs[i] = request.Get(conn, "/ping").Exec(r.ctx()) })
		}
		wg.Wait()
		for _, err := range errs {
			r.NoError(err)
		}
		for _, req := range r.Sent(s, callers) {
			r.Line(req, "GET /v1/ping HTTP/1.1")
			r.Line(req, "Host: api.example.test")
		}
	})
	row(t, "N-01 opening and closing it sends nothing", func(r *Row) {
		s := r.serve()
		r.NoError(r.open(s).Close())
		r.NothingSent(s)
	})
	row(t, "N-01 what is derived from it leaves it as it was", func(r *Row) {
		s := r.serve()
		conn := r.open(s)
		derived, err := conn.With(connection.WithHeader("X-Tenant", "acme"))
		r.NoError(err)
		r.NoError(request.Get(derived, "/x").Exec(r.ctx()))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		sent := r.Sent(s, 2)
		r.Line(sent[0], "X-Tenant: acme")
		r.Without(sent[1], "X-Tenant")
		r.Equal("headers of the original", conn.Describe().Headers, []string{"User-Agent"})
	})
}

func TestNovacuraBaseURL(t *testing.T) {
	t.Parallel()
	row(t, "N-08 base path and path are joined by one slash, with their escapes and queries", func(r *Row) {
		for _, c := range []struct{ base, path, want string }{
			{"/v1/", "/items?x=1", "/v1/items?x=1"},
			{"/v1", "/items?x=1", "/v1/items?x=1"},
			{"/v1", "items/a%2Fb", "/v1/items/a%2Fb"},
			{"/v1/", "items/", "/v1/items/"},
			{"/v1//", "/items", "/v1/items"},
			{"", "/items", "/items"},
			{"/", "items", "/items"},
			{"/a%2Fb", "/c%20d", "/a%2Fb/c%20d"},
			{"/v1?tenant=acme", "/items?x=1", "/v1/items?tenant=acme&x=1"},
			{"/v1?tenant=acme", "/items", "/v1/items?tenant=acme"},
		} {
			r.Case(c.base+" and "+c.path, func(r *Row) {
				s := r.serve()
				conn, err := connection.New(s.URL+c.base, s.Network().Option())
				r.NoError(err)
				r.NoError(request.Get(conn, c.path).Exec(r.ctx()))
				r.Line(r.Sent(s, 1)[0], "GET "+c.want+" HTTP/1.1")
			})
		}
	})
	row(t, "N-08 a value in the path is one escaped segment", func(r *Row) {
		s := r.serve()
		r.NoError(request.Get(r.open(s), "/items/{id}").Path("id", "a/b c").Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "GET /v1/items/a%2Fb%20c HTTP/1.1")
	})
	row(t, "N-08 a request of net/http is joined in the same way", func(r *Row) {
		s := r.serve()
		req, err := http.NewRequestWithContext(r.ctx(), http.MethodGet, "/items/a%2Fb?x=1", http.NoBody)
		r.NoError(err)
		resp, err := r.open(s).Do(req)
		r.NoError(err)
		r.NoError(resp.Body.Close())
		r.Line(r.Sent(s, 1)[0], "GET /v1/items/a%2Fb?x=1 HTTP/1.1")
	})
	row(t, "N-08 no path leads out of the base path", func(r *Row) {
		s := r.serve()
		conn := r.open(s)
		for _, path := range []string{"../admin", "/a/../../admin", "/%2e%2e/admin", "//evil.example.test/x"} {
			r.Is(request.Get(conn, path).Exec(r.ctx()), request.StageBuild)
		}
		r.NothingSent(s)
	})
	row(t, "N-08 only an absolute http or https URL is a base URL", func(r *Row) {
		for _, base := range []string{
			"api.example.test", "//api.example.test/v1", "/v1", "ftp://api.example.test", "https:///v1",
			"https://api.example.test:0", "https://api.example.test/v1#top", "https://api.example.test/../v1",
		} {
			r.rejects("base URL", base)
		}
	})
}

func TestNovacuraNone(t *testing.T) {
	t.Parallel()
	row(t, "N-10 without WithAuth no credential is sent", func(r *Row) {
		r.anonymous(r.get())
	})
	row(t, "N-10 with auth.None no credential is sent", func(r *Row) {
		r.anonymous(r.get(connection.WithAuth(auth.None())))
	})
	row(t, "N-10 a request with auth.None goes bare over a connection that has a credential", func(r *Row) {
		for _, a := range []auth.Authenticator{
			auth.Basic("svc", secrets.Static("pw")),
			auth.APIKey(secrets.Static("k1"), auth.InQuery("api_key")),
			auth.Bearer(auth.Static(secrets.Static("t1")), auth.InCookie("session")),
		} {
			s := r.serve()
			conn := r.open(s, connection.WithAuth(a))
			r.NoError(request.Get(conn, "/x").Auth(auth.None()).Exec(r.ctx()))
			r.anonymous(r.Sent(s, 1)[0])
		}
	})
	row(t, "N-10 userinfo in the base URL is refused, and not repeated", func(r *Row) {
		for _, base := range []string{"https://u:p4ss@api.example.test/v1", "https://u@api.example.test", "https://:p4ss@h"} {
			r.Hides("error", r.rejection("base URL", base).Error(), "p4ss")
		}
	})
	row(t, "N-10 userinfo in the URL of a request is refused, and not repeated", func(r *Row) {
		s := r.serve()
		err := request.Get(r.open(s), "https://u:p4ss@api.example.test/v1/x").Exec(r.ctx())
		r.Is(err, request.StageBuild)
		r.Hides("error", err.Error(), "p4ss")
		r.NothingSent(s)
	})
	row(t, "N-10 a nil authenticator is not taken for None", func(r *Row) {
		r.rejects("WithAuth", home, connection.WithAuth(nil))
		s := r.serve()
		r.Is(request.Get(r.open(s), "/x").Auth(nil).Exec(r.ctx()), request.StageBuild)
		r.NothingSent(s)
	})
}

func TestNovacuraBasic(t *testing.T) {
	t.Parallel()
	row(t, "N-11 user and password are sent in base64, as the UTF-8 that they are", func(r *Row) {
		sent := r.get(connection.WithAuth(auth.Basic("aladdin", secrets.Static("opensesame"))))
		r.Line(sent, "Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l")
		sent = r.get(connection.WithAuth(auth.Basic("user", secrets.Static("pä"))))
		r.Line(sent, "Authorization: Basic dXNlcjpww6Q=")
	})
	row(t, "N-11 a colon in the user name is an error of New", func(r *Row) {
		err := r.rejection("WithAuth", home, connection.WithAuth(auth.Basic("sv:c", secrets.Static("pw"))))
		r.Is(err, auth.ErrMalformed)
		r.Hides("error", err.Error(), "sv:c", "pw")
	})
	row(t, "N-11 a colon in a user name that is a secret is an error before a byte is sent", func(r *Row) {
		user := secrets.Func(func(context.Context) (secrets.Value, error) { return secrets.Static("sv:c"), nil })
		err := r.refuses(connection.WithAuth(auth.BasicFrom(user, secrets.Static("pw"))))
		r.Is(err, auth.ErrMalformed)
		r.Is(err, request.StageAuth)
	})
	row(t, "N-11 a control character in the password is an error before a byte is sent", func(r *Row) {
		err := r.refuses(connection.WithAuth(auth.Basic("svc", secrets.Static("p4ss\r\nX-Evil: 1"))))
		r.Is(err, auth.ErrMalformed)
		r.Hides("error", err.Error(), "p4ss")
	})
}

func TestNovacuraHeaderKey(t *testing.T) {
	t.Parallel()
	// Field names do not depend on case (RFC 9110, section 5.1); net/http writes their canonical form.
	row(t, "N-12 the key is the value of the header, with nothing before it", func(r *Row) {
		sent := r.get(connection.WithAuth(auth.APIKey(secrets.Static("key-123"), auth.InHeader("X-API-Key"))))
		r.Line(sent, "X-Api-Key: key-123")
		r.Without(sent, "Authorization")
	})
	row(t, "N-12 a key with a line break is an error before a byte is sent", func(r *Row) {
		for _, key := range []string{"key-123\r\nX-Evil: 1", "key-123\n", "\rkey-123", "key\x00-123"} {
			err := r.refuses(connection.WithAuth(auth.APIKey(secrets.Static(key), auth.InHeader("X-API-Key"))))
			r.Is(err, auth.ErrMalformed)
			r.Is(err, request.StageAuth)
			r.Hides("error", err.Error(), "123")
		}
	})
	row(t, "N-12 an empty key is an error before a byte is sent", func(r *Row) {
		err := r.refuses(connection.WithAuth(auth.APIKey(secrets.Static(""), auth.InHeader("X-API-Key"))))
		r.Is(err, auth.ErrNoCredential)
	})
	row(t, "N-12 the header needs a name that can carry a credential", func(r *Row) {
		for _, name := range []string{"", "X Key", "X-Key:", "Host", "Content-Length"} {
			r.rejects("WithAuth", home,
				connection.WithAuth(auth.APIKey(secrets.Static("key-123"), auth.InHeader(name))))
		}
	})
}

func TestNovacuraQueryKey(t *testing.T) {
	t.Parallel()
	inQuery := connection.WithAuth(auth.APIKey(secrets.Static("k/1 +"), auth.InQuery("api_key")))
	parts := []string{"k/1", "k%2F1", "api_key"}
	row(t, "N-13 the key stands escaped at the end of the query", func(r *Row) {
		s := r.serve()
		conn := r.open(s, inQuery)
		r.NoError(request.Get(conn, "/x?q=1").Exec(r.ctx()))
		r.NoError(request.Get(conn, "/x").Query("z", "a b").Query("a", "1").Exec(r.ctx()))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		sent := r.Sent(s, 3)
		r.Line(sent[0], "GET /v1/x?q=1&api_key=k%2F1+%2B HTTP/1.1")
		r.Line(sent[1], "GET /v1/x?z=a+b&a=1&api_key=k%2F1+%2B HTTP/1.1")
		r.Line(sent[2], "GET /v1/x?api_key=k%2F1+%2B HTTP/1.1")
		r.Without(sent[0], "Authorization", "Cookie")
	})
	row(t, "N-13 every attempt has the key once", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusServiceUnavailable), connectiontest.Status(http.StatusNoContent))
		conn := r.open(s, inQuery, connection.WithRetry(connection.Retry{Max: 1}))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		for _, req := range r.Sent(s, 2) {
			r.Line(req, "GET /v1/x?api_key=k%2F1+%2B HTTP/1.1")
		}
	})
	row(t, "N-13 a key that the request has already is an error before a byte is sent", func(r *Row) {
		s := r.serve()
		err := request.Get(r.open(s, inQuery), "/x").Query("api_key", "mine").Exec(r.ctx())
		r.Is(err, auth.ErrParameterSet)
		r.NothingSent(s)
	})
	row(t, "N-13 the error of a failed dial does not show the key", func(r *Row) {
		s := r.serve()
		conn := r.open(s, inQuery)
		s.Refuse()
		err := request.Get(conn, "/x?q=1").Exec(r.ctx())
		r.Is(err, syscall.ECONNREFUSED)
		r.Hides("error", fmt.Sprintf("%v %+v %#v", err, err, err), parts...)
		_, err = conn.HTTPClient().Get("/x?q=1")
		r.Is(err, syscall.ECONNREFUSED)
		r.Hides("error of HTTPClient", err.Error(), parts...)
	})
	row(t, "N-13 neither errors nor logs nor the description show the key", func(r *Row) {
		var book logbook
		s := r.serve(connectiontest.Text(http.StatusForbidden, "no right for k/1 +"))
		conn := r.open(s, inQuery, connection.WithLogger(book.logger()), connection.WithDebug(book.logger()))
		err := request.Get(conn, "/x?q=1").Exec(r.ctx())
		r.Hides("error", as[*request.ResponseError](r, err).Error(), parts...)
		r.Sent(s, 1)
		book.entries(r, 2)
		r.Hides("log", book.text.String(), "k/1", "k%2F1")
		r.Hides("description", fmt.Sprintf("%v %+v %#v", conn.Describe(), conn, conn), "k/1", "k%2F1")
	})
	row(t, "N-13 a redirect to another origin does not take the key along", func(r *Row) {
		s := r.serve(redirectTo("https://files.example.test/f"))
		files := s.Network().Serve("https://files.example.test", connectiontest.Status(http.StatusNoContent))
		r.NoError(request.Get(r.open(s, inQuery), "/x").Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "GET /v1/x?api_key=k%2F1+%2B HTTP/1.1")
		got := r.Sent(files, 1)[0]
		r.Line(got, "GET /f HTTP/1.1")
		r.Without(got, append(parts, "Referer")...)
	})
}
