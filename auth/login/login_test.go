package login_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestStep(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		base string
		step login.Step
		line string
		head []string
		body string
	}{
		{"K-19 the method is POST", "", login.Step{}, "POST /login", []string{"Content-Length: 0", "Content-Type:"}, ""},
		{
			"K-19 a GET has no body", "", login.Step{Method: "GET"},
			"GET /login", []string{"Content-Length:", "Content-Type:"}, "",
		},
		{"K-19 a PUT", "", login.Step{Method: "PUT", JSON: 1}, "PUT /login", []string{typeJSON}, "1"},
		{"K-19 a PATCH", "", login.Step{Method: "PATCH", JSON: 1}, "PATCH /login", []string{typeJSON}, "1"},
		{"K-19 a DELETE", "", login.Step{Method: "DELETE"}, "DELETE /login", nil, ""},
		{"K-20 the path is joined", "/v1", login.Step{Path: "/auth/login"}, "POST /v1/auth/login", nil, ""},
		{"K-20 with one slash", "/v1/", login.Step{Path: "auth/login"}, "POST /v1/auth/login", nil, ""},
		{"K-20 with one slash of two", "/v1/", login.Step{Path: "/auth/login"}, "POST /v1/auth/login", nil, ""},
		{"K-20 a slash at the end stays", "", login.Step{Path: "/auth/login/"}, "POST /auth/login/", nil, ""},
		{
			"K-21 a query", "/v1", login.Step{Path: "/auth/login", Query: login.Fields("tenant", "acme")},
			"POST /v1/auth/login?tenant=acme", nil, "",
		},
		{
			"K-21 queries are added in order", "", login.Step{Path: "/a?z=1", Query: login.Fields("b", "2", "a", "3", "b", "4")},
			"POST /a?z=1&b=2&a=3&b=4", nil, "",
		},
		{
			"K-24 a Content-Type takes the place of the body's", "",
			login.Step{JSON: map[string]int{"a": 1}, Header: login.Fields("content-type", "application/vnd.api+json")},
			"POST /login", []string{"Content-Type: application/vnd.api+json"}, `{"a":1}`,
		},
		{
			"K-24 a Content-Type says how raw text is escaped", "",
			login.Step{Raw: `{"a":1}`, Header: login.Fields("Content-Type", "application/vnd.api+json")},
			"POST /login", []string{"Content-Type: application/vnd.api+json"}, `{"a":1}`,
		},
		{
			"K-25 a form", "", login.Step{Form: login.Fields("key1", "value1", "key2", "value2")},
			"POST /login", []string{typeForm, "Content-Length: 23"}, "key1=value1&key2=value2",
		},
		{
			"K-26 a form is encoded", "", login.Step{Form: login.Fields("pw", "é=1", "user name", "a b&c")},
			"POST /login", []string{typeForm}, "pw=%C3%A9%3D1&user+name=a+b%26c",
		},
		{
			"K-27 JSON without escapes for HTML", "", login.Step{JSON: map[string]string{"u": "<a>"}},
			"POST /login", []string{typeJSON, "Content-Length: 11"}, `{"u":"<a>"}`,
		},
		{"XML", "", login.Step{XML: "<a/>"}, "POST /login", []string{"Content-Type: application/xml"}, "<a/>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := simple(tt.step)
			cfg.BaseURL += tt.base
			_, requests := obtain(t, cfg, t1())
			wantLine(t, requests[0], tt.line+" HTTP/1.1")
			wantHead(t, requests[0], tt.head)
			wantBody(t, requests[0], tt.body)
		})
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	cfg := simple(login.Step{Multipart: []login.Part{
		{Name: "user", Value: "{{user}}"},
		{Name: "key", Value: "{{key}}", FileName: "k.pem", ContentType: "application/x-pem-file"},
	}})
	cfg.Params, cfg.Secrets = map[string]string{"user": "a\r\n--b"}, static("key", "PEM")
	_, requests := obtain(t, cfg, t1())
	boundary, ok := strings.CutPrefix(requests[0].Header.Get("Content-Type"), "multipart/form-data; boundary=")
	if !ok || len(boundary) < 26 {
		t.Fatalf("Content-Type is %q", requests[0].Header.Get("Content-Type"))
	}
	wantBody(t, requests[0], strings.ReplaceAll("--BOUND\r\n"+
		"Content-Disposition: form-data; name=\"user\"\r\n\r\na\r\n--b\r\n"+
		"--BOUND\r\nContent-Disposition: form-data; name=\"key\"; filename=\"k.pem\"\r\n"+
		"Content-Type: application/x-pem-file\r\n\r\nPEM\r\n--BOUND--\r\n", "BOUND", boundary))
}

// keyed is a login with a header that has the secret apiKey, which is what *key is at the time.
func keyed(t *testing.T, key *string) login.Config {
	t.Helper()
	cfg := simple(login.Step{Header: login.Fields("X-K", "{{apiKey}}")})
	cfg.Params = map[string]string{"apiKey": "of-params"}
	cfg.Secrets = map[string]secrets.Provider{
		"apiKey": secrets.Func(func(context.Context) (secrets.Value, error) { return secrets.Static(*key), nil }),
		"unused": secrets.Func(func(context.Context) (secrets.Value, error) {
			t.Error("a secret that no template has was asked for")
			return secrets.Value{}, nil
		}),
	}
	return cfg
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	t.Run("K-31 K-32 a secret is asked for at each login, and wins over a parameter", func(t *testing.T) {
		t.Parallel()
		key := ""
		s := connectiontest.NewServer(t, t1())
		g := bind(t, s.Network(), keyed(t, &key))
		for i, want := range []string{"key-123", "key-456"} {
			key = want
			if _, err := g.Obtain(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			wantLine(t, s.Requests()[i], "X-K: "+want)
		}
	})
	t.Run("K-33 nothing shows a secret", func(t *testing.T) {
		t.Parallel()
		key := "key-123"
		s := connectiontest.NewServer(t, connectiontest.Text(401, "key-123"))
		g := bind(t, s.Network(), keyed(t, &key))
		_, err := g.Obtain(t.Context(), nil)
		if err == nil {
			t.Fatal("there is no error")
		}
		shown := fmt.Sprintf("%v %+v %#v %s %q %v", g, g, g, g, g, err)
		for _, text := range []string{"key-123", "of-params"} {
			if strings.Contains(shown, text) {
				t.Errorf("%q is in %s", text, shown)
			}
		}
	})
	t.Run("G12 an empty secret is an error", func(t *testing.T) {
		t.Parallel()
		key := ""
		if requests, err := failure(t, keyed(t, &key)); !errors.Is(err, auth.ErrNoCredential) || len(requests) != 0 {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("K-33 a secret in the host is masked in network errors", func(t *testing.T) {
		t.Parallel()
		cfg := simple(login.Step{URL: "https://{{tenant}}.example.test/x"})
		cfg.Secrets = static("tenant", "tenant-shh")
		_, err := failure(t, cfg, t1())
		if strings.Contains(err.Error(), "tenant-shh") || !strings.Contains(err.Error(), "[REDACTED]") {
			t.Errorf("error is %v", err)
		}
		if e, ok := errors.AsType[*login.Error](err); !ok || e.Status != 0 {
			t.Errorf("error is a %T", err)
		}
	})
	t.Run("K-33 a secret in an error of one's own function is masked", func(t *testing.T) {
		t.Parallel()
		cfg := simple(login.Step{Header: login.Fields("X-K", "{{apiKey}}")})
		cfg.Secrets, cfg.Token, cfg.NeverExpires = static("apiKey", "key-shh"), "", false
		mine := errors.New("mine")
		cfg.OnTokenResponse = func(context.Context, []login.Answer) (*auth.Token, error) {
			return nil, fmt.Errorf("%w: key-shh", mine)
		}
		_, err := failure(t, cfg, t1())
		if strings.Contains(err.Error(), "key-shh") || !errors.Is(err, mine) {
			t.Errorf("error is %v", err)
		}
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		reply   connectiontest.Reply
		step    login.Step
		lasting bool
		wait    time.Duration
	}{
		{name: "400 may pass", reply: connectiontest.Text(400, "shh")},
		{name: "401 lasts", reply: connectiontest.Text(401, "shh"), lasting: true},
		{name: "403 lasts", reply: connectiontest.Text(403, "shh"), lasting: true},
		{
			name: "429 passes, and says when", reply: connectiontest.Text(429, "shh").Header("Retry-After", "7"),
			wait: 7 * time.Second,
		},
		{name: "503 passes", reply: connectiontest.Text(503, "shh").Header("Retry-After", "9"), wait: 9 * time.Second},
		{name: "307 is not followed", reply: connectiontest.Status(307).Header("Location", "https://evil.test/shh")},
		{
			name:  "Q-090 200 with a result that is not 0000",
			reply: connectiontest.JSON(200, map[string]string{"result": "shh"}),
			step:  login.Step{Ok: "body.result == '0000'"}, lasting: true,
		},
		{name: "a status that is not listed", reply: connectiontest.Text(200, "shh"), step: login.Step{Success: []int{201}}},
		{
			name: "an answer that is too large", reply: connectiontest.Text(200, strings.Repeat("shh", 1<<19)),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			requests, err := failure(t, simple(tt.step), tt.reply)
			e, ok := errors.AsType[*login.Error](err)
			if !ok || e.Step != 0 || e.Renew || e.Status == 0 || e.RetryAfter != tt.wait {
				t.Fatalf("error is %#v", err)
			}
			if got := errors.Is(err, auth.ErrClientRejected); got != tt.lasting || errors.Is(err, auth.ErrInvalidGrant) {
				t.Errorf("error is %v", err)
			}
			if strings.Contains(err.Error(), "shh") {
				t.Errorf("the answer is in the error: %v", err)
			}
			if len(requests) != 1 {
				t.Errorf("%d requests", len(requests))
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T, follow bool, location string) (*connectiontest.Server, *connectiontest.Server, error) {
		n := connectiontest.NewNetwork(t)
		s := n.Serve(home, connectiontest.Sequence(connectiontest.Status(307).Header("Location", location), t1()))
		other := n.Serve("https://other.example.test", t1())
		cfg := simple(login.Step{JSON: "{{password}}"})
		cfg.FollowRedirects, cfg.Secrets = follow, static("password", "pw-1")
		_, err := bind(t, n, cfg).Obtain(t.Context(), nil)
		return s, other, err
	}
	for _, follow := range []bool{false, true} {
		t.Run(fmt.Sprintf("K-35 to another host, follow %v", follow), func(t *testing.T) {
			t.Parallel()
			s, other, err := begin(t, follow, "https://other.example.test/login")
			if e, ok := errors.AsType[*login.Error](err); !ok || e.Status != 307 {
				t.Errorf("error is %v", err)
			}
			if len(s.Requests()) != 1 || other.Conns() != 0 {
				t.Errorf("%d requests, and %d connections elsewhere", len(s.Requests()), other.Conns())
			}
		})
	}
	t.Run("K-35 within the origin", func(t *testing.T) {
		t.Parallel()
		s, _, err := begin(t, true, "/login2")
		if err != nil || len(s.Requests()) != 2 {
			t.Fatalf("%v after %d requests", err, len(s.Requests()))
		}
		wantLine(t, s.Requests()[1], "POST /login2 HTTP/1.1")
		wantBody(t, s.Requests()[1], `"pw-1"`)
	})
	t.Run("K-35 within the origin, not asked for", func(t *testing.T) {
		t.Parallel()
		if s, _, err := begin(t, false, "/login2"); err == nil || len(s.Requests()) != 1 {
			t.Fatalf("%v after %d requests", err, len(s.Requests()))
		}
	})
}

func TestCookies(t *testing.T) {
	t.Parallel()
	set := func(lines ...string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = lines
			w.WriteHeader(302)
		})
	}
	cfg := login.Config{
		BaseURL: home, NeverExpires: true, Cookies: []string{"sid", "b"},
		Steps: []login.Step{
			{Method: "GET", Path: "/form", Success: []int{302}},
			{Path: "/login", Success: []int{302}, Form: login.Fields("u", "x"), Header: login.Fields("Cookie", "lang=en;")},
			{Method: "GET", URL: "https://other.example.test/x", Success: []int{302}},
			{Method: "GET", Path: "/done", Success: []int{302}},
		},
	}
	n := connectiontest.NewNetwork(t)
	s := n.Serve(home, connectiontest.Sequence(
		set("csrf=c1; Path=/", "b=1; HttpOnly", `q="x y"`), set("sid=s1; Secure", "csrf=; Max-Age=0", "b=2"), set()))
	other := n.Serve("https://other.example.test", set("sid=evil"))
	token, err := bind(t, n, cfg).Obtain(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	without(t, s.Requests()[0], "Cookie")
	wantLine(t, s.Requests()[1], `Cookie: lang=en; csrf=c1; b=1; q="x y"`)
	wantLine(t, s.Requests()[2], `Cookie: b=2; q="x y"; sid=s1`)
	without(t, other.Requests()[0], "Cookie")
	if got := token.Value.Reveal(); got != "sid=s1; b=2" {
		t.Errorf("token is %q", got)
	}
	cfg.Cookies, cfg.AllCookies, cfg.Steps = nil, true, cfg.Steps[:2]
	if token, _ = obtain(t, cfg, set("a=1", "b=2"), set("a=3", "c=4")); token.Value.Reveal() != "a=3; b=2; c=4" {
		t.Errorf("token is %q", token.Value.Reveal())
	}
	cfg.Cookies, cfg.AllCookies = []string{"none"}, false
	if _, err := failure(t, cfg, set("a=1"), set("b=2")); !errors.Is(err, login.ErrTokenNotFound) {
		t.Errorf("error is %v", err)
	}
}

func TestSendCookies(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, token, want, fault string }{
		{"cookies", "a=1; b=x=y", "Cookie: a=1; b=x=y", ""},
		{"a line of header", "a=1\r\nX: 1", "", "no list of cookies"},
		{"no pairs", "t1", "", "no list of cookies"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := connectiontest.NewServer(t, connectiontest.Status(200))
			req, err := http.NewRequestWithContext(t.Context(), "GET", home, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = login.SendCookies(source{&auth.Token{Value: secrets.Static(tt.token)}}).Authenticate(req)
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), tt.token) {
					t.Errorf("error is %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			resp, err := s.Network().Transport().RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			wantLine(t, s.Requests()[0], tt.want)
		})
	}
}

func TestOwnFunction(t *testing.T) {
	t.Parallel()
	cfg := simple(login.Step{Path: "/a"})
	cfg.Steps = append(cfg.Steps, login.Step{Path: "/b"})
	cfg.Token, cfg.NeverExpires = "", false
	cfg.OnTokenResponse = func(_ context.Context, answers []login.Answer) (*auth.Token, error) {
		if len(answers) != 2 || answers[0].Cookies[0].Value != "C1" || answers[1].Status != 200 {
			return nil, errors.New("the answers are others")
		}
		_, rest, _ := strings.Cut(string(answers[1].Body), "<tok>")
		text, _, _ := strings.Cut(rest, "</tok>")
		return &auth.Token{Value: secrets.Static(text)}, nil
	}
	t.Run("K-51 the function makes the token of the answers", func(t *testing.T) {
		t.Parallel()
		token, _ := obtain(t, cfg, answer("application/json", "{"), answer("application/xml", "<r><tok>t1</tok></r>"))
		if token.Value.Reveal() != "t1" || token.Obtained.IsZero() {
			t.Errorf("token is %q, obtained %v", token.Value.Reveal(), token.Obtained)
		}
	})
	t.Run("K-51 a token without text is none", func(t *testing.T) {
		t.Parallel()
		_, err := failure(t, cfg, answer("application/json", "{"), answer("application/xml", "<r/>"))
		if !errors.Is(err, login.ErrTokenNotFound) {
			t.Errorf("error is %v", err)
		}
	})
}

// long is a login that exchanges a short-lived token for a long-lived one, and renews that.
func long(start auth.Grant) login.Config {
	return login.Config{
		BaseURL: home, Start: start, Secrets: static("secret", "csec"),
		Steps: []login.Step{{Method: "GET", Path: "/access_token", Query: login.Fields(
			"access_token", "{{token}}", "client_secret", "{{secret}}", "grant_type", "ig_exchange_token")}},
		Renew: []login.Step{{Method: "GET", Path: "/refresh_access_token", Query: login.Fields(
			"access_token", "{{token}}", "grant_type", "ig_refresh_token")}},
		Token: "body.access_token", Expiry: "body.expires_in", MinAge: 24 * time.Hour,
	}
}

func short() auth.Grant {
	return auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
		return &auth.Token{Value: secrets.Static("short1")}, nil
	})
}

func TestLongLived(t *testing.T) {
	t.Parallel()
	granted := func(token string) http.Handler {
		return connectiontest.JSON(200, map[string]any{"access_token": token, "expires_in": 5184000})
	}
	t.Run("E-26 the short token is exchanged at once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			token, requests := obtain(t, long(short()), granted("long1"))
			wantLine(t, requests[0],
				"GET /access_token?access_token=short1&client_secret=csec&grant_type=ig_exchange_token HTTP/1.1")
			if token.Value.Reveal() != "long1" || token.Refresh.Reveal() != "" {
				t.Errorf("token is %q", token.Value.Reveal())
			}
			if time.Until(token.Expiry) != 60*24*time.Hour {
				t.Errorf("expiry is in %v", time.Until(token.Expiry))
			}
			if time.Until(token.RenewableFrom) != 24*time.Hour {
				t.Errorf("it is renewable in %v", time.Until(token.RenewableFrom))
			}
		})
	})
	prev := &auth.Token{Value: secrets.Static("long1")}
	t.Run("E-28 the token itself renews", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, granted("long2"))
		token, err := bind(t, s.Network(), long(short())).Obtain(t.Context(), prev)
		if err != nil || token.Value.Reveal() != "long2" {
			t.Fatal(err)
		}
		wantLine(t, s.Requests()[0], "GET /refresh_access_token?access_token=long1&grant_type=ig_refresh_token HTTP/1.1")
	})
	t.Run("E-29 a renewal that fails for now is not the end", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, connectiontest.Status(500))
		_, err := bind(t, s.Network(), long(short())).Obtain(t.Context(), prev)
		e, ok := errors.AsType[*login.Error](err)
		if !ok || !e.Renew || e.Status != 500 {
			t.Errorf("error is %v", err)
		}
		if errors.Is(err, auth.ErrInvalidGrant) || errors.Is(err, auth.ErrClientRejected) {
			t.Errorf("error is %v, which lasts", err)
		}
		if len(s.Requests()) != 1 {
			t.Errorf("%d requests", len(s.Requests()))
		}
	})
	t.Run("a renewal that is refused begins anew", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{400, 401, 403} {
			s := connectiontest.NewServer(t, connectiontest.Sequence(connectiontest.Status(status), granted("long3")))
			token, err := bind(t, s.Network(), long(short())).Obtain(t.Context(), prev)
			if err != nil || token.Value.Reveal() != "long3" || len(s.Requests()) != 2 {
				t.Errorf("after %d: %v, %d requests", status, err, len(s.Requests()))
			}
		}
	})
	t.Run("the statuses of a refusal can be set", func(t *testing.T) {
		t.Parallel()
		cfg := long(short())
		cfg.RenewRefused = []int{422}
		s := connectiontest.NewServer(t, connectiontest.Sequence(
			connectiontest.Status(401), connectiontest.Status(422), granted("long3")))
		g := bind(t, s.Network(), cfg)
		if _, err := g.Obtain(t.Context(), prev); err == nil {
			t.Error("a 401 is a refusal, and is not listed")
		}
		if _, err := g.Obtain(t.Context(), prev); err != nil {
			t.Error(err)
		}
	})
	t.Run("a renewal that is refused, and nothing to begin anew with, takes a user", func(t *testing.T) {
		t.Parallel()
		cfg := long(nil)
		cfg.Steps, cfg.Secrets = nil, nil
		s := connectiontest.NewServer(t, connectiontest.Status(400))
		g := bind(t, s.Network(), cfg)
		if _, err := g.Obtain(t.Context(), prev); !errors.Is(err, auth.ErrInvalidGrant) {
			t.Errorf("error is %v", err)
		}
		if _, err := g.Obtain(t.Context(), nil); !errors.Is(err, auth.ErrLoginRequired) {
			t.Errorf("error is %v", err)
		}
		if !g.Traits().Interactive {
			t.Error("it is not interactive")
		}
	})
	t.Run("an error of Start is the error", func(t *testing.T) {
		t.Parallel()
		cfg := long(auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
			return nil, auth.ErrLoginRequired
		}))
		requests, err := failure(t, cfg)
		if !errors.Is(err, auth.ErrLoginRequired) || len(requests) != 0 {
			t.Errorf("error is %v after %d requests", err, len(requests))
		}
	})
}

func TestRefreshToken(t *testing.T) {
	t.Parallel()
	cfg := login.Config{
		BaseURL: home, Token: "body.accessToken", Refresh: "body.refreshToken", Lifetime: time.Hour,
		Steps: []login.Step{{Path: "/auth/login"}},
		Renew: []login.Step{{Path: "/auth/refresh", JSON: map[string]string{"token": "{{refresh}}"}}},
	}
	cfg.Extra = map[string]string{"id": "body.id", "host": "body.host"}
	s := connectiontest.NewServer(t, connectiontest.Sequence(
		reply(`{"accessToken":"t1","refreshToken":"r1","id":1,"host":"h1"}`), reply(`{"accessToken":"t2","host":"h2"}`),
		reply(`{"accessToken":"t3"}`)))
	g := bind(t, s.Network(), cfg)
	first, err := g.Obtain(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	second, err := g.Obtain(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if second.Refresh.Reveal() != "r1" || second.Extra["id"].Reveal() != "1" || second.Extra["host"].Reveal() != "h2" {
		t.Error("a renewal does not keep what its answer does not have")
	}
	if first.Extra["host"].Reveal() != "h1" {
		t.Error("a renewal has changed the token before")
	}
	if _, err := g.Obtain(t.Context(), &auth.Token{Value: secrets.Static("t2")}); err != nil {
		t.Fatal(err)
	}
	wantLine(t, s.Requests()[1], "POST /auth/refresh HTTP/1.1")
	wantLine(t, s.Requests()[2], "POST /auth/login HTTP/1.1") // nothing to renew with
}

func TestTraits(t *testing.T) {
	t.Parallel()
	cfg := simple(login.Step{JSON: "{{password}}"})
	cfg.Secrets = static("password", "pw-1")
	plain := login.New(cfg).Traits()
	if plain.OneTime || plain.Interactive || !plain.Retryable || plain.Config == "" {
		t.Errorf("traits are %+v", plain)
	}
	cfg.Secrets = static("password", "pw-2")
	if login.New(cfg).Traits().Config != plain.Config {
		t.Error("another secret makes another configuration")
	}
	cfg.Params = map[string]string{"tenant": "acme"}
	if login.New(cfg).Traits().Config == plain.Config {
		t.Error("another parameter makes no other configuration")
	}
	if traits := login.New(long(short())).Traits(); !traits.OneTime || traits.Retryable {
		t.Errorf("traits with a renewal are %+v", traits)
	}
}

func TestSavedValueIsMissing(t *testing.T) {
	t.Parallel()
	cfg := simple(login.Step{Path: "/a", Save: map[string]string{"x": "body.x"}})
	cfg.Steps = append(cfg.Steps, login.Step{Path: "/{{x}}"})
	requests, err := failure(t, cfg, reply(`{"y":"shh"}`))
	if !errors.Is(err, login.ErrValueNotFound) || len(requests) != 1 {
		t.Errorf("error is %v after %d requests", err, len(requests))
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := connectiontest.NewServer(t, connectiontest.Status(200).Delay(time.Hour))
		g := bind(t, s.Network(), simple(login.Step{}))
		began := time.Now()
		_, err := g.Obtain(t.Context(), nil)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 30*time.Second {
			t.Errorf("error is %v after %v", err, time.Since(began))
		}
		for _, limit := range []time.Duration{time.Second, 2 * time.Minute} { // such as a RenewalLimit sets
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			began = time.Now()
			if _, err = g.Obtain(ctx, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != limit {
				t.Errorf("error is %v after %v", err, time.Since(began))
			}
			cancel()
		}
	})
}

// A grant that nobody has bound works with its own client.
func TestUnbound(t *testing.T) {
	t.Parallel()
	s := connectiontest.NewServer(t, t1())
	cfg := simple(login.Step{})
	cfg.Endpoint.Client = &http.Client{Transport: s.Network().Transport()}
	g := login.New(cfg)
	if token, err := g.Obtain(t.Context(), nil); err != nil || token.Value.Reveal() != "t1" {
		t.Error(err)
	}
	if err := g.(io.Closer).Close(); err != nil {
		t.Error(err)
	}
}

// renewing is a source whose token is another one once it was rejected.
type renewing struct{}

func (renewing) Token(_ context.Context, want auth.Want) (*auth.Token, error) {
	if want.Not.Reveal() == "sid=one" {
		return &auth.Token{Value: secrets.Static("sid=two")}, nil
	}
	return &auth.Token{Value: secrets.Static("sid=one")}, nil
}

func TestSendCookiesRejectedBy(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{http.StatusForbidden: true, http.StatusUnauthorized: false} {
		a := login.SendCookies(renewing{}, auth.RejectedBy(http.StatusForbidden))
		req := httptest.NewRequest(http.MethodGet, "https://api.example.test/x", nil)
		if err := a.Authenticate(req); err != nil {
			t.Fatal(err)
		}
		challenger, ok := a.(auth.Challenger)
		if !ok {
			t.Fatal("it is no Challenger")
		}
		resend, err := challenger.Challenged(req, &http.Response{StatusCode: status, Header: http.Header{}})
		if resend != want || err != nil {
			t.Errorf("%d: resend %t, %v", status, resend, err)
		}
	}
	if err := auth.Validate(login.SendCookies(renewing{}, auth.RejectedBy(200))); err == nil {
		t.Error("200 is taken for a rejection")
	}
	if err := auth.Validate(login.SendCookies(renewing{}, nil)); err == nil {
		t.Error("an option is nil")
	}
}
