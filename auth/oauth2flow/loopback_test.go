package oauth2flow_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
)

// browser is what a user's browser does with the URL of a login: it comes back with the parameters of answer, after
// having asked what strangers ask.
type browser struct {
	answer    func(asked url.Values) url.Values
	strangers func(b *browser, redirect *url.URL, state string)

	visits []visit
	done   chan struct{}
}

// visit is a request to the loopback address, and its answer.
type visit struct {
	status int
	header http.Header
	body   string
}

func (b *browser) open(ctx context.Context, login *oauth2flow.Login) error {
	u, err := url.Parse(login.URL)
	if err != nil {
		return err
	}
	asked := u.Query()
	redirect, err := url.Parse(asked.Get("redirect_uri"))
	if err != nil {
		return err
	}
	b.done = make(chan struct{})
	go func() {
		defer close(b.done)
		if b.strangers != nil {
			b.strangers(b, redirect, asked.Get("state"))
		}
		if b.answer != nil {
			back := *redirect
			back.RawQuery = b.answer(asked).Encode()
			b.visit(ctx, http.MethodGet, back.String(), "")
		}
	}()
	return nil
}

// visit asks the loopback address, with another Host if that is set.
func (b *browser) visit(ctx context.Context, method, target, host string) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), method, target, http.NoBody)
	if err != nil {
		return
	}
	req.Host = host
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	b.visits = append(b.visits, visit{resp.StatusCode, resp.Header, string(body)})
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	good := func(asked url.Values) url.Values { return callback(asked) }
	t.Run("S14 F9 strangers get 404 and do not end the login; the browser gets the page", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		var address string
		b := &browser{answer: good, strangers: func(b *browser, redirect *url.URL, state string) {
			address = redirect.Host
			for _, c := range []struct{ method, path, query, host string }{
				{http.MethodGet, "/", "code=x&state=" + state, ""},
				{http.MethodGet, redirect.Path, "code=x&state=wrong", ""},
				{http.MethodGet, redirect.Path, "error=access_denied", ""},
				{http.MethodPost, redirect.Path, "code=x&state=" + state, ""},
				{http.MethodGet, redirect.Path, "code=x&state=" + state, "evil.test"},
				{http.MethodGet, redirect.Path, "x=" + strings.Repeat("x", 1<<20), ""},
			} {
				u := url.URL{Scheme: "http", Host: redirect.Host, Path: c.path, RawQuery: c.query}
				b.visit(t.Context(), c.method, u.String(), c.host)
			}
		}}
		token, err := signIn(s).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open, Page: "bye"})
		if err != nil || token.Value.Reveal() != "t1" {
			t.Fatalf("the login failed: %v", err)
		}
		<-b.done
		for i, v := range b.visits[:len(b.visits)-1] {
			if v.status != http.StatusNotFound && v.status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("stranger %d got %d", i+1, v.status)
			}
		}
		last := b.visits[len(b.visits)-1]
		if last.status != http.StatusOK || last.body != "bye" || last.header.Get("Referrer-Policy") != "no-referrer" ||
			last.header.Get("Cache-Control") != "no-store" {
			t.Errorf("the browser got %+v", last)
		}
		host, _, err := net.SplitHostPort(address)
		if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
			t.Errorf("S14 it listens on %q", address)
		}
		if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address); err == nil {
			_ = conn.Close()
			t.Error("S14 it goes on listening")
		}
		if n := len(s.Requests()); n != 1 {
			t.Errorf("there were %d token calls", n)
		}
	})
	t.Run("S11 the redirect URI is the same in both calls, with the path that is wanted", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		b := &browser{answer: good}
		_, err := signIn(s).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open, Path: "/callback"})
		if err != nil {
			t.Fatal(err)
		}
		<-b.done
		got, err := url.ParseQuery(string(s.Requests()[0].Body))
		if err != nil || !strings.HasPrefix(got.Get("redirect_uri"), "http://127.0.0.1:") ||
			!strings.HasSuffix(got.Get("redirect_uri"), "/callback") {
			t.Errorf("redirect_uri is %q (%v)", got.Get("redirect_uri"), err)
		}
	})
	t.Run("a refusal is told", func(t *testing.T) {
		t.Parallel()
		b := &browser{answer: func(asked url.Values) url.Values {
			return url.Values{"state": asked["state"], "error": {"access_denied"}}
		}}
		_, err := signIn(serve(t)).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open})
		if e, ok := errors.AsType[*oauth2flow.CallbackError](err); !ok || e.Code != "access_denied" {
			t.Errorf("error %v", err)
		}
		<-b.done
	})
	t.Run("the end of the context ends it", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		opened := func(context.Context, *oauth2flow.Login) error { cancel(); return nil }
		_, err := signIn(serve(t)).Loopback(ctx, oauth2flow.Loopback{Open: opened})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a browser that does not open ends it", func(t *testing.T) {
		t.Parallel()
		no := errors.New("there is no display")
		_, err := signIn(serve(t)).Loopback(t.Context(),
			oauth2flow.Loopback{Open: func(context.Context, *oauth2flow.Login) error { return no }})
		if !errors.Is(err, no) {
			t.Errorf("error %v", err)
		}
	})
	for name, l := range map[string]oauth2flow.Loopback{
		"nobody opens":     {},
		"a path in spaces": {Path: "a b"},
		"a port too high":  {Port: 70000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := signIn(serve(t, connectiontest.Status(500))).Loopback(t.Context(), l); err == nil {
				t.Error("there is no error")
			}
		})
	}
}
