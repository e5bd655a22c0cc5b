package conformance_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// loginService is an API with a login: GET /v1/x is answered with 200, and all else with the replies, in their order.
func (r *Row) loginService(replies ...http.Handler) *connectiontest.Server {
	r.Helper()
	if len(replies) == 0 {
		replies = []http.Handler{loginToken("t1")}
	}
	sequence := connectiontest.Sequence(replies...)
	return connectiontest.NewServer(r, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/v1/x" {
			connectiontest.JSON(200, map[string]int{"id": 1}).ServeHTTP(w, req)
			return
		}
		sequence.ServeHTTP(w, req)
	}))
}

// loginToken is the answer to a login.
func loginToken(text string) http.Handler {
	return connectiontest.JSON(200, map[string]any{"access_token": text, "expires_in": 3600})
}

// loginTo is a login at s with one step.
func loginTo(s *connectiontest.Server, step login.Step) login.Config {
	return login.Config{
		BaseURL:  s.URL + "/v1",
		Endpoint: auth.Endpoint{Client: &http.Client{Transport: s.Network().Transport()}},
		Steps:    []login.Step{step},
		Token:    "body['access_token']",
		Expiry:   "body['expires_in']",
	}
}

// loginSession sends GET /x with a token of the login, and returns what s has received: the login, and the call.
func (r *Row) loginSession(
	s *connectiontest.Server, cfg login.Config, opts ...auth.BearerOption,
) []connectiontest.Request {
	r.Helper()
	conn := r.open(s, connection.WithAuth(auth.Bearer(auth.Manage(login.New(cfg)), opts...)))
	r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
	return r.Sent(s, len(cfg.Steps)+1)
}

// loginRequest sends one login of that step, and returns what s has received of it.
func (r *Row) loginRequest(step login.Step, change ...func(*login.Config)) connectiontest.Request {
	r.Helper()
	s := r.loginService()
	cfg := loginTo(s, step)
	for _, f := range change {
		f(&cfg)
	}
	return r.loginSession(s, cfg)[0]
}

// loginFails sends GET /x, which fails since there is no token, and returns the error.
func (r *Row) loginFails(s *connectiontest.Server, cfg login.Config) error {
	r.Helper()
	conn := r.open(s, connection.WithAuth(auth.Bearer(auth.Manage(login.New(cfg)))))
	err := request.Get(conn, "/x").Exec(r.ctx())
	if err == nil {
		r.Fatal("there is no error")
	}
	return err
}

// rejectsLogin asserts that the login is not valid because of that field.
func (r *Row) rejectsLogin(cfg login.Config, field string) {
	r.Helper()
	err := login.New(cfg).(auth.Validator).Validate()
	r.Equal("field", as[*login.ConfigError](r, err).Field, field)
}

func TestKineticLogin(t *testing.T) {
	t.Parallel()
	row(t, "K-16 many first calls log in once, and all send the token", func(r *Row) {
		const calls = 20
		s := r.loginService()
		conn := r.open(s, connection.WithAuth(auth.Bearer(auth.Manage(login.New(loginTo(s, login.Step{Path: "/login"}))))))
		var all sync.WaitGroup
		errs := make([]error, calls)
		for i := range calls {
			all.Go(func() { errs[i] = request.Get(conn, "/x").Exec(r.ctx()) })
		}
		all.Wait()
		r.NoError(errors.Join(errs...))
		logins := 0
		for _, req := range r.Sent(s, calls+1) {
			if req.Target == "/v1/login" {
				logins++
				continue
			}
			r.Line(req, "Authorization: Bearer t1")
		}
		r.Equal("logins", logins, 1)
	})
	row(t, "K-17 the token is sent in the header that is asked for", func(r *Row) {
		s := r.loginService()
		sent := r.loginSession(s, loginTo(s, login.Step{Path: "/login"}), auth.InHeader("X-Session"))[1]
		r.Line(sent, "X-Session: Bearer t1")
		r.Lines(sent, "Authorization")
		r.rejects("WithAuth", home, connection.WithAuth(auth.Bearer(auth.Static(secrets.Static("t")), auth.InHeader(""))))
	})
	row(t, "K-18 the prefix is another, or none", func(r *Row) {
		s := r.loginService()
		sent := r.loginSession(s, loginTo(s, login.Step{Path: "/login"}), auth.Prefix("Token"))[1]
		r.Line(sent, "Authorization: Token t1")
		s = r.loginService()
		sent = r.loginSession(s, loginTo(s, login.Step{Path: "/login"}), auth.NoPrefix())[1]
		r.Line(sent, "Authorization: t1")
	})
	row(t, "K-19 the method is POST unless another is asked for", func(r *Row) {
		r.Line(r.loginRequest(login.Step{Path: "/auth/login"}), "POST /v1/auth/login HTTP/1.1")
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
			r.Line(r.loginRequest(login.Step{Method: method, Path: "/auth/login"}), method+" /v1/auth/login HTTP/1.1")
		}
	})
	row(t, "K-19 a GET has neither body nor Content-Type", func(r *Row) {
		sent := r.loginRequest(login.Step{Method: "GET", Path: "/auth/login"})
		r.Lines(sent, "Content-Type")
		r.Lines(sent, "Content-Length")
		r.Equal("body", string(sent.Body), "")
	})
	row(t, "K-20 the path is joined to the base URL", func(r *Row) {
		r.Line(r.loginRequest(login.Step{Path: "/auth/login"}), "POST /v1/auth/login HTTP/1.1")
		r.rejectsLogin(loginTo(r.loginService(), login.Step{}), "Steps[0].Path")
	})
	row(t, "K-21 parameters of the URL are sent", func(r *Row) {
		sent := r.loginRequest(login.Step{Path: "/auth/login", Query: login.Fields("tenant", "acme")})
		r.Line(sent, "POST /v1/auth/login?tenant=acme HTTP/1.1")
	})
}

func TestKineticLoginParameters(t *testing.T) {
	t.Parallel()
	params := func(name, value string) func(*login.Config) {
		return func(c *login.Config) { c.Params = map[string]string{name: value} }
	}
	row(t, "K-22 a parameter is escaped for its place", func(r *Row) {
		r.Line(r.loginRequest(login.Step{Path: "/u/{{id}}"}, params("id", "a/b c")), "POST /v1/u/a%2Fb%20c HTTP/1.1")
		sent := r.loginRequest(login.Step{Path: "/u", Query: login.Fields("id", "{{id}}")}, params("id", "a/b c"))
		r.Line(sent, "POST /v1/u?id=a%2Fb+c HTTP/1.1")
		sent = r.loginRequest(login.Step{
			Path: "/u", Raw: `{"n":"{{n}}"}`, ContentType: "application/json",
		}, params("n", `a"b`))
		r.Equal("body", string(sent.Body), `{"n":"a\"b"}`)
		sent = r.loginRequest(login.Step{Path: "/u", Form: login.Fields("n", "{{n}}")}, params("n", "a&b=c"))
		r.Equal("body", string(sent.Body), "n=a%26b%3Dc")
		sent = r.loginRequest(login.Step{Path: "/u", Header: login.Fields("X-N", "{{n}}")}, params("n", "a b"))
		r.Line(sent, "X-N: a b")
	})
	row(t, "K-23 all parameters without a value are named, and nothing is sent", func(r *Row) {
		s := r.loginService()
		cfg := loginTo(s, login.Step{Path: "/{{region}}/{{id}}", JSON: "{{id}}"})
		conn, err := connection.New(s.URL, s.Network().Option(),
			connection.WithAuth(auth.Bearer(auth.Manage(login.New(cfg)))))
		r.Equal("connection", conn == nil, true)
		r.Equal("names", as[*login.MissingError](r, err).Names, []string{"id", "region"})
		r.NothingSent(s)
	})
	row(t, "K-24 a Content-Type of one's own is the only one", func(r *Row) {
		sent := r.loginRequest(login.Step{
			Path: "/login", JSON: map[string]int{"a": 1}, Header: login.Fields("Content-Type", "application/vnd.api+json"),
		})
		r.Line(sent, "Content-Type: application/vnd.api+json")
	})
	row(t, "K-25 a form", func(r *Row) {
		sent := r.loginRequest(login.Step{Path: "/login", Form: login.Fields("key1", "value1", "key2", "value2")})
		r.Equal("body", string(sent.Body), "key1=value1&key2=value2")
		r.Line(sent, "Content-Type: application/x-www-form-urlencoded")
	})
	row(t, "K-26 all characters of a form are encoded", func(r *Row) {
		sent := r.loginRequest(login.Step{Path: "/login", Form: login.Fields("pw", "é=1", "user name", "a b&c")})
		r.Equal("body", string(sent.Body), "pw=%C3%A9%3D1&user+name=a+b%26c")
	})
	row(t, "K-27 JSON, byte for byte", func(r *Row) {
		sent := r.loginRequest(login.Step{Path: "/login", JSON: map[string]string{"u": "<a>"}})
		r.Equal("body", string(sent.Body), `{"u":"<a>"}`)
		r.Line(sent, "Content-Type: application/json")
		r.Line(sent, "Content-Length: 11")
	})
}

func TestKineticLoginOutputs(t *testing.T) {
	t.Parallel()
	row(t, "K-28 an expression finds the token", func(r *Row) {
		s := r.loginService(connectiontest.JSON(200, map[string]any{"data": []any{map[string]string{"tok": "t1"}}, "e": 60}))
		cfg := loginTo(s, login.Step{Path: "/login"})
		cfg.Token, cfg.Expiry = "body.data[0].tok", "body.e"
		r.Line(r.loginSession(s, cfg)[1], "Authorization: Bearer t1")
	})
	row(t, "K-28 an answer without a token is an error, and the call is not sent", func(r *Row) {
		s := r.loginService(connectiontest.JSON(200, map[string]int{"expires_in": 60}))
		r.Is(r.loginFails(s, loginTo(s, login.Step{Path: "/login"})), login.ErrTokenNotFound)
		r.Line(r.Sent(s, 1)[0], "POST /v1/login HTTP/1.1")
	})
	for _, seconds := range []any{3600, "3600"} {
		timed(t, fmt.Sprintf("K-29 the token is used until it ends, expiry as %T", seconds), func(r *Row) {
			first := connectiontest.JSON(200, map[string]any{"access_token": "t1", "expires_in": seconds})
			s := r.loginService(first, loginToken("t2"))
			conn := r.open(s, connection.WithAuth(auth.Bearer(auth.Manage(login.New(loginTo(s, login.Step{Path: "/login"}))))))
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
			time.Sleep(38 * time.Minute) // later, a renewal may begin in the background
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
			r.Line(r.Sent(s, 3)[2], "Authorization: Bearer t1")
			time.Sleep(22*time.Minute + time.Second)
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
			r.Line(r.Sent(s, 5)[4], "Authorization: Bearer t2")
		})
	}
	row(t, "K-29 an expiry that is none is an error", func(r *Row) {
		s := r.loginService(connectiontest.JSON(200, map[string]any{"access_token": "t1", "expires_in": "soon"}))
		r.Is(r.loginFails(s, loginTo(s, login.Step{Path: "/login"})), login.ErrBadExpiry)
	})
	row(t, "K-30 both outputs are required", func(r *Row) {
		cfg := loginTo(r.loginService(), login.Step{Path: "/login"})
		cfg.Expiry = ""
		r.rejectsLogin(cfg, "Expiry")
		cfg.NeverExpires = true
		r.NoError(login.New(cfg).(auth.Validator).Validate())
		cfg.Token = ""
		r.rejectsLogin(cfg, "Token")
	})
	row(t, "K-51 a function of one's own makes the token of the answer", func(r *Row) {
		s := r.loginService(connectiontest.Text(200, "<tok>t1</tok>"))
		cfg := loginTo(s, login.Step{Path: "/login"})
		cfg.Token, cfg.Expiry = "", ""
		cfg.OnTokenResponse = func(_ context.Context, answers []login.Answer) (*auth.Token, error) {
			text := strings.TrimSuffix(strings.TrimPrefix(string(answers[0].Body), "<tok>"), "</tok>")
			return &auth.Token{Value: secrets.Static(text)}, nil
		}
		r.Line(r.loginSession(s, cfg)[1], "Authorization: Bearer t1")
	})
}

func TestKineticLoginSecrets(t *testing.T) {
	t.Parallel()
	row(t, "K-31 a secret that was replaced is used by the next login", func(r *Row) {
		s := r.loginService(loginToken("t1"), loginToken("t2"))
		key := "key-123"
		cfg := loginTo(s, login.Step{Path: "/login", Header: login.Fields("X-K", "{{apiKey}}")})
		cfg.Secrets = map[string]secrets.Provider{
			"apiKey": secrets.Func(func(context.Context) (secrets.Value, error) { return secrets.Static(key), nil }),
		}
		grant := login.New(cfg)
		for range 2 {
			_, err := grant.Obtain(r.ctx(), nil)
			r.NoError(err)
			key = "key-456"
		}
		sent := r.Sent(s, 2)
		r.Line(sent[0], "X-K: key-123")
		r.Line(sent[1], "X-K: key-456")
	})
	row(t, "K-32 a secret wins over a parameter of the same name", func(r *Row) {
		sent := r.loginRequest(login.Step{Path: "/login", Header: login.Fields("X-K", "{{apiKey}}")}, func(c *login.Config) {
			c.Secrets = map[string]secrets.Provider{"apiKey": secrets.Static("key-123")}
			c.Params = map[string]string{"apiKey": "other"}
		})
		r.Line(sent, "X-K: key-123")
	})
	row(t, "K-33 neither errors nor what is printed show a secret", func(r *Row) {
		s := r.loginService(connectiontest.Text(401, "no such key: key-123"))
		cfg := loginTo(s, login.Step{
			Path: "/login/{{apiKey}}", Query: login.Fields("k", "{{apiKey}}"), Header: login.Fields("X-K", "{{apiKey}}"),
		})
		cfg.Secrets = map[string]secrets.Provider{"apiKey": secrets.Static("key-123")}
		grant := login.New(cfg)
		err := r.loginFails(s, cfg)
		r.Is(err, auth.ErrClientRejected)
		r.Hides("error", fmt.Sprintf("%v %+v", err, err), "key-123")
		r.Hides("grant", fmt.Sprintf("%v %+v %#v %s %q", grant, grant, grant, grant, grant), "key-123")
		s.Refuse()
		r.Hides("network error", r.loginFails(s, cfg).Error(), "key-123")
	})
}

func TestKineticLoginAdvanced(t *testing.T) {
	t.Parallel()
	row(t, "K-34 nothing advanced is the default", func(r *Row) {
		cfg := loginTo(r.loginService(), login.Step{Path: "/login"})
		r.Equal("redirects", cfg.FollowRedirects, false)
		r.Equal("certificates", len(cfg.Endpoint.TrustedCA), 0)
		r.NoError(login.New(cfg).(auth.Validator).Validate())
	})
	row(t, "K-35 a redirect to another host gets nothing", func(r *Row) {
		for _, follow := range []bool{false, true} {
			s := r.loginService(connectiontest.Status(307).Header("Location", "https://other.example.test/login"))
			other := s.Network().Serve("https://other.example.test", loginToken("t1"))
			cfg := loginTo(s, login.Step{Path: "/login", JSON: "pw-1"})
			cfg.FollowRedirects = follow
			r.Equal("status", as[*login.Error](r, r.loginFails(s, cfg)).Status, 307)
			r.Sent(s, 1)
			r.NothingSent(other)
		}
	})
	row(t, "K-35 a redirect within the host is followed if that is asked for", func(r *Row) {
		s := r.loginService(connectiontest.Status(307).Header("Location", "/v1/login2"), loginToken("t1"))
		cfg := loginTo(s, login.Step{Path: "/login", JSON: "pw-1"})
		cfg.FollowRedirects = true
		_, err := login.New(cfg).Obtain(r.ctx(), nil)
		r.NoError(err)
		sent := r.Sent(s, 2)[1]
		r.Line(sent, "POST /v1/login2 HTTP/1.1")
		r.Equal("body", string(sent.Body), `"pw-1"`)
	})
	row(t, "K-37 the login has a base URL of its own", func(r *Row) {
		s := r.loginService()
		idp := s.Network().Serve("https://auth.example.test", loginToken("t1"))
		cfg := loginTo(s, login.Step{Path: "/login"})
		cfg.BaseURL = idp.URL
		conn := r.open(s, connection.WithAuth(auth.Bearer(auth.Manage(login.New(cfg)))))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Equal("host of the login", r.Sent(idp, 1)[0].Host, "auth.example.test")
		r.Equal("host of the call", r.Sent(s, 1)[0].Host, "api.example.test")
		cfg.BaseURL = ""
		r.rejectsLogin(cfg, "BaseURL")
	})
	row(t, "K-38 the login trusts certificates of its own", func(r *Row) {
		s := r.loginService()
		cert, text := ownAuthority(r, "auth.example.test")
		config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		idp := s.Network().ServeTLS("https://auth.example.test", loginToken("t1"), config)
		cfg := loginTo(s, login.Step{Path: "/login"})
		cfg.BaseURL, cfg.Endpoint.TrustedCA = idp.URL, text
		conn := r.open(s, connection.WithAuth(auth.Bearer(auth.Manage(login.New(cfg)))))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		r.Sent(idp, 1)
		r.Line(r.Sent(s, 1)[0], "Authorization: Bearer t1")
	})
	row(t, "K-38 what the connection trusts is not what the login trusts", func(r *Row) {
		s := r.loginService()
		_, text := ownAuthority(r, "auth.example.test")
		idp := s.Network().Serve("https://auth.example.test", loginToken("t1")) // of the authority of the connection
		cfg := loginTo(s, login.Step{Path: "/login"})
		cfg.BaseURL, cfg.Endpoint.TrustedCA = idp.URL, text
		_ = as[x509.UnknownAuthorityError](r, r.loginFails(s, cfg))
		r.Sent(idp, 0)
		r.NothingSent(s)
	})
}

// ownAuthority makes a certificate that signs itself, and its PEM text.
func ownAuthority(r *Row, host string) (tls.Certificate, []byte) {
	r.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	r.NoError(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	r.NoError(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, text
}
