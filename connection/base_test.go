package connection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const (
	hostA = "https://a.api.example.test"
	hostB = "https://b.api.example.test"
)

// tenants is a grant whose tokens tell whose they are, which one it is, and where that tenant's API is.
type tenants struct {
	mu    sync.Mutex
	hosts map[string]string
	calls map[string]int
}

func (g *tenants) Obtain(ctx context.Context, _ *auth.Token) (*auth.Token, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	subject := auth.Subject(ctx)
	if g.calls == nil {
		g.calls = make(map[string]int)
	}
	g.calls[subject]++
	host, ok := g.hosts[subject]
	if !ok {
		return nil, auth.ErrLoginRequired
	}
	return &auth.Token{
		Value:  secrets.Static(fmt.Sprintf("token-of-%s-%d", subject, g.calls[subject])),
		Expiry: time.Now().Add(time.Hour),
		Extra:  map[string]secrets.Value{"instance_url": secrets.Static(host), "realmId": secrets.Static(subject)},
	}, nil
}

func (*tenants) Traits() auth.Traits { return auth.Traits{} }

// move changes the host that the next token tells.
func (g *tenants) move(subject, host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hosts[subject] = host
}

// fixed fills in always the same values.
func fixed(pairs ...string) connection.Option {
	values := make(map[string]string)
	for i := 0; i+1 < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return connection.WithBaseParams(func(context.Context) (map[string]string, error) { return values, nil })
}

// subject returns the context of a subject.
func subject(t *testing.T, name string) context.Context {
	t.Helper()
	return auth.WithSubject(t.Context(), name)
}

// bytesOf sends a request, and reads what comes.
func bytesOf(ctx context.Context, b request.Builder) ([]byte, error) {
	return request.Do[[]byte](ctx, b)
}

// fetch sends a GET with Do.
func fetch(ctx context.Context, conn *connection.Connection, target string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := conn.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Body.Close()
}

// inOrder runs a part of a test that needs what was before it.
func inOrder(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, f)
}

func TestBasePerSubject(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	a, b := n.Serve(hostA, connectiontest.JSON(200, "a")), n.Serve(hostB, connectiontest.JSON(200, "b"))
	grant := &tenants{hosts: map[string]string{"ann": hostA, "bob": hostB + "/"}}
	tokens := auth.Manage(grant, auth.PerSubject())
	conn := connect(t, "https://{instance_url}/v1/{realmId}/", n.Option(), connection.WithBaseParams(tokens.Extras),
		connection.WithBaseHosts("*.api.example.test"), connection.WithAuth(auth.Bearer(tokens)),
		connection.WithHeader("X-Key", canary))

	var all sync.WaitGroup
	for range 20 {
		for _, who := range []string{"ann", "bob"} {
			all.Go(func() {
				got, err := request.Do[string](subject(t, who), request.Get(conn, "/items").Query("q", "1"))
				if err != nil || got != `"`+who[:1]+`"` {
					t.Errorf("%s got %q, and the error %v", who, got, err)
				}
			})
		}
	}
	all.Wait()
	for who, srv := range map[string]*connectiontest.Server{"ann": a, "bob": b} {
		requests := srv.Requests()
		if len(requests) != 20 {
			t.Errorf("the server of %s received %d requests, want 20", who, len(requests))
		}
		for _, req := range requests {
			if req.Header.Get("Authorization") != "Bearer token-of-"+who+"-1" || req.Target != "/v1/"+who+"/items?q=1" {
				t.Errorf("%s: received %s with %s", who, req.Target, req.Header.Get("Authorization"))
			}
		}
	}

	inOrder(t, "absolute URLs are of the origin of the call", func(t *testing.T) {
		before := len(b.Requests())
		err := fetch(subject(t, "ann"), conn, hostB+"/v1/bob/items")
		foreign, ok := errors.AsType[*connection.OriginError](err)
		if !ok || foreign.Origin != hostB || foreign.Home != hostA {
			t.Errorf("error is %v, want an OriginError of %s and %s", err, hostB, hostA)
		}
		target, _ := url.Parse(hostB + "/v1/bob/items")
		_, err = bytesOf(subject(t, "ann"), request.To(conn, http.MethodGet, target))
		if _, ok := errors.AsType[*connection.OriginError](err); !ok {
			t.Errorf("error is %v, want an OriginError", err)
		}
		if _, err := bytesOf(subject(t, "ann"), request.Get(conn, hostB+"/x")); err == nil {
			t.Error("the call of one went to the other")
		}
		if len(b.Requests()) != before {
			t.Error("something was sent")
		}
		if err := fetch(subject(t, "bob"), conn, hostB+"/elsewhere"); err != nil {
			t.Error(err)
		}
		if _, err := bytesOf(subject(t, "bob"), request.To(conn, http.MethodGet, target)); err != nil {
			t.Error(err)
		}
		if got := b.Requests()[before].Header; got.Get("Authorization") == "" || got.Get("X-Key") != canary {
			t.Error("at home there is no credential, or no header")
		}
	})
	inOrder(t, "without a subject, or a login, nothing is sent", func(t *testing.T) {
		_, err := bytesOf(t.Context(), request.Get(conn, "/x"))
		base, ok := errors.AsType[*connection.BaseError](err)
		if !ok || base.Name != "" || !errors.Is(err, auth.ErrNoSubject) || !errors.Is(err, request.StageAuth) {
			t.Errorf("error is %v, want a BaseError of the missing subject", err)
		}
		_, err = bytesOf(subject(t, "eve"), request.Get(conn, "/x"))
		login, ok := errors.AsType[*auth.LoginRequiredError](err)
		if !ok || login.Key.Subject != "eve" || login.Grant != auth.Grant(grant) {
			t.Errorf("error is %v, want a LoginRequiredError of eve", err)
		}
	})
}

func TestBaseFollowsToken(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	reject := atomic.Bool{}
	a := n.Serve(hostA, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if reject.Load() {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	b := n.Serve(hostB, connectiontest.Status(200))
	grant := &tenants{hosts: map[string]string{"": hostA}}
	tokens := auth.Manage(grant)
	conn := connect(t, "https://{instance_url}", n.Option(), connection.WithBaseParams(tokens.Extras),
		connection.WithBaseHosts("*.api.example.test"), connection.WithAuth(auth.Bearer(tokens)))
	if err := fetch(t.Context(), conn, "/1"); err != nil {
		t.Fatal(err)
	}
	grant.move("", hostB)
	if _, err := tokens.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := fetch(t.Context(), conn, "/2"); err != nil {
		t.Fatal(err)
	}
	if got := only(t, a); got.Header.Get("Authorization") != "Bearer token-of--1" {
		t.Errorf("the first host received %v", got.Header)
	}
	if got := only(t, b); got.Target != "/2" || got.Header.Get("Authorization") != "Bearer token-of--2" {
		t.Errorf("the second host received %s with %v", got.Target, got.Header)
	}

	// A renewal within a call does not move the call.
	grant.move("", hostA)
	if _, err := tokens.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	reject.Store(true)
	grant.move("", hostB)
	if err := fetch(t.Context(), conn, "/3"); err != nil {
		t.Fatal(err)
	}
	got := a.Requests()
	if len(got) != 3 || got[2].Header.Get("Authorization") != "Bearer token-of--4" || len(b.Requests()) != 1 {
		t.Errorf("a has %d requests, b has %d", len(got), len(b.Requests()))
	}
}

func TestBaseHosts(t *testing.T) {
	t.Parallel()
	all := []string{
		hostA, hostB, "https://api.example.test", "https://x.a.api.example.test", "https://a.api.example.test:8443",
		"https://evil.test", "https://127.0.0.1", "http://a.api.example.test",
	}
	for _, c := range []struct {
		name, base, value string
		allowed           []string
		want              string // the origin that is asked; "" for none
		foreign           bool   // the error is an OriginError
	}{
		{name: "a host name", value: "a.api.example.test", want: hostA},
		{name: "in another case", value: "A.API.Example.Test", want: hostA},
		{name: "an origin", value: hostA, want: hostA},
		{name: "an origin with a slash", value: hostA + "/", want: hostA},
		{name: "the port of the scheme", value: hostA + ":443", want: hostA},
		{name: "a port that is named", value: hostA + ":8443", want: hostA + ":8443",
			allowed: []string{"*.api.example.test:8443"}},
		{name: "a port in the base URL", base: "https://{host}:8443", value: "a.api.example.test", want: hostA + ":8443",
			allowed: []string{"*.api.example.test:8443"}},
		{name: "an address that is named", value: "127.0.0.1", want: "https://127.0.0.1", allowed: []string{"127.0.0.1"}},
		{name: "a label", base: "https://{host}.api.example.test/", value: "b", want: hostB, allowed: []string{}},
		{name: "a label, in another case", base: "https://{host}.API.example.test", value: "B", want: hostB,
			allowed: []string{}},
		{name: "a label with a list", base: "https://{host}.api.example.test/", value: "b", foreign: true,
			allowed: []string{"a.api.example.test"}},
		{name: "A6 a port that is not named", value: hostA + ":8443", foreign: true},
		{name: "A7 the parent", value: "api.example.test", foreign: true},
		{name: "A7 a host two labels below", value: "x.a.api.example.test", foreign: true},
		{name: "A26 another host", value: "https://evil.test", foreign: true},
		{name: "A26 a name that begins alike", value: "a.api.example.test.evil.test", foreign: true},
		{name: "an address", value: "127.0.0.1", foreign: true},
		{name: "A5 another scheme", value: "http://a.api.example.test"},
		{name: "a trailing dot", value: "a.api.example.test."},
		{name: "userinfo", value: "a.api.example.test@evil.test"},
		{name: "userinfo in an origin", value: "https://a.api.example.test:x@evil.test"},
		{name: "a path", value: "https://a.api.example.test/x"},
		{name: "two slashes", value: "https://a.api.example.test//"},
		{name: "a path alone", value: "evil.test/a.api.example.test"},
		{name: "a query", value: "evil.test?.api.example.test"},
		{name: "a fragment", value: "evil.test#.api.example.test"},
		{name: "an escape", value: "evil.test%2f.api.example.test"},
		{name: "a backslash", value: `evil.test\.api.example.test`},
		{name: "a space", value: "a.api.example.test "},
		{name: "a line", value: "a.api.example.test\r\nX-Evil: 1"},
		{name: "A22 full width", value: "\uff41.api.example.test"},
		{name: "a star", value: "*.api.example.test"},
		{name: "brackets", value: "[::1]"},
		{name: "port 0", value: "a.api.example.test:0"},
		{name: "an empty port", value: "a.api.example.test:"},
		{name: "a port beside that of the base URL", base: "https://{host}:8443", value: "a.api.example.test:443"},
		{name: "nothing", value: ""},
		{name: "too long", value: strings.Repeat("a", 64) + ".api.example.test"},
		{name: "much too long", value: strings.Repeat("a", 2000)},
		{name: "two labels for one", base: "https://{host}.api.example.test/", value: "x.a", allowed: []string{}},
		{name: "another host for a label", base: "https://{host}.api.example.test", value: "evil.test/",
			allowed: []string{}},
		{name: "a port for a label", base: "https://{host}.api.example.test/", value: "evil.test:443", allowed: []string{}},
		{name: "an origin for a label", base: "https://{host}.api.example.test/", value: hostA, allowed: []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			servers := make(map[string]*connectiontest.Server)
			for _, origin := range all {
				servers[origin] = n.Serve(origin, connectiontest.Status(200))
			}
			options := []connection.Option{n.Option(), fixed("host", c.value), connection.WithAuth(bearer())}
			switch {
			case c.allowed == nil:
				options = append(options, connection.WithBaseHosts("*.api.example.test"))
			case len(c.allowed) > 0:
				options = append(options, connection.WithBaseHosts(c.allowed...))
			}
			if c.base == "" {
				c.base = "https://{host}"
			}
			conn := connect(t, c.base, options...)
			err := fetch(t.Context(), conn, "/x")
			if (err == nil) != (c.want != "") {
				t.Fatalf("error is %v", err)
			}
			if err != nil {
				wantBaseError(t, err, c.value, c.foreign)
			}
			for origin, srv := range servers {
				if origin != c.want && srv.Conns() != 0 {
					t.Errorf("%s was dialed", origin)
				}
			}
			if c.want == "" {
				return
			}
			got := only(t, servers[c.want])
			if got.Header.Get("Authorization") != "Bearer "+canary || got.Host != strings.TrimPrefix(c.want, "https://") {
				t.Errorf("received the Host %s, with %v", got.Host, got.Header)
			}
		})
	}
}

// wantBaseError wants the error of a host that was not asked, which does not repeat what is not a host.
func wantBaseError(t *testing.T, err error, value string, foreign bool) {
	t.Helper()
	base, ok := errors.AsType[*connection.BaseError](err)
	if !ok || base.Name != "host" || !strings.Contains(err.Error(), "{host}") {
		t.Errorf("error is %v, want a BaseError of {host}", err)
	}
	if _, ok := errors.AsType[*connection.OriginError](err); ok != foreign {
		t.Errorf("error is %v; is it an OriginError: %t", err, ok)
	}
	if foreign && !strings.Contains(err.Error(), "is not among the hosts of WithBaseHosts") {
		t.Errorf("error is %v, want one that says what to do", err)
	}
	if !foreign && value != "" && strings.Contains(err.Error(), value) {
		t.Errorf("error %v repeats the value", err)
	}
}

func TestBasePath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"a number", "9130", "/v3/company/9130/query?minor=1&q=2"},
		{"a slash", "a/b", "/v3/company/a%2Fb/query?minor=1&q=2"},
		{"a question mark", "a?b=c", "/v3/company/a%3Fb=c/query?minor=1&q=2"},
		{"a number sign", "a#b", "/v3/company/a%23b/query?minor=1&q=2"},
		{"an escape", "%2e%2e", "/v3/company/%252e%252e/query?minor=1&q=2"},
		{"a space", "a b", "/v3/company/a%20b/query?minor=1&q=2"},
		{"a brace", "{id}", "/v3/company/%7Bid%7D/query?minor=1&q=2"},
		{"a letter outside ASCII", "\u00e9", "/v3/company/%C3%A9/query?minor=1&q=2"},
		{"nothing", "", ""},
		{"a dot segment", ".", ""},
		{"two dots", "..", ""},
		{"two dots behind a slash", "a/../../admin", ""},
		{"two dots behind a backslash", `a\..`, ""},
		{"a line", "a\r\nX-Evil: 1", ""},
		{"too long", strings.Repeat("a", 1025), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, connectiontest.Status(200))
			conn := connect(t, srv.URL+"/v3/company/{realmId}?minor=1", srv.Network().Option(), fixed("realmId", c.value))
			_, err := bytesOf(t.Context(), request.Get(conn, "/query").Query("q", "2"))
			if c.want == "" {
				base, ok := errors.AsType[*connection.BaseError](err)
				if !ok || base.Name != "realmId" || !errors.Is(err, request.StageBuild) {
					t.Errorf("error is %v, want a BaseError of realmId", err)
				}
				if srv.Conns() != 0 {
					t.Error("the server was dialed")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := fetch(t.Context(), conn, "query?q=2"); err != nil {
				t.Fatal(err)
			}
			for i, req := range srv.Requests() {
				if req.Target != c.want {
					t.Errorf("request %d asked %s, want %s", i, req.Target, c.want)
				}
			}
		})
	}
	t.Run("the names of several", func(t *testing.T) {
		t.Parallel()
		srv := connectiontest.NewServer(t, connectiontest.Status(200))
		conn := connect(t, srv.URL+"/a%2Fb/{x}/{y_2}/{x}", srv.Network().Option(), fixed("x", "1", "y_2", "2"))
		if err := fetch(t.Context(), conn, "/z"); err != nil {
			t.Fatal(err)
		}
		if got := only(t, srv).Target; got != "/a%2Fb/1/2/1/z" {
			t.Errorf("asked %s", got)
		}
	})
	t.Run("all that is missing", func(t *testing.T) {
		t.Parallel()
		srv := connectiontest.NewServer(t, connectiontest.Status(200))
		conn := connect(t, srv.URL+"/{x}/{y}", srv.Network().Option(), fixed())
		if err := fetch(t.Context(), conn, "/z"); err == nil || !strings.Contains(err.Error(), "{x}") ||
			!strings.Contains(err.Error(), "{y}") {
			t.Errorf("error is %v, want one that names both", err)
		}
	})
}

func TestBaseRedirects(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, from, to string
		keeps          bool
	}{
		{"A6 to the host of another tenant", hostA, hostB + "/x", false},
		{"within the host", hostA, hostA + "/x", true},
		{"to a trusted origin", hostA, subURL + "/x", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			servers := map[string]*connectiontest.Server{}
			for _, origin := range []string{hostA, hostB, subURL} {
				servers[origin] = n.Serve(origin, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					if req.URL.Path == "/start" {
						w.Header().Set("Location", c.to)
						w.WriteHeader(http.StatusFound)
					}
				}))
			}
			grant := &tenants{hosts: map[string]string{"ann": hostA, "bob": hostB}}
			tokens := auth.Manage(grant, auth.PerSubject())
			conn := connect(t, "https://{instance_url}", n.Option(), connection.WithBaseParams(tokens.Extras),
				connection.WithBaseHosts("*.api.example.test"), connection.WithAuth(auth.Bearer(tokens)),
				connection.WithTrustedOrigins(subURL), connection.WithHeader("X-Key", canary))
			if err := fetch(subject(t, "ann"), conn, "/start"); err != nil {
				t.Fatal(err)
			}
			target, _ := url.Parse(c.to)
			got := servers[target.Scheme+"://"+target.Host].Requests()
			last := got[len(got)-1]
			if last.Target != "/x" || (last.Header.Get("Authorization") != "") != c.keeps ||
				(last.Header.Get("X-Key") != "") != c.keeps {
				t.Errorf("received %s with %v", last.Target, last.Header)
			}
		})
	}
}

func TestBaseEverywhere(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	a := n.Serve(hostA, connectiontest.JSON(200, "a"))
	asked := atomic.Int32{}
	conn := connect(t, "https://{host}.api.example.test/{id}", n.Option(), connection.WithAuth(bearer()),
		connection.WithTestPath("/health"), connection.WithName("service"),
		connection.WithRetry(connection.Retry{Max: 2, On: connection.OnStatus(404)}),
		connection.WithBaseParams(func(ctx context.Context) (map[string]string, error) {
			asked.Add(1)
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the context has no end")
			}
			return map[string]string{"host": "a", "id": "7"}, nil
		}))
	want := func(t *testing.T, target string) {
		t.Helper()
		all := a.Requests()
		if got := all[len(all)-1]; got.Target != target || got.Header.Get("Authorization") != "Bearer "+canary {
			t.Errorf("received %s with %v, want %s", got.Target, got.Header, target)
		}
		if n := asked.Swap(0); n != 1 {
			t.Errorf("the values were asked for %d times, want once", n)
		}
	}
	inOrder(t, "Test", func(t *testing.T) {
		if result, err := conn.Test(t.Context()); err != nil || !result.Healthy {
			t.Errorf("it is %v, and the error is %v", result, err)
		}
		want(t, "/7/health")
	})
	inOrder(t, "Send", func(t *testing.T) {
		u, _ := url.Parse(hostA + "/7/sent")
		x, err := conn.Send(t.Context(), connection.Call{Method: http.MethodGet, URL: *u})
		if err != nil {
			t.Fatal(err)
		}
		x.Close()
		want(t, "/7/sent")
	})
	inOrder(t, "request", func(t *testing.T) {
		if _, err := request.Do[string](t.Context(), request.Get(conn, "/typed")); err != nil {
			t.Error(err)
		}
		want(t, "/7/typed")
	})
	inOrder(t, "an http.Request of package request", func(t *testing.T) {
		req, err := request.Get(conn, "/made").Request(t.Context())
		if err != nil || req.URL.String() != hostA+"/7/made" {
			t.Errorf("URL is %v, and the error %v", req, err)
		}
		asked.Store(0)
	})
	inOrder(t, "HTTPClient", func(t *testing.T) {
		resolved, err := conn.Resolve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		asked.Store(0)
		for _, client := range []*http.Client{conn.HTTPClient(), resolved.HTTPClient()} {
			resp, err := client.Get(resolved.BaseURL().String() + "/client")
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
		}
		want(t, "/7/client")
	})
	inOrder(t, "what is resolved", func(t *testing.T) {
		resolved, err := conn.Resolve(t.Context())
		if err != nil || resolved.BaseURL().String() != hostA+"/7" {
			t.Fatalf("base URL is %v, and the error %v", resolved.BaseURL(), err)
		}
		if again, err := resolved.Resolve(t.Context()); err != nil || again != resolved {
			t.Error("it is resolved again")
		}
		if err := resolved.Close(); err != nil {
			t.Error(err)
		}
		if _, err := bytesOf(t.Context(), request.Get(resolved, "/r")); err != nil {
			t.Error(err)
		}
		want(t, "/7/r")
		derived, err := resolved.With(connection.WithUserAgent("derived"))
		if err != nil {
			t.Fatal(err)
		}
		defer derived.Close() //nolint:errcheck // it shares all that it has
		if _, err := bytesOf(t.Context(), request.Get(derived, "/d")); err != nil {
			t.Error(err)
		}
	})
	inOrder(t, "a derived connection", func(t *testing.T) {
		asked.Store(0)
		derived, err := conn.With(fixed("host", "a", "id", "8"))
		if err != nil {
			t.Fatal(err)
		}
		defer derived.Close() //nolint:errcheck // it shares all that it has
		if _, err := bytesOf(t.Context(), request.Get(derived, "/d")); err != nil {
			t.Error(err)
		}
		all := a.Requests()
		if got := all[len(all)-1].Target; got != "/8/d" || asked.Load() != 0 {
			t.Errorf("asked %s", got)
		}
	})
	inOrder(t, "the description shows the placeholders", func(t *testing.T) {
		d := conn.Describe()
		const template = "https://{host}.api.example.test/{id}"
		if d.BaseURL != template || conn.String() != "connection to "+template || !strings.Contains(d.String(), template) {
			t.Errorf("described as %q, and %q", d.BaseURL, conn)
		}
		withHosts, err := conn.With(connection.WithBaseHosts("A.api.example.test", "*.api.example.test:8443"))
		if err != nil {
			t.Fatal(err)
		}
		defer withHosts.Close() //nolint:errcheck // it shares all that it has
		if got := fmt.Sprint(withHosts.Describe().BaseHosts); got != "[a.api.example.test *.api.example.test:8443]" {
			t.Errorf("hosts are %s", got)
		}
	})
	inOrder(t, "a call without a context", func(t *testing.T) {
		_, err := conn.Resolve(nil) //nolint:staticcheck // that is the case
		if _, ok := errors.AsType[*connection.OptionError](err); !ok {
			t.Errorf("error is %v, want an OptionError", err)
		}
	})
	inOrder(t, "after Close", func(t *testing.T) {
		resolved, err := conn.Resolve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		for _, c := range []*connection.Connection{conn, resolved} {
			if err := fetch(t.Context(), c, "/x"); !errors.Is(err, connection.ErrClosed) {
				t.Errorf("error is %v, want ErrClosed", err)
			}
		}
	})
}

func TestBaseParamsFail(t *testing.T) {
	t.Parallel()
	closed := atomic.Int32{}
	body := func() io.ReadCloser {
		return &countedBody{Reader: strings.NewReader("x"), closed: &closed}
	}
	failure := errors.New("no tenant")
	n := connectiontest.NewNetwork(t)
	a := n.Serve(hostA, connectiontest.Status(200))
	conn := connect(t, "https://{host}.api.example.test", n.Option(), connection.WithAuth(bearer()),
		connection.WithBaseParams(func(context.Context) (map[string]string, error) { return nil, failure }))
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "/x", body())
	_, err := conn.Do(req)
	if _, ok := errors.AsType[*connection.BaseError](err); !ok || !errors.Is(err, failure) {
		t.Errorf("error is %v, want a BaseError", err)
	}
	req, _ = http.NewRequestWithContext(t.Context(), http.MethodPost, hostA+"/x", body())
	if _, err = conn.HTTPClient().Do(req); !errors.Is(err, failure) {
		t.Errorf("error is %v", err)
	}
	if a.Conns() != 0 || closed.Load() != 2 {
		t.Errorf("there were %d connections, and %d bodies were closed", a.Conns(), closed.Load())
	}
	synctest.Test(t, func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		for _, c := range []struct {
			limits connection.Timeouts
			phase  connection.Phase
			took   time.Duration
		}{
			{connection.Timeouts{}, connection.PhaseAttempt, time.Minute},
			{connection.Timeouts{Total: time.Second}, connection.PhaseTotal, time.Second},
		} {
			conn := connect(t, "https://{host}.api.example.test", n.Option(), connection.WithTimeouts(c.limits),
				connection.WithBaseParams(func(ctx context.Context) (map[string]string, error) {
					<-ctx.Done()
					return nil, ctx.Err()
				}))
			began := time.Now()
			err := fetch(t.Context(), conn, "/x")
			limit, ok := errors.AsType[*connection.TimeoutError](err)
			if !ok || limit.Phase != c.phase || time.Since(began) != c.took {
				t.Errorf("error is %v, after %v", err, time.Since(began))
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(failure)
			if err := fetch(ctx, conn, "/x"); !errors.Is(err, failure) || !errors.Is(err, context.Canceled) {
				t.Errorf("error is %v, want the cause of the end", err)
			}
		}
	})
}

// countedBody counts who closes it.
type countedBody struct {
	io.Reader

	closed *atomic.Int32
}

func (b *countedBody) Close() error {
	b.closed.Add(1)
	return nil
}

func TestBaseOptions(t *testing.T) {
	t.Parallel()
	params, hosts := fixed(), connection.WithBaseHosts("*.api.example.test")
	jar, _ := cookiejar.New(nil)
	for _, c := range []struct {
		name, base string
		options    []connection.Option
		want       []string // the options that are wrong
	}{
		{"a host and a list", "https://{host}", []connection.Option{params, hosts}, nil},
		{"a label", "https://{host}.api.example.test", []connection.Option{params}, nil},
		{"two labels", "https://{host}.{zone}.api.example.test", []connection.Option{params}, nil},
		{"a path", "https://api.example.test/{id}", []connection.Option{params}, nil},
		{"a path with a proxy of its own", "http://127.0.0.1/{id}",
			[]connection.Option{params, connection.WithConnectTo("127.0.0.1", 8080)}, nil},
		{"braces in the query", `https://api.example.test/?filter={"a":1}`, nil, nil},
		{"braces that are escaped", "https://api.example.test/%7Bid%7D", nil, nil},
		{"nobody to fill it in", "https://api.example.test/{id}", nil, []string{"base URL"}},
		{"no list", "https://{host}", []connection.Option{params}, []string{"WithBaseHosts"}},
		{"no list, one label above", "https://{host}.test", []connection.Option{params}, []string{"WithBaseHosts"}},
		{"no list, a label at the end", "https://api.example.{zone}", []connection.Option{params}, []string{"WithBaseHosts"}},
		{"no placeholder", "https://api.example.test", []connection.Option{params}, []string{"base URL"}},
		{"a list and no host", "https://api.example.test/{id}", []connection.Option{params, hosts},
			[]string{"WithBaseHosts"}},
		{"a nil function", "https://api.example.test/{id}", []connection.Option{connection.WithBaseParams(nil)},
			[]string{"WithBaseParams", "base URL"}},
		{"a bare star", "https://{host}", []connection.Option{params, connection.WithBaseHosts("*")},
			[]string{"WithBaseHosts"}},
		{"a star above one label", "https://{host}", []connection.Option{params, connection.WithBaseHosts("*.com")},
			[]string{"WithBaseHosts"}},
		{"a star at the end", "https://{host}", []connection.Option{params, connection.WithBaseHosts("api.example.*")},
			[]string{"WithBaseHosts"}},
		{"a star in a label", "https://{host}", []connection.Option{params, connection.WithBaseHosts("a*.example.com")},
			[]string{"WithBaseHosts"}},
		{"a scheme", "https://{host}", []connection.Option{params, connection.WithBaseHosts("https://a.example.com")},
			[]string{"WithBaseHosts"}},
		{"an empty label", "https://{host}", []connection.Option{params, connection.WithBaseHosts("*..example.com")},
			[]string{"WithBaseHosts"}},
		{"a port that is none", "https://{host}", []connection.Option{params, connection.WithBaseHosts("a.example.com:0")},
			[]string{"WithBaseHosts"}},
		{"an empty list", "https://{host}", []connection.Option{params, connection.WithBaseHosts()},
			[]string{"WithBaseHosts"}},
		{"another host and port", "https://{host}", []connection.Option{params, hosts, connection.WithConnectTo("h", 1)},
			[]string{"WithConnectTo"}},
		{"a jar", "https://{host}", []connection.Option{params, hosts, connection.WithCookieJar(jar)},
			[]string{"WithCookieJar"}},
		{"a credential over http", "http://{host}", []connection.Option{params, hosts, connection.WithAuth(bearer())},
			[]string{"WithAuth"}},
		{"a part of a segment", "https://api.example.test/v{id}", []connection.Option{params}, []string{"base URL"}},
		{"two in a segment", "https://api.example.test/{a}{b}", []connection.Option{params}, []string{"base URL"}},
		{"a part of a label", "https://api-{a}.example.test", []connection.Option{params}, []string{"base URL"}},
		{"no name", "https://api.example.test/{}", []connection.Option{params}, []string{"base URL"}},
		{"a brace alone", "https://api.example.test/a}", []connection.Option{params}, []string{"base URL"}},
		{"the query", "https://api.example.test/?a={id}", []connection.Option{params}, []string{"base URL"}},
		{"the scheme", "{scheme}://api.example.test/", []connection.Option{params}, []string{"base URL"}},
		{"the port", "https://api.example.test:{port}/", []connection.Option{params}, []string{"base URL"}},
		{"a wrong port", "https://{host}:0/", []connection.Option{params, hosts}, []string{"base URL"}},
		{"userinfo", "https://user:pass@{host}.api.example.test/", []connection.Option{params}, []string{"base URL"}},
		{"a dot segment", "https://api.example.test/../{id}", []connection.Option{params}, []string{"base URL"}},
		{"a fragment", "https://api.example.test/{id}#x", []connection.Option{params}, []string{"base URL"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, err := connection.New(c.base, append(c.options, connection.WithProxy(connection.Proxy{
				Mode: connection.ProxyNone}))...)
			if err == nil {
				_ = conn.Close()
			}
			got, want := map[string]bool{}, map[string]bool{}
			for _, fault := range faultsOf(err) {
				got[fault.Option] = true
			}
			for _, option := range c.want {
				want[option] = true
			}
			if !maps.Equal(got, want) {
				t.Errorf("error is %v, want faults of %v", err, c.want)
			}
		})
	}
}

// faultsOf returns all option errors that are joined.
func faultsOf(err error) []*connection.OptionError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*connection.OptionError
		for _, one := range joined.Unwrap() {
			all = append(all, faultsOf(one)...)
		}
		return all
	}
	if fault, ok := err.(*connection.OptionError); ok { //nolint:errorlint // the same
		return []*connection.OptionError{fault}
	}
	return nil
}

// A host that is down uses up its own retries, and not those of another tenant.
func TestBaseRetryBudget(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	a := n.Serve(hostA, connectiontest.Status(503))
	b := n.Serve(hostB, connectiontest.Status(503))
	type hostKey struct{}
	conn := connect(t, "https://{host}.api.example.test", n.Option(),
		connection.WithRetry(connection.Retry{Max: 1}),
		connection.WithRetryBudget(connection.RetryBudget{Tokens: 10, Cost: 5}),
		connection.WithBaseParams(func(ctx context.Context) (map[string]string, error) {
			host, _ := ctx.Value(hostKey{}).(string)
			return map[string]string{"host": host}, nil
		}))
	for range 5 {
		if err := fetch(context.WithValue(t.Context(), hostKey{}, "a"), conn, "/"); err != nil {
			t.Fatal(err)
		}
	}
	if err := fetch(context.WithValue(t.Context(), hostKey{}, "b"), conn, "/"); err != nil {
		t.Fatal(err)
	}
	if len(a.Requests()) != 7 || len(b.Requests()) != 2 {
		t.Errorf("a has %d requests and b %d, want 7 and 2", len(a.Requests()), len(b.Requests()))
	}
}

func ExampleWithBaseParams() {
	tokens := auth.Manage(auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
		return &auth.Token{
			Value: secrets.Static("t0"),
			Extra: map[string]secrets.Value{"instance_url": secrets.Static("https://acme.my.salesforce.com")},
		}, nil
	}))
	conn, err := connection.New("https://{instance_url}/services/data/v60.0",
		connection.WithAuth(auth.Bearer(tokens)),
		connection.WithBaseParams(tokens.Extras),
		connection.WithBaseHosts("*.my.salesforce.com"),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close() //nolint:errcheck // an example
	resolved, err := conn.Resolve(context.Background())
	fmt.Println(conn)
	fmt.Println(resolved, err)
	// Output:
	// connection to https://{instance_url}/services/data/v60.0
	// connection to https://acme.my.salesforce.com/services/data/v60.0 <nil>
}
