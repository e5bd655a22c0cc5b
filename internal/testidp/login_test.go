package testidp_test

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/internal/testidp"
)

func TestAuthorize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		asked params
		want  string // the error; "" is a code
	}{
		{name: "a login"},
		{name: "any port of a loopback address", asked: params{"redirect_uri", "http://127.0.0.1:4711/cb"}},
		{name: "a scope that is not the client's", asked: params{"scope", "admin"}, want: "invalid_scope"},
		{name: "another response type", asked: params{"response_type", "token"}, want: "unsupported_response_type"},
		{name: "a response mode that would show a token",
			asked: params{"response_type", "id_token", "response_mode", "query"}, want: "invalid_request"},
		{name: "a public client without PKCE", want: "invalid_request",
			asked: params{"-code_challenge", "", "-code_challenge_method", ""}},
		{name: "a public client with a plain challenge", asked: params{"-code_challenge_method", ""},
			want: "invalid_request"},
		{name: "a challenge that is none", asked: params{"code_challenge", "short"}, want: "invalid_request"},
		{name: "a confidential client without PKCE", asked: params{
			"client_id", "con fidential", "-code_challenge", "", "-code_challenge_method", "",
		}},
		{name: "an ID token without a nonce", asked: params{"response_type", "id_token", "-nonce", ""},
			want: "invalid_request"},
		{name: "a request object", asked: params{"request", "ey"}, want: "request_not_supported"},
		{name: "a reference to a request", asked: params{"request_uri", "https://x"}, want: "request_uri_not_supported"},
		{name: "an unknown prompt", asked: params{"prompt", "create"}, want: "invalid_request"},
		{name: "prompt none and login", asked: params{"prompt", "none login"}, want: "invalid_request"},
		{name: "a max_age that is none", asked: params{"max_age", "-1"}, want: "invalid_request"},
		{name: "prompt none without a session", asked: params{"prompt", "none"}, want: "login_required"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := start(t).login(tt.asked...)
			if got.Get("error") != tt.want || got.Has("code") != (tt.want == "") {
				t.Errorf("got %v, want %q", got, tt.want)
			}
			if got.Get("state") != "st" || got.Get("iss") != issuer {
				t.Errorf("state %q, iss %q", got.Get("state"), got.Get("iss"))
			}
		})
	}
}

func TestAuthorizeStaysHere(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"an unknown client":               authorizeURL("client_id", "x"),
		"another redirect_uri":            authorizeURL("redirect_uri", redirect+"/more"),
		"another path on a loopback host": authorizeURL("redirect_uri", "http://127.0.0.1:1/other"),
		"localhost is no address":         authorizeURL("redirect_uri", "http://localhost/cb"),
		"any port of another host":        authorizeURL("redirect_uri", "https://app.test:444/callback"),
		"any port of a host with http":    authorizeURL("redirect_uri", "http://app.test:81/cb"),
		"any port of https on loopback":   authorizeURL("redirect_uri", "https://127.0.0.1:444/cb"),
		"no redirect_uri":                 authorizeURL("-redirect_uri", ""),
		"two redirect_uris":               authorizeURL() + "&redirect_uri=" + redirect,
	}
	for name, target := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			page, err := p.browser.Visit(t.Context(), target, "ann", "pw-a")
			if err != nil || page.Status != http.StatusBadRequest || page.Header.Get("Location") != "" {
				t.Errorf("%v, %v", page, err)
			}
		})
	}
	t.Run("a parameter twice", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		callback, err := p.browser.Login(t.Context(), authorizeURL()+"&scope=read", "ann", "pw-a")
		if err != nil || callback.Values().Get("error") != "invalid_request" {
			t.Errorf("%v, %v", callback, err)
		}
	})
}

func TestResponseModes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, kind, mode         string
		form, fragment, hasToken bool
	}{
		{name: "code", kind: "code"},
		{name: "code in a form", kind: "code", mode: "form_post", form: true},
		{name: "code in a fragment", kind: "code", mode: "fragment", fragment: true},
		{name: "id_token", kind: "id_token", fragment: true, hasToken: true},
		{name: "id_token in a form", kind: "id_token", mode: "form_post", form: true, hasToken: true},
		{name: "both in a form", kind: "code id_token", mode: "form_post", form: true, hasToken: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			asked := params{"response_type", tt.kind, "state", `"><script>`}
			if tt.mode != "" {
				asked = append(asked, "response_mode", tt.mode)
			}
			p := start(t)
			callback, err := p.browser.Login(t.Context(), authorizeURL(asked...), "ann", "pw-a")
			if err != nil {
				t.Fatal(err)
			}
			got := callback.Values()
			if (callback.Form != nil) != tt.form || (callback.URL.Fragment != "") != tt.fragment {
				t.Errorf("it came to %v with %v", callback.URL, callback.Form)
			}
			if got.Get("state") != `"><script>` || got.Has("id_token") != tt.hasToken ||
				got.Has("code") != strings.HasPrefix(tt.kind, "code") {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := start(t)
		step := func(name, want string, asked ...string) url.Values {
			t.Helper()
			got := p.login(asked...)
			if forms := p.filledIn(); forms != want {
				t.Errorf("%s: filled in %q, want %q", name, forms, want)
			}
			return got
		}
		step("the first", "login consent")
		step("the second asks nothing", "")
		step("prompt=none is enough now", "", "prompt", "none")
		step("another scope needs consent", "consent", "scope", "openid read write")
		step("prompt=consent", "consent", "prompt", "consent")
		step("prompt=login", "login", "prompt", "login")
		step("prompt=select_account", "login", "prompt", "select_account")
		step("the hint is who is logged in", "", "login_hint", "ann@example.test")
		step("the hint is somebody else", "login", "login_hint", "bob")
		step("max_age=0 is always too old", "login", "max_age", "0")
		time.Sleep(59 * time.Second)
		step("max_age is not over", "", "max_age", "60")
		time.Sleep(2 * time.Second)
		step("max_age is over", "login", "max_age", "60")
		got := step("max_age is over and nobody may ask", "", "max_age", "0", "prompt", "none")
		if got.Get("error") != "login_required" {
			t.Errorf("got %v", got)
		}
		got = step("consent is missing and nobody may ask", "", "prompt", "none", "scope", "openid email")
		if got.Get("error") != "consent_required" {
			t.Errorf("got %v", got)
		}
		p.browser.OTP = "123456"
		step("a second factor", "login", "acr_values", "mfa pwd")
		step("which the session has now", "", "acr_values", "mfa")
		time.Sleep(8 * time.Hour)
		step("the session is over, the consent is not", "login")
	})
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	t.Run("a wrong password", func(t *testing.T) {
		t.Parallel()
		_, err := start(t).browser.Login(t.Context(), authorizeURL(), "ann", "pw-b")
		if !errors.Is(err, testidp.ErrRefused) {
			t.Error(err)
		}
	})
	t.Run("no such user", func(t *testing.T) {
		t.Parallel()
		if _, err := start(t).browser.Login(t.Context(), authorizeURL(), "eve", ""); !errors.Is(err, testidp.ErrRefused) {
			t.Error(err)
		}
	})
	t.Run("a second factor that is wrong, or that the user has not", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		for user, password := range map[string]string{"ann": "pw-a", "bob": "pw-b"} {
			_, err := p.newBrowser().Login(t.Context(), authorizeURL("acr_values", "mfa"), user, password)
			if !errors.Is(err, testidp.ErrRefused) {
				t.Error(user, err)
			}
		}
	})
	t.Run("the user says no", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		p.browser.Deny = true
		if got := p.login(); got.Get("error") != "access_denied" || got.Has("code") {
			t.Errorf("got %v", got)
		}
	})
}

func TestVisitBelongsToABrowser(t *testing.T) {
	t.Parallel()
	form := func(p *provider, ticket string) url.Values {
		p.t.Helper()
		return url.Values{"ticket": {ticket}, "username": {"ann"}, "password": {"pw-a"}}
	}
	t.Run("a ticket of another browser", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		ticket, _ := begin(t, p)
		other := p.newBrowser()
		if _, err := other.Visit(t.Context(), authorizeURL(), "", ""); err != nil { // it has a session of its own
			t.Fatal(err)
		}
		page, err := other.Post(t.Context(), issuer+"/login", form(p, ticket))
		if err != nil || page.Status != http.StatusBadRequest {
			t.Errorf("%v, %v", page, err)
		}
	})
	t.Run("the session has another name after the login", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		ticket, cookie := begin(t, p)
		send := func(path string, values url.Values) *http.Response {
			req, err := http.NewRequest(http.MethodPost, issuer+path, strings.NewReader(values.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.AddCookie(cookie)
			resp, err := direct{p}.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			return resp
		}
		resp := send("/login", form(p, ticket))
		if resp.StatusCode != 200 || len(resp.Cookies()) != 1 || resp.Cookies()[0].Value == cookie.Value {
			t.Fatalf("status %d, cookies %d", resp.StatusCode, len(resp.Cookies()))
		}
		decision := url.Values{"ticket": {ticket}, "decision": {"allow"}}
		if resp := send("/consent", decision); resp.StatusCode != 400 {
			t.Errorf("the old name of the session: %d", resp.StatusCode)
		}
		cookie = resp.Cookies()[0]
		if resp := send("/consent", decision); resp.StatusCode != 303 {
			t.Errorf("the new one: %d", resp.StatusCode)
		}
		if resp := send("/consent", decision); resp.StatusCode != 400 {
			t.Errorf("the same decision again: %d", resp.StatusCode)
		}
	})
	t.Run("five wrong passwords end the visit", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		ticket, cookie := begin(t, p)
		for i, want := range []int{401, 401, 401, 401, 403, 400} {
			values := form(p, ticket)
			if i < 5 {
				values.Set("password", "wrong")
			}
			req, err := http.NewRequest(http.MethodPost, issuer+"/login", strings.NewReader(values.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.AddCookie(cookie)
			if resp, err := (direct{p}).RoundTrip(req); err != nil || resp.StatusCode != want {
				t.Errorf("number %d: %v, %v", i+1, resp, err)
			}
		}
	})
}

// begin opens the login page, and returns its ticket and the cookie that came with it.
func begin(t *testing.T, p *provider) (string, *http.Cookie) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, authorizeURL("login_hint", `"ann`), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := direct{p}.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	text := string(body)
	if !strings.Contains(text, `name="username" value="&#34;ann"`) {
		t.Errorf("the hint is not there: %s", text)
	}
	_, rest, _ := strings.Cut(text, `name="ticket" value="`)
	ticket, _, _ := strings.Cut(rest, `"`)
	c := resp.Cookies()[0]
	if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/tenant/" {
		t.Errorf("cookie %v", c)
	}
	return ticket, c
}
