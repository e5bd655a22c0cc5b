package oauth2flow_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
)

// browser is what a user's browser does with the URL of a login: it comes back with the parameters of answer, after
// having asked what strangers ask, and goes where it is sent then.
type browser struct {
	answer    func(asked url.Values) url.Values
	strangers func(b *browser, redirect *url.URL, state string)
	posts     bool // the answer
	stays     bool // where the answer has brought it

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
			b.comeBack(ctx, *redirect, b.answer(asked).Encode())
		}
	}()
	return nil
}

// comeBack brings the answer, and goes on.
func (b *browser) comeBack(ctx context.Context, back url.URL, answer string) {
	if b.posts {
		b.visit(ctx, http.MethodPost, back.String(), "", answer)
	} else {
		back.RawQuery = answer
		b.visit(ctx, http.MethodGet, back.String(), "", "")
	}
	if next := b.visits[len(b.visits)-1].header.Get("Location"); next != "" && !b.stays {
		b.visit(ctx, http.MethodGet, next, "", "")
	}
}

// visit asks the loopback address, with another Host if that is set, and with a form if there is one.
func (b *browser) visit(ctx context.Context, method, target, host, form string) {
	req, err := http.NewRequestWithContext(context.WithoutCancel(ctx), method, target, strings.NewReader(form))
	if err != nil {
		return
	}
	req.Host = host
	if form != "" {
		req.Header.Set("Content-Type", formType)
	}
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
				{http.MethodHead, redirect.Path, "code=x&state=" + state, ""},
				{http.MethodGet, redirect.Path, "code=x&state=" + state + "&state=" + state, ""},
				{http.MethodGet, redirect.Path, "code=x&state=" + state + "&%zz", ""},
				{http.MethodGet, redirect.Path, "", ""}, // where the page will be
				{http.MethodGet, redirect.Path, "code=x&state=" + state, "evil.test"},
				{http.MethodGet, redirect.Path, "x=" + strings.Repeat("x", 1<<20), ""},
			} {
				u := url.URL{Scheme: "http", Host: redirect.Host, Path: c.path, RawQuery: c.query}
				b.visit(t.Context(), c.method, u.String(), c.host, "")
			}
		}}
		token, err := signIn(s).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open, Page: "bye"})
		if err != nil || token.Value.Reveal() != "t1" {
			t.Fatalf("the login failed: %v", err)
		}
		<-b.done
		for i, v := range b.visits[:len(b.visits)-2] {
			if v.status != http.StatusNotFound && v.status != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("stranger %d got %d", i+1, v.status)
			}
		}
		sent, last := b.visits[len(b.visits)-2], b.visits[len(b.visits)-1]
		if next := sent.header.Get("Location"); sent.status != http.StatusSeeOther || strings.Contains(next, "?") ||
			!strings.HasPrefix(next, "http://"+address+"/") || sent.body != "" {
			t.Errorf("S15 the browser is sent to %q with %d", next, sent.status)
		}
		if last.status != http.StatusOK || last.body != "bye" {
			t.Errorf("the browser got %+v", last)
		}
		for _, v := range []visit{sent, last} {
			if v.header.Get("Referrer-Policy") != "no-referrer" || v.header.Get("Cache-Control") != "no-store" ||
				!strings.HasPrefix(v.header.Get("Content-Security-Policy"), "default-src 'none'") ||
				v.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("S15 the browser got %+v", v)
			}
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

func TestLoopbackPages(t *testing.T) {
	t.Parallel()
	good := func(asked url.Values) url.Values { return callback(asked) }
	t.Run("F9 a second hit is sent on, and changes nothing", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		b := &browser{stays: true, strangers: func(b *browser, redirect *url.URL, state string) {
			back := *redirect
			for _, code := range []string{"c0de", "other", "other"} {
				back.RawQuery = url.Values{"code": {code}, "state": {state}}.Encode()
				b.visit(t.Context(), http.MethodGet, back.String(), "", "")
			}
			b.visit(t.Context(), http.MethodGet, redirect.String(), "", "")
		}}
		if _, err := signIn(s).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open}); err != nil {
			t.Fatal(err)
		}
		<-b.done
		var statuses []int
		for _, v := range b.visits {
			statuses = append(statuses, v.status)
		}
		equal(t, "statuses", statuses, []int{303, 303, 303, 200})
		if got := body(t, s); !strings.Contains(got, "code=c0de") {
			t.Errorf("the token call is %s", got)
		}
	})
	t.Run("S15 a browser that does not go on is not waited for", func(t *testing.T) {
		t.Parallel()
		b := &browser{answer: good, stays: true}
		if _, err := signIn(serve(t)).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open}); err != nil {
			t.Error(err)
		}
		<-b.done
	})
	t.Run("S15 what shows the browser itself shows the page as well", func(t *testing.T) {
		t.Parallel()
		shown := make(chan string, 1)
		open := func(ctx context.Context, login *oauth2flow.Login) error {
			u, err := url.Parse(login.URL)
			if err != nil {
				return err
			}
			asked := u.Query()
			back := asked.Get("redirect_uri") + "?" + callback(asked).Encode()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, back, nil)
			if err != nil {
				return err
			}
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			resp, err := client.Do(req)
			if err != nil {
				shown <- err.Error()
				return err
			}
			defer func() { _ = resp.Body.Close() }()
			page, err := io.ReadAll(resp.Body)
			shown <- string(page)
			return err
		}
		l := oauth2flow.Loopback{Open: open, Page: "bye"}
		if _, err := signIn(serve(t)).Loopback(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		equal(t, "the page", <-shown, "bye")
	})
	t.Run("F9 a slow client keeps nobody waiting", func(t *testing.T) {
		t.Parallel()
		var slow net.Conn
		b := &browser{answer: good, strangers: func(_ *browser, redirect *url.URL, _ string) {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", redirect.Host)
			if err != nil {
				t.Error(err)
				return
			}
			slow = conn
			_, _ = io.WriteString(conn, "GET /")
		}}
		token, err := signIn(serve(t)).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open})
		if err != nil || token.Value.Reveal() != "t1" {
			t.Errorf("the login failed: %v", err)
		}
		<-b.done
		if _, err := io.ReadAll(slow); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("the connection is still open")
		}
		_ = slow.Close()
	})
	t.Run("an answer that is posted", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		b := &browser{posts: true, answer: func(asked url.Values) url.Values {
			return url.Values{"id_token": {"a.b.c"}, "state": asked["state"]}
		}, strangers: func(b *browser, redirect *url.URL, state string) {
			b.visit(t.Context(), http.MethodPost, redirect.String(), "", "id_token=x&state=wrong")
			b.visit(t.Context(), http.MethodPost, redirect.String()+"?id_token=x&state="+state, "", "")
			b.visit(t.Context(), http.MethodPost, redirect.String(), "", "state="+state+"&x="+strings.Repeat("x", 1<<20))
		}}
		token, err := signIn(s, posted).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open})
		if err != nil || token.Value.Reveal() != "a.b.c" {
			t.Fatalf("the login failed: %v", err)
		}
		<-b.done
		for i, v := range b.visits[:len(b.visits)-2] {
			if v.status != http.StatusNotFound {
				t.Errorf("stranger %d got %d", i+1, v.status)
			}
		}
		sent(t, s, 0)
	})
	t.Run("a server with names of its own", func(t *testing.T) {
		t.Parallel()
		names := func(_ *client, a *oauth2flow.Authorization) { a.Names = map[string]string{"state": "st"} }
		b := &browser{answer: func(asked url.Values) url.Values {
			return url.Values{"code": {"c0de"}, "st": asked["st"]}
		}}
		if _, err := signIn(serve(t), names).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open}); err != nil {
			t.Error(err)
		}
		<-b.done
	})
	t.Run("a path that looks like a host", func(t *testing.T) {
		t.Parallel()
		b := &browser{answer: good, stays: true}
		l := oauth2flow.Loopback{Open: b.open, Path: "//evil.test/x"}
		if _, err := signIn(serve(t)).Loopback(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		<-b.done
		if next := b.visits[0].header.Get("Location"); !strings.HasPrefix(next, "http://127.0.0.1:") {
			t.Errorf("S15 the browser is sent to %q", next)
		}
	})
	t.Run("what one login is for", func(t *testing.T) {
		t.Parallel()
		var scope, hint string
		b := &browser{answer: func(asked url.Values) url.Values {
			scope, hint = asked.Get("scope"), asked.Get("login_hint")
			return callback(asked)
		}}
		_, err := signIn(serve(t)).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open},
			oauth2flow.LoginScopes("more"), oauth2flow.LoginHint("ann"))
		<-b.done
		if err != nil || scope != "more" || hint != "ann" {
			t.Errorf("asked for %q by %q: %v", scope, hint, err)
		}
		_, err = signIn(serve(t)).Loopback(t.Context(), oauth2flow.Loopback{Open: b.open}, oauth2flow.LoginReturn("/x"))
		if err == nil || !strings.Contains(err.Error(), "LoginReturn") {
			t.Errorf("error %v", err)
		}
	})
}

func TestLoopbackPort(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	port := taken.Addr().(*net.TCPAddr).Port
	store := &countingStore{PendingStore: oauth2flow.NewPendingMemory()}
	code := signIn(serve(t), func(_ *client, a *oauth2flow.Authorization) { a.Pending = store })
	never := func(context.Context, *oauth2flow.Login) error { t.Error("S14 a browser was opened"); return nil }
	_, err = code.Loopback(t.Context(), oauth2flow.Loopback{Open: never, Port: port})
	if !errors.Is(err, oauth2flow.ErrPort) || !strings.Contains(err.Error(), strconv.Itoa(port)) || store.puts.Load() > 0 {
		t.Errorf("S14 error %v, and %d logins began", err, store.puts.Load())
	}
	_ = taken.Close()
	b := &browser{answer: func(asked url.Values) url.Values { return callback(asked) }}
	if _, err = code.Loopback(t.Context(), oauth2flow.Loopback{Open: b.open, Port: port}); err != nil {
		t.Errorf("a port that is free: %v", err)
	}
	<-b.done
}

func TestLoopbackLeavesNothing(t *testing.T) {
	t.Parallel()
	good := func(asked url.Values) url.Values { return callback(asked) }
	for name, c := range map[string]struct {
		answer func(asked url.Values) url.Values // nil: the browser does not open
		reply  http.Handler
	}{
		"no browser":    {nil, issued},
		"a refusal":     {func(asked url.Values) url.Values { return callback(asked, "error", "x") }, issued},
		"a token call":  {good, oauthError("invalid_grant")},
		"a success too": {good, issued},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &countingStore{PendingStore: oauth2flow.NewPendingMemory()}
			b := &browser{answer: c.answer, done: make(chan struct{})}
			l := oauth2flow.Loopback{Open: b.open}
			if c.answer == nil {
				close(b.done)
				l.Open = func(context.Context, *oauth2flow.Login) error { return errors.New("there is no display") }
			}
			code := signIn(serve(t, c.reply), func(_ *client, a *oauth2flow.Authorization) { a.Pending = store })
			_, _ = code.Loopback(t.Context(), l)
			<-b.done
			if store.puts.Load() != 1 || store.left() != 0 {
				t.Errorf("%d of %d logins are left", store.left(), store.puts.Load())
			}
		})
	}
	t.Run("the end of the context", func(t *testing.T) {
		t.Parallel()
		store := &countingStore{PendingStore: oauth2flow.NewPendingMemory()}
		ctx, cancel := context.WithCancel(t.Context())
		code := signIn(serve(t), func(_ *client, a *oauth2flow.Authorization) { a.Pending = store })
		_, err := code.Loopback(ctx, oauth2flow.Loopback{
			Open: func(context.Context, *oauth2flow.Login) error { cancel(); return nil },
		})
		if !errors.Is(err, context.Canceled) || store.left() != 0 {
			t.Errorf("error %v, and %d logins are left", err, store.left())
		}
	})
}
