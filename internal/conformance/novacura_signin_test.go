package conformance_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth/browser"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// loopback logs in by a browser that notes what it is given and allows everything, or that refuses to open.
func (l *session) loopback(open func(login *oauth2flow.Login) error) error {
	l.Helper()
	done := make(chan struct{})
	close(done)
	_, err := l.code.Loopback(l.ctx(), oauth2flow.Loopback{
		Open: func(ctx context.Context, login *oauth2flow.Login) error {
			if err := open(login); err != nil {
				return err
			}
			done = make(chan struct{})
			go func() {
				defer close(done)
				follow(context.WithoutCancel(ctx), login.URL)
			}()
			return nil
		},
	})
	<-done
	return err
}

// follow goes from the URL of a login to its redirect URI with a code, and on from there.
func follow(ctx context.Context, target string) {
	u, err := url.Parse(target)
	if err != nil {
		return
	}
	back := u.Query().Get("redirect_uri") + "?" +
		url.Values{"code": {"c0de"}, "state": u.Query()["state"]}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, back, http.NoBody)
	if err != nil {
		return
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := client.Do(req); err == nil {
		_ = resp.Body.Close()
	}
}

// changing are the parts of an authorization URL that are others each time.
var changing = regexp.MustCompile(`(state|code_challenge)=[^&]*`)

func TestNovacuraSignIn(t *testing.T) {
	t.Parallel()
	refused := errors.New("not now")
	row(t, "N-24 the display name is for who opens the URL, and is not sent", func(r *Row) {
		l := r.signsIn(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.DisplayName = "Contoso" })
		var name, target string
		r.NoError(l.loopback(func(login *oauth2flow.Login) error {
			name, target = login.DisplayName, login.URL
			return nil
		}))
		r.Equal("display name", name, "Contoso")
		r.Hides("authorization URL", target, "Contoso")
		r.Without(r.Sent(l.issuer, 1)[0], "Contoso")
	})
	row(t, "N-33 a private session is for who opens the URL, and the URL does not depend on it", func(r *Row) {
		private := func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.PrivateSession = true }
		with, without := r.signsIn(private), r.signsIn()
		r.Equal("private", []bool{with.begun.PrivateSession, without.begun.PrivateSession}, []bool{true, false})
		r.Equal("URL", changing.ReplaceAllString(with.url, "$1="), changing.ReplaceAllString(without.url, "$1="))
		var seen bool
		err := with.loopback(func(login *oauth2flow.Login) error { seen = login.PrivateSession; return refused })
		r.Is(err, refused)
		r.Equal("the opener sees it", seen, true)
		r.Is(browser.Open(r.ctx(), with.begun), browser.ErrPrivateSession)
	})
	row(t, "N-45 a redirect URI is https, loopback or of a private-use scheme, and the same in both calls", func(r *Row) {
		for _, uri := range []string{
			callbackURI, "https://app.example.test/c%62?tenant=a%20b", "http://127.0.0.1:8080/callback",
			"http://[::1]:8080/callback", "nccloud://openid", "com.example.app:/callback",
		} {
			r.Case(uri, func(r *Row) {
				l := r.signsIn(func(_ *oauth2flow.Client, a *oauth2flow.Authorization) { a.RedirectURI = uri })
				_, body := l.completes()
				r.Equal("authorization", l.asked["redirect_uri"], []string{uri})
				r.Equal("token call", parameters(r, body)["redirect_uri"], []string{uri})
			})
		}
		r.Case("a port of this machine", func(r *Row) {
			l := r.signsIn()
			var asked string
			r.NoError(l.loopback(func(login *oauth2flow.Login) error {
				u, err := url.Parse(login.URL)
				asked = u.Query().Get("redirect_uri")
				return err
			}))
			r.Equal("loopback", strings.HasPrefix(asked, "http://127.0.0.1:"), true)
			r.Equal("token call", parameters(r, string(r.Sent(l.issuer, 1)[0].Body))["redirect_uri"], []string{asked})
		})
		for _, uri := range []string{
			"http://app.example.test/cb", "http://localhost/cb", "javascript:x", callbackURI + "#x",
		} {
			r.Case("refused: "+uri, func(r *Row) {
				code := oauth2flow.NewAuthorizationCode(
					oauth2flow.Client{ID: "cid", TokenURL: "https://auth.example.test/token"},
					oauth2flow.Authorization{URL: "https://idp.example.test/authorize", RedirectURI: uri})
				err := code.Validate()
				r.Equal("names the field", err != nil && strings.Contains(err.Error(), "RedirectURI"), true)
			})
		}
	})
}
