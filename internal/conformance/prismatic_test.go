package conformance_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

var (
	apiKey      = secrets.Static("abc")
	withKey     = connection.WithAuth(auth.APIKey(apiKey))
	unavailable = connectiontest.Status(http.StatusServiceUnavailable)
)

type item struct {
	ID int `json:"id"`
}

func TestPrismaticMethods(t *testing.T) {
	t.Parallel()
	constructors := map[string]func(*connection.Connection, string) request.Builder{
		http.MethodDelete: request.Delete, http.MethodGet: request.Get, http.MethodPatch: request.Patch,
		http.MethodPost: request.Post, http.MethodPut: request.Put,
	}
	row(t, "P-01 each method is in upper case on the request line", func(r *Row) {
		for method := range constructors {
			r.Case(method, func(r *Row) {
				s := r.serve()
				r.NoError(request.New(r.open(s), method, "/x").Exec(r.ctx()))
				r.Line(r.Sent(s, 1)[0], method+" /v1/x HTTP/1.1")
			})
		}
	})
	row(t, "P-28 each of the five actions has a constructor", func(r *Row) {
		for method, constructor := range constructors {
			r.Case(method, func(r *Row) {
				s := r.serve()
				r.NoError(constructor(r.open(s), "/x").Exec(r.ctx()))
				r.Line(r.Sent(s, 1)[0], method+" /v1/x HTTP/1.1")
			})
		}
	})
	row(t, "P-28 any other method is sent as well, and one that is no token is not", func(r *Row) {
		s := r.serve()
		conn := r.open(s)
		r.OptionError(request.New(conn, "GE T", "/x").Exec(r.ctx()), "method")
		r.NothingSent(s)
		r.NoError(request.New(conn, "PURGE", "/x").Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "PURGE /v1/x HTTP/1.1")
	})
	row(t, "P-28 a form goes out with POST and with PUT", func(r *Row) {
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			r.Case(method, func(r *Row) {
				s := r.serve()
				b := constructors[method](r.open(s), "/x").Form(url.Values{"note": {"a b&c"}})
				r.NoError(b.Exec(r.ctx()))
				sent := r.Sent(s, 1)[0]
				r.Line(sent, method+" /v1/x HTTP/1.1")
				r.Line(sent, "Content-Type: application/x-www-form-urlencoded")
				r.Equal("body", string(sent.Body), "note=a+b%26c")
			})
		}
	})
	row(t, "P-29 a connection without credentials sends none", func(r *Row) {
		for name, options := range map[string][]connection.Option{
			"by default": nil,
			"explicitly": {connection.WithAuth(auth.None())},
		} {
			r.Case(name, func(r *Row) {
				s := r.serve()
				r.NoError(request.Get(r.open(s, options...), "/x").Exec(r.ctx()))
				r.Without(r.Sent(s, 1)[0], "Authorization")
			})
		}
	})
	row(t, "P-29 a forgotten credential is not taken for none", func(r *Row) {
		s := r.serve()
		_, err := connection.New(s.URL, connection.WithAuth(nil))
		r.OptionError(err, "WithAuth")
		r.Is(request.Get(r.open(s), "/x").Auth(nil).Exec(r.ctx()), request.StageBuild)
		r.NothingSent(s)
	})
	row(t, "P-49 DELETE has no body and no content type", func(r *Row) {
		s := r.serve()
		r.NoError(request.Delete(r.open(s), "/x").Exec(r.ctx()))
		sent := r.Sent(s, 1)[0]
		r.Line(sent, "DELETE /v1/x HTTP/1.1")
		r.Without(sent, "Content-Type", "Content-Length", "Transfer-Encoding")
	})
	row(t, "P-49 DELETE has a body where it is given one", func(r *Row) {
		s := r.serve()
		r.NoError(request.Delete(r.open(s), "/x").JSON(item{1}).Exec(r.ctx()))
		sent := r.Sent(s, 1)[0]
		r.Line(sent, "Content-Type: application/json")
		r.Equal("body", string(sent.Body), `{"id":1}`)
	})
	row(t, "P-50 GET and HEAD have no body", func(r *Row) {
		for name, constructor := range bodiless {
			r.Case(name, func(r *Row) {
				s := r.serve()
				conn := r.open(s)
				r.Is(constructor(conn, "/x").Text("hello").Exec(r.ctx()), request.StageBuild)
				r.NothingSent(s)
				r.NoError(constructor(conn, "/x").Exec(r.ctx()))
				r.Without(r.Sent(s, 1)[0], "Content-Type", "Content-Length", "Transfer-Encoding")
			})
		}
	})
	row(t, "P-50 GET and HEAD have a body where that is allowed explicitly", func(r *Row) {
		for name, constructor := range bodiless {
			r.Case(name, func(r *Row) {
				s := r.serve()
				r.NoError(constructor(r.open(s), "/x").AllowBody().Text("hello").Exec(r.ctx()))
				sent := r.Sent(s, 1)[0]
				r.Line(sent, "Content-Length: 5")
				r.Equal("body", string(sent.Body), "hello")
			})
		}
	})
}

var bodiless = map[string]func(*connection.Connection, string) request.Builder{"GET": request.Get, "HEAD": request.Head}

func TestPrismaticAPIKey(t *testing.T) {
	t.Parallel()
	row(t, "P-02 the key is in the one Authorization header", func(r *Row) {
		s := r.serve()
		r.NoError(request.Get(r.open(s, withKey), "/x").Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "Authorization: Basic abc")
	})
	row(t, "P-02 an Authorization header of the caller takes its place", func(r *Row) {
		s := r.serve()
		r.NoError(request.Get(r.open(s, withKey), "/x").Header("authorization", "Custom own").Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "Authorization: Custom own")
	})
	row(t, "P-02 a connection that sets the header twice does not open", func(r *Row) {
		_, err := connection.New("https://api.example.test", withKey, connection.WithHeader("Authorization", "Custom own"))
		r.OptionError(err, "WithHeader")
	})
	for _, tt := range []struct {
		name    string
		options []auth.PlaceOption
		want    string
	}{
		{"P-03 scheme Basic sends the key verbatim", []auth.PlaceOption{auth.Prefix("Basic")}, "Authorization: Basic abc"},
		{"P-04 scheme Bearer", []auth.PlaceOption{auth.Prefix("Bearer")}, "Authorization: Bearer abc"},
		{"P-05 the default scheme is Basic, and the key still verbatim", nil, "Authorization: Basic abc"},
		{
			"P-06 the scheme stands in another header too",
			[]auth.PlaceOption{auth.InHeader("X-Api-Key"), auth.Prefix("Basic")},
			"X-Api-Key: Basic abc",
		},
		{"P-06 another header has the bare key by default", []auth.PlaceOption{auth.InHeader("X-Api-Key")}, "X-Api-Key: abc"},
		{"P-06 the scheme can be left out", []auth.PlaceOption{auth.NoPrefix()}, "Authorization: abc"},
	} {
		row(t, tt.name, func(r *Row) {
			s := r.serve()
			conn := r.open(s, connection.WithAuth(auth.APIKey(apiKey, tt.options...)))
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
			sent := r.Sent(s, 1)[0]
			r.Line(sent, tt.want)
			if !strings.HasPrefix(tt.want, "Authorization:") {
				r.Without(sent, "Authorization")
			}
		})
	}
	row(t, "P-06 a header that frames the message cannot hold the key", func(r *Row) {
		key := auth.APIKey(apiKey, auth.InHeader("Content-Length"))
		_, err := connection.New("https://api.example.test", connection.WithAuth(key))
		r.OptionError(err, "WithAuth")
	})
	row(t, "P-07 a key that is rejected is not tried with another scheme", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusUnauthorized))
		conn := r.open(s, withKey, connection.WithRetry(connection.Retry{Max: 3}))
		r.Is(request.Get(conn, "/x").Exec(r.ctx()), request.Status(http.StatusUnauthorized))
		r.Line(r.Sent(s, 1)[0], "Authorization: Basic abc")
	})
}

func TestPrismaticBasic(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, user, password, want string }{
		{"P-09 user and password are base64", "aladdin", "opensesame", "YWxhZGRpbjpvcGVuc2VzYW1l"},
		{"P-09 they are encoded as UTF-8", "user", "pä", "dXNlcjpww6Q="},
		{"P-09 an empty password keeps its colon", "user", "", "dXNlcjo="},
		{"P-10 the user is an e-mail address", "ann@example.test", "t", "YW5uQGV4YW1wbGUudGVzdDp0"},
		{"P-10 the user is the id of an account", "ACC-0042/7", "t", "QUNDLTAwNDIvNzp0"},
		{"P-11 the password is an API token", "ann@example.test", "tok", "YW5uQGV4YW1wbGUudGVzdDp0b2s="},
		{"P-11 colons in the password are its own", "ann", "tok:en:", "YW5uOnRvazplbjo="},
	} {
		row(t, tt.name, func(r *Row) {
			s := r.serve()
			conn := r.open(s, connection.WithAuth(auth.Basic(tt.user, secrets.Static(tt.password))))
			r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
			r.Line(r.Sent(s, 1)[0], "Authorization: Basic "+tt.want)
		})
	}
	row(t, "P-10 a colon in the user is an error", func(r *Row) {
		_, err := connection.New("https://api.example.test", connection.WithAuth(auth.Basic("a:b", secrets.Static("t"))))
		r.OptionError(err, "WithAuth")
	})
}

func TestPrismaticTarget(t *testing.T) {
	t.Parallel()
	row(t, "P-30 an absolute URL at home is called with the credential", func(r *Row) {
		s := r.serve()
		r.NoError(request.Get(r.open(s, withKey), s.URL+"/v2/y?z=0").Exec(r.ctx()))
		sent := r.Sent(s, 1)[0]
		r.Line(sent, "GET /v2/y?z=0 HTTP/1.1")
		r.Line(sent, "Authorization: Basic abc")
	})
	// Decision: a foreign origin is an *OriginError and zero bytes, unless the request is bare or the origin is trusted.
	for _, tt := range []struct{ name, origin string }{
		{"another host", "https://evil.test"},
		{"a host below", "https://sub.api.example.test"},
		{"another port", "https://api.example.test:8443"},
		{"plain http", "http://api.example.test"},
	} {
		row(t, "P-30 nothing is sent to a foreign origin: "+tt.name, func(r *Row) {
			s := r.serve()
			foreign := s.Network().Serve(tt.origin, connectiontest.Status(http.StatusOK))
			for name, options := range map[string][]connection.Option{"keyed": {withKey}, "anonymous": nil} {
				e := as[*connection.OriginError](r, request.Get(r.open(s, options...), tt.origin+"/x").Exec(r.ctx()))
				r.Equal(name, *e, connection.OriginError{Origin: tt.origin, Home: s.URL})
			}
			r.NothingSent(foreign)
			r.NothingSent(s)
		})
	}
	row(t, "P-30 a foreign origin gets a bare request where the caller says so", func(r *Row) {
		s := r.serve()
		foreign := s.Network().Serve("https://evil.test", connectiontest.Status(http.StatusOK))
		conn := r.open(s, withKey, connection.WithHeader("X-Tenant", "7"))
		r.NoError(request.Get(conn, "https://evil.test/x").Auth(auth.None()).Exec(r.ctx()))
		sent := r.Sent(foreign, 1)[0]
		r.Line(sent, "GET /x HTTP/1.1")
		r.Without(sent, "Authorization", "X-Tenant", "abc")
	})
	row(t, "P-30 a trusted origin gets the credential", func(r *Row) {
		s := r.serve()
		trusted := s.Network().Serve("https://files.example.test", connectiontest.Status(http.StatusOK))
		conn := r.open(s, withKey, connection.WithTrustedOrigins("https://files.example.test"))
		r.NoError(request.Get(conn, "https://files.example.test/x").Exec(r.ctx()))
		r.Line(r.Sent(trusted, 1)[0], "Authorization: Basic abc")
	})
	row(t, "P-34 every header of a list is sent", func(r *Row) {
		s := r.serve()
		b := request.Get(r.open(s), "/x").Header("X-A", "1").Header("X-B", "3").Header("x-a", "2")
		r.NoError(b.Exec(r.ctx()))
		sent := r.Sent(s, 1)[0]
		r.Lines(sent, "X-A", "X-A: 1", "X-A: 2")
		r.Line(sent, "X-B: 3")
	})
	row(t, "P-34 the headers of a request take the place of the connection's", func(r *Row) {
		s := r.serve()
		conn := r.open(s, connection.WithHeader("X-A", "0"), connection.WithHeader("X-B", "0"))
		r.NoError(request.Get(conn, "/x").Header("X-A", "1").Header("X-A", "2").Exec(r.ctx()))
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		sent := r.Sent(s, 2)
		r.Lines(sent[0], "X-A", "X-A: 1", "X-A: 2")
		r.Line(sent[0], "X-B: 0")
		r.Line(sent[1], "X-A: 0")
	})
	row(t, "P-34 a value cannot smuggle in another header", func(r *Row) {
		s := r.serve()
		err := request.Get(r.open(s), "/x").Header("X-A", "1\r\nX-B: 2").Exec(r.ctx())
		r.Is(err, request.StageBuild)
		r.NothingSent(s)
	})
	row(t, "P-35 parameters keep their order, after the query of the path", func(r *Row) {
		s := r.serve()
		b := request.Get(r.open(s), "/x?z=0").Query("b", "2").Query("a", "1").Query("a", "3")
		r.NoError(b.Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "GET /v1/x?z=0&b=2&a=1&a=3 HTTP/1.1")
	})
	row(t, "P-35 a value cannot smuggle in another parameter", func(r *Row) {
		s := r.serve()
		r.NoError(request.Get(r.open(s), "/x").Query("q", "a b&c=d#é").Exec(r.ctx()))
		r.Line(r.Sent(s, 1)[0], "GET /v1/x?q=a+b%26c%3Dd%23%C3%A9 HTTP/1.1")
	})
}

func TestPrismaticResponse(t *testing.T) {
	t.Parallel()
	row(t, "P-31 an answer is JSON by default", func(r *Row) {
		s := r.serve(connectiontest.JSON(http.StatusOK, item{1}))
		got, err := request.Do[item](r.ctx(), request.Get(r.open(s), "/x"))
		r.NoError(err)
		r.Equal("value", got, item{1})
		r.Line(r.Sent(s, 1)[0], "Accept: application/json, text/plain, */*")
	})
	for _, tt := range []struct{ name, contentType, body string }{
		{"a page of HTML", "text/html; charset=utf-8", "<html>log in</html>"},
		{"JSON that says it is a page", "text/html", `{"id":1}`},
		{"text that says it is JSON", "application/json", "it works"},
		{"more than one value", "application/json", `{"id":1}{"id":2}`},
		{"an object that breaks off", "application/json", `{"id":1`},
		{"nothing at all", "application/json", ""},
		{"null where a value is wanted", "application/json", "null"},
	} {
		row(t, "P-31 what is not JSON is an error that keeps the bytes: "+tt.name, func(r *Row) {
			s := r.serve(connectiontest.Text(http.StatusOK, tt.body).Header("Content-Type", tt.contentType))
			got, err := request.Do[item](r.ctx(), request.Get(r.open(s), "/x"))
			r.Equal("value", got, item{})
			e := as[*request.DecodeError](r, err)
			r.Equal("status", e.Status, http.StatusOK)
			r.Equal("content type", e.ContentType, tt.contentType)
			r.Equal("body", string(e.Body), tt.body)
		})
	}
	row(t, "P-31 an answer without a body is the zero value", func(r *Row) {
		for name, b := range map[string]struct {
			reply       http.Handler
			constructor func(*connection.Connection, string) request.Builder
		}{
			"204":  {connectiontest.Status(http.StatusNoContent), request.Get},
			"205":  {connectiontest.Status(http.StatusResetContent), request.Get},
			"304":  {connectiontest.Status(http.StatusNotModified), request.Get},
			"HEAD": {connectiontest.JSON(http.StatusOK, item{1}), request.Head},
		} {
			r.Case(name, func(r *Row) {
				s := r.serve(b.reply)
				got, err := request.Do[item](r.ctx(), b.constructor(r.open(s), "/x"))
				r.NoError(err)
				r.Equal("value", got, item{})
				r.Sent(s, 1)
			})
		}
	})
	// Decision: an empty 200 is the zero value only where T says that there may be nothing.
	row(t, "P-31 an empty 200 is nil where the value can be absent", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusOK))
		got, err := request.Do[*item](r.ctx(), request.Get(r.open(s), "/x"))
		r.NoError(err)
		r.Equal("value", got, (*item)(nil))
	})
	row(t, "P-31 numbers keep all their digits", func(r *Row) {
		const body = `{"id":9007199254740993,"price":0.10,"in":[12345678901234567890]}`
		s := r.serve(connectiontest.Text(http.StatusOK, body).Header("Content-Type", "application/json"))
		b := request.Get(r.open(s), "/x")
		want := map[string]any{
			"id": json.Number("9007199254740993"), "price": json.Number("0.10"),
			"in": []any{json.Number("12345678901234567890")},
		}
		got, err := request.Do[any](r.ctx(), b)
		r.NoError(err)
		r.Equal("value in an any", got, any(want))
		inside, err := request.Do[struct{ ID any }](r.ctx(), b)
		r.NoError(err)
		r.Equal("value in a field", inside.ID, any(json.Number("9007199254740993")))
	})
	row(t, "P-31 another format is decoded by the codec of the connection", func(r *Row) {
		type record struct {
			ID int `xml:"id"`
		}
		s := r.serve(connectiontest.Text(http.StatusOK, "<record><id>7</id></record>").Header("Content-Type", "text/xml"))
		conn := r.open(s, connection.WithCodec(request.XMLCodec()))
		got, err := request.Do[record](r.ctx(), request.Get(conn, "/x"))
		r.NoError(err)
		r.Equal("value", got, record{7})
		r.Line(r.Sent(s, 1)[0], "Accept: application/xml, */*;q=0.5")
	})
	row(t, "P-31 JSON of any content type is decoded where the codec says so", func(r *Row) {
		s := r.serve(connectiontest.Text(http.StatusOK, `{"id":7}`).Header("Content-Type", "text/html"))
		b := request.Get(r.open(s), "/x").Codec(connection.Codec{AnyContentType: true})
		got, err := request.Do[item](r.ctx(), b)
		r.NoError(err)
		r.Equal("value", got, item{7})
	})
	row(t, "P-31 a content coding that was not undone is an error that keeps the bytes", func(r *Row) {
		s := r.serve(connectiontest.JSON(http.StatusOK, item{7}).Header("Content-Encoding", "br"))
		_, err := request.Do[item](r.ctx(), request.Get(r.open(s), "/x"))
		r.Equal("body", string(as[*request.DecodeError](r, err).Body), `{"id":7}`)
	})
	for _, tt := range []struct{ name, contentType, body string }{
		{"P-32 text is converted from its charset", "text/plain; charset=iso-8859-1", "caf\xe9"},
		{"P-32 text is converted from windows-1252", "text/plain; charset=windows-1252", "caf\xe9"},
		{"P-32 text is converted from UTF-16", "text/plain; charset=utf-16", "\xff\xfec\x00a\x00f\x00\xe9\x00"},
		{"P-32 text is UTF-8 by default", "text/plain", "café"},
		{"P-32 text may be of any type, JSON too", "application/json", "café"},
	} {
		row(t, tt.name, func(r *Row) {
			s := r.serve(connectiontest.Text(http.StatusOK, tt.body).Header("Content-Type", tt.contentType))
			got, err := request.Do[string](r.ctx(), request.Get(r.open(s), "/x"))
			r.NoError(err)
			r.Equal("text", got, "café")
			r.Line(r.Sent(s, 1)[0], "Accept: text/plain, */*")
		})
	}
	for _, tt := range []struct{ name, contentType string }{
		{"bytes that are not UTF-8", "text/plain"},
		{"an unknown charset", "text/plain; charset=klingon"},
		{"bytes that are not in their charset", "text/plain; charset=us-ascii"},
	} {
		row(t, "P-32 text that cannot be read is an error that keeps the bytes: "+tt.name, func(r *Row) {
			s := r.serve(connectiontest.Text(http.StatusOK, "caf\xe9").Header("Content-Type", tt.contentType))
			_, err := request.Do[string](r.ctx(), request.Get(r.open(s), "/x"))
			r.Equal("body", string(as[*request.DecodeError](r, err).Body), "caf\xe9")
		})
	}
	row(t, "P-33 binary data is unchanged, with its content type", func(r *Row) {
		s := r.serve(connectiontest.Text(http.StatusOK, "\x00\xff\r\n").Header("Content-Type", "image/png"))
		got, err := request.Full[[]byte](r.ctx(), request.Get(r.open(s), "/x"))
		r.NoError(err)
		r.Equal("data", got.Value, []byte("\x00\xff\r\n"))
		r.Equal("content type", got.Header.Get("Content-Type"), "image/png")
		r.Line(r.Sent(s, 1)[0], "Accept: */*")
	})
	row(t, "P-33 binary data has its content type beside it", func(r *Row) {
		const data = "\x00\xff\r\n"
		for _, contentType := range []string{"image/png", "application/json", "text/html"} {
			r.Case(contentType, func(r *Row) {
				s := r.serve(connectiontest.Text(http.StatusOK, data).Header("Content-Type", contentType))
				got, err := request.Do[request.Binary](r.ctx(), request.Get(r.open(s), "/x"))
				r.NoError(err)
				r.Equal("binary", got, request.Binary{Data: []byte(data), ContentType: contentType})
				r.Line(r.Sent(s, 1)[0], "Accept: */*")
			})
		}
	})
	row(t, "P-44 the full response has status, headers, attempts and data", func(r *Row) {
		created := connectiontest.JSON(http.StatusCreated, item{7}).Header("Location", "/v1/x/7")
		s := r.serve(unavailable, created)
		b := request.Post(r.open(s), "/x").Query("token", "t0p").Retry(connection.Retry{Max: 1})
		got, err := request.Full[item](r.ctx(), b)
		r.NoError(err)
		r.Equal("status", got.Status, http.StatusCreated)
		r.Equal("Location", got.Header.Values("Location"), []string{"/v1/x/7"})
		r.Equal("value", got.Value, item{7})
		r.Equal("attempts", got.Attempts, 2)
		r.Equal("URL", got.URL, s.URL+"/v1/x")
	})
	row(t, "P-44 by default there is the data alone", func(r *Row) {
		s := r.serve(connectiontest.JSON(http.StatusCreated, item{7}).Header("Location", "/v1/x/7"))
		got, err := request.Do[item](r.ctx(), request.Post(r.open(s), "/x"))
		r.NoError(err)
		r.Equal("value", got, item{7})
	})
	row(t, "P-44 a status that is no success is an error with all of that", func(r *Row) {
		conflict := connectiontest.JSON(http.StatusConflict, item{7}).Header("Location", "/v1/x/7")
		s := r.serve(unavailable, conflict)
		_, err := request.Full[item](r.ctx(), request.Post(r.open(s), "/x").Retry(connection.Retry{Max: 1}))
		r.Is(err, request.Status(http.StatusConflict))
		e := as[*request.ResponseError](r, err)
		r.Equal("status", e.Status, http.StatusConflict)
		r.Equal("Location", e.Header.Values("Location"), []string{"/v1/x/7"})
		r.Equal("body", string(e.Body), `{"id":7}`)
		r.Equal("method and URL", e.Method+" "+e.URL, "POST "+s.URL+"/v1/x")
		var statuses []int
		for _, a := range e.History {
			statuses = append(statuses, a.Status)
		}
		r.Equal("attempts", statuses, []int{http.StatusServiceUnavailable, http.StatusConflict})
		fault, ok := request.ErrorBody[item](err)
		r.Equal("decoded body", fault, item{7})
		r.Equal("decoded", ok, true)
	})
}

func TestPrismaticRetry(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		retry []connection.Option
		want  int
	}{
		{"P-36 nothing is retried by default", nil, 1},
		{"P-36 no retries are one attempt", []connection.Option{connection.WithRetry(connection.Retry{Max: 0})}, 1},
		{"P-36 two retries are three attempts", []connection.Option{connection.WithRetry(connection.Retry{Max: 2})}, 3},
	} {
		row(t, tt.name, func(r *Row) {
			s := r.serve(unavailable)
			err := request.Get(r.open(s, tt.retry...), "/x").Exec(r.ctx())
			r.Equal("attempts", len(as[*request.ResponseError](r, err).History), tt.want)
			r.Sent(s, tt.want)
		})
	}
	row(t, "P-36 fewer than no retries are an error", func(r *Row) {
		s := r.serve()
		_, err := connection.New(s.URL, connection.WithRetry(connection.Retry{Max: -1}))
		r.OptionError(err, "WithRetry")
		r.OptionError(request.Get(r.open(s), "/x").Retry(connection.Retry{Max: -1}).Exec(r.ctx()), "Retry")
		r.NothingSent(s)
	})
	timed(t, "P-37 the delay between attempts is constant", func(r *Row) {
		const d = 250 * time.Millisecond
		r.Equal("waits", waits(r, connection.Retry{Max: 2, Wait: connection.Constant(d)}), []time.Duration{d, d})
	})
	timed(t, "P-37 there is no delay by default", func(r *Row) {
		none := []time.Duration{0, 0}
		r.Equal("waits by default", waits(r, connection.Retry{Max: 2}), none)
		r.Equal("waits of 0", waits(r, connection.Retry{Max: 2, Wait: connection.Constant(0)}), none)
	})
	row(t, "P-37 a negative delay is an error", func(r *Row) {
		retry := connection.Retry{Max: 2, Wait: connection.Constant(-time.Millisecond)}
		_, err := connection.New("https://api.example.test", connection.WithRetry(retry))
		r.OptionError(err, "WithRetry")
	})
	timed(t, "P-38 exponential delays double, with up to a fifth added", func(r *Row) {
		got := waits(r, connection.Retry{Max: 3, Wait: connection.Exponential()})
		within(r, got, 200*time.Millisecond, 400*time.Millisecond, 800*time.Millisecond)
	})
	timed(t, "P-38 exponential delays grow to a limit", func(r *Row) {
		got := waits(r, connection.Retry{Max: 10, Wait: connection.Exponential()})
		within(r, got[7:], 25600*time.Millisecond, 30*time.Second, 30*time.Second)
	})
	timed(t, "P-38 exponential delays are random, and each call begins anew", func(r *Row) {
		first := make(map[time.Duration]bool)
		for range 10 {
			got := waits(r, connection.Retry{Max: 1, Wait: connection.Exponential()})
			within(r, got, 200*time.Millisecond)
			first[got[0]] = true
		}
		r.Equal("different delays", len(first) > 1, true)
	})
	timed(t, "P-38 without it the delays do not grow", func(r *Row) {
		got := waits(r, connection.Retry{Max: 4, Wait: connection.Constant(time.Second)})
		r.Equal("waits", got, []time.Duration{time.Second, time.Second, time.Second, time.Second})
	})
}

// waits sends a request that fails each time, and returns how long it waited between the attempts.
func waits(r *Row, retry connection.Retry) []time.Duration {
	r.Helper()
	c := &clocked{next: unavailable}
	s := connectiontest.NewNetwork(r).Serve("https://api.example.test", c)
	err := request.Get(r.open(s, connection.WithRetry(retry)), "/x").Exec(r.ctx())
	r.Is(err, request.Status(http.StatusServiceUnavailable))
	r.Sent(s, retry.Max+1)
	return c.waits()
}

// within asserts that each delay is what is wanted, or up to a fifth longer.
func within(r *Row, got []time.Duration, want ...time.Duration) {
	r.Helper()
	r.Equal("number of delays", len(got), len(want))
	for i, d := range got {
		if d < want[i] || d > want[i]*6/5 {
			r.Errorf("delay %d is %v, want %v and up to a fifth more", i+1, d, want[i])
		}
	}
}

func TestPrismaticRetryWhat(t *testing.T) {
	t.Parallel()
	all := connection.Retry{Max: 1, On: connection.OnAllErrors()}
	once := connection.Retry{Max: 1}
	for _, tt := range []struct {
		name   string
		retry  connection.Retry
		status int
		want   int
	}{
		{"P-40 a 404 is not retried by default", once, http.StatusNotFound, 1},
		{"P-40 a 404 is retried where all errors are", all, http.StatusNotFound, 2},
		{"P-41 all errors are 4xx too", all, http.StatusTooManyRequests, 2},
		{"P-41 all errors are 3xx too, if they are not followed", all, http.StatusFound, 2},
		{"P-41 all errors are 5xx too", all, http.StatusNotImplemented, 2},
		{"P-41 a success is no error", all, http.StatusAccepted, 1},
		{"P-42 by default 429 is not retried", once, http.StatusTooManyRequests, 1},
		{"P-42 by default 408 is not retried", once, http.StatusRequestTimeout, 1},
		{"P-42 by default 302 is not retried", once, http.StatusFound, 1},
		{"P-42 by default 500 is retried", once, http.StatusInternalServerError, 2},
		{"P-42 by default 502 is retried", once, http.StatusBadGateway, 2},
		{"P-42 by default 599 is retried", once, 599, 2},
	} {
		row(t, tt.name, func(r *Row) {
			reply := connectiontest.Status(tt.status).Header("Location", "/elsewhere")
			s := r.serve(reply, connectiontest.Status(http.StatusOK))
			conn := r.open(s, connection.WithRetry(tt.retry), connection.WithMaxRedirects(0))
			err := request.Get(conn, "/x").Exec(r.ctx())
			for _, sent := range r.Sent(s, tt.want) {
				r.Line(sent, "GET /v1/x HTTP/1.1")
			}
			if tt.want == 1 && tt.status >= http.StatusMultipleChoices {
				r.Is(err, request.Status(tt.status))
				return
			}
			r.NoError(err)
		})
	}
	reset := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = connectiontest.Reset(c)
		}
	})
	for name, fault := range map[string]http.Handler{"reset": reset, "closed": connectiontest.Cut()} {
		row(t, "P-42 a connection that is "+name+" is retried", func(r *Row) {
			s := r.serve(fault, connectiontest.JSON(http.StatusOK, item{1}))
			r.NoError(request.Get(r.open(s, connection.WithRetry(once)), "/x").Exec(r.ctx()))
			r.Sent(s, 2)
		})
	}
	row(t, "P-42 a server that is down is tried again", func(r *Row) {
		s := r.serve()
		s.Refuse()
		err := request.Get(r.open(s, connection.WithRetry(once)), "/x").Exec(r.ctx())
		r.Equal("attempts", len(as[*connection.RetryError](r, err).History), 2)
		r.NothingSent(s)
	})
	row(t, "P-42 a call that its caller has given up is not retried", func(r *Row) {
		ctx, cancel := context.WithCancel(r.ctx())
		defer cancel()
		s := r.serve(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
			cancel()
			<-req.Context().Done()
		}))
		err := request.Get(r.open(s, connection.WithRetry(connection.Retry{Max: 3})), "/x").Exec(ctx)
		r.Is(err, context.Canceled)
		r.Sent(s, 1)
	})
	timed(t, "P-42 a caller that gives up during a wait ends it", func(r *Row) {
		s := r.serve(unavailable)
		ctx, cancel := context.WithCancel(r.ctx())
		defer time.AfterFunc(time.Second, cancel).Stop()
		began := time.Now()
		retry := connection.Retry{Max: 3, Wait: connection.Constant(time.Minute)}
		r.Is(request.Get(r.open(s, connection.WithRetry(retry)), "/x").Exec(ctx), context.Canceled)
		r.Equal("time", time.Since(began), time.Second)
		r.Sent(s, 1)
	})
	row(t, "P-42 a credential that is missing is not retried", func(r *Row) {
		asked := 0
		missing := auth.Func(func(*http.Request) error {
			asked++
			return errors.New("the vault is closed")
		})
		s := r.serve()
		conn := r.open(s, connection.WithAuth(missing), connection.WithRetry(connection.Retry{Max: 3}))
		_ = as[*auth.Error](r, request.Get(conn, "/x").Exec(r.ctx()))
		r.Equal("times that it was asked for", asked, 1)
		r.NothingSent(s)
	})

	// Decision: retry set on a connection applies to idempotent methods, and to others only where nothing reached the
	// server or there is an Idempotency-Key. Retry set on a request applies whatever its method.
	row(t, "P-42 a POST that reached the server is not repeated by the connection's policy", func(r *Row) {
		for name, fault := range map[string]http.Handler{"503": unavailable, "reset": reset} {
			r.Case(name, func(r *Row) {
				s := r.serve(fault, connectiontest.Status(http.StatusOK))
				err := request.Post(r.open(s, connection.WithRetry(once)), "/x").JSON(item{1}).Exec(r.ctx())
				r.Equal("failed", err != nil, true)
				r.Sent(s, 1)
			})
		}
	})
	row(t, "P-42 a POST that has not reached the server is tried again", func(r *Row) {
		s := r.serve()
		s.Refuse()
		err := request.Post(r.open(s, connection.WithRetry(once)), "/x").JSON(item{1}).Exec(r.ctx())
		r.Equal("attempts", len(as[*connection.RetryError](r, err).History), 2)
	})
	row(t, "P-42 a POST with an Idempotency-Key is repeated with the same key", func(r *Row) {
		s := r.serve(unavailable, connectiontest.Status(http.StatusOK))
		conn := r.open(s, connection.WithRetry(once))
		r.NoError(request.Post(conn, "/x").JSON(item{1}).Idempotent().Exec(r.ctx()))
		sent := r.Sent(s, 2)
		key := sent[0].Header.Get("Idempotency-Key")
		r.Equal("has a key", key != "", true)
		r.Line(sent[1], "Idempotency-Key: "+key)
	})
	row(t, "P-42 a POST is repeated where the request itself says so", func(r *Row) {
		s := r.serve(unavailable, connectiontest.Status(http.StatusOK))
		r.NoError(request.Post(r.open(s), "/x").JSON(item{1}).Retry(once).Exec(r.ctx()))
		r.Equal("second body", string(r.Sent(s, 2)[1].Body), `{"id":1}`)
	})
}

func TestPrismaticTimeout(t *testing.T) {
	t.Parallel()
	const limit = 50 * time.Millisecond
	slow := connectiontest.JSON(http.StatusOK, item{1}).Delay(4 * limit)
	hanging := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.WriteString(w, `{"id":`)
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
	})
	for name, reply := range map[string]http.Handler{"the headers": slow, "the body": hanging} {
		timed(t, "P-43 the timeout of a request covers the wait for "+name, func(r *Row) {
			s := r.serve(reply)
			timesOut(r, request.Get(r.open(s), "/x").Timeout(limit), limit)
			r.Sent(s, 1)
		})
	}
	// Decision: a request without a timeout has the connection's, 60 s for one attempt unless it says otherwise.
	for _, tt := range []struct {
		name       string
		connection []connection.Option
		request    time.Duration
		want       time.Duration
	}{
		{"P-43 without a timeout there is the connection's default", nil, 0, time.Minute},
		{"P-43 without a timeout there is the connection's", []connection.Option{attempts(limit)}, 0, limit},
		{"P-43 of two timeouts the connection's is the shorter", []connection.Option{attempts(limit)}, time.Hour, limit},
		{"P-43 of two timeouts the request's is the shorter", []connection.Option{attempts(time.Hour)}, limit, limit},
	} {
		timed(t, tt.name, func(r *Row) {
			s := r.serve(connectiontest.Status(http.StatusOK).Delay(2 * time.Hour))
			timesOut(r, request.Get(r.open(s, tt.connection...), "/x").Timeout(tt.request), tt.want)
		})
	}
	timed(t, "P-43 an answer that comes in time is not touched", func(r *Row) {
		s := r.serve(slow)
		got, err := request.Do[item](r.ctx(), request.Get(r.open(s), "/x").Timeout(5*limit))
		r.NoError(err)
		r.Equal("value", got, item{1})
	})
	timed(t, "P-43 the connection can have no timeout", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusOK).Delay(48 * time.Hour))
		r.NoError(request.Get(r.open(s, attempts(connection.NoTimeout)), "/x").Exec(r.ctx()))
		r.Sent(s, 1)
	})
	timed(t, "P-43 each attempt has the timeout anew", func(r *Row) {
		s := r.serve(slow, slow, connectiontest.JSON(http.StatusOK, item{1}).Delay(limit/2))
		began := time.Now()
		b := request.Get(r.open(s), "/x").Timeout(limit).Retry(connection.Retry{Max: 2})
		r.NoError(b.Exec(r.ctx()))
		r.Sent(s, 3)
		r.Equal("time", time.Since(began), 2*limit+limit/2)
	})
	row(t, "P-43 a negative timeout is an error", func(r *Row) {
		s := r.serve()
		_, err := connection.New(s.URL, attempts(-time.Second))
		r.OptionError(err, "WithTimeouts")
		r.OptionError(request.Get(r.open(s), "/x").Timeout(-time.Second).Exec(r.ctx()), "Timeouts")
		r.NothingSent(s)
	})
}

func attempts(d time.Duration) connection.Option {
	return connection.WithTimeouts(connection.Timeouts{Attempt: d})
}

// timesOut asserts that the request ends with the attempt timeout, and after exactly that time.
func timesOut(r *Row, b request.Builder, want time.Duration) {
	r.Helper()
	began := time.Now()
	_, err := request.Do[item](r.ctx(), b)
	r.Equal("time", time.Since(began), want)
	r.Is(err, context.DeadlineExceeded)
	e := as[*connection.TimeoutError](r, err)
	r.Equal("timeout", *e, connection.TimeoutError{Phase: connection.PhaseAttempt, Limit: want})
}

func TestPrismaticDebug(t *testing.T) {
	t.Parallel()
	row(t, "P-45 only the request that is debugged is logged", func(r *Row) {
		s := r.serve()
		conn := r.open(s, withKey)
		var book logbook
		r.NoError(request.Get(conn, "/x").Exec(r.ctx()))
		book.entries(r, 0)
		r.NoError(request.Get(conn, "/y").Debug(book.logger()).Exec(r.ctx()))
		r.Equal("URL", book.entries(r, 1)[0].URL, s.URL+"/v1/y")
	})
	row(t, "P-45 the record has method, URL, headers and bodies, and no secret", func(r *Row) {
		const secret = "k3y-of-the-house"
		s := r.serve(connectiontest.JSON(http.StatusCreated, map[string]string{"id": "7", "echo": secret}))
		key := auth.All(
			auth.APIKey(secrets.Static(secret)),
			auth.APIKey(secrets.Static(secret), auth.InHeader("X-Api-Key")),
			auth.APIKey(secrets.Static(secret), auth.InQuery("key")),
		)
		var book logbook
		b := request.Post(r.open(s, connection.WithAuth(key)), "/x").JSON(map[string]string{
			"note": "hello", "password": "hunter2",
		})
		r.NoError(b.Debug(book.logger()).Exec(r.ctx()))
		got := book.entries(r, 1)[0]
		r.Equal("request", got.Method+" "+got.URL, "POST "+s.URL+"/v1/x")
		r.Equal("status", got.Status, http.StatusCreated)
		r.Equal("Authorization", got.RequestHeader["Authorization"], "[REDACTED]")
		r.Equal("X-Api-Key", got.RequestHeader["X-Api-Key"], "[REDACTED]")
		r.Equal("Content-Type", got.RequestHeader["Content-Type"], "application/json")
		r.Equal("response Content-Type", got.ResponseHeader["Content-Type"], "application/json")
		r.Equal("request body", got.RequestBody.Text, `{"note":"hello","password":"[REDACTED]"}`)
		r.Equal("response body", got.ResponseBody.Text, `{"echo":"[REDACTED]","id":"7"}`)
		for _, text := range []string{secret, "hunter2"} {
			r.Equal("record has "+text, strings.Contains(book.text.String(), text), false)
		}
	})
	row(t, "P-45 the record has 10 KiB of a body, which is sent whole", func(r *Row) {
		const kib = 1 << 10
		long := strings.Repeat("0123456789abcdef", 2*kib) // 32 KiB
		s := r.serve(connectiontest.Text(http.StatusOK, long))
		var book logbook
		got, err := request.Do[string](r.ctx(), request.Post(r.open(s), "/x").Text(long).Debug(book.logger()))
		r.NoError(err)
		r.Equal("response body", got, long)
		r.Equal("request body", string(r.Sent(s, 1)[0].Body), long)
		want := loggedBody{Size: len(long), Text: long[:10*kib]}
		e := book.entries(r, 1)[0]
		r.Equal("logged request body", e.RequestBody, want)
		r.Equal("logged response body", e.ResponseBody, want)
	})
	row(t, "P-45 each attempt has a record", func(r *Row) {
		s := r.serve(unavailable, connectiontest.Status(http.StatusOK))
		var book logbook
		b := request.Get(r.open(s), "/x").Retry(connection.Retry{Max: 1}).Debug(book.logger())
		r.NoError(b.Exec(r.ctx()))
		got := book.entries(r, 2)
		r.Equal("statuses", []int{got[0].Status, got[1].Status}, []int{http.StatusServiceUnavailable, http.StatusOK})
	})
}

func TestPrismaticRedirects(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		options    []connection.Option
		hops, sent int
	}{
		{"P-48 five redirects are followed by default", nil, 5, 6},
		{"P-48 as many are followed as are allowed", []connection.Option{connection.WithMaxRedirects(7)}, 7, 8},
	} {
		row(t, tt.name, func(r *Row) {
			s := r.serve(countdown)
			got, err := request.Do[item](r.ctx(), request.Get(r.open(s, tt.options...), hop(tt.hops)))
			r.NoError(err)
			r.Equal("value", got, item{1})
			for i, sent := range r.Sent(s, tt.sent) {
				r.Line(sent, "GET /v1"+hop(tt.hops-i)+" HTTP/1.1")
			}
		})
	}
	for _, tt := range []struct {
		name       string
		options    []connection.Option
		hops, sent int
	}{
		{"P-48 the sixth redirect is an error by default", nil, 6, 6},
		{"P-48 one redirect too many is an error", []connection.Option{connection.WithMaxRedirects(1)}, 2, 2},
	} {
		row(t, tt.name, func(r *Row) {
			s := r.serve(countdown)
			err := request.Get(r.open(s, tt.options...), hop(tt.hops)).Exec(r.ctx())
			r.Is(err, connection.ErrTooManyRedirects)
			r.Equal("status", as[*connection.RedirectError](r, err).Status, http.StatusFound)
			r.Sent(s, tt.sent)
		})
	}
	row(t, "P-48 with no redirects allowed the redirect is the answer", func(r *Row) {
		s := r.serve(countdown)
		err := request.Get(r.open(s, connection.WithMaxRedirects(0)), hop(1)).Exec(r.ctx())
		r.Is(err, request.Status(http.StatusFound))
		r.Equal("Location", as[*request.ResponseError](r, err).Header.Get("Location"), "/v1"+hop(0))
		r.Sent(s, 1)
	})
	row(t, "P-48 fewer than no redirects are an error", func(r *Row) {
		s := r.serve()
		_, err := connection.New(s.URL, connection.WithMaxRedirects(-1))
		r.OptionError(err, "WithMaxRedirects")
		r.OptionError(request.Get(r.open(s), "/x").MaxRedirects(-1).Exec(r.ctx()), "MaxRedirects")
		r.NothingSent(s)
	})

	withSecrets := connection.Options(
		connection.WithAuth(auth.All(
			auth.APIKey(apiKey),
			auth.APIKey(apiKey, auth.InHeader("X-Api-Key")),
			auth.APIKey(apiKey, auth.InQuery("key")),
		)),
		connection.WithHeader("X-Tenant", "seven"),
	)
	secretLines := []string{"Authorization: Basic abc", "X-Api-Key: abc", "X-Tenant: seven", "X-Session: s1"}
	secretTexts := []string{"abc", "Authorization", "X-Api-Key", "X-Tenant", "X-Session", "Referer"}
	row(t, "P-48 a redirect within the origin keeps what identifies the caller", func(r *Row) {
		s := r.serve(redirectTo("/v1/y"), connectiontest.Status(http.StatusOK))
		r.NoError(request.Get(r.open(s, withSecrets), "/x").Header("X-Session", "s1").Exec(r.ctx()))
		sent := r.Sent(s, 2)
		r.Line(sent[1], "GET /v1/y?key=abc HTTP/1.1")
		for _, line := range secretLines {
			r.Line(sent[1], line)
		}
		r.Without(sent[1], "Referer")
	})
	for _, tt := range []struct{ name, origin string }{
		{"another host", "https://evil.test"},
		{"a host below", "https://sub.api.example.test"},
		{"another port", "https://api.example.test:8443"},
	} {
		row(t, "P-48 a redirect to a foreign origin keeps nothing that identifies the caller: "+tt.name, func(r *Row) {
			s := r.serve(redirectTo(tt.origin + "/y"))
			foreign := s.Network().Serve(tt.origin, connectiontest.Status(http.StatusOK))
			r.NoError(request.Get(r.open(s, withSecrets), "/x").Header("X-Session", "s1").Exec(r.ctx()))
			for _, line := range secretLines {
				r.Line(r.Sent(s, 1)[0], line)
			}
			sent := r.Sent(foreign, 1)[0]
			r.Line(sent, "GET /y HTTP/1.1")
			r.Without(sent, secretTexts...)
		})
	}
	row(t, "P-48 a redirect back from a foreign origin brings nothing back", func(r *Row) {
		s := r.serve(redirectTo("https://evil.test/y"), connectiontest.Status(http.StatusOK))
		s.Network().Serve("https://evil.test", redirectTo(s.URL+"/v1/z"))
		r.NoError(request.Get(r.open(s, withSecrets), "/x").Header("X-Session", "s1").Exec(r.ctx()))
		sent := r.Sent(s, 2)[1]
		r.Line(sent, "GET /v1/z HTTP/1.1")
		r.Without(sent, secretTexts...)
	})
	row(t, "P-48 a redirect to a trusted origin keeps what identifies the caller", func(r *Row) {
		const files = "https://files.example.test"
		s := r.serve(redirectTo(files + "/y"))
		trusted := s.Network().Serve(files, connectiontest.Status(http.StatusOK))
		conn := r.open(s, withSecrets, connection.WithTrustedOrigins(files))
		r.NoError(request.Get(conn, "/x").Header("X-Session", "s1").Exec(r.ctx()))
		for _, line := range secretLines {
			r.Line(r.Sent(trusted, 1)[0], line)
		}
	})
	row(t, "P-48 a redirect from https to http is not followed", func(r *Row) {
		s := r.serve(redirectTo("http://api.example.test/y"))
		plain := s.Network().Serve("http://api.example.test", connectiontest.Status(http.StatusOK))
		_ = as[*connection.RedirectError](r, request.Get(r.open(s), "/x").Exec(r.ctx()))
		r.Sent(s, 1)
		r.NothingSent(plain)
	})
	row(t, "P-48 a body does not follow a redirect to a foreign origin", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusTemporaryRedirect).Header("Location", "https://evil.test/y"))
		foreign := s.Network().Serve("https://evil.test", connectiontest.Status(http.StatusOK))
		_ = as[*connection.RedirectError](r, request.Post(r.open(s), "/x").JSON(item{1}).Exec(r.ctx()))
		r.Sent(s, 1)
		r.NothingSent(foreign)
	})
}

func hop(n int) string { return "/hop/" + strconv.Itoa(n) }

// countdown redirects each hop to the next lower one, and answers the last.
var countdown = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
	if n, _ := strconv.Atoi(strings.TrimPrefix(req.URL.Path, "/v1/hop/")); n > 0 {
		redirectTo("/v1"+hop(n-1)).ServeHTTP(w, req)
		return
	}
	connectiontest.JSON(http.StatusOK, item{1}).ServeHTTP(w, req)
})

func redirectTo(location string) connectiontest.Reply {
	return connectiontest.Status(http.StatusFound).Header("Location", location)
}

func TestPrismaticData(t *testing.T) {
	t.Parallel()
	const data = "{\"a\": 1,\r\n \"é\":\t\"<&>\"}\n"
	opened := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(data)), nil }
	read := func() request.Body { return request.Once("text/csv", strings.NewReader(data)) }
	bodies := map[string]request.Body{
		"a string":        request.Text(data),
		"bytes":           request.Bytes("text/csv", []byte(data)),
		"an opened file":  request.Open("text/csv", int64(len(data)), opened),
		"of unknown size": request.Open("text/csv", -1, opened),
	}
	for name, body := range bodies {
		row(t, "P-51 data is sent byte by byte, and again the same: "+name, func(r *Row) {
			s := r.serve(unavailable, connectiontest.Status(http.StatusOK))
			r.NoError(request.Patch(r.open(s), "/x").Body(body).Retry(connection.Retry{Max: 1}).Exec(r.ctx()))
			for _, sent := range r.Sent(s, 2) {
				r.Equal("body", string(sent.Body), data)
			}
		})
	}
	row(t, "P-51 data is the earlier output of another request", func(r *Row) {
		s := r.serve(connectiontest.Text(http.StatusOK, data).Header("Content-Type", "application/json"))
		conn := r.open(s)
		earlier, err := request.Do[[]byte](r.ctx(), request.Get(conn, "/x"))
		r.NoError(err)
		r.NoError(request.Put(conn, "/y").Bytes("application/json", earlier).Exec(r.ctx()))
		sent := r.Sent(s, 2)[1]
		r.Line(sent, "Content-Length: "+strconv.Itoa(len(data)))
		r.Equal("body", string(sent.Body), data)
	})
	row(t, "P-51 data is a value in the format of the connection, and again the same", func(r *Row) {
		s := r.serve(unavailable, connectiontest.Status(http.StatusOK))
		conn := r.open(s, connection.WithCodec(request.XMLCodec()))
		r.NoError(request.Put(conn, "/x").Body(request.Value(item{1})).Retry(connection.Retry{Max: 1}).Exec(r.ctx()))
		for _, sent := range r.Sent(s, 2) {
			r.Line(sent, "Content-Type: application/xml")
			_, document, _ := strings.Cut(string(sent.Body), "\n")
			r.Equal("document", document, "<item><ID>1</ID></item>")
		}
	})
	row(t, "P-51 a reader is sent once", func(r *Row) {
		s := r.serve()
		r.NoError(request.Post(r.open(s), "/x").Body(read()).Exec(r.ctx()))
		r.Equal("body", string(r.Sent(s, 1)[0].Body), data)
	})
	row(t, "P-51 a reader that a retry might need again is refused beforehand", func(r *Row) {
		s := r.serve()
		retry := connection.Retry{Max: 1}
		conn := r.open(s, connection.WithRetry(retry))
		for name, b := range map[string]request.Builder{
			"by the connection's policy": request.Put(conn, "/x"),
			"by the request's policy":    request.Post(r.open(s), "/x").Retry(retry),
		} {
			r.Case(name, func(r *Row) {
				err := b.Body(read()).Exec(r.ctx())
				r.Is(err, connection.ErrNotReplayable)
				r.Is(err, request.StageBuild)
			})
		}
		r.NothingSent(s)
	})
	for _, tt := range []struct {
		name string
		body request.Body
		want string
	}{
		{"P-52 a value is JSON", request.JSON(item{1}), "application/json"},
		// The document's own product takes a string for a form: that default is not inherited.
		{"P-52 a string is plain text", request.Text("a=1&b=2"), "text/plain; charset=utf-8"},
		{"P-52 a form is a form", request.Form(url.Values{"a": {"1"}}), "application/x-www-form-urlencoded"},
		{"P-52 a value is what the codec writes, which is JSON by default", request.Value(item{1}), "application/json"},
		{"P-52 XML is XML", request.XML(item{1}), "application/xml"},
		// Decision: bytes have no default: their content type is a parameter.
		{"P-52 bytes are what they are said to be", request.Bytes("image/png", []byte{0}), "image/png"},
		{"P-52 a reader is what it is said to be", read(), "text/csv"},
	} {
		row(t, tt.name, func(r *Row) {
			s := r.serve()
			r.NoError(request.Post(r.open(s), "/x").Body(tt.body).Exec(r.ctx()))
			r.Line(r.Sent(s, 1)[0], "Content-Type: "+tt.want)
		})
	}
	row(t, "P-52 the caller's header wins, once", func(r *Row) {
		for name, body := range map[string]request.Body{
			"over JSON":  request.JSON(item{1}),
			"over XML":   request.XML(item{1}),
			"over text":  request.Text("a=1&b=2"),
			"over bytes": request.Bytes("image/png", []byte{0}),
		} {
			r.Case(name, func(r *Row) {
				s := r.serve()
				b := request.Post(r.open(s), "/x").Header("content-type", "application/vnd.own").Body(body)
				r.NoError(b.Exec(r.ctx()))
				r.Line(r.Sent(s, 1)[0], "Content-Type: application/vnd.own")
			})
		}
	})
}

// form is the multipart of the document's example.
var form = request.Multipart().Field("note", "a b&c").
	FileFrom("myFile", request.Bytes("", []byte("Hello, World!"))).FileName("myFile", "myFile.txt")

const formBytes = "--BOUND\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\na b&c\r\n" +
	"--BOUND\r\nContent-Disposition: form-data; name=\"myFile\"; filename=\"myFile.txt\"\r\n" +
	"Content-Type: application/octet-stream\r\n\r\nHello, World!\r\n--BOUND--\r\n"

// Multipart asserts that the request is a multipart, and what its body is with BOUND in the place of the boundary.
func (r *Row) Multipart(sent connectiontest.Request, want string) {
	r.Helper()
	boundary, ok := strings.CutPrefix(sent.Header.Get("Content-Type"), "multipart/form-data; boundary=")
	r.Equal("it is a multipart", ok && boundary != "", true)
	r.Equal("body", strings.ReplaceAll(string(sent.Body), boundary, "BOUND"), want)
}

func TestPrismaticForm(t *testing.T) {
	t.Parallel()
	upload := func(r *Row, body request.Body) connectiontest.Request {
		s := r.serve()
		r.NoError(request.Post(r.open(s), "/up").Body(body).Exec(r.ctx()))
		return r.Sent(s, 1)[0]
	}
	row(t, "P-53 a form is multipart/form-data of a known length", func(r *Row) {
		sent := upload(r, form)
		boundary := strings.TrimPrefix(sent.Header.Get("Content-Type"), "multipart/form-data; boundary=")
		r.Line(sent, "Content-Type: multipart/form-data; boundary="+boundary)
		r.Line(sent, "Content-Length: "+strconv.Itoa(len(formBytes)+3*(len(boundary)-len("BOUND"))))
		r.Lines(sent, "Transfer-Encoding")
		r.Multipart(sent, formBytes)
	})
	row(t, "P-54 a form goes out with POST and with PUT", func(r *Row) {
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			r.Case(method, func(r *Row) {
				s := r.serve()
				r.NoError(request.New(r.open(s), method, "/up").Body(form).Exec(r.ctx()))
				r.Line(r.Sent(s, 1)[0], method+" /v1/up HTTP/1.1")
			})
		}
	})
	row(t, "P-54 a form with any other method is refused", func(r *Row) {
		for _, method := range []string{http.MethodPatch, http.MethodDelete, http.MethodGet, "PURGE"} {
			r.Case(method, func(r *Row) {
				s := r.serve()
				r.Is(request.New(r.open(s), method, "/up").AllowBody().Body(form).Exec(r.ctx()), request.StageBuild)
				r.NothingSent(s)
			})
		}
	})
	row(t, "P-55 fields are sent in their order, and may repeat", func(r *Row) {
		const head = "--BOUND\r\nContent-Disposition: form-data; name="
		r.Multipart(upload(r, request.Multipart().Field("note", "a b&c").Field("b", "").Field("note", "2")),
			head+"\"note\"\r\n\r\na b&c\r\n"+head+"\"b\"\r\n\r\n\r\n"+head+"\"note\"\r\n\r\n2\r\n--BOUND--\r\n")
	})
	const fileHead = "--BOUND\r\nContent-Disposition: form-data; name=\"myFile\"; filename=\"myFile.txt\"\r\n"
	path := filepath.Join(t.TempDir(), "myFile.txt")
	if err := os.WriteFile(path, []byte("Hello, World!"), 0o600); err != nil {
		t.Fatal(err)
	}
	opened := func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("Hello, World!")), nil }
	for name, body := range map[string]request.Body{
		"bytes":         request.Bytes("", []byte("Hello, World!")),
		"a reader":      request.Once("", strings.NewReader("Hello, World!")),
		"an opened one": request.Open("", -1, opened),
		"on disk":       request.File("", path),
	} {
		row(t, "P-56 a file is sent byte by byte: "+name, func(r *Row) {
			r.Multipart(upload(r, request.Multipart().FileFrom("myFile", body).FileName("myFile", "myFile.txt")),
				fileHead+"Content-Type: application/octet-stream\r\n\r\nHello, World!\r\n--BOUND--\r\n")
		})
	}
	row(t, "P-56 a file has the content type that it is said to have", func(r *Row) {
		r.Multipart(upload(r, request.Multipart().FileFrom("myFile", request.File("text/plain", path))),
			fileHead+"Content-Type: text/plain\r\n\r\nHello, World!\r\n--BOUND--\r\n")
	})
	prismaticFileNames(t)
	row(t, "P-58 a file name stays in its line", func(r *Row) {
		sent := upload(r, request.Multipart().FileFrom("f", request.Text("x")).FileName("f", "a\"b\r\n\\é.txt"))
		r.Multipart(sent, "--BOUND\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a%22b%0D%0A\\\\é.txt\"\r\n"+
			"Content-Type: text/plain; charset=utf-8\r\n\r\nx\r\n--BOUND--\r\n")
	})
	row(t, "P-58 a file name with other control characters is refused", func(r *Row) {
		s := r.serve()
		body := request.Multipart().FileFrom("f", request.Text("x")).FileName("f", "a\x00b")
		r.Is(request.Post(r.open(s), "/up").Body(body).Exec(r.ctx()), request.StageBuild)
		r.NothingSent(s)
	})
	prismaticFormPolicy(t)
}

func prismaticFileNames(t *testing.T) {
	t.Helper()
	x := request.Bytes("", nil)
	row(t, "P-57 a file without a name is called like its key", func(r *Row) {
		s := r.serve()
		body := request.Multipart().FileFrom("myFile", x)
		r.NoError(request.Post(r.open(s), "/up").Body(body).Exec(r.ctx()))
		r.Multipart(r.Sent(s, 1)[0], "--BOUND\r\nContent-Disposition: form-data; name=\"myFile\"; filename=\"myFile\"\r\n"+
			"Content-Type: application/octet-stream\r\n\r\n\r\n--BOUND--\r\n")
	})
	for name, body := range map[string]request.MultipartBody{
		"there is no such key":  form.FileName("other", "x.txt"),
		"the key is a field":    form.FileName("note", "x.txt"),
		"it has one already":    form.FileName("myFile", "x.txt"),
		"there is no file name": request.Multipart().FileFrom("other", x).FileName("other", ""),
	} {
		row(t, "P-57 a file name without its file is refused: "+name, func(r *Row) {
			s := r.serve()
			err := request.Post(r.open(s), "/up").Body(body).Exec(r.ctx())
			r.Equal("it names a part", as[*request.PartError](r, err).Name != "", true)
			r.Is(err, request.StageBuild)
			r.NothingSent(s)
		})
	}
}

// prismaticFormPolicy are the rows about what a form has in common with all requests.
func prismaticFormPolicy(t *testing.T) {
	t.Helper()
	row(t, "P-59 a form is sent again byte by byte: after a 503", func(r *Row) {
		s := r.serve(unavailable, connectiontest.Status(http.StatusOK))
		r.NoError(request.Post(r.open(s), "/up").Body(form).Retry(connection.Retry{Max: 1}).Exec(r.ctx()))
		sent := r.Sent(s, 2)
		r.Multipart(sent[0], formBytes)
		r.Equal("the second body", string(sent[1].Body), string(sent[0].Body))
		r.Equal("its boundary", sent[1].Header["Content-Type"], sent[0].Header["Content-Type"])
	})
	row(t, "P-59 a form is sent again byte by byte: after a redirect", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusPermanentRedirect).Header("Location", "/v1/else"),
			connectiontest.Status(http.StatusOK))
		r.NoError(request.Put(r.open(s), "/up").Body(form).Exec(r.ctx()))
		sent := r.Sent(s, 2)
		r.Line(sent[1], "PUT /v1/else HTTP/1.1")
		r.Equal("the second body", string(sent[1].Body), string(sent[0].Body))
	})
	timed(t, "P-59 a form has the timeout of a request", func(r *Row) {
		s := r.serve(connectiontest.Status(http.StatusOK).Delay(time.Hour))
		began := time.Now()
		err := request.Post(r.open(s), "/up").Body(form).Timeout(time.Second).Exec(r.ctx())
		r.Equal("the phase", as[*connection.TimeoutError](r, err).Phase, connection.PhaseAttempt)
		r.Equal("the time it took", time.Since(began), time.Second)
	})
	row(t, "P-59 a form has the answers of a request", func(r *Row) {
		s := r.serve(connectiontest.JSON(http.StatusOK, item{7}))
		got, err := request.Do[item](r.ctx(), request.Post(r.open(s), "/up").Body(form))
		r.NoError(err)
		r.Equal("answer", got, item{7})
	})
}

func TestPrismaticPerAction(t *testing.T) {
	t.Parallel()
	retries := func(n int) connection.Option { return connection.WithRetry(connection.Retry{Max: n}) }
	for _, tt := range []struct {
		name   string
		option connection.Option
		change func(b request.Builder) request.Builder
		reply  http.Handler
		// The number of requests by the connection's policy, and by the request's own.
		want, changed int
	}{
		{
			"retries, fewer", retries(3),
			func(b request.Builder) request.Builder { return b.Retry(connection.NoRetry()) },
			unavailable, 4, 1,
		},
		{
			"retries, more", retries(0),
			func(b request.Builder) request.Builder { return b.Retry(connection.Retry{Max: 2}) },
			unavailable, 1, 3,
		},
		{
			"what is retried", retries(1),
			func(b request.Builder) request.Builder {
				return b.Retry(connection.Retry{Max: 1, On: connection.OnStatus(http.StatusNotFound)})
			},
			connectiontest.Status(http.StatusNotFound), 1, 2,
		},
		{
			"redirects, fewer", connection.WithMaxRedirects(5),
			func(b request.Builder) request.Builder { return b.MaxRedirects(0) },
			countdown, 4, 1,
		},
		{
			"redirects, more", connection.WithMaxRedirects(0),
			func(b request.Builder) request.Builder { return b.MaxRedirects(3) },
			countdown, 1, 4,
		},
	} {
		row(t, "P-60 a request has a policy of its own: "+tt.name, func(r *Row) {
			s := r.serve(tt.reply)
			b := request.Get(r.open(s, tt.option), hop(3))
			_ = b.Exec(r.ctx())
			r.Sent(s, tt.want)
			_ = tt.change(b).Exec(r.ctx())
			r.Sent(s, tt.want+tt.changed)
			_ = b.Exec(r.ctx())
			r.Sent(s, tt.want+tt.changed+tt.want)
		})
	}
	timed(t, "P-60 a request has a policy of its own: the delay", func(r *Row) {
		c := &clocked{next: unavailable}
		s := r.serve(c)
		wait := connection.Retry{Max: 1, Wait: connection.Constant(10 * time.Second)}
		b := request.Get(r.open(s, connection.WithRetry(wait)), "/x")
		_ = b.Exec(r.ctx())
		_ = b.Retry(connection.Retry{Max: 1, Wait: connection.Constant(time.Second)}).Exec(r.ctx())
		r.Sent(s, 4)
		r.Equal("waits", c.waits(), []time.Duration{10 * time.Second, 0, time.Second})
	})
	row(t, "P-60 a request has a policy of its own: the credential", func(r *Row) {
		s := r.serve()
		conn := r.open(s, withKey)
		b := request.Get(conn, "/x")
		r.NoError(b.Auth(auth.Bearer(auth.Static(secrets.Static("t1")))).Exec(r.ctx()))
		r.NoError(b.Auth(auth.None()).Exec(r.ctx()))
		r.NoError(b.Exec(r.ctx()))
		sent := r.Sent(s, 3)
		r.Lines(sent[0], "Authorization", "Authorization: Bearer t1")
		r.Lines(sent[1], "Authorization")
		r.Lines(sent[2], "Authorization", "Authorization: Basic abc")
	})
	row(t, "P-60 a request has a policy of its own: the log", func(r *Row) {
		s := r.serve()
		var common, own logbook
		b := request.Get(r.open(s, connection.WithDebug(common.logger())), "/x")
		r.NoError(b.Exec(r.ctx()))
		common.entries(r, 1)
		r.NoError(b.Debug(own.logger()).Exec(r.ctx()))
		common.entries(r, 1)
		own.entries(r, 1)
	})
	row(t, "P-60 a request has a policy of its own: the form of the answer", func(r *Row) {
		s := r.serve()
		b := request.Get(r.open(s, connection.WithHeader("Accept", "application/vnd.v2+json")), "/x")
		for _, b := range []request.Builder{b, b.Header("Accept", "text/csv")} {
			got, err := request.Do[string](r.ctx(), b)
			r.NoError(err)
			r.Equal("text", got, `{"id":1}`)
		}
		sent := r.Sent(s, 2)
		r.Line(sent[0], "Accept: application/vnd.v2+json")
		r.Line(sent[1], "Accept: text/csv")
	})
}
