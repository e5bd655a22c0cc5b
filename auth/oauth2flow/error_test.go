package oauth2flow_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		reply  connectiontest.Reply
		code   string
		is     error // nil for a passing fault
		status int
	}{
		{
			"invalid_grant", connectiontest.JSON(400, object{"error": "invalid_grant"}), "invalid_grant",
			auth.ErrInvalidGrant, 400,
		},
		{
			"invalid_client", connectiontest.JSON(401, object{"error": "invalid_client"}), "invalid_client",
			auth.ErrClientRejected, 401,
		},
		{
			"unauthorized_client", connectiontest.JSON(400, object{"error": "unauthorized_client"}), "unauthorized_client",
			auth.ErrClientRejected, 400,
		},
		{
			"unsupported_grant_type", connectiontest.JSON(400, object{"error": "unsupported_grant_type"}),
			"unsupported_grant_type", auth.ErrClientRejected, 400,
		},
		{
			"invalid_scope", connectiontest.JSON(400, object{"error": "invalid_scope"}), "invalid_scope",
			auth.ErrClientRejected, 400,
		},
		{
			"S24 an error with a 200", connectiontest.JSON(200, object{"error": "invalid_grant", "access_token": "t"}),
			"invalid_grant", auth.ErrInvalidGrant, 200,
		},
		{
			"S24 an error with a 200 that is an object",
			connectiontest.JSON(200, object{"error": object{"code": 1}, "access_token": "t"}), "", nil, 200,
		},
		{"a code of its own", connectiontest.JSON(400, object{"error": "slow_down"}), "slow_down", nil, 400},
		{"S51 400 without a code", connectiontest.JSON(400, object{"message": "no"}), "", nil, 400},
		{"S51 403 of a proxy", connectiontest.Text(403, "<p>invalid_grant"), "", nil, 403},
		{"S51 429", connectiontest.Status(429), "", nil, 429},
		{"S51 500", connectiontest.Text(500, "invalid_grant"), "", nil, 500},
		{"a code that is there twice", connectiontest.Text(400, `{"error":"invalid_grant","error":"x"}`), "", nil, 400},
		{"a code in another case", connectiontest.JSON(400, object{"Error": "invalid_grant"}), "", nil, 400},
		{"a code with a line end", connectiontest.JSON(400, object{"error": "invalid_grant\n"}), "", nil, 400},
		{"a page that is too large", connectiontest.Text(503, strings.Repeat("x", 2<<20)), "", nil, 503},
		{
			"a form, unasked for", connectiontest.Text(400, "error=invalid_grant").Header("Content-Type", formType), "",
			nil, 400,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, test.reply)
			err := refused(t, oauth2flow.ClientCredentials(clientOf(s)), nil)
			e := as[*oauth2flow.Error](t, err)
			equal(t, "status", e.Status, test.status)
			equal(t, "code", e.Code, test.code)
			equal(t, "invalid grant", errors.Is(err, auth.ErrInvalidGrant), errors.Is(test.is, auth.ErrInvalidGrant))
			equal(t, "client rejected", errors.Is(err, auth.ErrClientRejected), errors.Is(test.is, auth.ErrClientRejected))
			r := as[*oauth2.RetrieveError](t, err)
			equal(t, "status of package oauth2", r.Response.StatusCode, test.status)
			equal(t, "code of package oauth2", r.ErrorCode, test.code)
			equal(t, "body of package oauth2", string(r.Body), "")
			if r.Error() == "" {
				t.Error("package oauth2 has nothing to say")
			}
			sent(t, s, 1)
		})
	}
	t.Run("a form, where that is accepted", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.Text(400, "error=invalid_grant").Header("Content-Type", formType))
		c := clientOf(s, func(c *client) { c.AcceptForm = true })
		is(t, refused(t, oauth2flow.ClientCredentials(c), nil), auth.ErrInvalidGrant)
	})
	t.Run("Retry-After", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.Status(503).Header("Retry-After", "7"))
		e := as[*oauth2flow.Error](t, refused(t, oauth2flow.ClientCredentials(clientOf(s)), nil))
		equal(t, "delay", e.RetryAfter, 7*time.Second)
	})
}

func TestF3ErrorTexts(t *testing.T) {
	t.Parallel()
	answer := func(description string) (*oauth2flow.Error, string) {
		s := serve(t, connectiontest.JSON(400, object{
			"error": "invalid_request", "error_description": description, "error_uri": "https://e.test/" + description,
		}))
		e := as[*oauth2flow.Error](t, refused(t, oauth2flow.ClientCredentials(clientOf(s)), nil))
		text := e.Error()
		return e, text
	}
	t.Run("F3 code and description", func(t *testing.T) {
		t.Parallel()
		_, text := answer("no such scope")
		equal(t, "text", text, "oauth2flow: https://auth.example.test/token answered 400: invalid_request: no such scope")
	})
	t.Run("what to do is told", func(t *testing.T) {
		t.Parallel()
		for code, want := range map[string]string{
			"invalid_client":         "; check ID, Secret and Auth: InBody() or InHeader()",
			"unauthorized_client":    "; the client may not use this grant at this server",
			"unsupported_grant_type": "; the client may not use this grant at this server",
			"invalid_grant":          "",
		} {
			s := serve(t, connectiontest.JSON(400, object{"error": code, "error_description": "no"}))
			c := clientOf(s, func(c *client) { c.TokenURL += "?key=of-query" })
			err := refused(t, oauth2flow.ClientCredentials(c), nil)
			equal(t, "text", err.Error(), "oauth2flow: https://auth.example.test/token answered 400: "+code+": no"+want)
			hides(t, err, "of-query")
		}
		equal(t, "text of a caller's own", (&oauth2flow.Error{Status: 400}).Error(),
			"oauth2flow: the authorization server answered 400")
	})
	t.Run("F3 at most 200 bytes", func(t *testing.T) {
		t.Parallel()
		for _, long := range []string{strings.Repeat("x", 1000), strings.Repeat("é", 1000), strings.Repeat("\x1b", 1000)} {
			e, text := answer(long)
			if len(e.Description) > 200 || len(e.URI) > 200 || len(text) > 300 || !strings.HasSuffix(text, "[...]") {
				t.Errorf("the error is %q", text)
			}
		}
	})
	t.Run("F3 control bytes are escaped", func(t *testing.T) {
		t.Parallel()
		e, text := answer("a\r\nb\x1b[31m")
		equal(t, "description", e.Description, `a\r\nb\x1b[31m`)
		if strings.ContainsAny(text+chain(e), "\r\x1b") {
			t.Errorf("the error is %q", text)
		}
	})
}

// TestEchoes has servers that send the request back, in all the ways they do.
func TestS47Echoes(t *testing.T) {
	t.Parallel()
	const (
		secret, refresh = "client/secret 1", "refresh+token=1"
		password        = "pass&word <1>"
		param           = "parameter-1"
		header          = "header-value-1"
		subject         = "subject-token-1"
	)
	basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape("cid-12345") + ":" + url.QueryEscape(secret)))
	all := []string{secret, refresh, password, param, header, subject, basic,
		url.QueryEscape(secret), url.QueryEscape(refresh), url.QueryEscape(password)}
	owner := oauth2flow.ResourceOwner{Username: "bob-the-owner", Password: secrets.Static(password), AcceptRisk: true}
	grants := map[string]func(c client) auth.Grant{
		"client credentials": oauth2flow.ClientCredentials,
		"password":           func(c client) auth.Grant { return oauth2flow.Password(c, owner) },
		"refresh":            func(c client) auth.Grant { return oauth2flow.Refresh(c, secrets.Static(refresh)) },
		"assertion": func(c client) auth.Grant {
			return oauth2flow.Assertion(c, oauth2flow.JWTBearer, secrets.Static(subject))
		},
		"exchange": func(c client) auth.Grant {
			x := oauth2flow.Exchange{Subject: secrets.Static(subject), Actor: secrets.Static(refresh)}
			return oauth2flow.TokenExchange(c, x)
		},
		"custom": func(c client) auth.Grant {
			x := oauth2flow.Custom{Secrets: map[string]secrets.Provider{"k": secrets.Static(password)}}
			return oauth2flow.CustomGrant(c, x)
		},
	}
	echo := func(in string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			_ = req.ParseForm()
			said := []string{req.Header.Get("Authorization"), req.Header.Get("X-Key")}
			if _, password, ok := req.BasicAuth(); ok {
				plain, _ := url.QueryUnescape(password)
				said = append(said, password, plain)
			}
			for _, v := range req.PostForm {
				said = append(said, v[0], url.QueryEscape(v[0]))
			}
			connectiontest.JSON(400, object{in: strings.Join(said, " ")}).ServeHTTP(w, req)
		})
	}
	for name, grantOf := range grants {
		for _, method := range []oauth2flow.ClientAuth{oauth2flow.InBody(), oauth2flow.InHeader(), oauth2flow.InHeaderRaw()} {
			for _, in := range []string{"error", "error_description", "error_uri", "message"} {
				t.Run("F3 S47 "+name+" "+method.String()+" "+in, func(t *testing.T) {
					t.Parallel()
					s := serve(t, echo(in))
					c := clientOf(s, func(c *client) {
						c.ID, c.Secret, c.Auth = "cid-12345", secrets.Static(secret), method
						c.Params = oauth2flow.Params{{"extra", param}}
						c.Header = http.Header{"X-Key": {header}}
						c.RevocationURL, c.IntrospectionURL = s.URL+"/revoke", s.URL+"/introspect"
					})
					g := grantOf(c)
					hides(t, c, all...)
					hides(t, g, all...)
					hides(t, g.Traits(), all...)
					hides(t, refused(t, g, nil), all...)
					hides(t, oauth2flow.Revoke(t.Context(), c, secrets.Static(refresh), ""), all...)
					_, err := oauth2flow.Introspect(t.Context(), c, secrets.Static(subject), "")
					hides(t, err, all...)
				})
			}
		}
	}
	hides(t, owner, all...)
	hides(t, struct{ inner oauth2flow.ResourceOwner }{owner}, password)
	hides(t, oauth2flow.Exchange{Subject: secrets.Static(subject)}, all...)
	hides(t, oauth2flow.Custom{Secrets: map[string]secrets.Provider{"k": secrets.Static(password)}}, all...)
}

// TestEscapedEchoes has servers that send a secret back in other letters.
func TestS47EscapedEchoes(t *testing.T) {
	t.Parallel()
	const secret = "p&ss/<w0rd>'9 x"
	for name, echo := range map[string]string{
		"S47 HTML":                       "100% bad: p&amp;ss/&lt;w0rd&gt;&#39;9 x",
		"S47 HTML, in another way":       "bad: p&#x26;ss&#47;<w0rd>'9 x",
		"S47 percent":                    "100% bad: p%26ss%2f%3cw0rd%3e%279%20x",
		"S47 percent, with a plus":       "bad: a=p%26ss%2f%3cw0rd%3e%279+x&b=%zz",
		"S47 percent in HTML":            "bad: p&#37;26ss%2f%3cw0rd%3e%279+x",
		"S47 percent of percent":         "bad: p%2526ss%252f%253cw0rd%253e%25279%2520x",
		"S47 JSON":                       `bad: p\u0026ss\/<w0rd>'9 x`,
		"S47 one letter that is escaped": "bad: p&ss/<w0r%64>'9 x",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, connectiontest.JSON(400, object{
				"error": "invalid_client", "error_description": echo, "error_uri": "https://e.test/?" + echo,
			}))
			c := clientOf(s, func(c *client) { c.Secret = secrets.Static(secret) })
			e := as[*oauth2flow.Error](t, refused(t, oauth2flow.ClientCredentials(c), nil))
			equal(t, "texts", []string{e.Code, e.Description, e.URI}, []string{"invalid_client", "[REDACTED]", "[REDACTED]"})
		})
	}
	t.Run("what is escaped and no secret is shown", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(400, object{"error": "x", "error_description": "a &amp; b%2fc+d"}))
		e := as[*oauth2flow.Error](t, refused(t, oauth2flow.ClientCredentials(clientOf(s)), nil))
		equal(t, "description", e.Description, "a &amp; b%2fc+d")
	})
}

func TestFaultsOfTheNetwork(t *testing.T) {
	t.Parallel()
	t.Run("a refused connection", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		s.Refuse()
		err := refused(t, oauth2flow.ClientCredentials(clientOf(s)), nil)
		is(t, err, syscall.ECONNREFUSED)
		hides(t, err, "csec", "/token")
	})
	t.Run("an answer that breaks off", func(t *testing.T) {
		t.Parallel()
		s := serve(t, text(`{"access_token":"t1"}`).Header("Content-Length", "100"))
		fails(t, oauth2flow.ClientCredentials(clientOf(s)), nil)
		sent(t, s, 1)
	})
	t.Run("S20 the limit is 30 s if the context has none", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, issued.Delay(time.Hour))
			began := time.Now()
			_, err := oauth2flow.ClientCredentials(clientOf(s)).Obtain(context.WithoutCancel(t.Context()), nil)
			is(t, err, context.DeadlineExceeded)
			equal(t, "time that passed", time.Since(began), 30*time.Second)
		})
	})
	t.Run("S20 a context that has a limit has the say", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, issued.Delay(time.Minute))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			if _, err := oauth2flow.ClientCredentials(clientOf(s)).Obtain(ctx, nil); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("a secret that is missing", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		c := clientOf(s, func(c *client) { c.Secret = secrets.Env("RESTCONN_TEST_NO_SUCH_SECRET") })
		is(t, refused(t, oauth2flow.ClientCredentials(c), nil), secrets.ErrNotFound)
		equal(t, "connections", s.Conns(), 0)
	})
}
