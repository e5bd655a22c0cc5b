package oauth2flow_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
)

// A user whom nobody names is refused before the browser goes anywhere: in the end there would be nobody to keep the
// token for.
func TestWebNeedsSomebody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	store := &countingStore{PendingStore: oauth2flow.NewPendingMemory()}
	var failed error
	handler, tokens := webOf(t, signIn(s, func(_ *client, a *authorization) { a.Pending = store }),
		func(w *oauth2flow.Web) {
			w.Subject = nil
			w.Failed = func(w http.ResponseWriter, _ *http.Request, status int, err error) {
				failed = err
				w.WriteHeader(status)
			}
		})
	app := serveApp(s, appURL, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if user := byHeader(req); user != "" {
			req = req.WithContext(auth.WithSubject(req.Context(), user))
		}
		handler.ServeHTTP(w, req)
	}))
	b := newTab(t, app)
	p := b.get("/login")
	b.wants(p, http.StatusForbidden)
	is(t, failed, auth.ErrNoSubject)
	equal(t, "S15 the cookie", p.header["Set-Cookie"], []string(nil))
	equal(t, "S15 logins under way", store.puts.Load(), int32(0))

	asked := b.begins("/login", "X-User", "ann")
	b.wants(b.get("/cb?"+callback(asked).Encode(), "X-User", "ann"), http.StatusSeeOther)
	holds(t, tokens, "ann", "t1")
}

func TestWebLogs(t *testing.T) {
	t.Parallel()
	s := serve(t, oauthError("invalid_client"), answered("t1", "", "idp/ann"), answered("t2", "", "idp/bob"))
	var out bytes.Buffer
	var have *auth.Token
	code, _ := openID(s)
	handler, _ := webOf(t, code, func(w *oauth2flow.Web) {
		w.Logger = slog.New(slog.NewTextHandler(&out, nil))
		w.Options = func(*http.Request) []oauth2flow.LoginOption {
			if have == nil {
				return nil
			}
			return []oauth2flow.LoginOption{oauth2flow.LoginStepUp(&auth.StepUpError{}, have)}
		}
		w.Done = func(w http.ResponseWriter, _ *http.Request, done oauth2flow.Completed) {
			have = done.Token
			w.WriteHeader(http.StatusNoContent)
		}
	})
	b := newTab(t, serveApp(s, appURL, handler))
	wants := func(p page, status int, record string) {
		t.Helper()
		b.wants(p, status)
		_, got, _ := strings.Cut(strings.TrimSuffix(out.String(), "\n"), " ")
		out.Reset()
		if !strings.HasPrefix(got, record) || record == "" && got != "" || strings.Contains(got, "\n") {
			t.Errorf("G7 the log has %q, want one record of %q", got, record)
		}
		hides(t, got, "s3cret", "c0de")
	}
	const begin = `level=WARN msg="login failed" `
	asked := b.begins("/login", "X-User", "ann")
	wants(b.get("/cb?"+callback(asked).Encode(), "X-User", "ann"), 502,
		begin+`status=502 error="oauth2flow: https://auth.example.test/token answered 400: invalid_client; check ID,`)
	wants(b.get("/login?return=s3cret", "X-User", "ann\u202e"), 400,
		begin+`status=400 error="oauth2flow: LoginReturn: a path on this site is wanted, such as /orders/7" `+
			`subject=ann\u202e`)
	wants(b.get("/cb?code=c0de&state=s3cret", "X-User", "ann"), 400, begin+"status=400")
	wants(b.get("/login"), 403, begin+`status=403 error="oauth2flow: Web.Subject: the context has no subject`)
	wants(b.ask(http.MethodPost, "/logout", "", "Sec-Fetch-Site", "cross-site"), 403,
		begin+`status=403 error="oauth2flow: the sign-out was asked for by the page of another site"`)
	asked = b.begins("/login", "X-User", "ann")
	wants(b.get("/cb?"+callback(asked).Encode(), "X-User", "ann"), 204, "")
	asked = b.begins("/login", "X-User", "ann")
	wants(b.get("/cb?"+callback(asked).Encode(), "X-User", "ann"), 403,
		begin+`status=403 error="oauth2flow: the ID token is of another user than the one before" subject=ann`)
	equal(t, "token that stays", have.Value.Reveal(), "t1")
}
