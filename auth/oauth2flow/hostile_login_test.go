package oauth2flow_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
)

// TestWebKeepsItsCookiesFew opens the login again and again in one browser, as the page of another site can.
func TestWebKeepsItsCookiesFew(t *testing.T) {
	t.Parallel()
	const most = 32
	s := serve(t)
	handler, tokens := webOf(t, signIn(s))
	app := serveApp(s, appURL, handler)
	b := newTab(t, app)
	ours, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar.SetCookies(ours, []*http.Cookie{{Name: "session", Value: "s-1", Path: "/", Secure: true}})
	var asked url.Values
	for range 200 {
		asked = b.begins("/login", "X-User", "ann")
	}
	kept := b.client.Jar.Cookies(ours)
	if len(kept) > most+1 || kept[0].Name != "session" {
		t.Errorf("S13 the browser keeps %d cookies, the first of them %s", len(kept), kept[0].Name)
	}
	b.wants(b.get("/cb?"+callback(asked).Encode(), "X-User", "ann"), http.StatusSeeOther)
	holds(t, tokens, "ann", "t1")
}

// TestPendingSubject begins logins on behalf of users whose names are no text, such as the bytes of a UUID.
func TestPendingSubject(t *testing.T) {
	t.Parallel()
	const one, two = "\xff\x01", "\xfe\x01"
	for _, c := range []struct {
		name, by string
		want     error
	}{
		{"S4 the same one", one, nil}, {"S4 another one", two, oauth2flow.ErrState},
		{"S4 one that looks like it", "\ufffd\x01", oauth2flow.ErrState},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code := signIn(serve(t))
			login, err := code.Begin(auth.WithSubject(t.Context(), one))
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(login.URL)
			if err != nil {
				t.Fatal(err)
			}
			_, err = code.Complete(auth.WithSubject(t.Context(), c.by), callback(u.Query()), login.Browser)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// TestMixUpWithoutTokenEndpoint has two servers that issue no token themselves, and one store for the logins at both.
func TestMixUpWithoutTokenEndpoint(t *testing.T) {
	t.Parallel()
	store := oauth2flow.NewPendingMemory()
	at := func(s *connectiontest.Server, target string) *oauth2flow.AuthorizationCode {
		return signIn(s, func(c *client, a *oauth2flow.Authorization) {
			c.TokenURL, a.URL, a.Pending = "", target, store
			a.ResponseType, a.Keep = oauth2flow.ResponseNone, []string{"tenant"}
		})
	}
	s := serve(t)
	honest, other := at(s, authorizeURL), at(s, "https://evil.example.test/authorize")
	login, asked := begun(t, other)
	answer := url.Values{"state": asked["state"], "tenant": {"t-1"}}
	_, err := honest.Complete(t.Context(), answer, login.Browser)
	is(t, err, oauth2flow.ErrState)
}

// TestDeviceCodeShown has a server that writes to the terminal of the user.
func TestDeviceCodeShown(t *testing.T) {
	t.Parallel()
	for name, members := range map[string]object{
		"a user code with C1 controls": deviceAnswer("user_code", "\u009b2JX"),
		"a user code that turns round": deviceAnswer("user_code", "\u202eABC"),
		"a page with C1 controls":      deviceAnswer("verification_uri", "https://idp.example.test/\u009b2J"),
		"a page that turns round":      deviceAnswer("verification_uri", "https://idp.example.test/\u202eabc"),
		"a page with a user": deviceAnswer("verification_uri_complete",
			"https://login.example.com@idp.example.test/device"),
		"a page with words": deviceAnswer("verification_uri", "https://idp.example.test/ or call 555"),
	} {
		t.Run("S47 "+name, func(t *testing.T) {
			t.Parallel()
			s := serveDevice(t, members, issued)
			_, err := oauth2flow.NewDeviceCode(clientOf(s.Server), s.URL+"/device").Begin(t.Context())
			_ = as[*oauth2flow.AnswerError](t, err)
		})
	}
	for name, value := range map[string]any{
		"negative": -1e300, "a huge one": 1e300, "no number": "NaN", "infinite": "-Infinity",
	} {
		t.Run("F17 a time that is "+name, func(t *testing.T) {
			t.Parallel()
			s := serveDevice(t, deviceAnswer("interval", value), issued)
			if _, err := oauth2flow.NewDeviceCode(clientOf(s.Server), s.URL+"/device").Begin(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLoginZeroValues calls what no constructor has made.
func TestLoginZeroValues(t *testing.T) {
	t.Parallel()
	code, device := new(oauth2flow.AuthorizationCode), new(oauth2flow.DeviceCode)
	for name, call := range map[string]func() error{
		"Begin":    func() error { _, err := code.Begin(t.Context()); return err },
		"Loopback": func() error { _, err := code.Loopback(t.Context(), oauth2flow.Loopback{}); return err },
		"Revoke":   func() error { return code.Revoke(t.Context(), nil) },
		"Obtain":   func() error { _, err := code.Obtain(t.Context(), nil); return err },
		"Complete": func() error { _, err := code.Complete(t.Context(), nil, (&oauth2flow.Login{}).Browser); return err },
		"device":   func() error { _, err := device.Begin(t.Context()); return err },
		"Wait":     func() error { _, err := device.Wait(t.Context(), nil); return err },
		"Web":      oauth2flow.NewWebLogin(code, oauth2flow.Web{}).Validate,
		"WebLogin": new(oauth2flow.WebLogin).Validate,
	} {
		if call() == nil {
			t.Errorf("%s of a zero value has no error", name)
		}
	}
}

// TestLoginReturnStays has returns that some browser takes for another site.
func TestLoginReturnStays(t *testing.T) {
	t.Parallel()
	s := serve(t)
	handler, _ := webOf(t, signIn(s))
	b := newTab(t, serveApp(s, appURL, handler))
	for _, page := range []string{
		"//evil.test", "/\\evil.test", "\\/evil.test", "/\t/evil.test", "/\n/evil.test", "/\r\n/evil.test", " //evil.test",
		"https://evil.test", "javascript:x", "/\u2028/evil.test", "/\u00a0", "/%zz\x00", "/" + strings.Repeat("a", 4<<10),
		"", "evil.test", "/ /evil.test", "///evil.test", "\x00/",
	} {
		p := b.get("/login?return="+url.QueryEscape(page), "X-User", "ann")
		if p.status != http.StatusBadRequest {
			t.Errorf("S15 %q: status %d", page, p.status)
		}
		if !strings.Contains(p.text, "a path on this site is wanted") {
			t.Errorf("S15 %q: the text is %q", page, p.text)
		}
	}
	for _, page := range []string{"/%2f%2fevil.test", "/%5cevil.test", "/.//evil.test", "/@evil.test", "/a?b=//c"} {
		asked := b.begins("/login?return="+url.QueryEscape(page), "X-User", "ann")
		p := b.get("/cb?"+callback(asked).Encode(), "X-User", "ann")
		back, err := url.Parse(appURL)
		if err != nil {
			t.Fatal(err)
		}
		if back, err = back.Parse(p.header.Get("Location")); err != nil || back.Host != "app.example.test" {
			t.Errorf("S15 %q leads to %v (%v)", page, back, err)
		}
	}
}
