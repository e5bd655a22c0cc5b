package oauth2flow_test

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	busy := func(status int, after string) connectiontest.Reply {
		return connectiontest.Status(status).Header("Retry-After", after)
	}
	for name, c := range map[string]struct {
		reply    connectiontest.Reply
		min, max time.Duration
	}{
		"S51 503 with Retry-After":           {busy(503, "20"), 20 * time.Second, time.Minute},
		"S51 429 with Retry-After":           {busy(429, "20"), 20 * time.Second, time.Minute},
		"S51 429 that wants too much":        {busy(429, "3600"), 45 * time.Second, time.Minute},
		"S51 503 without":                    {connectiontest.Status(503), 0, 2 * time.Second},
		"S26 scopes that will not be others": {text(`{"access_token":"t","scope":"x"}`), 40 * time.Second, time.Minute},
		"S25 a type that will not be another": {
			text(`{"access_token":"t","token_type":"mac"}`), 40 * time.Second, time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, c.reply, issued)
				m := auth.Manage(oauth2flow.ClientCredentials(clientOf(s, func(c *client) {
					c.Scopes, c.RequireScopes = []string{"read"}, true
				})))
				defer func() { _ = m.Close() }()
				began := time.Now()
				for {
					_, err := m.Token(t.Context(), auth.Want{})
					if err == nil {
						break
					}
					_ = as[*auth.RenewalError](t, err)
					time.Sleep(time.Second / 10)
				}
				if took := time.Since(began); took < c.min || took > c.max {
					t.Errorf("the next try was after %v, want one after %v to %v", took, c.min, c.max)
				}
				sent(t, s, 2)
			})
		})
	}
}

// rawToken answers the first request of a connection, and closes the connection on the second, or before it.
func rawToken(requests *atomic.Int64, readSecond bool) func(conn net.Conn) {
	return func(conn net.Conn) {
		const answer = `{"access_token":"t1"}`
		r := bufio.NewReader(conn)
		read := func() bool {
			req, err := http.ReadRequest(r)
			if err != nil {
				return false
			}
			_, _ = io.Copy(io.Discard, req.Body)
			requests.Add(1)
			return true
		}
		if !read() {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n"+answer)
		if readSecond {
			_ = read()
		}
	}
}

func TestNothingIsSentTwice(t *testing.T) {
	t.Parallel()
	grants := map[string]func(c client) auth.Grant{
		"refresh":            func(c client) auth.Grant { return oauth2flow.Refresh(c, secrets.Static("r1")) },
		"client credentials": oauth2flow.ClientCredentials,
		"parameters in the URL": func(c client) auth.Grant {
			c.Encoding, c.Auth = oauth2flow.Query, oauth2flow.InHeader()
			return oauth2flow.ClientCredentials(c)
		},
	}
	for name, grantOf := range grants {
		t.Run("E14 "+name+": a connection that is closed behind the request", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var requests atomic.Int64
				s := connectiontest.NewNetwork(t).ServeRaw("https://auth.example.test", rawToken(&requests, true))
				g := grantOf(clientOf(s))
				obtain(t, g, nil)
				synctest.Wait()
				fails(t, g, nil)
				synctest.Wait()
				equal(t, "requests", requests.Load(), int64(2))
				equal(t, "connections", s.Conns(), 1)
			})
		})
		t.Run("E14 "+name+": a connection that was closed before", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var requests atomic.Int64
				s := connectiontest.NewNetwork(t).ServeRaw("https://auth.example.test", rawToken(&requests, false))
				g := grantOf(clientOf(s))
				obtain(t, g, nil)
				synctest.Wait()
				obtain(t, g, nil)
				equal(t, "requests", requests.Load(), int64(2))
			})
		})
	}
	t.Run("E14 a header that would have it repeated is refused", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
			s := serve(t)
			c := clientOf(s, func(c *client) { c.Header = http.Header{name: {"1"}} })
			if err := oauth2flow.ClientCredentials(c).(auth.Validator).Validate(); err == nil {
				t.Errorf("%s is accepted", name)
			}
		}
	})
}

func TestTokenCallsInTheLog(t *testing.T) {
	t.Parallel()
	const description = "of-the-server"
	opened := func(t *testing.T, with func(l *slog.Logger) connection.Option) (shown string) {
		t.Helper()
		n := connectiontest.NewNetwork(t)
		a := n.Serve("https://auth.example.test", connectiontest.Sequence(
			connectiontest.JSON(400, object{"error": "invalid_request", "error_description": description}), issued))
		api := n.Serve("https://api.example.test", connectiontest.Status(200))
		c := clientOf(a, func(c *client) {
			c.TokenURL += "?key=of-query"
			c.Endpoint = auth.Endpoint{}
			c.Header = http.Header{"X-Key": {"of-header"}}
			c.RevocationURL = a.URL + "/revoke"
		})
		m := auth.Manage(oauth2flow.ClientCredentials(c))
		defer func() { _ = m.Close() }()
		var out bytes.Buffer
		conn, err := connection.New(api.URL, n.Option(), connection.WithName("orders"),
			connection.WithAuth(auth.Bearer(m)), with(slog.New(slog.NewTextHandler(&out, nil))))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_ = request.Get(conn, "/x").Exec(t.Context())
		if _, err := m.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := m.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	for name, with := range map[string]func(l *slog.Logger) connection.Option{
		"WithLogger": connection.WithLogger, "WithDebug": connection.WithDebug,
	} {
		t.Run("G7 "+name, func(t *testing.T) {
			t.Parallel()
			shown := opened(t, with)
			var calls []string
			for line := range strings.SplitSeq(shown, "\n") {
				if _, call, ok := strings.Cut(line, "level="); ok && strings.Contains(call, `msg="token call"`) {
					before, after, _ := strings.Cut(call, " duration=")
					_, after, _ = strings.Cut(after, " ")
					calls = append(calls, before+" "+after)
				}
			}
			const at = ` msg="token call" connection=orders method=POST url=https://auth.example.test`
			equal(t, "token calls", calls, []string{
				"WARN" + at + "/token status=400 code=invalid_request", "INFO" + at + "/token status=200",
				"INFO" + at + "/revoke status=200",
			})
			for _, secret := range []string{"csec", "of-query", "of-header", "t1"} {
				if strings.Contains(shown, secret) {
					t.Errorf("%q is in %s", secret, shown)
				}
			}
		})
	}
}
