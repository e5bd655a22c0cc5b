package conformance_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// signer is an authenticator that somebody has written outside the library.
type signer struct{ value string }

func (s signer) Authenticate(req *http.Request) error {
	req.Header.Set("X-Sig", s.value)
	return nil
}

func TestElasticioOwnAuthenticator(t *testing.T) {
	t.Parallel()
	row(t, "E-01 an authenticator of one's own works with every verb", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithAuth(signer{"1"}))
		builders := []request.Builder{
			request.Get(conn, "/x"),
			request.Head(conn, "/x"),
			request.Options(conn, "/x"),
			request.Delete(conn, "/x"),
			request.Post(conn, "/x").JSON("in"),
			request.Put(conn, "/x").Form(url.Values{"a": {"1"}}),
			request.Patch(conn, "/x").Text("in"),
			request.New(conn, "REPORT", "/x").Bytes("application/xml", []byte("<in/>")),
			request.Post(conn, "/x").Body(request.Once("text/plain", strings.NewReader("in"))),
		}
		for _, b := range builders {
			r.NoError(b.Exec(r.ctx()))
		}
		for _, req := range r.Sent(s, len(builders)) {
			r.Line(req, "X-Sig: 1")
		}
	})
	row(t, "E-01 an authenticator of one's own works with every way to send", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithAuth(signer{"1"}))
		get := request.Get(conn, "/x")
		var target map[string]int
		_, err := request.Do[map[string]int](r.ctx(), get)
		r.NoError(err)
		_, err = request.Full[map[string]int](r.ctx(), get)
		r.NoError(err)
		r.NoError(get.Into(r.ctx(), &target))
		r.NoError(get.Exec(r.ctx()))
		req, err := get.Request(r.ctx())
		r.NoError(err)
		for _, send := range []func() (*http.Response, error){
			func() (*http.Response, error) { return get.Stream(r.ctx()) },
			func() (*http.Response, error) { return conn.Do(req) },
			func() (*http.Response, error) { return conn.HTTPClient().Do(req) },
		} {
			resp, err := send()
			r.NoError(err)
			_, err = io.Copy(io.Discard, resp.Body)
			r.NoError(errors.Join(err, resp.Body.Close()))
		}
		for _, req := range r.Sent(s, 7) {
			r.Line(req, "X-Sig: 1")
		}
	})
	row(t, "E-01 a function is an authenticator, asked once per attempt for the request as it goes out", func(r *Row) {
		var seen []string
		sign := auth.Func(func(req *http.Request) error {
			seen = append(seen, req.Method+" "+req.URL.String()+" "+req.Header.Get("X-Tenant"))
			req.Header.Set("X-Sig", req.URL.RawQuery)
			return nil
		})
		s := r.serve(connectiontest.Status(http.StatusBadGateway), connectiontest.Status(http.StatusNoContent))
		conn := r.open(s, connection.WithAuth(sign), connection.WithHeader("X-Tenant", "acme"),
			connection.WithRetry(connection.Retry{Max: 1}))
		r.NoError(request.Get(conn, "/x").Query("q", "1").Exec(r.ctx()))
		want := "GET https://api.example.test/v1/x?q=1 acme"
		r.Equal("requests that were signed", seen, []string{want, want})
		for _, req := range r.Sent(s, 2) {
			r.Line(req, "X-Sig: q=1")
		}
	})
	row(t, "E-01 an authenticator that fails ends the call before a byte is sent", func(r *Row) {
		sealed := errors.New("the vault is sealed")
		err := r.refuses(
			connection.WithAuth(auth.Func(func(*http.Request) error { return sealed })),
			connection.WithRetry(connection.Retry{Max: 3}),
		)
		r.Is(err, sealed)
		r.Is(err, request.StageAuth)
		r.Equal("attempts", as[*request.Error](r, err).Attempts, 1)
		r.Equal("scheme", as[*auth.Error](r, err).Scheme, "func")
	})
	row(t, "E-01 an authenticator that fails without an error of package auth fails in the same way", func(r *Row) {
		err := r.refuses(connection.WithAuth(failing{io.ErrNoProgress}))
		r.Is(err, io.ErrNoProgress)
		r.Is(err, request.StageAuth)
		r.Equal("scheme", as[*auth.Error](r, err).Scheme, "")
	})
}

type failing struct{ err error }

func (f failing) Authenticate(*http.Request) error { return f.err }

func TestElasticioWhereToAuthorize(t *testing.T) {
	t.Parallel()
	bearer := auth.Bearer(auth.Static(secrets.Static("z")))
	row(t, "E-02 the connection's authenticator is for all of its requests", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithAuth(bearer))
		r.NoError(request.Get(conn, "/a").Exec(r.ctx()))
		r.NoError(request.Post(conn, "/b").Exec(r.ctx()))
		for _, req := range r.Sent(s, 2) {
			r.Line(req, "Authorization: Bearer z")
		}
	})
	row(t, "E-02 a request's authenticator is for that request only", func(r *Row) {
		s := r.serve()
		conn := r.open(s)
		get := request.Get(conn, "/x")
		r.NoError(get.Auth(bearer).Exec(r.ctx()))
		r.NoError(get.Exec(r.ctx()))
		sent := r.Sent(s, 2)
		r.Line(sent[0], "Authorization: Bearer z")
		r.Without(sent[1], "Authorization")
	})
	row(t, "E-02 a request's authenticator takes the place of the connection's", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithAuth(auth.APIKey(secrets.Static("k1"), auth.InHeader("X-Api-Key"))))
		r.NoError(request.Get(conn, "/x").Auth(bearer).Exec(r.ctx()))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		sent := r.Sent(s, 2)
		r.Line(sent[0], "Authorization: Bearer z")
		r.Without(sent[0], "X-Api-Key", "k1")
		r.Line(sent[1], "X-Api-Key: k1")
		r.Without(sent[1], "Authorization")
	})
	row(t, "E-02 a request's authenticator is validated before a byte is sent", func(r *Row) {
		s := r.serve()
		err := request.Get(r.open(s), "/x").Auth(auth.Basic("sv:c", secrets.Static("pw"))).Exec(r.ctx())
		r.OptionError(err, "Auth")
		r.Is(err, auth.ErrMalformed)
		r.NothingSent(s)
	})
}

func TestElasticioCredentials(t *testing.T) {
	t.Parallel()
	row(t, "E-04 an open API is called without a credential", func(r *Row) {
		r.anonymous(r.get())
		r.anonymous(r.get(connection.WithAuth(auth.None())))
	})
	row(t, "E-05 a user name and a password are sent in base64", func(r *Row) {
		sent := r.get(connection.WithAuth(auth.Basic("aladdin", secrets.Static("opensesame"))))
		r.Line(sent, "Authorization: Basic YWxhZGRpbjpvcGVuc2VzYW1l")
		r.Without(sent, "opensesame")
	})
	row(t, "E-05 a colon is legal in the password and in no user name", func(r *Row) {
		sent := r.get(connection.WithAuth(auth.Basic("aladdin", secrets.Static("open:sesame"))))
		r.Line(sent, "Authorization: Basic YWxhZGRpbjpvcGVuOnNlc2FtZQ==")
		r.rejects("WithAuth", home, connection.WithAuth(auth.Basic("ala:ddin", secrets.Static("opensesame"))))
	})
	row(t, "E-06 the header has the key as it is, without a scheme", func(r *Row) {
		for name, line := range map[string]string{
			"X-Header-Name": "X-Header-Name: API_KEY",
			"Authorization": "Authorization: API_KEY",
			"HEADER_NAME":   "Header_name: API_KEY", // net/http writes the canonical form of a name
		} {
			r.Line(r.get(connection.WithAuth(auth.APIKey(secrets.Static("API_KEY"), auth.InHeader(name)))), line)
		}
	})
	row(t, "E-06 nothing of the key is encoded", func(r *Row) {
		sent := r.get(connection.WithAuth(auth.APIKey(secrets.Static(`a/b+c= "d";%2F`), auth.InHeader("X-Key"))))
		r.Line(sent, `X-Key: a/b+c= "d";%2F`)
	})
}

// noticing is a source that keeps its one token, and notes those that it was told were rejected.
type noticing struct{ rejected []string }

func (n *noticing) Token(_ context.Context, want auth.Want) (*auth.Token, error) {
	if text := want.Not.Reveal(); text != "" {
		n.rejected = append(n.rejected, text)
	}
	return &auth.Token{Value: secrets.Static("t1")}, nil
}

func TestElasticioHeadersSection(t *testing.T) {
	t.Parallel()
	// elastic.io's own component lets the credential overwrite the header; here the caller's wins.
	row(t, "E-16 an Authorization header of the caller goes out in the place of the credential", func(r *Row) {
		for _, a := range []auth.Authenticator{
			auth.Basic("aladdin", secrets.Static("opensesame")),
			auth.APIKey(secrets.Static("k1")),
			auth.Bearer(auth.Static(secrets.Static("t1"))),
		} {
			s := r.serve()
			conn := r.open(s, connection.WithAuth(a))
			r.NoError(request.Get(conn, "/x").Header("Authorization", "X 1").Exec(r.ctx()))
			r.NoError(request.Get(conn, "/x").Header("authorization", "X 1").Exec(r.ctx()))
			for _, req := range r.Sent(s, 2) {
				r.Line(req, "Authorization: X 1")
			}
		}
	})
	row(t, "E-16 any other header of the credential gives way in the same manner", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithAuth(auth.APIKey(secrets.Static("k1"), auth.InHeader("X-Api-Key"))))
		r.NoError(request.Get(conn, "/x").Header("x-api-key", "mine").Exec(r.ctx()))
		sent := r.Sent(s, 1)[0]
		r.Line(sent, "X-Api-Key: mine")
		r.Without(sent, "k1")
	})
	row(t, "E-16 a header of the caller leaves a credential alone that goes elsewhere", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithAuth(auth.APIKey(secrets.Static("k1"), auth.InHeader("X-Api-Key"))))
		r.NoError(request.Get(conn, "/x").Header("Authorization", "X 1").Exec(r.ctx()))
		sent := r.Sent(s, 1)[0]
		r.Line(sent, "Authorization: X 1")
		r.Line(sent, "X-Api-Key: k1")
	})
	row(t, "E-16 a 401 on the caller's header comes back, is not sent again, and retires no token", func(r *Row) {
		source := &noticing{}
		s := r.serve(connectiontest.Status(http.StatusNoContent), connectiontest.Status(http.StatusUnauthorized))
		conn := r.open(s, connection.WithAuth(auth.Bearer(source)))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		err := request.Get(conn, "/x").Header("Authorization", "Bearer mine").Exec(r.ctx())
		r.Is(err, request.Status(http.StatusUnauthorized))
		sent := r.Sent(s, 2)
		r.Line(sent[0], "Authorization: Bearer t1")
		r.Line(sent[1], "Authorization: Bearer mine")
		r.Equal("the token was retired", slices.Contains(source.rejected, "t1"), false)
	})
	row(t, "E-16 a header of the connection is authorization enough", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithHeader("Authorization", "X 1"))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.NoError(request.Get(conn, "/x").Header("Authorization", "Y 2").Exec(r.ctx()))
		sent := r.Sent(s, 2)
		r.Line(sent[0], "Authorization: X 1")
		r.Line(sent[1], "Authorization: Y 2")
	})
	row(t, "E-16 a connection with both an Authorization header and a credential is refused", func(r *Row) {
		r.rejects("WithHeader", home,
			connection.WithHeader("authorization", "X 1"),
			connection.WithAuth(auth.Basic("aladdin", secrets.Static("opensesame"))))
	})
}
