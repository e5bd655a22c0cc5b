package digest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/authtest"
	"github.com/restconn/restconn/auth/digest"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const (
	user     = "Mufasa"
	password = "Circle of Life"
)

func newServer() *server {
	return &server{user: user, password: password, realm: "api", algorithm: "SHA-256"}
}

// connect returns a connection to a server for the handler.
func connect(t *testing.T, h http.Handler, a auth.Authenticator) (*connection.Connection, *connectiontest.Server) {
	t.Helper()
	srv := connectiontest.NewServer(t, h)
	conn, err := connection.New(srv.URL, srv.Network().Option(), connection.WithAuth(a))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn, srv
}

// get makes a GET, and returns the status of its answer.
func get(t *testing.T, conn *connection.Connection, path string) int {
	t.Helper()
	return send(t, request.Get(conn, path))
}

func send(t *testing.T, b request.Builder) int {
	t.Helper()
	_, err := request.Do[struct{}](t.Context(), b)
	if e, ok := errors.AsType[*request.ResponseError](err); ok {
		return e.Status
	}
	if err != nil {
		t.Error(err)
		return 0
	}
	return 200
}

func authenticator(opts ...digest.Option) auth.Authenticator {
	return digest.New(user, secrets.Static(password), opts...)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const quoted, foreign = `a"b\c d`, "Jäsøn Doe +%"
	tests := map[string]func(*server){
		"SHA-256":                  func(*server) {},
		"SHA-256-sess":             func(s *server) { s.algorithm = "SHA-256-sess" },
		"SHA-512-256":              func(s *server) { s.algorithm = "SHA-512-256" },
		"SHA-512-256-sess":         func(s *server) { s.algorithm = "SHA-512-256-sess" },
		"MD5":                      func(s *server) { s.algorithm = "MD5" },
		"MD5-sess":                 func(s *server) { s.algorithm = "MD5-sess" },
		"no algorithm":             func(s *server) { s.algorithm = "" },
		"opaque":                   func(s *server) { s.opaque = `5cc"\069` },
		"realm with quotes":        func(s *server) { s.realm = quoted + "é" },
		"user with quotes":         func(s *server) { s.user = quoted },
		"user with a colon":        func(s *server) { s.user = "a:b" },
		"user beyond ASCII":        func(s *server) { s.user = foreign },
		"userhash":                 func(s *server) { s.userhash = true },
		"userhash beyond ASCII":    func(s *server) { s.userhash, s.user = true, foreign },
		"userhash, SHA-256-sess":   func(s *server) { s.userhash, s.algorithm = true, "SHA-256-sess" },
		"password beyond ASCII":    func(s *server) { s.password = "pä\x01ss:wörd" },
		"empty password":           func(s *server) { s.password = "" },
		"counts grow":              func(s *server) { s.ordered = true },
		"one nonce for everything": func(s *server) { s.same = true },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer()
			change(s)
			conn, srv := connect(t, s, digest.New(s.user, secrets.Static(s.password), digest.AllowMD5()))
			for _, path := range []string{"/v1/a", "/v1/b?q=%2f%2F+x&q=;y", "/v1/a%2Fb/%C3%A4?"} {
				if got := get(t, conn, path); got != 200 {
					t.Errorf("%s: status %d", path, got)
				}
			}
			if got := send(t, request.Post(conn, "/v1/c").JSON(map[string]int{"n": 1})); got != 200 {
				t.Errorf("POST: status %d", got)
			}
			s.check(t, 1, 0, 4)
			if raw := srv.Requests()[0].Raw; strings.Contains(raw, "Authorization") {
				t.Errorf("the first request has an answer:\n%s", raw)
			}
		})
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	for name, same := range map[string]bool{"a nonce each": false, "one nonce": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer()
			s.same = same
			conn, _ := connect(t, s, authenticator())
			var wg sync.WaitGroup
			for range 64 {
				wg.Go(func() {
					for range 4 {
						if got := get(t, conn, "/v1/a"); got != 200 {
							t.Errorf("status %d", got)
						}
					}
				})
			}
			wg.Wait()
			s.mu.Lock()
			bare := s.bare
			s.mu.Unlock()
			if bare > 64 {
				t.Errorf("%d requests without an answer", bare)
			}
			s.check(t, bare, 0, 256)
		})
	}
}

// TestStale has the nonces go stale after two uses.
func TestStale(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.uses = 2
	conn, srv := connect(t, s, authenticator())
	for range 6 {
		if got := get(t, conn, "/v1/a"); got != 200 {
			t.Errorf("status %d", got)
		}
	}
	s.check(t, 1, 0, 6)
	if n := len(srv.Requests()); n != 9 { // 6, the first challenge, and a stale nonce after two and after four
		t.Errorf("%d requests, want 9", n)
	}
}

// TestAlwaysStale has one more request for each call, and no loop.
func TestAlwaysStale(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	conn, srv := connect(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate",
			fmt.Sprintf(`Digest realm="r", nonce="n%d", qop="auth", algorithm=SHA-256, stale=true`, n.Add(1)))
		w.WriteHeader(401)
	}), authenticator())
	for range 3 {
		if got := get(t, conn, "/"); got != 401 {
			t.Errorf("status %d", got)
		}
	}
	if n := len(srv.Requests()); n != 6 {
		t.Errorf("%d requests, want 6", n)
	}
}

func TestWrongPassword(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		var text atomic.Value
		text.Store("wrong-1")
		conn, _ := connect(t, s, digest.New(user, secrets.Func(func(context.Context) (secrets.Value, error) {
			return secrets.Static(text.Load().(string)), nil
		})))
		call := func(want int) {
			t.Helper()
			if got := get(t, conn, "/v1/a"); got != want {
				t.Errorf("status %d, want %d", got, want)
			}
		}
		for range 10 {
			call(401)
		}
		s.check(t, 9, 2, 0) // the second answer is the first whose rejection is seen
		text.Store("wrong-2")
		for range 10 {
			call(401)
		}
		s.check(t, 18, 3, 0)
		text.Store(password)
		call(200)
		call(200)
		s.check(t, 18, 3, 2)
		text.Store("wrong-2") // it is what was rejected
		call(401)
		s.check(t, 19, 3, 2)
		time.Sleep(digest.RejectionPause)
		call(401)
		s.check(t, 19, 4, 2)
		call(401)
		s.check(t, 20, 4, 2)
	})
}

// TestMuteRejection has a server that does not say how to answer when it rejects an answer.
func TestMuteRejection(t *testing.T) {
	t.Parallel()
	s := newServer()
	s.mute = true
	conn, _ := connect(t, s, digest.New(user, secrets.Static("wrong")))
	for range 5 {
		if got := get(t, conn, "/v1/a"); got != 401 {
			t.Errorf("status %d", got)
		}
	}
	s.check(t, 4, 2, 0)
}

// TestBodyIsSentAgain begins with a request that has a body.
func TestBodyIsSentAgain(t *testing.T) {
	t.Parallel()
	s := newServer()
	conn, srv := connect(t, s, authenticator())
	if got := send(t, request.Post(conn, "/v1/a").JSON(map[string]int{"n": 1})); got != 200 {
		t.Errorf("status %d", got)
	}
	s.check(t, 1, 0, 1)
	for i, r := range srv.Requests() {
		if string(r.Body) != `{"n":1}` {
			t.Errorf("body %d is %q", i, r.Body)
		}
	}
}

// TestRotatedWhileSent has the password replaced while a request is under way: the new one is not blamed.
func TestRotatedWhileSent(t *testing.T) {
	t.Parallel()
	s := newServer()
	var text atomic.Value
	text.Store(password)
	conn, _ := connect(t, s, digest.New(user, secrets.Func(func(context.Context) (secrets.Value, error) {
		old := text.Load().(string)
		s.mu.Lock()
		defer s.mu.Unlock()
		text.Store(s.password) // it is there from now on
		return secrets.Static(old), nil
	})))
	if got := get(t, conn, "/v1/a"); got != 200 {
		t.Errorf("status %d", got)
	}
	s.mu.Lock()
	s.password = "replaced"
	s.mu.Unlock()
	for range 3 {
		if got := get(t, conn, "/v1/a"); got != 200 {
			t.Errorf("status %d after it was replaced", got)
		}
	}
	s.check(t, 1, 1, 4)
}

// offer answers every request with these challenges.
func offer(lines ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Www-Authenticate"] = lines
		w.WriteHeader(401)
	})
}

func TestChoosesTheStrongest(t *testing.T) {
	t.Parallel()
	challenge := func(algorithm string) string {
		return `Digest realm="r", nonce="n-` + algorithm + `", qop="auth", algorithm=` + algorithm
	}
	md5, sha, sess, sha512 := challenge("MD5"), challenge("SHA-256"), challenge("SHA-256-sess"), challenge("SHA-512-256")
	tests := map[string]struct {
		lines []string
		want  string // the algorithm that is answered; none if empty
	}{
		"in lines": {[]string{md5, "Basic realm=x", sess, sha, sha512}, "SHA-256"},
		"in one line": {
			[]string{"Negotiate abc==, " + md5 + ", " + sha512 + `, Basic realm="a, Digest b"`}, "SHA-512-256",
		},
		"session last":           {[]string{sha512, sess}, "SHA-256-sess"},
		"MD5 if nothing else":    {[]string{md5, challenge("TOKEN-9")}, "MD5"},
		"any case":               {[]string{`dIGEST Realm="r",NONCE=n,QOP=AUTH,Algorithm="sha-256"`}, "sha-256"},
		"bare nonce":             {[]string{`Digest realm=r, nonce=ab+/c==, qop="auth", algorithm=SHA-256`}, "SHA-256"},
		"empty elements":         {[]string{`, ,Digest realm="r" ,, nonce="n",,qop="auth",algorithm=SHA-256,`}, "SHA-256"},
		"a good one after":       {[]string{`Digest realm="r`, sha}, "SHA-256"},
		"a good one before":      {[]string{sha + `, Digest realm="r`}, "SHA-256"},
		"no digest":              {[]string{"Basic realm=x", "Bearer"}, ""},
		"none at all":            {nil, ""},
		"no nonce":               {[]string{`Digest realm="r", qop="auth", algorithm=SHA-256`}, ""},
		"no realm":               {[]string{`Digest nonce="n", qop="auth", algorithm=SHA-256`}, ""},
		"nonce twice":            {[]string{sha + `, nonce="m"`}, ""},
		"F19 quotes unbalanced":  {[]string{`Digest realm="r", nonce="n, qop="auth", algorithm=SHA-256`}, ""},
		"F19 a quote at the end": {[]string{sha + `, opaque="`}, ""},
		"F19 an escape at end":   {[]string{sha + `, opaque="\`}, ""},
		"F19 a huge nonce":       {[]string{sha + `, opaque="` + strings.Repeat("n", 5000) + `"`}, ""},
		"F19 10,000 challenges":  {[]string{strings.Repeat("Digest a=b, ", 10000) + sha}, ""},
		"F19 3,000 lines":        {append(strings.Split(strings.Repeat("Digest realm=x\n", 3000), "\n"), sha), ""},
		"F19 commas":             {[]string{strings.Repeat(",", 60000)}, ""},
		"words without a comma":  {[]string{sha + ` Basic realm="x"`}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, srv := connect(t, offer(tt.lines...), authenticator(digest.AllowMD5()))
			if got := get(t, conn, "/"); got != 401 {
				t.Errorf("status %d", got)
			}
			var got string
			if sent := srv.Requests(); len(sent) == 2 {
				p, err := parse(sent[1].Header.Get("Authorization"))
				if err != nil {
					t.Fatal(err)
				}
				got = p["algorithm"]
			} else if len(sent) != 1 {
				t.Errorf("%d requests", len(sent))
			}
			if got != tt.want {
				t.Errorf("answered %q, want %q", got, tt.want)
			}
		})
	}
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		params string
		want   string
	}{
		"MD5":          {`qop="auth", algorithm=MD5`, "MD5, which AllowMD5 allows"},
		"no algorithm": {`qop="auth"`, "MD5, which AllowMD5 allows"},
		"auth-int":     {`qop="auth-int", algorithm=SHA-256`, "SHA-256 without the qop auth"},
		"no qop":       {`algorithm=SHA-256`, "SHA-256 without qop"},
		"unknown":      {`qop="auth", algorithm=sentinel`, "an algorithm that is not supported"},
	}
	for name, tt := range tests {
		conn, srv := connect(t, offer(`Digest realm="r", nonce="sentinel", `+tt.params), authenticator())
		_, err := request.Do[struct{}](t.Context(), request.Get(conn, "/"))
		if _, ok := errors.AsType[*auth.Error](err); !ok || !errors.Is(err, digest.ErrUnsupported) ||
			!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "sentinel") {
			t.Errorf("%s: got %v", name, err)
		}
		if n := len(srv.Requests()); n != 1 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
}

func TestOtherStatusesAreNotChallenges(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 403, 407, 500} {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			const challenge = `Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256`
			w.Header().Set("WWW-Authenticate", challenge)
			w.Header().Set("Proxy-Authenticate", challenge)
			w.WriteHeader(status)
		})
		conn, srv := connect(t, h, authenticator())
		if got := get(t, conn, "/"); got != status || len(srv.Requests()) != 1 {
			t.Errorf("status %d after %d requests", got, len(srv.Requests()))
		}
	}
}

func TestCallersHeaderWins(t *testing.T) {
	t.Parallel()
	s := newServer()
	conn, srv := connect(t, s, authenticator())
	get(t, conn, "/v1/a")
	own := request.Get(conn, "/v1/a").Header("Authorization", "Bearer own")
	if got := send(t, own); got != 400 {
		t.Errorf("status %d", got)
	}
	sent := srv.Requests()
	if got := sent[len(sent)-1].Header["Authorization"]; len(sent) != 3 || len(got) != 1 || got[0] != "Bearer own" {
		t.Errorf("%d requests, the last with %q", len(sent), got)
	}
	// Beside a connection, too: somebody else's rejected credential is no reason to answer, nor to blame the password.
	a := authenticator().(auth.Challenger)
	for _, text := range []string{"Bearer own", `Digest username="Mufasa", realm="r", nonce="n", cnonce="c", nc=01`} {
		req, resp := challenged(t, "/v1/a")
		req.Header["authorization"] = []string{text}
		if resend, err := a.Challenged(req, resp); resend || err != nil {
			t.Errorf("%s: resend %v, %v", text, resend, err)
		}
	}
}

// challenged returns a request for the origin of package authtest, and a challenge to it.
func challenged(t *testing.T, path string) (*http.Request, *http.Response) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), "GET", "https://api.example.com:8443"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp := &http.Response{StatusCode: 401, Header: http.Header{
		"Www-Authenticate": {`Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256`},
	}}
	return req, resp
}

// TestOrigins has no answer go to an origin that has not asked for one.
func TestOrigins(t *testing.T) {
	t.Parallel()
	a := authenticator()
	req, resp := challenged(t, "/")
	if resend, err := a.(auth.Challenger).Challenged(req, resp); !resend || err != nil {
		t.Fatalf("resend %v, %v", resend, err)
	}
	for url, want := range map[string]bool{
		"https://api.example.com:8443/a": true, "https://API.example.com:8443/b": true,
		"https://api.example.com/": false, "http://api.example.com:8443/": false, "https://www.example.com:8443/": false,
	} {
		req, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Authenticate(req); err != nil || (req.Header.Get("Authorization") != "") != want {
			t.Errorf("%s: answered %v, %v", url, !want, err)
		}
	}
}

// TestDomain has two realms on one origin, each with paths of its own.
func TestDomain(t *testing.T) {
	t.Parallel()
	a, b := newServer(), newServer()
	a.realm, a.domain = "a", "/a https://elsewhere.example/b"
	b.realm, b.domain = "b", "b/ /c"
	mux := http.NewServeMux()
	mux.Handle("/a/", a)
	mux.Handle("/b/", b)
	mux.Handle("/free", connectiontest.JSON(200, struct{}{}))
	conn, srv := connect(t, mux, authenticator())
	for range 3 {
		for _, path := range []string{"/a/1", "/b/1", "/free"} {
			if got := get(t, conn, path); got != 200 {
				t.Errorf("%s: status %d", path, got)
			}
		}
	}
	a.check(t, 1, 0, 3)
	for _, r := range srv.Requests() {
		if r.Target == "/free" && r.Header.Get("Authorization") != "" {
			t.Error("an answer went where no realm is")
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.faults) > 0 || b.good != 3 {
		t.Errorf("realm b: %d good, faults %q", b.good, b.faults)
	}
}

// TestRealmsWithoutDomain has two realms that do not say where they are: each costs a challenge when it is its turn,
// and none of them is taken for a rejection.
func TestRealmsWithoutDomain(t *testing.T) {
	t.Parallel()
	a, b := newServer(), newServer()
	a.realm, b.realm = "a", "b"
	lenient := func(s *server) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Authorization"), `realm="`+s.realm+`"`) {
				r.Header.Del("Authorization")
			}
			s.ServeHTTP(w, r)
		})
	}
	mux := http.NewServeMux()
	mux.Handle("/a", lenient(a))
	mux.Handle("/b", lenient(b))
	conn, _ := connect(t, mux, authenticator())
	for range 3 {
		for _, path := range []string{"/a", "/b"} {
			if got := get(t, conn, path); got != 200 {
				t.Errorf("%s: status %d", path, got)
			}
		}
	}
	a.check(t, 3, 0, 3)
	b.check(t, 3, 0, 3)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("u", 1025)
	tests := map[string]struct {
		a    auth.Authenticator
		want []string
		is   error
	}{
		"valid":     {authenticator(digest.AllowMD5()), nil, nil},
		"empty":     {digest.New("", secrets.Static("p")), []string{"user is empty"}, auth.ErrNoCredential},
		"control":   {digest.New("a\r\nb", secrets.Static("p")), []string{"control character"}, auth.ErrMalformed},
		"long":      {digest.New(long, secrets.Static("p")), []string{"longer than 1 KiB"}, auth.ErrMalformed},
		"nil":       {digest.New("u", nil), []string{"password is nil"}, auth.ErrNoCredential},
		"provider":  {digest.New("u", secrets.Env("")), []string{"name"}, secrets.ErrInvalid},
		"all of it": {digest.New("", nil, nil), []string{"option is nil", "user is empty", "password is nil"}, nil},
	}
	for name, tt := range tests {
		err := auth.Validate(tt.a)
		if (err == nil) != (len(tt.want) == 0) || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: got %v", name, err)
		}
		for _, want := range tt.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is not in: %v", name, want, err)
			}
		}
	}
	req, _ := challenged(t, "/")
	if err := digest.New("", nil).Authenticate(req); !errors.Is(err, auth.ErrNoCredential) {
		t.Errorf("Authenticate: %v", err)
	}
	if digest.AllowMD5().String() != "AllowMD5()" {
		t.Error("AllowMD5 has another name")
	}
}

func TestProviderFails(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	conn, srv := connect(t, newServer(), digest.New(user, secrets.Func(func(context.Context) (secrets.Value, error) {
		return secrets.Value{}, boom
	})))
	_, err := request.Do[struct{}](t.Context(), request.Get(conn, "/"))
	if _, ok := errors.AsType[*auth.Error](err); !ok || !errors.Is(err, boom) || len(srv.Requests()) != 1 {
		t.Errorf("got %v after %d requests", err, len(srv.Requests()))
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	const userName, text = "s3cret-user+1", "s3cret/key+~1"
	boom := errors.New("boom")
	open := func(p secrets.Provider) func() auth.Authenticator {
		return func() auth.Authenticator {
			var known atomic.Bool
			a := digest.New(userName, secrets.Func(func(ctx context.Context) (secrets.Value, error) {
				if !known.Load() {
					return secrets.Static(text), nil
				}
				return p.Secret(ctx)
			}))
			req, resp := challenged(t, "/v1/")
			if resend, err := a.(auth.Challenger).Challenged(req, resp); !resend || err != nil {
				t.Errorf("resend %v, %v", resend, err)
			}
			known.Store(true)
			return a
		}
	}
	failing := secrets.Func(func(context.Context) (secrets.Value, error) { return secrets.Value{}, boom })
	authtest.Run(t, authtest.Config{
		New:     open(secrets.Static(text)),
		Secrets: []string{userName, text},
		Failing: []func() auth.Authenticator{
			open(failing), open(secrets.Static(strings.Repeat(text, 10000))),
			func() auth.Authenticator { return digest.New(userName+"\n", secrets.Static(text)) },
		},
	})
}

func FuzzChallenges(f *testing.F) {
	f.Add(`Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256`)
	f.Add(`Negotiate abc==, Digest realm="\"", nonce=n==, qop=auth,algorithm=MD5, Basic`)
	f.Add(`Digest realm="r", nonce="n", domain="/ %zz http://[", qop=", ,auth", userhash=true, algorithm=md5-SESS`)
	f.Fuzz(func(t *testing.T, line string) {
		req, resp := challenged(t, "/")
		resp.Header["Www-Authenticate"] = []string{line}
		a := authenticator(digest.AllowMD5())
		resend, err := a.(auth.Challenger).Challenged(req, resp)
		if err != nil && !errors.Is(err, digest.ErrUnsupported) {
			t.Fatal(err)
		}
		if err := a.Authenticate(req); err != nil {
			t.Fatal(err)
		}
		if text := req.Header.Get("Authorization"); (text != "") != resend {
			t.Errorf("resend %v, and %q is sent", resend, text)
		} else if resend && strings.IndexFunc(line, func(r rune) bool { return r < ' ' }) < 0 {
			if _, err := parse(text); err != nil {
				t.Errorf("%v in %q", err, text)
			}
		}
	})
}

func TestManyDomains(t *testing.T) {
	t.Parallel()
	a := digest.New("ann", secrets.Static("a password"))
	get := func(path string) *http.Request {
		return httptest.NewRequest(http.MethodGet, "https://api.example.test"+path, nil)
	}
	resp := &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}}
	resp.Header.Set("WWW-Authenticate", `Digest realm="r", qop="auth", algorithm=SHA-256, nonce="n", domain="`+
		strings.Repeat("/ab ", 33)+`"`)
	challenger, ok := a.(auth.Challenger)
	if !ok {
		t.Fatal("it is no Challenger")
	}
	if resend, err := challenger.Challenged(get("/x"), resp); !resend || err != nil {
		t.Fatalf("%t, %v", resend, err)
	}
	other := get("/elsewhere")
	if err := a.Authenticate(other); err != nil || other.Header.Get("Authorization") == "" {
		t.Errorf("F19 a domain of too many URLs is not taken for the origin: %v", err)
	}
}
