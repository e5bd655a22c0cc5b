package connection_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// exchange sends a GET and returns the closed exchange: Link is asked after the body was read.
func exchange(t *testing.T, conn *connection.Connection, target string, a auth.Authenticator) *connection.Exchange {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	x, err := conn.Send(t.Context(), connection.Call{Method: http.MethodGet, URL: *u, Auth: a})
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	return x
}

// A URL that a server has written is resolved against the one that was asked last, and stays within its origin.
func TestLink(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	n.Serve(homeURL, routes{
		"/r": redirectTo(302, "/v2/list?b=1"), "/away": redirectTo(302, evilURL+"/p"),
	})
	n.Serve(evilURL, routes{})
	n.Serve(clearURL, routes{})
	key := connection.WithAuth(auth.APIKey(secrets.Static(canary), auth.InQuery("key")))
	conn := openConn(t, n, key, connection.WithTrustedOrigins(portURL))
	direct := exchange(t, conn, homeURL+"/v1/list?a=1", nil)
	bare := exchange(t, conn, homeURL+"/v1/list?a=1", auth.None())
	moved := exchange(t, conn, homeURL+"/r", nil)
	away := exchange(t, conn, homeURL+"/away", nil)
	foreign := exchange(t, conn, evilURL+"/v1/list?a=1", auth.None())

	const escaped = "canary%2B7f3a9c"
	for _, tt := range []struct {
		name      string
		from      *connection.Exchange
		reference string
		want      string // "" if it is refused
		origin    string // of the *OriginError; "" if there is none
	}{
		{"A26 absolute", direct, homeURL + "/v3?x=1", homeURL + "/v3?x=1", ""},
		{"A26 upper case and default port", direct, "HTTPS://API.EXAMPLE.TEST:443/x", "https://API.EXAMPLE.TEST:443/x", ""},
		{"A26 path", direct, "/x", homeURL + "/x", ""},
		{"A26 relative", direct, "x", homeURL + "/v1/x", ""},
		{"A26 dot segments", direct, "../../../x", homeURL + "/x", ""},
		{"A26 query", direct, "?page=2", homeURL + "/v1/list?page=2", ""},
		{"A26 the page itself", direct, "#top", homeURL + "/v1/list?a=1", ""},
		{"A26 escapes stay", direct, "/a%2Fb/%C3%A6?q=%2526", homeURL + "/a%2Fb/%C3%A6?q=%2526", ""},
		{"A26 three slashes", direct, "///evil.test/x", homeURL + "///evil.test/x", ""},
		{"A26 trusted", direct, portURL + "/x", portURL + "/x", ""},
		{"A26 after a redirect", moved, "?page=2", homeURL + "/v2/list?page=2", ""},
		{"A26 after a redirect, relative", moved, "x", homeURL + "/v2/x", ""},
		{"A26 bare", bare, "?page=2", homeURL + "/v1/list?page=2", ""},
		{"A26 within a foreign origin, bare", foreign, "x?page=2", evilURL + "/v1/x?page=2", ""},
		{"A16 userinfo", direct, "https://u:p@api.example.test/x", homeURL + "/x", ""},
		{"A4 key", direct, "?key=" + escaped + "&page=2", homeURL + "/v1/list?page=2", ""},
		{"A4 key in another spelling", direct, "?page=2&k%65y=canary%2b7f3a9c", homeURL + "/v1/list?page=2", ""},
		{"A4 key after a redirect", moved, "?page=2&key=" + escaped, homeURL + "/v2/list?page=2", ""},
		{"A4 key for a trusted origin", direct, portURL + "/x?key=" + escaped, portURL + "/x", ""},
		{"A4 what was asked without a key stays", bare, "?key=" + escaped, homeURL + "/v1/list?key=" + escaped, ""},

		{"A26 foreign", direct, evilURL + "/x", "", evilURL},
		{"A26 foreign without scheme", direct, "//evil.test/x", "", evilURL},
		{"A26 foreign, bare", bare, evilURL + "/x", "", evilURL},
		{"A26 from a foreign origin home, bare", foreign, homeURL + "/x", "", evilURL},
		{"A26 from a foreign origin to another, bare", foreign, subURL + "/x", "", subURL},
		{"A7 sub-domain", direct, subURL + "/x", "", subURL},
		{"A5 plain http", direct, clearURL + "/x", "", clearURL},
		{"A16 home as user name", direct, "https://api.example.test@evil.test/", "", evilURL},
		{"A9 a foreign page leads home", away, homeURL + "/x", "", evilURL},
		{"A8 a foreign page leads on", away, "?page=2", "", evilURL},
		{"A17 empty", direct, "", "", ""},
		{"A17 backslashes", direct, `\\evil.test`, "", ""},
		{"A17 space", direct, "/x y", "", ""},
		{"A17 tab", direct, "/x\ty", "", ""},
		{"H7 CRLF", direct, "/x\r\nX-Evil: 1", "", ""},
		{"A19 javascript", direct, "javascript:alert(1)", "", ""},
		{"A19 file", direct, "file:///etc/passwd", "", ""},
		{"A17 no host", direct, "https:///x", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := tt.from.Link(tt.reference)
			got, from := "", ""
			if err == nil {
				got = u.String()
			}
			if oe, ok := errors.AsType[*connection.OriginError](err); ok {
				from = oe.Origin
				if oe.Home != homeURL {
					t.Errorf("Home is %s", oe.Home)
				}
			}
			if got != tt.want || from != tt.origin {
				t.Errorf("Link(%q) is %q, %v; want %q", tt.reference, got, err, tt.want)
			}
		})
	}
}
