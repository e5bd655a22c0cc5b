package request_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const evilURL = "https://evil.test"

// apiKey is a credential in the query; a part of it has to be escaped there.
const apiKey = hidden + "/+ &="

// escapedKey is apiKey as it is sent.
const escapedKey = hidden + "%2F%2B+%26%3D"

func withAPIKey() connection.Option {
	return connection.WithAuth(auth.APIKey(secrets.Static(apiKey), auth.InQuery("api_key")))
}

func withBasic() connection.Option {
	return connection.WithAuth(auth.Basic("svc", secrets.Static(hidden)))
}

// wantNone fails the test if somebody has dialled the server.
func wantNone(t *testing.T, servers ...*connectiontest.Server) {
	t.Helper()
	for _, srv := range servers {
		if n := srv.Conns(); n != 0 {
			t.Errorf("%s saw %d connections, want none", srv.URL, n)
		}
	}
}

// A link that leads away ends the run, after the page that it stands in and before a byte is sent.
func TestForeignNextLink(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]string{
		"another host":            evilURL + "/x?page=2",
		"another host, no scheme": "//evil.test/x",
		"another port":            homeURL + ":8443/x",
		"a sub-domain":            "https://sub.api.example.test/x",
		"the parent domain":       "https://example.test/x",
		"plain http":              "http://api.example.test/x",
		"home as user name":       "https://api.example.test@evil.test/x",
		"a dot behind the host":   "https://api.example.test./x",
	} {
		for policy, options := range map[string][]connection.Option{
			"": {withBasic()}, " without credentials": nil, " with a key in the query": {withAPIKey()},
		} {
			t.Run("A26 to "+name+policy, func(t *testing.T) {
				t.Parallel()
				n := connectiontest.NewNetwork(t)
				home := n.Serve(homeURL, connectiontest.JSON(200, book{[]string{"a"}, link}).Header("Link", "<"+link+">; rel=next"))
				var others []*connectiontest.Server
				for _, origin := range []string{
					evilURL, homeURL + ":8443", "https://sub.api.example.test", "https://example.test", "http://api.example.test",
					"https://api.example.test.",
				} {
					others = append(others, n.Serve(origin, connectiontest.JSON(200, book{})))
				}
				get := request.Get(connectTo(t, home, "", options...), "/x")
				for _, first := range []request.Builder{get, get.Auth(auth.None())} {
					for _, next := range []request.Next[book]{request.LinkHeader[book](), request.NextURL(nextOf)} {
						got := walk(t, request.Pages(t.Context(), first, next))
						e := wantStage[*request.Error](t, got.err, request.StagePage)
						oe, ok := errors.AsType[*connection.OriginError](got.err)
						if !ok || oe.Home != homeURL || !strings.Contains(e.Error(), oe.Origin) || e.URL != homeURL+"/x" {
							t.Errorf("error is %v, want an *OriginError about %s", got.err, link)
						}
						if len(got.values) != 1 || got.cursors[0] != "" {
							t.Errorf("pages %v, cursors %q", got.values, got.cursors)
						}
					}
				}
				wantNone(t, others...)
			})
		}
	}
}

// A link that is none ends the run, too: without an error it would look like the end.
func TestMalformedNextLink(t *testing.T) {
	t.Parallel()
	links := map[string]string{
		"A19 javascript":         "javascript:alert(1)",
		"A19 javascript://":      "javascript://api.example.test/x",
		"A19 file":               "file:///etc/passwd",
		"A19 another scheme":     "ftp://api.example.test/x",
		"A17 no host":            "https:///x",
		"A17 opaque":             "https:x",
		"A17 backslash":          `/x\y`,
		"A17 two backslashes":    `\\evil.test`,
		"A17 space":              "/x y",
		"A17 space around":       " /odd ",
		"A17 tab":                "/x\ty",
		"H11 bad escape":         "/x%zz",
		"H9 bad port":            "https://api.example.test:x/",
		"A22 host outside ASCII": "https://api.ex\u00e4mple.test/",
	}
	check := func(t *testing.T, link string, next request.Next[book]) {
		t.Helper()
		reply := connectiontest.JSON(200, book{nil, link})
		if !strings.ContainsAny(link, "\r\n\x00\x1b\x7f") { // which net/http refuses in a header
			reply = reply.Header("Link", "<"+link+">; rel=next")
		}
		srv := connectiontest.NewServer(t, reply)
		got := walk(t, request.Pages(t.Context(), request.Get(connectTo(t, srv, ""), "/x"), next))
		text := wantPageError(t, got.err, nil)
		if len(got.values) != 1 || got.cursors[0] != "" || len(srv.Requests()) != 1 {
			t.Errorf("%d pages, cursors %q, %d requests", len(got.values), got.cursors, len(srv.Requests()))
		}
		if strings.Contains(text, strings.Trim(link, " /")) || !strings.Contains(text, "the link to the next page") {
			t.Errorf("error is %s", text)
		}
	}
	for name, link := range links {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, link, request.NextURL(nextOf))
			check(t, link, request.LinkHeader[book]())
		})
	}
	for name, text := range controls {
		t.Run("H7 "+name+" in NextURL", func(t *testing.T) {
			t.Parallel()
			check(t, "/x"+text, request.NextURL(nextOf))
		})
	}
	t.Run("empty target", func(t *testing.T) {
		t.Parallel()
		srv := connectiontest.NewServer(t, linked("<>; rel=next"))
		got := walk(t, request.Pages(t.Context(), request.Get(connectTo(t, srv, ""), "/x"), request.LinkHeader[[]string]()))
		wantPageError(t, got.err, nil)
	})
	t.Run("H11 too long", func(t *testing.T) {
		t.Parallel()
		srv := connectiontest.NewServer(t, connectiontest.JSON(200, book{nil, "/" + strings.Repeat("x", 8<<10)}))
		got := walk(t, request.Pages(t.Context(), request.Get(connectTo(t, srv, ""), "/x"), request.NextURL(nextOf)))
		wantStage[*request.Error](t, got.err, request.StageBuild)
		wantTargets(t, srv, "GET /x")
	})
}

// User name and password of a link are not sent, and the connection's credential is.
func TestUserinfoInNextLink(t *testing.T) {
	t.Parallel()
	srv := connectiontest.NewServer(t, shelf{
		"/x": linked("<https://mallory:pw@api.example.test/y>; rel=next"), "/y": listed("b"),
	})
	first := request.Get(connectTo(t, srv, "", withBasic()), "/x")
	got := walk(t, request.Pages(t.Context(), first, request.LinkHeader[[]string]()))
	if got.err != nil || got.cursors[0] != homeURL+"/y" {
		t.Fatalf("A16 cursors %q, error %v", got.cursors, got.err)
	}
	rs := srv.Requests()
	if a, b := rs[0].Header.Get("Authorization"), rs[1].Header.Get("Authorization"); a == "" || a != b {
		t.Errorf("A16 Authorization is %q, then %q", a, b)
	}
}

// A key in the query that the service repeats in its links is sent once, and is in no cursor.
func TestKeyInNextLink(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]string{
		"as it was sent":    "/y?api_key=" + escapedKey + "&page=2",
		"escaped otherwise": "/y?page=2&%61pi_key=" + strings.ReplaceAll(escapedKey, "+", "%20"),
		"twice":             "?api_key=" + escapedKey + "&page=2&api_key=" + escapedKey,
		"not at all":        "/y?page=2",
	} {
		for way, target := range map[string]string{"directly": "/x", "after a redirect": "/r"} {
			t.Run("A4 "+name+", "+way, func(t *testing.T) {
				t.Parallel()
				srv := connectiontest.NewServer(t, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					switch {
					case req.URL.Path == "/r":
						connectiontest.Status(302).Header("Location", "/x?"+req.URL.RawQuery).ServeHTTP(w, req)
					case req.URL.Query().Has("page"):
						listed("b").ServeHTTP(w, req)
					default:
						linked("<"+link+">; rel=next", "a").ServeHTTP(w, req)
					}
				}))
				first := request.Get(connectTo(t, srv, "", withAPIKey()), target)
				got := walk(t, request.Pages(t.Context(), first, request.LinkHeader[[]string]()))
				if got.err != nil || len(got.values) != 2 {
					t.Fatalf("%d pages, error %v", len(got.values), got.err)
				}
				for _, cursor := range got.cursors {
					if strings.Contains(cursor, hidden) || strings.Contains(cursor, "pi_key") {
						t.Errorf("the key is in the cursor %s", cursor)
					}
				}
				rs := srv.Requests()
				for _, r := range rs {
					if strings.Count(r.Raw, hidden) != 1 || strings.Count(r.Target, "api_key="+escapedKey) != 1 {
						t.Errorf("a request has not one key:\n%s", r.Raw)
					}
				}
				if last := rs[len(rs)-1].Target; !strings.HasSuffix(last, "?page=2&api_key="+escapedKey) {
					t.Errorf("the last target is %s", last)
				}
				// The cursor is good for another run.
				from := request.FromCursor(got.cursors[0])
				again := walk(t, request.Pages(t.Context(), first, request.LinkHeader[[]string](), from))
				if again.err != nil || !slices.Equal(again.values[0], []string{"b"}) {
					t.Errorf("resumed: %v, %v", again.values, again.err)
				}
			})
		}
	}
}

// Between the connection's origins links are followed with credentials, but never in clear.
func TestTrustedNextLink(t *testing.T) {
	t.Parallel()
	const filesURL, clearURL = "https://files.example.test", "http://api.example.test"
	n := connectiontest.NewNetwork(t)
	home := n.Serve(homeURL, shelf{
		"/x": linked("<" + filesURL + "/2>; rel=next"), "/3": linked("<" + clearURL + "/4>; rel=next"),
	})
	files := n.Serve(filesURL, shelf{"/2": linked("<" + homeURL + "/3>; rel=next")})
	plain := n.Serve(clearURL, listed("stolen"))
	conn := connectTo(t, home, "", withBasic(), connection.WithTrustedOrigins(filesURL, clearURL))
	got := walk(t, request.Pages(t.Context(), request.Get(conn, "/x"), request.LinkHeader[[]string]()))
	wantStage[*request.Error](t, got.err, request.StageBuild)
	if !errors.Is(got.err, connection.ErrInsecure) || len(got.values) != 3 {
		t.Errorf("A5 %d pages, error %v", len(got.values), got.err)
	}
	wantNone(t, plain)
	for _, r := range slices.Concat(home.Requests(), files.Requests()) {
		if r.Header.Get("Authorization") == "" {
			t.Errorf("A26 %s was asked without credentials", r.Host)
		}
	}
	wantTargets(t, home, "GET /x", "GET /3")
	wantTargets(t, files, "GET /2")
}

// What a foreign server has written, or has chosen by a redirect, is not asked with credentials.
func TestNextLinkAfterRedirect(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		home, evil shelf
		origin     string // in the error; "" if there is none
		want       []string
	}{
		"A26 at home": {
			home: shelf{"/x": moved("/v2/x?a=1"), "/v2/x?a=1": linked("<y>; rel=next"), "/v2/y": listed()},
			want: []string{"GET /x", "GET /v2/x?a=1", "GET /v2/y"},
		},
		"A9 a foreign page links home": {
			home:   shelf{"/x": moved(evilURL + "/p"), "/admin": listed("secret")},
			evil:   shelf{"/p": linked("<" + homeURL + "/admin>; rel=next")},
			origin: evilURL, want: []string{"GET /x"},
		},
		"A8 a foreign page links to itself": {
			home:   shelf{"/x": moved(evilURL + "/p")},
			evil:   shelf{"/p": linked("<?p=2>; rel=next"), "/p?p=2": listed("never")},
			origin: evilURL, want: []string{"GET /x"},
		},
		"A9 a foreign server leads home": {
			home:   shelf{"/x": moved(evilURL + "/p"), "/y": linked("</z>; rel=next"), "/z": listed("never")},
			evil:   shelf{"/p": moved(homeURL + "/y")},
			origin: homeURL, want: []string{"GET /x", "GET /y"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			home, evil := n.Serve(homeURL, tt.home), n.Serve(evilURL, tt.evil)
			first := request.Get(connectTo(t, home, "", withBasic()), "/x").Header("X-Own", hidden)
			got := walk(t, request.Pages(t.Context(), first, request.LinkHeader[[]string]()))
			wantTargets(t, home, tt.want...)
			for _, r := range evil.Requests() {
				if strings.Contains(r.Raw, hidden) || r.Header.Get("Authorization") != "" {
					t.Errorf("the foreign server has read\n%s", r.Raw)
				}
			}
			if tt.origin == "" {
				if got.err != nil || len(got.values) != 2 {
					t.Errorf("%d pages, error %v", len(got.values), got.err)
				}
				return
			}
			wantPageError(t, got.err, nil)
			oe, ok := errors.AsType[*connection.OriginError](got.err)
			if !ok || oe.Origin != tt.origin || !strings.Contains(got.err.Error(), "by a redirect over another origin") {
				t.Errorf("error is %v, want an *OriginError about %s", got.err, tt.origin)
			}
			if len(got.values) != 1 || got.cursors[0] != "" || len(evil.Requests()) != 1 {
				t.Errorf("%d pages, cursors %q", len(got.values), got.cursors)
			}
		})
	}
}

// A public service beside the connection's own, asked bare, is paged through within its origin.
func TestBareNextLink(t *testing.T) {
	t.Parallel()
	const publicURL = "https://public.test"
	n := connectiontest.NewNetwork(t)
	home := n.Serve(homeURL, listed("never"))
	public := n.Serve(publicURL, shelf{
		"/x": linked("<?page=2>; rel=next"), "/x?page=2": linked("<" + homeURL + "/admin>; rel=next"),
	})
	conn := connectTo(t, home, "", withBasic(), connection.WithHeader("X-Home", "1"))
	first := request.Get(conn, publicURL+"/x").Auth(auth.None())
	got := walk(t, request.Pages(t.Context(), first, request.LinkHeader[[]string]()))
	wantPageError(t, got.err, nil)
	if oe, ok := errors.AsType[*connection.OriginError](got.err); !ok || oe.Origin != publicURL || len(got.values) != 2 {
		t.Errorf("A9 %d pages, error %v", len(got.values), got.err)
	}
	wantNone(t, home)
	wantTargets(t, public, "GET /x", "GET /x?page=2")
	for _, r := range public.Requests() {
		if r.Header.Get("Authorization")+r.Header.Get("X-Home") != "" {
			t.Errorf("the public service has read\n%s", r.Raw)
		}
	}
}

// A run goes on where another one has stopped, with exactly the requests that it would have made.
func TestResume(t *testing.T) {
	t.Parallel()
	server := shelf{"/x?q=1": connectiontest.JSON(200, book{[]string{"a"}, "/y?n=2"})}
	for target, next := range map[string]string{
		"/y?n=2": "/y?n=3", "/y?n=3": "", "/x?q=1&c=%2Fy%3Fn%3D2": "t3", "/x?q=1&c=t3": "",
	} {
		server[target] = connectiontest.JSON(200, book{[]string{"b"}, next}).Header("Link", "<"+next+">; rel=next")
		if next == "" {
			server[target] = connectiontest.JSON(200, book{[]string{"b"}, ""})
		}
	}
	server["/x?q=1"] = connectiontest.JSON(200, book{[]string{"a"}, "/y?n=2"}).Header("Link", "</y?n=2>; rel=next")
	server["/x?q=1&n=1"] = connectiontest.JSON(200, book{[]string{"b"}, ""})
	server["/x?q=1&n=2"] = server["/x?q=1&n=1"]
	server["/x?q=1&n=3"] = connectiontest.JSON(200, book{})
	items := func(b book) int { return len(b.Items) }
	for name, next := range map[string]request.Next[book]{
		"LinkHeader": request.LinkHeader[book](), "NextURL": request.NextURL(nextOf), "Cursor": request.Cursor("c", nextOf),
		"PageNumber": request.PageNumber("n", 0, items), "Offset": request.Offset("n", items),
		"NextFunc": request.NextFunc(
			func(p *request.Page[book]) (string, error) { return p.Value.Next, nil },
			func(first request.Builder, cursor string) request.Builder { return first.SetQuery("c", cursor) }),
	} {
		t.Run("H47 "+name, func(t *testing.T) {
			t.Parallel()
			srv := connectiontest.NewServer(t, server)
			first := request.Get(connectTo(t, srv, "", withBasic()), "/x").Query("q", "1").Header("X-Own", "1")
			whole := walk(t, request.Pages(t.Context(), first, next))
			if whole.err != nil || len(whole.values) < 3 {
				t.Fatalf("%d pages, error %v", len(whole.values), whole.err)
			}
			all := srv.Requests()
			for i, cursor := range whole.cursors[:len(whole.cursors)-1] {
				before := len(srv.Requests())
				got := walk(t, request.Pages(t.Context(), first, next, request.FromCursor(cursor)))
				if diff := cmp.Diff(whole.values[i+1:], got.values); got.err != nil || diff != "" {
					t.Errorf("from %s: error %v; (-want +got)\n%s", cursor, got.err, diff)
				}
				for j, r := range srv.Requests()[before:] {
					if r.Raw != all[i+1+j].Raw {
						t.Errorf("from %s: the request is\n%s, want\n%s", cursor, r.Raw, all[i+1+j].Raw)
					}
				}
			}
		})
	}
}

// A cursor comes from where somebody has kept it, and may have been changed there.
func TestTamperedCursor(t *testing.T) {
	t.Parallel()
	link := request.LinkHeader[[]string]()
	for name, tt := range map[string]struct {
		cursor string
		next   request.Next[[]string]
		origin bool
	}{
		"A26 another origin":      {evilURL + "/x", link, true},
		"A26 plain http":          {"http://api.example.test/x", link, true},
		"A26 another port":        {homeURL + ":8443/x", link, true},
		"A17 no scheme":           {"//evil.test/x", link, false},
		"A17 relative":            {"/x?page=2", link, false},
		"A17 query":               {"?page=2", link, false},
		"A16 user name":           {"https://user@api.example.test/x", link, false},
		"A16 home as user name":   {"https://api.example.test@evil.test/x", link, false},
		"A19 javascript":          {"javascript:alert(1)", link, false},
		"A17 opaque":              {"https:api.example.test/x", link, false},
		"A17 backslash":           {`https://api.example.test\@evil.test/x`, link, false},
		"A17 backslash in a path": {homeURL + `/x\y`, link, false},
		"A17 space":               {homeURL + "/x y", link, false},
		"A17 space in a query":    {homeURL + "/x?a b", link, false},
		"H7 CRLF":                 {homeURL + "/x\r\nX-Evil: 1", link, false},
		"fragment":                {homeURL + "/x#y", link, false},
		"not a number":            {"1&admin=1", request.PageNumber("p", 1, count), false},
		"negative":                {"-1", request.Offset("p", count), false},
		"signed":                  {"+1", request.Offset("p", count), false},
		"H7 CRLF in a token":      {"x\r\ny", request.Cursor("p", func([]string) string { return "" }), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			servers := []*connectiontest.Server{
				n.Serve(homeURL, listed()), n.Serve(evilURL, listed()), n.Serve("http://api.example.test", listed()),
				n.Serve(homeURL+":8443", listed()),
			}
			get := request.Get(connectTo(t, servers[0], "", withBasic()), "/x")
			for _, first := range []request.Builder{get, get.Auth(auth.None())} {
				got := walk(t, request.Pages(t.Context(), first, tt.next, request.FromCursor(tt.cursor)))
				e := wantStage[*request.Error](t, got.err, request.StageBuild)
				if _, ok := errors.AsType[*connection.OriginError](e); ok != tt.origin || len(got.values) != 0 {
					t.Errorf("error is %v, an *OriginError: %t, want %t", e, ok, tt.origin)
				}
			}
			wantNone(t, servers...)
		})
	}
	t.Run("A26 a trusted origin", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		home, files := n.Serve(homeURL, listed()), n.Serve("https://files.example.test", listed("a"))
		conn := connectTo(t, home, "", withBasic(), connection.WithTrustedOrigins(files.URL))
		got := walk(t, request.Pages(t.Context(), request.Get(conn, "/x"), link, request.FromCursor(files.URL+":443/2")))
		if got.err != nil || len(got.values) != 1 {
			t.Errorf("%d pages, error %v", len(got.values), got.err)
		}
		wantNone(t, home)
	})
	t.Run("A26 from a public service home", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		home, public := n.Serve(homeURL, listed()), n.Serve("https://public.test", listed())
		first := request.Get(connectTo(t, home, "", withBasic()), public.URL+"/x").Auth(auth.None())
		got := walk(t, request.Pages(t.Context(), first, link, request.FromCursor(homeURL+"/admin")))
		oe, ok := errors.AsType[*connection.OriginError](got.err)
		if !ok || oe.Origin != public.URL || oe.Home != homeURL {
			t.Errorf("error is %v, want an *OriginError", got.err)
		}
		wantNone(t, home, public)
	})
}

// A secret of the path is in no error and no log of the pages that follow, even if the service repeats it.
func TestSecretPathInPages(t *testing.T) {
	t.Parallel()
	const path = "/bot" + hidden + "/x"
	for name, tt := range map[string]struct {
		shelf shelf
		next  request.Next[book]
		url   string
	}{
		"LinkHeader": {
			shelf{
				path:          connectiontest.JSON(200, book{}).Header("Link", "<?c=2>; rel=next"),
				path + "?c=2": connectiontest.Status(500),
			},
			request.LinkHeader[book](), homeURL + "/[REDACTED]",
		},
		"NextURL to a loop": {
			shelf{
				path:          connectiontest.JSON(200, book{Next: path + "?c=2"}),
				path + "?c=2": connectiontest.JSON(200, book{Next: path}),
			},
			request.NextURL(nextOf), homeURL + "/[REDACTED]",
		},
		"NextURL to a redirect": {
			shelf{path: connectiontest.JSON(200, book{Next: path + "/2"}), path + "/2": moved(path + "/3")},
			request.NextURL(nextOf), homeURL + "/[REDACTED]",
		},
		"NextURL away": {
			shelf{path: connectiontest.JSON(200, book{Next: evilURL + path})}, request.NextURL(nextOf), homeURL + "/bot{t}/x",
		},
		"Cursor": {
			shelf{path: connectiontest.JSON(200, book{Next: "2"}), path + "?c=2": connectiontest.Text(200, "no JSON")},
			request.Cursor("c", nextOf), homeURL + "/bot{t}/x",
		},
	} {
		t.Run("G2 "+name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			srv := connectiontest.NewServer(t, tt.shelf)
			conn := connectTo(t, srv, "", connection.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
			first := request.Get(conn, "/bot{t}/x").PathSecret("t", secrets.Static(hidden))
			got := walk(t, request.Pages(t.Context(), first, tt.next))
			if got.err == nil || !strings.Contains(got.err.Error(), tt.url+":") {
				t.Errorf("error %v does not show %s", got.err, tt.url)
			}
			if all := log.String() + got.err.Error(); strings.Contains(all, hidden) {
				t.Errorf("the secret is in %s", all)
			}
		})
	}
}
