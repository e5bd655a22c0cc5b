package conformance_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/secrets"
)

// authClient is what a user says of an OAuth client: five fields, all of which are required.
type authClient struct {
	name       string // what its tokens are kept under
	id         string
	secret     secrets.Provider
	url, token string
}

// manager returns what keeps the tokens of the client, which authenticates with its secret.
func (c authClient) manager(r *Row) *auth.Manager {
	r.Helper()
	code := oauth2flow.NewAuthorizationCode(
		oauth2flow.Client{ID: c.id, Secret: c.secret, Auth: oauth2flow.InBody(), TokenURL: c.token},
		oauth2flow.Authorization{URL: c.url, RedirectURI: callbackURI})
	m := auth.Manage(code, auth.KeepIn(tokenstore.NewMemory(), c.name))
	r.Cleanup(func() { _ = m.Close() })
	return m
}

// requiresAll asserts that each of the five fields is missed by its name.
func requiresAll(r *Row) {
	r.Helper()
	whole := authClient{
		name: "instagram", id: "cid", secret: secrets.Static("csec"),
		url: "https://idp.example.test/authorize", token: "https://auth.example.test/token",
	}
	r.NoError(whole.manager(r).Validate())
	for name, take := range map[string]func(c *authClient){
		"KeepIn: the name":  func(c *authClient) { c.name = "" },
		"ID":                func(c *authClient) { c.id = "" },
		"Secret":            func(c *authClient) { c.secret = nil },
		"Authorization.URL": func(c *authClient) { c.url = "" },
		"TokenURL":          func(c *authClient) { c.token = "" },
	} {
		r.Case("without "+name, func(r *Row) {
			part := whole
			take(&part)
			m := part.manager(r)
			err := m.Validate()
			r.Equal("the error names it", err != nil && strings.Contains(err.Error(), name), true)
			conn, err := connection.New("https://api.example.test", connection.WithAuth(auth.Bearer(m)))
			if conn != nil {
				_ = conn.Close()
			}
			r.Equal("a connection is refused", err != nil && strings.Contains(err.Error(), name), true)
		})
	}
}

// site is a web application whose user logs in, and the browser of the user.
type site struct {
	*session

	browser http.Client
	failed  error
	token   *auth.Token
}

// website puts the login of a web application on the network of the authorization server.
func (r *Row) website() *site {
	r.Helper()
	s := &site{session: r.signsIn()}
	login := oauth2flow.NewWebLogin(s.code, oauth2flow.Web{
		Done: func(w http.ResponseWriter, req *http.Request, done oauth2flow.Completed) {
			s.token = done.Token
			http.Redirect(w, req, done.Return, http.StatusSeeOther)
		},
		Failed: func(w http.ResponseWriter, _ *http.Request, _ int, err error) {
			s.failed = err
			w.WriteHeader(http.StatusBadRequest)
		},
	})
	r.NoError(login.Validate())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "welcome") })
	mux.Handle("/", login)
	network := s.issuer.Network()
	network.Serve("https://app.example.test", mux)
	network.Serve("https://idp.example.test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "who are you?") // the window of the provider
	}))
	jar, err := cookiejar.New(nil)
	r.NoError(err)
	s.browser = http.Client{Transport: network.Transport(), Jar: jar}
	return s
}

// shows returns what the browser shows in the end, and where.
func (s *site) shows(target string) (page string, at *url.URL, status int) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.ctx(), http.MethodGet, target, http.NoBody)
	s.NoError(err)
	resp, err := s.browser.Do(req)
	s.NoError(err)
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	s.NoError(err)
	return string(text), resp.Request.URL, resp.StatusCode
}

func TestElasticioSignIn(t *testing.T) {
	t.Parallel()
	row(t, "E-10 a client has name, id, secret and both endpoints, and each that is missing is named", requiresAll)
	row(t, "E-23 a client is complete before a user can log in", func(r *Row) {
		requiresAll(r)
		code := oauth2flow.NewAuthorizationCode(oauth2flow.Client{}, oauth2flow.Authorization{})
		_, err := code.Begin(r.ctx())
		for _, name := range []string{"ID", "Authorization.URL", "TokenURL"} {
			r.Equal("Begin names "+name, err != nil && strings.Contains(err.Error(), name), true)
		}
		r.Equal("so does the handler", oauth2flow.NewWebLogin(code, oauth2flow.Web{}).Validate() != nil, true)
	})
	row(t, "E-24 the browser goes to the provider, and comes back with a code or a refusal", func(r *Row) {
		s := r.website()
		page, at, _ := s.shows("https://app.example.test/login")
		r.Equal("window", []string{page, at.Host}, []string{"who are you?", "idp.example.test"})
		answer := func(pairs ...string) string {
			v := url.Values{"state": at.Query()["state"]}
			for i := 0; i < len(pairs); i += 2 {
				v.Set(pairs[i], pairs[i+1])
			}
			return callbackURI + "?" + v.Encode()
		}
		page, shown, status := s.shows(answer("code", "c0de"))
		r.Equal("page", page, "welcome")
		r.Equal("status", status, 200)
		r.Equal("address bar", shown.String(), "https://app.example.test/")
		r.Equal("code", parameters(r, string(r.Sent(s.issuer, 1)[0].Body))["code"], []string{"c0de"})
		r.Equal("token", s.token.Value.Reveal(), "t1")

		s = r.website()
		_, at, _ = s.shows("https://app.example.test/login")
		_, _, status = s.shows(answer("error", "access_denied"))
		r.Equal("status", status, 400)
		r.Equal("code", as[*oauth2flow.CallbackError](r, s.failed).Code, "access_denied")
		r.NothingSent(s.issuer)
	})
}
