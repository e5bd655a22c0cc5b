package oauth2flow_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestAnswersThatAreTokens(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]http.Handler{
		"S24 JSON":                              issued,
		"S24 JSON under any content type":       connectiontest.Text(200, `{"access_token":"t1"}`),
		"Q-088 any success is one":              connectiontest.JSON(201, object{"access_token": "t1"}),
		"F2 a byte order mark":                  text("\xef\xbb\xbf" + ` {"access_token":"t1"} `),
		"F5 a bearer token in any case":         text(`{"access_token":"t1","token_type":"bEARER"}`),
		"F5 a token type that is empty":         connectiontest.JSON(200, object{"access_token": "t1", "token_type": ""}),
		"no error is no error":                  text(`{"error":null,"access_token":"t1"}`),
		"an empty error is no error":            text(`{"error":"","access_token":"t1"}`),
		"that there is no error is no error":    text(`{"error":false,"access_token":"t1"}`),
		"S24 another name is another member":    text(`{"Access_Token":"no","access_token":"t1","ACCESS_TOKEN":"no"}`),
		"a name may be escaped":                 text(`{"access\u005ftoken":"t1"}`),
		"what is not known may be nested":       text(`{"a":{"access_token":"no"},"access_token":"t1"}`),
		"a refresh token of null":               text(`{"access_token":"t1","refresh_token":null}`),
		"F2 a form, where that is accepted":     form(200, "access_token=t1&scope="),
		"JSON where a form is accepted as well": issued,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, reply)
			g := oauth2flow.ClientCredentials(clientOf(s, func(c *client) {
				c.AcceptForm = strings.Contains(name, "accepted")
			}))
			equal(t, "token", obtain(t, g, nil).Value.Reveal(), "t1")
		})
	}
}

const formType = "application/x-www-form-urlencoded"

// form is an answer that is a form.
func form(status int, body string) connectiontest.Reply {
	return connectiontest.Text(status, body).Header("Content-Type", formType)
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	token := func(v any) connectiontest.Reply { return connectiontest.JSON(200, object{"access_token": v}) }
	kind := func(v any) connectiontest.Reply {
		return connectiontest.JSON(200, object{"access_token": "LEAK", "token_type": v})
	}
	for name, c := range map[string]struct {
		reply http.Handler
		want  error // or nil for any
	}{
		"F2 HTML": {
			connectiontest.Text(200, "<p>LEAK</p>").Header("Content-Type", "text/html; charset=utf-8"), oauth2flow.ErrNotJSON,
		},
		"F2 a form": {
			connectiontest.Text(200, "access_token=LEAK").Header("Content-Type", formType), oauth2flow.ErrNotJSON,
		},
		"F2 nothing":          {connectiontest.Status(204), oauth2flow.ErrNotJSON},
		"F2 an array":         {text(`["LEAK"]`), oauth2flow.ErrNotJSON},
		"F2 null":             {text(`null`), oauth2flow.ErrNotJSON},
		"F2 breaks off":       {text(`{"access_token":"LEAK"`), oauth2flow.ErrNotJSON},
		"F2 more behind it":   {text(`{"access_token":"LEAK"}{}`), oauth2flow.ErrNotJSON},
		"F2 a comma too many": {text(`{"access_token":"LEAK",}`), oauth2flow.ErrNotJSON},
		"F2 nested too deep": {
			text(strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)), oauth2flow.ErrNotJSON,
		},
		"F2 S24 twice":          {text(`{"access_token":"LEAK","access_token":"LEAK2"}`), nil},
		"F2 S24 twice, escaped": {text(`{"access_token":"LEAK","access\u005ftoken":"LEAK2"}`), nil},
		"F2 S24 any name twice": {text(`{"access_token":"LEAK","x":1,"x":1}`), nil},
		"F2 S20 too large": {
			text(`{"access_token":"LEAK","x":"` + strings.Repeat("x", 1<<20) + `"}`), oauth2flow.ErrTooLarge,
		},
		"S24 in another case":     {text(`{"Access_Token":"LEAK"}`), nil},
		"S24 no token":            {text(`{"token_type":"bearer"}`), nil},
		"S24 an empty token":      {token(""), nil},
		"S24 a number as token":   {token(12345), nil},
		"S24 null as token":       {token(nil), nil},
		"S24 an object as token":  {token(object{"LEAK": "LEAK"}), nil},
		"F4 a line end":           {token("LEAK\r\nX: y"), nil},
		"F4 a space":              {token("LEAK x"), nil},
		"F4 NUL":                  {token("LEAK\x00"), nil},
		"F4 DEL":                  {token("LEAK\x7f"), nil},
		"F4 not ASCII":            {token("LEAKé"), nil},
		"F4 1 MB":                 {token(strings.Repeat("LEAK", 17<<10)), nil},
		"F5 S25 mac":              {kind("mac"), oauth2flow.ErrTokenType},
		"F5 S25 DPoP":             {kind("DPoP"), oauth2flow.ErrTokenType},
		"F5 S25 N_A":              {kind("N_A"), oauth2flow.ErrTokenType},
		"F5 S25 a number":         {kind(1), oauth2flow.ErrTokenType},
		"a refresh token of 1":    {text(`{"access_token":"LEAK","refresh_token":1}`), nil},
		"a refresh token with LF": {text(`{"access_token":"LEAK","refresh_token":"LEAK\n"}`), nil},
		"a scope that is none":    {text(`{"access_token":"LEAK","scope":{}}`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.reply)
			err := refused(t, oauth2flow.ClientCredentials(clientOf(s)), nil)
			e := as[*oauth2flow.AnswerError](t, err)
			if c.want != nil {
				is(t, err, c.want)
			}
			if e.Status != 200 && e.Status != 204 {
				t.Errorf("status is %d", e.Status)
			}
			hides(t, err, "LEAK", "csec")
			equal(t, "invalid grant", errors.Is(err, auth.ErrInvalidGrant), false)
			lasting := errors.Is(c.want, oauth2flow.ErrTokenType)
			equal(t, "client rejected", errors.Is(err, auth.ErrClientRejected), lasting)
			equal(t, "what to do is told", strings.Contains(err.Error(), "AcceptTokenTypes accepts others"), lasting)
			sent(t, s, 1)
		})
	}
	t.Run("F2 HTML is named", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.Text(200, "<p>").Header("Content-Type", "text/html"))
		err := refused(t, oauth2flow.ClientCredentials(clientOf(s)), nil)
		equal(t, "error", err.Error(), "oauth2flow: the answer of https://auth.example.test/token, of status 200, cannot be "+
			"used: it is not a JSON object but HTML: is this the URL of the endpoint?")
	})
	t.Run("F5 S25 a type that is accepted", func(t *testing.T) {
		t.Parallel()
		s := serve(t, kind("N_A"))
		c := clientOf(s, func(c *client) { c.AcceptTokenTypes = []string{"n_a"} })
		obtain(t, oauth2flow.ClientCredentials(c), nil)
	})
	t.Run("a token exchange has to tell the type of what is issued", func(t *testing.T) {
		t.Parallel()
		s := serve(t, issued, connectiontest.JSON(200, object{"access_token": "t1", "issued_token_type": "urn:x"}))
		g := oauth2flow.TokenExchange(clientOf(s), oauth2flow.Exchange{Subject: secrets.Static("s")})
		_ = as[*oauth2flow.AnswerError](t, refused(t, g, nil))
		equal(t, "type", obtain(t, g, nil).Extra["issued_token_type"].Reveal(), "urn:x")
	})
}

func TestF2AnswerWithoutEnd(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	s := n.ServeRaw("https://auth.example.test", func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n{\"access_token\":\""))
		part := []byte(strings.Repeat("x", 64<<10))
		for range 1600 { // 100 MiB
			if _, err := conn.Write(part); err != nil {
				return
			}
		}
		t.Error("all of it was read")
	})
	is(t, refused(t, oauth2flow.ClientCredentials(clientOf(s)), nil), oauth2flow.ErrTooLarge)
}

func TestF1Redirects(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{"/other", "https://evil.example.test/token", "http://auth.example.test/token"} {
			t.Run(fmt.Sprintf("F1 S18 %d to %s", status, target), func(t *testing.T) {
				t.Parallel()
				n := connectiontest.NewNetwork(t)
				s := n.Serve("https://auth.example.test", connectiontest.Status(status).Header("Location", target))
				evil := n.Serve("https://evil.example.test", issued)
				plain := n.Serve("http://auth.example.test", issued)
				c := clientOf(s, func(c *client) {
					c.RevocationURL, c.IntrospectionURL = s.URL+"/revoke", s.URL+"/introspect"
				})
				c.RefreshURL = s.URL + "/refresh"
				_, err := oauth2flow.Introspect(t.Context(), c, secrets.Static("t1"), "")
				for name, err := range map[string]error{
					"TokenURL":         refused(t, oauth2flow.ClientCredentials(c), nil),
					"RefreshURL":       refused(t, oauth2flow.Refresh(c, secrets.Static("r1")), nil),
					"RevocationURL":    oauth2flow.Revoke(t.Context(), c, secrets.Static("t1"), ""),
					"IntrospectionURL": err,
				} {
					is(t, err, oauth2flow.ErrRedirect)
					if !strings.HasSuffix(err.Error(), ": "+name+" has to be the final one") {
						t.Errorf("%v does not tell that it is about %s", err, name)
					}
					equal(t, "status", as[*oauth2flow.AnswerError](t, err).Status, status)
					hides(t, err, "evil", "csec")
				}
				sent(t, s, 4)
				equal(t, "connections elsewhere", evil.Conns()+plain.Conns(), 0)
			})
		}
	}
}

// until2002 is how long a bubble waits for the year from which numbers are known to be times.
const until2002 = 731 * 24 * time.Hour

func TestExpiry(t *testing.T) {
	t.Parallel()
	jwt := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".sig"
	}
	const day = 24 * time.Hour
	tests := []struct {
		name, answer string
		want         time.Duration // 0 for an unknown end
	}{
		{"E9 a number", `{"access_token":"t","expires_in":3600}`, time.Hour},
		{"E9 a text", `{"access_token":"t","expires_in":"3600"}`, time.Hour},
		{"E9 a fraction", `{"access_token":"t","expires_in":3600.5}`, time.Hour + 500*time.Millisecond},
		{"E9 a short life", `{"access_token":"t","expires_in":5}`, 5 * time.Second},
		{"E9 huge", `{"access_token":"t","expires_in":9e99}`, 10 * 365 * day},
		{"E9 missing", `{"access_token":"t"}`, 0},
		{"E9 null", `{"access_token":"t","expires_in":null}`, 0},
		{"E9 0", `{"access_token":"t","expires_in":0}`, 0},
		{"E9 negative", `{"access_token":"t","expires_in":-1}`, 0},
		{"E9 cannot be read", `{"access_token":"t","expires_in":"soon"}`, 0},
		{"E9 an object", `{"access_token":"t","expires_in":{"s":1}}`, 0},
		{"seconds since 1970 as text", `{"access_token":"t","expires_on":"1009846800"}`, time.Hour},
		{"a date", `{"access_token":"t","expires_at":"2002-01-01T02:00:00Z"}`, 2 * time.Hour},
		{"expires_in is the first", `{"access_token":"t","expires_at":"2002-01-01T02:00:00Z","expires_in":60}`, time.Minute},
		{
			"the next if the first says nothing",
			`{"access_token":"t","expires_in":0,"expires_at":"2002-01-01T02:00:00Z"}`, 2 * time.Hour,
		},
		{"Q-129 a member of that name", `{"access_token":"t","access_token_validity":60,"expires_in":5}`, time.Minute},
		{"the exp of a JWT", `{"access_token":"` + jwt(`{"exp":1e10}`) + `"}`, 10 * 365 * day},
		{"F12 a JWT with many dots", `{"access_token":"` + strings.Repeat("e30.", 1<<13) + `"}`, 0},
		{"a JWT that is no JWT", `{"access_token":"a.b.c"}`, 0},
		{"a JWT whose exp has passed", `{"access_token":"` + jwt(`{"exp":1009843199}`) + `"}`, 0},
		{"a JWT whose exp is there twice", `{"access_token":"` + jwt(`{"exp":1009850000,"exp":1}`) + `"}`, 0},
		{"a JWT whose exp is soon", `{"access_token":"` + jwt(`{"exp":1009843260}`) + `"}`, time.Minute},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(until2002)
				s := serve(t, text(test.answer))
				token := obtain(t, oauth2flow.ClientCredentials(clientOf(s, func(c *client) {
					c.ExpiryField = "access_token_validity"
				})), nil)
				equal(t, "obtained", token.Obtained.Equal(time.Now()), true)
				if test.want == 0 {
					equal(t, "no expiry", token.Expiry.IsZero(), true)
					return
				}
				equal(t, "life", time.Until(token.Expiry), test.want)
			})
		})
	}
	t.Run("Q-129 a member of that name that cannot be read is an error", func(t *testing.T) {
		t.Parallel()
		s := serve(t, text(`{"access_token":"t","until":"soon"}`))
		c := clientOf(s, func(c *client) { c.ExpiryField = "until" })
		_ = as[*oauth2flow.AnswerError](t, refused(t, oauth2flow.ClientCredentials(c), nil))
	})
	t.Run("E19 the clock of the server does not matter to a lifetime, and is corrected for a time", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(until2002)
			ahead := time.Now().Add(time.Hour)
			reply := func(body string) http.Handler {
				return text(body).Header("Date", ahead.UTC().Format(http.TimeFormat))
			}
			s := serve(t, reply(`{"access_token":"t","expires_in":60}`),
				reply(fmt.Sprintf(`{"access_token":"t","expires_at":%d}`, ahead.Unix()+60)))
			g := oauth2flow.ClientCredentials(clientOf(s))
			for range 2 {
				equal(t, "life", time.Until(obtain(t, g, nil).Expiry), time.Minute)
			}
		})
	})
}

func TestExtra(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 4<<10)
	s := serve(t,
		text(`{"access_token":"t","refresh_token":"r","scope":"a","expires_in":1,"token_type":"bearer",`+
			`"instance_url":"https://eu1.test","n":1.50,"b":true,"o":{},"z":null,"long":"`+long+`x","fits":"`+long+`",`+
			`"id_token":"`+long+long+`"}`),
		connectiontest.JSON(200, func() object {
			o := object{"access_token": "t"}
			for i := range 100 {
				o[fmt.Sprint("k", i)] = "v"
			}
			return o
		}()))
	g := oauth2flow.ClientCredentials(clientOf(s))
	got := make(map[string]string)
	for name, value := range obtain(t, g, nil).Extra {
		got[name] = value.Reveal()
	}
	equal(t, "extra", got, map[string]string{
		"instance_url": "https://eu1.test", "n": "1.50", "fits": long, "id_token": long + long,
	})
	equal(t, "most", len(obtain(t, g, nil).Extra), 32)
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"t"}`, `{"error":"invalid_grant"}`, `{"access_token":"t","expires_in":"P1D","scope":["a"]}`,
		`{"access_token":"a.eyJleHAiOjFlOX0.c"}`, "\xef\xbb\xbf{}", `[]`, `{"a":1,"a":2}`,
	} {
		f.Add(200, seed, "application/json")
		f.Add(400, seed, formType)
	}
	f.Fuzz(func(t *testing.T, status int, body, contentType string) {
		if status < 200 || status > 599 {
			return
		}
		answer := roundTrip(func(req *http.Request) (*http.Response, error) {
			rec := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {contentType}}, Request: req}
			rec.Body = readCloser{strings.NewReader(body)}
			return rec, nil
		})
		g := oauth2flow.Refresh(client{
			ID: "cid", TokenURL: "https://auth.example.test/token", AcceptForm: true,
			Endpoint: auth.Endpoint{Client: &http.Client{Transport: answer}},
		}, secrets.Static("r1r1r1r1"))
		token, err := g.Obtain(t.Context(), nil)
		if (token == nil) == (err == nil) {
			t.Fatalf("there are a token and the error %v", err)
		}
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n\x00\x1b") || len(err.Error()) > 1000 {
				t.Errorf("the error is %q", err)
			}
			return
		}
		if v := token.Value.Reveal(); v == "" || strings.ContainsAny(v, " \r\n\x00\x7f") || status/100 != 2 {
			t.Errorf("%d with %q makes the token %q", status, body, v)
		}
	})
}

type roundTrip func(req *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }
