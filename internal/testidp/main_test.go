package testidp_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/internal/testidp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	issuer   = "https://idp.test/tenant"
	redirect = "https://app.test/callback"
	verifier = "a-verifier-of-at-least-forty-three-characters-0"
)

type object = map[string]any

// params is a list of names and values, of which the later ones win. A name that begins with a minus is left out.
type params []string

func (p params) values() url.Values {
	out := url.Values{}
	for i := 0; i < len(p); i += 2 {
		if name, ok := strings.CutPrefix(p[i], "-"); ok {
			out.Del(name)
		} else {
			out.Set(p[i], p[i+1])
		}
	}
	return out
}

// direct sends requests to a handler, without a network.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body == nil {
		req.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, req)
	resp := w.Result()
	resp.Request = req
	return resp, nil
}

// provider is a server with two clients and two users, and a browser.
type provider struct {
	*testidp.Server
	t       *testing.T
	browser *testidp.Browser
	forms   []string // that the browser has filled in
}

func start(t *testing.T, changes ...func(c *testidp.Config)) *provider {
	t.Helper()
	scopes := []string{"openid", "profile", "email", "read", "write"}
	uris := []string{redirect, "http://127.0.0.1/cb", "https://127.0.0.1/cb", "http://app.test/cb"}
	c := testidp.Config{
		Issuer: issuer,
		Clients: []testidp.Client{
			{ID: "public", RedirectURIs: uris, Scopes: scopes},
			{ID: "con fidential", Secret: "s3+/ret", RedirectURIs: []string{redirect}, Scopes: scopes, Algorithm: "ES256"},
		},
		Users: []testidp.User{
			{Name: "ann", Password: "pw-a", OTP: "123456", FullName: "Ann Example", Email: "ann@example.test"},
			{Name: "bob", Password: "pw-b"},
		},
	}
	for _, change := range changes {
		change(&c)
	}
	p := &provider{Server: testidp.New(c), t: t}
	p.browser = p.newBrowser()
	return p
}

func (p *provider) newBrowser() *testidp.Browser {
	b := testidp.NewBrowser(direct{p})
	b.Watch = func(form string) { p.forms = append(p.forms, form) }
	return b
}

// filledIn returns the forms since it was asked last.
func (p *provider) filledIn() string {
	forms := strings.Join(p.forms, " ")
	p.forms = nil
	return forms
}

// authorizeURL returns the URL of a login of the public client.
func authorizeURL(changes ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	all := append(params{
		"response_type", "code", "client_id", "public", "redirect_uri", redirect, "state", "st", "nonce", "n1",
		"scope", "openid read", "code_challenge_method", "S256",
		"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]),
	}, changes...)
	return issuer + "/authorize?" + all.values().Encode()
}

// login logs ann in, and returns the answer.
func (p *provider) login(changes ...string) url.Values {
	p.t.Helper()
	callback, err := p.browser.Login(p.t.Context(), authorizeURL(changes...), "ann", "pw-a")
	if err != nil {
		p.t.Fatal(err)
	}
	return callback.Values()
}

// post posts a form to an endpoint, with Basic if user is not empty.
func (p *provider) post(path, user, password string, form url.Values) (int, object) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	return p.do(req)
}

func (p *provider) do(req *http.Request) (int, object) {
	p.t.Helper()
	resp, err := direct{p}.RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var out object
	if len(body) > 0 && json.Unmarshal(body, &out) != nil {
		p.t.Fatalf("no JSON: %s", body)
	}
	return resp.StatusCode, out
}

// exchange exchanges a code of the public client.
func (p *provider) exchange(code string, changes ...string) (int, object) {
	p.t.Helper()
	return p.post("/token", "", "", append(params{
		"grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "client_id", "public",
		"code_verifier", verifier,
	}, changes...).values())
}

// tokens logs ann in, and returns the tokens.
func (p *provider) tokens(changes ...string) object {
	p.t.Helper()
	status, out := p.exchange(p.login(changes...).Get("code"))
	if status != http.StatusOK {
		p.t.Fatalf("status %d: %v", status, out)
	}
	return out
}

func (p *provider) renew(refresh any, changes ...string) (int, object) {
	p.t.Helper()
	return p.post("/token", "", "", append(params{
		"grant_type", "refresh_token", "refresh_token", refresh.(string), "client_id", "public",
	}, changes...).values())
}

// userinfo asks with a token.
func (p *provider) userinfo(token any) (int, object) {
	p.t.Helper()
	return p.get("/userinfo", "Authorization", "Bearer "+token.(string))
}

func (p *provider) get(path string, header ...string) (int, object) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodGet, issuer+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return p.do(req)
}

// want compares a status and an error code; "" is none.
func (p *provider) want(status int, code string) func(gotStatus int, got object) {
	p.t.Helper()
	return func(gotStatus int, got object) {
		p.t.Helper()
		if is, _ := got["error"].(string); gotStatus != status || is != code {
			p.t.Errorf("got %d %v, want %d %q", gotStatus, shown(got), status, code)
		}
	}
}

// shown returns the members that may be shown in a failure.
func shown(o object) object {
	own := maps.Clone(o)
	delete(own, "id_token")
	return own
}
